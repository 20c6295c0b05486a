//! What must hold after every block, whatever was applied.
//!
//! Tests ask after each block; a node may ask at any time. A violation is a defect or damaged memory: the node
//! stops. Available may be below zero when an issuer withdrew a credit line, so it is not among these; that no
//! *payment* takes it there is a property that the tests check with a model.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::account::AccountStatus;
use crate::answer::Stage;
use crate::id::{AccountNumber, AssetNumber, TransferId};
use crate::limits::BALANCE_MAX;
use crate::name::AssetCode;
use crate::state::Ledger;

/// The money of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetTotals {
    /// The asset.
    pub asset: AssetNumber,
    /// Its code.
    pub code: AssetCode,
    /// Sum of what is posted on all accounts, in minor units.
    pub sum_of_posted: i128,
    /// What was ever issued, in minor units.
    pub issued: u128,
    /// What was ever redeemed, in minor units.
    pub redeemed: u128,
}

impl AssetTotals {
    /// True when the accounts hold what was issued less what was redeemed.
    #[must_use]
    pub const fn balanced(&self) -> bool {
        // Both totals are at most 2^100.
        self.sum_of_posted == self.issued as i128 - self.redeemed as i128
    }
}

/// An invariant that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// The accounts of an asset do not hold what was issued less what was redeemed.
    #[error("{}: accounts hold {}, issued {} less redeemed {}", .0.code, .0.sum_of_posted, .0.issued, .0.redeemed)]
    Conservation(AssetTotals),
    /// A balance is outside its bound.
    #[error("account {0}: balance outside the bound")]
    Bound(AccountNumber),
    /// What is held is not what the live holds of the account reserve.
    #[error("account {0}: held is not the sum of its live holds")]
    Held(AccountNumber),
    /// A floor is above zero.
    #[error("account {0}: floor above zero")]
    Floor(AccountNumber),
    /// A closed account is not empty.
    #[error("account {0}: closed but not empty")]
    Closed(AccountNumber),
    /// A waiting transfer has no live deadline, or cannot be found.
    #[error("transfer {0}: waits without a deadline ahead, or cannot be found by its id")]
    Waiting(TransferId),
    /// A quote is not one that could be taken, or cannot be found.
    #[error("quote {0}: not well formed, or cannot be found")]
    Quote(TransferId),
    /// An awaited report cannot be found, or an account's flag is not that of the list.
    #[error("account {0}: its reports of credit are not kept right")]
    Report(AccountNumber),
    /// An account cannot be found by its name.
    #[error("account {0}: not found by its name")]
    Name(AccountNumber),
}

impl Ledger {
    /// The money of each asset, by asset number. Reads every account.
    #[must_use]
    pub fn conservation(&self) -> Vec<AssetTotals> {
        let total_of = |asset: &crate::registry::Asset| AssetTotals {
            asset: asset.number,
            code: asset.code,
            sum_of_posted: 0,
            issued: asset.issued,
            redeemed: asset.redeemed,
        };
        let mut totals: Vec<AssetTotals> = self.assets().iter().map(total_of).collect();
        for account in &self.accounts {
            totals[account.asset.0 as usize].sum_of_posted += account.posted.minor();
        }
        totals
    }

    /// What the holds reserve on each account, from the holds alone.
    fn reserved_by_holds(&self) -> BTreeMap<AccountNumber, i128> {
        let mut reserved = BTreeMap::new();
        let mut net = Vec::new();
        for waiting in self.all_waiting().filter(|one| one.stage == Stage::Held) {
            waiting.transfer.net_effects(&mut net);
            for effect in net.iter().filter(|effect| effect.change < 0) {
                if waiting.agreed(self.authorised(effect.account).owner) {
                    *reserved.entry(effect.account).or_default() -= effect.change;
                }
            }
        }
        reserved
    }

    /// Quotes and awaited reports.
    fn check_fx(&self) -> Result<(), Violation> {
        for quote in self.all_quotes() {
            let of = |number| self.hot(number).filter(|account| account.owner == quote.provider);
            let assets = of(quote.sells).zip(of(quote.buys));
            let differ = assets.is_some_and(|(sells, buys)| sells.asset != buys.asset);
            let found = self.quote(&quote.id) == Some(quote);
            if !differ || !found || quote.least.is_zero() || quote.left < quote.least {
                return Err(Violation::Quote(quote.id));
            }
        }
        for report in self.awaited_reports() {
            if self.awaited_report(&report.transfer, report.account) != Some(report) {
                return Err(Violation::Report(report.account));
            }
        }
        for (number, account) in (0..).map(AccountNumber).zip(&self.accounts) {
            if account.reports != self.reports_within(number).is_some() {
                return Err(Violation::Report(number));
            }
        }
        Ok(())
    }

    /// Checks every invariant. Reads every account.
    ///
    /// # Errors
    /// The first violation found.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        let reserved = self.reserved_by_holds();
        for waiting in self.all_waiting() {
            let found = self.waiting(&waiting.transfer.id).is_some_and(|found| found == waiting);
            let deadline = waiting.transfer.options.as_ref().and_then(|one| one.deadline);
            let sound =
                deadline.is_some_and(|deadline| waiting.due.0 <= deadline.0.saturating_add(1));
            if !found
                || !sound
                || self.next_due().is_none_or(|due| due.0 > waiting.deadline().0 + 1)
            {
                return Err(Violation::Waiting(waiting.transfer.id));
            }
        }
        for view in self.accounts() {
            let number = view.number;
            if view.posted.minor().abs() > BALANCE_MAX {
                return Err(Violation::Bound(number));
            }
            if view.held.minor() != reserved.get(&number).copied().unwrap_or(0) {
                return Err(Violation::Held(number));
            }
            if view.floor > 0 {
                return Err(Violation::Floor(number));
            }
            if view.status == AccountStatus::Closed && !view.is_empty() {
                return Err(Violation::Closed(number));
            }
            if self.account_by_name(&view.name).map(|found| found.number) != Some(number) {
                return Err(Violation::Name(number));
            }
        }
        self.check_fx()?;
        match self.conservation().into_iter().find(|totals| !totals.balanced()) {
            Some(totals) => Err(Violation::Conservation(totals)),
            None => Ok(()),
        }
    }
}
