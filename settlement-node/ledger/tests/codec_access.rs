//! Canonical bytes of the record of an access: golden vectors and damage.
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
