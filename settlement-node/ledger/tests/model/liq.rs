//! The naive model of limits, reservations, acceptance and notices.
//!
//! It keeps every transfer that ever settled, with its time, and adds up from that list whatever a limit asks: what was
//! taken since the limit began to count, what went to somebody and came from there. Holds are added up from the list of
//! what waits.

use std::collections::BTreeMap;

use ledger::{
    Command, Condition, LedgerTime, Limit, LimitSetter, NoticeKind, Pace, ParticipantNumber,
    Priority, Refusal, SetLimit, Stage, Transfer,
};

use super::waiting::{ModelWaiting, net};
use super::{Model, ModelTurn};

/// A limit and the number of settled transfers that it does not count.
#[derive(Debug, Clone, Copy)]
struct Since<T> {
    limit: T,
    from: usize,
}

#[derive(Debug, Clone, Default)]
struct Settings {
    payment: [Option<u64>; 2],
    pace: [Option<Since<Pace>>; 2],
    towards: BTreeMap<u32, Since<u64>>,
    all: Option<Since<u64>>,
    urgent: i128,
    high: i128,
    accepts_within: Option<u64>,
    floor: Option<i64>,
    ceiling: Option<i64>,
    was_below: bool,
    was_above: bool,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct ModelLiquidity {
    settings: BTreeMap<u32, Settings>,
    settled: Vec<(u64, Transfer)>,
    pub(crate) now: u64,
}

/// What one transfer pays from an account to each other participant.
fn paid(model: &Model, account: u32, transfer: &Transfer) -> BTreeMap<u32, i128> {
    let owner = |of: u32| model.accounts[&of].owner;
    let mut sums = BTreeMap::new();
    for leg in transfer.legs.as_slice() {
        let amount = i128::from(leg.amount.minor());
        if leg.debit.0 == account && owner(leg.credit.0) != owner(account) {
            *sums.entry(owner(leg.credit.0)).or_default() += amount;
        }
        if leg.credit.0 == account && owner(leg.debit.0) != owner(account) {
            *sums.entry(owner(leg.debit.0)).or_default() -= amount;
        }
    }
    sums
}

fn taken(account: u32, transfer: &Transfer) -> i128 {
    -net(transfer).get(&account).copied().unwrap_or(0).min(0)
}

impl Model {
    pub(crate) fn note_settled(&mut self, transfer: &Transfer) {
        let now = self.liquidity.now;
        self.liquidity.settled.push((now, transfer.clone()));
    }

    /// The transfer concerns an account about which something is set.
    pub(crate) fn has_settings(&self, transfer: &Transfer) -> bool {
        let accounts = transfer.legs.as_slice().iter().flat_map(|leg| [leg.debit.0, leg.credit.0]);
        accounts.into_iter().any(|one| self.liquidity.settings.contains_key(&one))
    }

    /// The transfer as its receivers want it who accept what comes.
    pub(crate) fn as_accepted(
        &self,
        turn: &ModelTurn<'_>,
        transfer: &Transfer,
    ) -> Result<Transfer, Refusal> {
        let mut wanted = transfer.clone();
        if transfer.options.as_ref().is_some_and(|options| options.returns.is_some()) {
            return Ok(wanted);
        }
        let signers = turn.signers.unwrap_or_default();
        for leg in transfer.legs.as_slice() {
            let owner = ParticipantNumber(self.accounts[&leg.credit.0].owner);
            let settings = self.liquidity.settings.get(&leg.credit.0);
            let Some(within) = settings.and_then(|settings| settings.accepts_within) else {
                continue;
            };
            if signers.iter().any(|one| one.participant == owner) {
                continue;
            }
            let options = wanted.options.get_or_insert_default();
            let mut start = turn.now.max(options.not_before.unwrap_or(turn.now));
            for condition in &options.conditions {
                if let Condition::NotBefore(time) = condition {
                    start = start.max(*time);
                }
            }
            let asked = Condition::Approval { participant: owner };
            if !options.conditions.contains(&asked) {
                options.conditions.push(asked);
            }
            let end = LedgerTime(start.0 + within);
            options.deadline = Some(options.deadline.unwrap_or(end).min(end));
        }
        let conditions = wanted.options.as_ref().map_or(0, |options| options.conditions.len());
        if conditions > 16 { Err(Refusal::TooManyAcceptances) } else { Ok(wanted) }
    }

