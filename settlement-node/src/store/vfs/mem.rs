//! A disk in memory that forgets what was not synced, for tests and in-process clusters.
//!
//! Each file has volatile bytes (what reads see) and durable bytes (what survived the last sync).
//! [`MemVfs::crash`] lets each unsynced 4 KiB sector become, independently, the old bytes, the new
//! bytes, a torn mix, or zeros; names come back as of a random moment after the last `sync_dir`.
//! Handles from before the crash fail from then on, so that threads of the dead process cannot
//! touch the disk of the next one. All choices follow from the seed.

use super::{Vfs, VfsFile, parent_of};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 4096;

/// Which operation shall fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// [`VfsFile::read_at`].
    Read,
    /// [`VfsFile::write_at`]; an odd half of the bytes is written before the error.
    Write,
    /// [`VfsFile::sync_data`] and [`Vfs::sync_dir`].
    Sync,
}

/// A shared disk in memory; clones are handles to the same disk.
#[derive(Clone)]
pub struct MemVfs {
    disk: Arc<Mutex<Disk>>,
    epoch: u64,
}

#[derive(Default)]
struct Disk {
    epoch: u64,
    files: BTreeMap<u64, FileBytes>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending: Vec<NameChange>,
    faults: BTreeMap<Fault, u64>,
}

