//! What a node is told once: who votes, how patient it is, and the limit of everything it buffers.

use crate::{Change, NodeId, OrderError, change::Members};

/// The most voters a group may have. Beyond that every commit waits for too many disks.
pub const VOTERS_MAX: usize = 31;
/// The most nodes that are known and are not part of a group.
pub const OTHERS_MAX: usize = 512;

/// Settings of one node. All nodes of a group use the same limits and tick counts.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node; one of `voters`, `learners` or `others`.
    pub id: NodeId,
    /// All nodes that vote as of the applied state: 1 to [`VOTERS_MAX`], each once.
    pub voters: Vec<NodeId>,
    /// Nodes that get the log and do not vote as of the applied state; with the voters at most [`VOTERS_MAX`].
    pub learners: Vec<NodeId>,
    /// Nodes that are neither, but may have become so without this node's knowledge, or were: at most [`OTHERS_MAX`].
    pub others: Vec<NodeId>,
    /// The change of who votes that an entry's data stands for; `None` for all other data. It must always give
    /// the same answer for the same bytes.
    pub change_of: fn(&[u8]) -> Option<Change>,
    /// Ticks without a leader before an election; each wait is drawn from `[n, 2n)`.
    pub election_ticks: usize,
    /// Ticks between two heartbeats of a leader; at least 1 and less than `election_ticks`.
    pub heartbeat_ticks: usize,
    /// Seeds election waits and read tags. Must differ between two starts of one node.
    pub seed: u64,
    /// The largest data of one entry, in bytes.
    pub entry_bytes_max: usize,
    /// The most entry bytes in one append message; a single larger entry still travels alone.
    pub message_bytes_max: u64,
    /// Append messages a leader keeps under way to one peer.
    pub inflight_messages_max: usize,
    /// Proposed but uncommitted bytes; beyond it proposals are refused as busy.
    pub uncommitted_bytes_max: u64,
    /// Committed bytes taken out of the log at a time.
    pub committed_bytes_per_round_max: u64,
    /// Bytes of recent entries kept in memory, and also the most that may wait for the local disk
    /// and for apply before new entries are refused. Entries still to be applied are always kept.
    pub cache_bytes_max: usize,
}

impl Config {
    /// The usual settings for a group: 10 ticks to an election, 2 between heartbeats, entries up to 1 MiB.
    pub fn new(id: NodeId, voters: Vec<NodeId>, seed: u64) -> Self {
        Config {
            id,
            voters,
            learners: Vec::new(),
            others: Vec::new(),
            change_of: |_| None,
            election_ticks: 10,
            heartbeat_ticks: 2,
            seed,
            entry_bytes_max: 1 << 20,
            message_bytes_max: 1 << 20,
            inflight_messages_max: 32,
            uncommitted_bytes_max: 32 << 20,
            committed_bytes_per_round_max: 8 << 20,
            cache_bytes_max: 64 << 20,
        }
    }

    /// Refuses settings under which the group could not work.
    pub(crate) fn check(&self) -> Result<(), OrderError> {
        let invalid = |what: &'static str| Err(OrderError::ConfigInvalid(what));
        let members = self.voters.len() + self.learners.len();
        if self.voters.is_empty() || members > VOTERS_MAX || self.others.len() > OTHERS_MAX {
            return invalid("the number of voters is out of range");
        }
        let mut sorted = [&self.voters[..], &self.learners, &self.others].concat();
        sorted.sort_unstable();
        if sorted[0] == 0 {
            return invalid("0 is not a node id");
        }
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return invalid("a node is listed twice");
        }
        if !Members::of(self).known.contains(&self.id) {
            return invalid("this node is not among those listed");
        }
        if self.heartbeat_ticks == 0 || self.election_ticks <= self.heartbeat_ticks {
            return invalid("heartbeat ticks must be at least 1 and fewer than election ticks");
        }
        if self.entry_bytes_max == 0 || self.inflight_messages_max == 0 {
            return invalid("a limit is zero");
        }
        if self.uncommitted_bytes_max < self.message_bytes_max {
            return invalid("the uncommitted limit is smaller than one message");
        }
        if self.cache_bytes_max < self.entry_bytes_max {
            return invalid("the cache is smaller than one entry");
        }
        Ok(())
    }

    /// The same settings in raft-rs's words.
    pub(crate) fn to_raft(&self, applied: u64) -> raft::Config {
        raft::Config {
            id: self.id,
            election_tick: self.election_ticks,
            heartbeat_tick: self.heartbeat_ticks,
            applied,
            max_size_per_msg: self.message_bytes_max,
            max_inflight_msgs: self.inflight_messages_max,
            check_quorum: true,
            pre_vote: true,
            read_only_option: raft::ReadOnlyOption::Safe,
            skip_bcast_commit: false,
            batch_append: false,
            max_uncommitted_size: self.uncommitted_bytes_max,
            max_committed_size_per_ready: self.committed_bytes_per_round_max,
            ..raft::Config::default()
        }
    }
}
