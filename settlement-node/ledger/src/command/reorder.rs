//! Moving a transfer in the queue: to another priority, to the front or the end of it.
//!
//! Who must sign: the owner of an account that the transfer debits. It may be done while the transfer waits, at any
//! stage; the place matters once it is queued.
//!
//! Anybody can send a signed batch again. The id keeps a repetition from moving what was moved elsewhere since.

use crate::apply::{Authority, Turn};
use crate::id::TransferId;
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::options::Priority;

/// Moves a waiting transfer among those of its debtors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorder {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The waiting transfer.
    pub transfer: TransferId,
    /// Its priority from now on.
    pub priority: Priority,
    /// Its place within the priority.
    pub position: Position,
}

/// A place within a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Position {
    /// As by its arrival, or where it was moved to.
    Keep = 1,
    /// Before all others.
    First = 2,
    /// After all others.
    Last = 3,
}

impl Position {
    /// The position of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Keep),
            2 => Some(Self::First),
            3 => Some(Self::Last),
            _ => None,
        }
    }
}

impl Reorder {
    /// The transfer, and a debtor of it among the signers. Where the transfer waits no more, an id that was answered
    /// goes on to get its first answer.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let Some(waiting) = ledger.waiting.get(&self.transfer) else {
            return ledger.lookup(&self.id).map(|_| ()).ok_or(Refusal::NotWaiting);
        };
        let pays = ledger.owners_debited(waiting).any(|owner| authority.includes(owner));
        if pays { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Moves it.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<(), Refusal> {
        // Only an id that was answered before comes here without it, and such an id was found before this step.
        let slot = ledger.waiting.slot_of(&self.transfer).ok_or(Refusal::DuplicateId)?;
        ledger.check_still_open(slot, turn.time)?;
        ledger.waiting.set_place(slot, self.priority, self.position);
        ledger.reindex(slot);
        Ok(())
    }
}
