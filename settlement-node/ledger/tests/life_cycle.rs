//! Random histories under rule version 2: holds, queues, conditions and returns against the naive model.
//!
//! A history is drawn from its seed, so that a failure names what to run again: `SEED=17 cargo test life_cycle`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod draw;
mod model;

use draw::{Draw, genesis};
use ledger::*;
use model::ModelTurn;

/// Histories in one run.
const HISTORIES: u64 = 100_000;

fn encoded(ledger: &Ledger) -> Vec<u8> {
    let mut bytes = Vec::new();
    let checkpoint = ledger.checkpoint(0).unwrap();
    let append = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    checkpoint.encode(append).unwrap();
    bytes
}

/// One history, command by command; the ledger is put aside and read back now and then.
fn run(seed: u64) {
    let (mut ledger, mut model) = genesis();
    let mut draw = Draw::new(seed);
    let mut leaf = 0;
    let mut time = 1;
    for height in 1..=draw.below(14) + 2 {
        time += 1 + draw.below(12);
        let context =
            BatchContext { height: Height(height), time: LedgerTime(time), first_leaf: leaf };
        ledger.open_block(context.time);
        model.pass(time);
        if draw.below(8) > 0 {
            let batch = draw.batch(time);
            let (mut outcomes, mut events) = (Vec::new(), Vec::new());
            ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
            for (checked, outcome) in batch.commands.iter().zip(&outcomes) {
                let turn = ModelTurn {
                    submitter: batch.submitter.0,
                    signers: Some(&batch.authorisations),
                    now: context.time,
                    valid_until: batch.valid_until,
                    leaf,
                };
                let expected = model.apply(&turn, &checked.command);
                let found = (outcome.answer.code(), outcome.original);
                assert_eq!(found, expected, "seed {seed}, block {height}: {:?}", checked.command);
                leaf += 1;
            }
        }
        let progress = ledger.close_block(leaf);
        let came: Vec<_> = progress.iter().map(|one| (one.id, one.answer.code())).collect();
        assert_eq!(came, std::mem::take(&mut model.came), "seed {seed}, block {height}");
        leaf += progress.len() as u64;
        let root = ledger.seal_block();
        for (view, (number, expected)) in ledger.accounts().zip(&model.accounts) {
            let found = (view.posted.minor(), view.held.minor(), view.available().minor());
            let expected = (expected.balance, model.held(*number), model.available(*number));
            assert_eq!(found, expected, "seed {seed}, block {height}, account {number}");
        }
        let mut waiting: Vec<_> =
            ledger.all_waiting().map(|one| (one.transfer.id, one.stage)).collect();
        let mut expected: Vec<_> =
            model.waiting.iter().map(|one| (one.transfer.id, one.stage)).collect();
        waiting.sort_unstable();
        expected.sort_unstable();
        assert_eq!(waiting, expected, "seed {seed}, block {height}");
        ledger.check_invariants().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(ledger.all_waiting().all(|one| one.deadline().0 >= time), "seed {seed}: stuck");
        if draw.below(16) == 0 {
            assert_eq!(root, ledger.recompute_root(), "seed {seed}, block {height}");
            let bytes = encoded(&ledger);
            let restored = Ledger::restore(&mut &bytes[..], leaf)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(encoded(&restored) == bytes, "seed {seed}, block {height}");
            assert_eq!(restored.state_root(), root);
            ledger = restored;
        }
    }
    // Nothing waits for ever: with time alone everything ends.
    ledger.open_block(LedgerTime(10_000));
    ledger.close_block(leaf);
    assert_eq!(ledger.waiting_count(), 0, "seed {seed}");
    assert!(ledger.accounts().all(|account| account.held.minor() == 0), "seed {seed}");
}

#[test]
fn random_histories_equal_the_model() {
    if let Ok(seed) = std::env::var("SEED") {
        return run(seed.parse().unwrap());
    }
    (0..HISTORIES).for_each(run);
}
