//! Canonical bytes: golden vectors and properties. Changing a vector changes what banks have signed.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::*;
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

fn leg(debit: u32, credit: u32, amount: u64) -> Leg {
    Leg { debit: AccountNumber(debit), credit: AccountNumber(credit), amount: Amount::new(amount) }
}

fn id() -> TransferId {
    "eb6305c9-1f7f-49de-aed0-16487c27b42d".parse().unwrap()
}

fn golden() -> Vec<(Command, &'static str)> {
    let transfer =
        |legs, document, options| Command::Transfer(Transfer { id: id(), legs, document, options });
    let full = TransferOptions {
        not_before: Some(LedgerTime(1)),
        deadline: Some(LedgerTime(2)),
        priority: Priority::Urgent,
        on_shortage: OnShortage::Queue,
        returns: Some(TransferId([9; 16])),
        original: None,
        conditions: vec![
            Condition::Approval { participant: ParticipantNumber(3) },
            Condition::KeyApproval { key: PublicKey([4; 32]) },
            Condition::Threshold {
                k: 1,
                of: vec![
                    Approver::Participant(ParticipantNumber(5)),
                    Approver::Key(PublicKey([6; 32])),
                ],
            },
            Condition::Preimage { sha256: Digest([7; 32]) },
            Condition::NotBefore(LedgerTime(8)),
        ],
        till: None,
    };
    vec![
        (
            transfer(Legs::One(leg(1, 2, 300)), Some(Digest([0xd0; 32])), None),
            "01010100eb6305c91f7f49deaed016487c27b42d01000000020000002c01000000000000\
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0",
        ),
        (
            transfer(Legs::new(vec![leg(1, 2, 3), leg(4, 5, 6)]).unwrap(), None, None),
            "01000200eb6305c91f7f49deaed016487c27b42d01000000020000000300000000000000\
             04000000050000000600000000000000",
        ),
        (
            transfer(Legs::One(leg(1, 2, 3)), None, Some(Box::new(full))),
            "01020100eb6305c91f7f49deaed016487c27b42d010000000200000003000000000000003f\
             010000000000000002000000000000000102090909090909090909090909090909090501030000000204040404\
             04040404040404040404040404040404040404040404040404040404030102010500000002060606060606060606\
             060606060606060606060606060606060606060606060604070707070707070707070707070707070707070707\
             0707070707070707070707050800000000000000",
        ),
        (
            Command::Issue(Issue {
                id: id(),
                account: AccountNumber(1),
                amount: Amount::new(u64::MAX),
            }),
            "02000000eb6305c91f7f49deaed016487c27b42d01000000ffffffffffffffff",
        ),
        (
            Command::Redeem(Redeem { id: id(), account: AccountNumber(1), amount: Amount::new(2) }),
            "03000000eb6305c91f7f49deaed016487c27b42d010000000200000000000000",
        ),
        (
            Command::OpenAccount(OpenAccount {
                owner: ParticipantNumber(1),
                asset: AssetNumber(2),
                label: "fees".parse().unwrap(),
            }),
            "0400000001000000020000000466656573",
        ),
        (
            Command::SetFloor(SetFloor { id: id(), account: AccountNumber(1), floor: -2 }),
            "05000000eb6305c91f7f49deaed016487c27b42d01000000feffffffffffffff",
        ),
        (
            Command::SetAccountStatus(SetAccountStatus {
                id: id(),
                account: AccountNumber(1),
                status: AccountStatus::Closed,
            }),
            "06000000eb6305c91f7f49deaed016487c27b42d0100000005",
        ),
        (
            Command::AdmitParticipant(AdmitParticipant {
                bic: "DEUTDEFF".parse().unwrap(),
                name: "Bank Ä".to_owned(),
                signing_keys: vec![PublicKey([1; 32]), PublicKey([2; 32])],
                sealing_key: [3; 32],
            }),
            "0700020044455554444546465858580742616e6b20c384\
             0303030303030303030303030303030303030303030303030303030303030303\
             0101010101010101010101010101010101010101010101010101010101010101\
             0202020202020202020202020202020202020202020202020202020202020202",
        ),
        (
            Command::AddAsset(AddAsset {
                code: "JPY".parse().unwrap(),
                exponent: Exponent::new(0).unwrap(),
                issuer: ParticipantNumber(7),
            }),
            "08000000034a50590007000000",
        ),
        (Command::ActivateRules(ActivateRules { version: 2 }), "090000000200"),
        (Command::Approve(Approve { transfer: id() }), "0a000000eb6305c91f7f49deaed016487c27b42d"),
        (
            Command::Refuse(Refuse { transfer: id(), reason: "AC04".parse().unwrap() }),
            "0b000000eb6305c91f7f49deaed016487c27b42d41433034",
        ),
        (
            Command::Reveal(Reveal { transfer: id(), preimage: [1, 2, 3].into() }),
            "0c000000eb6305c91f7f49deaed016487c27b42d03010203",
        ),
        (Command::Cancel(Cancel { transfer: id() }), "0d000000eb6305c91f7f49deaed016487c27b42d"),
        (
            Command::Reorder(Reorder {
                id: id(),
                transfer: TransferId([9; 16]),
                priority: Priority::High,
                position: Position::Last,
            }),
            "0e000000eb6305c91f7f49deaed016487c27b42d090909090909090909090909090909090203",
        ),
        (
            transfer(
                Legs::One(leg(2, 1, 3)),
                None,
                Some(Box::new(TransferOptions {
                    returns: Some(TransferId([9; 16])),
                    original: Some(Box::new(Transfer {
                        id: TransferId([9; 16]),
                        legs: Legs::One(leg(1, 2, 3)),
                        document: None,
                        options: None,
                    })),
                    ..TransferOptions::default()
                })),
            ),
            "01020100eb6305c91f7f49deaed016487c27b42d0200000001000000030000000000000050\
             0909090909090909090909090909090901000100\
             0909090909090909090909090909090901000000020000000300000000000000",
        ),
    ]
}

