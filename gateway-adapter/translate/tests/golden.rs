//! Messages in, commands and answers out: one pair of files a case in `golden/`.
//!
//! `BLESS=1 cargo test -p translate` rewrites the outputs; read the difference before keeping it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::fmt::Write as _;

use common::{NOW, assert_valid, directory, golden, own_bank};
use ledger::{LedgerTime, Refusal};
use translate::{
    AnswerContext, Fate, Finding, Limits, Payment, Payments, Reason, Received, message_rejection,
    not_supported, receive, status_report,
};

fn show_finding(out: &mut String, indent: &str, finding: &Finding) {
    let severity = if finding.is_error() { "error" } else { "warning" };
    writeln!(out, "{indent}{severity} {finding} [{}] @{}", finding.value, finding.offset).unwrap();
}

fn show_payment(out: &mut String, payments: &Payments, payment: &Payment) {
    let money = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let (amount, currency) = (money(&payment.amount), money(&payment.currency));
    let id = payment.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    writeln!(
        out,
        "transaction {} {amount} {currency} on {} id {id}",
        payment.index,
        money(&payment.settlement_date)
    )
    .unwrap();
    for finding in &payment.warnings {
        show_finding(out, "  ", finding);
    }
    match &payment.result {
        Err(findings) => findings.iter().for_each(|finding| show_finding(out, "  ", finding)),
        Ok(instruction) => {
            writeln!(
                out,
                "  transfer {} participant {} -> {}: {} from account {} to {}",
                instruction.id,
                instruction.debtor_bank,
                instruction.creditor_bank,
                instruction.leg.amount,
                instruction.leg.debit,
                instruction.leg.credit
            )
            .unwrap();
            let document = payments.document(payment.index);
            let summary = translate::incoming(&document).unwrap();
            writeln!(out, "  document of {} bytes: {summary:?}", document.len()).unwrap();
            assert_document(&document);
        }
    }
}

/// The document for the creditor bank is a valid message with one transaction.
fn assert_document(document: &[u8]) {
    let message = iso20022::read(document, &Limits::message()).unwrap();
    let findings = message.validate(iso20022::Profile::Corridor);
    assert!(!findings.iter().any(Finding::is_error), "{findings:#?}");
    let view = iso20022::views::CreditTransfer::of(&message).unwrap();
    assert_eq!((view.len(), view.number_of_transactions()), (1, Some(1)));
}

fn show_answer(out: &mut String, answer: &[u8], name: &str) {
    assert_valid(answer, name);
    // One element a line, so that differences can be read.
    let text = String::from_utf8(answer.to_vec()).unwrap();
    out.push_str(&text.trim_end().replace("><", ">\n<"));
    out.push('\n');
}

/// Everything that follows from one message, with the accepted transactions settled.
fn outcome(input: &[u8]) -> String {
    let mut out = String::new();
    match receive(input, &Limits::message(), &directory(), &own_bank(), NOW) {
        Received::Unreadable { findings, answer_reference } => {
            writeln!(out, "unreadable, reference {answer_reference:?}").unwrap();
            findings.iter().for_each(|finding| show_finding(&mut out, "  ", finding));
            let answer = message_rejection(&findings, answer_reference.as_deref(), NOW).unwrap();
            show_answer(&mut out, &answer, "admi.002.001.01");
        }
        Received::Other { name, answer_reference } => {
            writeln!(out, "other {name}, reference {answer_reference:?}").unwrap();
            let answer = not_supported(&name, answer_reference.as_deref(), NOW).unwrap();
            show_answer(&mut out, &answer, "admi.002.001.01");
        }
        Received::Payments(payments) => {
            writeln!(
                out,
                "{} {} created {:?} header {:?}",
                payments.message_name, payments.message_id, payments.created, payments.header_id
            )
            .unwrap();
            for finding in &payments.group_findings {
                show_finding(&mut out, "  ", finding);
            }
            for payment in &payments.transactions {
                show_payment(&mut out, &payments, payment);
            }
            let context = payments.answer_context(own_bank());
            let mut fates = payments.first_fates();
            for fate in fates.iter_mut().filter(|fate| !fate.is_final()) {
                *fate = Fate::Settled { time: LedgerTime(NOW.0 - 125_000_000) };
            }
            // The answer is built from what was stored, not from what is at hand.
            let context = AnswerContext::decode(&context.encode()).unwrap();
            let fates: Vec<Fate> =
                fates.iter().map(|fate| Fate::decode(&fate.encode()).unwrap()).collect();
            let answer = status_report(&context, &fates, "ANSWER-1", NOW).unwrap();
            show_answer(&mut out, &answer, "pacs.002.001.10");
        }
    }
    out
}

fn compare(name: &str, actual: &str, wrong: &mut Vec<String>) {
    let path = golden().join(format!("{name}.out"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != actual {
        wrong.push(format!("{name} is now:\n{actual}"));
    }
}

#[test]
fn messages() {
    let mut names: Vec<String> = std::fs::read_dir(golden())
        .unwrap()
        .filter_map(|entry| {
            Some(entry.unwrap().file_name().to_str()?.strip_suffix(".in.xml")?.to_owned())
        })
        .collect();
    names.sort();
    assert!(names.len() >= 20, "the cases are there");
    let mut wrong = Vec::new();
    for name in names {
        let input = std::fs::read(golden().join(format!("{name}.in.xml"))).unwrap();
        compare(&name, &outcome(&input), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fates() {
    let input = std::fs::read(golden().join("valid_pacs008.in.xml")).unwrap();
    let received = receive(&input, &Limits::message(), &directory(), &own_bank(), NOW);
    let Received::Payments(payments) = received else { panic!("{received:?}") };
    let context = payments.answer_context(own_bank());
    let fates = [
        ("settled", Fate::Settled { time: NOW }),
        ("refused", Fate::Refused(Refusal::InsufficientCover)),
        (
            "rejected",
            Fate::Rejected(vec![Reason::new("AB03", "The network gave no answer in time.")]),
        ),
        ("rejected_without_reason", Fate::Rejected(Vec::new())),
        ("pending", Fate::Pending),
    ];
    let mut wrong = Vec::new();
    for (name, fate) in fates {
        let answer = status_report(&context, &[fate], "ANSWER-1", NOW).unwrap();
        let mut out = String::new();
        show_answer(&mut out, &answer, "pacs.002.001.10");
        compare(&format!("fate_{name}"), &out, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refusals() {
    let mut out = String::new();
    for &refusal in Refusal::ALL {
        writeln!(
            out,
            "{} {:?} {} {}",
            refusal.code(),
            refusal,
            refusal.iso_code(),
            refusal.sender_text()
        )
        .unwrap();
    }
    let mut wrong = Vec::new();
    compare("refusals", &out, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
