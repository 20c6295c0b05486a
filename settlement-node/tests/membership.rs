//! Decisions about nodes are carried out by the node itself, survive restarts, and nobody can invent one.

#![allow(clippy::unwrap_used)]

mod common;

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;
use ledger::{
    Command, Content, LedgerTime, NodeDescription, NodeStep, ParticipantNumber, Propose, Seat,
    TransferId,
};
use order::{Entry, Message, MessageKind};
use settlement_node::{
    event::{Effects, Event},
    forms::log_op,
    node::Node,
    peer_message,
    prepare::PreparedBlock,
    recover::{self, Start, Started},
    storage::{Folders, Storage},
    store::{
        history::HistoryOptions,
        vfs::{MemVfs, Vfs},
        wal::WalOptions,
    },
};
use wire::{block, genesis::Genesis};

const NOW: LedgerTime = LedgerTime(2_000_000_000);

/// Node 1 votes and node 2 stands by, unless `decided`: then it was decided that node 2 comes.
fn genesis(decided: Option<[u8; 32]>) -> Genesis {
    let mut genesis =
        common::genesis_with("members", &SigningKey::from_bytes(&[7; 32]), "rules = 2");
    let mut second = genesis.nodes[0].clone();
    (second.id, second.link_key, second.standby) = (2, [2; 32], true);
    genesis.nodes.push(second);
    if let Some(link_key) = decided {
        genesis.commands.push(Command::Propose(Propose {
            id: TransferId([9; 16]),
            proposer: ParticipantNumber(0),
            expires: LedgerTime(0),
            content: Box::new(Content::AddNode {
                id: 2,
                node: NodeDescription {
                    operator: ParticipantNumber(0),
                    link_key,
                    address: "a:1".to_owned(),
                    client_address: "a:2".to_owned(),
                },
            }),
        }));
    }
    genesis
}

fn start(vfs: &MemVfs, id: u64, genesis: &Genesis) -> (Node, Storage) {
    let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let wal = WalOptions {
        node_id: id,
        network_id: genesis.domain.network,
        background: false,
        segment_bytes: 192 << 10,
        ..WalOptions::default()
    };
    let folders = Folders::under(Path::new("/"));
    let mut storage = Storage::open(vfs, folders, wal, HistoryOptions::default()).unwrap();
    let start = Start { id, genesis, seed: 5, table_key: [1, 2], snapshot_bytes: u64::MAX };
    match recover::start(&start, &mut storage).unwrap() {
        Started::Ready(node) => (*node, storage),
        Started::Wounded(wounds) => panic!("lacks {wounds}"),
    }
}

/// Lets time pass and makes durable what is to be; returns the effects but for the writes.
fn run(node: &mut Node, storage: &mut Storage, ticks: usize) -> Effects {
    let mut all = Effects::default();
    for _ in 0..ticks {
        node.on(NOW, Event::Tick, &mut all);
        settle(node, storage, &mut all);
    }
    all
}

fn settle(node: &mut Node, storage: &mut Storage, all: &mut Effects) {
    loop {
        node.settle(all).unwrap();
        let Some(op) = all.persist.last().map(|persist| persist.op) else { return };
        for persist in all.persist.drain(..) {
            storage.wal.append(&[log_op(persist)]).unwrap();
        }
        node.on(NOW, Event::Persisted { op }, all);
    }
}

fn voters(node: &Node) -> Vec<u64> {
    node.membership().voters.iter().copied().collect()
}

#[test]
fn what_was_decided_is_carried_out_and_survives_a_restart() {
    let (genesis, vfs) = (genesis(Some([2; 32])), MemVfs::new());
    let (mut node, mut storage) = start(&vfs, 1, &genesis);
    assert_eq!(voters(&node), [1]);
    let effects = run(&mut node, &mut storage, 40);
    let step = NodeStep { node: 2, seat: Seat::Learner };
    assert_eq!(effects.seated, [step], "it votes only when it has the log");
    assert!(node.membership().learners.contains(&2));
    let root = node.chain().state_root();
    let height = node.chain().height();
    drop((node, storage));
    // How far the log was committed is written along with what comes next, so it may have to lead again first.
    let (mut node, mut storage) = start(&vfs, 1, &genesis);
    run(&mut node, &mut storage, 40);
    assert_eq!((node.chain().height(), node.chain().state_root()), (height, root));
    assert!(node.membership().learners.contains(&2));
    assert_eq!(voters(&node), [1]);
}

