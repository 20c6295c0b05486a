//! Node to node: one connection with each peer, two lanes on it.
//!
//! Both nodes dial until one connection stands. On it the dialling side opens two streams, used
//! in both directions for the life of the connection: control (small and urgent, written first)
//! and append (bulk). The first frame each way on control is the hello; a peer is connected only
//! when both hellos agreed. For one peer the events are strictly: connected, frames,
//! disconnected, and again.
//!
//! A lost connection loses what was queued or under way: retrying is the caller's matter.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quinn::Endpoint;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use wire::frame::{Frame, PEER_FRAME_BYTES_MAX};

use crate::credit::Credit;
use crate::endpoint::{self, Stop};
use crate::error::CloseCode;
use crate::hello::Hello;
use crate::limits::{FLUSH_TIME_MAX, RESERVED_KIND_FIRST};
use crate::peer_slot::PeerSlot;
use crate::{LinkError, LinkKey, OutFrame, Pins, SendResult, peer_connection, tls};

/// Which of a peer's two streams a frame takes. Order holds within a lane only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Votes, heartbeats, answers: sent before anything waiting on the other lane.
    Control,
    /// Log entries and other bulk.
    Append,
}

/// One other node.
#[derive(Clone, Debug)]
pub struct PeerAddress {
    /// Its node id.
    pub id: u64,
    /// Its Ed25519 public key, the only one accepted for this id.
    pub key: [u8; 32],
    /// Where it listens for peers.
    pub addr: SocketAddr,
}

/// What a node needs to link up with its peers.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Our node id; not 0.
    pub node_id: u64,
    /// Where to listen (UDP); port 0 picks a free one.
    pub listen: SocketAddr,
    /// Our identity.
    pub key: LinkKey,
    /// The network; peers of another network are refused.
    pub network_id: [u8; 32],
    /// All other nodes (an entry with our own id is ignored).
    pub peers: Vec<PeerAddress>,
    /// Opaque payload of our hello, at most 64 KiB; see [`HelloCheck`].
    pub hello: Bytes,
}

/// Judges the opaque payload of the other side's hello: `(peer id or name of the key, payload)`. The error
/// text is logged and sent to the other side.
pub type HelloCheck = Arc<dyn Fn(u64, &Bytes) -> Result<(), String> + Send + Sync>;

/// What happens on the links with peers.
#[derive(Debug)]
pub enum PeerEvent {
    /// A connection stands and both hellos agreed.
    Connected {
        /// The peer's node id.
        peer: u64,
    },
    /// The connection is gone; frames queued for it are lost.
    Disconnected {
        /// The peer's node id.
        peer: u64,
    },
    /// A frame arrived, of kind 1 to 239.
    Frame {
        /// The peer's node id, proved by its key.
        peer: u64,
        /// The frame.
        frame: Frame,
        /// To be dropped when the frame has been dealt with.
        credit: Credit,
    },
}

/// Counters of one peer since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStats {
    /// The peer's node id.
    pub id: u64,
    /// Whether a connection stands.
    pub connected: bool,
    /// Smoothed round trip time in microseconds; 0 without a connection.
    pub rtt_us: u64,
    /// Bytes of frames written.
    pub sent_bytes: u64,
    /// Bytes of frames received.
    pub received_bytes: u64,
    /// Frames not sent: no connection, queue full, or lost with a connection while queued.
    pub dropped: u64,
}

