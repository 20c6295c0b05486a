//! Snapshots, the release of the log before them, and a node that gets back from another what it lacks.
#![allow(clippy::unwrap_used)]

mod asked;
#[path = "../common/mod.rs"]
mod common;
mod cosigned;
mod voices;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Command, LedgerTime, Leg, Legs, ParticipantNumber, Transfer, TransferId,
};
use settlement_node::{
    event::{Effects, Event},
    forms::{history_block, log_op},
    mend::{Ask, Mender},
    node::Node,
    old_ids::OldIdsOnDisk,
    prepare::PreparedSubmission,
    recover::{self, Start, Started, Wounds},
    serve::Shelf,
    storage::{Folders, Storage},
    store::{
        history::{HistoryBlock, HistoryOptions, HistoryReader},
        snapshots::{Place, Snapshots},
        vfs::{MemVfs, Vfs},
        wal::{WalEntry, WalHardState, WalOp, WalOptions},
    },
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    client::Cursor,
    genesis::{Genesis, GenesisNode},
    repair::{Answer, Got, Request, Want},
};

const BANK: ParticipantNumber = ParticipantNumber(0);

/// A network of one node, driven by hand.
struct Lone {
    genesis: Genesis,
    key: SigningKey,
    storage: Storage,
    node: Node,
    now: u64,
    next: u64,
}

fn open(vfs: &MemVfs, genesis: &Genesis) -> Storage {
    let options = WalOptions {
        segment_bytes: 32 << 10,
        background: false,
        node_id: 1,
        network_id: genesis.domain.network,
        ..WalOptions::default()
    };
    let history = HistoryOptions { file_bytes: 32 << 10, sync_bytes: 16 << 10 };
    let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    Storage::open(vfs, Folders::under(Path::new("/data")), options, history).unwrap()
}

fn start(storage: &mut Storage, genesis: &Genesis) -> Started {
    start_with(storage, genesis, 20_000)
}

fn start_with(storage: &mut Storage, genesis: &Genesis, snapshot_bytes: u64) -> Started {
    let start = Start { id: 1, genesis, seed: 7, table_key: [1, 2], snapshot_bytes };
    recover::start(&start, storage).unwrap()
}

impl Lone {
    fn begin(vfs: &MemVfs, genesis: &Genesis, key: &SigningKey) -> Self {
        Self::begin_with(vfs, genesis, key, 20_000)
    }

    fn begin_with(vfs: &MemVfs, genesis: &Genesis, key: &SigningKey, bytes: u64) -> Self {
        let mut storage = open(vfs, genesis);
        let Started::Ready(node) = start_with(&mut storage, genesis, bytes) else {
            panic!("a whole disk needs no mending")
        };
        let now = node.chain().time().0.max(10);
        let (genesis, key) = (genesis.clone(), key.clone());
        let mut lone = Self { genesis, key, storage, node: *node, now, next: 0 };
        // The last commit is known again once it leads.
        (0..40).for_each(|_| lone.turn(Event::Tick));
        lone.next = lone.node.chain().settled() + 1;
        lone
    }

    /// One event, and everything that follows from it, done at once.
    fn turn(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            self.now += 1;
            let mut effects = Effects::default();
            self.node.on(LedgerTime(self.now), event, &mut effects);
            self.node.settle(&mut effects).unwrap();
            for persist in effects.persist {
                let op = persist.op;
                self.storage.wal.append(&[log_op(persist)]).unwrap();
                events.insert(0, Event::Persisted { op });
            }
            for block in effects.history {
                self.storage.history.append(&history_block(&block)).unwrap();
            }
            if let Some(checkpoint) = effects.snapshot {
                self.storage.history.sync().unwrap();
                let (place, head) = (checkpoint.place, checkpoint.head());
                let body =
                    |sink: &mut settlement_node::store::snapshots::Sink<'_>| checkpoint.body(sink);
                self.storage.snapshots.write(place, &head, body).unwrap();
                events.insert(0, Event::SnapshotWritten { place });
            }
            if let Some(index) = effects.release_log_below {
                self.storage.wal.release_below(index);
            }
            assert!(effects.alarms.is_empty(), "{:?}", effects.alarms);
        }
    }

    /// One batch of transfers to itself, settled.
    fn pay(&mut self, count: u64) {
        let mut builder = BatchBuilder::new(&self.genesis.domain, BANK, LedgerTime(u64::MAX));
        for _ in 0..count {
            let mut id = [0x40; 16];
            id[..8].copy_from_slice(&self.next.to_be_bytes());
            self.next += 1;
            let leg =
                Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(1) };
            builder.push(&Command::Transfer(Transfer {
                id: TransferId(id),
                legs: Legs::One(leg),
                document: None,
                options: None,
            }));
        }
        let (batch, _) = builder.sign(&[(BANK, &self.key)]);
        let frame = encode_submission(&batch, &[]);
        let old = OldIdsOnDisk(self.storage.runs.clone());
        let prepared = PreparedSubmission::check(frame, &self.genesis.domain, &old).unwrap();
        self.turn(Event::SessionOpened { session: 1, participant: BANK });
        let settled = self.node.chain().settled();
        self.turn(Event::Submit { session: 1, prepared });
        assert_eq!(self.node.chain().settled(), settled + count);
    }

    fn shelf(&mut self) -> Shelf {
        self.storage.history.sync().unwrap();
        Shelf {
            snapshots: self.storage.snapshots.clone(),
            runs: self.storage.runs.clone(),
            history: self.storage.history.reader(),
            log: self.storage.wal.reader(),
            committed: u64::MAX,
        }
    }

    fn roots(&self) -> (u64, ledger::Digest, proof::Hash, u64) {
        let chain = self.node.chain();
        (chain.height().0, chain.state_root(), chain.log_root(), chain.settled())
    }
}

