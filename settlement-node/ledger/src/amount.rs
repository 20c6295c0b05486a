//! Amounts and balances in integer minor units, with checked arithmetic only.
//!
//! An `Amount` is what moves (never negative), a `Balance` is what an account has (may be negative within its
//! credit line). Neither knows its asset: the account does, and the ledger never mixes two. The `Exponent` of
//! an asset says how many decimals people write; it takes no part in arithmetic. There are no floats here.

use std::fmt;

use crate::limits::{BALANCE_MAX, EXPONENT_MAX};

/// What a leg moves, in minor units of the asset. Zero is representable and refused where money would move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount of one leg.
    pub const MAX: Self = Self(u64::MAX);

    /// An amount of `minor` minor units.
    #[must_use]
    pub const fn new(minor: u64) -> Self {
        Self(minor)
    }

    /// The number of minor units.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.0
    }

    /// True for zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` when it is larger than `Amount::MAX`.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` when it would be negative.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What an account has, in minor units; negative within a credit line. Never beyond `BALANCE_MAX` either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balance(i128);

impl Balance {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A balance of `minor` minor units.
    #[must_use]
    pub const fn new(minor: i128) -> Self {
        Self(minor)
    }

    /// The number of minor units.
    #[must_use]
    pub const fn minor(self) -> i128 {
        self.0
    }

    /// The sum, or `None` when it is outside `-BALANCE_MAX..=BALANCE_MAX`.
    #[must_use]
    pub const fn checked_add(self, change: i128) -> Option<Self> {
        match self.0.checked_add(change) {
            Some(sum) if sum <= BALANCE_MAX && sum >= -BALANCE_MAX => Some(Self(sum)),
            _ => None,
        }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Decimals of an asset: minor units are `10^-exponent` of the unit (JPY 0, EUR 2, KWD 3). At most 18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exponent(u8);

impl Exponent {
    /// An exponent, or `None` above 18.
    #[must_use]
    pub const fn new(decimals: u8) -> Option<Self> {
        if decimals <= EXPONENT_MAX { Some(Self(decimals)) } else { None }
    }

    /// The number of decimals.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_checked() {
        assert_eq!(Amount::MAX.checked_add(Amount::new(1)), None);
        assert_eq!(Amount::new(1).checked_sub(Amount::new(2)), None);
        assert_eq!(Amount::new(3).checked_sub(Amount::new(2)), Some(Amount::new(1)));
        assert_eq!(Balance::new(BALANCE_MAX).checked_add(1), None);
        assert_eq!(Balance::new(-BALANCE_MAX).checked_add(-1), None);
        assert_eq!(Balance::new(i128::MAX).checked_add(i128::MAX), None);
        assert_eq!(Balance::new(5).checked_add(-7), Some(Balance::new(-2)));
    }

    #[test]
    fn exponent_is_bounded() {
        assert!(Exponent::new(18).is_some());
        assert!(Exponent::new(19).is_none());
    }
}
