//! The ledger applied again, block by block, beside the Merkle log and its tiles.
//!
//! The same as what a node does when it applies a block, but from records: what a node wrote is
//! compared with what comes out here. The first difference ends it. All ids stay in memory.

use std::collections::BTreeMap;

use ledger::{BatchContext, Command, Height, Ledger, LedgerTime, OldIds};
use proof::{
    Hash,
    record::{self, Seal},
    text::to_base64,
    tile::{TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TileName},
    tile_tree::tile_root,
    tree::Frontier,
};
use wire::{genesis::Genesis, notice::BankNotice};

use super::{Report, Stop, blocks::CheckedBlock, source::Tiles};

/// The state after the last block.
pub(super) struct Replay {
    ledger: Ledger,
    frontier: Frontier,
    height: u64,
    time: u64,
    previous: Hash,
    state_root: Hash,
    levels: Vec<(u64, Vec<Hash>)>,
    tiles: Option<Tiles>,
    /// Roots that were signed for, of sizes that are still to come.
    signed: BTreeMap<u64, (Hash, Vec<String>)>,
}

impl Replay {
    /// The state of the genesis file, with the record that is its leaf.
    pub(super) fn genesis(
        genesis: &Genesis,
        tiles: Option<Tiles>,
        signed: BTreeMap<u64, (Hash, Vec<String>)>,
    ) -> Result<(Self, Vec<u8>), Stop> {
        let mut ledger = genesis.ledger().map_err(anyhow::Error::from)?;
        let state_root = ledger.seal_block().0;
        let mut first = Vec::new();
        record::genesis(&mut first, &genesis.domain.network, &state_root);
        let mut this = Self {
            ledger,
            frontier: Frontier::new(),
            height: 0,
            time: genesis.time.0,
            previous: [0; 32],
            state_root,
            levels: vec![(0, Vec::new()); usize::from(TILE_LEVEL_MAX) + 1],
            tiles,
            signed,
        };
        this.previous = proof::tree::leaf_hash(&first);
        this.leaf(this.previous)?;
        Ok((this, first))
    }

    /// Applies the next block and compares everything.
    pub(super) fn apply(&mut self, block: &CheckedBlock, report: &mut Report) -> Result<(), Stop> {
        let height = self.height + 1;
        let wrong = |what: String| Stop::Wrong(format!("block {height}: {what}"));
        self.check_seal(block).map_err(&wrong)?;
        let time = LedgerTime(block.seal.time);
        self.ledger.open_block(time);
        if let Some(step) = block.step {
            self.ledger.seat_node(step);
        }
        let (mut leaf, mut outcomes, mut events) = (self.frontier.size(), Vec::new(), Vec::new());
        for one in &block.batches {
            let context = BatchContext { height: Height(height), time, first_leaf: leaf + 1 };
            let batch = one.batch.batch();
            outcomes.clear();
            events.clear();
            let none = OldIds::new(&[]);
            self.ledger.apply_batch(&context, batch, &none, &mut outcomes, &mut events);
            let said = outcomes.iter().map(|one| (one.answer.code(), one.original));
            if let Some(at) = said.zip(&one.answers).position(|(own, said)| own != *said) {
                let (said, own) = (one.answers[at].0, outcomes[at].answer.code());
                let at = leaf + 1 + at as u64;
                let what = format!("leaf {at} says the answer {said}, the rules say {own}");
                return Err(wrong(what));
            }
            let transfer =
                |one: &&ledger::CheckedCommand| matches!(one.command, Command::Transfer(_));
            report.transfers += batch.commands.iter().filter(transfer).count() as u64;
            report.commands += batch.commands.len() as u64;
            report.batches += 1;
            leaf += 1 + batch.commands.len() as u64;
        }
        let progress = self.ledger.close_block(leaf);
        if !progress.iter().map(wire::progress::encode).eq(block.progress.iter().copied()) {
            return Err(wrong("what waits went on differently by the rules".to_owned()));
        }
        let outputs = self.ledger.take_fx_outputs();
        let notices = BankNotice::of_block(&outputs, &self.ledger.take_notices());
        if !notices.iter().map(wire::notice::encode).eq(block.notices.iter().cloned()) {
            return Err(wrong("its notices came out differently by the rules".to_owned()));
        }
        let exchanges = outputs.exchanges;
        if !exchanges.iter().map(wire::exchanged::encode).eq(block.exchanges.iter().cloned()) {
            return Err(wrong("its exchanges came out differently by the rules".to_owned()));
        }
        self.state_root = self.ledger.seal_block().0;
        if self.state_root != block.seal.state_root {
            return Err(wrong("the rules lead to another state root".to_owned()));
        }
        for hash in &block.leaves {
            self.leaf(*hash)?;
        }
        (self.height, self.time) = (height, block.seal.time);
        self.previous = block.seal.leaf_hash();
        report.signatures += block.signatures;
        self.hold(report)
    }

    fn check_seal(&self, block: &CheckedBlock) -> Result<(), String> {
        let Seal { height, time, first_leaf, records, commands, previous, .. } = block.seal;
        let own: usize = block.batches.iter().map(|one| one.answers.len()).sum();
        if previous != self.previous || height != self.height + 1 {
            return Err("its seal does not follow the one before".to_owned());
        }
        if time <= self.time {
            return Err("its time is not after that of the block before".to_owned());
        }
        let found = (self.frontier.size(), block.leaves.len() as u64 - 1, own as u64);
        if (first_leaf, u64::from(records), u64::from(commands)) != found {
            return Err("its seal does not say what is in it".to_owned());
        }
        Ok(())
    }

    /// Compares the root with a checkpoint of this size.
    fn hold(&mut self, report: &mut Report) -> Result<(), Stop> {
        let size = self.frontier.size();
        while let Some(entry) = self.signed.first_entry()
            && *entry.key() <= size
        {
            let (at, (root, cosigned)) = entry.remove_entry();
            if at != size {
                let what = format!("the checkpoint at {at} leaves is not at the end of a block");
                return Err(Stop::Wrong(what));
            }
            if root != self.frontier.root() {
                let what = format!("the ledger does not lead to the root signed at {at} leaves");
                return Err(Stop::Wrong(what));
            }
            report.hold(at, &root, &cosigned);
        }
        Ok(())
    }

    /// Says how far it came.
    pub(super) fn reached(&self, report: &mut Report) {
        report.height = self.height;
        report.leaves = self.frontier.size();
        report.root = to_base64(&self.frontier.root());
        report.state_root = wire::genesis::hex(&self.state_root);
    }

    /// Compares what only the end shows: unfinished tiles, and checkpoints that were not reached.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        for (level, (number, partial)) in self.levels.iter().enumerate() {
            if let Some(tiles) = &self.tiles
                && !partial.is_empty()
            {
                tiles.compare(name(level, *number, partial), partial)?;
            }
        }
        match self.signed.first_key_value() {
            Some((size, _)) => Err(Stop::Wrong(format!(
                "the ledger ends at {} leaves, before the {size} that were signed for",
                self.frontier.size()
            ))),
            None => Ok(()),
        }
    }

    fn leaf(&mut self, leaf: Hash) -> Result<(), Stop> {
        self.frontier.append_leaf(leaf);
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
