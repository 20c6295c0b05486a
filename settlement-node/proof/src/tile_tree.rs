//! A tree read through its tiles: roots of subtrees, and with them every proof.
//!
//! Whoever fetches tiles from somebody else believes them only after the root that they lead to
//! was compared with a checkpoint: [`crate::path::root`] over this type gives that root, but it
//! reads the peaks alone; [`tile_root`] checks a tile against the hash that stands for it.

use crate::{
    Hash,
    path::Subtrees,
    tile::{TILE_WIDTH, TileKind, TileName},
    tree::node_hash,
};

/// Where tiles come from.
pub trait Tiles {
    /// Why one could not be had.
    type Error;

    /// The hashes of a tile: exactly as many as its name says.
    fn tile(&self, name: TileName) -> Result<Vec<Hash>, Self::Error>;
}

/// A tree of a size, seen through its tiles.
#[derive(Clone, Copy, Debug)]
pub struct TileTree<'a, T> {
    tiles: &'a T,
    size: u64,
}

impl<'a, T: Tiles> TileTree<'a, T> {
    /// The tree of the first `size` leaves.
    pub fn new(tiles: &'a T, size: u64) -> Self {
        Self { tiles, size }
    }
}

impl<T: Tiles> Subtrees for TileTree<'_, T> {
    type Error = T::Error;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, T::Error> {
        // A subtree lies within one tile: 2^(level mod 8) hashes of tile level (level / 8).
        let (tile_level, inner) = ((level / 8) as u8, level % 8);
        let first = index << inner;
        let kind = TileKind::Hashes { level: tile_level };
        let name = TileName::of_tree(kind, first / u64::from(TILE_WIDTH), self.size)
            .expect("subtrees of a tree lie in its tiles");
        let hashes = self.tiles.tile(name)?;
        let at = (first % u64::from(TILE_WIDTH)) as usize;
        Ok(perfect(&hashes[at..at + (1 << inner)]))
    }
}

/// The root over a power of two of hashes.
fn perfect(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row[0]
}

/// The hash that stands for a full tile in the level above: the root over its 256 hashes.
pub fn tile_root(full: &[Hash; TILE_WIDTH as usize]) -> Hash {
    perfect(full)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        path::{consistency, inclusion, root, verify_consistency, verify_inclusion},
        tree::{Frontier, leaf_hash},
    };

    struct Stored(BTreeMap<TileName, Vec<Hash>>);

    impl Tiles for Stored {
        type Error = TileName;

        fn tile(&self, name: TileName) -> Result<Vec<Hash>, TileName> {
            self.0.get(&name).cloned().ok_or(name)
        }
    }

    /// All tiles of a tree, made level by level.
    fn tiles(mut row: Vec<Hash>) -> Stored {
        let mut stored = BTreeMap::new();
        for level in 0u8.. {
            if row.is_empty() {
                break;
            }
            for (number, hashes) in row.chunks(256).enumerate() {
                let kind = TileKind::Hashes { level };
                let name = TileName { kind, number: number as u64, width: hashes.len() as u16 };
                stored.insert(name, hashes.to_vec());
            }
            row = row.as_chunks::<256>().0.iter().map(tile_root).collect();
        }
        Stored(stored)
    }

    #[test]
    fn roots_and_proofs_come_from_tiles_alone() {
        let mut frontier = Frontier::new();
        let mut leaves = Vec::new();
        let mut roots = vec![frontier.root()];
        for number in 0..66_000u32 {
            leaves.push(frontier.append(&number.to_le_bytes()));
            roots.push(frontier.root());
        }
        for size in [1usize, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000] {
            let stored = tiles(leaves[..size].to_vec());
            let tree = TileTree::new(&stored, size as u64);
            assert_eq!(root(&tree, size as u64), Ok(roots[size]), "size {size}");
            for index in [0, 1, 254, 255, 256, 300, 65_535, size - 1] {
                if index >= size {
                    continue;
                }
                let path = inclusion(&tree, index as u64, size as u64).unwrap();
                let leaf = leaf_hash(&(index as u32).to_le_bytes());
                let found = verify_inclusion(&leaf, index as u64, size as u64, &path, &roots[size]);
                assert_eq!(found, Ok(()), "{index} of {size}");
                let path = consistency(&tree, index as u64, size as u64).unwrap();
                let old = (index as u64, &roots[index]);
                let found = verify_consistency(old, (size as u64, &roots[size]), &path);
                assert_eq!(found, Ok(()), "{index} to {size}");
            }
        }
    }
}
