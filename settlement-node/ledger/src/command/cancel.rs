//! Cancelling a waiting transfer.
//!
//! Who must sign: the owner of an account that the transfer debits. That is enough while it is warehoused or queued,
//! where nothing is promised. A hold is a promise: it ends early only with the signatures of the owners of all its
//! accounts that are not blocked or removed. It has no id: a transfer is cancelled once.

use crate::answer::Stage;
use crate::apply::{Authority, Turn};
use crate::id::TransferId;
use crate::progress::Cause;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Cancels a waiting transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The transfer.
    pub transfer: TransferId,
}

impl Cancel {
    /// The transfer, and a debtor of it among the signers.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let waiting = ledger.waiting.get(&self.transfer).ok_or(Refusal::NotWaiting)?;
        let pays = ledger.owners_debited(waiting).any(|owner| authority.includes(owner));
        if pays { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Ends the transfer.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<(), Refusal> {
        let slot = ledger.waiting.slot_of(&self.transfer).ok_or(Refusal::NotWaiting)?;
        ledger.check_still_open(slot, turn.time)?;
        let waiting = ledger.waiting.at(slot);
        let all_signed = {
            let mut parties = ledger.owners_debited(waiting).chain(ledger.owners_credited(waiting));
            parties.all(|owner| ledger.agrees_to_end(&turn.authority, owner))
        };
        if waiting.stage == Stage::Held && !all_signed {
            return Err(Refusal::HoldBinds);
        }
        ledger.release(slot, Refusal::Cancelled, Cause::Command(turn.leaf));
        Ok(())
    }
}
