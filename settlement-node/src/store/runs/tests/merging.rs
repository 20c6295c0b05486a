//! Merging: the same runs on every node, exact at every moment, whatever fails in between.

use super::*;
use crate::store::runs::{RESTS, merge_due};
use crate::store::vfs::DiskVfs;

/// Generations of the model: 111 in base four, so that merged runs are merged again.
const GENERATIONS: u64 = 21;

/// Numbers of the ids of a generation; of different counts, also none and more than a page.
fn numbers(generation: u64) -> std::ops::Range<u64> {
    let count = [40, 0, 129, 300, 1][generation as usize % 5];
    generation * 1_000..generation * 1_000 + count
}

fn write_all(vfs: &MemVfs, generations: u64) -> RunSets {
    let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
    for generation in 0..generations {
        sets.publish(write_run(vfs, generation, rows(numbers(generation))).unwrap());
    }
    sets
}

fn check_exact(sets: &RunSets, generations: u64, what: &str) {
    let set = sets.current();
    assert_eq!(set.version(), generations, "{what}");
    for generation in 0..GENERATIONS {
        let known = numbers(generation);
        for n in generation * 1_000..generation * 1_000 + 310 {
            let value = set.lookup(&id(n)).unwrap().map(|value| value[..8].to_vec());
            let is_there = generation < generations && known.contains(&n);
            let expected = is_there.then(|| n.to_le_bytes().to_vec());
            assert_eq!(value, expected, "{what}: id {n}");
        }
    }
}

fn merge_all(vfs: &MemVfs, sets: &RunSets) -> Result<(), RunError> {
    while merge_due(vfs, dir(), sets, Pace::without_rest())? {}
    Ok(())
}

/// The digits of the number of generations in base four are the numbers of runs of each size.
fn ranges_of(generations: u64) -> Vec<RunRange> {
    let (mut ranges, mut first) = (Vec::new(), 0);
    for size in [256, 64, 16, 4, 1] {
        for _ in 0..generations / size % 4 {
            ranges.push(RunRange::new(first, size).unwrap());
            first += size;
        }
    }
    ranges
}

fn names(vfs: &MemVfs) -> Vec<String> {
    vfs.list(dir()).unwrap()
}

/// Windows are only a shorter way to the same answer, whichever generations are in them, and go when one run
/// has taken their place.
#[test]
fn windows_change_no_answer() {
    // Generations 16 and 17 are merged after the last restart, and are in no window.
    for (restart, merge_every, groups) in [(0, 1, 2), (2, 1, 2), (5, 7, 2), (18, 21, 3)] {
        let vfs = MemVfs::new();
        let mut sets = write_all(&vfs, 0);
        for generation in 0..GENERATIONS {
            if generation == restart {
                sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
            }
            let run = write_run(&vfs, generation, rows(numbers(generation))).unwrap();
            sets.publish_with(run, numbers(generation).map(id));
            check_exact(&sets, generation + 1, "published");
            if (generation + 1) % merge_every == 0 {
                merge_all(&vfs, &sets).unwrap();
                check_exact(&sets, generation + 1, "merged");
            }
        }
        assert_eq!(sets.current().groups_and_windows(), (groups, 1), "{restart} {merge_every}");
    }
}

#[test]
fn every_node_has_the_same_runs_however_it_got_there() {
    let steady = MemVfs::new();
    let sets = write_all(&steady, 0);
    for generation in 0..GENERATIONS {
        sets.publish(write_run(&steady, generation, rows(numbers(generation))).unwrap());
        let before = sets.current();
        merge_all(&steady, &sets).unwrap();
        check_exact(&sets, generation + 1, "merged");
        let ranges: Vec<RunRange> = sets.current().infos().iter().map(|one| one.range).collect();
        assert_eq!(ranges, ranges_of(generation + 1));
        let files: Vec<String> = ranges.iter().map(RunRange::file_name).collect();
        assert_eq!(names(&steady), files);
        assert_eq!(sets.current().merge_bytes(), None);
        // A reader that still holds the parts goes on reading them.
        for n in (0..=generation).flat_map(numbers) {
            assert!(before.lookup(&id(n)).unwrap().is_some());
        }
    }
    let late = MemVfs::new();
    let all_at_once = write_all(&late, GENERATIONS);
    assert_eq!(all_at_once.current().runs().len() as u64, GENERATIONS);
    merge_all(&late, &all_at_once).unwrap();
    assert_eq!(all_at_once.current().infos(), sets.current().infos());
    let rows: u64 = (0..GENERATIONS).map(|one| numbers(one).count() as u64).sum();
    assert_eq!(sets.current().rows(), rows);
    assert!(sets.current().runs().iter().all(|run| run.verify().is_ok()));
    // A generation in a merged run is not added again.
    assert!(sets.current().contains(7));
    sets.publish(write_run(&steady, 7, super::rows(numbers(7))).unwrap());
    assert_eq!(sets.current().infos(), all_at_once.current().infos());
}

