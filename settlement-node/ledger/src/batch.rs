//! What the ledger is given: a batch of commands under one set of authorisations, and where and when it stands.
//!
//! The caller has verified the signatures of the batch. That each key is a live key of its participant is
//! checked by the ledger, when the batch is applied, so that every node decides it at the same point.

use crate::command::Command;
use crate::id::{ContentDigest, Height, LedgerTime, ParticipantNumber, PublicKey};

/// A command with the digest of its canonical bytes, computed once where the bytes were decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCommand {
    /// The command.
    pub command: Command,
    /// `ContentDigest::of` its canonical bytes.
    pub content: ContentDigest,
}

impl CheckedCommand {
    /// Encodes the command to compute its digest.
    #[must_use]
    pub fn new(command: Command) -> Self {
        let mut bytes = Vec::with_capacity(128);
        command.encode(&mut bytes);
        Self { command, content: ContentDigest::of(&bytes) }
    }
}

/// A participant and the key with which it signed the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorisation {
    /// Who signed.
    pub participant: ParticipantNumber,
    /// With which key; the signature was verified by the caller.
    pub key: PublicKey,
}

/// Commands that were signed together. Each is answered on its own: one refusal does not touch the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who sends the batch; must be among the authorisations.
    pub submitter: ParticipantNumber,
    /// Every command is refused when the ledger's time is later than this.
    pub valid_until: LedgerTime,
    /// Who signed: 1 to 16.
    pub authorisations: Vec<Authorisation>,
    /// The commands in order: 1 to 8,192.
    pub commands: Vec<CheckedCommand>,
}

/// Where and when a batch stands in the one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchContext {
    /// The block.
    pub height: Height,
    /// The leader's time stamp; the caller sees to it that it never goes back.
    pub time: LedgerTime,
    /// Leaf of the first command in the record log; command `i` is leaf `first_leaf + i`.
    pub first_leaf: u64,
}
