//! What an exchange would cost now, and how banks do in reporting credits to their customers.

use ledger::{Amount, AssetCode, Exact, ExchangePlan, ParticipantNumber, Refusal};
use serde::Serialize;

use super::waiting::{account, bic};
use crate::chain::Chain;

/// Most awaited reports in one answer.
pub const AWAITED_SHOWN_MAX: usize = 1_000;

/// What an exchange would take and cost. Nothing is reserved by asking.
#[derive(Clone, Debug, Serialize)]
pub struct PriceView {
    /// Height at which it was read.
    pub height: u64,
    /// What would be paid, in minor units.
    pub paid_minor: String,
    /// What would be delivered, in minor units.
    pub delivered_minor: String,
    /// Code of the currency between the two, where the way over one is cheaper.
    pub via: Option<String>,
    /// The quotes that would be taken, in order.
    pub fills: Vec<FillView>,
    /// Better quotes that would be passed over.
    pub passed: Vec<PassedView>,
}

/// A quote that would be taken.
#[derive(Clone, Debug, Serialize)]
pub struct FillView {
    /// The quote.
    pub quote: String,
    /// The provider's account that gives.
    pub sells: String,
    /// The provider's account that receives.
    pub buys: String,
    /// What it would give, in minor units.
    pub gave_minor: String,
    /// What it would receive, in minor units.
    pub took_minor: String,
}

/// A quote that would be passed over.
#[derive(Clone, Debug, Serialize)]
pub struct PassedView {
    /// The quote.
    pub quote: String,
    /// Why.
    pub why: &'static str,
}

/// Which side of an exchange is exact, in minor units.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// This much is delivered.
    Deliver(u64),
    /// This much is spent.
    Spend(u64),
}

/// What it would cost, or bring, now.
///
/// # Errors
/// The refusal that such an exchange would get.
pub fn price(
    chain: &Chain,
    pays: &AssetCode,
    gets: &AssetCode,
    side: Side,
) -> Result<PriceView, Refusal> {
    let ledger = chain.ledger();
    let number = |code| ledger.asset_by_code(code).map(|asset| asset.number);
    let pays = number(pays).ok_or(Refusal::UnknownAsset)?;
    let gets = number(gets).ok_or(Refusal::UnknownAsset)?;
    let exact = match side {
        Side::Deliver(amount) => Exact::Delivered(Amount::new(amount)),
        Side::Spend(amount) => Exact::Spent(Amount::new(amount)),
    };
    let ExchangePlan { paid, delivered, via, fills, passed, .. } =
        ledger.exchange_price(pays, gets, exact, chain.time())?;
    let via = via.and_then(|via| ledger.asset(via)).map(|asset| asset.code.to_string());
    let fills = fills.iter().map(|fill| FillView {
        quote: fill.quote.to_string(),
        sells: account(chain, fill.sells),
        buys: account(chain, fill.buys),
        gave_minor: fill.gave.to_string(),
        took_minor: fill.took.to_string(),
    });
    let passed =
        passed.iter().map(|(quote, why)| PassedView { quote: quote.to_string(), why: why.text() });
    Ok(PriceView {
        height: chain.height().0,
        paid_minor: paid.to_string(),
        delivered_minor: delivered.to_string(),
        via,
        fills: fills.collect(),
        passed: passed.collect(),
    })
}

/// How a bank has done in reporting credits to its customers, since genesis.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreView {
    /// The bank.
    pub bic: String,
    /// Reported as credited in time.
    pub in_time: u64,
    /// Reported as credited, late.
    pub late: u64,
    /// Reported as not credited.
    pub rejected: u64,
    /// Never reported.
    pub missing: u64,
    /// Not asked for, because too many were awaited.
    pub not_asked: u64,
    /// Mean time from settlement to the report of those credited, in nanoseconds; none without one.
    pub mean_ns: Option<u64>,
    /// Reports that are awaited now.
    pub awaited: usize,
}

/// A credit whose report is awaited.
#[derive(Clone, Debug, Serialize)]
pub struct AwaitedView {
    /// The transfer or exchange.
    pub uetr: String,
    /// The account that it credited.
    pub account: String,
    /// Its owner.
    pub bank: String,
    /// When it settled.
    pub settled_ns: u64,
    /// The last time at which the report is not late.
    pub by_ns: u64,
    /// Whether that time is over.
    pub overdue: bool,
}

/// Scorecards, and what is awaited.
#[derive(Clone, Debug, Serialize)]
pub struct ScoresView {
    /// Height at which they were read.
    pub height: u64,
    /// Banks that were ever asked to report, by number.
    pub banks: Vec<ScoreView>,
    /// The first 1,000 reports that are awaited, the earliest first.
    pub awaited: Vec<AwaitedView>,
}

/// Reads them, of one bank or all.
#[must_use]
pub fn scores(chain: &Chain, of: Option<ParticipantNumber>) -> ScoresView {
    let ledger = chain.ledger();
    let wanted = |bank: ParticipantNumber| of.is_none_or(|of| of == bank);
    let mut counts = std::collections::BTreeMap::<ParticipantNumber, usize>::new();
    let mut open: Vec<_> = ledger.awaited_reports().filter(|one| wanted(one.bank)).collect();
    open.iter().for_each(|one| *counts.entry(one.bank).or_default() += 1);
    open.sort_by_key(|one| (one.by, one.transfer, one.account));
    let awaited = open.into_iter().take(AWAITED_SHOWN_MAX).map(|one| AwaitedView {
        uetr: one.transfer.to_string(),
        account: account(chain, one.account),
        bank: bic(chain, one.bank),
        settled_ns: one.settled.0,
        by_ns: one.by.0,
        overdue: one.overdue,
    });
    let each = ledger.participants().iter().map(|one| one.number).filter(|one| wanted(*one));
    let banks = each.filter_map(|bank| {
        let card = ledger.scorecard(bank);
        let awaited = counts.get(&bank).copied().unwrap_or_default();
        if card == ledger::Scorecard::default() && awaited == 0 {
            return None;
        }
        let credited = u128::from(card.in_time) + u128::from(card.late);
        Some(ScoreView {
            bic: bic(chain, bank),
            in_time: card.in_time,
            late: card.late,
            rejected: card.rejected,
            missing: card.missing,
            not_asked: card.not_asked,
            mean_ns: card.delay.checked_div(credited).and_then(|mean| u64::try_from(mean).ok()),
            awaited,
        })
    });
    ScoresView { height: chain.height().0, banks: banks.collect(), awaited: awaited.collect() }
}