#[test]
fn a_search_below_a_generation_finds_all_that_is_below() {
    let vfs = MemVfs::new();
    let sets = write_all(&vfs, 6);
    merge_all(&vfs, &sets).unwrap();
    let found = |below: u64, generation: u64| {
        let first = numbers(generation).start;
        let mut found = false;
        let asked = [id(first)];
        sets.current().lookup_below(below, asked.iter(), |_, _| found = true).unwrap();
        found
    };
    assert!(found(1, 0) && found(3, 2) && found(6, 5));
    // What is above may be found when it is in a run with what is below, and only then.
    assert!(found(1, 3) && !found(4, 4) && !found(0, 0));
}

/// Each operation of each kind fails once, with everything after it; then the power is cut.
#[test]
fn a_crash_at_any_moment_of_a_merge_loses_nothing() {
    let generations = 17;
    let original = MemVfs::new();
    write_all(&original, generations);
    let reference = {
        let vfs = original.fork();
        let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
        merge_all(&vfs, &sets).unwrap();
        sets.current().infos()
    };
    let mut crashes = 0;
    for fault in [Fault::Read, Fault::Write, Fault::Sync] {
        for nth in 1.. {
            let vfs = original.fork();
            let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
            vfs.fail(fault, nth);
            let merged = merge_all(&vfs, &sets);
            vfs.heal();
            let what = format!("{fault:?} {nth}");
            check_exact(&sets, generations, &what);
            if merged.is_ok() {
                assert!(nth > 5, "{what}: no operation of this kind");
                break;
            }
            assert!(names(&vfs).iter().all(|name| !name.ends_with(".tmp")), "{what}");
            for restarted in [vfs.fork().kill(), vfs.crash(nth)] {
                crashes += 1;
                let sets = RunSets::open(Arc::new(restarted.clone()), dir()).unwrap();
                check_exact(&sets, generations, &what);
                assert!(sets.current().runs().iter().all(|run| run.verify().is_ok()), "{what}");
                merge_all(&restarted, &sets).unwrap();
                assert_eq!(sets.current().infos(), reference, "{what}");
                let files: Vec<String> =
                    reference.iter().map(|info| info.range.file_name()).collect();
                assert_eq!(names(&restarted), files, "{what}");
            }
        }
    }
    assert!(crashes > 60, "{crashes}");
}

/// As when the process is killed between the rename and the removal of the parts.
#[test]
fn the_wider_run_counts_and_its_parts_go_unless_it_is_damaged() {
    let vfs = MemVfs::new();
    write_all(&vfs, 5);
    let both = vfs.fork();
    let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
    assert!(merge_due(&vfs, dir(), &sets, Pace::without_rest()).unwrap());
    let merged = sets.current().runs()[0].clone();
    let wide = merged.range();
    both.rename(&fetch(&merged, &both), &wide.path(dir())).unwrap();
    both.sync_dir(dir()).unwrap();
    let damaged = both.fork();

    assert_eq!(names(&both).len(), 6);
    let opened = RunSet::open(&both, dir()).unwrap();
    assert_eq!(opened.infos(), sets.current().infos());
    assert_eq!(names(&both), names(&vfs));

    flip(&damaged, &wide.path(dir()), 40);
    let (opened, errors) = RunSet::open_sound(&damaged, dir()).unwrap();
    assert_eq!((opened.runs().len(), errors.len()), (5, 1));
    let opened = RunSets::new(opened);
    check_exact(&opened, 5, "parts of a damaged run");
    merge_all(&damaged, &opened).unwrap();
    assert_eq!(opened.current().infos(), sets.current().infos());
    assert_eq!(RunSet::open(&damaged, dir()).unwrap().infos(), sets.current().infos());
}

#[test]
fn damage_never_gets_into_a_merged_run() {
    let original = MemVfs::new();
    write_all(&original, 4);
    let broken = RunRange::new(2, 1).unwrap();
    let rows_end = 4096 + numbers(2).count() * 32;
    for at in (4096..rows_end).step_by(131) {
        let vfs = original.fork();
        let sets = RunSets::open(Arc::new(vfs.clone()), dir()).unwrap();
        let before = (names(&vfs), sets.current().infos());
        flip(&vfs, &broken.path(dir()), at);
        let merged = merge_due(&vfs, dir(), &sets, Pace::without_rest());
        assert!(matches!(merged, Err(RunError::Corrupt { range, .. }) if range == broken), "{at}");
        assert_eq!((names(&vfs), sets.current().infos()), before);
        // Repaired, it goes on.
        flip(&vfs, &broken.path(dir()), at);
        merge_all(&vfs, &sets).unwrap();
        check_exact(&sets, 4, "repaired");
    }
}

