//! The proxy's thread: receives bursts, asks the weather, sends at once or when it is time.
//!
//! Bursts are received and sent in one system call each where the system can (GRO, GSO). Order on a
//! path holds unless the weather says otherwise; what waits lies in one heap by its time.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use quinn_udp::{EcnCodepoint, RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, LocalSet};

use super::weather::{Piece, fate};
use super::{Post, SharedBoard, Way, Weather};
use crate::chance::Chance;

/// Bytes that wait for their time, all paths together; more is lost.
const WAITING_BYTES_MAX: usize = 256 << 20;
/// Bursts received in one call.
const BURSTS: usize = 8;
/// Longest burst.
const BURST_BYTES_MAX: usize = 64 << 10;
/// Gateways and tools with a path at one time; the one that was quiet longest gives way.
const CLIENTS_MAX: usize = 256;
const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// Pause after an error of a socket, so that a lasting one costs no processor.
const ERROR_PAUSE: Duration = Duration::from_millis(5);

/// A socket with what the system can do for it.
struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
}

impl Socket {
    fn bind(address: SocketAddr) -> Result<Arc<Self>> {
        let socket = std::net::UdpSocket::bind(address)
            .with_context(|| format!("open the proxy's address {address}"))?;
        let state = UdpSocketState::new((&socket).into()).context("set the proxy's socket up")?;
        // The system caps these at its own maximum; smaller ones lose more in bursts.
        let _ = state.set_recv_buffer_size((&socket).into(), SOCKET_BUFFER_BYTES);
        let _ = state.set_send_buffer_size((&socket).into(), SOCKET_BUFFER_BYTES);
        socket.set_nonblocking(true).context("set the proxy's socket up")?;
        let io = UdpSocket::from_std(socket).context("set the proxy's socket up")?;
        Ok(Arc::new(Self { io, state }))
    }

