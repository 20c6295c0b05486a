//! The mode of an account in which its bank reports each credit to its customer. Who must sign: the asset's issuer.
//!
//! It acts on what settles from then on; what is awaited stays so when the mode ends.

use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::limits::{REPORT_NANOSECONDS_MAX, REPORTING_ACCOUNTS_MAX};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Sets within what time the credits of an account are reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetReporting {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// Nanoseconds from settlement to the report, at most 7 days; 0: not reported.
    pub within: u64,
}

impl SetReporting {
    /// Account, the issuer's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let account = ledger.hot(self.account).ok_or(Refusal::UnknownAccount)?;
        let issuer = ledger.issuer_of(account);
        if authority.includes(issuer) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Sets it. True when that changed anything.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger) -> Result<bool, Refusal> {
        if self.within > REPORT_NANOSECONDS_MAX {
            return Err(Refusal::DeadlineTooFar);
        }
        let modes = &ledger.fx.last_mile.within;
        let before = modes.get(&self.account).copied().unwrap_or(0);
        if before == 0 && self.within > 0 && modes.len() >= REPORTING_ACCOUNTS_MAX {
            return Err(Refusal::LimitReached);
        }
        if before == self.within {
            return Ok(false);
        }
        ledger.fx.set_within(self.account, self.within);
        ledger.accounts[self.account.0 as usize].reports = self.within > 0;
        Ok(true)
    }
}
