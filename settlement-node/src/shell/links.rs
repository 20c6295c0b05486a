//! The sockets: links with the other nodes, sessions of gateways, and where their frames go.
//!
//! Frames of another version, of an unknown kind or of a protocol that is not spoken here go nowhere.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use ledger::ParticipantNumber;
use link::{
    ClientEvent, ClientServer, ClientServerConfig, HelloCheck, LinkError, PeerAddress, PeerConfig,
    PeerEvent, PeerLinks, SessionId,
};
use tokio::sync::mpsc;
use wire::{
    client::{CLIENT_PROTOCOL, FRAME_VERSION, KIND_SUBMIT},
    cosign::{KIND_COSIGNATURE, KIND_WATCH_FINAL},
    peer::{
        KIND_FETCH, KIND_FORWARD, KIND_FORWARD_REFUSED, KIND_PIECE, KIND_RAFT, KIND_RAFT_APPEND,
        PEER_PROTOCOL,
    },
};

use super::{
    Loop, RunError, check::Checkers, deliver, evidence::Evidence, quiet::Quiet, serve::Server,
    work::Unchecked,
};
use crate::{
    config::NodeConfig,
    event::Event,
    limits::{LISTEN_ATTEMPTS, LISTEN_PAUSE},
};

/// The links to the other nodes, which stay up while the node itself is mended and starts again.
pub(super) struct Links {
    pub(super) peers: Arc<PeerLinks>,
    pub(super) events: Arc<tokio::sync::Mutex<mpsc::Receiver<PeerEvent>>>,
}

impl Links {
    pub(super) async fn start(config: &NodeConfig) -> Result<Self, RunError> {
        let (sender, receiver) = mpsc::channel(1024);
        let id = config.own.id;
        let peers = PeerLinks::start(
            PeerConfig {
                node_id: id,
                listen: config.listen,
                key: config.link_key.clone(),
                network_id: config.genesis.domain.network,
                peers: config
                    .genesis
                    .nodes
                    .iter()
                    .filter(|node| node.id != id)
                    .map(|node| PeerAddress { id: node.id, key: node.link_key, addr: node.address })
                    .collect(),
                hello: Bytes::copy_from_slice(&PEER_PROTOCOL.to_le_bytes()),
            },
            Arc::new(|_, hello| speaks("peer protocol", PEER_PROTOCOL, hello)),
            sender,
        )
        .await?;
        let events = Arc::new(tokio::sync::Mutex::new(receiver));
        Ok(Self { peers: Arc::new(peers), events })
    }
}

/// Whether the other side's hello names the version of a protocol that is spoken here.
fn speaks(protocol: &str, version: u16, hello: &[u8]) -> Result<(), String> {
    if hello == version.to_le_bytes() {
        return Ok(());
    }
    let theirs = match hello.try_into() {
        Ok(bytes) => format!("version {}", u16::from_le_bytes(bytes)),
        Err(_) => "no version".to_owned(),
    };
    Err(format!("{protocol}: {theirs} is not spoken here, but version {version}"))
}

/// Listens for gateways. The socket of the life before goes away by itself, a moment after that has ended.
pub(super) async fn serve_clients(
    config: ClientServerConfig,
    events: mpsc::Sender<ClientEvent>,
) -> Result<ClientServer, LinkError> {
    let check: HelloCheck = Arc::new(|_, hello| speaks("client protocol", CLIENT_PROTOCOL, hello));
    for _ in 0..LISTEN_ATTEMPTS {
        match ClientServer::start(config.clone(), Arc::clone(&check), events.clone()).await {
            Err(LinkError::Socket { source, .. })
                if source.kind() == std::io::ErrorKind::AddrInUse =>
            {
                tokio::time::sleep(LISTEN_PAUSE).await;
            }
            started => return started,
        }
    }
    ClientServer::start(config, check, events).await
}

/// Takes an event of the links with other nodes.
pub(super) async fn on_peer_event(
    event: PeerEvent,
    checkers: &Checkers,
    handle: &Loop,
    server: &Server,
    evidence: &Evidence,
    quiet: &Quiet,
) {
    match event {
        PeerEvent::Connected { peer } => tracing::info!(peer, "peer connected"),
        PeerEvent::Disconnected { peer } => {
            tracing::warn!(peer, "peer disconnected");
            deliver(handle, Event::PeerLost { peer }).await;
        }
        // Nothing here waits: what one peer sends must not hold up the votes of another.
        PeerEvent::Frame { peer, frame, credit } => {
            let (kind, version, payload) = (frame.kind, frame.version, frame.payload);
            match kind {
                _ if version != wire::peer::FRAME_VERSION => {
                    if let Some(more) = quiet.speak() {
                        tracing::warn!(peer, kind, version, more, "a frame of an unknown version");
                    }
                }
                KIND_RAFT => checkers.push_control(peer, payload, credit),
                KIND_RAFT_APPEND => checkers.push(Unchecked::Append { peer, payload, credit }),
                KIND_COSIGNATURE => evidence.said(peer, payload, credit),
                KIND_FETCH => server.serve(peer, payload, quiet),
                // An answer to a question of a life before this one.
                KIND_PIECE => {}
                KIND_FORWARD | KIND_FORWARD_REFUSED => {
                    checkers.push(Unchecked::Peer { peer, kind, payload, credit });
                }
                _ => {
                    if let Some(more) = quiet.speak() {
                        tracing::warn!(peer, kind, more, "a frame of an unknown kind");
                    }
                }
            }
        }
    }
}

/// Takes an event of a session. `banks`: whose each open session is.
pub(super) async fn on_client_event(
    event: ClientEvent,
    banks: &mut HashMap<SessionId, ParticipantNumber>,
    checkers: &Checkers,
    handle: &Loop,
    clients: &ClientServer,
    evidence: &Evidence,
) {
    match event {
        ClientEvent::Opened { session, name, .. } => {
            tracing::info!(session, participant = name, "session opened");
            let participant = ParticipantNumber(name as u32);
            banks.insert(session, participant);
            deliver(handle, Event::SessionOpened { session, participant }).await;
        }
        ClientEvent::Closed { session } => {
            tracing::info!(session, "session closed");
            banks.remove(&session);
            evidence.gone(session);
            deliver(handle, Event::SessionClosed { session }).await;
        }
        ClientEvent::Frame { session, frame, .. } if frame.version != FRAME_VERSION => {
            let version = frame.version;
            let reason = format!("frames of version {version} are not spoken here");
            clients.close_session(session, &reason);
        }
        ClientEvent::Frame { session, frame, .. } if frame.kind == KIND_WATCH_FINAL => {
            evidence.watch(session);
        }
        ClientEvent::Frame { session, frame, credit } => {
            let (kind, payload) = (frame.kind, frame.payload);
            let unchecked = match banks.get(&session) {
                Some(bank) if kind == KIND_SUBMIT => {
                    Unchecked::Submission { session, bank: *bank, payload, credit }
                }
                _ => Unchecked::Request { session, kind, payload, credit },
            };
            checkers.push(unchecked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hello_of_the_same_version_is_understood() {
        assert_eq!(speaks("peer protocol", 2, &[2, 0]), Ok(()));
        for (hello, expected) in [
            (&[1, 0][..], "version 1 is not spoken here, but version 2"),
            (&[2, 1], "version 258"),
            (&[], "no version"),
            (&[2, 0, 0], "no version"),
        ] {
            let said = speaks("peer protocol", 2, hello).expect_err("it is another version");
            assert!(said.contains(expected), "{said}");
        }
    }
}
