//! Snapshots of the applied state as files, newest two kept.
//!
//! A file is: magic, format, head length, place (log index, term, height), head, body, SHA-256 over all of
//! it. Head and body are opaque here. A file has its final name only once it is complete and synced,
//! so what is damaged in it later is rot and never a crash; damaged files are set aside, not removed.

mod check;
mod incoming;
#[cfg(test)]
mod tests;

pub use check::SnapshotCheck;
pub use incoming::Incoming;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{
    vfs::{Vfs, VfsFile, read_exact_at},
    wal::{read_u32, read_u64},
};

const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".state";
const TEMPORARY: &str = ".tmp";
const DAMAGED: &str = ".damaged";
const MAGIC: u64 = u64::from_le_bytes(*b"corrstat");
const FORMAT: u32 = 1;
/// Bytes before the head: magic, format, head length, index, term, height.
const FIXED_BYTES: usize = 8 + 4 + 4 + 8 + 8 + 8;
const DIGEST_BYTES: usize = 32;
/// One write or read of the disk.
const PIECE_BYTES: usize = 1 << 20;
/// Written bytes are synced at the latest when they reach this, so that the final sync is short and
/// the log's own syncs do not wait behind it.
const SYNC_BYTES: u64 = 8 << 20;
/// Longest head: frontier, seal and list of runs.
const HEAD_BYTES_MAX: usize = 1 << 20;
/// Snapshots kept.
pub const KEPT: usize = 2;

/// Where in the log a snapshot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Log index of the last entry in it.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// Number of the last block in it.
    pub height: u64,
}

/// A snapshot as read from its file; its digest was right.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where it stands.
    pub place: Place,
    /// What describes the body.
    pub head: Bytes,
    /// The state.
    pub body: Bytes,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file without the digest at its end.
    pub digest: [u8; 32],
}

