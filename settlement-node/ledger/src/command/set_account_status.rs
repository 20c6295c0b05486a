//! Restricting, releasing and closing an account.
//!
//! Who must sign: the issuer of the asset, for any status; or the owner, to close the account and for nothing
//! else, because an owner that could set a status could also lift a restriction of the issuer. Only an empty
//! account can be closed, and closed is for ever. Setting the status that an account has changes nothing.
//!
//! Anybody can send a signed batch again. The id keeps a repetition from lifting or imposing what was changed
//! since.

use crate::account::AccountStatus;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Restricts, releases or closes an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAccountStatus {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// What it becomes.
    pub status: AccountStatus,
}

impl SetAccountStatus {
    /// Account, the issuer's signature, or the owner's to close.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let account = ledger.hot(self.account).ok_or(Refusal::UnknownAccount)?;
        let closes_own = self.status == AccountStatus::Closed && authority.includes(account.owner);
        if closes_own || authority.includes(ledger.issuer_of(account)) {
            Ok(())
        } else {
            Err(Refusal::NotAuthorised)
        }
    }

    /// Transition. True when the status will change.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<bool, Refusal> {
        let account = ledger.authorised(self.account);
        if account.status == self.status {
            return Ok(false);
        }
        if account.status == AccountStatus::Closed {
            return Err(Refusal::AccountClosed);
        }
        if self.status == AccountStatus::Closed && !account.is_empty() {
            return Err(Refusal::AccountNotEmpty);
        }
        Ok(true)
    }

    /// Sets it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        ledger.account_mut(self.account).status = self.status;
    }
}
