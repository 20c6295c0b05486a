//! The log as raft-rs sees it: answers at once, from memory, for everything handed over, durable or not.
//!
//! Kept are the terms of all entries and the recent entries themselves. Invariant: every entry above
//! `min(applied, persisted)` is in the cache, so whatever raft-rs must read synchronously is there.
//! Older entries are asked of the shell, and only where raft-rs can wait for them.

use std::{cell::RefCell, collections::VecDeque};

use raft::{
    GetEntriesContext, RaftState, Storage, StorageError,
    eraftpb::{self, ConfState},
};

use crate::{
    Config, HardState, Restored,
    change::Members,
    fetch::{Fetches, take_bytes},
    output::counted_bytes,
    restored::entry_to_raft,
    terms::TermRuns,
};

struct Cached {
    entry: eraftpb::Entry,
    /// Counted bytes of all entries that were ever cached up to and including this one.
    bytes_through: u64,
}

/// Terms of all entries, and the recent entries.
pub(crate) struct Log {
    hard_state: HardState,
    voters: Vec<u64>,
    learners: Vec<u64>,
    first_index: u64,
    last_index: u64,
    terms: TermRuns,
    /// Index and term of the newest snapshot of the applied state; 0 is none.
    snapshot: (u64, u64),
    cache: VecDeque<Cached>,
    cache_first: u64,
    bytes_evicted: u64,
    bytes_max: u64,
    /// `Storage` answers by shared reference, yet a question for an old entry must be noted.
    fetches: RefCell<Fetches>,
}

impl Log {
    /// `restored` must have passed its check.
    pub(crate) fn new(config: &Config, restored: Restored) -> Self {
        let hard_state = restored.effective_hard_state();
        let cache_first =
            restored.tail.first().map_or(restored.last_index + 1, |entry| entry.index);
        let mut log = Log {
            hard_state,
            voters: config.voters.clone(),
            learners: config.learners.clone(),
            first_index: restored.first_index,
            last_index: cache_first - 1,
            terms: TermRuns::new(restored.terms),
            snapshot: (0, 0),
            cache: VecDeque::new(),
            cache_first,
            bytes_evicted: 0,
            bytes_max: config.cache_bytes_max as u64,
            fetches: RefCell::new(Fetches::new(
                Members::of(config).known.len(),
                config.message_bytes_max,
            )),
        };
        // The tail brings its terms along; the runs must not have them twice.
        log.terms.truncate_from(cache_first);
        for entry in restored.tail {
            log.push(entry_to_raft(entry, config.change_of));
        }
        log.evict(restored.applied);
        log
    }

    /// Makes entries readable; they replace whatever is from their first index on.
    pub(crate) fn append(&mut self, entries: Vec<eraftpb::Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        assert!(
            first >= self.cache_first && first <= self.last_index + 1,
            "entries from {first} neither follow the log [{}, {}] nor replace a part in memory",
            self.cache_first,
            self.last_index
        );
        if first <= self.last_index {
            self.cache.truncate((first - self.cache_first) as usize);
            self.terms.truncate_from(first);
            self.last_index = first - 1;
        }
        for entry in entries {
            self.push(entry);
        }
    }

    fn push(&mut self, entry: eraftpb::Entry) {
        self.terms.push(entry.index, entry.term);
        self.last_index = entry.index;
        let before = self.cache.back().map_or(self.bytes_evicted, |cached| cached.bytes_through);
        let bytes_through = before + counted_bytes(&entry.data);
        self.cache.push_back(Cached { entry, bytes_through });
    }

    /// Lets go of entries up to `keep_above` while the cache is over its limit.
    pub(crate) fn evict(&mut self, keep_above: u64) {
        let through = self.cache.back().map_or(self.bytes_evicted, |cached| cached.bytes_through);
        while through - self.bytes_evicted > self.bytes_max && self.cache_first <= keep_above {
            if !self.evict_first() {
                break;
            }
        }
    }

    fn evict_first(&mut self) -> bool {
        let Some(cached) = self.cache.pop_front() else { return false };
        self.bytes_evicted = cached.bytes_through;
        self.cache_first += 1;
        true
    }

    /// Notes a snapshot to offer to peers; an older one than known is of no use.
    pub(crate) fn snapshot_made(&mut self, index: u64, term: u64) {
        self.snapshot = self.snapshot.max((index, term));
    }

    /// Index and term of the newest snapshot; 0 is none.
    pub(crate) fn newest_snapshot(&self) -> (u64, u64) {
        self.snapshot
    }

    /// Forgets all entries below `first_index`, but not the term of the one just below.
    pub(crate) fn compact(&mut self, first_index: u64) {
        if first_index <= self.first_index {
            return;
        }
        while self.cache_first < first_index && self.evict_first() {}
        // Without a cached entry left, the next one to come is the first.
        self.cache_first = self.cache_first.max(first_index);
        self.first_index = first_index;
        self.terms.forget_below(first_index - 1);
        self.fetches.get_mut().forget_below(first_index);
    }

    /// Counted bytes of the cached entries in `(low, high]`.
    pub(crate) fn bytes_between(&self, low: u64, high: u64) -> u64 {
        self.bytes_through(high).saturating_sub(self.bytes_through(low))
    }

    fn bytes_through(&self, index: u64) -> u64 {
        match index.checked_sub(self.cache_first) {
            None => self.bytes_evicted,
            Some(position) => self
                .cache
                .get(position as usize)
                .or(self.cache.back())
                .map_or(self.bytes_evicted, |cached| cached.bytes_through),
        }
    }

