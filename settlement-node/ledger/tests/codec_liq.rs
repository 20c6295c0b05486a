//! Canonical bytes of the commands about liquidity: golden vectors and damage.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::*;
use proptest::prelude::*;

const ID: &str = "eb6305c91f7f49deaed016487c27b42d";

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

fn id() -> TransferId {
    "eb6305c9-1f7f-49de-aed0-16487c27b42d".parse().unwrap()
}

fn set_limit(by: LimitSetter, limit: Limit) -> Command {
    Command::SetLimit(SetLimit { id: id(), account: AccountNumber(1), by, limit })
}

fn golden() -> Vec<(Command, &'static str)> {
    let (account, owner, issuer) = (AccountNumber(1), LimitSetter::Owner, LimitSetter::Issuer);
    let pace = Pace { amount: 2, window: limits::VELOCITY_WINDOW_NANOSECONDS_MIN, rolling: true };
    let towards = ParticipantNumber(3);
    vec![
        (set_limit(owner, Limit::Payment { most: Some(2) }), "010000000101010200000000000000"),
        (set_limit(issuer, Limit::Payment { most: None }), "01000000020100"),
        (
            set_limit(issuer, Limit::Velocity { most: Some(pace) }),
            "01000000020201020000000000000000ca9a3b0000000001",
        ),
        (set_limit(owner, Limit::Velocity { most: None }), "01000000010200"),
        (
            set_limit(owner, Limit::Bilateral { towards, most: Some(2), restart: true }),
            "0100000001030300000001010200000000000000",
        ),
        (
            set_limit(owner, Limit::Bilateral { towards, most: None, restart: false }),
            "010000000103030000000000",
        ),
        (
            set_limit(owner, Limit::Multilateral { most: Some(2), restart: false }),
            "01000000010400010200000000000000",
        ),
        (
            Command::SetReservation(SetReservation {
                id: id(),
                account,
                priority: Priority::High,
                amount: 2,
            }),
            "01000000020200000000000000",
        ),
        (
            Command::SetAcceptance(SetAcceptance { id: id(), account, within: Some(2) }),
            "01000000010200000000000000",
        ),
        (Command::SetAcceptance(SetAcceptance { id: id(), account, within: None }), "0100000000"),
        (
            Command::SetNotices(SetNotices {
                id: id(),
                account,
                floor: Some(-2),
                ceiling: Some(2),
            }),
            "0100000003feffffffffffffff0200000000000000",
        ),
        (
            Command::SetNotices(SetNotices { id: id(), account, floor: None, ceiling: None }),
            "0100000000",
        ),
        (
            Command::Attest(Attest {
                id: id(),
                participant: ParticipantNumber(1),
                document: Digest([7; 32]),
            }),
            "010000000707070707070707070707070707070707070707070707070707070707070707",
        ),
    ]
}

#[test]
fn golden_vectors() {
    for (command, tail) in golden() {
        let kind = match &command {
            Command::SetLimit(_) => "14",
            Command::SetReservation(_) => "15",
            Command::SetAcceptance(_) => "16",
            Command::SetNotices(_) => "17",
            _ => "18",
        };
        let bytes = encoded(&command);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, format!("{kind}000000{ID}{tail}"), "{command:?}");
        assert_eq!(Command::decode(&bytes), Ok((command, bytes.len())));
        for length in 0..bytes.len() {
            assert_eq!(Command::decode(&bytes[..length]), Err(DecodeError::Truncated));
        }
        for (at, wrong) in [(1, DecodeError::Flags(1)), (0, DecodeError::Kind(25))] {
            let mut bytes = bytes.clone();
            bytes[at] = if at == 0 { 25 } else { 1 };
            assert_eq!(Command::decode(&bytes), Err(wrong));
        }
    }
}

#[test]
fn what_no_command_may_say_is_refused() {
    let account = AccountNumber(1);
    let pace = |window| Pace { amount: 1, window, rolling: false };
    let velocity =
        |window| set_limit(LimitSetter::Owner, Limit::Velocity { most: Some(pace(window)) });
    let towards = ParticipantNumber(3);
    let wrong = [
        velocity(limits::VELOCITY_WINDOW_NANOSECONDS_MIN - 1),
        velocity(limits::VELOCITY_WINDOW_NANOSECONDS_MAX + 1),
        set_limit(LimitSetter::Issuer, Limit::Bilateral { towards, most: None, restart: false }),
        set_limit(LimitSetter::Issuer, Limit::Multilateral { most: None, restart: false }),
        Command::SetReservation(SetReservation {
            id: id(),
            account,
            priority: Priority::Normal,
            amount: 1,
        }),
        Command::SetAcceptance(SetAcceptance { id: id(), account, within: Some(0) }),
        Command::SetAcceptance(SetAcceptance { id: id(), account, within: Some(u64::MAX) }),
    ];
    for command in wrong {
        let found = Command::decode(&encoded(&command));
        assert!(matches!(found, Err(DecodeError::Field(_))), "{command:?}: {found:?}");
    }
}

#[test]
fn a_transfer_says_till_when_nothing_is_told() {
    let options = TransferOptions {
        deadline: Some(LedgerTime(2)),
        till: Some(LedgerTime(1)),
        ..TransferOptions::default()
    };
    let leg = Leg { debit: AccountNumber(1), credit: AccountNumber(2), amount: Amount::new(3) };
    let command = Command::Transfer(Transfer {
        id: id(),
        legs: Legs::One(leg),
        document: None,
        options: Some(Box::new(options)),
    });
    let bytes = encoded(&command);
    let tail: String = bytes[36..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(tail, "8202000000000000000100000000000000");
    assert_eq!(Command::decode(&bytes), Ok((command, bytes.len())));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn damaged_bytes_never_panic_and_what_is_accepted_is_canonical(
        which in 0..13usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        tail in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = encoded(&golden()[which].0);
        bytes.extend(tail);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok((command, consumed)) = Command::decode(&bytes) {
            prop_assert_eq!(encoded(&command), &bytes[..consumed]);
        }
    }
}
