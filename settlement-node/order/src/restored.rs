//! Entries, the hard state, and what a node brings back from its disk.

use bytes::Bytes;

use crate::{Change, Config, NodeId, OrderError, change::Members, terms::TermRuns};

/// What must survive a crash besides the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HardState {
    /// The latest term this node has seen.
    pub term: u64,
    /// Whom it voted for in that term; 0 is nobody.
    pub vote: NodeId,
    /// An index known to be committed; may lag behind.
    pub commit: u64,
}

/// One position of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The position, from 1 without gaps.
    pub index: u64,
    /// The term of the leader that placed it.
    pub term: u64,
    /// What was proposed; empty for a new leader's marker.
    pub data: Bytes,
}

/// What was read from disk at start. Everything in it must be durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The last durable hard state.
    pub hard_state: HardState,
    /// The last index contained in the durable applied state, as stored together with that state.
    /// May be above `hard_state.commit`, whose writing is lazy.
    pub applied: u64,
    /// The end of the log: contiguous, up to `last_index`, beginning at `applied + 1` or before.
    pub tail: Vec<Entry>,
    /// The first index that can be read from disk (see [`Fetch`](crate::Fetch)); at least 1.
    pub first_index: u64,
    /// The last index of the log; `first_index - 1` if it is empty.
    pub last_index: u64,
    /// The terms of the log as runs `(first index, term)`, both strictly increasing. The first run
    /// begins at 1, or at `first_index - 1` or before it.
    pub terms: Vec<(u64, u64)>,
    /// The durable mark that this log has lost entries that it may have acknowledged: the highest
    /// term that this node has known when that was found out, whatever it was known from. `tail`,
    /// `last_index` and `terms` tell what is left, which may be any earlier state of the log. The
    /// mark stays until [`Output::recovered`](crate::Output::recovered).
    pub lost_term: Option<u64>,
}

impl Default for Restored {
    /// A node that has never run.
    fn default() -> Self {
        Restored {
            hard_state: HardState::default(),
            applied: 0,
            tail: Vec::new(),
            first_index: 1,
            last_index: 0,
            terms: Vec::new(),
            lost_term: None,
        }
    }
}

impl Restored {
    /// The hard state to start from: what is applied was committed, whatever the lazy write says.
    pub(crate) fn effective_hard_state(&self) -> HardState {
        let commit = match self.lost_term {
            None => self.hard_state.commit.max(self.applied),
            // The commit index may be younger than what is left of the log, and what is left may hold
            // entries that had been replaced: only the applied state is known to be committed.
            Some(_) => self.applied,
        };
        HardState { commit, ..self.hard_state }
    }

    /// The least term to start in. A lost log must not bring back a term that was left, and a log
    /// that was just reset to a snapshot may end in a term that this node has not heard of.
    pub(crate) fn least_term(&self) -> u64 {
        let is_empty = self.last_index + 1 == self.first_index;
        let base_term = if is_empty { self.last_term() } else { 0 };
        self.hard_state.term.max(base_term).max(self.lost_term.unwrap_or(0))
    }

    /// The term of the last entry, 0 if there never was one.
    fn last_term(&self) -> u64 {
        self.terms.last().map_or(0, |run| run.1)
    }

    /// The lost term, unless the log has become whole since.
    pub(crate) fn unrecovered_term(&self) -> Option<u64> {
        self.lost_term.filter(|lost_term| self.last_term() <= *lost_term)
    }

    /// Refuses a log that contradicts itself or has lost what this node promised to keep.
    pub(crate) fn check(&self, config: &Config) -> Result<(), OrderError> {
        let inconsistent = |what: &'static str| Err(OrderError::RestoredInconsistent(what));
        let hard_state = self.effective_hard_state();
        if self.first_index == 0 {
            return inconsistent("the first index is 0");
        }
        if config.voters == [config.id] && self.unrecovered_term().is_some() {
            return Err(OrderError::LostWithoutPeers);
        }
        if hard_state.commit > self.last_index {
            let (commit, last_index) = (hard_state.commit, self.last_index);
            return Err(OrderError::LogTooShort { commit, last_index });
        }
        if self.last_index + 1 < self.first_index || self.applied + 1 < self.first_index {
            return inconsistent("the first readable index is beyond the applied index");
        }
        if hard_state.vote != 0 && !Members::of(config).known.contains(&hard_state.vote) {
            return inconsistent("the vote was for a node that is not known");
        }
        self.check_terms(self.least_term())?;
        self.check_tail()
    }

    fn check_terms(&self, term: u64) -> Result<(), OrderError> {
        let inconsistent = |what: &'static str| Err(OrderError::RestoredInconsistent(what));
        match (self.terms.first(), self.terms.last()) {
            (Some(&(first, first_term)), Some(&(last, last_term))) => {
                if first == 0 || first > (self.first_index - 1).max(1) || first_term == 0 {
                    return inconsistent("the terms do not reach back to the first index");
                }
                if last > self.last_index || last_term > term {
                    return inconsistent("the terms reach beyond the log or the current term");
                }
                if self.terms.windows(2).any(|p| p[0].0 >= p[1].0 || p[0].1 >= p[1].1) {
                    return inconsistent("the terms do not increase");
                }
                Ok(())
            }
            _ if self.last_index == 0 => Ok(()),
            _ => inconsistent("the log has entries but no terms"),
        }
    }

    fn check_tail(&self) -> Result<(), OrderError> {
        let inconsistent = |what: &'static str| Err(OrderError::RestoredInconsistent(what));
        let begin = self.tail.first().map_or(self.last_index + 1, |entry| entry.index);
        if begin > self.applied + 1 {
            return inconsistent("entries that are still to be applied are missing from the tail");
        }
        if begin < self.first_index {
            return inconsistent("the tail begins before the first readable index");
        }
        if begin + self.tail.len() as u64 != self.last_index + 1 {
            return inconsistent("the tail does not end at the last index");
        }
        let terms = TermRuns::new(self.terms.clone());
        for (index, entry) in (begin..).zip(&self.tail) {
            if entry.index != index || terms.term(index) != Some(entry.term) {
                return inconsistent("the tail has a gap or differs from the terms");
            }
        }
        Ok(())
    }
}

/// An entry in raft-rs's form; the data is shared, not copied. raft-rs must be told which ones are changes: it does
/// not stand for election while one is committed and not applied.
pub(crate) fn entry_to_raft(
    entry: Entry,
    change_of: fn(&[u8]) -> Option<Change>,
) -> raft::eraftpb::Entry {
    let Entry { index, term, data } = entry;
    let is_change = change_of(&data).is_some();
    let mut entry = raft::eraftpb::Entry { index, term, data, ..raft::eraftpb::Entry::default() };
    if is_change {
        entry.set_entry_type(raft::eraftpb::EntryType::EntryConfChangeV2);
    }
    entry
}

/// An entry in our form; the data is shared, not copied.
pub(crate) fn entry_from_raft(entry: raft::eraftpb::Entry) -> Entry {
    Entry { index: entry.index, term: entry.term, data: entry.data }
}
