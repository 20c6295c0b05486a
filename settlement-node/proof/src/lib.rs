//! The Merkle log of a network: what one line of history is, byte by byte, how lines are hashed
//! together, and how somebody who trusts no node checks that.
//!
//! Every node computes the log from the first block on. It is an RFC 6962 SHA-256 tree with one
//! leaf a [`record`]; the last record of each block is a [`record::Seal`] that names the block's
//! height, time, state root and the seal before it. What is signed about it, and what travels as
//! evidence, are the formats of C2SP, unchanged:
//!
//! | module | what | C2SP |
//! |---|---|---|
//! | [`note`], [`key`] | text with signature lines, verifier keys, key ids | signed-note |
//! | [`checkpoint`] | origin, size and root of the log | tlog-checkpoint |
//! | [`key`] | timestamped cosignatures | tlog-cosignature |
//! | [`policy`], [`final_rule`] | who must have signed | tlog-policy |
//! | [`path`] | inclusion and consistency proofs (RFC 6962) | - |
//! | [`receipt`] | one record with everything that proves it | tlog-proof |
//! | [`witness`] | what a witness is asked | tlog-witness |
//! | [`tile`], [`tile_tree`] | the log as files that anybody can mirror | tlog-tiles |
//!
//! Pure: bytes in, digests and verdicts out. It knows nothing of the ledger's rules, of storage or
//! of the network.

pub mod checkpoint;
pub mod final_rule;
pub mod key;
pub mod note;
pub mod path;
pub mod policy;
pub mod receipt;
pub mod record;
pub mod text;
pub mod tile;
pub mod tile_tree;
pub mod tree;
pub mod witness;

/// A SHA-256 digest.
pub type Hash = [u8; 32];
