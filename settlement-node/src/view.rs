//! What the applied state looks like to others: the directory for gateways, balances for people.

mod decisions;
mod hours;
mod price;
mod proposals;
mod quotes;
mod reach;
mod registry;
mod waiting;
mod what_if;

use std::ops::Range;

use ledger::{AccountNumber, ParticipantNumber};
use serde::Serialize;
use wire::{
    client::{AccountRow, AssetRow, DirectoryAnswer, DirectoryCounts, ParticipantRow},
    limits::DIRECTORY_ROWS_MAX,
};

use crate::chain::Chain;

pub use decisions::{DecisionsView, KeyView, NodeDecision, NodeView, decisions, keys};
pub use hours::{DayView, HoursView, hours};
pub use price::{
    AWAITED_SHOWN_MAX, AwaitedView, FillView, PassedView, PriceView, ScoreView, ScoresView, Side,
    price, scores,
};
pub use proposals::{ProposalView, proposals};
pub use quotes::{QUOTES_SHOWN_MAX, QuoteView, quotes};
pub use reach::{MemberView, Page, REACH_PAGE_MAX, ReachView, members, reach_of, reachable};
pub use registry::{AssetView, ParticipantView, Registry, registry};
pub use waiting::{
    ConditionView, Names, ObstacleView, WAITING_SHOWN_MAX, WaitingLeg, WaitingList, WaitingView,
    waiting,
};
pub use what_if::{Copied, WhatIfView, WouldView, change, copied, what_if};

/// Participants, assets and accounts after those that the asker knows, as many as one answer holds;
/// balances only of the asker's own accounts.
pub fn directory(
    chain: &Chain,
    asker: ParticipantNumber,
    known: DirectoryCounts,
) -> DirectoryAnswer {
    let ledger = chain.ledger();
    let all = DirectoryCounts {
        participants: ledger.participants().len() as u32,
        assets: ledger.assets().len() as u32,
        accounts: ledger.accounts().len() as u32,
    };
    let [participants, assets, accounts] = part(known, all);
    DirectoryAnswer {
        height: chain.height().0,
        all,
        participants: ledger.participants()[participants]
            .iter()
            .map(|view| ParticipantRow {
                number: view.number,
                bic: view.bic,
                name: view.name.clone(),
                sealing_key: view.sealing_key,
            })
            .collect(),
        assets: ledger.assets()[assets]
            .iter()
            .map(|view| AssetRow {
                number: view.number,
                code: view.code,
                exponent: view.exponent.get(),
                issuer: view.issuer,
            })
            .collect(),
        accounts: accounts
            .filter_map(|number| ledger.account(AccountNumber(number as u32)))
            .map(|view| AccountRow {
                number: view.number,
                owner: view.account.owner,
                asset: view.account.asset,
                label: view.name.label,
                status: view.account.status,
                posted: if view.account.owner == asker { view.account.posted.minor() } else { 0 },
            })
            .collect(),
    }
}

/// Which participants, assets and accounts are sent next.
fn part(known: DirectoryCounts, all: DirectoryCounts) -> [Range<usize>; 3] {
    let mut room = DIRECTORY_ROWS_MAX;
    let pairs = [
        (known.participants, all.participants),
        (known.assets, all.assets),
        (known.accounts, all.accounts),
    ];
    pairs.map(|(known, all)| {
        let from = known.min(all) as usize;
        let to = (all as usize).min(from + room);
        room -= to - from;
        from..to
    })
}

/// Totals of one asset.
#[derive(Clone, Debug, Serialize)]
pub struct AssetBalance {
    /// Code.
    pub code: String,
    /// Decimals of the minor unit.
    pub exponent: u8,
    /// Issued since genesis, in minor units.
    pub issued: String,
    /// Redeemed since genesis, in minor units.
    pub redeemed: String,
    /// Sum over all accounts, in minor units.
    pub sum_of_posted: String,
    /// Whether the sum is issued less redeemed.
    pub conserved: bool,
}

