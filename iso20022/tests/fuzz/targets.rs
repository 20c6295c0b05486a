//! What is done with arbitrary bytes, and what must hold whatever they are.
//!
//! Shared by the ordinary tests (`main.rs`) and the fuzzing targets in `iso20022/fuzz`.
#![allow(dead_code)]

use iso20022::bulk::BulkReader;
use iso20022::views::{CreditTransfer, Header, Return, Status};
use iso20022::{Finding, Limits, Message, Node, Profile, read, read_header, writer};
use quick_xml::Reader;
use quick_xml::events::Event;

/// What is done with some bytes; it panics when something does not hold.
type Target = fn(&[u8]);

/// Every target with its name.
pub(crate) const TARGETS: [(&str, Target); 4] =
    [("reader", reader), ("views", views), ("rewrite", rewrite), ("bulk", bulk)];

fn check_findings(findings: &[Finding], bytes: &[u8]) {
    for finding in findings {
        assert!(finding.offset <= bytes.len(), "{finding:?}");
        assert!(finding.line >= 1, "{finding:?}");
        assert!(finding.text.ends_with('.'), "{finding:?}");
        assert!(finding.value.chars().count() <= iso20022::limits::EXCERPT_CHARS_MAX);
        assert!(!finding.rule.is_empty() && finding.code.len() == 4, "{finding:?}");
    }
}

/// Reading never panics, says the same twice, and accepts only what another tokeniser accepts.
pub(crate) fn reader(bytes: &[u8]) {
    let limits = Limits::message();
    let _ = read_header(bytes, &limits);
    let message = match read(bytes, &limits) {
        Ok(message) => message,
        Err(unreadable) => {
            assert!(!unreadable.findings.is_empty());
            return check_findings(&unreadable.findings, bytes);
        }
    };
    let again = read(bytes, &limits).expect("it could be read before");
    assert_eq!(message.findings, again.findings);
    check_findings(&message.findings, bytes);
    for profile in Profile::ALL {
        check_findings(&message.check(profile).findings, bytes);
    }
    let texts = tokens(bytes);
    let mut ours = Vec::new();
    if let Some((_, header)) = &message.header {
        names(header.root(), &mut ours);
    }
    names(message.document.root(), &mut ours);
    let mut theirs: Vec<&String> = texts.iter().collect();
    for name in &ours {
        let at = theirs.iter().position(|known| *known == name);
        theirs.swap_remove(at.unwrap_or_else(|| panic!("`{name}` is in no start tag")));
    }
}

fn names(node: Node<'_>, found: &mut Vec<String>) {
    let name = node.name();
    found.push(name.rsplit(':').next().unwrap_or(name).to_owned());
    for child in node.elements() {
        names(child, found);
    }
}

/// Local names of all start tags, as another tokeniser finds them.
fn tokens(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).expect("only UTF-8 is readable");
    let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}'));
    reader.config_mut().check_comments = true;
    let mut names = Vec::new();
    loop {
        match reader.read_event().expect("what is read is well-formed") {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.name();
                let name: &str = name.as_ref();
                names.push(name.rsplit(':').next().unwrap_or(name).to_owned());
            }
            Event::DocType(_) => panic!("a DOCTYPE is never readable"),
            Event::Eof => return names,
            _ => {}
        }
    }
}

/// Views of a message that may lack anything.
pub(crate) fn views(bytes: &[u8]) {
    let Ok(message) = read(bytes, &Limits::message()) else { return };
    if let Some(transfer) = CreditTransfer::of(&message) {
        for transaction in transfer.transactions() {
            let _ = (transaction.amount(), transaction.path(), transaction.settlement_date());
            let alone = transfer.extract(transaction.index);
            if message.is_schema_valid() {
                let alone = read(&alone, &Limits::batch()).expect("what is taken out can be read");
                assert!(alone.is_schema_valid(), "{:?}", alone.findings);
            }
        }
    }
    if let Some(returned) = Return::of(&message) {
        assert!(returned.transactions().count() <= message.document.node_count());
    }
    if let Some(status) = Status::of(&message) {
        assert!(status.transactions().count() <= message.document.node_count());
    }
    let _ = Header::of(&message);
    for finding in message.validate(Profile::Corridor) {
        assert!(!finding.to_string().is_empty());
    }
}

/// What is written back has the same content, and is as valid.
pub(crate) fn rewrite(bytes: &[u8]) {
    let Ok(first) = read(bytes, &Limits::message()) else { return };
    let written = whole(&first);
    // Decoded references and copied declarations may make the text longer than a message may be.
    let Ok(second) = read(&written, &Limits::batch()) else {
        assert!(!first.is_schema_valid(), "a valid message must survive");
        return;
    };
    if first.is_schema_valid() {
        assert!(second.is_schema_valid(), "{:?}", second.findings);
        assert!(same(first.document.root(), second.document.root()));
        assert_eq!(whole(&second), written);
    }
}

fn whole(message: &Message) -> Vec<u8> {
    match &message.header {
        Some((_, header)) => writer::write_envelope(header, &message.document),
        None => writer::write(&message.document),
    }
}

fn same(left: Node<'_>, right: Node<'_>) -> bool {
    let attributes = |node: Node<'_>| {
        let mut all: Vec<(String, String)> =
            node.attributes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.sort();
        all
    };
    left.name() == right.name()
        && left.text() == right.text()
        && attributes(left) == attributes(right)
        && left.elements().count() == right.elements().count()
        && left.elements().zip(right.elements()).all(|(left, right)| same(left, right))
}

/// A file in pieces is as good as the file in one piece.
pub(crate) fn bulk(bytes: &[u8]) {
    let size = 1 + bytes.iter().take(64).map(|byte| usize::from(*byte)).sum::<usize>() % 997;
    let mut reader = BulkReader::new(Limits::message()).with_unique_uetrs(64);
    let mut clean = true;
    for chunk in bytes.chunks(size) {
        reader.push(chunk);
        loop {
            match reader.next_transaction() {
                Ok(Some(transaction)) => {
                    check_findings(&transaction.check(Profile::Corridor).findings, bytes);
                    clean &= transaction.message.is_schema_valid();
                    assert!(transaction.offset < bytes.len() as u64);
                }
                Ok(None) => break,
                Err(unreadable) => return check_findings(&unreadable.findings, bytes),
            }
        }
    }
    let Ok(summary) = reader.finish() else { return };
    check_findings(&summary.findings, bytes);
    let whole = read(bytes, &Limits::batch()).expect("a file that ends well can be read whole");
    clean &= !summary.findings.iter().any(|finding| finding.rule.starts_with("schema."));
    assert_eq!(clean, whole.is_schema_valid(), "{:?} {:?}", whole.findings, summary.findings);
}
