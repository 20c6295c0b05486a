//! Bounds of what waits, and damage to its bytes in a checkpoint.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::limits::{
    COMMANDS_PER_BATCH_MAX, RELEASE_ATTEMPTS_MAX, RETURNS_MAX, WAITING_PER_PARTICIPANT_MAX,
};
use ledger::*;

const FAR: u64 = 1 << 40;

fn key(bank: u32) -> PublicKey {
    PublicKey([bank as u8 + 1; 32])
}

fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TransferId(bytes)
}

/// Two banks with an account each; the first one issues what they hold.
fn genesis() -> Ledger {
    let mut commands = vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
    for number in 0..2 {
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{number}DEFF").parse().unwrap(),
            name: format!("Bank {number}"),
            signing_keys: vec![key(number)],
            sealing_key: [number as u8; 32],
        }));
    }
    commands.push(Command::AddAsset(AddAsset {
        code: "EUR".parse().unwrap(),
        exponent: Exponent::new(2).unwrap(),
        issuer: ParticipantNumber(0),
    }));
    for owner in 0..2 {
        let (owner, asset) = (ParticipantNumber(owner), AssetNumber(0));
        commands.push(Command::OpenAccount(OpenAccount { owner, asset, label: Label::MAIN }));
    }
    Ledger::genesis(LedgerTime(0), &commands).unwrap()
}

/// A payment of 1 from one bank to the other.
fn payment(number: u64, debtor: u32, options: TransferOptions) -> Command {
    let (debit, credit) = (AccountNumber(debtor), AccountNumber(1 - debtor));
    let options = Some(Box::new(options)).filter(|one| **one != TransferOptions::default());
    let legs = Legs::One(Leg { debit, credit, amount: Amount::new(1) });
    Command::Transfer(Transfer { id: id(number), legs, document: None, options })
}

fn queues() -> TransferOptions {
    TransferOptions {
        deadline: Some(LedgerTime(FAR)),
        on_shortage: OnShortage::Queue,
        ..TransferOptions::default()
    }
}

fn issue(number: u64, account: u32, amount: u64) -> Command {
    let (account, amount) = (AccountNumber(account), Amount::new(amount));
    Command::Issue(Issue { id: id(number), account, amount })
}

/// One block, signed by both; returns the answers and what became of what waited.
fn block(ledger: &mut Ledger, time: u64, commands: Vec<Command>) -> (Vec<Answer>, Vec<Progress>) {
    let signed = |bank| Authorisation { participant: ParticipantNumber(bank), key: key(bank) };
    let leaf = ledger.id_count();
    let context = BatchContext { height: Height(1), time: LedgerTime(time), first_leaf: leaf };
    let mut outcomes = Vec::new();
    ledger.open_block(context.time);
    let batch = Batch {
        submitter: ParticipantNumber(0),
        valid_until: LedgerTime(u64::MAX),
        authorisations: vec![signed(0), signed(1)],
        commands: commands.into_iter().map(CheckedCommand::new).collect(),
    };
    ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut Vec::new());
    let progress = ledger.close_block(leaf + outcomes.len() as u64);
    ledger.seal_block();
    (outcomes.iter().map(|one| one.answer).collect(), progress)
}

#[test]
fn the_table_of_waiting_transfers_is_bounded() {
    let mut ledger = genesis();
    let numbers: Vec<u64> = (0..=u64::from(WAITING_PER_PARTICIPANT_MAX)).collect();
    let mut answers = Vec::new();
    for (time, chunk) in numbers.chunks(COMMANDS_PER_BATCH_MAX).enumerate() {
        let commands = chunk.iter().map(|number| payment(*number, 1, queues())).collect();
        answers.extend(block(&mut ledger, time as u64 + 1, commands).0);
    }
    assert_eq!(answers.pop(), Some(Answer::Refused(Refusal::TooManyWaiting)));
    assert!(answers.iter().all(|answer| *answer == Answer::Waiting(Stage::Queued)));
    assert_eq!(ledger.waiting_count(), WAITING_PER_PARTICIPANT_MAX as usize);
    ledger.check_invariants().unwrap();
    assert_eq!(ledger.state_root(), ledger.recompute_root());
}

