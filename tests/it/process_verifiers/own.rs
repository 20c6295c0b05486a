//! The library of the nodes: each bit of each file that an auditor gets is changed, and each change is refused.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use corridor::verify::{Names, verify};
use proof::{
    Hash,
    checkpoint::Checkpoint,
    note::Note,
    path::root,
    policy::Policy,
    tile::{TILE_WIDTH, TileKind, TileName, entries, hashes},
    tile_tree::{TileTree, Tiles, tile_root},
    tree::leaf_hash,
};

/// The tiles and bundles of a log of some size, as they were fetched.
pub(super) struct Mirror {
    pub(super) checkpoint: Checkpoint,
    pub(super) files: BTreeMap<TileName, Vec<u8>>,
}

impl Mirror {
    pub(super) fn read(folder: &Path, note: &[u8], policy: &Policy) -> Result<Self> {
        let checkpoint = policy.judge(&Note::parse(note)?)?.checkpoint;
        let mut files = BTreeMap::new();
        let kinds = (0..8).map(|level| TileKind::Hashes { level });
        for kind in kinds.chain([TileKind::Entries]) {
            let mut number = 0;
            while let Some(name) = TileName::of_tree(kind, number, checkpoint.size) {
                let bytes = fs::read(folder.join(name.to_string()));
                files.insert(name, bytes.with_context(|| format!("{name} is needed"))?);
                number += 1;
            }
        }
        Ok(Self { checkpoint, files })
    }

    fn tile_of(&self, name: TileName) -> Result<Vec<Hash>> {
        Ok(hashes(&self.files[&name], name.width)?)
    }

    /// Whether a file, as it is or with other bytes, belongs to the signed log.
    fn file_holds(&self, name: TileName, bytes: &[u8]) -> bool {
        let TileKind::Hashes { level } = name.kind else {
            let Ok(records) = entries(bytes, name.width) else { return false };
            let tile = TileName { kind: TileKind::Hashes { level: 0 }, ..name };
            let Ok(leaves) = self.tile_of(tile) else { return false };
            return records.iter().map(|record| leaf_hash(record)).eq(leaves);
        };
        let Ok(own) = hashes(bytes, name.width) else { return false };
        let above = TileKind::Hashes { level: level + 1 };
        let parent = name.number / u64::from(TILE_WIDTH);
        match <&[Hash; TILE_WIDTH as usize]>::try_from(&own[..]) {
            // A full tile stands in the tile above it, which is checked like this one.
            Ok(full) => TileName::of_tree(above, parent, self.checkpoint.size)
                .and_then(|parent| self.tile_of(parent).ok())
                .is_some_and(|parent| {
                    parent[(name.number % u64::from(TILE_WIDTH)) as usize] == tile_root(full)
                }),
            Err(_) => {
                let changed = Changed { mirror: self, name, tile: own };
                let size = self.checkpoint.size;
                root(&TileTree::new(&changed, size), size)
                    .is_ok_and(|root| root == self.checkpoint.root)
            }
        }
    }
}

/// A mirror of which one tile is another one.
struct Changed<'a> {
    mirror: &'a Mirror,
    name: TileName,
    tile: Vec<Hash>,
}

impl Tiles for Changed<'_> {
    type Error = anyhow::Error;

    fn tile(&self, name: TileName) -> Result<Vec<Hash>> {
        if name == self.name { Ok(self.tile.clone()) } else { self.mirror.tile_of(name) }
    }
}

/// Changes each bit; returns how many there are.
fn each_flip(name: &str, bytes: &[u8], holds: impl Fn(&[u8]) -> bool) -> Result<u64> {
    ensure!(holds(bytes), "{name} is refused as it is");
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            ensure!(!holds(&changed), "bit {bit} of byte {at} of {name} may be changed unnoticed");
            changed[at] ^= 1 << bit;
        }
    }
    Ok(bytes.len() as u64 * 8)
}

/// Changes each bit of each file of the kit; returns how many bits that were.
pub(super) fn flips(kit: &Path) -> Result<u64> {
    let policy_text = fs::read(kit.join("ledger.policy"))?;
    let policy = Policy::parse(&policy_text)?;
    let names = Names::default();
    let mut bits = 0;
    let mut last = Vec::new();
    for entry in fs::read_dir(kit.join("receipts"))? {
        let receipt = fs::read(entry?.path())?;
        let valid = |bytes: &[u8]| verify(bytes, &policy_text, &names).valid;
        bits += each_flip("a receipt", &receipt, valid)?;
        last = receipt;
    }
    bits += each_flip("the policy", &policy_text, |bytes| verify(&last, bytes, &names).valid)?;
    let note = fs::read(kit.join("mirror/checkpoint"))?;
    bits += each_flip("the checkpoint", &note, |bytes| {
        Note::parse(bytes).is_ok_and(|note| policy.judge(&note).is_ok())
    })?;
    let mirror = Mirror::read(&kit.join("mirror"), &note, &policy)?;
    let size = mirror.checkpoint.size;
    ensure!(size > TILE_WIDTH.into(), "{size} leaves fit into one tile");
    for (name, bytes) in &mirror.files {
        bits += each_flip(&name.to_string(), bytes, |bytes| mirror.file_holds(*name, bytes))?;
    }
    println!("own library: each of {bits} bits of a ledger of {size} leaves is needed");
    Ok(bits)
}
