//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of the log, three lines of a note.
//!
//! Extension lines are neither written nor read: nobody could audit them, and cosignatures say
//! nothing about them.

use std::fmt;

use crate::{
    Hash,
    note::is_key_name,
    text::{decimal, hash_from_base64, to_base64},
};

/// What the origin of a network's log begins with; the network id in hex follows.
const ORIGIN_PREFIX: &str = "corridor/";

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not exactly three lines.
    #[error("a checkpoint has exactly three lines: origin, size and root")]
    Lines,
    /// The origin cannot be a key's name.
    #[error("the first line is no origin")]
    Origin,
    /// The second line is no size.
    #[error("the second line is no size")]
    Size,
    /// The third line is no hash.
    #[error("the third line is no hash of 32 bytes in base64")]
    Root,
}

/// What the log was at a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log; see [`origin`] for those of networks.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// Origin of the log of a network: it names the genesis file and so all that follows from it.
pub fn origin(network: &Hash) -> String {
    let hex: String = network.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{ORIGIN_PREFIX}{hex}")
}

impl Checkpoint {
    /// Reads a note's text.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if !is_key_name(origin) {
            return Err(CheckpointError::Origin);
        }
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = hash_from_base64(root).ok_or(CheckpointError::Root)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// The three lines, which are what is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, to_base64(&self.root))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_published_example_is_read_and_written_alike() {
        let checkpoint = Checkpoint::parse(EXAMPLE).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.root[..3], [0x0a, 0xc5, 0x18]);
        assert_eq!(checkpoint.to_string(), EXAMPLE);
    }

    #[test]
    fn origins_name_the_network() {
        assert_eq!(origin(&[0xab; 32]), format!("corridor/{}", "ab".repeat(32)));
        assert!(is_key_name(&origin(&[0xab; 32])));
    }

    #[test]
    fn anything_else_is_refused() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for bad in [
            String::new(),
            "\n".into(),
            format!("o\n1\n{root}"),
            format!("o\n1\n{root}\n\n"),
            format!("o\n1\n{root}\nextension\n"),
            format!("\n1\n{root}\n"),
            format!("o o\n1\n{root}\n"),
            format!("o\n01\n{root}\n"),
            format!("o\n\n{root}\n"),
            format!("o\n1\n{}\n", &root[..40]),
            "o\n1\n\n".into(),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
