//! A disk in memory that forgets what was not synced, for tests and in-process clusters.
//!
//! Each file has volatile bytes (what reads see) and durable bytes (what survived the last sync).
//! [`MemVfs::crash`] lets each unsynced 4 KiB sector become, independently, the old bytes, the new
//! bytes, the new bytes up to somewhere, any mix of old and new 512-byte pieces, or zeros; names come
//! back as of a random moment after the last `sync_dir`.
//! A failed sync leaves what Linux leaves: the bytes can still be read and count as clean, so no later
//! sync writes them, and they are gone after a power loss, or when the cache is dropped.
//! Handles from before the crash fail from then on, so that threads of the dead process cannot
//! touch the disk of the next one. All choices follow from the seed.

mod damage;
#[cfg(test)]
mod tests;

use super::{Vfs, VfsFile, parent_of};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 4096;
/// What the smallest disk writes as a whole.
const PIECE: usize = 512;

/// Which operation shall fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// [`VfsFile::read_at`].
    Read,
    /// [`VfsFile::write_at`]; an odd half of the bytes is written before the error.
    Write,
    /// [`VfsFile::sync_data`] and [`Vfs::sync_dir`]; what the former should have written stays
    /// readable and is never written.
    Sync,
    /// One [`VfsFile::write_at`] that says it was done and was not.
    LostWrite,
    /// One [`VfsFile::write_at`] that hits the sector before or after its own, if there is one.
    MisdirectedWrite,
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
    /// No file can grow and none can be made.
    full: bool,
    /// Bytes that all files together may have.
    capacity: Option<u64>,
}

#[derive(Default)]
struct FileBytes {
    volatile: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Sectors of which a sync has failed: clean for the system, but not on the disk.
    unwritten: BTreeSet<usize>,
}