/// Mends from one peer until it is done; `harm` may change an answer.
fn mend(
    storage: Storage,
    genesis: &Genesis,
    wounds: Wounds,
    shelf: &Shelf,
    mut harm: impl FnMut(u64, &mut Got),
) -> Result<(Storage, Vec<String>), Vec<String>> {
    let mender = Mender::new(storage, genesis.clone(), wounds);
    let mut answered = 0;
    mend_with(mender, &[(2, shelf)], |_, got| {
        harm(answered, got);
        answered += 1;
    })
}

/// Mends from several peers until it is done, or for a while.
fn mend_with(
    mut mender: Mender,
    shelves: &[(u64, &Shelf)],
    mut harm: impl FnMut(u64, &mut Got),
) -> Result<(Storage, Vec<String>), Vec<String>> {
    let peers: Vec<u64> = shelves.iter().map(|shelf| shelf.0).collect();
    let mut ask: Option<Ask> = None;
    for _ in 0..1_000 {
        if mender.is_done() {
            let alarms = std::mem::take(&mut mender.alarms);
            return Ok((mender.into_storage(), alarms));
        }
        ask = match ask.take() {
            None => mender.tick(&peers),
            Some(ask) => {
                let shelf = shelves.iter().find(|shelf| shelf.0 == ask.peer).unwrap().1;
                let answer = shelf.answer(&ask.request).0;
                let mut answer = Answer::decode(answer.encode()).unwrap();
                harm(ask.peer, &mut answer.got);
                mender.answer(ask.peer, answer).unwrap()
            }
        };
    }
    mender.alarms.push(mender.progress());
    Err(mender.alarms)
}

/// The network as a node of three or more sees it that is not driven by hand.
fn of_many(genesis: &Genesis, nodes: u64) -> Genesis {
    let mut genesis = genesis.clone();
    let first = genesis.nodes[0].clone();
    genesis.nodes.extend((2..=nodes).map(|id| GenesisNode { id, ..first.clone() }));
    genesis
}

/// The blocks of a history, without where they stood in the log.
fn blocks_of(reader: &HistoryReader) -> Vec<HistoryBlock> {
    let last = reader.last_height().unwrap_or(0);
    let block = |height| HistoryBlock { log_index: 0, ..reader.block(height).unwrap().unwrap() };
    (1..=last).map(block).collect()
}

/// Whether all blocks that one has are those of the other.
fn assert_same_blocks(own: &HistoryReader, theirs: &HistoryReader) {
    let (own, theirs) = (blocks_of(own), blocks_of(theirs));
    assert!(own.len() <= theirs.len() && own[..] == theirs[..own.len()]);
}

/// Removes all snapshots of a disk.
fn remove_snapshots(vfs: &MemVfs) {
    for name in vfs.list(Path::new("/data/snapshots")).unwrap() {
        vfs.remove(&Path::new("/data/snapshots").join(name)).unwrap();
    }
}

fn network() -> (Genesis, SigningKey) {
    let key = SigningKey::from_bytes(&[5; 32]);
    (common::genesis("mending", &key), key)
}

