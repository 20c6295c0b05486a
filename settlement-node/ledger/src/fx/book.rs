//! The quote book: firm offers of liquidity providers, best price first, then the earliest.
//!
//! A quote sells an asset from one account of its provider and takes another asset on another account of it, at one
//! rate, up to an amount, until a time. It reserves nothing: its provider's money stays free, and a quote whose
//! provider has no cover when it would be taken is passed over (`plan.rs`). Reserving would lock what several quotes
//! compete to use only once, and a provider that lets its quotes fail is seen in the notices.
//!
//! Rules: a quote can be taken while the ledger's time is not later than its end. What is left after a take and is
//! less than its least take ends with it. A replaced quote goes to the end of its price. The book is bounded as a
//! whole, for each provider, for each pair, and for each provider in a pair.

use std::collections::{BTreeMap, BTreeSet};

use crate::amount::Amount;
use crate::id::{AccountNumber, AssetNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::limits::{
    QUOTES_MAX, QUOTES_PER_PAIR_MAX, QUOTES_PER_PROVIDER_AND_PAIR_MAX, QUOTES_PER_PROVIDER_MAX,
};
use crate::state::Ledger;

use super::rate::{Price, Rate};
use super::slots::{Slots, Stored};

/// A firm offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Its id, of the command that placed it.
    pub id: TransferId,
    /// Leaf of that command.
    pub leaf: u64,
    /// Who offers.
    pub provider: ParticipantNumber,
    /// The account that gives what the taker gets.
    pub sells: AccountNumber,
    /// The account that receives what the taker pays.
    pub buys: AccountNumber,
    /// The price.
    pub rate: Rate,
    /// The most that it still gives.
    pub left: Amount,
    /// The least that it gives in one take.
    pub least: Amount,
    /// The last time at which it can be taken.
    pub until: LedgerTime,
    /// Its place among those of one price: lower is earlier.
    pub order: u64,
}

impl Stored for Quote {
    const TAG: u8 = 5;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.leaf.to_le_bytes());
        out.extend_from_slice(&self.provider.0.to_le_bytes());
        out.extend_from_slice(&self.sells.0.to_le_bytes());
        out.extend_from_slice(&self.buys.0.to_le_bytes());
        for number in [
            self.rate.pay(),
            self.rate.get(),
            self.left.minor(),
            self.least.minor(),
            self.until.0,
            self.order,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// What the taker pays, and what it gets.
pub(crate) type Pair = (AssetNumber, AssetNumber);

/// Price, arrival, place in the table.
type Rank = (Price, u64, u32);

/// All quotes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) quotes: Slots<Quote>,
    /// The order of the next quote; 0 before the first ever.
    pub(crate) next_order: u64,
    by_id: BTreeMap<TransferId, u32>,
    pairs: BTreeMap<Pair, BTreeSet<Rank>>,
    pair_of: BTreeMap<u32, Pair>,
    ends: BTreeSet<(LedgerTime, u32)>,
    by_provider: BTreeMap<ParticipantNumber, u32>,
}

impl Book {
    pub(crate) fn get(&self, id: &TransferId) -> Option<&Quote> {
        self.place_of(id).map(|place| self.quotes.at(place))
    }

    pub(crate) fn place_of(&self, id: &TransferId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// The quotes of a pair, best first, with their places.
    pub(crate) fn of_pair(&self, pair: Pair) -> impl Iterator<Item = (u32, &Quote)> + '_ {
        let ranks = self.pairs.get(&pair).into_iter().flatten();
        ranks.map(|(_, _, place)| (*place, self.quotes.at(*place)))
    }

    pub(crate) fn has_pair(&self, pair: Pair) -> bool {
        self.pairs.contains_key(&pair)
    }

    /// The assets that are quoted for one that is paid, ascending.
    pub(crate) fn quoted_for(&self, pays: AssetNumber) -> impl Iterator<Item = AssetNumber> + '_ {
        let all = (pays, AssetNumber(0))..=(pays, AssetNumber(u32::MAX));
        self.pairs.range(all).map(|((_, gets), _)| *gets)
    }

    /// The quote that ends first.
    pub(crate) fn first_expiry(&self) -> Option<(LedgerTime, u32)> {
        self.ends.first().copied()
    }

    /// True when there is room for another quote, with one out of the way if it is to be replaced.
    pub(crate) fn has_room(
        &self,
        provider: ParticipantNumber,
        pair: Pair,
        replaced: Option<&Quote>,
    ) -> bool {
        let gone = u32::from(replaced.is_some());
        let place = replaced.and_then(|quote| self.place_of(&quote.id));
        let own = self.by_provider.get(&provider).copied().unwrap_or(0) - gone;
        let others = || self.of_pair(pair).filter(|(at, _)| Some(*at) != place);
        self.quotes.count() - (gone as usize) < QUOTES_MAX
            && own < QUOTES_PER_PROVIDER_MAX
            && others().count() < QUOTES_PER_PAIR_MAX
            && others().filter(|(_, quote)| quote.provider == provider).count()
                < QUOTES_PER_PROVIDER_AND_PAIR_MAX
    }

    pub(crate) fn insert(&mut self, quote: Quote, pair: Pair) -> u32 {
        let place = self.quotes.insert(quote);
        self.index(place, pair);
        place
    }

    /// Makes a quote findable that is in its place.
    pub(crate) fn index(&mut self, place: u32, pair: Pair) {
        let quote = self.quotes.at(place);
        let rank = (Price(quote.rate), quote.order, place);
        self.by_id.insert(quote.id, place);
        self.ends.insert((quote.until, place));
        *self.by_provider.entry(quote.provider).or_default() += 1;
        self.pairs.entry(pair).or_default().insert(rank);
        self.pair_of.insert(place, pair);
    }

    pub(crate) fn remove(&mut self, place: u32) -> Quote {
        let quote = self.quotes.remove(place);
        self.by_id.remove(&quote.id);
        self.ends.remove(&(quote.until, place));
        if let Some(own) = self.by_provider.get_mut(&quote.provider) {
            *own -= 1;
            if *own == 0 {
                self.by_provider.remove(&quote.provider);
            }
        }
        if let Some(pair) = self.pair_of.remove(&place)
            && let Some(ranks) = self.pairs.get_mut(&pair)
        {
            ranks.remove(&(Price(quote.rate), quote.order, place));
            if ranks.is_empty() {
                self.pairs.remove(&pair);
            }
        }
        quote
    }
}

impl Ledger {
    /// The live quotes for who pays one asset to get another: best price first, then the earliest.
    pub fn quotes(
        &self,
        pays: AssetNumber,
        gets: AssetNumber,
    ) -> impl Iterator<Item = &Quote> + '_ {
        self.fx.book.of_pair((pays, gets)).map(|(_, quote)| quote)
    }

    /// The live quote of an id.
    #[must_use]
    pub fn quote(&self, id: &TransferId) -> Option<&Quote> {
        self.fx.book.get(id)
    }

    /// All live quotes, by their place in the table.
    pub fn all_quotes(&self) -> impl Iterator<Item = &Quote> + '_ {
        self.fx.book.quotes.iter()
    }

    /// What a taker of a quote pays and gets; its accounts exist.
    pub(crate) fn pair_of(&self, sells: AccountNumber, buys: AccountNumber) -> Pair {
        (self.authorised(buys).asset, self.authorised(sells).asset)
    }
}
