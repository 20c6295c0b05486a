//! Whatever comes in, there is an answer, and the answer is a valid message.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{NOW, assert_valid, assert_valid_but, directory, golden, own_bank};
use ledger::{LedgerTime, Refusal};
use proptest::prelude::*;
use translate::{
    AnswerContext, Fate, Limits, Reason, Received, References, ReportError, message_rejection,
    not_supported, receive, refusal_reason, status_report,
};

/// Receives and answers; panics only when an answer is not valid.
fn answered(input: &[u8]) -> Received {
    let received = receive(input, &Limits::batch(), &directory(), &own_bank(), NOW);
    match &received {
        Received::Unreadable { findings, answer_reference } => {
            assert!(findings.iter().any(translate::Finding::is_error));
            let answer = message_rejection(findings, answer_reference.as_deref(), NOW).unwrap();
            assert_valid(&answer, "admi.002.001.01");
        }
        Received::Other { name, answer_reference } => {
            let answer = not_supported(name, answer_reference.as_deref(), NOW).unwrap();
            assert_valid(&answer, "admi.002.001.01");
        }
        Received::Payments(payments) => {
            let group_error = payments.group_findings.iter().any(translate::Finding::is_error);
            let mut ids: Vec<_> = payments.transactions.iter().filter_map(|one| one.id).collect();
            ids.sort();
            assert!(
                ids.windows(2).all(|pair| pair[0] != pair[1]),
                "an id stands for one transaction"
            );
            for (index, payment) in payments.transactions.iter().enumerate() {
                assert_eq!(payment.index, index);
                match &payment.result {
                    Ok(instruction) => {
                        assert!(!group_error);
                        assert_eq!(payment.id, Some(instruction.id));
                        assert!(!instruction.leg.amount.is_zero());
                        assert_ne!(instruction.leg.debit, instruction.leg.credit);
                        let document = payments.document(index);
                        let alone = iso20022::read(&document, &Limits::message()).unwrap();
                        assert!(alone.is_schema_valid());
                    }
                    Err(findings) => assert!(findings.iter().all(translate::Finding::is_error)),
                }
                assert!(payment.result.as_ref().err().is_none_or(|findings| !findings.is_empty()));
            }
            let context = payments.answer_context(own_bank());
            let answer = status_report(&context, &payments.first_fates(), "A", NOW).unwrap();
            assert_valid(&answer, "pacs.002.001.10");
        }
    }
    received
}

fn inputs() -> Vec<Vec<u8>> {
    ["valid_pacs008", "valid_pacs009", "bulk_of_three", "header_copy", "other_message"]
        .map(|name| std::fs::read(golden().join(format!("{name}.in.xml"))).unwrap())
        .to_vec()
}

proptest! {
    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..400)) {
        answered(&input);
    }

    #[test]
    fn changed_messages(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..12, "[-<>/a-zA-Z0-9 .&;\"é\u{85}]{0,8}"),
            1..4,
        ),
    ) {
        let inputs = inputs();
        let mut text = String::from_utf8(which.get(&inputs).clone()).unwrap();
        for (place, removed, inserted) in changes {
            if text.is_empty() {
                break;
            }
            // Everything in the inputs is ASCII; what was inserted may not be.
            let mut start = place.index(text.len());
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + removed).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(start..end, &inserted);
        }
        answered(text.as_bytes());
    }

    #[test]
    fn changed_values(
        which in 0_usize..3,
        element in prop::sample::select(vec![
            "MsgId", "CreDtTm", "NbOfTxs", "InstrId", "EndToEndId", "UETR", "BICFI", "IntrBkSttlmDt",
            "SttlmMtd", "Nm", "BizMsgIdr",
        ]),
        value in "[-/a-zA-Z0-9 .:+\t\u{a0}é漢]{0,40}",
    ) {
        let text = String::from_utf8(inputs()[which].clone()).unwrap();
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let mut changed = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(&open) {
            let (_, after) = after.split_once(&close).unwrap();
            changed.push_str(&format!("{before}{open}{value}{close}"));
            rest = after;
        }
        changed.push_str(rest);
        answered(changed.as_bytes());
    }

    #[test]
    fn any_stored_context(
        texts in prop::array::uniform8("\\PC{0,60}|[ \t\r\n\u{7f}\u{fffe}]{0,3}"),
        code in "\\PC{0,5}",
        line in any::<u32>(),
    ) {
        let [message_id, created, instruction_id, end_to_end_id, uetr, rule, path, text] = texts;
        let reason = Reason { code, rule, path, line, text: text.repeat(20) };
        let context = AnswerContext {
            message_id,
            message_name: "pacs.008.001.08".to_owned(),
            created: Some(created),
            header_id: None,
            sender: own_bank(),
            group_reasons: vec![reason.clone(); 20],
            transactions: vec![References {
                instruction_id: Some(instruction_id),
                end_to_end_id: Some(end_to_end_id),
                tx_id: None,
                uetr: Some(uetr),
            }],
        };
        let answer = status_report(&context, &[Fate::Rejected(vec![reason])], "A", NOW).unwrap();
        // The stored code is any text; one that no list has goes on as it is.
        assert_valid_but(&answer, "pacs.002.001.10", &["codes.unknown"]);
    }
}

