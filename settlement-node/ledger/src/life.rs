//! The life of a transfer that asks for more than "now or never" (rule version 2).
//!
//! ```text
//! submitted ─▶ refused
//!           ─▶ warehoused: not before its time; nothing is reserved
//!           ─▶ held: conditions are open; what each debtor that agreed pays in sum is reserved
//!           ─▶ queued: short of cover and asked to wait; nothing is reserved
//!           ─▶ settled
//! warehoused ─▶ held | queued | settled | released        held ─▶ queued | settled | released
//! queued ─▶ settled | released
//! ```
//!
//! Released is refused after waiting. Every step forward judges the transfer by the rules that a new one meets. At
//! the deadline, which each has, it is released; that is done by the time of a block, which is ordered like all
//! else. A hold becomes queued only when a debtor agrees that has no cover, and the transfer asked to be queued.
//! When the conditions of a hold are met it settles from what is reserved, or is released because an account may no
//! longer pay or receive.

use crate::account::Account;
use crate::answer::{Answer, Stage};
use crate::apply::Turn;
use crate::command::{OnShortage, Transfer, TransferOptions};
use crate::conditions::Marks;
use crate::id::{LedgerTime, ParticipantNumber, TransferId};
use crate::ids::{IdEntry, OldIds};
use crate::limits::DUE_PER_BLOCK_MAX;
use crate::progress::{Cause, Progress, number_as_content, resolution_id};
use crate::refusal::Refusal;
use crate::state::{Ledger, NetEffect};
use crate::waiting::{Waiting, agreed};

/// Where a transfer goes next.
enum Next {
    /// It goes on waiting, for what objects.
    Stay(Option<Refusal>),
    Settle,
    Wait(Stage),
    /// Warehoused until the assets open.
    WaitForOpening(LedgerTime),
    Release(Refusal),
}

impl Ledger {
    /// Begins a block: acts on the transfers whose time has come, the earliest first, at most 4,096 of them.
    ///
    /// Call it before the first batch of each block, also of a block without batches; `close_block` and `seal_block`
    /// end it. In rule version 1 nothing waits and both may be left out.
    ///
    /// # Panics
    /// When the block before was not closed and sealed.
    pub fn open_block(&mut self, time: LedgerTime) {
        assert!(self.progress.is_empty(), "the block before was closed");
        if !self.has_life_cycle() {
            return;
        }
        assert!(self.touched.is_empty(), "the block before was sealed");
        self.block_time = time;
        self.open_governance(time);
        self.open_fx_block(time);
        for _ in 0..DUE_PER_BLOCK_MAX {
            let Some(account) = self.liquidity.pop_wake(time) else { break };
            if self.authorised(account).queued {
                self.waiting.to_release.insert(account);
            }
        }
        for _ in 0..DUE_PER_BLOCK_MAX {
            match self.waiting.first_due() {
                Some((due, slot)) if due <= time => self.advance(slot, time, Cause::Time),
                _ => break,
            }
        }
    }

    /// Ends a block: releases queued transfers that found cover, tries offsetting, and returns what became of waiting transfers in it. `first_leaf` is the leaf of the record of the
    /// first of these, the others follow; the ends are remembered under `resolution_id` with these leaves.
    ///
    /// # Panics
    /// When a leaf number reaches 2^48 - 1.
    pub fn close_block(&mut self, first_leaf: u64) -> Vec<Progress> {
        if self.has_life_cycle() {
            self.gov.stamp(first_leaf);
            self.sweep_removed();
            self.release_queues(self.block_time);
            self.offset_queues(self.block_time);
            self.give_notices(self.block_time);
        }
        let progress = std::mem::take(&mut self.progress);
        let end = first_leaf.checked_add(progress.len() as u64);
        assert!(
            end.is_some_and(|end| end < crate::ids::GENESIS_LEAF),
            "leaf numbers are exhausted"
        );
        for (leaf, one) in (first_leaf..).zip(&progress) {
            if one.answer.is_final() {
                let content = number_as_content(one.leaf);
                let entry = IdEntry { leaf, code: one.answer.code(), content };
                self.ids.insert_derived(&resolution_id(&one.id), entry);
            }
        }
        progress
    }

