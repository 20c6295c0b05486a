//! The world round the loop: threads, sockets, files, clock, signals. Nothing here decides anything.
//!
//! ```text
//! QUIC tasks ──▶ checker threads ──▶ loop thread ──▶ log writer ──▶ (persisted) ──▶ loop
//!   (tokio)      (form, signatures)  (node::Node)  └▶ history writer, reader, sessions, peers
//! ```
//! All channels are bounded. The loop never waits for a peer, a session or a reader; it does wait for
//! room in the queues of the log and the history, because nothing can go on when the disk does not.

mod check;
mod disk;
mod distance;
mod evidence;
mod http;
mod links;
mod lookup;
mod mending;
mod metrics;
mod open;
mod page;
mod perform;
mod quiet;
mod run_loop;
mod scrub;
mod serve;
mod space;
mod work;

use std::{
    collections::HashMap,
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use crossbeam_channel::{Sender, bounded};
use link::{ClientServerConfig, Pins};
use tokio::sync::{mpsc, watch};
use wire::client::CLIENT_PROTOCOL;

use crate::{
    config::NodeConfig,
    consistency,
    event::Event,
    limits::{
        CLIENT_FRAME_BYTES_MAX, EVENTS_MAX, HISTORY_BLOCKS_MAX, LOG_OPS_MAX, SESSIONS_MAX, TICK,
    },
    mend::MendError,
    node::Node,
    old_ids::OldIdsOnDisk,
    past::Past,
    prepare::OldIdSource,
    recover::RecoverError,
    serve::Shelf,
    storage::{Damage, Storage, StorageError},
    store::{
        cosigned::CosignedFile,
        history::HistoryError,
        history_writer::{HistoryWriter, HistoryWriterOptions},
        log_writer::{LogWriter, LogWriterOptions},
        vfs::{DiskVfs, Vfs},
        wal::WalReader,
    },
};

use check::Checkers;
use links::{Links, on_client_event, on_peer_event, serve_clients};
use perform::Performer;
use quiet::Quiet;

/// Why a node stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data directory cannot be used.
    #[error("data directory {path}: {source}")]
    Data {
        /// Which directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process uses the data directory.
    #[error("data directory {0} is used by another process")]
    Locked(PathBuf),
    /// The storage cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What is missing cannot be put in place.
    #[error("mend this node: {0}")]
    Mend(#[from] MendError),
    /// The state cannot be computed.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A socket cannot be opened.
    #[error("open a socket: {0}")]
    Link(#[from] link::LinkError),
    /// The HTTP address cannot be opened.
    #[error("listen on {address}: {source}")]
    Http {
        /// Which address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log contradicts what this node has cosigned.
    #[error(transparent)]
    Consistency(#[from] crate::consistency::ConsistencyError),
    /// The file of what was cosigned cannot be used.
    #[error(transparent)]
    Cosigned(#[from] crate::store::cosigned::CosignedError),
    /// Something is missing that only other nodes can give, and there are none.
    #[error(
        "this network has no other node to fetch it from: {0}; restore a backup of the data directory"
    )]
    Alone(String),
    /// A thread could not be started.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Random(String),
    /// The node met something that it must not go on with.
    #[error("{0}")]
    Fatal(String),
}

/// A handle to the loop for everything in this module.
#[derive(Clone)]
struct Loop {
    events: Sender<Event>,
    fatal: mpsc::Sender<String>,
    /// Takes the reason for which this life must end and the node be mended.
    mend: mpsc::Sender<Cause>,
    /// Log operations up to this one are durable. Beside the queue, because the log must never wait
    /// for room in it: the loop waits for room in the queue of the log.
    persisted: Arc<AtomicU64>,
    /// Set when the loop is to end.
    stopping: Arc<AtomicBool>,
}

impl Loop {
    /// Notes that the log is durable up to an operation, and wakes the loop if it sleeps.
    fn log_is_durable(&self, op: u64) {
        self.persisted.fetch_max(op, Ordering::AcqRel);
        // A full queue means that the loop is awake and will look.
        let _ = self.events.try_send(Event::Persisted { op });
    }

    /// Waits for room. For threads only, and not for those that the loop waits for.
    fn send(&self, event: Event) {
        // A closed channel means that the node is stopping.
        let _ = self.events.send(event);
    }

    /// Whether the loop has ended.
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits, but not longer than until the loop has ended; whether it has.
    fn is_stopping_within(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while !self.is_stopping() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(TICK));
        }
        true
    }

    /// Ends this life of the node so that it is mended. The channel holds one cause; the others are found
    /// again if they are still there.
    fn mend(&self, cause: Cause) {
        if let Cause::Damaged(damage) = cause {
            tracing::error!(%damage, "damaged on the disk; the node starts again to have it mended");
        }
        let _ = self.mend.try_send(cause);
    }

    /// Something could not be read: damage is mended, anything else stops the node.
    fn fail_reading(&self, what: &str, error: &std::io::Error) {
        match Damage::of_run(error) {
            Some(damage) => self.mend(Cause::Damaged(damage)),
            None => self.fail(format!("{what}: {error}")),
        }
    }

    /// Stops the node because of something it must not go on with.
    fn fail(&self, what: String) {
        tracing::error!(error = what, "the node must stop");
        // A full channel already holds a reason to stop.
        let _ = self.fatal.try_send(what);
    }
}

/// Why a node must be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// It needs a snapshot above this log index from a peer.
    Behind(u64),
    /// Something on its disk is damaged.
    Damaged(Damage),
}

/// How a life of the node ended.
enum Ended {
    /// As it was told to.
    Stopped,
    /// It must be mended before it goes on.
    Mend(Cause),
}

/// Runs a node until `shutdown` completes or something forbids to go on.
///
/// # Errors
/// [`RunError`]: why it could not start or had to stop.
pub async fn run(config: NodeConfig, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let config = Arc::new(config);
    let _lock = lock(&config.data)?;
    let links = Links::start(&config).await?;
    tokio::pin!(shutdown);
    let mut cause = None;
    loop {
        let Some((storage, node)) = open::open(&config, &links, cause, &mut shutdown).await? else {
            return Ok(());
        };
        match live(&config, &links, storage, node, &mut shutdown).await? {
            Ended::Stopped => return Ok(()),
            Ended::Mend(found) => cause = Some(found),
        }
    }
}

/// One life of the node: from its first event to its last.
async fn live(
    config: &NodeConfig,
    links: &Links,
    storage: Storage,
    node: Box<Node>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Ended, RunError> {
    let (fatal, mut fatal_reasons) = mpsc::channel(1);
    let (mend, mut wishes) = mpsc::channel(1);
    let (events, queue) = bounded(EVENTS_MAX);
    let stopping = Arc::new(AtomicBool::new(false));
    let handle = Loop {
        events,
        fatal,
        mend,
        persisted: Arc::new(AtomicU64::new(0)),
        stopping: Arc::clone(&stopping),
    };
    let id = config.own.id;
    let genesis = Arc::new(config.genesis.clone());
    tracing::info!(
        node = id,
        height = node.chain().height().0,
        network = genesis.name,
        "state computed"
    );
    let peers = Arc::clone(&links.peers);
    let Opened { log, log_reader, history, shelf, storage } = writers(storage, &handle)?;

    let (client_events, mut from_clients) = mpsc::channel(1024);
    let pins =
        genesis.gateways.iter().enumerate().flat_map(|(number, gateways)| {
            gateways.keys.iter().map(move |key| (*key, number as u64))
        });
    let served = ClientServerConfig {
        listen: config.client_listen,
        key: config.link_key.clone(),
        network_id: genesis.domain.network,
        pins: Pins::new(pins),
        sessions_max: SESSIONS_MAX,
        frame_bytes_max: CLIENT_FRAME_BYTES_MAX,
        hello: Bytes::copy_from_slice(&CLIENT_PROTOCOL.to_le_bytes()),
    };
    let clients = serve_clients(served, client_events).await?;
    let clients = Arc::new(clients);

    let (evidence, gatherer) =
        start_evidence(config, &node, &storage.vfs, &shelf, (&peers, &clients), &handle)?;

    // Threads.
    let old_ids: Arc<dyn OldIdSource> = Arc::new(OldIdsOnDisk(shelf.runs.clone()));
    let (domain, shares) = (genesis.domain, node.shares());
    let (checkers, mut threads) =
        Checkers::start(domain, Arc::clone(&old_ids), handle.clone(), Arc::clone(&shares), {
            let clients = Arc::clone(&clients);
            move |session, frame| clients.send(session, frame)
        })
        .map_err(RunError::Thread)?;
    let past = Past {
        history: shelf.history.clone(),
        domain: genesis.domain,
        old_ids: Arc::clone(&old_ids),
    };
    let space = space::Space::of(&config.data);
    let disk = Arc::clone(&storage.vfs);
    let sources = Arc::new(disk::Sources {
        past: past.clone(),
        log: log_reader,
        shelf,
        history_synced: history.synced_handle(),
        vfs: storage.vfs,
        runs_dir: storage.folders.runs,
        space: space.clone(),
    });
    let (scrubbed, scrubber) =
        scrub::start(sources.log.clone(), sources.shelf.clone(), handle.clone())
            .map_err(RunError::Thread)?;
    let tlog = http::tlog::Shared::new(http::tlog::Source {
        vfs: Arc::clone(&disk),
        data: config.data.clone(),
        past: past.clone(),
        genesis: Arc::clone(&genesis),
        evidence: evidence.clone(),
    });
    let served = (Arc::clone(&clients), Arc::clone(&peers));
    let (reader, readers) = disk::Reader::start(sources, handle.clone(), served, tlog.clone())
        .map_err(RunError::Thread)?;
    threads.push(scrubber);
    threads.extend(gatherer);
    threads.extend(readers);
    let server = reader.server();
    let writers = [log.meters(), history.meters()];
    let meters = metrics::Meters::new(
        log.meters(),
        history.meters(),
        Arc::clone(&peers),
        space.clone(),
        scrubbed,
        Arc::clone(&evidence.known),
        id,
    );
    let performer = Performer {
        log,
        history,
        reader,
        peers: Arc::clone(&peers),
        clients: Arc::clone(&clients),
        evidence: evidence.clone(),
        handle: handle.clone(),
        broken: HashMap::new(),
        quiet: Quiet::default(),
    };
    let loop_thread =
        run_loop::start(*node, performer, queue, handle.clone(), Arc::clone(&stopping))
            .map_err(RunError::Thread)?;

    // Tasks that carry events to the threads.
    let (stop, stopped) = watch::channel(false);
    let distance_task = distance::watch(Arc::clone(&peers), shares);
    let space_task = space.watch(config.data.clone(), writers, handle.clone());
    let from_peers_task = tokio::spawn({
        let (checkers, handle) = (checkers.clone(), handle.clone());
        let from_peers = Arc::clone(&links.events);
        let evidence = evidence.clone();
        async move {
            let mut from_peers = from_peers.lock().await;
            let quiet = Quiet::default();
            while let Some(event) = from_peers.recv().await {
                on_peer_event(event, &checkers, &handle, &server, &evidence, &quiet).await;
            }
        }
    });
    let from_clients_task = tokio::spawn({
        let (checkers, handle) = (checkers.clone(), handle.clone());
        let clients = Arc::clone(&clients);
        let evidence = evidence.clone();
        async move {
            let mut banks = HashMap::new();
            while let Some(event) = from_clients.recv().await {
                on_client_event(event, &mut banks, &checkers, &handle, &clients, &evidence).await;
            }
        }
    });
    let http = config.http;
    let http_task = http::serve(
        http,
        http::Context {
            handle: handle.clone(),
            meters: Arc::new(meters),
            genesis: Arc::clone(&genesis),
            lookup: lookup::Lookup { past },
            evidence,
            tlog,
            audit: http::audit::Shared::new(Arc::clone(&disk), config.data.clone()),
        },
        stopped,
    )
    .await
    .map_err(|source| RunError::Http { address: http, source })?;

    // Until told to stop.
    let (reason, ended) = tokio::select! {
        () = shutdown => (None, Ended::Stopped),
        reason = fatal_reasons.recv() => (reason, Ended::Stopped),
        Some(cause) = wishes.recv() => (None, Ended::Mend(cause)),
    };
    tracing::info!(node = id, "stopping");
    if reason.is_none() && matches!(ended, Ended::Stopped) {
        let hand_over = Event::HandOver;
        let _ = handle.events.try_send(hand_over);
        tokio::time::sleep(crate::limits::HAND_OVER_WAIT).await;
    }
    let _ = stop.send(true);
    stopping.store(true, Ordering::Release);
    for task in [http_task, from_peers_task, from_clients_task, space_task, distance_task] {
        task.abort();
        // That it was aborted is no news.
        let _ = task.await;
    }
    clients.close().await;
    // Dropping the performer, at the end of the loop thread, flushes the log and the history.
    let joined = tokio::task::spawn_blocking(move || loop_thread.join()).await;
    checkers.stop();
    if matches!(ended, Ended::Mend(_)) {
        // The next life needs the addresses and the files: nothing of this one may hold or write them.
        drop(checkers);
        let all =
            tokio::task::spawn_blocking(move || threads.into_iter().try_for_each(|t| t.join()));
        if !matches!(all.await, Ok(Ok(()))) {
            return Err(RunError::Fatal("a thread of the node broke".to_owned()));
        }
    }
    match (reason, joined) {
        (Some(reason), _) => Err(RunError::Fatal(reason)),
        (None, Ok(Ok(()))) => Ok(ended),
        (None, _) => Err(RunError::Fatal("the loop thread ended early".to_owned())),
    }
}

/// Starts to cosign and to gather what others cosign, after checking that the log goes on from what
/// this node cosigned last. Without a key nothing is started.
fn start_evidence(
    config: &NodeConfig,
    node: &Node,
    vfs: &Arc<dyn Vfs>,
    shelf: &Shelf,
    (peers, clients): (&Arc<link::PeerLinks>, &Arc<link::ClientServer>),
    handle: &Loop,
) -> Result<(evidence::Evidence, Option<std::thread::JoinHandle<()>>), RunError> {
    let Some(cosigning) = config.cosigning.clone() else {
        tracing::warn!("this node has no key for checkpoints: it takes no part in finality");
        return Ok((evidence::Evidence::off(), None));
    };
    let domain = config.genesis.domain;
    let (file, last) = CosignedFile::open(vfs, &config.data, domain.network)?;
    let applied = node.chain().sealed();
    let held = consistency::check(&last, &applied, &shelf.history, &domain)?;
    let (evidence, thread) = evidence::Evidence::start(evidence::Start {
        cosigning: Arc::new(cosigning),
        file,
        last,
        held,
        applied,
        peers: Arc::clone(peers),
        clients: Arc::clone(clients),
        files: evidence::EvidenceFiles::under(Arc::clone(vfs), &config.data),
        handle: handle.clone(),
    })
    .map_err(RunError::Thread)?;
    Ok((evidence, Some(thread)))
}

/// Holds the data directory for this process alone, as long as the returned file is open.
fn lock(data: &std::path::Path) -> Result<std::fs::File, RunError> {
    let io = |source| RunError::Data { path: data.to_owned(), source };
    DiskVfs.create_dir_all(data).map_err(io)?;
    let file = std::fs::File::create(data.join("lock")).map_err(io)?;
    // Also folders that a process made and was killed before their names were durable.
    DiskVfs.sync_dir(data).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(RunError::Locked(data.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The storage with its writing threads.
struct Opened {
    log: LogWriter,
    log_reader: WalReader,
    history: HistoryWriter,
    shelf: Shelf,
    storage: Rest,
}

/// What is left of the storage.
struct Rest {
    vfs: Arc<dyn Vfs>,
    folders: crate::storage::Folders,
}

fn writers(storage: Storage, handle: &Loop) -> Result<Opened, RunError> {
    let Storage { vfs, folders, wal, history, runs, snapshots, .. } = storage;
    let log_reader = wal.reader();
    let (history_reader, log) = (history.reader(), log_reader.clone());
    let shelf = Shelf { snapshots, runs, history: history_reader, log, committed: u64::MAX };
    let on_history_error = {
        let handle = handle.clone();
        move |error: HistoryError| match error {
            // It was there before, from a life in which more was committed, and is no longer sound.
            HistoryError::Corrupt { height } => {
                handle.mend(Cause::Damaged(Damage::History { height }));
            }
            error => handle.fail(format!("write the history: {error}")),
        }
    };
    let history = HistoryWriter::start(
        history,
        HistoryWriterOptions { queue: HISTORY_BLOCKS_MAX, ..HistoryWriterOptions::default() },
        on_history_error,
    )
    .map_err(RunError::Thread)?;
    let (done, failed) = (handle.clone(), handle.clone());
    let log = LogWriter::start(
        wal,
        LogWriterOptions { queue: LOG_OPS_MAX, ..LogWriterOptions::default() },
        move |op| done.log_is_durable(op),
        // A failed sync must never be retried: what the disk holds is unknown from here on.
        move |error| failed.fail(format!("write the log: {error}")),
    )
    .map_err(RunError::Thread)?;
    Ok(Opened { log, log_reader, history, shelf, storage: Rest { vfs, folders } })
}

/// Hands an event to the loop from a task, waiting for room without blocking the runtime.
async fn deliver(handle: &Loop, event: Event) {
    let mut event = event;
    loop {
        match handle.events.try_send(event) {
            Ok(()) => return,
            Err(crossbeam_channel::TrySendError::Disconnected(_)) => return,
            Err(crossbeam_channel::TrySendError::Full(back)) => {
                event = back;
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    }
}
