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
mod http;
mod metrics;
mod page;
mod perform;
mod run_loop;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use crossbeam_channel::{Sender, bounded};
use link::{
    ClientEvent, ClientServer, ClientServerConfig, PeerAddress, PeerConfig, PeerEvent, PeerLinks,
    Pins,
};
use tokio::sync::{mpsc, watch};
use wire::{
    client::KIND_SUBMIT,
    peer::{KIND_RAFT, KIND_RAFT_APPEND},
};

use crate::{
    config::NodeConfig,
    event::Event,
    limits::{CLIENT_FRAME_BYTES_MAX, EVENTS_MAX, HISTORY_BLOCKS_MAX, LOG_OPS_MAX, SESSIONS_MAX},
    old_ids::{OldIdsOnDisk, write_generation},
    past::Past,
    prepare::OldIdSource,
    recover::{self, RecoverError, Start},
    store::{
        history::{History, HistoryError, HistoryOptions},
        history_writer::{HistoryWriter, HistoryWriterOptions},
        log_writer::{LogWriter, LogWriterOptions},
        runs::{RunError as RunFileError, RunSets},
        vfs::{DiskVfs, Vfs},
        wal::{Wal, WalError, WalOptions},
    },
};

use check::{Checkers, Unchecked};
use perform::Performer;

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
    /// The log cannot be opened.
    #[error("open the log: {0}")]
    Wal(#[from] WalError),
    /// The history cannot be opened.
    #[error("open the history: {0}")]
    History(#[from] HistoryError),
    /// The runs cannot be opened.
    #[error("open the runs of old ids: {0}")]
    Runs(#[from] RunFileError),
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
    /// Log operations up to this one are durable. Beside the queue, because the log must never wait
    /// for room in it: the loop waits for room in the queue of the log.
    persisted: Arc<AtomicU64>,
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

    /// Stops the node because of something it must not go on with.
    fn fail(&self, what: String) {
        tracing::error!(error = what, "the node must stop");
        // A full channel already holds a reason to stop.
        let _ = self.fatal.try_send(what);
    }
}

/// Runs a node until `shutdown` completes or something forbids to go on.
pub async fn run(config: NodeConfig, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let (fatal, mut fatal_reasons) = mpsc::channel(1);
    let (events, queue) = bounded(EVENTS_MAX);
    let handle = Loop { events, fatal, persisted: Arc::new(AtomicU64::new(0)) };
    let NodeConfig { genesis, own, link_key, data, http, listen, client_listen } = config;
    let id = own.id;
    let genesis = Arc::new(genesis);
    let _lock = lock(&data)?;
    let opened = {
        let (genesis, data, handle) = (Arc::clone(&genesis), data.clone(), handle.clone());
        tokio::task::spawn_blocking(move || open(id, &genesis, data, handle))
            .await
            .map_err(|error| RunError::Fatal(format!("recovery ended early: {error}")))??
    };
    let Opened { node, log, log_reader, history, history_reader, runs, vfs, data } = opened;
    tracing::info!(
        node = id,
        height = node.chain().height().0,
        network = genesis.name,
        "state computed from the log"
    );

    // Links.
    let (peer_events, mut from_peers) = mpsc::channel(1024);
    let peers = PeerLinks::start(
        PeerConfig {
            node_id: id,
            listen,
            key: link_key.clone(),
            network_id: genesis.domain.network,
            peers: genesis
                .nodes
                .iter()
                .filter(|node| node.id != id)
                .map(|node| PeerAddress { id: node.id, key: node.link_key, addr: node.address })
                .collect(),
            hello: Bytes::copy_from_slice(&wire::peer::PEER_PROTOCOL.to_le_bytes()),
        },
        peer_events,
    )
    .await?;
    let peers = Arc::new(peers);
    let (client_events, mut from_clients) = mpsc::channel(1024);
    let pins =
        genesis.gateways.iter().enumerate().flat_map(|(number, gateways)| {
            gateways.keys.iter().map(move |key| (*key, number as u64))
        });
    let clients = ClientServer::start(
        ClientServerConfig {
            listen: client_listen,
            key: link_key,
            network_id: genesis.domain.network,
            pins: Pins::new(pins),
            sessions_max: SESSIONS_MAX,
            frame_bytes_max: CLIENT_FRAME_BYTES_MAX,
        },
        client_events,
    )
    .await?;
    let clients = Arc::new(clients);

    // Threads.
    let old_ids: Arc<dyn OldIdSource> = Arc::new(OldIdsOnDisk(runs.clone()));
    let checkers = Checkers::start(genesis.domain, Arc::clone(&old_ids), handle.clone(), {
        let clients = Arc::clone(&clients);
        move |session, frame| clients.send(session, frame)
    })
    .map_err(RunError::Thread)?;
    let past =
        Past { history: history_reader, domain: genesis.domain, old_ids: Arc::clone(&old_ids) };
    let sources = Arc::new(disk::Sources {
        past: past.clone(),
        log: log_reader,
        runs,
        vfs,
        runs_dir: data.join("runs"),
    });
    let reader = disk::Reader::start(sources, handle.clone(), Arc::clone(&clients))
        .map_err(RunError::Thread)?;
    let meters = metrics::Meters::new(log.meters(), history.meters(), Arc::clone(&peers), id);
    let performer = Performer {
        log,
        history,
        reader,
        peers: Arc::clone(&peers),
        clients: Arc::clone(&clients),
        handle: handle.clone(),
        broken: std::collections::HashMap::new(),
    };
    let stopping = Arc::new(AtomicBool::new(false));
    let loop_thread =
        run_loop::start(node, performer, queue, handle.clone(), Arc::clone(&stopping))
            .map_err(RunError::Thread)?;

    // Tasks that carry events to the threads.
    let (stop, stopped) = watch::channel(false);
    let from_peers_task = tokio::spawn({
        let (checkers, handle) = (checkers.clone(), handle.clone());
        async move {
            while let Some(event) = from_peers.recv().await {
                on_peer_event(event, &checkers, &handle).await;
            }
        }
    });
    let from_clients_task = tokio::spawn({
        let (checkers, handle) = (checkers.clone(), handle.clone());
        async move {
            while let Some(event) = from_clients.recv().await {
                on_client_event(event, &checkers, &handle).await;
            }
        }
    });
    let http_task = http::serve(
        http,
        http::Context {
            handle: handle.clone(),
            meters: Arc::new(meters),
            genesis: Arc::clone(&genesis),
            lookup: disk::Lookup { past },
        },
        stopped,
    )
    .await
    .map_err(|source| RunError::Http { address: http, source })?;

    // Until told to stop.
    let reason = tokio::select! {
        () = shutdown => None,
        reason = fatal_reasons.recv() => reason,
    };
    tracing::info!(node = id, "stopping");
    if reason.is_none() {
        let hand_over = Event::HandOver;
        let _ = handle.events.try_send(hand_over);
        tokio::time::sleep(crate::limits::HAND_OVER_WAIT).await;
    }
    let _ = stop.send(true);
    http_task.abort();
    from_peers_task.abort();
    from_clients_task.abort();
    stopping.store(true, Ordering::Release);
    // Dropping the performer, at the end of the loop thread, flushes the log and the history.
    let joined = tokio::task::spawn_blocking(move || loop_thread.join()).await;
    checkers.stop();
    match (reason, joined) {
        (Some(reason), _) => Err(RunError::Fatal(reason)),
        (None, Ok(Ok(()))) => Ok(()),
        (None, _) => Err(RunError::Fatal("the loop thread ended early".to_owned())),
    }
}

/// Holds the data directory for this process alone, as long as the returned file is open.
fn lock(data: &std::path::Path) -> Result<std::fs::File, RunError> {
    let io = |source| RunError::Data { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(io)?;
    let file = std::fs::File::create(data.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(RunError::Locked(data.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

struct Opened {
    node: crate::node::Node,
    log: LogWriter,
    log_reader: crate::store::wal::WalReader,
    history: HistoryWriter,
    history_reader: crate::store::history::HistoryReader,
    runs: RunSets,
    vfs: Arc<dyn Vfs>,
    data: PathBuf,
}

fn open(
    id: u64,
    genesis: &wire::genesis::Genesis,
    data: PathBuf,
    handle: Loop,
) -> Result<Opened, RunError> {
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs);
    let options =
        WalOptions { node_id: id, network_id: genesis.domain.network, ..WalOptions::default() };
    let (wal, recovered) = Wal::open(Arc::clone(&vfs), &data.join("wal"), options)?;
    if recovered.torn_bytes > 0 {
        tracing::warn!(
            bytes = recovered.torn_bytes,
            "dropped an unfinished write at the end of the log"
        );
    }
    let mut history =
        History::open(Arc::clone(&vfs), &data.join("history"), HistoryOptions::default())?;
    let runs_dir = data.join("runs");
    let runs = RunSets::open(Arc::clone(&vfs), &runs_dir)?;
    let old_ids: Arc<dyn OldIdSource> = Arc::new(OldIdsOnDisk(runs.clone()));
    let log_reader = wal.reader();
    let mut chance = [0; 24];
    getrandom::fill(&mut chance).map_err(|error| RunError::Random(error.to_string()))?;
    let word =
        |at: usize| u64::from_le_bytes(chance[at..at + 8].try_into().expect("8 of 24 bytes"));
    let start = Start {
        id,
        genesis,
        recovered: &recovered,
        log: &log_reader,
        old_ids,
        seed: word(0),
        table_key: [word(8), word(16)],
    };
    let node = recover::start(&start, &mut history, |number, generation| {
        write_generation(&vfs, &runs_dir, &runs, number, &generation)
    })?;
    let history_reader = history.reader();
    let on_history_error = {
        let handle = handle.clone();
        move |error: HistoryError| handle.fail(format!("write the history: {error}"))
    };
    let history = HistoryWriter::start(
        history,
        HistoryWriterOptions { queue: HISTORY_BLOCKS_MAX, ..HistoryWriterOptions::default() },
        on_history_error,
    )
    .map_err(RunError::Thread)?;
    let done = handle.clone();
    let log = LogWriter::start(
        wal,
        LogWriterOptions { queue: LOG_OPS_MAX, ..LogWriterOptions::default() },
        move |op| done.log_is_durable(op),
        // A failed sync must never be retried: what the disk holds is unknown from here on.
        move |error| handle.fail(format!("write the log: {error}")),
    )
    .map_err(RunError::Thread)?;
    Ok(Opened { node, log, log_reader, history, history_reader, runs, vfs, data })
}

async fn on_peer_event(event: PeerEvent, checkers: &Checkers, handle: &Loop) {
    match event {
        PeerEvent::Connected { peer } => tracing::info!(peer, "peer connected"),
        PeerEvent::Disconnected { peer } => {
            tracing::warn!(peer, "peer disconnected");
            deliver(handle, Event::PeerLost { peer }).await;
        }
        PeerEvent::Frame { peer, frame } => {
            let payload = frame.payload;
            let unchecked = match frame.kind {
                KIND_RAFT => Unchecked::Control { peer, payload },
                KIND_RAFT_APPEND => Unchecked::Append { peer, payload },
                kind => Unchecked::Peer { peer, kind, payload },
            };
            checkers.push(unchecked).await;
        }
    }
}

async fn on_client_event(event: ClientEvent, checkers: &Checkers, handle: &Loop) {
    match event {
        ClientEvent::Opened { session, name, .. } => {
            tracing::info!(session, participant = name, "session opened");
            let participant = ledger::ParticipantNumber(name as u32);
            deliver(handle, Event::SessionOpened { session, participant }).await;
        }
        ClientEvent::Closed { session } => {
            tracing::info!(session, "session closed");
            deliver(handle, Event::SessionClosed { session }).await;
        }
        ClientEvent::Frame { session, frame } if frame.kind == KIND_SUBMIT => {
            checkers.push(Unchecked::Submission { session, payload: frame.payload }).await;
        }
        ClientEvent::Frame { session, frame } => {
            checkers
                .push(Unchecked::Request { session, kind: frame.kind, payload: frame.payload })
                .await;
        }
    }
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
