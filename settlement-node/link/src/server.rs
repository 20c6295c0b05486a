//! The node's endpoint for gateways and tools, apart from the one for peers, so that a flood
//! here does not delay the nodes' own traffic.
//!
//! A session is one connection with one stream opened by the client. Its events are strictly:
//! opened, frames, closed. Each session has a bounded queue towards the client; sending never
//! waits. All sessions share the bounded event channel. Each frame holds a part of its session's
//! credit until the owner drops it: a session that sends more than is dealt with is not read any
//! further, and slows down only itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use quinn::{Connection, Endpoint, SendStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use wire::frame::{FRAME_HEADER_BYTES, Frame, PEER_FRAME_BYTES_MAX};

use crate::credit::{Credit, Room};
use crate::endpoint::{self, Stop, within};
use crate::error::{CloseCode, Failure};
use crate::hello::{self, Hello};
use crate::limits::*;
use crate::queue::Queue;
use crate::stream::{FrameReader, write_queue};
use crate::{HelloCheck, LinkError, LinkKey, OutFrame, Pins, SendResult, tls};

/// What clients are told when the node stops.
const STOPPING: &[u8] = b"node is stopping";

/// Number of a session: never 0, never used twice by one [`ClientServer`].
pub type SessionId = u64;

/// What a node needs to serve gateways and tools.
#[derive(Clone, Debug)]
pub struct ClientServerConfig {
    /// Where to listen (UDP); port 0 picks a free one.
    pub listen: SocketAddr,
    /// The node's identity.
    pub key: LinkKey,
    /// The network; clients of another network are refused.
    pub network_id: [u8; 32],
    /// Keys that may connect, and their names.
    pub pins: Pins,
    /// Sessions at the same time, at least 1.
    pub sessions_max: usize,
    /// Largest frame in bytes, header included, in both directions; usually
    /// [`wire::frame::CLIENT_FRAME_BYTES_MAX`], at most [`PEER_FRAME_BYTES_MAX`].
    pub frame_bytes_max: usize,
    /// Opaque payload of our hello, at most 64 KiB.
    pub hello: Bytes,
}

/// What happens on the sessions.
#[derive(Debug)]
pub enum ClientEvent {
    /// A client has proved its key and both hellos agreed.
    Opened {
        /// The new session.
        session: SessionId,
        /// What the key stands for in the pins.
        name: u64,
        /// The client's public key.
        key: [u8; 32],
        /// Opaque payload of the client's hello.
        hello: Bytes,
    },
    /// A frame arrived, of kind 1 to 239.
    Frame {
        /// Where it came from.
        session: SessionId,
        /// The frame.
        frame: Frame,
        /// To be dropped when the frame has been dealt with.
        credit: Credit,
    },
    /// The session is over; the last event that names it.
    Closed {
        /// The session.
        session: SessionId,
    },
}

/// The endpoint for gateways and tools. Dropping it ends all sessions.
pub struct ClientServer {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    endpoint: Endpoint,
    pins: Pins,
    hello: Hello,
    hello_check: HelloCheck,
    sessions: Mutex<BTreeMap<SessionId, Arc<Session>>>,
    sessions_max: usize,
    frame_bytes_max: usize,
    next_session: AtomicU64,
    events: mpsc::Sender<ClientEvent>,
    stop: Stop,
}

struct Session {
    id: SessionId,
    key: [u8; 32],
    name: u64,
    connection: Connection,
    queue: Queue,
    /// What the client is told when the session ends by our will.
    farewell: Mutex<String>,
    /// Wakes the session's task when it is to end by our will.
    ending: Notify,
}

impl ClientServer {
    /// Opens the endpoint. `hello_check` judges the payload of each client's hello. Must be called within
    /// a tokio runtime.
    pub async fn start(
        config: ClientServerConfig,
        hello_check: HelloCheck,
        events: mpsc::Sender<ClientEvent>,
    ) -> Result<ClientServer, LinkError> {
        let ClientServerConfig {
            listen,
            key,
            network_id,
            pins,
            sessions_max,
            frame_bytes_max,
            hello,
        } = config;
        if sessions_max == 0 {
            return Err(LinkError::Config("no session is allowed"));
        }
        if !(hello::FIRST_FRAME_BYTES_MAX..=PEER_FRAME_BYTES_MAX).contains(&frame_bytes_max) {
            return Err(LinkError::Config("frame_bytes_max is not within 65 KiB to 16 MiB"));
        }
        let hello = Hello::new(network_id, 0, endpoint::random_u64()?, hello)?;
        let tls = tls::server(&key, pins.clone(), endpoint::CLIENT_ALPN)?;
        let transport = endpoint::session_transport();
        let endpoint = endpoint::listening(listen, &key, "clients", tls, transport)?;
        let (stop, stopped) = Stop::new();
        let shared = Arc::new(Shared {
            endpoint,
            pins,
            hello,
            hello_check,
            sessions: Mutex::default(),
            sessions_max,
            frame_bytes_max,
            next_session: AtomicU64::new(1),
            events,
            stop: stopped.clone(),
        });
        let serving = shared.clone();
        let acceptor = tokio::spawn(endpoint::accept_loop(
            shared.endpoint.clone(),
            stopped,
            move |connection, permit| accept(serving.clone(), connection, permit),
        ));
        Ok(ClientServer { shared, stop, acceptor: Mutex::new(Some(acceptor)) })
    }

