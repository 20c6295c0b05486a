//! What the owner or issuer of an account has set about its liquidity: limits, reservations, acceptance, notices.
//!
//! The settings of an account stand in a record beside the accounts, with what is counted against them; the hot account
//! only says by one flag that there are any, so a payment between accounts without settings never comes here. A record
//! once made keeps its number, which is its place in the state root; an account whose settings were all ended is not
//! flagged any more. What the live holds would pay to others is counted apart (`pending`): it follows from the waiting
//! transfers and is no part of the state root.
//!
//! What is allowed is decided in `check.rs`, what is counted in `count.rs`; nothing here moves money.

mod accept;
mod check;
mod codec;
mod count;
mod notice;
mod what_if;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use check::{Flow, Part, Usable, positions};
pub(crate) use codec::{TAG, read};
pub use notice::{Notice, NoticeKind, NoticeLines};
pub use what_if::WhatIf;

use crate::apply::Authority;
use crate::command::Pace;
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// What is set about one account, and what is counted against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controls {
    /// The account.
    pub account: AccountNumber,
    /// The most that one transfer takes: set by the owner, and by the issuer.
    pub payment: [Option<u64>; 2],
    /// The most that is taken within a window: set by the owner, and by the issuer.
    pub velocity: [Option<Velocity>; 2],
    /// The most that may be owed in sum, by participant.
    pub bilateral: BTreeMap<ParticipantNumber, Position>,
    /// The most that may be owed in sum to all others.
    pub multilateral: Option<Position>,
    /// What is kept for urgent transfers, and beyond that for high ones.
    pub reserved: [u64; 2],
    /// How long the owner takes at most to accept what comes, in nanoseconds.
    pub acceptance: Option<u64>,
    /// At which balances a notice is given.
    pub notices: NoticeLines,
    /// When the queue is to be looked at again because a window has moved on; 0: no need.
    pub(crate) wake: LedgerTime,
}

/// A limit on what is owed, and what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The most that may be owed.
    pub most: u64,
    /// What was paid there and settled, less what came from there, since the limit was set.
    pub settled: i128,
}

impl Position {
    /// A new or changed limit; goes on counting unless it is to begin again.
    pub(crate) fn changed(most: u64, before: Option<Self>, restart: bool) -> Self {
        let settled = before.filter(|_| !restart).map_or(0, |before| before.settled);
        Self { most, settled }
    }
}

/// A limit within a window, and what was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Velocity {
    /// The limit.
    pub pace: Pace,
    /// What was taken, by the number of the step of time, ascending: at most 17.
    pub(crate) taken: Vec<(u64, u128)>,
}

/// Steps of a rolling window.
const STEPS: u64 = 16;

impl Velocity {
    /// A new or changed limit; goes on counting when the window is the same.
    pub(crate) fn changed(pace: Pace, before: Option<Self>) -> Self {
        let same = |before: &Self| {
            (before.pace.window, before.pace.rolling) == (pace.window, pace.rolling)
        };
        Self { pace, taken: before.filter(same).map_or_else(Vec::new, |before| before.taken) }
    }

    /// Length of a step in nanoseconds: a fixed window is one step.
    pub(crate) const fn step(&self) -> u64 {
        if self.pace.rolling { self.pace.window.div_ceil(STEPS) } else { self.pace.window }
    }

    /// The first step that still counts at this time.
    const fn first_step(&self, now: LedgerTime) -> u64 {
        let current = now.0 / self.step();
        if self.pace.rolling { current.saturating_sub(STEPS) } else { current }
    }

    /// What was taken and still counts.
    #[must_use]
    pub fn used(&self, now: LedgerTime) -> u128 {
        let first = self.first_step(now);
        self.taken.iter().filter(|(step, _)| *step >= first).map(|(_, amount)| amount).sum()
    }

    /// Counts what is taken now, and forgets what does not count any more.
    pub(crate) fn take(&mut self, amount: u128, now: LedgerTime) {
        let (first, current) = (self.first_step(now), now.0 / self.step());
        self.taken.retain(|(step, _)| *step >= first);
        match self.taken.last_mut() {
            Some((step, sum)) if *step == current => *sum += amount,
            _ => self.taken.push((current, amount)),
        }
    }

    /// When something counted now will be forgotten; `None` when nothing is counted.
    pub(crate) fn moves_on(&self, now: LedgerTime) -> Option<LedgerTime> {
        let first = self.first_step(now);
        let (oldest, _) = self.taken.iter().find(|(step, _)| *step >= first)?;
        let steps = if self.pace.rolling { STEPS + 1 } else { 1 };
        Some(LedgerTime(oldest.saturating_add(steps).saturating_mul(self.step())))
    }
}

impl Controls {
    pub(crate) fn none(account: AccountNumber) -> Self {
        Self {
            account,
            payment: [None; 2],
            velocity: [None, None],
            bilateral: BTreeMap::new(),
            multilateral: None,
            reserved: [0; 2],
            acceptance: None,
            notices: NoticeLines::default(),
            wake: LedgerTime(0),
        }
    }

    /// True when nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { wake: self.wake, ..Self::none(self.account) }
    }
}

