//! Confirming an act as its second person.
//!
//! Who must sign: the issuer whose act it is, with another key than that of the first person. The act is judged anew;
//! where it is refused now, so is the confirmation, and the act goes on waiting. It has no id: an act is confirmed once.

use crate::apply::{Authority, Turn};
use crate::event::Event;
use crate::id::TransferId;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Confirms an act that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// The act: the id of the command that began it.
    pub id: TransferId,
}

impl Confirm {
    /// That it waits, and a second person's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        ledger.check_second(&self.id, authority)
    }

    /// Carries the act out.
    pub(crate) fn carry_out(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        ledger.confirm(&self.id, turn, events)
    }
}
