//! Followers that are too far behind, and logs that have lost entries: one node at a time.
#![allow(clippy::unwrap_used)]

mod one;

use bytes::Bytes;
use one::{append, entry, lead, node, settle};
use order::{
    Config, Entry, HardState, Message, MessageKind, Order, OrderError, Restored, Role,
    SnapshotOffer, StepError,
};

fn heartbeat(term: u64, commit: u64) -> Message {
    Message { commit, ..Message::new(MessageKind::Heartbeat, 2, 1, term) }
}

fn offer(term: u64, index: u64, log_term: u64, leader_first: u64) -> Message {
    let kind = MessageKind::Snapshot;
    Message { index, log_term, reject_hint: leader_first, ..Message::new(kind, 2, 1, term) }
}

fn kinds(messages: &[Message]) -> Vec<(MessageKind, u64)> {
    messages.iter().map(|message| (message.kind, message.to)).collect()
}

/// A leader of three whose log holds only what follows the snapshot at 5, up to 8.
fn leader_with_a_snapshot() -> (Order, u64) {
    let restored = Restored {
        hard_state: HardState { term: 3, vote: 0, commit: 7 },
        applied: 7,
        tail: vec![entry(6, 3), entry(7, 3)],
        first_index: 1,
        last_index: 7,
        terms: vec![(1, 1), (4, 3)],
        lost_term: None,
    };
    let mut order = node(&[1, 2, 3], restored);
    let term = lead(&mut order);
    order.snapshot_made(5, 3);
    order.compact(6);
    (order, term)
}

/// Node 2 refuses the probe at `index`; its log ends at `hint`.
fn refuse(order: &mut Order, term: u64, index: u64, hint: (u64, u64)) {
    let (reject_hint, log_term) = hint;
    let kind = MessageKind::AppendResponse;
    let refusal =
        Message { reject: true, index, reject_hint, log_term, ..Message::new(kind, 2, 1, term) };
    order.step(refusal).unwrap();
}

#[test]
fn a_follower_below_the_log_is_offered_the_snapshot_again_and_again() {
    let (mut order, term) = leader_with_a_snapshot();
    refuse(&mut order, term, 7, (2, 1));
    let messages = settle(&mut order).messages;
    assert_eq!(messages, [Message { from: 1, to: 2, ..offer(term, 5, 3, 6) }]);
    let mut offers = 0;
    for _ in 0..100 {
        order.tick();
        // The follower still stands where it stood, whatever it is asked.
        order.step(Message::new(MessageKind::HeartbeatResponse, 2, 1, term)).unwrap();
        for message in settle(&mut order).messages {
            match message.kind {
                MessageKind::Snapshot => offers += 1,
                MessageKind::Append if message.to == 2 => {
                    assert_eq!(message.index, 5, "the probe is where the snapshot ends");
                    refuse(&mut order, term, 5, (2, 1));
                }
                _ => {}
            }
        }
    }
    assert!((3..=6).contains(&offers), "{offers} offers in 10 election waits");
    let newer = order.status().applied;
    order.snapshot_made(newer, 3);
    for _ in 0..30 {
        order.tick();
        order.step(Message::new(MessageKind::HeartbeatResponse, 2, 1, term)).unwrap();
        if settle(&mut order).messages.iter().any(|m| m.kind == MessageKind::Append && m.to == 2) {
            refuse(&mut order, term, 5, (2, 1));
            let again = settle(&mut order).messages;
            assert_eq!((again[0].kind, again[0].index), (MessageKind::Snapshot, newer));
            return;
        }
    }
    panic!("the follower was not probed again");
}

#[test]
fn a_follower_within_the_log_gets_entries_and_no_offer() {
    let (mut order, term) = leader_with_a_snapshot();
    refuse(&mut order, term, 7, (5, 3));
    let messages = settle(&mut order).messages;
    assert_eq!(kinds(&messages), [(MessageKind::Append, 2)]);
    assert_eq!((messages[0].index, messages[0].log_term), (5, 3));
    assert_eq!(messages[0].entries.first().map(|e| e.index), Some(6));
}

