//! The hashes of the Merkle log by level, as tiles need them: derived, and made again when in doubt.
//!
//! One file for each level, 32 bytes a hash: `level-0.hashes` holds the leaves, level L the roots of the
//! full tiles of the level below. Nothing is synced and nothing is believed: opening takes the leaves
//! that are there and hashes all levels above them anew, and whoever uses them compares the root
//! with a certificate. The levels above take a 255th of the leaves.

use std::{io, path::Path, sync::Arc};

use proof::{
    Hash,
    tile::{TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TileName},
    tile_tree::{Tiles, tile_root},
};

use super::vfs::{Vfs, VfsFile, read_exact_at};

const WIDTH: usize = TILE_WIDTH as usize;
/// Leaves that are read in one go at the start.
const READ_LEAVES: u64 = 32 << 10;

struct Level {
    file: Box<dyn VfsFile>,
    count: u64,
    /// The hashes after the last full tile.
    partial: Vec<Hash>,
    /// Hashes not yet written.
    unwritten: Vec<u8>,
}

/// The files.
pub struct TileFiles {
    levels: Vec<Level>,
}

impl TileFiles {
    /// Opens the files, or creates them, with at most `leaves` leaves of those that are there.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(vfs: &Arc<dyn Vfs>, dir: &Path, leaves: u64) -> io::Result<Self> {
        vfs.create_dir_all(dir)?;
        let level = |number: u8| {
            let file = vfs.open(&dir.join(format!("level-{number}.hashes")), true)?;
            Ok(Level { file, count: 0, partial: Vec::new(), unwritten: Vec::new() })
        };
        let levels = (0..=TILE_LEVEL_MAX).map(level).collect::<io::Result<Vec<_>>>()?;
        let mut files = Self { levels };
        let known = (files.levels[0].file.len()? / 32).min(leaves);
        let mut at = 0;
        while at < known {
            let count = READ_LEAVES.min(known - at);
            let mut bytes = vec![0; count as usize * 32];
            read_exact_at(&*files.levels[0].file, &mut bytes, at * 32)?;
            for leaf in bytes.as_chunks::<32>().0 {
                files.put(0, *leaf);
            }
            // They are there already.
            files.levels[0].unwritten.clear();
            files.flush()?;
            at += count;
        }
        Ok(files)
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels[0].count
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for level in &mut self.levels {
            (level.count, level.partial, level.unwritten) = (0, Vec::new(), Vec::new());
        }
    }

    /// Appends a leaf; readable after [`TileFiles::flush`].
    pub fn append(&mut self, leaf: Hash) {
        self.put(0, leaf);
    }

    fn put(&mut self, from: usize, hash: Hash) {
        let (mut number, mut hash) = (from, hash);
        while let Some(level) = self.levels.get_mut(number) {
            level.unwritten.extend_from_slice(&hash);
            level.count += 1;
            level.partial.push(hash);
            let Ok(full) = <&[Hash; WIDTH]>::try_from(&level.partial[..]) else { return };
            hash = tile_root(full);
            level.partial.clear();
            number += 1;
        }
    }

    /// Writes what was appended.
    ///
    /// # Errors
    /// When the disk fails: the files must be opened again.
    pub fn flush(&mut self) -> io::Result<()> {
        for level in &mut self.levels {
            let written = level.count * 32 - level.unwritten.len() as u64;
            if !level.unwritten.is_empty() {
                level.file.write_at(&level.unwritten, written)?;
                level.unwritten.clear();
            }
        }
        Ok(())
    }
}

impl Tiles for TileFiles {
    type Error = io::Error;

    fn tile(&self, name: TileName) -> io::Result<Vec<Hash>> {
        let TileKind::Hashes { level } = name.kind else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut bytes = vec![0; usize::from(name.width) * 32];
        let at = name.number.checked_mul(WIDTH as u64 * 32).ok_or(io::ErrorKind::NotFound)?;
        read_exact_at(&*self.levels[usize::from(level)].file, &mut bytes, at)?;
        Ok(bytes.as_chunks::<32>().0.to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::vfs::MemVfs;
    use proof::{
        path::root,
        tile_tree::TileTree,
        tree::{Frontier, leaf_hash},
    };

    #[test]
    fn roots_come_from_the_files_before_and_after_they_are_opened_again() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let dir = Path::new("tiles");
        let mut files = TileFiles::open(&vfs, dir, u64::MAX).unwrap();
        let mut frontier = Frontier::new();
        let mut roots = vec![frontier.root()];
        for number in 0..70_000u32 {
            files.append(leaf_hash(&number.to_le_bytes()));
            frontier.append(&number.to_le_bytes());
            roots.push(frontier.root());
            if number % 777 == 0 {
                files.flush().unwrap();
            }
        }
        files.flush().unwrap();
        for size in [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
            assert_eq!(root(&TileTree::new(&files, size), size).unwrap(), roots[size as usize]);
        }
        // What is cut off, and what was written above it before, is of no account.
        let mut files = TileFiles::open(&vfs, dir, 65_000).unwrap();
        assert_eq!(files.size(), 65_000);
        let tree = TileTree::new(&files, 65_000);
        assert_eq!(root(&tree, 65_000).unwrap(), roots[65_000]);
        for number in 65_000..66_000u32 {
            files.append(leaf_hash(&number.to_le_bytes()));
        }
        files.flush().unwrap();
        assert_eq!(root(&TileTree::new(&files, 66_000), 66_000).unwrap(), roots[66_000]);
        files.clear();
        assert_eq!(files.size(), 0);
    }
}
