//! Hostile and damaged input: the reader answers, it never panics, and it stays within its limits.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::views::CreditTransfer;
use iso20022::{Limits, Profile, read, writer};
use proptest::prelude::*;

const SAMPLE: &[u8] = include_bytes!("../testdata/valid/pacs.008.001.08-two-transactions.xml");
const PREFIXED: &[u8] = include_bytes!("../testdata/valid/pacs.008.001.08-prefixed.xml");
const WILDCARD: &[u8] = include_bytes!("../testdata/valid/pacs.009.001.08-supplementary-data.xml");

/// Does everything with an input that a receiver would.
fn exercise(bytes: &[u8]) -> bool {
    let Ok(message) = read(bytes, &Limits::message()) else { return false };
    for finding in message.validate(Profile::Corridor) {
        assert!(finding.offset <= bytes.len());
        assert!(!finding.to_string().is_empty());
    }
    let written = writer::write(&message.document);
    if message.is_schema_valid() {
        assert!(read(&written, &Limits::batch()).unwrap().is_schema_valid());
    }
    if let Some(transfer) = CreditTransfer::of(&message) {
        for transaction in transfer.transactions() {
            let _ = (transaction.amount(), transaction.path(), transaction.settlement_date());
            let _ = transfer.extract(transaction.index);
        }
    }
    true
}

#[test]
fn truncation_at_every_byte_is_refused() {
    for sample in [SAMPLE, PREFIXED, WILDCARD] {
        let end = sample.iter().rposition(|byte| *byte == b'>').unwrap();
        for length in 0..=end {
            assert!(!exercise(&sample[..length]), "cut at {length}");
        }
        assert!(exercise(sample));
    }
}

#[test]
fn bombs_are_refused() {
    let deep = "<a>".repeat(100_000);
    let wide = format!("<a>{}</a>", "<b/>".repeat(70_000));
    let many = format!("<a {}/>", (0..5000).map(|n| format!("a{n}='' ")).collect::<String>());
    let long = format!("<a>{}</a>", "x".repeat(2 << 20));
    let spaces: String = (0..300).map(|n| format!("<a{n} xmlns:p{n}='u{n}'>")).collect();
    for (text, rule) in [
        (deep, "limit.depth"),
        (wide, "limit.elements"),
        (many, "limit.attributes"),
        (long, "limit.bytes"),
        (spaces, "limit.depth"),
        ("<!DOCTYPE a [<!ENTITY b '&c;&c;'>]><a>&b;</a>".to_owned(), "xml.doctype"),
        ("<a>&b;</a>".to_owned(), "xml.entity"),
        ("<a b='&b;'/>".to_owned(), "xml.entity"),
        (" <?xml version='1.0'?><a/>".to_owned(), "xml.declaration"),
        ("<a/><?xml version='1.0'?>".to_owned(), "xml.declaration"),
        ("<?xml version='1.0' encoding='UTF-16'?><a/>".to_owned(), "xml.encoding"),
        ("<a xmlns:b='u' xmlns:c='u' b:d='' c:d=''/>".to_owned(), "xml.attribute"),
        ("<a b='<'/>".to_owned(), "xml.attribute"),
        ("<a b=''c=''/>".to_owned(), "xml.attribute"),
        ("<a><!-- a -- b --></a>".to_owned(), "xml.well-formed"),
        ("<a></b>".to_owned(), "xml.well-formed"),
        ("<a:b/>".to_owned(), "xml.namespace"),
        ("<a xmlns:b=''/>".to_owned(), "xml.namespace"),
        ("<a xmlns:xml='u'/>".to_owned(), "xml.namespace"),
        ("<a><?XML x?></a>".to_owned(), "xml.well-formed"),
        ("<a>&#xFFFE;</a>".to_owned(), "xml.entity"),
        ("<a/>&#32;".to_owned(), "xml.well-formed"),
        ("<a/><![CDATA[ ]]>".to_owned(), "xml.well-formed"),
        ("<a/>".to_owned(), "xml.absent"),
    ] {
        let limits = Limits::message();
        let found = read(text.as_bytes(), &limits).unwrap_err().findings;
        assert_eq!(found[0].rule, rule, "{}", &text[..text.len().min(60)]);
    }
}

/// Content that could make work or memory grow faster than the input.
#[test]
fn amplification_is_bounded() {
    let sample = std::str::from_utf8(WILDCARD).unwrap();
    let (head, tail) = sample.split_once("<SplmtryData>").unwrap();
    let declarations: String = (0..28).map(|n| format!("xmlns:p{n}=\"u{n}\" ")).collect();
    let head = head.replacen("<Document ", &format!("<Document {declarations}"), 1);
    let small = "<SplmtryData><Envlp><a/></Envlp></SplmtryData>";
    let many = format!("{head}{}<SplmtryData>{tail}", small.repeat(20_000));
    let found = read(many.as_bytes(), &Limits::message()).unwrap_err().findings;
    assert_eq!(found[0].rule, "limit.namespaces");
    let few = format!("{head}{}<SplmtryData>{tail}", small.repeat(10));
    assert!(exercise(few.as_bytes()));

    let (head, tail) = sample.split_once("FI-1").unwrap();
    for unit in ["&amp;", "<![CDATA[a]]>", "&amp;<b a='&lt;'/>", "<!-- a -->"] {
        let text = format!("{head}{}{tail}", unit.repeat(50_000));
        assert!(read(text.as_bytes(), &Limits::message()).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_messages(
        which in 0_usize..3,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..8),
    ) {
        let mut bytes = [SAMPLE, PREFIXED, WILDCARD][which].to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        exercise(&bytes);
    }

    #[test]
    fn shuffled_markup(
        which in 0_usize..3,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let text = std::str::from_utf8([SAMPLE, PREFIXED, WILDCARD][which]).unwrap();
        let mut parts: Vec<&str> = text.split_inclusive('>').collect();
        for (from, to) in moves {
            let part = parts.remove(from.index(parts.len()));
            parts.insert(to.index(parts.len()), part);
        }
        exercise(parts.concat().as_bytes());
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
    }
}
