//! Whole networks under faults: many seeds, each a different run, each repeatable.
//!
//! `CORRIDOR_SIM_FROM` and `CORRIDOR_SIM_SEEDS` choose other seeds, e.g. to repeat a failed one.

use std::sync::atomic::{AtomicU64, Ordering};

use tests::sim::{self, Report};

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs the seeds on a few threads; each run is in one thread.
fn run_all(first: u64, count: u64) -> Vec<Report> {
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    std::thread::scope(|scope| {
        let work = || {
            let mut reports = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + count {
                    return reports;
                }
                reports.push(sim::run(seed));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.flat_map(|reports| reports.expect("a run failed; see above")).collect()
    })
}

#[test]
fn every_promise_holds_under_faults_and_the_network_recovers() {
    let first = from_env("CORRIDOR_SIM_FROM", 0);
    let seeds = from_env("CORRIDOR_SIM_SEEDS", 40);
    let reports = run_all(first, seeds);
    let sum = |field: fn(&Report) -> u64| reports.iter().map(field).sum::<u64>();
    let slowest = reports.iter().map(|report| report.healed_after_ms).max();
    println!("{seeds} seeds from {first}, slowest healing {slowest:?} ms");
    for (what, count) in [
        ("crashes", sum(|report| report.crashes)),
        ("cuts of the net", sum(|report| report.cuts)),
        ("blocks", sum(|report| report.blocks)),
        ("answers", sum(|report| report.answered)),
        ("settled commands", sum(|report| report.settled)),
        ("refused commands", sum(|report| report.refused)),
        ("repeated ids", sum(|report| report.repeated)),
        ("deliveries", sum(|report| report.delivered)),
        ("connections of listeners", sum(|report| report.reconnects)),
        ("events", sum(|report| report.events)),
    ] {
        println!("{count:>9} {what}");
        // A run that never meets a fault proves nothing.
        assert!(seeds < 20 || count >= seeds, "only {count} {what} in {seeds} seeds");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 1_000..1_004 {
        assert_eq!(sim::run(seed), sim::run(seed), "seed {seed} ran differently the second time");
    }
    assert_ne!(sim::run(1_000).trace, sim::run(1_001).trace);
}
