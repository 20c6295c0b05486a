//! Changing the key to which documents for a participant are sealed. Who must sign: the participant.
//!
//! Documents that were sealed before are opened with the old private key: keep it.

use crate::apply::Authority;
use crate::id::{ParticipantNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Changes the sealing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSealingKey {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// Whose key it is.
    pub participant: ParticipantNumber,
    /// The X25519 public key.
    pub sealing_key: [u8; 32],
}

impl SetSealingKey {
    /// The owner's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// The participant.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        ledger.participant(self.participant).map(|_| ()).ok_or(Refusal::UnknownParticipant)
    }

    /// Changes it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        ledger.registry.participants[self.participant.0 as usize].sealing_key = self.sealing_key;
    }
}