#[test]
fn truncation_at_every_byte() {
    let input = &inputs()[0];
    for length in 0..input.len() {
        answered(&input[..length]);
    }
}

/// A bulk message of so many transactions, made of the first one of `bulk_of_three`.
fn bulk(count: usize, change: impl Fn(usize, String) -> String) -> String {
    let bulk = String::from_utf8(inputs()[2].clone()).unwrap();
    let start = bulk.find("    <CdtTrfTxInf>").unwrap();
    let end = bulk.find("  </FIToFICstmrCdtTrf>").unwrap();
    let one = &bulk[start..start + bulk[start..].find("</CdtTrfTxInf>\n").unwrap() + 15];
    let many: String = (0..count)
        .map(|at| {
            let uetr = format!("{at:08}-1111-4222-8333-444444444444");
            change(at, one.replace("00000001-1111-4222-8333-444444444444", &uetr))
        })
        .collect();
    let count = format!("<NbOfTxs>{count}<");
    format!("{}{many}{}", &bulk[..start], &bulk[end..]).replace("<NbOfTxs>3<", &count)
}

#[test]
fn more_errors_than_are_listed_reject_the_whole_message() {
    let message =
        bulk(200, |at, one| if at < 150 { one.replace("\"EUR\"", "\"ZZZ\"") } else { one });
    let Received::Payments(payments) = answered(message.as_bytes()) else { panic!("readable") };
    assert_eq!(payments.transactions.len(), 200);
    assert!(payments.group_findings.iter().any(|one| one.rule == "network.too-many-findings"));
    assert!(payments.transactions.iter().all(|payment| payment.result.is_err()));
}

#[test]
fn warnings_reject_nothing_however_many_there_are() {
    let with_warning = |_, one: String| one.replace("<EndToEndId>", "<EndToEndId>/");
    let message = bulk(2_000, with_warning);
    let Received::Payments(payments) = answered(message.as_bytes()) else { panic!("readable") };
    assert_eq!(payments.transactions.len(), 2_000);
    assert!(payments.transactions.iter().any(|payment| !payment.warnings.is_empty()));
    assert!(payments.transactions.iter().all(|payment| payment.result.is_ok()));

    // An error after all of them is still found, and rejects its own transaction only.
    let message = bulk(2_000, |at, one| {
        let one = with_warning(at, one);
        if at == 1_999 { one.replace("\"EUR\"", "\"ZZZ\"") } else { one }
    });
    let Received::Payments(payments) = answered(message.as_bytes()) else { panic!("readable") };
    let rejected: Vec<usize> = payments
        .transactions
        .iter()
        .filter(|payment| payment.result.is_err())
        .map(|payment| payment.index)
        .collect();
    assert_eq!(rejected, [1_999]);
}

#[test]
fn documents_leave_out_what_belongs_to_the_whole_message() {
    let extra = format!(
        "<SplmtryData><Envlp><x:Note xmlns:x=\"urn:note\">{}</x:Note></Envlp></SplmtryData>",
        "x".repeat(1 << 20)
    );
    let message = bulk(500, |_, one| one)
        .replace("  </FIToFICstmrCdtTrf>", &format!("{extra}</FIToFICstmrCdtTrf>"));
    let Received::Payments(payments) = answered(message.as_bytes()) else { panic!("readable") };
    for payment in &payments.transactions {
        assert!(payment.result.is_ok(), "{payment:?}");
        let document = payments.document(payment.index);
        assert!(document.len() < 2_000, "{}", document.len());
        let summary = translate::incoming(&document).unwrap();
        assert_eq!(summary.uetr, payment.references.uetr);
    }
}

