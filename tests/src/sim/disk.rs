//! One node's disk: the real log, history and runs over a disk in memory, and reading them.
//!
//! An error is returned as text: the process stops then, as the real one does. Beside the real log it
//! is noted what of it a power loss could not take any more ([`Safe`]).

use std::{collections::VecDeque, path::Path, sync::Arc};

use settlement_node::{
    checkpoint::ChainCheckpoint,
    event::{Find, Scan},
    forms::{log_op, order_entry},
    node::Node,
    old_ids::OldIdsOnDisk,
    past::{Past, PastError},
    prepare::OldIdSource,
    recover::{self, Start, Started, Wounds},
    serve::Shelf,
    storage::{Damage, Folders, Storage},
    store::{
        history::{History, HistoryBlock, HistoryError, HistoryOptions},
        scrub::{Scrubber, SnapshotSource},
        vfs::{MemVfs, Vfs},
        wal::{ReadError, Recovered, Wal, WalError, WalHardState, WalOp, WalOptions, WalReader},
    },
};
use wire::{
    client::{Cursor, Delivery, QueryAnswer},
    genesis::Genesis,
};

const LOG: &str = "/wal";
/// Small, so that a search needs several readings.
const SCAN_BYTES: u64 = 6_000;
/// Small, so that the log rolls over; room for the largest block of a run.
const SEGMENT_BYTES: u64 = 192 << 10;

/// What of a node's log would outlast a power loss at this moment, whatever it takes.
#[derive(Clone, Default)]
pub(super) struct Safe {
    /// The log, also while the node is down.
    log: Option<WalReader>,
    /// Entries up to this one, as the log has them.
    pub(super) upto: u64,
    /// Entries up to this one are in a durable snapshot.
    snapshot: u64,
    /// The term and whom the node voted for in it.
    pub(super) vote: (u64, u64),
    /// The log has lost entries and says so.
    has_lost: bool,
}

impl Safe {
    /// Whether an entry is safe here.
    pub(super) fn holds(&self, index: u64, term: u64) -> bool {
        index <= self.snapshot
            || index <= self.upto
                && self.log.as_ref().is_some_and(|log| log.term(index) == Some(term))
    }

    fn of(log: WalReader, recovered: &Recovered, snapshot: u64) -> Self {
        let state = recovered.hard_state.unwrap_or_default();
        let vote = (state.term, state.vote);
        let (upto, has_lost) = (recovered.last_index, recovered.lost_term.is_some());
        Self { log: Some(log), upto, snapshot, vote, has_lost }
    }

    /// Whether a log that was read back has all that was safe before, or says that it has not.
    pub(super) fn check_kept(&self, node: u64, now: &Self) {
        let (Some(before), Some(log)) = (&self.log, &now.log) else { return };
        let term = before.term(self.upto);
        assert!(
            now.has_lost
                || now.snapshot >= self.upto
                || now.upto >= self.upto && log.term(self.upto) == term,
            "node {node} lost durable entries: had {} of {term:?}, has {} with {:?} there",
            self.upto,
            now.upto,
            log.term(self.upto)
        );
        let (old, new) = (self.vote, now.vote);
        assert!(
            new.0 > old.0 || (new.0 == old.0 && (old.1 == 0 || old.1 == new.1)),
            "node {node} lost its durable term or vote: {old:?} became {new:?}"
        );
    }
}

/// The open files of a running node.
pub(super) struct Disk {
    vfs: MemVfs,
    wal: Wal,
    pub(super) safe: Safe,
    history: History,
    pub(super) log: WalReader,
    past: Past,
    pub(super) old_ids: Arc<dyn OldIdSource>,
    waiting: VecDeque<(u64, WalOp)>,
    /// Written but not synced: the steps, and the number of the last.
    writing: Option<(Vec<WalOp>, u64)>,
    /// What to do with the log when nothing is being written.
    release_below: Option<u64>,
    is_whole: bool,
    /// What peers may have.
    pub(super) shelf: Shelf,
    /// What reads everything again and again.
    pub(super) scrubber: Scrubber,
}

