//! Names that people write: BIC, asset code, account label, account name.
//!
//! Each is a short fixed-size ASCII string, checked when it is made, so that a value of the type is always
//! well formed, can be copied without allocation, and sorts the same everywhere. Whether a thing of that name
//! exists is the ledger's business.

use std::fmt;
use std::str::FromStr;

use crate::id::ParseIdError;
use crate::limits::{ASSET_CODE_LEN_MAX, LABEL_LEN_MAX};

/// A business identifier code, always 11 characters inside; 8 characters mean the head office (`XXX`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bic([u8; 11]);

impl Bic {
    /// The 11 characters, a head office ending in `XXX`.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 11] {
        &self.0
    }

    /// Checks the 11 characters of the long form.
    ///
    /// # Errors
    /// `ParseIdError::Bic` when they are not a BIC.
    pub fn from_bytes(bytes: [u8; 11]) -> Result<Self, ParseIdError> {
        let letter_or_digit = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let well_formed =
            bytes.iter().all(letter_or_digit) && bytes[4..6].iter().all(u8::is_ascii_uppercase);
        if well_formed { Ok(Self(bytes)) } else { Err(ParseIdError::Bic) }
    }

    /// The characters as people write them: 8 for a head office, otherwise 11.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = if &self.0[8..] == b"XXX" { &self.0[..8] } else { &self.0[..] };
        std::str::from_utf8(bytes).expect("a BIC is ASCII, checked when it was made")
    }
}

impl FromStr for Bic {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut bytes = *b"XXXXXXXXXXX";
        match text.len() {
            length @ (8 | 11) => bytes[..length].copy_from_slice(text.as_bytes()),
            _ => return Err(ParseIdError::Bic),
        }
        Self::from_bytes(bytes)
    }
}

macro_rules! display_as_str {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
    };
}

display_as_str!(Bic);

/// Code of an asset: an ISO 4217 currency, an ISIN or a token, 1 to 12 capital letters or digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetCode {
    // Padded with zero bytes, so that the derived order is the order of the text.
    bytes: [u8; ASSET_CODE_LEN_MAX],
    length: u8,
}

impl AssetCode {
    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)])
            .expect("an asset code is ASCII, checked when it was made")
    }
}

impl FromStr for AssetCode {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if text.is_empty() || text.len() > ASSET_CODE_LEN_MAX || !text.bytes().all(allowed) {
            return Err(ParseIdError::AssetCode);
        }
        let mut bytes = [0; ASSET_CODE_LEN_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: text.len() as u8 })
    }
}

display_as_str!(AssetCode);

/// Label of an account among one participant's accounts in one asset: 0 to 16 letters, digits or hyphens.
///
/// The empty label is the main account.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    bytes: [u8; LABEL_LEN_MAX],
    length: u8,
}

impl Label {
    /// The label of the main account.
    pub const MAIN: Self = Self { bytes: [0; LABEL_LEN_MAX], length: 0 };

    /// The characters; empty for the main account.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)])
            .expect("a label is ASCII, checked when it was made")
    }

    /// True for the label of the main account.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl FromStr for Label {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.len() > LABEL_LEN_MAX || !text.bytes().all(allowed) {
            return Err(ParseIdError::Label);
        }
        let mut bytes = [0; LABEL_LEN_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: text.len() as u8 })
    }
}

display_as_str!(Label);

/// A reason from one of ISO 20022's external code lists: 4 capital letters or digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode([u8; 4]);

impl ReasonCode {
    /// The 4 characters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// Checks 4 characters.
    ///
    /// # Errors
    /// `ParseIdError::ReasonCode` when one is no capital letter or digit.
    pub fn from_bytes(bytes: [u8; 4]) -> Result<Self, ParseIdError> {
        let allowed = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if bytes.iter().all(allowed) { Ok(Self(bytes)) } else { Err(ParseIdError::ReasonCode) }
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a reason is ASCII, checked when it was made")
    }
}

impl FromStr for ReasonCode {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes = text.as_bytes().try_into().map_err(|_| ParseIdError::ReasonCode)?;
        Self::from_bytes(bytes)
    }
}

display_as_str!(ReasonCode);

/// Full name of an account: whose, in what, which. Written `BIC/ASSET` or `BIC/ASSET/label`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    /// The owner's BIC.
    pub bic: Bic,
    /// The asset that the account holds.
    pub asset: AssetCode,
    /// Which of the owner's accounts in that asset.
    pub label: Label,
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bic, self.asset)?;
        if self.label.is_empty() { Ok(()) } else { write!(f, "/{}", self.label) }
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountName({self})")
    }
}

impl FromStr for AccountName {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (bic, rest) = text.split_once('/').ok_or(ParseIdError::AccountName)?;
        let (asset, label) = match rest.split_once('/') {
            // A trailing slash would be a second spelling of the main account.
            Some((_, "")) => return Err(ParseIdError::AccountName),
            Some((asset, label)) => (asset, label.parse()?),
            None => (rest, Label::MAIN),
        };
        Ok(Self { bic: bic.parse()?, asset: asset.parse()?, label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bic_of_head_office_has_one_form() {
        let short: Bic = "DEUTDEFF".parse().unwrap();
        assert_eq!(short, "DEUTDEFFXXX".parse().unwrap());
        assert_eq!(short.to_string(), "DEUTDEFF");
        assert_eq!("DEUTDEFF500".parse::<Bic>().unwrap().to_string(), "DEUTDEFF500");
        for wrong in
            ["", "DEUTDEF", "deutdeff", "DEUT1EFF", "DEUTDEFF50", "DEUTDEFF5000", "DEUTDÉFF"]
        {
            assert_eq!(wrong.parse::<Bic>(), Err(ParseIdError::Bic), "{wrong}");
        }
    }

    #[test]
    fn account_name_has_one_spelling() {
        for text in ["DEUTDEFF/EUR", "DEUTDEFF500/XS1234567890/nostro-1"] {
            assert_eq!(text.parse::<AccountName>().unwrap().to_string(), text);
        }
        for wrong in ["DEUTDEFF", "DEUTDEFF/", "DEUTDEFF/EUR/", "DEUTDEFF/eur", "DEUTDEFF/EUR/a/b"]
        {
            assert!(wrong.parse::<AccountName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn codes_and_labels_are_bounded() {
        assert!("".parse::<AssetCode>().is_err());
        assert!("ABCDEFGHIJKLM".parse::<AssetCode>().is_err());
        assert!("ABCDEFGHIJKL".parse::<AssetCode>().is_ok());
        assert_eq!("".parse::<Label>(), Ok(Label::MAIN));
        assert!("a2345678901234567".parse::<Label>().is_err());
        assert!("a b".parse::<Label>().is_err());
    }
}