enum NameChange {
    Create(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn is_in(&self, dir: &Path) -> bool {
        parent_of(self.path()) == dir
    }

    /// The name that it is about; of a rename the new one.
    fn path(&self) -> &PathBuf {
        match self {
            Self::Create(path, _) | Self::Rename(_, path) | Self::Remove(path) => path,
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
                        unwritten: file.unwritten.clone(),
                    };
                    (*id, copy)
                })
                .collect(),
            next_file: disk.next_file,
            names: disk.names.clone(),
            durable_names: disk.names.clone(),
            pending: Vec::new(),
            faults: BTreeMap::new(),
            full: disk.full,
            capacity: disk.capacity,
        };
        Self { disk: Arc::new(Mutex::new(copy)), epoch: 0 }
    }

    /// Lets the `nth` next operation of this kind fail (1 = the very next), and all after it; of the
    /// writes that go wrong without an error only that one.
    pub fn fail(&self, fault: Fault, nth: u64) {
        self.lock().faults.insert(fault, nth.max(1));
    }

    /// No more injected errors, and room for more.
    pub fn heal(&self) {
        let mut disk = self.lock();
        disk.faults.clear();
        disk.full = false;
    }

    /// Leaves no room: files cannot grow and no new ones can be made, as if others had filled the
    /// disk; bytes that exist can be overwritten. It outlasts a crash, until [`MemVfs::heal`].
    pub fn fill(&self) {
        self.lock().full = true;
    }

    /// Whether [`MemVfs::fill`] is in force.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lock().full
    }

    /// Files below `dir` that a power loss now could change, and names that it could take back.
    #[must_use]
    pub fn unsynced(&self, dir: &Path) -> Vec<PathBuf> {
        let disk = self.lock();
        let is_dirty = |id: &u64| disk.files.get(id).is_some_and(|file| !file.is_synced());
        let files = disk.names.iter().filter(|(_, id)| is_dirty(id)).map(|(path, _)| path);
        let names = disk.pending.iter().map(NameChange::path);
        files.chain(names).filter(|path| path.starts_with(dir)).cloned().collect()
    }

    /// Whether a power loss now would leave every file below `dir`, and every name, as it is.
    #[must_use]
    pub fn is_synced(&self, dir: &Path) -> bool {
        self.unsynced(dir).is_empty()
    }

    /// Limits what all files together may have: a write that would make a file grow beyond it
    /// writes what fits and fails with `StorageFull`. Stays over a crash; `None` lifts it.
    pub fn limit(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock().used()
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

    /// Whether a silent fault of this kind happens now; it happens once.
    fn slip(&mut self, fault: Fault) -> bool {
        let slipped = self.strike(fault).is_err();
        if slipped {
            self.faults.remove(&fault);
        }
        slipped
    }

    fn used(&self) -> u64 {
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        let sizes = named.iter().filter_map(|id| self.files.get(id));
        sizes.map(|file| file.volatile.len() as u64).sum()
    }

    /// How far a file may be written that is `len` bytes long, if it is to reach `end`.
    fn reach(&self, len: u64, end: u64) -> u64 {
        if self.full {
            return end.min(len);
        }
        let Some(capacity) = self.capacity else { return end };
        end.min(len + capacity.saturating_sub(self.used()))
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
            let sectors = from / SECTOR..=(to - 1) / SECTOR;
            self.unwritten.retain(|sector| !sectors.contains(sector));
            self.dirty.extend(sectors);
        }
    }

    fn is_synced(&self) -> bool {
        self.dirty.is_empty()
            && self.unwritten.is_empty()
            && self.durable.len() == self.volatile.len()
    }

    fn write(&mut self, buf: &[u8], from: usize) {
        let to = from + buf.len();
        if self.volatile.len() < to {
            self.volatile.resize(to, 0);
        }
        self.volatile[from..to].copy_from_slice(buf);
        self.touch(from, to);
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

    fn fail_sync(&mut self) {
        self.unwritten.append(&mut self.dirty);
    }

    /// What is clean and wholly in the range is read from the disk next time.
    fn drop_cache(&mut self, from: usize, to: usize) {
        for sector in std::mem::take(&mut self.unwritten) {
            let begin = sector * SECTOR;
            let end = (begin + SECTOR).min(self.volatile.len());
            if begin < from || end > to {
                self.unwritten.insert(sector);
                continue;
            }
            for at in begin..end {
                self.volatile[at] = self.durable.get(at).copied().unwrap_or(0);
            }
        }
    }

    fn crash(&mut self, dice: &mut Dice) {
        self.unwritten.clear();
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
            match dice.below(5) {
                0 => {}
                1 => image[from..to].copy_from_slice(&self.volatile[from..to]),
                2 => {
                    let cut = from + dice.below(to - from);
                    image[from..cut].copy_from_slice(&self.volatile[from..cut]);
                }
                3 => {
                    for piece in (from..to).step_by(PIECE).filter(|_| dice.below(2) == 0) {
                        let end = (piece + PIECE).min(to);
                        image[piece..end].copy_from_slice(&self.volatile[piece..end]);
                    }
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
            None if create && disk.full => return Err(io::ErrorKind::StorageFull.into()),
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
        let mut disk = self.vfs.live()?;
        let mut struck = disk.strike(Fault::Write);
        let mut buf = if struck.is_err() { &buf[..buf.len() / 2] } else { buf };
        let mut from = offset as usize;
        let (lost, misdirected) = (disk.slip(Fault::LostWrite), disk.slip(Fault::MisdirectedWrite));
        let len = disk.files.get(&self.id).map_or(0, |file| file.volatile.len() as u64);
        let end = offset + buf.len() as u64;
        let reach = disk.reach(len, end);
        if reach < end {
            buf = &buf[..reach.saturating_sub(offset) as usize];
            struck = Err(io::ErrorKind::StorageFull.into());
        }
        if lost {
            return struck;
        }
        if misdirected {
            from = from.checked_sub(SECTOR).unwrap_or(from + SECTOR);
        }
        let file = disk.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
        file.write(buf, from);
        struck
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Err(error) = self.strike(Fault::Sync) {
            self.with(FileBytes::fail_sync)?;
            return Err(error);
        }
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

    fn drop_cache(&self, offset: u64, len: u64) {
        // A hint: a file that is gone has nothing to drop.
        let _ = self.with(|file| {
            let end = if len == 0 { usize::MAX } else { (offset + len) as usize };
            file.drop_cache(offset as usize, end);
        });
    }
}
