#![allow(clippy::unwrap_used)]

use super::*;

fn file(vfs: &MemVfs, name: &str, bytes: &[u8]) -> Box<dyn VfsFile> {
    let file = vfs.open(Path::new(name), true).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    vfs.sync_dir(Path::new("/d")).unwrap();
    file
}

fn content(vfs: &MemVfs, name: &str) -> Vec<u8> {
    let file = vfs.open(Path::new(name), false).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// All five fates of a sector show up, each sector has its own, and pieces are whole.
#[test]
fn each_unsynced_sector_has_a_fate_of_its_own() {
    let mut fates = BTreeSet::new();
    let mut mixed = false;
    for seed in 0..200 {
        let vfs = MemVfs::new();
        let file = file(&vfs, "/d/a", &[1; 4 * SECTOR]);
        assert!(vfs.is_synced(Path::new("/d")));
        file.write_at(&[2; 2 * SECTOR], SECTOR as u64).unwrap();
        assert!(!vfs.is_synced(Path::new("/d")));
        assert!(vfs.is_synced(Path::new("/other")));
        let bytes = content(&vfs.crash(seed), "/d/a");
        assert!(bytes[..SECTOR].iter().all(|byte| *byte == 1), "synced bytes changed");
        assert!(bytes[3 * SECTOR..].iter().all(|byte| *byte == 1), "synced bytes changed");
        let both = bytes[SECTOR..3 * SECTOR].chunks(SECTOR).map(|sector| {
            let edges = sector.windows(2).filter(|pair| pair[0] != pair[1]).count();
            let at_pieces = sector
                .windows(2)
                .enumerate()
                .all(|(at, pair)| pair[0] == pair[1] || (at + 1) % PIECE == 0);
            assert!(edges <= 1 || at_pieces, "a piece of 512 bytes is torn twice");
            (sector[0], sector[SECTOR - 1], edges.min(2))
        });
        let both: Vec<_> = both.collect();
        mixed |= both[0] != both[1];
        fates.extend(both);
    }
    for fate in [(1, 1, 0), (2, 2, 0), (2, 1, 1), (0, 0, 0), (1, 2, 2)] {
        assert!(fates.contains(&fate), "{fate:?} never happened: {fates:?}");
    }
    assert!(mixed);
}

/// What a failed sync leaves can be read but is not there any more after a power loss, nor once
/// the cache is dropped; another write takes the whole sector along.
#[test]
fn a_failed_sync_leaves_clean_bytes_that_are_not_on_the_disk() {
    let path = Path::new("/d");
    let failed = || {
        let vfs = MemVfs::new();
        let file = file(&vfs, "/d/a", &[1; 2 * SECTOR]);
        file.write_at(&[2; 2 * SECTOR], 0).unwrap();
        vfs.fail(Fault::Sync, 1);
        file.sync_data().unwrap_err();
        vfs.heal();
        (vfs, file)
    };
    let (vfs, file) = failed();
    file.sync_data().unwrap();
    assert_eq!(content(&vfs, "/d/a"), [2; 2 * SECTOR]);
    assert!(!vfs.is_synced(path), "a second sync has written it");
    assert_eq!(content(&vfs.crash(1), "/d/a"), [1; 2 * SECTOR]);
    let (vfs, file) = failed();
    file.write_at(&[3], 7).unwrap();
    file.drop_cache(0, 0);
    let bytes = content(&vfs, "/d/a");
    assert_eq!((bytes[6], bytes[7], bytes[SECTOR]), (2, 3, 1));
    file.sync_data().unwrap();
    assert!(vfs.is_synced(path));
    assert_eq!(content(&vfs.crash(1), "/d/a"), bytes);
}

#[test]
fn a_full_disk_overwrites_but_does_not_grow() {
    let vfs = MemVfs::new();
    let file = file(&vfs, "/d/a", &[1; 10]);
    vfs.fill();
    file.write_at(&[2; 4], 6).unwrap();
    let error = file.write_at(&[3; 4], 8).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let made = vfs.open(Path::new("/d/b"), true).err().map(|error| error.kind());
    assert_eq!(made, Some(io::ErrorKind::StorageFull));
    let vfs = vfs.kill();
    assert_eq!(content(&vfs, "/d/a"), [1, 1, 1, 1, 1, 1, 2, 2, 3, 3]);
    assert!(vfs.is_full(), "a restart makes no room");
    vfs.heal();
    vfs.open(Path::new("/d/a"), false).unwrap().write_at(&[4; 4], 8).unwrap();
    assert_eq!(content(&vfs, "/d/a").len(), 12);
}

#[test]
fn silent_faults_happen_once_and_where_they_are_said_to() {
    let vfs = MemVfs::new();
    let file = file(&vfs, "/d/a", &[1; 2 * SECTOR]);
    vfs.fail(Fault::LostWrite, 2);
    file.write_at(&[2], 0).unwrap();
    file.write_at(&[3], 1).unwrap();
    file.write_at(&[4], 2).unwrap();
    assert_eq!(content(&vfs, "/d/a")[..4], [2, 1, 4, 1]);
    vfs.fail(Fault::MisdirectedWrite, 1);
    file.write_at(&[5], SECTOR as u64 + 3).unwrap();
    assert_eq!(content(&vfs, "/d/a")[..4], [2, 1, 4, 5]);
    assert_eq!(content(&vfs, "/d/a")[SECTOR + 3], 1);
    file.sync_data().unwrap();
    let before = content(&vfs, "/d/a");
    let sector = vfs.rot(Path::new("/d/a"), 7).unwrap().unwrap() as usize;
    let after = content(&vfs.crash(1), "/d/a");
    assert_ne!(before, after);
    assert_eq!(before[..sector], after[..sector]);
    assert_eq!(before[sector + SECTOR..], after[sector + SECTOR..]);
}
