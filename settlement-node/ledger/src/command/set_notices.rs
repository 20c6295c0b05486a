//! Asking for a notice when an account falls below a floor or rises above a ceiling.
//!
//! Who must sign: the owner. The floor is compared with what is available, so it warns before the credit line, holds
//! included, is used up; the ceiling with what is posted. Balances are looked at when a block is closed: a notice is
//! given when the line is passed since the last one, and again only after the balance was back on the other side.
//! Setting the lines forgets on which side the balance was. Notices stop nothing: what stops payments is the credit line.
//!
//! Anybody can send a signed batch again: the id keeps a repetition from bringing back what was changed since.

use crate::account::AccountStatus;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::liquidity::NoticeLines;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Sets, changes or ends the lines at which notices are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetNotices {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// A notice when less than this is available, in minor units.
    pub floor: Option<i64>,
    /// A notice when more than this is posted, in minor units.
    pub ceiling: Option<i64>,
}

impl SetNotices {
    /// Account, the owner's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        ledger.authorise_owner(self.account, authority)
    }

    /// Status.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let closed = ledger.authorised(self.account).status == AccountStatus::Closed;
        if closed { Err(Refusal::AccountClosed) } else { Ok(()) }
    }

    /// Sets them.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let (floor, ceiling) = (self.floor, self.ceiling);
        ledger.change_controls(self.account, |controls| {
            controls.notices = NoticeLines { floor, ceiling, ..NoticeLines::default() };
        });
    }
}
