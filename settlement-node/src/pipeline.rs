//! The blocks that a leader has proposed and not applied yet, and how many bytes of them may be under way.
//!
//! Too few, and a node waits for another that could already work on the next block; too many, and they
//! only queue, and each bank's next submission behind them. How many are right depends on the machine and
//! on the distance between the nodes, so it is measured: the rate at which blocks come through, times the
//! time that a block takes when it is alone beyond the work on it, and once more the way to the other nodes, so that
//! the rate can still grow where that is long. A block is seldom alone under
//! load; then, every few seconds, the leader lets the blocks under way come to an end before it proposes
//! the next.
//!
//! A bank that sends much fills the blocks under way whatever their number is. Beside them go a few small ones
//! with what banks send that send little: those do not wait until there is room for the other's next block.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use ledger::ParticipantNumber;

use crate::{
    limits::{
        BLOCKS_IN_FLIGHT_MAX, IN_FLIGHT_BYTES_FIRST, IN_FLIGHT_BYTES_MAX, IN_FLIGHT_BYTES_MIN,
        LITTLE_BLOCKS_MAX, LITTLE_PART, SMALL_BLOCKS_IN_FLIGHT_MAX,
    },
    prepare::PreparedSubmission,
};

/// How long a measured rate counts: one to two times this.
const RATE_WINDOW_NS: u64 = 1_000_000_000;
/// How long the time of a block that was alone counts: one to two times this. In the second half a new
/// one is looked for.
const ALONE_WINDOW_NS: u64 = 5_000_000_000;
/// As much of the time of a block that was alone counts as work and not as distance, in nanoseconds. More blocks
/// under way fill the time that a block is on the lines; where processors are busy they only queue.
const WORK_NS: f64 = 10_000_000.0;
/// Nodes with a shorter way between them, and back, are near.
const NEAR_NS: f64 = 5e6;

/// A block under way.
#[derive(Clone, Debug)]
struct Block {
    index: u64,
    bytes: usize,
    proposed_ns: u64,
    /// Bytes that had come through when it was proposed.
    through_before: u64,
    /// Nothing else was under way when it was proposed.
    alone: bool,
    /// It went although there was no room for another one.
    beside: bool,
    /// Bytes of each bank's submissions.
    banks: BTreeMap<ParticipantNumber, usize>,
}