#[test]
fn without_a_snapshot_there_is_no_offer_and_no_end() {
    let restored = Restored {
        hard_state: HardState { term: 3, vote: 0, commit: 12 },
        applied: 12,
        first_index: 10,
        last_index: 12,
        terms: vec![(9, 3)],
        ..Restored::default()
    };
    let mut order = node(&[1, 2, 3], restored);
    let term = lead(&mut order);
    refuse(&mut order, term, 12, (2, 1));
    assert!(settle(&mut order).messages.is_empty());
    order.snapshot_made(12, 3);
    order.step(Message::new(MessageKind::HeartbeatResponse, 2, 1, term)).unwrap();
    assert_eq!(settle(&mut order).messages, [Message { from: 1, to: 2, ..offer(term, 12, 3, 10) }]);
}

#[test]
fn an_answer_for_released_entries_finds_nobody() {
    let mut config = Config::new(1, vec![1, 2, 3], 7);
    (config.entry_bytes_max, config.cache_bytes_max) = (100, 100);
    let mut order = Order::new(config, Restored::default()).unwrap();
    let entries = (1..=9).map(|index| entry(index, 1)).collect();
    order.step(append(2, 1, (0, 0), entries, 9)).unwrap();
    settle(&mut order);
    let term = lead(&mut order);
    refuse(&mut order, term, 9, (1, 1));
    let fetch = settle(&mut order).fetches[0];
    assert_eq!(fetch.low, 2);
    order.snapshot_made(9, 1);
    order.compact(8);
    order.fetched(fetch.token, vec![entry(2, 1)]);
    order.fetch_failed(fetch.token);
    order.step(Message::new(MessageKind::HeartbeatResponse, 2, 1, term)).unwrap();
    assert_eq!(kinds(&settle(&mut order).messages), [(MessageKind::Snapshot, 2)]);
}

#[test]
#[should_panic(expected = "the newest snapshot ends at 5")]
fn only_what_is_in_a_snapshot_may_be_released() {
    leader_with_a_snapshot().0.compact(7);
}

#[test]
fn an_offer_is_reported_only_to_a_node_that_needs_it() {
    let mut order = node(&[1, 2, 3], Restored::default());
    order.step(append(2, 4, (0, 0), vec![entry(1, 3), entry(2, 4), entry(3, 4)], 2)).unwrap();
    settle(&mut order);
    for unneeded in [
        offer(4, 2, 4, 3), // applied here
        offer(4, 3, 4, 4), // acknowledged here
        offer(4, 9, 4, 3), // the leader still has what comes next
        offer(3, 9, 3, 9), // of a leader of the past
    ] {
        order.step(unneeded.clone()).unwrap();
        let output = settle(&mut order);
        assert_eq!(output.needs_snapshot, None, "{unneeded:?}");
        assert_eq!(output.messages.len(), 1, "the leader is told where this node stands");
    }
    let malformed = StepError::Malformed { kind: MessageKind::Snapshot };
    for (bad, error) in [
        (offer(4, 9, 5, 9), malformed),
        (offer(4, 9, 0, 9), malformed),
        (offer(4, 9, 4, 11), malformed),
        (offer(4, 9, 4, 1), malformed),
        (Message { entries: vec![entry(9, 4)], ..offer(4, 9, 4, 9) }, malformed),
        (
            Message { from: 3, ..offer(4, 9, 4, 9) },
            StepError::SecondLeader { term: 4, known: 2, from: 3 },
        ),
        (offer(5, 2, 5, 3), StepError::ConflictsWithCommitted { index: 2 }),
        (offer(5, 9, 3, 9), StepError::ConflictsWithCommitted { index: 2 }),
    ] {
        assert_eq!(order.step(bad.clone()), Err(error), "{bad:?}");
        assert!(settle(&mut order).is_empty());
    }
    order.step(offer(6, 9, 5, 9)).unwrap();
    let output = settle(&mut order);
    assert_eq!(output.needs_snapshot, Some(SnapshotOffer { from: 2, index: 9, term: 5 }));
    let status = order.status();
    assert_eq!((status.term, status.leader, status.last_index), (6, Some(2), 3));
    let answer = &output.messages[0];
    assert_eq!((answer.kind, answer.index), (MessageKind::AppendResponse, 2));
    // A leader that only makes offers is well.
    for _ in 0..50 {
        order.tick();
        order.step(offer(6, 9, 5, 9)).unwrap();
    }
    assert_eq!(order.status().role, Role::Follower);
}

