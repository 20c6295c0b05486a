//! Bounds of settings, damage to their bytes in a checkpoint, and that accounts without them notice nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::limits::{BILATERAL_LIMITS_MAX, VELOCITY_WINDOW_NANOSECONDS_MIN};
use ledger::*;

fn key(bank: u32) -> PublicKey {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&bank.to_le_bytes());
    PublicKey(bytes)
}

fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TransferId(bytes)
}

/// Banks with an account each; the first one issues what they hold, 1,000 each.
fn genesis(banks: u32) -> Ledger {
    let mut commands = vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
    for number in 0..banks {
        let letters =
            [number / 676, number / 26, number].map(|one| (b'A' + (one % 26) as u8) as char);
        let letters: String = letters.iter().collect();
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("B{letters}DEFF").parse().unwrap(),
            name: format!("Bank {number}"),
            signing_keys: vec![key(number)],
            sealing_key: [0; 32],
        }));
    }
    commands.push(Command::AddAsset(AddAsset {
        code: "EUR".parse().unwrap(),
        exponent: Exponent::new(2).unwrap(),
        issuer: ParticipantNumber(0),
    }));
    for number in 0..banks {
        let (owner, asset) = (ParticipantNumber(number), AssetNumber(0));
        commands.push(Command::OpenAccount(OpenAccount { owner, asset, label: Label::MAIN }));
        let (account, amount) = (AccountNumber(number), Amount::new(1_000));
        commands.push(Command::Issue(Issue { id: id(u64::from(number)), account, amount }));
    }
    Ledger::genesis(LedgerTime(0), &commands).unwrap()
}

/// One block, signed by the first two banks.
fn block(ledger: &mut Ledger, time: u64, commands: Vec<Command>) -> Vec<Answer> {
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
    ledger.close_block(leaf + outcomes.len() as u64);
    ledger.seal_block();
    assert_eq!(ledger.check_invariants(), Ok(()));
    outcomes.iter().map(|one| one.answer).collect()
}

fn limit(number: u64, limit: Limit) -> Command {
    let by = LimitSetter::Owner;
    Command::SetLimit(SetLimit { id: id(number), account: AccountNumber(1), by, limit })
}

