//! A message that is read piece by piece says the same as one that is read whole.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{NOW, assert_valid, directory, golden, own_bank};
use translate::{
    AnswerContext, BulkPayment, BulkRefusal, BulkTranslation, Fate, Finding, Limits, Payments,
    Received, group_report, receive, status_report,
};

/// Reads in pieces of this size.
fn in_pieces(input: &[u8], size: usize) -> Result<(Vec<BulkPayment>, AnswerContext), BulkRefusal> {
    let mut translation = BulkTranslation::new(own_bank(), NOW);
    let mut payments = Vec::new();
    for piece in input.chunks(size) {
        translation.push(piece);
        while let Some(payment) = translation.next_payment(&directory())? {
            payments.push(payment);
        }
    }
    translation.finish().map(|context| (payments, context))
}

fn whole(input: &[u8]) -> Payments {
    match receive(input, &Limits::batch(), &directory(), &own_bank(), NOW) {
        Received::Payments(payments) => payments,
        other => panic!("{other:?}"),
    }
}

fn three() -> String {
    std::fs::read_to_string(golden().join("bulk_of_three.in.xml")).unwrap()
}

fn rules(findings: &[Finding]) -> Vec<(&str, &str, u32)> {
    findings.iter().map(|one| (one.rule, one.path.as_str(), one.line)).collect()
}

/// Everything that is wrong, as either way tells it, for a message with errors in transactions only.
fn assert_same(input: &str) {
    let one = whole(input.as_bytes());
    let (many, context) = in_pieces(input.as_bytes(), 1_000).unwrap();
    assert_eq!(many.len(), one.transactions.len());
    assert!(context.group_reasons.is_empty(), "{:?}", context.group_reasons);
    for (mine, other) in many.iter().zip(&one.transactions) {
        let payment = &mine.payment;
        assert_eq!((payment.index, payment.id), (other.index, other.id), "{input}");
        assert_eq!(payment.references, other.references);
        match (&payment.result, &other.result) {
            (Ok(instruction), Ok(expected)) => {
                assert_eq!(instruction, expected);
                assert_eq!(mine.document.as_deref(), Some(&one.document(other.index)[..]));
            }
            (Err(findings), Err(expected)) => {
                assert_eq!(rules(findings), rules(expected));
                assert_eq!(mine.document, None);
            }
            (mine, other) => panic!("{mine:?} and {other:?}"),
        }
    }
}

#[test]
fn both_ways_say_the_same() {
    let text = three();
    assert_same(&text);
    for (from, to) in [
        ("<?xml", "\n<?xml"),
        ("BANKGB2L", "NOBKGB2L"),
        ("BANKDEFF", "BANKUS33"),
        ("EUR", "CHF"),
        ("<ChrgBr>SHAR</ChrgBr>", "<ChrgBr>SHAR</ChrgBr>\n"),
    ] {
        let changed = text.replace(from, to);
        if !changed.starts_with('\n') {
            assert_same(&changed);
        }
    }
    for name in ["valid_pacs008", "valid_pacs009"] {
        assert_same(&std::fs::read_to_string(golden().join(format!("{name}.in.xml"))).unwrap());
    }
}

/// A good message with so many transactions, each on a line of its own.
fn good(numbers: &[u32]) -> String {
    let transactions: Vec<String> = numbers
        .iter()
        .map(|number| {
            format!(
                "<CdtTrfTxInf><PmtId><EndToEndId>E{number}</EndToEndId>\
                 <UETR>{number:08x}-1111-4222-8333-444444444444</UETR></PmtId>\
                 <IntrBkSttlmAmt Ccy=\"EUR\">10.00</IntrBkSttlmAmt><IntrBkSttlmDt>2026-03-04</IntrBkSttlmDt>\
                 <ChrgBr>SHAR</ChrgBr><InstgAgt><FinInstnId><BICFI>BANKDEFF</BICFI></FinInstnId></InstgAgt>\
                 <InstdAgt><FinInstnId><BICFI>BANKGB2L</BICFI></FinInstnId></InstdAgt><Dbtr><Nm>A</Nm></Dbtr>\
                 <DbtrAgt><FinInstnId><BICFI>BANKDEFF</BICFI></FinInstnId></DbtrAgt>\
                 <CdtrAgt><FinInstnId><BICFI>BANKGB2L</BICFI></FinInstnId></CdtrAgt>\
                 <Cdtr><Nm>B</Nm></Cdtr></CdtTrfTxInf>\n"
            )
        })
        .collect();
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"><FIToFICstmrCdtTrf>\
         <GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-03-04T09:30:00+01:00</CreDtTm><NbOfTxs>{}</NbOfTxs>\
         <SttlmInf><SttlmMtd>CLRG</SttlmMtd><ClrSys><Prtry>CORRIDOR</Prtry></ClrSys></SttlmInf></GrpHdr>\n{}\
         </FIToFICstmrCdtTrf></Document>",
        numbers.len(),
        transactions.concat()
    )
}

