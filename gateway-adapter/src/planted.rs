//! Bugs that are put in on purpose, one at a time, to show that the checks find them.
//!
//! Only with the feature `planted`, which no build that is used has. One choice holds for the whole
//! process.

use std::sync::atomic::{AtomicU8, Ordering};

/// No bug.
pub const NONE: u8 = 0;
/// Of some deliveries the cursor is stored and the outbox entry is not.
pub const LOST_OUTBOX_ROW: u8 = 1;
/// Messages count as taken in, and answers are given, before the store has committed them.
pub const ANSWER_BEFORE_COMMIT: u8 = 2;

static PLANTED: AtomicU8 = AtomicU8::new(NONE);

/// Puts the bug with this number in; [`NONE`] takes it out.
pub fn plant(number: u8) {
    PLANTED.store(number, Ordering::SeqCst);
}

pub(crate) fn is(number: u8) -> bool {
    PLANTED.load(Ordering::SeqCst) == number
}
