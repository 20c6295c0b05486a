//! What providers offer, as people are shown it.

use serde::Serialize;

use super::waiting::{account, bic};
use crate::chain::Chain;

/// Most quotes in one answer.
pub const QUOTES_SHOWN_MAX: usize = 1_000;

/// A firm offer.
#[derive(Clone, Debug, Serialize)]
pub struct QuoteView {
    /// Its id.
    pub quote: String,
    /// Who offers.
    pub provider: String,
    /// The account that gives.
    pub sells: String,
    /// The account that receives.
    pub buys: String,
    /// Minor units that the taker pays ...
    pub pay: u64,
    /// ... for so many that it gets.
    pub get: u64,
    /// The most that it still gives, in minor units.
    pub left_minor: String,
    /// The least that it gives in one take, in minor units.
    pub least_minor: String,
    /// Until when it can be taken.
    pub until_ns: u64,
}

/// Reads the quotes that are live, at most 1,000: of each pair the best price first.
#[must_use]
pub fn quotes(chain: &Chain) -> Vec<QuoteView> {
    let mut found: Vec<_> = chain.ledger().all_quotes().collect();
    let code = |number| account(chain, number).split('/').nth(1).unwrap_or_default().to_owned();
    found.sort_by(|one, other| {
        let pair = |quote: &ledger::Quote| (code(quote.buys), code(quote.sells));
        let cost = |one: &ledger::Quote, other: &ledger::Quote| {
            u128::from(one.rate.pay()) * u128::from(other.rate.get())
        };
        let by_price = cost(one, other).cmp(&cost(other, one));
        pair(one).cmp(&pair(other)).then(by_price).then(one.order.cmp(&other.order))
    });
    let each = found.into_iter().take(QUOTES_SHOWN_MAX).map(|quote| QuoteView {
        quote: quote.id.to_string(),
        provider: bic(chain, quote.provider),
        sells: account(chain, quote.sells),
        buys: account(chain, quote.buys),
        pay: quote.rate.pay(),
        get: quote.rate.get(),
        left_minor: quote.left.to_string(),
        least_minor: quote.least.to_string(),
        until_ns: quote.until.0,
    });
    each.collect()
}
