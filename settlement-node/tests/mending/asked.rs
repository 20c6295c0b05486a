//! Snapshots that a node makes because a peer asks for one.

use super::*;

/// After a start in a quiet network no block tells the term of the last one, and none will come.
#[test]
fn a_node_that_has_applied_nothing_since_its_start_makes_one() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut node = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..301 {
        node.pay(5);
    }
    for _ in 0..3 {
        drop(node);
        // The marker of its election is the last entry, and in no snapshot.
        node = Lone::begin_with(&vfs.kill(), &genesis, &key, u64::MAX);
    }
    let newest = |node: &Lone| node.node.snapshots().0.last().unwrap().index;
    let (before, last) = (newest(&node), node.node.chain().block_index());
    assert!(before < last && last < node.node.chain().log_index());
    let roots = node.roots();
    for above in [last, last + 1] {
        node.turn(Event::SnapshotWanted { above });
        assert_eq!(newest(&node), before, "it has no such block");
    }
    node.turn(Event::SnapshotWanted { above: last - 1 });
    assert_eq!(newest(&node), last);
    drop(node);
    assert_eq!(Lone::begin(&vfs.kill(), &genesis, &key).roots(), roots);
}

/// Without traffic nobody makes a snapshot by itself, and a node would wait for one forever.
#[test]
fn a_peer_makes_the_snapshot_that_nobody_has() {
    let (genesis, key) = network();
    let (there, here) = (MemVfs::new(), MemVfs::new());
    let mut source = Lone::begin(&there, &genesis, &key);
    for _ in 0..301 {
        source.pay(5);
    }
    let newest = source.node.snapshots().0.last().unwrap().index;
    let applied = source.node.chain().log_index();
    assert!(newest + 1 < applied, "the newest snapshot is not the state");
    let wounds = Wounds { snapshot_above: Some(newest + 1), ..Wounds::default() };
    let mut mender = Mender::new(open(&here, &genesis), genesis.clone(), wounds);
    let mut demands = 0;
    let mut ask = None;
    for _ in 0..400 {
        let Some(Ask { peer, request }) = ask.take() else {
            ask = mender.tick(&[2]);
            continue;
        };
        let request = Request::decode(Request::encode(&request)).unwrap();
        let answer = source.shelf().answer(&request).0;
        if let Some(above) = Shelf::wanted_above(&request, &answer) {
            demands += 1;
            source.turn(Event::SnapshotWanted { above });
        }
        ask = mender.answer(peer, answer).unwrap();
    }
    assert!(mender.is_done(), "{}: {:?}", mender.progress(), mender.alarms);
    assert_eq!(demands, 1);
    let mut storage = mender.into_storage();
    let Started::Ready(node) = start(&mut storage, &genesis) else { panic!("mended") };
    assert_eq!(node.chain().log_index(), applied);
    // Nobody keeps a node busy with snapshots: neither for what is there nor again at once.
    for above in [applied - 1, applied, applied + 9] {
        source.turn(Event::SnapshotWanted { above });
    }
    source.pay(1);
    source.turn(Event::SnapshotWanted { above: applied });
    assert_eq!(source.node.snapshots().0.last().unwrap().index, applied);
    (0..300).for_each(|_| source.turn(Event::Tick));
    source.turn(Event::SnapshotWanted { above: applied });
    assert_eq!(source.node.snapshots().0.last().unwrap().index, applied + 1);
}
