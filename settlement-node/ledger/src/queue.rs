//! The queue: transfers that wait for cover, and their release.
//!
//! A transfer stands in the queue of every account that it debits in sum, by priority, then by place. Rules, which
//! the tests check with a model:
//!
//! - It settles alone as soon as each debit has cover, unless a transfer of higher priority waits for one of the
//!   same accounts: priorities are not by-passed. Within a priority an earlier transfer that still lacks cover is.
//! - An account is looked at when it was credited, released from a hold, given a larger credit line, or newly waited
//!   for. A block makes at most `RELEASE_ATTEMPTS_MAX` attempts, of each account the first `RELEASE_DEPTH_MAX`, by
//!   priority and place over all of them; the accounts that are left are looked at in the next block.
//! - Where a transfer between two accounts lacks cover, one the other way round may make up for it: both then settle
//!   at the same moment (bilateral offsetting). What more than two can do for each other is in `offset.rs`.
//!
//! What is said here of cover holds of reservations and limits (`liquidity/check.rs`) too: those that settle together
//! are judged by what they take and bring in sum.
//!
//! A transfer that asks to settle at once or never does not look at the queue: what must be kept for the queue is
//! kept by a reservation, not by the order of arrival.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::answer::{Answer, Stage};
use crate::command::{Leg, Legs, Priority, check_bounds};
use crate::id::{AccountNumber, LedgerTime};
use crate::limits::{PAIR_DEPTH_MAX, RELEASE_ATTEMPTS_MAX, RELEASE_DEPTH_MAX};
use crate::liquidity::Part;
use crate::progress::Cause;
use crate::state::{Ledger, NetEffect};
use crate::waiting::Waiting;

/// Place of a queued transfer among those that wait for the same cover.
pub(crate) type Place = (Priority, u64, u32);

impl Ledger {
    /// True when a transfer of higher priority waits for one of the accounts with a negative net effect.
    pub(crate) fn yields(&self, priority: Priority) -> bool {
        let waited_for = |account: AccountNumber| {
            self.waiting.queue(account).and_then(|queue| queue.first()).map(|(first, ..)| *first)
        };
        self.net.iter().any(|effect| {
            effect.change < 0 && waited_for(effect.account).is_some_and(|first| first < priority)
        })
    }

    /// Puts a waiting transfer into the queues that it belongs to now, and takes it out of others.
    pub(crate) fn reindex(&mut self, slot: u32) {
        let waiting = self.waiting.shared(slot);
        let place = (waiting.priority, waiting.order, slot);
        if waiting.is_ready() && self.waiting.stands_at(place) {
            return;
        }
        self.unindex(slot);
        if !waiting.is_ready() {
            return;
        }
        let mut net = Vec::new();
        waiting.transfer.net_effects(&mut net);
        if let Legs::One(leg) = &waiting.transfer.legs {
            self.waiting.count_between(leg.debit, leg.credit);
        }
        for effect in net.iter().filter(|effect| effect.change < 0) {
            self.waiting.enqueue(effect.account, place);
            self.accounts[effect.account.0 as usize].queued = true;
        }
    }

    /// Takes a waiting transfer out of all queues.
    pub(crate) fn unindex(&mut self, slot: u32) {
        for account in self.waiting.dequeue(slot) {
            self.accounts[account.0 as usize].queued = false;
        }
    }

    /// Settles what found cover in this block.
    pub(crate) fn release_queues(&mut self, time: LedgerTime) {
        if self.waiting.nothing_queued() {
            self.waiting.to_release.clear();
            return;
        }
        let credited = self.touched.iter().filter(|at| self.accounts[**at as usize].queued);
        self.waiting.to_release.extend(credited.map(|at| AccountNumber(*at)));
        self.release_listed(time);
    }

