//! One node at a time: what the shell may rely on, event by event.
#![allow(clippy::unwrap_used)]

mod one;

use bytes::Bytes;
use one::{append, entry, lead, node, settle};
use order::{
    Config, Entry, HardState, Message, MessageKind, Order, OrderError, Output, ProposeError,
    ReadError, Restored, Role, StepError,
};

fn acknowledge(order: &mut Order, term: u64, index: u64) -> Output {
    let response = Message { index, ..Message::new(MessageKind::AppendResponse, 2, 1, term) };
    order.step(response).unwrap();
    settle(order)
}

#[test]
fn a_lone_voter_elects_itself_and_commits_only_what_is_durable() {
    let mut order = node(&[1], Restored::default());
    while order.status().role != Role::Leader {
        order.tick();
    }
    assert_eq!(order.propose(Bytes::from_static(b"x")), Err(ProposeError::NotReady));
    let output = order.take_output();
    assert!(output.role_changed);
    assert!(output.committed.is_empty() && output.messages.is_empty());
    let write = output.persist.last().unwrap();
    assert!(write.must_sync);
    assert_eq!(write.entries.len(), 1);
    assert_eq!(write.hard_state, Some(HardState { term: 1, vote: 1, commit: 0 }));
    order.persisted(write.op);
    let marker = order.take_output().committed;
    assert_eq!(marker, [Entry { index: 1, term: 1, data: Bytes::new() }]);
    assert!(!order.accepts_proposals());
    order.applied(1);
    assert!(order.accepts_proposals());

    let placed = order.propose(Bytes::from_static(b"x")).unwrap();
    assert_eq!((placed.term, placed.index), (1, 2));
    let output = order.take_output();
    assert!(output.committed.is_empty());
    order.persisted(output.persist.last().unwrap().op);
    let output = order.take_output();
    assert_eq!(output.committed[0].data, Bytes::from_static(b"x"));
    assert!(output.persist.iter().all(|write| !write.must_sync), "only the commit moved");

    order.read_index(9).unwrap();
    let reads = order.take_output().reads;
    assert_eq!((reads[0].context, reads[0].index), (9, 2));
}

#[test]
fn a_vote_leaves_only_after_it_is_durable() {
    let mut order = node(&[1, 2, 3], Restored::default());
    order.step(Message::new(MessageKind::RequestVote, 2, 1, 5)).unwrap();
    let output = order.take_output();
    assert!(output.messages.is_empty());
    assert_eq!(output.persist[0].hard_state, Some(HardState { term: 5, vote: 2, commit: 0 }));
    order.persisted(output.persist[0].op);
    let answer = &order.take_output().messages[0];
    assert_eq!((answer.kind, answer.reject), (MessageKind::RequestVoteResponse, false));
}

#[test]
fn messages_keep_their_order_behind_a_pending_write() {
    let mut order = node(&[1, 2, 3], Restored::default());
    order.step(append(2, 1, (0, 0), vec![entry(1, 1)], 0)).unwrap();
    let write = order.take_output().persist[0].op;
    order.step(Message::new(MessageKind::Heartbeat, 2, 1, 1)).unwrap();
    let output = order.take_output();
    assert!(output.messages.is_empty() && output.persist.is_empty());
    order.persisted(write);
    let kinds: Vec<_> = order.take_output().messages.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [MessageKind::AppendResponse, MessageKind::HeartbeatResponse]);
}

#[test]
fn an_entry_replaced_and_replaced_back_is_not_durable_too_early() {
    let mut order = node(&[1, 2, 3, 4, 5], Restored::default());
    let first = vec![entry(1, 2), entry(2, 2), entry(3, 2)];
    let mut ops = Vec::new();
    let steps = [
        append(2, 2, (0, 0), first.clone(), 0),
        append(3, 3, (0, 0), vec![entry(1, 3)], 0),
        append(2, 4, (0, 0), first, 3),
    ];
    for message in steps {
        order.step(message).unwrap();
        ops.push(order.take_output().persist.last().unwrap().op);
    }
    // The disk will pass through [1: term 3] before it is right again.
    order.persisted(ops[0]);
    assert!(order.take_output().committed.is_empty());
    order.persisted(ops[1]);
    assert!(order.take_output().committed.is_empty());
    order.persisted(ops[2]);
    assert_eq!(order.take_output().committed.len(), 3);
}

