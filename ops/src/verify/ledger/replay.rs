//! The ledger applied again, held to its tiles and to the checkpoints that were signed.

use ledger::{Command, Ledger, Outcome, ParticipantNumber};
use proof::{
    Hash,
    text::to_base64,
    tile::{TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TileName},
    tile_tree::tile_root,
    tree::leaf_hash,
};
use wire::genesis::Genesis;

use super::{Report, signed::Signed, source::Tiles};
use crate::replay::{At, Chain, CheckedBlock, Stop, Watch};

/// The state after the last block.
pub(super) struct Replay {
    chain: Chain,
    levels: Levels,
    /// What was signed for, of sizes that are still to come.
    signed: Signed,
}

/// The hashes that tiles must have.
struct Levels {
    levels: Vec<(u64, Vec<Hash>)>,
    tiles: Option<Tiles>,
}

/// What is counted while blocks are applied, beside the tiles.
struct Seen<'a> {
    levels: &'a mut Levels,
    report: &'a mut Report,
}

impl Watch for Seen<'_> {
    fn command(
        &mut self,
        _: &Ledger,
        _: At,
        _: ParticipantNumber,
        command: &Command,
        _: Outcome,
    ) -> Result<(), Stop> {
        self.report.commands += 1;
        self.report.transfers += u64::from(matches!(command, Command::Transfer(_)));
        Ok(())
    }

    fn leaf(&mut self, _: At, hash: &Hash, _: &[u8]) -> Result<(), Stop> {
        self.levels.leaf(*hash)
    }

    fn end(&mut self, _: &Ledger, _: At, block: &CheckedBlock) -> Result<(), Stop> {
        self.report.batches += block.batches.len() as u64;
        self.report.signatures += block.signatures;
        Ok(())
    }
}

impl Replay {
    /// The state of the genesis file, with the record that is its leaf.
    pub(super) fn genesis(
        genesis: &Genesis,
        tiles: Option<Tiles>,
        signed: Signed,
    ) -> Result<(Self, Vec<u8>), Stop> {
        let (chain, first) = Chain::genesis(genesis)?;
        let levels = vec![(0, Vec::new()); usize::from(TILE_LEVEL_MAX) + 1];
        let mut levels = Levels { levels, tiles };
        levels.leaf(leaf_hash(&first))?;
        Ok((Self { chain, levels, signed }, first))
    }

    /// Applies the next block and compares everything.
    pub(super) fn apply(&mut self, block: &CheckedBlock, report: &mut Report) -> Result<(), Stop> {
        self.chain.apply(block, &mut Seen { levels: &mut self.levels, report })?;
        self.hold(report)
    }

    /// Compares root and voters with a checkpoint of this size.
    fn hold(&mut self, report: &mut Report) -> Result<(), Stop> {
        let (size, chain) = (self.chain.leaves(), &self.chain);
        let held = self.signed.reached(size, || chain.root(), || chain.voters())?;
        if let Some((at, root, cosigned)) = held {
            report.hold(at, &root, &cosigned);
        }
        Ok(())
    }

    /// Says how far it came.
    pub(super) fn reached(&self, report: &mut Report) {
        report.height = self.chain.height();
        report.leaves = self.chain.leaves();
        report.root = to_base64(&self.chain.root());
        report.state_root = wire::genesis::hex(self.chain.state_root());
    }

    /// Compares what only the end shows: unfinished tiles, and checkpoints that were not reached.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        for (level, (number, partial)) in self.levels.levels.iter().enumerate() {
            if let Some(tiles) = &self.levels.tiles
                && !partial.is_empty()
            {
                tiles.compare(name(level, *number, partial), partial)?;
            }
        }
        match self.signed.first_left() {
            Some(size) => Err(Stop::Wrong(format!(
                "the ledger ends at {} leaves, before the {size} that were signed for",
                self.chain.leaves()
            ))),
            None => Ok(()),
        }
    }
}

impl Levels {
    fn leaf(&mut self, leaf: Hash) -> Result<(), Stop> {
        let Some(tiles) = &self.tiles else { return Ok(()) };
        let mut hash = leaf;
        for (level, (number, partial)) in self.levels.iter_mut().enumerate() {
            partial.push(hash);
            let Ok(full) = <&[Hash; TILE_WIDTH as usize]>::try_from(&partial[..]) else { break };
            tiles.compare(name(level, *number, full), full)?;
            hash = tile_root(full);
            partial.clear();
            *number += 1;
        }
        Ok(())
    }
}

fn name(level: usize, number: u64, hashes: &[Hash]) -> TileName {
    let kind = TileKind::Hashes { level: level as u8 };
    TileName { kind, number, width: hashes.len() as u16 }
}
