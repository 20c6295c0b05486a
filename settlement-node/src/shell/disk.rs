//! The threads that read the disk for the loop, so that the loop never waits for it.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use ledger::Generation;
use link::{ClientServer, OutFrame, PeerLinks, SendResult};
use wire::client::{self, QueryAnswer, ReceiptFound};

use super::{Cause, Loop, http::tlog, serve::Server, space::Space};
use crate::{
    checkpoint::ChainCheckpoint,
    event::{Event, Find, Proof, Scan, Scanned},
    forms,
    limits::{READS_MAX, RUNS_WAITING_MAX, SCAN_BYTES_MAX},
    mirror::MirrorError,
    old_ids::write_generation,
    past::{Past, PastError},
    serve::Shelf,
    storage::Damage,
    store::{
        runs::{Pace, RESTS, RunError, merge_due},
        snapshots::SnapshotError,
        vfs::Vfs,
        wal::{ReadError, WalReader},
    },
    subscribers::frames,
};

/// How often the thread that writes snapshots looks whether the history is durable.
const HISTORY_POLL: Duration = Duration::from_millis(10);

/// How much the threads that write and merge runs of ids stand back: a little, because full generations
/// wait in memory, and many unmerged runs make every check slower. They rest between slices of work.
const RUNS_NICENESS: i32 = 5;
/// How much those stand back that nobody waits for.
pub(super) const BACKGROUND_NICENESS: i32 = 15;

/// Lets this thread have the processor when the others leave it some. What it does is long, and the loop
/// that everybody waits for does its work in moments.
pub(super) fn yield_to_others(niceness: i32) {
    // On Linux this is about the calling thread alone. A system that refuses it only makes pauses longer.
    let _ = rustix::process::setpriority_process(None, niceness);
}

/// Where to read from.
pub(super) struct Sources {
    pub(super) past: Past,
    pub(super) log: WalReader,
    pub(super) shelf: Shelf,
    /// Height below which the history is durable.
    pub(super) history_synced: Arc<AtomicU64>,
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) runs_dir: PathBuf,
    /// How much room the disk has.
    pub(super) space: Space,
}

/// Queues of the reading threads.
pub(super) struct Reader {
    fetches: Sender<order::Fetch>,
    scans: Sender<Scan>,
    runs: Sender<(u64, Arc<Generation>)>,
    finds: Sender<Find>,
    proofs: Sender<Proof>,
    snapshots: Sender<ChainCheckpoint>,
    server: Server,
}

