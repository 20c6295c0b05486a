#![allow(clippy::unwrap_used)]

use super::{Run, RunError, RunSet, RunSets};
use crate::store::vfs::{MemVfs, Vfs};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const DIR: &str = "/runs";

/// Ids that are neighbours in some bits and far apart in others.
fn id(n: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

fn row(n: u64, value: u64) -> [u8; 32] {
    let mut row = [0; 32];
    row[..16].copy_from_slice(&id(n));
    row[16..24].copy_from_slice(&value.to_le_bytes());
    row
}

fn write_run(
    vfs: &MemVfs,
    dir: &Path,
    generation: u64,
    rows: Vec<[u8; 32]>,
) -> Result<Run, RunError> {
    super::write_run(Arc::new(vfs.clone()), dir, generation, rows)
}

#[test]
fn lookup_is_exact_over_many_runs() {
    let vfs = MemVfs::new();
    let dir = Path::new(DIR);
    let mut model = BTreeMap::new();
    let sets = RunSets::open(Arc::new(vfs.clone()), dir).unwrap();
    for (generation, count) in [0_u64, 1, 127, 128, 129, 5_000, 1_000].into_iter().enumerate() {
        let generation = generation as u64;
        let numbers = (0..count).map(|n| (generation + 1) * 100_000 + n * 3);
        let rows: Vec<_> = numbers.map(|n| row(n, n ^ 7)).collect();
        rows.iter().for_each(|row| drop(model.insert(row[..16].to_vec(), row[16..].to_vec())));
        sets.publish(write_run(&vfs, dir, generation, rows).unwrap());
        assert_eq!(sets.version(), generation + 1);
    }
    let reopened = RunSet::open(&vfs, dir).unwrap();
    assert_eq!(reopened.rows(), model.len() as u64);
    for set in [&*sets.current(), &reopened] {
        for n in (100_000..720_000).step_by(7).chain(600_000..616_000) {
            let expected = model.get(&id(n)[..]).map(|value| &value[..]);
            let found = set.lookup(&id(n)).unwrap();
            assert_eq!(found.as_ref().map(|value| &value[..]), expected, "{n}");
            assert_eq!(sets.lookup(&id(n)).unwrap(), found);
        }
        for edge in [[0; 16], [255; 16]] {
            assert_eq!(set.lookup(&edge).unwrap(), None);
        }
    }
    assert_eq!(reopened.lookup_since(6, &id(600_000)).unwrap(), None);
    assert!(reopened.lookup_since(5, &id(600_000)).unwrap().is_some());
}

#[test]
fn duplicate_ids_are_refused_and_repeated_runs_are_not() {
    let vfs = MemVfs::new();
    let dir = Path::new(DIR);
    let twice = vec![row(1, 1), row(2, 2), row(1, 3)];
    assert!(matches!(write_run(&vfs, dir, 1, twice), Err(RunError::DuplicateId(_))));
    write_run(&vfs, dir, 1, vec![row(1, 1), row(2, 2)]).unwrap();
    write_run(&vfs, dir, 1, vec![row(2, 2), row(1, 1)]).unwrap();
    let other = write_run(&vfs, dir, 1, vec![row(3, 3)]);
    assert!(matches!(other, Err(RunError::Exists { generation: 1 })));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let vfs = MemVfs::new();
    let dir = Path::new(DIR);
    write_run(&vfs, dir, 3, (0..200).map(|n| row(n, n)).collect()).unwrap();
    let path = dir.join("run-00000000000000000003.ids");
    let len = vfs.open(&path, false).unwrap().len().unwrap() as usize;
    // The rest of the header sector carries nothing.
    for at in (0..76).chain(4096..len) {
        vfs.corrupt(&path, |bytes| bytes[at] ^= 0x10).unwrap();
        assert!(matches!(RunSet::open(&vfs, dir), Err(RunError::Corrupt { .. })), "byte {at}");
        vfs.corrupt(&path, |bytes| bytes[at] ^= 0x10).unwrap();
    }
    let set = RunSet::open(&vfs, dir).unwrap();
    vfs.corrupt(&path, |bytes| bytes[4096..4096 + 6400].fill(0)).unwrap();
    assert!((0..200).all(|n| set.lookup(&id(n)).is_err()));
}

#[test]
fn a_run_is_there_wholly_or_not_at_all_after_a_crash() {
    for seed in 0..200 {
        let vfs = MemVfs::new();
        let dir = Path::new(DIR);
        write_run(&vfs, dir, 1, (0..300).map(|n| row(n, n)).collect()).unwrap();
        vfs.fail(crate::store::vfs::Fault::Sync, 1 + seed % 2);
        let second = write_run(&vfs, dir, 2, (300..900).map(|n| row(n, n)).collect());
        assert!(second.is_err());
        let vfs = vfs.crash(seed);
        let set = RunSet::open(&vfs, dir).unwrap();
        assert!(set.version() == 1 || set.version() == 2);
        assert!((0..300).all(|n| set.lookup(&id(n)).unwrap().is_some()));
        let later = (300..900).filter(|&n| set.lookup(&id(n)).unwrap().is_some()).count();
        assert_eq!(later, if set.version() == 2 { 600 } else { 0 });
        assert!(vfs.list(dir).unwrap().iter().all(|name| !name.ends_with(".tmp")));
    }
}
