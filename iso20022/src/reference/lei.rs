//! Legal entity identifiers (ISO 17442).

use super::iban::remainder_97;

/// True for 18 alphanumeric characters and two check digits that fit (ISO 7064 mod 97-10).
#[must_use]
pub fn is_valid(lei: &str) -> bool {
    let bytes = lei.as_bytes();
    bytes.len() == 20
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && bytes[18..].iter().all(u8::is_ascii_digit)
        && remainder_97(bytes.iter().copied()) == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        assert!(is_valid("7LTWFZYICNSX8D621K86"));
        assert!(!is_valid("7LTWFZYICNSX8D621K87"));
        assert!(!is_valid("7LTWFZYICNSX8D621K8"));
    }
}