impl Reader {
    /// Starts the threads; they end when this and all its servers are dropped.
    pub(super) fn start(
        sources: Arc<Sources>,
        handle: Loop,
        (clients, peers): (Arc<ClientServer>, Arc<PeerLinks>),
        tlog: tlog::Shared,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        // Followers that lag do not wait behind the searches of banks.
        let (fetches, fetch_queue) = bounded(READS_MAX);
        let (scans, scan_queue) = bounded(READS_MAX);
        let (finds, find_queue) = bounded(READS_MAX);
        let (proofs, proof_queue) = bounded(READS_MAX);
        let (runs, run_queue) = bounded::<(u64, Arc<Generation>)>(RUNS_WAITING_MAX);
        let shelf = sources.shelf.clone();
        let asked = handle.clone();
        let worker = Worker { sources, handle, clients };
        let (fetcher, searcher, finder) = (worker.clone(), worker.clone(), worker.clone());
        let prover = worker.clone();
        let (snapshotter, merger, writer) = (worker.clone(), worker.clone(), worker);
        // Merging the largest runs takes minutes, for which generations cannot wait to be written.
        let (merge, merges) = bounded(1);
        let run_writer = thread::Builder::new().name("disk-runs".to_owned()).spawn(move || {
            yield_to_others(RUNS_NICENESS);
            loop {
                // When the queue is full, the merger looks for work anyway.
                let _ = merge.try_send(());
                let Ok((number, generation)) = run_queue.recv() else { return };
                let rests = || if run_queue.is_empty() { RESTS } else { 0 };
                writer.write(number, &generation, &rests);
            }
        })?;
        let run_merger = thread::Builder::new().name("disk-merge".to_owned()).spawn(move || {
            yield_to_others(RUNS_NICENESS);
            while merges.recv().is_ok() {
                merger.merge(&merges);
            }
        })?;
        let fetch_reader = thread::Builder::new()
            .name("disk-fetch".to_owned())
            .spawn(move || fetch_queue.iter().for_each(|fetch| fetcher.fetch(fetch)))?;
        let scan_reader = thread::Builder::new()
            .name("disk-scan".to_owned())
            .spawn(move || scan_queue.iter().for_each(|scan| searcher.scan(&scan)))?;
        let find_reader = thread::Builder::new()
            .name("disk-find".to_owned())
            .spawn(move || finder.finds(&find_queue))?;
        let proof_reader = thread::Builder::new()
            .name("disk-receipts".to_owned())
            .spawn(move || prover.proofs(&proof_queue, &tlog))?;
        let (snapshots, snapshot_queue) = bounded(1);
        let snapshot_writer =
            thread::Builder::new().name("disk-snapshots".to_owned()).spawn(move || {
                yield_to_others(BACKGROUND_NICENESS);
                snapshotter.snapshots(&snapshot_queue);
            })?;
        let (server, giver) = Server::start(shelf, peers, asked)?;
        let readers = [fetch_reader, scan_reader, find_reader, proof_reader, giver];
        let threads = readers.into_iter().chain([run_writer, run_merger, snapshot_writer]);
        Ok((Self { fetches, scans, runs, finds, proofs, snapshots, server }, threads.collect()))
    }

    /// The thread that answers peers.
    pub(super) fn server(&self) -> Server {
        self.server.clone()
    }

    pub(super) fn write_snapshot(&self, checkpoint: ChainCheckpoint, handle: &Loop) {
        // The loop has one under way at the most.
        if self.snapshots.try_send(checkpoint).is_err() {
            let _ = handle.events.try_send(Event::SnapshotFailed);
        }
    }

    pub(super) fn write_run(&self, number: u64, generation: Arc<Generation>, handle: &Loop) {
        if self.runs.try_send((number, generation)).is_err() {
            // Millions of ids wait in memory: the disk does not keep up, and it must not go on.
            handle.fail(format!("the disk is too slow to write generation {number} of ids"));
        }
    }

    pub(super) fn fetch(&self, fetch: order::Fetch, handle: &Loop) {
        let token = fetch.token;
        if self.fetches.try_send(fetch).is_err() {
            // The follower is asked again later by Raft itself.
            let _ = handle.events.try_send(Event::Fetched { token, entries: None });
        }
    }

    pub(super) fn scan(&self, scan: Scan, clients: &ClientServer) {
        let session = scan.session;
        // A session has one search under way at the most, so there is room for all of them.
        if self.scans.try_send(scan).is_err() {
            clients.close_session(session, "too many searches of the history wait");
        }
    }

    pub(super) fn find(&self, find: Find, clients: &ClientServer) {
        if let Err(TrySendError::Full(find)) = self.finds.try_send(find) {
            answer(clients, &find, &QueryAnswer::Failed("too many questions wait".to_owned()));
        }
    }

    pub(super) fn prove(&self, proof: Proof, clients: &ClientServer) {
        if let Err(TrySendError::Full(proof)) = self.proofs.try_send(proof) {
            let busy = QueryAnswer::Failed("too many questions wait".to_owned());
            answer(clients, &proof.find, &busy);
        }
    }
}

#[derive(Clone)]
struct Worker {
    sources: Arc<Sources>,
    handle: Loop,
    clients: Arc<ClientServer>,
}

impl Worker {
    fn finds(&self, queue: &Receiver<Find>) {
        for find in queue {
            let found = self.sources.past.find(&find);
            let found = found.unwrap_or_else(|error| self.failed(&find, &error));
            answer(&self.clients, &find, &found);
        }
    }

