#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const NETWORK: [u8; 32] = [3; 32];
const UETR: TransferId = TransferId([9; 16]);

fn reader(number: u32, secret: [u8; 32]) -> (Reader, Opener) {
    let participant = ParticipantNumber(number);
    let reader = Reader { participant, key: public_key(&secret).unwrap() };
    (reader, Opener::new(NETWORK, participant, &secret).unwrap())
}

#[test]
fn each_reader_opens_and_nobody_else() {
    let sealer = Sealer::new(NETWORK);
    let (bank, bank_opener) = reader(4, [4; 32]);
    let (regulator, regulator_opener) = reader(7, [7; 32]);
    let (_, stranger) = reader(5, [5; 32]);
    let (_, impostor) = reader(4, [6; 32]);
    let sealed = sealer.seal(UETR, b"<Document/>", &[bank, regulator]).unwrap();
    for opener in [&bank_opener, &regulator_opener] {
        let opened = opener.open_checked(UETR, &sealed.bytes, &sealed.salted, &sealed.commitment());
        assert_eq!(opened.unwrap().document, b"<Document/>");
    }
    assert_eq!(stranger.open(UETR, &sealed.bytes), Err(OpenError::NotAReader));
    assert_eq!(impostor.open(UETR, &sealed.bytes), Err(OpenError::Key));
    assert_eq!(bank_opener.open(TransferId([8; 16]), &sealed.bytes), Err(OpenError::Key));
    let elsewhere = Opener::new([4; 32], ParticipantNumber(4), &[4; 32]).unwrap();
    assert_eq!(elsewhere.open(UETR, &sealed.bytes), Err(OpenError::Key));
}

#[test]
fn the_same_document_is_never_sealed_to_the_same_bytes() {
    let sealer = Sealer::new(NETWORK);
    let (bank, _) = reader(4, [4; 32]);
    let first = sealer.seal(UETR, b"<Document/>", &[bank]).unwrap();
    let second = sealer.seal(UETR, b"<Document/>", &[bank]).unwrap();
    assert_eq!(first.bytes[6..38], second.bytes[6..38], "one context within a second");
    assert_ne!(first.bytes[38..86], second.bytes[38..86]);
    assert_ne!(first.salted, second.salted);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sealer = Sealer::new(NETWORK);
    let (bank, opener) = reader(4, [4; 32]);
    let sealed = sealer.seal(UETR, b"<Document>text</Document>", &[bank]).unwrap();
    for at in 0..sealed.bytes.len() {
        let mut altered = sealed.bytes.clone();
        altered[at] ^= 1;
        assert!(opener.open(UETR, &altered).is_err(), "byte {at}");
        assert_eq!(
            opener.open_checked(UETR, &altered, &sealed.salted, &sealed.commitment()),
            Err(OpenError::Commitment)
        );
    }
    for end in 0..sealed.bytes.len() {
        assert!(opener.open(UETR, &sealed.bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_sender_cannot_claim_another_document() {
    let sealer = Sealer::new(NETWORK);
    let (bank, opener) = reader(4, [4; 32]);
    let sealed = sealer.seal(UETR, b"<Document/>", &[bank]).unwrap();
    let claimed = document::salted_digest(&[0; 16], b"<Other/>");
    let commitment = document::commitment(&claimed, &document::sealed_digest(&sealed.bytes));
    assert_eq!(
        opener.open_checked(UETR, &sealed.bytes, &claimed, &commitment),
        Err(OpenError::Commitment)
    );
}

#[test]
fn limits_are_errors() {
    let sealer = Sealer::new(NETWORK);
    let (bank, _) = reader(4, [4; 32]);
    assert!(matches!(sealer.seal(UETR, b"x", &[]), Err(SealError::Readers(0))));
    assert!(matches!(sealer.seal(UETR, b"x", &[bank; 17]), Err(SealError::Readers(17))));
    let huge = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    assert!(matches!(sealer.seal(UETR, &huge, &[bank]), Err(SealError::TooLarge(_))));
    let mut noise = vec![0; ATTACHMENT_BYTES_MAX];
    getrandom::fill(&mut noise).unwrap();
    assert!(matches!(sealer.seal(UETR, &noise, &[bank]), Err(SealError::TooLarge(_))));
    let low_order = Reader { participant: ParticipantNumber(1), key: [0; 32] };
    assert!(matches!(sealer.seal(UETR, b"x", &[low_order]), Err(SealError::ReaderKey(_))));
}

proptest! {
    #[test]
    fn any_document_round_trips(document in proptest::collection::vec(any::<u8>(), 0..4096), id: [u8; 16]) {
        let sealer = Sealer::new(NETWORK);
        let (bank, opener) = reader(4, [4; 32]);
        let sealed = sealer.seal(TransferId(id), &document, &[bank]).unwrap();
        let opened = opener
            .open_checked(TransferId(id), &sealed.bytes, &sealed.salted, &sealed.commitment())
            .unwrap();
        prop_assert_eq!(opened.document, document);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let (_, opener) = reader(4, [4; 32]);
        prop_assert!(opener.open(UETR, &bytes).is_err());
    }
}