    /// The limit of one payment that the transfer passes.
    pub(crate) fn payment_limit(
        &self,
        transfer: &Transfer,
        of: impl Fn(u32) -> bool,
    ) -> Result<(), Refusal> {
        for leg in transfer.legs.as_slice() {
            let Some(settings) = self.liquidity.settings.get(&leg.debit.0) else { continue };
            let takes = taken(leg.debit.0, transfer);
            let passed = settings.payment.map(|most| most.is_some_and(|most| takes > most.into()));
            match passed {
                _ if !of(self.accounts[&leg.debit.0].owner) => {}
                [true, _] => return Err(Refusal::PaymentLimit),
                [_, true] => return Err(Refusal::PaymentLimitOfIssuer),
                _ => {}
            }
        }
        Ok(())
    }

    /// What stands against these transfers being paid at this moment: cover, reservations, limits, in this order.
    pub(crate) fn objection(
        &self,
        group: &[(&Transfer, Priority)],
        of: impl Fn(u32) -> bool,
    ) -> Option<Refusal> {
        let mut debited: Vec<u32> = Vec::new();
        for (transfer, _) in group {
            for leg in transfer.legs.as_slice() {
                if of(self.accounts[&leg.debit.0].owner) && !debited.contains(&leg.debit.0) {
                    debited.push(leg.debit.0);
                }
            }
        }
        let changes = |account: u32| {
            group.iter().map(move |(transfer, priority)| {
                (net(transfer).get(&account).copied().unwrap_or(0), *priority)
            })
        };
        let uncovered = debited.iter().any(|at| {
            let sum: i128 = changes(*at).map(|(change, _)| change).sum();
            sum < 0 && self.available(*at) + sum < 0
        });
        if uncovered {
            return Some(Refusal::InsufficientCover);
        }
        let set: Vec<(u32, &Settings)> = debited
            .iter()
            .filter_map(|at| self.liquidity.settings.get(at).map(|settings| (*at, settings)))
            .collect();
        for (at, settings) in &set {
            let comes: i128 = changes(*at).map(|(change, _)| change.max(0)).sum();
            let kept = [
                (Priority::High, settings.urgent),
                (Priority::Normal, settings.urgent + settings.high),
            ];
            for (from, kept) in kept {
                let goes: i128 = changes(*at)
                    .filter(|(_, priority)| *priority >= from)
                    .map(|(change, _)| -change.min(0))
                    .sum();
                if goes > 0 && goes > (self.available(*at) - kept).max(0) + comes {
                    return Some(Refusal::CoverReserved);
                }
            }
        }
        for (at, settings) in &set {
            let goes: i128 = group.iter().map(|(transfer, _)| taken(*at, transfer)).sum();
            let whose = [Refusal::VelocityLimit, Refusal::VelocityLimitOfIssuer];
            for (pace, refusal) in settings.pace.iter().zip(whose) {
                let Some(pace) = pace else { continue };
                let before = self.taken_within(*at, pace) + self.held(*at);
                if goes > 0 && before + goes > pace.limit.amount.into() {
                    return Some(refusal);
                }
            }
        }
        set.iter().find_map(|(at, settings)| self.owes_too_much(*at, settings, group))
    }

