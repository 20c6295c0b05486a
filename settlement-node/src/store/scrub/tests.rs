#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::history::{History, HistoryBlock, HistoryOptions};
use crate::store::runs::{Pace, Run, RunSet, write_run};
use crate::store::snapshots::{Place, Snapshots};
use crate::store::vfs::{Fault, MemVfs, Vfs};
use crate::store::wal::{Wal, WalEntry, WalOp, WalOptions};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

fn pass(scrubber: &mut Scrubber) -> (Vec<Damage>, Totals) {
    let mut found = Vec::new();
    for _ in 0..10_000 {
        match scrubber.step() {
            Step::Read(_) | Step::Failed(_) => {}
            Step::Damaged(damage) => found.push(damage),
            Step::PassEnded(totals) => return (found, totals),
        }
    }
    panic!("the pass does not end");
}

#[test]
fn rot_is_found_in_each_kind_of_file_and_the_pass_goes_on_behind_it() {
    let vfs = MemVfs::new();
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let options = WalOptions {
        segment_bytes: 4 << 20,
        record_bytes: 8 << 10,
        background: false,
        ..WalOptions::default()
    };
    let (mut wal, _) = Wal::open(shared.clone(), Path::new("/wal"), options).unwrap();
    let data = Bytes::from(vec![5; 900]);
    let entries: Vec<_> =
        (1..=5_000).map(|index| WalEntry { index, term: 1, data: data.clone() }).collect();
    wal.append(&[WalOp { entries, hard_state: None, must_sync: true }]).unwrap();
    let history_options = HistoryOptions { file_bytes: 200_000, sync_bytes: 50_000 };
    let mut history =
        History::open(shared.clone(), Path::new("/history"), history_options).unwrap();
    for height in 1..=700_u64 {
        let block = HistoryBlock {
            height,
            log_index: height,
            time_ns: height,
            first_leaf: height,
            leaf_count: 1,
            block: Bytes::from(vec![6; 1_000]),
            outcome: Bytes::new(),
            seal: Bytes::new(),
        };
        history.append(&block).unwrap();
    }
    history.sync().unwrap();
    let rows: Vec<[u8; 32]> = (0..1_000_u32)
        .map(|id| {
            let mut row = [0; 32];
            row[..4].copy_from_slice(&id.to_be_bytes());
            row
        })
        .collect();
    for generation in 0..3 {
        let (dir, rows) = (Path::new("/runs"), rows.iter().copied());
        write_run(&*shared, dir, generation, rows, Pace::without_rest()).unwrap();
    }
    let runs = RunSets::new(RunSet::open(&*shared, Path::new("/runs")).unwrap());
    let mut scrubber = Scrubber::new(wal.reader(), history.reader(), runs.clone());
    let (found, totals) = pass(&mut scrubber);
    assert_eq!((found.len(), totals.damaged, totals.failed), (0, 0, 0));
    assert!(totals.bytes >= 5_000 * 900 + 700 * 1_000 + 3 * 32_000);
    // Two places of the log in one step's reach, a block, a cut file, a run.
    let segment = Path::new("/wal/segment-00000000000000000001.wal");
    for at in [50_000, 90_000, 3_000_000] {
        vfs.corrupt(segment, |bytes| bytes[at] ^= 4).unwrap();
    }
    let names = vfs.list(Path::new("/history")).unwrap();
    let files: Vec<_> = names.iter().filter(|name| name.ends_with(".blocks")).collect();
    vfs.corrupt(&Path::new("/history").join(files[0]), |bytes| bytes[30_000] ^= 4).unwrap();
    vfs.corrupt(&Path::new("/history").join(files[1]), |bytes| {
        let cut = bytes.len() - 1_500;
        bytes.truncate(cut);
    })
    .unwrap();
    let run = runs.current().runs()[1].range().path(Path::new("/runs"));
    vfs.corrupt(&run, |bytes| bytes[9_000] ^= 4).unwrap();
    let (found, totals) = pass(&mut scrubber);
    let of = |part| found.iter().filter(move |damage| damage.part == part).count();
    assert_eq!((of(Part::Log), of(Part::History), of(Part::Run)), (3, 3, 1), "{found:#?}");
    assert_eq!((totals.damaged, totals.failed), (7, 0));
    assert_eq!(found[6].number, 1);
    // Each pass finds the same; the disk's own errors are no damage.
    assert_eq!(pass(&mut scrubber).0, found);
    vfs.fail(Fault::Read, 1);
    let (found, totals) = pass(&mut scrubber);
    assert_eq!((found.len(), totals.failed), (0, 3));
}

