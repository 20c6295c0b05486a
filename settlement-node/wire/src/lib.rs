//! Every byte that crosses a process boundary: envelopes, signatures, versions, codecs.
//!
//! | module | bytes | between |
//! |---|---|---|
//! | [`frame`] | length, checksum, kind, version | any two processes |
//! | [`batch`] | signed batch of commands with its attachments | gateway → node → every node |
//! | [`block`] | what one log entry holds: the leader's time and the batches | nodes |
//! | [`cosign`] | cosignatures of checkpoints, and what is final | node ↔ node, node → gateway |
//! | [`peer`] | Raft messages and forwarded batches | node ↔ node |
//! | [`repair`] | pieces of files for a node that is being mended | node ↔ node |
//! | [`client`] | submit, outcomes, deliveries, queries | gateway ↔ node |
//! | [`progress`] | what became of a transfer that waited | a node's records and history |
//! | [`exchanged`] | at which rates an exchange settled | a node's records and history |
//! | [`notice`] | what one bank is told although it sent nothing | a node's records and history |
//! | [`genesis`] | the network's first page | operator → everybody |
//!
//! Decoders are strict (one encoding for a value), bounded (a length is checked before it is
//! believed) and never panic. Enum values on the wire start at 1: zero is never a meaning.

/// The rules whose commands and answers travel here: their types are part of this crate's interface.
pub use ledger;

pub mod batch;
pub mod block;
pub mod client;
pub mod codec;
pub mod cosign;
pub mod document;
pub mod exchanged;
pub mod frame;
pub mod genesis;
pub mod limits;
pub mod notice;
pub mod peer;
pub mod progress;
pub mod repair;

mod signature;
