//! A disk that is full: the log takes what it has room for, and goes on when there is more.

use super::*;
use crate::store::vfs::Vfs;

fn spares(vfs: &MemVfs) -> usize {
    let names = vfs.list(Path::new(DIR)).unwrap();
    names.iter().filter(|name| name.ends_with(".wal")).count()
}

#[test]
fn a_spare_that_cannot_be_made_stops_nothing_and_is_made_later() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    let before = wal.room();
    // Room for a part of a segment: it must not stay behind, half made.
    vfs.limit(Some(vfs.used() + 10_000));
    let (mut next, mut used) = (1, vfs.used());
    while wal.reader().last_index() < 12 {
        wal.append(&[synced(entries(next, next, 1, 900))]).unwrap();
        next += 1;
        used = used.max(vfs.used());
    }
    assert!(wal.room() < before / 2, "the spare is in use");
    assert!(!wal.tend());
    assert!(!vfs.exists(&Path::new(DIR).join("spare.tmp")).unwrap());
    assert_eq!(vfs.used(), used);
    vfs.limit(None);
    let count = spares(&vfs);
    assert!(wal.tend());
    assert_eq!(spares(&vfs), count + 1);
    drop(wal);
    assert_eq!(all(&open(&vfs).unwrap().0), entries(1, next - 1, 1, 900));
}

#[test]
fn a_write_without_room_leaves_no_trace_and_can_be_repeated() {
    // Groups of one to many segments, against each fill of the active one.
    for (group, len) in [(1, 20_000), (3, 900), (30, 900), (9, 9_000), (200, 300), (4, 24_000)] {
        let vfs = MemVfs::new();
        let (mut wal, _) = open(&vfs).unwrap();
        let room = wal.room();
        vfs.limit(Some(vfs.used()));
        let (mut next, mut refused) = (1, 0);
        while refused < 3 {
            let hard_state = Some(state(1 + next, 1, next - 1));
            let op = WalOp { hard_state, ..synced(entries(next, next + group - 1, 1 + next, len)) };
            let reader = wal.reader();
            let before = (wal.room(), reader.last_index(), vfs.used());
            match wal.append(std::slice::from_ref(&op)) {
                Ok(()) => next += group,
                Err(WalError::Full) => {
                    assert_eq!((wal.room(), reader.last_index(), vfs.used()), before);
                    assert!(wal.room() <= room);
                    // A crash now finds the log as it was.
                    let (other, found) = open(&vfs.fork()).unwrap();
                    assert_eq!((found.last_index, found.torn_bytes), (next - 1, 0));
                    assert_eq!(other.reader().last_index(), next - 1);
                    refused += 1;
                    if refused == 2 {
                        vfs.limit(None);
                    }
                }
                Err(error) => panic!("{group} of {len}: {error}"),
            }
            if refused == 2 {
                wal.append(&[op]).unwrap();
                next += group;
                break;
            }
        }
        wal.close().unwrap();
        let (wal, found) = open(&vfs).unwrap();
        assert_eq!((found.last_index, found.torn_bytes), (next - 1, 0), "{group} of {len}");
        assert_eq!(all(&wal).len() as u64, next - 1);
    }
}

#[test]
fn the_segments_made_ahead_are_those_that_the_write_takes() {
    let mut dice = 88_172_645_463_325_252_u64;
    let mut below = move |limit: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % limit
    };
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    let mut exact = 0;
    for round in 0..600 {
        let last = wal.reader().last_index();
        let mut ops = Vec::new();
        let mut next = last + 1;
        for _ in 0..=below(4) {
            let count = below(40);
            let len = if below(3) == 0 { 20_000 } else { 1 + below(2_500) };
            let entries = entries(next, next + count - 1, round, len as usize);
            next += count;
            let hard_state = (below(3) == 0).then(|| state(round, 1, last));
            ops.push(WalOp { entries, hard_state, must_sync: true });
        }
        let before = wal.active.number;
        let planned = wal.segments_needed(&ops) as u64;
        wal.append(&ops).unwrap();
        let taken = wal.active.number - before;
        assert!(taken <= planned && planned <= taken + 1, "{taken} of {planned}");
        exact += u64::from(planned == taken);
        wal.release_below(next.saturating_sub(5));
    }
    assert!(exact > 500, "{exact}");
}
