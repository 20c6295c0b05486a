//! Acts of an issuer that take two people.
//!
//! The issuer of an asset sets an amount; to issue or redeem more than that takes two of its people. One sends the
//! command, which then waits; another confirms it with another of the issuer's keys within 24 hours, or it ends. Nobody
//! confirms what was signed with the same key. While such an amount is set the issuer has at least two lasting keys,
//! and a new key of it, like a higher amount or none, takes two people as well: one person cannot become two.
//!
//! What waits reserves nothing: it is judged again when it is confirmed, and stays where it is if that is refused.

use crate::answer::{Answer, Stage};
use crate::apply::{Authority, Turn};
use crate::command::Command;
use crate::event::Event;
use crate::id::{AssetNumber, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::ids::OldIds;
use crate::limits::{ACTS_MAX, ACTS_PER_PARTICIPANT_MAX, CONFIRM_NANOSECONDS};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// An act that waits for its second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    /// What is to be done.
    pub(crate) command: Command,
    /// Whose people it takes.
    pub(crate) of: ParticipantNumber,
    /// The keys of the first.
    pub(crate) makers: Vec<PublicKey>,
    /// Leaf of the command.
    pub(crate) leaf: u64,
    /// It ends when the ledger's time is later than this.
    pub(crate) deadline: LedgerTime,
}

impl Ledger {
    /// Above this amount, in minor units, issuing and redeeming an asset takes two people; `None` for never.
    #[must_use]
    pub fn funding_limit(&self, asset: AssetNumber) -> Option<u64> {
        self.gov.funding_limits.get(&asset).copied()
    }

    /// Acts that wait for a second person: id, whose people it takes, the command, and until when.
    pub fn acts(
        &self,
    ) -> impl ExactSizeIterator<Item = (&TransferId, ParticipantNumber, &Command, LedgerTime)> + '_
    {
        self.gov.acts.iter().map(|(id, act)| (id, act.of, &act.command, act.deadline))
    }

    /// Whose second person the command needs; `None` where it needs none.
    pub(crate) fn needs_second(&self, command: &Command) -> Option<ParticipantNumber> {
        if self.gov.funding_limits.is_empty() {
            return None;
        }
        let (asset, amount) = match command {
            Command::Issue(issue) => (self.authorised(issue.account).asset, issue.amount),
            Command::Redeem(redeem) => (self.authorised(redeem.account).asset, redeem.amount),
            Command::AddKey(add) => {
                return (self.keys_needed(add.participant) > 1).then_some(add.participant);
            }
            Command::SetFundingLimit(set) => {
                let limit = self.funding_limit(set.asset)?;
                let raises = set.above.is_none_or(|above| above.minor() > limit);
                return raises.then(|| self.asset(set.asset).map(|one| one.issuer)).flatten();
            }
            _ => return None,
        };
        let over = self.funding_limit(asset).is_some_and(|limit| amount.minor() > limit);
        over.then(|| self.asset(asset).map(|one| one.issuer)).flatten()
    }

    /// Lets a command that was checked wait for its second person.
    pub(crate) fn await_second(
        &mut self,
        command: &Command,
        of: ParticipantNumber,
        turn: &Turn<'_>,
    ) -> Result<Answer, Refusal> {
        let own = self.gov.acts.values().filter(|act| act.of == of).count();
        if self.gov.acts.len() >= ACTS_MAX || own >= ACTS_PER_PARTICIPANT_MAX {
            return Err(Refusal::TooManyWaiting);
        }
        let id = command.id().expect("only commands with ids take two people");
        let deadline = LedgerTime(turn.time.0.saturating_add(CONFIRM_NANOSECONDS));
        let makers = keys_of(&turn.authority, of);
        let act = Act { command: command.clone(), of, makers, leaf: turn.leaf, deadline };
        self.gov.acts.insert(id, act);
        self.gov.deadlines.insert((deadline, id));
        self.gov.note_change();
        Ok(Answer::Waiting(Stage::Held))
    }

    /// Whether somebody else of the same issuer confirms.
    pub(crate) fn check_second(
        &self,
        id: &TransferId,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let act = self.gov.acts.get(id).ok_or(Refusal::NotWaiting)?;
        let keys = keys_of(authority, act.of);
        if keys.is_empty() {
            return Err(Refusal::NotAuthorised);
        }
        if keys.iter().any(|key| act.makers.contains(key)) {
            return Err(Refusal::MakerIsChecker);
        }
        Ok(())
    }

    /// Carries out a confirmed act, or refuses with everything as before.
    pub(crate) fn confirm(
        &mut self,
        id: &TransferId,
        turn: &Turn<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let act = self.gov.acts.get(id).ok_or(Refusal::NotWaiting)?;
        if turn.time > act.deadline {
            return Err(Refusal::DeadlinePassed);
        }
        let command = act.command.clone();
        let event = command.carry_out_alone(self, turn, &OldIds::NONE)?;
        events.extend(event);
        self.end_act(id, Answer::Settled, crate::progress::Cause::Command(turn.leaf));
        Ok(())
    }

    /// Takes an act out and tells how it ended.
    pub(crate) fn end_act(
        &mut self,
        id: &TransferId,
        answer: Answer,
        cause: crate::progress::Cause,
    ) {
        let Some(act) = self.gov.acts.remove(id) else { return };
        self.gov.deadlines.remove(&(act.deadline, *id));
        self.gov.note_change();
        self.progress.push(crate::progress::Progress { id: *id, leaf: act.leaf, answer, cause });
    }
}

/// The keys with which a participant signed.
fn keys_of(authority: &Authority<'_>, of: ParticipantNumber) -> Vec<PublicKey> {
    match authority {
        Authority::Genesis => Vec::new(),
        Authority::Signed(list) => {
            list.iter().filter(|one| one.participant == of).map(|one| one.key).collect()
        }
    }
}
