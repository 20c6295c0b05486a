//! Numbers and fixed-size byte strings that name things: one newtype each.
//!
//! Names that people write (BIC, asset code, label) are in `name.rs`. Dense numbers are given by the ledger in
//! the order of creation, start at 0 and are never used twice. Nothing here checks that a thing exists.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;
use thiserror::Error;

/// Text that is not what it should name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseIdError {
    /// Not a BIC of 8 or 11 characters.
    #[error("not a BIC: 4 letters or digits, 2 letters, 2 letters or digits, optionally 3 more")]
    Bic,
    /// Not an asset code.
    #[error("not an asset code: 1 to 12 capital letters or digits")]
    AssetCode,
    /// Not an account label.
    #[error("not a label: at most 16 letters, digits or hyphens")]
    Label,
    /// Not `BIC/ASSET` or `BIC/ASSET/label`.
    #[error("not an account name: BIC/ASSET or BIC/ASSET/label")]
    AccountName,
    /// Not a reason code.
    #[error("not a reason: 4 capital letters or digits")]
    ReasonCode,
    /// Not a hyphenated lower-case UUID.
    #[error("not a transfer id: a lower-case UUID such as 0a1b2c3d-0000-4000-8000-000000000000")]
    TransferId,
    /// Not the right number of lower-case hexadecimal digits.
    #[error("not a lower-case hexadecimal string of the right length")]
    Hex,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// Dense number of a participant, in order of admission.
    ParticipantNumber(u32)
);
number!(
    /// Dense number of an asset, in order of addition.
    AssetNumber(u32)
);
number!(
    /// Dense number of an account, in order of opening.
    AccountNumber(u32)
);
number!(
    /// Height of a block: the genesis state has height 0, the first block 1.
    Height(u64)
);
number!(
    /// Nanoseconds since 1970-01-01T00:00:00 UTC, as stamped by the leader. Lasts until the year 2554.
    LedgerTime(u64)
);

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident($len:literal)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $len];
                parse_hex(text.as_bytes(), &mut bytes)?;
                Ok(Self(bytes))
            }
        }
    };
}

hex_bytes!(
    /// Ed25519 public key of a participant. Whether it is a valid curve point is checked where signatures are.
    PublicKey(32)
);
hex_bytes!(
    /// A SHA-256 digest.
    Digest(32)
);
hex_bytes!(
    /// First 8 bytes of the SHA-256 of a command's canonical bytes: tells a repetition from another content.
    ContentDigest(8)
);

impl Digest {
    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl ContentDigest {
    /// The content digest of a command's canonical bytes.
    #[must_use]
    pub fn of(canonical_bytes: &[u8]) -> Self {
        let full = Digest::of(canonical_bytes).0;
        let mut short = [0; 8];
        short.copy_from_slice(&full[..8]);
        Self(short)
    }
}

/// Identity of a command, unique for all time in one network: of a transfer the UETR, of an issue, a redemption
/// or a setting of an account a UUID from the same space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub [u8; 16]);

/// Offsets of the hyphens in the text of a UUID.
const UUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransferId({self})")
    }
}

impl FromStr for TransferId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let text = text.as_bytes();
        if text.len() != 36 || UUID_HYPHENS.iter().any(|&at| text[at] != b'-') {
            return Err(ParseIdError::TransferId);
        }
        let mut digits = [0; 32];
        let mut count = 0;
        for (at, &byte) in text.iter().enumerate() {
            if !UUID_HYPHENS.contains(&at) {
                digits[count] = byte;
                count += 1;
            }
        }
        let mut bytes = [0; 16];
        parse_hex(&digits, &mut bytes).map_err(|_| ParseIdError::TransferId)?;
        Ok(Self(bytes))
    }
}

/// Fills `bytes` from exactly twice as many lower-case hexadecimal digits.
fn parse_hex(digits: &[u8], bytes: &mut [u8]) -> Result<(), ParseIdError> {
    if digits.len() != bytes.len() * 2 {
        return Err(ParseIdError::Hex);
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseIdError::Hex),
    };
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_id_is_a_lower_case_uuid() {
        let text = "eb6305c9-1f7f-49de-aed0-16487c27b42d";
        let id: TransferId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert!(text.to_uppercase().parse::<TransferId>().is_err());
        assert!("eb6305c91f7f49deaed016487c27b42d".parse::<TransferId>().is_err());
        assert!("eb6305c9-1f7f-49de-aed0-16487c27b42".parse::<TransferId>().is_err());
        assert!("eb6305c9-1f7f-49de-aed-016487c27b42d".parse::<TransferId>().is_err());
    }

    #[test]
    fn digest_text_round_trips() {
        let digest = Digest::of(b"corridor");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        assert_eq!(ContentDigest::of(b"corridor").0, digest.0[..8]);
        assert!("0G".repeat(32).parse::<Digest>().is_err());
    }
}
