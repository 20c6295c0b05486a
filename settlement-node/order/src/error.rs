//! Why an event was not taken: one enum per operation.

use crate::{MessageKind, NodeId};

/// Why an [`Order`](crate::Order) could not be built. All of these need an operator: starting anyway
/// could make this node forget what it promised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The settings contradict themselves.
    #[error("the order settings are invalid: {0}")]
    ConfigInvalid(&'static str),
    /// What was read from disk contradicts itself.
    #[error("the restored log is inconsistent: {0}")]
    RestoredInconsistent(&'static str),
    /// The log ends before an entry that this node knows to be committed or has applied.
    #[error(
        "the log ends at {last_index}, before the committed index {commit}: the disk lost entries"
    )]
    LogTooShort {
        /// The largest index known to be committed.
        commit: u64,
        /// Where the log ends.
        last_index: u64,
    },
    /// The log lost entries and there is no other voter that could still have them.
    #[error("the log has lost entries and a lone voter has nobody to get them back from")]
    LostWithoutPeers,
    /// raft-rs refused to start.
    #[error("the consensus core refused to start: {0}")]
    Refused(String),
}

/// Why a proposal was not taken. None of these leaves a trace in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another node leads, or none is known to.
    #[error("this node does not lead; the leader is {leader:?}")]
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// This node leads, but has not yet applied an entry of its own term.
    #[error("this node leads but has not caught up with its own term yet")]
    NotReady,
    /// Too much is under way, or the leadership is being handed over; try again.
    #[error("too many entries are under way")]
    Busy,
    /// The data exceeds `Config::entry_bytes_max`.
    #[error("the entry has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Size of the data.
        bytes: usize,
        /// `Config::entry_bytes_max`.
        limit: usize,
    },
}

/// Why a linearizable read could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader is known at the moment.
    #[error("no leader is known")]
    NoLeader,
    /// This node leads, but has not committed an entry of its own term yet.
    #[error("this node leads but has not committed in its own term yet")]
    NotReady,
    /// Too many reads are waiting.
    #[error("too many reads are waiting")]
    Busy,
    /// The request vanished inside the consensus core; try again.
    #[error("the read was dropped")]
    Dropped,
}

/// Why a message of a peer was dropped. Apart from [`StepError::Busy`] an honest, healthy peer
/// causes none of these: count them and look at the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The message is addressed to another node.
    #[error("the message is addressed to node {to}")]
    NotForUs {
        /// The addressee.
        to: NodeId,
    },
    /// The sender is not another voter of this group.
    #[error("the sender {from} is not another voter")]
    NotAPeer {
        /// The sender.
        from: NodeId,
    },
    /// The term is zero, or so far ahead that it cannot come from elections.
    #[error("the term {term} is implausible at term {own_term}")]
    TermImplausible {
        /// The term in the message.
        term: u64,
        /// This node's term.
        own_term: u64,
    },
    /// An index is beyond any log.
    #[error("the index {index} is implausible")]
    IndexImplausible {
        /// The index in the message.
        index: u64,
    },
    /// An entry, or all entries together, exceed the limits.
    #[error("{bytes} bytes of entries from index {index} exceed the limit")]
    EntryTooLarge {
        /// The index of the entry, or of the first entry.
        index: u64,
        /// Its size, or the sum of all.
        bytes: usize,
    },
    /// Entries do not follow each other in index and term.
    #[error("the entry at index {index} does not follow its predecessor")]
    EntriesNotContiguous {
        /// The first index that is wrong.
        index: u64,
    },
    /// A message of this kind has no such entries, context or flag.
    #[error("a {kind:?} message is malformed")]
    Malformed {
        /// The kind of the message.
        kind: MessageKind,
    },
    /// A heartbeat says more is committed than this log holds: the peer lies or this disk lost entries.
    #[error("commit {commit} is beyond the end of the log {last_index}")]
    CommitBeyondLog {
        /// The commit index in the message.
        commit: u64,
        /// Where this node's log ends.
        last_index: u64,
    },
    /// An acknowledgement names entries this leader does not have.
    #[error("acknowledged index {index} is beyond the end of the log {last_index}")]
    AckBeyondLog {
        /// The acknowledged index.
        index: u64,
        /// Where this node's log ends.
        last_index: u64,
    },
    /// The message contradicts an entry that is committed here.
    #[error("the message contradicts the committed entry {index}")]
    ConflictsWithCommitted {
        /// The index of the contradiction.
        index: u64,
    },
    /// Two nodes act as leader of one term: somebody voted twice.
    #[error("nodes {known} and {from} both act as leader of term {term}")]
    SecondLeader {
        /// The term.
        term: u64,
        /// The leader known so far.
        known: NodeId,
        /// The second one.
        from: NodeId,
    },
    /// A vote arrived that this node has not asked for yet.
    #[error("node {from} voted without having been asked")]
    UnsolicitedVote {
        /// The voter.
        from: NodeId,
    },
    /// Too much waits for the local disk or for apply; the peer will send it again.
    #[error("too much is waiting for the disk or for apply")]
    Busy,
}
