//! The bytes of a checkpoint: pinned, read back strictly, and untouched by what comes after.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io;

use ledger::limits::{COMMANDS_PER_BATCH_MAX, GENERATION_IDS};
use ledger::*;
use proptest::prelude::*;

/// Bytes before the participants, and where the genesis time is in them.
const HEAD_BYTES: usize = 108;
const GENESIS_TIME: std::ops::Range<usize> = 44..52;

fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TransferId(bytes)
}

fn key(bank: u32) -> PublicKey {
    PublicKey([bank as u8 + 1; 32])
}

fn genesis() -> Ledger {
    let mut commands = Vec::new();
    for (number, name) in ["Alpha", "Beta"].into_iter().enumerate() {
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{number}DEFF").parse().unwrap(),
            name: name.to_owned(),
            signing_keys: vec![key(number as u32)],
            sealing_key: [number as u8; 32],
        }));
    }
    commands.push(Command::AddAsset(AddAsset {
        code: "EUR".parse().unwrap(),
        exponent: Exponent::new(2).unwrap(),
        issuer: ParticipantNumber(0),
    }));
    for (owner, label) in [(0, ""), (1, ""), (1, "second")] {
        commands.push(Command::OpenAccount(OpenAccount {
            owner: ParticipantNumber(owner),
            asset: AssetNumber(0),
            label: label.parse().unwrap(),
        }));
    }
    commands.push(Command::Issue(Issue {
        id: id(u64::MAX),
        account: AccountNumber(0),
        amount: Amount::new(1 << 40),
    }));
    Ledger::genesis(LedgerTime(7), &commands).unwrap()
}

fn transfer(number: u64) -> CheckedCommand {
    let leg = Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(1) };
    CheckedCommand::new(Command::Transfer(Transfer {
        id: id(number),
        legs: Legs::One(leg),
        document: None,
        options: None,
    }))
}

/// Applies transfers with these numbers, each in the leaf of its number; does not seal.
fn transfer_all(
    ledger: &mut Ledger,
    numbers: std::ops::Range<u64>,
    old: &OldIds<'_>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let first_leaf = numbers.start;
    let bank = ParticipantNumber(0);
    let batch = Batch {
        submitter: bank,
        valid_until: LedgerTime(u64::MAX),
        authorisations: vec![Authorisation { participant: bank, key: key(0) }],
        commands: numbers.map(transfer).collect(),
    };
    let context = BatchContext { height: Height(1), time: LedgerTime(9), first_leaf };
    ledger.apply_batch(&context, &batch, old, &mut outcomes, &mut Vec::new());
    outcomes
}

fn encoded(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    checkpoint
        .encode(&mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    bytes
}

fn restore(bytes: &[u8]) -> Result<Ledger, RestoreError> {
    Ledger::restore(&mut &*bytes, 1 << 40)
}

/// A ledger with five transfers, as bytes; and where the rows of ids begin.
fn small() -> (Vec<u8>, usize) {
    let mut ledger = genesis();
    transfer_all(&mut ledger, 0..5, &OldIds::NONE);
    ledger.seal_block();
    let bytes = encoded(&ledger.checkpoint(0).unwrap());
    let rows = bytes.len() - 6 * 32;
    (bytes, rows)
}

#[test]
fn the_bytes_are_pinned() {
    let (bytes, _) = small();
    assert_eq!(bytes.len(), 702);
    let golden = "17fcf3f4a4748aa892bd29379700a40b72ac65b0c21fef7dc9caac7ef8067a10";
    assert_eq!(Digest::of(&bytes).to_string(), golden);
}

#[test]
fn a_checkpoint_can_be_sent_to_another_thread() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Checkpoint>();
}

