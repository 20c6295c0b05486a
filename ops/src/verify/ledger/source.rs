//! Where the records come from: the entry bundles of a mirror, or the history of a stopped node.
//!
//! Neither is believed: a mirror holds what somebody sent, a history what its owner may have changed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use proof::{
    Hash,
    checkpoint::Checkpoint,
    note::Note,
    record::Seal,
    tile::{BUNDLE_BYTES_MAX, TILE_WIDTH, TileKind, TileName, entries},
};
use settlement_node::{
    past::PastBlock,
    store::{
        history::{HistoryError, HistoryFiles},
        vfs::ReadOnlyVfs,
    },
};
use wire::batch::Domain;

use super::{CHECKPOINT_BYTES_MAX, mirror::CHECKPOINT};
use crate::{
    replay::{Read, Records, Stop},
    verify::read_file,
};

/// Records in their order.
pub(super) enum Source {
    /// Bundles of a mirror with a log of `size` leaves.
    Mirror { dir: PathBuf, size: u64, next: u64 },
    /// The history of a node.
    History { files: Box<HistoryFiles>, domain: Domain },
}

impl Source {
    /// Finds out what a folder is.
    pub(super) fn open(dir: &Path, domain: &Domain) -> Result<Self> {
        let note = dir.join(CHECKPOINT);
        if note.exists() {
            let note = Note::parse(&read_file(&note, CHECKPOINT_BYTES_MAX)?)
                .with_context(|| format!("{}", note.display()))?;
            let size = Checkpoint::parse(note.text())?.size;
            return Ok(Self::Mirror { dir: dir.to_owned(), size, next: 0 });
        }
        let places = [dir.join("history"), dir.join("data/history")];
        let Some(history) = places.iter().find(|place| place.is_dir()) else {
            bail!("{} is neither a mirror nor the data folder of a node", dir.display());
        };
        let files = HistoryFiles::open(Box::new(ReadOnlyVfs), history)?;
        Ok(Self::History { files: Box::new(files), domain: *domain })
    }

    /// Tiles to compare with, of a mirror.
    pub(super) fn tiles(&self) -> Option<Tiles> {
        match self {
            Self::Mirror { dir, .. } => Some(Tiles(dir.clone())),
            Self::History { .. } => None,
        }
    }

    /// How much was read, of how much.
    pub(super) fn progress(&self) -> (u64, u64) {
        match self {
            Self::Mirror { size, next, .. } => ((next * u64::from(TILE_WIDTH)).min(*size), *size),
            Self::History { files, .. } => files.progress(),
        }
    }
}

impl Records for Source {
    fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Read, Stop> {
        match self {
            Self::Mirror { dir, size, next } => {
                let Some(name) = TileName::of_tree(TileKind::Entries, *next, *size) else {
                    return Ok(Read::End);
                };
                let bundle = read_file(&dir.join(name.to_string()), BUNDLE_BYTES_MAX)?;
                let records = entries(&bundle, name.width)
                    .map_err(|error| Stop::Wrong(format!("{name}: {error}")))?;
                records.into_iter().for_each(each);
                *next += 1;
                Ok(Read::More)
            }
            Self::History { files, domain } => {
                let block = match files.next_block() {
                    Ok(Some(block)) => block,
                    Ok(None) => return Ok(Read::End),
                    Err(HistoryError::Corrupt { height }) => {
                        let what =
                            format!("the history is damaged or unfinished at block {height}");
                        return Err(Stop::Wrong(what));
                    }
                    Err(error) => return Err(Stop::Failed(anyhow!(error))),
                };
                let seal = Seal::decode(&block.seal)
                    .ok_or_else(|| Stop::Wrong(format!("block {} has no seal", block.height)))?;
                PastBlock::read(&block, domain).map_err(Stop::Wrong)?.for_each_record(&seal, each);
                Ok(Read::More)
            }
        }
    }

    fn has_genesis(&self) -> bool {
        matches!(self, Self::Mirror { .. })
    }

    fn done(&self) -> u64 {
        self.progress().0
    }
}

/// The tiles of a mirror.
pub(super) struct Tiles(PathBuf);

impl Tiles {
    /// Compares a tile with the hashes that it should have.
    pub(super) fn compare(&self, name: TileName, hashes: &[Hash]) -> Result<(), Stop> {
        let tile = read_file(&self.0.join(name.to_string()), hashes.len() * 32 + 1)?;
        match tile == hashes.as_flattened() {
            true => Ok(()),
            false => Err(Stop::Wrong(format!("{name} has other hashes than the records"))),
        }
    }
}
