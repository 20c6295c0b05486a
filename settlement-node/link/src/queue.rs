//! The bounded queue between those who send and the one task that writes a stream.
//!
//! Bounded in frames and in bytes. One consumer; any number of producers, which either are told
//! that it is full or wait for room. Closing lets the consumer drain what is queued.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{OutFrame, SendResult};

pub(crate) struct Queue {
    state: Mutex<State>,
    /// Wakes the consumer: something is queued or the queue was closed.
    ready: Notify,
    /// Wakes waiting producers: there may be room or the queue was closed.
    room: Notify,
    frames_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct State {
    frames: VecDeque<OutFrame>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Queue {
        Queue {
            state: Mutex::default(),
            ready: Notify::new(),
            room: Notify::new(),
            frames_max,
            bytes_max,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_push(&self, frame: OutFrame) -> Result<(), (SendResult, OutFrame)> {
        let bytes = frame.wire_bytes();
        let mut state = self.state();
        if state.closed {
            return Err((SendResult::Gone, frame));
        }
        if state.frames.len() >= self.frames_max || state.bytes + bytes > self.bytes_max {
            return Err((SendResult::Full, frame));
        }
        state.bytes += bytes;
        state.frames.push_back(frame);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Queues a frame or says why not; never waits.
    pub(crate) fn push(&self, frame: OutFrame) -> SendResult {
        self.try_push(frame).map_or_else(|(result, _)| result, |()| SendResult::Sent)
    }

    /// Queues a frame, waiting for room; `false` when the queue was closed instead.
    pub(crate) async fn push_waiting(&self, mut frame: OutFrame) -> bool {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            // Registered before the attempt, so that room made in between is not missed.
            room.as_mut().enable();
            match self.try_push(frame) {
                Ok(()) => return true,
                Err((SendResult::Full, back)) => frame = back,
                Err(_) => return false,
            }
            room.await;
        }
    }

    /// Moves queued frames of about `bytes` bytes in total (at least one frame) into `batch`, in
    /// order, waiting for the first; `false` when the queue is closed and empty.
    pub(crate) async fn pop_batch(&self, batch: &mut Vec<OutFrame>, bytes: usize) -> bool {
        loop {
            {
                let mut state = self.state();
                let mut taken = 0;
                while taken < bytes
                    && let Some(frame) = state.frames.pop_front()
                {
                    taken += frame.wire_bytes();
                    batch.push(frame);
                }
                state.bytes -= taken;
                if taken > 0 {
                    drop(state);
                    self.room.notify_waiters();
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            self.ready.notified().await;
        }
    }

    /// Takes no more frames; what is queued can still be drained.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.ready.notify_one();
        self.room.notify_waiters();
    }

    /// Closes and discards what is queued; returns how many frames that were.
    pub(crate) fn abort(&self) -> usize {
        let mut state = self.state();
        let dropped = state.frames.len();
        *state = State { closed: true, ..State::default() };
        drop(state);
        self.ready.notify_one();
        self.room.notify_waiters();
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn frame(bytes: usize) -> OutFrame {
        OutFrame::new(1, 1, vec![0; bytes])
    }

    #[tokio::test]
    async fn limits_of_frames_and_bytes_hold() {
        let frames = Queue::new(2, 1 << 20);
        assert_eq!(frames.push(frame(1)), SendResult::Sent);
        assert_eq!(frames.push(frame(1)), SendResult::Sent);
        assert_eq!(frames.push(frame(1)), SendResult::Full);
        let bytes = Queue::new(100, 120);
        assert_eq!(bytes.push(frame(90)), SendResult::Sent);
        assert_eq!(bytes.push(frame(11)), SendResult::Full);
        assert_eq!(bytes.push(frame(10)), SendResult::Sent);
    }

    #[tokio::test]
    async fn closing_drains_and_aborting_discards() {
        let queue = Queue::new(10, 1 << 20);
        for _ in 0..3 {
            assert_eq!(queue.push(frame(40)), SendResult::Sent);
        }
        queue.close();
        assert_eq!(queue.push(frame(1)), SendResult::Gone);
        let mut batch = Vec::new();
        assert!(queue.pop_batch(&mut batch, 60).await);
        assert_eq!(batch.len(), 2, "the batch ends with the frame that reaches its size");
        assert_eq!(queue.abort(), 1);
        assert!(!queue.pop_batch(&mut batch, 60).await);
    }

    #[tokio::test]
    async fn waiting_producers_get_room_or_the_end() {
        let queue = Arc::new(Queue::new(1, 1 << 20));
        assert!(queue.push_waiting(frame(1)).await);
        let producers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.push_waiting(frame(1)).await })
            })
            .collect();
        let mut batch = Vec::new();
        while batch.len() < 3 {
            assert!(queue.pop_batch(&mut batch, 1).await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        queue.close();
        let mut queued = 0;
        for producer in producers {
            queued += usize::from(producer.await.expect("producer does not panic"));
        }
        assert_eq!(queued, 3);
    }
}