/// The links of one node with all its peers. Dropping it stops everything without ceremony.
pub struct PeerLinks {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

/// What all tasks of the links share.
pub(crate) struct Shared {
    pub(crate) endpoint: Endpoint,
    pub(crate) node_id: u64,
    pub(crate) pins: Pins,
    pub(crate) slots: BTreeMap<u64, Arc<PeerSlot>>,
    pub(crate) hello: Hello,
    pub(crate) hello_check: HelloCheck,
    pub(crate) events: mpsc::Sender<PeerEvent>,
    pub(crate) stop: Stop,
}

impl PeerLinks {
    /// Opens the endpoint and starts to dial all peers; returns at once. `hello_check` judges the payload
    /// of each peer's hello. Must be called within a tokio runtime.
    pub async fn start(
        config: PeerConfig,
        hello_check: HelloCheck,
        events: mpsc::Sender<PeerEvent>,
    ) -> Result<PeerLinks, LinkError> {
        let PeerConfig { node_id, listen, key, network_id, mut peers, hello } = config;
        if node_id == 0 {
            return Err(LinkError::Config("node id is 0"));
        }
        peers.retain(|peer| peer.id != node_id);
        let hello = Hello::new(network_id, node_id, endpoint::random_u64()?, hello)?;
        let pins = Pins::new(peers.iter().map(|peer| (peer.key, peer.id)));
        let transport = endpoint::peer_transport();
        let mut slots = BTreeMap::new();
        for peer in &peers {
            let tls = tls::client(&key, peer.key, endpoint::PEER_ALPN)?;
            let dial = endpoint::dial_config(tls, transport.clone());
            let slot = Arc::new(PeerSlot::new(peer.id, peer.addr, dial));
            if pins.get(&peer.key) != Some(peer.id) || slots.insert(peer.id, slot).is_some() {
                return Err(LinkError::Config("two peers share a node id or a key"));
            }
        }
        let tls = tls::server(&key, pins.clone(), endpoint::PEER_ALPN)?;
        let endpoint = endpoint::listening(listen, &key, "peers", tls, transport)?;
        let (stop, stopped) = Stop::new();
        let shared = Arc::new(Shared {
            endpoint,
            node_id,
            pins,
            slots,
            hello,
            hello_check,
            events,
            stop: stopped.clone(),
        });
        let mut tasks = JoinSet::new();
        for slot in shared.slots.values() {
            tasks.spawn(peer_connection::keep_connected(shared.clone(), slot.clone()));
        }
        let acceptor = shared.clone();
        tasks.spawn(endpoint::accept_loop(
            shared.endpoint.clone(),
            stopped,
            move |connection, permit| peer_connection::accept(acceptor.clone(), connection, permit),
        ));
        Ok(PeerLinks { shared, stop, tasks: Mutex::new(tasks) })
    }

    /// Queues a frame for a peer; never waits. `false`: it was dropped, because the peer is
    /// unknown or not connected, the lane's queue is full, or the frame is not valid (over
    /// 16 MiB, or of a reserved kind).
    pub fn send(&self, peer: u64, lane: Lane, frame: OutFrame) -> bool {
        let Some(slot) = self.shared.slots.get(&peer) else { return false };
        let valid = frame.wire_bytes() <= PEER_FRAME_BYTES_MAX
            && (1..RESERVED_KIND_FIRST).contains(&frame.kind);
        if !valid {
            tracing::error!(peer, kind = frame.kind, "frame is too large or of a reserved kind");
        }
        let sent = valid
            && slot.current().is_some_and(|active| {
                let queue = match lane {
                    Lane::Control => &active.control,
                    Lane::Append => &active.append,
                };
                queue.push(frame) == SendResult::Sent
            });
        if !sent {
            slot.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }

    /// Ids of the connected peers, ascending.
    pub fn connected(&self) -> Vec<u64> {
        let slots = self.shared.slots.values();
        slots.filter(|slot| slot.current().is_some()).map(|slot| slot.id).collect()
    }

    /// Counters of all peers, ascending by id.
    pub fn stats(&self) -> Vec<PeerStats> {
        let stats = |slot: &Arc<PeerSlot>| {
            let active = slot.current();
            PeerStats {
                id: slot.id,
                connected: active.is_some(),
                rtt_us: active.map_or(0, |active| active.connection.rtt().as_micros() as u64),
                sent_bytes: slot.sent_bytes.load(Ordering::Relaxed),
                received_bytes: slot.received_bytes.load(Ordering::Relaxed),
                dropped: slot.dropped.load(Ordering::Relaxed),
            }
        };
        self.shared.slots.values().map(stats).collect()
    }

    /// The address listened on, with the port that was picked.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// Closes all connections and stops; takes at most about a second. Frames still queued are
    /// dropped. The socket is released when the `PeerLinks` is dropped.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        for slot in self.shared.slots.values() {
            if let Some(active) = slot.current() {
                CloseCode::Done.close(&active.connection, "node is stopping");
            }
        }
        self.shared.endpoint.close(quinn::VarInt::from_u32(CloseCode::Done as u32), b"");
        let idle = self.shared.endpoint.wait_idle();
        let _ = tokio::time::timeout(FLUSH_TIME_MAX, idle).await;
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

impl Drop for PeerLinks {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.shared.endpoint.close(quinn::VarInt::from_u32(CloseCode::Done as u32), b"");
    }
}
