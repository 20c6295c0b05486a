//! Withdrawing a proposal, or an act that waits for its second person.
//!
//! Who must sign: the proposer; or the issuer whose act it is, with any of its keys.

use crate::answer::Answer;
use crate::apply::{Authority, Turn};
use crate::id::TransferId;
use crate::progress::Cause;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Withdraws what waits for votes or a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdraw {
    /// The proposal or act.
    pub id: TransferId,
}

impl Withdraw {
    /// That it waits, and the signature of who began it.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let proposer = ledger.proposal(&self.id).map(|proposal| proposal.proposer);
        let begun_by = proposer.or_else(|| ledger.gov.acts.get(&self.id).map(|act| act.of));
        let begun_by = begun_by.ok_or(Refusal::NotWaiting)?;
        if authority.includes(begun_by) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Ends it.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) {
        let (answer, cause) = (Answer::Refused(Refusal::Withdrawn), Cause::Command(turn.leaf));
        ledger.end_proposal(&self.id, answer, cause);
        ledger.end_act(&self.id, answer, cause);
    }
}
