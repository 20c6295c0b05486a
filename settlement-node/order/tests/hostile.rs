//! Any message of a voter, in any state of the node, is taken or refused, but never stops the process.

use bytes::Bytes;
use order::{Config, Entry, Message, MessageKind, Order, Restored};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..6, 1 => Just(u64::MAX), 1 => Just(1u64 << 62)]
}

fn data() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        Just(Bytes::new()),
        Just(Bytes::from_static(b"data")),
        Just(Bytes::from_static(b"CampaignTransfer")),
        // Well-formed read tags of each node.
        (1u8..4, 0u8..3)
            .prop_map(|(id, n)| Bytes::from([[0; 7].as_slice(), &[id], &[0; 7], &[n]].concat())),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let run = |(first, term, list): (u64, u64, Vec<Bytes>)| {
        let entry = |(index, data)| Entry { index, term, data };
        (first..).zip(list).map(entry).collect()
    };
    prop_oneof![
        Just(Vec::new()),
        (0u64..6, 0u64..5, proptest::collection::vec(data(), 1..4)).prop_map(run),
    ]
}

prop_compose! {
    fn message()(
        kind in 0..MessageKind::ALL.len(), from in 1u64..4, to in prop_oneof![9 => Just(1u64), 1 => 0u64..5],
        term in number(), log_term in number(), index in number(), commit in number(),
        (commit_term, reject, reject_hint) in (number(), any::<bool>(), number()),
        (request_snapshot, priority) in (prop_oneof![9 => Just(0u64), 1 => number()], prop_oneof![9 => Just(0i64), 1 => -1i64..2]),
        (context, entries) in (data(), entries()),
    ) -> Message {
        Message {
            kind: MessageKind::ALL[kind],
            from, to, term, log_term, index, commit, commit_term, reject, reject_hint,
            request_snapshot, priority, context, entries,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Message(Message),
    Tick(u8),
    Propose,
    Read,
    Output,
    Persisted,
    Applied,
    Compact,
    Transfer,
    Unreachable,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => message().prop_map(Step::Message),
        2 => (1u8..25).prop_map(Step::Tick),
        2 => Just(Step::Propose),
        1 => Just(Step::Read),
        4 => Just(Step::Output),
        4 => Just(Step::Persisted),
        2 => Just(Step::Applied),
        1 => Just(Step::Compact),
        1 => Just(Step::Transfer),
        1 => Just(Step::Unreachable),
    ]
}

/// `ORDER_HOSTILE_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("ORDER_HOSTILE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(3000)
}

/// What a shell keeps track of.
#[derive(Default)]
struct Shell {
    op: u64,
    handed_out: u64,
    /// Terms of what was handed out, from index 1.
    terms: Vec<u64>,
}

impl Shell {
    fn output(&mut self, order: &mut Order) {
        let output = order.take_output();
        self.op = output.persist.last().map_or(self.op, |write| write.op);
        for entry in output.committed {
            assert_eq!(entry.index, self.handed_out + 1);
            self.handed_out = entry.index;
            self.terms.push(entry.term);
        }
    }

    /// Everything applied is in a snapshot, and only the last entry of it stays.
    fn compact(&mut self, order: &mut Order) {
        let applied = order.status().applied;
        if applied > 0 {
            order.snapshot_made(applied, self.terms[applied as usize - 1]);
            order.compact(applied);
        }
    }

    fn settle(&mut self, order: &mut Order) {
        for _ in 0..3 {
            self.output(order);
            order.persisted(self.op);
            order.applied(self.handed_out);
        }
    }
}

/// A fresh node, a follower with committed and uncommitted entries, a leader with both, or a node that
/// recovers from a loss.
fn node(state: u8) -> (Order, Shell) {
    let mut config = Config::new(1, vec![1, 2, 3], 7);
    // Small enough that old entries leave the memory.
    (config.entry_bytes_max, config.cache_bytes_max) = (64, 80);
    let lost_term = (state == 3).then_some(2);
    let restored = Restored { lost_term, ..Restored::default() };
    let mut order = Order::new(config, restored).expect("valid");
    let mut shell = Shell::default();
    let mut honest = |order: &mut Order, message: Message| {
        order.step(message).expect("honest");
        shell.settle(order);
    };
    if state == 1 || state == 3 {
        let term = u64::from(state).min(2);
        let entry = |index| Entry { index, term, data: Bytes::from_static(b"data") };
        let entries = (1..=4).map(entry).collect();
        let append =
            Message { entries, commit: 2, ..Message::new(MessageKind::Append, 2, 1, term) };
        honest(&mut order, append);
    }
    if state == 2 {
        (0..20).for_each(|_| order.tick());
        for kind in [MessageKind::RequestPreVoteResponse, MessageKind::RequestVoteResponse] {
            honest(&mut order, Message::new(kind, 2, 1, 1));
        }
        let ack = Message { index: 1, ..Message::new(MessageKind::AppendResponse, 2, 1, 1) };
        honest(&mut order, ack);
        for _ in 0..3 {
            order.propose(Bytes::from_static(b"data")).expect("leads");
            shell.settle(&mut order);
        }
        let ack = Message { index: 3, ..Message::new(MessageKind::AppendResponse, 2, 1, 1) };
        order.step(ack).expect("honest");
        shell.settle(&mut order);
    }
    (order, shell)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_stops_a_node(state in 0u8..4, steps in proptest::collection::vec(step(), 1..60)) {
        let (mut order, mut shell) = node(state);
        for step in steps {
            match step {
                Step::Message(message) => drop(order.step(message)),
                Step::Tick(count) => (0..count).for_each(|_| order.tick()),
                Step::Propose => drop(order.propose(Bytes::from_static(b"x"))),
                Step::Read => drop(order.read_index(1)),
                Step::Output => shell.output(&mut order),
                Step::Persisted => order.persisted(shell.op),
                Step::Applied => order.applied(shell.handed_out),
                Step::Compact => shell.compact(&mut order),
                Step::Transfer => order.transfer_leader(2),
                Step::Unreachable => order.unreachable(3),
            }
        }
    }
}
