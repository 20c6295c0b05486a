//! What nodes say to each other, as plain data.
//!
//! [`MessageKind`] holds only what may travel between peers: a proposal, a local signal, a snapshot's
//! content or a leader transfer ordered by a third node cannot even be expressed.

use bytes::Bytes;
use raft::eraftpb;

use crate::{
    Change, Entry, NodeId,
    restored::{entry_from_raft, entry_to_raft},
};

/// The longest context of a message, in bytes.
pub const CONTEXT_BYTES_MAX: usize = 64;

/// What a message is about. The numbers are fixed: they may be used on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// The leader sends entries, or only how far it has committed.
    Append = 1,
    /// The follower has them durably, or rejects.
    AppendResponse = 2,
    /// A candidate asks for a vote.
    RequestVote = 3,
    /// The answer to it.
    RequestVoteResponse = 4,
    /// A node asks whether it would get a vote.
    RequestPreVote = 5,
    /// The answer to it.
    RequestPreVoteResponse = 6,
    /// The leader is alive.
    Heartbeat = 7,
    /// The follower heard it.
    HeartbeatResponse = 8,
    /// The leader hands over: stand for election now.
    TimeoutNow = 9,
    /// A follower asks its leader for a safe index to read at.
    ReadIndex = 10,
    /// The answer to it.
    ReadIndexResp = 11,
    /// The leader no longer has the entries that the follower needs, but a snapshot.
    Snapshot = 12,
    /// A follower tells its leader that it may have forgotten entries that it acknowledged.
    LogLost = 13,
}

impl MessageKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [MessageKind; 13] = [
        MessageKind::Append,
        MessageKind::AppendResponse,
        MessageKind::RequestVote,
        MessageKind::RequestVoteResponse,
        MessageKind::RequestPreVote,
        MessageKind::RequestPreVoteResponse,
        MessageKind::Heartbeat,
        MessageKind::HeartbeatResponse,
        MessageKind::TimeoutNow,
        MessageKind::ReadIndex,
        MessageKind::ReadIndexResp,
        MessageKind::Snapshot,
        MessageKind::LogLost,
    ];

    /// The kind with this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        MessageKind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// raft-rs's counterpart; `None` for what it knows nothing of.
    fn to_raft(self) -> Option<eraftpb::MessageType> {
        use eraftpb::MessageType as Raft;
        Some(match self {
            MessageKind::Append => Raft::MsgAppend,
            MessageKind::AppendResponse => Raft::MsgAppendResponse,
            MessageKind::RequestVote => Raft::MsgRequestVote,
            MessageKind::RequestVoteResponse => Raft::MsgRequestVoteResponse,
            MessageKind::RequestPreVote => Raft::MsgRequestPreVote,
            MessageKind::RequestPreVoteResponse => Raft::MsgRequestPreVoteResponse,
            MessageKind::Heartbeat => Raft::MsgHeartbeat,
            MessageKind::HeartbeatResponse => Raft::MsgHeartbeatResponse,
            MessageKind::TimeoutNow => Raft::MsgTimeoutNow,
            MessageKind::ReadIndex => Raft::MsgReadIndex,
            MessageKind::ReadIndexResp => Raft::MsgReadIndexResp,
            MessageKind::Snapshot => Raft::MsgSnapshot,
            MessageKind::LogLost => return None,
        })
    }

    fn from_raft(kind: eraftpb::MessageType) -> Option<Self> {
        MessageKind::ALL.into_iter().find(|own| own.to_raft() == Some(kind))
    }
}

/// A message between two nodes of a group. Fields that a kind does not use are 0, false or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about.
    pub kind: MessageKind,
    /// The sender; the transport must have authenticated it.
    pub from: NodeId,
    /// The addressee.
    pub to: NodeId,
    /// The sender's term, or the term stood for; 0 only for `ReadIndex`.
    pub term: u64,
    /// The term of the entry at `index` (`Append`, `Snapshot`, votes) or at `reject_hint` (a rejection).
    pub log_term: u64,
    /// The index before the entries, the acknowledged index, the last index in a snapshot, or the last
    /// index of the sender (`LogLost`, votes).
    pub index: u64,
    /// How far the sender knows to have committed.
    pub commit: u64,
    /// The term of the entry at `commit` (votes).
    pub commit_term: u64,
    /// The answer is no.
    pub reject: bool,
    /// Where the follower suggests to try next; in a `Snapshot` the first index that the leader has.
    pub reject_hint: u64,
    /// Reserved for snapshots; 0 in this version.
    pub request_snapshot: u64,
    /// The candidate's priority; 0 in this version.
    pub priority: i64,
    /// Ties a heartbeat to a read, or marks a vote as a hand-over; at most [`CONTEXT_BYTES_MAX`].
    pub context: Bytes,
    /// The entries of an `Append`; for reads one entry whose data is the read's tag.
    pub entries: Vec<Entry>,
}

