//! How many lines a second others can make this node write into its own log.
//!
//! Each bad frame is worth a line, but whoever sends them at the speed of the network would fill the disk
//! and hide what matters. What is held back is counted, and told with the next line.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lines in one period.
const LINES_MAX: u32 = 20;
const PERIOD: Duration = Duration::from_secs(1);

/// A source of lines that others can set off.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    lines: u32,
    held_back: u64,
}

impl Quiet {
    /// Whether another line may be written now, and how many were held back since the last one.
    pub(super) fn speak(&self) -> Option<u64> {
        self.speak_at(Instant::now())
    }

    fn speak_at(&self, now: Instant) -> Option<u64> {
        // No code that can panic runs under this lock.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            (state.since, state.lines) = (Some(now), 0);
        }
        if state.lines >= LINES_MAX {
            state.held_back += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let quiet = Quiet::default();
        let start = Instant::now();
        let said = |now| (0..1_000).filter_map(|_| quiet.speak_at(now)).collect::<Vec<_>>();
        let first = said(start);
        assert_eq!((first.len(), first.iter().sum::<u64>()), (LINES_MAX as usize, 0));
        assert!(said(start + PERIOD / 2).is_empty());
        let later = said(start + PERIOD);
        assert_eq!(later.len(), LINES_MAX as usize);
        assert_eq!(later[0], 2_000 - u64::from(LINES_MAX));
        assert_eq!(later[1], 0);
    }
}
