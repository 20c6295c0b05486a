//! Cuts and flips at every byte of a small log, and errors of the disk.

use super::*;
use crate::store::vfs::Fault;
use crate::store::wal::ReadError;
use std::path::PathBuf;

const GROUPS: u64 = 6;

fn segment(number: u64) -> PathBuf {
    Path::new(DIR).join(format!("segment-{number:020}.wal"))
}

/// Term of a group: no election in the last three, so that no superblock speaks of them.
fn term_of(group: u64) -> u64 {
    1 + group.min(2) / 2
}

/// Six synced groups of three entries; the last entry of each group is not aligned to anything.
fn sample(mark: bool) -> MemVfs {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    for group in 0..GROUPS {
        let op = synced(entries(group * 3 + 1, group * 3 + 3, term_of(group), 333));
        let hard_state = Some(state(term_of(group), 1, group * 3));
        wal.append(&[WalOp { hard_state, ..op }]).unwrap();
    }
    if mark {
        wal.mark_durable().unwrap();
    }
    vfs
}

fn expected(groups: u64) -> Vec<WalEntry> {
    (1..=groups * 3).map(|index| entry(index, term_of((index - 1) / 3), 333)).collect()
}

/// First byte of a group: the start record has the first unit, each group one.
fn start_of(group: u64) -> usize {
    4096 * (group as usize + 1)
}

#[test]
fn a_cut_at_any_byte_of_the_last_three_groups_leaves_the_groups_before() {
    let vfs = sample(false);
    for cut in start_of(GROUPS - 3)..start_of(GROUPS) {
        let copy = vfs.fork();
        let mut lost = false;
        copy.corrupt(&segment(1), |bytes| {
            lost = bytes[cut..start_of((cut / 4096) as u64)].iter().any(|byte| *byte != 0);
            bytes[cut..].fill(0);
        })
        .unwrap();
        let (wal, found) = open(&copy).unwrap();
        let group = (cut / 4096 - 1) as u64;
        if lost {
            // Records of the group in front of the cut may survive, entries only as a prefix.
            let entries = all(&wal);
            assert!(found.last_index >= group * 3 && found.last_index <= group * 3 + 3);
            assert_eq!(entries[..], expected(GROUPS)[..entries.len()], "cut at {cut}");
            assert!(found.hard_state.unwrap().commit <= found.last_index);
        } else {
            assert_eq!(all(&wal), expected(group + 1), "cut at {cut}");
        }
        drop(wal);
        assert_eq!(open(&copy).unwrap().1.torn_bytes, 0, "repaired at {cut}");
    }
}

#[test]
fn a_cut_below_the_mark_is_corruption() {
    let vfs = sample(true);
    for cut in (start_of(1)..start_of(GROUPS - 1) + 1200).step_by(97) {
        let copy = vfs.fork();
        copy.corrupt(&segment(1), |bytes| bytes[cut..].fill(0)).unwrap();
        assert!(matches!(open(&copy), Err(WalError::Corrupt { .. })), "cut at {cut}");
    }
    vfs.corrupt(&segment(1), |bytes| bytes.fill(0)).unwrap();
    assert!(matches!(open(&vfs), Err(WalError::Corrupt { segment: 1, offset: 0, index: 1 })));
}

#[test]
fn a_lost_segment_is_corruption() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 100, 1, 900))]).unwrap();
    drop(wal);
    for number in 1..=3 {
        let copy = vfs.fork();
        crate::store::vfs::Vfs::remove(&copy, &segment(number)).unwrap();
        if number == 1 {
            // The superblock tells it from a released one.
            assert!(matches!(open(&copy), Err(WalError::SegmentLost { segment: 1 })));
        } else {
            assert!(matches!(open(&copy), Err(WalError::Corrupt { .. })), "segment {number}");
        }
    }
}