/// One account.
#[derive(Clone, Debug, Serialize)]
pub struct AccountBalance {
    /// `BIC/ASSET[/label]`.
    pub account: String,
    /// Minor units, as text because JSON numbers are not exact.
    pub posted: String,
    /// Minor units.
    pub held: String,
    /// Minor units, 0 or negative.
    pub floor: String,
    /// Minor units.
    pub available: String,
    /// Status in words.
    pub status: String,
}

/// All balances at a height.
#[derive(Clone, Debug, Serialize)]
pub struct Balances {
    /// Height at which they were read.
    pub height: u64,
    /// Digest of the state at that height, hex.
    pub state_root: String,
    /// Assets in order of their numbers.
    pub assets: Vec<AssetBalance>,
    /// Accounts in order of their numbers.
    pub accounts: Vec<AccountBalance>,
}

/// Reads the totals of all assets.
pub fn asset_balances(chain: &Chain) -> Vec<AssetBalance> {
    let exponents: Vec<u8> =
        chain.ledger().assets().iter().map(|view| view.exponent.get()).collect();
    chain
        .ledger()
        .conservation()
        .into_iter()
        .map(|totals| AssetBalance {
            code: totals.code.to_string(),
            exponent: exponents.get(totals.asset.0 as usize).copied().unwrap_or(0),
            issued: totals.issued.to_string(),
            redeemed: totals.redeemed.to_string(),
            sum_of_posted: totals.sum_of_posted.to_string(),
            conserved: totals.balanced(),
        })
        .collect()
}

/// Reads all balances.
pub fn balances(chain: &Chain) -> Balances {
    Balances {
        height: chain.height().0,
        state_root: chain.state_root().to_string(),
        assets: asset_balances(chain),
        accounts: chain
            .ledger()
            .accounts()
            .map(|view| AccountBalance {
                account: view.name.to_string(),
                posted: view.account.posted.minor().to_string(),
                held: view.account.held.minor().to_string(),
                floor: view.account.floor.to_string(),
                available: view.account.available().minor().to_string(),
                status: status_name(view.account.status).to_owned(),
            })
            .collect(),
    }
}

fn status_name(status: ledger::AccountStatus) -> &'static str {
    match status {
        ledger::AccountStatus::Open => "open",
        ledger::AccountStatus::CreditOnly => "credit-only",
        ledger::AccountStatus::DebitOnly => "debit-only",
        ledger::AccountStatus::Blocked => "blocked",
        ledger::AccountStatus::Closed => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_directory_are_bounded_and_leave_nothing_out() {
        let counts =
            |participants, assets, accounts| DirectoryCounts { participants, assets, accounts };
        for all in [counts(0, 0, 0), counts(3, 2, 1), counts(5_000, 4_096, 20_001)] {
            let mut known = DirectoryCounts::default();
            let mut parts = 0;
            while !known.covers(&all) {
                let [participants, assets, accounts] = part(known, all);
                assert_eq!(participants.start, known.participants as usize);
                assert_eq!(assets.start, known.assets as usize);
                assert_eq!(accounts.start, known.accounts as usize);
                let rows = participants.len() + assets.len() + accounts.len();
                assert!((1..=DIRECTORY_ROWS_MAX).contains(&rows));
                known = counts(participants.end as u32, assets.end as u32, accounts.end as u32);
                parts += 1;
            }
            assert_eq!(known, all);
            let rows = (all.participants + all.assets + all.accounts) as usize;
            assert_eq!(parts, rows.div_ceil(DIRECTORY_ROWS_MAX));
        }
        // Who says that it knows more than there is gets nothing.
        let [participants, assets, accounts] = part(counts(9, 9, u32::MAX), counts(3, 2, 1));
        assert!(participants.is_empty() && assets.is_empty() && accounts.is_empty());
    }
}