impl Message {
    /// A message with all other fields unused.
    pub fn new(kind: MessageKind, from: NodeId, to: NodeId, term: u64) -> Self {
        Message {
            kind,
            from,
            to,
            term,
            log_term: 0,
            index: 0,
            commit: 0,
            commit_term: 0,
            reject: false,
            reject_hint: 0,
            request_snapshot: 0,
            priority: 0,
            context: Bytes::new(),
            entries: Vec::new(),
        }
    }

    /// `None` for what raft-rs shall not see: an offer of a snapshot, or word of a lost log.
    pub(crate) fn into_raft(
        self,
        change_of: fn(&[u8]) -> Option<Change>,
    ) -> Option<eraftpb::Message> {
        let kind = self.kind.to_raft().filter(|_| self.kind != MessageKind::Snapshot)?;
        let mut message = eraftpb::Message::default();
        message.set_msg_type(kind);
        message.from = self.from;
        message.to = self.to;
        message.term = self.term;
        message.log_term = self.log_term;
        message.index = self.index;
        message.commit = self.commit;
        message.commit_term = self.commit_term;
        message.reject = self.reject;
        message.reject_hint = self.reject_hint;
        message.request_snapshot = self.request_snapshot;
        message.priority = self.priority;
        message.context = self.context;
        let to_raft = |entry| entry_to_raft(entry, change_of);
        let entries: Vec<_> = self.entries.into_iter().map(to_raft).collect();
        message.set_entries(entries.into());
        Some(message)
    }

    /// `None` for a kind that never leaves a node in this version.
    pub(crate) fn from_raft(mut message: eraftpb::Message) -> Option<Self> {
        let kind = MessageKind::from_raft(message.get_msg_type())?;
        let entries: Vec<_> = message.take_entries().into();
        let (index, log_term) = if kind == MessageKind::Snapshot {
            let metadata = message.get_snapshot().get_metadata();
            (metadata.index, metadata.term)
        } else {
            (message.index, message.log_term)
        };
        Some(Message {
            kind,
            from: message.from,
            to: message.to,
            term: message.term,
            log_term,
            index,
            commit: message.commit,
            commit_term: message.commit_term,
            reject: message.reject,
            reject_hint: message.reject_hint,
            request_snapshot: message.request_snapshot,
            priority: message.priority,
            context: message.take_context(),
            entries: entries.into_iter().map(entry_from_raft).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_number_and_the_core() {
        for (position, kind) in MessageKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as u8, position as u8 + 1);
            assert_eq!(MessageKind::from_u8(kind as u8), Some(kind));
            let message = Message {
                log_term: 1,
                index: 2,
                commit: 3,
                commit_term: 4,
                reject: true,
                reject_hint: 5,
                request_snapshot: 6,
                priority: -7,
                context: Bytes::from_static(b"context"),
                entries: vec![Entry { index: 8, term: 9, data: Bytes::from_static(b"data") }],
                ..Message::new(kind, 10, 11, 12)
            };
            let is_ours = matches!(kind, MessageKind::Snapshot | MessageKind::LogLost);
            let through_core = message.clone().into_raft(|_| None).and_then(Message::from_raft);
            assert_eq!(through_core, (!is_ours).then_some(message));
        }
        assert_eq!(MessageKind::from_u8(0), None);
        assert_eq!(MessageKind::from_u8(14), None);
    }

    #[test]
    fn a_proposal_cannot_be_expressed() {
        let mut message = eraftpb::Message::default();
        for kind in [
            eraftpb::MessageType::MsgPropose,
            eraftpb::MessageType::MsgHup,
            eraftpb::MessageType::MsgTransferLeader,
        ] {
            message.set_msg_type(kind);
            assert_eq!(Message::from_raft(message.clone()), None);
        }
    }

    #[test]
    fn of_a_snapshot_only_its_place_is_told() {
        let mut snapshot = eraftpb::Message::default();
        snapshot.set_msg_type(eraftpb::MessageType::MsgSnapshot);
        (snapshot.from, snapshot.to, snapshot.term) = (1, 2, 9);
        let metadata = snapshot.mut_snapshot().mut_metadata();
        (metadata.index, metadata.term) = (70, 8);
        let expected =
            Message { index: 70, log_term: 8, ..Message::new(MessageKind::Snapshot, 1, 2, 9) };
        assert_eq!(Message::from_raft(snapshot), Some(expected));
    }
}
