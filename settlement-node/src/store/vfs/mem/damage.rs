//! Damage behind the back of the program, and looking at what is really on the disk.

use super::{Dice, Disk, FileBytes, MemVfs, SECTOR};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

impl MemVfs {
    /// Flips some bits in one sector of a file, behind the back of the program. Returns the offset
    /// of the sector, or nothing for an empty file.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn rot(&self, path: &Path, seed: u64) -> io::Result<Option<u64>> {
        let mut dice = Dice(seed);
        let mut hit = None;
        self.corrupt(path, |bytes| {
            if bytes.is_empty() {
                return;
            }
            let from = dice.below(bytes.len().div_ceil(SECTOR)) * SECTOR;
            let len = (bytes.len() - from).min(SECTOR);
            for _ in 0..=dice.below(8) {
                bytes[from + dice.below(len)] ^= 1 << dice.below(8);
            }
            hit = Some(from as u64);
        })?;
        Ok(hit)
    }

    /// Puts bytes in the place of others on the disk. Where a newer write waits to be synced it will
    /// hide them; elsewhere they are read from now on. What would be behind the end is left out.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn damage(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with_file(path, |file| {
            for (at, byte) in (offset as usize..).zip(bytes) {
                if let Some(place) = file.durable.get_mut(at) {
                    *place = *byte;
                }
                let newer = file.dirty.contains(&(at / SECTOR));
                if let Some(place) = file.volatile.get_mut(at).filter(|_| !newer) {
                    *place = *byte;
                }
            }
        })
    }

    /// What a file has on the disk, without what was not synced. `None` if there is no such file.
    #[must_use]
    pub fn on_disk(&self, path: &Path) -> Option<Vec<u8>> {
        self.with_file(path, |file| file.durable.clone()).ok()
    }

    /// A second disk as a power loss would leave this one if it took everything that it can take.
    #[must_use]
    pub fn fork_synced(&self) -> Self {
        let disk = self.lock();
        let kept: BTreeSet<u64> = disk.durable_names.values().copied().collect();
        let files = disk.files.iter().filter(|(id, _)| kept.contains(id)).map(|(id, file)| {
            let (volatile, durable) = (file.durable.clone(), file.durable.clone());
            (*id, FileBytes { volatile, durable, ..FileBytes::default() })
        });
        let copy = Disk {
            files: files.collect(),
            next_file: disk.next_file,
            names: disk.durable_names.clone(),
            durable_names: disk.durable_names.clone(),
            ..Disk::default()
        };
        Self { disk: Arc::new(Mutex::new(copy)), epoch: 0 }
    }

    /// Changes bytes behind the back of the program (bit-rot); `change` gets the whole content.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.with_file(path, |file| {
            change(&mut file.volatile);
            file.durable.clone_from(&file.volatile);
            file.dirty.clear();
            file.unwritten.clear();
        })
    }

    fn with_file<T>(&self, path: &Path, act: impl FnOnce(&mut FileBytes) -> T) -> io::Result<T> {
        let mut disk = self.lock();
        let id = *disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        disk.files.get_mut(&id).map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