#[test]
fn golden_vectors() {
    for (command, expected) in golden() {
        let bytes = encoded(&command);
        assert_eq!(hex(&bytes), expected, "{}", command.name());
        assert_eq!(Command::decode(&bytes), Ok((command, bytes.len())));
    }
}

#[test]
fn a_payment_with_a_document_has_68_bytes() {
    assert_eq!(encoded(&golden()[0].0).len(), 68);
}

#[test]
fn every_shorter_input_is_truncated() {
    for (command, _) in golden() {
        let bytes = encoded(&command);
        for length in 0..bytes.len() {
            assert_eq!(Command::decode(&bytes[..length]), Err(DecodeError::Truncated));
        }
    }
}

#[test]
fn default_options_are_not_written() {
    let plain = Transfer { id: id(), legs: Legs::One(leg(1, 2, 3)), document: None, options: None };
    let spelled_out = Transfer { options: Some(Box::default()), ..plain.clone() };
    let bytes = encoded(&Command::Transfer(plain));
    assert_eq!(bytes, encoded(&Command::Transfer(spelled_out)));
    let mut with_empty_options = bytes.clone();
    with_empty_options[1] = 2;
    with_empty_options.push(0);
    assert_eq!(Command::decode(&with_empty_options), Err(DecodeError::NotCanonical("options")));
}

#[test]
fn values_beyond_the_limits_encode_to_bytes_that_are_refused() {
    let transfer =
        |legs| Command::Transfer(Transfer { id: id(), legs, document: None, options: None });
    for count in [0, limits::LEGS_MAX + 1, 70_000] {
        let legs = Legs::Many(vec![leg(1, 2, 3); count].into_boxed_slice());
        assert!(Legs::new(legs.as_slice().to_vec()).is_err());
        assert!(Command::decode(&encoded(&transfer(legs))).is_err(), "{count} legs");
    }
    for length in [0, limits::PREIMAGE_BYTES_MAX + 1, 300] {
        let preimage = vec![1; length].into();
        let reveal = Command::Reveal(Reveal { transfer: id(), preimage });
        assert!(Command::decode(&encoded(&reveal)).is_err(), "{length} bytes");
    }
    for (name, keys) in [(0, 1), (141, 1), (300, 1), (1, 0), (1, 9)] {
        let admit = Command::AdmitParticipant(AdmitParticipant {
            bic: "DEUTDEFF".parse().unwrap(),
            name: "x".repeat(name),
            signing_keys: vec![PublicKey([1; 32]); keys],
            sealing_key: [3; 32],
        });
        assert!(Command::decode(&encoded(&admit)).is_err(), "name {name}, keys {keys}");
    }
}