    /// The next time at which a waiting transfer is to be looked at: a block with this time or a later one is needed
    /// then, even if nobody sends anything.
    #[must_use]
    pub fn next_due(&self) -> Option<LedgerTime> {
        let left_over = (!self.waiting.to_release.is_empty()).then_some(self.block_time);
        let due = self.waiting.first_due().map(|(due, _)| due);
        let decisions = self.gov.next_due(self.block_time);
        let wake = self.liquidity.first_wake();
        [left_over, due, wake, self.offset_due(), decisions, self.fx_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// How the transfer of this id ended that ended in this block or, as far as memory and `old` know, before.
    pub(crate) fn end_of(&self, id: &TransferId, old: &OldIds<'_>) -> Option<Answer> {
        let now = self.progress.iter().rev().find(|one| one.id == *id && one.answer.is_final());
        now.map(|one| one.answer).or_else(|| {
            let derived = resolution_id(id);
            self.ids.get(&derived).or_else(|| old.get(&derived)).map(|entry| entry.answer())
        })
    }

    /// Owners of the accounts that the transfer debits, leg by leg.
    pub(crate) fn owners_debited<'a>(
        &'a self,
        waiting: &'a Waiting,
    ) -> impl Iterator<Item = ParticipantNumber> + 'a {
        waiting.transfer.legs.as_slice().iter().map(|leg| self.authorised(leg.debit).owner)
    }