    /// Receipts take longer than other questions where much has become final since the last one.
    fn proofs(&self, queue: &Receiver<Proof>, log: &tlog::Shared) {
        for proof in queue {
            let found = match self.sources.past.find(&proof.find) {
                Ok(QueryAnswer::Transfer(found)) => {
                    // Another bank's payment is nobody's business.
                    if found.is_none_or(|found| found.command.is_empty()) {
                        QueryAnswer::Receipt(ReceiptFound::Unknown)
                    } else {
                        self.prove(&proof, log)
                    }
                }
                Ok(other) => other,
                Err(error) => self.failed(&proof.find, &error),
            };
            answer(&self.clients, &proof.find, &found);
        }
    }

    fn prove(&self, proof: &Proof, log: &tlog::Shared) -> QueryAnswer {
        match log.prove(proof) {
            Ok(found) => QueryAnswer::Receipt(found),
            Err(MirrorError::Past(error)) => self.failed(&proof.find, &error),
            Err(error) => {
                tracing::error!(transfer = %proof.find.id, %error, "could not make a receipt");
                QueryAnswer::Failed(error.to_string())
            }
        }
    }

    fn failed(&self, find: &Find, error: &PastError) -> QueryAnswer {
        tracing::warn!(transfer = %find.id, %error, "could not look a transfer up");
        self.mend_if_damaged(error.damage());
        QueryAnswer::Failed(error.to_string())
    }

    /// Writes a generation, and waits for room on the disk if it must: until then its ids are in memory.
    fn write(&self, number: u64, generation: &Generation, rests: &dyn Fn() -> u32) {
        let written = self.sources.space.patiently(
            &format!("write generation {number} of ids"),
            |pause| self.handle.is_stopping_within(pause),
            || self.try_to_write(number, generation, rests),
        );
        match written {
            Ok(()) => self.handle.send(Event::RunWritten { generation: number }),
            // The node stops; the next life has it from the log.
            Err(error) if self.handle.is_stopping() => {
                tracing::info!(%error, number, "a generation of ids was not written");
            }
            Err(error) => self.handle.fail(format!("write generation {number} of ids: {error}")),
        }
    }

    /// At leisure unless the next one waits already.
    fn try_to_write(
        &self,
        number: u64,
        generation: &Generation,
        rests: &dyn Fn() -> u32,
    ) -> Result<(), RunError> {
        let sources = &self.sources;
        write_generation(
            &*sources.vfs,
            &sources.runs_dir,
            &sources.shelf.runs,
            number,
            generation,
            Pace::new(rests, &|| self.handle.is_stopping()),
        )
    }

    fn snapshots(&self, queue: &Receiver<ChainCheckpoint>) {
        for checkpoint in queue {
            let started = Instant::now();
            let place = checkpoint.place;
            match self.snapshot(checkpoint) {
                Ok(true) => {
                    let ms = started.elapsed().as_millis();
                    tracing::info!(index = place.index, height = place.height, ms, "snapshot");
                    self.handle.send(Event::SnapshotWritten { place });
                }
                Ok(false) => return,
                Err(error @ SnapshotError::SyncFailed(_)) => {
                    return self.handle.fail(format!("write a snapshot of the state: {error}"));
                }
                Err(error) => {
                    // The log is kept until there is one, so nothing is lost meanwhile.
                    tracing::error!(%error, "could not write a snapshot of the state");
                    self.handle.send(Event::SnapshotFailed);
                }
            }
        }
    }