#[test]
fn a_log_just_reset_to_a_snapshot_starts_in_the_term_of_the_snapshot() {
    let restored = Restored {
        hard_state: HardState { term: 3, vote: 2, commit: 4 },
        applied: 9,
        first_index: 10,
        last_index: 9,
        terms: vec![(9, 5)],
        ..Restored::default()
    };
    let mut order = node(&[1, 2, 3], restored);
    order.snapshot_made(9, 5);
    let output = order.take_output();
    // Durable before any vote or entry of that term.
    assert_eq!(output.persist[0].hard_state, Some(HardState { term: 5, vote: 0, commit: 9 }));
    assert!(output.persist[0].must_sync);
    order.persisted(output.persist[0].op);
    order.step(append(2, 6, (9, 5), vec![entry(10, 6)], 10)).unwrap();
    assert_eq!(settle(&mut order).committed, [entry(10, 6)]);
}

/// Applied up to 2; the log ends at 3, in term 4, which may be what it was long ago.
fn lossy() -> Restored {
    Restored {
        hard_state: HardState { term: 4, vote: 3, commit: 9 },
        applied: 2,
        tail: vec![entry(3, 4)],
        first_index: 1,
        last_index: 3,
        terms: vec![(1, 2), (3, 4)],
        lost_term: Some(6),
    }
}

#[test]
fn a_recovering_node_neither_votes_nor_stands() {
    let mut order = node(&[1, 2, 3], lossy());
    assert!(order.recovering() && order.status().recovering);
    let output = settle(&mut order);
    assert_eq!(output.persist[0].hard_state, Some(HardState { term: 6, vote: 0, commit: 2 }));
    for kind in [MessageKind::RequestVote, MessageKind::RequestPreVote] {
        for context in [Bytes::new(), Bytes::from_static(b"CampaignTransfer")] {
            let asks = Message { index: 90, log_term: 8, ..Message::new(kind, 2, 1, 9) };
            order.step(Message { context, ..asks }).unwrap();
            assert!(settle(&mut order).is_empty());
        }
    }
    order.step(heartbeat(6, 0)).unwrap();
    settle(&mut order);
    order.step(Message::new(MessageKind::TimeoutNow, 2, 1, 6)).unwrap();
    assert!(settle(&mut order).is_empty());
    assert_eq!(order.status().leader, Some(2));
    (0..500).for_each(|_| order.tick());
    let output = settle(&mut order);
    assert!(output.messages.is_empty() && output.persist.is_empty());
    let status = order.status();
    assert_eq!((status.role, status.term, status.leader), (Role::Follower, 6, None));
}

#[test]
fn a_recovering_node_tells_the_leader_of_the_lost_term_and_trusts_no_bare_commit() {
    let mut order = node(&[1, 2, 3], lossy());
    settle(&mut order);
    let mut words = 0;
    for _ in 0..40 {
        order.tick();
        // The leader counts the forgotten acknowledgements; no reason to accuse it.
        order.step(heartbeat(6, 8)).unwrap();
        let messages = settle(&mut order).messages;
        let told = messages.iter().find(|message| message.kind == MessageKind::LogLost);
        words += usize::from(told.is_some());
        assert!(told.is_none_or(|told| (told.to, told.term, told.index) == (2, 6, 3)));
        assert!(messages.iter().any(|message| message.kind == MessageKind::HeartbeatResponse));
    }
    assert_eq!(words, 4, "once in an election wait");
    assert_eq!(order.status().commit, 2, "entry 3 may be one that had been replaced");
    // Entries that fit bring a commit index that counts, and are acknowledged as ever.
    order.step(append(2, 6, (2, 2), vec![entry(3, 5), entry(4, 6)], 4)).unwrap();
    let output = settle(&mut order);
    assert_eq!(output.committed, [entry(3, 5), entry(4, 6)]);
    let acked = |m: &Message| m.kind == MessageKind::AppendResponse && m.index == 4 && !m.reject;
    assert!(output.messages.iter().any(acked));
    assert!(order.recovering(), "the leader of the lost term counts what is gone");
}