    /// Owners of the accounts that the transfer credits, leg by leg.
    pub(crate) fn owners_credited<'a>(
        &'a self,
        waiting: &'a Waiting,
    ) -> impl Iterator<Item = ParticipantNumber> + 'a {
        waiting.transfer.legs.as_slice().iter().map(|leg| self.authorised(leg.credit).owner)
    }

    /// Refuses what comes after the deadline but before a block has got round to it.
    pub(crate) fn check_still_open(&self, slot: u32, now: LedgerTime) -> Result<(), Refusal> {
        if now > self.waiting.at(slot).deadline() { Err(Refusal::DeadlinePassed) } else { Ok(()) }
    }

    /// Takes over the marks of a waiting transfer and does what follows: reserves the cover of debtors that agree
    /// with them, settles, queues or releases. Refuses, with nothing changed, where a debtor of a hold has no cover.
    pub(crate) fn take_marks(
        &mut self,
        slot: u32,
        marks: Marks,
        turn: &Turn<'_>,
    ) -> Result<(), Refusal> {
        let cause = Cause::Command(turn.leaf);
        let waiting = self.waiting.shared(slot);
        if waiting.stage == Stage::Held {
            waiting.transfer.net_effects(&mut self.net);
            let newly = |owner: ParticipantNumber| {
                waiting.agreed_with(&marks, owner) && !waiting.agreed(owner)
            };
            let part = (&waiting.transfer, waiting.priority);
            let funds = self
                .check_payment_limits(&waiting.transfer, newly)
                .and_then(|()| self.check_funds(part, newly, turn.time));
            if let Err(short) = funds {
                if waiting.options().on_shortage == OnShortage::Refuse || !short.may_pass() {
                    return Err(short);
                }
                self.unreserve(&waiting.transfer, |owner| waiting.agreed(owner));
                self.waiting.set_marks(slot, marks);
                self.move_to(slot, Stage::Queued, cause);
            } else {
                self.reserve(&waiting.transfer, newly);
                self.waiting.set_marks(slot, marks);
            }
        } else {
            self.waiting.set_marks(slot, marks);
        }
        drop(waiting);
        self.advance(slot, turn.time, cause);
        Ok(())
    }

    /// Does what can be done for a waiting transfer now.
    pub(crate) fn advance(&mut self, slot: u32, now: LedgerTime, cause: Cause) {
        let waiting = self.waiting.shared(slot);
        let next = self.judge(&waiting, now);
        let till = waiting.options().till.filter(|till| waiting.due <= *till && *till <= now);
        drop(waiting);
        match next {
            Next::Stay(objection) => {
                if matches!(
                    objection,
                    Some(Refusal::VelocityLimit | Refusal::VelocityLimitOfIssuer)
                ) {
                    self.wake_for(now);
                }
            }
            Next::WaitForOpening(opening) => {
                let due = self.waiting.at(slot).due_before(opening, now);
                self.waiting.look_again_at(slot, due);
                self.reindex(slot);
                self.tell_till(slot, till);
                return;
            }
            Next::Settle => return self.settle(slot, now, cause),
            Next::Release(reason) => return self.release(slot, reason, cause),
            Next::Wait(stage) => {
                if stage == Stage::Held {
                    let waiting = self.waiting.shared(slot);
                    self.reserve(&waiting.transfer, |owner| waiting.agreed(owner));
                }
                self.move_to(slot, stage, cause);
            }
        }
        self.waiting.reschedule(slot, now);
        self.reindex(slot);
        self.tell_till(slot, till);
    }

    /// Warns that a time has come at which a transfer still waits.
    fn tell_till(&mut self, slot: u32, till: Option<LedgerTime>) {
        if till.is_some() {
            let waiting = self.waiting.shared(slot);
            self.tell(&waiting, Answer::Waiting(waiting.stage), Cause::Till);
        }
    }

    /// Decides; changes nothing but the list of net effects, which it leaves for what follows.
    fn judge(&mut self, waiting: &Waiting, now: LedgerTime) -> Next {
        let met = waiting.open_conditions(now).next().is_none();
        if now > waiting.deadline() {
            let queued = waiting.stage == Stage::Queued;
            return Next::Release(if met && queued {
                self.why_not_settled(waiting, now)
            } else {
                Refusal::ConditionsNotMet
            });
        }
        let starts = waiting.stage == Stage::Warehoused;
        if starts && waiting.options().not_before.is_some_and(|start| start > now) {
            return Next::Stay(None);
        }
        if !met && !starts {
            return Next::Stay(None);
        }
        if let Err(reason) = waiting.transfer.check_legs(self) {
            return Next::Release(reason);
        }
        if starts && let Some(opening) = self.opening(waiting.transfer.legs.as_slice()) {
            let waits = waiting.options().on_shortage == OnShortage::Queue;
            return if waits && opening <= waiting.deadline() {
                Next::WaitForOpening(opening)
            } else {
                Next::Release(Refusal::CutOffPassed)
            };
        }
        let agreed = |owner| waiting.agreed(owner);
        if waiting.stage != Stage::Held
            && let Err(reason) = self.check_payment_limits(&waiting.transfer, agreed)
        {
            return Next::Release(reason);
        }
        let covered = match (waiting.stage, waiting.options().on_shortage) {
            (Stage::Held, _) => Ok(()),
            (_, OnShortage::Queue) if self.yields(waiting.priority) => {
                Err(Refusal::InsufficientCover)
            }
            _ => self.check_funds((&waiting.transfer, waiting.priority), agreed, now),
        };
        match (covered, waiting.options().on_shortage) {
            (Ok(()), _) if met => Next::Settle,
            (Ok(()), _) => Next::Wait(Stage::Held),
            (Err(_), OnShortage::Queue) if starts => Next::Wait(Stage::Queued),
            (Err(short), OnShortage::Queue) => Next::Stay(Some(short)),
            (Err(short), OnShortage::Refuse) => Next::Release(short),
        }
    }

    /// Why a queued transfer whose time is over had not settled: the limit that objects, or the want of cover.
    fn why_not_settled(&mut self, waiting: &Waiting, now: LedgerTime) -> Refusal {
        let mut net = std::mem::take(&mut self.net);
        waiting.transfer.net_effects(&mut net);
        self.net = net;
        match self.check_funds((&waiting.transfer, waiting.priority), |_| true, now) {
            Ok(()) | Err(Refusal::InsufficientCover) => Refusal::CoverNotFound,
            Err(limit) => limit,
        }
    }

    fn settle(&mut self, slot: u32, now: LedgerTime, cause: Cause) {
        self.unindex(slot);
        let waiting = self.waiting.remove(slot);
        waiting.transfer.net_effects(&mut self.net);
        if waiting.stage == Stage::Held {
            self.unreserve(&waiting.transfer, |_| true);
        }
        self.post_net();
        self.count_settled(&waiting.transfer, now);
        self.tell(&waiting, Answer::Settled, cause);
    }

    /// Ends a waiting transfer without settling it; gives back what it reserved.
    pub(crate) fn release(&mut self, slot: u32, reason: Refusal, cause: Cause) {
        self.unindex(slot);
        let waiting = self.waiting.remove(slot);
        if waiting.stage == Stage::Held {
            waiting.transfer.net_effects(&mut self.net);
            self.unreserve(&waiting.transfer, |owner| waiting.agreed(owner));
        }
        self.tell(&waiting, Answer::Refused(reason), cause);
    }

    fn move_to(&mut self, slot: u32, stage: Stage, cause: Cause) {
        self.waiting.set_stage(slot, stage);
        let waiting = self.waiting.shared(slot);
        self.tell(&waiting, Answer::Waiting(stage), cause);
    }

    pub(crate) fn tell(&mut self, waiting: &Waiting, answer: Answer, cause: Cause) {
        let (id, leaf) = (waiting.transfer.id, waiting.leaf);
        if answer.is_settled() {
            self.expect_reports(&waiting.transfer, self.block_time);
        }
        self.progress.push(Progress { id, leaf, answer, cause });
    }

    /// Cover, among the net effects, of the accounts whose owner `of` names. What could not be counted as held, at
    /// the very bound of all balances, is not covered.
    pub(crate) fn check_cover(
        &self,
        of: impl Fn(ParticipantNumber) -> bool,
    ) -> Result<(), Refusal> {
        let short = |effect: &NetEffect| {
            let account: &Account = self.authorised(effect.account);
            let uncovered = account.available().minor() < -effect.change
                || account.held.checked_add(-effect.change).is_none();
            effect.change < 0 && of(account.owner) && uncovered
        };
        if self.net.iter().any(short) { Err(Refusal::InsufficientCover) } else { Ok(()) }
    }

    /// Reserves what the net effects take from accounts whose owner `of` names; their cover was checked.
    fn reserve(&mut self, transfer: &Transfer, of: impl Fn(ParticipantNumber) -> bool + Copy) {
        self.change_held(of, 1);
        self.change_pending(transfer, of, 1);
    }

    /// Gives back what was reserved.
    fn unreserve(&mut self, transfer: &Transfer, of: impl Fn(ParticipantNumber) -> bool + Copy) {
        self.change_held(of, -1);
        self.change_pending(transfer, of, -1);
    }

    fn change_held(&mut self, of: impl Fn(ParticipantNumber) -> bool, sign: i128) {
        let net = std::mem::take(&mut self.net);
        for effect in net.iter().filter(|effect| effect.change < 0) {
            if of(self.authorised(effect.account).owner) {
                let account = self.account_mut(effect.account);
                let held = account.held.checked_add(-effect.change * sign);
                account.held =
                    held.expect("what is held was available, so it is within the bounds");
            }
        }
        self.net = net;
    }

    /// Posts the net effects, which were checked.
    pub(crate) fn post_net(&mut self) {
        let net = std::mem::take(&mut self.net);
        for effect in &net {
            self.post(effect.account, effect.change);
        }
        self.net = net;
    }
}

