//! The naive model of what waits: a list, looked through from end to end for every question.
//!
//! What is reserved is never written down: it is summed up from the list whenever somebody asks. Approvals are a
//! list of who signed what; a condition is judged from that list anew each time.

mod ends;
mod release;

use std::collections::BTreeMap;

use ledger::{
    Answer, Approver, Authorisation, Condition, LedgerTime, OnShortage, ParticipantState, Position,
    Priority, Refusal, Stage, Transfer, TransferId, TransferOptions,
};

use super::{Model, ModelTurn, pays, positive, receives};

#[derive(Debug, Clone)]
pub(crate) struct ModelWaiting {
    pub(crate) transfer: Transfer,
    pub(crate) stage: Stage,
    /// The lowest number that no other had when it came.
    place: u32,
    /// Who said yes, and no; `None` in the first list is everybody (genesis).
    yes: Vec<Authorisation>,
    no: Vec<Authorisation>,
    shown: Vec<ledger::Digest>,
    looked_at: u64,
    /// Warehoused until an asset opens.
    opens: Option<u64>,
    priority: Priority,
    /// Its place within the priority; lower is earlier.
    order: i64,
}

impl ModelWaiting {
    fn options(&self) -> &TransferOptions {
        self.transfer.options.as_ref().unwrap()
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.options().deadline.unwrap().0
    }

    fn due(&self) -> u64 {
        if let (Stage::Warehoused, Some(opens)) = (self.stage, self.opens) {
            let till = self.options().till.map(|till| till.0).filter(|till| *till > self.looked_at);
            return till.map_or(opens, |till| till.min(opens));
        }
        let mut times = vec![self.deadline() + 1];
        if self.stage == Stage::Warehoused {
            times.push(self.options().not_before.unwrap().0);
        }
        times.extend(self.options().till.map(|till| till.0));
        times.extend(self.options().conditions.iter().filter_map(|one| match one {
            Condition::NotBefore(time) => Some(time.0),
            _ => None,
        }));
        times.into_iter().filter(|time| *time > self.looked_at).min().unwrap()
    }

    fn met(&self, condition: &Condition, now: u64) -> bool {
        match condition {
            Condition::NotBefore(time) => time.0 <= now,
            Condition::Preimage { sha256 } => self.shown.contains(sha256),
            people => said(people, &self.yes).len() >= needed(people),
        }
    }

    /// It waits for cover alone, as far as was known when it was last looked at.
    fn ready(&self) -> bool {
        self.stage == Stage::Queued && self.all_met(self.looked_at)
    }

    fn debits(&self) -> Vec<u32> {
        net(&self.transfer).into_iter().filter(|(_, sum)| *sum < 0).map(|(at, _)| at).collect()
    }

    pub(crate) fn all_met(&self, now: u64) -> bool {
        self.options().conditions.iter().all(|one| self.met(one, now))
    }

    pub(crate) fn agreed(&self, owner: u32) -> bool {
        self.options().conditions.iter().all(|one| match one {
            Condition::Approval { participant } if participant.0 == owner => self.met(one, 0),
            _ => true,
        })
    }
}

fn members(condition: &Condition) -> Vec<Approver> {
    match condition {
        Condition::Approval { participant } => vec![Approver::Participant(*participant)],
        Condition::KeyApproval { key } => vec![Approver::Key(*key)],
        Condition::Threshold { of, .. } => of.clone(),
        _ => Vec::new(),
    }
}

fn needed(condition: &Condition) -> usize {
    match condition {
        Condition::Threshold { k, .. } => usize::from(*k),
        _ => 1,
    }
}

/// The members of a condition that are among these signers.
fn said(condition: &Condition, signers: &[Authorisation]) -> Vec<Approver> {
    let among = |member: &Approver| {
        signers.iter().any(|one| match member {
            Approver::Participant(number) => one.participant == *number,
            Approver::Key(key) => one.key == *key,
        })
    };
    members(condition).into_iter().filter(among).collect()
}

