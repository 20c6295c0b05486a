//! A node's simulated disk: whole writes survive a crash, in order, up to a point.

use order::{Entry, HardState, Persist, Restored};

use super::rng::Rng;

/// What survives a crash. The entry with index `i` is at `log[i - 1]`.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) log: Vec<Entry>,
    pub(super) hard_state: HardState,
    pub(super) applied: u64,
}

impl Disk {
    pub(super) fn write(&mut self, write: &Persist) {
        if let Some(first) = write.entries.first() {
            self.log.truncate(first.index as usize - 1);
            assert_eq!(self.log.len() as u64 + 1, first.index, "a gap in the durable log");
            self.log.extend(write.entries.iter().cloned());
        }
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
    }

    pub(super) fn restored(&self, rng: &mut Rng) -> Restored {
        let mut terms: Vec<(u64, u64)> = Vec::new();
        for entry in &self.log {
            if terms.last().is_none_or(|last| last.1 != entry.term) {
                terms.push((entry.index, entry.term));
            }
        }
        let begin = if rng.percent(70) { self.applied + 1 } else { rng.range(1, self.applied + 2) };
        Restored {
            hard_state: self.hard_state,
            applied: self.applied,
            tail: self.log[begin as usize - 1..].to_vec(),
            first_index: 1,
            last_index: self.log.len() as u64,
            terms,
        }
    }
}
