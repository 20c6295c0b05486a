//! Builders of what banks and customers send: what they emit is valid and keeps the rules, and what
//! does not fit is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::build::{
    Account, AccountRequest, Amount, Build, BuildError, BusinessDayRequest, ExpectationWithdrawal,
    ExpectedPayment, InvestigationCase, InvestigationQuestion, InvestigationReply, LimitRemoval,
    LimitRequest, LimitSetting, LiquidityOrder, OriginalPayment, Party, PaymentBlock, PaymentOrder,
    PaymentOrders, ReceiptExpectation, ReservationRemoval, ReservationRequest, ReservationSetting,
    StatementRequest, TransactionAmendment, TransactionRequest, TransactionWithdrawal,
};
use iso20022::{Limits, Profile, read, views};
use rust_decimal::Decimal;

const TIME: &str = "2030-01-15T09:30:00.123Z";
const DAY: &str = "2030-01-15";
const UETR: &str = "aaaaaaaa-1111-4111-8111-111111111111";
const BANK: &str = "ALFADEFFXXX";
const OTHER: &str = "BRVOUS33XXX";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn own(text: &str) -> String {
    text.to_owned()
}

fn amount() -> Amount {
    Amount::new(Decimal::new(10_050, 2), "EUR")
}

fn account() -> Account {
    Account::Other(own("A-1"))
}

fn case() -> InvestigationCase {
    InvestigationCase {
        message_id: own("Q"),
        investigation_id: own("C"),
        kind: own("RQFI"),
        requester: own(BANK),
        responder: own(OTHER),
    }
}