/// A block that was proposed.
#[derive(Clone, Copy, Debug)]
pub struct Proposed<'a> {
    /// Its place in the log.
    pub index: u64,
    /// Its length.
    pub bytes: usize,
    /// It went although there was no room for another one.
    pub beside: bool,
    /// What it holds.
    pub submissions: &'a [PreparedSubmission],
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
    /// Blocks under way that went although there was no room.
    beside: usize,
    /// Bytes of each bank's submissions under way.
    banks: BTreeMap<ParticipantNumber, usize>,
    /// Bytes that have come through.
    through: u64,
    /// Bytes a nanosecond.
    rate: Best,
    /// Nanoseconds.
    alone: Best,
    /// Nanoseconds of the way to the other nodes and back.
    distance_ns: f64,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            blocks: VecDeque::new(),
            bytes: 0,
            beside: 0,
            banks: BTreeMap::new(),
            through: 0,
            rate: Best::new(f64::max),
            alone: Best::new(f64::min),
            distance_ns: 0.0,
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
        if self.waits_for_one_alone() {
            return false;
        }
        self.blocks.len() < SMALL_BLOCKS_IN_FLIGHT_MAX
            || worth && self.blocks.len() < BLOCKS_IN_FLIGHT_MAX && self.bytes < self.bytes_max()
    }

    /// The time of the last block that was alone is about to be forgotten.
    fn waits_for_one_alone(&self) -> bool {
        self.alone.now.is_none() && self.alone.before.is_some()
    }

    /// How many bytes of banks that send little may go in a block of their own although there is no room for
    /// another block: none unless it is bytes of others that fill the room.
    pub fn room_for_little(&self) -> usize {
        let is_full = self.bytes >= self.bytes_max() && !self.waits_for_one_alone();
        match is_full && self.beside < LITTLE_BLOCKS_MAX {
            true => self.bytes / LITTLE_PART,
            false => 0,
        }
    }

    /// Bytes of a bank's submissions that are under way.
    pub fn bytes_of(&self, bank: ParticipantNumber) -> usize {
        self.banks.get(&bank).copied().unwrap_or(0)
    }

    fn bytes_max(&self) -> usize {
        let (Some(rate), Some(alone)) = (self.rate.get(), self.alone.get()) else {
            return IN_FLIGHT_BYTES_FIRST;
        };
        // Saturates, and what is not a number becomes nothing.
        let beyond = |time: f64| (time - WORK_NS).max(0.0);
        // Among nodes that are near, what a block takes is work, and more of them would only queue. A line is filled by
        // what comes through in the time of a block: with some more than that the rate rises to what the line can do.
        let blocks = if self.distance_ns > NEAR_NS { alone * 1.25 } else { beyond(alone) };
        let time = blocks + beyond(self.distance_ns);
        ((rate * time) as usize).clamp(IN_FLIGHT_BYTES_MIN, IN_FLIGHT_BYTES_MAX)
    }

    /// The way to the other nodes and back takes so long.
    pub const fn set_distance(&mut self, distance: Duration) {
        self.distance_ns = distance.as_nanos() as f64;
    }

    /// A block was proposed; `beside`: there was no room but for those who send little.
    pub fn proposed(&mut self, place: Proposed<'_>, now_ns: u64) {
        let Proposed { index, bytes, beside, submissions } = place;
        let mut banks = BTreeMap::new();
        for prepared in submissions {
            let bank = prepared.submission.batch.batch().submitter;
            *banks.entry(bank).or_default() += prepared.submission.bytes().len();
        }
        for (bank, bytes) in &banks {
            *self.banks.entry(*bank).or_default() += bytes;
        }
        self.beside += usize::from(beside);
        self.blocks.push_back(Block {
            index,
            bytes,
            proposed_ns: now_ns,
            through_before: self.through,
            alone: self.blocks.is_empty(),
            beside,
            banks,
        });
        self.bytes += bytes;
    }

    /// Whether no block is under way.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// All up to this index are applied.
    pub fn applied(&mut self, index: u64, now_ns: u64) {
        while let Some(block) = self.blocks.pop_front_if(|block| block.index <= index) {
            self.bytes -= block.bytes;
            self.beside -= usize::from(block.beside);
            for (bank, bytes) in block.banks {
                let left = self.bytes_of(bank) - bytes;
                match left {
                    0 => drop(self.banks.remove(&bank)),
                    left => drop(self.banks.insert(bank, left)),
                }
            }
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
        self.banks.clear();
        (self.bytes, self.beside) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(index: u64, bytes: usize) -> Proposed<'static> {
        Proposed { index, bytes, beside: false, submissions: &[] }
    }

    /// Lets a machine that takes `delay_ns` for a block, and one byte each `byte_ns`, work for some seconds
    /// on as much as it is given. Returns the bytes a second, and the most bytes that were under way at
    /// the end.
    fn run(pipeline: &mut Pipeline, delay_ns: u64, byte_ns: u64, seconds: u64) -> (u64, usize) {
        pipeline.set_distance(Duration::from_nanos(delay_ns));
        const BLOCK: usize = 256 << 10;
        let (mut now, mut index, mut free_at, mut through, mut most) = (1, 0, 0, 0, 0);
        let mut ends: VecDeque<(u64, u64)> = VecDeque::new();
        let end = seconds * 1_000_000_000;
        while now < end {
            while pipeline.has_room(true, now) {
                index += 1;
                pipeline.proposed(block(index, BLOCK), now);
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
    fn no_distance_keeps_a_line_from_being_used() {
        // Fifty megabytes a second.
        for way_ms in [6, 8, 10, 12, 14, 15, 16, 18, 20, 22, 25, 40] {
            let (rate, _) = run(&mut Pipeline::default(), way_ms * 1_000_000, 20, 60);
            assert!(rate > 45_000_000, "{way_ms} ms: {rate}");
        }
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
            pipeline.proposed(block(index, 100), 5);
        }
        assert!(!pipeline.has_room(false, 6));
        assert!(pipeline.has_room(true, 6));
        pipeline.applied(0, 7);
        assert!(pipeline.has_room(false, 7));
    }

    #[test]
    fn what_is_little_goes_beside_what_fills_the_room() {
        let mut pipeline = Pipeline::default();
        pipeline.proposed(block(1, IN_FLIGHT_BYTES_FIRST / 2), 5);
        pipeline.proposed(block(2, 100), 5);
        assert_eq!(pipeline.room_for_little(), 0, "it is not bytes that fill the room");
        pipeline.proposed(block(3, IN_FLIGHT_BYTES_FIRST / 2), 5);
        assert!(!pipeline.has_room(true, 6));
        for index in 0..LITTLE_BLOCKS_MAX as u64 {
            assert!(pipeline.room_for_little() >= IN_FLIGHT_BYTES_FIRST / LITTLE_PART);
            pipeline.proposed(Proposed { beside: true, ..block(4 + index, 100) }, 5);
        }
        assert_eq!(pipeline.room_for_little(), 0, "there are enough of them");
        pipeline.applied(4, 7);
        assert!(pipeline.has_room(true, 8));
    }

    #[test]
    fn a_clock_that_jumps_does_no_harm() {
        let mut pipeline = Pipeline::default();
        for (index, now) in [9_u64, 5, u64::MAX, 0, 3, 1 << 60, 2].into_iter().enumerate() {
            let index = index as u64;
            assert!(pipeline.has_room(true, now));
            pipeline.proposed(block(index, 1 << 20), now);
            pipeline.applied(index, now / 2);
            let max = pipeline.bytes_max();
            assert!((IN_FLIGHT_BYTES_MIN..=IN_FLIGHT_BYTES_MAX).contains(&max));
        }
        assert_eq!((pipeline.bytes, pipeline.blocks.len()), (0, 0));
    }
}
