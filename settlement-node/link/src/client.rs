//! The side of a gateway or tool: one live connection to one of several nodes.
//!
//! Servers are tried in list order until one answers; the client stays there until the
//! connection fails or it is told to move, and then goes on to the next. It does not return by
//! itself to an earlier server, and waits longer and longer while connections keep failing.
//!
//! A frame that was queued may be lost with the connection: whoever needs an answer waits for
//! it and sends again after the next `Connected`.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Connection, Endpoint, SendStream};
use tokio::sync::{mpsc, watch};
use wire::frame::{Frame, PEER_FRAME_BYTES_MAX};

use crate::endpoint::{self, Backoff, Stop, within};
use crate::error::{CloseCode, Failure};
use crate::hello::{self, Hello};
use crate::limits::*;
use crate::queue::Queue;
use crate::server::{is_sendable, session_queue};
use crate::stream::{FrameReader, write_queue};
use crate::{LinkError, LinkKey, OutFrame, SendResult, tls};

/// Events that may wait for the owner of a [`Client`]; then the server is slowed down.
const EVENTS_MAX: usize = 1024;

/// One node's endpoint for gateways and tools.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Its node id.
    pub id: u64,
    /// Its Ed25519 public key, the only one accepted from it.
    pub key: [u8; 32],
    /// Where it listens for gateways and tools.
    pub addr: SocketAddr,
}

/// What a gateway or tool needs to connect.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Our identity; the nodes must have pinned it.
    pub key: LinkKey,
    /// The network; servers of another network are refused.
    pub network_id: [u8; 32],
    /// The servers, the preferred one first; at least one, ids differ.
    pub servers: Vec<ServerAddress>,
    /// Opaque payload of our hello, at most 64 KiB.
    pub hello: Bytes,
    /// Largest frame in bytes, header included, in both directions; as at the server.
    pub frame_bytes_max: usize,
}

/// What happens on the connection.
#[derive(Debug)]
pub enum ClientSideEvent {
    /// A server has accepted us; frames can be sent.
    Connected {
        /// Its node id.
        server: u64,
        /// Opaque payload of its hello.
        hello: Bytes,
    },
    /// A frame arrived, of kind 1 to 239.
    Frame(Frame),
    /// The connection has ended, or an attempt to connect has failed. The client goes on trying
    /// by itself. Reports of failed attempts are left out when nobody fetches the events.
    Disconnected {
        /// The server's node id.
        server: u64,
        /// Why, for a log.
        reason: String,
    },
}

/// A frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame not sent: {reason}")]
pub struct Disconnected {
    /// Why, for a log.
    pub reason: &'static str,
}

/// The connection of a gateway or tool. Clones share it; it ends with [`Client::close`] or when
/// the last clone is dropped.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    stop: Arc<watch::Sender<bool>>,
    wanted: Arc<watch::Sender<Option<u64>>>,
}

struct Shared {
    servers: Vec<(ServerAddress, quinn::ClientConfig)>,
    /// One endpoint an address family in use.
    endpoints: Vec<Endpoint>,
    hello: Hello,
    frame_bytes_max: usize,
    queue: Mutex<Option<Arc<Queue>>>,
}

impl Client {
    /// Starts to connect, and returns at once with the events; wait for
    /// [`ClientSideEvent::Connected`]. Must be called within a tokio runtime.
    pub async fn connect(
        config: ClientConfig,
    ) -> Result<(Client, mpsc::Receiver<ClientSideEvent>), LinkError> {
        let ClientConfig { key, network_id, servers, hello, frame_bytes_max } = config;
        if servers.is_empty() {
            return Err(LinkError::Config("no server to connect to"));
        }
        if !(hello::FIRST_FRAME_BYTES_MAX..=PEER_FRAME_BYTES_MAX).contains(&frame_bytes_max) {
            return Err(LinkError::Config("frame_bytes_max is not within 65 KiB to 16 MiB"));
        }
        let hello = Hello::new(network_id, 0, endpoint::random_u64()?, hello)?;
        let transport = endpoint::client_transport();
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut dialled = Vec::new();
        for server in servers {
            if endpoint_for(&endpoints, server.addr).is_none() {
                endpoints.push(endpoint::dialling(server.addr)?);
            }
            let tls = tls::client(&key, server.key, endpoint::CLIENT_ALPN)?;
            dialled.push((server, endpoint::dial_config(tls, transport.clone())));
        }
        let shared = Arc::new(Shared {
            servers: dialled,
            endpoints,
            hello,
            frame_bytes_max,
            queue: Mutex::default(),
        });
        let (stop, stopped) = Stop::new();
        let (wanted, wishes) = watch::channel(None);
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(run(shared.clone(), events, stopped, wishes));
        Ok((Client { shared, stop: Arc::new(stop), wanted: Arc::new(wanted) }, receiver))
    }

