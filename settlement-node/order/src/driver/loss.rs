//! A node whose log has lost entries that it may have acknowledged: what it must not do, and until when.
//!
//! Such a node is *recovering*. It grants no vote and no pre-vote and never stands for election, not
//! even when told to. It follows, appends and acknowledges, each truthfully. It is sound again as soon
//! as its **durable** log ends in an entry of a term above `lost_term`, the highest term that it had
//! known when the loss was found.
//!
//! # Why that is safe
//! Raft is safe if whoever is elected has every committed entry. So let E, of term t, be committed by
//! the acknowledgements of a majority C, and let the leader of a later term u be elected by a majority
//! V. Suppose that the leaders of all terms between t and u have E, and that logs with the same index
//! and term in one place agree up to there (a lost log is an earlier state of itself, so a loss does
//! not change that). Some node n is in both C and V.
//! 1. n acknowledged E before it voted: its term survives a loss and is never below `lost_term`, so it
//!    takes nothing of term t after a vote in u, and no second vote in a term it has voted in.
//! 2. If n lost nothing between the two, this is ordinary Raft: nobody in between makes n drop E.
//! 3. If it did, then `lost_term >= t`, and n was sound when it voted. So there was a moment, before
//!    the vote, when its durable log ended in an entry of a term s with `lost_term < s < u` (an entry of
//!    term u exists only after that election). The leader of s has E by assumption, and it placed
//!    that entry after E. Both logs agree up to there, so n had E durably at that moment.
//! 4. Several losses of n: the last one before the vote is the one to argue with. Several nodes that
//!    lose entries: nothing above speaks of the others, as long as each is sound when it votes.
//!
//! So n held E when it voted, and the new leader's log is at least as good as that. What follows:
//! - An old acknowledgement may arrive late, and the leader of `lost_term` may still count it. E is
//!   committed then, on fewer disks than usual; that leader's own vote, and the silence of this
//!   node, keep anybody without E from being elected. A hand-over asks for that vote as well.
//! - A vote granted before the loss is in the durable hard state, and it is of a term that is at
//!   most `lost_term`. No other vote is granted in such a term, also after being sound.
//! - A crash while recovering changes nothing: the mark is durable until the node is sound. A node that
//!   is sound but has not cleared the mark finds a log that ends above `lost_term`, or recovers again.
//! - The commit index is not trusted after a loss: what is left may be *older* than that index and
//!   hold entries that had been replaced. So a node starts from its applied state, and takes a commit
//!   index that comes with entries that fit, but not the bare one in a heartbeat of `lost_term` or
//!   before, which stands for what this node had then. Cutting it down to the end of the log is not enough.
//! - A snapshot of a term above `lost_term` is as good as an entry: it ends in one that a leader placed.
//! - The leader may take back what it believes this node to hold (see below). It commits less, not more.
//!
//! Safety needs no bound on the losses as such, but an entry is gone if all its copies are: no more than
//! a minority may lose entries before the first of them is sound again.
//!
//! # How it gets there
//! A leader of a later term sends what is missing, and its first entry ends the recovery. The leader of
//! `lost_term` counts the old acknowledgements and takes this node's refusals for late ones. It is told
//! by [`MessageKind::LogLost`], at most once in an election wait, with the end of this log. It then
//! believes that, so that the entries flow again, and hands over to the best other voter that is there
//! and has not lost its log too, if there is one, at most once in four election waits.

use std::collections::BTreeMap;

use super::Order;
use crate::{Message, MessageKind, NodeId};

/// The lead is handed over for a peer's loss at most once in this many election waits. As long is a
/// peer that has told of a loss no candidate.
const HAND_OVER_ELECTIONS: usize = 4;

/// What a node knows about lost logs, its own and those of its peers.
pub(super) struct Loss {
    /// This node is recovering from a loss in this term or before.
    lost_term: Option<u64>,
    /// Ticks without a word of a leader, while recovering.
    silent_ticks: usize,
    tell_in_ticks: usize,
    /// At a leader.
    hand_over_in_ticks: usize,
    /// Peers that told of a loss, and for how many ticks that is remembered.
    peers: BTreeMap<NodeId, usize>,
}

impl Loss {
    pub(super) fn new(lost_term: Option<u64>) -> Self {
        Loss {
            lost_term,
            silent_ticks: 0,
            tell_in_ticks: 0,
            hand_over_in_ticks: 0,
            peers: BTreeMap::new(),
        }
    }

    pub(super) fn is_recovering(&self) -> bool {
        self.lost_term.is_some()
    }

