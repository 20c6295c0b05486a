//! A node's simulated disk: whole writes survive a crash, in order, up to a point. A damaged disk goes
//! back to an earlier state of its log, replaced entries included.

use std::collections::VecDeque;

use order::{Entry, HardState, Persist, Restored};

use super::rng::Rng;

/// Writes that a damage can undo.
const UNDO_MAX: usize = 24;

/// How to take back one write: the log from `first` on was `removed` before.
struct Undo {
    first: u64,
    removed: Vec<Entry>,
}

/// What survives a crash. The entry with index `i` is at `log[i - 1 - base]`.
#[derive(Default)]
pub(super) struct Disk {
    /// Everything up to here is only part of the applied state.
    pub(super) base: u64,
    base_term: u64,
    pub(super) log: Vec<Entry>,
    pub(super) hard_state: HardState,
    /// The durable applied state ends with this entry.
    pub(super) applied: u64,
    /// Index and term of the newest snapshots, the newest last.
    pub(super) snapshots: VecDeque<(u64, u64)>,
    pub(super) lost_term: Option<u64>,
    undo: VecDeque<Undo>,
    /// What was durable before each damage that the node has not recovered from.
    forgotten: Vec<(u64, Vec<Entry>)>,
}

impl Disk {
    pub(super) fn write(&mut self, write: &Persist) {
        if let Some(first) = write.entries.first() {
            let removed = self.log.split_off((first.index - 1 - self.base) as usize);
            assert_eq!(self.last_index() + 1, first.index, "a gap in the durable log");
            self.log.extend(write.entries.iter().cloned());
            self.undo.push_back(Undo { first: first.index, removed });
            if self.undo.len() > UNDO_MAX {
                self.undo.pop_front();
            }
        }
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
    }

    pub(super) fn last_index(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    fn at(base: u64, log: &[Entry], index: u64) -> Option<&Entry> {
        log.get(index.checked_sub(base + 1)? as usize)
    }

    /// Whether the log is known to hold an entry with this term here.
    pub(super) fn has(&self, index: u64, term: u64) -> bool {
        let at_base = (index, term) == (self.base, self.base_term);
        at_base || Self::at(self.base, &self.log, index).is_some_and(|entry| entry.term == term)
    }

    /// Whether this disk holds the entry, or has acknowledged it and knows that it forgot something.
    pub(super) fn answers_for(&self, entry: &Entry) -> bool {
        let holds =
            |base, log| entry.index <= base || Self::at(base, log, entry.index) == Some(entry);
        holds(self.base, &self.log) || self.forgotten.iter().any(|(base, log)| holds(*base, log))
    }

    /// Entries in `[low, high)` of about `bytes_max`, unless they have been released.
    pub(super) fn read(&self, low: u64, high: u64, bytes_max: u64) -> Option<Vec<Entry>> {
        let begin = low.checked_sub(self.base + 1)? as usize;
        let mut bytes = 0;
        let mut entries = Vec::new();
        for entry in &self.log[begin..(high - 1 - self.base) as usize] {
            bytes += entry.data.len() as u64;
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        Some(entries)
    }

    /// Makes the applied state durable as a snapshot.
    pub(super) fn snapshot(&mut self, index: u64, term: u64) {
        self.applied = index;
        self.snapshots.push_back((index, term));
        if self.snapshots.len() > 2 {
            self.snapshots.pop_front();
        }
    }

    /// Removes the entries below `first_index`.
    pub(super) fn release_below(&mut self, first_index: u64) {
        let Some(count) = (first_index - 1).checked_sub(self.base).filter(|count| *count > 0)
        else {
            return;
        };
        let last = self.log.drain(..count as usize).next_back().expect("at least one");
        (self.base, self.base_term) = (last.index, last.term);
        let base = self.base;
        while self.undo.iter().any(|undo| undo.first <= base) {
            self.undo.pop_front();
        }
    }

    /// Takes over a snapshot of a peer. A log that fits is kept: it may hold acknowledged entries.
    pub(super) fn install(&mut self, index: u64, term: u64) {
        if index <= self.applied {
            return;
        }
        self.snapshot(index, term);
        if !self.has(index, term) {
            self.reset_to(index, term);
        }
    }

    fn reset_to(&mut self, index: u64, term: u64) {
        (self.base, self.base_term) = (index, term);
        self.log.clear();
        self.undo.clear();
    }

    /// Damage: the log is what it was some writes ago. `applied_term` belongs to the applied state.
    pub(super) fn lose(&mut self, applied_term: u64, rng: &mut Rng) {
        self.forgotten.push((self.base, self.log.clone()));
        self.lost_term = Some(self.hard_state.term);
        for _ in 0..rng.range(0, self.undo.len() as u64 + 1) {
            let Some(undo) = self.undo.pop_back() else { break };
            self.log.truncate((undo.first - 1 - self.base) as usize);
            self.log.extend(undo.removed);
        }
        if !self.has(self.applied, applied_term) {
            // A log that begins above the newest snapshot could not help a peer.
            self.snapshot(self.applied, applied_term);
            self.reset_to(self.applied, applied_term);
        }
        if rng.percent(50) {
            self.hard_state.commit = self.applied;
        }
    }

    /// The node says that its log is whole again.
    pub(super) fn forget_loss(&mut self) {
        self.lost_term = None;
        self.forgotten.clear();
    }

    pub(super) fn restored(&self, rng: &mut Rng) -> Restored {
        let mut terms = Vec::new();
        if self.base > 0 {
            terms.push((self.base, self.base_term));
        }
        for entry in &self.log {
            if terms.last().is_none_or(|last: &(u64, u64)| last.1 != entry.term) {
                terms.push((entry.index, entry.term));
            }
        }
        let next = self.applied + 1;
        let begin = if rng.percent(70) { next } else { rng.range(self.base + 1, next + 1) };
        Restored {
            hard_state: self.hard_state,
            applied: self.applied,
            tail: self.log[(begin - 1 - self.base) as usize..].to_vec(),
            first_index: self.base + 1,
            last_index: self.last_index(),
            terms,
            lost_term: self.lost_term,
        }
    }
}
