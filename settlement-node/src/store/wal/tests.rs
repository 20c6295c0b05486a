#![allow(clippy::unwrap_used)]

mod basics;
mod crashes;
mod damage;
mod full;
mod misplaced;
mod salvage;
mod unwritten;

use super::{Recovered, Wal, WalEntry, WalError, WalHardState, WalOp, WalOptions};
use crate::store::vfs::MemVfs;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

const DIR: &str = "/log";

fn options() -> WalOptions {
    WalOptions {
        segment_bytes: 32 << 10,
        record_bytes: 2 << 10,
        released_max: 2,
        background: false,
        node_id: 7,
        network_id: [9; 32],
    }
}

fn open(vfs: &MemVfs) -> Result<(Wal, Recovered), WalError> {
    Wal::open(Arc::new(vfs.clone()), Path::new(DIR), options())
}

/// Content that tells index, term and length.
fn entry(index: u64, term: u64, len: usize) -> WalEntry {
    let seed = index.wrapping_mul(31).wrapping_add(term.wrapping_mul(7)) as u8;
    let data: Vec<u8> = (0..len).map(|at| seed.wrapping_add(at as u8)).collect();
    WalEntry { index, term, data: Bytes::from(data) }
}

fn entries(first: u64, last: u64, term: u64, len: usize) -> Vec<WalEntry> {
    (first..=last).map(|index| entry(index, term, len)).collect()
}

fn synced(entries: Vec<WalEntry>) -> WalOp {
    WalOp { entries, hard_state: None, must_sync: true }
}

fn state(term: u64, vote: u64, commit: u64) -> WalHardState {
    WalHardState { term, vote, commit }
}

/// All entries of the log.
fn all(wal: &Wal) -> Vec<WalEntry> {
    let reader = wal.reader();
    reader.read(reader.first_index(), reader.last_index() + 1, u64::MAX).unwrap()
}
