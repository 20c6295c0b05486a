//! One filter for neighbouring generations that are not yet one run.
//!
//! A fresh id would ask the filter of each of them, and each answer is a line of memory that is in no cache. A
//! window answers for up to sixteen generations at once. It is in memory only: the generations that were on disk when
//! the node started are not in it, their runs are asked on their own until they are merged. A window is small, and
//! so says "maybe" once in forty times; the runs' own filters then decide whether the disk is read.

use super::ID_BYTES;
use super::filter::{Filter, Probe};
use super::info::RunRange;

/// Generations of a window: those of a run that was merged twice.
const GENERATIONS: u64 = 16;
/// Ids that are added at once.
const ADDED_AT_ONCE: usize = 128;

/// What is known of the ids of some neighbouring generations. Immutable; cheap enough to be copied once a
/// generation.
#[derive(Clone)]
pub(super) struct Window {
    range: RunRange,
    /// A bit for each generation that is in it.
    members: u16,
    filter: Filter,
}

impl Window {
    /// The window that a generation belongs to, empty; it is made for generations of `ids` ids.
    pub(super) fn around(generation: u64, ids: u64) -> Option<Self> {
        let range = RunRange::new(generation / GENERATIONS * GENERATIONS, GENERATIONS)?;
        let filter = Filter::for_ids_coarsely(ids.saturating_mul(GENERATIONS));
        Some(Self { range, members: 0, filter })
    }

    /// All generations that may be in it.
    pub(super) const fn range(&self) -> RunRange {
        self.range
    }

    /// The bits of the generations of a run.
    fn bits(&self, range: &RunRange) -> Option<u16> {
        let first = range.first().checked_sub(self.range.first())?;
        let bits = ((1_u32 << range.generations().min(GENERATIONS)) - 1)
            .checked_shl(first.try_into().ok()?)?;
        if self.range.covers(range) { u16::try_from(bits).ok() } else { None }
    }

    /// Whether it answers for all ids of a run.
    pub(super) fn holds(&self, range: &RunRange) -> bool {
        self.bits(range).is_some_and(|bits| self.members & bits == bits)
    }

    /// Adds the ids of a generation. False when it belongs to another window.
    pub(super) fn add(
        &mut self,
        generation: u64,
        ids: impl Iterator<Item = [u8; ID_BYTES]>,
    ) -> bool {
        let Some(bits) = self.bits(&RunRange::one(generation)) else { return false };
        let mut ids = ids.peekable();
        while ids.peek().is_some() {
            self.filter.insert(ids.by_ref().take(ADDED_AT_ONCE));
        }
        self.members |= bits;
        true
    }

    /// Reads the place that [`Window::may_contain`] will look at.
    pub(super) fn touch(&self, probe: &Probe) -> u64 {
        self.filter.touch(probe)
    }

    /// False is certain, for the runs that it holds.
    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        self.filter.may_contain(probe)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(number: u64) -> [u8; ID_BYTES] {
        let mut id = [7; ID_BYTES];
        id[..8].copy_from_slice(&number.to_le_bytes());
        id
    }

    #[test]
    fn a_window_answers_for_what_was_added_and_for_nothing_else() {
        let mut window = Window::around(37, 2_000).unwrap();
        assert_eq!(window.range(), RunRange::new(32, 16).unwrap());
        for generation in [33, 34, 35, 47] {
            let ids = generation * 2_000..(generation + 1) * 2_000;
            assert!(window.add(generation, ids.map(id)));
        }
        assert!(!window.add(31, [id(1)].into_iter()));
        assert!(!window.add(48, [id(1)].into_iter()));
        assert!(window.holds(&RunRange::one(33)) && window.holds(&RunRange::one(47)));
        for generation in [31, 32, 36, 48] {
            assert!(!window.holds(&RunRange::one(generation)), "{generation}");
        }
        let four = RunRange::new(32, 4).unwrap();
        assert!(!window.holds(&four));
        assert!(window.add(32, (64_000..66_000).map(id)));
        assert!(window.holds(&four));
        assert!(!window.holds(&window.range()) && !window.holds(&RunRange::new(0, 64).unwrap()));
        for number in (64_000..72_000).chain(94_000..96_000) {
            assert!(window.may_contain(&Probe::new(&id(number))), "{number}");
        }
        let wrong = (200_000..240_000).filter(|&other| window.may_contain(&Probe::new(&id(other))));
        assert!(wrong.count() < 2_000);
    }

    #[test]
    fn a_full_window_says_maybe_rarely() {
        let mut window = Window::around(0, 1_000).unwrap();
        for generation in 0..16 {
            assert!(window.add(generation, (generation * 1_000..(generation + 1) * 1_000).map(id)));
        }
        assert!(window.holds(&window.range()));
        let wrong = (20_000..60_000).filter(|&other| window.may_contain(&Probe::new(&id(other))));
        let wrong = wrong.count();
        assert!(wrong < 2_000, "{wrong} of 40000");
    }
}
