//! Cosignatures between nodes, and what is final for gateways.
//!
//! | frame | kind | payload |
//! |---|---|---|
//! | cosignature, node to node | 16 | size u64, root 32, time u64 big-endian and Ed25519 signature 64 |
//! | wish to hear what is final, gateway to node | 16 | none |
//! | what is final, node to gateway | 17 | height u64, size u64 |
//!
//! The last two fields of a cosignature are what a signature line of the checkpoint holds after the
//! key id. Whose it is follows from the link that it came by.

use bytes::Bytes;

use crate::codec::{CodecError, Reader};

/// Frame kind between nodes: a [`Cosignature`].
pub const KIND_COSIGNATURE: u8 = 16;
/// Frame kind from a gateway: wishes to hear what is final from now on.
pub const KIND_WATCH_FINAL: u8 = 16;
/// Frame kind to a gateway: a [`FinalAt`].
pub const KIND_FINAL: u8 = 17;
/// Length of the signature with its time.
pub const SIGNATURE_BYTES: usize = 72;

/// A node's cosignature of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Leaves of the log.
    pub size: u64,
    /// Root over them.
    pub root: [u8; 32],
    /// Time and signature, as a signature line holds them.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Cosignature {
    /// The payload of a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(8 + 32 + SIGNATURE_BYTES);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.signature);
        Bytes::from(out)
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// When it has another length.
    pub fn decode(payload: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let size = reader.u64("size of a cosigned log")?;
        let root = reader.array("root of a cosigned log")?;
        let signature = reader.array("cosignature")?;
        reader.end()?;
        Ok(Self { size, root, signature })
    }
}

/// Everything up to this block is final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FinalAt {
    /// Number of the block.
    pub height: u64,
    /// Leaves of the log at its end.
    pub size: u64,
}

impl FinalAt {
    /// The payload of a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(16);
        out.extend_from_slice(&self.height.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        Bytes::from(out)
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// When it has another length.
    pub fn decode(payload: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let height = reader.u64("final height")?;
        let size = reader.u64("final size")?;
        reader.end()?;
        Ok(Self { height, size })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_bytes() {
        let cosignature = Cosignature { size: 7, root: [8; 32], signature: [9; 72] };
        let bytes = cosignature.encode();
        let expected = [&[7, 0, 0, 0, 0, 0, 0, 0][..], &[8; 32], &[9; 72]].concat();
        assert_eq!(bytes, expected);
        assert_eq!(Cosignature::decode(bytes).unwrap(), cosignature);
        let at = FinalAt { height: 1, size: 2 };
        assert_eq!(at.encode(), [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0][..]);
        assert_eq!(FinalAt::decode(at.encode()).unwrap(), at);
    }

    proptest! {
        #[test]
        fn other_lengths_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..140)) {
            let length = bytes.len();
            let bytes = Bytes::from(bytes);
            prop_assert_eq!(Cosignature::decode(bytes.clone()).is_ok(), length == 112);
            prop_assert_eq!(FinalAt::decode(bytes).is_ok(), length == 16);
        }
    }
}
