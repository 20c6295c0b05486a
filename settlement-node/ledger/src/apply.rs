//! The only mutator: one batch in, one outcome a command out.
//!
//! Every command passes the same steps in the same order, and the first step that objects gives the answer:
//!
//! 1. *form*: counts and lengths within their limits. `Malformed`
//! 2. *authorisation*: the batch's submitter is among the authorisations, each key is a live key of its
//!    participant (`SignerNotLive` for the whole batch), and whoever must sign this command has (`NotAuthorised`).
//!    An account whose owner or issuer must sign exists (`UnknownDebitAccount`, `UnknownAccount`): where there is
//!    nobody to ask, nobody has agreed.
//! 3. *duplicate*: an id that was answered before gets the first answer when the content is the same, and
//!    `DuplicateId` when it is not. Nothing changes either way.
//! 4. *validity*: the ledger's time is not later than the batch's `valid_until`
//! 5. *rules*: the command and its options are active; the transfer's own deadline has not passed; a transfer that
//!    may wait has a deadline, and conditions that can be met
//! 6. *legs, accounts and status*: two different accounts; the credited one exists; same asset, may pay, may receive;
//!    then whether the network lets the two owners pay and receive
//! 7. *amounts*: more than zero, within the limit of the network, and no balance passes its bound
//! 8. *original*: a return goes back the way of a settled transfer, and not beyond what it moved
//! 9. *hours*: a new transfer comes while its assets are open, or waits for the opening
//! 10. *cover*: no account that pays in sum pays more than it has available, than is not reserved for more urgent
//!     transfers, or than the limits let it (`liquidity/check.rs`); or the transfer waits, if it asked to and there is
//!     room. Only the limit of one payment, which comes first, is nothing to wait for
//!
//! The commands about a waiting transfer find it in step 2, where those are known whose signatures count, and
//! look at its deadline in step 5.
//!
//! A step looks at all legs of a transfer, in order, before the next step begins. A refusal by step 1 or 2
//! leaves the id unused (`Refusal::leaves_id_unused`): whoever may really use it still can, so an id is used up
//! only by those whose account or asset the command is about. A refusal by a later step uses the id up: it
//! stays refused, also when money or time would allow it later, so that both sides can rely on the answer.

use crate::answer::{Answer, Outcome};
use crate::batch::{Authorisation, Batch, BatchContext, CheckedCommand};
use crate::command::{Approver, Command, Course};
use crate::event::Event;
use crate::id::{LedgerTime, ParticipantNumber};
use crate::ids::{GENESIS_LEAF, IdEntry, OldIds};
use crate::limits::{AUTHORISATIONS_PER_BATCH_MAX, COMMANDS_PER_BATCH_MAX};
use crate::progress::is_derived;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Who stands behind a command.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Authority<'a> {
    /// Everybody: the network is being made.
    Genesis,
    /// The participants that signed the batch, with live keys.
    Signed(&'a [Authorisation]),
}

impl Authority<'_> {
    /// True when the participant stands behind the command.
    pub(crate) fn includes(&self, participant: ParticipantNumber) -> bool {
        match self {
            Self::Genesis => true,
            Self::Signed(list) => list.iter().any(|one| one.participant == participant),
        }
    }

    /// True when the approver stands behind the command: the participant, or the holder of the key.
    pub(crate) fn signs(&self, approver: &Approver) -> bool {
        match (approver, self) {
            (_, Self::Genesis) => true,
            (Approver::Participant(participant), _) => self.includes(*participant),
            (Approver::Key(key), Self::Signed(list)) => list.iter().any(|one| one.key == *key),
        }
    }

    /// True in genesis.
    pub(crate) const fn is_genesis(&self) -> bool {
        matches!(self, Self::Genesis)
    }
}

/// Where, when and for whom one command is applied.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) authority: Authority<'a>,
    pub(crate) submitter: ParticipantNumber,
    pub(crate) time: LedgerTime,
    pub(crate) valid_until: LedgerTime,
    pub(crate) position: u32,
    pub(crate) leaf: u64,
}

