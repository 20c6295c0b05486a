//! Runs simulated networks, many seeds or one: `cargo run --release -p tests --bin simulate -- --seeds N --from S`.
//!
//! `--seed X` runs one seed, `--trace` with it prints what was derived from it and what it met. One
//! seed in a hundred is run twice and must give the same trace. The last line is one JSON object.
//! Exit code 0: every promise held. 1: a seed failed; it was printed with all that was derived from it.

use std::{
    io::Write as _,
    panic::catch_unwind,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tests::sim::{self, Plan, Report};

const USAGE: &str = "usage: simulate [--seeds N] [--from S] | --seed X [--trace]";
/// One seed in so many is run twice.
const REPEAT_EVERY: u64 = 100;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

struct Arguments {
    from: u64,
    seeds: u64,
    trace: bool,
}

fn arguments() -> Option<Arguments> {
    let mut parsed = Arguments { from: 0, seeds: 1_000, trace: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--trace" => parsed.trace = true,
            "--seeds" => parsed.seeds = words.next()?.parse().ok()?,
            "--from" => parsed.from = words.next()?.parse().ok()?,
            "--seed" => {
                parsed.from = words.next()?.parse().ok()?;
                parsed.seeds = 1;
            }
            _ => return None,
        }
    }
    Some(parsed)
}

#[derive(Default)]
struct Outcome {
    reports: Vec<Report>,
    failed: Vec<u64>,
    differed: Vec<u64>,
}

fn run_seed(seed: u64, outcome: &Mutex<Outcome>) {
    let report = catch_unwind(|| sim::run(seed));
    let again = match &report {
        Ok(first) if seed.is_multiple_of(REPEAT_EVERY) => {
            catch_unwind(|| sim::run(seed)).map(|second| second.trace == first.trace)
        }
        _ => Ok(true),
    };
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    match report {
        Ok(report) => outcome.reports.push(report),
        Err(_) => outcome.failed.push(seed),
    }
    if !matches!(again, Ok(true)) {
        outcome.differed.push(seed);
    }
}

/// A bar on standard error, so that standard output keeps the result alone.
fn show_progress(done: u64, seeds: u64, since: Instant) {
    let filled = (done * 30 / seeds.max(1)) as usize;
    let bar: String = (0..30).map(|at| if at < filled { '#' } else { '.' }).collect();
    let rate = done as f64 / since.elapsed().as_secs_f64().max(0.001);
    // A closed standard error is no reason to stop.
    let _ = write!(std::io::stderr(), "\r[{bar}] {done} of {seeds} seeds, {rate:.1} a second ");
}

fn run_all(arguments: &Arguments) -> Outcome {
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let outcome = Mutex::new(Outcome::default());
    let since = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.seeds {
                        return;
                    }
                    run_seed(arguments.from + number, &outcome);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut shown = Instant::now();
        while done.load(Ordering::Relaxed) < arguments.seeds {
            std::thread::sleep(Duration::from_millis(50));
            if arguments.seeds > 1 && shown.elapsed() >= PROGRESS_INTERVAL {
                shown = Instant::now();
                show_progress(done.load(Ordering::Relaxed), arguments.seeds, since);
            }
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn list(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if arguments.trace {
        println!("{:#?}", Plan::of(arguments.from));
    }
    let since = Instant::now();
    let outcome = run_all(&arguments);
    let seconds = since.elapsed().as_secs_f64();
    if arguments.trace {
        println!("{:#?}", outcome.reports);
    }
    let sum = |field: fn(&Report) -> u64| outcome.reports.iter().map(field).sum::<u64>();
    let simulated_ms = sum(|report| report.simulated_ms);
    let mut failed = outcome.failed.clone();
    failed.sort_unstable();
    println!(
        "\n{{\"seeds\":{},\"from\":{},\"failed\":[{}],\"differed\":[{}],\"seconds\":{seconds:.1},\
         \"simulated_seconds\":{},\"times_real\":{:.0},\"faults\":{},\"crashes\":{},\"cuts\":{},\
         \"blocks\":{},\"settled\":{},\"refused\":{},\"repeated\":{},\"delivered\":{},\"events\":{},\
         \"slowest_healing_ms\":{}}}",
        arguments.seeds,
        arguments.from,
        list(&failed),
        list(&outcome.differed),
        simulated_ms / 1_000,
        simulated_ms as f64 / 1_000.0 / seconds.max(0.001),
        sum(|report| report.faults),
        sum(|report| report.crashes),
        sum(|report| report.cuts),
        sum(|report| report.blocks),
        sum(|report| report.settled),
        sum(|report| report.refused),
        sum(|report| report.repeated),
        sum(|report| report.delivered),
        sum(|report| report.events),
        outcome.reports.iter().map(|report| report.healed_after_ms).max().unwrap_or(0),
    );
    if outcome.failed.is_empty() && outcome.differed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
