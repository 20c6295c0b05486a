//! Random histories under rule version 2: holds, queues, conditions and returns against the naive model.
//!
//! A history is drawn from its seed, so that a failure names what to run again: `SEED=17 cargo test life_cycle`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod draw;
mod model;

use std::collections::BTreeMap;

use draw::{Draw, genesis};
use ledger::*;
use model::ModelTurn;

/// Histories in one run.
const HISTORIES: u64 = 150_000;

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

/// How often a command was answered with a code, or a waiting transfer came forward by a cause.
type Seen = BTreeMap<(&'static str, u16), u64>;

/// One history, command by command; the ledger is put aside and read back now and then.
fn run(seed: u64, seen: &mut Seen) {
    let (mut ledger, mut model) = genesis();
    let mut draw = Draw::new(seed);
    let mut leaf = 0;
    let mut time = 1;
    for height in 1..=draw.below(14) + 2 {
        // Mostly small steps; now and then enough for offsetting, which is tried every fifth of a second.
        time += 1 + draw.below(12) + draw.long_step();
        if seed / 4 % 4 == 3 && draw.below(5) == 0 {
            // Enough for an asset to open or close; now and then for an act to expire.
            time += if draw.below(8) == 0 { 86_400 } else { 30 + draw.below(90) } * 1_000_000_000;
        }
        let context =
            BatchContext { height: Height(height), time: LedgerTime(time), first_leaf: leaf };
        ledger.open_block(context.time);
        model.pass(time);
        if draw.below(8) > 0 {
            let batch = draw.batch(time, &ledger);
            let (mut outcomes, mut events) = (Vec::new(), Vec::new());
            ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
            model.begin_batch(batch.submitter.0, &batch.authorisations, time);
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
                *seen.entry((checked.command.name(), found.0)).or_default() += 1;
                leaf += 1;
            }
        }
        let progress = ledger.close_block(leaf);
        model.sweep();
        let came: Vec<_> = progress.iter().map(|one| (one.id, one.answer.code())).collect();
        let before = model.came.len();
        assert_eq!(came[..before.min(came.len())], model.came, "seed {seed}, block {height}");
        model.release(&progress[before..]);
        assert_eq!(came, std::mem::take(&mut model.came), "seed {seed}, block {height}");
        let notices: Vec<_> =
            ledger.take_notices().iter().map(|one| (one.account.0, one.kind)).collect();
        assert_eq!(notices, model.notices(), "seed {seed}, block {height}");
        *seen.entry(("notice", 0)).or_default() += notices.len() as u64;
        for one in &progress {
            let by = match one.cause {
                Cause::Command(_) => "command",
                Cause::Time => "time",
                Cause::Cover => "cover",
                Cause::Together(_) => "together",
                Cause::Till => "till",
            };
            *seen.entry((by, one.answer.code())).or_default() += 1;
        }
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
        let mut undecided: Vec<_> = ledger.proposals().map(|(id, _)| *id).collect();
        undecided.extend(ledger.acts().map(|(id, ..)| *id));
        undecided.sort_unstable();
        assert_eq!(undecided, model.undecided(), "seed {seed}, block {height}");
        for participant in ledger.participants() {
            let (number, keys) = (participant.number, &participant.signing_keys);
            let mut expected = model.live_keys(number.0, time);
            let mut found = keys.clone();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "seed {seed}, block {height}, keys of {number}");
            assert!(!found.is_empty(), "seed {seed}, block {height}, {number} has no key");
            assert_eq!(ledger.participant_state(number), model.state(number.0));
            assert!(found.iter().all(|key| ledger.key_was_live(number, key, leaf)));
        }
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
    ledger.open_block(LedgerTime(1 << 60));
    ledger.close_block(leaf);
    assert_eq!(ledger.waiting_count(), 0, "seed {seed}");
    assert_eq!((ledger.proposals().len(), ledger.acts().len()), (0, 0), "seed {seed}");
    assert!(ledger.accounts().all(|account| account.held.minor() == 0), "seed {seed}");
}

