//! Whole networks under faults: many seeds, each a different run, each repeatable.
//!
//! The seeds are fresh each day; `CORRIDOR_SIM_FROM` and `CORRIDOR_SIM_SEEDS` choose others, e.g. to
//! repeat a failed one. Those that failed once run each time.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tests::sim::{self, Class, Plan, Report};

/// Seeds of a run in continuous integration, and of one at a desk.
const SEEDS_CI: u64 = 1_000;
const SEEDS: u64 = 60;

pub(crate) fn from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Another million of seeds each day.
fn first_of_today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    since.as_secs() / 86_400 * 1_000_000
}

/// Runs the seeds on a few threads; each run is in one thread.
fn run_all(seeds: &[u64]) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    std::thread::scope(|scope| {
        let work = || {
            let mut reports = Vec::new();
            while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                reports.push(sim::run(*seed));
            }
            reports
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.flat_map(|reports| reports.expect("a run failed; see above")).collect()
    })
}

#[test]
fn every_promise_holds_under_faults_and_the_network_recovers() {
    let first = from_env("CORRIDOR_SIM_FROM").unwrap_or_else(first_of_today);
    let usual = if std::env::var_os("CI").is_some() { SEEDS_CI } else { SEEDS };
    let count = from_env("CORRIDOR_SIM_SEEDS").unwrap_or(usual);
    println!("{count} seeds from {first}, plan version {}", sim::PLAN_VERSION);
    let since = Instant::now();
    let seeds: Vec<u64> = (first..first + count).collect();
    let reports = run_all(&seeds);
    let sum = |field: fn(&Report) -> u64| reports.iter().map(field).sum::<u64>();
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{{\"seeds\":{count},\"from\":{first},\"plan_version\":{},\"seconds\":{seconds:.1},\
         \"simulated_seconds\":{},\"faults\":{},\"settled\":{},\"snapshots\":{},\"mended\":{},\
         \"salvaged\":{},\"slowest_healing_ms\":{}}}",
        sim::PLAN_VERSION,
        sum(|report| report.simulated_ms) / 1_000,
        sum(|report| report.faults),
        sum(|report| report.settled),
        sum(|report| report.snapshots),
        sum(|report| report.mended),
        sum(|report| report.salvaged),
        reports.iter().map(|report| report.healed_after_ms).max().unwrap_or(0),
    );
    for (what, met) in [
        ("crashes", sum(|report| report.crashes)),
        ("cuts of the net", sum(|report| report.cuts)),
        ("blocks", sum(|report| report.blocks)),
        ("answers", sum(|report| report.answered)),
        ("settled commands", sum(|report| report.settled)),
        ("refused commands", sum(|report| report.refused)),
        ("repeated ids", sum(|report| report.repeated)),
        ("deliveries", sum(|report| report.delivered)),
        ("connections of listeners", sum(|report| report.reconnects)),
        ("elections", sum(|report| report.elections)),
        ("events", sum(|report| report.events)),
    ] {
        println!("{met:>9} {what}");
        // A run that never meets a fault proves nothing.
        assert!(count < 20 || met >= count, "only {met} {what} in {count} seeds");
    }
    for (what, met) in [
        ("snapshots of the state", sum(|report| report.snapshots)),
        ("nodes that were mended", sum(|report| report.mended)),
        ("transfers that waited", sum(|report| report.waited)),
        ("transfers that waited and settled", sum(|report| report.waited_and_settled)),
        ("logs that had lost entries", sum(|report| report.salvaged)),
    ] {
        println!("{met:>9} {what}");
        assert!(count < 40 || met > 0, "no {what} in {count} seeds");
    }
    for class in Class::ALL {
        let met = reports.iter().filter(|report| report.classes[class as usize] > 0).count();
        println!("{met:>9} seeds with {}", class.name());
        assert!(count < 40 || met > 0, "no seed met {}", class.name());
    }
}

#[test]
fn what_failed_once_fails_no_more() {
    let past = sim::past_seeds();
    assert!(!past.is_empty());
    let seeds: Vec<u64> = past.iter().map(|past| past.seed).collect();
    assert_eq!(run_all(&seeds).len(), seeds.len());
}

/// Clocks that are an hour wrong on most nodes, one after the other: settled money and the order
/// are not touched, and the network moves again at once when the clocks are right.
#[test]
fn wrong_clocks_do_not_stop_the_network_for_longer_than_they_are_wrong() {
    for seed in 0..8 {
        let mut plan = Plan::of(seed);
        plan.nodes = 2 + seed as usize % 2;
        plan.classes = plan.classes.with(Class::ClockJump).with(Class::PowerLoss);
        plan.fault_every_ms = 500;
        let report = sim::run_plan(plan);
        assert!(report.classes[Class::ClockJump as usize] > 0);
    }
}

/// Listeners that change nodes all the time, some of them behind, hear each payment once.
#[test]
fn listeners_that_change_nodes_hear_everything_once() {
    for seed in 0..8 {
        let mut plan = Plan::of(seed);
        plan.nodes = 3;
        let classes = plan.classes.with(Class::BrokenSession).with(Class::Pause);
        plan.classes = classes.with(Class::OneWayCut);
        plan.fault_every_ms = 300;
        assert!(sim::run_plan(plan).reconnects > 4);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 1_000..1_004 {
        assert_eq!(sim::run(seed), sim::run(seed), "seed {seed} ran differently the second time");
    }
    assert_ne!(sim::run(1_000).trace, sim::run(1_001).trace);
}
