//! Voting on a proposal.
//!
//! Who must sign: at least one voter that is not the proposer. All such voters among the signers vote the same way.
//! A vote stands; a repetition changes nothing, and the opposite is refused. It has no id: a vote counts once.

use crate::apply::{Authority, Turn};
use crate::event::Event;
use crate::id::{ParticipantNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Votes for or against a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The proposal.
    pub proposal: TransferId,
    /// In favour, or against.
    pub in_favour: bool,
}

impl Vote {
    /// The proposal, and a voter beside its proposer among the signers.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let proposal = ledger.proposal(&self.proposal).ok_or(Refusal::NotWaiting)?;
        if !voters(ledger, authority, proposal.proposer).is_empty() {
            return Ok(());
        }
        let maker_alone = authority.includes(proposal.proposer);
        Err(if maker_alone { Refusal::MakerIsChecker } else { Refusal::NotAVoter })
    }

    /// Counts the votes and does what follows. True when one was new.
    pub(crate) fn carry_out(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        events: &mut Vec<Event>,
    ) -> Result<bool, Refusal> {
        let proposal = ledger.proposal(&self.proposal).ok_or(Refusal::NotWaiting)?;
        let voters = voters(ledger, &turn.authority, proposal.proposer);
        ledger.count_votes(&self.proposal, &voters, self.in_favour, turn, events)
    }
}

fn voters(
    ledger: &Ledger,
    authority: &Authority<'_>,
    proposer: ParticipantNumber,
) -> Vec<ParticipantNumber> {
    let Authority::Signed(signers) = authority else { return Vec::new() };
    let each = signers.iter().map(|one| one.participant);
    each.filter(|one| *one != proposer && ledger.is_voter(*one)).collect()
}
