//! Numbers, base64 and hashes as the text formats write them: one value has exactly one spelling.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::Hash;

/// The one spelling of bytes in base64 (RFC 4648 section 4, padded).
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64; `None` unless the text is the one spelling of some bytes.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads a hash of 32 bytes in base64.
pub fn hash_from_base64(text: &str) -> Option<Hash> {
    // 32 bytes are 44 characters; nothing longer is decoded.
    (text.len() == 44).then(|| from_base64(text)).flatten()?.try_into().ok()
}

/// Reads a decimal number without sign and leading zeros.
pub fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "18446744073709551616", "٣"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
        assert_eq!(from_base64("AAA="), Some(vec![0, 0]));
        for bad in ["AAA", "AAB=", "AA=A", "AA==\n", "AA-_", "AA A"] {
            assert_eq!(from_base64(bad), None, "{bad:?}");
        }
        assert_eq!(hash_from_base64(&to_base64(&[7; 32])), Some([7; 32]));
        assert_eq!(hash_from_base64(&to_base64(&[7; 31])), None);
        assert_eq!(hash_from_base64(&to_base64(&[7; 33])), None);
    }
}
