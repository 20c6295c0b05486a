//! Gateways and tools that connect to nodes over real QUIC: sessions, refusals, fail-over.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{NETWORK, free_addr, key, soon};
use link::{
    Client, ClientConfig, ClientEvent, ClientServer, ClientServerConfig, ClientSideEvent,
    HelloCheck, OutFrame, Pins, SendResult, ServerAddress, SessionId,
    limits::SESSIONS_PER_NAME_MAX,
};
use tokio::sync::mpsc;
use wire::frame::CLIENT_FRAME_BYTES_MAX;

struct Server {
    server: ClientServer,
    events: mpsc::Receiver<ClientEvent>,
}

fn pins() -> Pins {
    Pins::new([(key(50).public(), 500), (key(51).public(), 510)])
}

async fn serve(node: u8, listen: SocketAddr, pins: Pins, sessions_max: usize) -> Server {
    let config = ClientServerConfig {
        listen,
        key: key(node),
        network_id: NETWORK,
        pins,
        sessions_max,
        frame_bytes_max: CLIENT_FRAME_BYTES_MAX,
        hello: Bytes::from_static(b"node hello"),
    };
    let check: HelloCheck = Arc::new(|name, payload| match &payload[..] {
        b"gateway hello" if name != 0 => Ok(()),
        other => Err(format!("{} says {}", name, String::from_utf8_lossy(other))),
    });
    // A socket is closed by its runtime a moment after its last user has gone.
    for _ in 0..100 {
        let (sender, events) = mpsc::channel(16);
        if let Ok(server) = ClientServer::start(config.clone(), check.clone(), sender).await {
            return Server { server, events };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("cannot listen on {listen}");
}

impl Server {
    fn address(&self, node: u8) -> ServerAddress {
        let addr = self.server.local_addr().unwrap();
        ServerAddress { id: node.into(), key: key(node).public(), addr }
    }

    async fn next(&mut self) -> ClientEvent {
        soon("an event of the server", self.events.recv()).await.unwrap()
    }

    async fn opened(&mut self) -> SessionId {
        match self.next().await {
            ClientEvent::Opened { session, .. } => session,
            other => panic!("unexpected: {other:?}"),
        }
    }
}

fn client_config(number: u8, servers: Vec<ServerAddress>) -> ClientConfig {
    ClientConfig {
        key: key(number),
        network_id: NETWORK,
        servers,
        hello: Bytes::from_static(b"gateway hello"),
        frame_bytes_max: CLIENT_FRAME_BYTES_MAX,
    }
}

async fn next(events: &mut mpsc::Receiver<ClientSideEvent>) -> ClientSideEvent {
    soon("an event of the client", events.recv()).await.unwrap()
}

/// Skips failed attempts.
async fn until_connected(events: &mut mpsc::Receiver<ClientSideEvent>) -> u64 {
    loop {
        if let ClientSideEvent::Connected { server, .. } = next(events).await {
            return server;
        }
    }
}

async fn until_refused(config: ClientConfig) -> String {
    let (_client, mut events) = Client::connect(config).await.unwrap();
    match next(&mut events).await {
        ClientSideEvent::Disconnected { reason, .. } => reason,
        other => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_travel_both_ways_and_a_close_delivers_what_was_queued() {
    let mut server = serve(1, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
    let config = client_config(50, vec![server.address(1)]);
    let (client, mut events) = Client::connect(config).await.unwrap();
    match next(&mut events).await {
        ClientSideEvent::Connected { server: 1, hello } => assert_eq!(hello, "node hello"),
        other => panic!("unexpected: {other:?}"),
    }
    let session = match server.next().await {
        ClientEvent::Opened { session, name: 500, key: shown, hello } => {
            assert_eq!((shown, hello.as_ref()), (key(50).public(), b"gateway hello".as_slice()));
            session
        }
        other => panic!("unexpected: {other:?}"),
    };
    assert_eq!(server.server.sessions(), 1);

    // More than the queue holds: `send` waits for room, order stays.
    let sender = client.clone();
    let sending = tokio::spawn(async move {
        for number in 0..40u8 {
            let parts = vec![Bytes::from(vec![number]), Bytes::from(vec![1; 1 << 20])];
            sender.send(OutFrame::new(7, 1, parts)).await.unwrap();
        }
    });
    for number in 0..40u8 {
        match server.next().await {
            ClientEvent::Frame { session: from, frame, .. } => {
                assert_eq!((from, frame.kind, frame.payload[0]), (session, 7, number));
                let answer = OutFrame::new(8, 3, vec![number]);
                assert_eq!(server.server.send(session, answer), SendResult::Sent);
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    sending.await.unwrap();
    for number in 0..40u8 {
        match next(&mut events).await {
            ClientSideEvent::Frame(frame) => {
                assert_eq!((frame.kind, frame.version, frame.payload[0]), (8, 3, number));
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(
        server.server.send(session + 1, OutFrame::new(1, 1, Bytes::new())),
        SendResult::Gone
    );
    let over = OutFrame::new(1, 1, vec![0; CLIENT_FRAME_BYTES_MAX]);
    assert_eq!(client.try_send(over), SendResult::Gone);

    for number in 0..100u8 {
        client.send(OutFrame::new(9, 1, vec![number; 10_000])).await.unwrap();
    }
    client.close();
    for number in 0..100u8 {
        match server.next().await {
            ClientEvent::Frame { frame, .. } => assert_eq!(frame.payload[0], number),
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(matches!(server.next().await, ClientEvent::Closed { session: s } if s == session));
    assert_eq!(server.server.sessions(), 0);
    soon("the end of the events", async { while events.recv().await.is_some() {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_frames_are_not_dealt_with_slows_only_itself() {
    let mut server = serve(1, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
    let (flood, mut flood_events) =
        Client::connect(client_config(50, vec![server.address(1)])).await.unwrap();
    assert!(matches!(next(&mut flood_events).await, ClientSideEvent::Connected { .. }));
    let flooding = server.opened().await;
    let sending = tokio::spawn(async move {
        for _ in 0..100 {
            flood.send(OutFrame::new(7, 1, vec![1; 1 << 20])).await.unwrap();
        }
        flood
    });
    let mut held = Vec::new();
    let more = async {
        loop {
            match server.events.recv().await.unwrap() {
                ClientEvent::Frame { credit, .. } => held.push(credit),
                other => panic!("unexpected: {other:?}"),
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(500), more).await.is_err());
    assert!((1..=8).contains(&held.len()), "{} MiB were read", held.len());

    let (quiet, mut quiet_events) =
        Client::connect(client_config(51, vec![server.address(1)])).await.unwrap();
    assert!(matches!(next(&mut quiet_events).await, ClientSideEvent::Connected { .. }));
    let other = server.opened().await;
    for number in 0..50u8 {
        quiet.send(OutFrame::new(7, 1, vec![number])).await.unwrap();
        match server.next().await {
            ClientEvent::Frame { session, frame, .. } => {
                assert_eq!((session, frame.payload[0]), (other, number));
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    let already = held.len();
    held.clear();
    for _ in already..100 {
        match server.next().await {
            ClientEvent::Frame { session, .. } => assert_eq!(session, flooding),
            other => panic!("unexpected: {other:?}"),
        }
    }
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_closed_by_the_node_delivers_the_last_frames_and_the_reason() {
    let mut server = serve(1, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
    let config = client_config(50, vec![server.address(1)]);
    let (_client, mut events) = Client::connect(config).await.unwrap();
    until_connected(&mut events).await;
    let session = server.opened().await;
    for number in 0..50u8 {
        let frame = OutFrame::new(3, 1, vec![number; 20_000]);
        assert_eq!(server.server.send(session, frame), SendResult::Sent);
    }
    server.server.close_session(session, "come back later");
    for number in 0..50u8 {
        match next(&mut events).await {
            ClientSideEvent::Frame(frame) => assert_eq!(frame.payload[0], number),
            other => panic!("unexpected: {other:?}"),
        }
    }
    match next(&mut events).await {
        ClientSideEvent::Disconnected { server: 1, reason } => {
            assert!(reason.contains("come back later"), "{reason}");
        }
        other => panic!("unexpected: {other:?}"),
    }
    assert!(matches!(server.next().await, ClientEvent::Closed { .. }));
    // It does come back, as a new session, which a frame over the limit would end.
    assert_eq!(until_connected(&mut events).await, 1);
    let again = server.opened().await;
    assert!(again > session);
    let over = OutFrame::new(1, 1, vec![0; CLIENT_FRAME_BYTES_MAX]);
    assert_eq!(server.server.send(again, over), SendResult::Gone);
    match next(&mut events).await {
        ClientSideEvent::Disconnected { reason, .. } => assert!(reason.contains("limits")),
        other => panic!("unexpected: {other:?}"),
    }
    assert!(matches!(server.next().await, ClientEvent::Closed { session } if session == again));
    assert_eq!(until_connected(&mut events).await, 1);
    server.opened().await;
    soon("closing", server.server.close()).await;
    match next(&mut events).await {
        ClientSideEvent::Disconnected { reason, .. } => {
            assert!(reason.contains("node is stopping"), "{reason}");
        }
        other => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_refused_on_both_sides_with_a_reason() {
    let mut server = serve(1, ([127, 0, 0, 1], 0).into(), pins(), 1).await;
    let address = server.address(1);

    let reason = until_refused(client_config(52, vec![address.clone()])).await;
    assert!(reason.contains("refused by the other side"), "{reason}");

    let wrong_key = ServerAddress { key: key(2).public(), ..address.clone() };
    let reason = until_refused(client_config(50, vec![wrong_key])).await;
    assert!(reason.contains("the other side's key was refused"), "{reason}");

    let mut wrong_network = client_config(50, vec![address.clone()]);
    wrong_network.network_id = [1; 32];
    let reason = until_refused(wrong_network).await;
    assert!(reason.contains("wrong network"), "{reason}");

    let mut wrong_hello = client_config(50, vec![address.clone()]);
    wrong_hello.hello = Bytes::from_static(b"old");
    let reason = until_refused(wrong_hello).await;
    assert!(reason.contains("500 says old"), "{reason}");
    assert!(server.events.try_recv().is_err(), "no session was opened");

    let (_first, mut events) =
        Client::connect(client_config(50, vec![address.clone()])).await.unwrap();
    until_connected(&mut events).await;
    server.opened().await;
    let reason = until_refused(client_config(51, vec![address])).await;
    assert!(reason.contains("limit on sessions"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_of_a_bank_share_its_sessions() {
    let pins =
        Pins::new([(key(50).public(), 500), (key(51).public(), 500), (key(52).public(), 520)]);
    let mut server = serve(1, ([127, 0, 0, 1], 0).into(), pins, 1_000).await;
    let address = server.address(1);
    let mut open = Vec::new();
    for number in 0..SESSIONS_PER_NAME_MAX {
        let config = client_config(50 + (number % 2) as u8, vec![address.clone()]);
        open.push(Client::connect(config).await.unwrap());
        server.opened().await;
    }
    for refused in [50, 51] {
        let reason = until_refused(client_config(refused, vec![address.clone()])).await;
        assert!(reason.contains("limit on sessions"), "{reason}");
    }
    let (_other, mut events) =
        Client::connect(client_config(52, vec![address.clone()])).await.unwrap();
    until_connected(&mut events).await;
    server.opened().await;
    // A session that ends makes room.
    open.pop();
    while !matches!(server.next().await, ClientEvent::Closed { .. }) {}
    let (_again, mut events) = Client::connect(client_config(50, vec![address])).await.unwrap();
    until_connected(&mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_fails_over_stays_there_and_moves_when_told() {
    let first_addr = free_addr();
    let first = serve(1, first_addr, pins(), 8).await;
    let second = serve(2, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
    let servers = vec![first.address(1), second.address(2)];
    let (client, mut events) = Client::connect(client_config(50, servers)).await.unwrap();
    assert_eq!(until_connected(&mut events).await, 1);

    soon("closing", first.server.close()).await;
    drop(first);
    assert_eq!(until_connected(&mut events).await, 2);
    client.send(OutFrame::new(1, 1, vec![1])).await.unwrap();

    // The first server returns: the client stays where it is until told otherwise.
    let _first = serve(1, first_addr, pins(), 8).await;
    let quiet = tokio::time::timeout(Duration::from_millis(500), events.recv()).await;
    assert!(quiet.is_err(), "unexpected: {quiet:?}");
    client.move_to(77);
    client.move_to(1);
    match next(&mut events).await {
        ClientSideEvent::Disconnected { server: 2, reason } => assert!(reason.contains("moving")),
        other => panic!("unexpected: {other:?}"),
    }
    assert_eq!(until_connected(&mut events).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_first_server_does_not_keep_the_client_from_the_second() {
    let second = serve(2, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
    let nobody = ServerAddress { id: 1, key: key(1).public(), addr: free_addr() };
    let config = client_config(50, vec![nobody, second.address(2)]);
    let (client, mut events) = Client::connect(config).await.unwrap();
    assert_eq!(client.try_send(OutFrame::new(1, 1, Bytes::new())), SendResult::Gone);
    assert!(client.send(OutFrame::new(1, 1, Bytes::new())).await.is_err());
    assert_eq!(until_connected(&mut events).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_fills_its_own_queue_only() {
    let mut server = serve(1, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
    let address = server.address(1);
    let (_slow, _slow_events) =
        Client::connect(client_config(50, vec![address.clone()])).await.unwrap();
    let slow_session = server.opened().await;
    let (_quick, mut quick_events) =
        Client::connect(client_config(51, vec![address])).await.unwrap();
    let quick_session = server.opened().await;
    let payload = Bytes::from(vec![0; 8 << 10]);
    let mut sent = 0;
    let full = soon("filling", async {
        loop {
            match server.server.send(slow_session, OutFrame::new(1, 1, payload.clone())) {
                SendResult::Sent => sent += 1,
                other => break other,
            }
            if sent % 64 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    })
    .await;
    assert_eq!(full, SendResult::Full);
    assert_eq!(
        server.server.send(quick_session, OutFrame::new(2, 1, Bytes::new())),
        SendResult::Sent
    );
    until_connected(&mut quick_events).await;
    assert!(matches!(next(&mut quick_events).await, ClientSideEvent::Frame(_)));

    // Its session can be closed although what is queued will never be read.
    server.server.close_session(slow_session, "too slow");
    let closed = server.next().await;
    assert!(matches!(closed, ClientEvent::Closed { session } if session == slow_session));
}

#[test]
fn a_killed_server_is_left_within_seconds() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    };
    let (killed, survivor) = (runtime(), runtime());
    let first = killed.block_on(serve(1, ([127, 0, 0, 1], 0).into(), pins(), 8));
    survivor.block_on(async {
        let second = serve(2, ([127, 0, 0, 1], 0).into(), pins(), 8).await;
        let servers = vec![first.address(1), second.address(2)];
        let (_client, mut events) = Client::connect(client_config(50, servers)).await.unwrap();
        assert_eq!(until_connected(&mut events).await, 1);
        // Its tasks vanish without a word.
        killed.shutdown_background();
        match next(&mut events).await {
            ClientSideEvent::Disconnected { server: 1, reason } => {
                assert!(reason.contains("no sign of life"), "{reason}");
            }
            other => panic!("unexpected: {other:?}"),
        }
        assert_eq!(until_connected(&mut events).await, 2);
    });
}