    /// Settles what found cover among those that wait for the accounts on the list.
    pub(crate) fn release_listed(&mut self, time: LedgerTime) {
        if !self.waiting.to_release.is_empty() {
            self.waiting.offset_wanted = true;
        }
        let mut attempts = RELEASE_ATTEMPTS_MAX;
        // Over all accounts on the list by place, so that whoever waits for several accounts passes nobody by that could
        // settle. How many of each account were looked at stands beside.
        let mut next: BTreeSet<(Place, AccountNumber)> = BTreeSet::new();
        let mut looked_at: BTreeMap<AccountNumber, (Place, usize)> = BTreeMap::new();
        loop {
            while let Some(account) = self.waiting.to_release.pop_first() {
                // Whatever changed may be of use to the first again.
                if let Some((place, _)) = looked_at.remove(&account) {
                    next.remove(&(place, account));
                }
                if let Some(first) = self.waiting.queue(account).and_then(BTreeSet::first) {
                    next.insert((*first, account));
                    looked_at.insert(account, (*first, 0));
                }
            }
            if attempts == 0 {
                self.waiting.to_release.extend(looked_at.keys());
                break;
            }
            let Some((place, account)) = next.pop_first() else { break };
            let depth = looked_at.remove(&account).map_or(0, |(_, depth)| depth);
            let Some(queue) = self.waiting.queue(account) else { continue };
            if queue.first().is_some_and(|(highest, ..)| *highest < place.0) {
                continue;
            }
            // It may have gone with the one before it.
            if queue.contains(&place) {
                attempts -= 1;
                self.release_queued(place.2, time);
            }
            let after = (Bound::Excluded(place), Bound::Unbounded);
            let queue = self.waiting.queue(account);
            let following = queue.and_then(|queue| queue.range(after).next());
            if let Some(following) = following.filter(|_| depth + 1 < RELEASE_DEPTH_MAX) {
                next.insert((*following, account));
                looked_at.insert(account, (*following, depth + 1));
            }
        }
    }

    /// Tries a queued transfer, alone and with one the other way round.
    fn release_queued(&mut self, slot: u32, time: LedgerTime) {
        if self.is_plainly_short(slot) {
            return;
        }
        let waiting = self.waiting.shared(slot);
        self.advance(slot, time, Cause::Cover);
        if self.waiting.slot_of(&waiting.transfer.id).is_some() {
            let Some(other) = self.pair(&waiting, time) else { return };
            let other_waiting = self.waiting.shared(other);
            self.settle_together(&[slot, other], time);
            self.list_credited(&other_waiting);
        }
        self.list_credited(&waiting);
    }

    /// True for a transfer of one leg that may settle but for its cover, and that none the other way round can help: the
    /// frequent case, told without touching more than two accounts.
    fn is_plainly_short(&self, slot: u32) -> bool {
        let Legs::One(leg) = &self.waiting.at(slot).transfer.legs else { return false };
        let (debit, credit) = (self.authorised(leg.debit), self.authorised(leg.credit));
        !self.gov.watch
            && !debit.controlled
            && !debit.covers(leg.amount)
            && debit.check_may_pay().is_ok()
            && credit.check_may_receive().is_ok()
            && !self.waiting.has_one_between(leg.credit, leg.debit)
    }

    /// Lists the accounts that a transfer credits and others wait for.
    pub(crate) fn list_credited(&mut self, waiting: &Waiting) {
        for leg in waiting.transfer.legs.as_slice() {
            if self.authorised(leg.credit).queued {
                self.waiting.to_release.insert(leg.credit);
            }
        }
    }

    /// A transfer the other way round that can settle together with this one.
    fn pair(&mut self, one: &Waiting, time: LedgerTime) -> Option<u32> {
        let Legs::One(leg) = &one.transfer.legs else { return None };
        let queue = self.waiting.queue(leg.credit)?;
        let places: Vec<Place> = queue.iter().take(PAIR_DEPTH_MAX).copied().collect();
        let own = self.waiting.slot_of(&one.transfer.id)?;
        let fits = |at: &u32| {
            let other = self.waiting.at(*at);
            matches!(&other.transfer.legs, Legs::One(back)
                if back.debit == leg.credit && back.credit == leg.debit)
        };
        let others: Vec<u32> = places.into_iter().map(|(.., at)| at).filter(fits).collect();
        others.into_iter().find(|other| self.may_settle_together(&[own, *other], time))
    }

