//! Counting what was paid against limits: when a transfer settles, and while it is held.
//!
//! A settled transfer changes the positions of its debtors and of its creditors, and uses up windows of debtors. A hold
//! counts for each debtor that has agreed to it, as long as it lives: what it takes is `held` on the account (that is
//! what windows look at), what it would pay to others is `pending`.

use std::collections::BTreeMap;

use super::check::{change_of, positions};
use crate::answer::Stage;
use crate::command::Transfer;
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber};
use crate::state::Ledger;

impl Ledger {
    /// Counts a transfer that settles now.
    pub(crate) fn count_settled(&mut self, transfer: &Transfer, now: LedgerTime) {
        if !self.is_controlled(transfer) {
            return;
        }
        let legs = transfer.legs.as_slice();
        let mut accounts: Vec<AccountNumber> =
            legs.iter().flat_map(|leg| [leg.debit, leg.credit]).collect();
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts.into_iter().filter(|one| self.accounts[one.0 as usize].controlled) {
            let taken = (-change_of(transfer, account)).max(0).unsigned_abs();
            let changes = positions(self, account, legs);
            let controls = self.liquidity.of_mut(account);
            if taken > 0 {
                controls.velocity.iter_mut().flatten().for_each(|one| one.take(taken, now));
            }
            if let Some(limit) = &mut controls.multilateral {
                limit.settled += changes.values().sum::<i128>();
            }
            for (to, change) in changes {
                if let Some(limit) = controls.bilateral.get_mut(&to) {
                    limit.settled += change;
                }
            }
        }
    }

    /// Counts what a hold would pay to others from accounts whose owner `of` names, or (-1) no longer.
    pub(crate) fn change_pending(
        &mut self,
        transfer: &Transfer,
        of: impl Fn(ParticipantNumber) -> bool,
        sign: i128,
    ) {
        for (key, change) in self.pending_of(transfer, of) {
            let sum = self.liquidity.pending.entry(key).or_default();
            *sum += change * sign;
            if *sum == 0 {
                self.liquidity.pending.remove(&key);
            }
        }
    }

    /// What one transfer would pay to others, where it would pay more than it brings.
    fn pending_of(
        &self,
        transfer: &Transfer,
        of: impl Fn(ParticipantNumber) -> bool,
    ) -> Vec<((AccountNumber, Option<ParticipantNumber>), i128)> {
        let legs = transfer.legs.as_slice();
        let mut debits: Vec<AccountNumber> = legs.iter().map(|leg| leg.debit).collect();
        debits.sort_unstable();
        debits.dedup();
        let mut found = Vec::new();
        for account in debits.into_iter().filter(|one| of(self.authorised(*one).owner)) {
            let changes = positions(self, account, legs);
            let sum: i128 = changes.values().sum();
            found.extend(changes.into_iter().map(|(to, change)| ((account, Some(to)), change)));
            found.push(((account, None), sum));
        }
        found.retain(|(_, change)| *change > 0);
        found
    }

    /// What the live holds would pay, from the holds alone.
    pub(crate) fn pending_by_holds(
        &self,
    ) -> BTreeMap<(AccountNumber, Option<ParticipantNumber>), i128> {
        let mut pending = BTreeMap::new();
        for waiting in self.all_waiting().filter(|one| one.stage == Stage::Held) {
            for (key, change) in self.pending_of(&waiting.transfer, |owner| waiting.agreed(owner)) {
                *pending.entry(key).or_default() += change;
            }
        }
        pending
    }

    /// True when what is counted of holds is what the holds would pay, and each flag says whether anything is set.
    pub(crate) fn counts_hold(&self) -> bool {
        let flagged = |at: usize| {
            let controls = self.liquidity.of(AccountNumber(at as u32));
            controls.is_some_and(|controls| !controls.is_empty())
        };
        let mut accounts = self.accounts.iter().enumerate();
        self.liquidity.pending == self.pending_by_holds()
            && accounts.all(|(at, account)| account.controlled == flagged(at))
    }

    /// Counts the holds again after all waiting transfers were read from elsewhere.
    pub(crate) fn recount_pending(&mut self) {
        self.liquidity.pending = self.pending_by_holds();
    }
}
