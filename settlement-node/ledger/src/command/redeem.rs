//! Taking money out of circulation. Who must sign: the issuer of the asset *and* the owner of the account.
//!
//! The issuer pays the owner outside the ledger, so it must agree; the owner gives up its claim, so it must
//! agree as well. For an account of the issuer itself one signature is both. The debit needs cover like any
//! other. What a removed participant left behind the issuer redeems alone. Above the asset's funding limit a second
//! person of the issuer confirms it first.

use crate::amount::Amount;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::limits::BALANCE_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Takes money out of circulation: debits an account and counts as redeemed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeem {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account to debit.
    pub account: AccountNumber,
    /// How much, more than zero.
    pub amount: Amount,
}

impl Redeem {
    /// Account, the signatures of issuer and owner.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let account = ledger.hot(self.account).ok_or(Refusal::UnknownDebitAccount)?;
        let owner_gone =
            ledger.participant_state(account.owner) == crate::govern::ParticipantState::Removed;
        if authority.includes(ledger.issuer_of(account))
            && (authority.includes(account.owner) || owner_gone)
        {
            Ok(())
        } else {
            Err(Refusal::NotAuthorised)
        }
    }

    /// Status, amount, bounds, cover.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let account = ledger.authorised(self.account);
        account.check_may_pay()?;
        let state = ledger.participant_state(account.owner);
        if state != crate::govern::ParticipantState::Removed {
            ledger.check_may_pay(account.owner)?;
        }
        if self.amount.is_zero() {
            return Err(Refusal::AmountZero);
        }
        let redeemed = ledger.registry.assets[account.asset.0 as usize].redeemed;
        if redeemed + u128::from(self.amount.minor()) > BALANCE_MAX.unsigned_abs() {
            return Err(Refusal::AmountTooLarge);
        }
        if account.covers(self.amount) { Ok(()) } else { Err(Refusal::InsufficientCover) }
    }

    /// Debits the account and counts.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let asset = ledger.accounts[self.account.0 as usize].asset;
        ledger.registry.assets[asset.0 as usize].redeemed += u128::from(self.amount.minor());
        ledger.post(self.account, -i128::from(self.amount.minor()));
    }
}