#[test]
fn the_longest_command_is_within_its_limit() {
    let member = Approver::Key(PublicKey([1; 32]));
    let condition = Condition::Threshold { k: 1, of: vec![member; limits::THRESHOLD_MEMBERS_MAX] };
    let command = Command::Transfer(Transfer {
        id: id(),
        legs: Legs::new(vec![leg(1, 2, 3); limits::LEGS_MAX]).unwrap(),
        document: Some(Digest([1; 32])),
        options: Some(Box::new(TransferOptions {
            not_before: Some(LedgerTime(1)),
            deadline: Some(LedgerTime(1)),
            priority: Priority::High,
            on_shortage: OnShortage::Queue,
            returns: Some(id()),
            original: None,
            conditions: vec![condition; limits::CONDITIONS_MAX],
            till: Some(LedgerTime(1)),
        })),
    });
    let Command::Transfer(original) = command.clone() else { unreachable!("a transfer") };
    let back = Command::Transfer(Transfer {
        id: TransferId([2; 16]),
        legs: Legs::One(leg(2, 1, 3)),
        document: Some(Digest([1; 32])),
        options: Some(Box::new(TransferOptions {
            returns: Some(id()),
            original: Some(Box::new(original)),
            deadline: Some(LedgerTime(1)),
            ..TransferOptions::default()
        })),
    });
    for command in [command, back] {
        let bytes = encoded(&command);
        assert!(bytes.len() <= limits::COMMAND_BYTES_MAX);
        assert_eq!(Command::decode(&bytes), Ok((command, bytes.len())));
    }
}

#[test]
fn a_return_shows_one_original_that_shows_none() {
    let transfer = |id, options| {
        let options = Some(Box::new(options));
        Transfer { id, legs: Legs::One(leg(1, 2, 3)), document: None, options }
    };
    let plain = Transfer { id: id(), legs: Legs::One(leg(2, 1, 3)), document: None, options: None };
    let showing = |original: Transfer| TransferOptions {
        returns: Some(original.id),
        original: Some(Box::new(original)),
        ..TransferOptions::default()
    };
    let back = transfer(TransferId([2; 16]), showing(plain.clone()));
    let refused = |options: TransferOptions| {
        let bytes = encoded(&Command::Transfer(transfer(TransferId([3; 16]), options)));
        Command::decode(&bytes) == Err(DecodeError::Field("original"))
    };
    assert!(refused(showing(back)));
    assert!(refused(TransferOptions {
        returns: Some(TransferId([7; 16])),
        ..showing(plain.clone())
    }));
    assert!(refused(TransferOptions { returns: None, ..showing(plain.clone()) }));
    let conditions = vec![Condition::NotBefore(LedgerTime(1))];
    assert!(refused(TransferOptions { conditions, ..showing(plain) }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    /// Whatever is accepted has one spelling. Starts from valid bytes, so that damage reaches deep fields.
    #[test]
    fn damaged_bytes_never_panic_and_what_is_accepted_is_canonical(
        which in 0..17usize,
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

    #[test]
    fn random_bytes_never_panic(
        kind in 0..16u8, flags in 0..8u8, count in 0..80u16,
        body in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let mut bytes = vec![kind, flags];
        bytes.extend(count.to_le_bytes());
        bytes.extend(body);
        if let Ok((command, consumed)) = Command::decode(&bytes) {
            prop_assert_eq!(encoded(&command), &bytes[..consumed]);
        }
    }
}