    /// Queues a frame, waiting for room. `Ok` means queued, not received; see the module.
    /// Fails at once when there is no connection, or when the frame is not valid (over the
    /// limit, or of a reserved kind).
    pub async fn send(&self, frame: OutFrame) -> Result<(), Disconnected> {
        if !is_sendable(&frame, self.shared.frame_bytes_max) {
            return Err(Disconnected { reason: "frame is too large or of a reserved kind" });
        }
        let queue = self.shared.queue().clone();
        let Some(queue) = queue else { return Err(Disconnected { reason: "no connection" }) };
        match queue.push_waiting(frame).await {
            true => Ok(()),
            false => Err(Disconnected { reason: "connection ended" }),
        }
    }

    /// Queues a frame; never waits.
    pub fn try_send(&self, frame: OutFrame) -> SendResult {
        let queue = self.shared.queue().clone();
        let Some(queue) = queue else { return SendResult::Gone };
        match is_sendable(&frame, self.shared.frame_bytes_max) {
            true => queue.push(frame),
            false => SendResult::Gone,
        }
    }

    /// Moves to another server, e.g. because the present one says that it is not the leader.
    /// Ignored when already there or when the id is unknown; hints that follow each other
    /// quickly are followed with a delay, only the last of them counts. Without a connection a
    /// hint has no effect. If that server cannot be reached the client goes on to the next one.
    pub fn move_to(&self, server: u64) {
        self.wanted.send_replace(Some(server));
    }

    /// Ends the connection after what is queued was sent (for at most about a second), and with
    /// it the events. Returns at once.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Option<Arc<Queue>>> {
        // No code that can panic runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self, server: u64) -> Option<usize> {
        self.servers.iter().position(|(address, _)| address.id == server)
    }
}

fn endpoint_for(endpoints: &[Endpoint], addr: SocketAddr) -> Option<&Endpoint> {
    let same_family = |endpoint: &&Endpoint| {
        endpoint.local_addr().is_ok_and(|local| local.is_ipv4() == addr.is_ipv4())
    };
    endpoints.iter().find(same_family)
}

/// A connection on which the hellos agreed.
struct Ready {
    connection: Connection,
    out: SendStream,
    reader: FrameReader,
    theirs: Bytes,
}

/// Why a live connection was left.
enum End {
    /// The owner wants no connection any more.
    Stopped,
    /// The owner wants the server at this position.
    Moved(usize),
    /// The connection failed or the server closed it.
    Lost(String),
}

