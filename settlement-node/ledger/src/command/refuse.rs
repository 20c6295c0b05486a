//! Refusing a waiting transfer, with a reason for the other side.
//!
//! Who must sign: an approver that a condition of the transfer names, or the owner of an account that it would
//! credit. The refusal of a named approver or of a receiver ends the transfer; that of one member of a threshold
//! ends it once the others are too few. Who has approved cannot refuse any more. It has no id: it counts once.

use crate::apply::{Authority, Turn};
use crate::id::TransferId;
use crate::name::ReasonCode;
use crate::progress::Cause;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Refuses a waiting transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refuse {
    /// The transfer.
    pub transfer: TransferId,
    /// Why, in a code of ISO 20022's ExternalStatusReason1Code.
    pub reason: ReasonCode,
}

impl Refuse {
    /// The transfer, and an approver or receiver of it among the signers.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let waiting = ledger.waiting.get(&self.transfer).ok_or(Refusal::NotWaiting)?;
        let named = waiting.names_approver(authority);
        let receives = ledger.owners_credited(waiting).any(|owner| authority.includes(owner));
        if named || receives { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Counts the refusal and ends the transfer if that follows. True when it changed anything.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<bool, Refusal> {
        let slot = ledger.waiting.slot_of(&self.transfer).ok_or(Refusal::NotWaiting)?;
        ledger.check_still_open(slot, turn.time)?;
        let waiting = ledger.waiting.at(slot);
        let mut marks = waiting.marks().clone();
        let refusal = marks.refuse(waiting.conditions(), &turn.authority)?;
        let receives = ledger.owners_credited(waiting).any(|owner| turn.authority.includes(owner));
        if refusal.ends || receives {
            ledger.release(slot, Refusal::RefusedByParty, Cause::Command(turn.leaf));
            return Ok(true);
        }
        if refusal.counted {
            ledger.waiting.set_marks(slot, marks);
        }
        Ok(refusal.counted)
    }
}