fn payment(number: u64, credit: u32, amount: u64, options: Option<TransferOptions>) -> Command {
    let (debit, credit) = (AccountNumber(1), AccountNumber(credit));
    let legs = Legs::One(Leg { debit, credit, amount: Amount::new(amount) });
    let options = options.map(Box::new);
    Command::Transfer(Transfer { id: id(number), legs, document: None, options })
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

#[test]
fn bilateral_limits_of_an_account_are_bounded() {
    let banks = BILATERAL_LIMITS_MAX as u32 + 3;
    let mut ledger = genesis(banks);
    let towards = |bank: u32| Limit::Bilateral {
        towards: ParticipantNumber(bank),
        most: Some(5),
        restart: false,
    };
    let others = (0..banks).filter(|bank| *bank != 1);
    let commands = others.map(|bank| limit(10_000 + u64::from(bank), towards(bank))).collect();
    let answers = block(&mut ledger, 1, commands);
    let (settled, refused) = answers.split_at(BILATERAL_LIMITS_MAX);
    assert!(settled.iter().all(|one| one.is_settled()));
    assert_eq!(refused, [Answer::Refused(Refusal::LimitReached); 2]);
    // One that is there may be changed and ended.
    let none = Limit::Bilateral { towards: ParticipantNumber(0), most: None, restart: false };
    let answers = block(
        &mut ledger,
        2,
        vec![
            limit(1, towards(2)),
            limit(2, none),
            limit(20_001, none),
            limit(20_002, towards(banks - 1)),
        ],
    );
    assert_eq!(answers[2..], [Answer::Settled; 2]);
    let restored = Ledger::restore(&mut &encoded(&ledger)[..], 1 << 30).unwrap();
    assert_eq!(restored.state_root(), ledger.state_root());
}

/// A ledger with every kind of setting, a hold and a queue that count against them.
fn with_settings() -> Ledger {
    let mut ledger = genesis(3);
    let window = VELOCITY_WINDOW_NANOSECONDS_MIN;
    let pace = |rolling| Some(Pace { amount: 400, window, rolling });
    let towards = ParticipantNumber(2);
    let account = AccountNumber(1);
    let asked = |conditions, on_shortage| {
        let deadline = Some(LedgerTime(1 << 40));
        Some(TransferOptions { deadline, conditions, on_shortage, ..TransferOptions::default() })
    };
    let unmet = vec![Condition::Preimage { sha256: Digest([7; 32]) }];
    let answers = block(
        &mut ledger,
        5,
        vec![
            limit(101, Limit::Payment { most: Some(300) }),
            limit(102, Limit::Velocity { most: pace(true) }),
            Command::SetLimit(SetLimit {
                id: id(103),
                account,
                by: LimitSetter::Issuer,
                limit: Limit::Velocity { most: pace(false) },
            }),
            limit(104, Limit::Bilateral { towards, most: Some(300), restart: false }),
            limit(105, Limit::Multilateral { most: Some(500), restart: false }),
            Command::SetReservation(SetReservation {
                id: id(106),
                account,
                priority: Priority::High,
                amount: 10,
            }),
            Command::SetAcceptance(SetAcceptance { id: id(107), account, within: Some(9) }),
            Command::SetNotices(SetNotices {
                id: id(108),
                account,
                floor: Some(2_000),
                ceiling: Some(1),
            }),
            payment(109, 2, 100, None),
            payment(110, 0, 50, asked(unmet, OnShortage::Refuse)),
            payment(111, 0, 260, asked(Vec::new(), OnShortage::Queue)),
        ],
    );
    assert!(answers[..9].iter().all(|one| one.is_settled()), "{answers:?}");
    assert_eq!(answers[9..], [Stage::Held, Stage::Queued].map(Answer::Waiting));
    assert_eq!(ledger.take_notices().len(), 2);
    ledger
}

#[test]
fn a_window_wakes_the_queue_after_a_restart() {
    let ledger = with_settings();
    let due = ledger.next_due().unwrap();
    assert_eq!(due, LedgerTime(VELOCITY_WINDOW_NANOSECONDS_MIN));
    let restored = Ledger::restore(&mut &encoded(&ledger)[..], 1 << 30).unwrap();
    assert_eq!(restored.next_due(), Some(due));
    for mut ledger in [ledger, restored] {
        block(&mut ledger, due.0, Vec::new());
        // The issuer's window is new, the owner's rolls on.
        let next = ledger.next_due().unwrap();
        assert!(next > due && ledger.waiting_count() == 2);
        block(&mut ledger, next.0, Vec::new());
        assert_eq!(ledger.waiting_count(), 1);
    }
}

#[test]
fn damage_to_settings_is_refused() {
    let ledger = with_settings();
    let bytes = encoded(&ledger);
    let restored = Ledger::restore(&mut &bytes[..], 1 << 30).unwrap();
    assert_eq!((restored.state_root(), encoded(&restored)), (ledger.state_root(), bytes.clone()));
    assert_eq!(restored.controls(AccountNumber(1)), ledger.controls(AccountNumber(1)));
    let section = bytes.len() - 260;
    for length in section..bytes.len() {
        assert!(Ledger::restore(&mut &bytes[..length], 1 << 30).is_err(), "{length}");
    }
    for at in section..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Ledger::restore(&mut &flipped[..], 1 << 30).is_err(), "byte {at}, bit {bit}");
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(Ledger::restore(&mut &longer[..], 1 << 30).is_err());
}

#[test]
fn settings_that_are_gone_leave_no_trace_in_what_is_allowed() {
    let mut ledger = genesis(3);
    let set = limit(101, Limit::Payment { most: Some(1) });
    let ended = limit(102, Limit::Payment { most: None });
    block(&mut ledger, 1, vec![set, ended]);
    assert!(ledger.controls(AccountNumber(1)).is_some_and(Controls::is_empty));
    let answers = block(&mut ledger, 2, vec![payment(103, 2, 1_000, None)]);
    assert_eq!(answers, [Answer::Settled]);
}
