//! Attesting a document: its digest is recorded with who says so and when, and no money.
//!
//! Who must sign: the participant that attests; whoever else signed the batch is recorded with it. The record has the
//! digest, the signers and a place in the one order; the block has the time. The ledger itself keeps nothing but the
//! id, so that a batch sent again attests nothing new. What the document says is nobody's business here.

use crate::apply::Authority;
use crate::id::{Digest, ParticipantNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Records the digest of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attest {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// Who attests.
    pub participant: ParticipantNumber,
    /// SHA-256 of the document, or a commitment to it.
    pub document: Digest,
}

impl Attest {
    /// The participant's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// The participant exists; in genesis, where everybody signs, it might not.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let known = ledger.participant(self.participant).is_some();
        if known { Ok(()) } else { Err(Refusal::UnknownParticipant) }
    }
}
