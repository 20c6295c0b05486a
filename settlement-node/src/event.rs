//! What can wake the loop, and what it wants done. Both lists are closed.
//!
//! Effects are returned, not performed. Whoever runs the loop performs them in the order of the
//! fields of [`Effects`]: persist, send, reply, notify.

use std::sync::Arc;

use bytes::Bytes;
use ledger::{Digest, IdEntry, ParticipantNumber, Stage, TransferId};
use link::SessionId;
use wire::client::{Cursor, Query};

use crate::{
    chain::AppliedBlock, checkpoint::ChainCheckpoint, deliver::Owners, node::Node,
    prepare::PreparedBlock, prepare::PreparedSubmission, store::snapshots::Place,
};

/// A look at the node from outside, such as a status page.
pub type Inspection = Box<dyn FnOnce(&Node) + Send>;

/// How much room there is on the disk of the data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// For all that comes.
    #[default]
    Enough,
    /// Little: another node should lead.
    Low,
    /// Only for what was taken already.
    Nothing,
}

/// What can wake the loop.
pub enum Event {
    /// Another tick of time has passed.
    Tick,
    /// A Raft message, its blocks already checked.
    Peer {
        /// The message; its sender is the link's identity.
        message: order::Message,
        /// The checked block of each entry that has one, by index.
        blocks: Vec<(u64, Arc<PreparedBlock>)>,
    },
    /// A peer sent something that no honest node sends: a forged block, or nonsense.
    PeerMisbehaved {
        /// Which peer.
        peer: u64,
        /// What it sent.
        what: String,
    },
    /// A peer is gone.
    PeerLost {
        /// Which peer.
        peer: u64,
    },
    /// A submission that another node passed on.
    Forwarded {
        /// Which node.
        peer: u64,
        /// The checked submission.
        prepared: PreparedSubmission,
    },
    /// A submission that the leader could not take.
    ForwardRefused {
        /// Which node.
        peer: u64,
        /// The batch.
        batch: Digest,
        /// Whether the leader was busy; otherwise it was no leader.
        busy: bool,
    },
    /// Writes up to and including this operation are durable.
    Persisted {
        /// The operation's number.
        op: u64,
    },
    /// Entries read for a follower that lags.
    Fetched {
        /// As in [`Effects::fetches`].
        token: u64,
        /// The entries, or nothing when they could not be read.
        entries: Option<Vec<order::Entry>>,
    },
    /// A full generation of ids is on disk.
    RunWritten {
        /// Its number.
        generation: u64,
    },
    /// A snapshot of the state is durable.
    SnapshotWritten {
        /// Where it stands.
        place: Place,
    },
    /// A snapshot could not be written; there will be another one.
    SnapshotFailed,
    /// A peer that is being mended needs a snapshot beyond a log index, and this node has none on disk.
    SnapshotWanted {
        /// The log index.
        above: u64,
    },
    /// A gateway or tool connected.
    SessionOpened {
        /// The session.
        session: SessionId,
        /// The bank whose key it showed.
        participant: ParticipantNumber,
    },
    /// A session is gone.
    SessionClosed {
        /// The session.
        session: SessionId,
    },
    /// A checked submission of a session.
    Submit {
        /// The session.
        session: SessionId,
        /// The submission.
        prepared: PreparedSubmission,
    },
    /// A session wants the transfers that credit its bank.
    Subscribe {
        /// The session.
        session: SessionId,
        /// Those after this place.
        after: Cursor,
    },
    /// The history was searched for a session.
    Scanned(Scanned),
    /// A delivery could not be put into a session's queue.
    DeliveryFailed {
        /// The session.
        session: SessionId,
        /// The stream it belonged to.
        stream: u32,
        /// The last place that was put into the queue.
        after: Cursor,
    },
    /// A question of a session.
    Query {
        /// The session.
        session: SessionId,
        /// The question's number.
        number: u64,
        /// The question.
        query: Query,
    },
    /// The room on the disk is of another kind than before.
    Room(Room),
    /// A look at the node from outside.
    Inspect(Inspection),
    /// The process is about to stop in good order: another node should lead.
    HandOver,
}

/// Something to be looked up on disk for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// The session.
    pub session: SessionId,
    /// The question's number.
    pub number: u64,
    /// The transfer.
    pub id: TransferId,
    /// Where its first answer is, if memory knows.
    pub entry: Option<IdEntry>,
    /// Where it waits now, if it does.
    pub stage: Option<Stage>,
    /// Where the end of its waiting is, if memory knows.
    pub end: Option<IdEntry>,
    /// Whose question it is.
    pub participant: ParticipantNumber,
    /// Owner of each account.
    pub owners: Owners,
}

