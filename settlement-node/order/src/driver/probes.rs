//! Keeps a leader from sending the same entries to one follower over and over.
//!
//! While raft-rs does not know where a follower stands, it sends the same append again after every
//! answer to a heartbeat, and each linearizable read makes heartbeats of its own. One try in a
//! heartbeat interval is enough; dropping a message is always safe.

use std::collections::BTreeMap;

use raft::ProgressState;

use super::Order;
use crate::{Message, NodeId};

/// The last probe with entries sent to each peer: where, how many entries, and when.
#[derive(Default)]
pub(super) struct Probes {
    now_ticks: u64,
    sent: BTreeMap<NodeId, (u64, usize, u64)>,
}

impl Probes {
    pub(super) fn tick(&mut self) {
        self.now_ticks += 1;
    }

    pub(super) fn clear(&mut self) {
        self.sent.clear();
    }
}

impl Order {
    /// Whether the append in `message` may leave: it is no probe, or not the same one as just before.
    pub(super) fn is_worth_sending(&mut self, message: &Message) -> bool {
        let progress = self.node.raft.prs().get(message.to);
        let is_probe = progress.is_some_and(|progress| progress.state == ProgressState::Probe);
        if !is_probe || message.entries.is_empty() {
            return true;
        }
        let (index, count, now) = (message.index, message.entries.len(), self.probes.now_ticks);
        let waits = self.config.heartbeat_ticks as u64;
        let repeats =
            |&(i, n, at): &(u64, usize, u64)| (i, n) == (index, count) && now < at + waits;
        if self.probes.sent.get(&message.to).is_some_and(repeats) {
            return false;
        }
        self.probes.sent.insert(message.to, (index, count, now));
        true
    }
}