pub(crate) fn net(transfer: &Transfer) -> BTreeMap<u32, i128> {
    let mut sums = BTreeMap::new();
    for leg in transfer.legs.as_slice() {
        *sums.entry(leg.debit.0).or_default() -= i128::from(leg.amount.minor());
        *sums.entry(leg.credit.0).or_default() += i128::from(leg.amount.minor());
    }
    sums
}

impl Model {
    pub(crate) fn held(&self, account: u32) -> i128 {
        let holds = self.waiting.iter().filter(|one| one.stage == Stage::Held);
        let of = |one: &ModelWaiting| {
            let change = net(&one.transfer).get(&account).copied().unwrap_or(0);
            if one.agreed(self.accounts[&account].owner) { -change.min(0) } else { 0 }
        };
        holds.map(of).sum()
    }

    pub(crate) fn available(&self, account: u32) -> i128 {
        let of = &self.accounts[&account];
        of.balance - of.floor - self.held(account)
    }

    /// One of higher priority waits for an account that the transfer debits.
    fn yields(&self, transfer: &Transfer, priority: Priority) -> bool {
        let debits: Vec<u32> =
            net(transfer).into_iter().filter(|(_, sum)| *sum < 0).map(|(at, _)| at).collect();
        self.waiting.iter().any(|one| {
            let shared = one.debits().iter().any(|account| debits.contains(account));
            one.ready() && shared && one.priority < priority
        })
    }

    /// It could settle alone now.
    fn could_settle(&self, one: &ModelWaiting) -> bool {
        one.ready()
            && self.legs(&one.transfer).is_ok()
            && self.payment_limit(&one.transfer, |_| true).is_ok()
            && self.objection(&[(&one.transfer, one.priority)], |_| true).is_none()
            && !self.yields(&one.transfer, one.priority)
    }

    fn move_money(&mut self, transfer: &Transfer) {
        for (account, change) in net(transfer) {
            self.accounts.entry(account).and_modify(|one| one.balance += change);
        }
        self.note_settled(transfer);
    }

    pub(crate) fn legs(&self, transfer: &Transfer) -> Result<(), Refusal> {
        let legs = transfer.legs.as_slice();
        if legs.iter().any(|leg| leg.debit == leg.credit) {
            return Err(Refusal::SameAccount);
        }
        for leg in legs {
            let debit = self.accounts.get(&leg.debit.0).ok_or(Refusal::UnknownDebitAccount)?;
            let credit = self.accounts.get(&leg.credit.0).ok_or(Refusal::UnknownCreditAccount)?;
            if debit.asset != credit.asset {
                return Err(Refusal::AssetMismatch);
            }
            pays(debit)?;
            receives(credit)?;
        }
        self.standing(transfer)?;
        legs.iter().try_for_each(|leg| positive(leg.amount.minor()))?;
        self.within_limits(transfer)
    }

    fn times(&self, options: &TransferOptions, now: u64) -> Result<(), Refusal> {
        let waits = options.not_before.is_some()
            || options.on_shortage == OnShortage::Queue
            || !options.conditions.is_empty();
        let Some(deadline) = options.deadline else {
            return if waits { Err(Refusal::DeadlineMissing) } else { Ok(()) };
        };
        if now > deadline.0 {
            return Err(Refusal::DeadlinePassed);
        }
        if !waits {
            return Ok(());
        }
        if deadline.0 - now > 400 * 24 * 3600 * 1_000_000_000 {
            return Err(Refusal::DeadlineTooFar);
        }
        let late = |time: &LedgerTime| *time > deadline;
        let late_condition =
            |one: &Condition| matches!(one, Condition::NotBefore(time) if late(time));
        if options.not_before.as_ref().is_some_and(late)
            || options.conditions.iter().any(late_condition)
        {
            return Err(Refusal::StartAfterDeadline);
        }
        if options.till.as_ref().is_some_and(late) {
            return Err(Refusal::TillAfterDeadline);
        }
        for condition in &options.conditions {
            let members = members(condition);
            for member in &members {
                match member {
                    Approver::Participant(one) if one.0 as usize >= self.participants.len() => {
                        return Err(Refusal::UnknownParticipant);
                    }
                    Approver::Key(key) if !self.is_anybodys_key(key, now) => {
                        return Err(Refusal::UnknownKey);
                    }
                    _ => {}
                }
            }
            if members.iter().enumerate().any(|(at, one)| members[..at].contains(one)) {
                return Err(Refusal::ApproverTwice);
            }
        }
        Ok(())
    }