/// Valid under every profile that has no rules for this one alone, and of this name.
fn good(message: &dyn Build, name: &str) -> iso20022::Message {
    let bytes = message.build().unwrap();
    let read = read(&bytes, &Limits::message()).unwrap();
    assert_eq!(read.name.as_str(), name);
    let found = read.validate(Profile::Corridor);
    let errors: Vec<_> = found.iter().filter(|one| one.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{}", String::from_utf8_lossy(&bytes));
    read
}

#[test]
fn queries() {
    let (message_id, creation_time) = (own("M"), some(TIME));
    let full = AccountRequest {
        message_id: message_id.clone(),
        creation_time: creation_time.clone(),
        account: Some(Account::Iban(own("DE89370400440532013000"))),
    };
    assert!(views::AccountQuery::of(&good(&full, "camt.003.001.07")).is_some());
    good(&AccountRequest { message_id: own("M"), ..AccountRequest::default() }, "camt.003.001.07");
    let full = TransactionRequest {
        message_id: message_id.clone(),
        creation_time: creation_time.clone(),
        end_to_end_id: some("E"),
        tx_id: some("T"),
    };
    assert!(views::TransactionQuery::of(&good(&full, "camt.005.001.08")).is_some());
    let least = TransactionRequest { message_id: own("M"), ..TransactionRequest::default() };
    good(&least, "camt.005.001.08");
    let full = LimitRequest {
        message_id: message_id.clone(),
        creation_time: creation_time.clone(),
        kind: some("BILI"),
    };
    assert!(views::LimitQuery::of(&good(&full, "camt.009.001.07")).is_some());
    good(&LimitRequest { message_id: own("M"), ..LimitRequest::default() }, "camt.009.001.07");
    let full = BusinessDayRequest {
        message_id: message_id.clone(),
        creation_time: creation_time.clone(),
        date: some(DAY),
    };
    assert!(views::BusinessDayQuery::of(&good(&full, "camt.018.001.05")).is_some());
    let least = BusinessDayRequest { message_id: own("M"), ..BusinessDayRequest::default() };
    good(&least, "camt.018.001.05");
    let full = ReservationRequest { message_id, creation_time, kind: some("HPAR") };
    assert!(views::ReservationQuery::of(&good(&full, "camt.046.001.05")).is_some());
    let full = StatementRequest {
        message_id: own("M"),
        creation_time: own(TIME),
        id: some("R"),
        requested: own("camt.053.001.08"),
        account: Some(account()),
        owner: own(BANK),
        from_date: own(DAY),
        to_date: own(DAY),
    };
    assert!(views::ReportingRequest::of(&good(&full, "camt.060.001.05")).is_some());
}

#[test]
fn changes() {
    let amendment = TransactionAmendment {
        message_id: own("M"),
        creation_time: some(TIME),
        tx_id: own("T"),
        priority: own("HIGH"),
    };
    let read = good(&amendment, "camt.007.001.08");
    assert!(views::TransactionModification::of(&read).is_some());
    let withdrawal = TransactionWithdrawal {
        message_id: own("M"),
        creation_time: some(TIME),
        tx_id: own("T"),
        reason: own("CUST"),
    };
    let read = good(&withdrawal, "camt.008.001.08");
    assert!(views::TransactionCancellation::of(&read).is_some());
    let (owner, counterparty) = (some(BANK), some(OTHER));
    let setting = LimitSetting {
        message_id: own("M"),
        creation_time: some(TIME),
        kind: own("BILI"),
        owner: owner.clone(),
        counterparty: counterparty.clone(),
        amount: amount(),
    };
    assert!(views::LimitChange::of(&good(&setting, "camt.011.001.07")).is_some());
    let removal = LimitRemoval {
        message_id: own("M"),
        creation_time: some(TIME),
        kind: own("BILI"),
        owner: owner.clone(),
        counterparty,
    };
    assert!(views::LimitDeletion::of(&good(&removal, "camt.012.001.07")).is_some());
    let setting = ReservationSetting {
        message_id: own("M"),
        creation_time: some(TIME),
        kind: own("HPAR"),
        owner: owner.clone(),
        amount: amount(),
    };
    assert!(views::ReservationChange::of(&good(&setting, "camt.048.001.05")).is_some());
    let removal = ReservationRemoval {
        message_id: own("M"),
        creation_time: some(TIME),
        kind: own("HPAR"),
        owner,
    };
    assert!(views::ReservationDeletion::of(&good(&removal, "camt.049.001.05")).is_some());
}

#[test]
fn liquidity_and_expectations() {
    let order = LiquidityOrder {
        message_id: own("M"),
        creation_time: some(TIME),
        end_to_end_id: some("E"),
        uetr: None,
        amount: amount(),
        debtor: some(BANK),
        debtor_account: Some(account()),
        creditor: some(BANK),
        creditor_account: Some(Account::Other(own("A-2"))),
        settlement_date: some(DAY),
    };
    assert!(views::LiquidityTransfer::of(&good(&order, "camt.050.001.05")).is_some());
    let expectation = ReceiptExpectation {
        message_id: own("M"),
        creation_time: own(TIME),
        id: own("N"),
        account: Some(account()),
        items: vec![ExpectedPayment {
            id: own("I"),
            end_to_end_id: some("E"),
            uetr: some(UETR),
            amount: amount(),
            expected_date: some(DAY),
        }],
    };
    assert!(views::NoticeToReceive::of(&good(&expectation, "camt.057.001.06")).is_some());
    let withdrawal = ExpectationWithdrawal {
        message_id: own("W"),
        creation_time: own(TIME),
        original_message_id: own("M"),
        original_id: own("N"),
    };
    assert!(views::NoticeCancellation::of(&good(&withdrawal, "camt.058.001.08")).is_some());
}

#[test]
fn investigations() {
    let question = InvestigationQuestion {
        case: case(),
        original: OriginalPayment {
            message_id: some("M"),
            message_name: some("pacs.008.001.08"),
            uetr: some(UETR),
            amount: Some(amount()),
            settlement_date: some(DAY),
            ..OriginalPayment::default()
        },
        questions: vec![own("Where is it")],
    };
    assert!(views::Investigation::of(&good(&question, "camt.110.001.01")).is_some());
    let reply = InvestigationReply {
        message_id: own("R"),
        status: own("CLSD"),
        answers: vec![own("Here")],
        question: case(),
    };
    assert!(views::InvestigationAnswer::of(&good(&reply, "camt.111.001.02")).is_some());
}

fn orders() -> PaymentOrders {
    let order = |units: i64, places: u32, currency: &str| PaymentOrder {
        instruction_id: some("I"),
        end_to_end_id: own("E"),
        uetr: some(UETR),
        amount: Decimal::new(units, places),
        currency: own(currency),
        creditor_agent: some(OTHER),
        creditor: Party { name: own("B"), town: some("Paris"), country: some("FR") },
        creditor_account: Some(account()),
        remittance: some("Invoice"),
    };
    let block = |id: &str, orders| PaymentBlock {
        id: own(id),
        execution_date: own(DAY),
        debtor: Party { name: own("A"), town: some("Kiel"), country: some("DE") },
        debtor_account: account(),
        debtor_agent: own(BANK),
        charge_bearer: some("SHAR"),
        orders,
    };
    PaymentOrders {
        message_id: own("M"),
        creation_time: own(TIME),
        initiating_party: own("A"),
        blocks: vec![
            block("P-1", vec![order(1_050, 2, "EUR"), order(10, 0, "EUR")]),
            block("P-2", vec![order(7, 0, "JPY")]),
        ],
    }
}

#[test]
fn payment_orders() {
    let read = good(&orders(), "pain.001.001.09");
    assert!(views::Initiation::of(&read).is_some());
    let body = read.document.body().unwrap();
    assert_eq!(body.text_at("GrpHdr/NbOfTxs"), Some("3"));
    assert_eq!(body.text_at("GrpHdr/CtrlSum"), Some("27.50"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut broken = orders();
    broken.blocks[0].orders.clear();
    assert!(matches!(broken.build(), Err(BuildError::Missing { .. })));
    let mut broken = orders();
    broken.blocks[0].orders[0].amount = Decimal::new(1, 3);
    assert!(matches!(broken.build(), Err(BuildError::Amount { .. })));
    let mut broken = orders();
    broken.blocks.clear();
    assert!(broken.build().is_err());
    let broken = AccountRequest { message_id: own(""), ..AccountRequest::default() };
    assert!(matches!(broken.build(), Err(BuildError::Value { .. })));
    let broken = TransactionAmendment { message_id: own("M"), ..TransactionAmendment::default() };
    assert!(broken.build().is_err());
    let broken = LiquidityOrder { message_id: own("M"), ..LiquidityOrder::default() };
    assert!(broken.build().is_err());
    let broken = ReceiptExpectation { message_id: own("M"), ..ReceiptExpectation::default() };
    assert!(broken.build().is_err());
    let broken = InvestigationReply { message_id: own("R"), ..InvestigationReply::default() };
    assert!(broken.build().is_err());
    let broken = StatementRequest { requested: own("no message"), ..StatementRequest::default() };
    assert!(broken.build().is_err());
}
