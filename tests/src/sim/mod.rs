//! A network of nodes, gateways and their disks in one thread, driven by one seed.
//!
//! The nodes are the real [`settlement_node::node::Node`]s over real logs and histories on a disk in
//! memory; every frame goes through its real codec and every signature is checked. Simulated are the
//! net (delay, loss, repetition, reordering, partitions), the disk's pace and power, the clocks, and
//! most banks; in a part of the runs some banks have the real gateway. The same seed gives the same run, which the trace hash shows.
//!
//! Any broken promise is a panic; the world then prints the seed, the plan and what happened last.

mod asks;
mod checks;
mod class;
mod decide;
mod disk;
mod ends;
mod faults;
mod gateway;
mod life;
mod machine;
mod market;
mod mending;
mod network;
mod past_seeds;
mod plan;
#[cfg(feature = "planted")]
pub mod planted;
mod raft_checks;
mod reads;
mod report;
mod rng;
mod rot;
mod submitter;
mod watcher;
mod world;

pub use class::{CLASSES, Class, Classes};
pub use past_seeds::{PastSeed, past_seeds};
pub use plan::{PLAN_VERSION, Plan};
pub use report::Report;
pub use world::{keep_quiet, print_notes};

/// Runs one seed to its end: faults first, then healing until everything is answered and equal.
///
/// # Panics
/// When a promise is broken, after printing how to repeat the run.
#[must_use]
pub fn run(seed: u64) -> Report {
    run_plan(Plan::of(seed))
}

/// Runs a plan that was changed by hand.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_plan(plan: Plan) -> Report {
    let mut world = world::World::new(plan);
    world.run();
    world.into_report()
}