    /// A new transfer with options.
    pub(crate) fn submit(
        &mut self,
        turn: &ModelTurn<'_>,
        transfer: &Transfer,
    ) -> Result<u16, Refusal> {
        let nothing = Box::default();
        let now = turn.now.0;
        self.times(transfer.options.as_ref().unwrap_or(&nothing), now)?;
        self.legs(transfer)?;
        self.check_return(transfer)?;
        let mut transfer = self.as_accepted(turn, transfer)?;
        transfer.options.get_or_insert_default();
        let transfer = &transfer;
        let options = transfer.options.as_ref().unwrap();
        let place = (0..).find(|at| self.waiting.iter().all(|one| one.place != *at)).unwrap();
        let mut new = ModelWaiting {
            transfer: transfer.clone(),
            stage: Stage::Held,
            place,
            yes: turn.signers.unwrap_or_default().to_vec(),
            no: Vec::new(),
            shown: Vec::new(),
            looked_at: now,
            opens: None,
            priority: options.priority,
            order: self.next_order,
        };
        let queues = options.on_shortage == OnShortage::Queue;
        let starts_later = options.not_before.is_some_and(|start| start.0 > now);
        if !starts_later {
            new.opens = self.hours(transfer, now)?;
        }
        self.payment_limit(transfer, |owner| new.agreed(owner))?;
        let part = [(transfer, options.priority)];
        let objection = self.objection(&part, |owner| new.agreed(owner));
        if starts_later || new.opens.is_some() {
            new.stage = Stage::Warehoused;
        } else if queues && self.yields(transfer, options.priority) {
            new.stage = Stage::Queued;
        } else if let Some(objection) = objection {
            if !queues {
                return Err(objection);
            }
            new.stage = Stage::Queued;
        } else if new.all_met(now) {
            self.move_money(transfer);
            if let Some(original) = options.returns {
                self.returned.push((original, transfer.clone()));
            }
            return Ok(1);
        }
        let code = new.stage as u16;
        self.next_order += 1;
        self.waiting.push(new);
        Ok(code)
    }

    fn place_of(&self, id: &TransferId) -> Option<usize> {
        self.waiting.iter().position(|one| one.transfer.id == *id)
    }

