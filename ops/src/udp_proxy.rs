//! A network between the nodes whose weather can be changed: delay, loss, copies, disorder, cuts.
//!
//! The genesis file names the proxy's addresses, each node listens at its own ([`UdpProxy::in_front_of`]
//! arranges both). There is one socket for each node; what node A sends to B's address leaves through
//! A's socket, so that every node sees the others under the addresses that it knows, and each direction
//! has a [`Weather`] of its own. Gateways and tools get a socket each towards their node.
//!
//! Runs on a thread of its own. Datagrams that wait are bounded in bytes; what is beyond is lost, as
//! in any router. Only for tests and benchmarks on one machine.

mod carrier;
mod weather;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, ensure};
use settlement_node::config::RawConfig;
use tokio::sync::oneshot;

use crate::description::PortPlan;
use crate::layout::Layout;
use crate::ports::Ports;

pub use weather::Weather;

/// One direction of traffic. Numbers are ids of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From one node to another.
    Nodes {
        /// The sender.
        from: u64,
        /// The receiver.
        to: u64,
    },
    /// From all gateways and tools to a node.
    FromClients {
        /// The receiver.
        to: u64,
    },
    /// From a node to all its gateways and tools.
    ToClients {
        /// The sender.
        from: u64,
    },
}

/// A node's addresses: where others send to, and where it listens.
#[derive(Clone, Copy, Debug)]
pub struct Post {
    /// The node's id.
    pub id: u64,
    /// The proxy's address for the other nodes.
    pub peers_at: SocketAddr,
    /// The node's own address for them.
    pub peers_to: SocketAddr,
    /// The proxy's address for gateways and tools.
    pub clients_at: SocketAddr,
    /// The node's own address for them.
    pub clients_to: SocketAddr,
}

/// What went through since the start, in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent on.
    pub passed: u64,
    /// Lost by the weather.
    pub lost: u64,
    /// Lost because too much was waiting, or because the system did not take them.
    pub overflowed: u64,
    /// From nobody that is known.
    pub strange: u64,
}

/// What the owner and the thread share.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) weather: BTreeMap<Way, Weather>,
    pub(crate) counts: Counts,
}

/// The board, whoever holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedBoard(Arc<Mutex<Board>>);

impl SharedBoard {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        // No code that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running proxy. Ends when it is dropped.
#[derive(Debug)]
pub struct UdpProxy {
    ids: Vec<u64>,
    board: SharedBoard,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl UdpProxy {
    /// Puts a proxy in front of all nodes of a network that was set up and not started: takes the
    /// addresses of the genesis file and lets each node listen elsewhere.
    pub fn in_front_of(layout: &Layout, seed: u64) -> Result<Self> {
        let mut ports = Ports::new(PortPlan::Free);
        let mut posts = Vec::new();
        for (id, bank) in layout.nodes() {
            let node = bank.node.as_ref().context("the bank runs no node")?;
            let path = layout.node_dir(id).join("node.toml");
            let text =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let mut config: RawConfig =
                toml::from_str(&text).with_context(|| format!("read {}", path.display()))?;
            let (listen, client_listen) = (ports.udp()?, ports.udp()?);
            config.listen = Some(listen);
            config.client_listen = Some(client_listen);
            let text = toml::to_string(&config).context("write node.toml")?;
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            posts.push(Post {
                id,
                peers_at: node.address,
                peers_to: listen,
                clients_at: node.client_address,
                clients_to: client_listen,
            });
        }
        drop(ports);
        Self::start(posts, seed)
    }

    /// Starts with calm weather everywhere. The seed decides all that happens by chance.
    pub fn start(posts: Vec<Post>, seed: u64) -> Result<Self> {
        ensure!(!posts.is_empty(), "a proxy needs a node");
        let ids = posts.iter().map(|post| post.id).collect();
        let board = SharedBoard::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the proxy's runtime")?;
        let carrier = {
            let _inside = runtime.enter();
            carrier::Carrier::open(posts, board.clone(), seed)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("udp-proxy".to_owned())
            .spawn(move || carrier.run(&runtime, stopped))
            .context("start the proxy's thread")?;
        Ok(Self { ids, board, stop: Some(stop), thread: Some(thread) })
    }

    /// Changes the weather of one direction from now on. What is under way is not changed.
    pub fn set(&self, way: Way, weather: Weather) {
        self.board.lock().weather.insert(way, weather);
    }

    /// The same weather between all nodes, both ways.
    pub fn set_between_nodes(&self, weather: Weather) {
        for from in &self.ids {
            for to in self.ids.iter().filter(|to| *to != from) {
                self.set(Way::Nodes { from: *from, to: *to }, weather);
            }
        }
    }

    /// The same weather everywhere, that of gateways and tools included.
    pub fn set_everywhere(&self, weather: Weather) {
        self.set_between_nodes(weather);
        for id in &self.ids {
            self.set(Way::FromClients { to: *id }, weather);
            self.set(Way::ToClients { from: *id }, weather);
        }
    }

    /// Nothing of what these nodes send reaches the others; what is sent to them still does.
    pub fn silence(&self, group: &[u64]) {
        self.cut(group, true, false);
    }

    /// Nothing of what the others send reaches these nodes; what they send still arrives.
    pub fn deafen(&self, group: &[u64]) {
        self.cut(group, false, true);
    }

    /// No traffic between these nodes and the others, either way. Gateways reach everybody.
    pub fn part(&self, group: &[u64]) {
        self.cut(group, true, true);
    }

    fn cut(&self, group: &[u64], out: bool, back: bool) {
        let (inside, outside): (Vec<u64>, Vec<u64>) =
            self.ids.iter().partition(|id| group.contains(id));
        for inner in &inside {
            for outer in &outside {
                if out {
                    self.set(Way::Nodes { from: *inner, to: *outer }, Weather::CUT);
                }
                if back {
                    self.set(Way::Nodes { from: *outer, to: *inner }, Weather::CUT);
                }
            }
        }
    }

    /// Calm weather everywhere.
    pub fn calm(&self) {
        self.board.lock().weather.clear();
    }

    /// What went through since the start.
    pub fn counts(&self) -> Counts {
        self.board.lock().counts
    }
}

impl Drop for UdpProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panics only when a bug of its own was already printed.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
