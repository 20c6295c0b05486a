//! Canonical bytes of the record of an access and of a certificate of erasure: golden vectors and damage.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::*;

fn record(payment: bool) -> RecordAccess {
    RecordAccess {
        id: TransferId([1; 16]),
        participant: ParticipantNumber(2),
        access: Access::Exported,
        payment: payment.then_some(TransferId([3; 16])),
        what: Digest([4; 32]),
        reader: "clerk 7".to_owned(),
        ground: "audit".to_owned(),
    }
}

fn encoded(record: RecordAccess) -> Vec<u8> {
    let mut bytes = Vec::new();
    Command::RecordAccess(Box::new(record)).encode(&mut bytes);
    bytes
}

#[test]
fn the_bytes_are_pinned() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let (id, payment, what) = ("01".repeat(16), "03".repeat(16), "04".repeat(32));
    let texts = "07636c65726b2037056175646974";
    assert_eq!(
        hex(&encoded(record(true))),
        format!("3c010000{id}0200000002{payment}{what}{texts}")
    );
    assert_eq!(hex(&encoded(record(false))), format!("3c000000{id}0200000002{what}{texts}"));
}

#[test]
fn what_is_written_is_read_and_nothing_else() {
    for payment in [false, true] {
        let bytes = encoded(record(payment));
        let expected = Command::RecordAccess(Box::new(record(payment)));
        assert_eq!(Command::decode(&bytes), Ok((expected, bytes.len())));
        for length in 0..bytes.len() {
            assert_eq!(Command::decode(&bytes[..length]), Err(DecodeError::Truncated));
        }
    }
    let mut flags = encoded(record(false));
    flags[1] = 2;
    assert_eq!(Command::decode(&flags), Err(DecodeError::Flags(2)));
    let mut count = encoded(record(false));
    count[2] = 1;
    assert!(matches!(Command::decode(&count), Err(DecodeError::Count { .. })));
    let mut access = encoded(record(false));
    for number in [0, 5] {
        access[24] = number;
        assert_eq!(Command::decode(&access), Err(DecodeError::Field("access")));
    }
}

#[test]
fn texts_have_bounds_and_no_control_characters() {
    let refused = |reader: &str, ground: &str| {
        let record = RecordAccess { reader: reader.into(), ground: ground.into(), ..record(false) };
        assert!(!record.is_well_formed());
        assert!(Command::decode(&encoded(record)).is_err(), "{reader:?} {ground:?}");
    };
    let (reader, ground) = ("r".repeat(64), "g".repeat(140));
    let most = RecordAccess { reader: reader.clone(), ground: ground.clone(), ..record(true) };
    let bytes = encoded(most.clone());
    let expected = Command::RecordAccess(Box::new(most));
    assert_eq!(Command::decode(&bytes), Ok((expected, bytes.len())));
    for (reader, ground) in [
        ("", "why"),
        ("who", ""),
        (" ", "why"),
        ("who", "a\nb"),
        ("w\u{7f}", "why"),
        (&format!("{reader}r"), "why"),
        ("who", &format!("{ground}g")),
    ] {
        refused(reader, ground);
    }
}

fn certificate(key: bool) -> EraseDocument {
    let leg = Leg { debit: AccountNumber(5), credit: AccountNumber(6), amount: Amount::new(7) };
    EraseDocument {
        id: TransferId([1; 16]),
        participant: ParticipantNumber(2),
        destroyed: LedgerTime(3),
        sealing_key: key.then_some([4; 32]),
        by: "clerk 7".to_owned(),
        ground: "audit".to_owned(),
        payment: Transfer {
            id: TransferId([8; 16]),
            legs: Legs::One(leg),
            document: Some(Digest([9; 32])),
            options: None,
        },
    }
}

fn erased(certificate: EraseDocument) -> Vec<u8> {
    let mut bytes = Vec::new();
    Command::EraseDocument(Box::new(certificate)).encode(&mut bytes);
    bytes
}

#[test]
fn a_certificate_is_pinned_and_no_part_of_it_is_one() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let (id, key) = ("01".repeat(16), "04".repeat(32));
    let texts = "07636c65726b2037056175646974";
    let payment =
        format!("01010100{}05000000060000000700000000000000{}", "08".repeat(16), "09".repeat(32));
    let head = format!("{id}020000000300000000000000");
    let expected = format!("3d010000{head}{key}{texts}{payment}");
    assert_eq!(hex(&erased(certificate(true))), expected);
    let expected = format!("3d000000{head}{texts}{payment}");
    assert_eq!(hex(&erased(certificate(false))), expected);
    for key in [false, true] {
        let bytes = erased(certificate(key));
        let expected = Command::EraseDocument(Box::new(certificate(key)));
        assert_eq!(Command::decode(&bytes), Ok((expected, bytes.len())));
        for length in 0..bytes.len() {
            assert_eq!(Command::decode(&bytes[..length]), Err(DecodeError::Truncated));
        }
    }
    let mut flags = erased(certificate(false));
    flags[1] = 2;
    assert_eq!(Command::decode(&flags), Err(DecodeError::Flags(2)));
    let mut bare = certificate(false);
    bare.payment.document = None;
    assert!(Command::decode(&erased(bare)).is_err());
    let wordless = EraseDocument { ground: String::new(), ..certificate(false) };
    assert!(Command::decode(&erased(wordless)).is_err());
    // Another command in the place of the payment.
    let mut other = erased(certificate(false));
    let at = 4 + 16 + 4 + 8 + 14;
    assert_eq!(other[at], 1);
    other[at] = 2;
    assert_eq!(Command::decode(&other), Err(DecodeError::Field("payment")));
}
