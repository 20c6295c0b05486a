#![allow(clippy::unwrap_used)]

use translate::Directory;
use wire::ledger::{AccountNumber, Amount, LedgerTime, Leg, Legs, ParticipantNumber, Transfer};

use super::document::check;
use crate::{
    core::Channel,
    directory::DirectoryView,
    environment::Environment,
    gateway::Gateway,
    seal::{Reader, Sealer},
    testing::{FakeNode, PAYEE, PAYER, config, pacs008, start, uetr},
};

const LEG: Leg =
    Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(1_000) };

fn transfer(number: u32, leg: Leg) -> Transfer {
    let id = uetr(number).parse().unwrap();
    Transfer { id, legs: Legs::One(leg), document: None, options: None }
}

fn checked(document: &str, leg: Leg) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYEE, false);
    let directory: std::sync::Arc<Directory> =
        DirectoryView::of_genesis(&settings.genesis).current();
    let own = ParticipantNumber(1);
    check(
        document.as_bytes(),
        &transfer(1, leg),
        LedgerTime(Environment::default().now_ns()),
        &directory,
        own,
    )
}

#[test]
fn only_the_payment_that_settled_passes() {
    let document = pacs008("M1", &[1]);
    assert_eq!(checked(&document, LEG).as_deref(), Ok("pacs.008.001.08"));
    let refused = |document: &str, leg: Leg, reason: &str| {
        let error = checked(document, leg).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    refused(&document, Leg { amount: Amount::new(1), ..LEG }, "another amount");
    refused(&document.replace("10.00", "1000000.00"), LEG, "another amount");
    refused(&pacs008("M1", &[2]), LEG, "another UETR");
    refused(&pacs008("M1", &[1, 2]), LEG, "2 transactions");
    refused("no message", LEG, "cannot be read");
    // Both banks swapped: the document would speak for a bank that did not pay.
    let back = Leg { debit: LEG.credit, credit: LEG.debit, ..LEG };
    refused(&document, back, "not a payment that the network could have settled");
    let report = "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10\"/>";
    assert!(checked(report, LEG).is_err());
}

#[test]
fn a_payment_that_waited_for_the_network_passes_and_one_for_later_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYEE, false);
    let directory = DirectoryView::of_genesis(&settings.genesis).current();
    let document = pacs008("M1", &[1]);
    let day_ns = 86_400_000_000_000;
    let at = |time: u64| {
        let own = ParticipantNumber(1);
        check(document.as_bytes(), &transfer(1, LEG), LedgerTime(time), &directory, own)
    };
    for days in [0, 1, 2, 3, 7, 20] {
        assert!(at(Environment::default().now_ns() + days * day_ns).is_ok(), "{days}");
    }
    assert!(at(Environment::default().now_ns() + 60 * day_ns).is_err());
    assert!(at(Environment::default().now_ns() - 4 * day_ns).is_err());
}

/// The payer's gateway is a program of the payer: it can seal any document with any movement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_of_a_million_with_a_movement_of_ten_is_a_notice_of_ten() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let payee = config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let network = payer.genesis.domain.network;
    let sending: Gateway = start(payer, &node).await;
    let message = pacs008("M1", &[1]);
    sending.core().receive(message.clone().into(), Channel::Http).unwrap().answer().await.unwrap();
    let forged = message.replace("10.00", "1000000.00");
    let key = crate::seal::public_key(&[21; 32]).unwrap();
    let reader = Reader { participant: ParticipantNumber(1), key };
    let sealed =
        Sealer::new(network).seal(uetr(1).parse().unwrap(), forged.as_bytes(), &[reader]).unwrap();
    node.replace_document(&sealed);
    let receiving = start(payee, &node).await;
    let mut last = receiving.core().store.outbox_last();
    last.wait_for(|last| *last == 1).await.unwrap();
    let (_, entry) = receiving.core().store.outbox(0, 1, 1 << 20).unwrap().remove(0);
    assert_eq!(entry.kind, crate::store::OutboxKind::Notice);
    let content = String::from_utf8(entry.content.to_vec()).unwrap();
    assert!(content.contains("another amount") && content.contains("\"1000\""), "{content}");
    assert_eq!((entry.credits.len(), entry.credits[0].amount.as_str()), (1, "10.00"));
    assert_eq!(entry.credits[0].debtor, PAYER);
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_is_told_what_is_reported_of_the_credit() {
    use wire::client::{Cursor, Delivery, Told};
    use wire::notice::{BankNotice, What};

    let directory = tempfile::tempdir().unwrap();
    let payer = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&payer);
    let gateway: Gateway = start(payer, &node).await;
    let core = gateway.core();
    let message = pacs008("M1", &[1]);
    core.receive(message.into(), Channel::Http).unwrap().answer().await.unwrap();
    let told = |number: u32, what: fn(wire::ledger::TransferId) -> What| {
        let bank = ParticipantNumber(0);
        let notice = BankNotice { bank, what: what(uetr(number).parse().unwrap()) };
        let delivery = Delivery {
            cursor: Cursor { height: 9, commands: 1 },
            leaf: 77,
            time: LedgerTime(1_772_613_000_000_000_000),
            submitter: bank,
            command: bytes::Bytes::new(),
            document: None,
            told: Told::Notice(notice),
        };
        let mut entries = super::entries(core, &super::Erased::new(), &delivery, &mut Vec::new());
        let entry = entries.remove(0).entry;
        assert!(entries.is_empty());
        assert_eq!(entry.kind, crate::store::OutboxKind::Message("pacs.002.001.10".to_owned()));
        let message = iso20022::read(&entry.content, &iso20022::Limits::message()).unwrap();
        assert!(message.is_schema_valid(), "{:?}", message.findings);
        String::from_utf8(entry.content.to_vec()).unwrap()
    };
    let says = |text: &str, parts: &[&str]| {
        parts.iter().for_each(|part| assert!(text.contains(part), "{part} is not in {text}"));
    };
    let account = "<MsgId>L77</MsgId>";
    let credited = told(1, |transfer| {
        let at = LedgerTime(1_772_613_000_250_000_000);
        What::Credited { transfer, account: AccountNumber(1), at }
    });
    says(&credited, &[account, "<OrgnlMsgId>M1</OrgnlMsgId>", "<TxSts>ACCC</TxSts>"]);
    says(&credited, &["<OrgnlEndToEndId>E1<", "<AccptncDtTm>2026-03-04T08:30:00.25", &uetr(1)]);
    let refused = |transfer| {
        let reason = wire::ledger::ReasonCode::from_bytes(*b"AC04").unwrap();
        What::NotCredited { transfer, account: AccountNumber(1), reason }
    };
    says(&told(1, refused), &["<TxSts>ACWP</TxSts>", "<Cd>AC04</Cd>", "could not credit"]);
    // A payment that no message of this bank brought is named by its UETR alone.
    let foreign = told(2, refused);
    says(&foreign, &["<TxSts>ACWP</TxSts>", &uetr(2)]);
    assert!(!foreign.contains("OrgnlGrpInf"), "{foreign}");
    gateway.stop().await;
}
