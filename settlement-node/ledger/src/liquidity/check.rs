//! What the settings of an account allow to be paid: by one transfer, or by several that settle at the same moment.
//!
//! Each question is asked over all accounts before the next one: the limit of one payment, then (beside the cover, which
//! every account needs) reservations, velocity, positions. Only accounts that are debited are asked: what comes in is
//! never refused here.

use std::collections::BTreeMap;

use super::{Controls, Velocity};
use crate::account::Account;
use crate::command::{Leg, Priority, Transfer};
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber};
use crate::refusal::Refusal;
use crate::state::{Ledger, NetEffect};

/// A transfer that is to settle, and its priority.
pub(crate) type Part<'a> = (&'a Transfer, Priority);

/// What an account may pay by priority, without counting on what comes in at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usable([i128; 3]);

impl Usable {
    /// Of an account with what it has available, and its settings.
    pub(crate) fn of(account: &Account, controls: Option<&Controls>) -> Self {
        let available = account.available().minor();
        let [urgent, high] = controls.map_or([0; 2], |controls| controls.reserved.map(i128::from));
        let usable = |kept: i128| (available - kept).max(0);
        Self([usable(0), usable(urgent), usable(urgent + high)])
    }

    /// What transfers of this priority and lower ones may pay together.
    pub(crate) const fn from(&self, priority: Priority) -> i128 {
        self.0[priority as usize - 1]
    }
}

/// What several transfers take from one account and bring to it, each in sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flow {
    /// Taken by urgent, high and normal transfers.
    pub(crate) out: [i128; 3],
    pub(crate) into: i128,
}

impl Flow {
    pub(crate) const fn add(&mut self, priority: Priority, change: i128) {
        if change < 0 {
            self.out[priority as usize - 1] -= change;
        } else {
            self.into += change;
        }
    }

    pub(crate) const fn remove(&mut self, priority: Priority, change: i128) {
        if change < 0 {
            self.out[priority as usize - 1] += change;
        } else {
            self.into -= change;
        }
    }

    /// True when some priority and those below it take more than they may and comes in.
    pub(crate) fn exceeds(&self, usable: &Usable) -> bool {
        let [urgent, high, normal] = self.out;
        let taken = [urgent + high + normal, high + normal, normal];
        taken.iter().zip(usable.0).any(|(taken, usable)| *taken > 0 && *taken > usable + self.into)
    }

    pub(crate) const fn taken(&self) -> i128 {
        self.out[0] + self.out[1] + self.out[2]
    }
}

/// What legs do to the position of an account: towards each other participant (more than zero: paid).
pub(crate) fn positions(
    ledger: &Ledger,
    account: AccountNumber,
    legs: &[Leg],
) -> BTreeMap<ParticipantNumber, i128> {
    let owner = ledger.authorised(account).owner;
    let mut changes = BTreeMap::new();
    for leg in legs {
        let amount = i128::from(leg.amount.minor());
        for (own, other, change) in
            [(leg.debit, leg.credit, amount), (leg.credit, leg.debit, -amount)]
        {
            let other = ledger.authorised(other).owner;
            if own == account && other != owner {
                *changes.entry(other).or_default() += change;
            }
        }
    }
    changes
}

/// The net change of one account by one transfer.
pub(crate) fn change_of(transfer: &Transfer, account: AccountNumber) -> i128 {
    let legs = transfer.legs.as_slice().iter();
    legs.map(|leg| {
        let amount = i128::from(leg.amount.minor());
        i128::from(leg.credit == account) * amount - i128::from(leg.debit == account) * amount
    })
    .sum()
}

impl Controls {
    /// The limit of one payment that `amount` passes; the owner's before the issuer's.
    fn check_payment(&self, amount: i128) -> Result<(), Refusal> {
        let passes = |most: Option<u64>| most.is_some_and(|most| amount > i128::from(most));
        match self.payment {
            [own, _] if passes(own) => Err(Refusal::PaymentLimit),
            [_, issuers] if passes(issuers) => Err(Refusal::PaymentLimitOfIssuer),
            _ => Ok(()),
        }
    }

    /// By how much the windows let less be taken than this beside what is held; the owner's and the issuer's.
    pub(crate) fn beyond_pace(&self, held: i128, taken: i128, now: LedgerTime) -> [i128; 2] {
        let beyond = |one: &Option<Velocity>| {
            one.as_ref().map_or(0, |one| {
                let used = i128::try_from(one.used(now)).unwrap_or(i128::MAX / 4);
                (used + held + taken - i128::from(one.pace.amount)).max(0)
            })
        };
        [beyond(&self.velocity[0]), beyond(&self.velocity[1])]
    }
}

impl Ledger {
    /// True when the settings of an account that the transfer debits or credits may have a say.
    pub(crate) fn is_controlled(&self, transfer: &Transfer) -> bool {
        let legs = transfer.legs.as_slice().iter();
        legs.flat_map(|leg| [leg.debit, leg.credit])
            .any(|account| self.authorised(account).controlled)
    }

    /// The controlled accounts that the parts debit and whose owner `of` names, in order of first mention.
    fn controlled_debits<'a>(
        &'a self,
        parts: &[Part<'_>],
        of: impl Fn(ParticipantNumber) -> bool,
    ) -> Vec<(AccountNumber, &'a Controls)> {
        let mut found: Vec<(AccountNumber, &Controls)> = Vec::new();
        for leg in parts.iter().flat_map(|(transfer, _)| transfer.legs.as_slice()) {
            let account = self.authorised(leg.debit);
            if account.controlled
                && of(account.owner)
                && found.iter().all(|(number, _)| *number != leg.debit)
                && let Some(controls) = self.liquidity.of(leg.debit)
            {
                found.push((leg.debit, controls));
            }
        }
        found
    }

