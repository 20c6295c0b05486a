//! Revoking a signing key of one's own that is trusted no longer: at once, also one that is not live yet.
//!
//! Who must sign: the participant. What was ordered before stays valid; nothing that is ordered later can be signed
//! with the key, whenever it was sent. It has no id: a key ends once.

use crate::apply::Authority;
use crate::govern::KeyEnd;
use crate::id::{LedgerTime, ParticipantNumber, PublicKey};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Revokes a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeKey {
    /// Whose key it is.
    pub participant: ParticipantNumber,
    /// The key.
    pub key: PublicKey,
}

impl RevokeKey {
    /// The owner's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Participant, key, what is left.
    pub(crate) fn check(&self, ledger: &Ledger, now: LedgerTime) -> Result<(), Refusal> {
        ledger.participant(self.participant).ok_or(Refusal::UnknownParticipant)?;
        ledger.check_key_end(self.participant, &self.key, None, now)
    }

    /// Ends it.
    pub(crate) fn apply(&self, ledger: &mut Ledger, leaf: u64) {
        ledger.end_key(self.participant, &self.key, None, KeyEnd::Revoked, leaf);
    }
}
