//! Connections with a valid key that misbehave: they are closed with a reason and nothing else
//! suffers.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ConnectionError, Endpoint, TransportConfig, VarInt};
use tokio::sync::mpsc;
use wire::frame::{CLIENT_FRAME_BYTES_MAX, encode_into};

use crate::endpoint::{CLIENT_ALPN, PEER_ALPN, client_transport, dial_config, dialling};
use crate::error::describe;
use crate::hello::{Hello, send_hello};
use crate::{
    ClientEvent, ClientServer, ClientServerConfig, LinkKey, PeerAddress, PeerConfig, PeerEvent,
    PeerLinks, Pins, tls,
};

fn key(number: u8) -> LinkKey {
    LinkKey::from_seed([number; 32])
}

async fn connect(
    alpn: &[u8],
    ours: &LinkKey,
    addr: std::net::SocketAddr,
) -> (Endpoint, Connection) {
    connect_with(client_transport(), alpn, ours, addr).await
}

async fn connect_with(
    transport: Arc<TransportConfig>,
    alpn: &[u8],
    ours: &LinkKey,
    addr: std::net::SocketAddr,
) -> (Endpoint, Connection) {
    let endpoint = dialling(addr).unwrap();
    let tls = tls::client(ours, key(1).public(), alpn).unwrap();
    let config = dial_config(tls, transport);
    let connection = endpoint.connect_with(config, addr, tls::SERVER_NAME).unwrap();
    let connection = connection.await.unwrap();
    (endpoint, connection)
}

async fn end_of(connection: &Connection) -> String {
    let closed = tokio::time::timeout(Duration::from_secs(8), connection.closed()).await;
    let reason: ConnectionError = closed.expect("the connection is closed in time");
    describe(&reason)
}

async fn clients() -> (ClientServer, mpsc::Receiver<ClientEvent>) {
    let (sender, events) = mpsc::channel(16);
    let config = ClientServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        key: key(1),
        network_id: [4; 32],
        pins: Pins::new([(key(2).public(), 20)]),
        sessions_max: 4,
        frame_bytes_max: CLIENT_FRAME_BYTES_MAX,
        hello: Bytes::from(vec![7; 2_000]),
    };
    (ClientServer::start(config, Arc::new(|_, _| Ok(())), sender).await.unwrap(), events)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(&mut out, kind, 1, payload).unwrap();
    out
}

#[tokio::test]
async fn bytes_that_are_no_hello_close_a_client_connection() {
    let (server, mut events) = clients().await;
    let addr = server.local_addr().unwrap();
    let mut damaged = frame(255, &[0; 60]);
    damaged[20] ^= 1;
    let cases = [
        (vec![0xff; 4000], "exceeds the limit"),
        (vec![0; 4000], "shorter than its own header"),
        (damaged, "checksum"),
        (frame(255, &[0; 10]), "unknown layout"),
        (frame(255, &[0; 60]), "wrong network"),
        (frame(3, b"too early"), "kind 3 has no place here"),
        (frame(255, &vec![0; 80 << 10]), "exceeds the limit"),
    ];
    for (bytes, expected) in cases {
        let (_endpoint, connection) = connect(CLIENT_ALPN, &key(2), addr).await;
        let (mut out, _stream) = connection.open_bi().await.unwrap();
        out.write_all(&bytes).await.unwrap();
        let reason = end_of(&connection).await;
        assert!(reason.contains(expected), "{reason} instead of {expected}");
    }
    assert!(events.try_recv().is_err(), "nothing of this became a session");
}