#[test]
fn a_restart_goes_on_from_the_snapshot_and_the_log_before_it_is_gone() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut lone = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..400 {
        lone.pay(5);
    }
    let (kept, _) = lone.node.snapshots();
    assert_eq!(kept.len(), 2);
    let first = lone.storage.wal.reader().first_index();
    assert!(first > 100 && first <= kept[0].index + 1, "first {first}, kept {kept:?}");
    let roots = lone.roots();
    for again in 0..3 {
        drop(lone);
        lone = Lone::begin(&if again == 1 { vfs.crash(3) } else { vfs.kill() }, &genesis, &key);
        assert_eq!(lone.roots(), roots, "after restart {again}");
    }
    lone.pay(3);
    lone.node.chain().ledger().check_invariants().unwrap();
}

#[test]
fn a_damaged_newest_snapshot_is_set_aside_for_the_older_one() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut lone = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        lone.pay(5);
    }
    let (roots, newest) = (lone.roots(), *lone.node.snapshots().0.last().unwrap());
    drop(lone);
    let path = format!("/data/snapshots/snapshot-{:020}.state", newest.index);
    vfs.corrupt(Path::new(&path), |bytes| bytes[900] ^= 1).unwrap();
    let lone = Lone::begin(&vfs, &genesis, &key);
    assert_eq!(lone.roots(), roots);
    assert!(lone.storage.findings.iter().any(|one| one.contains("set aside")));
}

#[test]
fn a_node_that_is_far_behind_takes_over_the_state_after_proving_it() {
    let (genesis, key) = network();
    let (there, here) = (MemVfs::new(), MemVfs::new());
    let mut source = Lone::begin(&there, &genesis, &key);
    for _ in 0..10 {
        source.pay(7);
    }
    // The other one stops here, with the same blocks.
    let behind = {
        source.storage.history.sync().unwrap();
        there.fork()
    };
    let old = Lone::begin(&behind, &genesis, &key).roots();
    for _ in 0..300 {
        source.pay(5);
    }
    let shelf = source.shelf();
    for (vfs, height) in [(here, 0), (behind, old.0)] {
        let mut storage = open(&vfs, &genesis);
        let wounds = Wounds { snapshot_above: Some(height + 2), ..Wounds::default() };
        let mended = mend(storage, &genesis, wounds, &shelf, |_, _| ());
        storage = mended.map_err(|alarms| format!("{alarms:?}")).unwrap().0;
        let Started::Ready(node) = start(&mut storage, &genesis) else { panic!("mended") };
        let place = *source.node.snapshots().0.last().unwrap();
        assert_eq!(node.chain().height().0, place.height);
        assert_eq!(node.chain().log_index(), place.index);
        // The blocks before it are all there, and the log goes on after it.
        let (own, theirs) = (storage.history.reader(), source.storage.history.reader());
        assert_eq!(own.last_height(), Some(place.height));
        assert_same_blocks(&own, &theirs);
        assert_eq!(storage.wal.reader().last_index(), place.index);
        drop(storage);
        assert_eq!(Lone::begin(&vfs, &genesis, &key).node.chain().log_index(), place.index + 1);
    }
}

#[test]
fn nothing_that_a_peer_changes_is_taken_over() {
    let (genesis, key) = network();
    let there = MemVfs::new();
    let mut source = Lone::begin(&there, &genesis, &key);
    for _ in 0..200 {
        source.pay(5);
    }
    let shelf = source.shelf();
    let flip = |bytes: &Bytes, at: usize| {
        let mut changed = bytes.to_vec();
        let at = at % changed.len();
        changed[at] ^= 1;
        Bytes::from(changed)
    };
    for case in 0..60usize {
        let vfs = MemVfs::new();
        let storage = open(&vfs, &genesis);
        let wounds = Wounds { snapshot_above: Some(5), ..Wounds::default() };
        let at = case * 7919;
        let harm = |_: u64, got: &mut Got| match got {
            Got::Snapshot(info) => match case % 15 {
                0 => info.digest[at % 32] ^= 1,
                1 => info.index += 1,
                2 => info.term += 1,
                3 => info.height -= 1,
                4 => info.bytes += 1,
                5 => info.bytes = u64::MAX,
                _ => {}
            },
            Got::Piece { total, bytes } => match case % 15 {
                6 => *bytes = flip(bytes, at),
                7 => *total += 1,
                8 => *bytes = Bytes::new(),
                _ => {}
            },
            Got::Blocks(rows) => {
                let row = at % rows.len();
                let row = &mut rows[row];
                match case % 15 {
                    9 => row.block = flip(&row.block, at),
                    10 => row.seal = flip(&row.seal, at),
                    11 => row.leaf_count += 1,
                    12 => row.leaf_count -= 1,
                    13 => row.first_leaf += 1,
                    14 if case < 30 => rows.clear(),
                    14 => row.time_ns += 1,
                    _ => {}
                }
            }
            _ => {}
        };
        let alarms = mend(storage, &genesis, wounds.clone(), &shelf, harm).map(drop).unwrap_err();
        assert!(!alarms.is_empty(), "case {case}");
        // Nothing has its name, and an honest peer can still help.
        let storage = open(&vfs, &genesis);
        assert!(storage.snapshots.list().unwrap().is_empty(), "case {case}");
        let mended = mend(storage, &genesis, wounds, &shelf, |_, _| ());
        let (mut storage, _) = mended.map_err(|alarms| format!("case {case}: {alarms:?}")).unwrap();
        assert!(matches!(start(&mut storage, &genesis), Started::Ready(_)));
    }
}

