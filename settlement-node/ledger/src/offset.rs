//! Multilateral offsetting: queued transfers that can pay for each other settle at the same moment.
//!
//! All assets and all legs are looked at together, so a ring over several currencies, or of payments against
//! payments, is found like one in a single currency. The method: assume that everything in the queue settles; while
//! an account would pay more than it has, take one of its transfers out of the assumption, and with it those of lower
//! priority that would by-pass it; what is left settles. Two orders of taking out are tried, the latest first and the
//! largest first; both keep higher priorities longest. The result is legal by construction and checked once more
//! before it is carried out.
//!
//! The work is bounded: at most `OFFSET_LEGS_MAX` legs from the front of the queue, once in `OFFSET_INTERVAL` of
//! ledger time, and only when something has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::command::Priority;
use crate::id::{AccountNumber, LedgerTime};
use crate::limits::{OFFSET_INTERVAL_NANOSECONDS, OFFSET_LEGS_MAX};
use crate::queue::Place;
use crate::state::{Ledger, NetEffect};
use crate::waiting::Waiting;

/// One transfer of the assumption.
struct Candidate {
    slot: u32,
    waiting: Arc<Waiting>,
    /// What it does, by index into the accounts of the assumption.
    effects: Vec<(usize, i128)>,
    size: i128,
    included: bool,
}

/// One account of the assumption.
struct Pot {
    available: i128,
    change: i128,
    /// Candidates that debit it, in the order in which they stay: the last is taken out first.
    debits: Vec<usize>,
}

impl Pot {
    /// True when it would pay more than it has.
    const fn is_short(&self) -> bool {
        self.change < 0 && self.available + self.change < 0
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
        for order in [Order::Latest, Order::Largest] {
            let chosen = self.choose(time, order);
            if !chosen.is_empty() && self.may_settle_together(&chosen, time) {
                let gone: Vec<_> = chosen.iter().map(|slot| self.waiting.shared(*slot)).collect();
                self.settle_together(&chosen);
                gone.iter().for_each(|waiting| self.list_credited(waiting));
                self.waiting.offset_wanted = true;
                self.release_listed(time);
                return;
            }
        }
    }

    /// The transfers that could settle together, in queue order.
    fn choose(&mut self, time: LedgerTime, order: Order) -> Vec<u32> {
        let (mut candidates, mut pots) = self.assume_all(time);
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
        let mut short: BTreeSet<usize> =
            (0..pots.len()).filter(|at| pots[*at].is_short()).collect();
        while let Some(at) = short.pop_first() {
            while pots[at].is_short() {
                let Some(out) = pots[at].debits.pop() else { break };
                take_out(out, &mut candidates, &mut pots, &mut short);
            }
        }
        candidates.into_iter().filter(|one| one.included).map(|one| one.slot).collect()
    }

    /// All that are ready, as far as the bound goes, and the accounts that they touch.
    fn assume_all(&mut self, time: LedgerTime) -> (Vec<Candidate>, Vec<Pot>) {
        let places: Vec<Place> = self.waiting.ready().take(OFFSET_LEGS_MAX).collect();
        let (mut candidates, mut pots) = (Vec::new(), Vec::<Pot>::new());
        let mut index: BTreeMap<AccountNumber, usize> = BTreeMap::new();
        // Accounts of which a transfer of this priority or higher was left out: none of lower may by-pass it.
        let mut barred: BTreeMap<AccountNumber, Priority> = BTreeMap::new();
        let mut legs = 0;
        for (priority, _, slot) in places {
            let waiting = self.waiting.shared(slot);
            legs += waiting.transfer.legs.as_slice().len();
            if legs > OFFSET_LEGS_MAX {
                break;
            }
            let legal = time <= waiting.deadline() && waiting.transfer.check_legs(self).is_ok();
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
                let at = *index.entry(effect.account).or_insert_with(|| {
                    let available = self.authorised(effect.account).available().minor();
                    pots.push(Pot { available, change: 0, debits: Vec::new() });
                    pots.len() - 1
                });
                pots[at].change += effect.change;
                if effect.change < 0 {
                    pots[at].debits.push(number);
                }
                effects.push((at, effect.change));
            }
            let size = net.iter().map(|effect| -effect.change.min(0)).sum();
            candidates.push(Candidate { slot, waiting, effects, size, included: true });
        }
        (candidates, pots)
    }
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
            pots[at].change -= change;
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
