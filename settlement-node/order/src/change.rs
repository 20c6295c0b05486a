//! Who votes, and how that changes: one node at a time, by an entry of the log.
//!
//! Which entries are changes, and whether one is in order, is the shell's to say: the bytes of an entry are opaque
//! here but for [`Config::change_of`](crate::Config::change_of). A change is in force on a node from the moment at which
//! the node applies it ([`Order::apply_change`](crate::Order::apply_change)). Two configurations that follow each other
//! differ by one voter, so that any two majorities of them have a node in common; a leader places the next change only
//! behind an applied log (Ongaro, "Consensus: Bridging Theory and Practice", 4.1, with the correction of 2015: nothing is
//! changed before an entry of the leader's own term is committed).

use std::collections::BTreeSet;

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2};

use crate::{Config, NodeId};

/// A change of who votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The node gets the log, but does not count.
    Learn(NodeId),
    /// A node that gets the log votes from now on.
    Vote(NodeId),
    /// The node is no part of the group any more.
    Leave(NodeId),
}

impl Change {
    /// In raft-rs's words. A change of a single node never makes a joint configuration there.
    pub(crate) fn to_raft(self) -> ConfChangeV2 {
        let (kind, id) = match self {
            Change::Learn(id) => (ConfChangeType::AddLearnerNode, id),
            Change::Vote(id) => (ConfChangeType::AddNode, id),
            Change::Leave(id) => (ConfChangeType::RemoveNode, id),
        };
        let mut single = ConfChangeSingle::default();
        single.set_change_type(kind);
        single.node_id = id;
        let mut change = ConfChangeV2::default();
        change.set_changes(vec![single].into());
        change
    }
}

/// Who is who, as of the applied state.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub(crate) voters: BTreeSet<NodeId>,
    pub(crate) learners: BTreeSet<NodeId>,
    /// All that messages may come from, whatever they are now: a node that lags behind does not know yet who votes.
    pub(crate) known: BTreeSet<NodeId>,
}

impl Members {
    pub(crate) fn of(config: &Config) -> Self {
        let all = [&config.voters, &config.learners, &config.others];
        Members {
            voters: config.voters.iter().copied().collect(),
            learners: config.learners.iter().copied().collect(),
            known: all.into_iter().flatten().copied().collect(),
        }
    }

    /// Voters and learners, ascending.
    pub(crate) fn all(&self) -> impl Iterator<Item = NodeId> {
        self.voters.union(&self.learners).copied()
    }

    /// # Panics
    /// If the change does not fit: it was not checked before it was placed.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Learn(id) => {
                assert!(!self.voters.contains(&id), "node {id} votes and cannot learn");
                self.learners.insert(id);
                self.known.insert(id);
            }
            Change::Vote(id) => {
                assert!(self.learners.remove(&id), "node {id} votes without having learnt");
                self.voters.insert(id);
            }
            Change::Leave(id) => {
                let gone = self.voters.remove(&id) || self.learners.remove(&id);
                assert!(gone && !self.voters.is_empty(), "node {id} cannot leave");
            }
        }
    }
}
