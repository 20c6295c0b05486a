//! Admitting a participant. As a command in genesis only; later it is the content of a proposal.
//!
//! A key belongs to one participant, so that a signature says who signed.

use crate::apply::Authority;
use crate::id::{ParticipantNumber, PublicKey};
use crate::limits::{PARTICIPANT_NAME_BYTES_MAX, PARTICIPANTS_MAX, SIGNING_KEYS_MAX};
use crate::name::Bic;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Admits a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitParticipant {
    /// Its BIC, unique in the network.
    pub bic: Bic,
    /// Its name for people: 1 to 140 bytes of UTF-8 without control characters.
    pub name: String,
    /// Its live Ed25519 keys: 1 to 8, each of no other participant.
    pub signing_keys: Vec<PublicKey>,
    /// Its X25519 public key, to which documents are sealed.
    pub sealing_key: [u8; 32],
}

impl AdmitParticipant {
    /// Lengths and counts.
    pub(crate) fn check_form(&self) -> Result<(), Refusal> {
        let name_fits = (1..=PARTICIPANT_NAME_BYTES_MAX).contains(&self.name.len())
            && !self.name.chars().any(char::is_control);
        let keys_fit = (1..=SIGNING_KEYS_MAX).contains(&self.signing_keys.len());
        if name_fits && keys_fit { Ok(()) } else { Err(Refusal::Malformed) }
    }

    /// Rule, BIC, keys, capacity.
    pub(crate) fn check(&self, ledger: &Ledger, authority: &Authority<'_>) -> Result<(), Refusal> {
        if !authority.is_genesis() {
            return Err(Refusal::RuleNotActive);
        }
        if ledger.participant_by_bic(&self.bic).is_some() {
            return Err(Refusal::ParticipantExists);
        }
        let taken = |(at, key): (usize, &PublicKey)| {
            ledger.registry.owner_of_key(key).is_some() || self.signing_keys[..at].contains(key)
        };
        if self.signing_keys.iter().enumerate().any(taken) {
            return Err(Refusal::KeyInUse);
        }
        if ledger.participants().len() >= PARTICIPANTS_MAX {
            return Err(Refusal::LimitReached);
        }
        Ok(())
    }

    /// Admits it under the next number.
    pub(crate) fn apply(&self, ledger: &mut Ledger) -> ParticipantNumber {
        ledger.registry.add_participant(self)
    }
}
