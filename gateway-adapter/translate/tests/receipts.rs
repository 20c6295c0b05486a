//! Receipts in messages, and what a payer is told after its answer: valid by our own reader and by `xmllint`, and
//! found again however the message was written on its way.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use common::{NOW, assert_valid, directory, own_bank};
use iso20022::Limits;
use ledger::{
    AccountNumber, Amount, LedgerTime, Leg, Legs, ParticipantNumber, ReasonCode, Transfer,
    TransferId,
};
use translate::{
    AnswerContext, FollowUp, FoundReceipt, Original, ReceiptInMessageError, References,
    ReportError, credit_notifications, follow_up, receipts_in,
};

/// Of the form and length of a real one; this crate does not verify it.
const RECEIPT: &str = "c2sp.org/tlog-proof@v1\nextra AgEBAAAA\nindex 7\nq80=\n\ncorridor/test\n9\nq80=\n\n— node q80=\n";

fn id(byte: u8) -> TransferId {
    let mut bytes = [byte; 16];
    bytes[6] = 0x40;
    bytes[8] = 0x80;
    TransferId(bytes)
}

fn context() -> AnswerContext {
    let references = |number: u8| References {
        instruction_id: Some(format!("I{number}")),
        end_to_end_id: Some(format!("E{number}")),
        tx_id: None,
        uetr: Some(id(number).to_string()),
    };
    AnswerContext {
        message_id: "M-1".to_owned(),
        message_name: "pacs.008.001.08".to_owned(),
        created: Some("2026-03-04T09:30:00+01:00".to_owned()),
        header_id: None,
        sender: own_bank(),
        group_reasons: Vec::new(),
        transactions: vec![references(1), references(2)],
    }
}

/// A follow-up on the second transaction of the message.
fn told(said: &FollowUp<'_>) -> Vec<u8> {
    let context = context();
    let original = Some(Original { context: &context, index: 1 });
    let xml = follow_up(&id(2), original, own_bank(), said, "R-2", NOW).unwrap();
    assert_valid(&xml, "pacs.002.001.10");
    judge(&xml, "pacs.002.001.10");
    xml
}

/// Two legs to BANKGB2L: on its euro account.
fn notifications(receipt: &[u8]) -> Vec<(AccountNumber, Vec<u8>)> {
    let leg = |credit, amount| Leg {
        debit: AccountNumber(10),
        credit: AccountNumber(credit),
        amount: Amount::new(amount),
    };
    let legs = Legs::new(vec![leg(20, 1_050), leg(30, 7), leg(20, 50)]).unwrap();
    let transfer = Transfer { id: id(2), legs, document: None, options: None };
    let own = ParticipantNumber(2);
    let told = credit_notifications(&directory(), own, &transfer, receipt, 9, NOW).unwrap();
    for (_, xml) in &told {
        assert_valid(xml, "camt.054.001.08");
        judge(xml, "camt.054.001.08");
    }
    told
}

/// `xmllint`'s verdict with the published schema, where that is at hand.
fn judge(xml: &[u8], message: &str) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(folder) = std::env::var_os("CORRIDOR_ISO_DIR") else {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
        return;
    };
    let schema = Path::new(&folder).join("xsd").join(format!("{message}.xsd"));
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("receipt-{}-{number}.xml", std::process::id()));
    std::fs::write(&file, xml).unwrap();
    let words = ["--noout", "--nonet", "--schema"];
    let output = Command::new("xmllint").args(words).arg(&schema).arg(&file).output();
    let output = output.expect("xmllint is installed");
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn found(xml: &[u8]) -> Vec<FoundReceipt> {
    receipts_in(xml, &Limits::message()).unwrap()
}

#[test]
fn a_receipt_travels_to_both_banks_and_comes_out_as_it_was() {
    let settled = LedgerTime(NOW.0 - 1_000_000_000);
    let paid = told(&FollowUp::Final { settled, receipt: RECEIPT.as_bytes() });
    let text = String::from_utf8(paid.clone()).unwrap();
    for part in ["<OrgnlMsgId>M-1</OrgnlMsgId>", "<OrgnlEndToEndId>E2<", "<TxSts>ACSC</TxSts>"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let credited = notifications(RECEIPT.as_bytes());
    assert_eq!(credited.len(), 1, "one account of this bank");
    assert_eq!(credited[0].0, AccountNumber(20));
    let notification = String::from_utf8(credited[0].1.clone()).unwrap();
    assert!(notification.contains("<Amt Ccy=\"EUR\">10.50</Amt>"), "{notification}");
    for xml in [&paid, &credited[0].1] {
        let found = found(xml);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].receipt, RECEIPT.as_bytes());
        assert_eq!(found[0].uetr, Some(id(2).to_string()));
    }
}

#[test]
fn a_receipt_survives_other_prefixes_and_indentation() {
    let paid = told(&FollowUp::Final { settled: NOW, receipt: RECEIPT.as_bytes() });
    let text = String::from_utf8(paid).unwrap();
    let prefixed = text
        .replace("<Rcpt xmlns=", "<c:Rcpt xmlns:c=")
        .replace("</Rcpt>", "\n  </c:Rcpt>\n")
        .replace("<Cntt>", "\n   <c:Cntt>\n     ")
        .replace("</Cntt>", "\n </c:Cntt>");
    // Lines of 20 characters, as some programs write base64.
    let at = prefixed.find("<c:Cntt>").unwrap() + 40;
    let (before, after) = prefixed.split_at(at);
    let prefixed = format!("{before}\n{after}");
    assert_ne!(prefixed, text);
    assert_eq!(found(prefixed.as_bytes())[0].receipt, RECEIPT.as_bytes());
    // What is in another namespace is something else.
    let other = text.replace("urn:corridor:receipt:1", "urn:corridor:receipt:2");
    assert_eq!(found(other.as_bytes()), []);
    let damaged = text.replace("<Cntt>", "<Cntt>*");
    let error = receipts_in(damaged.as_bytes(), &Limits::message()).unwrap_err();
    assert!(matches!(error, ReceiptInMessageError::Form { .. }), "{error}");
    let empty = text.replace("Cntt>", "Else>");
    assert!(receipts_in(empty.as_bytes(), &Limits::message()).is_err());
    assert!(receipts_in(b"no message", &Limits::message()).is_err());
}

#[test]
fn what_became_of_the_credit_is_told_without_taking_the_answer_back() {
    let at = LedgerTime(NOW.0 - 2_000_000_000);
    let credited = String::from_utf8(told(&FollowUp::Credited { at })).unwrap();
    for part in ["<TxSts>ACCC</TxSts>", "<AccptncDtTm>2026-03-04T08:29:58.25", "E2"] {
        assert!(credited.contains(part), "{part} is not in {credited}");
    }
    let reason: ReasonCode = "AC04".parse().unwrap();
    let refused = String::from_utf8(told(&FollowUp::NotCredited { reason })).unwrap();
    for part in ["<TxSts>ACWP</TxSts>", "<Cd>AC04</Cd>"] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
    assert!(!refused.contains("RJCT"), "{refused}");
    let bare = follow_up(&id(3), None, own_bank(), &FollowUp::Credited { at }, "L1", NOW).unwrap();
    assert_valid(&bare, "pacs.002.001.10");
    judge(&bare, "pacs.002.001.10");
    let long = "x".repeat(36);
    let error = follow_up(&id(3), None, own_bank(), &FollowUp::Credited { at }, &long, NOW);
    assert_eq!(error, Err(ReportError::MessageId(long)));
}
