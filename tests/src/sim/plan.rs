//! Everything that is derived from the seed before the run: which faults there are, and how many.

use super::rng::{Rng, mix};

/// The settings of one run. Times are in simulated milliseconds, rates in percent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Voting nodes, 1 to 5.
    pub nodes: usize,
    /// Banks, each with a submitting and a listening gateway.
    pub banks: usize,
    /// How long faults go on.
    pub faults_ms: u64,
    /// How long the healed network may take to answer everything and become equal.
    pub heal_ms: u64,
    /// Batches that each bank makes, at most, beside those that group commands anew.
    pub batches: u64,
    /// Frames between nodes that are lost.
    pub loss: u64,
    /// Frames between nodes that arrive twice.
    pub repeat: u64,
    /// Frames between nodes that are late by up to 400 ms.
    pub late: u64,
    /// Deliveries that find a session's queue full.
    pub full: u64,
    /// Syncs that take up to 400 ms.
    pub slow_sync: u64,
    /// Milliseconds between two faults, on average.
    pub fault_every_ms: u64,
    /// Whether nodes lose power or are killed.
    pub crashes: bool,
    /// Whether the net is cut.
    pub partitions: bool,
    /// Whether nodes stand still for a while.
    pub pauses: bool,
    /// Whether sessions of gateways break.
    pub broken_sessions: bool,
    /// How far each node's clock may be off, in milliseconds to either side.
    pub skew_ms: u64,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(mix(seed ^ 0x706c_616e));
        let nodes = [1, 2, 3, 3, 3, 3, 3, 4, 5, 5][rng.index(10)];
        let some =
            |rng: &mut Rng, max: u64| if rng.percent(60) { rng.range(1, max + 1) } else { 0 };
        Self {
            seed,
            nodes,
            banks: rng.range(2, 4) as usize,
            faults_ms: rng.range(12_000, 22_000),
            heal_ms: 20_000,
            batches: rng.range(10, 50),
            loss: some(&mut rng, 15),
            repeat: some(&mut rng, 20),
            late: some(&mut rng, 10),
            full: some(&mut rng, 10),
            slow_sync: some(&mut rng, 10),
            fault_every_ms: rng.range(300, 3_000),
            crashes: rng.percent(75),
            partitions: rng.percent(75),
            pauses: rng.percent(50),
            broken_sessions: rng.percent(60),
            skew_ms: some(&mut rng, 400),
        }
    }
}
