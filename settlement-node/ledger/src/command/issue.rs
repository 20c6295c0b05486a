//! Creating money. Who must sign: the issuer of the asset that the account holds.
//!
//! The account may belong to anyone and must be allowed to receive, as must its owner. Above the asset's funding limit
//! a second person of the issuer confirms it first. What was issued is counted for ever.

use crate::amount::Amount;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::limits::BALANCE_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Creates money: credits an account and counts as issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account to credit; its asset says whose signature is needed.
    pub account: AccountNumber,
    /// How much, more than zero.
    pub amount: Amount,
}

impl Issue {
    /// Account, the issuer's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let account = ledger.hot(self.account).ok_or(Refusal::UnknownAccount)?;
        if authority.includes(ledger.issuer_of(account)) {
            Ok(())
        } else {
            Err(Refusal::NotAuthorised)
        }
    }

    /// Status, amount, bounds.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let account = ledger.authorised(self.account);
        account.check_may_receive()?;
        ledger.check_may_receive(account.owner)?;
        if self.amount.is_zero() {
            return Err(Refusal::AmountZero);
        }
        let amount = self.amount.minor();
        let issued = ledger.registry.assets[account.asset.0 as usize].issued;
        if account.posted.checked_add(i128::from(amount)).is_none()
            || issued + u128::from(amount) > BALANCE_MAX.unsigned_abs()
        {
            return Err(Refusal::AmountTooLarge);
        }
        Ok(())
    }

    /// Credits the account and counts.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let asset = ledger.accounts[self.account.0 as usize].asset;
        ledger.registry.assets[asset.0 as usize].issued += u128::from(self.amount.minor());
        ledger.post(self.account, i128::from(self.amount.minor()));
    }
}