    /// The term at `index`: 0 before the first entry ever, `None` outside the known log.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        match index {
            0 => Some(0),
            _ if index > self.last_index || index + 1 < self.first_index => None,
            _ => self.terms.term(index),
        }
    }

    pub(crate) fn fetches(&mut self) -> &mut Fetches {
        self.fetches.get_mut()
    }
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let mut hard_state = eraftpb::HardState::default();
        hard_state.term = self.hard_state.term;
        hard_state.vote = self.hard_state.vote;
        hard_state.commit = self.hard_state.commit;
        let conf_state = ConfState::from((self.voters.clone(), self.learners.clone()));
        Ok(RaftState::new(hard_state, conf_state))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<eraftpb::Entry>> {
        if low < self.first_index {
            return Err(StorageError::Compacted.into());
        }
        assert!(
            high <= self.last_index + 1,
            "entries up to {high} asked of a log that ends before"
        );
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        if low >= self.cache_first {
            let begin = (low - self.cache_first) as usize;
            let end = (high - self.cache_first) as usize;
            return Ok(take_bytes(self.cache.range(begin..end).map(|c| &c.entry), bytes_max));
        }
        if !context.can_async() {
            // Cannot happen while unapplied entries are never evicted; raft-rs stops the process.
            return Err(StorageError::Unavailable.into());
        }
        let mut fetches = self.fetches.borrow_mut();
        let high = high.min(self.cache_first);
        fetches.lookup(low, high, bytes_max).ok_or_else(|| {
            fetches.request(low, high, context);
            StorageError::LogTemporarilyUnavailable.into()
        })
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        self.term_at(index).ok_or_else(|| {
            if index > self.last_index {
                StorageError::Unavailable.into()
            } else {
                StorageError::Compacted.into()
            }
        })
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first_index)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last_index)
    }

    /// Only says which snapshot there is; its content travels by other means.
    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<eraftpb::Snapshot> {
        let (index, term) = self.snapshot;
        if index == 0 || index < request_index || index + 1 < self.first_index {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        let mut snapshot = eraftpb::Snapshot::default();
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = (index, term);
        Ok(snapshot)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Entry;
    use bytes::Bytes;

    fn entry(index: u64, term: u64) -> eraftpb::Entry {
        entry_to_raft(Entry { index, term, data: Bytes::from(vec![7; 68]) }, |_| None)
    }

    fn log(cache_bytes_max: usize) -> Log {
        let mut config = Config::new(1, vec![1, 2, 3], 0);
        config.cache_bytes_max = cache_bytes_max;
        Log::new(&config, Restored::default())
    }

    #[test]
    fn only_applied_entries_are_evicted() {
        let mut log = log(250);
        log.append((1..=10).map(|index| entry(index, 1)).collect());
        log.evict(4);
        assert_eq!(log.cache_first, 5);
        log.evict(10);
        assert_eq!((log.cache_first, log.cache.len()), (9, 2));
        assert_eq!(log.bytes_between(8, 10), 200);
        assert_eq!(log.bytes_between(9, 10), 100);
        assert_eq!(log.term_at(3), Some(1));
        assert_eq!(log.term_at(11), None);
    }

    #[test]
    fn a_restored_tail_over_several_terms_keeps_the_terms() {
        let terms = vec![(1, 1), (4, 2), (7, 5)];
        let term = |index| terms.iter().rev().find(|run| run.0 <= index).unwrap().1;
        for begin in 1..=9 {
            let tail = (begin..=8)
                .map(|index| Entry { index, term: term(index), data: Bytes::new() })
                .collect();
            let restored = Restored {
                hard_state: HardState { term: 5, vote: 0, commit: 8 },
                applied: 8,
                tail,
                last_index: 8,
                terms: terms.clone(),
                ..Restored::default()
            };
            let config = Config::new(1, vec![1], 0);
            restored.check(&config).unwrap();
            let log = Log::new(&config, restored);
            for index in 1..=8 {
                assert_eq!(log.term_at(index), Some(term(index)), "{index} from {begin}");
            }
            assert_eq!(log.last_index, 8);
        }
    }

    #[test]
    fn a_new_tail_replaces_the_old_one() {
        let mut log = log(1 << 20);
        log.append((1..=10).map(|index| entry(index, 1)).collect());
        log.append(vec![entry(6, 2), entry(7, 2)]);
        assert_eq!(log.last_index, 7);
        assert_eq!((log.term_at(5), log.term_at(6), log.term_at(8)), (Some(1), Some(2), None));
        assert_eq!(log.bytes_between(0, 7), 700);
        let read = log.entries(4, 8, 250, GetEntriesContext::empty(false)).unwrap();
        assert_eq!(read.iter().map(|e| (e.index, e.term)).collect::<Vec<_>>(), [(4, 1), (5, 1)]);
    }

    #[test]
    fn old_entries_are_asked_of_the_shell_once_and_then_served() {
        let mut log = log(250);
        log.append((1..=10).map(|index| entry(index, 1)).collect());
        log.evict(10);
        for _ in 0..3 {
            let answer = log.entries(2, 11, 150, GetEntriesContext::empty(true));
            assert!(matches!(
                answer,
                Err(raft::Error::Store(StorageError::LogTemporarilyUnavailable))
            ));
        }
        let requests = log.fetches().take_requests();
        assert_eq!(requests.len(), 1);
        assert_eq!((requests[0].low, requests[0].high), (2, 9));
        let (fetch, contexts) = log.fetches().finish(requests[0].token).unwrap();
        assert_eq!((fetch.low, contexts.len()), (2, 3));
        log.fetches().keep((2..=8).map(|index| entry(index, 1)).collect());
        let read = log.entries(3, 11, 250, GetEntriesContext::empty(true)).unwrap();
        assert_eq!(read.iter().map(|e| e.index).collect::<Vec<_>>(), [3, 4]);
    }
}
