//! Asking to accept what comes to an account before it settles, in a time of the owner's choice.
//!
//! Who must sign: the owner. From then on a transfer that credits the account is held until the owner approves it, also
//! when its sender did not ask for that; the debtor's cover is reserved meanwhile. It ends when the owner refuses or
//! has said nothing within `within` of the moment at which the transfer could settle otherwise, or at the transfer's own
//! deadline if that is earlier. A transfer that the owner has signed needs no further word. Returns and issues are not
//! held: what was paid may always come back. What waits already when the command comes stays as it is.
//!
//! Anybody can send a signed batch again: the id keeps a repetition from bringing back what was changed since.

use crate::account::AccountStatus;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::limits::WAIT_NANOSECONDS_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Lets the owner of an account accept each transfer to it before it settles, or ends that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAcceptance {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// How long the owner takes at most, in nanoseconds: 1 to 400 days. `None` ends it.
    pub within: Option<u64>,
}

impl SetAcceptance {
    /// Form, account, the owner's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        if !self.is_well_formed() {
            return Err(Refusal::Malformed);
        }
        ledger.authorise_owner(self.account, authority)
    }

    /// True when the time is within its bounds.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.within.is_none_or(|within| (1..=WAIT_NANOSECONDS_MAX).contains(&within))
    }

    /// Status.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let closed = ledger.authorised(self.account).status == AccountStatus::Closed;
        if closed { Err(Refusal::AccountClosed) } else { Ok(()) }
    }

    /// Sets it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let within = self.within;
        ledger.change_controls(self.account, |controls| controls.acceptance = within);
    }
}
