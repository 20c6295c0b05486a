//! Whole groups under faults: hundreds of seeds, each a different run, each repeatable.
//!
//! `ORDER_SIM_FIRST` and `ORDER_SIM_SEEDS` choose other seeds, e.g. to repeat a failed one.

mod world;

use world::{Counts, World};

const CHAOS_UNTIL: u64 = 5000;

fn run(seed: u64) -> (u64, Counts) {
    let mut world = World::new(seed);
    world.run_until(CHAOS_UNTIL);
    world.heal_and_converge();
    (world.trace, world.counts)
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_promise_holds_under_faults_and_the_group_recovers() {
    let first = from_env("ORDER_SIM_FIRST", 0);
    let seeds = from_env("ORDER_SIM_SEEDS", 300);
    let mut sum = Counts::default();
    for seed in first..first + seeds {
        let (_, counts) = run(seed);
        sum.events += counts.events;
        sum.crashes += counts.crashes;
        sum.lost_writes += counts.lost_writes;
        sum.partitions += counts.partitions;
        sum.elections += counts.elections;
        sum.transfers += counts.transfers;
        sum.committed += counts.committed;
        sum.reads += counts.reads;
        sum.fetches += counts.fetches;
        sum.busy_steps += counts.busy_steps;
        sum.busy_proposals += counts.busy_proposals;
        sum.compactions += counts.compactions;
        sum.offers += counts.offers;
        sum.mends += counts.mends;
        sum.losses += counts.losses;
        sum.recoveries += counts.recoveries;
        sum.words_of_loss += counts.words_of_loss;
    }
    println!("{seeds} seeds: {sum:?}");
    if seeds >= 100 {
        // A run that never meets a fault proves nothing.
        for (what, count) in [
            ("crashes", sum.crashes),
            ("lost writes", sum.lost_writes),
            ("partitions", sum.partitions),
            ("elections", sum.elections),
            ("transfers", sum.transfers),
            ("committed entries", sum.committed),
            ("reads", sum.reads),
            ("fetches", sum.fetches),
            ("busy steps", sum.busy_steps),
            ("busy proposals", sum.busy_proposals),
            ("compactions", sum.compactions),
            ("mended nodes", sum.mends),
            ("lost logs", sum.losses),
            ("recovered logs", sum.recoveries),
            ("words of a lost log", sum.words_of_loss),
        ] {
            assert!(count >= seeds / 4, "only {count} {what} in {seeds} seeds");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 1000..1020 {
        assert_eq!(run(seed).0, run(seed).0, "seed {seed} ran differently the second time");
    }
    assert_ne!(run(1000).0, run(1001).0);
}