    /// Whether queued transfers can settle at the same moment: each is legal, none leaves one of higher priority
    /// behind, and every account that pays in sum has cover for that.
    pub(crate) fn may_settle_together(&mut self, slots: &[u32], time: LedgerTime) -> bool {
        let mut legs = Vec::new();
        let mut members = Vec::with_capacity(slots.len());
        // The lowest priority that would settle, of each account that is debited.
        let mut lowest: BTreeMap<AccountNumber, Priority> = BTreeMap::new();
        for slot in slots {
            let waiting = self.waiting.shared(*slot);
            if time > waiting.deadline()
                || waiting.transfer.check_legs(self).is_err()
                || self.check_payment_limits(&waiting.transfer, |_| true).is_err()
            {
                return false;
            }
            for effect in self.net.iter().filter(|effect| effect.change < 0) {
                let lowest = lowest.entry(effect.account).or_insert(waiting.priority);
                *lowest = waiting.priority.max(*lowest);
            }
            legs.extend_from_slice(waiting.transfer.legs.as_slice());
            members.push(waiting);
        }
        let group: BTreeSet<u32> = slots.iter().copied().collect();
        let leaves_behind = lowest.into_iter().any(|(account, lowest)| {
            let queue = self.waiting.queue(account).into_iter().flatten();
            let mut higher = queue.take_while(|(priority, ..)| *priority < lowest);
            higher.any(|(.., slot)| !group.contains(slot))
        });
        sum_up_many(&legs, &mut self.net);
        let parts: Vec<Part<'_>> =
            members.iter().map(|one| (&one.transfer, one.priority)).collect();
        !leaves_behind
            && check_bounds(self).is_ok()
            && self.check_cover(|_| true).is_ok()
            && self.check_controls(&parts, |_| true, time).is_ok()
    }

    /// Settles queued transfers at the same moment; that they may was checked.
    pub(crate) fn settle_together(&mut self, slots: &[u32], time: LedgerTime) {
        let cause = Cause::Together(self.next_group());
        let mut legs = Vec::new();
        let mut gone = Vec::with_capacity(slots.len());
        for slot in slots {
            self.unindex(*slot);
            let waiting = self.waiting.remove(*slot);
            legs.extend_from_slice(waiting.transfer.legs.as_slice());
            gone.push(waiting);
        }
        sum_up_many(&legs, &mut self.net);
        self.post_net();
        for waiting in gone {
            self.count_settled(&waiting.transfer, time);
            self.tell(&waiting, Answer::Settled, cause);
        }
    }

    /// The number of the next group of this block, from 0.
    fn next_group(&self) -> u32 {
        let last = self.progress.iter().rev().find_map(|one| match one.cause {
            Cause::Together(number) => Some(number),
            _ => None,
        });
        last.map_or(0, |number| number + 1)
    }
}

/// The net effects of any number of legs, by account.
fn sum_up_many(legs: &[Leg], net: &mut Vec<NetEffect>) {
    net.clear();
    for leg in legs {
        let amount = i128::from(leg.amount.minor());
        net.push(NetEffect { account: leg.debit, change: -amount });
        net.push(NetEffect { account: leg.credit, change: amount });
    }
    net.sort_unstable_by_key(|effect| effect.account);
    net.dedup_by(|next, kept| {
        let same = next.account == kept.account;
        if same {
            kept.change += next.change;
        }
        same
    });
}

impl Waiting {
    /// True when it waits for cover alone. Times count as of the last look, so that this is a matter of the state.
    pub(crate) fn is_ready(&self) -> bool {
        let looked_at = LedgerTime(self.due.0.saturating_sub(1));
        self.stage == Stage::Queued && self.open_conditions(looked_at).next().is_none()
    }
}
