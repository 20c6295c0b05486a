//! A synthetic day: who pays whom how much, when and in which currency. The same seed gives the same day.
//!
//! - *Banks* differ in size: bank `n` (from 1) takes part in proportion to `n^-0.8`, as in systems where a few banks make
//!   most of the traffic.
//! - *Business goes round*: what leaves a bank comes back within the day, but at another time and from elsewhere. So
//!   transfers are drawn in rounds of two to four different banks, each paying the next one; the amounts of a round
//!   differ by a tenth or so (log-normal, sigma 0.1), their times have nothing to do with each other. What is left over
//!   in sum makes a bank end the day with more or less than it had.
//! - *Amounts* of rounds are log-normal: median 100,000.00, sigma 1.5 of the natural logarithm, cut at 250 times the
//!   median, where banks split their payments. In units of each currency.
//! - *Currencies*: half in EUR, three in ten in USD, the rest in JPY, at fixed rates for what is summed up.
//! - *Time*: payments arrive from 07:00 to 17:30 in seconds: 30 % around 09:00, 25 % around 16:00 (normal, half an hour
//!   and three quarters), the rest evenly. The day closes at 18:00.
//! - *Against payment*: some transfers have a second leg the other way round in another currency, at the same rates.

use std::collections::BTreeMap;

use crate::chance::Chance;

/// Decimals, and the value of one minor unit in hundredths of the first currency.
pub(super) const CURRENCIES: [(&str, u8, f64); 3] =
    [("EUR", 2, 1.0), ("USD", 2, 0.9), ("JPY", 0, 0.6)];
const OPEN_SECONDS: f64 = 11.0 * 3600.0;
/// When the last payment may arrive.
const LAST_SECONDS: f64 = 10.5 * 3600.0;
const MEDIAN_MINOR: f64 = 10_000_000.0;
const SIGMA: f64 = 1.5;
const ROUND_SIGMA: f64 = 0.1;
const CUT: f64 = 250.0;
const SIZE_EXPONENT: f64 = -0.8;

/// One movement: debtor, creditor, currency, amount in minor units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Movement {
    pub(super) debtor: u32,
    pub(super) creditor: u32,
    pub(super) currency: usize,
    pub(super) minor: u64,
}

/// One transfer: one movement, or two against each other.
#[derive(Debug, Clone)]
pub(super) struct DayTransfer {
    /// Seconds after opening.
    pub(super) second: u32,
    pub(super) legs: Vec<Movement>,
}

impl DayTransfer {
    /// Value in hundredths of the first currency.
    pub(super) fn value(&self) -> f64 {
        self.legs.iter().map(|leg| leg.minor as f64 * CURRENCIES[leg.currency].2).sum()
    }
}

/// A day's transfers in order of arrival.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) banks: u32,
    pub(super) transfers: Vec<DayTransfer>,
    /// By bank and currency: the least balance with which nothing ever waits.
    pub(super) unlimited: BTreeMap<(u32, usize), u64>,
}

