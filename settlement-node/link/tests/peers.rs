//! Nodes that link up over real QUIC: lanes, refusals, restarts, limits.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{free_addr, key, peer_configs, soon};
use link::{HelloCheck, Lane, OutFrame, PeerConfig, PeerEvent, PeerLinks};
use tokio::sync::mpsc;

struct Node {
    links: PeerLinks,
    events: mpsc::Receiver<PeerEvent>,
}

fn any_hello() -> HelloCheck {
    Arc::new(|_, _| Ok(()))
}

async fn start(config: PeerConfig) -> Node {
    let (sender, events) = mpsc::channel(64);
    Node { links: PeerLinks::start(config, any_hello(), sender).await.unwrap(), events }
}

impl Node {
    async fn until_connected(&mut self, count: usize) {
        let mut up = BTreeSet::new();
        while up.len() < count {
            match soon("connecting", self.events.recv()).await.unwrap() {
                PeerEvent::Connected { peer } => up.insert(peer),
                PeerEvent::Disconnected { peer } => up.remove(&peer),
                PeerEvent::Frame { .. } => panic!("nobody has sent a frame"),
            };
        }
    }

    async fn frames(&mut self, count: usize) -> Vec<(u64, link::Frame)> {
        let mut frames = Vec::new();
        while frames.len() < count {
            if let PeerEvent::Frame { peer, frame, .. } =
                soon("receiving", self.events.recv()).await.unwrap()
            {
                frames.push((peer, frame));
            }
        }
        frames
    }

