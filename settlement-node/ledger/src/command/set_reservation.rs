//! Reserving a part of what an account has available for urgent transfers, or for high and urgent ones.
//!
//! Who must sign: the owner. A reservation is a line that stays where it is until it is changed: transfers of lower
//! priority leave that much available, those that it is kept for may use it. It binds transfers that settle at once,
//! holds when they are made, the queue and offsetting alike; a transfer that names no priority has the normal one.
//! More may be reserved than there is: then lower priorities pay nothing. Redemptions, which the owner signs as such,
//! are not bound.
//!
//! Anybody can send a signed batch again: the id keeps a repetition from bringing back what was changed since.

use crate::account::AccountStatus;
use crate::apply::Authority;
use crate::id::{AccountNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::options::Priority;

/// Sets, changes or ends a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetReservation {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// The lowest priority that may use it: urgent or high.
    pub priority: Priority,
    /// How much, in minor units; zero ends it.
    pub amount: u64,
}

impl SetReservation {
    /// Form, account, the owner's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        if self.priority == Priority::Normal {
            return Err(Refusal::Malformed);
        }
        ledger.authorise_owner(self.account, authority)
    }

    /// Status.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let closed = ledger.authorised(self.account).status == AccountStatus::Closed;
        if closed { Err(Refusal::AccountClosed) } else { Ok(()) }
    }

    /// Sets it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let at = usize::from(self.priority == Priority::High);
        let amount = self.amount;
        ledger.change_controls(self.account, |controls| controls.reserved[at] = amount);
    }
}
