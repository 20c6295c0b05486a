//! QUIC between nodes, and between nodes and their gateways and tools.
//!
//! Identities are raw Ed25519 keys pinned on both sides ([`LinkKey`], [`Pins`]); a connection
//! counts only after both hellos were exchanged and agreed. Frames ([`wire::frame`]) arrive whole,
//! in order within a lane or session, and at most once; after a lost connection nothing is sent
//! again. Every queue is bounded: what does not fit is refused to the sender and counted, and a
//! slow receiver slows its senders down through the stream's flow control.
//!
//! - [`PeerLinks`]: one connection to each other node, with two lanes
//! - [`ClientServer`]: the node's endpoint for gateways and tools, apart from the peers'
//! - [`Client`]: the side of a gateway or tool, with fail-over between nodes
//! - [`keyfile`]: secrets at rest
//!
//! What frames mean is not known here.

mod client;
mod credit;
mod endpoint;
mod error;
mod hello;
#[cfg(test)]
mod hostile_tests;
mod key;
pub mod keyfile;
pub mod limits;
mod out_frame;
mod peer_connection;
mod peer_slot;
mod peers;
mod pins;
mod queue;
mod server;
mod stream;
mod tls;

pub use client::{Client, ClientConfig, ClientSideEvent, Disconnected, ServerAddress};
pub use credit::Credit;
pub use error::LinkError;
pub use key::LinkKey;
pub use out_frame::{OutFrame, Payload, SendResult};
pub use peers::{HelloCheck, Lane, PeerAddress, PeerConfig, PeerEvent, PeerLinks, PeerStats};
pub use pins::Pins;
pub use server::{ClientEvent, ClientServer, ClientServerConfig, SessionId};
pub use wire::frame::Frame;