    /// Nothing but silence for a while.
    async fn expect_no_connection(&mut self) {
        let event = tokio::time::timeout(Duration::from_millis(1500), self.events.recv()).await;
        assert!(event.is_err(), "unexpected: {event:?}");
        assert!(self.links.connected().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_exchange_frames_in_order_on_both_lanes() {
    let mut nodes = Vec::new();
    for config in peer_configs(3) {
        nodes.push(start(config).await);
    }
    for node in &mut nodes {
        node.until_connected(2).await;
    }
    assert_eq!(nodes[1].links.connected(), [1, 3]);

    const LARGE: usize = 1 << 20;
    for number in 0..20u8 {
        let large = vec![Bytes::from(vec![number]), Bytes::from(vec![7; LARGE])];
        assert!(nodes[0].links.send(2, Lane::Append, OutFrame::new(9, 1, large)));
        assert!(nodes[0].links.send(2, Lane::Control, OutFrame::new(5, 2, vec![number])));
        assert!(nodes[2].links.send(2, Lane::Control, OutFrame::new(6, 1, vec![number])));
    }
    let received = nodes[1].frames(60).await;
    for (from, kind, version, bytes) in [(1, 9, 1, LARGE + 1), (1, 5, 2, 1), (3, 6, 1, 1)] {
        let of_kind: Vec<_> =
            received.iter().filter(|(peer, frame)| (*peer, frame.kind) == (from, kind)).collect();
        assert_eq!(of_kind.len(), 20);
        for (number, (_, frame)) in of_kind.iter().enumerate() {
            assert_eq!((frame.version, frame.payload.len()), (version, bytes));
            assert_eq!(usize::from(frame.payload[0]), number, "order within a lane");
        }
    }

    let stats = nodes[1].links.stats();
    assert_eq!(stats.iter().map(|peer| peer.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(stats[0].received_bytes, 20 * (LARGE as u64 + 11 + 11));
    assert!(stats[0].connected && stats[0].rtt_us > 0 && stats[0].dropped == 0);
    assert!(
        !nodes[0].links.send(2, Lane::Control, OutFrame::new(240, 1, Bytes::new())),
        "reserved kind"
    );
    assert!(
        !nodes[0].links.send(9, Lane::Control, OutFrame::new(1, 1, Bytes::new())),
        "unknown peer"
    );

    let Node { links, .. } = nodes.remove(0);
    soon("closing", links.close()).await;
    for node in &mut nodes {
        let event = soon("noticing the close", node.events.recv()).await.unwrap();
        assert!(matches!(event, PeerEvent::Disconnected { peer: 1 }), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_frame_is_written_at_once() {
    let mut configs = peer_configs(2);
    let mut b = start(configs.pop().unwrap()).await;
    let mut a = start(configs.pop().unwrap()).await;
    a.until_connected(1).await;
    b.until_connected(1).await;
    let mut fastest = Duration::MAX;
    for _ in 0..50 {
        let sent = Instant::now();
        assert!(a.links.send(2, Lane::Control, OutFrame::new(1, 1, vec![0; 64])));
        b.frames(1).await;
        assert!(b.links.send(1, Lane::Control, OutFrame::new(1, 1, vec![0; 64])));
        a.frames(1).await;
        fastest = fastest.min(sent.elapsed());
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    // A timer anywhere on the way would cost milliseconds each time; the fastest says whether.
    assert!(fastest < Duration::from_millis(20), "fastest round trip {fastest:?}");
    println!("fastest round trip of a lone frame: {fastest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_an_unknown_key_is_refused() {
    let mut configs = peer_configs(2);
    configs[1].key = key(99);
    let mut b = start(configs.pop().unwrap()).await;
    let mut a = start(configs.pop().unwrap()).await;
    a.expect_no_connection().await;
    assert!(b.links.connected().is_empty());
    assert!(b.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialled_node_with_another_key_is_refused() {
    let mut configs = peer_configs(2);
    // Node 1 listens under an address where node 2 expects another key, and dials nobody.
    configs[1].peers[0].key = key(98).public();
    configs[0].peers[1].addr = free_addr();
    let mut b = start(configs.pop().unwrap()).await;
    let mut a = start(configs.pop().unwrap()).await;
    b.expect_no_connection().await;
    assert!(a.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_network_or_a_refused_hello_keeps_peers_apart() {
    let mut configs = peer_configs(3);
    configs[2].network_id = [43; 32];
    let mut c = start(configs.pop().unwrap()).await;
    let b = configs.pop().unwrap();
    let mut a = start(configs.pop().unwrap()).await;
    c.expect_no_connection().await;
    assert!(a.events.try_recv().is_err());

    let (sender, mut events) = mpsc::channel(8);
    let check: link::HelloCheck = Arc::new(|peer, payload| {
        assert_eq!((peer, payload.as_ref()), (1, [1].as_slice()));
        Err("log format 9 is not spoken here".to_owned())
    });
    let b = PeerLinks::start(b, check, sender).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(b.connected().is_empty());
    assert!(events.try_recv().is_err());
}

#[test]
fn a_killed_and_restarted_peer_is_reconnected() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    };
    let survivor = runtime();
    for (killed, stays) in [(0, 1), (1, 0)] {
        let configs = peer_configs(2);
        let first_life = runtime();
        let mut stays_node = survivor.block_on(start(configs[stays].clone()));
        let mut killed_node = first_life.block_on(start(configs[killed].clone()));
        survivor.block_on(stays_node.until_connected(1));
        first_life.block_on(killed_node.until_connected(1));
        // Killed without a word: its tasks and its socket just vanish.
        first_life.shutdown_background();
        drop(killed_node);
        std::thread::sleep(Duration::from_millis(300));

        let second_life = runtime();
        let mut reborn = second_life.block_on(async {
            for _ in 0..50 {
                let (sender, events) = mpsc::channel(64);
                match PeerLinks::start(configs[killed].clone(), any_hello(), sender).await {
                    Ok(links) => return Node { links, events },
                    // The old socket is closed by the runtime some time after the kill.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
            panic!("the address does not become free");
        });
        let restarted = Instant::now();
        second_life.block_on(reborn.until_connected(1));
        survivor.block_on(async {
            let event = soon("noticing the end", stays_node.events.recv()).await.unwrap();
            assert!(matches!(event, PeerEvent::Disconnected { .. }), "{event:?}");
            stays_node.until_connected(1).await;
        });
        println!("reconnected {:?} after the restart", restarted.elapsed());
        // Both may have dialled: a frame sent before one of the two connections gave way to the
        // other may be lost, the next one is not.
        let to = configs[killed].node_id;
        let arrived = (0..20).any(|_| {
            stays_node.links.send(to, Lane::Append, OutFrame::new(1, 1, vec![1, 2, 3]));
            let frames = async {
                tokio::time::timeout(Duration::from_millis(500), reborn.frames(1)).await.is_ok()
            };
            second_life.block_on(frames)
        });
        assert!(arrived);
        survivor.block_on(stays_node.links.close());
        second_life.block_on(reborn.links.close());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_drops_and_counts_and_a_slow_receiver_loses_nothing_accepted() {
    let mut configs = peer_configs(2);
    let (sender, events) = mpsc::channel(1);
    let b_links = PeerLinks::start(configs.pop().unwrap(), any_hello(), sender).await.unwrap();
    let mut b = Node { links: b_links, events };
    let mut a = start(configs.pop().unwrap()).await;
    a.until_connected(1).await;
    let payload = Bytes::from(vec![3; 1 << 20]);
    let mut accepted = 0u32;
    for number in 0..400u32 {
        let numbered = vec![Bytes::copy_from_slice(&number.to_le_bytes()), payload.clone()];
        if a.links.send(2, Lane::Append, OutFrame::new(1, 1, numbered)) {
            accepted += 1;
        } else {
            break;
        }
    }
    assert!((60..400).contains(&accepted), "{accepted}");
    assert_eq!(a.links.stats()[0].dropped, 1);
    // The receiver wakes up and finds everything that was accepted, in order.
    let frames = b.frames(accepted as usize).await;
    for (number, (_, frame)) in frames.iter().enumerate() {
        assert_eq!(frame.payload[..4], (number as u32).to_le_bytes());
    }
    assert!(a.links.send(2, Lane::Append, OutFrame::new(1, 1, Bytes::new())), "room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_floods_one_lane_holds_bounded_memory_and_not_the_other_lane() {
    let mut configs = peer_configs(2);
    let (sender, events) = mpsc::channel(64);
    let b_links = PeerLinks::start(configs.pop().unwrap(), any_hello(), sender).await.unwrap();
    let mut b = Node { links: b_links, events };
    let a_config = configs.pop().unwrap();
    let mut held = Vec::new();
    // Also over connections that come one after the other.
    for life in 0..2 {
        let mut a = start(a_config.clone()).await;
        a.until_connected(1).await;
        let flood = Bytes::from(vec![3; 1 << 20]);
        for _ in 0..60 {
            a.links.send(2, Lane::Append, OutFrame::new(1, 1, flood.clone()));
        }
        let mut appends = 0;
        loop {
            let event = tokio::time::timeout(Duration::from_millis(700), b.events.recv()).await;
            let Ok(event) = event else { break };
            if let PeerEvent::Frame { credit, frame, .. } = event.unwrap() {
                held.push((credit, frame));
                appends += 1;
            }
        }
        if life == 0 {
            assert!((25..=32).contains(&appends), "{appends}");
        } else {
            assert_eq!(appends, 0, "connecting again makes no room");
            held.clear();
            b.frames(25).await;
        }
        a.links.send(2, Lane::Control, OutFrame::new(9, 1, vec![life]));
        loop {
            let frames = b.frames(1).await;
            if frames[0].1.kind == 9 {
                break;
            }
        }
        soon("closing", a.links.close()).await;
        drop(a);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
