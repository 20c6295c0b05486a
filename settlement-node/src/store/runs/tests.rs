#![allow(clippy::unwrap_used)]

mod merging;

use super::{Pace, Run, RunError, RunInfo, RunRange, RunSet, RunSets, install_run};
use crate::store::vfs::{Fault, MemVfs, Vfs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "/runs";

fn dir() -> &'static Path {
    Path::new(DIR)
}

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

fn rows(numbers: std::ops::Range<u64>) -> Vec<[u8; 32]> {
    numbers.map(|n| row(n, n)).collect()
}

fn write_run(vfs: &MemVfs, generation: u64, rows: Vec<[u8; 32]>) -> Result<Run, RunError> {
    super::write_run(vfs, dir(), generation, rows.into_iter(), Pace::without_rest())
}

fn path(generation: u64) -> PathBuf {
    RunRange::new(generation, 1).unwrap().path(dir())
}

fn flip(vfs: &MemVfs, path: &Path, at: usize) {
    vfs.corrupt(path, |bytes| bytes[at] ^= 0x10).unwrap();
}

#[test]
fn lookup_is_exact_over_many_runs() {
    let vfs = MemVfs::new();
    let mut model = BTreeMap::new();
    let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
    for (generation, count) in [0_u64, 1, 127, 128, 129, 5_000, 1_000].into_iter().enumerate() {
        let generation = generation as u64;
        let numbers = (0..count).map(|n| (generation + 1) * 100_000 + n * 3);
        let rows: Vec<_> = numbers.map(|n| row(n, n ^ 7)).collect();
        rows.iter().for_each(|row| drop(model.insert(row[..16].to_vec(), row[16..].to_vec())));
        sets.publish(write_run(&vfs, generation, rows).unwrap());
        assert_eq!(sets.version(), generation + 1);
    }
    let reopened = RunSet::open(&vfs, dir()).unwrap();
    assert_eq!(reopened.rows(), model.len() as u64);
    for set in [&*sets.current(), &reopened] {
        for n in (100_000..720_000).step_by(7).chain(600_000..616_000) {
            let expected = model.get(&id(n)[..]).map(|value| &value[..]);
            let found = set.lookup(&id(n)).unwrap();
            assert_eq!(found.as_ref().map(|value| &value[..]), expected, "{n}");
            assert_eq!(sets.current().lookup(&id(n)).unwrap(), found);
        }
        for edge in [[0; 16], [255; 16]] {
            assert_eq!(set.lookup(&edge).unwrap(), None);
        }
    }
    let below = |generations: u64| {
        let mut found = Vec::new();
        let asked: Vec<_> = [600_000, 1, 200_000, 500_003].map(id).into();
        reopened
            .lookup_below(generations, asked.iter(), |id, value| found.push((*id, value)))
            .unwrap();
        found
    };
    let expected = [200_000, 500_003, 600_000].map(|n| (id(n), model[&id(n)[..]].clone()));
    for (generations, known) in [(0, 0..0), (4, 0..1), (5, 0..2)] {
        let found: Vec<_> =
            below(generations).into_iter().map(|(id, value)| (id, value.to_vec())).collect();
        assert_eq!(found, expected[known], "{generations}");
    }
    assert_eq!(below(6)[0].0, id(600_000), "in the order in which they were asked for");
    assert_eq!(below(6).len(), 3);
}

#[test]
fn the_version_ends_at_the_first_gap() {
    let vfs = MemVfs::new();
    let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
    for (generation, version) in [(1, 0), (3, 0), (0, 2), (2, 4)] {
        sets.publish(
            write_run(&vfs, generation, rows(generation * 10..generation * 10 + 9)).unwrap(),
        );
        assert_eq!(sets.version(), version);
        assert!(sets.current().contains(generation));
    }
    assert!(!sets.current().contains(4));
    let firsts: Vec<u64> = sets.current().infos().iter().map(|info| info.range.first()).collect();
    assert_eq!(firsts, [0, 1, 2, 3]);
    // A generation that is there is not added a second time.
    sets.publish(write_run(&vfs, 2, rows(20..29)).unwrap());
    assert_eq!(sets.current().runs().len(), 4);
}

