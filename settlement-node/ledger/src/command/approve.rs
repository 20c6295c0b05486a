//! Approving a waiting transfer: who must, because the transfer names it in a condition, says yes.
//!
//! Who must sign: at least one approver that an approval, key or threshold condition of the transfer names. All
//! signers and keys of the batch count. The approval of a debtor is also its authorisation: in a hold its cover is
//! reserved from then on, and where it has none the approval is refused (or the transfer queued, if it asked for
//! that). It has no id: an approval counts once, and a repetition changes nothing.

use crate::apply::{Authority, Turn};
use crate::id::TransferId;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Approves a waiting transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approve {
    /// The transfer.
    pub transfer: TransferId,
}

impl Approve {
    /// The transfer, and an approver of it among the signers.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let waiting = ledger.waiting.get(&self.transfer).ok_or(Refusal::NotWaiting)?;
        if waiting.names_approver(authority) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Counts the approval and does what follows from it. True when it changed anything.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<bool, Refusal> {
        let slot = ledger.waiting.slot_of(&self.transfer).ok_or(Refusal::NotWaiting)?;
        ledger.check_still_open(slot, turn.time)?;
        let mut marks = ledger.waiting.at(slot).marks().clone();
        let counted = marks.approve(ledger.waiting.at(slot).conditions(), &turn.authority)?;
        if !counted {
            return Ok(false);
        }
        ledger.take_marks(slot, marks, turn)?;
        Ok(true)
    }
}