#[test]
fn a_damaged_old_block_does_not_keep_a_node_from_being_mended() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let roots = source.roots();
    let first_index = source.storage.wal.reader().first_index();
    source.storage.history.sync().unwrap();
    // Both snapshots are gone, the log before them and the last blocks are, and an old block is damaged.
    let harmed = vfs.fork();
    let shelf = source.shelf();
    for name in harmed.list(Path::new("/data/history")).unwrap().iter().rev().take(4) {
        harmed.remove(&Path::new("/data/history").join(name)).unwrap();
    }
    remove_snapshots(&harmed);
    let path = Path::new("/data/history/history-00000000000000000001.blocks");
    harmed.corrupt(path, |bytes| bytes[4_400] ^= 4).unwrap();
    let mut storage = open(&harmed, &genesis);
    let Started::Wounded(wounds) = start(&mut storage, &genesis) else { panic!("no state") };
    // The one right before the log would do.
    assert_eq!(wounds.snapshot_above, Some(first_index - 2));
    let mended = mend(storage, &genesis, wounds, &shelf, |_, _| ());
    let (mut storage, alarms) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
    assert!(alarms.iter().any(|alarm| alarm.contains("is damaged")), "{alarms:?}");
    assert!(matches!(start(&mut storage, &genesis), Started::Ready(_)));
    let (own, theirs) = (storage.history.reader(), source.storage.history.reader());
    assert_same_blocks(&own, &theirs);
    drop(storage);
    assert_eq!(Lone::begin(&harmed, &genesis, &key).roots(), roots);
}

#[test]
fn blocks_that_are_missing_below_the_state_are_fetched() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let roots = source.roots();
    source.storage.history.sync().unwrap();
    // The other one has the same files at first.
    let harmed = vfs.fork();
    let shelf = source.shelf();
    for name in harmed.list(Path::new("/data/history")).unwrap().iter().rev().take(4) {
        harmed.remove(&Path::new("/data/history").join(name)).unwrap();
    }
    let mut storage = open(&harmed, &genesis);
    let Started::Wounded(wounds) = start(&mut storage, &genesis) else { panic!("blocks are gone") };
    assert!(wounds.history.is_some() && wounds.snapshot_above.is_none(), "{wounds}");
    let mended = mend(storage, &genesis, wounds, &shelf, |_, _| ());
    let (mut storage, alarms) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
    assert!(alarms.iter().any(|alarm| alarm.contains("mended")), "{alarms:?}");
    assert!(matches!(start(&mut storage, &genesis), Started::Ready(_)));
    drop(storage);
    assert_eq!(Lone::begin(&harmed, &genesis, &key).roots(), roots);
}

/// The first file of the history.
fn first_blocks(vfs: &MemVfs) -> std::path::PathBuf {
    let names = vfs.list(Path::new("/data/history")).unwrap();
    let name = names.iter().find(|name| name.ends_with(".blocks")).unwrap();
    Path::new("/data/history").join(name)
}

