//! The log of the order protocol: entries, term, vote and commit, durable before acknowledged.
//!
//! Segments of fixed size hold checksummed, chained records; each call writes whole 4 KiB units
//! that never share a sector with data synced before, and then syncs once. Invariants: what
//! [`Wal::append`] returned `Ok` for survives any crash; an unsynced tail is dropped only if
//! nothing shows that it was ever durable; after a failed sync the log refuses all work. It does
//! not compact, snapshot or interpret entries.

mod index;
pub mod inspect;
mod meta;
mod open;
mod record;
mod recover;
mod room;
mod salvage;
mod segment;
mod terms;
#[cfg(test)]
mod tests;
mod writer;

pub use index::WalReader;
pub use salvage::Salvaged;
pub use writer::Wal;

pub(crate) use record::{read_u32, read_u64};

use bytes::Bytes;
use std::io;

/// Writes start and end at multiples of this, the largest sector a disk tears as one.
pub(crate) const UNIT_BYTES: usize = 4096;

/// Smallest segment: a start record and some room for entries.
const SEGMENT_BYTES_MIN: u64 = 4 * UNIT_BYTES as u64;
/// Largest segment; a segment is read as a whole at start.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalEntry {
    /// Position, from 1, without gaps.
    pub index: u64,
    /// Term of the leader that proposed it.
    pub term: u64,
    /// The content; empty for the first entry of a leader.
    pub data: Bytes,
}

/// What a voter must not forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WalHardState {
    /// Current term.
    pub term: u64,
    /// Voted for this node in the term, 0 for none.
    pub vote: u64,
    /// Highest index known committed.
    pub commit: u64,
}

/// One step to make durable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WalOp {
    /// Contiguous entries; a first index at or below the last one replaces the suffix.
    pub entries: Vec<WalEntry>,
    /// New hard state, if it changed.
    pub hard_state: Option<WalHardState>,
    /// Whether the caller waits for durability. A step with only a hard state and without this
    /// flag is kept in memory and written with the next one.
    pub must_sync: bool,
}

/// How to lay out a log, and whose it is.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// Size of each segment file in bytes, 16 KiB to 1 GiB. Bounds the largest entry.
    pub segment_bytes: u64,
    /// Entries are gathered into records of at most this many bytes; a larger entry is a record of
    /// its own.
    pub record_bytes: usize,
    /// Released segments kept for reuse; further ones are removed.
    pub released_max: usize,
    /// Make spare segments on a thread of their own. Off, they are made inside the call, which is
    /// slower but repeatable.
    pub background: bool,
    /// Number of this node; a log of another node is refused.
    pub node_id: u64,
    /// Hash that names the network; a log of another network is refused.
    pub network_id: [u8; 32],
}

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            record_bytes: 1 << 20,
            released_max: 4,
            background: true,
            node_id: 0,
            network_id: [0; 32],
        }
    }
}

/// What a log held when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last hard state written, `None` for a log that has none. If the superblock knows a
    /// higher term, that counts with its vote. Its commit never exceeds `last_index`.
    pub hard_state: Option<WalHardState>,
    /// First entry that can be read; `last_index + 1` if there is none.
    pub first_index: u64,
    /// Last entry, `first_index - 1` if there is none; 0 for a new log.
    pub last_index: u64,
    /// Term of the entry `first_index - 1` (0 at the start of a log).
    pub base_term: u64,
    /// (first index, term) of each run of equal terms.
    pub terms: Vec<(u64, u64)>,
    /// Bytes of an unfinished write that were dropped; 0 after a clean stop.
    pub torn_bytes: u64,
    /// The highest term known when durable data of this log was lost ([`Wal::salvage`]); stays
    /// until [`Wal::forget_loss`]. `None` for a sound log.
    pub lost_term: Option<u64>,
}

/// Why the log cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The disk refused an operation other than a sync.
    #[error("log file operation")]
    Io(#[from] io::Error),
    /// A sync failed: unsynced data may be gone although a second sync would succeed. The process
    /// has to stop at once and recover from the disk.
    #[error("sync log")]
    SyncFailed(#[source] io::Error),
    /// An earlier call failed; the log takes no more work.
    #[error("log is stopped after an earlier error")]
    Poisoned,
    /// Durable data is damaged or missing: see [`Wal::salvage`].
    #[error("log is corrupt in segment {segment} at offset {offset}, entry {index} or after")]
    Corrupt {
        /// Number of the segment.
        segment: u64,
        /// Byte in the segment.
        offset: u64,
        /// First entry that may be affected.
        index: u64,
    },
    /// No sound copy of the superblock, although the folder holds a log.
    #[error(
        "superblock of the log (wal.meta) is lost in all its copies, so this node no longer knows \
         what it promised: never start it with this log or an empty one, put a node with a new id \
         in its place"
    )]
    MetaLost,
    /// The first segment of the log is gone, although nothing released it.
    #[error(
        "segment {segment}, the first of the log, is missing: bring the file back if it was moved; \
         otherwise put a node with a new id in the place of this one"
    )]
    SegmentLost {
        /// Number of the segment.
        segment: u64,
    },
    /// There is nothing to salvage: the log opens as it is.
    #[error("log is not corrupt")]
    NotCorrupt,
    /// The log belongs to another node or network.
    #[error("log belongs to node {node}, or to another network")]
    WrongIdentity {
        /// The node that wrote it.
        node: u64,
    },
    /// Written by a version with another format.
    #[error("log has unknown format {0}")]
    UnknownFormat(u32),
    /// Entries do not follow the log, or replace released ones. Nothing was written.
    #[error("entry {got} does not follow a log of {first}..={last}")]
    Gap {
        /// First index of the log.
        first: u64,
        /// Last index of the log.
        last: u64,
        /// The index that does not fit.
        got: u64,
    },
    /// The disk has no room for the next segment. Nothing was written, and the log goes on if the
    /// same steps are tried again once there is room.
    #[error("no room on the disk for the next segment of the log")]
    Full,
    /// An entry does not fit into a segment. Nothing was written.
    #[error("entry {index} of {bytes} bytes does not fit into a segment")]
    TooLarge {
        /// Index of the entry.
        index: u64,
        /// Its size.
        bytes: u64,
    },
    /// The options are out of range.
    #[error("segment size {0} is out of range")]
    SegmentSize(u64),
}

/// Why entries cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The entries are released: a snapshot is needed instead.
    #[error("log begins at {first_index}")]
    Compacted {
        /// First entry that can be read.
        first_index: u64,
    },
    /// The entries are not written yet.
    #[error("log ends at {last_index}")]
    Unavailable {
        /// Last entry.
        last_index: u64,
    },
    /// A checksum is wrong: repair from a peer.
    #[error("log is corrupt in segment {segment} at offset {offset}, entry {index}")]
    Corrupt {
        /// Number of the segment.
        segment: u64,
        /// Byte in the segment.
        offset: u64,
        /// First entry of the damaged record.
        index: u64,
    },
    /// The disk failed.
    #[error("read log file")]
    Io(#[from] io::Error),
}
