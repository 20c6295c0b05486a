#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::{KEPT, Place, SnapshotError, Snapshots};
use crate::store::vfs::{Fault, MemVfs, Vfs, is_full};

const DIR: &str = "/snapshots";

fn open(vfs: &MemVfs) -> Snapshots {
    Snapshots::open(Arc::new(vfs.clone()), Path::new(DIR)).unwrap()
}

fn write(snapshots: &Snapshots, index: u64, bytes: usize) -> Result<(), SnapshotError> {
    let place = Place { index, term: 3, height: index - 1 };
    snapshots.write(place, b"head", |sink| {
        (0..bytes).step_by(1000).try_for_each(|at| sink(&[at as u8; 1000]))
    })
}

#[test]
fn the_newest_are_kept_and_read_back() {
    let vfs = MemVfs::new();
    let snapshots = open(&vfs);
    for index in [5, 9, 14] {
        write(&snapshots, index, 2_500_000).unwrap();
    }
    assert_eq!(snapshots.list().unwrap(), [9, 14]);
    assert_eq!(KEPT, 2);
    let stored = open(&vfs).read(14).unwrap();
    assert_eq!(stored.place, Place { index: 14, term: 3, height: 13 });
    assert_eq!((&stored.head[..], stored.body.len()), (&b"head"[..], 2_500_000));
    let (place, head, bytes, digest) = snapshots.label(14).unwrap();
    assert_eq!(
        (place, head, bytes, digest),
        (stored.place, stored.head, stored.bytes, stored.digest)
    );
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let vfs = MemVfs::new();
    let snapshots = open(&vfs);
    write(&snapshots, 7, 1_000).unwrap();
    let path = snapshots.path(7);
    let len = vfs.open(&path, false).unwrap().len().unwrap() as usize;
    for at in 0..len {
        vfs.corrupt(&path, |bytes| bytes[at] ^= 0x40).unwrap();
        assert!(matches!(snapshots.read(7), Err(SnapshotError::Corrupt { .. })), "byte {at}");
        vfs.corrupt(&path, |bytes| bytes[at] ^= 0x40).unwrap();
    }
    for end in 0..len {
        vfs.corrupt(&path, |bytes| bytes.truncate(end)).unwrap();
        assert!(snapshots.read(7).is_err(), "cut at {end}");
        write(&snapshots, 7, 1_000).unwrap();
    }
    snapshots.set_aside(7).unwrap();
    assert!(snapshots.list().unwrap().is_empty());
}

#[test]
fn a_crash_leaves_a_whole_snapshot_or_none() {
    for seed in 0..200 {
        let vfs = MemVfs::new();
        let snapshots = open(&vfs);
        write(&snapshots, 5, 3_000).unwrap();
        vfs.fail(Fault::Sync, 1 + seed % 2);
        assert!(write(&snapshots, 9, 50_000).is_err());
        let snapshots = open(&vfs.crash(seed));
        let found = snapshots.list().unwrap();
        assert!(found == [5] || found == [5, 9], "{found:?}");
        assert!(found.iter().all(|index| snapshots.read(*index).is_ok()));
    }
}

#[test]
fn a_snapshot_that_finds_no_room_leaves_nothing_behind() {
    let vfs = MemVfs::new();
    let snapshots = open(&vfs);
    write(&snapshots, 5, 3_000).unwrap();
    let used = vfs.used();
    for room in [0, 1, 30_000, 3_000_000] {
        vfs.limit(Some(used + room));
        let written = write(&snapshots, 9, 5_000_000);
        assert!(matches!(written, Err(SnapshotError::Io(error)) if is_full(&error)), "{room}");
        assert_eq!(vfs.used(), used, "{room}");
        assert_eq!(vfs.list(Path::new(DIR)).unwrap().len(), 1);
    }
    // Nor does one whose bytes end too early.
    let place = Place { index: 9, term: 3, height: 8 };
    let written = snapshots.write(place, b"head", |_| Err(std::io::Error::other("no more")));
    assert!(written.is_err());
    assert_eq!(vfs.used(), used);
    vfs.limit(None);
    write(&snapshots, 9, 5_000_000).unwrap();
    assert_eq!(snapshots.list().unwrap(), [5, 9]);
}

#[test]
fn a_sync_that_fails_in_the_middle_is_told_from_other_errors() {
    for nth in 1..=3 {
        let vfs = MemVfs::new();
        let snapshots = open(&vfs);
        vfs.fail(Fault::Sync, nth);
        let written = write(&snapshots, 9, 20_000_000);
        assert!(matches!(written, Err(SnapshotError::SyncFailed(_))), "{nth}: {written:?}");
    }
}