/// How many commands ahead memory is asked for: enough to overlap the waits, few enough to stay cached.
const TOUCH_AHEAD: usize = 32;

impl Ledger {
    /// Applies a batch: appends one outcome a command to `outcomes` and what happened to `events`.
    ///
    /// `old` holds every id of the batch that is in a generation no longer in memory. The caller keeps heights,
    /// times and leaves from going back.
    ///
    /// # Panics
    /// When a leaf number reaches 2^48 - 1.
    pub fn apply_batch(
        &mut self,
        context: &BatchContext,
        batch: &Batch,
        old: &OldIds<'_>,
        outcomes: &mut Vec<Outcome>,
        events: &mut Vec<Event>,
    ) {
        let leaf_end = context.first_leaf.checked_add(batch.commands.len() as u64);
        assert!(leaf_end.is_some_and(|end| end < GENESIS_LEAF), "leaf numbers are exhausted");
        outcomes.reserve(batch.commands.len());
        if let Err(refusal) = self.check_batch(batch) {
            let refused = Outcome::refused(refusal);
            outcomes.extend(std::iter::repeat_n(refused, batch.commands.len()));
            return;
        }
        self.gov.stamp(context.first_leaf);
        let suspended = self.suspends(&batch.authorisations);
        let mut turn = Turn {
            authority: Authority::Signed(&batch.authorisations),
            submitter: batch.submitter,
            time: context.time,
            valid_until: batch.valid_until,
            position: 0,
            leaf: context.first_leaf,
        };
        self.ids.prepare();
        for commands in batch.commands.chunks(TOUCH_AHEAD) {
            self.touch_memory(commands);
            for checked in commands {
                outcomes.push(if suspended && !checked.command.only_ends() {
                    Outcome::refused(Refusal::SignerSuspended)
                } else {
                    self.take_turn(&turn, checked, old, events)
                });
                turn.position += 1;
                turn.leaf += 1;
            }
        }
    }

    /// What is asked of the batch as a whole.
    fn check_batch(&self, batch: &Batch) -> Result<(), Refusal> {
        if batch.commands.len() > COMMANDS_PER_BATCH_MAX
            || batch.authorisations.len() > AUTHORISATIONS_PER_BATCH_MAX
        {
            return Err(Refusal::Malformed);
        }
        let live = |one: &Authorisation| self.is_live_key(one.participant, &one.key);
        let submitter_signed =
            batch.authorisations.iter().any(|one| one.participant == batch.submitter);
        if submitter_signed && batch.authorisations.iter().all(live) {
            Ok(())
        } else {
            Err(Refusal::SignerNotLive)
        }
    }

    /// Reads what the next commands will need. The reads do not depend on each other, so the processor waits
    /// for all of them at once instead of for each in its turn.
    fn touch_memory(&self, commands: &[CheckedCommand]) {
        let mut read = 0;
        for checked in commands {
            if let Command::Transfer(transfer) = &checked.command {
                read ^= self.ids.touch(&transfer.id);
                for leg in transfer.legs.as_slice() {
                    for number in [leg.debit, leg.credit] {
                        read ^= self.hot(number).map_or(0, |account| account.floor as u64);
                    }
                }
            }
        }
        std::hint::black_box(read);
    }

