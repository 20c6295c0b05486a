//! Builders of the messages about payments, accounts and the system: what they emit is valid, keeps
//! the rules of the network, and is read back by the views.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::build::{
    Account, AccountAnswer, AccountBalance, AccountEntry, AccountState, AccountStatement, Amount,
    AnswerError, AnswerHeader, Build, BuildError, BusinessDayAnswer, DayEvent, Draft, EventNotice,
    EventReceipt, InitiationReport, InstitutionDebit, InstitutionDirectDebit, LimitAnswer,
    LimitKind, LimitState, OrderReceipt, OrderStatus, OriginalPayment, Party, PaymentOrderStatus,
    PaymentReturn, PaymentStatusRequest, RecallRequest, RecallResolution, ReceiptNotice,
    ResendOrder, ReturnChain, ReturnedPayment, StatementKind, StatusReason, TransactionAnswer,
    TransactionState,
};
use iso20022::views::{self, Return};
use iso20022::{Limits, Message, Profile, read};
use rust_decimal::Decimal;

const TIME: &str = "2030-01-15T09:30:00.123Z";
const UETR: &str = "aaaaaaaa-1111-4111-8111-111111111111";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The message, which is valid and breaks no rule.
fn good(bytes: &[u8]) -> Message {
    let message = read(bytes, &Limits::message()).unwrap();
    let found = message.validate(Profile::Corridor);
    let errors: Vec<_> = found.iter().filter(|one| one.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    message
}

const DAY: &str = "2030-01-15";

fn amount(units: i64) -> Amount {
    Amount::new(Decimal::new(units, 2), "EUR")
}

fn original() -> OriginalPayment {
    OriginalPayment {
        message_id: some("M1"),
        message_name: some("pacs.008.001.08"),
        instruction_id: some("I"),
        end_to_end_id: some("E"),
        tx_id: some("T"),
        uetr: some(UETR),
        amount: Some(amount(10_050)),
        settlement_date: some(DAY),
    }
}

fn reason(code: &str) -> StatusReason {
    StatusReason { code: code.to_owned(), information: vec!["because".to_owned()] }
}

#[test]
fn payment_return() {
    let party =
        |name: &str| Party { name: name.to_owned(), town: some("Kiel"), country: some("DE") };
    let message = PaymentReturn {
        message_id: "R1".to_owned(),
        creation_time: TIME.to_owned(),
        instructing_agent: some("BRVOUS33"),
        instructed_agent: some("ALFADEFF"),
        transactions: vec![ReturnedPayment {
            return_id: some("R1-1"),
            original: original(),
            amount: amount(10_000),
            settlement_date: some(DAY),
            charge_bearer: some("SHAR"),
            chain: Some(ReturnChain {
                debtor: party("B"),
                debtor_agent: some("BRVOUS33"),
                creditor_agent: some("ALFADEFF"),
                creditor: party("A"),
            }),
            reason: reason("AC04"),
            ..ReturnedPayment::default()
        }],
        ..PaymentReturn::default()
    };
    let read = good(&message.build().unwrap());
    let one = Return::of(&read).unwrap().transactions().next().unwrap();
    assert_eq!(one.amount().unwrap().lexical, "100.00");
    assert_eq!(one.original_amount().unwrap().unwrap().lexical, "100.50");
    assert_eq!(one.original_msg_id(), Some("M1"));
    assert_eq!(one.reasons().next().unwrap().code(), Some("AC04"));
    let empty = PaymentReturn { transactions: vec![], ..message };
    assert!(matches!(empty.build(), Err(BuildError::Missing { .. })));
}

#[test]
fn institution_direct_debit() {
    let message = InstitutionDirectDebit {
        message_id: "D1".to_owned(),
        creation_time: TIME.to_owned(),
        instructing_agent: some("ALFADEFF"),
        instructed_agent: some("BRVOUS33"),
        credit_id: "C1".to_owned(),
        creditor: "ALFADEFF".to_owned(),
        creditor_account: Some(Account::Other("1".to_owned())),
        creditor_agent: some("ALFADEFF"),
        transactions: vec![InstitutionDebit {
            instruction_id: some("I"),
            end_to_end_id: "E".to_owned(),
            uetr: some(UETR),
            amount: amount(5_000_000),
            settlement_date: some(DAY),
            debtor: "BRVOUS33".to_owned(),
            debtor_account: Some(Account::Other("2".to_owned())),
            remittance: some("margin"),
            ..InstitutionDebit::default()
        }],
    };
    let read = good(&message.build().unwrap());
    let view = views::DirectDebit::of(&read).unwrap();
    let one = view.transactions().next().unwrap();
    assert_eq!((one.debtor_bic(), one.debtor_account()), (Some("BRVOUS33"), Some("2")));
    assert_eq!(one.amount().unwrap().unwrap().value, Decimal::new(50_000, 0));
    assert_eq!(view.instructions().next().unwrap().creditor_bic(), Some("ALFADEFF"));
}

#[test]
fn questions_recalls_and_their_answers() {
    let message = PaymentStatusRequest {
        message_id: "Q1".to_owned(),
        creation_time: TIME.to_owned(),
        payments: vec![original(), original()],
        ..PaymentStatusRequest::default()
    };
    let read = good(&message.build().unwrap());
    let view = views::StatusRequest::of(&read).unwrap();
    assert_eq!(view.transactions().filter(|one| one.original_uetr() == Some(UETR)).count(), 2);

    let message = RecallRequest {
        id: "C1".to_owned(),
        creation_time: TIME.to_owned(),
        assigner: "ALFADEFF".to_owned(),
        assignee: "BRVOUS33".to_owned(),
        case_id: some("CASE"),
        cancellation_id: some("C1-1"),
        original: original(),
        reason: reason("DUPL"),
    };
    let read = good(&message.build().unwrap());
    let view = views::CancellationRequest::of(&read).unwrap();
    assert_eq!((view.assigner(), view.assignee()), (Some("ALFADEFF"), Some("BRVOUS33")));
    let one = view.transactions().next().unwrap();
    assert_eq!(one.reasons().next().unwrap().code(), Some("DUPL"));
    assert_eq!(one.original_settlement_date(), Some(DAY));

    let message = RecallResolution {
        id: "A1".to_owned(),
        creation_time: TIME.to_owned(),
        assigner: "BRVOUS33".to_owned(),
        assignee: "ALFADEFF".to_owned(),
        case_id: some("CASE"),
        confirmation: "RJCR".to_owned(),
        status_id: some("A1-1"),
        original: original(),
        reasons: vec![reason("CUST")],
    };
    let read = good(&message.build().unwrap());
    let view = views::Resolution::of(&read).unwrap();
    assert_eq!((view.confirmation(), view.original_case_id()), (Some("RJCR"), Some("CASE")));
    let one = view.transactions().next().unwrap();
    assert_eq!(one.reasons().next().unwrap().code(), Some("CUST"));
    let silent = RecallResolution { reasons: vec![], ..message };
    assert!(matches!(silent.build(), Err(BuildError::Missing { .. })));
}

#[test]
fn account_statements() {
    let entry = |is_credit, units| AccountEntry {
        reference: some("1"),
        amount: amount(units),
        is_credit,
        booking_time: some(TIME),
        value_date: some(DAY),
        payment: Some(original()),
        debtor_agent: some("ALFADEFF"),
        creditor_agent: some("BRVOUS33"),
        ..AccountEntry::default()
    };
    for kind in [StatementKind::Report, StatementKind::Statement, StatementKind::Notification] {
        let mut message = AccountStatement {
            kind,
            message_id: "S1".to_owned(),
            creation_time: TIME.to_owned(),
            original_request: some("Q"),
            statement_id: "S1-1".to_owned(),
            sequence_number: Some(7),
            page: Some((1, true)),
            period: Some((TIME.to_owned(), TIME.to_owned())),
            account: Account::Other("ALFA-EUR".to_owned()),
            owner: some("ALFADEFF"),
            servicer: some("CORRXX00"),
            balances: vec![
                AccountBalance::new("OPBD", amount(100), DAY),
                AccountBalance { is_debit: true, ..AccountBalance::new("CLBD", amount(50), DAY) },
            ],
            entries: vec![entry(true, 1000), entry(false, 1150)],
        };
        if kind == StatementKind::Notification {
            message.balances.clear();
        }
        let read = good(&message.build().unwrap());
        let view = views::Statement::of(&read).unwrap();
        let report = view.reports().next().unwrap();
        assert_eq!((report.account(), report.owner()), (Some("ALFA-EUR"), Some("ALFADEFF")));
        assert_eq!((report.credit_count(), report.credit_sum()), (Some(1), Some("10.00")));
        assert_eq!((report.debit_count(), report.debit_sum()), (Some(1), Some("11.50")));
        assert_eq!(report.sequence_number(), Some(7));
        let details = report.entries().next().unwrap().details().next().unwrap();
        assert_eq!(details.uetr(), Some(UETR));
    }
}

#[test]
fn the_system_speaks() {
    let event = EventNotice {
        code: "CLSD".to_owned(),
        parameters: vec!["2030-01-15".to_owned(), "EUR".to_owned()],
        description: some("closed"),
        time: some(TIME),
    };
    let read = good(&event.build().unwrap());
    let view = views::SystemEvent::of(&read).unwrap();
    assert_eq!((view.code(), view.parameters().count()), (Some("CLSD"), 2));

    let order = ResendOrder {
        message_id: "A".to_owned(),
        creation_time: some(TIME),
        business_date: some(DAY),
        sequence: Some(("1".to_owned(), "2".to_owned())),
        message_name: some("camt.054.001.08"),
        recipient: "ALFADEFF".to_owned(),
    };
    let read = good(&order.build().unwrap());
    let view = views::ResendRequest::of(&read).unwrap();
    let one = view.criteria().next().unwrap();
    assert_eq!((one.from_sequence(), one.to_sequence()), (Some("1"), Some("2")));
    assert_eq!(one.recipient(), Some("ALFADEFF"));

    let receipt = ReceiptNotice {
        message_id: "A".to_owned(),
        creation_time: some(TIME),
        related_reference: "R".to_owned(),
        related_message: some("camt.057.001.06"),
        status: "OK".to_owned(),
        status_time: some(TIME),
        description: some("fine"),
    };
    let read = good(&receipt.build().unwrap());
    let view = views::ReceiptAcknowledgement::of(&read).unwrap();
    assert_eq!((view.related_reference(), view.status()), (Some("R"), Some("OK")));

    let receipt = EventReceipt {
        message_id: "A".to_owned(),
        originator_reference: some("R"),
        code: some("CLSD"),
        time: some(TIME),
    };
    let read = good(&receipt.build().unwrap());
    assert_eq!(views::EventAcknowledgement::of(&read).unwrap().code(), Some("CLSD"));
}

#[test]
fn answers_to_queries_and_orders() {
    let header = AnswerHeader {
        message_id: "A1".to_owned(),
        creation_time: some(TIME),
        original_query: some("Q1"),
    };
    let receipt = OrderReceipt {
        message_id: "A1".to_owned(),
        creation_time: some(TIME),
        original_message_id: "O1".to_owned(),
        original_message_name: some("camt.050.001.05"),
        status: "STLD".to_owned(),
        description: some("settled"),
    };
    let read = good(&receipt.build().unwrap());
    let details = views::Receipt::of(&read).unwrap().details().next().unwrap();
    assert_eq!(details.original_msg_id(), Some("O1"));
    assert_eq!(details.handling().next().unwrap().status(), Some("STLD"));

    let state = AccountState {
        account: Account::Other("ALFA-EUR".to_owned()),
        owner: some("ALFADEFF"),
        servicer: some("CORRXX00"),
        balance: amount(12_345),
        is_debit: true,
        time: some(TIME),
    };
    let read =
        good(&AccountAnswer { header: header.clone(), accounts: Ok(vec![state]) }.build().unwrap());
    let view = views::AccountReport::of(&read).unwrap();
    let one = view.accounts().next().unwrap();
    assert_eq!((one.account(), one.currency()), (Some("ALFA-EUR"), Some("EUR")));
    let balance = one.balances().next().unwrap();
    assert_eq!((balance.amount(), balance.credit_debit()), (Some("123.45"), Some("DBIT")));

    let state = TransactionState {
        reference: "E1".to_owned(),
        payment: original(),
        status: "SETTLED".to_owned(),
        status_time: some(TIME),
        instructing_agent: some("ALFADEFF"),
        instructed_agent: some("BRVOUS33"),
    };
    let answer = TransactionAnswer { header: header.clone(), transactions: Ok(vec![state]) };
    let read = good(&answer.build().unwrap());
    let one = views::TransactionReport::of(&read).unwrap().transactions().next().unwrap();
    assert_eq!((one.status(), one.msg_id()), (Some("SETTLED"), Some("M1")));
    assert_eq!(one.payment().unwrap().proprietary(), Some("E1"));

    for (kind, code) in [(LimitKind::Limit, "BILI"), (LimitKind::Reservation, "HPAR")] {
        let state = LimitState {
            code: code.to_owned(),
            owner: some("ALFADEFF"),
            counterparty: (kind == LimitKind::Limit).then(|| "BRVOUS33".to_owned()),
            account: Some(Account::Other("ALFA-EUR".to_owned())),
            amount: amount(100_000),
            used: (kind == LimitKind::Limit).then(|| amount(1)),
            start: some(TIME),
        };
        let answer = LimitAnswer { header: header.clone(), kind, limits: Ok(vec![state]) };
        let read = good(&answer.build().unwrap());
        let found = match kind {
            LimitKind::Limit => {
                let view = views::LimitReport::of(&read).unwrap();
                view.current().next().unwrap().amount().unwrap().unwrap().lexical.to_owned()
            }
            LimitKind::Reservation => {
                let view = views::ReservationReport::of(&read).unwrap();
                view.current().next().unwrap().amount().unwrap().unwrap().lexical.to_owned()
            }
        };
        assert_eq!(found, "1000.00");
    }

    let event = |currency: &str, name: &str| DayEvent {
        currency: currency.to_owned(),
        name: name.to_owned(),
        time: TIME.to_owned(),
    };
    let answer = BusinessDayAnswer {
        header: header.clone(),
        system: "CORRIDOR".to_owned(),
        date: DAY.to_owned(),
        status: "ACTV".to_owned(),
        events: vec![event("EUR", "OPEN"), event("EUR", "CLOSE"), event("USD", "OPEN")],
    };
    let read = good(&answer.build().unwrap());
    let day = views::BusinessDayReport::of(&read).unwrap().days().next().unwrap();
    assert_eq!(day.currencies().collect::<Vec<_>>(), ["EUR", "USD"]);

    let refused = AccountAnswer {
        header,
        accounts: Err(AnswerError { code: "UNKNOWN".to_owned(), description: some("no account") }),
    };
    let read = good(&refused.build().unwrap());
    assert_eq!(views::AccountReport::of(&read).unwrap().error(), Some("UNKNOWN"));
}

#[test]
fn initiation_report() {
    let status = |code: &str| OrderStatus {
        original_instruction_id: some("I"),
        original_end_to_end_id: some("E"),
        original_uetr: some(UETR),
        status: code.to_owned(),
        reasons: if code == "RJCT" { vec![reason("AC01")] } else { vec![] },
        acceptance_time: some(TIME),
    };
    let message = InitiationReport {
        message_id: "S1".to_owned(),
        creation_time: TIME.to_owned(),
        original_message_id: "O1".to_owned(),
        original_message_name: "pain.001.001.09".to_owned(),
        group_status: some("PART"),
        payments: vec![PaymentOrderStatus {
            original_payment_id: "O1-1".to_owned(),
            transactions: vec![status("ACSC"), status("RJCT")],
            ..PaymentOrderStatus::default()
        }],
        ..InitiationReport::default()
    };
    let read = good(&message.build().unwrap());
    let view = views::InitiationStatus::of(&read).unwrap();
    let all: Vec<_> = view.payments().flat_map(|payment| payment.transactions()).collect();
    assert_eq!((all[0].status(), all[1].status()), (Some("ACSC"), Some("RJCT")));
    assert_eq!(all[1].reasons().next().unwrap().code(), Some("AC01"));
}

#[test]
fn data_under_wildcards() {
    let mut draft = Draft::new("Document");
    draft.at("SysEvtNtfctn/EvtInf").set("EvtCd", "A");
    assert!(draft.write("admi.004.001.02".parse().unwrap()).is_ok());
    let mut own = Draft::foreign("urn:example:own", "Data");
    own.set("Inner/Value", "1 < 2");
    let mut draft = Draft::new("Document");
    let body = draft.at("RctAck");
    body.set("MsgId/MsgId", "A").set("Rpt/RltdRef/Ref", "R").set("Rpt/ReqHdlg/StsCd", "OK");
    body.at("SplmtryData/Envlp").push_draft(own.clone());
    let name = "admi.007.001.01".parse().unwrap();
    let message = good(&draft.write(name).unwrap());
    let envelope = message.document.body().unwrap().at("SplmtryData/Envlp").unwrap();
    assert_eq!(envelope.text_at("Data/Inner/Value"), Some("1 < 2"));
    // One element only, and only where the schema has a place for any.
    draft.at("RctAck/SplmtryData/Envlp").push_draft(own.clone());
    assert!(matches!(draft.write(name), Err(BuildError::NotAllowed { .. })));
    let mut draft = Draft::new("Document");
    draft.at("RctAck").set("MsgId/MsgId", "A").push_draft(own);
    assert!(matches!(draft.write(name), Err(BuildError::NotAllowed { .. })));
}
