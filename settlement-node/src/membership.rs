//! Who votes, by the genesis file and the steps since: what the order of the log and finality go by.
//!
//! The participants decide by vote that a node is added or removed; a decision is carried out in steps, each a block of
//! its own (`wire::block::encode_step`): a standby node gets the log, then votes; a member leaves. A step counts only if
//! the state right before it demands it, which every node judges for itself before it acknowledges the entry: a
//! leader can neither invent a member nor lose one. Only nodes that the genesis file names, with this very link key, can
//! come: what is decided about others is kept in the ledger and nothing follows from it.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Ledger, NodeDescription, NodeStep, Seat};
use wire::genesis::Genesis;

/// What the genesis file says of the nodes.
#[derive(Clone, Debug)]
pub struct Roster {
    /// Link key by id.
    keys: BTreeMap<u64, [u8; 32]>,
    /// Those that vote from the beginning.
    first: BTreeSet<u64>,
}

impl Roster {
    /// The nodes of a genesis file.
    #[must_use]
    pub fn of(genesis: &Genesis) -> Self {
        let keys = genesis.nodes.iter().map(|node| (node.id, node.link_key)).collect();
        let voting = genesis.nodes.iter().filter(|node| !node.standby);
        Self { keys, first: voting.map(|node| node.id).collect() }
    }
}

/// Who is what at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Those that vote; never empty.
    pub voters: BTreeSet<u64>,
    /// Those that get the log and do not vote yet.
    pub learners: BTreeSet<u64>,
    /// Those that may be voted in.
    pub standby: BTreeSet<u64>,
    /// Those that have left, for ever.
    pub gone: BTreeSet<u64>,
}

impl Membership {
    /// Who is what after the blocks that a ledger has seen.
    #[must_use]
    pub fn of(roster: &Roster, ledger: &Ledger) -> Self {
        let mut is = Self {
            voters: roster.first.clone(),
            learners: BTreeSet::new(),
            standby: roster.keys.keys().filter(|id| !roster.first.contains(id)).copied().collect(),
            gone: BTreeSet::new(),
        };
        for (node, seat) in ledger.node_seats() {
            is.seat(NodeStep { node, seat });
        }
        is
    }

    /// Takes a step.
    pub fn seat(&mut self, step: NodeStep) {
        let NodeStep { node, seat } = step;
        for set in [&mut self.voters, &mut self.learners, &mut self.standby, &mut self.gone] {
            set.remove(&node);
        }
        let set = match seat {
            Seat::Learner => &mut self.learners,
            Seat::Voter => &mut self.voters,
            Seat::Gone => &mut self.gone,
        };
        set.insert(node);
    }

    /// Voters and learners.
    #[must_use]
    pub fn is_member(&self, node: u64) -> bool {
        self.voters.contains(&node) || self.learners.contains(&node)
    }

    /// Whether the decisions in the ledger ask for a step now.
    #[must_use]
    pub fn demands(&self, roster: &Roster, ledger: &Ledger, step: NodeStep) -> bool {
        let decided = ledger.node_decisions().find(|(id, _)| *id == step.node);
        decided.is_some_and(|(id, what)| self.next(roster, id, what) == Some(step.seat))
    }

    /// All steps that the decisions ask for now: of each node the next one.
    #[must_use]
    pub fn demanded(&self, roster: &Roster, ledger: &Ledger) -> Vec<NodeStep> {
        let step = |(node, what)| self.next(roster, node, what).map(|seat| NodeStep { node, seat });
        ledger.node_decisions().filter_map(step).collect()
    }

    fn next(&self, roster: &Roster, id: u64, decided: Option<&NodeDescription>) -> Option<Seat> {
        match decided {
            Some(described) if roster.keys.get(&id) != Some(&described.link_key) => None,
            Some(_) if self.learners.contains(&id) => Some(Seat::Voter),
            Some(_) if self.standby.contains(&id) => {
                let members = self.voters.len() + self.learners.len();
                (members < order::VOTERS_MAX).then_some(Seat::Learner)
            }
            Some(_) => None,
            None => {
                let is_last = self.voters.len() == 1 && self.voters.contains(&id);
                (self.is_member(id) && !is_last).then_some(Seat::Gone)
            }
        }
    }
}

/// What the order of the log must know of an entry.
#[must_use]
pub fn change_of(entry: &[u8]) -> Option<order::Change> {
    wire::block::step_of(entry).map(change)
}

/// A step as the order of the log takes it.
#[must_use]
pub const fn change(step: NodeStep) -> order::Change {
    match step.seat {
        Seat::Learner => order::Change::Learn(step.node),
        Seat::Voter => order::Change::Vote(step.node),
        Seat::Gone => order::Change::Leave(step.node),
    }
}