#[test]
fn a_decision_about_another_machine_with_the_same_number_changes_nothing() {
    let (genesis, vfs) = (genesis(Some([3; 32])), MemVfs::new());
    let (mut node, mut storage) = start(&vfs, 1, &genesis);
    let effects = run(&mut node, &mut storage, 40);
    assert!(effects.seated.is_empty() && node.membership().learners.is_empty());
}

/// An append of node 2, which says that it leads, with a step in it.
fn injected(genesis: &Genesis, index: u64, step: NodeStep) -> Event {
    let data = block::encode_step(NOW, step);
    let block = PreparedBlock { time: NOW, submissions: Vec::new(), bytes: data.clone() };
    assert_eq!(block.step(), Some(step));
    let message = Message {
        index: index - 1,
        log_term: u64::from(index > 1),
        entries: vec![Entry { index, term: 1, data }],
        ..Message::new(MessageKind::Append, 2, 1, 1)
    };
    assert!(!genesis.nodes.is_empty());
    // As it comes over the line.
    let frame = peer_message::to_wire(message).encode().concat();
    let runs = NoRuns;
    let mut recent = peer_message::RecentBlocks::default();
    let (message, blocks) =
        peer_message::check(2, frame.into(), &genesis.domain, &runs, &mut recent).unwrap();
    Event::Peer { message, blocks }
}

struct NoRuns;

impl settlement_node::prepare::OldIdSource for NoRuns {
    fn version(&self) -> u64 {
        0
    }

    fn find(
        &self,
        _: &[TransferId],
        _: u64,
    ) -> Result<Vec<(TransferId, ledger::IdEntry)>, std::io::Error> {
        Ok(Vec::new())
    }
}

#[test]
fn a_leader_cannot_invent_a_step() {
    for seat in [Seat::Learner, Seat::Voter, Seat::Gone] {
        for node_id in [1, 2, 3] {
            let (genesis, vfs) = (genesis(None), MemVfs::new());
            let (mut node, mut storage) = start(&vfs, 1, &genesis);
            let mut effects = Effects::default();
            node.on(NOW, injected(&genesis, 1, NodeStep { node: node_id, seat }), &mut effects);
            settle(&mut node, &mut storage, &mut effects);
            assert_eq!(node.counters().peer_misbehaviour, 1, "{node_id} {seat:?}");
            assert!(effects.send.is_empty(), "nothing is acknowledged");
            assert_eq!(node.order_status().last_index, 0, "nothing is in the log");
        }
    }
}

#[test]
fn a_step_that_cannot_be_judged_yet_is_left_out() {
    let (genesis, vfs) = (genesis(Some([2; 32])), MemVfs::new());
    let (mut node, mut storage) = start(&vfs, 1, &genesis);
    let step = NodeStep { node: 2, seat: Seat::Learner };
    let Event::Peer { mut message, mut blocks } = injected(&genesis, 2, step) else { panic!() };
    let before = block::encode(NOW, std::iter::empty());
    let time = LedgerTime(NOW.0 - 1);
    (message.index, message.log_term) = (0, 0);
    message.entries.insert(0, Entry { index: 1, term: 1, data: before.clone() });
    let first = PreparedBlock { time, submissions: Vec::new(), bytes: before };
    blocks.insert(0, (1, Arc::new(first)));
    let mut effects = Effects::default();
    node.on(NOW, Event::Peer { message, blocks }, &mut effects);
    settle(&mut node, &mut storage, &mut effects);
    assert_eq!(node.counters().peer_misbehaviour, 0, "{:?}", effects.alarms);
    assert_eq!(node.order_status().last_index, 1, "only what stands before the step");
}
