//! Which quotes an exchange takes, and what it costs: the taker and the indicative price use the same function.
//!
//! *Deliver exactly X*: the quotes of the pair are looked at best price first, then the earliest. Each gives what is
//! still needed or what it has left, and takes the price of that, rounded up to a minor unit. *Spend exactly Y*: each
//! gives what the rest buys, rounded down, or what it has left for its price rounded up; the last takes all that is
//! left to spend. A rest that buys nothing at the rate of the quote just taken goes to that quote's provider.
//!
//! A quote is passed over, and the next one looked at, when its time is over, one of its accounts may not pay or
//! receive, it would move money from an account to itself, less would be taken than its least take, or the account
//! that gives has not got what would be taken available or its settings (`settings.rs`) do not let it give that,
//! counting what this exchange takes from it elsewhere but not what it brings. Nothing is tried twice and nothing is optimised beyond that order.
//!
//! The same is done over each vehicle currency that is quoted on both sides, the lowest asset numbers first: to
//! deliver, the second step says how much the first must deliver; to spend, the first says how much the second must
//! spend. The cheapest way wins; the direct one wins a tie, then the lowest asset number. The work is bounded by the
//! length of a pair's book, the number of vehicles and the number of fills.

use crate::amount::Amount;
use crate::id::{AccountNumber, AssetNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::limits::{FILLS_MAX, VEHICLES_LOOKED_AT_MAX, VEHICLES_MAX};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::book::Quote;
use super::outputs::{Fill, PassedOver};

/// The side of an exchange whose amount is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// The creditor receives exactly this.
    Delivered(Amount),
    /// The debtor pays exactly this.
    Spent(Amount),
}

/// What an exchange would take, and for how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangePlan {
    /// What the debtor pays.
    pub paid: Amount,
    /// What the creditor receives.
    pub delivered: Amount,
    /// The currency between the two, when the way over one is cheaper.
    pub via: Option<AssetNumber>,
    /// How many of the fills are of the first step.
    pub first_step: u8,
    /// The quotes taken, in order.
    pub fills: Vec<Fill>,
    /// The quotes passed over on the way taken, in order.
    pub passed: Vec<(TransferId, PassedOver)>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) pays: AssetNumber,
    pub(crate) gets: AssetNumber,
    pub(crate) exact: Exact,
    /// The accounts of the taker, where they are known.
    pub(crate) debit: Option<AccountNumber>,
    pub(crate) credit: Option<AccountNumber>,
    pub(crate) now: LedgerTime,
}

/// One way from what is paid to what is got, as far as it is known.
#[derive(Default)]
struct Way {
    fills: Vec<Fill>,
    passed: Vec<(TransferId, PassedOver)>,
    /// What accounts give so far.
    given: Vec<(AccountNumber, u64)>,
    looks: usize,
}

/// What is still to be done in a step.
#[derive(Clone, Copy)]
enum Open {
    Deliver(u64),
    Spend(u64),
}

impl Ledger {
    /// What it would cost now to get an asset for another, or how much it would bring: an exchange with these amounts
    /// in a block of this time would take these quotes, unless one of them leads to its own accounts.
    ///
    /// # Errors
    /// The refusal that such an exchange would get for lack of quotes, or for an asset or amount that makes none.
    pub fn exchange_price(
        &self,
        pays: AssetNumber,
        gets: AssetNumber,
        exact: Exact,
        now: LedgerTime,
    ) -> Result<ExchangePlan, Refusal> {
        if self.asset(pays).is_none() || self.asset(gets).is_none() {
            return Err(Refusal::UnknownAsset);
        }
        if pays == gets {
            return Err(Refusal::SameAsset);
        }
        let asked = Question { pays, gets, exact, debit: None, credit: None, now };
        self.plan(&asked, &mut 0)
    }

    /// The best way for what is asked; counts in `looks` the quotes that were looked at, also where there is no way.
    pub(crate) fn plan(
        &self,
        asked: &Question,
        looks: &mut usize,
    ) -> Result<ExchangePlan, Refusal> {
        let (Exact::Delivered(amount) | Exact::Spent(amount)) = asked.exact;
        if amount.is_zero() {
            return Err(Refusal::AmountZero);
        }
        let book = &self.fx.book;
        let direct = book.has_pair((asked.pays, asked.gets));
        let vehicles: Vec<AssetNumber> = book
            .quoted_for(asked.pays)
            .take(VEHICLES_LOOKED_AT_MAX)
            .filter(|via| book.has_pair((*via, asked.gets)) && !self.is_closed(*via))
            .take(VEHICLES_MAX)
            .collect();
        if !direct && vehicles.is_empty() {
            return Err(Refusal::NoQuotes);
        }
        let mut best: Option<ExchangePlan> = None;
        let ways = direct.then_some(None).into_iter().chain(vehicles.into_iter().map(Some));
        for via in ways {
            let mut way = Way::default();
            let found = self.plan_way(asked, via, &mut way);
            *looks += way.looks;
            if let Some((paid, delivered, first_step)) = found
                && best.as_ref().is_none_or(|best| {
                    paid < best.paid.minor() || delivered > best.delivered.minor()
                })
            {
                let (paid, delivered) = (Amount::new(paid), Amount::new(delivered));
                let Way { fills, passed, .. } = way;
                let first_step = first_step as u8;
                best = Some(ExchangePlan { paid, delivered, via, first_step, fills, passed });
            }
        }
        best.ok_or(Refusal::QuotesTooSmall)
    }

