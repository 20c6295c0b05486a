//! The state after each block, and whether the block says what comes out by the rules.
//!
//! The same as what a node does when it applies a block, but from records: what a node wrote is compared with what
//! comes out here, and the first difference ends it. A change of who votes must be asked for by a decision in the state
//! right before it. A [`Watch`] is shown everything after it was compared.

use std::collections::BTreeSet;

use ledger::{
    BatchContext, Command, Exchanged, Height, Ledger, LedgerTime, OldIds, Outcome,
    ParticipantNumber, Progress,
};
use proof::{
    Hash,
    record::{self, Seal},
    tree::{Frontier, leaf_hash},
};
use settlement_node::membership::{Membership, Roster};
use wire::{genesis::Genesis, notice::BankNotice};

use super::{Stop, blocks::CheckedBlock};

/// Where something stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// Its leaf.
    pub(crate) leaf: u64,
    /// Its block.
    pub(crate) height: u64,
    /// Time of the block, nanoseconds since 1970.
    pub(crate) time: u64,
}

/// Who is shown what happens. The ledger is as it is after the batch, and after the block for all that follows them.
pub(crate) trait Watch {
    /// A command with its answer.
    fn command(
        &mut self,
        ledger: &Ledger,
        at: At,
        submitter: ParticipantNumber,
        command: &Command,
        outcome: Outcome,
    ) -> Result<(), Stop>;
    /// What became of something that waited.
    fn progress(&mut self, _: &Ledger, _: At, _: &Progress) -> Result<(), Stop> {
        Ok(())
    }
    /// An exchange that settled.
    fn exchange(&mut self, _: &Ledger, _: At, _: &Exchanged) -> Result<(), Stop> {
        Ok(())
    }
    /// Each leaf of the block, after the state root was compared.
    fn leaf(&mut self, _: At, _: &Hash, _: &[u8]) -> Result<(), Stop> {
        Ok(())
    }
    /// The block ends; the place is that of its seal.
    fn end(&mut self, _: &Ledger, _: At, _: &CheckedBlock) -> Result<(), Stop> {
        Ok(())
    }
}

/// The state after the last block.
pub(crate) struct Chain {
    ledger: Ledger,
    roster: Roster,
    frontier: Frontier,
    height: u64,
    time: u64,
    previous: Hash,
    state_root: Hash,
}

impl Chain {
    /// The state of the genesis file, with the record that is its leaf.
    pub(crate) fn genesis(genesis: &Genesis) -> anyhow::Result<(Self, Vec<u8>)> {
        let mut ledger = genesis.ledger()?;
        let state_root = ledger.seal_block().0;
        let mut first = Vec::new();
        record::genesis(&mut first, &genesis.domain.network, &state_root);
        let mut this = Self {
            ledger,
            roster: Roster::of(genesis),
            frontier: Frontier::new(),
            height: 0,
            time: genesis.time.0,
            previous: leaf_hash(&first),
            state_root,
        };
        this.frontier.append_leaf(this.previous);
        Ok((this, first))
    }

    /// The ledger.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Height of the last block.
    pub(crate) fn height(&self) -> u64 {
        self.height
    }

    /// Time of the last block.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// Records so far.
    pub(crate) fn leaves(&self) -> u64 {
        self.frontier.size()
    }

    /// Root over them.
    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// State root after the last block.
    pub(crate) fn state_root(&self) -> &Hash {
        &self.state_root
    }

    /// The nodes that vote after the last block.
    pub(crate) fn voters(&self) -> BTreeSet<u64> {
        Membership::of(&self.roster, &self.ledger).voters
    }

    /// Applies the next block and compares everything.
    pub(crate) fn apply(
        &mut self,
        block: &CheckedBlock,
        watch: &mut impl Watch,
    ) -> Result<(), Stop> {
        let height = self.height + 1;
        let wrong = |what: String| Stop::Wrong(format!("block {height}: {what}"));
        self.check_seal(block).map_err(&wrong)?;
        let time = LedgerTime(block.seal.time);
        let place = |leaf: u64| At { leaf, height, time: block.seal.time };
        if let Some(step) = block.step {
            let before = Membership::of(&self.roster, &self.ledger);
            if !before.demands(&self.roster, &self.ledger, step) {
                let (node, seat) = (step.node, step.seat);
                return Err(wrong(format!("nothing demands that node {node} becomes {seat:?}")));
            }
        }
        self.ledger.open_block(time);
        if let Some(step) = block.step {
            self.ledger.seat_node(step);
        }
        let first = self.frontier.size();
        let (mut leaf, mut outcomes, mut events) = (first, Vec::new(), Vec::new());
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
            for (command, outcome) in batch.commands.iter().zip(&outcomes) {
                leaf += 1;
                let (at, command) = (place(leaf), &command.command);
                watch.command(&self.ledger, at, batch.submitter, command, *outcome)?;
            }
            leaf += 1;
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
        for one in &progress {
            watch.progress(&self.ledger, place(leaf), one)?;
            leaf += 1;
        }
        for one in &exchanges {
            watch.exchange(&self.ledger, place(leaf), one)?;
            leaf += 1;
        }
        for ((hash, bytes), leaf) in block.leaves.iter().zip(block.records()).zip(first..) {
            self.frontier.append_leaf(*hash);
            watch.leaf(place(leaf), hash, bytes)?;
        }
        (self.height, self.time) = (height, block.seal.time);
        self.previous = block.seal.leaf_hash();
        watch.end(&self.ledger, place(self.frontier.size() - 1), block)
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
}
