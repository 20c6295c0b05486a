//! Who votes changes by entries of the log: a node comes as a learner, votes, leads, and the first leader leaves.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use order::{Change, Config, Message, MessageKind, Order, ProposeError, Restored, Role, StepError};

/// `+4` learns, `*4` votes, `-4` leaves; everything else is no change.
fn change_of(data: &[u8]) -> Option<Change> {
    match *data {
        [b'+', id] => Some(Change::Learn(u64::from(id - b'0'))),
        [b'*', id] => Some(Change::Vote(u64::from(id - b'0'))),
        [b'-', id] => Some(Change::Leave(u64::from(id - b'0'))),
        _ => None,
    }
}

/// Nodes whose disks and lines are quick, and what each has applied.
struct Group {
    nodes: BTreeMap<u64, Order>,
    applied: BTreeMap<u64, Vec<Bytes>>,
    /// Nodes that nothing reaches.
    away: Vec<u64>,
}

impl Group {
    fn new(voters: &[u64], others: &[u64]) -> Self {
        let all = || voters.iter().chain(others).copied();
        let node = |id: u64| {
            let others = others.to_vec();
            let config = Config { others, change_of, ..Config::new(id, voters.to_vec(), id) };
            (id, Order::new(config, Restored::default()).unwrap())
        };
        Self {
            nodes: all().map(node).collect(),
            applied: all().map(|id| (id, Vec::new())).collect(),
            away: Vec::new(),
        }
    }

    /// Lets everything that waits happen.
    fn settle(&mut self) {
        loop {
            let (mut messages, mut quiet): (Vec<Message>, _) = (Vec::new(), true);
            for (id, order) in &mut self.nodes {
                let output = order.take_output();
                quiet &= output.is_empty();
                if let Some(write) = output.persist.last() {
                    order.persisted(write.op);
                }
                for entry in output.committed {
                    if let Some(change) = change_of(&entry.data) {
                        order.apply_change(change);
                    }
                    order.applied(entry.index);
                    self.applied.get_mut(id).unwrap().push(entry.data);
                }
                messages.extend(output.messages);
            }
            messages.retain(|one| !self.away.contains(&one.to) && !self.away.contains(&one.from));
            if messages.is_empty() && quiet {
                return;
            }
            for message in messages {
                self.nodes.get_mut(&message.to).unwrap().step(message).unwrap();
            }
        }
    }

    fn tick(&mut self) {
        for (id, order) in &mut self.nodes {
            if !self.away.contains(id) {
                order.tick();
            }
        }
    }

    fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.tick();
            self.settle();
        }
    }

    fn leader(&mut self) -> u64 {
        for _ in 0..100 {
            self.run(1);
            let leads = |(id, order): (&u64, &Order)| {
                (order.status().role == Role::Leader && !self.away.contains(id)).then_some(*id)
            };
            let leader = self.nodes.iter().find_map(leads);
            if let Some(id) = leader.filter(|id| self.nodes[id].accepts_proposals()) {
                return id;
            }
        }
        panic!("nobody leads");
    }

    fn change(&mut self, text: &'static str) {
        let leader = self.leader();
        self.nodes
            .get_mut(&leader)
            .unwrap()
            .propose_change(Bytes::from_static(text.as_bytes()))
            .unwrap();
        self.run(10);
    }

    fn order(&mut self, text: &'static str) {
        let leader = self.leader();
        self.nodes.get_mut(&leader).unwrap().propose(Bytes::from_static(text.as_bytes())).unwrap();
        self.run(10);
    }

    fn texts(&self, id: u64) -> Vec<&str> {
        let texts = self.applied[&id].iter().map(|data| std::str::from_utf8(data).unwrap());
        texts.filter(|text| !text.is_empty()).collect()
    }
}

