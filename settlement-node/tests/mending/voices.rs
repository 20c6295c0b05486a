//! What one node alone cannot make a node that is mended believe.

use super::*;

/// A network with the same genesis in which other things have happened.
fn other_world(genesis: &Genesis, key: &SigningKey) -> Lone {
    let mut liar = Lone::begin(&MemVfs::new(), genesis, key);
    for _ in 0..300 {
        liar.pay(6);
    }
    liar
}

#[test]
fn a_state_that_does_not_stand_on_the_own_history_is_not_taken_over() {
    let (genesis, key) = network();
    let (vfs, mut liar) = (MemVfs::new(), other_world(&genesis, &key));
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let roots = source.roots();
    let (honest, lies) = (source.shelf(), liar.shelf());
    // The history is whole, and so is the log after the older snapshot.
    let harmed = vfs.fork();
    remove_snapshots(&harmed);
    for nodes in [2, 3] {
        let network = of_many(&genesis, nodes);
        let harmed = harmed.fork();
        let mut storage = open(&harmed, &genesis);
        let Started::Wounded(wounds) = start(&mut storage, &genesis) else { panic!("no state") };
        let mender = Mender::new(storage, network.clone(), wounds.clone());
        let alarms = mend_with(mender, &[(2, &lies)], |_, _| ()).map(drop).unwrap_err();
        assert!(alarms.iter().any(|alarm| alarm.contains("does not stand")), "{alarms:?}");
        let storage = open(&harmed, &genesis);
        assert!(storage.snapshots.list().unwrap().is_empty());
        assert_same_blocks(&honest.history, &storage.history.reader());
        // What its own history proves it takes from anybody, alone.
        let mender = Mender::new(storage, network, wounds);
        let mended = mend_with(mender, &[(2, &honest)], |_, _| ());
        drop(mended.map_err(|alarms| format!("{alarms:?}")).unwrap());
        assert_eq!(Lone::begin(&harmed, &genesis, &key).roots(), roots);
    }
}