    /// Receives bursts and hands each to `take` with its bytes.
    async fn receive(&self, mut take: impl FnMut(&RecvMeta, &[u8])) {
        let mut buffers = vec![vec![0u8; BURST_BYTES_MAX]; BURSTS];
        let mut metas = [RecvMeta::default(); BURSTS];
        loop {
            let received = {
                let mut slices: Vec<IoSliceMut<'_>> =
                    buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
                let receive = || self.state.recv((&self.io).into(), &mut slices, &mut metas);
                self.io.async_io(Interest::READABLE, receive).await
            };
            match received {
                Ok(count) => {
                    for (meta, buffer) in metas.iter().zip(&buffers).take(count) {
                        take(meta, &buffer[..meta.len]);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the proxy cannot receive");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
        }
    }
}

/// Datagrams on their way out.
struct Outgoing {
    way: Way,
    socket: Arc<Socket>,
    to: SocketAddr,
    ecn: Option<EcnCodepoint>,
    bytes: Vec<u8>,
    segment: usize,
}

impl Outgoing {
    /// As much as the system takes in one call: the rest is cut off and returned.
    fn cut_to_size(&mut self) -> Option<Vec<u8>> {
        let most = self.socket.state.max_gso_segments().max(1) * self.segment;
        (self.bytes.len() > most).then(|| self.bytes.split_off(most))
    }

    fn transmit(&self) -> Transmit<'_> {
        let many = self.bytes.len() > self.segment;
        Transmit {
            destination: self.to,
            ecn: self.ecn,
            contents: &self.bytes,
            segment_size: many.then_some(self.segment),
            src_ip: None,
        }
    }

    fn send_now(&self) -> io::Result<()> {
        let Socket { io, state } = &*self.socket;
        io.try_io(Interest::WRITABLE, || state.try_send(io.into(), &self.transmit()))
    }

    async fn send(&self) -> io::Result<()> {
        let Socket { io, state } = &*self.socket;
        io.async_io(Interest::WRITABLE, || state.try_send(io.into(), &self.transmit())).await
    }

    fn datagrams(&self) -> u64 {
        self.bytes.len().div_ceil(self.segment.max(1)) as u64
    }
}

/// Ordered by time, then by arrival.
struct Waiting {
    due: Instant,
    number: u64,
    outgoing: Outgoing,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// One direction between two ends.
struct Path {
    chance: Chance,
    /// Nothing that keeps its place leaves before this time.
    last_due: Instant,
    /// Pieces in the heap.
    waiting: usize,
}

/// A gateway's or tool's way to a node.
struct ClientPath {
    socket: Arc<Socket>,
    reader: AbortHandle,
    used: Instant,
}

/// What the tasks of the thread share.
struct State {
    board: SharedBoard,
    seed: u64,
    paths: BTreeMap<Way, Path>,
    heap: BinaryHeap<Reverse<Waiting>>,
    heap_bytes: usize,
    numbers: u64,
    clients: HashMap<(u64, SocketAddr), ClientPath>,
}

/// A handle to it.
#[derive(Clone)]
struct Desk {
    state: Rc<RefCell<State>>,
    /// Something waits that is due before all else.
    sooner: Rc<Notify>,
}

/// A node's addresses with the proxy's sockets.
struct Station {
    post: Post,
    peers: Arc<Socket>,
    clients: Arc<Socket>,
}

/// The thread's whole work.
pub(super) struct Carrier {
    stations: Vec<Station>,
    board: SharedBoard,
    seed: u64,
}

impl Carrier {
    /// Takes all addresses, so that one that is in use is an error of the caller. Must be called
    /// within the runtime that the thread will use.
    pub(super) fn open(posts: Vec<Post>, board: SharedBoard, seed: u64) -> Result<Self> {
        let stations = posts
            .into_iter()
            .map(|post| {
                let peers = Socket::bind(post.peers_at)?;
                Ok(Station { post, peers, clients: Socket::bind(post.clients_at)? })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { stations, board, seed })
    }

    /// Carries until told to stop.
    pub(super) fn run(self, runtime: &Runtime, stopped: oneshot::Receiver<()>) {
        let Self { stations, board, seed } = self;
        let desk = Desk {
            state: Rc::new(RefCell::new(State {
                board,
                seed,
                paths: BTreeMap::new(),
                heap: BinaryHeap::new(),
                heap_bytes: 0,
                numbers: 0,
                clients: HashMap::new(),
            })),
            sooner: Rc::new(Notify::new()),
        };
        let stations: Rc<[Station]> = stations.into();
        let local = LocalSet::new();
        for place in 0..stations.len() {
            local.spawn_local(carry_between_nodes(desk.clone(), stations.clone(), place));
            local.spawn_local(carry_from_clients(desk.clone(), stations.clone(), place));
        }
        local.spawn_local(send_when_due(desk));
        // An error means that the owner is gone, which is a stop too.
        let _ = runtime.block_on(local.run_until(stopped));
    }
}

/// What arrives at a node's address for peers leaves by the sender's address.
async fn carry_between_nodes(desk: Desk, stations: Rc<[Station]>, place: usize) {
    let own = &stations[place];
    let take = |meta: &RecvMeta, bytes: &[u8]| match stations
        .iter()
        .find(|station| station.post.peers_to == meta.addr)
    {
        Some(sender) => {
            let way = Way::Nodes { from: sender.post.id, to: own.post.id };
            desk.carry(way, meta, bytes, &sender.peers, own.post.peers_to);
        }
        None => desk.state.borrow().board.lock().counts.strange += 1,
    };
    own.peers.receive(take).await;
}

async fn carry_from_clients(desk: Desk, stations: Rc<[Station]>, place: usize) {
    let own = &stations[place];
    let take = |meta: &RecvMeta, bytes: &[u8]| match desk.client_path(own, meta.addr) {
        Ok(socket) => {
            let way = Way::FromClients { to: own.post.id };
            desk.carry(way, meta, bytes, &socket, own.post.clients_to);
        }
        Err(error) => {
            tracing::warn!(%error, "the proxy has no path for another client");
            desk.state.borrow().board.lock().counts.overflowed += 1;
        }
    };
    own.clients.receive(take).await;
}

/// Answers of a node to one client.
async fn carry_to_client(
    desk: Desk,
    from: Arc<Socket>,
    by: Arc<Socket>,
    post: Post,
    to: SocketAddr,
) {
    let take = |meta: &RecvMeta, bytes: &[u8]| {
        if meta.addr == post.clients_to {
            desk.carry(Way::ToClients { from: post.id }, meta, bytes, &by, to);
        } else {
            desk.state.borrow().board.lock().counts.strange += 1;
        }
    };
    from.receive(take).await;
}

/// Sends what waits, each at its time.
async fn send_when_due(desk: Desk) {
    loop {
        let due = desk.state.borrow().heap.peek().map(|Reverse(first)| first.due);
        match due {
            None => desk.sooner.notified().await,
            Some(due) if due > Instant::now() => {
                tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    () = desk.sooner.notified() => {}
                }
            }
            Some(_) => {
                let first = desk.state.borrow_mut().heap.pop();
                if let Some(Reverse(first)) = first {
                    desk.send_waiting(first.outgoing).await;
                }
            }
        }
    }
}

impl Desk {
    /// Lets the weather decide, and sends or keeps what is left.
    fn carry(&self, way: Way, meta: &RecvMeta, bytes: &[u8], by: &Arc<Socket>, to: SocketAddr) {
        let state = &mut *self.state.borrow_mut();
        let now = Instant::now();
        let mut board = state.board.lock();
        let weather = board.weather.get(&way).copied().unwrap_or(Weather::CALM);
        let seed = state.seed.wrapping_mul(1_000_003).wrapping_add(number_of(way));
        let path = state.paths.entry(way).or_insert_with(|| Path {
            chance: Chance::new(seed),
            last_due: now,
            waiting: 0,
        });
        let mut pieces = Vec::new();
        board.counts.lost += fate(&weather, &mut path.chance, bytes, meta.stride, &mut pieces);
        for Piece { after, in_order, bytes, segment } in pieces {
            let mut due = now + after;
            if in_order {
                due = due.max(path.last_due);
                path.last_due = due;
            }
            let socket = by.clone();
            let mut rest = Some(Outgoing { way, socket, to, ecn: meta.ecn, bytes, segment });
            while let Some(mut outgoing) = rest.take() {
                rest = outgoing.cut_to_size().map(|bytes| Outgoing {
                    bytes,
                    socket: outgoing.socket.clone(),
                    ..outgoing
                });
                if due <= now && path.waiting == 0 {
                    match outgoing.send_now() {
                        Ok(()) => {
                            board.counts.passed += outgoing.datagrams();
                            continue;
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => {
                            board.counts.overflowed += outgoing.datagrams();
                            continue;
                        }
                    }
                }
                if state.heap_bytes + outgoing.bytes.len() > WAITING_BYTES_MAX {
                    board.counts.overflowed += outgoing.datagrams();
                    continue;
                }
                state.heap_bytes += outgoing.bytes.len();
                state.numbers += 1;
                path.waiting += 1;
                let first = state.heap.peek().is_none_or(|Reverse(first)| due < first.due);
                state.heap.push(Reverse(Waiting { due, number: state.numbers, outgoing }));
                if first {
                    self.sooner.notify_one();
                }
            }
        }
    }

    async fn send_waiting(&self, outgoing: Outgoing) {
        let sent = outgoing.send().await;
        let state = &mut *self.state.borrow_mut();
        state.heap_bytes -= outgoing.bytes.len();
        if let Some(path) = state.paths.get_mut(&outgoing.way) {
            path.waiting -= 1;
        }
        let mut board = state.board.lock();
        match sent {
            Ok(()) => board.counts.passed += outgoing.datagrams(),
            Err(_) => board.counts.overflowed += outgoing.datagrams(),
        }
    }

    /// The socket that stands for a client towards a node.
    fn client_path(&self, station: &Station, client: SocketAddr) -> Result<Arc<Socket>> {
        let key = (station.post.id, client);
        let state = &mut *self.state.borrow_mut();
        if let Some(path) = state.clients.get_mut(&key) {
            path.used = Instant::now();
            return Ok(path.socket.clone());
        }
        if state.clients.len() >= CLIENTS_MAX {
            let quiet = state.clients.iter().min_by_key(|(_, path)| path.used);
            if let Some(path) =
                quiet.map(|(key, _)| *key).and_then(|key| state.clients.remove(&key))
            {
                path.reader.abort();
            }
        }
        let any: SocketAddr = match station.post.clients_to {
            SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
        };
        let socket = Socket::bind(any)?;
        let back = station.clients.clone();
        let task = carry_to_client(self.clone(), socket.clone(), back, station.post, client);
        let reader = tokio::task::spawn_local(task).abort_handle();
        let path = ClientPath { socket: socket.clone(), reader, used: Instant::now() };
        state.clients.insert(key, path);
        Ok(socket)
    }
}

/// A number of its own for each direction, so that their chances differ.
fn number_of(way: Way) -> u64 {
    match way {
        Way::Nodes { from, to } => from << 20 | to << 4,
        Way::FromClients { to } => to << 4 | 1,
        Way::ToClients { from } => from << 4 | 2,
    }
}
