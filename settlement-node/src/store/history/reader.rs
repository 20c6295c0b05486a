//! Reads the history beside the writer: one row of 24 bytes in memory per block.

use super::frame::{self, FILE_HEADER, Row};
use super::{HistoryBlock, HistoryError};
use crate::store::vfs::{VfsFile, read_exact_at};
use bytes::Bytes;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How much one read of the disk fetches at most, unless a single block is larger.
const CHUNK_BYTES: u64 = 4 << 20;

/// Place of one block within its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) first_leaf: u64,
    pub(super) offset: u32,
    pub(super) len: u32,
    pub(super) leaf_count: u32,
}

/// One file; block `first_height + n` is at `rows[n]`.
pub(super) struct Part {
    pub(super) first_height: u64,
    pub(super) data: Arc<dyn VfsFile>,
    pub(super) rows: Vec<Spot>,
}

/// All blocks that were flushed. Only the last part may be empty.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) parts: Vec<Part>,
}

impl Blocks {
    /// Adds blocks to the last part.
    pub(super) fn extend(&mut self, rows: &[Row]) {
        if let Some(part) = self.parts.last_mut() {
            part.rows.extend(rows.iter().map(|row| Spot {
                first_leaf: row.first_leaf,
                offset: row.offset,
                len: row.len,
                leaf_count: row.leaf_count,
            }));
        }
    }

    /// The part of a block, and the number of its row.
    pub(super) fn find(&self, height: u64) -> Option<(&Part, usize)> {
        let after = self.parts.partition_point(|part| part.first_height <= height);
        let part = &self.parts[after.checked_sub(1)?];
        let row = (height - part.first_height) as usize;
        (row < part.rows.len()).then_some((part, row))
    }

    fn last_height(&self) -> Option<u64> {
        let part = self.parts.iter().rev().find(|part| !part.rows.is_empty())?;
        Some(part.first_height + part.rows.len() as u64 - 1)
    }
}

/// Reads blocks that were flushed. Cheap to clone.
#[derive(Clone)]
pub struct HistoryReader {
    blocks: Arc<RwLock<Blocks>>,
}

impl HistoryReader {
    pub(super) fn new(blocks: Arc<RwLock<Blocks>>) -> Self {
        Self { blocks }
    }

    /// Height of the first block kept, `None` for an empty history.
    #[must_use]
    pub fn first_height(&self) -> Option<u64> {
        let blocks = lock_read(&self.blocks);
        blocks.parts.first().filter(|part| !part.rows.is_empty()).map(|part| part.first_height)
    }

    /// Height of the last block, `None` for an empty history.
    #[must_use]
    pub fn last_height(&self) -> Option<u64> {
        lock_read(&self.blocks).last_height()
    }

    /// The block at `height`, `None` if it is not in the history (yet).
    ///
    /// # Errors
    /// [`HistoryError::Corrupt`] if the block is damaged, [`HistoryError::Io`].
    pub fn block(&self, height: u64) -> Result<Option<HistoryBlock>, HistoryError> {
        Ok(self.chunk(height, 0)?.pop())
    }

    /// Height of the block that added this leaf, `None` if there is none (yet).
    #[must_use]
    pub fn block_of_leaf(&self, leaf: u64) -> Option<u64> {
        let blocks = lock_read(&self.blocks);
        let begins = |part: &Part| part.rows.first().is_some_and(|row| row.first_leaf <= leaf);
        let part = &blocks.parts[blocks.parts.partition_point(begins).checked_sub(1)?];
        let after = part.rows.partition_point(|row| row.first_leaf <= leaf);
        let at = after.checked_sub(1)?;
        let row = part.rows[at];
        // Of several blocks with one first leaf, only the last can have leaves.
        (leaf - row.first_leaf < u64::from(row.leaf_count)).then_some(part.first_height + at as u64)
    }

    /// Blocks from `from_height` on, cut after about `bytes_max` bytes; at least one if there is
    /// any.
    ///
    /// # Errors
    /// [`HistoryError::Corrupt`] if a block is damaged, [`HistoryError::Io`].
    pub fn scan(
        &self,
        from_height: u64,
        bytes_max: u64,
    ) -> Result<Vec<HistoryBlock>, HistoryError> {
        let mut found = Vec::new();
        let mut left = bytes_max;
        loop {
            let height = from_height + found.len() as u64;
            let chunk = self.chunk(height, left)?;
            if chunk.is_empty() {
                return Ok(found);
            }
            for block in chunk {
                let size = frame::bytes_of(&block) as u64;
                if size > left && !found.is_empty() {
                    return Ok(found);
                }
                left = left.saturating_sub(size);
                found.push(block);
            }
            if left == 0 {
                return Ok(found);
            }
        }
    }

    /// The block at `height` and those behind it in the file that fit into one read.
    fn chunk(&self, height: u64, bytes_max: u64) -> Result<Vec<HistoryBlock>, HistoryError> {
        let (file, rows) = {
            let blocks = lock_read(&self.blocks);
            let Some((part, at)) = blocks.find(height) else { return Ok(Vec::new()) };
            let start = part.rows[at].offset;
            let span = |row: &Spot| u64::from(row.offset - start) + u64::from(row.len);
            let max = bytes_max.min(CHUNK_BYTES);
            let rows = part.rows[at..].iter();
            let rows = rows.take_while(|row| row.offset == start || span(row) <= max);
            (part.data.clone(), rows.copied().collect::<Vec<Spot>>())
        };
        let (Some(head), Some(tail)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        debug_assert!(head.offset as usize >= FILE_HEADER);
        let mut bytes = vec![0; (tail.offset - head.offset + tail.len) as usize];
        read_exact_at(&*file, &mut bytes, u64::from(head.offset))?;
        let bytes = Bytes::from(bytes);
        let decode = |(at, row): (usize, &Spot)| {
            let height = height + at as u64;
            let from = (row.offset - head.offset) as usize;
            let found = frame::decode(&bytes.slice(from..from + row.len as usize));
            let found = found.filter(|found| found.block.height == height);
            found.map(|found| found.block).ok_or(HistoryError::Corrupt { height })
        };
        rows.iter().enumerate().map(decode).collect()
    }
}

/// The index is only ever extended by whole rows, so a poisoned lock is still sound.
pub(super) fn lock_read(blocks: &RwLock<Blocks>) -> RwLockReadGuard<'_, Blocks> {
    blocks.read().unwrap_or_else(PoisonError::into_inner)
}

/// See [`lock_read`].
pub(super) fn lock_write(blocks: &RwLock<Blocks>) -> RwLockWriteGuard<'_, Blocks> {
    blocks.write().unwrap_or_else(PoisonError::into_inner)
}