#[test]
fn a_uetr_that_comes_twice_is_told_with_both_places() {
    let text = good(&[1, 2, 3, 2, 5]);
    let (many, context) = in_pieces(text.as_bytes(), 777).unwrap();
    assert!(context.group_reasons.is_empty(), "{:?}", context.group_reasons);
    let results: Vec<bool> = many.iter().map(|one| one.payment.result.is_ok()).collect();
    assert_eq!(results, [true, true, true, false, true]);
    let findings = many[3].payment.result.as_ref().unwrap_err();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].code, findings[0].line), ("RF01", 5));
    assert!(findings[0].path.ends_with("CdtTrfTxInf[4]/PmtId/UETR"), "{}", findings[0].path);
    assert!(findings[0].text.contains("Transaction 2 (line 3)"), "{}", findings[0].text);
    assert_eq!(many[3].payment.id, None);
    // The same when it is read whole.
    let one = whole(text.as_bytes());
    let findings = one.transactions[3].result.as_ref().unwrap_err();
    assert_eq!((findings[0].code, findings[0].line), ("RF01", 5));
    assert!(findings[0].text.contains("CdtTrfTxInf[2]/PmtId/UETR (line 3)"), "{findings:?}");
}

#[test]
fn what_only_the_end_tells_rejects_all() {
    let text = good(&[1, 2, 3]).replace("<NbOfTxs>3<", "<NbOfTxs>4<");
    let (many, context) = in_pieces(text.as_bytes(), 500).unwrap();
    assert!(many.iter().all(|one| one.payment.result.is_ok()));
    assert_eq!(context.group_reasons[0].rule, "base.number-of-transactions");
    let broken = good(&[1, 2, 3]).replace("<EndToEndId>E2</EndToEndId>", "<EndToEndId/>");
    let (many, context) = in_pieces(broken.as_bytes(), 500).unwrap();
    assert_eq!(many.len(), 3, "all are read, for the answer names them");
    assert!(many[1].payment.result.is_err());
    assert!(!context.group_reasons.is_empty());
    let copy = good(&[1]).replace("CORRIDOR", "ELSEWHERE");
    assert!(!in_pieces(copy.as_bytes(), 500).unwrap().1.group_reasons.is_empty());
}

#[test]
fn what_is_no_payment_message_is_refused() {
    let text = good(&[1, 2]);
    for (input, unreadable) in [
        (text[..text.len() - 20].to_owned(), true),
        (text.replace("</CdtTrfTxInf>\n<CdtTrfTxInf>", "</CdtTrfTxIn>\n<CdtTrfTxInf>"), true),
        (text.replace("<MsgId>M-1</MsgId>", ""), true),
        ("x".repeat(100), true),
        (String::new(), true),
        (text.replace("pacs.008.001.08", "pacs.999.001.08"), true),
    ] {
        match in_pieces(input.as_bytes(), 300) {
            Err(BulkRefusal::Unreadable { findings, .. }) => {
                assert!(unreadable && findings.iter().any(Finding::is_error));
            }
            other => panic!("{other:?}"),
        }
    }
    // The reference is found all the same.
    let broken = format!("<MsgId>M-9</MsgId>{}", "&".repeat(100));
    let refusal = in_pieces(broken.as_bytes(), 30).unwrap_err();
    assert!(matches!(
        refusal,
        BulkRefusal::Unreadable { answer_reference: Some(reference), .. } if reference == "M-9"
    ));
}

#[test]
fn long_reports_are_valid_and_the_same_in_pieces() {
    let numbers: Vec<u32> = (0..600).collect();
    let one = whole(good(&numbers).as_bytes());
    let context = one.answer_context(own_bank());
    let fates: Vec<Fate> =
        (0..600).map(|time| Fate::Settled { time: ledger::LedgerTime(time) }).collect();
    let report = status_report(&context, &fates, "A", NOW).unwrap();
    assert_valid(&report, "pacs.002.001.10");
    let text = String::from_utf8(report).unwrap();
    assert_eq!(text.matches("<TxInfAndSts>").count(), 600);
    let ids: Vec<usize> = numbers.iter().map(|n| text.find(&format!(">E{n}<")).unwrap()).collect();
    assert!(ids.is_sorted());
    let group = group_report(&context, &vec![Fate::Pending; 600], "A", NOW).unwrap();
    assert_valid(&group, "pacs.002.001.10");
    assert!(!String::from_utf8(group).unwrap().contains("TxInfAndSts"));
}
