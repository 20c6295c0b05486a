//! Room for what is to be written, made sure of before the first byte of it is.
//!
//! A write that fails half way stops the log for good, so the segments that a write may need are
//! made first: a disk that is full is then an error without an effect. How many are needed follows
//! from the same rules by which [`Wal::append`] gathers entries and pads units.

use super::record::{self, ENTRY_PREFIX};
use super::writer::WRITE_BYTES_MAX;
use super::{UNIT_BYTES, Wal, WalError, WalOp};

/// Payload of a hard state.
const HARD_STATE: usize = 32;
/// Payload of a batch without its entries.
const BATCH: usize = 8;

/// Where the records of a write would go.
struct Plan {
    position: u64,
    buffer: u64,
    segment: u64,
    /// Size of the segments to come.
    next: u64,
    rolls: usize,
}

impl Plan {
    fn put(&mut self, payload: usize) {
        if self.buffer >= WRITE_BYTES_MAX as u64 {
            self.flush();
        }
        let bytes = record::disk_bytes(payload) as u64;
        let begins = self.position == 0 && self.buffer == 0;
        let need = bytes + if begins { UNIT_BYTES as u64 } else { 0 };
        if self.position + self.buffer + need > self.segment {
            self.rolls += 1;
            (self.position, self.buffer, self.segment) = (0, 0, self.next);
        }
        if self.position == 0 && self.buffer == 0 {
            self.buffer = UNIT_BYTES as u64;
        }
        self.buffer += bytes;
    }

    fn flush(&mut self) {
        self.position += self.buffer.next_multiple_of(UNIT_BYTES as u64);
        self.buffer = 0;
    }
}

impl Wal {
    /// Bytes that can be written before another segment must be made: what is left in the active
    /// one and in the spare. If it stays low the disk is probably full, and new work should be
    /// refused while there is room for what was begun.
    #[must_use]
    pub fn room(&mut self) -> u64 {
        self.active_bytes.saturating_sub(self.position) + self.keeper.spare_bytes()
    }

    /// Sees to the spare segment if it could not be made before; for each write and for quiet
    /// moments. Returns whether there is one, or it is being made.
    pub fn tend(&mut self) -> bool {
        self.keeper.order(self.active.number + 1);
        self.keeper.is_ready()
    }

    /// Makes the segments that the steps (or, without any, one record of fixed size) may need.
    pub(super) fn make_room(&mut self, ops: &[WalOp]) -> Result<(), WalError> {
        let count = self.segments_needed(ops);
        if count == 0 { Ok(()) } else { self.keeper.reserve(self.active.number + 1, count) }
    }

    /// Segments beyond the active one that the steps need, rarely one too many.
    pub(super) fn segments_needed(&self, ops: &[WalOp]) -> usize {
        let limit = self.options.record_bytes.min(self.options.segment_bytes as usize / 2);
        let mut plan = Plan {
            position: self.position,
            buffer: self.buffer.len() as u64,
            segment: self.active_bytes,
            next: self.options.segment_bytes.next_multiple_of(UNIT_BYTES as u64),
            rolls: 0,
        };
        // One before and one behind the entries.
        plan.put(HARD_STATE);
        let (mut last, mut bytes) = (None, 0);
        for entry in ops.iter().flat_map(|op| &op.entries) {
            let size = ENTRY_PREFIX + entry.data.len();
            let follows = last.is_none_or(|last: u64| last + 1 == entry.index);
            if last.is_some() && (!follows || bytes + size > limit) {
                plan.put(BATCH + bytes);
                bytes = 0;
            }
            (last, bytes) = (Some(entry.index), bytes + size);
        }
        if last.is_some() {
            plan.put(BATCH + bytes);
        }
        plan.put(HARD_STATE);
        plan.rolls
    }
}