    /// Merges runs as long as there are some to be merged, there is room for it, and the node runs. A merge
    /// under way is given up when the disk gets full or the node stops: its parts are as good.
    fn merge(&self, asked: &Receiver<()>) {
        let sources = &self.sources;
        while asked.try_recv() != Err(TryRecvError::Disconnected) {
            let Some(bytes) = sources.shelf.runs.current().merge_bytes() else { return };
            if !sources.space.has_room_for(bytes) {
                return tracing::warn!(bytes, "no room on the disk to merge runs of ids");
            }
            let is_given_up = || self.handle.is_stopping() || !sources.space.has_room_for(0);
            let rests = || sources.shelf.runs.current().merge_rests();
            let pace = Pace::new(&rests, &is_given_up);
            match merge_due(&*sources.vfs, &sources.runs_dir, &sources.shelf.runs, pace) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error @ RunError::SyncFailed(_)) => {
                    return self.handle.fail(format!("merge runs of ids: {error}"));
                }
                Err(RunError::GivenUp) if self.handle.is_stopping() => return,
                // The runs are as good as before; it is tried again after the next one.
                Err(error) => return tracing::error!(%error, "could not merge runs of ids"),
            }
        }
    }

    /// Writes a snapshot once the blocks below it are durable: with it the log that could bring them
    /// back goes away. Returns whether it did; the node may be stopping instead.
    fn snapshot(&self, checkpoint: ChainCheckpoint) -> Result<bool, SnapshotError> {
        while self.sources.history_synced.load(Ordering::Acquire) <= checkpoint.place.height {
            if self.handle.is_stopping() {
                return Ok(false);
            }
            thread::sleep(HISTORY_POLL);
        }
        let head = checkpoint.head();
        let (snapshots, space) = (&self.sources.shelf.snapshots, &self.sources.space);
        // The next one is about as large as the last one.
        let bytes = match snapshots.list()?.last() {
            Some(index) => snapshots.label(*index)?.2,
            None => 0,
        };
        if !space.has_room_for(bytes) {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        let written = snapshots.write(checkpoint.place, &head, |sink| {
            checkpoint.body(&mut |bytes| {
                if self.handle.is_stopping() {
                    Err(io::Error::other("the node is stopping"))
                } else if !space.has_room_for(0) {
                    Err(io::ErrorKind::StorageFull.into())
                } else {
                    sink(bytes)
                }
            })
        });
        match written {
            Err(SnapshotError::Io(_)) if self.handle.is_stopping() => Ok(false),
            written => written.map(|()| true),
        }
    }

    fn mend_if_damaged(&self, damage: Option<Damage>) {
        if let Some(damage) = damage {
            self.handle.mend(Cause::Damaged(damage));
        }
    }

    fn fetch(&self, fetch: order::Fetch) {
        let entries = match self.sources.log.read(fetch.low, fetch.high, fetch.bytes_max) {
            Ok(entries) => Some(entries.into_iter().map(forms::order_entry).collect()),
            Err(error) => {
                tracing::warn!(low = fetch.low, %error, "could not read the log for a follower");
                let damaged = matches!(error, ReadError::Corrupt { .. });
                self.mend_if_damaged(damaged.then_some(Damage::Log));
                None
            }
        };
        self.handle.send(Event::Fetched { token: fetch.token, entries });
    }

    fn scan(&self, scan: &Scan) {
        let (session, stream) = (scan.session, scan.stream);
        let found = self.sources.past.search(scan, SCAN_BYTES_MAX as u64);
        let (items, reached) = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(session, %error, "could not search the history");
                self.mend_if_damaged(error.damage());
                return self.clients.close_session(session, "the history cannot be read");
            }
        };
        let mut done = Scanned { session, stream, reached, blocked: false };
        for (payload, after) in frames(&items, scan.after, reached) {
            let frame = OutFrame::new(client::KIND_DELIVERIES, client::FRAME_VERSION, payload);
            match self.clients.send(session, frame) {
                SendResult::Sent => {}
                SendResult::Gone => return,
                SendResult::Full => {
                    (done.reached, done.blocked) = (after, true);
                    break;
                }
            }
        }
        self.handle.send(Event::Scanned(done));
    }
}

fn answer(clients: &ClientServer, find: &Find, answer: &QueryAnswer) {
    let payload = answer.encode(find.number);
    let frame = OutFrame::new(client::KIND_ANSWER, client::FRAME_VERSION, payload);
    // A session that is gone or does not read asks again.
    let _ = clients.send(find.session, frame);
}