#[derive(Default)]
struct FileBytes {
    volatile: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

enum NameChange {
    Create(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn is_in(&self, dir: &Path) -> bool {
        match self {
            Self::Create(path, _) | Self::Rename(_, path) | Self::Remove(path) => {
                parent_of(path) == dir
            }
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Create(path, id) => {
                names.insert(path.clone(), *id);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

/// SplitMix64: small, seeded, good enough to choose faults.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

impl Default for MemVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl MemVfs {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self { disk: Arc::default(), epoch: 0 }
    }

    /// Cuts the power: returns the handle of the machine after the restart. Handles and files from
    /// before fail with `BrokenPipe`. Pending faults are cleared.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut disk = self.lock();
        let mut dice = Dice(seed);
        for file in disk.files.values_mut() {
            file.crash(&mut dice);
        }
        let pending = std::mem::take(&mut disk.pending);
        let mut names = std::mem::take(&mut disk.durable_names);
        // A journal keeps the order of name changes, so a prefix of them survives.
        let kept = dice.below(pending.len() + 1);
        pending[..kept].iter().for_each(|change| change.apply(&mut names));
        disk.names = names.clone();
        disk.durable_names = names;
        disk.faults.clear();
        disk.drop_nameless();
        disk.epoch += 1;
        Self { disk: self.disk.clone(), epoch: disk.epoch }
    }

    /// Kills the process but not the machine: all written bytes and names are still visible, only
    /// the handles from before fail.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut disk = self.lock();
        disk.faults.clear();
        disk.epoch += 1;
        Self { disk: self.disk.clone(), epoch: disk.epoch }
    }

    /// A second, independent disk with the same content.
    #[must_use]
    pub fn fork(&self) -> Self {
        let disk = self.lock();
        let copy = Disk {
            epoch: 0,
            files: disk
                .files
                .iter()
                .map(|(id, file)| {
                    let copy = FileBytes {
                        volatile: file.volatile.clone(),
                        durable: file.durable.clone(),
                        dirty: file.dirty.clone(),
                    };
                    (*id, copy)
                })
                .collect(),
            next_file: disk.next_file,
            names: disk.names.clone(),
            durable_names: disk.names.clone(),
            pending: Vec::new(),
            faults: BTreeMap::new(),
        };
        Self { disk: Arc::new(Mutex::new(copy)), epoch: 0 }
    }

    /// Lets the `nth` next operation of this kind fail (1 = the very next), and all after it.
    pub fn fail(&self, fault: Fault, nth: u64) {
        self.lock().faults.insert(fault, nth.max(1));
    }

    /// No more injected errors.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Changes bytes behind the back of the program (bit-rot); `change` gets the whole content.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut disk = self.lock();
        let id = *disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let file = disk.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        change(&mut file.volatile);
        file.durable.clone_from(&file.volatile);
        file.dirty.clear();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.lock();
        if disk.epoch == self.epoch { Ok(disk) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl Disk {
    fn strike(&mut self, fault: Fault) -> io::Result<()> {
        let Some(left) = self.faults.get_mut(&fault) else { return Ok(()) };
        *left = left.saturating_sub(1);
        if *left == 0 { Err(io::Error::other("injected fault")) } else { Ok(()) }
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn drop_nameless(&mut self) {
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
    }
}

impl FileBytes {
    fn touch(&mut self, from: usize, to: usize) {
        if to > from {
            self.dirty.extend(from / SECTOR..=(to - 1) / SECTOR);
        }
    }

    fn sync(&mut self) {
        self.durable.resize(self.volatile.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(self.volatile.len());
            if from < to {
                self.durable[from..to].copy_from_slice(&self.volatile[from..to]);
            }
        }
    }

    fn crash(&mut self, dice: &mut Dice) {
        let (old, new) = (self.durable.len(), self.volatile.len());
        let size = if old == new || dice.below(2) == 0 { new } else { old };
        let mut image = std::mem::take(&mut self.durable);
        image.resize(size, 0);
        for sector in std::mem::take(&mut self.dirty) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(size).min(new);
            if from >= to {
                continue;
            }
            match dice.below(4) {
                0 => {}
                1 => image[from..to].copy_from_slice(&self.volatile[from..to]),
                2 => {
                    let cut = from + dice.below(to - from);
                    image[from..cut].copy_from_slice(&self.volatile[from..cut]);
                }
                _ => image[from..to].fill(0),
            }
        }
        self.volatile.clone_from(&image);
        self.durable = image;
    }
}

impl Vfs for MemVfs {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn VfsFile>> {
        let mut disk = self.live()?;
        let id = match disk.names.get(path) {
            Some(id) => *id,
            None if create => {
                let id = disk.next_file;
                disk.next_file += 1;
                disk.files.insert(id, FileBytes::default());
                disk.change(NameChange::Create(path.to_path_buf(), id));
                id
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(MemFile { vfs: self.clone(), id }))
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.live().map(drop)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.live()?;
        if !disk.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.live()?;
        if !disk.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.live()?;
        let names = disk.names.keys().filter(|path| parent_of(path) == dir);
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.live()?;
        disk.strike(Fault::Sync)?;
        let (done, later) = std::mem::take(&mut disk.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|change| change.is_in(dir));
        disk.pending = later;
        done.iter().for_each(|change| change.apply(&mut disk.durable_names));
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.live()?.names.contains_key(path))
    }
}

struct MemFile {
    vfs: MemVfs,
    id: u64,
}

impl MemFile {
    fn with<T>(&self, action: impl FnOnce(&mut FileBytes) -> T) -> io::Result<T> {
        let mut disk = self.vfs.live()?;
        disk.files.get_mut(&self.id).map(action).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn strike(&self, fault: Fault) -> io::Result<()> {
        self.vfs.live()?.strike(fault)
    }
}

impl VfsFile for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.strike(Fault::Read)?;
        self.with(|file| {
            let from = (offset as usize).min(file.volatile.len());
            let count = buf.len().min(file.volatile.len() - from);
            buf[..count].copy_from_slice(&file.volatile[from..from + count]);
            count
        })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let struck = self.strike(Fault::Write);
        let buf = if struck.is_err() { &buf[..buf.len() / 2] } else { buf };
        self.with(|file| {
            let from = offset as usize;
            let to = from + buf.len();
            if file.volatile.len() < to {
                file.volatile.resize(to, 0);
            }
            file.volatile[from..to].copy_from_slice(buf);
            file.touch(from, to);
        })?;
        struck
    }

    fn sync_data(&self) -> io::Result<()> {
        self.strike(Fault::Sync)?;
        self.with(FileBytes::sync)
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|file| file.volatile.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|file| {
            let (old, new) = (file.volatile.len(), len as usize);
            file.volatile.resize(new, 0);
            file.touch(old.min(new), old.max(new));
        })
    }
}
