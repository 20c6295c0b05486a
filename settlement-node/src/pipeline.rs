//! The blocks that a leader has proposed and not applied yet, and how many bytes of them may be under way.
//!
//! Too few, and a node waits for another that could already work on the next block; too many, and they
//! only queue, and each bank's next submission behind them. How many are right depends on the machine and
//! on the distance between the nodes, so it is measured: the rate at which blocks come through, times the
//! time that a block takes when it is alone, twice. A block is seldom alone under load; then, every few
//! seconds, the leader lets the blocks under way come to an end before it proposes the next.

use std::collections::VecDeque;

use crate::limits::{
    BLOCKS_IN_FLIGHT_MAX, IN_FLIGHT_BYTES_FIRST, IN_FLIGHT_BYTES_MAX, IN_FLIGHT_BYTES_MIN,
    SMALL_BLOCKS_IN_FLIGHT_MAX,
};

/// How long a measured rate counts: one to two times this.
const RATE_WINDOW_NS: u64 = 1_000_000_000;
/// How long the time of a block that was alone counts: one to two times this. In the second half a new
/// one is looked for.
const ALONE_WINDOW_NS: u64 = 5_000_000_000;
/// Blocks' worth of bytes under way, as a multiple of what comes through while one block is alone.
const GAIN: f64 = 2.0;

/// A block under way.
#[derive(Clone, Copy, Debug)]
struct Block {
    index: u64,
    bytes: usize,
    proposed_ns: u64,
    /// Bytes that had come through when it was proposed.
    through_before: u64,
    /// Nothing else was under way when it was proposed.
    alone: bool,
}

/// The best of the samples of one to two windows.
#[derive(Clone, Copy, Debug)]
struct Best {
    started_ns: u64,
    now: Option<f64>,
    before: Option<f64>,
    pick: fn(f64, f64) -> f64,
}

impl Best {
    const fn new(pick: fn(f64, f64) -> f64) -> Self {
        Self { started_ns: 0, now: None, before: None, pick }
    }

    fn turn(&mut self, now_ns: u64, window_ns: u64) {
        // A clock that was set back starts a window as well.
        if now_ns.abs_diff(self.started_ns) >= window_ns {
            (self.before, self.now, self.started_ns) = (self.now.take(), None, now_ns);
        }
    }

    fn add(&mut self, sample: f64) {
        self.now = Some(self.now.map_or(sample, |best| (self.pick)(best, sample)));
    }

    fn get(&self) -> Option<f64> {
        match (self.now, self.before) {
            (Some(now), Some(before)) => Some((self.pick)(now, before)),
            (now, before) => now.or(before),
        }
    }
}

/// What is under way, and what was measured. Times are in nanoseconds of the node's clock; a clock that
/// jumps spoils the measure for some seconds, within the limits.
#[derive(Debug)]
pub struct Pipeline {
    blocks: VecDeque<Block>,
    bytes: usize,
    /// Bytes that have come through.
    through: u64,
    /// Bytes a nanosecond.
    rate: Best,
    /// Nanoseconds.
    alone: Best,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            blocks: VecDeque::new(),
            bytes: 0,
            through: 0,
            rate: Best::new(f64::max),
            alone: Best::new(f64::min),
        }
    }
}

impl Pipeline {
    /// Whether another block may be proposed. `worth`: enough waits for one that is worth its cost.
    ///
    /// A quiet network orders at once. A busy one lets submissions gather while blocks are under way:
    /// fewer, fuller blocks cost less, and a submission waits no longer than for the next answer.
    pub fn has_room(&mut self, worth: bool, now_ns: u64) -> bool {
        self.rate.turn(now_ns, RATE_WINDOW_NS);
        self.alone.turn(now_ns, ALONE_WINDOW_NS);
        if self.blocks.is_empty() {
            return true;
        }
        // The time of the last block that was alone is about to be forgotten.
        if self.alone.now.is_none() && self.alone.before.is_some() {
            return false;
        }
        self.blocks.len() < SMALL_BLOCKS_IN_FLIGHT_MAX
            || worth && self.blocks.len() < BLOCKS_IN_FLIGHT_MAX && self.bytes < self.bytes_max()
    }

    fn bytes_max(&self) -> usize {
        let (Some(rate), Some(alone)) = (self.rate.get(), self.alone.get()) else {
            return IN_FLIGHT_BYTES_FIRST;
        };
        // Saturates, and what is not a number becomes nothing.
        ((GAIN * rate * alone) as usize).clamp(IN_FLIGHT_BYTES_MIN, IN_FLIGHT_BYTES_MAX)
    }

