//! Multilateral offsetting: queued transfers that can pay for each other settle at the same moment.
//!
//! All assets and all legs are looked at together, so a ring over several currencies, or of payments against
//! payments, is found like one in a single currency. The method: assume that everything in the queue settles; while
//! an account would pay more than it has, take one of its transfers out of the assumption, and with it those of lower
//! priority that would by-pass it; what is left settles. Two orders of taking out are tried, the latest first and the
//! largest first; both keep higher priorities longest. Reservations and limits are looked at in the same way as cover. The result is legal by construction and checked once more
//! before it is carried out.
//!
//! The work is bounded: at most `OFFSET_LEGS_MAX` legs from the front of the queue, once in `OFFSET_INTERVAL` of
//! ledger time, and only when something has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::command::Priority;
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber};
use crate::limits::{OFFSET_INTERVAL_NANOSECONDS, OFFSET_LEGS_MAX};
use crate::liquidity::{Controls, Flow, Position, Usable, positions};
use crate::queue::Place;
use crate::state::{Ledger, NetEffect};
use crate::waiting::Waiting;

/// One transfer of the assumption.
#[derive(Clone)]
struct Candidate {
    slot: u32,
    waiting: Arc<Waiting>,
    /// What it does, by index into the accounts of the assumption.
    effects: Vec<(usize, i128)>,
    size: i128,
    included: bool,
}

/// What bounds the transfers of the assumption: the cover of an account, or one of its limits.
#[derive(Clone)]
struct Pot {
    bound: Bound,
    flow: Flow,
    /// Candidates that take from it, in the order in which they stay: the last is taken out first.
    debits: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Bound {
    /// Cover, with what is reserved.
    Cover(Usable),
    /// What the windows still let be taken; what comes in makes no room.
    Pace(i128),
    /// What may still be owed towards others, by normal transfers.
    Owed(i128),
}

/// Which pot. Of limits, towards whom: `None` is all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PotKey {
    Cover(AccountNumber),
    Pace(AccountNumber),
    Owed(AccountNumber, Option<ParticipantNumber>),
}

impl Pot {
    /// True when more would be taken than may be.
    fn is_short(&self) -> bool {
        let taken = self.flow.taken();
        match self.bound {
            Bound::Cover(usable) => self.flow.exceeds(&usable),
            Bound::Pace(left) => taken > 0 && taken > left,
            Bound::Owed(left) => {
                let more = taken - self.flow.into;
                self.flow.out[2] > 0 && more > 0 && more > left
            }
        }
    }
}

/// The pots of an assumption, by number.
#[derive(Default)]
struct Pots {
    list: Vec<Pot>,
    index: BTreeMap<PotKey, usize>,
}

impl Pots {
    /// Lets candidate `number` change a pot; returns the pot's number.
    fn change(
        &mut self,
        key: PotKey,
        bound: impl FnOnce() -> Bound,
        (number, priority, change): (usize, Priority, i128),
    ) -> usize {
        let next = self.list.len();
        let at = *self.index.entry(key).or_insert(next);
        if at == next {
            self.list.push(Pot { bound: bound(), flow: Flow::default(), debits: Vec::new() });
        }
        let pot = &mut self.list[at];
        pot.flow.add(priority, change);
        let bound_by_it = !matches!(pot.bound, Bound::Owed(_)) || priority == Priority::Normal;
        if change < 0 && bound_by_it {
            pot.debits.push(number);
        }
        at
    }
}

/// Which of an account's transfers, within the lowest priority, is taken out first.
#[derive(Clone, Copy)]
enum Order {
    Latest,
    Largest,
}

impl Ledger {
    /// The time from which offsetting is tried again, if anything has changed since the last time.
    pub(crate) fn offset_due(&self) -> Option<LedgerTime> {
        let LedgerTime(last) = self.waiting.last_offset;
        let next = if last == 0 { 0 } else { last.saturating_add(OFFSET_INTERVAL_NANOSECONDS) };
        let wanted = self.waiting.offset_wanted && !self.waiting.nothing_queued();
        wanted.then_some(LedgerTime(next))
    }

    /// Tries offsetting if it is time.
    pub(crate) fn offset_queues(&mut self, time: LedgerTime) {
        if self.offset_due().is_none_or(|due| due > time) {
            return;
        }
        self.waiting.last_offset = time;
        self.waiting.offset_wanted = false;
        let (candidates, pots) = self.assume_all(time);
        for order in [Order::Latest, Order::Largest] {
            let chosen = choose(candidates.clone(), pots.clone(), order);
            if !chosen.is_empty() && self.may_settle_together(&chosen, time) {
                let gone: Vec<_> = chosen.iter().map(|slot| self.waiting.shared(*slot)).collect();
                self.settle_together(&chosen, time);
                gone.iter().for_each(|waiting| self.list_credited(waiting));
                self.waiting.offset_wanted = true;
                self.release_listed(time);
                return;
            }
        }
    }

