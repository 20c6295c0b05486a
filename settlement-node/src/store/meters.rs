//! Counters of the storage threads, read by the metrics page while the threads run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the duration buckets, in microseconds; one more bucket holds the rest.
pub const BUCKET_BOUNDS_US: [u64; 13] =
    [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000];

/// Distribution of durations.
#[derive(Debug, Default)]
pub struct DurationMeter {
    buckets: [AtomicU64; BUCKET_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
    max_us: AtomicU64,
}

impl DurationMeter {
    /// Adds one duration.
    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKET_BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        self.max_us.fetch_max(us, Ordering::Relaxed);
    }

    /// Count of each bucket: at most [`BUCKET_BOUNDS_US`] microseconds, the last one beyond.
    #[must_use]
    pub fn buckets(&self) -> [u64; BUCKET_BOUNDS_US.len() + 1] {
        std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed))
    }

    /// Sum of all durations in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }

    /// Longest duration so far, in microseconds.
    #[must_use]
    pub fn longest_us(&self) -> u64 {
        self.max_us.load(Ordering::Relaxed)
    }
}

/// What a storage thread has done since its start.
#[derive(Debug, Default)]
pub struct WriterMeters {
    /// Writes of one or more steps together.
    pub groups: AtomicU64,
    /// Steps (log operations, blocks) taken from the queue.
    pub steps: AtomicU64,
    /// Bytes written, padding included.
    pub bytes: AtomicU64,
    /// Duration of the write calls.
    pub write: DurationMeter,
    /// Duration of the syncs.
    pub sync: DurationMeter,
    /// Whether the thread waits for room on the disk: nothing is written until there is some.
    pub full: AtomicBool,
    /// Bytes that the log can take before it needs more of the disk: what is left in the active
    /// segment, and the spare. 0 for the history.
    pub room: AtomicU64,
}

impl WriterMeters {
    /// Adds `count` to one of the counters.
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
