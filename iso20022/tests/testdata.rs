//! Our own sample messages: valid ones carry no error, broken ones are found by the rule that they
//! are named after (what follows `--` in a name only tells variants apart).
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::views::{CreditTransfer, Header, Return, Split, Status};
use iso20022::{Finding, Layer, Limits, Message, Profile, limits, read, rules, writer};
use std::collections::BTreeSet;
use std::path::Path;

fn files(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(kind);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn valid(name: &str) -> Message {
    let file = files("valid").into_iter().find(|(known, _)| known == name).unwrap();
    read(&file.1, &Limits::message()).unwrap()
}

fn findings(bytes: &[u8]) -> Vec<Finding> {
    match read(bytes, &Limits::message()) {
        Ok(message) => message.validate(Profile::Corridor),
        Err(unreadable) => unreadable.findings,
    }
}

#[test]
fn valid_messages_have_no_errors_and_survive_writing() {
    for (name, bytes) in files("valid") {
        let message = read(&bytes, &Limits::message()).unwrap();
        let errors: Vec<Finding> = message.validate(Profile::Base);
        let errors: Vec<&Finding> = errors.iter().filter(|finding| finding.is_error()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let written = writer::write(&message.document);
        let again = read(&written, &Limits::message()).unwrap();
        assert!(again.is_schema_valid(), "{name}");
        assert_eq!(writer::write(&again.document), written, "{name}");
    }
}

#[test]
fn broken_messages_are_found_by_the_rule_in_their_name() {
    let mut seen = BTreeSet::new();
    for (name, bytes) in files("broken") {
        let rule = name.split("--").next().unwrap().to_owned();
        let found = findings(&bytes);
        // A wrong value may upset sums as well; layers above the first to object do not count.
        let lowest = found[0].layer;
        let errors = found.iter().any(|one| one.layer == lowest && one.is_error());
        let first = found.iter().filter(|one| one.layer == lowest && one.is_error() == errors);
        let rules: BTreeSet<&str> = first.map(|finding| finding.rule).collect();
        assert!(rules.contains(rule.as_str()), "{name}: {found:#?}");
        assert_eq!(rules.len(), 1, "{name} should break one rule only: {found:#?}");
        let unreadable = rule.starts_with("xml.") || rule.starts_with("limit.");
        assert_eq!(unreadable, found[0].layer == Layer::Transport, "{name}");
        assert!(found.iter().all(|finding| finding.line >= 1 && finding.offset <= bytes.len()));
        seen.insert(rule);
    }
    // Rules beyond the schema have a test of their own; bounds are tested with smaller ones below.
    // Context is that of large files (`tests/bulk`); only restricted schemas have maxima.
    let elsewhere = [
        "input.file",
        "limit.bytes",
        "limit.elements",
        "limit.namespaces",
        "limit.context",
        "schema.amount",
        "schema.maximum",
    ];
    for rule in rules::READER.iter().filter(|rule| !elsewhere.contains(&rule.id)) {
        assert!(seen.contains(rule.id), "no broken message for {}", rule.id);
    }
}

#[test]
fn findings_tell_the_place() {
    let broken = files("broken");
    let only = |name: &str| {
        let bytes = &broken.iter().find(|(known, _)| known == name).unwrap().1;
        let mut found = findings(bytes);
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    };
    let finding = only("schema.enumeration");
    assert_eq!(finding.path, "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/ChrgBr");
    assert_eq!((finding.layer, finding.code, finding.line), (Layer::Schema, "CH16", 31));
    assert_eq!((finding.value.as_str(), finding.message.as_str()), ("SOME", "pacs.008.001.08"));
    let finding = only("schema.missing--currency");
    assert_eq!(finding.path, "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/IntrBkSttlmAmt/@Ccy");
    assert_eq!(finding.code, "AM11");
    let finding = only("reference.iban");
    assert_eq!((finding.code, finding.layer), ("AC02", Layer::ReferenceData));
    let finding = only("corridor.uetr-present");
    assert_eq!(finding.path, "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]/PmtId");
}

#[test]
fn one_mistake_does_not_hide_another() {
    let text = String::from_utf8(files("valid")[3].1.clone()).unwrap();
    assert!(text.contains("ALFA-0001"));
    let text = text
        .replacen("<ChrgBr>SHAR</ChrgBr>", "<ChrgBr>SOME</ChrgBr><Surprise/>", 1)
        .replacen("<TwnNm>Boston</TwnNm>", "<TwnNm></TwnNm>", 1)
        .replacen("<ChrgBr>DEBT</ChrgBr>", "", 1);
    let message = read(text.as_bytes(), &Limits::message()).unwrap();
    let rules: Vec<&str> = message.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(
        rules,
        ["schema.enumeration", "schema.unexpected", "schema.length", "schema.missing"]
    );
    let transfer = CreditTransfer::of(&message).unwrap();
    assert_eq!(transfer.transaction(1).unwrap().amount().unwrap().lexical, "+0250.25000");
}

#[test]
fn findings_are_bounded() {
    let text = String::from_utf8(files("valid")[3].1.clone()).unwrap();
    let text = text.replacen("<PmtId>", &format!("{}<PmtId>", "<Surprise/>".repeat(1000)), 1);
    let limits = Limits::message();
    assert_eq!(read(text.as_bytes(), &limits).unwrap().findings.len(), limits.findings_max);
    let few = Limits { elements_max: 100, ..limits };
    assert_eq!(read(text.as_bytes(), &few).unwrap_err().findings[0].rule, "limit.elements");
    let short = Limits { bytes_max: 100, ..limits };
    assert_eq!(read(text.as_bytes(), &short).unwrap_err().findings[0].rule, "limit.bytes");
    let not_text = read(b"<a>\xff</a>", &limits).unwrap_err();
    assert_eq!(not_text.findings[0].rule, "xml.encoding");
    assert!(read(b"", &limits).is_err());
}

#[test]
fn views_of_a_customer_credit_transfer() {
    for name in [
        "pacs.008.001.08-two-transactions",
        "pacs.008.001.08-prefixed",
        "pacs.008.001.08-carriage-returns",
    ] {
        let message = valid(name);
        let transfer = CreditTransfer::of(&message).unwrap();
        assert_eq!(transfer.msg_id(), Some("ALFA-0001"));
        assert_eq!(transfer.creation_time(), Some("2030-01-15T09:30:00+01:00"));
        assert_eq!((transfer.number_of_transactions(), transfer.len()), (Some(2), 2));
        assert_eq!(transfer.settlement_method(), Some("CLRG"));
        assert_eq!(transfer.instructing_agent(), Some("ALFADEFFXXX"));
        assert_eq!(transfer.total_amount().unwrap().unwrap().value.to_string(), "350.75");
        let all: Vec<_> = transfer.transactions().collect();
        let first = all[0];
        assert_eq!(first.path(), "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]");
        assert_eq!(first.instruction_id(), Some("INSTR-1"));
        assert_eq!(first.end_to_end_id(), Some("INVOICE 17"));
        assert_eq!(first.uetr(), Some("11111111-1111-4111-8111-111111111111"));
        assert_eq!(first.settlement_date(), Some("2030-01-15"));
        assert_eq!(first.instructed_agent_bic(), Some("BRVOUS33"));
        assert_eq!(first.debtor_agent_bic(), Some("ALFADEFFXXX"));
        assert_eq!(first.debtor_name(), Some("Meier & Söhne"));
        assert_eq!(first.debtor_account(), Some("DE89370400440532013000"));
        assert_eq!(first.creditor_account(), Some("4711-0815"));
        let amount = all[1].amount().unwrap();
        assert_eq!((amount.currency, amount.lexical), ("EUR", "+0250.25000"));
        assert_eq!(amount.value.to_string(), "250.25");
        assert_eq!(all[1].creditor_name(), Some("John Sample"));
    }
    let message = valid("pacs.008.001.08-prefixed");
    let first = CreditTransfer::of(&message).unwrap().transaction(0).unwrap();
    assert_eq!(first.node().text_at("RmtInf/Ustrd"), Some("Invoice <17> & more"));
}

#[test]
fn views_of_other_messages() {
    let message = valid("pacs.008.001.02-old-version");
    let transfer = CreditTransfer::of(&message).unwrap();
    let only = transfer.transaction(0).unwrap();
    assert_eq!((only.uetr(), only.debtor_agent_bic()), (None, Some("ALFADEFF")));

    let message = valid("pacs.009.001.08-supplementary-data");
    let transfer = CreditTransfer::of(&message).unwrap();
    let only = transfer.transaction(0).unwrap();
    assert!(transfer.is_institutional() && !only.is_cover());
    assert_eq!(only.creditor_agent_bic(), Some("CHARJPJT"));
    assert_eq!(only.instructing_agent_bic(), Some("ALFADEFF"));

    let message = valid("pacs.004.001.09-return");
    let returned = Return::of(&message).unwrap();
    let only = returned.transactions().next().unwrap();
    assert_eq!(only.original_msg_id(), Some("ALFA-0001"));
    assert_eq!(only.original_uetr(), Some("11111111-1111-4111-8111-111111111111"));
    assert_eq!(only.amount().unwrap().lexical, "100.00");
    let reason = only.reasons().next().unwrap();
    assert_eq!(reason.code(), Some("AC04"));
    assert_eq!(reason.additional_information().next(), Some("closed in 2029"));

    let message = valid("pacs.002.001.10-status");
    let status = Status::of(&message).unwrap();
    assert_eq!(status.groups().next().unwrap().status(), Some("PART"));
    let only = status.transactions().next().unwrap();
    assert_eq!((only.status(), only.original_msg_id()), (Some("RJCT"), Some("ALFA-0001")));
    assert_eq!(only.reasons().next().unwrap().code(), Some("NARR"));

    let message = valid("pacs.008.001.08-two-transactions");
    let header = Header::of(&message).unwrap();
    assert_eq!((header.from_bic(), header.to_bic()), (Some("ALFADEFF"), Some("BRVOUS33XXX")));
    assert_eq!(header.business_message_id(), Some("ALFA-0001"));
    assert_eq!(header.message_definition(), Some("pacs.008.001.08"));
    assert!(!header.possible_duplicate());
}

#[test]
fn a_transaction_taken_out_stands_alone() {
    let message = valid("pacs.008.001.08-two-transactions");
    let alone = CreditTransfer::of(&message).unwrap().extract(1);
    let alone = read(&alone, &Limits::message()).unwrap();
    assert!(alone.is_schema_valid());
    let transfer = CreditTransfer::of(&alone).unwrap();
    assert_eq!((transfer.len(), transfer.number_of_transactions()), (1, Some(1)));
    assert_eq!(transfer.total_amount().unwrap().unwrap().value.to_string(), "250.25");
    assert_eq!(transfer.msg_id(), Some("ALFA-0001"));
    assert!(
        alone.validate(Profile::Corridor).is_empty(),
        "{:#?}",
        alone.validate(Profile::Corridor)
    );
}

#[test]
fn supplementary_data_of_the_message_stays_behind() {
    let note = |text: &str| {
        format!("<SplmtryData><Envlp><x:N xmlns:x=\"urn:n\">{text}</x:N></Envlp></SplmtryData>")
    };
    let text = String::from_utf8(files("valid")[3].1.clone()).unwrap();
    let text = text
        .replace("</CdtTrfTxInf>", &format!("{}</CdtTrfTxInf>", note("own")))
        .replace("</FIToFICstmrCdtTrf>", &format!("{}</FIToFICstmrCdtTrf>", note("shared")));
    let message = read(text.as_bytes(), &Limits::message()).unwrap();
    assert!(message.is_schema_valid(), "{:#?}", message.findings);
    let view = CreditTransfer::of(&message).unwrap();
    let split = Split::of(message.clone()).unwrap();
    assert_eq!((split.len(), split.is_empty()), (2, false));
    for index in 0..2 {
        let alone = split.document(index);
        assert_eq!(alone, view.extract(index));
        let text = std::str::from_utf8(&alone).unwrap();
        assert!(text.contains(">own<") && !text.contains(">shared<"), "{text}");
        assert!(read(&alone, &Limits::message()).unwrap().is_schema_valid());
    }
}

#[test]
fn warnings_and_errors_have_limits_of_their_own() {
    let text = String::from_utf8(files("valid")[3].1.clone()).unwrap();
    let start = text.find("<CdtTrfTxInf>").unwrap();
    let end = start + text[start..].find("</CdtTrfTxInf>").unwrap() + "</CdtTrfTxInf>".len();
    let one = text[start..end].replace("<EndToEndId>", "<EndToEndId>/");
    let with = |warnings: usize, errors: usize| {
        let wrong = one.replace("Ccy=\"EUR\"", "Ccy=\"ZZZ\"");
        let text = format!(
            "{}{}{}{}",
            &text[..start],
            one.repeat(warnings),
            wrong.repeat(errors),
            &text[end..]
        );
        let message = read(text.as_bytes(), &Limits::batch()).unwrap();
        assert!(message.is_schema_valid(), "{:#?}", message.findings);
        let validation = message.check(Profile::Base);
        assert_eq!(validation.findings, message.validate(Profile::Base));
        let errors = validation.findings.iter().filter(|finding| finding.is_error()).count();
        (validation.findings.len() - errors, errors, validation.truncated)
    };
    let (few_warnings, few_errors, truncated) = with(1, 1);
    assert!(few_warnings > 0 && few_errors > 0 && !truncated);
    let (warnings, errors, truncated) = with(1_000, 1);
    assert_eq!((warnings, truncated), (limits::WARNINGS_MAX, false));
    assert_eq!(errors, few_errors, "no error is lost");
    let (warnings, errors, truncated) = with(1_000, 1_000);
    assert_eq!((warnings, errors, truncated), (limits::WARNINGS_MAX, limits::FINDINGS_MAX, true));
}
