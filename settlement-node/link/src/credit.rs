//! Room for frames that have arrived and that their owner has not dealt with yet.
//!
//! Each frame holds a part of the room of the place that it came from until the owner drops its credit.
//! When no room is left, that place is not read any further: flow control slows it down, and nobody else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::FRAME_CREDIT_BYTES;

/// The part of the room that one frame holds; dropping it makes room.
#[derive(Debug)]
pub struct Credit {
    _held: Option<OwnedSemaphorePermit>,
}

impl Credit {
    /// Of nobody's room, for frames that did not come from a link.
    pub fn none() -> Self {
        Self { _held: None }
    }
}

/// The room of one session, or of one lane of a peer.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    left: Arc<Semaphore>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Waits for room for a payload of so many bytes. A small one counts for what it costs beside its
    /// bytes, and one that is larger than the room gets all of it.
    pub(crate) async fn take(&self, payload: usize) -> Credit {
        let held = (payload + FRAME_CREDIT_BYTES).min(self.bytes) as u32;
        Credit { _held: self.left.clone().acquire_many_owned(held).await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_is_held_is_bounded_and_given_back() {
        let room = Room::new(10 * FRAME_CREDIT_BYTES);
        let is_full = || async {
            tokio::time::timeout(Duration::from_millis(20), room.take(0)).await.is_err()
        };
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(room.take(0).await);
        }
        assert!(is_full().await);
        held.truncate(8);
        held.push(room.take(FRAME_CREDIT_BYTES).await);
        assert!(is_full().await);
        held.clear();
        let whole = room.take(1 << 30).await;
        assert!(is_full().await);
        drop(whole);
        assert!(!is_full().await);
    }
}