#[test]
fn an_id_in_two_parts_is_refused() {
    let vfs = MemVfs::new();
    let sets = write_all(&vfs, 3);
    sets.publish(write_run(&vfs, 3, rows(numbers(0))).unwrap());
    assert!(matches!(
        merge_due(&vfs, dir(), &sets, Pace::without_rest()),
        Err(RunError::DuplicateId(_))
    ));
    assert_eq!(sets.current().runs().len(), 4);
}

/// A repaired part that comes late does not undo a merge.
#[test]
fn a_part_does_not_replace_what_it_was_merged_into() {
    let vfs = MemVfs::new();
    let sets = write_all(&vfs, 4);
    let part = Run::open(&vfs, dir(), RunRange::new(1, 1).unwrap()).unwrap();
    merge_all(&vfs, &sets).unwrap();
    let merged = sets.current().infos();
    sets.replace(part);
    assert_eq!(sets.current().infos(), merged);
}

/// Large enough for several pieces, syncs and rests, on a file system that removes open files.
#[test]
fn large_runs_are_merged_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, vfs) = (folder.path(), Arc::new(DiskVfs));
    let sets = RunSets::open(vfs.clone(), dir).unwrap();
    let count = 70_000;
    for generation in 0..4 {
        // The ids of the parts are mixed with each other.
        let rows = (0..count).map(|n| row(n * 4 + generation, n));
        let pace = Pace::new(&|| RESTS, &|| false);
        sets.publish(super::super::write_run(&*vfs, dir, generation, rows, pace).unwrap());
    }
    let parts = sets.current();
    assert!(merge_due(&*vfs, dir, &sets, Pace::new(&|| RESTS, &|| false)).unwrap());
    assert!(!merge_due(&*vfs, dir, &sets, Pace::new(&|| RESTS, &|| false)).unwrap());
    let set = RunSet::open(&*vfs, dir).unwrap();
    assert_eq!((set.runs().len(), set.rows(), set.version()), (1, 4 * count, 4));
    set.runs()[0].verify().unwrap();
    assert_eq!(vfs.list(dir).unwrap(), [set.runs()[0].range().file_name()]);
    for n in 0..4 * count + 1_000 {
        let found = set.lookup(&id(n)).unwrap();
        let expected = (n < 4 * count).then_some(n / 4);
        let value = found.map(|value| u64::from_le_bytes(value[..8].try_into().unwrap()));
        assert_eq!(value, expected, "{n}");
        if n % 64 == 0 {
            assert_eq!(parts.lookup(&id(n)).unwrap(), found, "{n}");
        }
    }
}

#[test]
fn a_merge_and_a_run_that_are_given_up_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, vfs) = (folder.path(), Arc::new(DiskVfs));
    let sets = RunSets::open(vfs.clone(), dir).unwrap();
    let rows = |generation: u64| (0..50_000).map(move |n| row(n * 4 + generation, n));
    for generation in 0..4 {
        let pace = Pace::without_rest();
        sets.publish(
            super::super::write_run(&*vfs, dir, generation, rows(generation), pace).unwrap(),
        );
    }
    let before = vfs.list(dir).unwrap();
    let size = |name: &String| std::fs::metadata(dir.join(name)).unwrap().len();
    let bytes: u64 = before.iter().map(size).sum();
    let wanted = sets.current().merge_bytes().unwrap();
    // The merged run has one header, and its filter need not be rounded up four times.
    assert!(wanted <= bytes && wanted > bytes * 9 / 10, "{wanted} of {bytes}");
    for after in [0, 1, 10] {
        let asked = std::cell::Cell::new(0);
        let is_given_up = || asked.replace(asked.get() + 1) >= after;
        let merged = merge_due(&*vfs, dir, &sets, Pace::new(&|| 0, &is_given_up));
        assert!(matches!(merged, Err(RunError::GivenUp)), "{after}");
        let pace = Pace::new(&|| 0, &|| true);
        let written = super::super::write_run(&*vfs, dir, 4, rows(4), pace);
        assert!(matches!(written, Err(RunError::GivenUp)));
        assert_eq!(vfs.list(dir).unwrap(), before);
    }
    assert_eq!(sets.current().runs().len(), 4);
    assert!(merge_due(&*vfs, dir, &sets, Pace::without_rest()).unwrap());
}
