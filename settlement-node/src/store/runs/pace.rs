//! How long background work goes at a stretch.
//!
//! Sorting a generation and merging runs take from a tenth of a second to minutes of processor time. Done
//! at once, on all nodes of a machine at the same moment, payments would wait for a free processor. So
//! this work is done in slices with rests between them, and only in a hurry when more of it waits.

use std::thread;
use std::time::{Duration, Instant};

/// The length of a slice of work.
const SLICE: Duration = Duration::from_millis(1);
/// How many times as long as it worked a thread rests: it takes a quarter of a processor at most.
const RESTS: u32 = 3;

/// The pace of one piece of work.
pub struct Pace<'a> {
    in_a_hurry: &'a dyn Fn() -> bool,
    started: Instant,
}

impl<'a> Pace<'a> {
    /// Work that rests, but not while `in_a_hurry` says that somebody waits.
    #[must_use]
    pub fn new(in_a_hurry: &'a dyn Fn() -> bool) -> Self {
        Self { in_a_hurry, started: Instant::now() }
    }

    /// Work that somebody waits for: it never rests.
    #[must_use]
    pub fn without_rest() -> Pace<'static> {
        Pace::new(&|| true)
    }

    /// Rests when a slice of work is done. Call it after each piece of work that is much shorter than a
    /// millisecond.
    pub(super) fn step(&mut self) {
        let worked = self.started.elapsed();
        if worked < SLICE {
            return;
        }
        if !(self.in_a_hurry)() {
            thread::sleep(worked * RESTS);
        }
        self.started = Instant::now();
    }
}