/// What came of a start.
pub(super) enum Opened {
    Ready(Box<(Node, Disk)>),
    Wounded(Box<Storage>, Wounds),
}

impl Disk {
    /// Opens what is there, without what was found damaged.
    pub(super) fn open(
        machine: &MemVfs,
        id: u64,
        genesis: &Genesis,
        damage: Option<Damage>,
    ) -> Result<Storage, String> {
        let vfs: Arc<dyn Vfs> = Arc::new(machine.clone());
        let folders = Folders::under(Path::new("/"));
        if let Some(damage) = damage {
            damage.set_aside(&vfs, &folders).map_err(text("set aside"))?;
        }
        let options = wal_options(id, genesis);
        let history_options = HistoryOptions { file_bytes: 32 << 10, sync_bytes: 16 << 10 };
        Storage::open(vfs, folders, options, history_options).map_err(text("open the storage"))
    }

    /// Computes the node from what is there.
    pub(super) fn start(
        machine: &MemVfs,
        mut storage: Storage,
        id: u64,
        genesis: &Genesis,
        seed: u64,
        snapshot_bytes: u64,
    ) -> Result<Opened, String> {
        let table_key = [seed, seed.rotate_left(32)];
        let start = Start { id, genesis, seed, table_key, snapshot_bytes };
        let node = match recover::start(&start, &mut storage).map_err(text("start"))? {
            Started::Ready(node) => node,
            Started::Wounded(wounds) => return Ok(Opened::Wounded(Box::new(storage), wounds)),
        };
        let newest = node.snapshots().0.last().map_or(0, |place| place.index);
        let Storage { wal, recovered, history, runs, snapshots, .. } = storage;
        let unsynced = machine.unsynced(Path::new(LOG));
        assert!(unsynced.is_empty(), "node {id} started from what is not durable: {unsynced:?}");
        let log = wal.reader();
        let safe = Safe::of(log.clone(), &recovered, newest);
        let old_ids: Arc<dyn OldIdSource> = Arc::new(OldIdsOnDisk(runs.clone()));
        let past = Past {
            history: history.reader(),
            domain: genesis.domain,
            old_ids: Arc::clone(&old_ids),
        };
        let committed = u64::MAX;
        let shelf =
            Shelf { snapshots, runs, history: history.reader(), log: log.clone(), committed };
        let mut scrubber = Scrubber::new(log.clone(), shelf.history.clone(), shelf.runs.clone());
        scrubber.add(Box::new(SnapshotSource::new(shelf.snapshots.clone())));
        let disk = Self {
            vfs: machine.clone(),
            wal,
            safe,
            history,
            log,
            past,
            old_ids,
            waiting: VecDeque::new(),
            writing: None,
            release_below: None,
            is_whole: false,
            shelf,
            scrubber,
        };
        Ok(Opened::Ready(Box::new((*node, disk))))
    }

    /// Writes a snapshot, after making the blocks below it durable.
    pub(super) fn snapshot(&mut self, checkpoint: &ChainCheckpoint) -> Result<(), String> {
        self.history.sync().map_err(text("sync the history"))?;
        let head = checkpoint.head();
        let written =
            self.shelf.snapshots.write(checkpoint.place, &head, |sink| checkpoint.body(sink));
        written.map_err(text("write a snapshot"))?;
        self.safe.snapshot = self.safe.snapshot.max(checkpoint.place.index);
        Ok(())
    }

    /// What the loop wants of the log beside writing to it.
    pub(super) fn tend(
        &mut self,
        release_below: Option<u64>,
        is_whole: bool,
    ) -> Result<(), String> {
        self.release_below = release_below.or(self.release_below);
        self.is_whole |= is_whole;
        if self.writing.is_some() {
            return Ok(());
        }
        if let Some(index) = self.release_below.take() {
            self.wal.release_below(index);
        }
        if std::mem::take(&mut self.is_whole) {
            self.wal.forget_loss().map_err(text("write the superblock"))?;
        }
        Ok(())
    }

