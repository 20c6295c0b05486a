//! What the tests over real QUIC on the loopback interface share: addresses, keys, deadlines.
#![allow(dead_code, clippy::unwrap_used)]

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use link::{LinkKey, PeerAddress, PeerConfig};

/// The network of the tests.
pub(crate) const NETWORK: [u8; 32] = [42; 32];

/// Runs a step that must end within ten seconds.
pub(crate) async fn soon<T>(what: &str, step: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(10), step).await {
        Ok(done) => done,
        Err(_) => panic!("{what} takes more than ten seconds"),
    }
}

/// A loopback address that is free now.
pub(crate) fn free_addr() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The key of a node or client by number.
pub(crate) fn key(number: u8) -> LinkKey {
    LinkKey::from_seed([number; 32])
}

/// Configurations of nodes 1 to `count`, each knowing all others.
pub(crate) fn peer_configs(count: u8) -> Vec<PeerConfig> {
    let peers: Vec<PeerAddress> = (1..=count)
        .map(|id| PeerAddress { id: id.into(), key: key(id).public(), addr: free_addr() })
        .collect();
    let config = |id: u8| PeerConfig {
        node_id: id.into(),
        listen: peers[usize::from(id) - 1].addr,
        key: key(id),
        network_id: NETWORK,
        peers: peers.clone(),
        hello: Bytes::from(vec![id]),
    };
    (1..=count).map(config).collect()
}
