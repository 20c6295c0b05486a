//! An id is answered once, for ever: also after its generation has left memory for a run on disk,
//! and after the whole log was replayed over the runs that an earlier life has written, be they one
//! a generation or merged with later ones.
#![allow(clippy::unwrap_used)]

mod common;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Answer, Command, LedgerTime, Leg, Legs, ParticipantNumber, Refusal,
    Transfer, TransferId,
};
use settlement_node::{
    chain::Chain,
    old_ids::{OldIdsOnDisk, write_generation},
    prepare::PreparedBlock,
    store::{
        runs::{Pace, RunRange, RunSets, merge_due, write_run},
        vfs::{MemVfs, Vfs},
    },
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    genesis::Genesis,
};

const BATCH: u64 = 8_000;
/// Enough for two full generations of 2^20 ids, so that the first one is released from memory.
const BATCHES: u64 = 2 * (1 << 20) / BATCH + 5;

fn transfer(number: u64, amount: u64) -> Command {
    let mut id = [0x40; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let leg =
        Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(amount) };
    Command::Transfer(Transfer {
        id: TransferId(id),
        legs: Legs::One(leg),
        document: None,
        options: None,
    })
}

fn block_of(genesis: &Genesis, key: &SigningKey, time: u64, commands: &[Command]) -> Bytes {
    let bank = ParticipantNumber(0);
    let mut builder = BatchBuilder::new(&genesis.domain, bank, LedgerTime(u64::MAX));
    for command in commands {
        builder.push(command);
    }
    let (batch, _) = builder.sign(&[(bank, key)]);
    block::encode(LedgerTime(time), [encode_submission(&batch, &[])].iter())
}

struct Life {
    vfs: Arc<dyn Vfs>,
    runs: RunSets,
    chain: Chain,
    next: u64,
}

impl Life {
    fn begin(vfs: &Arc<dyn Vfs>, genesis: &Genesis, table_key: [u64; 2]) -> Self {
        let runs = RunSets::open(Arc::clone(vfs), Path::new("/runs")).unwrap();
        let chain = Chain::genesis(genesis, table_key).unwrap();
        Self { vfs: Arc::clone(vfs), runs, chain, next: 1 }
    }

    fn apply(&mut self, genesis: &Genesis, block: &Bytes) -> Vec<(Answer, bool)> {
        let old = OldIdsOnDisk(self.runs.clone());
        let prepared = PreparedBlock::trusted(
            block.clone(),
            &genesis.domain,
            &old,
            self.chain.runs_released(),
        )
        .unwrap();
        let applied = self.chain.apply(self.next, Arc::new(prepared), &old).unwrap();
        self.next += 1;
        while let Some((number, generation)) = self.chain.take_full_generation() {
            let (dir, pace) = (Path::new("/runs"), Pace::without_rest());
            write_generation(&*self.vfs, dir, &self.runs, number, &generation, pace).unwrap();
            drop(generation);
            self.chain.run_written(number);
        }
        let outcomes = applied.submissions[0].outcomes.iter();
        outcomes.map(|outcome| (outcome.answer, outcome.original.is_some())).collect()
    }
}

#[test]
fn an_id_is_answered_once_across_generations_and_replays() {
    let key = SigningKey::from_bytes(&[5; 32]);
    let genesis = common::genesis("generations", &key);
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut blocks = Vec::new();
    for batch in 0..BATCHES {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let commands: Vec<Command> = numbers.map(|number| transfer(number, 1)).collect();
        blocks.push(block_of(&genesis, &key, 10 + batch, &commands));
    }
    // The first ids come again, with the same and with other content.
    let again = [transfer(0, 1), transfer(1, 2), transfer(BATCHES * BATCH - 1, 1)];
    blocks.push(block_of(&genesis, &key, 10 + BATCHES, &again));

    let mut first = Life::begin(&vfs, &genesis, [1, 2]);
    let mut last_outcomes = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        last_outcomes = first.apply(&genesis, block);
        if number + 1 < blocks.len() {
            let fresh = |outcome: &(Answer, bool)| *outcome == (Answer::Settled, false);
            assert!(last_outcomes.iter().all(fresh), "block {number}");
        }
    }
    assert_eq!(first.runs.version(), 2, "two generations are on disk");
    let expected = [
        (Answer::Settled, true),
        (Answer::Refused(Refusal::DuplicateId), false),
        (Answer::Settled, true),
    ];
    assert_eq!(last_outcomes, expected);
    assert_eq!(first.chain.settled(), BATCHES * BATCH);
    first.chain.ledger().check_invariants().unwrap();

    // Another life replays the log from the start, over the runs that are on disk already.
    replay(&vfs, &genesis, &blocks, &first, &expected);

    // And one more, over one run that also holds ids of the third generation, which are in blocks
    // that are still to be replayed when the first generation leaves memory.
    let ledger = first.chain.ledger();
    let third = (2 << 20..BATCHES * BATCH).map(|number| {
        let id = transfer(number, 1).id().unwrap();
        ledger.lookup(&id).unwrap().to_row(&id)
    });
    let third: Vec<_> = third.collect();
    assert!(third.len() > 30_000);
    for (number, rows) in [(2, third), (3, Vec::new())] {
        let (dir, rows) = (Path::new("/runs"), rows.into_iter());
        first.runs.publish(write_run(&*vfs, dir, number, rows, Pace::without_rest()).unwrap());
    }
    assert!(merge_due(&*vfs, Path::new("/runs"), &first.runs, Pace::without_rest()).unwrap());
    let merged = RunRange::new(0, 4).unwrap();
    assert_eq!(first.runs.current().runs().len(), 1);
    assert!(first.runs.current().run(&merged).is_some());
    replay(&vfs, &genesis, &blocks, &first, &expected);
}

fn replay(
    vfs: &Arc<dyn Vfs>,
    genesis: &Genesis,
    blocks: &[Bytes],
    first: &Life,
    expected: &[(Answer, bool)],
) {
    let mut again = Life::begin(vfs, genesis, [3, 4]);
    assert_eq!(again.runs.version(), first.runs.version());
    let mut last_outcomes = Vec::new();
    for block in blocks {
        last_outcomes = again.apply(genesis, block);
    }
    assert_eq!(last_outcomes, expected);
    assert_eq!(again.chain.state_root(), first.chain.state_root());
    assert_eq!(again.chain.log_root(), first.chain.log_root());
}
