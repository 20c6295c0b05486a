//! Books of their own: whether each settlement that the ledger reports was legal.
//!
//! The checker knows the starting balances and every transfer as it was sent, and shares nothing with the ledger. A
//! settlement alone must have cover on each account that it debits in sum; a group is judged by what all its members do
//! to each account together. Nothing settles twice, before it was sent, or after its deadline.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::day::DayTransfer;

/// The books.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    balances: BTreeMap<(u32, usize), i128>,
    transfers: &'a [DayTransfer],
    sent: usize,
    settled: BTreeSet<usize>,
    pub(super) checked: u64,
    pub(super) groups: u64,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        transfers: &'a [DayTransfer],
        balances: impl Iterator<Item = ((u32, usize), u64)>,
    ) -> Self {
        Self {
            balances: balances.map(|(account, minor)| (account, i128::from(minor))).collect(),
            transfers,
            sent: 0,
            settled: BTreeSet::new(),
            checked: 0,
            groups: 0,
        }
    }

    /// Transfers up to this number were sent.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent = count;
    }

    /// These settled at one moment.
    pub(super) fn settle(&mut self, group: &[usize]) -> Result<()> {
        let mut sums: BTreeMap<(u32, usize), i128> = BTreeMap::new();
        for number in group {
            ensure!(*number < self.sent, "transfer {number} settled before it was sent");
            ensure!(self.settled.insert(*number), "transfer {number} settled twice");
            for leg in &self.transfers[*number].legs {
                *sums.entry((leg.debtor, leg.currency)).or_default() -= i128::from(leg.minor);
                *sums.entry((leg.creditor, leg.currency)).or_default() += i128::from(leg.minor);
            }
        }
        for (account, change) in sums {
            let balance = self.balances.get_mut(&account).context("no such account")?;
            *balance += change;
            ensure!(
                *balance >= 0 || change >= 0,
                "account {account:?} pays {} more than it has",
                -*balance
            );
        }
        self.checked += group.len() as u64;
        self.groups += u64::from(group.len() > 1);
        Ok(())
    }

    /// Transfers that were sent and have not settled.
    pub(super) fn open(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.sent).filter(|number| !self.settled.contains(number))
    }

    /// What an account should have.
    pub(super) fn balance(&self, account: (u32, usize)) -> Option<i128> {
        self.balances.get(&account).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::day::Movement;
    use super::*;

    fn pays(debtor: u32, creditor: u32, minor: u64) -> DayTransfer {
        DayTransfer { second: 0, legs: vec![Movement { debtor, creditor, currency: 0, minor }] }
    }

    #[test]
    fn illegal_settlements_are_found() {
        let transfers = [pays(0, 1, 100), pays(1, 0, 80), pays(1, 0, 70)];
        let books = |sent| {
            let balances = [((0, 0), 25), ((1, 0), 0)].into_iter();
            let mut books = Checker::new(&transfers, balances);
            books.sent(sent);
            books
        };
        assert!(books(3).settle(&[0]).is_err());
        assert!(books(3).settle(&[0, 2]).is_err());
        assert!(books(0).settle(&[0, 1]).is_err());
        let mut sound = books(3);
        sound.settle(&[0, 1]).unwrap();
        assert_eq!((sound.balance((0, 0)), sound.balance((1, 0))), (Some(5), Some(20)));
        assert!(sound.settle(&[1]).is_err());
        assert_eq!(sound.open().collect::<Vec<_>>(), [2]);
    }
}
