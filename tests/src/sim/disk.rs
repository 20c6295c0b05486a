//! One node's disk: the real log, history and runs over a disk in memory, and reading them.

use std::{collections::VecDeque, path::Path, sync::Arc};

use settlement_node::{
    event::{Find, Scan},
    forms::{log_op, order_entry},
    node::Node,
    old_ids::OldIdsOnDisk,
    past::Past,
    prepare::OldIdSource,
    recover::{self, Start},
    store::{
        history::{History, HistoryBlock, HistoryOptions},
        runs::RunSets,
        vfs::{MemVfs, Vfs},
        wal::{Wal, WalOp, WalOptions, WalReader},
    },
};
use wire::{
    client::{Cursor, Delivery, QueryAnswer},
    genesis::Genesis,
};

/// Small, so that a search needs several readings.
const SCAN_BYTES: u64 = 6_000;

/// The open files of a running node.
pub(super) struct Disk {
    wal: Wal,
    history: History,
    pub(super) log: WalReader,
    past: Past,
    pub(super) old_ids: Arc<dyn OldIdSource>,
    waiting: VecDeque<(u64, WalOp)>,
    /// Written but not synced: the steps, and the number of the last.
    writing: Option<(Vec<WalOp>, u64)>,
}

impl Disk {
    /// Opens what is there and computes the node from it.
    pub(super) fn start(vfs: &MemVfs, id: u64, genesis: &Genesis, seed: u64) -> (Self, Node) {
        let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
        let options = WalOptions {
            segment_bytes: 256 << 10,
            background: false,
            node_id: id,
            network_id: genesis.domain.network,
            ..WalOptions::default()
        };
        let (wal, recovered) =
            Wal::open(Arc::clone(&vfs), Path::new("/wal"), options).expect("the log opens");
        let history_options = HistoryOptions { file_bytes: 32 << 10, sync_bytes: 16 << 10 };
        let mut history = History::open(Arc::clone(&vfs), Path::new("/history"), history_options)
            .expect("the history opens");
        let runs = RunSets::open(vfs, Path::new("/runs")).expect("the runs open");
        let old_ids: Arc<dyn OldIdSource> = Arc::new(OldIdsOnDisk(runs));
        let log = wal.reader();
        let start = Start {
            id,
            genesis,
            recovered: &recovered,
            log: &log,
            old_ids: Arc::clone(&old_ids),
            seed,
            table_key: [seed, seed.rotate_left(32)],
        };
        // A run of a simulation is far too short for a generation of ids to fill up.
        let node =
            recover::start(&start, &mut history, |number, _| panic!("generation {number} is full"))
                .expect("the node starts from its disk");
        let past = Past {
            history: history.reader(),
            domain: genesis.domain,
            old_ids: Arc::clone(&old_ids),
        };
        let (waiting, writing) = (VecDeque::new(), None);
        (Self { wal, history, log, past, old_ids, waiting, writing }, node)
    }

    pub(super) fn submit(&mut self, persist: order::Persist) {
        let number = persist.op;
        self.waiting.push_back((number, log_op(persist)));
    }

    /// Writes all that waits, if nothing is being written. Returns whether a sync has begun.
    pub(super) fn begin(&mut self) -> bool {
        if self.writing.is_some() || self.waiting.is_empty() {
            return false;
        }
        let mut last = 0;
        let mut ops = Vec::with_capacity(self.waiting.len());
        for (number, op) in self.waiting.drain(..) {
            last = number;
            ops.push(op);
        }
        self.wal.write(&ops).expect("the log is written");
        self.writing = Some((ops, last));
        true
    }

    /// Ends the sync. Returns the last step that is durable now.
    pub(super) fn end(&mut self) -> u64 {
        let (ops, last) = self.writing.take().expect("a sync has begun");
        self.wal.sync_if(&ops).expect("the log is synced");
        last
    }

    pub(super) fn append(&mut self, block: &HistoryBlock) {
        self.history.append(block).expect("the history takes the next block");
    }

    pub(super) fn flush_history(&mut self, sync: bool) {
        if sync { self.history.sync() } else { self.history.flush() }.expect("history is written");
    }

    pub(super) fn mark_durable(&mut self) {
        if self.writing.is_none() {
            self.wal.mark_durable().expect("the superblock is written");
        }
    }

    pub(super) fn fetch(&self, fetch: &order::Fetch) -> Option<Vec<order::Entry>> {
        let entries = self.log.read(fetch.low, fetch.high, fetch.bytes_max).ok()?;
        Some(entries.into_iter().map(order_entry).collect())
    }

    /// Deliveries after the scan's place as far as one reading goes, and how far that was.
    pub(super) fn search(&self, scan: &Scan) -> (Vec<Delivery>, Cursor) {
        self.past.search(scan, SCAN_BYTES).expect("the history is read")
    }

    pub(super) fn find(&self, find: &Find) -> QueryAnswer {
        self.past.find(find).expect("the history is read")
    }
}
