//! Everything the node keeps on its disk.
//!
//! All files are reached through the narrow [`vfs::Vfs`] trait, so that tests and the simulator can
//! put a disk that tears, loses and fails writes below the same code. The log ([`wal`]) is the only
//! primary copy: the block history ([`history`]) and the sorted runs of transfer ids ([`runs`]) are
//! derived from it and can be rebuilt by replay.
//!
//! Invariants: nothing is reported durable before `fdatasync` returned; a failed `fdatasync` is
//! never retried (the process has to stop); durable data is never truncated silently. This module
//! knows bytes only: not the ledger, not the order protocol.

pub mod history;
pub mod history_writer;
pub mod log_writer;
pub mod meters;
pub mod runs;
pub mod vfs;
pub mod wal;
