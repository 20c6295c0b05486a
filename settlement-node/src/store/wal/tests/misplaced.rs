//! Writes that the disk lost or put elsewhere: each 4 KiB unit in turn, in segments used again.

use super::*;
use crate::store::wal::Salvaged;
use std::path::PathBuf;

const UNIT: usize = 4096;

fn small() -> WalOptions {
    WalOptions { segment_bytes: 16 << 10, released_max: 3, ..options() }
}

fn open_small(vfs: &MemVfs) -> Result<(Wal, Recovered), WalError> {
    Wal::open(Arc::new(vfs.clone()), Path::new(DIR), small())
}

fn salvage(vfs: &MemVfs) -> Result<Salvaged, WalError> {
    Wal::salvage(Arc::new(vfs.clone()), Path::new(DIR), &small())
}

fn path(number: u64) -> PathBuf {
    Path::new(DIR).join(format!("segment-{number:020}.wal"))
}

fn bytes_of(vfs: &MemVfs, number: u64) -> Vec<u8> {
    let mut copy = Vec::new();
    vfs.corrupt(&path(number), |bytes| copy.clone_from(bytes)).unwrap();
    copy
}

/// A unit of the log that holds records, with what was at that place of the file before.
struct Written {
    segment: u64,
    unit: usize,
    before: Vec<u8>,
}

/// A log whose segments were all used before, each unit written by a synced call of its own, and
/// all of it known durable. The entries that are left are `first..=last`.
fn recycled() -> (MemVfs, Vec<Written>, u64, u64) {
    let vfs = MemVfs::new();
    let (mut wal, _) = open_small(&vfs).unwrap();
    let mut written: Vec<Written> = Vec::new();
    for index in 1..=60 {
        // The spare gets its content before it is known which unit comes next.
        let files: Vec<(u64, Vec<u8>)> = [wal.active.number, wal.active.number + 1]
            .map(|number| (number, bytes_of(&vfs, number)))
            .into();
        let term = 1 + index / 10;
        let hard_state = Some(state(term, 1, index - 1));
        wal.append(&[WalOp { hard_state, ..synced(entries(index, index, term, 2_500)) }]).unwrap();
        for (segment, before) in files {
            let after = bytes_of(&vfs, segment);
            for unit in 0..after.len() / UNIT {
                let range = unit * UNIT..(unit + 1) * UNIT;
                if before[range.clone()] != after[range.clone()] {
                    let before = before[range].to_vec();
                    written.push(Written { segment, unit, before });
                }
            }
        }
        if index > 12 {
            wal.release_below(index - 12);
        }
    }
    let (first, last) = (wal.reader().first_index(), wal.reader().last_index());
    wal.close().unwrap();
    let found = open_small(&vfs.fork()).unwrap().1;
    assert_eq!((found.first_index, found.last_index), (first, last));
    let live = written.iter().map(|unit| unit.segment).max().unwrap_or(0);
    written.retain(|unit| {
        unit.segment + 3 >= live && vfs.corrupt(&path(unit.segment), |_| {}).is_ok()
    });
    // The last unit of all is rewritten by nothing, and the superblock speaks of it.
    assert!(written.len() > 9);
    let used = written.iter().filter(|unit| unit.before.iter().any(|byte| *byte != 0)).count();
    assert!(used > 6, "{used} units of {} were used before", written.len());
    (vfs, written, first, last)
}

/// The damage is noticed, and what is left is a sound prefix with the mark.
fn check(vfs: &MemVfs, first: u64, last: u64, what: &str) {
    match open_small(vfs) {
        Err(WalError::Corrupt { .. }) => {}
        Err(error) => panic!("{what}: {error}"),
        Ok((_, found)) => panic!("{what}: taken for a log up to {}", found.last_index),
    }
    let lost = salvage(vfs).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (wal, found) = open_small(vfs).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.lost_term, Some(1 + last / 10), "{what}");
    assert_eq!(lost.first_lost_index, found.last_index + 1, "{what}");
    assert!(found.last_index < last, "{what}");
    let kept = all(&wal);
    assert!(kept.is_empty() || found.first_index == first, "{what}");
    for found in kept {
        assert_eq!(found, entry(found.index, 1 + found.index / 10, 2_500), "{what}");
    }
}

#[test]
fn a_lost_write_is_noticed_wherever_it_was() {
    let (vfs, written, first, last) = recycled();
    for lost in &written {
        let copy = vfs.fork();
        let from = lost.unit * UNIT;
        copy.corrupt(&path(lost.segment), |bytes| {
            bytes[from..from + UNIT].copy_from_slice(&lost.before);
        })
        .unwrap();
        check(&copy, first, last, &format!("unit {} of segment {}", lost.unit, lost.segment));
    }
}

#[test]
fn a_write_that_went_elsewhere_is_noticed() {
    let (vfs, written, first, last) = recycled();
    let mut pairs = 0;
    for from in &written {
        let moved = bytes_of(&vfs, from.segment)[from.unit * UNIT..(from.unit + 1) * UNIT].to_vec();
        for to in &written {
            if (from.segment, from.unit) == (to.segment, to.unit) {
                continue;
            }
            let what = format!(
                "unit {} of segment {} written over unit {} of segment {}",
                from.unit, from.segment, to.unit, to.segment
            );
            let copy = vfs.fork();
            copy.corrupt(&path(to.segment), |bytes| {
                bytes[to.unit * UNIT..(to.unit + 1) * UNIT].copy_from_slice(&moved);
            })
            .unwrap();
            // The place it should have gone to keeps what it had.
            copy.corrupt(&path(from.segment), |bytes| {
                bytes[from.unit * UNIT..(from.unit + 1) * UNIT].copy_from_slice(&from.before);
            })
            .unwrap();
            check(&copy, first, last, &what);
            pairs += 1;
        }
    }
    println!("{pairs} misdirected writes");
}

#[test]
fn a_whole_segment_of_an_earlier_use_is_noticed() {
    let (vfs, _, first, last) = recycled();
    let (wal, _) = open_small(&vfs.fork()).unwrap();
    let active = wal.active.number;
    for (from, to) in [(active - 1, active), (active - 2, active - 1), (active, active - 1)] {
        let copy = vfs.fork();
        let other = bytes_of(&vfs, from);
        copy.corrupt(&path(to), |bytes| bytes.clone_from(&other)).unwrap();
        check(&copy, first, last, &format!("segment {from} in the place of {to}"));
    }
}
