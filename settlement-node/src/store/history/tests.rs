#![allow(clippy::unwrap_used)]

use super::{History, HistoryBlock, HistoryError, HistoryOptions};
use crate::store::history_writer::{HistoryWriter, HistoryWriterOptions};
use crate::store::vfs::{DiskVfs, Fault, MemVfs, Vfs};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "/history";

fn options() -> HistoryOptions {
    HistoryOptions { file_bytes: 20_000, sync_bytes: 4_000 }
}

fn open(vfs: &MemVfs) -> Result<History, HistoryError> {
    History::open(Arc::new(vfs.clone()), Path::new(DIR), options())
}

/// Every fourth block has no leaves, the others three.
fn block(height: u64) -> HistoryBlock {
    let with_leaves = (0..height).filter(|height| height % 4 != 0).count() as u64;
    let bytes = |len: u64, salt: u64| -> Bytes {
        (0..len).map(|at| (at * salt + height) as u8).collect::<Vec<_>>().into()
    };
    HistoryBlock {
        height,
        log_index: height + 10,
        time_ns: height * 1_000,
        first_leaf: with_leaves * 3,
        leaf_count: if height.is_multiple_of(4) { 0 } else { 3 },
        block: bytes(height % 700, 3),
        outcome: bytes(height % 50, 5),
        seal: bytes(40, 7),
    }
}

fn blocks(from: u64, to: u64) -> Vec<HistoryBlock> {
    (from..=to).map(block).collect()
}

fn fill(history: &mut History, from: u64, to: u64) {
    blocks(from, to).iter().for_each(|block| history.append(block).unwrap());
}

fn files(vfs: &MemVfs, suffix: &str) -> Vec<PathBuf> {
    let names = vfs.list(Path::new(DIR)).unwrap();
    let names = names.iter().filter(|name| name.ends_with(suffix));
    names.map(|name| Path::new(DIR).join(name)).collect()
}

#[test]
fn blocks_are_found_by_height_leaf_and_scan() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    let reader = history.reader();
    assert_eq!((reader.first_height(), reader.last_height()), (None, None));
    assert_eq!(reader.block_of_leaf(0), None);
    fill(&mut history, 1, 300);
    history.flush().unwrap();
    drop(history);
    let history = open(&vfs).unwrap();
    assert!(files(&vfs, ".blocks").len() > 3);
    for reader in [reader, history.reader()] {
        assert_eq!((reader.first_height(), reader.last_height()), (Some(1), Some(300)));
        for height in 1..=300 {
            let expected = block(height);
            assert_eq!(reader.block(height).unwrap().unwrap(), expected);
            for leaf in expected.first_leaf..expected.first_leaf + u64::from(expected.leaf_count) {
                assert_eq!(reader.block_of_leaf(leaf), Some(height));
            }
        }
        assert_eq!(reader.block(0).unwrap(), None);
        assert_eq!(reader.block(301).unwrap(), None);
        assert_eq!(reader.block_of_leaf(block(301).first_leaf), None);
        assert_eq!(reader.scan(290, u64::MAX).unwrap(), blocks(290, 300));
        assert_eq!(reader.scan(1, u64::MAX).unwrap(), blocks(1, 300));
        assert_eq!(reader.scan(50, 0).unwrap(), blocks(50, 50));
        let some = reader.scan(100, 2_000).unwrap();
        assert!(some.len() > 1 && some.len() < 20);
        assert_eq!(some, blocks(100, 99 + some.len() as u64));
        assert_eq!(reader.scan(301, 100).unwrap(), []);
    }
}

#[test]
fn replayed_blocks_are_ignored_and_wrong_ones_refused() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    fill(&mut history, 5, 20);
    history.flush().unwrap();
    fill(&mut history, 18, 30);
    fill(&mut history, 5, 30);
    // Older than the first block kept: not known, not wrong.
    history.append(&block(4)).unwrap();
    let gap = history.append(&block(32));
    assert!(matches!(gap, Err(HistoryError::Gap { last: 30, got: 32 })));
    for height in [20, 29] {
        let other = HistoryBlock { time_ns: 1, ..block(height) };
        assert!(matches!(history.append(&other), Err(HistoryError::Differs { .. })));
    }
    let other = HistoryBlock { first_leaf: 3, ..block(31) };
    assert!(matches!(history.append(&other), Err(HistoryError::Leaf { height: 31, .. })));
    history.append(&block(31)).unwrap();
    history.sync().unwrap();
    assert_eq!(history.reader().scan(5, u64::MAX).unwrap(), blocks(5, 31));
}

