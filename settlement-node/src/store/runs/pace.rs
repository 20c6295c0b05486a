//! How long background work goes at a stretch, and when it is given up.
//!
//! Sorting a generation and merging runs take from a tenth of a second to minutes of processor time. Done
//! at once, on all nodes of a machine at the same moment, payments would wait for a free processor. So
//! this work is done in slices with rests between them, and only in a hurry when more of it waits. Who
//! waits for the end of the node, or for room on the disk, does not wait for the end of the work.

use std::thread;
use std::time::{Duration, Instant};

use super::RunError;

/// The length of a slice of work.
const SLICE: Duration = Duration::from_millis(1);
/// How many times as long as it worked a thread rests: it takes a quarter of a processor at most.
const RESTS: u32 = 3;
/// The longest part of a rest in which nobody asks whether the work is given up.
const NAP: Duration = Duration::from_millis(50);

/// The pace of one piece of work.
pub struct Pace<'a> {
    in_a_hurry: &'a dyn Fn() -> bool,
    is_given_up: &'a dyn Fn() -> bool,
    started: Instant,
}

impl<'a> Pace<'a> {
    /// Work that rests, but not while `in_a_hurry` says that somebody waits, and ends with
    /// [`RunError::GivenUp`] soon after `is_given_up` says so.
    #[must_use]
    pub fn new(in_a_hurry: &'a dyn Fn() -> bool, is_given_up: &'a dyn Fn() -> bool) -> Self {
        Self { in_a_hurry, is_given_up, started: Instant::now() }
    }

    /// Work that somebody waits for: it never rests and is not given up.
    #[must_use]
    pub fn without_rest() -> Pace<'static> {
        Pace::new(&|| true, &|| false)
    }

    /// Rests when a slice of work is done. Call it after each piece of work that is much shorter than a
    /// millisecond.
    ///
    /// # Errors
    /// [`RunError::GivenUp`].
    pub(super) fn step(&mut self) -> Result<(), RunError> {
        let worked = self.started.elapsed();
        if worked < SLICE {
            return Ok(());
        }
        let mut rest = worked * RESTS;
        loop {
            if (self.is_given_up)() {
                return Err(RunError::GivenUp);
            }
            if rest.is_zero() || (self.in_a_hurry)() {
                break;
            }
            thread::sleep(rest.min(NAP));
            rest = rest.saturating_sub(NAP);
        }
        self.started = Instant::now();
        Ok(())
    }
}