#[tokio::test]
async fn garbage_after_the_hello_ends_the_session() {
    let (server, mut events) = clients().await;
    let addr = server.local_addr().unwrap();
    let hello = Hello::new([4; 32], 0, 1, Bytes::new()).unwrap();
    for (bytes, expected) in [
        (vec![0xee; 100], "exceeds the limit"),
        (frame(240, b""), "kind 240 has no place here"),
        (frame(9, b"cut")[..11].to_vec(), "cut inside a frame"),
    ] {
        let (_endpoint, connection) = connect(CLIENT_ALPN, &key(2), addr).await;
        let (mut out, _stream) = connection.open_bi().await.unwrap();
        send_hello(&mut out, &hello).await.unwrap();
        out.write_all(&frame(9, b"good")).await.unwrap();
        out.write_all(&bytes).await.unwrap();
        out.finish().unwrap();
        let reason = end_of(&connection).await;
        assert!(reason.contains(expected), "{reason} instead of {expected}");
        let expected: [fn(&ClientEvent) -> bool; 3] = [
            |event| matches!(event, ClientEvent::Opened { name: 20, .. }),
            |event| matches!(event, ClientEvent::Frame { frame, .. } if frame.payload == "good"),
            |event| matches!(event, ClientEvent::Closed { .. }),
        ];
        for is_expected in expected {
            let event = events.recv().await.unwrap();
            assert!(is_expected(&event), "unexpected: {event:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_in_time() {
    let (server, _events) = clients().await;
    let addr = server.local_addr().unwrap();
    let (_endpoint, connection) = connect(CLIENT_ALPN, &key(2), addr).await;
    let reason = end_of(&connection).await;
    assert!(reason.contains("no answer within 3000 ms"), "{reason}");
}

#[tokio::test]
async fn a_client_that_takes_no_hello_gets_no_place_for_long() {
    let (server, mut events) = clients().await;
    let addr = server.local_addr().unwrap();
    // Less than our hello, and it reads nothing.
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(100));
    let transport = Arc::new(transport);
    for _ in 0..2 {
        let mut held = Vec::new();
        for _ in 0..4 {
            let (endpoint, connection) =
                connect_with(transport.clone(), CLIENT_ALPN, &key(2), addr).await;
            let (mut out, stream) = connection.open_bi().await.unwrap();
            let hello = Hello::new([4; 32], 0, 1, Bytes::new()).unwrap();
            send_hello(&mut out, &hello).await.unwrap();
            held.push((endpoint, connection, out, stream));
        }
        for (_, connection, _, _) in &held {
            let reason = end_of(connection).await;
            assert!(reason.contains("no answer within 3000 ms"), "{reason}");
        }
        assert_eq!(server.sessions(), 0);
    }
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn a_peer_that_sends_garbage_is_disconnected() {
    let (sender, mut events) = mpsc::channel(16);
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = PeerConfig {
        node_id: 1,
        listen: ([127, 0, 0, 1], 0).into(),
        key: key(1),
        network_id: [4; 32],
        peers: vec![PeerAddress { id: 2, key: key(2).public(), addr: nobody }],
        hello: Bytes::new(),
    };
    let links = Arc::new(PeerLinks::start(config, Arc::new(|_, _| Ok(())), sender).await.unwrap());
    let addr = links.local_addr().unwrap();

    // The right key, but the hello of another node.
    let (_endpoint, connection) = connect(PEER_ALPN, &key(2), addr).await;
    let (mut out, _stream) = connection.open_bi().await.unwrap();
    let hello = Hello::new([4; 32], 3, 1, Bytes::new()).unwrap();
    send_hello(&mut out, &hello).await.unwrap();
    let reason = end_of(&connection).await;
    assert!(reason.contains("wrong node id: says 3"), "{reason}");
    assert!(events.try_recv().is_err());

    // A right hello, then garbage on the append lane.
    let (_endpoint, connection) = connect(PEER_ALPN, &key(2), addr).await;
    let (mut control, _stream) = connection.open_bi().await.unwrap();
    let hello = Hello::new([4; 32], 2, 1, Bytes::new()).unwrap();
    send_hello(&mut control, &hello).await.unwrap();
    let (mut append, _append_stream) = connection.open_bi().await.unwrap();
    append.write_all(&frame(254, b"")).await.unwrap();
    assert!(matches!(events.recv().await, Some(PeerEvent::Connected { peer: 2 })));
    append.write_all(&[0xee; 100]).await.unwrap();
    let reason = end_of(&connection).await;
    assert!(reason.contains("exceeds the limit"), "{reason}");
    assert!(matches!(events.recv().await, Some(PeerEvent::Disconnected { peer: 2 })));
}