#[test]
fn proposals_are_refused_for_a_named_reason() {
    let mut order = node(&[1, 2, 3], Restored::default());
    let data = || Bytes::from(vec![1; 100]);
    assert_eq!(order.propose(data()), Err(ProposeError::NotLeader { leader: None }));
    order.step(Message::new(MessageKind::Heartbeat, 3, 1, 1)).unwrap();
    settle(&mut order);
    assert_eq!(order.propose(data()), Err(ProposeError::NotLeader { leader: Some(3) }));
    let term = lead(&mut order);
    assert_eq!(order.propose(data()), Err(ProposeError::NotReady));
    assert_eq!(order.read_index(1), Err(ReadError::NotReady));
    acknowledge(&mut order, term, 1);
    let too_large = Bytes::from(vec![1; 101]);
    let refusal = ProposeError::TooLarge { bytes: 101, limit: 100 };
    assert_eq!(order.propose(too_large), Err(refusal));
    assert_eq!(order.propose(data()).unwrap().index, 2);
    assert_eq!(order.propose(data()).unwrap().index, 3);
    assert_eq!(order.propose(data()), Err(ProposeError::Busy));
    let output = acknowledge(&mut order, term, 3);
    assert_eq!(output.committed.iter().map(|e| e.index).collect::<Vec<_>>(), [2, 3]);
    assert!(order.propose(data()).is_ok());
    order.transfer_leader(3);
    assert_eq!(order.propose(data()), Err(ProposeError::Busy));
}

#[test]
fn a_leader_forgets_whom_it_hears_in_step_with_its_hand_over() {
    let mut order = node(&[1, 2, 3], Restored::default());
    let election_ticks = Config::new(1, vec![1, 2, 3], 1).election_ticks;
    let term = lead(&mut order);
    acknowledge(&mut order, term, 1);
    // Nobody follows this attempt: its message is lost.
    order.transfer_leader(3);
    settle(&mut order);
    for tick in 1..=3 * election_ticks {
        order.tick();
        let hears = order.status().peers.iter().any(|peer| peer.active);
        assert_eq!(hears, tick % election_ticks != 0, "at tick {tick}");
        for peer in [2, 3] {
            order.step(Message::new(MessageKind::HeartbeatResponse, peer, 1, term)).unwrap();
        }
        settle(&mut order);
    }
}

#[test]
fn reads_need_a_leader_and_a_majority() {
    let mut order = node(&[1, 2, 3], Restored::default());
    assert_eq!(order.read_index(1), Err(ReadError::NoLeader));
    let term = lead(&mut order);
    acknowledge(&mut order, term, 1);
    order.read_index(77).unwrap();
    let output = settle(&mut order);
    assert!(output.reads.is_empty());
    let heartbeat =
        output.messages.iter().find(|m| m.kind == MessageKind::Heartbeat && m.to == 2).unwrap();
    let context = heartbeat.context.clone();
    let answer = Message { context, ..Message::new(MessageKind::HeartbeatResponse, 2, 1, term) };
    order.step(answer.clone()).unwrap();
    let reads = settle(&mut order).reads;
    assert_eq!((reads.len(), reads[0].context, reads[0].index), (1, 77, 1));
    order.step(answer).unwrap();
    assert!(settle(&mut order).reads.is_empty());
}

#[test]
fn messages_that_cannot_be_right_are_dropped() {
    let mut order = node(&[1, 2, 3], Restored::default());
    order.step(append(2, 4, (0, 0), vec![entry(1, 3), entry(2, 4)], 2)).unwrap();
    settle(&mut order);
    let before = order.status();
    assert_eq!((before.commit, before.applied), (2, 2));
    let heartbeat = Message::new(MessageKind::Heartbeat, 2, 1, 4);
    let big = Entry { data: Bytes::from(vec![0; 101]), ..entry(3, 4) };
    let refused = [
        (Message { to: 3, ..heartbeat.clone() }, StepError::NotForUs { to: 3 }),
        (Message { from: 1, ..heartbeat.clone() }, StepError::NotAPeer { from: 1 }),
        (Message { from: 9, ..heartbeat.clone() }, StepError::NotAPeer { from: 9 }),
        (
            Message { term: 0, ..heartbeat.clone() },
            StepError::TermImplausible { term: 0, own_term: 4 },
        ),
        (
            Message { term: u64::MAX, ..heartbeat.clone() },
            StepError::TermImplausible { term: u64::MAX, own_term: 4 },
        ),
        (
            Message { commit: 3, ..heartbeat.clone() },
            StepError::CommitBeyondLog { commit: 3, last_index: 2 },
        ),
        (
            Message { from: 3, ..heartbeat.clone() },
            StepError::SecondLeader { term: 4, known: 2, from: 3 },
        ),
        (
            Message { index: u64::MAX, ..heartbeat.clone() },
            StepError::IndexImplausible { index: u64::MAX },
        ),
        (
            Message { request_snapshot: 1, ..heartbeat.clone() },
            StepError::Malformed { kind: MessageKind::Heartbeat },
        ),
        (
            Message { context: Bytes::from(vec![0; 65]), ..heartbeat.clone() },
            StepError::Malformed { kind: MessageKind::Heartbeat },
        ),
        (
            Message { entries: vec![entry(3, 4)], ..heartbeat },
            StepError::Malformed { kind: MessageKind::Heartbeat },
        ),
        (append(2, 4, (2, 4), vec![entry(4, 4)], 2), StepError::EntriesNotContiguous { index: 3 }),
        (append(2, 4, (2, 4), vec![entry(3, 5)], 2), StepError::EntriesNotContiguous { index: 3 }),
        (append(2, 4, (2, 4), vec![entry(3, 3)], 2), StepError::EntriesNotContiguous { index: 3 }),
        (append(2, 4, (2, 4), vec![big], 2), StepError::EntryTooLarge { index: 3, bytes: 101 }),
        (append(2, 4, (2, 3), vec![], 2), StepError::ConflictsWithCommitted { index: 2 }),
        (append(2, 4, (9, 1), vec![], 2), StepError::ConflictsWithCommitted { index: 2 }),
        (
            append(2, 5, (0, 0), vec![entry(1, 3), entry(2, 5)], 2),
            StepError::ConflictsWithCommitted { index: 2 },
        ),
        (
            Message::new(MessageKind::ReadIndex, 2, 1, 0),
            StepError::Malformed { kind: MessageKind::ReadIndex },
        ),
    ];
    for (message, error) in refused {
        assert_eq!(order.step(message.clone()), Err(error), "{message:?}");
        assert_eq!(order.status(), before);
        assert!(settle(&mut order).is_empty());
    }

    let term = lead(&mut order);
    let response = Message { index: 9, ..Message::new(MessageKind::AppendResponse, 2, 1, term) };
    let error = StepError::AckBeyondLog { index: 9, last_index: 3 };
    assert_eq!(order.step(response), Err(error));
}