#[test]
fn a_node_comes_votes_and_leads_and_the_first_leader_leaves() {
    let mut group = Group::new(&[1, 2, 3], &[4]);
    group.order("one");
    assert_eq!(group.texts(4), [] as [&str; 0], "who has not come gets nothing");
    group.change("+4");
    group.order("two");
    assert_eq!(group.texts(4), ["one", "+4", "two"]);
    let first = group.leader();
    let status = group.nodes[&first].status();
    assert!(status.peers.iter().any(|peer| peer.id == 4 && !peer.votes));
    group.change("*4");
    for order in group.nodes.values() {
        assert_eq!(order.voters().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
    // Four vote: two of them are no majority, so the fourth counts.
    group.nodes.get_mut(&first).unwrap().transfer_leader(4);
    group.run(5);
    assert_eq!(group.leader(), 4);
    group.change(match first {
        1 => "-1",
        2 => "-2",
        _ => "-3",
    });
    group.order("three");
    let rest: Vec<u64> = (1..=4).filter(|id| *id != first).collect();
    for id in &rest {
        assert_eq!(group.texts(*id).last(), Some(&"three"), "node {id}");
        assert_eq!(group.nodes[id].voters().collect::<Vec<_>>(), rest);
    }
    // Who has left is not asked and counts for nothing, also when it stands for election for ever.
    group.run(100);
    assert_ne!(group.leader(), first);
    assert!(!group.texts(first).contains(&"three"));
}

#[test]
fn a_leader_that_leaves_follows_and_the_others_elect_one() {
    let mut group = Group::new(&[1, 2, 3], &[]);
    let first = group.leader();
    let text = ["-1", "-2", "-3"][first as usize - 1];
    group.change(text);
    assert_eq!(group.nodes[&first].status().role, Role::Follower);
    group.order("after");
    assert!(!group.texts(first).contains(&"after"));
}

#[test]
fn nothing_is_changed_before_all_is_applied_and_one_at_a_time() {
    let mut group = Group::new(&[1, 2, 3], &[4, 5]);
    let leader = group.leader();
    let order = group.nodes.get_mut(&leader).unwrap();
    order.propose(Bytes::from_static(b"under way")).unwrap();
    let change = Bytes::from_static(b"+4");
    assert_eq!(order.propose_change(change.clone()), Err(ProposeError::Busy));
    group.run(5);
    let order = group.nodes.get_mut(&leader).unwrap();
    order.propose_change(change).unwrap();
    assert_eq!(order.propose_change(Bytes::from_static(b"+5")), Err(ProposeError::Busy));
    group.run(5);
    for order in group.nodes.values_mut().filter(|order| order.status().role != Role::Leader) {
        let refused = order.propose_change(Bytes::from_static(b"+5"));
        assert!(matches!(refused, Err(ProposeError::NotLeader { .. })));
    }
}

#[test]
fn a_majority_of_the_new_voters_is_needed() {
    let mut group = Group::new(&[1, 2, 3], &[4]);
    group.change("+4");
    group.change("*4");
    let leader = group.leader();
    group.away = (1..=4).filter(|id| *id != leader).take(2).collect();
    let order = group.nodes.get_mut(&leader).unwrap();
    order.propose(Bytes::from_static(b"two of four")).unwrap();
    group.run(5);
    assert!(!group.texts(leader).contains(&"two of four"));
    group.away.pop();
    group.run(60);
    group.order("three of four");
    let leader = group.leader();
    assert!(group.texts(leader).contains(&"three of four"));
}

#[test]
fn what_only_members_may_say_is_ignored_of_others() {
    let mut group = Group::new(&[1, 2, 3], &[4]);
    let leader = group.leader();
    let order = group.nodes.get_mut(&leader).unwrap();
    let term = order.status().term;
    let answer = Message::new(MessageKind::AppendResponse, 4, leader, term);
    assert_eq!(order.step(answer), Ok(()));
    let stranger = Message::new(MessageKind::AppendResponse, 9, leader, term);
    assert_eq!(order.step(stranger), Err(StepError::NotAPeer { from: 9 }));
}

#[test]
fn a_restart_takes_the_voters_that_it_is_told_and_finds_the_change_in_its_log() {
    let entry = |index, data: &'static [u8]| order::Entry { index, term: 1, data: data.into() };
    let restored = Restored {
        hard_state: order::HardState { term: 1, vote: 0, commit: 2 },
        applied: 1,
        tail: vec![entry(1, b"pay"), entry(2, b"-3")],
        last_index: 2,
        terms: vec![(1, 1)],
        ..Restored::default()
    };
    let config = Config { change_of, ..Config::new(1, vec![1, 2, 3], 7) };
    let mut order = Order::new(config, restored).unwrap();
    // A change that is committed and not applied keeps it from standing for election.
    (0..100).for_each(|_| order.tick());
    assert_eq!(order.status().role, Role::Follower);
    let output = order.take_output();
    assert_eq!(output.committed.iter().map(|entry| entry.index).collect::<Vec<_>>(), [2]);
    order.apply_change(Change::Leave(3));
    order.applied(2);
    assert_eq!(order.voters().collect::<Vec<_>>(), [1, 2]);
    (0..30).for_each(|_| order.tick());
    assert_ne!(order.status().role, Role::Follower);
}

#[test]
fn who_leaves_while_it_follows_knows_no_leader_any_more() {
    let mut group = Group::new(&[1, 2, 3], &[]);
    group.order("one");
    let leader = group.leader();
    let (leaver, change) = if leader == 1 { (2, "-2") } else { (1, "-1") };
    assert_eq!(group.nodes[&leaver].status().leader, Some(leader));
    group.change(change);
    assert!(group.texts(leaver).contains(&change), "it hears of it");
    group.run(100);
    assert_eq!(group.nodes[&leaver].status().leader, None);
    assert_eq!(group.leader(), leader);
}