/// A number from 0 to below 1.
fn uniform(chance: &mut Chance) -> f64 {
    (chance.bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// A number of the standard normal distribution, by the method of Box and Muller.
fn normal(chance: &mut Chance) -> f64 {
    let (one, two) = (1.0 - uniform(chance), uniform(chance));
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

impl Day {
    pub(super) fn new(seed: u64, banks: u32, payments: u32, pvp_percent: u32) -> Self {
        let mut chance = Chance::new(seed);
        let sizes: Vec<f64> = (1..=banks).map(|n| f64::from(n).powf(SIZE_EXPONENT)).collect();
        let mut transfers: Vec<DayTransfer> = Vec::with_capacity(payments as usize);
        while transfers.len() < payments as usize {
            for first in round(&mut chance, &sizes) {
                let second = second(&mut chance);
                let mut legs = vec![first];
                if chance.below(100) < u64::from(pvp_percent) {
                    let other = (first.currency + 1 + chance.below(2) as usize) % 3;
                    let rate = CURRENCIES[first.currency].2 / CURRENCIES[other].2;
                    legs.push(Movement {
                        debtor: first.creditor,
                        creditor: first.debtor,
                        currency: other,
                        minor: (first.minor as f64 * rate).max(1.0) as u64,
                    });
                }
                transfers.push(DayTransfer { second, legs });
            }
        }
        transfers.truncate(payments as usize);
        // Stable: what arrives in the same second keeps its order.
        transfers.sort_by_key(|transfer| transfer.second);
        let unlimited = unlimited(&transfers, banks);
        Self { banks, transfers, unlimited }
    }

    pub(super) fn value(&self) -> f64 {
        self.transfers.iter().map(DayTransfer::value).sum::<f64>() / 100.0
    }

    pub(super) fn unlimited_value(&self) -> f64 {
        let of = |((_, currency), minor): (&(u32, usize), &u64)| {
            *minor as f64 * CURRENCIES[*currency].2 / 100.0
        };
        self.unlimited.iter().map(of).sum()
    }

    /// How long the day is, in seconds.
    pub(super) fn seconds(&self) -> u32 {
        OPEN_SECONDS as u32
    }
}

fn second(chance: &mut Chance) -> u32 {
    loop {
        let time = match chance.below(100) {
            0..30 => 2.0 * 3600.0 + normal(chance) * 1800.0,
            30..55 => 9.0 * 3600.0 + normal(chance) * 2700.0,
            _ => uniform(chance) * LAST_SECONDS,
        };
        if (0.0..LAST_SECONDS).contains(&time) {
            return time as u32;
        }
    }
}

/// Two to four banks, each paying the next one about the same.
fn round(chance: &mut Chance, sizes: &[f64]) -> Vec<Movement> {
    let length = 2 + chance.below(3) as usize;
    let mut banks = Vec::with_capacity(length);
    while banks.len() < length {
        let bank = by_size(chance, sizes);
        if !banks.contains(&bank) {
            banks.push(bank);
        }
    }
    let currency = match chance.below(10) {
        0..5 => 0,
        5..8 => 1,
        _ => 2,
    };
    let size = MEDIAN_MINOR * (SIGMA * normal(chance)).exp().min(CUT);
    (0..length)
        .map(|at| Movement {
            debtor: banks[at],
            creditor: banks[(at + 1) % length],
            currency,
            minor: (size * (ROUND_SIGMA * normal(chance)).exp()).max(1.0) as u64,
        })
        .collect()
}

fn by_size(chance: &mut Chance, sizes: &[f64]) -> u32 {
    let mut left = uniform(chance) * sizes.iter().sum::<f64>();
    for (number, size) in (0..).zip(sizes) {
        left -= size;
        if left < 0.0 {
            return number;
        }
    }
    0
}

/// The lowest point of each balance that starts at zero, if everything settles on arrival.
fn unlimited(transfers: &[DayTransfer], banks: u32) -> BTreeMap<(u32, usize), u64> {
    let all = (0..banks).flat_map(|bank| (0..CURRENCIES.len()).map(move |at| (bank, at)));
    let mut balances: BTreeMap<(u32, usize), (i128, i128)> =
        all.map(|account| (account, (0, 0))).collect();
    let mut change = |account, by: i128| {
        let (balance, lowest) = balances.entry(account).or_default();
        *balance += by;
        *lowest = (*lowest).min(*balance);
    };
    for leg in transfers.iter().flat_map(|transfer| &transfer.legs) {
        change((leg.debtor, leg.currency), -i128::from(leg.minor));
        change((leg.creditor, leg.currency), i128::from(leg.minor));
    }
    let need = |(account, (_, lowest)): ((u32, usize), (i128, i128))| {
        (account, u64::try_from(-lowest).unwrap_or(u64::MAX))
    };
    balances.into_iter().map(need).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_day() {
        let [one, two, other] = [7, 7, 8].map(|seed| Day::new(seed, 12, 2_000, 10));
        assert_eq!(format!("{:?}", one.transfers), format!("{:?}", two.transfers));
        assert_ne!(format!("{:?}", one.transfers), format!("{:?}", other.transfers));
        assert!(one.transfers.is_sorted_by_key(|transfer| transfer.second));
        let pvp = one.transfers.iter().filter(|transfer| transfer.legs.len() == 2).count();
        assert!((120..280).contains(&pvp), "{pvp}");
    }

    #[test]
    fn amounts_are_skewed_and_banks_differ() {
        let day = Day::new(1, 12, 20_000, 0);
        let mut amounts: Vec<u64> =
            day.transfers.iter().map(|transfer| transfer.legs[0].minor).collect();
        amounts.sort_unstable();
        let mean = amounts.iter().sum::<u64>() / 20_000;
        let median = amounts[10_000];
        assert!(mean > 2 * median && mean < 4 * median, "{mean} {median}");
        let sent = |bank| day.transfers.iter().filter(|one| one.legs[0].debtor == bank).count();
        assert!(sent(0) > 4 * sent(11));
    }
}
