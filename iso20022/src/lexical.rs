//! Lexical checks of the built-in XML Schema types that ISO 20022 uses.
//!
//! These say whether a text belongs to a type (XML Schema 1.0 rules); they do not interpret it.
//! Callers remove surrounding white space where a type ignores it.

/// Removes white space at both ends. Inner white space is never legal in the types using this.
pub(crate) fn collapse(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Digits of a decimal after leading and trailing zeros are removed.
pub(crate) struct DecimalShape {
    /// Digits before the point, without leading zeros.
    pub(crate) whole: usize,
    /// Digits after the point, without trailing zeros.
    pub(crate) fraction: usize,
    /// True for values below zero.
    pub(crate) negative: bool,
}

/// The shape of an `xs:decimal`, or `None` when the text is not one.
pub(crate) fn decimal(text: &str) -> Option<DecimalShape> {
    let bytes = text.as_bytes();
    let (minus, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let whole = &digits[..point];
    let fraction = digits.get(point + 1..).unwrap_or(&[]);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let whole = whole.len() - whole.iter().take_while(|byte| **byte == b'0').count();
    let fraction = fraction.len() - fraction.iter().rev().take_while(|byte| **byte == b'0').count();
    let zero = whole == 0 && fraction == 0;
    Some(DecimalShape { whole, fraction, negative: minus && !zero })
}

/// Digits before the point of a legal decimal as a number; the largest number when there are more
/// than it can hold.
pub(crate) fn whole_part(text: &str) -> u64 {
    let digits = text.trim_start_matches(['+', '-']);
    let whole = digits.split('.').next().unwrap_or("");
    if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) }
}

pub(crate) fn boolean(text: &str) -> bool {
    matches!(text, "true" | "false" | "1" | "0")
}

/// A date and time without white space at its end, if it ends with a zone.
///
/// The schema language collapses white space around all dates and times, but validators in wide
/// use allow it in this one place only. Where they disagree with the letter of the standard, a
/// refusal is what both sides understand.
pub(crate) fn trim_after_zone(text: &str) -> &str {
    let trimmed = text.trim_end_matches([' ', '\t', '\n', '\r']);
    let zone_sign = trimmed.len().checked_sub("+01:00".len()).map(|at| trimmed.as_bytes()[at]);
    let zoned = trimmed.ends_with('Z') || matches!(zone_sign, Some(b'+' | b'-'));
    if zoned { trimmed } else { text }
}

/// `2024-02-29T23:59:59.5+01:00`, the zone optional.
pub(crate) fn date_time(text: &str) -> bool {
    let mut cursor = Cursor(text.as_bytes());
    cursor.date() && cursor.byte(b'T') && cursor.time() && cursor.zone_and_end()
}

/// `2024-02-29`, the zone optional.
pub(crate) fn date(text: &str) -> bool {
    let mut cursor = Cursor(text.as_bytes());
    cursor.date() && cursor.zone_and_end()
}

/// `23:59:59.5`, the zone optional.
pub(crate) fn time(text: &str) -> bool {
    let mut cursor = Cursor(text.as_bytes());
    cursor.time() && cursor.zone_and_end()
}

pub(crate) fn year(text: &str) -> bool {
    let mut cursor = Cursor(text.as_bytes());
    cursor.year().is_some() && cursor.zone_and_end()
}

pub(crate) fn year_month(text: &str) -> bool {
    let mut cursor = Cursor(text.as_bytes());
    cursor.year().is_some()
        && cursor.byte(b'-')
        && cursor.two_digits(1, 12).is_some()
        && cursor.zone_and_end()
}

