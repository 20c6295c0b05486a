//! What builders emit is read back as valid, and what they cannot say they refuse.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::build::{
    Account, Build, BuildError, BusinessHeader, CustomerCreditTransfer, CustomerTransaction,
    InstitutionCreditTransfer, InstitutionTransaction, MessageRejection, Party, StatusReason,
    StatusReport, TransactionReport,
};
use iso20022::views::{CreditTransfer, Header, Status};
use iso20022::{Limits, Message, Profile, read};
use proptest::prelude::*;
use rust_decimal::Decimal;

const TIME: &str = "2030-01-15T09:30:00.123Z";
const UETR: &str = "aaaaaaaa-1111-4111-8111-111111111111";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn good(bytes: &[u8]) -> Message {
    let message = read(bytes, &Limits::message()).unwrap();
    let found = message.validate(Profile::Corridor);
    assert!(found.is_empty(), "{found:#?}");
    message
}

fn customer(count: usize) -> CustomerCreditTransfer {
    let transaction = |index: usize| CustomerTransaction {
        instruction_id: some("I"),
        end_to_end_id: "NOTPROVIDED".to_owned(),
        tx_id: Some(format!("T{index}")),
        uetr: Some(format!("{index:08}-1111-4111-8111-111111111111")),
        amount: Decimal::new(12_345, 1),
        currency: "EUR".to_owned(),
        settlement_date: some("2030-01-15"),
        charge_bearer: "SHAR".to_owned(),
        debtor: Party { name: "A < B & \"C\"".to_owned(), town: some("Kiel"), country: some("DE") },
        debtor_account: Some(Account::Iban("DE89370400440532013000".to_owned())),
        debtor_agent: "ALFADEFF".to_owned(),
        creditor_agent: "BRVOUS33".to_owned(),
        creditor: Party { name: "Übung".to_owned(), town: None, country: None },
        creditor_account: Some(Account::Other("4711".to_owned())),
        remittance: some("line\r\nfeed"),
        ..CustomerTransaction::default()
    };
    CustomerCreditTransfer {
        message_id: "M1".to_owned(),
        creation_time: TIME.to_owned(),
        instructing_agent: some("ALFADEFF"),
        instructed_agent: some("BRVOUS33"),
        transactions: (0..count).map(transaction).collect(),
        ..CustomerCreditTransfer::default()
    }
}

#[test]
fn customer_credit_transfer() {
    let message = good(&customer(3).build().unwrap());
    let transfer = CreditTransfer::of(&message).unwrap();
    assert_eq!(transfer.len(), 3);
    let first = transfer.transaction(0).unwrap();
    assert_eq!(first.amount().unwrap().lexical, "1234.50");
    assert_eq!(first.debtor_name(), Some("A < B & \"C\""));
    assert_eq!(first.node().text_at("RmtInf/Ustrd"), Some("line\r\nfeed"));
    assert_eq!(
        message.document.body().unwrap().text_at("GrpHdr/SttlmInf/ClrSys/Prtry"),
        Some("CORRIDOR")
    );
}

#[test]
fn a_header_goes_in_front() {
    let header = BusinessHeader {
        from: "ALFADEFF".to_owned(),
        to: "BRVOUS33XXX".to_owned(),
        business_message_id: "M1".to_owned(),
        business_service: some("corridor.01"),
        creation_time: TIME.to_owned(),
        possible_duplicate: true,
    };
    let message = good(&customer(1).build_with_header(&header).unwrap());
    let view = Header::of(&message).unwrap();
    assert_eq!(view.message_definition(), Some("pacs.008.001.08"));
    assert!(view.possible_duplicate());
}

#[test]
fn institution_credit_transfer() {
    let transfer = InstitutionCreditTransfer {
        message_id: "M2".to_owned(),
        creation_time: TIME.to_owned(),
        transactions: vec![InstitutionTransaction {
            end_to_end_id: "E".to_owned(),
            uetr: some(UETR),
            amount: Decimal::new(500_000, 0),
            currency: "JPY".to_owned(),
            settlement_date: some("2030-01-15"),
            instructing_agent: some("ALFADEFF"),
            instructed_agent: some("BRVOUS33"),
            debtor: "ALFADEFF".to_owned(),
            creditor: "CHARJPJT".to_owned(),
            creditor_agent: some("BRVOUS33"),
            ..InstitutionTransaction::default()
        }],
        ..InstitutionCreditTransfer::default()
    };
    let message = good(&transfer.build().unwrap());
    let only = CreditTransfer::of(&message).unwrap().transaction(0).unwrap();
    assert_eq!(only.amount().unwrap().lexical, "500000");
    assert_eq!(only.debtor_agent_bic(), Some("ALFADEFF"));
}

