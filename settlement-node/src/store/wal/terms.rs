//! Terms of a contiguous log, run-length encoded: a term changes only at an election.

use std::collections::VecDeque;

/// Which term each index of the log has; knows one entry before the first as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    base_index: u64,
    base_term: u64,
    last_index: u64,
    /// (first index, term), ascending in both.
    runs: VecDeque<(u64, u64)>,
}

impl Terms {
    /// An empty log that continues after (index, term).
    pub(crate) fn after(index: u64, term: u64) -> Self {
        Self { base_index: index, base_term: term, last_index: index, runs: VecDeque::new() }
    }

    /// Index of the first entry that is (or would be) in the log.
    pub(crate) fn first_index(&self) -> u64 {
        self.base_index + 1
    }

    /// Index of the last entry, `first_index - 1` if there is none.
    pub(crate) fn last_index(&self) -> u64 {
        self.last_index
    }

    /// Term of an entry in `first_index - 1 ..= last_index`.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == self.base_index {
            return Some(self.base_term);
        }
        if index < self.base_index || index > self.last_index {
            return None;
        }
        let run = self.runs.partition_point(|run| run.0 <= index);
        run.checked_sub(1).map(|run| self.runs[run].1)
    }

    /// Term of the last entry.
    pub(crate) fn last_term(&self) -> u64 {
        self.runs.back().map_or(self.base_term, |run| run.1)
    }

    /// Drops the entries from `index` on.
    pub(crate) fn truncate_from(&mut self, index: u64) {
        while self.runs.back().is_some_and(|run| run.0 >= index) {
            self.runs.pop_back();
        }
        self.last_index = self.last_index.min(index.saturating_sub(1)).max(self.base_index);
    }

    /// Appends the next entry.
    pub(crate) fn push(&mut self, term: u64) {
        self.last_index += 1;
        if self.runs.back().is_none_or(|run| run.1 != term) {
            self.runs.push_back((self.last_index, term));
        }
    }

    /// Forgets the entries up to `index`, keeping its term.
    pub(crate) fn release_to(&mut self, index: u64) {
        let Some(term) = self.term(index) else { return };
        while self.runs.get(1).is_some_and(|next| next.0 <= index + 1) {
            self.runs.pop_front();
        }
        if index >= self.last_index {
            self.runs.clear();
        } else if let Some(front) = self.runs.front_mut() {
            front.0 = front.0.max(index + 1);
        }
        (self.base_index, self.base_term) = (index, term);
    }

    /// The runs as a list.
    pub(crate) fn to_runs(&self) -> Vec<(u64, u64)> {
        self.runs.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Terms;

    #[test]
    fn runs_follow_pushes_truncations_and_releases() {
        let mut terms = Terms::after(0, 0);
        [1, 1, 2, 2, 2, 5].into_iter().for_each(|term| terms.push(term));
        assert_eq!(terms.to_runs(), [(1, 1), (3, 2), (6, 5)]);
        assert_eq!((terms.term(0), terms.term(2), terms.term(5)), (Some(0), Some(1), Some(2)));
        assert_eq!(terms.term(7), None);
        terms.truncate_from(5);
        assert_eq!((terms.last_index(), terms.last_term()), (4, 2));
        terms.push(6);
        terms.release_to(2);
        assert_eq!((terms.first_index(), terms.term(2), terms.term(1)), (3, Some(1), None));
        assert_eq!(terms.to_runs(), [(3, 2), (5, 6)]);
        terms.release_to(3);
        assert_eq!(terms.to_runs(), [(4, 2), (5, 6)]);
        terms.release_to(5);
        assert_eq!((terms.first_index(), terms.last_index(), terms.last_term()), (6, 5, 6));
    }
}