    /// What the settings let an account pay by one transfer, to somebody or, if that is open, to anybody.
    pub(crate) fn room(&self, account: u32, to: Option<u32>) -> i128 {
        let Some(settings) = self.liquidity.settings.get(&account) else { return i128::MAX };
        let owner = self.accounts[&account].owner;
        let mut rooms = vec![(self.available(account) - settings.urgent - settings.high).max(0)];
        rooms.extend(settings.payment.into_iter().flatten().map(i128::from));
        for pace in settings.pace.iter().flatten() {
            let before = self.taken_within(account, pace) + self.held(account);
            rooms.push(i128::from(pace.limit.amount) - before);
        }
        // Nothing is held where there are exchanges, so what has settled is all.
        let settled = |since: &Since<u64>, of: &dyn Fn(&Transfer) -> i128| -> i128 {
            self.liquidity.settled[since.from..].iter().map(|(_, one)| of(one)).sum()
        };
        for (towards, since) in settings.towards.iter().filter(|_| to != Some(owner)) {
            if to.is_none_or(|to| to == *towards) {
                let of =
                    |one: &Transfer| paid(self, account, one).get(towards).copied().unwrap_or(0);
                rooms.push(i128::from(since.limit) - settled(since, &of));
            }
        }
        if let Some(since) = settings.all.as_ref().filter(|_| to != Some(owner)) {
            let of = |one: &Transfer| paid(self, account, one).values().sum();
            rooms.push(i128::from(since.limit) - settled(since, &of));
        }
        rooms.into_iter().min().unwrap()
    }

    fn taken_within(&self, account: u32, pace: &Since<Pace>) -> i128 {
        let Pace { window, rolling, .. } = pace.limit;
        let counts = |then: u64| {
            let now = self.liquidity.now;
            if rolling {
                let step = window.div_ceil(16);
                now / step - then / step <= 16
            } else {
                now / window == then / window
            }
        };
        let since = self.liquidity.settled[pace.from..].iter();
        since.filter(|(time, _)| counts(*time)).map(|(_, one)| taken(account, one)).sum()
    }

    fn owes_too_much(
        &self,
        account: u32,
        settings: &Settings,
        group: &[(&Transfer, Priority)],
    ) -> Option<Refusal> {
        let owner = self.accounts[&account].owner;
        let holds: Vec<&ModelWaiting> = self
            .waiting
            .iter()
            .filter(|one| one.stage == Stage::Held && one.agreed(owner))
            .filter(|one| one.transfer.legs.as_slice().iter().any(|leg| leg.debit.0 == account))
            .collect();
        for (to, since) in &settings.towards {
            let of = |one: &Transfer| paid(self, account, one).get(to).copied().unwrap_or(0);
            let more: i128 = group.iter().map(|(one, _)| of(one)).sum();
            let binds =
                group.iter().any(|(one, priority)| *priority == Priority::Normal && of(one) > 0);
            let before: i128 =
                self.liquidity.settled[since.from..].iter().map(|(_, one)| of(one)).sum();
            let held: i128 = holds.iter().map(|one| of(&one.transfer).max(0)).sum();
            if binds && more > 0 && before + held + more > since.limit.into() {
                return Some(Refusal::BilateralLimit);
            }
        }
        let since = settings.all.as_ref()?;
        let of = |one: &Transfer| paid(self, account, one).values().sum::<i128>();
        let more: i128 = group.iter().map(|(one, _)| of(one)).sum();
        let binds =
            group.iter().any(|(one, priority)| *priority == Priority::Normal && of(one) > 0);
        let before: i128 =
            self.liquidity.settled[since.from..].iter().map(|(_, one)| of(one)).sum();
        let held: i128 = holds.iter().map(|one| of(&one.transfer).max(0)).sum();
        let beyond = binds && more > 0 && before + held + more > since.limit.into();
        beyond.then_some(Refusal::MultilateralLimit)
    }

    /// Who must sign a command about liquidity; `None` for an account that does not exist.
    pub(crate) fn signs_settings(&self, command: &Command) -> Option<Option<u32>> {
        let owner = |at: ledger::AccountNumber| self.accounts.get(&at.0).map(|one| one.owner);
        Some(match command {
            Command::SetLimit(SetLimit { account, by: LimitSetter::Issuer, .. }) => {
                self.accounts.get(&account.0).map(|account| self.assets[account.asset as usize].1)
            }
            Command::SetLimit(set) => owner(set.account),
            Command::SetReservation(set) => owner(set.account),
            Command::SetAcceptance(set) => owner(set.account),
            Command::SetNotices(set) => owner(set.account),
            Command::Attest(attest) => Some(attest.participant.0),
            Command::RecordAccess(access) => Some(access.participant.0),
            Command::EraseDocument(erase) => Some(erase.participant.0),
            _ => return None,
        })
    }

