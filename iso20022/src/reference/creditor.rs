//! Structured creditor references (ISO 11649).

use super::iban::remainder_97;

/// True for `RF`, two check digits that fit (mod 97) and 1 to 21 letters and digits. Blanks between
/// groups of four, as on paper, are passed over.
#[must_use]
pub fn is_valid(reference: &str) -> bool {
    let bytes = || reference.bytes().filter(|byte| *byte != b' ');
    let length = bytes().count();
    let head: [Option<u8>; 4] = std::array::from_fn(|at| bytes().nth(at));
    let [Some(b'R'), Some(b'F'), Some(tens), Some(ones)] = head else { return false };
    (5..=25).contains(&length)
        && tens.is_ascii_digit()
        && ones.is_ascii_digit()
        && bytes().all(|byte| byte.is_ascii_alphanumeric())
        && remainder_97(bytes().skip(4).chain([b'R', b'F', tens, ones])) == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        assert!(is_valid("RF18539007547034") && is_valid("RF18 5390 0754 7034"));
        for bad in ["RF19539007547034", "RF18", "XX18539007547034", "RF1A539007547034", ""] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
