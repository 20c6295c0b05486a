//! What is left of a damaged log, and that no damage and no crash makes it look whole.

use super::*;
use crate::store::vfs::{Fault, Vfs};
use crate::store::wal::Salvaged;
use std::path::PathBuf;

const SEGMENT: u64 = 16 << 10;
const GROUPS: u64 = 8;

fn small() -> WalOptions {
    WalOptions { segment_bytes: SEGMENT, ..options() }
}

fn open_small(vfs: &MemVfs) -> Result<(Wal, Recovered), WalError> {
    Wal::open(Arc::new(vfs.clone()), Path::new(DIR), small())
}

fn salvage(vfs: &MemVfs) -> Result<Salvaged, WalError> {
    Wal::salvage(Arc::new(vfs.clone()), Path::new(DIR), &small())
}

fn segment(number: u64) -> PathBuf {
    Path::new(DIR).join(format!("segment-{number:020}.wal"))
}

fn term_of(group: u64) -> u64 {
    1 + group / 2
}

/// Groups of three entries, a new term and vote every second one, in three segments.
fn fill(vfs: &MemVfs) -> Wal {
    let (mut wal, _) = open_small(vfs).unwrap();
    for group in 0..GROUPS {
        let op = synced(entries(group * 3 + 1, group * 3 + 3, term_of(group), 333));
        let hard_state = Some(state(term_of(group), 1 + group / 2, group * 3));
        wal.append(&[WalOp { hard_state, ..op }]).unwrap();
    }
    wal
}

fn expected() -> Vec<WalEntry> {
    (0..GROUPS)
        .flat_map(|group| entries(group * 3 + 1, group * 3 + 3, term_of(group), 333))
        .collect()
}

fn last_state() -> WalHardState {
    state(term_of(GROUPS - 1), 1 + (GROUPS - 1) / 2, (GROUPS - 1) * 3)
}

/// The log after a salvage: a sound prefix, marked, with term and vote as before.
fn check_salvaged(vfs: &MemVfs, what: &str) -> u64 {
    let (mut wal, found) = open_small(vfs).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.lost_term, Some(term_of(GROUPS - 1)), "{what}");
    let kept = all(&wal);
    assert_eq!(kept[..], expected()[..kept.len()], "{what}");
    let hard = found.hard_state.unwrap();
    assert_eq!((hard.term, hard.vote), (last_state().term, last_state().vote), "{what}");
    assert!(hard.commit <= found.last_index, "{what}: commit beyond the log");
    // The log goes on, and the mark stays until it is cleared.
    let next = found.last_index + 1;
    wal.append(&[synced(entries(next, next + 8, 9, 700))]).unwrap();
    wal.close().unwrap();
    let (mut wal, again) = open_small(vfs).unwrap();
    assert_eq!((again.last_index, again.torn_bytes), (next + 8, 0), "{what}");
    assert_eq!(again.lost_term, found.lost_term, "{what}");
    wal.forget_loss().unwrap();
    drop(wal);
    assert_eq!(open_small(vfs).unwrap().1.lost_term, None, "{what}");
    found.last_index
}

#[derive(Default, Debug)]
struct Classes {
    harmless: u64,
    salvaged: u64,
    torn: u64,
}

