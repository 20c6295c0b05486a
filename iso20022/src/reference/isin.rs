//! International securities identification numbers (ISO 6166).

/// True for two letters, nine alphanumeric characters and a check digit that fits (Luhn over the
/// digits, letters counting as 10 to 35).
#[must_use]
pub fn is_valid(isin: &str) -> bool {
    let bytes = isin.as_bytes();
    let shape = bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && bytes[11].is_ascii_digit();
    if !shape {
        return false;
    }
    let mut sum = 0_u32;
    let mut double = false;
    let mut add = |digit: u32| {
        let digit = if double { digit * 2 } else { digit };
        sum += digit / 10 + digit % 10;
        double = !double;
    };
    for byte in bytes.iter().rev() {
        let value = char::from(*byte).to_digit(36).unwrap_or(0);
        add(value % 10);
        if value >= 10 {
            add(value / 10);
        }
    }
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        assert!(is_valid("US0378331005") && is_valid("DE0001102580"));
        for bad in ["US0378331006", "us0378331005", "US037833100", "", "US03783310 5"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
