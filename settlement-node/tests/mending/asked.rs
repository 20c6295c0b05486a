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