/// Why a snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk refused an operation.
    #[error("snapshot file operation: {0}")]
    Io(#[from] io::Error),
    /// A sync failed: what the disk holds is unknown.
    #[error("sync snapshot")]
    SyncFailed(#[source] io::Error),
    /// The file is sound and of another version of this program, which has to read it.
    #[error("snapshot at log index {index} has unknown format {format}")]
    UnknownFormat {
        /// Log index in its name.
        index: u64,
        /// The format in its head.
        format: u32,
    },
    /// The file is damaged.
    #[error("snapshot at log index {index} is damaged: {what}")]
    Corrupt {
        /// Log index in its name.
        index: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A writer of bytes, in order.
pub type Sink<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// The folder of snapshots. Cheap to clone.
#[derive(Clone)]
pub struct Snapshots {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
}

impl Snapshots {
    /// Opens the folder, creates it if it is missing, and removes unfinished files.
    ///
    /// # Errors
    /// [`SnapshotError::Io`], [`SnapshotError::SyncFailed`].
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self, SnapshotError> {
        vfs.create_dir_all(dir)?;
        for name in vfs.list(dir)? {
            if name.ends_with(TEMPORARY) {
                vfs.remove(&dir.join(name))?;
            }
        }
        // A killed process may have left a rename that is visible but not durable.
        vfs.sync_dir(dir).map_err(SnapshotError::SyncFailed)?;
        Ok(Self { vfs, dir: dir.to_path_buf() })
    }

    /// Log indexes of the snapshots, ascending.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<u64>> {
        let index_of =
            |name: &String| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok();
        let mut found: Vec<u64> = self.vfs.list(&self.dir)?.iter().filter_map(index_of).collect();
        found.sort_unstable();
        Ok(found)
    }

    fn path(&self, index: u64) -> PathBuf {
        self.dir.join(format!("{PREFIX}{index:020}{SUFFIX}"))
    }

    /// Writes a snapshot durably; `body` is called once and hands its bytes to the sink. Older
    /// snapshots than the newest two are removed afterwards. Of one that could not be written nothing is
    /// left: what is in the way may be that the disk is full.
    ///
    /// # Errors
    /// [`SnapshotError::Io`], also from `body`; [`SnapshotError::SyncFailed`].
    pub fn write(
        &self,
        place: Place,
        head: &[u8],
        body: impl FnOnce(&mut Sink<'_>) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("the head of a snapshot is too long").into());
        }
        let path = self.path(place.index);
        let temporary = path.with_extension(&TEMPORARY[1..]);
        let written = self.write_file(&temporary, place, head, body);
        if written.is_err() {
            self.forget(&temporary);
        }
        written?;
        self.vfs.rename(&temporary, &path)?;
        self.vfs.sync_dir(&self.dir).map_err(SnapshotError::SyncFailed)?;
        self.retain_newest()
    }

    fn write_file(
        &self,
        path: &Path,
        place: Place,
        head: &[u8],
        body: impl FnOnce(&mut Sink<'_>) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        let file = self.vfs.open(path, true)?;
        file.set_len(0)?;
        let mut writer = Writer::new(&*file);
        let filled = writer
            .put(&fixed(place, head.len()))
            .and_then(|()| writer.put(head))
            .and_then(|()| body(&mut |bytes| writer.put(bytes)))
            .and_then(|()| writer.finish());
        match filled {
            Err(error) if writer.sync_failed => Err(SnapshotError::SyncFailed(error)),
            Err(error) => Err(error.into()),
            Ok(()) => file.sync_data().map_err(SnapshotError::SyncFailed),
        }
    }

    /// Removes an unfinished file. What cannot be removed now is removed when the folder is opened.
    fn forget(&self, temporary: &Path) {
        if let Err(error) = self.vfs.remove(temporary)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove an unfinished snapshot");
        }
    }

    fn retain_newest(&self) -> Result<(), SnapshotError> {
        let known = self.list()?;
        for index in &known[..known.len().saturating_sub(KEPT)] {
            self.vfs.remove(&self.path(*index))?;
        }
        self.vfs.sync_dir(&self.dir).map_err(SnapshotError::SyncFailed)
    }

    /// Reads a snapshot wholly and checks its digest.
    ///
    /// # Errors
    /// [`SnapshotError::Corrupt`], [`SnapshotError::UnknownFormat`], [`SnapshotError::Io`].
    pub fn read(&self, index: u64) -> Result<Stored, SnapshotError> {
        self.read_file(&self.path(index), index)
    }

    fn read_file(&self, path: &Path, index: u64) -> Result<Stored, SnapshotError> {
        let corrupt = |what| SnapshotError::Corrupt { index, what };
        let file = self.vfs.open(path, false)?;
        let mut bytes = vec![0; file.len()? as usize];
        read_exact_at(&*file, &mut bytes, 0)?;
        file.drop_cache(0, bytes.len() as u64);
        let size = bytes.len() as u64;
        let Some(content) = bytes.len().checked_sub(DIGEST_BYTES) else {
            return Err(corrupt("it is too short"));
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[content..]);
        bytes.truncate(content);
        let sound = <[u8; 32]>::from(Sha256::digest(&bytes)) == digest;
        #[cfg(feature = "planted")]
        let sound = sound || crate::planted::is(crate::planted::Bug::SnapshotUnverified);
        if !sound {
            return Err(corrupt("its digest is not that of its content"));
        }
        if content < FIXED_BYTES || read_u64(&bytes, 0) != MAGIC {
            return Err(corrupt("it is no snapshot"));
        }
        let format = read_u32(&bytes, 8);
        if format != FORMAT {
            return Err(SnapshotError::UnknownFormat { index, format });
        }
        let head = FIXED_BYTES + read_u32(&bytes, 12) as usize;
        let place = Place {
            index: read_u64(&bytes, 16),
            term: read_u64(&bytes, 24),
            height: read_u64(&bytes, 32),
        };
        if head > content || place.index != index {
            return Err(corrupt("its head contradicts the rest"));
        }
        let bytes = Bytes::from(bytes);
        let (head, body) = (bytes.slice(FIXED_BYTES..head), bytes.slice(head..));
        Ok(Stored { place, head, body, bytes: size, digest })
    }

    /// Size and digest of a snapshot as its file says; its content is not checked.
    ///
    /// # Errors
    /// [`SnapshotError::Corrupt`] if it is too short, [`SnapshotError::Io`].
    pub fn label(&self, index: u64) -> Result<(Place, Bytes, u64, [u8; 32]), SnapshotError> {
        let corrupt = |what| SnapshotError::Corrupt { index, what };
        let file = self.vfs.open(&self.path(index), false)?;
        let size = file.len()?;
        let mut fixed = [0; FIXED_BYTES];
        if size < (FIXED_BYTES + DIGEST_BYTES) as u64 {
            return Err(corrupt("it is too short"));
        }
        read_exact_at(&*file, &mut fixed, 0)?;
        let head_bytes = read_u32(&fixed, 12) as usize;
        if read_u64(&fixed, 0) != MAGIC || head_bytes > HEAD_BYTES_MAX {
            return Err(corrupt("it is no snapshot"));
        }
        let mut head = vec![0; head_bytes];
        read_exact_at(&*file, &mut head, FIXED_BYTES as u64)?;
        let mut digest = [0; DIGEST_BYTES];
        read_exact_at(&*file, &mut digest, size - DIGEST_BYTES as u64)?;
        let place = Place {
            index: read_u64(&fixed, 16),
            term: read_u64(&fixed, 24),
            height: read_u64(&fixed, 32),
        };
        Ok((place, Bytes::from(head), size, digest))
    }

    /// Up to `count` bytes of a snapshot's file from `offset` on, and the size of the file.
    ///
    /// # Errors
    /// When the file is gone or cannot be read.
    pub fn piece(&self, index: u64, offset: u64, count: usize) -> io::Result<(u64, Bytes)> {
        let file = self.vfs.open(&self.path(index), false)?;
        let size = file.len()?;
        let mut bytes = vec![0; count.min(size.saturating_sub(offset) as usize)];
        let read = file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok((size, Bytes::from(bytes)))
    }

    /// Takes a damaged snapshot out of the list; its bytes are kept for those who ask why.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn set_aside(&self, index: u64) -> Result<(), SnapshotError> {
        let path = self.path(index);
        self.vfs.rename(&path, &path.with_extension(&DAMAGED[1..]))?;
        self.vfs.sync_dir(&self.dir).map_err(SnapshotError::SyncFailed)
    }

    /// Begins to take in a snapshot that a peer sends.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn incoming(&self, index: u64) -> Result<Incoming, SnapshotError> {
        Incoming::begin(self, index)
    }
}

fn fixed(place: Place, head: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(FIXED_BYTES);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&(head as u32).to_le_bytes());
    for field in [place.index, place.term, place.height] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out
}

/// Gathers bytes into pieces, writes them, and hashes them.
struct Writer<'a> {
    file: &'a dyn VfsFile,
    digest: Sha256,
    buffer: Vec<u8>,
    at: u64,
    synced: u64,
    /// Whether the error that ended it is that of a sync.
    sync_failed: bool,
}

impl<'a> Writer<'a> {
    fn new(file: &'a dyn VfsFile) -> Self {
        let buffer = Vec::with_capacity(PIECE_BYTES);
        Self { file, digest: Sha256::new(), buffer, at: 0, synced: 0, sync_failed: false }
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = PIECE_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.digest.update(&self.buffer);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        if self.at - self.synced >= SYNC_BYTES {
            self.file.sync_data().inspect_err(|_| self.sync_failed = true)?;
            self.file.drop_cache(self.synced, self.at - self.synced);
            self.synced = self.at;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.digest.update(&self.buffer);
        let digest: [u8; DIGEST_BYTES] = self.digest.finalize_reset().into();
        self.buffer.extend_from_slice(&digest);
        self.write()
    }
}
