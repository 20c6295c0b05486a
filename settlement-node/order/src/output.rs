//! The effects that a driver asks its shell to perform.

use bytes::Bytes;

use crate::{Entry, HardState, Message, NodeId};

/// Everything to be done since the last time, in this order: write, send, apply, answer, fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// May leave at once, in this order per peer. Dropping any of them is safe.
    pub messages: Vec<Message>,
    /// To be made durable, in this order.
    pub persist: Vec<Persist>,
    /// To be applied, gapless. Report progress with [`Order::applied`](crate::Order::applied).
    pub committed: Vec<Entry>,
    /// Reads that may be served as soon as their index is applied.
    pub reads: Vec<ReadReady>,
    /// Old entries to be read from disk. Each needs an answer: `fetched` or `fetch_failed`.
    pub fetches: Vec<Fetch>,
    /// The role, the term or the known leader is not what it was.
    pub role_changed: bool,
    /// The leader no longer has the entries that this node needs next, but it has a snapshot. It
    /// offers it again and again until this node has caught up.
    pub needs_snapshot: Option<SnapshotOffer>,
    /// The lost log is whole again: the durable mark ([`Restored::lost_term`](crate::Restored::lost_term))
    /// may be cleared. Nothing depends on when; until then a restart may find the log lost again.
    pub recovered: bool,
}

impl Output {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Output::default()
    }
}

/// One write to the durable log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persist {
    /// Its number; numbers grow, with gaps.
    pub op: u64,
    /// New entries, contiguous. If the log already reaches `entries[0].index`, everything from
    /// there on is replaced.
    pub entries: Vec<Entry>,
    /// The new hard state, if it changed.
    pub hard_state: Option<HardState>,
    /// Whether messages wait for it. If not, only the commit index moved: write it along with the
    /// next one, no fsync and no answer needed.
    pub must_sync: bool,
}

/// Committed entries `[low, high)` that a lagging peer needs and that are no longer in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The first index.
    pub low: u64,
    /// One past the last index.
    pub high: u64,
    /// Read about this many bytes of data, but at least one entry.
    pub bytes_max: u64,
    /// To be named in the answer.
    pub token: u64,
}

/// A snapshot that the leader has and this node needs.
///
/// It must not be acted on later without a new look: before a log is reset to a snapshot's index and
/// term, its *durable* part must be seen not to hold an entry with that index and term. If it does,
/// the log is kept as it is, or acknowledged entries above the snapshot would be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotOffer {
    /// The leader that offers it.
    pub from: NodeId,
    /// The last index contained in it; committed.
    pub index: u64,
    /// The term of the entry at `index`.
    pub term: u64,
}

/// A read is linearizable once `index` is applied on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadReady {
    /// As given to [`Order::read_index`](crate::Order::read_index).
    pub context: u64,
    /// The index to wait for.
    pub index: u64,
}

/// Where a proposal was placed in this leader's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The leader's term.
    pub term: u64,
    /// The index it will have if it is committed.
    pub index: u64,
}

/// Bytes an entry is counted with: its data and about what its frame costs.
pub(crate) fn counted_bytes(data: &Bytes) -> u64 {
    data.len() as u64 + 32
}
