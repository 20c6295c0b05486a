//! One node and a shell that is always quick.

use bytes::Bytes;
use order::{Config, Entry, Message, MessageKind, Order, Output, Restored, Role};

pub(crate) fn node(voters: &[u64], restored: Restored) -> Order {
    let mut config = Config::new(voters[0], voters.to_vec(), 7);
    config.entry_bytes_max = 100;
    config.message_bytes_max = 200;
    config.uncommitted_bytes_max = 250;
    Order::new(config, restored).unwrap()
}

pub(crate) fn entry(index: u64, term: u64) -> Entry {
    Entry { index, term, data: Bytes::from_static(b"data") }
}

pub(crate) fn append(
    from: u64,
    term: u64,
    before: (u64, u64),
    entries: Vec<Entry>,
    commit: u64,
) -> Message {
    let (index, log_term) = before;
    Message { index, log_term, entries, commit, ..Message::new(MessageKind::Append, from, 1, term) }
}

/// Reports every write as durable and everything handed out as applied, until nothing is left.
pub(crate) fn settle(order: &mut Order) -> Output {
    let mut all = Output::default();
    loop {
        let output = order.take_output();
        if output.is_empty() {
            return all;
        }
        if let Some(write) = output.persist.last() {
            order.persisted(write.op);
        }
        if let Some(entry) = output.committed.last() {
            order.applied(entry.index);
        }
        all.messages.extend(output.messages);
        all.persist.extend(output.persist);
        all.committed.extend(output.committed);
        all.reads.extend(output.reads);
        all.fetches.extend(output.fetches);
        all.needs_snapshot = output.needs_snapshot.or(all.needs_snapshot);
        all.recovered |= output.recovered;
    }
}

/// Makes node 1 the leader of a group of three by the votes of node 2; returns its term.
pub(crate) fn lead(order: &mut Order) -> u64 {
    while order.status().role == Role::Follower {
        order.tick();
    }
    settle(order);
    let term = order.status().term + 1;
    order.step(Message::new(MessageKind::RequestPreVoteResponse, 2, 1, term)).unwrap();
    settle(order);
    order.step(Message::new(MessageKind::RequestVoteResponse, 2, 1, term)).unwrap();
    settle(order);
    assert_eq!(order.status().role, Role::Leader);
    term
}
