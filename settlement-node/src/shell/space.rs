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
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{Loop, deliver};
use crate::{
    event::{Event, Room},
    limits::{DISK_CHECK_INTERVAL, DISK_LOW_BYTES, DISK_RESERVE_BYTES, DISK_RETURN_BYTES},
    store::meters::WriterMeters,
};

/// What was seen last. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Space(Arc<AtomicU64>);

impl Space {
    /// Looks for the first time; a disk that cannot be asked counts as large.
    pub(super) fn of(data: &std::path::Path) -> Self {
        Self(Arc::new(AtomicU64::new(free_bytes(data).unwrap_or(u64::MAX))))
    }

    /// Bytes that this process may still write.
    pub(super) fn free_bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
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
                self.0.store(free, Ordering::Relaxed);
                let full = writers.iter().any(|writer| writer.full.load(Ordering::Acquire));
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

fn free_bytes(data: &std::path::Path) -> Option<u64> {
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
    fn a_folder_has_room() {
        assert!(free_bytes(&std::env::temp_dir()).is_some());
        assert_eq!(free_bytes(std::path::Path::new("/no/such/folder")), None);
    }
}