#[test]
fn a_snapshot_that_is_given_up_while_it_arrives_is_removed() {
    let (there, here) = (MemVfs::new(), MemVfs::new());
    let (source, target) = (open(&there), open(&here));
    write(&source, 8, 10_000).unwrap();
    let (_, whole) = source.piece(8, 0, 20_000).unwrap();
    let mut first = target.incoming(8).unwrap();
    first.put(&whole[..500]).unwrap();
    // The next attempt begins before the one before it ends.
    let mut second = target.incoming(8).unwrap();
    second.put(&whole).unwrap();
    drop(first);
    second.install(&target).unwrap();
    assert_eq!(target.read(8).unwrap().body, source.read(8).unwrap().body);
    drop(target.incoming(9).unwrap());
    assert_eq!(here.list(Path::new(DIR)).unwrap().len(), 1);
}

#[test]
fn a_snapshot_of_another_format_is_no_damage() {
    let vfs = MemVfs::new();
    let snapshots = open(&vfs);
    write(&snapshots, 7, 1_000).unwrap();
    vfs.corrupt(&snapshots.path(7), |bytes| {
        bytes[8] = 9;
        let content = bytes.len() - 32;
        let digest = Sha256::digest(&bytes[..content]);
        bytes[content..].copy_from_slice(&digest);
    })
    .unwrap();
    let read = snapshots.read(7);
    assert!(matches!(read, Err(SnapshotError::UnknownFormat { index: 7, format: 9 })));
}

#[test]
fn a_check_reads_every_byte_in_small_steps() {
    let vfs = MemVfs::new();
    let snapshots = open(&vfs);
    write(&snapshots, 7, 10_000).unwrap();
    let path = snapshots.path(7);
    let len = vfs.open(&path, false).unwrap().len().unwrap();
    let check = || {
        let (mut check, mut read) = (snapshots.check(7)?, 0);
        while let Some(count) = check.step(999)? {
            assert!(count <= 999);
            read += count;
        }
        Ok::<_, SnapshotError>(read)
    };
    assert_eq!(check().unwrap(), len - 32);
    for at in (0..len as usize).step_by(61).chain([len as usize - 1]) {
        vfs.corrupt(&path, |bytes| bytes[at] ^= 1).unwrap();
        assert!(matches!(check(), Err(SnapshotError::Corrupt { .. })), "{at}");
        vfs.corrupt(&path, |bytes| bytes[at] ^= 1).unwrap();
    }
    for end in [0, 31, 32, 500] {
        let whole = std::cell::RefCell::new(Vec::new());
        vfs.corrupt(&path, |bytes| {
            *whole.borrow_mut() = bytes.clone();
            bytes.truncate(end);
        })
        .unwrap();
        assert!(matches!(check(), Err(SnapshotError::Corrupt { .. })), "{end}");
        vfs.corrupt(&path, |bytes| *bytes = whole.borrow().clone()).unwrap();
    }
    assert!(check().is_ok());
    // One that makes room for a newer one while it is read stays readable.
    let mut reading = snapshots.check(7).unwrap();
    assert!(reading.step(999).unwrap().is_some());
    (8..11).for_each(|index| write(&snapshots, index, 10).unwrap());
    while reading.step(999).unwrap().is_some() {}
}

#[test]
fn a_snapshot_arrives_in_pieces_and_is_put_in_place_only_when_it_is_whole() {
    let (there, here) = (MemVfs::new(), MemVfs::new());
    let (source, target) = (open(&there), open(&here));
    write(&source, 8, 10_000).unwrap();
    let (_, _, size, digest) = source.label(8).unwrap();
    for step in [1, 31, 32, 33, 4_096, 1 << 20] {
        let mut incoming = target.incoming(8).unwrap();
        while incoming.offset() < size {
            assert!(!incoming.is_whole(&digest));
            let (total, bytes) = source.piece(8, incoming.offset(), step).unwrap();
            assert_eq!(total, size);
            incoming.put(&bytes).unwrap();
        }
        assert!(incoming.is_whole(&digest) && !incoming.is_whole(&[0; 32]));
        assert_eq!(incoming.content(&target).unwrap().body, source.read(8).unwrap().body);
        assert!(target.list().unwrap().len() <= 1);
        incoming.install(&target).unwrap();
        assert_eq!(target.read(8).unwrap().digest, digest);
    }
}
