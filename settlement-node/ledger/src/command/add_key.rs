//! Adding a signing key of one's own, for now or for later. Who must sign: the participant.
//!
//! The key must never have been used in the network. An issuer whose acts take two people adds a key by two of them.

use crate::apply::Authority;
use crate::id::{LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Adds a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddKey {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// Whose key it is.
    pub participant: ParticipantNumber,
    /// The Ed25519 key.
    pub key: PublicKey,
    /// Live from this time, at most 400 days ahead; `None` for at once.
    pub from: Option<LedgerTime>,
}

impl AddKey {
    /// The owner's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Participant, time, key, number of keys.
    pub(crate) fn check(&self, ledger: &Ledger, now: LedgerTime) -> Result<(), Refusal> {
        ledger.participant(self.participant).ok_or(Refusal::UnknownParticipant)?;
        ledger.check_new_key(self.participant, &self.key, self.from, now)
    }

    /// Adds it.
    pub(crate) fn apply(&self, ledger: &mut Ledger, leaf: u64) {
        ledger.add_key(self.participant, self.key, self.from, leaf);
    }
}