/// The settings of all accounts that ever had any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Liquidity {
    records: Vec<Controls>,
    number_of: BTreeMap<AccountNumber, u32>,
    /// Records to hash again.
    pub(crate) touched: BTreeSet<u32>,
    /// Queues to look at when a window moves on.
    wakes: BTreeSet<(LedgerTime, AccountNumber)>,
    /// What live holds would pay: to one participant, and (`None`) to all others.
    pending: BTreeMap<(AccountNumber, Option<ParticipantNumber>), i128>,
    /// How many accounts ask for notices.
    noticed: u32,
    notices: Vec<Notice>,
}

impl Liquidity {
    /// What is set about an account; `None` where nothing ever was.
    pub(crate) fn of(&self, account: AccountNumber) -> Option<&Controls> {
        self.number_of.get(&account).map(|number| &self.records[*number as usize])
    }

    pub(crate) fn records(&self) -> &[Controls] {
        &self.records
    }

    /// The record of an account, to write to; a new one where there is none.
    fn of_mut(&mut self, account: AccountNumber) -> &mut Controls {
        let next = self.records.len() as u32;
        let number = *self.number_of.entry(account).or_insert(next);
        if number == next {
            self.records.push(Controls::none(account));
        }
        self.touched.insert(number);
        &mut self.records[number as usize]
    }

    /// The earliest time at which a queue is to be looked at because a window has moved on.
    pub(crate) fn first_wake(&self) -> Option<LedgerTime> {
        self.wakes.first().map(|(time, _)| *time)
    }

    /// The next account whose window has moved on by this time.
    pub(crate) fn pop_wake(&mut self, now: LedgerTime) -> Option<AccountNumber> {
        let (time, account) = *self.wakes.first()?;
        if time > now {
            return None;
        }
        self.wakes.pop_first();
        self.of_mut(account).wake = LedgerTime(0);
        Some(account)
    }

    /// Looks at the queue of an account when a window of it moves on next.
    pub(crate) fn wake_when_moved_on(&mut self, account: AccountNumber, now: LedgerTime) {
        let Some(controls) = self.of(account) else { return };
        let moves = controls.velocity.iter().flatten().filter_map(|one| one.moves_on(now)).min();
        let before = controls.wake;
        let Some(time) = moves.filter(|time| before == LedgerTime(0) || *time < before) else {
            return;
        };
        self.wakes.remove(&(before, account));
        self.of_mut(account).wake = time;
        self.wakes.insert((time, account));
    }

    /// What live holds would pay to a participant, or to all others.
    pub(crate) fn pending(&self, account: AccountNumber, to: Option<ParticipantNumber>) -> i128 {
        self.pending.get(&(account, to)).copied().unwrap_or(0)
    }
}

impl Ledger {
    /// What is set about the liquidity of an account; `None` where nothing ever was.
    #[must_use]
    pub fn controls(&self, account: AccountNumber) -> Option<&Controls> {
        self.liquidity.of(account)
    }

    /// What live holds would pay from an account to a participant, or to all others: it counts against the limits.
    #[must_use]
    pub fn pending_towards(&self, account: AccountNumber, to: Option<ParticipantNumber>) -> i128 {
        self.liquidity.pending(account, to)
    }

    /// The account, and its owner among the signers.
    pub(crate) fn authorise_owner(
        &self,
        account: AccountNumber,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let owner = self.hot(account).ok_or(Refusal::UnknownAccount)?.owner;
        if authority.includes(owner) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Changes what is set about an account. Who waits for it is looked at when the block is closed.
    pub(crate) fn change_controls(
        &mut self,
        account: AccountNumber,
        change: impl FnOnce(&mut Controls),
    ) {
        let controls = self.liquidity.of_mut(account);
        let noticed = controls.notices.any();
        change(controls);
        let (now_noticed, flag) = (controls.notices.any(), !controls.is_empty());
        self.liquidity.noticed -= u32::from(noticed);
        self.liquidity.noticed += u32::from(now_noticed);
        self.account_mut(account).controlled = flag;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn velocity(rolling: bool) -> Velocity {
        Velocity::changed(Pace { amount: 100, window: 160, rolling }, None)
    }

    #[test]
    fn a_fixed_window_forgets_at_its_end() {
        let mut one = velocity(false);
        one.take(30, LedgerTime(159));
        assert_eq!(one.used(LedgerTime(159)), 30);
        assert_eq!(one.moves_on(LedgerTime(159)), Some(LedgerTime(160)));
        assert_eq!(one.used(LedgerTime(160)), 0);
        assert_eq!(one.moves_on(LedgerTime(160)), None);
        one.take(40, LedgerTime(161));
        assert_eq!((one.used(LedgerTime(319)), one.taken.len()), (40, 1));
    }

    #[test]
    fn a_rolling_window_never_forgets_too_early_and_soon_after() {
        for start in 0..40 {
            let mut one = velocity(true);
            one.take(30, LedgerTime(1_000 + start));
            assert_eq!(one.used(LedgerTime(1_000 + start + 160)), 30);
            assert_eq!(one.used(LedgerTime(1_000 + start + 170)), 0);
            let moves = one.moves_on(LedgerTime(1_000 + start)).unwrap();
            assert_eq!(one.used(moves), 0);
            assert_eq!(one.used(LedgerTime(moves.0 - 1)), 30);
        }
        let mut one = velocity(true);
        (0..1_000).for_each(|time| one.take(1, LedgerTime(time)));
        assert_eq!(one.taken.len(), 17);
    }
}