    /// All that are ready, as far as the bound goes, and the accounts that they touch.
    fn assume_all(&mut self, time: LedgerTime) -> (Vec<Candidate>, Vec<Pot>) {
        let places: Vec<Place> = self.waiting.ready().take(OFFSET_LEGS_MAX).collect();
        let (mut candidates, mut pots) = (Vec::new(), Pots::default());
        // Accounts of which a transfer of this priority or higher was left out: none of lower may by-pass it.
        let mut barred: BTreeMap<AccountNumber, Priority> = BTreeMap::new();
        let mut legs = 0;
        for (priority, _, slot) in places {
            let waiting = self.waiting.shared(slot);
            legs += waiting.transfer.legs.as_slice().len();
            if legs > OFFSET_LEGS_MAX {
                break;
            }
            let legal = time <= waiting.deadline()
                && waiting.transfer.check_legs(self).is_ok()
                && self.check_payment_limits(&waiting.transfer, |_| true).is_ok();
            let net: Vec<NetEffect> = if legal {
                self.net.clone()
            } else {
                let mut net = Vec::new();
                waiting.transfer.net_effects(&mut net);
                net
            };
            let paying = || net.iter().filter(|effect| effect.change < 0);
            let behind =
                paying().any(|effect| barred.get(&effect.account).is_some_and(|by| *by < priority));
            if !legal || behind {
                for effect in paying() {
                    barred.entry(effect.account).or_insert(priority);
                }
                continue;
            }
            let number = candidates.len();
            let mut effects = Vec::with_capacity(net.len());
            for effect in &net {
                let account = self.authorised(effect.account);
                let controls =
                    account.controlled.then(|| self.liquidity.of(effect.account)).flatten();
                let bound = || Bound::Cover(Usable::of(account, controls));
                let own = (number, priority, effect.change);
                let at = pots.change(PotKey::Cover(effect.account), bound, own);
                effects.push((at, effect.change));
                if let Some(controls) = controls {
                    self.assume_limits(
                        controls,
                        &waiting,
                        effect.change,
                        time,
                        |key, bound, change| {
                            effects.push((
                                pots.change(key, || bound, (number, priority, change)),
                                change,
                            ));
                        },
                    );
                }
            }
            let size = net.iter().map(|effect| -effect.change.min(0)).sum();
            candidates.push(Candidate { slot, waiting, effects, size, included: true });
        }
        (candidates, pots.list)
    }

    /// Gives `each` the limits of an account that a candidate uses up or makes room in.
    fn assume_limits(
        &self,
        controls: &Controls,
        waiting: &Waiting,
        change: i128,
        time: LedgerTime,
        mut each: impl FnMut(PotKey, Bound, i128),
    ) {
        let account = controls.account;
        if change < 0 && controls.velocity.iter().any(Option::is_some) {
            each(PotKey::Pace(account), Bound::Pace(self.pace_left(controls, time)), change);
        }
        if controls.bilateral.is_empty() && controls.multilateral.is_none() {
            return;
        }
        let owed = positions(self, account, waiting.transfer.legs.as_slice());
        let left = |limit: &Position, to| {
            Bound::Owed(
                i128::from(limit.most) - limit.settled - self.liquidity.pending(account, to),
            )
        };
        if let Some(limit) = &controls.multilateral {
            let sum: i128 = owed.values().sum();
            each(PotKey::Owed(account, None), left(limit, None), -sum);
        }
        for (to, more) in owed {
            if let Some(limit) = controls.bilateral.get(&to) {
                each(PotKey::Owed(account, Some(to)), left(limit, Some(to)), -more);
            }
        }
    }
}

/// The transfers that could settle together, in queue order.
fn choose(mut candidates: Vec<Candidate>, mut pots: Vec<Pot>, order: Order) -> Vec<u32> {
    for pot in &mut pots {
        let key = |at: &usize| {
            let one = &candidates[*at];
            let within = match order {
                Order::Latest => 0,
                Order::Largest => one.size,
            };
            (one.waiting.priority, within, one.waiting.order, one.slot)
        };
        pot.debits.sort_by_key(key);
    }
    let mut short: BTreeSet<usize> = (0..pots.len()).filter(|at| pots[*at].is_short()).collect();
    while let Some(at) = short.pop_first() {
        while pots[at].is_short() {
            let Some(out) = pots[at].debits.pop() else { break };
            take_out(out, &mut candidates, &mut pots, &mut short);
        }
    }
    candidates.into_iter().filter(|one| one.included).map(|one| one.slot).collect()
}

/// Takes a transfer out of the assumption, and those that would by-pass it.
fn take_out(
    first: usize,
    candidates: &mut [Candidate],
    pots: &mut [Pot],
    short: &mut BTreeSet<usize>,
) {
    let mut out = vec![first];
    while let Some(number) = out.pop() {
        if !std::mem::replace(&mut candidates[number].included, false) {
            continue;
        }
        let priority = candidates[number].waiting.priority;
        for &(at, change) in &candidates[number].effects {
            pots[at].flow.remove(priority, change);
            if pots[at].is_short() {
                short.insert(at);
            }
            if change < 0 {
                // Ordered by priority, so those of a lower one are at the end.
                let lower = pots[at]
                    .debits
                    .iter()
                    .rev()
                    .take_while(|other| candidates[**other].waiting.priority > priority);
                out.extend(lower.filter(|other| candidates[**other].included));
            }
        }
    }
}
