//! Log compaction, and offers of snapshots to followers that need what is gone.
//!
//! raft-rs says when a follower needs an entry below the first index; it then waits for word that the
//! snapshot arrived. What it sends becomes a small [`MessageKind::Snapshot`], and the word is given
//! after a bounded time, whatever happened: raft-rs then probes the follower at the snapshot's index
//! and finds out itself where it stands. So the offer is repeated while it is needed, and nobody is
//! stuck. At the follower raft-rs never sees an offer, only an append without entries in its place:
//! it takes over the term and the leader, keeps quiet, and answers how far it has committed.

use std::collections::BTreeMap;

use raft::{ProgressState, SnapshotStatus};

use super::Order;
use crate::{Message, MessageKind, NodeId, SnapshotOffer};

/// An offer is repeated after this many election waits.
const OFFER_ELECTIONS: usize = 2;

/// At a leader: ticks until raft-rs gets word of the snapshot offered to a peer.
#[derive(Default)]
pub(super) struct Offers {
    ticks_left: BTreeMap<NodeId, usize>,
}

impl Offers {
    pub(super) fn clear(&mut self) {
        self.ticks_left.clear();
    }
}

impl Order {
    /// A durable snapshot of the applied state after the entry `index` with `term` exists; peers that
    /// are too far behind may be told of it. Also to be called after a start from a snapshot.
    ///
    /// # Panics
    /// If `index` is 0 or above what was reported as applied, or the log has another term there.
    pub fn snapshot_made(&mut self, index: u64, term: u64) {
        let applied = self.node.raft.raft_log.applied;
        assert!(
            index > 0 && index <= applied,
            "a snapshot at {index} where {applied} is reported as applied"
        );
        let log = self.node.mut_store();
        assert!(
            log.term_at(index).is_none_or(|own| own == term),
            "the snapshot at {index} is of term {term}, which is not what was applied"
        );
        log.snapshot_made(index, term);
    }

    /// Entries below `first_index` are about to be removed from the disk. A call that moves nothing
    /// forward does nothing.
    ///
    /// # Panics
    /// If they are not all part of a snapshot (see [`Order::snapshot_made`]).
    pub fn compact(&mut self, first_index: u64) {
        let log = self.node.mut_store();
        let (snapshot, _) = log.newest_snapshot();
        assert!(
            first_index <= snapshot + 1,
            "entries below {first_index} are removed but the newest snapshot ends at {snapshot}"
        );
        log.compact(first_index);
    }

    /// At a leader: fills in where its log begins, or drops an offer to a peer that is known to be
    /// within the log.
    pub(super) fn complete_offer(&mut self, message: &mut Message) -> bool {
        let raft = &self.node.raft;
        let first_index = raft.raft_log.first_index();
        message.reject_hint = first_index;
        let matched = raft.prs().get(message.to).map_or(0, |progress| progress.matched);
        let is_needed = matched + 1 < first_index;
        let ticks = if is_needed { OFFER_ELECTIONS * self.config.election_ticks } else { 0 };
        self.offers.ticks_left.insert(message.to, ticks);
        is_needed
    }

    /// Gives raft-rs word of offers that are old enough.
    pub(super) fn tick_offers(&mut self) {
        let mut due = Vec::new();
        let raft = &self.node.raft;
        self.offers.ticks_left.retain(|id, ticks_left| {
            let waits = |p: &raft::Progress| p.state == ProgressState::Snapshot;
            if !raft.prs().get(*id).is_some_and(waits) {
                return false;
            }
            if *ticks_left == 0 {
                due.push(*id);
            }
            *ticks_left = ticks_left.saturating_sub(1);
            true
        });
        for id in due {
            // "Finish" is no promise: it makes raft-rs probe at the snapshot's index. After "failure" it
            // would offer a snapshot again without asking where the follower stands now.
            self.offers.ticks_left.remove(&id);
            self.node.report_snapshot(id, SnapshotStatus::Finish);
        }
    }

    /// The offer in `message`, if this node needs it.
    pub(super) fn needed_offer(&self, message: &Message) -> Option<SnapshotOffer> {
        let raft_log = &self.node.raft.raft_log;
        let (index, term, leader_first) = (message.index, message.log_term, message.reject_hint);
        // A late offer must not make this node forget what it has acknowledged meanwhile.
        let is_held = index <= raft_log.committed || raft_log.match_term(index, term);
        let is_within = raft_log.committed + 1 >= leader_first;
        let offer = SnapshotOffer { from: message.from, index, term };
        (!is_held && !is_within).then_some(offer)
    }
}

/// What raft-rs sees in place of an offer: the leader is well, and wants to know how far we are.
pub(super) fn in_place_of_offer(offer: &Message) -> Message {
    let kind = MessageKind::Append;
    Message::new(kind, offer.from, offer.to, offer.term)
}
