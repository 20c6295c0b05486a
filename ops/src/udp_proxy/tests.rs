//! The proxy between plain sockets.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::*;

/// Two nodes as bare sockets behind a proxy: what each sends to the other's public address.
struct Pair {
    proxy: UdpProxy,
    nodes: [UdpSocket; 2],
    clients_to: UdpSocket,
    posts: [Post; 2],
}

fn pair(seed: u64) -> Pair {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let nodes = [socket(), socket()];
    let clients_to = socket();
    for each in nodes.iter().chain([&clients_to]) {
        each.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    }
    let mut ports = Ports::new(PortPlan::Free);
    let posts = [0, 1].map(|place| Post {
        id: place as u64 + 1,
        peers_at: ports.udp().unwrap(),
        peers_to: nodes[place].local_addr().unwrap(),
        clients_at: ports.udp().unwrap(),
        clients_to: clients_to.local_addr().unwrap(),
    });
    drop(ports);
    Pair { proxy: UdpProxy::start(posts.to_vec(), seed).unwrap(), nodes, clients_to, posts }
}

impl Pair {
    /// Sends numbers from node 1 to node 2 and returns what arrives, in its order.
    fn send(&self, numbers: std::ops::Range<u32>) -> Vec<u32> {
        for number in numbers {
            self.nodes[0].send_to(&number.to_le_bytes(), self.posts[1].peers_at).unwrap();
        }
        let mut arrived = Vec::new();
        let mut buffer = [0; 64];
        while let Ok((4, from)) = self.nodes[1].recv_from(&mut buffer) {
            assert_eq!(from, self.posts[0].peers_at, "a node is seen under its public address");
            arrived.push(u32::from_le_bytes(buffer[..4].try_into().unwrap()));
        }
        arrived
    }
}

#[test]
fn nodes_see_each_other_under_public_addresses_and_order_holds() {
    let pair = pair(1);
    assert!(pair.send(0..200).into_iter().eq(0..200));
    pair.nodes[1].send_to(b"back", pair.posts[0].peers_at).unwrap();
    let mut buffer = [0; 64];
    assert_eq!(pair.nodes[0].recv_from(&mut buffer).unwrap(), (4, pair.posts[1].peers_at));
    assert_eq!(pair.proxy.counts().passed, 201);
}

#[test]
fn cuts_work_one_way_and_heal() {
    let pair = pair(2);
    pair.proxy.silence(&[1]);
    assert!(pair.send(0..3).is_empty());
    let mut buffer = [0; 64];
    pair.nodes[1].send_to(b"back", pair.posts[0].peers_at).unwrap();
    assert_eq!(pair.nodes[0].recv_from(&mut buffer).unwrap().0, 4);
    pair.proxy.calm();
    assert_eq!(pair.send(3..6), [3, 4, 5]);
    assert_eq!(pair.proxy.counts().lost, 3);
}

#[test]
fn delay_is_kept_with_its_order() {
    let pair = pair(3);
    let delay = Duration::from_millis(60);
    let jitter = Duration::from_millis(30);
    pair.proxy.set(Way::Nodes { from: 1, to: 2 }, Weather { delay, jitter, ..Weather::CALM });
    let start = Instant::now();
    let mut buffer = [0; 64];
    pair.nodes[0].send_to(&[1], pair.posts[1].peers_at).unwrap();
    pair.nodes[1].recv_from(&mut buffer).unwrap();
    assert!(start.elapsed() >= delay, "{:?}", start.elapsed());
    assert!(pair.send(0..100).into_iter().eq(0..100));
}

#[test]
fn loss_copies_and_disorder_reach_the_receiver() {
    let pair = pair(4);
    let weather = Weather { lost: 100, doubled: 100, overtaken: 100, ..Weather::CALM };
    pair.proxy.set_everywhere(weather);
    // In parts, so that the receiver's buffer is not what loses them.
    let arrived: Vec<u32> = (0..8).flat_map(|part| pair.send(part * 50..part * 50 + 50)).collect();
    let mut distinct = arrived.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!((320..390).contains(&distinct.len()), "{} of 400 arrived", distinct.len());
    assert!(arrived.len() > distinct.len(), "none came twice");
    assert!(!arrived.is_sorted(), "none was overtaken");
}

#[test]
fn clients_reach_their_node_and_get_its_answers() {
    let pair = pair(5);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut buffer = [0; 64];
    client.send_to(b"ask", pair.posts[0].clients_at).unwrap();
    let (length, from) = pair.clients_to.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"ask");
    pair.clients_to.send_to(b"answer", from).unwrap();
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (b"answer".as_slice(), pair.posts[0].clients_at));
}