/// Connects again and again until told to stop.
async fn run(
    shared: Arc<Shared>,
    events: mpsc::Sender<ClientSideEvent>,
    mut stop: Stop,
    mut wishes: watch::Receiver<Option<u64>>,
) {
    let mut backoff = Backoff::default();
    let mut position = 0;
    let mut dial_time = DIAL_TIME_FIRST;
    let mut failures_in_turn = 0;
    loop {
        let server = shared.servers[position].0.id;
        let dialled = tokio::select! {
            dialled = dial(&shared, position, dial_time) => dialled,
            () = stop.stopped() => break,
        };
        let connected_at = Instant::now();
        match dialled {
            Ok(ready) => {
                failures_in_turn = 0;
                dial_time = DIAL_TIME_FIRST;
                let end = live(&shared, &events, &mut stop, &mut wishes, position, ready).await;
                let reason = match &end {
                    End::Stopped => break,
                    End::Moved(_) => "moving to another server".to_owned(),
                    End::Lost(reason) => reason.clone(),
                };
                let told = ClientSideEvent::Disconnected { server, reason };
                let told = tokio::select! {
                    told = events.send(told) => told.is_ok(),
                    () = stop.stopped() => false,
                };
                if !told {
                    break;
                }
                if connected_at.elapsed() >= GOOD_CONNECTION_TIME {
                    backoff.reset();
                }
                if let End::Moved(to) = end {
                    position = to;
                    continue;
                }
                position = (position + 1) % shared.servers.len();
            }
            Err(error) => {
                tracing::debug!(server, %error, "cannot connect");
                let reason = error.to_string();
                let report = events.try_send(ClientSideEvent::Disconnected { server, reason });
                if let Err(mpsc::error::TrySendError::Closed(_)) = report {
                    break;
                }
                failures_in_turn += 1;
                position = (position + 1) % shared.servers.len();
                // The next server in the list is tried at once, the whole list again after a wait.
                if failures_in_turn < shared.servers.len() {
                    continue;
                }
                failures_in_turn = 0;
                // Perhaps they are not dead but far away.
                dial_time = HANDSHAKE_TIME_MAX;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = stop.stopped() => break,
        }
    }
    for endpoint in &shared.endpoints {
        endpoint.close(quinn::VarInt::from_u32(CloseCode::Done as u32), b"client is stopping");
        let _ = tokio::time::timeout(FLUSH_TIME_MAX, endpoint.wait_idle()).await;
    }
}

async fn dial(shared: &Shared, position: usize, limit: Duration) -> Result<Ready, Failure> {
    let (server, config) = &shared.servers[position];
    let endpoint = endpoint_for(&shared.endpoints, server.addr)
        .ok_or_else(|| Failure::Stream("no socket of this address family".to_owned()))?;
    within(limit, async {
        let connection =
            endpoint.connect_with(config.clone(), server.addr, tls::SERVER_NAME)?.await?;
        greet(shared, &connection)
            .await
            .inspect_err(|error| error.code().close(&connection, &error.to_string()))
    })
    .await
}

async fn greet(shared: &Shared, connection: &Connection) -> Result<Ready, Failure> {
    let (mut out, stream) = connection.open_bi().await?;
    hello::send_hello(&mut out, &shared.hello).await?;
    let mut reader = FrameReader::new(stream, connection, hello::FIRST_FRAME_BYTES_MAX);
    let theirs = hello::read_hello(&mut reader).await?;
    theirs.check(&shared.hello, 0)?;
    reader.set_limit(shared.frame_bytes_max);
    Ok(Ready { connection: connection.clone(), out, reader, theirs: theirs.payload })
}

/// Moves frames over a live connection until it ends.
async fn live(
    shared: &Shared,
    events: &mpsc::Sender<ClientSideEvent>,
    stop: &mut Stop,
    wishes: &mut watch::Receiver<Option<u64>>,
    position: usize,
    ready: Ready,
) -> End {
    let Ready { connection, out, reader, theirs } = ready;
    let server = shared.servers[position].0.id;
    // A wish from before this connection is about another one.
    wishes.mark_unchanged();
    let queue = Arc::new(session_queue(shared.frame_bytes_max));
    *shared.queue() = Some(queue.clone());
    let unused = AtomicU64::new(0);
    let work = async {
        let mut writer = std::pin::pin!(write_queue(out, &queue, shared.frame_bytes_max, &unused));
        let mut reading = std::pin::pin!(read_events(events, server, theirs, reader));
        let end = tokio::select! {
            ended = &mut reading => return End::Lost(ended),
            Err(failure) = &mut writer => End::Lost(failure.to_string()),
            () = stop.stopped() => End::Stopped,
            position = next_move(shared, wishes, server) => End::Moved(position),
        };
        match end {
            // What has arrived is still delivered.
            End::Lost(reason) => {
                connection.close(quinn::VarInt::from_u32(CloseCode::Done as u32), b"");
                let _ = tokio::time::timeout(FLUSH_TIME_MAX, reading).await;
                End::Lost(reason)
            }
            // What is queued is still sent, and what arrives meanwhile is still delivered.
            leaving => {
                queue.close();
                let flushed = async {
                    tokio::select! {
                        _ = &mut writer => {}
                        _ = &mut reading => {}
                    }
                };
                let _ = tokio::time::timeout(FLUSH_TIME_MAX, flushed).await;
                leaving
            }
        }
    };
    let end = work.await;
    *shared.queue() = None;
    queue.abort();
    CloseCode::Done.close(&connection, "goodbye");
    end
}

/// Waits until a wish leads to another server; returns its position.
async fn next_move(
    shared: &Shared,
    wishes: &mut watch::Receiver<Option<u64>>,
    server: u64,
) -> usize {
    let earliest = tokio::time::Instant::now() + MOVE_INTERVAL;
    loop {
        if wishes.changed().await.is_err() {
            // All clients are gone: `stop` ends the connection.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(earliest).await;
        let wished = *wishes.borrow_and_update();
        let elsewhere = wished.filter(|wished| *wished != server);
        if let Some(position) = elsewhere.and_then(|wished| shared.position(wished)) {
            return position;
        }
    }
}

/// Reports the connection and its frames until it ends; returns why it did.
async fn read_events(
    events: &mpsc::Sender<ClientSideEvent>,
    server: u64,
    theirs: Bytes,
    mut reader: FrameReader,
) -> String {
    let connected = ClientSideEvent::Connected { server, hello: theirs };
    if events.send(connected).await.is_err() {
        return "nobody fetches the events".to_owned();
    }
    loop {
        match reader.next_message().await {
            Ok(Some(frame)) => {
                if events.send(ClientSideEvent::Frame(frame)).await.is_err() {
                    return "nobody fetches the events".to_owned();
                }
            }
            // The server finishes its stream just before it closes with a reason.
            Ok(None) => return reader.close_reason().await,
            Err(failure) => return failure.to_string(),
        }
    }
}
