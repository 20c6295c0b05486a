//! Everything that is derived from the seed before the run: which faults there are, and how many.
//!
//! Each seed switches each class of faults on or off, so that some runs are harsh, some are nearly
//! quiet, and rare pairs meet. A seed means something only together with [`PLAN_VERSION`].

use ledger::{RULES_FIRST, RULES_LAST};

use super::{
    class::{Class, Classes},
    rng::{Rng, mix},
};

/// Raised whenever the same seed would give another run; it is kept beside each seed that failed.
pub const PLAN_VERSION: u32 = 8;

/// The settings of one run. Times are in simulated milliseconds, rates in percent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Version of the ledger's rules.
    pub rules: u16,
    /// Nodes that vote from the beginning, 1 to 5.
    pub nodes: usize,
    /// Nodes that may be voted in, after those.
    pub standby: usize,
    /// Nodes that may be voted out, the first ones; fewer than vote from the beginning.
    pub removable: usize,
    /// Banks, each with a submitting and a listening gateway.
    pub banks: usize,
    /// How long faults go on.
    pub faults_ms: u64,
    /// How long the healed network may take to answer everything and become equal.
    pub heal_ms: u64,
    /// How long it is watched after healing in any case.
    pub heal_ms_min: u64,
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
    /// Answers to nodes that are mended that are damaged.
    pub bad_pieces: u64,
    /// Milliseconds between two faults, on average.
    pub fault_every_ms: u64,
    /// What goes wrong in this run.
    pub classes: Classes,
    /// How far each node's clock may be off, in milliseconds to either side.
    pub skew_ms: u64,
    /// How fast each node's clock may run away, in parts per million to either side.
    pub drift_ppm: u64,
    /// Whether amounts reach up to what 64 bits hold.
    pub huge_amounts: bool,
    /// Bytes of log after which a node makes a snapshot.
    pub snapshot_bytes: u64,
    /// Banks with a real gateway, the first ones.
    pub gateways: usize,
    /// Messages that each of them gets, at most.
    pub gateway_messages: u64,
    /// Whether gateways lose power or are killed.
    pub gateway_crashes: bool,
    /// The write or sync of its store at which the first life of a gateway ends, if it is chosen.
    pub gateway_first_end: Option<u64>,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(mix(seed ^ 0x706c_616e));
        let nodes = [1, 2, 3, 3, 3, 3, 3, 4, 5, 5][rng.index(10)];
        // One run in twelve is of the full length.
        let long = rng.percent(8);
        let some =
            |rng: &mut Rng, max: u64| if rng.percent(60) { rng.range(1, max + 1) } else { 0 };
        let mut plan = Self {
            seed,
            // Of every three seeds two.
            rules: if mix(seed ^ 0x7275_6c65).is_multiple_of(3) { RULES_FIRST } else { RULES_LAST },
            nodes,
            standby: 0,
            removable: 0,
            banks: rng.range(2, 4) as usize,
            faults_ms: if long { rng.range(60_000, 70_000) } else { rng.range(12_000, 22_000) },
            heal_ms: 20_000,
            heal_ms_min: if long { 30_000 } else { 0 },
            batches: if long { rng.range(250, 300) } else { rng.range(10, 50) },
            loss: some(&mut rng, 15),
            repeat: some(&mut rng, 20),
            late: some(&mut rng, 10),
            full: some(&mut rng, 10),
            slow_sync: some(&mut rng, 10),
            bad_pieces: some(&mut rng, 40),
            fault_every_ms: rng.range(300, 3_000),
            classes: Classes::default(),
            skew_ms: some(&mut rng, 400),
            drift_ppm: some(&mut rng, 4_000),
            huge_amounts: rng.percent(20),
            snapshot_bytes: if rng.percent(80) { rng.range(1_000, 30_000) } else { u64::MAX },
            gateways: 0,
            gateway_messages: 0,
            gateway_crashes: false,
            gateway_first_end: None,
        };
        for (rate, class) in [
            (plan.loss, Class::Loss),
            (plan.repeat, Class::Repeat),
            (plan.late, Class::Late),
            (plan.full, Class::FullQueue),
            (plan.slow_sync, Class::SlowSync),
            (plan.bad_pieces, Class::BadPiece),
        ] {
            if rate > 0 {
                plan.classes = plan.classes.with(class);
            }
        }
        for (class, percent) in [
            (Class::Kill, 60),
            (Class::PowerLoss, 60),
            (Class::Cut, 60),
            (Class::OneWayCut, 45),
            (Class::Chain, 35),
            (Class::Pause, 50),
            (Class::ClockJump, 30),
            (Class::SyncError, 35),
            (Class::ReadError, 35),
            (Class::FullDisk, 35),
            (Class::Rot, 50),
            (Class::LostWrite, 30),
            (Class::MisdirectedWrite, 30),
            (Class::BrokenSession, 60),
            (Class::HandOver, 60),
            (Class::BrokenMinority, 30),
        ] {
            if rng.percent(percent) {
                plan.classes = plan.classes.with(class);
            }
        }
        plan.add_gateways(&mut Rng::new(mix(seed ^ 0x6761_7465)));
        plan.add_membership();
        plan
    }

    /// The largest number of nodes that may be broken while the others go on.
    pub(super) const fn minority(&self) -> usize {
        // Also when all have left that may, and nobody has come.
        (self.nodes - 1).saturating_sub(self.removable) / 2
    }

    /// Whether durable data is damaged.
    pub(super) const fn harms_disks(&self) -> bool {
        self.classes.has(Class::Rot)
            || self.classes.has(Class::LostWrite)
            || self.classes.has(Class::MisdirectedWrite)
    }

    /// In half of the seeds with rules for votes nodes come and go. By a generator of its own: all else in a plan
    /// stays what it would be without.
    fn add_membership(&mut self) {
        let mut rng = Rng::new(mix(self.seed ^ 0x6e6f_6465));
        if self.rules == RULES_FIRST || rng.percent(50) {
            return;
        }
        // A node alone must be believed by two at once, or nobody can help a third.
        self.standby = if self.nodes == 1 { 1 } else { rng.range(1, 3) as usize };
        let most = match self.nodes {
            1 => 0,
            2 | 3 => 1,
            nodes => (nodes - 1) / 2,
        };
        self.removable = rng.range(0, most as u64 + 1) as usize;
    }

    /// In a third of the seeds some banks have a real gateway; the other banks then do less.
    fn add_gateways(&mut self, rng: &mut Rng) {
        if rng.percent(67) {
            return;
        }
        self.gateways = (rng.range(1, 3) as usize).min(self.banks);
        self.gateway_messages = rng.range(30, 200);
        self.gateway_crashes = rng.percent(85);
        self.batches = self.batches.div_ceil(2);
    }
}