    /// What is paid, what is delivered, and the number of fills of the first step.
    fn plan_way(
        &self,
        asked: &Question,
        via: Option<AssetNumber>,
        way: &mut Way,
    ) -> Option<(u64, u64, usize)> {
        let Some(via) = via else {
            let pair = (asked.pays, asked.gets);
            return Some(match asked.exact {
                Exact::Delivered(amount) => {
                    let paid = self.step(asked, pair, Open::Deliver(amount.minor()), way)?;
                    (paid, amount.minor(), way.fills.len())
                }
                Exact::Spent(amount) => {
                    let delivered = self.step(asked, pair, Open::Spend(amount.minor()), way)?;
                    (amount.minor(), delivered, way.fills.len())
                }
            });
        };
        let (first, second) = ((asked.pays, via), (via, asked.gets));
        Some(match asked.exact {
            Exact::Delivered(amount) => {
                let between = self.step(asked, second, Open::Deliver(amount.minor()), way)?;
                let seconds = way.fills.len();
                let paid = self.step(asked, first, Open::Deliver(between), way)?;
                way.fills.rotate_left(seconds);
                (paid, amount.minor(), way.fills.len() - seconds)
            }
            Exact::Spent(amount) => {
                let between = self.step(asked, first, Open::Spend(amount.minor()), way)?;
                let firsts = way.fills.len();
                let delivered = self.step(asked, second, Open::Spend(between), way)?;
                (amount.minor(), delivered, firsts)
            }
        })
    }

    /// Takes quotes of one pair until nothing is open. The sum of the other side, or `None` when the quotes do not
    /// suffice.
    fn step(
        &self,
        asked: &Question,
        pair: (AssetNumber, AssetNumber),
        mut open: Open,
        way: &mut Way,
    ) -> Option<u64> {
        let mut sum: u64 = 0;
        for (_, quote) in self.fx.book.of_pair(pair) {
            if way.fills.len() == FILLS_MAX {
                return None;
            }
            way.looks += 1;
            let (gave, took) = match take(quote, open) {
                Some(found) => found,
                None => continue,
            };
            let to = self.receiver_of(asked, pair);
            if let Some(why) = self.why_not(asked, quote, (gave, to), &way.given) {
                way.passed.push((quote.id, why));
                continue;
            }
            match way.given.iter_mut().find(|(account, _)| *account == quote.sells) {
                Some((_, given)) => *given = given.checked_add(gave)?,
                None => way.given.push((quote.sells, gave)),
            }
            let Quote { id, sells, buys, rate, .. } = *quote;
            let (left, other) = match open {
                Open::Deliver(want) => (Open::Deliver(want - gave), took),
                Open::Spend(rest) => (Open::Spend(rest - took), gave),
            };
            let (gave, took) = (Amount::new(gave), Amount::new(took));
            way.fills.push(Fill { quote: id, sells, buys, rate, gave, took });
            sum = sum.checked_add(other)?;
            open = left;
            if matches!(open, Open::Deliver(0) | Open::Spend(0)) {
                return Some(sum);
            }
        }
        None
    }

    /// Why a quote that would give this much cannot be taken.
    fn why_not(
        &self,
        asked: &Question,
        quote: &Quote,
        (gave, to): (u64, Option<ParticipantNumber>),
        given: &[(AccountNumber, u64)],
    ) -> Option<PassedOver> {
        let (sells, buys) = (self.authorised(quote.sells), self.authorised(quote.buys));
        if asked.now > quote.until {
            return Some(PassedOver::Expired);
        }
        if asked.debit == Some(quote.buys) || asked.credit == Some(quote.sells) {
            return Some(PassedOver::SameAccount);
        }
        if sells.check_may_pay().is_err() || buys.check_may_receive().is_err() {
            return Some(PassedOver::Account);
        }
        if self.check_trades(sells.owner).is_err() {
            return Some(PassedOver::Account);
        }
        if gave < quote.least.minor() {
            return Some(PassedOver::BelowLeast);
        }
        let before = given.iter().find(|(account, _)| *account == quote.sells);
        let needed = i128::from(gave) + before.map_or(0, |(_, given)| i128::from(*given));
        if sells.available().minor() < needed {
            return Some(PassedOver::NoCover);
        }
        (self.room_of(quote.sells, to, asked.now) < needed).then_some(PassedOver::Account)
    }

    /// Whom the providers of a pair pay, where that is known already: the owner of the taker's credited account.
    fn receiver_of(
        &self,
        asked: &Question,
        pair: (AssetNumber, AssetNumber),
    ) -> Option<ParticipantNumber> {
        let credit = asked.credit.filter(|_| pair.1 == asked.gets);
        credit.map(|credit| self.authorised(credit).owner)
    }
}

/// What a quote would give and take for what is open; `None` when no amount can say its price.
fn take(quote: &Quote, open: Open) -> Option<(u64, u64)> {
    let (left, rate) = (quote.left.minor(), quote.rate);
    match open {
        Open::Deliver(want) => {
            let gave = left.min(want);
            Some((gave, rate.cost_of(gave)?))
        }
        Open::Spend(rest) => {
            let bought = rate.bought_with(rest);
            if bought < left {
                return Some((bought, rest));
            }
            let cost = rate.cost_of(left)?;
            // What buys nothing more is not left over: it goes to the provider.
            let over = rest - cost;
            Some((left, if rate.bought_with(over) == 0 { rest } else { cost }))
        }
    }
}