    /// Queues a frame for a client; never waits.
    pub fn send(&self, session: SessionId, frame: OutFrame) -> SendResult {
        let Some(session) = self.shared.sessions().get(&session).cloned() else {
            return SendResult::Gone;
        };
        if !is_sendable(&frame, self.shared.frame_bytes_max) {
            session.end("an answer exceeds the limits of the session");
            return SendResult::Gone;
        }
        session.queue.push(frame)
    }

    /// Ends a session after what is queued was sent (for at most about a second); `reason` is
    /// told to the client. Its `Closed` event follows. Unknown sessions are ignored.
    pub fn close_session(&self, session: SessionId, reason: &str) {
        let session = self.shared.sessions().get(&session).cloned();
        if let Some(session) = session {
            session.end(reason);
        }
    }

    /// Number of open sessions.
    pub fn sessions(&self) -> usize {
        self.shared.sessions().len()
    }

    /// The address listened on, with the port that was picked.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// Ends all sessions after what is queued was sent, then stops; takes at most about three
    /// seconds. The socket is released when the `ClientServer` is dropped.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let acceptor = self.acceptor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(acceptor) = acceptor {
            let _ = acceptor.await;
        }
        self.shared.endpoint.close(quinn::VarInt::from_u32(CloseCode::Done as u32), STOPPING);
        let _ = tokio::time::timeout(FLUSH_TIME_MAX, self.shared.endpoint.wait_idle()).await;
    }
}

impl Drop for ClientServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.shared.endpoint.close(quinn::VarInt::from_u32(CloseCode::Done as u32), STOPPING);
    }
}

/// Whether size and kind of a frame are such that the other side accepts it.
pub(crate) fn is_sendable(frame: &OutFrame, frame_bytes_max: usize) -> bool {
    let sendable =
        frame.wire_bytes() <= frame_bytes_max && (1..RESERVED_KIND_FIRST).contains(&frame.kind);
    if !sendable {
        let bytes = frame.wire_bytes();
        tracing::error!(kind = frame.kind, bytes, "frame is too large or of a reserved kind");
    }
    sendable
}

/// A queue in which at least two of the largest frames fit.
pub(crate) fn session_queue(frame_bytes_max: usize) -> Queue {
    Queue::new(CLIENT_QUEUE_FRAMES, CLIENT_QUEUE_BYTES.max(frame_bytes_max * 2))
}

impl Session {
    /// Lets the writer drain the queue and then close the connection.
    fn end(&self, reason: &str) {
        let mut farewell = self.farewell.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone_into(&mut farewell);
        drop(farewell);
        self.queue.close();
        self.ending.notify_one();
    }

