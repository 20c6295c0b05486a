//! Business identifier codes (ISO 9362).

/// True for 8 or 11 characters: 4 alphanumeric (institution), 2 letters (country), 2 alphanumeric
/// (location), optionally 3 alphanumeric (branch). Upper case only. The country is not looked up.
#[must_use]
pub fn is_well_formed(bic: &str) -> bool {
    let bytes = bic.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    matches!(bytes.len(), 8 | 11)
        && bytes.iter().all(alphanumeric)
        && bytes[4..6].iter().all(u8::is_ascii_uppercase)
}

/// The form to compare by: 8 characters, or 11 when the branch is not the head office (`XXX`).
/// The text is returned as it is when it is not well-formed.
#[must_use]
pub fn normalised(bic: &str) -> &str {
    if is_well_formed(bic) {
        bic.strip_suffix("XXX").filter(|b| b.len() == 8).unwrap_or(bic)
    } else {
        bic
    }
}

/// True when two codes name the same institution and branch.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    normalised(left) == normalised(right)
}

/// The country in a well-formed code.
#[must_use]
pub fn country(bic: &str) -> Option<&str> {
    is_well_formed(bic).then(|| &bic[4..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_comparison() {
        assert!(is_well_formed("DEUTDEFF") && is_well_formed("DEUTDEFF500"));
        for bad in ["", "DEUTDEF", "deutdeff", "DEUTDEFF5", "DEUT1EFF", "DEUTDEFÜX"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
        assert!(same("DEUTDEFF", "DEUTDEFFXXX") && !same("DEUTDEFF", "DEUTDEFF500"));
        assert_eq!(normalised("BANKXXXX"), "BANKXXXX");
        assert_eq!(country("DEUTDEFF"), Some("DE"));
    }
}