fn report() -> StatusReport {
    let transaction = |status: &str, reasons| TransactionReport {
        status_id: some("S"),
        original_end_to_end_id: some("E"),
        original_uetr: some(UETR),
        status: status.to_owned(),
        reasons,
        acceptance_time: some(TIME),
        settlement_date: some("2030-01-15"),
        original_amount: Some((Decimal::new(1005, 1), "EUR".to_owned())),
        ..TransactionReport::default()
    };
    let reason =
        StatusReason { code: "AM04".to_owned(), information: vec!["too little ".repeat(30)] };
    StatusReport {
        message_id: "S1".to_owned(),
        creation_time: TIME.to_owned(),
        instructing_agent: some("CORRXX00"),
        original_message_id: "M1".to_owned(),
        original_message_name: "pacs.008.001.08".to_owned(),
        original_creation_time: some(TIME),
        original_number_of_transactions: Some(2),
        group_status: some("PART"),
        transactions: vec![transaction("ACSC", vec![]), transaction("RJCT", vec![reason])],
        ..StatusReport::default()
    }
}

#[test]
fn status_report() {
    let bytes = report().build().unwrap();
    let message = read(&bytes, &Limits::message()).unwrap();
    assert!(message.is_schema_valid(), "{:#?}", message.findings);
    let status = Status::of(&message).unwrap();
    let all: Vec<_> = status.transactions().collect();
    assert_eq!((all[0].status(), all[1].status()), (Some("ACSC"), Some("RJCT")));
    let reason = all[1].reasons().next().unwrap();
    assert_eq!(reason.code(), Some("AM04"));
    assert_eq!(reason.additional_information().count(), 4);
    let body = message.document.body().unwrap();
    let group = body.child("OrgnlGrpInfAndSts").unwrap();
    assert_eq!(group.children("NbOfTxsPerSts").count(), 2);
}

#[test]
fn message_rejection() {
    let unreadable = read(b"<Document", &Limits::message()).unwrap_err();
    let rejection = MessageRejection::of_unreadable(&unreadable, None, some(TIME));
    let message = good(&rejection.build().unwrap());
    let body = message.document.body().unwrap();
    assert_eq!(body.text_at("RltdRef/Ref"), Some("NOTPROVIDED"));
    assert_eq!(body.text_at("Rsn/RjctgPtyRsn"), Some("FF01"));
}

#[test]
fn what_is_not_valid_is_refused() {
    assert!(matches!(customer(0).build(), Err(BuildError::Missing { .. })));
    let mut transfer = customer(1);
    transfer.message_id = "M".repeat(36);
    assert!(matches!(transfer.build(), Err(BuildError::Value { .. })));
    let mut transfer = customer(1);
    transfer.transactions[0].amount = Decimal::new(1, 3);
    assert!(matches!(transfer.build(), Err(BuildError::Amount { .. })));
    let mut transfer = customer(1);
    transfer.transactions[0].debtor.name = "a\u{1}".to_owned();
    assert!(matches!(transfer.build(), Err(BuildError::Value { .. })));
    let mut status = report();
    status.transactions[0].status = "TOOLONG".to_owned();
    let error = status.build().unwrap_err().to_string();
    assert!(error.starts_with("/Document/FIToFIPmtStsRpt/"), "{error}");
    assert!(error.contains("longer than 4"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever goes into free text comes out unchanged, or is refused.
    #[test]
    fn any_text_survives(name in any::<String>(), remittance in "[ -~\u{a0}-\u{ff}\r\n\t]{0,140}") {
        let mut transfer = customer(1);
        transfer.transactions[0].debtor.name.clone_from(&name);
        transfer.transactions[0].remittance = Some(remittance.clone());
        if let Ok(bytes) = transfer.build() {
            let message = read(&bytes, &Limits::message()).unwrap();
            prop_assert!(message.is_schema_valid());
            let only = CreditTransfer::of(&message).unwrap().transaction(0).unwrap();
            prop_assert_eq!(only.debtor_name(), Some(name.as_str()));
            prop_assert_eq!(only.node().text_at("RmtInf/Ustrd"), Some(remittance.as_str()));
        }
    }

    /// Amounts come back exactly.
    #[test]
    fn any_amount_survives(units in 0_i64..999_999_999_999_999_999) {
        let mut transfer = customer(1);
        transfer.transactions[0].amount = Decimal::new(units, 2);
        let message = read(&transfer.build().unwrap(), &Limits::message()).unwrap();
        let only = CreditTransfer::of(&message).unwrap().transaction(0).unwrap();
        prop_assert_eq!(only.amount().unwrap().value, Decimal::new(units, 2));
    }
}
