//! Old entries that left the memory and that a lagging peer needs: asked of the shell, kept briefly.
//!
//! Only entries below the cache are ever fetched; those are applied, so they can no longer change.
//! Everything is bounded: as many requests and as many answers as there are nodes. A peer whose
//! request does not fit asks again with its next heartbeat response.

use std::collections::VecDeque;

use raft::{GetEntriesContext, eraftpb};

use crate::{Fetch, output::counted_bytes};

/// One request covers about this many messages, so that a disk read is worth its seek.
const MESSAGES_PER_FETCH: u64 = 4;

struct Waiting {
    fetch: Fetch,
    contexts: Vec<GetEntriesContext>,
}

/// Requests under way and answers not used up yet.
pub(crate) struct Fetches {
    slots: usize,
    bytes_max: u64,
    next_token: u64,
    waiting: Vec<Waiting>,
    fetched: VecDeque<Vec<eraftpb::Entry>>,
    idle_ticks: usize,
    requests: Vec<Fetch>,
}

impl Fetches {
    pub(crate) fn new(slots: usize, message_bytes_max: u64) -> Self {
        Fetches {
            slots,
            bytes_max: message_bytes_max.saturating_mul(MESSAGES_PER_FETCH),
            next_token: 1,
            waiting: Vec::new(),
            fetched: VecDeque::new(),
            idle_ticks: 0,
            requests: Vec::new(),
        }
    }

    /// Fetched entries from `low` on, at most up to `high` and about `bytes_max`, if they are here.
    pub(crate) fn lookup(
        &mut self,
        low: u64,
        high: u64,
        bytes_max: u64,
    ) -> Option<Vec<eraftpb::Entry>> {
        let entries = self.fetched.iter().find(|entries| {
            entries.first().is_some_and(|first| first.index <= low)
                && entries.last().is_some_and(|last| last.index >= low)
        })?;
        self.idle_ticks = 0;
        let skipped = (low - entries[0].index) as usize;
        let count = (high - low) as usize;
        Some(take_bytes(entries[skipped..].iter().take(count), bytes_max))
    }

    /// Notes that raft-rs needs `[low, high)` and asks the shell, unless that is already under way.
    pub(crate) fn request(&mut self, low: u64, high: u64, context: GetEntriesContext) {
        let slots = self.slots;
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.fetch.low == low) {
            // raft-rs asks anew at every chance; a few contexts are enough to wake every peer.
            if waiting.contexts.len() < 4 * slots {
                waiting.contexts.push(context);
            }
        } else if self.waiting.len() < slots {
            let fetch = Fetch { low, high, bytes_max: self.bytes_max, token: self.next_token };
            self.next_token += 1;
            self.requests.push(fetch);
            self.waiting.push(Waiting { fetch, contexts: vec![context] });
        }
    }

    /// Ends the request; `None` if it has been forgotten meanwhile.
    pub(crate) fn finish(&mut self, token: u64) -> Option<(Fetch, Vec<GetEntriesContext>)> {
        let position = self.waiting.iter().position(|waiting| waiting.fetch.token == token)?;
        let waiting = self.waiting.swap_remove(position);
        Some((waiting.fetch, waiting.contexts))
    }

    /// Keeps an answer for the messages to come; the oldest one gives way.
    pub(crate) fn keep(&mut self, entries: Vec<eraftpb::Entry>) {
        if self.fetched.len() >= self.slots {
            self.fetched.pop_front();
        }
        self.idle_ticks = 0;
        self.fetched.push_back(entries);
    }

    /// The requests to hand to the shell.
    pub(crate) fn take_requests(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.requests)
    }

    /// Frees answers that nobody has used for `ticks_max` ticks.
    pub(crate) fn tick(&mut self, ticks_max: usize) {
        self.idle_ticks = self.idle_ticks.saturating_add(1);
        if self.idle_ticks > ticks_max {
            self.fetched.clear();
        }
    }

    /// Forgets what reaches below `first_index`: it is no longer on the disk, and a late answer to
    /// such a request finds nobody waiting.
    pub(crate) fn forget_below(&mut self, first_index: u64) {
        self.waiting.retain(|waiting| waiting.fetch.low >= first_index);
        self.requests.retain(|request| request.low >= first_index);
        self.fetched.retain(|entries| entries.last().is_some_and(|e| e.index >= first_index));
    }

    /// Forgets everything: this node leads no more.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.fetched.clear();
        self.requests.clear();
    }
}

/// Clones entries up to about `bytes_max`, but at least one. The data is shared, not copied.
pub(crate) fn take_bytes<'a>(
    entries: impl Iterator<Item = &'a eraftpb::Entry>,
    bytes_max: u64,
) -> Vec<eraftpb::Entry> {
    let mut taken = Vec::new();
    let mut bytes = 0u64;
    for entry in entries {
        bytes += counted_bytes(&entry.data);
        if bytes > bytes_max && !taken.is_empty() {
            break;
        }
        taken.push(entry.clone());
    }
    taken
}
