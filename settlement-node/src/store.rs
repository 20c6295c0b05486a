//! Everything the node keeps on its disk.
//!
//! All files are reached through the narrow [`vfs::Vfs`] trait, so that tests and the simulator can
//! put a disk that tears, loses and fails writes below the same code. The log ([`wal`]) is the only
//! primary copy: the block history ([`history`]), the sorted runs of transfer ids ([`runs`]) and the
//! snapshots of the state ([`snapshots`]) are derived from it. Once they are durable the log before
//! them is released, and a node that lost one of them fetches it from a peer.
//!
//! Invariants: nothing is reported durable before `fdatasync` returned; a failed `fdatasync` is
//! never retried (the process has to stop); durable data is never truncated silently. This module
//! knows bytes only: not the ledger, not the order protocol.

pub mod cosigned;
pub mod history;
pub mod history_writer;
pub mod log_writer;
pub mod meters;
pub mod movements;
pub mod runs;
pub mod scrub;
pub mod snapshots;
pub mod tiles;
pub mod vfs;
pub mod wal;
