//! The term of every index of the log, in memory: one pair per change of leader.

/// Run-length terms. Both numbers of the runs increase strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TermRuns {
    runs: Vec<(u64, u64)>,
}

impl TermRuns {
    pub(crate) fn new(runs: Vec<(u64, u64)>) -> Self {
        TermRuns { runs }
    }

    /// The term at `index`, or `None` before the first run. The caller knows where the log ends.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        // Nearly every question is about the newest run.
        match self.runs.last() {
            Some(&(first, term)) if first <= index => Some(term),
            _ => {
                let after = self.runs.partition_point(|&(first, _)| first <= index);
                after.checked_sub(1).map(|position| self.runs[position].1)
            }
        }
    }

    /// Notes that the entry at `index`, the new end of the log, has `term`.
    pub(crate) fn push(&mut self, index: u64, term: u64) {
        if self.runs.last().is_none_or(|&(_, last_term)| last_term != term) {
            self.runs.push((index, term));
        }
    }

    /// Forgets everything below `index`.
    pub(crate) fn forget_below(&mut self, index: u64) {
        let runs_to_begin = self.runs.partition_point(|&(first, _)| first <= index);
        self.runs.drain(..runs_to_begin.saturating_sub(1));
    }

    /// Forgets everything from `index` on.
    pub(crate) fn truncate_from(&mut self, index: u64) {
        while self.runs.last().is_some_and(|&(first, _)| first >= index) {
            self.runs.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TermRuns;
    use proptest::prelude::*;

    proptest! {
        /// Any mix of appends and truncations answers like a plain list.
        #[test]
        fn runs_answer_like_a_plain_list(steps in proptest::collection::vec((0u64..4, 1usize..6, 0usize..8), 1..40)) {
            let (mut runs, mut list, mut term) = (TermRuns::default(), Vec::new(), 1);
            for (term_step, appended, truncated) in steps {
                let keep = list.len().saturating_sub(truncated);
                list.truncate(keep);
                runs.truncate_from(keep as u64 + 1);
                term += term_step;
                for _ in 0..appended {
                    list.push(term);
                    runs.push(list.len() as u64, term);
                }
                for (position, expected) in list.iter().enumerate() {
                    prop_assert_eq!(runs.term(position as u64 + 1), Some(*expected));
                }
                prop_assert_eq!(runs.term(0), None);
            }
        }
    }
}