/// Flips each byte of all files; `closed` says that the superblock speaks of the last group.
fn flip_all(vfs: &MemVfs, closed: bool) -> Classes {
    let mut classes = Classes::default();
    let whole = expected();
    let sound = open_small(&vfs.fork()).unwrap().1;
    for name in vfs.list(Path::new(DIR)).unwrap() {
        let path = Path::new(DIR).join(&name);
        let len = vfs.open(&path, false).unwrap().len().unwrap() as usize;
        // Zeros behind the end of the log are alike.
        let mut used = 0;
        vfs.corrupt(&path, |bytes| {
            used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        })
        .unwrap();
        let sample = (used + 64..len).step_by(509);
        for at in (0..len.min(used + 64)).chain(sample) {
            let copy = vfs.fork();
            copy.corrupt(&path, |bytes| bytes[at] ^= 0x10).unwrap();
            let what = format!("{name} at {at}");
            match open_small(&copy) {
                Ok((wal, found)) if found.last_index == sound.last_index => {
                    assert_eq!(all(&wal), whole, "{what}");
                    assert_eq!((found.first_index, found.lost_term), (1, None), "{what}");
                    // The last commit of all is in a record that nothing speaks of.
                    let (state, last) = (found.hard_state.unwrap(), last_state());
                    assert_eq!((state.term, state.vote), (last.term, last.vote), "{what}");
                    assert!(state == last || !closed && state.commit == last.commit - 3, "{what}");
                    classes.harmless += 1;
                }
                Ok((wal, found)) => {
                    // A record that nothing speaks of is the last of a write that never ended.
                    assert!(!closed && found.last_index >= (GROUPS - 1) * 3, "{what}: shorter");
                    assert!(found.torn_bytes > 0, "{what}");
                    assert_eq!(all(&wal)[..], whole[..found.last_index as usize], "{what}");
                    classes.torn += 1;
                }
                Err(WalError::Corrupt { .. }) => {
                    let lost = salvage(&copy).unwrap();
                    assert_eq!(lost.lost_term, term_of(GROUPS - 1), "{what}");
                    let last = check_salvaged(&copy, &what);
                    assert_eq!(lost.first_lost_index, last + 1, "{what}");
                    classes.salvaged += 1;
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }
    classes
}

#[test]
fn a_flip_of_any_byte_of_a_closed_log_is_harmless_or_salvaged() {
    let vfs = MemVfs::new();
    fill(&vfs).close().unwrap();
    let classes = flip_all(&vfs, true);
    println!("closed log: {classes:?}");
    assert!(classes.salvaged > 6_000 && classes.harmless > 1_000 && classes.torn == 0);
}

#[test]
fn a_flip_of_any_byte_of_a_killed_and_marked_log_is_harmless_or_salvaged() {
    let vfs = MemVfs::new();
    let mut wal = fill(&vfs);
    wal.mark_durable().unwrap();
    drop(wal);
    let classes = flip_all(&vfs, true);
    println!("marked log: {classes:?}");
    assert!(classes.salvaged > 6_000 && classes.harmless > 1_000 && classes.torn == 0);
}

#[test]
fn only_the_very_last_write_of_an_unmarked_log_can_be_taken_for_a_torn_one() {
    let vfs = MemVfs::new();
    drop(fill(&vfs));
    let classes = flip_all(&vfs, false);
    println!("unmarked log: {classes:?}");
    // One group of three entries of 333 bytes and a hard state.
    assert!(classes.torn > 500 && classes.torn < 1_500, "{classes:?}");
    assert!(classes.salvaged > 5_000);
}

/// A log with damage in its second segment, and what lies in the first.
fn damaged() -> MemVfs {
    let vfs = MemVfs::new();
    fill(&vfs).close().unwrap();
    vfs.corrupt(&segment(2), |bytes| bytes[4096 + 100] ^= 1).unwrap();
    assert!(matches!(open_small(&vfs), Err(WalError::Corrupt { segment: 2, .. })));
    vfs
}

/// Runs a salvage whose `nth` operation of a kind fails, then cuts the power or kills the process.
/// Whatever state that leaves must be corrupt as before, or open with the mark.
fn interrupted(fault: Fault, nth: u64, seed: u64) -> bool {
    let vfs = damaged();
    vfs.fail(fault, nth);
    let done = salvage(&vfs).is_ok();
    let vfs = if seed.is_multiple_of(5) { vfs.kill() } else { vfs.crash(seed) };
    let what = format!("{fault:?} {nth} seed {seed}");
    for _ in 0..2 {
        match open_small(&vfs.fork()) {
            Ok((_, found)) => assert!(found.lost_term.is_some(), "{what}: sound"),
            Err(WalError::Corrupt { .. }) => {
                assert!(!done, "{what}: done but corrupt");
                salvage(&vfs).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            Err(error) => panic!("{what}: {error}"),
        }
    }
    let last = check_salvaged(&vfs, &what);
    assert!((1..GROUPS * 3).contains(&last), "{what}: {last} left");
    let kept = vfs.list(&Path::new(DIR).join("damaged")).unwrap();
    // Superblock, and the damaged segment with those behind it as they were.
    assert!(kept.len() >= 3, "{what}: {kept:?}");
    let original = damaged();
    for name in kept.iter().filter(|name| name.ends_with(".wal")) {
        let (copy, of) = name.split_once("-").unwrap();
        assert_eq!(copy.len(), 20);
        let read = |vfs: &MemVfs, path: PathBuf| {
            let file = vfs.open(&path, false).unwrap();
            let mut bytes = vec![0; file.len().unwrap() as usize];
            file.read_at(&mut bytes, 0).unwrap();
            bytes
        };
        let copy = read(&vfs, Path::new(DIR).join("damaged").join(name));
        assert!(copy == read(&original, Path::new(DIR).join(of)), "{what}: {name} differs");
    }
    done
}

#[test]
fn a_crash_at_any_step_of_a_salvage_never_leaves_a_log_that_looks_sound() {
    let mut runs = 0;
    for fault in [Fault::Write, Fault::Sync, Fault::Read] {
        for nth in 1.. {
            let mut all_done = true;
            for seed in 0..12 {
                all_done &= interrupted(fault, nth, nth * 100 + seed);
                runs += 1;
            }
            if all_done {
                assert!(nth > 5, "{fault:?} did not strike");
                break;
            }
        }
    }
    println!("{runs} interrupted salvages");
}

#[test]
fn a_log_without_a_sound_record_is_salvaged_empty_and_reset() {
    for released in [false, true] {
        let vfs = MemVfs::new();
        let mut wal = fill(&vfs);
        let mut first = 1;
        if released {
            wal.release_below(GROUPS * 3);
            assert!(wal.reader().first_index() > 1);
            first = 3;
        }
        wal.close().unwrap();
        vfs.corrupt(&segment(first), |bytes| bytes[20] ^= 1).unwrap();
        let corrupt = matches!(open_small(&vfs), Err(WalError::Corrupt { offset: 0, .. }));
        assert!(corrupt, "released {released}");
        let lost = salvage(&vfs).unwrap();
        assert_eq!((lost.segment, lost.offset, lost.first_lost_index), (first, 0, 1));
        let (mut wal, found) = open_small(&vfs).unwrap();
        assert_eq!((found.first_index, found.last_index), (1, 0));
        assert_eq!(found.lost_term, Some(term_of(GROUPS - 1)));
        assert_eq!(found.hard_state, Some(WalHardState { commit: 0, ..last_state() }));
        wal.reset_to(12, 2).unwrap();
        wal.append(&[synced(entries(13, 30, 5, 900))]).unwrap();
        drop(wal);
        let (wal, found) = open_small(&vfs).unwrap();
        assert_eq!((found.first_index, found.last_index, found.base_term), (13, 30, 2));
        assert_eq!(found.lost_term, Some(term_of(GROUPS - 1)));
        assert_eq!(all(&wal), entries(13, 30, 5, 900));
    }
}

#[test]
fn a_sound_log_is_not_salvaged_and_copies_of_two_salvages_are_kept() {
    let vfs = MemVfs::new();
    fill(&vfs).close().unwrap();
    assert!(matches!(salvage(&vfs), Err(WalError::NotCorrupt)));
    let mut seen = std::collections::BTreeSet::new();
    for round in 1..=4 {
        let (mut wal, found) = open_small(&vfs).unwrap();
        let next = found.last_index + 1;
        let op = synced(entries(next, next + 5, 4 + round, 900));
        let hard_state = Some(state(4 + round, 1, next));
        wal.append(&[WalOp { hard_state, ..op }]).unwrap();
        let at = wal.reader().last_index();
        wal.close().unwrap();
        let newest = vfs.list(Path::new(DIR)).unwrap();
        let mut newest: Vec<_> = newest.iter().filter(|name| name.starts_with("seg")).collect();
        newest.sort();
        // Damage the last segment that holds anything.
        for name in newest.into_iter().rev() {
            let mut hit = false;
            let path = Path::new(DIR).join(name);
            vfs.corrupt(&path, |bytes| {
                if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                    bytes[last / 4096 * 4096 + 8] ^= 1;
                    hit = true;
                }
            })
            .unwrap();
            if hit {
                break;
            }
        }
        let lost = salvage(&vfs).unwrap();
        assert_eq!(lost.lost_term, 4 + round);
        assert!(lost.first_lost_index <= at + 1);
        assert_eq!(lost.kept, Path::new(DIR).join("damaged"));
        let names = vfs.list(&lost.kept).unwrap();
        let salvages: std::collections::BTreeSet<_> =
            names.iter().map(|name| name[..20].to_owned()).collect();
        assert_eq!(salvages.len() as u64, round.min(2));
        seen.extend(salvages);
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn the_superblock_remembers_term_and_vote_that_the_records_lost() {
    let vfs = MemVfs::new();
    let (mut wal, _) = open_small(&vfs).unwrap();
    wal.append(&[synced(entries(1, 3, 1, 50))]).unwrap();
    // Killed right after the vote was acknowledged, before any quiet moment.
    let vote = WalOp { hard_state: Some(state(4, 2, 0)), must_sync: true, entries: Vec::new() };
    wal.append(&[vote]).unwrap();
    drop(wal);
    let mut hits = 0;
    for at in 0..SEGMENT as usize {
        let copy = vfs.fork();
        copy.corrupt(&segment(1), |bytes| bytes[at] ^= 0x80).unwrap();
        if open_small(&copy).is_err() {
            salvage(&copy).unwrap();
            hits += 1;
        }
        let (_, found) = open_small(&copy).unwrap();
        let hard = found.hard_state.unwrap();
        assert_eq!((hard.term, hard.vote), (4, 2), "byte {at}");
    }
    // The vote's record is the last; a flip anywhere in it is known to be corruption.
    assert!(hits > 96 + 3 * 60, "{hits}");
}

#[test]
fn the_inspection_judges_as_the_opening_does() {
    use crate::store::wal::inspect::{Verdict, inspect};
    let vfs = MemVfs::new();
    drop(fill(&vfs));
    let (mut corrupt, mut torn, mut sound) = (0, 0, 0);
    for number in 1..=3 {
        for at in (0..SEGMENT as usize).step_by(7) {
            let copy = vfs.fork();
            copy.corrupt(&segment(number), |bytes| bytes[at] ^= 0x20).unwrap();
            let found = inspect(&copy, Path::new(DIR), false).unwrap();
            let what = format!("segment {number} at {at}: {:?}", found.verdict);
            match (open_small(&copy), &found.verdict) {
                (
                    Err(WalError::Corrupt { segment, offset, index }),
                    Verdict::Corrupt { segment: at_segment, offset: at, index: from, .. },
                ) => {
                    assert_eq!((segment, offset, index), (*at_segment, *at, *from), "{what}");
                    corrupt += 1;
                }
                (Ok((_, opened)), Verdict::Sound | Verdict::Torn { .. }) => {
                    assert_eq!(found.last_index, opened.last_index, "{what}");
                    assert_eq!(found.hard_state, opened.hard_state, "{what}");
                    match found.verdict {
                        Verdict::Torn { bytes, .. } => assert_eq!(bytes, opened.torn_bytes),
                        _ => assert_eq!(opened.torn_bytes, 0, "{what}"),
                    }
                    if opened.torn_bytes > 0 { torn += 1 } else { sound += 1 }
                }
                (opened, _) => panic!("{what}, but {:?}", opened.err()),
            }
        }
    }
    assert!(corrupt > 500 && torn > 50 && sound > 500, "{corrupt} {torn} {sound}");
}
