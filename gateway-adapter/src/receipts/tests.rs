#![allow(clippy::unwrap_used)]

use std::{sync::atomic::Ordering, time::Duration};

use iso20022::Limits;

use crate::{
    config::Receipts,
    gateway::Gateway,
    store::{OutboxEntry, OutboxKind},
    testing::{FakeNode, PAYEE, PAYER, call, config, pacs008, start, uetr},
};

/// Entries of this name; the stand-in for a node delivers every payment to every bank.
fn named(gateway: &Gateway, name: &str) -> Vec<OutboxEntry> {
    let entries = gateway.store().outbox(0, 1_000, 1 << 24).unwrap().into_iter();
    let is = |entry: &OutboxEntry| entry.kind == OutboxKind::Message(name.to_owned());
    entries.map(|(_, entry)| entry).filter(is).collect()
}

/// The same, once there are so many.
async fn arrived(gateway: &Gateway, name: &str, count: usize) -> Vec<OutboxEntry> {
    for _ in 0..1_000 {
        let found = named(gateway, name);
        if found.len() >= count {
            assert_eq!(found.len(), count, "{name} came too often");
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} {name} never come")
}

const STATUS: &str = "pacs.002.001.10";
const NOTIFICATION: &str = "camt.054.001.08";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_banks_get_receipts_once_they_exist_and_once_each() {
    let directory = tempfile::tempdir().unwrap();
    let settings = |bic| {
        let mut settings = config(&directory.path().join(bic), bic, false);
        settings.receipts = Receipts::InMessages;
        settings
    };
    let node = FakeNode::new(&settings(PAYER));
    let sending = start(settings(PAYER), &node).await;
    let receiving = start(settings(PAYEE), &node).await;
    // The answer does not wait for finality, and neither does the credit.
    let answer = call(&sending, "POST /v1/messages", &pacs008("M1", &[1, 2])).await;
    assert!(answer.body.contains("<GrpSts>ACSC</GrpSts>"), "{answer:?}");
    assert!(!answer.body.contains("SplmtryData"), "{answer:?}");
    arrived(&receiving, "pacs.008.001.08", 2).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(named(&sending, STATUS).is_empty() && named(&receiving, NOTIFICATION).is_empty());

    // One of the two becomes final, and the gateway starts anew before the other does.
    node.final_leaves.store(1, Ordering::SeqCst);
    arrived(&sending, STATUS, 1).await;
    sending.stop().await;
    let sending = start(settings(PAYER), &node).await;
    node.final_leaves.store(u64::MAX, Ordering::SeqCst);
    let paid = arrived(&sending, STATUS, 2).await;
    let credited = arrived(&receiving, NOTIFICATION, 2).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(named(&sending, STATUS), paid, "each once");
    assert_eq!(named(&receiving, NOTIFICATION), credited, "each once");
    for (number, (paid, credited)) in (1..).zip(paid.iter().zip(&credited)) {
        for entry in [paid, credited] {
            let found = translate::receipts_in(&entry.content, &Limits::message()).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].uetr.as_deref(), Some(uetr(number).as_str()));
            assert_eq!(found[0].receipt, format!("index {}\n", number - 1).as_bytes());
            assert_eq!(entry.leaf, u64::from(number - 1));
        }
        let text = String::from_utf8(paid.content.to_vec()).unwrap();
        for part in ["<OrgnlMsgId>M1</OrgnlMsgId>", &format!("E{number}"), "ACSC"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
    assert_eq!(receiving.store().wanted_receipts(0, 10).unwrap(), []);
    sending.stop().await;
    receiving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_receipts_who_did_not_ask() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    node.final_leaves.store(u64::MAX, Ordering::SeqCst);
    let gateway = start(settings, &node).await;
    call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(named(&gateway, STATUS).is_empty());
    assert_eq!(gateway.store().wanted_receipts(0, 10).unwrap(), []);
    gateway.stop().await;
}

#[test]
fn the_leaf_is_taken_from_the_receipt() {
    assert_eq!(super::leaf_of(b"c2sp.org/tlog-proof@v1\nextra AA==\nindex 17\nhash\n"), 17);
    assert_eq!(super::leaf_of(b"nothing"), 0);
}
