//! What a failed sync leaves in memory is not taken for what is on the disk by the next start.

use super::*;
use crate::store::vfs::Fault;

#[test]
fn what_a_failed_sync_has_not_written_is_not_there_at_the_next_start() {
    for fails in 1..5 {
        let vfs = MemVfs::new();
        let (mut wal, _) = open(&vfs).unwrap();
        wal.append(&[synced(entries(1, 4, 1, 700))]).unwrap();
        wal.mark_durable().unwrap();
        // The log, or the superblock after it.
        vfs.fail(Fault::Sync, fails);
        let hard_state = Some(state(2, 3, 4));
        let op = WalOp { hard_state, ..synced(entries(5, 9, 2, 700)) };
        let failed = wal.append(&[op]).is_err();
        let failed = wal.mark_durable().is_err() || failed;
        drop(wal);
        let vfs = vfs.kill();
        let (wal, recovered) = open(&vfs).unwrap();
        assert_eq!(vfs.unsynced(Path::new(DIR)), Vec::<std::path::PathBuf>::new());
        assert!(recovered.last_index == 9 || failed, "sync {fails}");
        let found = (all(&wal), recovered.hard_state);
        drop(wal);
        let (wal, recovered) = open(&vfs.crash(fails)).unwrap();
        assert_eq!((all(&wal), recovered.hard_state), found, "sync {fails}");
    }
}
