#![allow(clippy::unwrap_used)]

use std::{
    io::{Cursor, Read},
    sync::mpsc,
    time::Duration,
};

use super::*;
use crate::{
    config::Config,
    gateway::Gateway,
    store::{AnswerKind, Store, tests::Disk},
    testing::{FakeNode, Mood, PAYER, call, config, pacs008, start},
};

/// A bank that reads everything above this size piece by piece.
fn settings(directory: &std::path::Path) -> Config {
    let mut settings = config(directory, PAYER, false);
    settings.limits.message_bytes = 4 << 10;
    settings
}

fn numbers(count: u32) -> Vec<u32> {
    (1..=count).collect()
}

async fn answer_of(gateway: &Gateway, text: &str) -> (AnswerKind, String) {
    let mut ticket = gateway.core().receive(text.to_owned().into(), Channel::Http).unwrap();
    let answer = ticket.answer().await.unwrap();
    (answer.kind, String::from_utf8(answer.xml.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_is_paid_once_and_answered_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let text = pacs008("M1", &numbers(2_000));
    let (kind, report) = answer_of(&gateway, &text).await;
    assert_eq!((kind, node.settled()), (AnswerKind::Report, 2_000));
    assert_eq!(report.matches("<TxSts>ACSC</TxSts>").count(), 2_000);
    assert_eq!(answer_of(&gateway, &text).await.1, report, "the same answer again");
    // Other bytes with the same payments and one more: the fates that they have, and a new one.
    let more = pacs008("M1", &numbers(2_001));
    let (_, other) = answer_of(&gateway, &more).await;
    assert_eq!(node.settled(), 2_001);
    assert_eq!(node.submitted().len(), 2_001);
    assert_eq!(other.matches("<TxSts>ACSC</TxSts>").count(), 2_001);
    let core = gateway.core();
    let pieces: Vec<u8> = (0..)
        .map_while(|number| core.store.piece(1, number).unwrap())
        .flat_map(|piece| piece.to_vec())
        .collect();
    assert!(pieces == text.as_bytes(), "the message as it was received is kept");
    assert_eq!(core.book.counts(), (0, 0));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_end_says_counts_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let text = pacs008("M1", &numbers(700));
    let count = text.replace("<NbOfTxs>700<", "<NbOfTxs>701<");
    let (kind, report) = answer_of(&gateway, &count).await;
    assert_eq!(kind, AnswerKind::Refusal);
    assert_eq!(report.matches("<TxSts>RJCT</TxSts>").count(), 700);
    assert!(report.contains("base.number-of-transactions"), "{}", &report[..2_000]);
    let (kind, _) = answer_of(&gateway, &text[..text.len() - 30]).await;
    assert_eq!(kind, AnswerKind::Unreadable);
    let other = text.replace("pacs.008.001.08", "pacs.999.001.08");
    assert_eq!(answer_of(&gateway, &other).await.0, AnswerKind::Unreadable);
    assert!(node.submitted().is_empty(), "nothing was released");
    for index in 0..700 {
        for message in 1..4 {
            let left = gateway.core().store.payment(Place { message, index }).unwrap();
            assert!(left.is_none(), "nothing is left of what was staged");
        }
    }
    // The same payments in a message that is right.
    assert_eq!(answer_of(&gateway, &text).await.0, AnswerKind::Report);
    assert_eq!(node.settled(), 700);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_bad_is_rejected_alone() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let mut list = numbers(300);
    list[200] = 7;
    let text = pacs008("M1", &list).replacen(">10.00<", ">0.00<", 1);
    let (kind, report) = answer_of(&gateway, &text).await;
    assert_eq!((kind, node.settled()), (AnswerKind::Report, 298));
    assert!(report.contains("<GrpSts>PART</GrpSts>"));
    assert!(report.contains("<Cd>RF01</Cd>") && report.contains("Transaction 7 (line 2)"));
    gateway.stop().await;
}

/// Gives its first bytes, then waits.
struct Halting {
    bytes: Cursor<Vec<u8>>,
    stop_at: u64,
    go_on: mpsc::Receiver<()>,
}

impl Read for Halting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.position() >= self.stop_at {
            // Waits for the end of the test.
            self.go_on.recv().ok();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.bytes.read(buffer)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_in_the_middle_leaves_nothing_and_after_it_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let text = pacs008("M1", &numbers(3_000));
    let bytes = text.clone().into_bytes();
    let key = MessageKey::of(&bytes);
    let node = FakeNode::new(&settings(directory.path()));
    let disk = Disk::default();
    let store = Store::open_backend(disk.clone()).unwrap();
    let gateway = Gateway::start_on(settings(directory.path()), store, node.port()).await.unwrap();
    let (end, go_on) = mpsc::sync_channel(1);
    let stop_at = bytes.len() as u64 * 9 / 10;
    let content = Box::new(Halting { bytes: Cursor::new(bytes), stop_at, go_on });
    let ticket = gateway.core().receive_bulk(Bulk { key, content }, Channel::Folder).unwrap();
    let place = Place { message: 1, index: 1_000 };
    while gateway.core().store.payment(place).unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(node.submitted().is_empty(), "what is staged is not released");
    let left = disk.after_crash();
    drop(end);
    drop(ticket);
    gateway.stop().await;

    // In the middle: as if it had never come.
    let store = Store::open_backend(left.clone()).unwrap();
    assert!(store.payment(place).unwrap().is_none() && store.piece(1, 0).unwrap().is_none());
    node.be(Mood::Silent);
    let gateway = Gateway::start_on(settings(directory.path()), store, node.port()).await.unwrap();
    let mut ticket = gateway.core().receive(text.clone().into(), Channel::Folder).unwrap();
    while node.submitted().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let interim = gateway.core().standing_of_key(&key).unwrap();
    let super::super::Standing::Open(interim) = interim else { panic!("{interim:?}") };
    let interim = String::from_utf8(interim.to_vec()).unwrap();
    assert!(interim.contains("PDNG") && !interim.contains("TxInfAndSts"), "{interim}");
    let left = left.after_crash();
    gateway.stop().await;
    assert!(ticket.answer().await.is_err());

    // After it was accepted: it goes on by itself.
    node.be(Mood::Settle);
    let store = Store::open_backend(left).unwrap();
    let gateway = Gateway::start_on(settings(directory.path()), store, node.port()).await.unwrap();
    let (kind, report) = answer_of(&gateway, &text).await;
    assert_eq!((kind, node.settled()), (AnswerKind::Report, 3_000));
    assert_eq!(report.matches("<TxSts>ACSC</TxSts>").count(), 3_000);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_while_it_is_read_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let key = MessageKey::of(pacs008("M1", &numbers(50)).as_bytes());
    let other = pacs008("M2", &numbers(50));
    let content = Box::new(Cursor::new(other.into_bytes()));
    let bulk = Bulk { key, content };
    let mut ticket = gateway.core().receive_bulk(bulk, Channel::Folder).unwrap();
    assert!(matches!(ticket.answer().await, Err(ReceiveError::Dropped)));
    assert!(node.submitted().is_empty());
    assert!(gateway.core().store.piece(1, 0).unwrap().is_none());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_come_over_http() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings.limits.bulk_bytes = 1 << 20;
    std::fs::create_dir_all(&settings.data).unwrap();
    std::fs::write(settings.data.join("http-spool-7"), "left by another").unwrap();
    let node = FakeNode::new(&settings);
    let data = settings.data.clone();
    let gateway = start(settings, &node).await;
    let text = pacs008("M1", &numbers(900));
    let path = "POST /v1/messages?bulk=true";
    let first = call(&gateway, path, &text).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!((first.body.matches("ACSC</TxSts>").count(), node.settled()), (900, 900));
    assert_eq!(call(&gateway, path, &text).await.body, first.body);
    assert_eq!(call(&gateway, "POST /v1/messages", &text).await.status, 413);
    assert_eq!(call(&gateway, path, &"x".repeat((1 << 20) + 1)).await.status, 413);
    assert_eq!(call(&gateway, path, &"x".repeat(1 << 19)).await.status, 400);
    let names: Vec<_> =
        std::fs::read_dir(data).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(
        !names.iter().any(|name| name.to_string_lossy().starts_with("http-spool")),
        "{names:?}"
    );
    gateway.stop().await;
}