    /// The lead or the term is another: what peers told the leader of before is settled.
    pub(super) fn forget_peers(&mut self) {
        self.peers.clear();
    }

    /// Whether a leader of `term` may count acknowledgements that this node has forgotten.
    fn reaches(&self, term: u64) -> bool {
        self.lost_term.is_some_and(|lost_term| term <= lost_term)
    }
}

impl Order {
    /// Whether the log has lost entries and is not whole again: this node does not vote then.
    pub fn recovering(&self) -> bool {
        self.loss.is_recovering()
    }

    /// One tick, for the waits and, while recovering, in place of raft-rs's: it never stands for
    /// election, but it forgets a leader that is silent.
    pub(super) fn tick_loss(&mut self) {
        let loss = &mut self.loss;
        loss.tell_in_ticks = loss.tell_in_ticks.saturating_sub(1);
        loss.hand_over_in_ticks = loss.hand_over_in_ticks.saturating_sub(1);
        loss.peers.retain(|_, ticks| {
            *ticks -= 1;
            *ticks > 0
        });
        if loss.is_recovering() {
            loss.silent_ticks += 1;
            if loss.silent_ticks >= self.election_wait && self.node.raft.leader_id != 0 {
                let term = self.node.raft.term;
                self.node.raft.become_follower(term, 0);
            }
        }
        if !self.loss.peers.is_empty() {
            self.hand_over();
        }
    }

    /// Whether a recovering node must not hear `message`.
    pub(super) fn is_deaf_to(&self, message: &Message) -> bool {
        use MessageKind::{RequestPreVote, RequestVote, TimeoutNow};
        self.recovering() && matches!(message.kind, RequestVote | RequestPreVote | TimeoutNow)
    }

    /// Takes the bare commit index out of a heartbeat that stands for what was lost.
    pub(super) fn distrust_commit(&self, message: &mut Message) {
        if message.kind == MessageKind::Heartbeat && self.loss.reaches(message.term) {
            message.commit = message.commit.min(self.node.raft.raft_log.committed);
        }
    }

    /// The leader of this term was heard: tells it of the loss if it may count on what is gone.
    pub(super) fn heard_leader(&mut self, leader: NodeId) {
        self.loss.silent_ticks = 0;
        let term = self.node.raft.term;
        if self.loss.reaches(term) && self.loss.tell_in_ticks == 0 {
            self.loss.tell_in_ticks = self.config.election_ticks;
            let kind = MessageKind::LogLost;
            let index = self.last_index();
            let told = Message { index, ..Message::new(kind, self.config.id, leader, term) };
            self.output.messages.push(told);
        }
    }

    /// The durable log ends in an entry of `term`.
    pub(super) fn durable_through(&mut self, term: u64) {
        if self.recovering() && !self.loss.reaches(term) {
            self.loss.lost_term = None;
            self.output.recovered = true;
            // raft-rs's own clock stood still.
            self.node.raft.election_elapsed = 0;
        }
    }

    /// At a leader: `peer` has lost entries, and its log ends at `last_index`.
    pub(super) fn on_log_lost(&mut self, peer: NodeId, last_index: u64) {
        self.loss.peers.insert(peer, HAND_OVER_ELECTIONS * self.config.election_ticks);
        let next_index = self.last_index() + 1;
        if let Some(progress) = self.node.raft.mut_prs().get_mut(peer)
            && progress.matched > last_index
        {
            // As for any peer of a new leader: nothing is known, ask where it stands.
            progress.become_probe();
            progress.matched = 0;
            progress.next_idx = next_index;
        }
        self.hand_over();
    }

    /// Hands over to the best other voter, if one is there. Tried anew with every tick while a loss is
    /// remembered: just after a leader has counted who is there, all seem to be away.
    fn hand_over(&mut self) {
        let raft = &self.node.raft;
        if self.loss.hand_over_in_ticks > 0 || raft.lead_transferee.is_some() {
            return;
        }
        let candidates = self
            .members
            .voters
            .iter()
            .filter(|id| **id != self.config.id && !self.loss.peers.contains_key(id));
        let best = candidates
            .filter_map(|id| raft.prs().get(*id).map(|progress| (progress, *id)))
            .filter(|(progress, _)| progress.recent_active)
            .max_by_key(|(progress, id)| (progress.matched, *id));
        if let Some((_, id)) = best {
            self.loss.hand_over_in_ticks = HAND_OVER_ELECTIONS * self.config.election_ticks;
            self.transfer_leader(id);
        }
    }
}
