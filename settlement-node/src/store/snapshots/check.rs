//! Reading a whole snapshot again, piece by piece, and comparing it with its digest.

use std::io;

use sha2::{Digest as _, Sha256};

use super::{DIGEST_BYTES, PIECE_BYTES, SnapshotError, Snapshots};
use crate::store::vfs::{VfsFile, read_exact_at};

/// How far the check of one snapshot has come. The file stays readable when a newer one takes its place.
pub struct SnapshotCheck {
    index: u64,
    file: Box<dyn VfsFile>,
    at: u64,
    /// Bytes before the digest at the end.
    content: u64,
    digest: Sha256,
}

impl Snapshots {
    /// Begins to check a snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Corrupt`] if the file is too short; [`SnapshotError::Io`], also when it is gone.
    pub fn check(&self, index: u64) -> Result<SnapshotCheck, SnapshotError> {
        let file = self.vfs.open(&self.path(index), false)?;
        let content = file.len()?.checked_sub(DIGEST_BYTES as u64);
        let content = content.ok_or(SnapshotError::Corrupt { index, what: "it is too short" })?;
        Ok(SnapshotCheck { index, file, at: 0, content, digest: Sha256::new() })
    }
}

impl SnapshotCheck {
    /// Reads about `bytes` further, at most 1 MiB at a time, and returns how many it read; `None` when
    /// the whole file is what its digest says.
    ///
    /// # Errors
    /// [`SnapshotError::Corrupt`], [`SnapshotError::Io`].
    pub fn step(&mut self, bytes: u64) -> Result<Option<u64>, SnapshotError> {
        let count = bytes.clamp(1, PIECE_BYTES as u64).min(self.content - self.at);
        if count > 0 {
            let mut piece = vec![0; count as usize];
            self.read(&mut piece)?;
            self.digest.update(&piece);
            self.file.drop_cache(self.at, count);
            self.at += count;
            return Ok(Some(count));
        }
        let mut digest = [0; DIGEST_BYTES];
        self.read(&mut digest)?;
        if <[u8; DIGEST_BYTES]>::from(self.digest.clone().finalize()) == digest {
            return Ok(None);
        }
        Err(self.corrupt("its digest is not that of its content"))
    }

    fn read(&self, piece: &mut [u8]) -> Result<(), SnapshotError> {
        match read_exact_at(&*self.file, piece, self.at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.corrupt("it ends too early"))
            }
            read => Ok(read?),
        }
    }

    fn corrupt(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Corrupt { index: self.index, what }
    }
}
