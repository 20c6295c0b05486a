//! Runs simulated networks, many seeds or one: `cargo run --release -p tests --bin simulate -- --seeds N --from S`.
//!
//! The seeds that failed once run first. `--seed X` runs one seed, `--trace` with it prints what was
//! derived from it and what it met. One seed in a hundred is run twice and must give the same trace.
//! `--plant NAME` (feature `planted`) plants a bug and stops at the seed that finds it, `--plant all`
//! does so with each. The last line is one JSON object.
//! Exit code 0: every promise held, or each planted bug was found. 1: not so; the seed was printed.

use std::{
    io::Write as _,
    panic::catch_unwind,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tests::sim::{self, Class, Plan, Report};

const USAGE: &str =
    "usage: simulate [--seeds N] [--from S] [--plant NAME|all] | --seed X [--trace]";
/// One seed in so many is run twice.
const REPEAT_EVERY: u64 = 100;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

struct Arguments {
    from: u64,
    seeds: u64,
    trace: bool,
    one: bool,
    plant: Option<String>,
}

fn arguments() -> Option<Arguments> {
    let mut parsed = Arguments { from: 0, seeds: 0, trace: false, one: false, plant: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--trace" => parsed.trace = true,
            "--seeds" => parsed.seeds = words.next()?.parse().ok()?,
            "--from" => parsed.from = words.next()?.parse().ok()?,
            "--seed" => {
                parsed.from = words.next()?.parse().ok()?;
                (parsed.seeds, parsed.one) = (1, true);
            }
            "--plant" => parsed.plant = Some(words.next()?),
            _ => return None,
        }
    }
    if parsed.seeds == 0 {
        parsed.seeds = if parsed.plant.is_some() { 500 } else { 1_000 };
    }
    Some(parsed)
}

#[derive(Default)]
struct Outcome {
    reports: Vec<Report>,
    failed: Vec<u64>,
    differed: Vec<u64>,
}

fn run_seed(seed: u64, outcome: &Mutex<Outcome>, repeat: bool) {
    let report = catch_unwind(|| sim::run(seed));
    let again = match &report {
        Ok(first) if repeat && seed.is_multiple_of(REPEAT_EVERY) => {
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

/// Runs seeds on all cores, each in one thread; stops early once one has failed if `first_only`.
fn run_all(seeds: &[u64], first_only: bool) -> Outcome {
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let outcome = Mutex::new(Outcome::default());
    let since = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let count = seeds.len() as u64;
    let is_over = |outcome: &Mutex<Outcome>| {
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        first_only && !(outcome.failed.is_empty() && outcome.differed.is_empty())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !is_over(&outcome) {
                        run_seed(*seed, &outcome, !first_only);
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut shown = Instant::now();
        while done.load(Ordering::Relaxed) < count {
            std::thread::sleep(Duration::from_millis(20));
            if count > 1 && !first_only && shown.elapsed() >= PROGRESS_INTERVAL {
                shown = Instant::now();
                show_progress(done.load(Ordering::Relaxed), count, since);
            }
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Plants bugs one after the other and says which seed finds each.
#[cfg(feature = "planted")]
fn run_planted(name: &str, arguments: &Arguments) -> ExitCode {
    use tests::sim::planted;
    // Each bug ends many runs; what they say is worth a line, not a page.
    std::panic::set_hook(Box::new(|_| {}));
    sim::keep_quiet();
    let chosen = planted::ALL.into_iter().filter(|one| name == "all" || one.name == name);
    let (mut found, mut missed) = (0, 0);
    println!("{:<35} {:>8} {:>8}  what was seen", "planted bug", "seed", "seconds");
    for one in chosen {
        planted::plant(Some(one));
        let since = Instant::now();
        let mut caught = None;
        for seed in arguments.from..arguments.from + arguments.seeds {
            if let Err(panic) = catch_unwind(|| sim::run(seed)) {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                let line = text.lines().next().unwrap_or_default();
                caught = Some((seed, line.chars().take(110).collect::<String>()));
                break;
            }
        }
        planted::plant(None);
        let seconds = since.elapsed().as_secs_f64();
        match caught {
            Some((seed, text)) => {
                found += 1;
                println!("{:<35} {seed:>8} {seconds:>8.2}  {text}", one.name);
            }
            None => {
                missed += 1;
                println!("{:<35} {:>8} {seconds:>8.2}  not found", one.name, "-");
            }
        }
    }
    println!("{{\"planted\":{},\"found\":{found},\"missed\":{missed}}}", found + missed);
    if found > 0 && missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(feature = "planted"))]
fn run_planted(_: &str, _: &Arguments) -> ExitCode {
    eprintln!("--plant needs a build with the feature `planted`");
    ExitCode::from(2)
}

/// `"name":count` of each class.
fn by_class(count: impl Fn(Class) -> u64) -> String {
    let pairs = Class::ALL.map(|class| format!("\"{}\":{}", class.name(), count(class)));
    pairs.join(",")
}

fn list(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if let Some(name) = &arguments.plant {
        return run_planted(name, &arguments);
    }
    if arguments.trace {
        println!("{:#?}", Plan::of(arguments.from));
        sim::print_notes();
    }
    let since = Instant::now();
    let mut seeds: Vec<u64> = (arguments.from..arguments.from + arguments.seeds).collect();
    if !arguments.one {
        let past = sim::past_seeds().into_iter().map(|past| past.seed);
        let past: Vec<u64> = past.filter(|seed| !seeds.contains(seed)).collect();
        seeds.splice(0..0, past);
    }
    let outcome = run_all(&seeds, false);
    let seconds = since.elapsed().as_secs_f64();
    if arguments.trace {
        println!("{:#?}", outcome.reports);
    }
    let sum = |field: fn(&Report) -> u64| outcome.reports.iter().map(field).sum::<u64>();
    let simulated_ms = sum(|report| report.simulated_ms);
    let mut failed = outcome.failed.clone();
    failed.sort_unstable();
    println!(
        "\n{{\"seeds\":{},\"from\":{},\"plan_version\":{},\"failed\":[{}],\"differed\":[{}],\"seconds\":{seconds:.1},\
         \"simulated_seconds\":{},\"times_real\":{:.0},\"faults\":{},\"crashes\":{},\"cuts\":{},\
         \"blocks\":{},\"settled\":{},\"refused\":{},\"repeated\":{},\"delivered\":{},\"events\":{},\
         \"elections\":{},\"joined\":{},\"promoted\":{},\"left\":{},\"snapshots\":{},\"mended\":{},\"salvaged\":{},\"stops\":{},\"failed_starts\":{},\"clock_alarms\":{},\
         \"slowest_healing_ms\":{},\"struck\":{{{}}},\"seeds_with\":{{{}}}}}",
        seeds.len(),
        arguments.from,
        sim::PLAN_VERSION,
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
        sum(|report| report.elections),
        sum(|report| report.joined),
        sum(|report| report.promoted),
        sum(|report| report.left),
        sum(|report| report.snapshots),
        sum(|report| report.mended),
        sum(|report| report.salvaged),
        sum(|report| report.stops),
        sum(|report| report.failed_starts),
        sum(|report| report.clock_alarms),
        outcome.reports.iter().map(|report| report.healed_after_ms).max().unwrap_or(0),
        by_class(|class| {
            outcome.reports.iter().map(|report| report.classes[class as usize]).sum()
        }),
        by_class(|class| {
            let met = |report: &&Report| report.classes[class as usize] > 0;
            outcome.reports.iter().filter(met).count() as u64
        }),
    );
    if outcome.failed.is_empty() && outcome.differed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
