//! Proposing something that the participants decide together.
//!
//! Who must sign: the proposer, who is a voter. Other voters who sign the same batch are in favour from the start, so
//! that a proposal which enough have signed is carried out at once; the proposer's own signature is no vote. A
//! proposal is taken only if it could be carried out now; it waits until it is carried, voted down, withdrawn, or
//! expires. How it ended is remembered under its id like the end of a transfer that waited.

use crate::answer::Answer;
use crate::apply::{Authority, Turn};
use crate::event::Event;
use crate::govern::{Content, Proposal};
use crate::id::{LedgerTime, ParticipantNumber, TransferId};
use crate::limits::{PROPOSALS_MAX, PROPOSALS_PER_PARTICIPANT_MAX, WAIT_NANOSECONDS_MAX};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Proposes something to the voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propose {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// Who proposes: a voter. In genesis, where everybody agrees, it says nothing.
    pub proposer: ParticipantNumber,
    /// The proposal ends when the ledger's time is later than this: at most 400 days ahead.
    pub expires: LedgerTime,
    /// What is proposed.
    pub content: Box<Content>,
}

impl Propose {
    /// Form, the proposer's signature and vote.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        if !self.content.is_well_formed() {
            return Err(Refusal::Malformed);
        }
        if authority.is_genesis() {
            return Ok(());
        }
        if !authority.includes(self.proposer) {
            return Err(Refusal::NotAuthorised);
        }
        if ledger.is_voter(self.proposer) { Ok(()) } else { Err(Refusal::NotAVoter) }
    }

    /// Time, number of voters, room, content; then takes the proposal, or carries it out at once.
    pub(crate) fn carry_out(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Answer, Refusal> {
        let Authority::Signed(signers) = turn.authority else {
            self.content.check(ledger)?;
            events.push(self.content.carry_out(ledger, turn));
            return Ok(Answer::Settled);
        };
        if turn.time > self.expires {
            return Err(Refusal::DeadlinePassed);
        }
        if self.expires.0 - turn.time.0 > WAIT_NANOSECONDS_MAX {
            return Err(Refusal::DeadlineTooFar);
        }
        ledger.votes_needed()?;
        let own = ledger.proposals().filter(|(_, other)| other.proposer == self.proposer).count();
        if ledger.proposals().len() >= PROPOSALS_MAX || own >= PROPOSALS_PER_PARTICIPANT_MAX {
            return Err(Refusal::TooManyWaiting);
        }
        self.content.check(ledger)?;
        let others = signers.iter().map(|one| one.participant);
        let voters = others.filter(|one| *one != self.proposer && ledger.is_voter(*one));
        let proposal = Proposal {
            content: (*self.content).clone(),
            proposer: self.proposer,
            leaf: turn.leaf,
            expires: self.expires,
            in_favour: voters.collect(),
            against: std::collections::BTreeSet::new(),
        };
        ledger.open_proposal(self.id, proposal, turn, events)
    }
}
