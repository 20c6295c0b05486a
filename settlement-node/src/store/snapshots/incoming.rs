//! A snapshot that arrives in pieces: kept under a temporary name until all of it is there and sound.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest as _, Sha256};

use super::{DIGEST_BYTES, SYNC_BYTES, SnapshotError, Snapshots, Stored, TEMPORARY};
use crate::store::vfs::VfsFile;

/// Tells the temporary files of one process from each other: one that is given up is removed after the
/// next one was begun.
static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// A file being received in order. It is removed unless it is put in place.
pub struct Incoming {
    snapshots: Snapshots,
    index: u64,
    temporary: PathBuf,
    file: Box<dyn VfsFile>,
    at: u64,
    synced: u64,
    digest: Sha256,
    /// The last bytes received: the digest stands at the end of the file and is no part of itself.
    held: Vec<u8>,
}

impl Incoming {
    pub(super) fn begin(snapshots: &Snapshots, index: u64) -> Result<Self, SnapshotError> {
        let number = RECEIVED.fetch_add(1, Ordering::Relaxed);
        let temporary = snapshots.path(index).with_extension(format!("{number}{TEMPORARY}"));
        let file = snapshots.vfs.open(&temporary, true)?;
        file.set_len(0)?;
        let (digest, held) = (Sha256::new(), Vec::new());
        let snapshots = snapshots.clone();
        Ok(Self { snapshots, index, temporary, file, at: 0, synced: 0, digest, held })
    }

    /// Offset of the next piece.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file.write_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.held.extend_from_slice(bytes);
        let sure = self.held.len().saturating_sub(DIGEST_BYTES);
        self.digest.update(&self.held[..sure]);
        self.held.drain(..sure);
        if self.at - self.synced >= SYNC_BYTES {
            self.file.sync_data().map_err(SnapshotError::SyncFailed)?;
            self.synced = self.at;
        }
        Ok(())
    }

    /// Whether the digest at the end is the one that was announced and that of all before it. Nothing
    /// is put in place yet: the caller first judges the content that [`Incoming::content`] gives.
    #[must_use]
    pub fn is_whole(&self, announced: &[u8; 32]) -> bool {
        let found: [u8; 32] = self.digest.clone().finalize().into();
        found == *announced && self.held[..] == announced[..]
    }

    /// What was received, as a snapshot that was read.
    ///
    /// # Errors
    /// As [`Snapshots::read`].
    pub fn content(&self, snapshots: &Snapshots) -> Result<Stored, SnapshotError> {
        snapshots.read_file(&self.temporary, self.index)
    }

    /// Makes it durable under its name.
    ///
    /// # Errors
    /// [`SnapshotError::Io`], [`SnapshotError::SyncFailed`].
    pub fn install(self, snapshots: &Snapshots) -> Result<(), SnapshotError> {
        self.file.sync_data().map_err(SnapshotError::SyncFailed)?;
        snapshots.vfs.rename(&self.temporary, &snapshots.path(self.index))?;
        snapshots.vfs.sync_dir(&snapshots.dir).map_err(SnapshotError::SyncFailed)?;
        snapshots.retain_newest()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Under its own name it is not there any more.
        self.snapshots.forget(&self.temporary);
    }
}
