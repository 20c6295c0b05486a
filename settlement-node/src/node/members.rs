//! How a leader carries out what was decided about nodes, and how every node checks that it does nothing else.
//!
//! A step stands right behind an applied log: no block is proposed from the moment a step is due until it is applied,
//! which takes a round or two. So every node judges it by the same state, the one before it: a follower that
//! has not applied so far takes only the entries before the step, and gets it again a moment later.

use std::sync::Arc;

use ledger::{NodeStep, Seat};
use order::Role;
use wire::block;

use super::{Fatal, Node};
use crate::{
    event::Effects, limits::LEARNER_LAG_ENTRIES, membership::Membership, pipeline::Proposed,
    prepare::PreparedBlock,
};

impl Node {
    /// Who is what, as of the applied state.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Whether this node, as leader, lets a step of membership go before all blocks; proposes it when the log is
    /// applied.
    pub(super) fn lets_step_go_first(&mut self) -> bool {
        let Some(step) = self.due_step() else { return false };
        if self.order.is_applied() {
            let time = self.next_block_time();
            let bytes = block::encode_step(time, step);
            // What is not taken now is tried again with the next event.
            if let Ok(place) = self.order.propose_change(bytes.clone()) {
                self.counters.blocks_proposed += 1;
                self.last_block_time = time;
                self.clocks.took(time);
                let (index, length) = (place.index, bytes.len());
                let proposed = Proposed { index, bytes: length, beside: false, submissions: &[] };
                self.in_flight.proposed(proposed, self.now.0);
                let block = PreparedBlock { time, submissions: Vec::new(), bytes };
                self.prepared.insert(index, (place.term, Arc::new(block)));
            }
        }
        true
    }

    /// A step that is demanded and that the group can bear now. A node votes when it has nearly all of the log; one
    /// leaves only while most of the others are there. This node does not order its own leaving: it hands over first.
    fn due_step(&self) -> Option<NodeStep> {
        if self.wanted.is_empty() {
            return None;
        }
        let status = self.order.status();
        let peer = |id: u64| status.peers.iter().find(|peer| peer.id == id && peer.active);
        let can_bear = |step: &&NodeStep| match step.seat {
            Seat::Learner => true,
            Seat::Voter => peer(step.node).is_some_and(|peer| {
                // One that never answered counts as there at first.
                peer.matched > 0 && peer.matched + LEARNER_LAG_ENTRIES >= status.last_index
            }),
            Seat::Gone if step.node == self.id => false,
            Seat::Gone => {
                let rest = self.membership.voters.iter().filter(|id| **id != step.node);
                let (mut count, mut there) = (0, 0);
                for id in rest {
                    count += 1;
                    there += usize::from(*id == self.id || peer(*id).is_some());
                }
                2 * there > count
            }
        };
        self.wanted.iter().find(can_bear).copied()
    }

    /// Whether it was decided that this node leaves.
    pub(super) fn must_leave(&self) -> bool {
        self.wanted.contains(&NodeStep { node: self.id, seat: Seat::Gone })
    }

    /// Takes out of a message a step that this node cannot judge yet, with all that comes after it.
    ///
    /// # Errors
    /// When there is a step that nothing demands: no honest leader sends it.
    pub(super) fn cut_before_step(
        &self,
        message: &mut order::Message,
        blocks: &mut Vec<(u64, Arc<PreparedBlock>)>,
    ) -> Result<(), String> {
        let next = self.chain.log_index() + 1;
        for at in 0..blocks.len() {
            let index = blocks[at].0;
            let Some(step) = blocks[at].1.step().filter(|_| index >= next) else { continue };
            if index > next {
                message.entries.retain(|entry| entry.index < index);
                blocks.truncate(at);
                return Ok(());
            }
            if !self.chain.demands(step) {
                return Err(format!(
                    "nothing demands that node {} becomes {:?}",
                    step.node, step.seat
                ));
            }
        }
        Ok(())
    }

    /// Before a block is applied: a step in it must be demanded. It is committed, so a majority has said so.
    pub(super) fn check_step(&self, index: u64, block: &PreparedBlock) -> Result<(), Fatal> {
        match block.step() {
            Some(step) if !self.chain.demands(step) => {
                let reason =
                    format!("nothing demands that node {} becomes {:?}", step.node, step.seat);
                Err(Fatal::BadEntry { index, reason })
            }
            _ => Ok(()),
        }
    }

    /// After a block was applied: a step in it is in force.
    pub(super) fn follow_step(&mut self, block: &PreparedBlock, effects: &mut Effects) {
        if let Some(step) = block.step() {
            self.order.apply_change(crate::membership::change(step));
            self.membership.seat(step);
            effects.seated.push(step);
        }
        if self.chain.ledger().has_node_decisions() {
            self.wanted = self.chain.demanded_steps();
        }
    }

    /// Without room another node should lead, or when this one is about to leave; asked again from time to time
    /// while none does.
    pub(super) fn make_way(&mut self) {
        if (self.room != crate::event::Room::Enough || self.must_leave())
            && self.leader == Some(self.id)
            && self.tick >= self.hand_over_at
        {
            // A leader forgets each half second whom it hears: then the next tick tries.
            if let Some(asked) = self.hand_over() {
                self.hand_over_at = self.tick + crate::limits::HAND_OVER_AGAIN_TICKS;
                self.handed_to = Some(asked);
            }
        }
    }

    /// Asks the voter that has most of the log to lead, and of equals not the one that was asked the last time
    /// without success. Returns whom.
    pub(super) fn hand_over(&mut self) -> Option<u64> {
        let status = self.order.status();
        if status.role != Role::Leader {
            return None;
        }
        let leaves = |node: u64| self.wanted.contains(&NodeStep { node, seat: Seat::Gone });
        let heard = status.peers.iter().filter(|peer| peer.active && peer.votes);
        let asked = self.handed_to;
        let order = |peer: &&order::PeerProgress| {
            let first_choice = !leaves(peer.id);
            (first_choice, peer.matched, Some(peer.id) != asked, std::cmp::Reverse(peer.id))
        };
        let best = heard.max_by_key(order)?.id;
        self.order.transfer_leader(best);
        Some(best)
    }
}
