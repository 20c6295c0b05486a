//! Tiles and entry bundles (C2SP tlog-tiles): the log as immutable files, and the names of these.
//!
//! A tile holds up to 256 consecutive subtree roots of one level: `tile/<L>/<N>` begins at leaf
//! `N * 256^(L+1)`, and each of its hashes covers `256^L` leaves. A bundle `tile/entries/<N>` holds
//! the records of the level 0 tile with the same number. What is not full yet has `.p/<width>`
//! behind its name. Reading is strict: each name and each content has one spelling.

use std::fmt;

use crate::{Hash, record::RECORD_BYTES_MAX, text::decimal};

/// Hashes of a full tile and records of a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Highest level of a tile whose start is below 2^64.
pub const TILE_LEVEL_MAX: u8 = 7;
/// Longest path that is read, in bytes.
pub const TILE_PATH_BYTES_MAX: usize = 64;
/// Longest bundle: 256 records of the greatest length, each with its length.
pub const BUNDLE_BYTES_MAX: usize = TILE_WIDTH as usize * (RECORD_BYTES_MAX + 2);

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Roots of subtrees of `256^level` leaves.
    Hashes {
        /// From 0 to [`TILE_LEVEL_MAX`].
        level: u8,
    },
    /// Records.
    Entries,
}

/// Name of a tile or bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileName {
    /// What it holds.
    pub kind: TileKind,
    /// Its number within the level.
    pub number: u64,
    /// How many hashes or records it has, 1 to 256.
    pub width: u16,
}

impl TileName {
    /// The tile with a number as a tree of `size` leaves has it; `None` when that has no such tile.
    pub fn of_tree(kind: TileKind, number: u64, size: u64) -> Option<Self> {
        let level = match kind {
            TileKind::Hashes { level } => level,
            TileKind::Entries => 0,
        };
        let whole = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let before = number.checked_mul(TILE_WIDTH.into())?;
        let width = whole.checked_sub(before).filter(|width| *width > 0)?;
        Some(Self { kind, number, width: width.min(TILE_WIDTH.into()) as u16 })
    }

    /// Whether nothing can be added to it.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Reads a path, as in `tile/0/x001/067.p/5`.
    pub fn parse(path: &str) -> Option<Self> {
        if path.len() > TILE_PATH_BYTES_MAX {
            return None;
        }
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => {
                let level = decimal(level).filter(|level| *level <= TILE_LEVEL_MAX.into())?;
                TileKind::Hashes { level: level as u8 }
            }
        };
        let (number, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((number, width)) => {
                let width = decimal(width)?;
                (number, (1..TILE_WIDTH.into()).contains(&width).then_some(width as u16)?)
            }
        };
        let name = Self { kind, number: number_from(number)?, width };
        // One spelling: no superfluous path elements.
        (name.to_string() == path).then_some(name)
    }
}

impl fmt::Display for TileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => write!(f, "tile/entries/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

fn number_from(path: &str) -> Option<u64> {
    let mut number = 0u64;
    let mut groups = path.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(number)
}

/// Why bytes are not the tile or bundle that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// A tile has 32 bytes for each hash.
    #[error("a tile of {width} hashes cannot have {bytes} bytes")]
    Size {
        /// Hashes that it should have.
        width: u16,
        /// Bytes that it has.
        bytes: usize,
    },
    /// A bundle ends within a record, or has too few or too many.
    #[error("the bundle does not hold exactly {0} records")]
    Bundle(u16),
}

/// The hashes of a tile.
pub fn hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.len() != usize::from(width) || !rest.is_empty() {
        return Err(TileError::Size { width, bytes: bytes.len() });
    }
    Ok(hashes.to_vec())
}

/// Appends a record to a bundle: its length u16 big-endian, then its bytes.
pub fn put_entry(bundle: &mut Vec<u8>, record: &[u8]) {
    let length = u16::try_from(record.len()).expect("a record has at most 65,535 bytes");
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(record);
}

