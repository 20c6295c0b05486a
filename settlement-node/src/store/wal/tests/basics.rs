//! What a log does while nothing goes wrong.

use super::*;
use crate::store::vfs::{DiskVfs, Vfs};
use crate::store::wal::ReadError;

#[test]
fn a_new_log_is_empty() {
    let vfs = MemVfs::new();
    let (wal, found) = open(&vfs).unwrap();
    assert_eq!((found.first_index, found.last_index, found.base_term), (1, 0, 0));
    assert_eq!((found.hard_state, found.terms.len(), found.torn_bytes), (None, 0, 0));
    assert!(all(&wal).is_empty());
    drop(wal);
    assert_eq!(open(&vfs).unwrap().1, found);
}

#[test]
fn entries_and_hard_state_survive_a_reopen() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    let first = WalOp { hard_state: Some(state(1, 2, 0)), ..synced(entries(1, 40, 1, 100)) };
    let second = WalOp { hard_state: Some(state(3, 1, 41)), ..synced(entries(41, 90, 3, 1500)) };
    wal.append(&[first, second]).unwrap();
    // Kept in memory until something is written, or the log is closed.
    let lazy = WalOp { hard_state: Some(state(3, 1, 77)), ..WalOp::default() };
    assert_eq!(wal.write(&[lazy]).unwrap(), 0);
    let before = all(&wal);
    assert_eq!(before, [entries(1, 40, 1, 100), entries(41, 90, 3, 1500)].concat());
    wal.close().unwrap();
    let (wal, found) = open(&vfs).unwrap();
    assert_eq!(found.hard_state, Some(state(3, 1, 77)));
    assert_eq!((found.first_index, found.last_index, found.torn_bytes), (1, 90, 0));
    assert_eq!(found.terms, [(1, 1), (41, 3)]);
    assert_eq!(all(&wal), before);
    assert_eq!(wal.reader().term(41), Some(3));
}

#[test]
fn a_lower_first_index_replaces_the_suffix() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 30, 1, 300))]).unwrap();
    wal.append(&[synced(entries(11, 12, 2, 50)), synced(entries(12, 15, 4, 10))]).unwrap();
    let expected =
        [entries(1, 10, 1, 300), entries(11, 11, 2, 50), entries(12, 15, 4, 10)].concat();
    assert_eq!(all(&wal), expected);
    let gap = wal.append(&[synced(entries(17, 18, 4, 1))]);
    assert!(matches!(gap, Err(WalError::Gap { last: 15, got: 17, .. })));
    wal.append(&[synced(entries(16, 16, 4, 1))]).unwrap();
    drop(wal);
    let (wal, found) = open(&vfs).unwrap();
    assert_eq!(found.terms, [(1, 1), (11, 2), (12, 4)]);
    assert_eq!(all(&wal), [expected, entries(16, 16, 4, 1)].concat());
}

#[test]
fn reads_respect_range_and_size() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 100, 1, 1000))]).unwrap();
    let reader = wal.reader();
    assert_eq!(reader.read(5, 5, 10).unwrap(), []);
    assert_eq!(reader.read(5, 100, 0).unwrap(), entries(5, 5, 1, 1000));
    assert_eq!(reader.read(5, 100, 2999).unwrap(), entries(5, 6, 1, 1000));
    assert_eq!(reader.read(5, 100, 3000).unwrap(), entries(5, 7, 1, 1000));
    assert_eq!(reader.read(1, 101, u64::MAX).unwrap(), entries(1, 100, 1, 1000));
    let beyond = reader.read(90, 102, 10);
    assert!(matches!(beyond, Err(ReadError::Unavailable { last_index: 100 })));
    wal.release_below(60);
    let first = reader.first_index();
    assert!(first > 1 && first <= 60);
    assert_eq!(reader.term(first - 1), Some(1));
    assert_eq!(reader.term(first - 2), None);
    let below = reader.read(first - 1, 80, 10);
    assert!(matches!(below, Err(ReadError::Compacted { first_index }) if first_index == first));
}

#[test]
fn large_entries_are_records_of_their_own_and_too_large_ones_refused() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    let big = vec![entry(1, 1, 10), entry(2, 1, 20_000), entry(3, 1, 20_000), entry(4, 1, 0)];
    wal.append(&[synced(big.clone())]).unwrap();
    let refused = wal.append(&[synced(vec![entry(5, 1, 30_000)])]);
    assert!(matches!(refused, Err(WalError::TooLarge { index: 5, .. })));
    drop(wal);
    assert_eq!(all(&open(&vfs).unwrap().0), big);
}

