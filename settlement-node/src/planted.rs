//! Bugs that the simulator must find: one at a time, chosen by whoever runs it, never in a normal build.
//!
//! Compiled only with the feature `planted`. Each is a mistake that a person could make, in the code
//! that everyone uses; without a choice nothing is wrong.

use std::sync::atomic::{AtomicU8, Ordering};

/// A bug of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// What is written is called durable without a sync.
    AckBeforeFsync = 1,
    /// The first look-up of an id is kept and answered again.
    StaleRead = 2,
    /// What a peer sends as a snapshot is installed, and believed at each start, without a look at it.
    SnapshotUnverified = 3,
    /// A corrupt log is cut like a torn one, without a mark.
    TruncatedOnCorruption = 4,
}

static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// Lets this bug act from now on, in the whole process; `None` makes everything right again.
pub fn choose(bug: Option<Bug>) {
    CHOSEN.store(bug.map_or(0, |bug| bug as u8), Ordering::SeqCst);
}

pub(crate) fn is(bug: Bug) -> bool {
    CHOSEN.load(Ordering::Relaxed) == bug as u8
}