#[test]
fn every_flipped_bit_is_refused_or_shows_in_the_bytes() {
    let (bytes, rows) = small();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match restore(&flipped) {
                Err(_) => {}
                // Ids and the genesis time are what the state root does not cover.
                Ok(ledger) => {
                    assert!(at >= rows || GENESIS_TIME.contains(&at), "byte {at}, bit {bit}");
                    assert!(encoded(&ledger.checkpoint(0).unwrap()) == flipped, "byte {at}");
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_refused_and_what_follows_is_left() {
    let (mut bytes, _) = small();
    for length in 0..bytes.len() {
        let refused = restore(&bytes[..length]);
        assert!(matches!(refused, Err(RestoreError::Truncated(_))), "{length}: {refused:?}");
    }
    bytes.extend_from_slice(b"rest");
    let mut input = &bytes[..];
    Ledger::restore(&mut input, 5).unwrap();
    assert_eq!(input, b"rest");
}

#[test]
fn errors_say_what_is_wrong() {
    let (bytes, rows) = small();
    let with = |at: usize, new: &[u8]| {
        let mut changed = bytes.clone();
        changed[at..at + new.len()].copy_from_slice(new);
        restore(&changed).unwrap_err().to_string()
    };
    assert_eq!(with(0, b"X"), "not a checkpoint of a ledger");
    assert_eq!(with(8, &[9]), "the checkpoint has version 9, which this program does not read");
    assert!(with(52, &[0; 32]).contains("the checkpoint says 00000000"));
    // Millions of accounts are announced and do not come: no memory is taken for them.
    assert_eq!(with(92, &(1_u32 << 26).to_le_bytes()), "the checkpoint ends inside the accounts");
    assert_eq!(with(92, &[255; 4]), "4294967295 accounts: out of bounds");
    assert!(with(104, &[0; 4]).starts_with("the state root is "));
    assert!(with(96, &u64::MAX.to_le_bytes()).ends_with("full generations: out of bounds"));
    assert_eq!(with(HEAD_BYTES, b"b"), "participant 0: BIC is not well formed");
    // The rows of two ids change places.
    let swapped = [&bytes[rows + 32..rows + 64], &bytes[rows..rows + 32]].concat();
    assert_eq!(with(rows, &swapped), "id 1: not in strictly ascending order");
    let doubled = bytes[rows..rows + 32].to_vec();
    assert_eq!(with(rows + 32, &doubled), "id 1: not in strictly ascending order");
    assert_eq!(with(rows + 22, &[2, 0]), "id 0: answer is not well formed");
    let refused = Ledger::restore(&mut &bytes[..], 4).unwrap_err().to_string();
    assert!(refused.ends_with("leaf 4 is beyond the end of the records"), "{refused}");
    // Balances at the ends of the type, where arithmetic would overflow.
    let posted = rows - 3 * 66;
    for end in [i128::MIN, i128::MAX] {
        assert_eq!(with(posted, &end.to_le_bytes()), "account 0: balance is not well formed");
    }
}

#[test]
fn errors_of_either_side_are_passed_on() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(matches!(Ledger::restore(&mut Broken, 0), Err(RestoreError::Read("head", _))));
    let checkpoint = genesis().checkpoint(0).unwrap();
    let mut calls = 0;
    let full = checkpoint.encode(&mut |_| {
        calls += 1;
        Err(io::Error::other("full"))
    });
    assert_eq!((full.unwrap_err().to_string().as_str(), calls), ("full", 1));
}

#[test]
fn none_between_seals() {
    let mut ledger = genesis();
    transfer_all(&mut ledger, 0..1, &OldIds::NONE);
    assert!(ledger.checkpoint(0).is_none());
    ledger.seal_block();
    let before = ledger.checkpoint(0).unwrap();
    // A refusal touches no account, but it is remembered.
    let refused = CheckedCommand::new(Command::Redeem(Redeem {
        id: id(1),
        account: AccountNumber(0),
        amount: Amount::new(u64::MAX),
    }));
    let bank = ParticipantNumber(0);
    let batch = Batch {
        submitter: bank,
        valid_until: LedgerTime(u64::MAX),
        authorisations: vec![Authorisation { participant: bank, key: key(0) }],
        commands: vec![refused],
    };
    let context = BatchContext { height: Height(1), time: LedgerTime(9), first_leaf: 1 };
    let mut outcomes = Vec::new();
    ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut Vec::new());
    assert!(matches!(outcomes[0].answer, Answer::Refused(Refusal::InsufficientCover)));
    assert!(ledger.checkpoint(0).is_none());
    ledger.seal_block();
    assert!(ledger.checkpoint(0).is_some());
    assert_eq!(before.state_root(), restore(&encoded(&before)).unwrap().state_root());
}

/// Fills a generation and begins the next: what is on disk decides whether a checkpoint can be taken.
#[test]
fn a_checkpoint_stands_on_the_generations_below() {
    let mut ledger = genesis();
    let ids = GENERATION_IDS as u64;
    let mut next = 0;
    let mut early = None;
    // One id is used in genesis, so this is the first generation and the first ids of the second.
    while next < ids + 5 {
        let end = (next + COMMANDS_PER_BATCH_MAX as u64).min(ids + 5);
        transfer_all(&mut ledger, next..end, &OldIds::NONE);
        next = end;
        ledger.seal_block();
        if early.is_none() && next > ids / 2 {
            let checkpoint = ledger.checkpoint(0).unwrap();
            early = Some((Digest::of(&encoded(&checkpoint)), checkpoint));
        }
    }
    // Half a generation was inserted and the table sealed since: the early checkpoint does not change.
    let (digest, early) = early.unwrap();
    assert_eq!(Digest::of(&encoded(&early)), digest);
    drop(early);
    assert!(ledger.checkpoint(0).is_none(), "generation 0 is not on disk");
    let (number, full) = ledger.take_full_generation().unwrap();
    assert_eq!((number, full.len()), (0, GENERATION_IDS));
    assert!(ledger.checkpoint(0).is_none(), "taken is not written");
    let checkpoint = ledger.checkpoint(1).unwrap();
    assert_eq!((checkpoint.generation(), ledger.current_generation()), (1, 1));
    let bytes = encoded(&checkpoint);
    assert_eq!(encoded(&ledger.checkpoint(7).unwrap()), bytes, "more runs are left from earlier");

    let mut restored = restore(&bytes).unwrap();
    assert_eq!(restored.state_root(), ledger.state_root());
    assert_eq!(restored.id_count(), ids + 6);
    assert_eq!((restored.current_generation(), restored.generations_waiting()), (1, 0));
    assert_eq!(restored.take_full_generation().map(|(number, _)| number), None);
    ledger.release_generation(0);
    // Ids of the run are found by the caller, those of the current generation by the ledger.
    let mut old: Vec<(TransferId, IdEntry)> = Vec::new();
    for number in 0..10 {
        old.push((id(number), full.get(&id(number)).unwrap()));
    }
    old.sort_by_key(|(id, _)| *id);
    for ledger in [&mut ledger, &mut restored] {
        let again = transfer_all(ledger, 0..10, &OldIds::new(&old));
        assert!(again.iter().enumerate().all(|(at, one)| one.original == Some(at as u64)));
        let again = transfer_all(ledger, ids..ids + 10, &OldIds::NONE);
        let originals: Vec<_> = again.iter().map(|one| one.original).collect();
        let known = (ids..ids + 5).map(Some).chain([None; 5]);
        assert_eq!(originals, known.collect::<Vec<_>>());
        ledger.seal_block();
    }
    assert_eq!(restored.state_root(), ledger.state_root());
    assert_eq!(restored.seal_block(), restored.recompute_root());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(restore(&bytes).is_err());
        // Behind a head that is right, so that the parts after it are reached.
        let (whole, _) = small();
        for kept in [HEAD_BYTES, HEAD_BYTES + 82, whole.len() - 400] {
            let mixed = [&whole[..kept], &bytes].concat();
            prop_assert!(restore(&mixed).is_err());
        }
    }

    #[test]
    fn random_changes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (whole, _) = small();
        let mut changed = whole.clone();
        for (at, byte) in changes {
            changed[at.index(whole.len())] = byte;
        }
        if let Ok(ledger) = restore(&changed) {
            prop_assert_eq!(encoded(&ledger.checkpoint(0).unwrap()), changed);
        }
    }
}
