//! Retiring a signing key of one's own, at a time or at once. Who must sign: the participant.
//!
//! A planned end stands; an end at once may still come before it. It has no id: a key ends once.

use crate::apply::Authority;
use crate::govern::KeyEnd;
use crate::id::{LedgerTime, ParticipantNumber, PublicKey};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Retires a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetireKey {
    /// Whose key it is.
    pub participant: ParticipantNumber,
    /// The key.
    pub key: PublicKey,
    /// Not live from this time on, at most 400 days ahead; `None` for at once.
    pub at: Option<LedgerTime>,
}

impl RetireKey {
    /// The owner's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Participant, key, time, what is left.
    pub(crate) fn check(&self, ledger: &Ledger, now: LedgerTime) -> Result<(), Refusal> {
        ledger.participant(self.participant).ok_or(Refusal::UnknownParticipant)?;
        ledger.check_key_end(self.participant, &self.key, self.at, now)
    }

    /// Ends it, or plans its end.
    pub(crate) fn apply(&self, ledger: &mut Ledger, leaf: u64) {
        ledger.end_key(self.participant, &self.key, self.at, KeyEnd::Retired, leaf);
    }
}
