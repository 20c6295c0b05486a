//! The first frame of each side: who it is, on which network, speaking which version.
//!
//! TLS proves the key; the hello proves that both sides mean the same network and protocol.
//! The layout is the same between peers and with clients:
//! `[network id 32][node id u64 LE][protocol u16 LE][instance u64 LE][payload]`. Gateways, tools
//! and the endpoint that serves them send node id 0.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use quinn::SendStream;
use wire::frame::{FRAME_HEADER_BYTES, Frame};

use crate::error::Failure;
use crate::key::hex;
use crate::limits::{HELLO_PAYLOAD_BYTES_MAX, LINK_PROTOCOL_VERSION};
use crate::stream::{FrameReader, write_frame};
use crate::{LinkError, OutFrame};

/// Frame kind of the hello.
const KIND_HELLO: u8 = 255;
/// Frame kind that opens the append lane: an empty frame that makes the stream visible.
const KIND_LANE: u8 = 254;
/// Version of the layout of both.
const VERSION: u8 = 1;

const FIXED_BYTES: usize = 32 + 8 + 2 + 8;
/// Limit of the first frame of a stream, in bytes, before the sender is known.
pub(crate) const FIRST_FRAME_BYTES_MAX: usize =
    FRAME_HEADER_BYTES + FIXED_BYTES + HELLO_PAYLOAD_BYTES_MAX;

/// What one side says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) network_id: [u8; 32],
    /// Node id between peers, 0 otherwise.
    pub(crate) node: u64,
    pub(crate) protocol: u16,
    /// Drawn at each start of the process: tells a restart from a second connection.
    pub(crate) instance: u64,
    pub(crate) payload: Bytes,
}

impl Hello {
    /// The hello of this process; fails when the payload is over its limit.
    pub(crate) fn new(
        network_id: [u8; 32],
        node: u64,
        instance: u64,
        payload: Bytes,
    ) -> Result<Hello, LinkError> {
        if payload.len() > HELLO_PAYLOAD_BYTES_MAX {
            return Err(LinkError::Config("hello payload exceeds 64 KiB"));
        }
        Ok(Hello { network_id, node, protocol: LINK_PROTOCOL_VERSION, instance, payload })
    }

    fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(FIXED_BYTES + self.payload.len());
        out.put_slice(&self.network_id);
        out.put_u64_le(self.node);
        out.put_u16_le(self.protocol);
        out.put_u64_le(self.instance);
        out.put_slice(&self.payload);
        out.freeze()
    }

    fn decode(frame: Frame) -> Result<Hello, Failure> {
        if frame.kind != KIND_HELLO {
            return Err(Failure::Kind(frame.kind));
        }
        let mut bytes = frame.payload;
        if frame.version != VERSION || bytes.len() < FIXED_BYTES {
            return Err(Failure::Hello("hello has an unknown layout".to_owned()));
        }
        let mut network_id = [0; 32];
        bytes.copy_to_slice(&mut network_id);
        Ok(Hello {
            network_id,
            node: bytes.get_u64_le(),
            protocol: bytes.get_u16_le(),
            instance: bytes.get_u64_le(),
            payload: bytes,
        })
    }

    /// Compares what must be equal on both sides. `node` is the id that belongs to the key.
    pub(crate) fn check(&self, ours: &Hello, node: u64) -> Result<(), Failure> {
        if self.network_id != ours.network_id {
            return Err(Failure::Hello(format!(
                "wrong network: {} and not {}",
                hex(&self.network_id[..8]),
                hex(&ours.network_id[..8])
            )));
        }
        if self.protocol != ours.protocol {
            return Err(Failure::Hello(format!(
                "wrong link protocol: version {} and not {}",
                self.protocol, ours.protocol
            )));
        }
        if self.node != node {
            return Err(Failure::Hello(format!(
                "wrong node id: says {}, its key belongs to {node}",
                self.node
            )));
        }
        Ok(())
    }
}

/// Sends our hello as the first frame of a stream.
pub(crate) async fn send_hello(stream: &mut SendStream, hello: &Hello) -> Result<(), Failure> {
    let frame = OutFrame::new(KIND_HELLO, VERSION, hello.encode());
    write_frame(stream, frame, FIRST_FRAME_BYTES_MAX).await
}

/// Reads the other side's hello, the first frame of a stream.
pub(crate) async fn read_hello(reader: &mut FrameReader) -> Result<Hello, Failure> {
    Hello::decode(reader.next().await?.ok_or(Failure::Ended)?)
}

/// Makes the append lane visible to the side that was dialled.
pub(crate) async fn send_lane(stream: &mut SendStream) -> Result<(), Failure> {
    let frame = OutFrame::new(KIND_LANE, VERSION, Bytes::new());
    write_frame(stream, frame, FIRST_FRAME_BYTES_MAX).await
}

/// Reads the frame that opens the append lane.
pub(crate) async fn read_lane(reader: &mut FrameReader) -> Result<(), Failure> {
    match reader.next().await?.ok_or(Failure::Ended)? {
        Frame { kind: KIND_LANE, version: VERSION, payload } if payload.is_empty() => Ok(()),
        frame => Err(Failure::Kind(frame.kind)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hello() -> Hello {
        Hello::new([4; 32], 3, 99, Bytes::from_static(b"opaque")).unwrap()
    }

    fn frame(payload: Bytes) -> Frame {
        Frame { kind: KIND_HELLO, version: VERSION, payload }
    }

    #[test]
    fn survives_the_wire_and_refuses_what_is_cut() {
        let bytes = hello().encode();
        assert_eq!(Hello::decode(frame(bytes.clone())).unwrap(), hello());
        assert!(Hello::decode(frame(bytes.slice(..FIXED_BYTES - 1))).is_err());
        let other = Frame { kind: 9, version: VERSION, payload: bytes };
        assert!(matches!(Hello::decode(other), Err(Failure::Kind(9))));
    }

    #[test]
    fn each_difference_has_its_reason() {
        let ours = hello();
        let says = |change: fn(&mut Hello)| {
            let mut theirs = hello();
            change(&mut theirs);
            theirs.check(&ours, 3).map_err(|failure| failure.to_string())
        };
        assert_eq!(says(|_| ()), Ok(()));
        assert!(says(|h| h.network_id = [5; 32]).unwrap_err().starts_with("wrong network"));
        assert!(says(|h| h.protocol = 9).unwrap_err().starts_with("wrong link protocol"));
        assert!(says(|h| h.node = 8).unwrap_err().starts_with("wrong node id: says 8"));
    }

    #[test]
    fn payload_has_a_limit() {
        assert!(Hello::new([0; 32], 1, 1, vec![0; HELLO_PAYLOAD_BYTES_MAX + 1].into()).is_err());
    }
}
