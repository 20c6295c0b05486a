//! The applied blocks in order, for queries, event streams and auditors.
//!
//! Append-only files of chained, checksummed frames, each with a sidecar of 40-byte rows so that a
//! start does not read the blocks. The history is derived from the log: a torn or damaged tail is
//! cut off at open and written again by replay, so appends need no sync of their own. The log may
//! be released only below [`History::synced_height`]. It does not know what is in a block.

mod cut;
mod files;
mod frame;
mod open;
mod reader;
#[cfg(test)]
mod tests;

pub use cut::set_aside_from;
pub use files::HistoryFiles;
pub use reader::HistoryReader;

use crate::store::vfs::{Vfs, VfsFile};
use bytes::Bytes;
use frame::{ROW_BYTES, Row};
use reader::{Blocks, Part, lock_read, lock_write};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// Buffered bytes are written out when they reach this.
const BUFFER_BYTES: usize = 1 << 20;

/// The largest sector a disk tears as one; after a sync the next frame begins in a new one.
const SECTOR_BYTES: u64 = 4096;

/// One applied block. The three byte fields are opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryBlock {
    /// Position of the block, without gaps.
    pub height: u64,
    /// Index of the log entry that held it; 0 when this node has the block from another one, because
    /// nothing in a block proves it.
    pub log_index: u64,
    /// Ledger time in nanoseconds since 1970.
    pub time_ns: u64,
    /// Sequence number of its first leaf.
    pub first_leaf: u64,
    /// How many leaves it added; they are `first_leaf..first_leaf + leaf_count`.
    pub leaf_count: u32,
    /// The block as ordered.
    pub block: Bytes,
    /// What applying it resulted in.
    pub outcome: Bytes,
    /// The seal over both.
    pub seal: Bytes,
}

/// How to lay out the history.
#[derive(Debug, Clone)]
pub struct HistoryOptions {
    /// A new file is begun once one has this many bytes (at most 2 GiB).
    pub file_bytes: u64,
    /// Written bytes are synced at the latest when they reach this; bounds what a start checks.
    pub sync_bytes: u64,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { file_bytes: 256 << 20, sync_bytes: 16 << 20 }
    }
}

