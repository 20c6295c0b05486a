//! A gateway over its whole life: ends at bad moments, starts again, and keeps its promises.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    core::{Channel, ReceiveError, Standing},
    gateway::Gateway,
    store::{Answer, AnswerKind, Store, tests::Disk},
    testing::{
        FakeNode, Mood, PAYEE, PAYER, call, config, ledger_time, listen, pacs008, start, uetr,
    },
};

fn message(id: &str, numbers: &[u32]) -> Bytes {
    pacs008(id, numbers).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_payment_survives_a_restart_and_is_paid_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = || config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings());
    node.be(Mood::Silent);
    let gateway = start(settings(), &node).await;
    let ticket = gateway.core().receive(message("M1", &[1, 2]), Channel::Http).unwrap();
    while node.submitted().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gateway.stop().await;

    node.be(Mood::Settle);
    let gateway = start(settings(), &node).await;
    // Sent again by the bank's system, which got no answer.
    let mut again = gateway.core().receive(message("M1", &[1, 2]), Channel::Http).unwrap();
    let answer = again.answer().await.unwrap();
    assert_eq!(answer.kind, AnswerKind::Report);
    assert_eq!(node.settled(), 2);
    let standing = gateway.core().standing_of_key(&ticket.key).unwrap();
    assert_eq!(standing, Standing::Answered(answer.clone()));
    gateway.stop().await;

    let gateway = start(settings(), &node).await;
    let mut third = gateway.core().receive(message("M1", &[1, 2]), Channel::Folder).unwrap();
    assert_eq!(third.answer().await.unwrap(), answer, "the same bytes after another start");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_was_lost_with_the_connection_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    node.be(Mood::Lose);
    let gateway = start(settings, &node).await;
    let mut ticket = gateway.core().receive(message("M1", &[1]), Channel::Http).unwrap();
    let answer = ticket.answer().await.unwrap();
    assert_eq!(answer.kind, AnswerKind::Report);
    let text = String::from_utf8(answer.xml.to_vec()).unwrap();
    // The node tells when it settled, which was before the block of the repetition.
    assert!(text.contains(&translate::time::iso_date_time(ledger_time(0))), "{text}");
    assert_eq!((node.settled(), node.submitted().len()), (1, 2));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_at_once_share_batches_and_each_gets_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..300 {
        // Each message comes twice at the same time.
        let core = gateway.core().clone();
        tasks.spawn(async move {
            let text = message(&format!("M{}", number / 2), &[number / 2]);
            core.receive(text, Channel::Http).unwrap().answer().await.unwrap().xml
        });
    }
    let answers: HashSet<Bytes> = tasks.join_all().await.into_iter().collect();
    assert_eq!(answers.len(), 150);
    assert_eq!((node.settled(), node.submitted().len()), (150, 150));
    assert_eq!(gateway.core().book.counts(), (0, 0));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_messages_with_one_payment_share_its_fate() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    node.be(Mood::Busy);
    let gateway = start(settings, &node).await;
    let core = gateway.core();
    let mut one = core.receive(message("M1", &[1]), Channel::Http).unwrap();
    let spaced = pacs008("M1", &[1]).replace("<GrpHdr>", "<GrpHdr>\n");
    let mut other = core.receive(spaced.into(), Channel::Folder).unwrap();
    // A payment belongs to the first message that claims it, which need not be the first that came.
    while !matches!(core.standing_of_key(&one.key).unwrap(), Standing::Open(_)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut clash = core.receive(message("M2", &[1, 2]), Channel::Http).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    node.be(Mood::Settle);
    for ticket in [&mut one, &mut other] {
        assert_eq!(ticket.answer().await.unwrap().kind, AnswerKind::Report);
    }
    let text = String::from_utf8(clash.answer().await.unwrap().xml.to_vec()).unwrap();
    assert!(text.contains("AM05") && text.contains("ACSC"), "{text}");
    assert_eq!(node.settled(), 2);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credits_are_delivered_once_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let settings = || config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let sending = start(payer, &node).await;
    let mut expected = 0;
    for round in 0..4u32 {
        let receiving = start(settings(), &node).await;
        let numbers: Vec<u32> = (round * 10..round * 10 + 5).collect();
        let text = message(&format!("R{round}"), &numbers);
        sending.core().receive(text, Channel::Http).unwrap().answer().await.unwrap();
        expected += numbers.len() as u64;
        let mut last = receiving.core().store.outbox_last();
        let arrived = last.wait_for(|last| *last >= expected);
        tokio::time::timeout(Duration::from_secs(5), arrived).await.unwrap().unwrap();
        drop(last);
        receiving.stop().await;
    }
    let receiving = start(settings(), &node).await;
    let entries = receiving.core().store.outbox(0, 1000, 1 << 20).unwrap();
    let uetrs: HashSet<_> = entries.iter().map(|(_, entry)| entry.uetr).collect();
    assert_eq!((entries.len(), uetrs.len()), (20, 20));
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_refuse_at_the_edge_and_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = config(directory.path(), PAYER, false);
    settings.limits.open_payments = 2;
    settings.limits.open_messages = 3;
    settings.limits.bulk_bytes = 1 << 20;
    let node = FakeNode::new(&settings);
    node.be(Mood::Busy);
    let gateway = start(settings, &node).await;
    let core = gateway.core();
    let mut first = core.receive(message("M1", &[1, 2]), Channel::Http).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = core.receive(message("M2", &[3]), Channel::Http).unwrap();
    assert!(matches!(second.answer().await, Err(ReceiveError::Dropped)));
    let large = vec![b' '; (1 << 20) + 1];
    assert!(matches!(
        core.receive(large.into(), Channel::Http),
        Err(ReceiveError::TooLarge { .. })
    ));
    node.be(Mood::Settle);
    first.answer().await.unwrap();
    core.receive(message("M2", &[3]), Channel::Http).unwrap().answer().await.unwrap();
    assert_eq!(core.book.counts(), (0, 0));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_finds_its_node_over_quic_and_again_after_the_connection_was_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    settings.genesis.nodes[0].client_address = listen(&node, &settings).await;
    settings.answer_deadline = Duration::from_secs(10);
    let data = settings.data.clone();
    let gateway = Gateway::start(settings).await.unwrap();
    let told = std::fs::read_to_string(data.join("http.address")).unwrap();
    assert_eq!(told.trim().parse().ok(), gateway.http_address());
    for (number, mood) in [(1, Mood::Settle), (2, Mood::Lose), (3, Mood::Settle)] {
        node.be(mood);
        let text = pacs008(&format!("M{number}"), &[number]);
        let answer = call(&gateway, "POST /v1/messages", &text).await;
        assert!(answer.body.contains("<TxSts>ACSC</TxSts>"), "{number}: {answer:?}");
    }
    assert_eq!((node.settled(), node.submitted().len()), (3, 4));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_waits_until_a_node_tells_when_the_payment_settled() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    node.be(Mood::Lose);
    node.blank_answers.store(2, Ordering::SeqCst);
    let gateway = start(settings, &node).await;
    let mut ticket = gateway.core().receive(message("M1", &[1]), Channel::Http).unwrap();
    let text = String::from_utf8(ticket.answer().await.unwrap().xml.to_vec()).unwrap();
    assert!(text.contains(&translate::time::iso_date_time(ledger_time(0))), "{text}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_was_sealed_twice_is_reported_as_it_settled() {
    let directory = tempfile::tempdir().unwrap();
    let first = config(&directory.path().join("first"), PAYER, false);
    // The same bank with an empty store.
    let second = config(&directory.path().join("second"), PAYER, false);
    let node = FakeNode::new(&first);
    for (settings, code) in [(first, "ACSC"), (second, "ACSC")] {
        let gateway = start(settings, &node).await;
        let mut ticket = gateway.core().receive(message("M1", &[1]), Channel::Http).unwrap();
        let text = String::from_utf8(ticket.answer().await.unwrap().xml.to_vec()).unwrap();
        assert!(text.contains(&format!("<TxSts>{code}</TxSts>")), "{text}");
        gateway.stop().await;
    }
    assert_eq!(node.settled(), 1);
    // Another amount under the same id is a clash.
    let third = config(&directory.path().join("third"), PAYER, false);
    let gateway = start(third, &node).await;
    let other = pacs008("M1", &[1]).replace("10.00", "11.00");
    let mut ticket = gateway.core().receive(other.into(), Channel::Http).unwrap();
    let text = String::from_utf8(ticket.answer().await.unwrap().xml.to_vec()).unwrap();
    assert!(text.contains("AM05"), "{text}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_busy_for_ever_is_left_and_makes_the_gateway_unready() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    node.be(Mood::Busy);
    let gateway = start(settings, &node).await;
    let mut ticket = gateway.core().receive(message("M1", &[1]), Channel::Http).unwrap();
    until(|| node.left.load(Ordering::SeqCst) > 0).await;
    assert_eq!(call(&gateway, "GET /readyz", "").await.status, 503);
    node.be(Mood::Settle);
    assert_eq!(ticket.answer().await.unwrap().kind, AnswerKind::Report);
    for _ in 0..300 {
        if call(&gateway, "GET /readyz", "").await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(call(&gateway, "GET /readyz", "").await.status, 200);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_deliveries_that_cannot_be_read_costs_no_credit() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let payee = config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let sending = start(payer, &node).await;
    let receiving = start(payee, &node).await;
    node.damaged_frames.store(1, Ordering::SeqCst);
    for number in 1..=2 {
        let text = message(&format!("M{number}"), &[number]);
        sending.core().receive(text, Channel::Http).unwrap().answer().await.unwrap();
        until(|| node.damaged_frames.load(Ordering::SeqCst) == 0).await;
    }
    until(|| *receiving.core().store.outbox_last().borrow() >= 2).await;
    let entries = receiving.core().store.outbox(0, 1000, 1 << 20).unwrap();
    let uetrs: Vec<String> = entries.iter().map(|(_, entry)| entry.uetr.to_string()).collect();
    assert_eq!(uetrs, [uetr(1), uetr(2)]);
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_was_rejected_here_is_found_by_its_uetr() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&settings);
    let gateway = start(settings, &node).await;
    let core = gateway.core();
    let bad = pacs008("M1", &[1, 2]).replacen(">10.00<", ">0.00<", 1);
    let answer = core.receive(bad.into(), Channel::Http).unwrap().answer().await.unwrap();
    for number in 1..=2 {
        let standing = core.standing_of_uetr(&uetr(number).parse().unwrap()).unwrap();
        assert_eq!(standing, Standing::Answered(answer.clone()), "{number}");
    }
    // Sent again without the mistake, the payment counts.
    let good = core.receive(message("M2", &[1]), Channel::Http).unwrap().answer().await.unwrap();
    let standing = core.standing_of_uetr(&uetr(1).parse().unwrap()).unwrap();
    assert_eq!(standing, Standing::Answered(good));
    gateway.stop().await;
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never");
}

/// The power fails at some moment of a busy time. What was answered before stays as it was
/// answered, what was not is answered after the start, and nothing is paid twice or forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_changes_no_answer_and_pays_nothing_twice() {
    for round in 0..12u64 {
        let directory = tempfile::tempdir().unwrap();
        let settings = || config(directory.path(), PAYER, false);
        let node = FakeNode::new(&settings());
        let disk = Disk::default();
        let store = Store::open_backend(disk.clone()).unwrap();
        let gateway = Gateway::start_on(settings(), store, node.port()).await.unwrap();
        let given: Arc<Mutex<HashMap<u32, Answer>>> = Arc::default();
        for number in 0..40 {
            let (core, given) = (gateway.core().clone(), given.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(u64::from(number / 4))).await;
                let text = message(&format!("M{number}"), &[number, 1000 + number]);
                let mut ticket = core.receive(text, Channel::Http).unwrap();
                if let Ok(answer) = ticket.answer().await {
                    given.lock().unwrap().insert(number, answer);
                }
            });
        }
        tokio::time::sleep(Duration::from_micros(round * 1_500)).await;
        // The network is cut first: what still reached it was durable before it was sent.
        node.cut();
        let before = given.lock().unwrap().clone();
        let left = disk.after_crash();
        gateway.stop().await;

        let store = Store::open_backend(left).unwrap();
        let gateway = Gateway::start_on(settings(), store, node.port()).await.unwrap();
        for number in 0..40 {
            let text = message(&format!("M{number}"), &[number, 1000 + number]);
            let mut ticket = gateway.core().receive(text, Channel::Http).unwrap();
            let answer = ticket.answer().await.unwrap();
            if let Some(first) = before.get(&number) {
                assert_eq!(&answer, first, "round {round}, message {number}");
            }
        }
        // Prepared again after the cut means sealed again: the ledger must not have seen both.
        assert_eq!(node.settled(), 80, "round {round}");
        assert_eq!(gateway.core().book.counts(), (0, 0));
        let answers = (0..40).map(|number| {
            let key = crate::store::MessageKey::of(&message(
                &format!("M{number}"),
                &[number, 1000 + number],
            ));
            gateway.core().standing_of_key(&key).unwrap()
        });
        for standing in answers {
            let Standing::Answered(answer) = standing else { panic!("{standing:?}") };
            let text = String::from_utf8(answer.xml.to_vec()).unwrap();
            assert!(text.contains("<GrpSts>ACSC</GrpSts>"), "round {round}: {text}");
        }
        gateway.stop().await;
    }
}
