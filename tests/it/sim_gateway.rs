//! Real gateways in the simulated network: killed at every step of their store, under faults, again
//! and again, and what banks were told before must hold after it.
//!
//! `CORRIDOR_SIM_FROM` and `CORRIDOR_SIM_SEEDS` choose other seeds.

use tests::sim::{self, Classes, Plan, Report};

use crate::sim::from_env;

/// The plan of a seed, with one or two real gateways.
fn with_gateways(seed: u64) -> Plan {
    let mut plan = Plan::of(seed);
    plan.gateways = 1 + (seed % 2) as usize;
    plan.gateway_messages = 20 + seed % 100;
    plan.gateway_crashes = true;
    plan
}

#[test]
fn every_promise_of_gateways_holds_under_faults() {
    let first = from_env("CORRIDOR_SIM_FROM").unwrap_or(0);
    let seeds = from_env("CORRIDOR_SIM_SEEDS").unwrap_or(24);
    let reports: Vec<Report> =
        (first..first + seeds).map(|seed| sim::run_plan(with_gateways(seed))).collect();
    let sum = |field: fn(&Report) -> u64| reports.iter().map(field).sum::<u64>();
    let mut healing: Vec<_> = reports.iter().map(|one| one.messages_healed_after_ms).collect();
    healing.sort_unstable();
    let late = healing.iter().filter(|ms| **ms > 5_000).count();
    println!("{seeds} seeds from {first}, the slowest healing {:?} ms", healing.last());
    println!("{late} above 5,000 ms, median {} ms", healing[healing.len() / 2]);
    for (what, count) in [
        ("messages", sum(|report| report.messages)),
        ("answers to them", sum(|report| report.message_answers)),
        ("repetitions after the answer", sum(|report| report.message_repeats)),
        ("entries of outboxes", sum(|report| report.outbox_entries)),
        ("ends of gateways", sum(|report| report.gateway_ends)),
        ("ends while starting", sum(|report| report.gateway_failed_starts)),
        ("steps of stores", sum(|report| report.store_steps)),
    ] {
        println!("{count:>9} {what}");
        // A run that never meets the case proves nothing.
        assert!(seeds < 20 || count >= seeds / 4, "only {count} {what} in {seeds} seeds");
    }
}

#[test]
fn a_gateway_may_end_at_any_step_of_its_store() {
    let plan = |step| {
        let mut plan = with_gateways(3);
        (plan.nodes, plan.banks, plan.gateways) = (1, 2, 2);
        (plan.classes, plan.gateway_crashes) = (Classes::default(), false);
        (plan.loss, plan.repeat, plan.late, plan.full, plan.slow_sync) = (0, 0, 0, 0, 0);
        (plan.faults_ms, plan.gateway_messages) = (900, 7);
        plan.gateway_first_end = step;
        plan
    };
    let steps = sim::run_plan(plan(None)).store_steps / 2;
    println!("{steps} steps of each store");
    assert!(steps > 100, "only {steps} steps");
    for step in 1..steps {
        let report = sim::run_plan(plan(Some(step)));
        assert_eq!(report.message_answers, report.messages, "step {step}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run_of_gateways() {
    for seed in 2_000..2_006 {
        let run = || sim::run_plan(with_gateways(seed));
        assert_eq!(run(), run(), "seed {seed} ran differently the second time");
    }
}
