#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc};

use super::{KEPT, Place, SnapshotError, Snapshots};
use crate::store::vfs::{Fault, MemVfs, Vfs};

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