impl Transfer {
    /// Takes a new transfer with options, or between accounts with settings, in rule version 2: settles it, lets it
    /// wait, or refuses it.
    #[inline(never)]
    pub(crate) fn submit(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        old: &OldIds<'_>,
    ) -> Result<Answer, Refusal> {
        let nothing = TransferOptions::default();
        self.options.as_deref().unwrap_or(&nothing).check(ledger, turn.time)?;
        self.check_legs(ledger)?;
        let returns = self.check_return(ledger, old)?;
        let accepted = ledger.with_acceptance(self, &turn.authority, turn.time)?;
        let transfer = accepted.as_ref().unwrap_or(self);
        let options = transfer.options.as_deref().unwrap_or(&nothing);
        let marks = Marks::of_signers(&options.conditions, &turn.authority);
        let met = {
            let mut each = options.conditions.iter().enumerate();
            each.all(|(at, condition)| marks.is_met(at, condition, turn.time))
        };
        let starts_later = options.not_before.is_some_and(|start| start > turn.time);
        let opening = if starts_later { None } else { ledger.opening(self.legs.as_slice()) };
        let until = options.deadline.filter(|_| options.on_shortage == OnShortage::Queue);
        if opening.is_some_and(|opening| until.is_none_or(|until| opening > until)) {
            return Err(Refusal::CutOffPassed);
        }
        let has_agreed = |owner| agreed(&options.conditions, &marks, owner);
        ledger.check_payment_limits(transfer, has_agreed)?;
        let stage = if starts_later || opening.is_some() {
            Stage::Warehoused
        } else {
            let queues = options.on_shortage == OnShortage::Queue;
            match ledger.check_funds((transfer, options.priority), has_agreed, turn.time) {
                Ok(()) if queues && ledger.yields(options.priority) => Stage::Queued,
                Ok(()) if met => {
                    ledger.post_net();
                    ledger.count_settled(transfer, turn.time);
                    if let Some(returns) = returns {
                        returns.remember(ledger, turn.leaf);
                    }
                    return Ok(Answer::Settled);
                }
                Ok(()) => Stage::Held,
                Err(_) if queues => Stage::Queued,
                Err(short) => return Err(short),
            }
        };
        if !ledger.waiting.has_room(turn.submitter) {
            return Err(Refusal::TooManyWaiting);
        }
        if stage == Stage::Held {
            ledger.reserve(transfer, has_agreed);
        }
        let order = ledger.waiting.next_order;
        ledger.waiting.next_order += 1;
        let mut waiting = Waiting {
            transfer: transfer.clone(),
            leaf: turn.leaf,
            submitter: turn.submitter,
            stage,
            priority: options.priority,
            order,
            due: LedgerTime(0),
            marks,
        };
        waiting.due = match opening {
            Some(opening) => waiting.due_before(opening, turn.time),
            None => waiting.next_due(turn.time),
        };
        let slot = ledger.waiting.insert(waiting);
        ledger.reindex(slot);
        Ok(Answer::Waiting(stage))
    }
}