    /// Applies one command. Always inside its two callers: a call costs a payment several nanoseconds.
    #[inline(always)]
    pub(crate) fn take_turn(
        &mut self,
        turn: &Turn<'_>,
        checked: &CheckedCommand,
        old: &OldIds<'_>,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let command = &checked.command;
        let id = command.id();
        if self.has_life_cycle() && id.is_some_and(|id| is_derived(&id)) {
            return Outcome::refused(Refusal::Malformed);
        }
        if let Err(refusal) = command.authorise(self, &turn.authority) {
            debug_assert!(refusal.leaves_id_unused(), "{refusal:?} by form or authorisation");
            return Outcome::refused(refusal);
        }
        let first = id.and_then(|id| self.ids.get(&id).or_else(|| old.get(&id)));
        #[cfg(feature = "planted")]
        let first = first.filter(|_| !crate::planted::is(crate::planted::Bug::NoDuplicateCheck));
        if let Some(first) = first {
            return if first.content == checked.content {
                Outcome { answer: first.answer(), original: Some(first.leaf) }
            } else {
                Outcome::refused(Refusal::DuplicateId)
            };
        }
        let outcome = match command.check_and_apply(self, turn, old, events) {
            Ok(answer) => Outcome::first(answer),
            Err(refusal) => {
                debug_assert!(!refusal.leaves_id_unused(), "{refusal:?} by a later step");
                Outcome::refused(refusal)
            }
        };
        if let Some(id) = id {
            let code = outcome.answer.code();
            self.ids.insert(&id, IdEntry { leaf: turn.leaf, code, content: checked.content });
        }
        outcome
    }
}

impl Command {
    /// Steps 1 and 2, which leave the id unused.
    #[inline]
    fn authorise(&self, ledger: &Ledger, authority: &Authority<'_>) -> Result<(), Refusal> {
        match self {
            Self::Transfer(command) => command.authorise(ledger, authority),
            other => other.authorise_rare(ledger, authority),
        }
    }

    /// The commands that are no transfers, out of the way of those.
    #[inline(never)]
    fn authorise_rare(&self, ledger: &Ledger, authority: &Authority<'_>) -> Result<(), Refusal> {
        match self {
            Self::Transfer(_) => Ok(()),
            Self::Issue(command) => command.authorise(ledger, authority),
            Self::Redeem(command) => command.authorise(ledger, authority),
            Self::OpenAccount(command) => command.authorise(authority),
            Self::SetFloor(command) => command.authorise(ledger, authority),
            Self::SetAccountStatus(command) => command.authorise(ledger, authority),
            Self::AdmitParticipant(command) => command.check_form(),
            Self::AddAsset(_) | Self::ActivateRules(_) => Ok(()),
            // Where nothing can wait there is nothing to sign for: the rule decides, in its step.
            _ if !ledger.has_life_cycle() => Ok(()),
            Self::Approve(command) => command.authorise(ledger, authority),
            Self::Refuse(command) => command.authorise(ledger, authority),
            Self::Reveal(command) => command.authorise(ledger),
            Self::Cancel(command) => command.authorise(ledger, authority),
            Self::Reorder(command) => command.authorise(ledger, authority),
            Self::Propose(command) => command.authorise(ledger, authority),
            Self::Vote(command) => command.authorise(ledger, authority),
            Self::Withdraw(command) => command.authorise(ledger, authority),
            Self::Confirm(command) => command.authorise(ledger, authority),
            Self::AddKey(command) => command.authorise(authority),
            Self::RetireKey(command) => command.authorise(authority),
            Self::RevokeKey(command) => command.authorise(authority),
            Self::SetSealingKey(command) => command.authorise(authority),
            Self::SetFundingLimit(command) => command.authorise(ledger, authority),
            Self::SetLimit(command) => command.authorise(ledger, authority),
            Self::SetReservation(command) => command.authorise(ledger, authority),
            Self::SetAcceptance(command) => command.authorise(ledger, authority),
            Self::SetNotices(command) => command.authorise(ledger, authority),
            Self::Attest(command) => command.authorise(authority),
            Self::RecordAccess(command) => command.authorise(authority),
            Self::EraseDocument(command) => command.authorise(authority),
            Self::PlaceQuote(command) => command.authorise(ledger, authority),
            Self::WithdrawQuote(command) => command.authorise(ledger, authority),
            Self::Exchange(command) => command.authorise(ledger, authority),
            Self::ReturnExchange(command) => command.authorise(ledger, authority),
            Self::ReportCredit(command) => command.authorise(ledger, authority),
            Self::SetReporting(command) => command.authorise(ledger, authority),
        }
    }