#[test]
fn a_block_releases_so_many_and_the_next_one_goes_on() {
    let mut ledger = genesis();
    let count = RELEASE_ATTEMPTS_MAX as u64 * 2;
    let commands = (0..count).map(|number| payment(number, 1, queues())).collect();
    block(&mut ledger, 1, commands);
    // Without offsetting, which takes its own time: it was tried in the first block.
    let (_, first) = block(&mut ledger, 2, vec![issue(1 << 30, 1, count)]);
    assert_eq!(first.len(), RELEASE_ATTEMPTS_MAX);
    assert!(first.iter().all(|one| one.answer.is_settled() && one.cause == Cause::Cover));
    // A block is wanted at once, though nobody sends anything.
    assert_eq!(ledger.next_due(), Some(LedgerTime(2)));
    let (_, second) = block(&mut ledger, 3, Vec::new());
    assert_eq!(second.len(), RELEASE_ATTEMPTS_MAX);
    assert_eq!((ledger.waiting_count(), ledger.next_due()), (0, None));
    // First in, first out, over both blocks.
    let order: Vec<TransferId> = first.iter().chain(&second).map(|one| one.id).collect();
    assert!(order.is_sorted());
}

#[test]
fn so_many_returns_are_counted_and_no_more() {
    let mut ledger = genesis();
    block(&mut ledger, 1, vec![issue(1 << 30, 0, 100)]);
    let legs = Legs::One(Leg {
        debit: AccountNumber(0),
        credit: AccountNumber(1),
        amount: Amount::new(100),
    });
    let original = Transfer { id: id(7), legs, document: None, options: None };
    assert_eq!(
        block(&mut ledger, 2, vec![Command::Transfer(original.clone())]).0,
        [Answer::Settled]
    );
    let back = |number: u8| {
        let options = TransferOptions {
            returns: Some(original.id),
            original: Some(Box::new(original.clone())),
            ..TransferOptions::default()
        };
        payment(100 + u64::from(number), 1, options)
    };
    let (answers, _) = block(&mut ledger, 3, (0..=RETURNS_MAX).map(back).collect());
    let (last, others) = answers.split_last().unwrap();
    assert!(others.iter().all(|answer| answer.is_settled()));
    assert_eq!(*last, Answer::Refused(Refusal::ReturnTooLarge));
}

fn encoded(ledger: &Ledger) -> Vec<u8> {
    let mut bytes = Vec::new();
    let append = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    ledger.checkpoint(0).unwrap().encode(append).unwrap();
    bytes
}

/// A ledger with one transfer at each stage.
fn one_of_each() -> Ledger {
    let mut ledger = genesis();
    let needs = Condition::Threshold {
        k: 1,
        of: vec![Approver::Participant(ParticipantNumber(0)), Approver::Key(key(0))],
    };
    let unmet = vec![Condition::Preimage { sha256: Digest([7; 32]) }, needs];
    let deadline = Some(LedgerTime(FAR));
    let held = TransferOptions { deadline, conditions: unmet, ..TransferOptions::default() };
    let not_before = Some(LedgerTime(9));
    let later = TransferOptions { deadline, not_before, ..TransferOptions::default() };
    let commands = vec![
        issue(1 << 30, 0, 1),
        payment(1, 0, held),
        payment(2, 0, later),
        payment(3, 1, queues()),
    ];
    let (answers, _) = block(&mut ledger, 1, commands);
    let stages = [Stage::Held, Stage::Warehoused, Stage::Queued].map(Answer::Waiting);
    assert_eq!(answers[1..], stages);
    ledger
}

#[test]
fn damage_to_what_waits_is_refused() {
    let ledger = one_of_each();
    let bytes = encoded(&ledger);
    // Where what waits begins: after the head, whose count of ids is at 104, and all that stands before it.
    let plain = encoded(&genesis());
    let rows = bytes.len() - plain.len();
    assert!(rows > 4 * 32, "{rows}");
    let restored = Ledger::restore(&mut &bytes[..], 1 << 30).unwrap();
    assert_eq!((restored.state_root(), encoded(&restored)), (ledger.state_root(), bytes.clone()));
    assert!(restored.all_waiting().eq(ledger.all_waiting()));
    for length in 0..bytes.len() {
        assert!(Ledger::restore(&mut &bytes[..length], 1 << 30).is_err(), "{length}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            // The genesis time and the rows of ids are not in the state root; everything else is.
            if let Ok(ledger) = Ledger::restore(&mut &flipped[..], 1 << 30) {
                assert!(encoded(&ledger) == flipped, "byte {at}, bit {bit}");
                assert_eq!(ledger.state_root(), ledger.recompute_root());
                assert!(ledger.all_waiting().eq(restored.all_waiting()), "byte {at}, bit {bit}");
            }
        }
    }
}