#[test]
fn a_lost_log_is_whole_with_a_durable_entry_of_a_later_term() {
    let mut order = node(&[1, 2, 3], lossy());
    settle(&mut order);
    order.step(append(2, 7, (3, 4), vec![entry(4, 7)], 3)).unwrap();
    let output = order.take_output();
    assert!(order.recovering() && !output.recovered, "not durable yet");
    assert!(output.messages.iter().all(|message| message.kind != MessageKind::LogLost));
    order.persisted(output.persist.last().unwrap().op);
    assert!(!order.recovering());
    assert!(order.take_output().recovered);
    assert!(!order.take_output().recovered);
    // Now it takes part like any other.
    while order.status().role == Role::Follower {
        order.tick();
    }
    settle(&mut order);

    // The mark outlives a crash just before it is cleared, and does no harm.
    let whole = Restored {
        hard_state: HardState { term: 7, vote: 0, commit: 3 },
        tail: vec![entry(3, 4), entry(4, 7)],
        last_index: 4,
        terms: vec![(1, 2), (3, 4), (4, 7)],
        ..lossy()
    };
    let mut order = node(&[1, 2, 3], whole.clone());
    assert!(!order.recovering() && order.take_output().recovered);
    // A snapshot of a later term is as good as an entry.
    let reset = Restored { tail: vec![], applied: 4, first_index: 5, terms: vec![(4, 7)], ..whole };
    let mut order = node(&[1, 2, 3], reset.clone());
    assert!(!order.recovering() && order.take_output().recovered);
    let older = Restored { terms: vec![(4, 6)], ..reset };
    assert!(node(&[1, 2, 3], older).recovering());
}

#[test]
fn a_lone_voter_with_a_lost_log_is_refused() {
    let refusal = Order::new(
        Config::new(1, vec![1], 7),
        Restored { hard_state: HardState { term: 6, vote: 1, commit: 9 }, ..lossy() },
    );
    assert_eq!(refusal.err(), Some(OrderError::LostWithoutPeers));
}

#[test]
fn a_leader_believes_word_of_a_loss_and_hands_over_to_the_best_other() {
    let mut order = node(&[1, 2, 3, 4, 5], Restored::default());
    while order.status().role == Role::Follower {
        order.tick();
    }
    settle(&mut order);
    for kind in [MessageKind::RequestPreVoteResponse, MessageKind::RequestVoteResponse] {
        for from in [2, 3] {
            order.step(Message::new(kind, from, 1, 1)).unwrap();
        }
        settle(&mut order);
    }
    let from = |kind, from| Message::new(kind, from, 1, 1);
    let ack = |order: &mut Order, peer, index| {
        order.step(Message { index, ..from(MessageKind::AppendResponse, peer) }).unwrap();
        settle(order)
    };
    (2..=4).for_each(|peer| drop(ack(&mut order, peer, 1)));
    order.propose(Bytes::from_static(b"x")).unwrap();
    ack(&mut order, 2, 2);
    ack(&mut order, 3, 2);
    let lost = |peer, index| Message { index, ..from(MessageKind::LogLost, peer) };
    let matched = |order: &Order, peer: u64| order.status().peers[peer as usize - 2].matched;

    // Of another term, or before anybody leads: of no use.
    order.step(Message { term: 9, ..lost(2, 0) }).unwrap();
    assert!(settle(&mut order).is_empty());
    assert_eq!((order.status().term, matched(&order, 2)), (1, 2));

    // 3 has everything; 4 is active but behind; 5 was never heard of.
    order.step(lost(2, 0)).unwrap();
    assert_eq!(matched(&order, 2), 0);
    let handed = |order: &mut Order| {
        let messages = settle(order).messages;
        messages.iter().find(|m| m.kind == MessageKind::TimeoutNow).map(|m| m.to)
    };
    assert_eq!(handed(&mut order), Some(3));
    // Not again so soon, and a word of 3's own loss rules it out for the next time.
    ack(&mut order, 4, 2);
    for tick in 1..40 {
        order.tick();
        for peer in 2..=5 {
            order.step(from(MessageKind::HeartbeatResponse, peer)).unwrap();
        }
        order.step(lost(2, 0)).unwrap();
        order.step(lost(3, 2)).unwrap();
        assert_eq!(handed(&mut order), None, "at tick {tick}");
    }
    assert_eq!(matched(&order, 3), 2, "it still has what it acknowledged");
    order.tick();
    assert_eq!(handed(&mut order), Some(4));
}

