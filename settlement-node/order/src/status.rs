//! What an operator and the shell may know about a node at any moment.

use crate::NodeId;

/// The part a node plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it would win an election.
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Places entries.
    Leader,
}

impl Role {
    pub(crate) fn from_raft(state: raft::StateRole) -> Self {
        match state {
            raft::StateRole::Follower => Role::Follower,
            raft::StateRole::PreCandidate => Role::PreCandidate,
            raft::StateRole::Candidate => Role::Candidate,
            raft::StateRole::Leader => Role::Leader,
        }
    }
}

/// A moment's view of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// The part it plays.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// The leader as far as known; this node itself if it leads.
    pub leader: Option<NodeId>,
    /// The largest index it knows to be committed.
    pub commit: u64,
    /// The largest index the shell reported as applied.
    pub applied: u64,
    /// The largest index known to be durable on this node.
    pub persisted: u64,
    /// The last index of its log, durable or not.
    pub last_index: u64,
    /// Whether its log has lost entries and is not whole again; see [`Order::recovering`](crate::Order::recovering).
    pub recovering: bool,
    /// How far every other voter and learner is, by id; empty unless this node leads.
    pub peers: Vec<PeerProgress>,
}

/// How far a follower is, as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerProgress {
    /// The follower.
    pub id: NodeId,
    /// The largest index it is known to hold durably.
    pub matched: u64,
    /// The next index to send.
    pub next: u64,
    /// Whether it was heard of lately (within about one election wait).
    pub active: bool,
    /// Whether it votes; else it only gets the log.
    pub votes: bool,
}
