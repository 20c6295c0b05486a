//! Opening an account. Who must sign: its owner.
//!
//! Names are never used twice, also not after an account was closed: history must not change its meaning. To
//! open an account that exists is refused, so a sender that repeats itself learns that the first time worked.

use crate::apply::Authority;
use crate::id::{AccountNumber, AssetNumber, ParticipantNumber};
use crate::limits::{ACCOUNTS_MAX, ACCOUNTS_PER_PARTICIPANT_MAX};
use crate::name::Label;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Opens an account: empty, without credit line, open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAccount {
    /// Who owns it.
    pub owner: ParticipantNumber,
    /// What it holds.
    pub asset: AssetNumber,
    /// Which of the owner's accounts in that asset; names are never used twice.
    pub label: Label,
}

impl OpenAccount {
    /// The owner's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.owner) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Owner, asset, name, capacity.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let owner = ledger.participant(self.owner).ok_or(Refusal::UnknownParticipant)?;
        if ledger.asset(self.asset).is_none() {
            return Err(Refusal::UnknownAsset);
        }
        if ledger.registry.account(self.owner, self.asset, self.label).is_some() {
            return Err(Refusal::AccountExists);
        }
        if owner.accounts_opened >= ACCOUNTS_PER_PARTICIPANT_MAX
            || ledger.accounts.len() >= ACCOUNTS_MAX
        {
            return Err(Refusal::LimitReached);
        }
        Ok(())
    }

    /// Opens it under the next number.
    pub(crate) fn apply(&self, ledger: &mut Ledger) -> AccountNumber {
        ledger.open(self)
    }
}