#[test]
fn word_of_a_loss_is_not_forgotten_while_nobody_seems_to_be_there() {
    let mut order = node(&[1, 2, 3], Restored::default());
    let term = lead(&mut order);
    let ack =
        |peer| Message { index: 1, ..Message::new(MessageKind::AppendResponse, peer, 1, term) };
    order.step(ack(2)).unwrap();
    order.step(ack(3)).unwrap();
    // The leader has just counted who is there, and begins anew.
    while order.status().peers.iter().any(|peer| peer.active) {
        order.tick();
    }
    settle(&mut order);
    order.step(Message::new(MessageKind::LogLost, 2, 1, term)).unwrap();
    assert!(settle(&mut order).messages.iter().all(|m| m.kind != MessageKind::TimeoutNow));
    order.step(ack(3)).unwrap();
    order.tick();
    let messages = settle(&mut order).messages;
    assert!(messages.iter().any(|m| (m.kind, m.to) == (MessageKind::TimeoutNow, 3)));
}

#[test]
fn the_same_probe_is_not_sent_twice_in_a_heartbeat_interval() {
    let (mut order, term) = leader_with_a_snapshot();
    refuse(&mut order, term, 7, (6, 3));
    let mut probes = settle(&mut order).messages.len();
    for _ in 0..5 {
        for _ in 0..10 {
            order.step(Message::new(MessageKind::HeartbeatResponse, 2, 1, term)).unwrap();
            let messages = settle(&mut order).messages;
            probes += messages.iter().filter(|m| !m.entries.is_empty()).count();
        }
        order.tick();
        order.tick();
    }
    assert_eq!(probes, 5);
    let ack: Message =
        Message { index: 8, ..Message::new(MessageKind::AppendResponse, 2, 1, term) };
    order.step(ack).unwrap();
    let committed: Vec<Entry> = settle(&mut order).committed;
    assert_eq!(committed.last().map(|entry| entry.index), Some(8));
}

#[test]
fn with_one_node_down_another_with_a_lost_log_still_helps_to_commit() {
    let mut leader = node(&[1, 2, 3], Restored::default());
    let term = lead(&mut leader);
    let marker = Entry { data: Bytes::new(), ..entry(1, term) };
    for index in 1..=3 {
        let kind = MessageKind::AppendResponse;
        leader.step(Message { index, ..Message::new(kind, 2, 1, term) }).unwrap();
        settle(&mut leader);
        leader.propose(Bytes::from_static(b"data")).unwrap();
    }
    assert_eq!(settle(&mut leader).committed.len(), 0);
    // Node 2 has acknowledged three entries and comes back with one; node 3 is down.
    let restored = Restored {
        hard_state: HardState { term, vote: 1, commit: 0 },
        tail: vec![marker],
        last_index: 1,
        terms: vec![(1, term)],
        lost_term: Some(term),
        ..Restored::default()
    };
    let mut lossy = Order::new(Config::new(2, vec![1, 2, 3], 8), restored).unwrap();
    for _ in 0..40 {
        leader.tick();
        lossy.tick();
        for _ in 0..6 {
            for message in settle(&mut leader).messages.into_iter().filter(|m| m.to == 2) {
                lossy.step(message).unwrap();
            }
            for message in settle(&mut lossy).messages {
                leader.step(message).unwrap();
            }
        }
    }
    let (led, followed) = (leader.status(), lossy.status());
    assert_eq!((led.role, led.commit), (Role::Leader, 4));
    assert_eq!((followed.commit, followed.recovering), (4, true));
}