#[test]
fn a_cut_at_any_byte_of_the_tail_leaves_whole_blocks() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    fill(&mut history, 1, 8);
    history.sync().unwrap();
    let data = files(&vfs, ".blocks").pop().unwrap();
    let len = vfs.open(&data, false).unwrap().len().unwrap() as usize;
    for cut in (64..len).rev().step_by(3) {
        for zero in [false, true] {
            let copy = vfs.fork();
            let change = |bytes: &mut Vec<u8>| match zero {
                true => bytes[cut..].fill(0),
                false => bytes.truncate(cut),
            };
            copy.corrupt(&data, change).unwrap();
            let mut history = open(&copy).unwrap();
            let last = history.last_height().unwrap_or(0);
            assert!(last <= 8);
            assert_eq!(history.reader().scan(1, u64::MAX).unwrap(), blocks(1, last));
            fill(&mut history, last.max(1), 12);
            history.sync().unwrap();
            assert_eq!(history.reader().scan(1, u64::MAX).unwrap(), blocks(1, 12));
        }
    }
}

#[test]
fn lost_or_damaged_rows_are_made_again() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    fill(&mut history, 1, 200);
    history.sync().unwrap();
    for path in files(&vfs, ".rows") {
        for damage in 0..3 {
            let copy = vfs.fork();
            match damage {
                0 => copy.remove(&path).unwrap(),
                1 => copy.corrupt(&path, |bytes| bytes.truncate(95)).unwrap(),
                _ => copy.corrupt(&path, |bytes| bytes[83] ^= 1).unwrap(),
            }
            for _ in 0..2 {
                let history = open(&copy).unwrap();
                assert_eq!(history.reader().scan(1, u64::MAX).unwrap(), blocks(1, 200));
            }
        }
    }
}

#[test]
fn rot_is_never_served() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    fill(&mut history, 1, 200);
    history.sync().unwrap();
    let path = &files(&vfs, ".blocks")[0];
    let reader = history.reader();
    vfs.corrupt(path, |bytes| bytes[5_000] ^= 1).unwrap();
    let bad = (1..=200).filter(|&height| reader.block(height).is_err()).count();
    assert_eq!(bad, 1);
    assert!(matches!(reader.scan(1, u64::MAX), Err(HistoryError::Corrupt { .. })));
    // A file that is not the last was synced as a whole: nothing of it may be dropped.
    vfs.corrupt(path, |bytes| bytes.truncate(9_000)).unwrap();
    assert!(matches!(open(&vfs), Err(HistoryError::Corrupt { .. })));
}

#[test]
fn synced_blocks_survive_random_crashes() {
    for seed in 1..200_u64 {
        let mut vfs = MemVfs::new();
        let (mut synced, mut next) = (0, 1);
        for life in 0..6 {
            let mut history = open(&vfs).unwrap();
            let last = history.last_height().unwrap_or(0);
            assert!(last >= synced && last < next, "seed {seed}: {synced} {last} {next}");
            assert_eq!(history.reader().scan(1, u64::MAX).unwrap(), blocks(1, last));
            synced = last;
            next = last + 1;
            if (seed + life) % 3 == 0 {
                vfs.fail(if seed % 2 == 0 { Fault::Write } else { Fault::Sync }, 1 + seed % 13);
            }
            for _ in 0..seed * 7 % 61 {
                next += 1;
                if history.append(&block(next - 1)).is_err() {
                    break;
                }
                let failed = match (seed * next) % 11 {
                    0 => history.sync().is_err(),
                    1..4 => history.flush().is_err(),
                    _ => false,
                };
                if failed {
                    break;
                }
                synced = history.synced_height().unwrap_or(0);
            }
            vfs = if life % 3 == 2 { vfs.kill() } else { vfs.crash(seed * 100 + life) };
        }
    }
}

#[test]
fn the_thread_shows_blocks_soon_and_syncs_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    let open = || History::open(Arc::new(DiskVfs), dir.path(), options()).unwrap();
    let history = open();
    let reader = history.reader();
    let writer = HistoryWriter::start(history, HistoryWriterOptions::default(), |error| {
        panic!("{error}");
    })
    .unwrap();
    blocks(1, 500).into_iter().for_each(|block| writer.append(block).unwrap());
    writer.sync().unwrap();
    assert_eq!((writer.synced_below(), reader.last_height()), (501, Some(500)));
    writer.append(block(501)).unwrap();
    writer.stop();
    assert_eq!(reader.last_height(), Some(501));
    assert_eq!(open().reader().scan(400, u64::MAX).unwrap(), blocks(400, 501));
}

