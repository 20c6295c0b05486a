//! Immutable sorted runs of transfer ids, for an exact duplicate check over all time.
//!
//! A run is one file of 32-byte rows (16-byte id, 16-byte value) sorted by id, with a filter of
//! 16 bits an id and the first id and checksum of each 4 KiB page. Filter and page table are
//! in memory; the disk is read only for true duplicates and about one in a thousand fresh ids, and
//! each page is checked when it is read: a damaged page is an error, never a "not found". What a
//! value means is up to the caller.
//!
//! A run holds one generation of ids, or several: four neighbours of one size are merged into one,
//! so that a fresh id asks few filters. Which runs there are follows from the number of generations
//! alone, and the bytes of a run from its rows, so that nodes can compare and exchange runs.

mod check;
mod filter;
mod info;
mod merge;
mod pace;
mod run;
mod set;
mod sort;
#[cfg(test)]
mod tests;
mod window;
mod write;

pub use check::RunCheck;
pub use info::{RunInfo, RunRange};
pub use merge::{install_run, merge_due};
pub use pace::{Pace, RESTS};
pub use run::Run;
pub use set::{RunSet, RunSets};
pub use write::write_run;

use std::io;

/// Bytes of an id.
pub const ID_BYTES: usize = 16;
/// Bytes of a row: id, then value.
pub const ROW_BYTES: usize = 32;

/// Why a run cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The disk refused an operation.
    #[error("run file operation: {0}")]
    Io(#[from] io::Error),
    /// A sync failed; the run does not exist, and the process should stop.
    #[error("sync run")]
    SyncFailed(#[source] io::Error),
    /// Two rows have the same id. Nothing was written.
    #[error("two rows have the id {0:02x?}")]
    DuplicateId([u8; ID_BYTES]),
    /// A run of these generations exists already and has other rows.
    #[error("run {0} exists already with other rows")]
    Exists(RunRange),
    /// The file is damaged; it can be fetched from a peer.
    #[error("run {range} is corrupt at offset {offset}")]
    Corrupt {
        /// Generations of the run.
        range: RunRange,
        /// Byte in the file.
        offset: u64,
    },
    /// The file is sound and of another version of this program, which has to read it.
    #[error("run {range} has unknown format {format}")]
    UnknownFormat {
        /// Generations of the run.
        range: RunRange,
        /// The format in its header.
        format: u32,
    },
    /// The work was given up, see [`Pace::new`]. Nothing of it is left.
    #[error("the work was given up")]
    GivenUp,
    /// A file that was fetched is not the run that was asked for.
    #[error("this is not run {0}")]
    Unexpected(RunRange),
}
