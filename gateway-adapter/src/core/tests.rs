#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::{
    book::Entered,
    store::{AnswerKind, tests::Disk},
    testing::{FakeNode, Mood, PAYER, config, pacs008, start, uetr},
};

/// Takes a message as far as the book, as if its work paused before it is written.
fn prepared(core: &Core, text: &str) -> prepare::Outcome {
    let raw = Bytes::from(text.to_owned());
    let Entered::New(entry) = core.book.enter(MessageKey::of(&raw)) else { panic!("new") };
    core.first_look(entry, raw).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_of_a_message_before_it_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let core = gateway.core();
    let text = pacs008("M1", &[1]);
    let key = MessageKey::of(text.as_bytes());
    let prepare::Outcome::Registered { message, .. } = prepared(core, &text) else { panic!() };
    assert_eq!(core.standing_of_key(&key).unwrap(), Standing::Reading);
    assert_eq!(core.standing_of_uetr(&uetr(1).parse().unwrap()).unwrap(), Standing::Reading);
    let sequence = message.sequence;
    core.store.write(Write::Accept(message)).await.unwrap();
    assert!(core.book.accepted(sequence).is_none(), "it waits for the ledger");
    assert!(matches!(core.standing_of_key(&key).unwrap(), Standing::Open(_)));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_not_stored_before_the_one_whose_payment_it_repeats() {
    let directory = tempfile::tempdir().unwrap();
    let settings = || config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings());
    node.be(Mood::Silent);
    let disk = Disk::default();
    let store = Store::open_backend(disk.clone()).unwrap();
    let gateway = crate::Gateway::start_on(settings(), store, node.port()).await.unwrap();
    let first = pacs008("M1", &[1]);
    let prepare::Outcome::Registered { message, .. } = prepared(gateway.core(), &first) else {
        panic!("registered")
    };
    // Other bytes, the same payment.
    let second = first.replace("<GrpHdr>", "<GrpHdr>\n");
    let key = MessageKey::of(second.as_bytes());
    let _waiting = gateway.core().receive(second.clone().into(), Channel::Http).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(gateway.core().store.find_message(&key).unwrap(), None);
    let left = disk.after_crash();
    // It starts again from what a crash at this moment leaves.
    let store = Store::open_backend(left).unwrap();
    crate::Gateway::start_on(settings(), store, node.port()).await.unwrap().stop().await;

    let sequence = message.sequence;
    gateway.core().store.write(Write::Accept(message)).await.unwrap();
    assert!(gateway.core().book.accepted(sequence).is_none());
    tokio::time::timeout(Duration::from_secs(5), async {
        while gateway.core().store.find_message(&key).unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_payment_without_an_outcome_is_submitted_again() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let core = gateway.core();
    let first = pacs008("M1", &[1]);
    let prepare::Outcome::Registered { mut message, .. } = prepared(core, &first) else {
        panic!("registered")
    };
    // Answered, but the payment's outcome is missing.
    let sequence = message.sequence;
    let answer =
        Answer { kind: AnswerKind::Report, xml: Bytes::from_static(b"<Report/>"), height: None };
    message.answer = Some(answer.clone());
    core.store.write(Write::Accept(message)).await.unwrap();
    core.book.finish(sequence, answer);
    core.book.forget([uetr(1).parse().unwrap()]);

    let second = first.replace("<GrpHdr>", "<GrpHdr>\n");
    let mut ticket = core.receive(second.into(), Channel::Http).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), ticket.answer()).await.unwrap();
    assert_eq!(answer.unwrap().kind, AnswerKind::Report);
    assert_eq!(node.settled(), 1);
    assert_eq!(core.book.counts(), (0, 0));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answered_message_that_is_read_again_is_told_as_answered() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let core = gateway.core();
    let text = pacs008("M1", &[1]);
    let mut ticket = core.receive(text.into(), Channel::Http).unwrap();
    let answer = ticket.answer().await.unwrap();
    // Its repetition has begun and is not recognised yet.
    let Entered::New(_repeated) = core.book.enter(ticket.key) else { panic!("not open") };
    assert_eq!(core.standing_of_key(&ticket.key).unwrap(), Standing::Answered(answer));
    gateway.stop().await;
}
