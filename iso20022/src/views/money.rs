//! Amounts with their currency, exact.

use super::finding_at;
use crate::finding::{Finding, Layer, Severity};
use crate::lexical::{self, collapse};
use crate::tree::Node;
use rust_decimal::Decimal;

/// An amount of money as an element with a `Ccy` attribute states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money<'a> {
    /// The value, exact; at most 18 digits, at most 5 of them fraction digits in a valid message.
    pub value: Decimal,
    /// ISO 4217 code as written, not checked against the list of currencies.
    pub currency: &'a str,
    /// The text as written, without surrounding white space.
    pub lexical: &'a str,
}

impl<'a> Money<'a> {
    /// Reads the amount that an element holds.
    ///
    /// # Errors
    /// A finding (layer L1) when the text is not a decimal number of a sensible size or the
    /// currency is missing; never for a schema-valid message.
    pub fn of(node: Node<'a>) -> Result<Self, Finding> {
        let bad = |code, text: &str| {
            let text = text.to_owned();
            finding_at(node, Layer::Schema, Severity::Error, "schema.amount", code, text)
        };
        let lexical = collapse(node.text());
        let value =
            decimal(lexical).ok_or_else(|| bad("AM12", "The amount is not a decimal number."))?;
        let currency =
            node.attribute("Ccy").ok_or_else(|| bad("AM11", "The amount has no currency."))?;
        Ok(Self { value, currency, lexical })
    }
}

/// The value of an `xs:decimal`; `None` when it is none or needs more than 28 digits.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    const DIGITS_MAX: usize = 28;
    let text = collapse(text);
    let shape = lexical::decimal(text)?;
    if shape.whole + shape.fraction > DIGITS_MAX {
        return None;
    }
    // Zeros without meaning go first: the schema allows any number of them.
    let digits = text.trim_start_matches(['+', '-']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = &whole[whole.len() - shape.whole..];
    let fraction = &fraction[..shape.fraction];
    let add = |sum: i128, digit: u8| sum * 10 + i128::from(digit - b'0');
    let number = whole.bytes().chain(fraction.bytes()).fold(0, add);
    let number = if shape.negative { -number } else { number };
    let scale = u32::try_from(fraction.len()).ok()?;
    Decimal::try_from_i128_with_scale(number, scale).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::str::FromStr;

    #[test]
    fn decimals_of_every_legal_form() {
        let zeros = "0".repeat(200);
        for (text, value) in [
            ("1234.50", "1234.5"),
            ("+1", "1"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-0.0", "0"),
            (" 7 ", "7"),
            (&format!("{zeros}1.5{zeros}"), "1.5"),
            ("999999999999999999", "999999999999999999"),
        ] {
            assert_eq!(decimal(text).unwrap(), Decimal::from_str(value).unwrap(), "{text}");
        }
        assert_eq!(decimal(&"9".repeat(40)), None);
        assert_eq!(decimal("1e5"), None);
    }
}