#[test]
fn released_segments_are_reused_and_their_records_stay_dead() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    for round in 0..100 {
        wal.append(&[synced(entries(round * 10 + 1, round * 10 + 10, 1 + round / 9, 900))])
            .unwrap();
        if round > 4 {
            wal.release_below(round * 10 - 30);
        }
        // Active, spare, two released, and at most three that hold the entries kept.
        let files = vfs.list(Path::new(DIR)).unwrap();
        assert!(files.len() <= 8, "{files:?}");
        if round % 7 == 0 {
            drop(wal);
            let found;
            (wal, found) = open(&vfs).unwrap();
            assert_eq!((found.last_index, found.torn_bytes), (round * 10 + 10, 0));
            assert!(found.first_index == 1 || found.first_index <= round * 10 - 30);
            let expected: Vec<_> = (found.first_index..=found.last_index)
                .map(|index| entry(index, 1 + (index - 1) / 90, 900))
                .collect();
            assert_eq!(all(&wal), expected);
        }
    }
}

#[test]
fn a_reset_empties_the_log() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 50, 1, 1000))]).unwrap();
    wal.reset_to(500, 6).unwrap();
    let early = wal.append(&[synced(entries(51, 52, 7, 10))]);
    assert!(matches!(early, Err(WalError::Gap { first: 501, last: 500, got: 51 })));
    drop(wal);
    let (mut wal, found) = open(&vfs).unwrap();
    assert_eq!((found.first_index, found.last_index, found.base_term), (501, 500, 6));
    wal.append(&[synced(entries(501, 503, 7, 10))]).unwrap();
    drop(wal);
    let (wal, found) = open(&vfs).unwrap();
    assert_eq!((found.base_term, &found.terms[..]), (6, &[(501, 7)][..]));
    assert_eq!(all(&wal), entries(501, 503, 7, 10));
}

#[test]
fn the_base_is_right_when_the_suffix_was_replaced_across_segments() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 60, 1, 1000))]).unwrap();
    // Replaces entries of the segments before, then goes below even that.
    wal.append(&[synced(entries(50, 70, 2, 900))]).unwrap();
    wal.append(&[synced(entries(40, 45, 3, 900))]).unwrap();
    wal.append(&[synced(entries(46, 120, 3, 900))]).unwrap();
    for below in 1..=120 {
        wal.release_below(below);
        let (first, term) =
            (wal.reader().first_index(), wal.reader().term(wal.reader().first_index() - 1));
        // A copy that lost the released files, as after they were reused.
        let copy = vfs.fork();
        let (other, found) = open(&copy).unwrap();
        assert!(found.first_index <= first);
        assert_eq!(other.reader().term(first - 1), term);
        assert_eq!(all(&wal)[..], all(&other)[(first - found.first_index) as usize..]);
    }
    assert!(wal.reader().first_index() > 90);
}

#[test]
fn identity_and_superblock_are_checked() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 3, 1, 10))]).unwrap();
    wal.close().unwrap();
    let arc: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let other = WalOptions { node_id: 8, ..options() };
    let refused = Wal::open(arc.clone(), Path::new(DIR), other);
    assert!(matches!(refused, Err(WalError::WrongIdentity { node: 7 })));
    let other = WalOptions { network_id: [1; 32], ..options() };
    assert!(matches!(Wal::open(arc, Path::new(DIR), other), Err(WalError::WrongIdentity { .. })));
    let meta = Path::new(DIR).join("wal.meta");
    for copy in 0..3 {
        vfs.corrupt(&meta, |bytes| bytes[copy * 4096 + 20] ^= 1).unwrap();
        assert_eq!(open(&vfs).unwrap().1.last_index, 3);
    }
    vfs.corrupt(&meta, |bytes| bytes.fill(0)).unwrap();
    assert!(matches!(open(&vfs), Err(WalError::MetaLost)));
    vfs.remove(&meta).unwrap();
    assert!(matches!(open(&vfs), Err(WalError::MetaLost)));
}

#[test]
fn a_real_disk_with_background_spares() {
    let dir = tempfile::tempdir().unwrap();
    let options = WalOptions { segment_bytes: 1 << 20, background: true, ..options() };
    let open = || Wal::open(Arc::new(DiskVfs), dir.path(), options.clone()).unwrap();
    let (mut wal, _) = open();
    for round in 0..40 {
        wal.append(&[synced(entries(round * 100 + 1, round * 100 + 100, 1, 1000))]).unwrap();
        wal.release_below((round * 100).saturating_sub(500));
    }
    wal.close().unwrap();
    let (wal, found) = open();
    assert_eq!((found.last_index, found.torn_bytes), (4000, 0));
    let reader = wal.reader();
    let first = reader.first_index();
    assert_eq!(all(&wal), entries(first, 4000, 1, 1000));
}
