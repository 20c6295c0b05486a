#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::{
    config::Config,
    core::Channel,
    gateway::Gateway,
    store::{OutboxReader, Store},
    testing::{FakeNode, Mood, PAYEE, PAYER, TOKEN, config, pacs008, request, start, uetr},
};

fn asked(number: u32) -> EraseAsked {
    EraseAsked {
        payment: uetr(number).parse().unwrap(),
        by: "officer 2".into(),
        ground: "retention is over".into(),
        whole_message: false,
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn refused(gateway: &Gateway, asked: EraseAsked) -> String {
    gateway.core().erase(asked).await.unwrap_err().to_string()
}

fn sequence(store: &Store, number: u32) -> u64 {
    store.find_payment(&uetr(number).parse().unwrap()).unwrap().unwrap().message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_is_erased_also_in_the_archive_and_certified_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let settings = || config(directory.path(), PAYER, true);
    let first: Config = settings();
    let folder = first.folder.clone().unwrap();
    let data = first.data.clone();
    let node = FakeNode::new(&first);
    let gateway = start(first, &node).await;
    fs::write(folder.join("in/one.xml"), pacs008("M1", &[1])).unwrap();
    fs::write(folder.join("in/copy.xml"), pacs008("M1", &[1])).unwrap();
    fs::write(folder.join("in/two.xml"), pacs008("M2", &[2, 3])).unwrap();
    let archived = |name: &str| folder.join("archive").join(name).exists();
    until("archived", || ["one.xml", "copy.xml", "two.xml"].into_iter().all(archived)).await;
    // The same payment once more, in another message.
    let again = pacs008("M3", &[1]);
    gateway.core().receive(again.into(), Channel::Http).unwrap().answer().await.unwrap();

    assert!(refused(&gateway, asked(9)).await.contains("holds no document"));
    assert!(refused(&gateway, asked(2)).await.contains("has 2 transactions"));
    let wordless = EraseAsked { ground: " ".into(), ..asked(1) };
    assert!(refused(&gateway, wordless).await.contains("must be named"));
    let place = sequence(gateway.store(), 1);
    assert!(gateway.store().raw_message(place).unwrap().is_some(), "nothing was destroyed");

    // The ledger does not answer as it should: the keys are gone, and the certificate follows.
    node.be(Mood::Refuse);
    assert!(refused(&gateway, asked(1)).await.contains("the certificate follows"));
    let store = gateway.store();
    let copies = store.copies(&asked(1).payment).unwrap();
    assert_eq!(copies.sent.len(), 2, "both messages name it");
    for copy in &copies.sent {
        assert_eq!(store.raw_message(copy.sequence).unwrap(), None);
    }
    assert!(store.raw_message(sequence(store, 2)).unwrap().is_some());
    let (two, kept) = (archived("two.xml"), archived("one.xml") || archived("copy.xml"));
    assert!(two && !kept && archived("one.xml.answer.xml"));
    gateway.stop().await;
    let raw = fs::read(data.join("gateway.redb")).unwrap();
    let name = b"Alice GmbH";
    assert!(!raw.windows(name.len()).any(|part| part == name), "a name is there in clear");

    node.be(Mood::Settle);
    let before = node.submitted().len();
    let gateway = start(settings(), &node).await;
    let payment = asked(1).payment;
    let certified = || {
        let erasure = gateway.store().erasure(&payment).unwrap().unwrap();
        matches!(erasure.stage, ErasureStage::Certified { .. })
    };
    // The stand-in repeats its refusal of that certificate for ever, as the ledger would.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(node.submitted().len() > before && !certified(), "it is submitted again");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_given_once_and_names_its_leaf() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let message = pacs008("M1", &[1, 2]);
    gateway.core().receive(message.into(), Channel::Http).unwrap().answer().await.unwrap();
    let whole = EraseAsked { whole_message: true, ..asked(1) };
    let certificate = gateway.core().erase(whole.clone()).await.unwrap();
    assert!(certificate.leaf > 0 && certificate.by == "officer 2");
    let error = refused(&gateway, whole).await;
    let says = format!("certificate at leaf {}", certificate.leaf);
    assert!(error.contains("erased on") && error.contains(&says), "{error}");
    assert_eq!(gateway.core().certificate(asked(1).payment).await.unwrap(), Some(certificate));
    assert_eq!(node.submitted().iter().filter(|id| **id == asked(1).payment).count(), 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_received_is_erased_when_taken_and_sealed_to_no_living_key() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let payee = config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let sending = start(payer, &node).await;
    let receiving = start(payee, &node).await;
    let message = pacs008("M1", &[1]);
    sending.core().receive(message.into(), Channel::Http).unwrap().answer().await.unwrap();
    let mut last = receiving.store().outbox_last();
    last.wait_for(|last| *last > 0).await.unwrap();
    assert!(refused(&receiving, asked(1)).await.contains("acknowledge outbox entry 1"));
    receiving.core().acknowledge(OutboxReader::Http, 1).await.unwrap();
    assert!(refused(&receiving, asked(1)).await.contains("generation 1 still opens"));
    let error = receiving.core().retire_sealing_key(1).await.unwrap_err().to_string();
    assert!(error.contains("rotate the sealing key first"), "{error}");
    // The stand-in's directory never names another key, so the first one is not destroyed.
    let made = receiving.core().rotate_sealing_key().await.unwrap();
    assert_eq!((made.number, made.since_ns.is_some()), (2, true));
    assert!(receiving.core().retire_sealing_key(1).await.is_err());
    assert!(refused(&receiving, asked(1)).await.contains("generation 1 still opens"));
    assert!(receiving.store().document(&asked(1).payment).unwrap().is_some());
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_are_two_tokens_it_takes_two() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = config(directory.path(), PAYER, false);
    let other = "f".repeat(64);
    settings.token_sha256.push(wire::ledger::Digest::of(other.as_bytes()).0);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let message = pacs008("M1", &[1]);
    gateway.core().receive(message.into(), Channel::Http).unwrap().answer().await.unwrap();
    let ask = async |second: Option<&str>| {
        let second = second.map(|second| format!("Corridor-Second-Token: {second}\r\n"));
        let headers = format!(
            "Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n{}",
            second.unwrap_or_default()
        );
        let line = format!("POST /v1/documents/{}/erase", uetr(1));
        let body = r#"{"by": "officer 2", "ground": "retention is over"}"#;
        request(&gateway, &line, &headers, body).await.status
    };
    for second in [None, Some(TOKEN), Some("0123")] {
        assert_eq!(ask(second).await, 403, "{second:?}");
    }
    assert_eq!(ask(Some(&other)).await, 200);
    assert_eq!(ask(Some(&other)).await, 410);
    gateway.stop().await;
}