#[test]
fn the_growing_end_is_never_reported_and_released_entries_are_skipped() {
    let vfs = MemVfs::new();
    let options =
        WalOptions { segment_bytes: 64 << 10, background: false, ..WalOptions::default() };
    let (mut wal, _) = Wal::open(Arc::new(vfs), Path::new("/wal"), options).unwrap();
    let mut scrubber = Scrubber::of(vec![Box::new(LogSource::new(wal.reader()))]);
    let mut passes = 0;
    for index in 1..=3_000_u64 {
        let data = Bytes::from(vec![index as u8; 400]);
        let entries = vec![WalEntry { index, term: 1, data }];
        wal.write(&[WalOp { entries, hard_state: None, must_sync: false }]).unwrap();
        if index % 50 == 0 {
            wal.release_below(index - 20);
        }
        match scrubber.step() {
            Step::Read(_) => {}
            Step::PassEnded(_) => passes += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(passes > 100);
}

fn write_runs(vfs: &Arc<dyn Vfs>, generations: u64, rows: u32) -> RunSets {
    for generation in 0..generations {
        let rows = (0..rows).map(|id| {
            let mut row = [0; 32];
            row[..4].copy_from_slice(&id.to_be_bytes());
            row[4..12].copy_from_slice(&generation.to_be_bytes());
            row
        });
        write_run(&**vfs, Path::new("/runs"), generation, rows, Pace::without_rest()).unwrap();
    }
    RunSets::new(RunSet::open(&**vfs, Path::new("/runs")).unwrap())
}

#[test]
fn large_files_are_read_in_small_steps() {
    let vfs = MemVfs::new();
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let runs = write_runs(&shared, 2, 100_000);
    let snapshots = Snapshots::open(shared, Path::new("/snapshots")).unwrap();
    for index in [3, 4] {
        let place = Place { index, term: 1, height: 1 };
        let body = vec![7; 5 << 20];
        snapshots.write(place, b"head", |sink| sink(&body)).unwrap();
    }
    let sources: Vec<Box<dyn Source>> =
        vec![Box::new(RunSource::new(runs.clone())), Box::new(SnapshotSource::new(snapshots))];
    let mut scrubber = Scrubber::of(sources);
    let files: u64 = runs.current().infos().iter().map(|run| run.file_bytes().unwrap()).sum();
    let mut read = 0;
    loop {
        match scrubber.step() {
            Step::Read(bytes) => {
                assert!(bytes <= STEP_BYTES);
                read += bytes;
            }
            Step::PassEnded(totals) => break assert_eq!((totals.bytes, totals.damaged), (read, 0)),
            other => panic!("{other:?}"),
        }
    }
    assert!((files + (10 << 20)..files + (11 << 20)).contains(&read), "{read}");
    let snapshot = "/snapshots/snapshot-00000000000000000004.state";
    vfs.corrupt(Path::new(snapshot), |bytes| bytes[4 << 20] ^= 1).unwrap();
    let range = runs.current().runs()[1].range();
    vfs.corrupt(&range.path(Path::new("/runs")), |bytes| bytes[3 << 20] ^= 1).unwrap();
    let (found, _) = pass(&mut scrubber);
    let places: Vec<_> = found.iter().map(|damage| (damage.part, damage.number)).collect();
    assert_eq!(places, [(Part::Run, 1), (Part::Snapshot, 4)]);
}

#[test]
fn a_damaged_run_that_was_replaced_while_it_was_read_is_no_news() {
    let vfs = MemVfs::new();
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let runs = write_runs(&shared, 1, 100_000);
    let mut scrubber = Scrubber::of(vec![Box::new(RunSource::new(runs.clone()))]);
    assert!(matches!(scrubber.step(), Step::Read(_)));
    let range = runs.current().runs()[0].range();
    let path = range.path(Path::new("/runs"));
    vfs.corrupt(&path, |bytes| bytes[3 << 20] ^= 1).unwrap();
    let again = Run::open(&*shared, Path::new("/runs"), range).unwrap();
    runs.replace(again);
    assert_eq!(pass(&mut scrubber).0, []);
    // The one in its place is read in the next pass.
    assert_eq!(pass(&mut scrubber).0.len(), 1);
}

#[test]
fn a_damaged_snapshot_that_was_removed_while_it_was_read_is_no_news() {
    let vfs = MemVfs::new();
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let snapshots = Snapshots::open(shared, Path::new("/snapshots")).unwrap();
    let write = |index| {
        let place = Place { index, term: 1, height: 1 };
        let body = vec![7; 5 << 20];
        snapshots.write(place, b"head", |sink| sink(&body)).unwrap();
    };
    write(3);
    write(4);
    let source = SnapshotSource::new(snapshots.clone());
    let mut scrubber = Scrubber::of(vec![Box::new(source)]);
    assert!(matches!(scrubber.step(), Step::Read(_)));
    let snapshot = "/snapshots/snapshot-00000000000000000003.state";
    vfs.corrupt(Path::new(snapshot), |bytes| bytes[4 << 20] ^= 1).unwrap();
    write(5);
    assert_eq!(snapshots.list().unwrap(), [4, 5]);
    assert_eq!(pass(&mut scrubber).0, []);
}
