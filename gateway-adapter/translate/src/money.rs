//! Decimal amounts of a message to integer minor units of the ledger and back. Exact or refused: nothing rounds.

use ledger::{Amount, Exponent};
use rust_decimal::Decimal;
use thiserror::Error;

/// Why an amount can't be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Nothing to move.
    #[error("the amount is zero")]
    Zero,
    /// Amounts are never negative in ISO 20022; the direction is in who pays.
    #[error("the amount is negative")]
    Negative,
    /// The value has more decimals than the asset.
    #[error("the amount needs {needed} decimals, the currency has {allowed}")]
    TooPrecise {
        /// Decimals that the value needs, trailing zeros not counted.
        needed: u32,
        /// Decimals that the asset has.
        allowed: u8,
    },
    /// More minor units than one leg can carry.
    #[error("the amount is larger than one transfer can move")]
    TooLarge,
}

/// Minor units of a decimal value. Trailing zeros beyond the asset's decimals (`JPY 100.00`) are accepted: they
/// change nothing.
///
/// # Errors
/// `AmountError`, checked in the order of its variants.
pub fn to_minor_units(value: Decimal, exponent: Exponent) -> Result<Amount, AmountError> {
    let value = value.normalize();
    if value.is_zero() {
        return Err(AmountError::Zero);
    }
    if value.is_sign_negative() {
        return Err(AmountError::Negative);
    }
    let allowed = exponent.get();
    let missing_zeros = u32::from(allowed)
        .checked_sub(value.scale())
        .ok_or(AmountError::TooPrecise { needed: value.scale(), allowed })?;
    value
        .mantissa()
        .checked_mul(10_i128.pow(missing_zeros))
        .and_then(|minor| u64::try_from(minor).ok())
        .map(Amount::new)
        .ok_or(AmountError::TooLarge)
}

/// The canonical decimal text of an amount: all decimals of the asset, no thousands mark (`1234.50`, JPY `100`).
#[must_use]
pub fn to_decimal_text(amount: Amount, exponent: Exponent) -> String {
    let decimals = usize::from(exponent.get());
    let digits = format!("{:0width$}", amount.minor(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn minor(text: &str, exponent: u8) -> Result<u64, AmountError> {
        to_minor_units(text.parse().unwrap(), Exponent::new(exponent).unwrap()).map(Amount::minor)
    }

    #[test]
    fn exact_or_refused() {
        assert_eq!(minor("1234.50", 2), Ok(123_450));
        assert_eq!(minor("1234.5", 2), Ok(123_450));
        assert_eq!(minor("100", 0), Ok(100));
        assert_eq!(minor("100.00", 0), Ok(100));
        assert_eq!(minor("0.001", 3), Ok(1));
        assert_eq!(minor("0.00", 2), Err(AmountError::Zero));
        assert_eq!(minor("-1", 2), Err(AmountError::Negative));
        assert_eq!(minor("1.005", 2), Err(AmountError::TooPrecise { needed: 3, allowed: 2 }));
        assert_eq!(minor("18446744073709551615", 0), Ok(u64::MAX));
        assert_eq!(minor("18446744073709551616", 0), Err(AmountError::TooLarge));
        assert_eq!(minor("79228162514264337593543950335", 18), Err(AmountError::TooLarge));
    }

    #[test]
    fn canonical_text() {
        let text =
            |minor, exponent| to_decimal_text(Amount::new(minor), Exponent::new(exponent).unwrap());
        assert_eq!(text(123_450, 2), "1234.50");
        assert_eq!(text(5, 2), "0.05");
        assert_eq!(text(100, 0), "100");
        assert_eq!(text(1, 18), "0.000000000000000001");
    }

    proptest! {
        #[test]
        fn text_and_back(minor in 1_u64.., exponent in 0_u8..=8) {
            let exponent = Exponent::new(exponent).unwrap();
            let amount = Amount::new(minor);
            let value: Decimal = to_decimal_text(amount, exponent).parse().unwrap();
            prop_assert_eq!(to_minor_units(value, exponent), Ok(amount));
        }
    }
}