/// Number of octets that a base64 text stands for, or `None` when it is not base64.
pub(crate) fn base64_octets(text: &str) -> Option<usize> {
    let mut digits = 0_usize;
    let mut padding = 0_usize;
    let mut last = 0_u8;
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        last = value;
        digits += 1;
    }
    // The unused bits of the last digit must be zero, or two texts would stand for one value.
    match (digits % 4, padding) {
        (0, 0) => Some(digits / 4 * 3),
        (3, 1) if last & 0b11 == 0 => Some(digits / 4 * 3 + 2),
        (2, 2) if last & 0b1111 == 0 => Some(digits / 4 * 3 + 1),
        _ => None,
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self, expected: u8) -> bool {
        let found = self.0.first() == Some(&expected);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn two_digits(&mut self, low: u8, high: u8) -> Option<u8> {
        let (tens, ones) = (self.0.first()?, self.0.get(1)?);
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
            return None;
        }
        let value = (tens - b'0') * 10 + (ones - b'0');
        self.0 = &self.0[2..];
        (low..=high).contains(&value).then_some(value)
    }

    /// Four or more digits, no superfluous leading zero, not year zero. Returns whether a
    /// February in it has 29 days.
    fn year(&mut self) -> Option<bool> {
        self.byte(b'-');
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = &self.0[..length];
        if length < 4 || (length > 4 && digits[0] == b'0') || digits.iter().all(|b| *b == b'0') {
            return None;
        }
        // Leap years repeat every 400 years, so the last four digits decide.
        let tail = digits[length - 4..].iter().fold(0_u32, |sum, b| sum * 10 + u32::from(b - b'0'));
        let hundreds_matter = tail % 100 != 0 || tail % 400 == 0;
        self.0 = &self.0[length..];
        Some(tail % 4 == 0 && hundreds_matter)
    }

    fn date(&mut self) -> bool {
        let Some(leap) = self.year() else { return false };
        if !self.byte(b'-') {
            return false;
        }
        let Some(month) = self.two_digits(1, 12) else { return false };
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        self.byte(b'-') && self.two_digits(1, days).is_some()
    }

    fn time(&mut self) -> bool {
        let Some(hour) = self.two_digits(0, 24) else { return false };
        if !self.byte(b':') {
            return false;
        }
        let Some(minute) = self.two_digits(0, 59) else { return false };
        if !self.byte(b':') {
            return false;
        }
        let Some(second) = self.two_digits(0, 59) else { return false };
        let mut rest_is_zero = minute == 0 && second == 0;
        if self.byte(b'.') {
            let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return false;
            }
            rest_is_zero &= self.0[..length].iter().all(|byte| *byte == b'0');
            self.0 = &self.0[length..];
        }
        hour < 24 || rest_is_zero
    }

    fn zone_and_end(&mut self) -> bool {
        if self.0.is_empty() {
            return true;
        }
        if self.byte(b'Z') {
            return self.0.is_empty();
        }
        if !self.byte(b'+') && !self.byte(b'-') {
            return false;
        }
        let Some(hour) = self.two_digits(0, 14) else { return false };
        if !self.byte(b':') {
            return false;
        }
        let highest = if hour == 14 { 0 } else { 59 };
        self.two_digits(0, highest).is_some() && self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decimals() {
        for text in ["0", "+1.5", "-1", ".5", "5.", "001.500"] {
            assert!(decimal(text).is_some(), "{text}");
        }
        for text in ["", ".", "+", "1e5", "1,5", "1 000", "--1", "1.2.3", "NaN"] {
            assert!(decimal(text).is_none(), "{text}");
        }
        let shape = decimal("001.500").unwrap();
        assert_eq!((shape.whole, shape.fraction), (1, 1));
        assert!(!decimal("-0.00").unwrap().negative);
    }

    #[test]
    fn dates_and_times() {
        for text in [
            "2024-02-29T23:59:59",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.123456789+14:00",
            "12024-01-01T00:00:00-00:00",
        ] {
            assert!(date_time(text), "{text}");
        }
        for text in [
            "2023-02-29T00:00:00",
            "2024-01-01T24:00:01",
            "2024-01-01T23:59:60",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00+14:01",
            "2024-01-01T00:00:00.",
            "0000-01-01T00:00:00",
            "2024-1-01T00:00:00",
            "2024-01-01",
        ] {
            assert!(!date_time(text), "{text}");
        }
        assert!(date("2000-02-29") && date("2024-12-31Z") && !date("1900-02-29"));
        assert!(time("00:00:00+01:00") && !time("0:00:00"));
        assert!(year("2024") && !year("24") && year_month("2024-12") && !year_month("2024-13"));
    }

    #[test]
    fn white_space_after_a_zone() {
        for (text, trimmed) in [
            ("2024-01-01T00:00:00Z \n", "2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00+01:00 ", "2024-01-01T00:00:00+01:00"),
            ("2024-01-01T00:00:00 ", "2024-01-01T00:00:00 "),
            (" ", " "),
        ] {
            assert_eq!(trim_after_zone(text), trimmed);
        }
    }

    #[test]
    fn base64() {
        assert_eq!(base64_octets("QUJD"), Some(3));
        assert_eq!(base64_octets("QUI="), Some(2));
        assert_eq!(base64_octets("QQ=="), Some(1));
        assert_eq!(base64_octets(""), Some(0));
        for text in ["Q", "QQ=", "QR==", "Q===", "QU=D", "Q!=="] {
            assert_eq!(base64_octets(text), None, "{text}");
        }
    }
}