/// What must come up in the histories, so that they test what they seem to.
fn check_seen(seen: &Seen) {
    let mut missing = Vec::new();
    let mut need = |what: &'static str, code: u16| {
        if seen.get(&(what, code)).copied().unwrap_or(0) < 20 {
            missing.push((what, code));
        }
    };
    [1, 2, 3, 4].into_iter().for_each(|code| need("transfer", code));
    let of_transfers = [
        Refusal::DeadlinePassed,
        Refusal::DeadlineMissing,
        Refusal::StartAfterDeadline,
        Refusal::ReturnMayNotWait,
        Refusal::UnknownParticipant,
        Refusal::ApproverTwice,
        Refusal::InsufficientCover,
        Refusal::OriginalUnknown,
        Refusal::NotTheReverse,
        Refusal::ReturnTooLarge,
    ];
    of_transfers.iter().for_each(|one| need("transfer", one.code()));
    for one in [Refusal::NotWaiting, Refusal::NotAuthorised] {
        ["approve", "refuse", "cancel", "reorder"]
            .iter()
            .for_each(|command| need(command, one.code()));
    }
    for command in ["approve", "refuse", "reveal", "cancel", "reorder"] {
        need(command, 1);
    }
    need("approve", Refusal::InsufficientCover.code());
    need("approve", Refusal::AlreadyAnswered.code());
    need("refuse", Refusal::AlreadyAnswered.code());
    need("cancel", Refusal::HoldBinds.code());
    need("reveal", Refusal::WrongPreimage.code());
    need("command", 1);
    need("command", Stage::Queued as u16);
    need("command", Refusal::RefusedByParty.code());
    need("command", Refusal::Cancelled.code());
    for code in [1, 3, 4] {
        need("time", code);
    }
    need("time", Refusal::ConditionsNotMet.code());
    need("time", Refusal::CoverNotFound.code());
    need("cover", 1);
    for one in [
        Refusal::SignerSuspended,
        Refusal::DebtorSuspended,
        Refusal::CreditorSuspended,
        Refusal::AboveNetworkLimit,
        Refusal::CutOffPassed,
    ] {
        need("transfer", one.code());
    }
    for code in [1, 3, Refusal::NothingToChange.code(), Refusal::NotAVoter.code()] {
        need("propose", code);
    }
    for code in [1, Refusal::MakerIsChecker.code(), Refusal::AlreadyAnswered.code()] {
        need("vote", code);
    }
    for command in ["withdraw", "confirm", "add-key", "retire-key", "revoke-key"] {
        need(command, 1);
    }
    for (command, one) in [
        ("confirm", Refusal::MakerIsChecker),
        ("add-key", Refusal::KeyInUse),
        ("add-key", Refusal::TimeOutOfRange),
        ("retire-key", Refusal::KeyNotLive),
        ("revoke-key", Refusal::KeyNeeded),
        ("command", Refusal::VotedDown),
        ("command", Refusal::Withdrawn),
        ("time", Refusal::ProposalExpired),
        ("time", Refusal::NotConfirmed),
        ("time", Refusal::DebtorSuspended),
    ] {
        need(command, one.code());
    }
    for command in ["issue", "redeem", "add-key", "set-funding-limit"] {
        need(command, 3);
    }
    need("together", 1);
    let limits = [
        Refusal::PaymentLimit,
        Refusal::PaymentLimitOfIssuer,
        Refusal::VelocityLimit,
        Refusal::VelocityLimitOfIssuer,
        Refusal::BilateralLimit,
        Refusal::MultilateralLimit,
        Refusal::CoverReserved,
        Refusal::TillAfterDeadline,
    ];
    limits.iter().for_each(|one| need("transfer", one.code()));
    for one in [Refusal::VelocityLimit, Refusal::CoverReserved] {
        need("time", one.code());
    }
    for (command, refusal) in [
        ("set-limit", Refusal::LimitTowardsOneself),
        ("set-limit", Refusal::UnknownParticipant),
        ("set-limit", Refusal::NotAuthorised),
        ("set-reservation", Refusal::NotAuthorised),
    ] {
        need(command, refusal.code());
    }
    for command in ["set-limit", "set-reservation", "set-acceptance", "set-notices"] {
        need(command, 1);
    }
    for command in ["attest", "record-access"] {
        need(command, 1);
    }
    [2, 3, 4].into_iter().for_each(|code| need("till", code));
    need("notice", 0);
    assert!(missing.is_empty(), "{missing:?} among {seen:?}");
}

#[test]
fn random_histories_equal_the_model() {
    let mut seen = Seen::new();
    if let Ok(seed) = std::env::var("SEED") {
        return run(seed.parse().unwrap(), &mut seen);
    }
    (0..HISTORIES).for_each(|seed| run(seed, &mut seen));
    check_seen(&seen);
}