    /// Steps 4 to 9 and, when none objects, the change.
    #[inline]
    fn check_and_apply(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        old: &OldIds<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Answer, Refusal> {
        if turn.time > turn.valid_until {
            return Err(Refusal::ValidityPassed);
        }
        let position = turn.position;
        let mut answer = Answer::Settled;
        let event = match self {
            Self::Transfer(command) if command.options.is_some() && ledger.has_life_cycle() => {
                answer = command.submit(ledger, turn, old)?;
                if answer.is_settled() {
                    ledger.expect_reports(command, turn.time);
                }
                Some(Event::of_transfer(position, turn.leaf, answer))
            }
            Self::Transfer(command) => {
                if command.check(ledger, turn.time)? == Course::Plain {
                    command.apply(ledger);
                } else {
                    answer = command.submit(ledger, turn, old)?;
                }
                if answer.is_settled() {
                    ledger.expect_reports(command, turn.time);
                }
                Some(Event::of_transfer(position, turn.leaf, answer))
            }
            other => {
                answer = other.check_and_apply_rare(ledger, turn, old, events)?;
                None
            }
        };
        events.extend(event);
        Ok(answer)
    }

    /// The commands that are no transfers, out of the way of those.
    #[inline(never)]
    fn check_and_apply_rare(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        old: &OldIds<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Answer, Refusal> {
        if !turn.authority.is_genesis()
            && let Some(of) = ledger.needs_second(self)
        {
            self.check_alone(ledger, turn)?;
            let answer = ledger.await_second(self, of, turn)?;
            if let Answer::Waiting(stage) = answer {
                events.push(Event::Waits { position: turn.position, leaf: turn.leaf, stage });
            }
            return Ok(answer);
        }
        if ledger.has_life_cycle() {
            match self {
                Self::Propose(command) => {
                    let answer = command.carry_out(ledger, turn, events)?;
                    if matches!(answer, Answer::Waiting(_)) {
                        events.push(Event::of_transfer(turn.position, turn.leaf, answer));
                    }
                    return Ok(answer);
                }
                Self::Vote(command) => {
                    let counted = command.carry_out(ledger, turn, events)?;
                    events.extend(counted.then_some(Event::Voted { position: turn.position }));
                    return Ok(Answer::Settled);
                }
                Self::Confirm(command) => {
                    command.carry_out(ledger, turn, events)?;
                    return Ok(Answer::Settled);
                }
                _ => {}
            }
        }
        events.extend(self.carry_out_alone(ledger, turn, old)?);
        Ok(Answer::Settled)
    }

    /// Only the checks of a command that may take two people.
    fn check_alone(&self, ledger: &Ledger, turn: &Turn<'_>) -> Result<(), Refusal> {
        match self {
            Self::Issue(command) => command.check(ledger),
            Self::Redeem(command) => command.check(ledger),
            Self::AddKey(command) => command.check(ledger, turn.time),
            Self::SetFundingLimit(command) => command.check(ledger),
            _ => Ok(()),
        }
    }

    /// The commands that are no transfers and no votes: all checks and the change.
    pub(crate) fn carry_out_alone(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        old: &OldIds<'_>,
    ) -> Result<Option<Event>, Refusal> {
        let position = turn.position;
        Ok(match self {
            Self::Issue(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::Settled { position, leaf: turn.leaf })
            }
            Self::Redeem(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::Settled { position, leaf: turn.leaf })
            }
            Self::OpenAccount(command) => {
                command.check(ledger)?;
                Some(Event::AccountOpened { position, number: command.apply(ledger) })
            }
            Self::SetFloor(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::FloorSet { position, account: command.account })
            }
            Self::SetAccountStatus(command) => {
                let changes = command.check(ledger)?;
                command.apply(ledger);
                changes.then_some(Event::AccountStatusSet {
                    position,
                    account: command.account,
                    status: command.status,
                })
            }
            Self::AdmitParticipant(command) => {
                command.check(ledger, &turn.authority)?;
                Some(Event::ParticipantAdmitted { position, number: command.apply(ledger) })
            }
            Self::AddAsset(command) => {
                command.check(ledger, &turn.authority)?;
                Some(Event::AssetAdded { position, number: command.apply(ledger) })
            }
            Self::ActivateRules(command) => {
                command.check(ledger, &turn.authority)?;
                command.apply(ledger);
                Some(Event::RulesActivated { position, version: command.version })
            }
            _ if !ledger.has_life_cycle() => return Err(Refusal::RuleNotActive),
            Self::Approve(command) => {
                let counted = command.carry_out(ledger, turn)?;
                counted.then_some(Event::Answered { position })
            }
            Self::Refuse(command) => {
                let counted = command.carry_out(ledger, turn)?;
                counted.then_some(Event::Answered { position })
            }
            Self::Reveal(command) => {
                let counted = command.carry_out(ledger, turn)?;
                counted.then_some(Event::Answered { position })
            }
            Self::Cancel(command) => {
                command.carry_out(ledger, turn)?;
                Some(Event::Answered { position })
            }
            Self::Reorder(command) => {
                command.carry_out(ledger, turn)?;
                Some(Event::Reordered { position })
            }
            Self::Withdraw(command) => {
                command.carry_out(ledger, turn);
                Some(Event::Withdrawn { position })
            }
            Self::AddKey(command) => {
                command.check(ledger, turn.time)?;
                command.apply(ledger, turn.leaf);
                Some(Event::KeysChanged { position, participant: command.participant })
            }
            Self::RetireKey(command) => {
                command.check(ledger, turn.time)?;
                command.apply(ledger, turn.leaf);
                Some(Event::KeysChanged { position, participant: command.participant })
            }
            Self::RevokeKey(command) => {
                command.check(ledger, turn.time)?;
                command.apply(ledger, turn.leaf);
                Some(Event::KeysChanged { position, participant: command.participant })
            }
            Self::SetSealingKey(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::KeysChanged { position, participant: command.participant })
            }
            Self::SetFundingLimit(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::FundingLimitSet { position, asset: command.asset })
            }
            // Carried out before, in their own ways.
            Self::Transfer(_) | Self::Propose(_) | Self::Vote(_) | Self::Confirm(_) => None,
            Self::SetLimit(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::LiquiditySet { position, account: command.account })
            }
            Self::SetReservation(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::LiquiditySet { position, account: command.account })
            }
            Self::SetAcceptance(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::LiquiditySet { position, account: command.account })
            }
            Self::SetNotices(command) => {
                command.check(ledger)?;
                command.apply(ledger);
                Some(Event::LiquiditySet { position, account: command.account })
            }
            Self::Attest(command) => {
                command.check(ledger)?;
                Some(Event::Attested { position, leaf: turn.leaf })
            }
            Self::RecordAccess(command) => {
                command.check(ledger)?;
                Some(Event::Attested { position, leaf: turn.leaf })
            }
            Self::EraseDocument(command) => {
                command.carry_out(ledger, turn, old)?;
                Some(Event::Attested { position, leaf: turn.leaf })
            }
            Self::PlaceQuote(command) => {
                command.carry_out(ledger, turn)?;
                Some(Event::QuotePlaced { position })
            }
            Self::WithdrawQuote(command) => {
                command.carry_out(ledger);
                Some(Event::QuoteWithdrawn { position })
            }
            Self::Exchange(command) => {
                command.carry_out(ledger, turn)?;
                let (from, to) = (command.debit, command.credit);
                ledger.expect_report_of(command.id, to, from, turn.time);
                Some(Event::Settled { position, leaf: turn.leaf })
            }
            Self::ReturnExchange(command) => {
                command.carry_out(ledger, turn, old)?;
                let (from, to) = (command.original.credit, command.credit);
                ledger.expect_report_of(command.id, to, from, turn.time);
                Some(Event::Settled { position, leaf: turn.leaf })
            }
            Self::ReportCredit(command) => {
                command.carry_out(ledger, turn)?;
                Some(Event::CreditReported { position })
            }
            Self::SetReporting(command) => {
                let account = command.account;
                let changes = command.carry_out(ledger)?;
                changes.then_some(Event::ReportingSet { position, account })
            }
        })
    }
}

#[cfg(test)]
mod tests;
