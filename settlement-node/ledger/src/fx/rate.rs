//! The price of a quote: an exact ratio of minor units, without floats and without an exponent of its own.
//!
//! `pay` minor units of the asset that the taker pays buy `get` minor units of the one that it gets. Decimals are in
//! the terms: at 161.25 JPY (0 decimals) for one EUR (2 decimals), who pays JPY and gets EUR has pay 16,125 and
//! get 10,000, or 129 and 80, which is the same price. `from_price` does that for people.
//!
//! Rounding is always against the taker: what it pays goes up to a whole minor unit, what it gets goes down.

use std::cmp::Ordering;

use crate::amount::Exponent;
use crate::limits::RATE_TERM_MAX;

/// `pay` minor units for `get` minor units; both 1 to 10^18.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pay: u64,
    get: u64,
}

impl Rate {
    /// A rate, or `None` when a term is 0 or above 10^18.
    #[must_use]
    pub const fn new(pay: u64, get: u64) -> Option<Self> {
        let fits = pay >= 1 && get >= 1 && pay <= RATE_TERM_MAX && get <= RATE_TERM_MAX;
        if fits { Some(Self { pay, get }) } else { None }
    }

    /// The rate of a price as people write it: `price * 10^-decimals` units of the asset paid for one unit of the
    /// asset got, whose minor units have these exponents. In lowest terms. `None` when the price is 0, has more than
    /// 18 decimals, or cannot be written within the bounds.
    #[must_use]
    pub fn from_price(price: u64, decimals: u8, pays: Exponent, gets: Exponent) -> Option<Self> {
        if price == 0 || decimals > 18 {
            return None;
        }
        // At most 2^64 * 10^18 and 10^36.
        let pay = u128::from(price) * 10u128.pow(pays.get().into());
        let get = 10u128.pow(u32::from(decimals) + u32::from(gets.get()));
        let common = greatest_common_divisor(pay, get);
        Self::new(u64::try_from(pay / common).ok()?, u64::try_from(get / common).ok()?)
    }

    /// Minor units that the taker pays.
    #[must_use]
    pub const fn pay(self) -> u64 {
        self.pay
    }

    /// Minor units that it gets for them.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.get
    }

    /// What `got` minor units cost: up to a whole minor unit. `None` when that is no amount.
    #[must_use]
    pub fn cost_of(self, got: u64) -> Option<u64> {
        // Both factors are below 2^64: the product fits.
        let cost = (u128::from(got) * u128::from(self.pay)).div_ceil(u128::from(self.get));
        u64::try_from(cost).ok()
    }

    /// What `paid` minor units buy: down to a whole minor unit, and at most what an amount can be.
    #[must_use]
    pub fn bought_with(self, paid: u64) -> u64 {
        let bought = u128::from(paid) * u128::from(self.get) / u128::from(self.pay);
        u64::try_from(bought).unwrap_or(u64::MAX)
    }
}

/// A rate in order of price, cheapest for the taker first. Equal prices in other terms are equal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price(pub(crate) Rate);

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        let own = u128::from(self.0.pay) * u128::from(other.0.get);
        own.cmp(&(u128::from(other.0.pay) * u128::from(self.0.get)))
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Price {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Price {}

const fn greatest_common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponent(decimals: u8) -> Exponent {
        Exponent::new(decimals).unwrap()
    }

    fn rate(pay: u64, get: u64) -> Rate {
        Rate::new(pay, get).unwrap()
    }

    #[test]
    fn prices_of_people_become_minor_units() {
        let (jpy, eur, kwd) = (exponent(0), exponent(2), exponent(3));
        // 161.25 JPY for one EUR: 100 cents cost 161.25 yen.
        assert_eq!(Rate::from_price(16_125, 2, jpy, eur), Some(rate(129, 80)));
        // 0.0062 EUR for one JPY: one yen costs 0.62 cents.
        assert_eq!(Rate::from_price(62, 4, eur, jpy), Some(rate(31, 50)));
        // 2.97 EUR for one KWD: 1,000 fils cost 297 cents.
        assert_eq!(Rate::from_price(297, 2, eur, kwd), Some(rate(297, 1_000)));
        assert_eq!(Rate::from_price(0, 0, eur, jpy), None);
        assert_eq!(Rate::from_price(1, 19, eur, jpy), None);
        assert_eq!(Rate::from_price(u64::MAX, 0, exponent(18), jpy), None);
        assert_eq!((Rate::new(0, 1), Rate::new(1, 0)), (None, None));
        assert_eq!(Rate::new(RATE_TERM_MAX + 1, 1), None);
    }

    #[test]
    fn rounding_is_against_the_taker() {
        let third = rate(1, 3);
        assert_eq!((third.cost_of(3), third.cost_of(4)), (Some(1), Some(2)));
        let three = rate(3, 1);
        assert_eq!((three.bought_with(3), three.bought_with(5), three.bought_with(2)), (1, 1, 0));
        assert_eq!(rate(RATE_TERM_MAX, 1).cost_of(u64::MAX), None);
        assert_eq!(rate(1, RATE_TERM_MAX).bought_with(u64::MAX), u64::MAX);
    }

    #[test]
    fn price_not_spelling_orders() {
        assert_eq!(Price(rate(1, 2)), Price(rate(5, 10)));
        assert!(Price(rate(1, 3)) < Price(rate(1, 2)));
        assert!(Price(rate(RATE_TERM_MAX, 1)) > Price(rate(RATE_TERM_MAX - 1, 1)));
    }
}