#[test]
fn what_is_beyond_the_own_history_needs_a_second_voice() {
    let (genesis, key) = network();
    let (vfs, mut liar) = (MemVfs::new(), other_world(&genesis, &key));
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..10 {
        source.pay(5);
    }
    source.storage.history.sync().unwrap();
    let mut late = Lone::begin(&vfs.fork(), &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let (honest, lies, late) = (source.shelf(), liar.shelf(), late.shelf());
    let network = of_many(&genesis, 3);
    let wounds = Wounds { snapshot_above: Some(5), ..Wounds::default() };
    let begin = || Mender::new(open(&MemVfs::new(), &genesis), network.clone(), wounds.clone());
    // Nobody else, somebody who does not know, somebody who says otherwise.
    for peers in [
        vec![(2, &lies)],
        vec![(2, &honest)],
        vec![(2, &lies), (3, &late)],
        vec![(2, &honest), (3, &late)],
        vec![(2, &lies), (3, &honest)],
    ] {
        let mut mender = begin();
        let alarms = mend_with(mender, &peers, |_, _| ()).map(drop).unwrap_err();
        assert!(alarms.iter().any(|alarm| alarm.contains("confirm")), "{alarms:?}");
        // An operator who knows better can say so.
        let believed = peers[peers.len() - 1];
        mender = begin();
        mender.believe([believed.0]);
        let has_state = !believed.1.snapshots.list().unwrap().is_empty();
        assert_eq!(mend_with(mender, &peers, |_, _| ()).is_ok(), has_state);
    }
    // Two of three, and two of four when the liar is asked first.
    for (nodes, peers) in
        [(3, vec![(2, &honest), (3, &honest)]), (4, vec![(2, &lies), (3, &honest), (4, &honest)])]
    {
        let network = of_many(&genesis, nodes);
        let here = MemVfs::new();
        let mender = Mender::new(open(&here, &genesis), network, wounds.clone());
        let mended = mend_with(mender, &peers, |_, _| ());
        let (mut storage, _) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
        assert_same_blocks(&storage.history.reader(), &honest.history);
        let Started::Ready(node) = start(&mut storage, &genesis) else { panic!("mended") };
        assert_eq!(node.chain().log_index(), source.node.snapshots().0[1].index);
    }
}

/// A liar whose state is right may still put other outcomes into the blocks before it: no seal names them.
#[test]
fn one_node_alone_cannot_change_blocks_below_a_state_that_others_confirm() {
    let (genesis, key) = network();
    let mut source = Lone::begin(&MemVfs::new(), &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let honest = source.shelf();
    let network = of_many(&genesis, 3);
    let wounds = Wounds { snapshot_above: Some(5), ..Wounds::default() };
    let here = MemVfs::new();
    let mender = Mender::new(open(&here, &genesis), network, wounds);
    let mended = mend_with(mender, &[(2, &honest), (3, &honest)], |peer, got| {
        if let (2, Got::Blocks(rows)) = (peer, got) {
            let row = &mut rows[3];
            let mut outcome = row.outcome.to_vec();
            // Another answer of those that there are.
            outcome[..2].copy_from_slice(&100u16.to_le_bytes());
            row.outcome = Bytes::from(outcome);
        }
    });
    let (storage, alarms) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
    assert!(alarms.iter().any(|alarm| alarm.contains("node 2")), "{alarms:?}");
    assert_same_blocks(&storage.history.reader(), &honest.history);
}

/// Puts a snapshot of the newest state into the folder of another disk, with another term.
fn with_term(shelf: &Shelf, vfs: &MemVfs, term: u64) -> Snapshots {
    let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let snapshots = Snapshots::open(vfs, Path::new("/data/snapshots")).unwrap();
    let index = *shelf.snapshots.list().unwrap().last().unwrap();
    let stored = shelf.snapshots.read(index).unwrap();
    let place = Place { term, ..stored.place };
    snapshots.write(place, &stored.head, |sink| sink(&stored.body)).unwrap();
    snapshots
}

#[test]
fn a_snapshot_of_a_wrong_term_never_moves_the_log() {
    let (genesis, key) = network();
    let vfs = MemVfs::new();
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    let honest = source.shelf();
    let lies = Shelf { snapshots: with_term(&honest, &MemVfs::new(), 77), ..honest.clone() };
    let network = of_many(&genesis, 3);
    // A node that has the log, and one that has nothing and must ask.
    let harmed = vfs.fork();
    remove_snapshots(&harmed);
    for (vfs, above) in [(harmed.fork(), None), (MemVfs::new(), Some(5))] {
        let mut storage = open(&vfs, &genesis);
        let wounds = match above {
            Some(_) => Wounds { snapshot_above: above, ..Wounds::default() },
            None => match start(&mut storage, &genesis) {
                Started::Wounded(wounds) => wounds,
                Started::Ready(_) => panic!("no state"),
            },
        };
        let mender = Mender::new(storage, network.clone(), wounds);
        let mended = mend_with(mender, &[(2, &lies), (3, &honest)], |_, _| ());
        let (storage, alarms) = mended.map_err(|alarms| format!("{alarms:?}")).unwrap();
        let index = storage.snapshots.list().unwrap()[0];
        assert_eq!(storage.snapshots.label(index).unwrap().0.term, 1, "{alarms:?}");
    }
    // Should one ever be there, the committed log is right, and stays as it is.
    let last = source.storage.wal.reader().last_index();
    with_term(&honest, &harmed, 77);
    for _ in 0..2 {
        let mut storage = open(&harmed, &genesis);
        let Started::Wounded(wounds) = start(&mut storage, &genesis) else {
            panic!("a wrong term")
        };
        assert!(wounds.snapshot_above.is_some());
        assert_eq!(storage.wal.reader().last_index(), last);
    }
}

#[test]
fn entries_that_go_for_a_snapshot_take_the_vote_with_them() {
    let (genesis, key) = network();
    // One node alone has nobody to get a vote back from.
    let many = of_many(&genesis, 3);
    let vfs = MemVfs::new();
    let mut source = Lone::begin(&vfs, &genesis, &key);
    for _ in 0..300 {
        source.pay(5);
    }
    source.storage.history.sync().unwrap();
    let place = *source.node.snapshots().0.last().unwrap();
    let harmed = vfs.fork();
    for name in harmed.list(Path::new("/data/wal")).unwrap() {
        harmed.remove(&Path::new("/data/wal").join(name)).unwrap();
    }
    let mut storage = open(&harmed, &genesis);
    let entry = |index| WalEntry { index, term: 7, data: Bytes::new() };
    let hard_state = Some(WalHardState { term: 7, vote: 1, commit: 0 });
    let entries = (1..=place.index + 3).map(entry).collect();
    storage.wal.append(&[WalOp { entries, hard_state, must_sync: true }]).unwrap();
    drop(storage);
    let mut storage = open(&harmed, &genesis);
    let Started::Ready(node) = start(&mut storage, &many) else { panic!("the state is there") };
    assert!(node.order_status().recovering);
    drop(storage);
    let storage = open(&harmed, &genesis);
    assert_eq!(storage.recovered.lost_term, Some(7));
    assert_eq!(storage.wal.reader().last_index(), place.index);
}

#[test]
fn a_node_that_is_mended_tells_others_what_it_has_seen() {
    let (genesis, key) = network();
    let mut source = Lone::begin(&MemVfs::new(), &genesis, &key);
    for _ in 0..100 {
        source.pay(5);
    }
    let shelf = source.shelf();
    let request = Request { number: 1, want: Want::Seen { from: 40, to: 60 } };
    let living = shelf.answer(&request).0;
    let Got::Seen { index, term, .. } = living.got else { panic!("{living:?}") };
    assert!(index >= 60 && term == 1, "{index} {term}");
    let wounds = Wounds { snapshot_above: Some(9_999), ..Wounds::default() };
    let mender = Mender::new(source.storage, genesis, wounds);
    assert_eq!(mender.shelf().answer(&request).0, living);
    let too_many = Request { number: 2, want: Want::Seen { from: 40, to: 600 } };
    assert_eq!(shelf.answer(&too_many).0.got, Got::Nothing);
}
