//! Reading a whole run again, piece by piece, and comparing it with its digest.

use super::RunError;
use super::run::{PAGE_BYTES, PIECE_BYTES, Run, header};
use crate::store::wal::read_u32;
use sha2::{Digest, Sha256};

/// How far the check of one run has come.
#[derive(Clone, Default)]
pub struct RunCheck {
    /// Bytes of the file that were read.
    at: u64,
    digest: Sha256,
    piece: Vec<u8>,
}

impl RunCheck {
    /// Reads about `bytes` further, at most 1 MiB at a time, and returns how many it read; `None` when
    /// the whole file is what its header and its digest say. Always give it the same run.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::Io`].
    pub fn step(&mut self, run: &Run, bytes: u64) -> Result<Option<u64>, RunError> {
        let range = run.info.range;
        let corrupt = |offset: u64| RunError::Corrupt { range, offset };
        if self.at == 0 {
            let mut head = [0; PAGE_BYTES];
            let length = run.file.read_at(&mut head, 0)?;
            let sums = (read_u32(&head, 80), read_u32(&head, 84));
            if length < PAGE_BYTES || head != header(&run.info, sums.0, sums.1) {
                return Err(corrupt(0));
            }
            self.at = PAGE_BYTES as u64;
            return Ok(Some(self.at));
        }
        self.piece.resize((bytes as usize).clamp(PAGE_BYTES, PIECE_BYTES), 0);
        let count = run.file.read_at(&mut self.piece, self.at)?;
        if count == 0 {
            let found: [u8; 32] = self.digest.clone().finalize().into();
            let is_sound = found == run.info.digest;
            return if is_sound { Ok(None) } else { Err(corrupt(PAGE_BYTES as u64)) };
        }
        self.digest.update(&self.piece[..count]);
        // Nobody else reads a whole run: it must not push out what is read often.
        run.file.drop_cache(self.at, count as u64);
        self.at += count as u64;
        Ok(Some(count as u64))
    }
}

impl Run {
    /// Reads the whole file again and compares header and SHA-256.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::Io`].
    pub fn verify(&self) -> Result<(), RunError> {
        let mut check = RunCheck::default();
        while check.step(self, PIECE_BYTES as u64)?.is_some() {}
        Ok(())
    }
}
