//! What the nodes have made of the decisions about them: who has come, who votes, who is gone.
//!
//! The participants decide that a node is added or removed (`proposal`); the nodes carry it out one step at a time, each
//! step by a block of its own, and this table keeps what was done. So the state root says who voted at each height. Nodes
//! without an entry are what the genesis file says. A node that is gone never comes back: another machine with the same
//! id could vote a second time where the first has voted.

use crate::state::Ledger;

/// What a node has become by a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Seat {
    /// It gets the log and does not vote.
    Learner = 1,
    /// It votes.
    Voter = 2,
    /// It has left, for ever.
    Gone = 3,
}

impl Seat {
    /// The seat of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Learner),
            2 => Some(Self::Voter),
            3 => Some(Self::Gone),
            _ => None,
        }
    }
}

/// One step in carrying out a decision about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeStep {
    /// The node's id, not zero.
    pub node: u64,
    /// What it becomes.
    pub seat: Seat,
}

impl Ledger {
    /// Notes a step, within a block: after `open_block`, before `close_block`. Whether a decision asks for it is the
    /// nodes' to check, who know the genesis file; here it only must not bring back a node that is gone.
    ///
    /// # Panics
    /// If the node is gone.
    pub fn seat_node(&mut self, step: NodeStep) {
        let before = self.gov.seats.insert(step.node, step.seat);
        assert!(before != Some(Seat::Gone), "node {} is gone for ever", step.node);
        self.gov.note_change();
    }

    /// What nodes have become since genesis, by node id.
    pub fn node_seats(&self) -> impl Iterator<Item = (u64, Seat)> + '_ {
        self.gov.seats.iter().map(|(id, seat)| (*id, *seat))
    }

    /// True when something was decided about a node.
    #[must_use]
    pub fn has_node_decisions(&self) -> bool {
        !self.gov.nodes.is_empty()
    }
}