/// Why the history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The disk refused an operation.
    #[error("history file operation")]
    Io(#[from] io::Error),
    /// A sync failed: the process has to stop and repair the history by replay.
    #[error("sync history")]
    SyncFailed(#[source] io::Error),
    /// A block is missing before this one.
    #[error("block {got} does not follow block {last}")]
    Gap {
        /// Last height in the history.
        last: u64,
        /// Height given.
        got: u64,
    },
    /// The leaves of a block begin before those of the block before end.
    #[error("block {height} begins at leaf {got}, expected {expected} or later")]
    Leaf {
        /// Height given.
        height: u64,
        /// First leaf that is free.
        expected: u64,
        /// First leaf given.
        got: u64,
    },
    /// A block with this height but other content is in the history already.
    #[error("block {height} differs from the one in the history")]
    Differs {
        /// Height given.
        height: u64,
    },
    /// The parts of a block are larger than a frame can say (1 GiB).
    #[error("block {height} is too large")]
    TooLarge {
        /// Height given.
        height: u64,
    },
    /// A file is sound and of another version of this program, which has to read it.
    #[error("history from block {height} on has unknown format {format}")]
    UnknownFormat {
        /// Height of the first block in the file.
        height: u64,
        /// The format in its header.
        format: u32,
    },
    /// A block on the disk is damaged; it can be fetched from a peer.
    #[error("history is corrupt at block {height}")]
    Corrupt {
        /// Height of the block.
        height: u64,
    },
}

/// The history, open for appending.
pub struct History {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    options: HistoryOptions,
    blocks: Arc<RwLock<Blocks>>,
    tail: Option<Tail>,
    /// Height and end of leaves of the last block appended, in the buffer or not.
    last_height: Option<u64>,
    next_leaf: u64,
    /// Checksum of the last frame.
    link: u32,
    synced_height: Option<u64>,
    written: u64,
}

/// The files that are appended to.
struct Tail {
    data: Arc<dyn VfsFile>,
    rows: Arc<dyn VfsFile>,
    data_at: u64,
    rows_at: u64,
    synced_at: u64,
    buffer: Vec<u8>,
    buffered: Vec<Row>,
}

impl History {
    /// Opens or creates the history in `dir`; cuts off a damaged tail.
    ///
    /// # Errors
    /// [`HistoryError::Io`] and [`HistoryError::SyncFailed`] if the disk fails.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: HistoryOptions,
    ) -> Result<Self, HistoryError> {
        open::open(vfs, dir, options)
    }

    /// A handle for reading beside the writer. It sees what was flushed.
    #[must_use]
    pub fn reader(&self) -> HistoryReader {
        HistoryReader::new(self.blocks.clone())
    }

    /// Height of the last block appended, flushed or not; `None` for an empty history.
    #[must_use]
    pub fn last_height(&self) -> Option<u64> {
        self.last_height
    }

    /// Height up to which the history survives a power loss.
    #[must_use]
    pub fn synced_height(&self) -> Option<u64> {
        self.synced_height
    }

    /// Bytes of frames written to the disk since the history was opened.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written
    }

    /// Appends a block to the buffer. A block that is there already is ignored if it is equal. The
    /// first block of an empty history may have any height.
    ///
    /// # Errors
    /// [`HistoryError::Gap`], [`HistoryError::Leaf`], [`HistoryError::Differs`],
    /// [`HistoryError::TooLarge`] without an effect; [`HistoryError::Io`] and
    /// [`HistoryError::SyncFailed`] if the disk fails: stop the process.
    pub fn append(&mut self, block: &HistoryBlock) -> Result<(), HistoryError> {
        let height = block.height;
        if let Some(last) = self.last_height {
            if height <= last {
                return self.compare(block);
            }
            if height != last + 1 {
                return Err(HistoryError::Gap { last, got: height });
            }
            if block.first_leaf < self.next_leaf {
                let (expected, got) = (self.next_leaf, block.first_leaf);
                return Err(HistoryError::Leaf { height, expected, got });
            }
        }
        if frame::bytes_of(block) > 1 << 30 {
            return Err(HistoryError::TooLarge { height });
        }
        let full = self
            .tail
            .as_ref()
            .is_some_and(|tail| tail.data_at + tail.buffer.len() as u64 >= self.options.file_bytes);
        if full {
            self.sync()?;
            self.tail = None;
        }
        if self.tail.is_none() {
            self.begin(height)?;
        }
        let Some(tail) = &mut self.tail else {
            return Err(io::Error::other("history has no file").into());
        };
        let offset = tail.data_at + tail.buffer.len() as u64;
        self.link = frame::encode(&mut tail.buffer, block, self.link);
        tail.buffered.push(Row {
            height,
            first_leaf: block.first_leaf,
            offset: offset as u32,
            len: (tail.data_at + tail.buffer.len() as u64 - offset) as u32,
            leaf_count: block.leaf_count,
            crc: self.link,
        });
        self.last_height = Some(height);
        self.next_leaf = block.first_leaf + u64::from(block.leaf_count);
        if tail.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the buffer, which shows its blocks to the readers.
    ///
    /// # Errors
    /// [`HistoryError::Io`] and [`HistoryError::SyncFailed`]: stop the process.
    pub fn flush(&mut self) -> Result<(), HistoryError> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        if tail.buffered.is_empty() {
            return Ok(());
        }
        tail.data.write_at(&tail.buffer, tail.data_at)?;
        let mut rows = Vec::with_capacity(tail.buffered.len() * ROW_BYTES);
        tail.buffered.iter().for_each(|row| row.encode(&mut rows));
        tail.rows.write_at(&rows, tail.rows_at)?;
        tail.data_at += tail.buffer.len() as u64;
        tail.rows_at += rows.len() as u64;
        self.written += tail.buffer.len() as u64;
        tail.buffer.clear();
        lock_write(&self.blocks).extend(&tail.buffered);
        tail.buffered.clear();
        if tail.data_at - tail.synced_at >= self.options.sync_bytes {
            self.sync()?;
        }
        Ok(())
    }

    /// Flushes, and makes all blocks so far durable.
    ///
    /// # Errors
    /// [`HistoryError::Io`] and [`HistoryError::SyncFailed`]: stop the process.
    pub fn sync(&mut self) -> Result<(), HistoryError> {
        if self.tail.as_ref().is_some_and(|tail| !tail.buffered.is_empty()) {
            self.flush()?;
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        if tail.synced_at < tail.data_at {
            tail.data.sync_data().map_err(HistoryError::SyncFailed)?;
            tail.rows.sync_data().map_err(HistoryError::SyncFailed)?;
            // Blocks are read seldom; without this they push hot pages out of the cache.
            tail.data.drop_cache(tail.synced_at, tail.data_at - tail.synced_at);
            // The next write must not touch a sector that holds durable blocks.
            tail.data_at = tail.data_at.next_multiple_of(SECTOR_BYTES);
            tail.synced_at = tail.data_at;
        }
        self.synced_height = self.last_height;
        Ok(())
    }

    /// Begins the files whose first block is `height`.
    fn begin(&mut self, height: u64) -> Result<(), HistoryError> {
        let data: Arc<dyn VfsFile> =
            self.vfs.open(&frame::data_path(&self.dir, height), true)?.into();
        let rows: Arc<dyn VfsFile> =
            self.vfs.open(&frame::rows_path(&self.dir, height), true)?.into();
        data.set_len(0)?;
        rows.set_len(0)?;
        let header = frame::file_header(height, self.link);
        data.write_at(&header, 0)?;
        data.sync_data().map_err(HistoryError::SyncFailed)?;
        self.vfs.sync_dir(&self.dir).map_err(HistoryError::SyncFailed)?;
        lock_write(&self.blocks).parts.push(Part {
            first_height: height,
            data: data.clone(),
            rows: Vec::new(),
        });
        let data_at = SECTOR_BYTES;
        self.tail = Some(Tail {
            data,
            rows,
            data_at,
            rows_at: 0,
            synced_at: data_at,
            buffer: Vec::new(),
            buffered: Vec::new(),
        });
        Ok(())
    }

    /// A block that is there already must be the same, as far as it is known where it stood in the log.
    fn compare(&self, block: &HistoryBlock) -> Result<(), HistoryError> {
        let height = block.height;
        let crc_of = |row: &Row| (row.height == height).then_some(row.crc);
        let buffered = self.tail.as_ref().and_then(|tail| tail.buffered.iter().find_map(crc_of));
        if buffered.is_none() && lock_read(&self.blocks).find(height).is_none() {
            // Older than the first block kept.
            return Ok(());
        }
        let known = match buffered {
            Some(_) => self.tail.as_ref().and_then(|tail| {
                let row = tail.buffered.iter().find(|row| row.height == height)?;
                let from = (u64::from(row.offset) - tail.data_at) as usize;
                let bytes = tail.buffer.get(from..from + row.len as usize)?;
                frame::decode(&Bytes::copy_from_slice(bytes)).map(|found| found.block)
            }),
            None => self.reader().block(height)?,
        };
        let is_same = known.is_some_and(|mut known| {
            if known.log_index == 0 {
                known.log_index = block.log_index;
            }
            known == *block
        });
        if is_same { Ok(()) } else { Err(HistoryError::Differs { height }) }
    }
}
