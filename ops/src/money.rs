//! Amounts as people write them, and as the ledger counts them.
//!
//! Text with a decimal point on one side, integer minor units on the other; no floats. Nothing is
//! rounded: a text with more decimals than its currency has is refused.

/// Minor units of an amount such as `1250.00` in a currency of `exponent` decimals (0 to 18).
///
/// `None` when the text is not a plain decimal number, has more decimals than the currency, or is
/// larger than a 64-bit number of minor units. A leading `-` is not accepted.
pub fn parse_minor(text: &str, exponent: u8) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = usize::from(exponent);
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > exponent {
        return None;
    }
    let mut minor: u64 = whole.parse().ok()?;
    for position in 0..exponent {
        let digit = decimals.as_bytes().get(position).map_or(0, |byte| byte - b'0');
        minor = minor.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(minor)
}

/// An amount of minor units with its decimal point and no grouping, as messages carry it.
pub fn format_minor(minor: i128, exponent: u8) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let exponent = usize::from(exponent);
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = exponent + 1);
    let (whole, decimals) = digits.split_at(digits.len() - exponent);
    if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

/// An amount for people: thousands grouped by commas.
pub fn format_grouped(minor: i128, exponent: u8) -> String {
    let plain = format_minor(minor, exponent);
    let (whole, decimals) = plain.split_once('.').unwrap_or((&plain, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("-", rest));
    let mut grouped = String::with_capacity(plain.len() + whole.len() / 3);
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{decimals}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_minor_units_exactly_or_not_at_all() {
        assert_eq!(parse_minor("1250.00", 2), Some(125_000));
        assert_eq!(parse_minor("1250.5", 2), Some(125_050));
        assert_eq!(parse_minor("1250", 0), Some(1250));
        assert_eq!(parse_minor("0.001", 3), Some(1));
        assert_eq!(parse_minor("18446744073709551615", 0), Some(u64::MAX));
        for bad in ["", ".", ".5", "1.234", "-1", "1e3", "1,000", "18446744073709551616"] {
            assert_eq!(parse_minor(bad, 2), None, "{bad}");
        }
    }

    #[test]
    fn minor_units_become_text() {
        assert_eq!(format_minor(5, 2), "0.05");
        assert_eq!(format_minor(-125_000, 2), "-1250.00");
        assert_eq!(format_minor(42, 0), "42");
        assert_eq!(format_grouped(123_456_789, 2), "1,234,567.89");
        assert_eq!(format_grouped(-999, 0), "-999");
        assert_eq!(format_grouped(1_000, 0), "1,000");
    }
}
