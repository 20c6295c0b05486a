//! The ids of the current generation as rows in order of use, in pieces that a checkpoint can share.
//!
//! A piece that is full never changes again. So a copy costs a reference count for each piece and what is in
//! the last one, and whatever is added later costs nothing more for it: neither moment holds the ledger up.
//! The table beside it, where ids are looked up, need not be copied.

use std::sync::Arc;

use super::ROW_BYTES;

/// Rows in a piece: 64 KiB.
const PIECE_ROWS: usize = 2048;

pub(crate) type Row = [u8; ROW_BYTES];

/// Rows in order of use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    full: Vec<Arc<Vec<Row>>>,
    last: Vec<Row>,
    /// Pieces of the generation before, whose memory is used again: at most as many as one has.
    spare: Vec<Arc<Vec<Row>>>,
}

impl Rows {
    pub(crate) fn push(&mut self, row: Row) {
        if self.last.len() == PIECE_ROWS {
            // What a checkpoint still reads is given back by whoever drops it last.
            let spare = self.spare.pop().and_then(Arc::into_inner);
            let mut next = spare.unwrap_or_else(|| Vec::with_capacity(PIECE_ROWS));
            next.clear();
            self.full.push(Arc::new(std::mem::replace(&mut self.last, next)));
        }
        self.last.push(row);
    }

    /// Begins the next generation.
    pub(crate) fn restart(&mut self) {
        self.spare = std::mem::take(&mut self.full);
        self.last.clear();
    }

    /// A copy that shares all full pieces.
    pub(crate) fn share(&self) -> Self {
        Self { full: self.full.clone(), last: self.last.clone(), spare: Vec::new() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.full.len() * PIECE_ROWS + self.last.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.full.iter().flat_map(|piece| piece.iter()).chain(&self.last)
    }
}
