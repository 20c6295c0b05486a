//! Message names such as `pacs.008.001.08`, and the namespaces built from them.
//!
//! A name is always 15 ASCII characters: four letters, then three dotted groups of 3, 3 and 2
//! digits. It is a small copyable value so that it can travel in every finding and key.

use std::fmt;
use std::str::FromStr;

/// What every ISO 20022 namespace starts with.
pub const NAMESPACE_PREFIX: &str = "urn:iso:std:iso:20022:tech:xsd:";

const LENGTH: usize = 15;

/// The name of a message definition with its version, e.g. `pacs.008.001.08`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageName([u8; LENGTH]);

/// The text is not of the form `aaaa.999.999.99`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a message name of the form aaaa.999.999.99")]
pub struct BadMessageName(pub String);

impl MessageName {
    /// The name as text, 15 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII is ever stored")
    }

    /// The part that all versions share, e.g. `pacs.008`.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.as_str()[..8]
    }

    /// The version, 1 to 99.
    #[must_use]
    pub fn version(&self) -> u8 {
        (self.0[13] - b'0') * 10 + (self.0[14] - b'0')
    }

    /// The XML namespace of this message.
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("{NAMESPACE_PREFIX}{self}")
    }

    /// The name in an ISO 20022 namespace; `None` for any other namespace.
    #[must_use]
    pub fn from_namespace(namespace: &str) -> Option<Self> {
        namespace.strip_prefix(NAMESPACE_PREFIX)?.parse().ok()
    }
}

impl FromStr for MessageName {
    type Err = BadMessageName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadMessageName(text.chars().take(40).collect());
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| bad())?;
        let shape = bytes.iter().enumerate().all(|(at, byte)| match at {
            0..4 => byte.is_ascii_lowercase(),
            4 | 8 | 12 => *byte == b'.',
            _ => byte.is_ascii_digit(),
        });
        if shape { Ok(Self(bytes)) } else { Err(bad()) }
    }
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_of_a_name() {
        let name: MessageName = "pacs.008.001.08".parse().unwrap();
        assert_eq!(name.family(), "pacs.008");
        assert_eq!(name.version(), 8);
        assert_eq!(MessageName::from_namespace(&name.namespace()), Some(name));
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for text in ["", "pacs.008.001.8", "PACS.008.001.08", "pacs-008.001.08", "pacs.008.001.08x"]
        {
            assert!(text.parse::<MessageName>().is_err(), "{text}");
        }
    }
}
