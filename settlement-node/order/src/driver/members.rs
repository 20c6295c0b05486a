//! Changes of who votes: how a leader places one, and what it is to this node when it is applied.

use bytes::Bytes;
use raft::{
    StateRole,
    eraftpb::{self, EntryType},
};

use super::Order;
use crate::{Change, NodeId, ProposeError, Proposed};

impl Order {
    /// Places an entry that changes who votes at the end of the log, if this node leads and has applied all of its log:
    /// so the state that the change is judged by is the same on all nodes. What is said of [`Order::propose`] holds.
    ///
    /// # Errors
    /// [`ProposeError`]; the entry is not in the log then. It is busy as long as something is not applied.
    ///
    /// # Panics
    /// If [`Config::change_of`](crate::Config::change_of) finds no change in `data`.
    pub fn propose_change(&mut self, data: Bytes) -> Result<Proposed, ProposeError> {
        assert!((self.config.change_of)(&data).is_some(), "these bytes change nothing");
        if self.node.raft.state != StateRole::Leader {
            return Err(ProposeError::NotLeader { leader: self.leader() });
        }
        let (bytes, limit) = (data.len(), self.config.entry_bytes_max);
        if bytes > limit {
            return Err(ProposeError::TooLarge { bytes, limit });
        }
        if !self.node.raft.apply_to_current_term() {
            return Err(ProposeError::NotReady);
        }
        let raft = &mut self.node.raft;
        let hands_over = raft.lead_transferee.is_some();
        let last_index = raft.raft_log.last_index();
        if last_index != raft.raft_log.applied || raft.has_pending_conf() || hands_over {
            return Err(ProposeError::Busy);
        }
        // As raft-rs does it for a proposal, but that it would read the entry with a parser of its own.
        let mut entry = eraftpb::Entry { data, ..eraftpb::Entry::default() };
        entry.set_entry_type(EntryType::EntryConfChangeV2);
        if !raft.append_entry(&mut [entry]) {
            return Err(ProposeError::Busy);
        }
        raft.pending_conf_index = last_index + 1;
        raft.bcast_append();
        let term = raft.term;
        self.settle();
        Ok(Proposed { term, index: last_index + 1 })
    }

    /// Whether everything in this node's log is applied.
    pub fn is_applied(&self) -> bool {
        let raft_log = &self.node.raft.raft_log;
        raft_log.last_index() == raft_log.applied
    }

    /// The change in a committed entry is in force from now on. To be called when that entry is applied, before
    /// [`Order::applied`] says so. A leader that leaves follows from now on, and whoever leaves knows no leader any
    /// more: nobody tells it when there is another one.
    ///
    /// # Panics
    /// If the change does not fit to who votes now.
    pub fn apply_change(&mut self, change: Change) {
        self.members.apply(change);
        self.node
            .apply_conf_change(&change.to_raft())
            .expect("a change of one node that fits is none that raft-rs refuses");
        let (id, term) = (self.config.id, self.node.raft.term);
        let votes = self.members.voters.contains(&id);
        let has_left = change == Change::Leave(id);
        if has_left || self.node.raft.state == StateRole::Leader && !votes {
            self.node.raft.become_follower(term, 0);
        }
        self.settle();
    }

    /// Those that vote now, this node or not, ascending.
    pub fn voters(&self) -> impl Iterator<Item = NodeId> {
        self.members.voters.iter().copied()
    }
}
