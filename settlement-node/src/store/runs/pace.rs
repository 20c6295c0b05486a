//! How long background work goes at a stretch, and when it is given up.
//!
//! Sorting a generation and merging runs take from a tenth of a second to minutes of processor time. Done
//! at once, on all nodes of a machine at the same moment, payments would wait for a free processor. So
//! this work is done in slices with rests between them, the shorter the more of it waits. Who waits for
//! the end of the node, or for room on the disk, does not wait for the end of the work.

use std::thread;
use std::time::{Duration, Instant};

use super::RunError;

/// The length of a slice of work.
const SLICE: Duration = Duration::from_millis(1);
/// How many times as long as it worked a thread rests when nothing else is said: it takes a quarter of a
/// processor at most.
pub const RESTS: u32 = 3;
/// The longest part of a rest in which nobody asks whether the work is given up.
const NAP: Duration = Duration::from_millis(50);

/// The pace of one piece of work.
pub struct Pace<'a> {
    rests: &'a dyn Fn() -> u32,
    is_given_up: &'a dyn Fn() -> bool,
    started: Instant,
}

impl<'a> Pace<'a> {
    /// Work that rests `rests` times as long as it worked, as it is said after each slice: 0 when somebody
    /// waits for it. It ends with [`RunError::GivenUp`] soon after `is_given_up` says so.
    #[must_use]
    pub fn new(rests: &'a dyn Fn() -> u32, is_given_up: &'a dyn Fn() -> bool) -> Self {
        Self { rests, is_given_up, started: Instant::now() }
    }

    /// Work that somebody waits for: it never rests and is not given up.
    #[must_use]
    pub fn without_rest() -> Pace<'static> {
        Pace::new(&|| 0, &|| false)
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
        let mut rested = Duration::ZERO;
        loop {
            if (self.is_given_up)() {
                return Err(RunError::GivenUp);
            }
            let left = (worked * (self.rests)()).saturating_sub(rested);
            if left.is_zero() {
                break;
            }
            let nap = left.min(NAP);
            thread::sleep(nap);
            rested += nap;
        }
        self.started = Instant::now();
        Ok(())
    }
}