#[test]
fn settlement_dates_and_clearing_systems() {
    let input = String::from_utf8(inputs()[0].clone()).unwrap();
    let code = |from: &str, to: &str| {
        let changed = input.replace(from, to);
        assert_ne!(changed, input);
        let Received::Payments(payments) = answered(changed.as_bytes()) else { panic!("readable") };
        match &payments.transactions[0].result {
            Ok(_) => "settles",
            Err(findings) => findings[0].code,
        }
    };
    // It is 2026-03-04.
    let date = |date: &str| code("<IntrBkSttlmDt>2026-03-04<", &format!("<IntrBkSttlmDt>{date}<"));
    assert_eq!(date("2026-03-02"), "DT01");
    assert_eq!(date("2026-03-03"), "settles");
    assert_eq!(date("2026-03-04+01:00"), "settles");
    assert_eq!(date("2026-03-05"), "settles");
    assert_eq!(date("2026-03-06"), "DT04");
    assert_eq!(date("12026-03-04"), "DT01");
    assert_eq!(code("<IntrBkSttlmDt>2026-03-04</IntrBkSttlmDt>", ""), "settles");

    let own = "<SttlmMtd>CLRG</SttlmMtd><ClrSys><Prtry>CORRIDOR</Prtry></ClrSys>";
    assert_eq!(code(own, "<SttlmMtd>CLRG</SttlmMtd>"), "settles");
    assert_eq!(code(own, "<SttlmMtd>INDA</SttlmMtd>"), "settles");
    assert_eq!(code(own, "<SttlmMtd>INGA</SttlmMtd>"), "settles");
    assert_eq!(code("<Prtry>CORRIDOR</Prtry>", "<Prtry>OTHER</Prtry>"), "AG03");
    assert_eq!(code("<Prtry>CORRIDOR</Prtry>", "<Cd>TGT</Cd>"), "AG03");
}

#[test]
fn wrong_arguments_are_errors() {
    let context = AnswerContext {
        message_id: "M".to_owned(),
        message_name: "pacs.008.001.08".to_owned(),
        created: None,
        header_id: None,
        sender: own_bank(),
        group_reasons: Vec::new(),
        transactions: vec![References::default()],
    };
    let count = status_report(&context, &[], "A", NOW);
    assert_eq!(count, Err(ReportError::FateCount { transactions: 1, fates: 0 }));
    for id in ["", " ", &"x".repeat(36)] {
        let error = status_report(&context, &[Fate::Pending], id, LedgerTime(0)).unwrap_err();
        assert!(matches!(error, ReportError::MessageId(_)));
    }
}

#[test]
fn every_refusal_has_a_reason_that_fits_an_answer() {
    for &refusal in Refusal::ALL {
        let reason = refusal_reason(refusal);
        assert_eq!(reason.code.len(), 4, "{refusal:?}");
        assert!(!reason.text.is_empty(), "{refusal:?}");
        assert_eq!(reason.rule, format!("ledger.{}", refusal.code()));
    }
}

/// With `CORRIDOR_ISO_DIR` naming a folder with `samples`, each message in it is received and answered.
#[test]
fn messages_that_others_wrote() {
    let Some(folder) = std::env::var_os("CORRIDOR_ISO_DIR") else { return };
    let mut payments = 0;
    for kind in std::fs::read_dir(std::path::Path::new(&folder).join("samples")).unwrap() {
        let kind = kind.unwrap().path();
        if !kind.is_dir() {
            continue;
        }
        for sample in std::fs::read_dir(kind).unwrap() {
            let input = std::fs::read(sample.unwrap().path()).unwrap();
            payments += usize::from(matches!(answered(&input), Received::Payments(_)));
        }
    }
    assert!(payments > 50, "{payments} payment messages");
}

/// With `CORRIDOR_ISO_DIR` naming a folder with the external code lists, every code is looked up in them.
#[test]
fn every_code_is_in_the_external_list() {
    let Some(folder) = std::env::var_os("CORRIDOR_ISO_DIR") else { return };
    let path = std::path::Path::new(&folder).join("codesets/external_status_reason_code.json");
    let list = std::fs::read_to_string(path).unwrap();
    let known = |code: &str| list.contains(&format!("\"{code}\":"));
    for &refusal in Refusal::ALL {
        assert!(known(refusal.iso_code()), "{refusal:?} {}", refusal.iso_code());
    }
    for rule in translate::rules::ALL {
        assert!(known(rule.code), "{} {}", rule.id, rule.code);
    }
    for code in ["NARR", "MS03", "FF01", "AG03", "AB03"] {
        assert!(known(code), "{code}");
    }
}