/// The records of a bundle.
pub fn entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut records = Vec::with_capacity(usize::from(width.min(TILE_WIDTH)));
    let mut rest = bytes;
    while !rest.is_empty() && records.len() < usize::from(width) {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(TileError::Bundle(width))?;
        let (record, after) = after
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or(TileError::Bundle(width))?;
        records.push(record);
        rest = after;
    }
    let complete = rest.is_empty() && records.len() == usize::from(width);
    if complete { Ok(records) } else { Err(TileError::Bundle(width)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_specification() {
        let tile = |kind, number, width| TileName { kind, number, width };
        let hashes = |level| TileKind::Hashes { level };
        for (name, path) in [
            (tile(hashes(0), 1_234_067, 256), "tile/0/x001/x234/067"),
            (tile(hashes(2), 0, 1), "tile/2/000.p/1"),
            (tile(hashes(0), 273, 112), "tile/0/273.p/112"),
            (tile(TileKind::Entries, 1_000, 255), "tile/entries/x001/000.p/255"),
        ] {
            assert_eq!(name.to_string(), path);
            assert_eq!(TileName::parse(path), Some(name));
        }
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/00/000",
            "tile/8/000",
            "tile/-1/000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/0/1000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000/",
            "/tile/0/000",
            "tile/entries/000.p/1/",
            "tile/data/000",
            "tile/0/0٣0",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(TileName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tiles_of_a_tree_of_70000_leaves() {
        let width = |level, number| {
            TileName::of_tree(TileKind::Hashes { level }, number, 70_000).map(|tile| tile.width)
        };
        assert_eq!(width(0, 272), Some(256));
        assert_eq!(width(0, 273), Some(112));
        assert_eq!(width(0, 274), None);
        assert_eq!((width(1, 0), width(1, 1), width(1, 2)), (Some(256), Some(17), None));
        assert_eq!((width(2, 0), width(2, 1), width(3, 0)), (Some(1), None, None));
        let of_256 = |level| TileName::of_tree(TileKind::Hashes { level }, 0, 256).unwrap().width;
        assert_eq!((of_256(0), of_256(1)), (256, 1));
        assert_eq!(TileName::of_tree(TileKind::Entries, 273, 70_000).unwrap().width, 112);
        assert_eq!(TileName::of_tree(TileKind::Entries, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn a_tile_has_exactly_its_hashes() {
        let bytes = [[1; 32], [2; 32]].concat();
        assert_eq!(hashes(&bytes, 2).unwrap(), [[1; 32], [2; 32]]);
        for width in [0, 1, 3, 256] {
            assert!(hashes(&bytes, width).is_err());
        }
        assert!(hashes(&bytes[..63], 2).is_err());
    }

    #[test]
    fn golden_bytes_of_a_bundle() {
        let mut bundle = Vec::new();
        for record in [&b"one"[..], b"", b"three"] {
            put_entry(&mut bundle, record);
        }
        assert_eq!(bundle, b"\0\x03one\0\0\0\x05three");
        assert_eq!(entries(&bundle, 3).unwrap(), [&b"one"[..], b"", b"three"]);
        for width in [0, 1, 2, 4, 256] {
            assert!(entries(&bundle, width).is_err(), "{width}");
        }
        for length in 1..bundle.len() {
            assert!(entries(&bundle[..length], 3).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), width: u16, path in "\\PC*",
        ) {
            let _ = hashes(&bytes, width);
            let _ = entries(&bytes, width);
            let _ = TileName::parse(&path);
        }

        #[test]
        fn names_read_back(number: u64, width in 1u16..=256, level in 0u8..=TILE_LEVEL_MAX, entries: bool) {
            let kind = if entries { TileKind::Entries } else { TileKind::Hashes { level } };
            let name = TileName { kind, number, width };
            prop_assert_eq!(TileName::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn bundles_read_back(records in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..40), 1..20,
        )) {
            let mut bundle = Vec::new();
            records.iter().for_each(|record| put_entry(&mut bundle, record));
            prop_assert_eq!(entries(&bundle, records.len() as u16).unwrap(), records);
        }
    }
}