    /// Who may speak about a waiting transfer: named approvers, receivers, debtors.
    pub(crate) fn may_speak(
        &self,
        command: &ledger::Command,
        signers: &[Authorisation],
    ) -> Result<(), Refusal> {
        let id = match command {
            ledger::Command::Approve(one) => one.transfer,
            ledger::Command::Refuse(one) => one.transfer,
            ledger::Command::Cancel(one) => one.transfer,
            ledger::Command::Reveal(one) => one.transfer,
            ledger::Command::Reorder(one) => one.transfer,
            _ => return Ok(()),
        };
        let known = |id| self.answered.iter().any(|(known, ..)| *known == id);
        let at = match (self.place_of(&id), command) {
            (Some(at), _) => at,
            (None, ledger::Command::Reorder(one)) if known(one.id) => return Ok(()),
            _ => return Err(Refusal::NotWaiting),
        };
        let waiting = &self.waiting[at];
        let named = waiting.options().conditions.iter().any(|one| !said(one, signers).is_empty());
        let signed = |account: u32| {
            signers.iter().any(|one| one.participant.0 == self.accounts[&account].owner)
        };
        let legs = waiting.transfer.legs.as_slice();
        let allowed = match command {
            ledger::Command::Approve(_) => named,
            ledger::Command::Refuse(_) => named || legs.iter().any(|leg| signed(leg.credit.0)),
            ledger::Command::Cancel(_) | ledger::Command::Reorder(_) => {
                legs.iter().any(|leg| signed(leg.debit.0))
            }
            _ => true,
        };
        if allowed { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    pub(crate) fn answer(
        &mut self,
        turn: &ModelTurn<'_>,
        command: &ledger::Command,
    ) -> Result<(), Refusal> {
        let signers = turn.signers.unwrap_or_default();
        let id = match command {
            ledger::Command::Approve(one) => one.transfer,
            ledger::Command::Refuse(one) => one.transfer,
            ledger::Command::Cancel(one) => one.transfer,
            ledger::Command::Reveal(one) => one.transfer,
            ledger::Command::Reorder(one) => one.transfer,
            _ => unreachable!("an answer"),
        };
        let at = self.place_of(&id).ok_or(Refusal::NotWaiting)?;
        let mut after = self.waiting[at].clone();
        if turn.now.0 > after.deadline() {
            return Err(Refusal::DeadlinePassed);
        }
        let conditions = after.options().conditions.clone();
        let contradicts = |list: &[Authorisation]| {
            conditions.iter().any(|one| {
                let now = said(one, signers);
                said(one, list).iter().any(|member| now.contains(member))
            })
        };
        if let ledger::Command::Reorder(reorder) = command {
            let orders = self.waiting.iter().map(|one| one.order);
            after.priority = reorder.priority;
            match reorder.position {
                Position::Keep => {}
                Position::First => after.order = orders.min().unwrap() - 1,
                Position::Last => {
                    after.order = self.next_order;
                    self.next_order += 1;
                }
            }
            self.waiting[at] = after;
            return Ok(());
        }
        match command {
            ledger::Command::Approve(_) => {
                if contradicts(&after.no) {
                    return Err(Refusal::AlreadyAnswered);
                }
                after.yes.extend_from_slice(signers);
            }
            ledger::Command::Reveal(reveal) => {
                let sha256 = ledger::Digest::of(&reveal.preimage);
                if !conditions.contains(&Condition::Preimage { sha256 }) {
                    return Err(Refusal::WrongPreimage);
                }
                after.shown.push(sha256);
            }
            ledger::Command::Refuse(_) => {
                if contradicts(&after.yes) {
                    return Err(Refusal::AlreadyAnswered);
                }
                after.no.extend_from_slice(signers);
                let receives = after.transfer.legs.as_slice().iter().any(|leg| {
                    let owner = self.accounts[&leg.credit.0].owner;
                    signers.iter().any(|one| one.participant.0 == owner)
                });
                let hopeless = conditions.iter().any(|one| {
                    let all = members(one).len();
                    all > 0 && all - said(one, &after.no).len() < needed(one)
                });
                if receives || hopeless {
                    self.end(at, Answer::Refused(Refusal::RefusedByParty));
                } else {
                    self.waiting[at] = after;
                }
                return Ok(());
            }
            _ => {
                let parties = after.transfer.legs.as_slice().iter();
                let all = parties.flat_map(|leg| [leg.debit.0, leg.credit.0]).all(|account| {
                    let owner = self.accounts[&account].owner;
                    signers.iter().any(|one| one.participant.0 == owner)
                        || matches!(
                            self.state(owner),
                            ParticipantState::Blocked | ParticipantState::Removed
                        )
                });
                if after.stage == Stage::Held && !all {
                    return Err(Refusal::HoldBinds);
                }
                self.end(at, Answer::Refused(Refusal::Cancelled));
                return Ok(());
            }
        }
        let before = self.waiting[at].clone();
        let new_word = conditions.iter().any(|one| {
            said(one, &after.yes).len() > said(one, &before.yes).len()
                || matches!(one, Condition::Preimage { .. })
                    && after.met(one, 0) != before.met(one, 0)
        });
        if !new_word {
            return Ok(());
        }
        if after.stage == Stage::Held {
            let newly = |owner: u32| after.agreed(owner) && !before.agreed(owner);
            self.payment_limit(&after.transfer, newly)?;
            if let Some(objection) = self.objection(&[(&after.transfer, after.priority)], newly) {
                if after.options().on_shortage == OnShortage::Refuse {
                    return Err(objection);
                }
                after.stage = Stage::Queued;
                self.came.push((id, Stage::Queued as u16));
            }
        }
        self.waiting[at] = after;
        self.look_at(at, turn.now.0);
        Ok(())
    }

    fn end(&mut self, at: usize, answer: Answer) {
        let gone = self.waiting.remove(at);
        self.came.push((gone.transfer.id, answer.code()));
        self.ended.push((gone.transfer.id, answer.code()));
    }

    fn look_at(&mut self, at: usize, now: u64) {
        let one = self.waiting[at].clone();
        let met = one.all_met(now);
        if now > one.deadline() {
            let reason = if met && one.stage == Stage::Queued {
                match self.objection(&[(&one.transfer, one.priority)], |_| true) {
                    None | Some(Refusal::InsufficientCover) => Refusal::CoverNotFound,
                    Some(limit) => limit,
                }
            } else {
                Refusal::ConditionsNotMet
            };
            return self.end(at, Answer::Refused(reason));
        }
        self.waiting[at].looked_at = now;
        self.take_further(at, &one, met, now);
        let till = one.options().till.is_some_and(|till| one.looked_at < till.0 && till.0 <= now);
        if let Some(at) = self.place_of(&one.transfer.id).filter(|_| till) {
            self.came.push((one.transfer.id, self.waiting[at].stage as u16));
        }
    }

    fn take_further(&mut self, at: usize, one: &ModelWaiting, met: bool, now: u64) {
        let starts = one.stage == Stage::Warehoused;
        if starts && one.options().not_before.is_some_and(|start| start.0 > now) || !starts && !met
        {
            return;
        }
        if let Err(reason) = self.legs(&one.transfer) {
            return self.end(at, Answer::Refused(reason));
        }
        if starts {
            match self.hours(&one.transfer, now) {
                Ok(None) => {}
                Ok(opens) => {
                    self.waiting[at].opens = opens;
                    return;
                }
                Err(reason) => return self.end(at, Answer::Refused(reason)),
            }
        }
        let allowed = self.payment_limit(&one.transfer, |owner| one.agreed(owner));
        if let Some(reason) = allowed.err().filter(|_| one.stage != Stage::Held) {
            return self.end(at, Answer::Refused(reason));
        }
        let yields = one.options().on_shortage == OnShortage::Queue
            && self.yields(&one.transfer, one.priority);
        let part = [(&one.transfer, one.priority)];
        let objection = self.objection(&part, |owner| one.agreed(owner));
        if one.stage != Stage::Held && (yields || objection.is_some()) {
            match one.options().on_shortage {
                OnShortage::Refuse => {
                    self.end(at, Answer::Refused(objection.unwrap()));
                }
                OnShortage::Queue if starts => self.set_stage(at, Stage::Queued),
                OnShortage::Queue => {}
            }
        } else if met {
            self.end(at, Answer::Settled);
            self.move_money(&one.transfer);
        } else {
            self.set_stage(at, Stage::Held);
        }
    }

    fn set_stage(&mut self, at: usize, stage: Stage) {
        self.waiting[at].stage = stage;
        self.came.push((self.waiting[at].transfer.id, stage as u16));
    }

    /// The beginning of a block.
    pub(crate) fn pass(&mut self, now: u64) {
        self.expire(now);
        self.liquidity.now = now;
        self.fx_pass(now);
        loop {
            let each = self.waiting.iter().enumerate().map(|(at, one)| (one.due(), one.place, at));
            match each.min() {
                Some((due, _, at)) if due <= now => self.look_at(at, now),
                _ => return,
            }
        }
    }
}