    fn farewell(&self) -> String {
        self.farewell.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Session>>> {
        // No code that can panic runs under this lock.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a session its number if the limits allow one more.
    fn open(self: &Arc<Self>, key: [u8; 32], name: u64, connection: &Connection) -> Option<Entry> {
        let mut sessions = self.sessions();
        let of_this_name = sessions.values().filter(|session| session.name == name).count();
        if sessions.len() >= self.sessions_max || of_this_name >= SESSIONS_PER_NAME_MAX {
            return None;
        }
        let session = Arc::new(Session {
            id: self.next_session.fetch_add(1, Ordering::Relaxed),
            key,
            name,
            connection: connection.clone(),
            queue: session_queue(self.frame_bytes_max),
            farewell: Mutex::new("session closed".to_owned()),
            ending: Notify::new(),
        });
        sessions.insert(session.id, session.clone());
        drop(sessions);
        Some(Entry { shared: self.clone(), session })
    }
}

/// A session's place among the sessions, given back however the session ends.
struct Entry {
    shared: Arc<Shared>,
    session: Arc<Session>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.sessions().remove(&self.session.id);
    }
}

/// Takes in a connection: hello, session, frames, end.
async fn accept(shared: Arc<Shared>, connection: Connection, permit: OwnedSemaphorePermit) {
    let remote = connection.remote_address();
    let greeted = within(HANDSHAKE_TIME_MAX, greet(&shared, &connection)).await;
    drop(permit);
    let (entry, theirs, out, reader) = match greeted {
        Ok(greeted) => greeted,
        Err(error) => {
            tracing::warn!(%remote, %error, "client refused");
            return error.code().close(&connection, &error.to_string());
        }
    };
    let session = entry.session.clone();
    let id = session.id;
    let mut stop = shared.stop.clone();
    let opened =
        ClientEvent::Opened { session: id, name: session.name, key: session.key, hello: theirs };
    let told = tokio::select! {
        told = shared.events.send(opened) => told.is_ok(),
        () = stop.stopped() => false,
    };
    if told {
        tracing::info!(session = id, name = session.name, %remote, "client session opened");
        let reason = exchange(&shared, &session, out, reader).await;
        tracing::info!(session = id, name = session.name, %reason, "client session closed");
    } else {
        CloseCode::Done.close(&connection, "node is stopping");
    }
    drop(entry);
    if told {
        // After `stop` nobody may be reading any more, and nobody needs the event.
        tokio::select! {
            _ = shared.events.send(ClientEvent::Closed { session: id }) => {}
            () = stop.stopped() => {
                let _ = shared.events.try_send(ClientEvent::Closed { session: id });
            }
        }
    }
}

async fn greet(
    shared: &Arc<Shared>,
    connection: &Connection,
) -> Result<(Entry, Bytes, SendStream, FrameReader), Failure> {
    let (mut out, stream) = connection.accept_bi().await?;
    let mut reader = FrameReader::new(stream, connection, hello::FIRST_FRAME_BYTES_MAX);
    let theirs = hello::read_hello(&mut reader).await?;
    theirs.check(&shared.hello, 0)?;
    let key = tls::key_of(connection).ok_or(Failure::Key)?;
    let name = shared.pins.get(&key).ok_or(Failure::Key)?;
    (shared.hello_check)(name, &theirs.payload).map_err(Failure::Hello)?;
    let entry = shared.open(key, name, connection).ok_or(Failure::Busy)?;
    // A client that does not take it, and a time that is up here, cost no place for long.
    hello::send_hello(&mut out, &shared.hello).await?;
    reader.set_limit(shared.frame_bytes_max);
    Ok((entry, theirs.payload, out, reader))
}

/// Moves frames until the session ends; returns why it did.
async fn exchange(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    out: SendStream,
    reader: FrameReader,
) -> String {
    let mut stop = shared.stop.clone();
    let limit = shared.frame_bytes_max;
    let unused = AtomicU64::new(0);
    let mut writer = std::pin::pin!(write_queue(out, &session.queue, limit, &unused));
    let reading = tokio::spawn(read_session(shared.clone(), session.id, reader));
    let mut reading = AbortOnDrop(reading);
    let mut stopping = false;
    let mut deadline = None;
    let reason = loop {
        tokio::select! {
            () = stop.stopped(), if !stopping => {
                stopping = true;
                session.end("node is stopping");
            }
            // From now on the writer drains the queue, but not for longer than this.
            () = session.ending.notified() => {
                deadline.get_or_insert_with(|| tokio::time::Instant::now() + FLUSH_TIME_MAX);
            }
            () = until(deadline) => {
                let farewell = session.farewell();
                CloseCode::Done.close(&session.connection, &farewell);
                break format!("{farewell} (not everything was delivered)");
            }
            written = &mut writer => match written {
                // Closed by us, and everything queued has arrived or its time is over.
                Ok(()) => {
                    let farewell = session.farewell();
                    CloseCode::Done.close(&session.connection, &farewell);
                    break farewell;
                }
                Err(failure) => break end_by(session, &failure),
            },
            read = &mut reading.0 => match read {
                // The client has said goodbye: it gets what is still queued.
                Ok(Ok(())) => {
                    session.end("goodbye");
                    let _ = tokio::time::timeout(FLUSH_TIME_MAX, writer).await;
                    CloseCode::Done.close(&session.connection, "goodbye");
                    return "client said goodbye".to_owned();
                }
                Ok(Err(failure)) => return end_by(session, &failure),
                Err(panicked) => return end_by(session, &Failure::Stream(panicked.to_string())),
            },
        }
    };
    if !stopping {
        // The reader delivers what has arrived and ends with the connection.
        let _ = (&mut reading.0).await;
    }
    reason
}

/// Waits for a deadline, for ever while there is none.
async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Discards what is queued and tells the client why, unless it was the one that left.
fn end_by(session: &Session, failure: &Failure) -> String {
    session.queue.abort();
    let reason = failure.to_string();
    failure.code().close(&session.connection, &reason);
    reason
}

struct AbortOnDrop(JoinHandle<Result<(), Failure>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read_session(
    shared: Arc<Shared>,
    session: SessionId,
    mut reader: FrameReader,
) -> Result<(), Failure> {
    let room = Room::new(SESSION_CREDIT_BYTES);
    while let Some(frame) = reader.next_message().await? {
        debug_assert!(frame.payload.len() + FRAME_HEADER_BYTES <= shared.frame_bytes_max);
        let credit = tokio::select! {
            biased;
            credit = room.take(frame.payload.len()) => credit,
            _ = reader.closed() => break,
        };
        if shared.events.send(ClientEvent::Frame { session, frame, credit }).await.is_err() {
            break;
        }
    }
    Ok(())
}