    /// A block was proposed.
    pub fn proposed(&mut self, index: u64, bytes: usize, now_ns: u64) {
        self.blocks.push_back(Block {
            index,
            bytes,
            proposed_ns: now_ns,
            through_before: self.through,
            alone: self.blocks.is_empty(),
        });
        self.bytes += bytes;
    }

    /// Whether no block is under way.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// All up to this index are applied.
    pub fn applied(&mut self, index: u64, now_ns: u64) {
        while let Some(block) = self.blocks.front().copied().filter(|block| block.index <= index) {
            self.blocks.pop_front();
            self.bytes -= block.bytes;
            self.through += block.bytes as u64;
            let took = now_ns.saturating_sub(block.proposed_ns).max(1) as f64;
            self.rate.add((self.through - block.through_before) as f64 / took);
            if block.alone {
                self.alone.add(took);
            }
        }
    }

    /// The blocks under way are no longer this node's. What was measured stays.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a machine that takes `delay_ns` for a block, and one byte each `byte_ns`, work for some seconds
    /// on as much as it is given. Returns the bytes a second, and the most bytes that were under way at
    /// the end.
    fn run(pipeline: &mut Pipeline, delay_ns: u64, byte_ns: u64, seconds: u64) -> (u64, usize) {
        const BLOCK: usize = 256 << 10;
        let (mut now, mut index, mut free_at, mut through, mut most) = (1, 0, 0, 0, 0);
        let mut ends: VecDeque<(u64, u64)> = VecDeque::new();
        let end = seconds * 1_000_000_000;
        while now < end {
            while pipeline.has_room(true, now) {
                index += 1;
                pipeline.proposed(index, BLOCK, now);
                free_at = now.max(free_at) + BLOCK as u64 * byte_ns;
                ends.push_back((free_at + delay_ns, index));
            }
            if now > end / 2 {
                most = most.max(pipeline.bytes);
            }
            let Some((at, index)) = ends.pop_front() else { break };
            now = at;
            pipeline.applied(index, now);
            through += BLOCK as u64;
        }
        (through / seconds, most)
    }

    #[test]
    fn near_nodes_get_few_bytes_and_far_ones_many() {
        // Twenty megabytes a second, two milliseconds away: the full rate, and a short queue.
        let (rate, most) = run(&mut Pipeline::default(), 2_000_000, 50, 60);
        assert!(rate > 19_000_000, "{rate}");
        assert!(most <= 3 * IN_FLIGHT_BYTES_MIN, "{most}");
        // A fifth of a second away: what is under way in that time.
        let (rate, most) = run(&mut Pipeline::default(), 200_000_000, 50, 60);
        assert!(rate > 16_000_000, "{rate}");
        assert!((4_000_000..=IN_FLIGHT_BYTES_MAX + (256 << 10)).contains(&most), "{most}");
    }

    #[test]
    fn a_network_that_comes_nearer_gets_less() {
        let mut pipeline = Pipeline::default();
        let (_, far) = run(&mut pipeline, 100_000_000, 50, 30);
        pipeline.clear();
        let (_, near) = run(&mut pipeline, 1_000_000, 50, 30);
        assert!(near * 2 < far, "{near} {far}");
    }

    #[test]
    fn little_work_is_proposed_at_once_but_not_in_many_small_blocks() {
        let mut pipeline = Pipeline::default();
        for index in 0..SMALL_BLOCKS_IN_FLIGHT_MAX as u64 {
            assert!(pipeline.has_room(false, 5));
            pipeline.proposed(index, 100, 5);
        }
        assert!(!pipeline.has_room(false, 6));
        assert!(pipeline.has_room(true, 6));
        pipeline.applied(0, 7);
        assert!(pipeline.has_room(false, 7));
    }

    #[test]
    fn a_clock_that_jumps_does_no_harm() {
        let mut pipeline = Pipeline::default();
        for (index, now) in [9_u64, 5, u64::MAX, 0, 3, 1 << 60, 2].into_iter().enumerate() {
            let index = index as u64;
            assert!(pipeline.has_room(true, now));
            pipeline.proposed(index, 1 << 20, now);
            pipeline.applied(index, now / 2);
            let max = pipeline.bytes_max();
            assert!((IN_FLIGHT_BYTES_MIN..=IN_FLIGHT_BYTES_MAX).contains(&max));
        }
        assert_eq!((pipeline.bytes, pipeline.blocks.len()), (0, 0));
    }
}
