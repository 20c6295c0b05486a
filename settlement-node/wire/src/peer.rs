//! What nodes say to each other: Raft messages and forwarded submissions.
//!
//! The Raft message here is the wire's own counterpart of the ordering crate's type, with a codec
//! that allocates nothing before a length is checked. Only message types that a peer may send
//! exist; who may send one, and to whom, is checked by the receiver against the link's identity.

use bytes::Bytes;

use crate::{
    codec::{CodecError, Reader, put_bytes, put_count},
    limits::{BLOCK_BYTES_MAX, ENTRIES_PER_MESSAGE_MAX, SUBMISSION_BYTES_MAX},
};

/// Version of the peer protocol: the payload of a node's hello; another one is refused.
pub const PEER_PROTOCOL: u16 = 2;
/// Frame kind: a Raft message that is no append. It keeps a leader a leader and waits for nothing.
pub const KIND_RAFT: u8 = 1;
/// Frame kind: a submission passed on to the leader.
pub const KIND_FORWARD: u8 = 2;
/// Frame kind: the leader could not take a forwarded submission.
pub const KIND_FORWARD_REFUSED: u8 = 3;
/// Frame kind: a Raft append, whose blocks are checked before it goes on. Appends keep their order.
pub const KIND_RAFT_APPEND: u8 = 4;
/// Frame kind: a [`crate::repair::Request`].
pub const KIND_FETCH: u8 = 5;
/// Frame kind: a [`crate::repair::Answer`].
pub const KIND_PIECE: u8 = 6;
/// Version of all peer frames.
pub const FRAME_VERSION: u8 = 1;
/// Entries shorter than this are copied into one buffer rather than sent as a piece of their own.
const COPY_BELOW: usize = 4096;

/// One log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftEntry {
    /// Position in the log, from 1.
    pub index: u64,
    /// Term of the leader that wrote it.
    pub term: u64,
    /// A block, or nothing for a new leader's first entry.
    pub data: Bytes,
}

/// A Raft message between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RaftMessage {
    /// Type of message, numbered by the ordering crate, never 0.
    pub kind: u8,
    /// Sender.
    pub from: u64,
    /// Receiver.
    pub to: u64,
    /// Sender's term.
    pub term: u64,
    /// Term of the entry before the first one sent, or of the last one of a candidate.
    pub log_term: u64,
    /// Index that goes with `log_term`, or that is acknowledged.
    pub index: u64,
    /// Commit index of the sender.
    pub commit: u64,
    /// Term of that index.
    pub commit_term: u64,
    /// Whether the message refuses.
    pub reject: bool,
    /// Where the refuser's log ends, or where the log of a leader that offers a snapshot begins.
    pub reject_hint: u64,
    /// Reserved for snapshots on request; 0.
    pub request_snapshot: u64,
    /// Election priority of a candidate.
    pub priority: i64,
    /// Opaque context of reads and campaigns, at most 64 bytes.
    pub context: Bytes,
    /// Entries, contiguous.
    pub entries: Vec<RaftEntry>,
}

const CONTEXT_BYTES_MAX: usize = 64;

/// The kind of an encoded [`RaftMessage`], without a look at the rest of it.
pub fn raft_kind(payload: &[u8]) -> Option<u8> {
    payload.first().copied()
}

impl RaftMessage {
    /// Writes the message as pieces, so that large entries are not copied.
    pub fn encode(&self) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let mut out = Vec::with_capacity(128 + self.entries.len() * 32);
        out.push(self.kind);
        out.push(u8::from(self.reject));
        for field in [
            self.from,
            self.to,
            self.term,
            self.log_term,
            self.index,
            self.commit,
            self.commit_term,
            self.reject_hint,
            self.request_snapshot,
        ] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.priority.to_le_bytes());
        put_bytes(&mut out, &self.context);
        put_count(&mut out, self.entries.len());
        for entry in &self.entries {
            out.extend_from_slice(&entry.index.to_le_bytes());
            out.extend_from_slice(&entry.term.to_le_bytes());
            put_count(&mut out, entry.data.len());
            if entry.data.len() < COPY_BELOW {
                out.extend_from_slice(&entry.data);
            } else {
                pieces.push(Bytes::from(std::mem::take(&mut out)));
                pieces.push(entry.data.clone());
            }
        }
        if !out.is_empty() {
            pieces.push(Bytes::from(out));
        }
        pieces
    }

    /// Reads a message.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("message kind")?;
        if kind == 0 {
            return Err(CodecError::Unknown { field: "message kind", value: 0 });
        }
        let reject = reader.bool("reject")?;
        let mut message = Self {
            kind,
            reject,
            from: reader.u64("from")?,
            to: reader.u64("to")?,
            term: reader.u64("term")?,
            log_term: reader.u64("log term")?,
            index: reader.u64("index")?,
            commit: reader.u64("commit")?,
            commit_term: reader.u64("commit term")?,
            reject_hint: reader.u64("reject hint")?,
            request_snapshot: reader.u64("request snapshot")?,
            priority: reader.u64("priority")? as i64,
            context: reader.bytes(CONTEXT_BYTES_MAX, "context")?,
            entries: Vec::new(),
        };
        let count = reader.count(ENTRIES_PER_MESSAGE_MAX, "number of entries")?;
        message.entries.reserve(count.min(1024));
        for _ in 0..count {
            message.entries.push(RaftEntry {
                index: reader.u64("entry index")?,
                term: reader.u64("entry term")?,
                data: reader.bytes(BLOCK_BYTES_MAX, "entry")?,
            });
        }
        reader.end()?;
        Ok(message)
    }
}

/// Why the leader did not take a forwarded submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardRefusal {
    /// It is not the leader; the sender looks for the leader again.
    NotLeader,
    /// It has too much waiting.
    Busy,
}

/// Names a forwarded submission that the leader did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardRefused {
    /// The batch's digest.
    pub batch: ledger::Digest,
    /// Why.
    pub reason: ForwardRefusal,
}

impl ForwardRefused {
    /// Writes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = self.batch.0.to_vec();
        out.push(match self.reason {
            ForwardRefusal::NotLeader => 1,
            ForwardRefusal::Busy => 2,
        });
        Bytes::from(out)
    }

    /// Reads the message.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let batch = ledger::Digest(reader.array("batch digest")?);
        let reason = match reader.u8("reason")? {
            1 => ForwardRefusal::NotLeader,
            2 => ForwardRefusal::Busy,
            other => {
                return Err(CodecError::Unknown { field: "reason", value: u64::from(other) });
            }
        };
        reader.end()?;
        Ok(Self { batch, reason })
    }
}

/// Longest payload of a peer frame: entries of one message with their heads.
pub const PEER_PAYLOAD_BYTES_MAX: usize = 12 * BLOCK_BYTES_MAX;
const _: () = assert!(SUBMISSION_BYTES_MAX < BLOCK_BYTES_MAX);
