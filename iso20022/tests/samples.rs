//! Agreement with an independent validator on messages that nobody here wrote.
//!
//! The samples are not part of the repository: the tests read them from the folder named by the
//! environment variable `CORRIDOR_ISO_DIR` and say that they are skipped when it is not set.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::views::CreditTransfer;
use iso20022::{Limits, Node, Profile, read, read_header, rules, writer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

struct Sample {
    path: PathBuf,
    document: String,
    header: String,
}

fn samples() -> Option<Vec<Sample>> {
    let Ok(folder) = std::env::var("CORRIDOR_ISO_DIR") else {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
        return None;
    };
    let folder = Path::new(&folder).join("samples");
    let text = std::fs::read_to_string(folder.join("table.json")).unwrap();
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = table.as_array().unwrap().iter();
    let sample = |row| Sample {
        path: folder.join(field(row, "file")),
        document: field(row, "doc"),
        header: field(row, "hdr"),
    };
    Some(rows.map(sample).collect())
}

/// The verdict in the words of the table: `valid`, `invalid` or `-`.
fn verdicts(bytes: &[u8]) -> (String, String) {
    let word = |valid: bool| if valid { "valid" } else { "invalid" };
    let limits = Limits::batch();
    let document = match read(bytes, &limits) {
        Ok(message) => {
            let bad = message.findings.iter().any(|one| one.path.starts_with("/Document"));
            word(!bad).to_owned()
        }
        // A `Document` in no namespace is no message; the table speaks of messages only.
        Err(unreadable)
            if ["xml.absent", "xml.unknown-namespace"].contains(&unreadable.findings[0].rule) =>
        {
            "-".to_owned()
        }
        Err(unreadable) => unreadable.findings[0].to_string(),
    };
    let header = match read_header(bytes, &limits) {
        Ok(header) => format!("v{:02}:{}", header.name.version(), word(header.findings.is_empty())),
        Err(_) => "-".to_owned(),
    };
    (document, header)
}

#[test]
fn every_sample_gets_the_verdict_of_the_reference_validator() {
    let Some(samples) = samples() else { return };
    let mut wrong = Vec::new();
    for sample in &samples {
        let bytes = std::fs::read(&sample.path).unwrap();
        let (document, header) = verdicts(&bytes);
        if document != sample.document || header != sample.header {
            let findings = read(&bytes, &Limits::batch()).map(|message| message.findings);
            wrong.push(format!(
                "{}: expected {} {}, got {document} {header}: {findings:#?}",
                sample.path.display(),
                sample.document,
                sample.header
            ));
        }
    }
    println!("{} samples", samples.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), samples.len(), wrong.join("\n"));
}

fn same_content(left: Node<'_>, right: Node<'_>) -> bool {
    let attributes = |node: Node<'_>| {
        let mut all: Vec<(String, String)> =
            node.attributes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.sort();
        all
    };
    let children = |node: Node<'_>| node.elements().count();
    left.name() == right.name()
        && left.text() == right.text()
        && attributes(left) == attributes(right)
        && children(left) == children(right)
        && left.elements().zip(right.elements()).all(|(left, right)| same_content(left, right))
}

#[test]
fn reading_writing_reading_keeps_the_content() {
    let Some(samples) = samples() else { return };
    let mut count = 0;
    for sample in samples {
        let bytes = std::fs::read(&sample.path).unwrap();
        let Ok(first) = read(&bytes, &Limits::batch()) else { continue };
        if !first.is_schema_valid() {
            continue;
        }
        let written = writer::write(&first.document);
        let second = read(&written, &Limits::batch()).unwrap();
        assert!(second.is_schema_valid(), "{}: {:#?}", sample.path.display(), second.findings);
        let same = same_content(first.document.root(), second.document.root());
        assert!(same, "{}", sample.path.display());
        assert_eq!(writer::write(&second.document), written);
        if let Some((_, header)) = &first.header {
            let both = writer::write_envelope(header, &first.document);
            let third = read(&both, &Limits::batch()).unwrap();
            assert!(third.is_schema_valid());
            assert!(same_content(header.root(), third.header.unwrap().1.root()));
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_transaction_of_every_valid_sample_can_be_taken_out() {
    let Some(samples) = samples() else { return };
    for sample in samples {
        let bytes = std::fs::read(&sample.path).unwrap();
        let Ok(message) = read(&bytes, &Limits::batch()) else { continue };
        let Some(transfer) = CreditTransfer::of(&message) else { continue };
        if !message.is_schema_valid() {
            continue;
        }
        for transaction in transfer.transactions() {
            assert!(transaction.amount().is_ok());
            let alone = transfer.extract(transaction.index);
            let alone = read(&alone, &Limits::message()).unwrap();
            assert!(alone.is_schema_valid(), "{}: {:?}", sample.path.display(), alone.findings);
            let view = CreditTransfer::of(&alone).unwrap();
            assert_eq!((view.len(), view.number_of_transactions()), (1, Some(1)));
            let kept = view.transaction(0).unwrap();
            assert!(same_content(kept.node(), transaction.node()));
            let totals = alone.validate(Profile::Base);
            let wrong = |rule: &str| rule.contains("total") || rule.contains("sum");
            assert!(totals.iter().all(|one| !wrong(one.rule) || !one.is_error()), "{totals:?}");
        }
    }
}

/// Rules must not cry wolf: valid samples that others publish as good are mostly free of errors.
#[test]
fn rules_on_valid_samples() {
    let Some(samples) = samples() else { return };
    let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sample in samples {
        let bytes = std::fs::read(&sample.path).unwrap();
        let Ok(message) = read(&bytes, &Limits::batch()) else { continue };
        if !message.is_schema_valid() {
            continue;
        }
        for finding in message.validate(Profile::Base) {
            let key = format!("{:?} {}", finding.severity, finding.rule);
            let file = sample.path.file_name().unwrap().to_string_lossy().into_owned();
            counts
                .entry(key)
                .or_default()
                .push(format!("{file} {} `{}`", finding.path, finding.value));
        }
    }
    for (rule, files) in &counts {
        println!("{rule}: {}", files.len());
        for file in files.iter().take(12) {
            println!("    {file}");
        }
    }
}

#[test]
fn reason_codes_are_in_the_external_code_list() {
    let Ok(folder) = std::env::var("CORRIDOR_ISO_DIR") else {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
        return;
    };
    let file = Path::new(&folder).join("codesets/external_status_reason_code.json");
    let list: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let known = list["codes"].as_object().unwrap();
    let ours = rules::CATALOGUE.iter().flat_map(|rule| rule.codes).chain(&rules::READER_CODES);
    for code in ours {
        assert!(known.contains_key(*code), "{code}");
    }
}