    /// Carries out a command about liquidity.
    pub(crate) fn set(&mut self, command: &Command) -> Result<(), Refusal> {
        let account = match command {
            Command::SetLimit(set) => set.account.0,
            Command::SetReservation(set) => set.account.0,
            Command::SetAcceptance(set) => set.account.0,
            Command::SetNotices(set) => set.account.0,
            _ => return Ok(()),
        };
        if self.accounts[&account].status == ledger::AccountStatus::Closed {
            return Err(Refusal::AccountClosed);
        }
        let from = self.liquidity.settled.len();
        let owner = self.accounts[&account].owner;
        if let Command::SetLimit(SetLimit { limit: Limit::Bilateral { towards, .. }, .. }) = command
        {
            if towards.0 as usize >= self.participants.len() {
                return Err(Refusal::UnknownParticipant);
            }
            if towards.0 == owner {
                return Err(Refusal::LimitTowardsOneself);
            }
        }
        let settings = self.liquidity.settings.entry(account).or_default();
        match command {
            Command::SetLimit(set) => {
                let by = usize::from(set.by == LimitSetter::Issuer);
                let on = |before: Option<Since<u64>>, restart: bool| match before {
                    Some(before) if !restart => before.from,
                    _ => from,
                };
                match set.limit {
                    Limit::Payment { most } => settings.payment[by] = most,
                    Limit::Velocity { most } => {
                        let before = settings.pace[by];
                        settings.pace[by] = most.map(|limit| {
                            let same = before.filter(|before| {
                                let Pace { window, rolling, .. } = before.limit;
                                (window, rolling) == (limit.window, limit.rolling)
                            });
                            Since { limit, from: same.map_or(from, |same| same.from) }
                        });
                    }
                    Limit::Bilateral { towards, most, restart } => {
                        let before = settings.towards.remove(&towards.0);
                        if let Some(limit) = most {
                            let from = on(before, restart);
                            settings.towards.insert(towards.0, Since { limit, from });
                        }
                    }
                    Limit::Multilateral { most, restart } => {
                        let before = settings.all;
                        settings.all = most.map(|limit| Since { limit, from: on(before, restart) });
                    }
                }
            }
            Command::SetReservation(set) if set.priority == Priority::Urgent => {
                settings.urgent = set.amount.into();
            }
            Command::SetReservation(set) => settings.high = set.amount.into(),
            Command::SetAcceptance(set) => settings.accepts_within = set.within,
            Command::SetNotices(set) => {
                (settings.floor, settings.ceiling) = (set.floor, set.ceiling);
                (settings.was_below, settings.was_above) = (false, false);
            }
            _ => {}
        }
        Ok(())
    }

    /// The notices at the end of a block: account and which line.
    pub(crate) fn notices(&mut self) -> Vec<(u32, NoticeKind)> {
        let mut told = Vec::new();
        let numbers: Vec<u32> = self.liquidity.settings.keys().copied().collect();
        for number in numbers {
            let (available, balance) = (self.available(number), self.accounts[&number].balance);
            let settings = self.liquidity.settings.get_mut(&number).unwrap();
            let below = settings.floor.is_some_and(|floor| available < floor.into());
            let above = settings.ceiling.is_some_and(|line| balance > line.into());
            if below && !settings.was_below {
                told.push((number, NoticeKind::BelowFloor));
            }
            if above && !settings.was_above {
                told.push((number, NoticeKind::AboveCeiling));
            }
            (settings.was_below, settings.was_above) = (below, above);
        }
        told
    }
}