    /// Whether a transfer takes no more from an account than one payment may, of accounts whose owner `of` names.
    pub(crate) fn check_payment_limits(
        &self,
        transfer: &Transfer,
        of: impl Fn(ParticipantNumber) -> bool,
    ) -> Result<(), Refusal> {
        for (account, controls) in self.controlled_debits(&[(transfer, Priority::Normal)], of) {
            controls.check_payment(-change_of(transfer, account))?;
        }
        Ok(())
    }

    /// Whether reservations, windows and positions let these transfers be paid at this moment, as far as accounts are
    /// concerned whose owner `of` names. That there is cover was checked.
    pub(crate) fn check_controls(
        &self,
        parts: &[Part<'_>],
        of: impl Fn(ParticipantNumber) -> bool,
        now: LedgerTime,
    ) -> Result<(), Refusal> {
        let accounts = self.controlled_debits(parts, of);
        if accounts.is_empty() {
            return Ok(());
        }
        let flows: Vec<Flow> = accounts
            .iter()
            .map(|(account, _)| {
                let mut flow = Flow::default();
                parts
                    .iter()
                    .for_each(|(one, priority)| flow.add(*priority, change_of(one, *account)));
                flow
            })
            .collect();
        for ((account, controls), flow) in accounts.iter().zip(&flows) {
            if flow.exceeds(&Usable::of(self.authorised(*account), Some(controls))) {
                return Err(Refusal::CoverReserved);
            }
        }
        for ((account, controls), flow) in accounts.iter().zip(&flows) {
            let held = self.authorised(*account).held.minor();
            if flow.taken() > 0 {
                match controls.beyond_pace(held, flow.taken(), now) {
                    [0, 0] => {}
                    [0, _] => return Err(Refusal::VelocityLimitOfIssuer),
                    _ => return Err(Refusal::VelocityLimit),
                }
            }
        }
        for (account, controls) in &accounts {
            if let Some((refusal, ..)) = self.beyond_position(*account, controls, parts).first() {
                return Err(*refusal);
            }
        }
        Ok(())
    }

    /// What the windows of an account still let be taken beside its holds; the stricter one.
    pub(crate) fn pace_left(&self, controls: &Controls, now: LedgerTime) -> i128 {
        let held = self.authorised(controls.account).held.minor();
        let left = controls.velocity.iter().flatten().map(|one| {
            let used = i128::try_from(one.used(now)).unwrap_or(i128::MAX / 4);
            i128::from(one.pace.amount) - used - held
        });
        left.min().unwrap_or(i128::MAX / 4)
    }

    /// The limits towards others that the parts would pass: which, towards whom, and by how much.
    pub(crate) fn beyond_position(
        &self,
        account: AccountNumber,
        controls: &Controls,
        parts: &[Part<'_>],
    ) -> Vec<(Refusal, Option<ParticipantNumber>, i128)> {
        let mut beyond = Vec::new();
        if controls.bilateral.is_empty() && controls.multilateral.is_none() {
            return beyond;
        }
        // What all parts do; and what those do that are bound.
        let (mut all, mut bound) = (BTreeMap::new(), BTreeMap::new());
        let (mut all_sum, mut is_bound) = (0, false);
        for (transfer, priority) in parts {
            let changes = positions(self, account, transfer.legs.as_slice());
            let sum: i128 = changes.values().sum();
            all_sum += sum;
            is_bound |= *priority == Priority::Normal && sum > 0;
            for (to, change) in changes {
                *all.entry(to).or_default() += change;
                *bound.entry(to).or_insert(false) |= *priority == Priority::Normal && change > 0;
            }
        }
        for (to, change) in &all {
            let limit = controls.bilateral.get(to).filter(|_| bound[to] && *change > 0);
            if let Some(limit) = limit {
                let owed = limit.settled + self.liquidity.pending(account, Some(*to)) + change;
                let by = owed - i128::from(limit.most);
                if by > 0 {
                    beyond.push((Refusal::BilateralLimit, Some(*to), by));
                }
            }
        }
        if let Some(limit) = controls.multilateral.filter(|_| is_bound && all_sum > 0) {
            let owed = limit.settled + self.liquidity.pending(account, None) + all_sum;
            let by = owed - i128::from(limit.most);
            if by > 0 {
                beyond.push((Refusal::MultilateralLimit, None, by));
            }
        }
        beyond
    }

    /// Cover and settings of one transfer; its net effects stand ready.
    pub(crate) fn check_funds(
        &self,
        part: Part<'_>,
        of: impl Fn(ParticipantNumber) -> bool,
        now: LedgerTime,
    ) -> Result<(), Refusal> {
        self.check_cover(&of)?;
        self.check_controls(&[part], of, now)
    }

    /// The debited account of the net effects whose window, when it moves on, may let the transfer go.
    pub(crate) fn wake_for(&mut self, now: LedgerTime) {
        let net = std::mem::take(&mut self.net);
        for NetEffect { account, .. } in net.iter().filter(|effect| effect.change < 0) {
            if self.authorised(*account).controlled {
                self.liquidity.wake_when_moved_on(*account, now);
            }
        }
        self.net = net;
    }
}