/// What can be proven of a transfer is to be looked up for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The transfer; its answer is shown to its parties only.
    pub find: Find,
    /// Whether the receipt itself is wanted.
    pub whole: bool,
}

/// The history is to be searched for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The session.
    pub session: SessionId,
    /// The stream, to be named in the answer.
    pub stream: u32,
    /// Whose credits are wanted.
    pub participant: ParticipantNumber,
    /// Search after this place.
    pub after: Cursor,
    /// The last block to search: the last one that was applied when the owners were read.
    pub up_to: u64,
    /// Owner of each account.
    pub owners: Owners,
}

/// What a search of the history came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The session.
    pub session: SessionId,
    /// The stream that was searched for.
    pub stream: u32,
    /// How far; everything found up to here was put into the session's queue.
    pub reached: Cursor,
    /// Whether it ended because that queue was full.
    pub blocked: bool,
}

/// A frame for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The session.
    pub session: SessionId,
    /// Frame kind of [`wire::client`].
    pub kind: u8,
    /// Payload.
    pub payload: Bytes,
}

/// Settled transfers for a session. When its queue is full, everything later of the same stream
/// must be dropped too, a [`Scan`] as well, until the node starts a new stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFrame {
    /// The session.
    pub session: SessionId,
    /// The stream.
    pub stream: u32,
    /// The place before the first delivery.
    pub after: Cursor,
    /// Encoded [`wire::client::Deliveries`].
    pub payload: Bytes,
}

/// What the log is after a block: what a node may cosign, once the block is durable, as every applied one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Block and size.
    pub at: wire::cosign::FinalAt,
    /// Its ledger time.
    pub time: ledger::LedgerTime,
    /// Leaf hash of its seal.
    pub previous_seal: proof::Hash,
    /// The log at its end.
    pub frontier: proof::tree::Frontier,
    /// Who votes from this block on.
    pub voters: Arc<std::collections::BTreeSet<u64>>,
}

/// What the loop wants done, in the order in which it must be done.
#[derive(Default)]
pub struct Effects {
    /// Write to the log; answer with [`Event::Persisted`] for those that must be synced.
    pub persist: Vec<order::Persist>,
    /// Send to peers; dropping is safe.
    pub send: Vec<order::Message>,
    /// Pass submissions on: peer and submission.
    pub forward: Vec<(u64, Bytes)>,
    /// Tell a peer that its submission was not taken.
    pub forward_refused: Vec<(u64, wire::peer::ForwardRefused)>,
    /// Answer sessions.
    pub replies: Vec<Reply>,
    /// Sessions that are over: nothing of them need be remembered.
    pub closed: Vec<SessionId>,
    /// Deliver to sessions.
    pub deliveries: Vec<DeliveryFrame>,
    /// Append to the history.
    pub history: Vec<Arc<AppliedBlock>>,
    /// What the log was after each of these blocks.
    pub sealed: Vec<Sealed>,
    /// Steps of membership that are in force now.
    pub seated: Vec<ledger::NodeStep>,
    /// Write a generation of ids to disk; answer with [`Event::RunWritten`].
    pub runs: Vec<(u64, Arc<ledger::Generation>)>,
    /// Write a snapshot of the state, once the history up to its height is durable; answer with
    /// [`Event::SnapshotWritten`] or [`Event::SnapshotFailed`]. One at a time.
    pub snapshot: Option<ChainCheckpoint>,
    /// Entries below this index are no longer needed in the log.
    pub release_log_below: Option<u64>,
    /// The log holds again all that it ever acknowledged: its mark may be cleared.
    pub log_is_whole: bool,
    /// The log of the leader begins after the end of this node's: stop the loop, fetch the state
    /// above this index from a peer, start again.
    pub mend_above: Option<u64>,
    /// Read the log for a lagging follower; answer with [`Event::Fetched`].
    pub fetches: Vec<order::Fetch>,
    /// Search the history; answer with [`Event::Scanned`].
    pub scans: Vec<Scan>,
    /// Look a transfer up and answer the session.
    pub finds: Vec<Find>,
    /// What is to be proven to sessions.
    pub proofs: Vec<Proof>,
    /// What an operator must know.
    pub alarms: Vec<String>,
}
