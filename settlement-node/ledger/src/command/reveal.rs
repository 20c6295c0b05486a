//! Showing the preimage that a waiting transfer asks for. Anybody may: who knows the secret has the right.
//!
//! The preimage is in the record, so whoever waits for it elsewhere can read it there. It has no id: a preimage is
//! shown once, and a repetition changes nothing.

use crate::apply::Turn;
use crate::id::{Digest, TransferId};
use crate::limits::PREIMAGE_BYTES_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Shows a preimage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The transfer that waits for it.
    pub transfer: TransferId,
    /// The bytes: 1 to 128.
    pub preimage: Box<[u8]>,
}

impl Reveal {
    /// Length, the transfer.
    pub(crate) fn authorise(&self, ledger: &Ledger) -> Result<(), Refusal> {
        if !(1..=PREIMAGE_BYTES_MAX).contains(&self.preimage.len()) {
            return Err(Refusal::Malformed);
        }
        if ledger.waiting.get(&self.transfer).is_some() { Ok(()) } else { Err(Refusal::NotWaiting) }
    }

    /// Marks the conditions that it meets. True when there was one that was open.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<bool, Refusal> {
        let slot = ledger.waiting.slot_of(&self.transfer).ok_or(Refusal::NotWaiting)?;
        ledger.check_still_open(slot, turn.time)?;
        let waiting = ledger.waiting.at(slot);
        let mut marks = waiting.marks().clone();
        if !marks.reveal(waiting.conditions(), &Digest::of(&self.preimage))? {
            return Ok(false);
        }
        ledger.take_marks(slot, marks, turn)?;
        Ok(true)
    }
}
