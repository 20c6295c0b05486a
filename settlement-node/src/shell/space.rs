//! Looks at the room on the disk of the data folder, and tells the loop when it changes its kind.
//!
//! A disk that fills up must stop new work long before a write fails: the reserve is for what was
//! promised already. The limits have a distance between them, so that a node on the brink does not
//! change its mind with every segment. A writer that already waits for room counts as none at all,
//! however much the system calls free.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{Loop, deliver};
use crate::{
    event::{Event, Room},
    limits::{
        DISK_CHECK_INTERVAL, DISK_FULL_PAUSE, DISK_LOW_BYTES, DISK_RESERVE_BYTES, DISK_RETURN_BYTES,
    },
    store::{meters::WriterMeters, runs::RunError, vfs::is_full},
};

/// What was seen last. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Space {
    free: Arc<AtomicU64>,
    /// Whether something that was promised, beside log and history, waits for room.
    waits: Arc<AtomicBool>,
}

impl Space {
    /// Looks for the first time; a disk that cannot be asked counts as large.
    pub(super) fn of(data: &std::path::Path) -> Self {
        let free = Arc::new(AtomicU64::new(free_bytes(data).unwrap_or(u64::MAX)));
        Self { free, waits: Arc::default() }
    }

    /// Bytes that this process may still write.
    pub(super) fn free_bytes(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Whether so many bytes can be written of what can also be left, without bringing the node near
    /// the end of the disk.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        self.free_bytes() >= bytes.saturating_add(DISK_LOW_BYTES)
    }

    /// Does something that was promised, and tries it again while the disk has no room for it: meanwhile
    /// the node takes nothing new. `is_over_within` waits, and says whether there is no more time.
    ///
    /// # Errors
    /// That of the last attempt.
    pub(super) fn patiently(
        &self,
        what: &str,
        is_over_within: impl Fn(Duration) -> bool,
        mut attempt: impl FnMut() -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        loop {
            let done = attempt();
            if !matches!(&done, Err(RunError::Io(error)) if is_full(error)) {
                if self.waits.swap(false, Ordering::AcqRel) && done.is_ok() {
                    tracing::info!(what, "the disk has room again");
                }
                return done;
            }
            if !self.waits.swap(true, Ordering::AcqRel) {
                tracing::error!(what, "the disk is full; this waits for room");
            }
            if is_over_within(DISK_FULL_PAUSE) {
                return done;
            }
        }
    }

    /// Goes on looking until the task is ended.
    pub(super) fn watch(
        self,
        data: PathBuf,
        writers: [Arc<WriterMeters>; 2],
        handle: Loop,
    ) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut every = tokio::time::interval(DISK_CHECK_INTERVAL);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut room = Room::Enough;
            loop {
                every.tick().await;
                let folder = data.clone();
                // A disk that hangs must not hold up a thread that serves links.
                let looked = tokio::task::spawn_blocking(move || free_bytes(&folder)).await;
                let Ok(Some(free)) = looked else { continue };
                self.free.store(free, Ordering::Relaxed);
                let full = writers.iter().any(|writer| writer.full.load(Ordering::Acquire))
                    || self.waits.load(Ordering::Acquire);
                let now = if full { Room::Nothing } else { room_after(room, free) };
                if now != room {
                    if now == Room::Enough {
                        tracing::info!(free, "there is room on the disk again");
                    } else {
                        tracing::error!(free, room = ?now, "the disk is nearly full");
                    }
                    room = now;
                    deliver(&handle, Event::Room(room)).await;
                }
            }
        })
    }
}

pub(super) fn free_bytes(data: &std::path::Path) -> Option<u64> {
    match rustix::fs::statvfs(data) {
        Ok(disk) => Some(disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => {
            tracing::warn!(%error, "cannot ask how much room the disk has");
            None
        }
    }
}

fn room_after(before: Room, free: u64) -> Room {
    let needed = |limit: u64, held: bool| if held { limit } else { limit + DISK_RETURN_BYTES };
    if free < needed(DISK_RESERVE_BYTES, before != Room::Nothing) {
        Room::Nothing
    } else if free < needed(DISK_LOW_BYTES, before == Room::Enough) {
        Room::Low
    } else {
        Room::Enough
    }
}

/// So that waits for the disk stay short against the time in which a node must come back.
const _: () = assert!(DISK_CHECK_INTERVAL.as_millis() <= Duration::from_secs(1).as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_back_only_with_some_to_spare() {
        let kinds = |list: &[u64]| {
            let mut room = Room::Enough;
            let step = |free: &u64| {
                room = room_after(room, *free);
                room
            };
            list.iter().map(step).collect::<Vec<_>>()
        };
        let (low, reserve, spare) = (DISK_LOW_BYTES, DISK_RESERVE_BYTES, DISK_RETURN_BYTES);
        assert_eq!(kinds(&[u64::MAX, low, low - 1]), [Room::Enough, Room::Enough, Room::Low]);
        assert_eq!(
            kinds(&[low - 1, low, low + spare - 1, low + spare]),
            [Room::Low, Room::Low, Room::Low, Room::Enough]
        );
        assert_eq!(
            kinds(&[0, reserve, reserve + spare, low + spare]),
            [Room::Nothing, Room::Nothing, Room::Low, Room::Enough]
        );
        assert_eq!(kinds(&[0, u64::MAX]), [Room::Nothing, Room::Enough]);
    }

    #[test]
    fn what_can_be_left_is_not_written_into_the_reserve() {
        let space = Space::of(&std::env::temp_dir());
        space.free.store(DISK_LOW_BYTES + 10, Ordering::Relaxed);
        assert!(space.has_room_for(0) && space.has_room_for(10));
        assert!(!space.has_room_for(11) && !space.has_room_for(u64::MAX));
        space.free.store(DISK_LOW_BYTES - 1, Ordering::Relaxed);
        assert!(!space.has_room_for(0));
    }

    #[test]
    fn what_was_promised_waits_for_room_and_is_then_done() {
        let full = || Err(RunError::Io(std::io::ErrorKind::StorageFull.into()));
        let space = Space::of(&std::env::temp_dir());
        let waits = || space.waits.load(Ordering::Acquire);
        let mut attempts = 0;
        let done = space.patiently(
            "test",
            |_| !waits(),
            || {
                attempts += 1;
                if attempts < 4 { full() } else { Ok(()) }
            },
        );
        assert!(done.is_ok() && !waits());
        assert_eq!(attempts, 4);
        // The end of the node ends the wait, and other errors are for the caller.
        assert!(space.patiently("test", |_| true, full).is_err() && waits());
        let failed = space.patiently("test", |_| false, || Err(RunError::DuplicateId([0; 16])));
        assert!(failed.is_err() && !waits());
    }

    #[test]
    fn a_folder_has_room() {
        assert!(free_bytes(&std::env::temp_dir()).is_some());
        assert_eq!(free_bytes(std::path::Path::new("/no/such/folder")), None);
    }
}
