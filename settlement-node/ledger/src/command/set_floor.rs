//! Setting the credit line of an account. Who must sign: the issuer of the asset, who grants the credit.
//!
//! The issuer may withdraw a line that is in use. The account's available is then below zero and it pays
//! nothing until it has received enough; this is the one way for available to become negative.
//!
//! Anybody can send a signed batch again. The id keeps a repetition from bringing back a line that was
//! withdrawn since.

use crate::account::AccountStatus;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Sets the credit line of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFloor {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// The lowest balance allowed, in minor units: zero or negative.
    pub floor: i64,
}

impl SetFloor {
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

    /// Status, floor.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let account = ledger.authorised(self.account);
        if account.status == AccountStatus::Closed {
            return Err(Refusal::AccountClosed);
        }
        if self.floor > 0 { Err(Refusal::FloorPositive) } else { Ok(()) }
    }

    /// Sets it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        ledger.account_mut(self.account).floor = self.floor;
    }
}