    pub(super) fn submit(&mut self, persist: order::Persist) {
        let number = persist.op;
        self.waiting.push_back((number, log_op(persist)));
    }

    /// Writes all that waits, if nothing is being written. Returns whether a sync has begun.
    pub(super) fn begin(&mut self) -> Result<bool, String> {
        if self.writing.is_some() || self.waiting.is_empty() {
            return Ok(false);
        }
        let mut last = 0;
        let mut ops = Vec::with_capacity(self.waiting.len());
        for (number, op) in self.waiting.drain(..) {
            last = number;
            // What is replaced counts as gone from the first byte on.
            if let Some(first) = op.entries.first() {
                self.safe.upto = self.safe.upto.min(first.index - 1);
            }
            ops.push(op);
        }
        self.wal.write(&ops).map_err(text("write the log"))?;
        self.writing = Some((ops, last));
        Ok(true)
    }

    /// Ends the sync. Returns the last step that is durable now.
    pub(super) fn end(&mut self) -> Result<u64, String> {
        let (ops, last) = self.writing.take().expect("a sync has begun");
        self.wal.sync_if(&ops).map_err(text("sync the log"))?;
        // What the disk says counts, not what the log believes.
        if self.vfs.is_synced(Path::new(LOG)) {
            self.safe.upto = self.log.last_index();
            if let Some(WalHardState { term, vote, .. }) =
                ops.iter().rev().find_map(|op| op.hard_state)
            {
                self.safe.vote = (term, vote);
            }
        }
        self.tend(None, false)?;
        Ok(last)
    }

    pub(super) fn append(&mut self, block: &HistoryBlock) -> Result<(), HistoryError> {
        self.history.append(block)
    }

    pub(super) fn flush_history(&mut self, sync: bool) -> Result<(), String> {
        let done = if sync { self.history.sync() } else { self.history.flush() };
        done.map_err(text("write the history"))
    }

    pub(super) fn mark_durable(&mut self) -> Result<(), String> {
        if self.writing.is_some() {
            return Ok(());
        }
        self.wal.mark_durable().map_err(text("write the superblock"))
    }

    pub(super) fn fetch(&self, fetch: &order::Fetch) -> Result<Vec<order::Entry>, ReadError> {
        let entries = self.log.read(fetch.low, fetch.high, fetch.bytes_max)?;
        Ok(entries.into_iter().map(order_entry).collect())
    }

    /// Deliveries after the scan's place as far as one reading goes, and how far that was.
    pub(super) fn search(&self, scan: &Scan) -> Result<(Vec<Delivery>, Cursor), PastError> {
        self.past.search(scan, SCAN_BYTES)
    }

    pub(super) fn find(&self, find: &Find) -> Result<QueryAnswer, PastError> {
        self.past.find(find)
    }
}

/// Whether the log on a disk, after a power loss that took all it could, is one that says it is damaged.
pub(super) fn is_log_corrupt(machine: &MemVfs, id: u64, genesis: &Genesis) -> bool {
    let opened =
        Wal::open(Arc::new(machine.fork_synced()), Path::new(LOG), wal_options(id, genesis));
    matches!(opened, Err(WalError::Corrupt { .. }))
}

fn wal_options(id: u64, genesis: &Genesis) -> WalOptions {
    WalOptions {
        segment_bytes: SEGMENT_BYTES,
        background: false,
        node_id: id,
        network_id: genesis.domain.network,
        ..WalOptions::default()
    }
}

/// Says what was being done, with every cause.
pub(super) fn text<E: std::error::Error>(what: &'static str) -> impl FnOnce(E) -> String {
    move |error| {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        text
    }
}