#[test]
fn a_vote_nobody_asked_for_does_not_make_a_leader() {
    let mut order = node(&[1, 2, 3], Restored::default());
    while order.status().role == Role::Follower {
        order.tick();
    }
    settle(&mut order);
    order.step(Message::new(MessageKind::RequestPreVoteResponse, 2, 1, 1)).unwrap();
    assert_eq!(order.status().role, Role::Candidate);
    let vote = Message::new(MessageKind::RequestVoteResponse, 2, 1, 1);
    assert_eq!(order.step(vote.clone()), Err(StepError::UnsolicitedVote { from: 2 }));
    settle(&mut order);
    order.step(vote).unwrap();
    assert_eq!(order.status().role, Role::Leader);
}

#[test]
fn a_log_that_lost_what_it_promised_is_refused() {
    let good = Restored {
        hard_state: HardState { term: 2, vote: 1, commit: 1 },
        applied: 2,
        tail: vec![entry(2, 1), entry(3, 2)],
        first_index: 1,
        last_index: 3,
        terms: vec![(1, 1), (3, 2)],
        lost_term: None,
    };
    let config = || Config::new(1, vec![1, 2, 3], 7);
    let order = Order::new(config(), good.clone()).unwrap();
    assert_eq!((order.status().commit, order.status().applied), (2, 2));
    let refusal = |restored| Order::new(config(), restored).err();
    let lost = OrderError::LogTooShort { commit: 4, last_index: 3 };
    assert_eq!(refusal(Restored { applied: 4, ..good.clone() }), Some(lost));
    let broken = [
        Restored { tail: vec![], ..good.clone() },
        Restored { tail: vec![entry(2, 1)], ..good.clone() },
        Restored { tail: vec![entry(2, 2), entry(3, 2)], ..good.clone() },
        Restored { terms: vec![], ..good.clone() },
        Restored { terms: vec![(2, 1), (3, 2)], ..good.clone() },
        Restored { terms: vec![(1, 2), (3, 1)], ..good.clone() },
        Restored { first_index: 0, ..good.clone() },
        Restored { first_index: 4, ..good.clone() },
        Restored { hard_state: HardState { term: 1, vote: 1, commit: 1 }, ..good.clone() },
        Restored { hard_state: HardState { term: 2, vote: 8, commit: 1 }, ..good.clone() },
    ];
    for restored in broken {
        let error = refusal(restored.clone());
        assert!(matches!(error, Some(OrderError::RestoredInconsistent(_))), "{restored:?}");
    }
    for voters in [vec![], vec![2, 3], vec![1, 1, 2], vec![0, 1], (1..40).collect()] {
        let error = Order::new(Config::new(1, voters, 7), Restored::default()).err();
        assert!(matches!(error, Some(OrderError::ConfigInvalid(_))));
    }
}

#[test]
fn a_log_with_a_removed_beginning_can_be_restored() {
    let restored = Restored {
        hard_state: HardState { term: 3, vote: 0, commit: 12 },
        applied: 11,
        tail: vec![entry(12, 3)],
        first_index: 10,
        last_index: 12,
        terms: vec![(9, 2), (11, 3)],
        lost_term: None,
    };
    let mut order = node(&[1, 2, 3], restored);
    assert_eq!(settle(&mut order).committed, [entry(12, 3)]);
    let term = lead(&mut order);
    assert_eq!(term, 4);
    // The peer is too far behind; without a snapshot it just stays there.
    let hint = Message {
        reject: true,
        index: 12,
        reject_hint: 2,
        log_term: 1,
        ..Message::new(MessageKind::AppendResponse, 2, 1, term)
    };
    order.step(hint).unwrap();
    assert!(settle(&mut order).fetches.is_empty());
    let peer = order.status().peers[0];
    assert_eq!((peer.id, peer.matched, peer.active), (2, 0, true));
}