#[test]
fn the_thread_reports_its_error_and_ends() {
    let vfs = MemVfs::new();
    let history = open(&vfs).unwrap();
    let (report, reported) = crossbeam_channel::bounded(1);
    let writer = HistoryWriter::start(history, HistoryWriterOptions::default(), move |error| {
        report.send(error).unwrap();
    })
    .unwrap();
    vfs.fail(Fault::Sync, 1);
    writer.append(block(1)).unwrap();
    assert!(matches!(reported.recv().unwrap(), HistoryError::SyncFailed(_)));
    assert!(writer.sync().is_err());
}

#[test]
fn a_cut_history_is_the_history_up_to_there() {
    for cut in 0..45 {
        let vfs = MemVfs::new();
        let mut history = open(&vfs).unwrap();
        (1..=40).for_each(|height| history.append(&block(height)).unwrap());
        history.cut_after(cut).unwrap();
        let last = cut.min(40);
        assert_eq!(history.last_height(), (last > 0).then_some(last), "cut {cut}");
        // It goes on from there, and is whole after a restart.
        (last + 1..=42).for_each(|height| history.append(&block(height)).unwrap());
        history.sync().unwrap();
        let reader = open(&vfs).unwrap().reader();
        for height in 1..=42 {
            assert_eq!(reader.block(height).unwrap().as_ref(), Some(&block(height)), "cut {cut}");
        }
    }
}

#[test]
fn a_full_disk_is_waited_out_and_no_block_is_lost() {
    use std::sync::atomic::Ordering;
    // Full at each point of a file: within a block, a row, the begin of the next file.
    for room in (0..30_000).step_by(1_777) {
        let vfs = MemVfs::new();
        let mut history = open(&vfs).unwrap();
        fill(&mut history, 1, 3);
        history.sync().unwrap();
        vfs.limit(Some(vfs.used() + room));
        let writer_options = HistoryWriterOptions { queue: 2, ..HistoryWriterOptions::default() };
        let reader = history.reader();
        let writer =
            HistoryWriter::start(history, writer_options, |error| panic!("{error}")).unwrap();
        std::thread::scope(|scope| {
            let blocks = blocks(4, 150);
            scope.spawn(|| blocks.into_iter().for_each(|block| writer.append(block).unwrap()));
            while !writer.meters().full.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert!(reader.last_height() < Some(150));
            vfs.limit(None);
        });
        writer.sync().unwrap();
        assert!(!writer.meters().full.load(Ordering::Acquire));
        assert_eq!(reader.scan(1, u64::MAX).unwrap(), blocks(1, 150), "room {room}");
        writer.stop();
        let vfs = vfs.crash(room);
        assert_eq!(open(&vfs).unwrap().reader().scan(1, u64::MAX).unwrap(), blocks(1, 150));
    }
}

#[test]
fn what_a_failed_sync_has_not_written_is_not_read_at_the_next_start() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    fill(&mut history, 1, 20);
    history.sync().unwrap();
    fill(&mut history, 21, 30);
    vfs.fail(Fault::Sync, 1);
    history.sync().unwrap_err();
    drop(history);
    let vfs = vfs.kill();
    let last = open(&vfs).unwrap().reader().last_height();
    assert_eq!(last, Some(20));
    assert_eq!(open(&vfs.crash(5)).unwrap().reader().last_height(), last);
}

#[test]
fn files_of_another_format_stop_the_start_and_stay_as_they_are() {
    let vfs = MemVfs::new();
    let mut history = open(&vfs).unwrap();
    fill(&mut history, 1, 300);
    history.sync().unwrap();
    drop(history);
    let data = files(&vfs, ".blocks");
    for path in [&data[0], data.last().unwrap()] {
        let change = |bytes: &mut Vec<u8>| {
            bytes[8] ^= 9;
            let crc = crc32c::crc32c(&bytes[..24]);
            bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        };
        vfs.corrupt(path, change).unwrap();
        let opened = open(&vfs).map(|_| ());
        assert!(matches!(opened, Err(HistoryError::UnknownFormat { format: 8, .. })));
        assert_eq!(files(&vfs, ".blocks"), data);
        vfs.corrupt(path, change).unwrap();
    }
    assert_eq!(open(&vfs).unwrap().last_height(), Some(300));
}