#[test]
fn duplicate_ids_are_refused_and_repeated_runs_are_not() {
    let vfs = MemVfs::new();
    let twice = vec![row(1, 1), row(2, 2), row(1, 3)];
    assert!(matches!(write_run(&vfs, 1, twice), Err(RunError::DuplicateId(_))));
    write_run(&vfs, 1, vec![row(1, 1), row(2, 2)]).unwrap();
    write_run(&vfs, 1, vec![row(2, 2), row(1, 1)]).unwrap();
    for other in [vec![row(3, 3)], vec![row(1, 1), row(2, 3)]] {
        let written = write_run(&vfs, 1, other);
        assert!(matches!(written, Err(RunError::Exists(range)) if range.first() == 1));
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let vfs = MemVfs::new();
    write_run(&vfs, 0, rows(0..200)).unwrap();
    let path = path(0);
    let len = vfs.open(&path, false).unwrap().len().unwrap() as usize;
    let corrupt = |result: Result<(), RunError>| matches!(result, Err(RunError::Corrupt { .. }));
    let open = RunSet::open(&vfs, dir()).unwrap();
    for at in 0..len {
        flip(&vfs, &path, at);
        // Rows are not read when a run is opened, all else is.
        let in_rows = (4096..4096 + 200 * 32).contains(&at);
        let opened = RunSet::open(&vfs, dir());
        assert_eq!(matches!(opened, Err(RunError::Corrupt { .. })), !in_rows, "byte {at}");
        assert!(corrupt(open.runs()[0].verify()), "byte {at}");
        if let Ok(set) = opened {
            assert!(corrupt(set.runs()[0].verify()), "byte {at}");
            // Each id is found as it was, or its page is known to be damaged.
            let lookups = (0..200).map(|n| set.lookup(&id(n)));
            let wrong = lookups.enumerate().filter(|(n, found)| match found {
                Ok(found) => found.unwrap()[..8] != (*n as u64).to_le_bytes(),
                Err(error) => !matches!(error, RunError::Corrupt { .. }),
            });
            assert_eq!(wrong.count(), 0, "byte {at}");
        }
        flip(&vfs, &path, at);
    }
    let set = RunSet::open(&vfs, dir()).unwrap();
    vfs.corrupt(&path, |bytes| bytes[4096..4096 + 6400].fill(0)).unwrap();
    assert!((0..200).all(|n| set.lookup(&id(n)).is_err()));
    // Cut short, and longer than it was.
    vfs.corrupt(&path, |bytes| bytes.truncate(len - 1)).unwrap();
    assert!(RunSet::open(&vfs, dir()).is_err());
    vfs.corrupt(&path, |bytes| bytes.resize(len + 1, 0)).unwrap();
    assert!(RunSet::open(&vfs, dir()).is_err());
    vfs.corrupt(&path, |bytes| bytes.truncate(100)).unwrap();
    assert!(RunSet::open(&vfs, dir()).is_err());
}

#[test]
fn a_run_is_there_wholly_or_not_at_all_after_a_crash() {
    for seed in 0..200 {
        let vfs = MemVfs::new();
        write_run(&vfs, 0, rows(0..300)).unwrap();
        vfs.fail(Fault::Sync, 1 + seed % 2);
        let second = write_run(&vfs, 1, rows(300..900));
        assert!(second.is_err());
        let vfs = vfs.crash(seed);
        let set = RunSet::open(&vfs, dir()).unwrap();
        assert!(set.version() == 1 || set.version() == 2);
        assert!((0..300).all(|n| set.lookup(&id(n)).unwrap().is_some()));
        let later = (300..900).filter(|&n| set.lookup(&id(n)).unwrap().is_some()).count();
        assert_eq!(later, if set.version() == 2 { 600 } else { 0 });
        assert!(vfs.list(dir()).unwrap().iter().all(|name| !name.ends_with(".tmp")));
    }
}

/// Copies the file of a run as it is sent between nodes.
fn fetch(from: &Run, to: &MemVfs) -> PathBuf {
    let path = from.range().temporary_path(dir(), "fetched");
    let file = to.open(&path, true).unwrap();
    let mut piece = [0; 1000];
    let mut at = 0;
    loop {
        let count = from.read_at(&mut piece, at).unwrap();
        if count == 0 {
            break;
        }
        file.write_at(&piece[..count], at).unwrap();
        at += count as u64;
    }
    assert_eq!(Some(at), from.info().file_bytes());
    path
}

#[test]
fn a_damaged_run_is_replaced_by_a_peers() {
    let (peer, vfs) = (MemVfs::new(), MemVfs::new());
    for generation in 0..2 {
        for node in [&peer, &vfs] {
            write_run(node, generation, rows(generation * 500..generation * 500 + 400)).unwrap();
        }
    }
    // In the page table: noticed when it is opened.
    flip(&vfs, &path(1), 4096 + 400 * 32 + 1);
    assert!(matches!(RunSet::open(&vfs, dir()), Err(RunError::Corrupt { .. })));
    let (set, damaged) = RunSet::open_sound(&vfs, dir()).unwrap();
    assert_eq!((set.version(), damaged.len()), (1, 1));
    let lost = RunRange::new(1, 1).unwrap();
    assert!(matches!(damaged[0], RunError::Corrupt { range, .. } if range == lost));

    let set_of_peer = RunSet::open(&peer, dir()).unwrap();
    let good = set_of_peer.run(&lost).unwrap();
    let expected = good.info();
    // Every flipped byte of what is fetched is refused, and so is another run.
    let fetched = fetch(good, &vfs);
    let len = expected.file_bytes().unwrap() as usize;
    for at in (0..len).step_by(97).chain([0, 4095, 4096, len - 1]) {
        flip(&vfs, &fetched, at);
        let installed = install_run(&vfs, dir(), &fetched, &expected);
        assert!(matches!(installed, Err(RunError::Corrupt { .. })), "byte {at}");
        flip(&vfs, &fetched, at);
    }
    for other in [
        RunInfo { rows: 399, ..expected },
        RunInfo { digest: [1; 32], ..expected },
        RunInfo { range: RunRange::new(0, 1).unwrap(), ..expected },
    ] {
        assert!(install_run(&vfs, dir(), &fetched, &other).is_err());
    }
    let sets = RunSets::new(set);
    sets.replace(install_run(&vfs, dir(), &fetched, &expected).unwrap());
    assert_eq!(sets.version(), 2);
    // Durable: also after the power is cut.
    for seed in 0..20 {
        let reopened = RunSet::open(&vfs.fork().crash(seed), dir()).unwrap();
        assert_eq!(reopened.infos(), set_of_peer.infos());
    }
    let set = sets.current();
    assert!(set.runs().iter().all(|run| run.verify().is_ok()));
    assert_eq!(set.run(&lost).unwrap().file_path(), path(1));
    assert!((500..900).all(|n| set.lookup(&id(n)).unwrap().is_some()));
}

#[test]
fn a_run_of_another_format_stops_the_start_and_stays_as_it_is() {
    let vfs = MemVfs::new();
    for generation in 0..2 {
        write_run(&vfs, generation, rows(generation * 500..generation * 500 + 400)).unwrap();
    }
    let change = |bytes: &mut Vec<u8>| {
        bytes[8] = 99;
        let crc = crc32c::crc32c(&bytes[..4092]);
        bytes[4092..4096].copy_from_slice(&crc.to_le_bytes());
    };
    vfs.corrupt(&path(1), change).unwrap();
    let opened = RunSet::open_sound(&vfs, dir());
    let lost = RunRange::new(1, 1).unwrap();
    assert!(matches!(
        opened.map(|_| ()),
        Err(RunError::UnknownFormat { range, format: 99 }) if range == lost
    ));
    assert!(vfs.exists(&path(0)).unwrap() && vfs.exists(&path(1)).unwrap());
    // Without its checksum it is damage.
    flip(&vfs, &path(1), 4093);
    assert_eq!(RunSet::open_sound(&vfs, dir()).unwrap().1.len(), 1);
}