#[test]
fn own_blocks_that_are_damaged_are_fetched_with_those_that_are_missing() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let roots = source.roots();
    let shelf = source.shelf();
    let harmed = vfs.fork();
    for name in harmed.list(Path::new("/data/history")).unwrap().iter().rev().take(4) {
        harmed.remove(&Path::new("/data/history").join(name)).unwrap();
    }
    harmed.corrupt(&first_blocks(&harmed), |bytes| bytes[9_000] ^= 1).unwrap();
    // No snapshot vouches for the blocks up to it.
    let older = source.node.snapshots().0[0].index;
    let path = format!("/data/snapshots/snapshot-{older:020}.state");
    harmed.remove(Path::new(&path)).unwrap();
    let mut storage = open(&harmed, &genesis);
    let Started::Wounded(wounds) = start(&mut storage, &genesis) else { panic!("blocks are gone") };
    let mended = mend(storage, &genesis, wounds, &shelf, |_, _| ());
    let (storage, _) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
    let own = storage.history.reader();
    assert_same_blocks(&own, &shelf.history);
    drop(storage);
    assert_eq!(Lone::begin(&harmed, &genesis, &key).roots(), roots);
}

#[test]
fn damaged_blocks_that_the_log_still_has_are_written_again() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut lone = Lone::begin_with(&vfs, &genesis, &key, u64::MAX);
    for _ in 0..200 {
        lone.pay(5);
    }
    let roots = lone.roots();
    lone.storage.history.sync().unwrap();
    drop(lone);
    vfs.corrupt(&first_blocks(&vfs), |bytes| bytes[9_000] ^= 1).unwrap();
    let mut lone = Lone::begin_with(&vfs, &genesis, &key, u64::MAX);
    assert_eq!(lone.roots(), roots);
    assert!(lone.storage.findings.iter().any(|one| one.contains("written again")));
    lone.storage.history.flush().unwrap();
    let reader = lone.storage.history.reader();
    for height in 1..=roots.0 {
        assert_eq!(reader.block(height).unwrap().unwrap().height, height);
    }
}

/// After it was mended a node has one snapshot, right before its log, and no block in memory.
#[test]
fn a_mended_node_serves_old_payments_and_takes_the_same_snapshot_again() {
    let (genesis, key) = network();
    let (there, here) = (MemVfs::new(), MemVfs::new());
    let mut source = Lone::begin(&there, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let shelf = source.shelf();
    let wounds = Wounds { snapshot_above: Some(2), ..Wounds::default() };
    let mended = mend(open(&here, &genesis), &genesis, wounds, &shelf, |_, _| ());
    let mut storage = mended.unwrap().0;
    let Started::Ready(mut node) = start(&mut storage, &genesis) else { panic!("mended") };
    let mut effects = Effects::default();
    let after = Cursor { height: 3, commands: 0 };
    for event in [
        Event::SessionOpened { session: 4, participant: BANK },
        Event::Subscribe { session: 4, after },
        Event::Tick,
    ] {
        node.on(LedgerTime(u64::MAX / 2), event, &mut effects);
        node.settle(&mut effects).unwrap();
    }
    let scan = effects.scans.first().expect("what is not in memory is searched for");
    assert_eq!((scan.after, scan.up_to), (after, node.chain().height().0));
    drop(storage);
    let index = node.chain().log_index();
    let path = format!("/data/snapshots/snapshot-{index:020}.state");
    here.corrupt(Path::new(&path), |bytes| bytes[900] ^= 1).unwrap();
    let mut storage = open(&here, &genesis);
    let Started::Wounded(wounds) = start(&mut storage, &genesis) else { panic!("it is damaged") };
    let mended = mend(storage, &genesis, wounds, &shelf, |_, _| ());
    let (mut storage, _) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
    let Started::Ready(node) = start(&mut storage, &genesis) else { panic!("mended again") };
    assert_eq!(node.chain().log_index(), index);
}

/// Others may need the vote of a node that is behind, to be able to help it at all.
#[test]
fn a_node_that_is_only_behind_goes_on_when_nobody_has_more() {
    let (genesis, key) = network();
    let (there, here) = (MemVfs::new(), MemVfs::new());
    let mut source = Lone::begin(&there, &genesis, &key);
    source.pay(3);
    let shelf = source.shelf();
    assert!(shelf.snapshots.list().unwrap().is_empty());
    for only_behind in [true, false] {
        let wounds = Wounds { snapshot_above: Some(9), only_behind, ..Wounds::default() };
        let mended = mend(open(&here, &genesis), &genesis, wounds, &shelf, |_, _| ());
        assert_eq!(mended.is_ok(), only_behind);
        if let Ok((mut storage, alarms)) = mended {
            assert!(alarms[0].contains("goes on as it is"), "{alarms:?}");
            assert!(matches!(start(&mut storage, &genesis), Started::Ready(_)));
        }
    }
}
