//! What a vote brings about, and what the time of a block does to proposals, acts and keys.

use crate::answer::{Answer, Stage};
use crate::apply::Turn;
use crate::event::Event;
use crate::id::{LedgerTime, ParticipantNumber, TransferId};
use crate::progress::{Cause, Progress};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::{Governance, Proposal};

impl Governance {
    /// Works out everything that follows from the tables.
    pub(crate) fn rebuild(&mut self) {
        self.note_change();
        self.rebuild_key_times();
        let proposals = self.proposals.iter().map(|(id, one)| (one.expires, *id));
        let acts = self.acts.iter().map(|(id, one)| (one.deadline, *id));
        self.deadlines = proposals.chain(acts).collect();
        self.look_again = LedgerTime(0);
    }

    /// The next time at which something happens by itself that a block is needed for.
    pub(crate) fn next_due(&self, block_time: LedgerTime) -> Option<LedgerTime> {
        let ends = self.deadlines.first().map(|(time, _)| LedgerTime(time.0.saturating_add(1)));
        let swept = (!self.sweeping.is_empty()).then_some(block_time);
        [ends, self.next_key_time(), swept].into_iter().flatten().min()
    }
}

impl Ledger {
    /// The beginning of a block: keys begin and end, proposals and acts expire, and assets open and close.
    pub(crate) fn open_governance(&mut self, time: LedgerTime) {
        self.turn_keys(time);
        while let Some(&(deadline, id)) = self.gov.deadlines.first() {
            if deadline >= time {
                break;
            }
            if self.gov.proposals.contains_key(&id) {
                self.end_proposal(&id, Answer::Refused(Refusal::ProposalExpired), Cause::Time);
            } else {
                self.end_act(&id, Answer::Refused(Refusal::NotConfirmed), Cause::Time);
            }
        }
        self.look_at_hours();
    }

    /// Takes a new proposal, whose content was checked, and counts those who signed it with the proposer.
    pub(crate) fn open_proposal(
        &mut self,
        id: TransferId,
        proposal: Proposal,
        turn: &Turn<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Answer, Refusal> {
        let (needed, _) = self.votes_needed()?;
        if proposal.in_favour.len() >= needed {
            events.push(proposal.content.carry_out(self, turn));
            return Ok(Answer::Settled);
        }
        self.gov.deadlines.insert((proposal.expires, id));
        self.gov.proposals.insert(id, proposal);
        self.gov.note_change();
        Ok(Answer::Waiting(Stage::Held))
    }

    /// Counts votes, and carries the proposal out or ends it where they decide it. True when one was new.
    pub(crate) fn count_votes(
        &mut self,
        id: &TransferId,
        voters: &[ParticipantNumber],
        in_favour: bool,
        turn: &Turn<'_>,
        events: &mut Vec<Event>,
    ) -> Result<bool, Refusal> {
        let (needed, count) = self.votes_needed()?;
        let proposal = self.gov.proposals.get_mut(id).ok_or(Refusal::NotWaiting)?;
        if turn.time > proposal.expires {
            return Err(Refusal::DeadlinePassed);
        }
        let (own, other) = if in_favour {
            (&mut proposal.in_favour, &proposal.against)
        } else {
            (&mut proposal.against, &proposal.in_favour)
        };
        if voters.iter().any(|voter| other.contains(voter)) {
            return Err(Refusal::AlreadyAnswered);
        }
        let before = own.len();
        own.extend(voters);
        if own.len() == before {
            return Ok(false);
        }
        self.gov.note_change();
        let proposal = self.gov.proposals[id].clone();
        let counted = |of: &std::collections::BTreeSet<ParticipantNumber>| {
            of.iter().filter(|voter| self.is_voter(**voter)).count()
        };
        let others = count - usize::from(self.is_voter(proposal.proposer));
        let cause = Cause::Command(turn.leaf);
        if counted(&proposal.in_favour) >= needed {
            let answer = match proposal.content.check(self) {
                Ok(()) => {
                    events.push(proposal.content.carry_out(self, turn));
                    Answer::Settled
                }
                Err(reason) => Answer::Refused(reason),
            };
            self.end_proposal(id, answer, cause);
        } else if others - counted(&proposal.against) < needed {
            self.end_proposal(id, Answer::Refused(Refusal::VotedDown), cause);
        }
        Ok(true)
    }

    /// Takes a proposal out and tells how it ended.
    pub(crate) fn end_proposal(&mut self, id: &TransferId, answer: Answer, cause: Cause) {
        let Some(proposal) = self.gov.proposals.remove(id) else { return };
        self.gov.deadlines.remove(&(proposal.expires, *id));
        self.gov.note_change();
        self.progress.push(Progress { id: *id, leaf: proposal.leaf, answer, cause });
    }
}
