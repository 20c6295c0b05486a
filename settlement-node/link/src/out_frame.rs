//! Frames on their way out: what callers build and what becomes of it.

use bytes::{Bytes, BytesMut};
use wire::frame::FRAME_HEADER_BYTES;

/// The payload of an outgoing frame: one piece, or several that are sent as if they were
/// concatenated, without copying them together.
#[derive(Clone, Debug)]
pub enum Payload {
    /// The payload in one piece.
    One(Bytes),
    /// The payload in pieces, in order.
    Many(Vec<Bytes>),
}

impl Payload {
    /// The pieces in order.
    pub fn parts(&self) -> &[Bytes] {
        match self {
            Payload::One(part) => std::slice::from_ref(part),
            Payload::Many(parts) => parts,
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload::One(bytes)
    }
}

impl From<BytesMut> for Payload {
    fn from(bytes: BytesMut) -> Payload {
        Payload::One(bytes.freeze())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::One(bytes.into())
    }
}

impl From<Vec<Bytes>> for Payload {
    fn from(parts: Vec<Bytes>) -> Payload {
        Payload::Many(parts)
    }
}

/// A frame to be sent. Clones share the payload's memory.
#[derive(Clone, Debug)]
pub struct OutFrame {
    /// What the payload is; 1 to 239 (the rest belongs to the link itself).
    pub kind: u8,
    /// Version of the payload's layout.
    pub version: u8,
    /// The message itself.
    pub payload: Payload,
}

impl OutFrame {
    /// A frame of the given kind (1 to 239), layout version and payload.
    pub fn new(kind: u8, version: u8, payload: impl Into<Payload>) -> OutFrame {
        OutFrame { kind, version, payload: payload.into() }
    }

    /// Size on the wire in bytes, header included.
    pub fn wire_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.payload.parts().iter().map(Bytes::len).sum::<usize>()
    }
}

/// What became of a frame that was handed over without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum SendResult {
    /// Queued; it will be sent unless the connection ends first.
    Sent,
    /// The queue is full: the receiver is slower than the sender. Not queued.
    Full,
    /// There is no such session, or no connection. Not queued. Also said of a frame that is not
    /// valid (over the limit, or of a reserved kind), which is an error of the caller: it is
    /// logged, and a server ends the session, as the client would wait for the frame in vain.
    Gone,
}
