//! The Merkle log of a network: what one line of history is, byte by byte, and how lines are hashed together.
//!
//! Every node computes this from the first block on. The log is an RFC 6962 SHA-256 tree with one
//! leaf a [`record`]; the last record of each block is a [`record::Seal`] that names the block's
//! height, time, state root and the seal before it.
//!
//! Pure: bytes in, digests out. It knows nothing of the ledger's rules, of storage or of the network.
//! Checkpoints, cosignatures and receipts are built on these two modules and do not change them.

pub mod record;
pub mod tree;

/// A SHA-256 digest.
pub type Hash = [u8; 32];