#[test]
fn a_flip_of_any_byte_never_drops_durable_data() {
    for marked in [false, true] {
        let vfs = sample(marked);
        let last_group = start_of(GROUPS - 1);
        for at in (0..start_of(GROUPS) + 64).chain([20_000, 32_000, 32_767]) {
            for flip in [0x01, 0xff] {
                vfs.corrupt(&segment(1), |bytes| bytes[at] ^= flip).unwrap();
                let copy = vfs.fork();
                match open(&copy) {
                    Err(WalError::Corrupt { .. }) => {}
                    Err(error) => panic!("byte {at}: {error}"),
                    Ok((wal, found)) if found.last_index == GROUPS * 3 => {
                        assert_eq!(all(&wal), expected(GROUPS), "byte {at}");
                        // Only the very last record may be doubted.
                        let commit = found.hard_state.unwrap().commit;
                        assert!(commit == GROUPS * 3 - 3 || (!marked && at >= last_group));
                    }
                    Ok((wal, _)) => {
                        assert!(!marked && at >= last_group, "byte {at} dropped durable data");
                        let entries = all(&wal);
                        assert_eq!(entries[..], expected(GROUPS)[..entries.len()]);
                        assert!(entries.len() as u64 >= (GROUPS - 1) * 3);
                    }
                }
                vfs.corrupt(&segment(1), |bytes| bytes[at] ^= flip).unwrap();
            }
        }
    }
}

#[test]
fn a_record_from_elsewhere_is_corruption() {
    let vfs = sample(true);
    // A misdirected write: group 4 over group 2.
    vfs.corrupt(&segment(1), |bytes| {
        bytes.copy_within(start_of(4)..start_of(5), start_of(2));
    })
    .unwrap();
    assert!(matches!(open(&vfs), Err(WalError::Corrupt { segment: 1, index: 7, .. })));
    // A lost write: the unit still has what was there before, here zeros.
    let vfs = sample(false);
    vfs.corrupt(&segment(1), |bytes| bytes[start_of(2)..start_of(3)].fill(0)).unwrap();
    assert!(matches!(open(&vfs), Err(WalError::Corrupt { segment: 1, index: 7, .. })));
}

#[test]
fn rot_is_noticed_when_reading() {
    let vfs = sample(false);
    let (wal, _) = open(&vfs).unwrap();
    vfs.corrupt(&segment(1), |bytes| bytes[start_of(2) + 300] ^= 4).unwrap();
    let reader = wal.reader();
    assert_eq!(reader.read(1, 7, u64::MAX).unwrap(), expected(2));
    let rotten = reader.read(7, 8, u64::MAX);
    assert!(matches!(rotten, Err(ReadError::Corrupt { segment: 1, index: 7, .. })));
}

#[test]
fn a_failed_sync_stops_the_log_for_good() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 3, 1, 100))]).unwrap();
    vfs.fail(Fault::Sync, 1);
    let failed = wal.append(&[synced(entries(4, 6, 1, 100))]);
    assert!(matches!(failed, Err(WalError::SyncFailed(_))));
    vfs.heal();
    let later = wal.append(&[synced(entries(4, 6, 1, 100))]);
    assert!(matches!(later, Err(WalError::Poisoned)));
    assert!(matches!(wal.sync(), Err(WalError::Poisoned)));
    assert!(matches!(wal.close(), Err(WalError::Poisoned)));
}

#[test]
fn what_a_start_reads_is_durable_afterwards() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open(&vfs).unwrap();
    wal.append(&[synced(entries(1, 3, 1, 100))]).unwrap();
    vfs.fail(Fault::Sync, 1);
    // The superblock is written, but the process ends before it is synced.
    assert!(matches!(wal.mark_durable(), Err(WalError::SyncFailed(_))));
    let vfs = vfs.kill();
    assert!(!vfs.is_synced(Path::new(DIR)));
    let (wal, _) = open(&vfs).unwrap();
    assert!(vfs.is_synced(Path::new(DIR)), "{:?}", vfs.unsynced(Path::new(DIR)));
    assert_eq!(all(&wal), entries(1, 3, 1, 100));
}

#[test]
fn a_failed_write_stops_the_log_and_loses_nothing() {
    for nth in 1..8 {
        let vfs = MemVfs::new();
        let (mut wal, _) = open(&vfs).unwrap();
        wal.append(&[synced(entries(1, 3, 1, 100))]).unwrap();
        vfs.fail(Fault::Write, nth);
        let mut last = 3;
        while wal.append(&[synced(entries(last + 1, last + 9, 1, 1000))]).is_ok() {
            last += 9;
        }
        assert!(matches!(wal.append(&[]), Err(WalError::Poisoned)));
        let vfs = vfs.crash(nth);
        let (wal, found) = open(&vfs).unwrap();
        assert!(found.last_index >= last);
        assert_eq!(all(&wal)[..last as usize], all_expected(last)[..]);
    }
}

fn all_expected(last: u64) -> Vec<WalEntry> {
    [entries(1, 3, 1, 100), entries(4, last.max(4), 1, 1000)].concat()[..last as usize].to_vec()
}
