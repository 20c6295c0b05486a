//! `corridor bench liquidity`: how much money a day of payments needs, with offsetting and without.
//!
//! A synthetic day (`liquidity/day.rs`) goes through the real ledger, in this process, without network. Three ways to
//! settle it are compared: *FIFO gross*, where each payment waits until those before it on its account have settled and
//! there is cover for it alone; the same with by-pass; and the ledger's own queue with offsetting. For each the
//! smallest starting balances are searched with which the average delay is not above a bound that is the same for all,
//! once with each payment counting alike and once with each counting by its value; what does not settle in the day counts as delayed until the next one opens. Balances are a share of
//! those with which nothing would ever wait, the same share on every account. A checker with books of its own judges each settlement (`liquidity/checker.rs`).
//!
//! Then what a queue of 100,000 transfers costs the payments that do not wait, and the longest that releasing and
//! offsetting take in one block.

mod checker;
mod day;
mod queue;
mod run;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::measure::rounded;
use day::Day;
use queue::QueueCost;
use run::{Fate, Way};

/// Balances are searched in steps of this share of those with which nothing waits.
const STEPS: u32 = 128;

/// Arguments of `corridor bench liquidity`.
#[derive(Debug, Args)]
pub struct LiquidityArguments {
    /// Banks, 12 to 16
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(12..=16))]
    banks: u32,
    /// Payments in the day
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1_000..=60_000))]
    payments: u32,
    /// Payments against payments among them, in per cent
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
    pvp: u32,
    /// Days to try, each from a seed of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    days: u32,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out what a long queue costs the other payments
    #[arg(long)]
    no_queue: bool,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct LiquidityResult {
    banks: u32,
    payments: u32,
    pvp_percent: u32,
    days: Vec<DayResult>,
    /// The smallest saving against FIFO gross at the same average delay of a payment, over all days and bounds, in per cent.
    saved_percent: f64,
    /// The same at the same average delay of value. Less than zero: more is needed.
    saved_by_value_percent: f64,
    /// A ring of five banks in three currencies without any cover: blocks and groups that it took.
    ring: run::RingResult,
    /// Settlements that the checker judged, and groups of more than one among them.
    checked: u64,
    groups_checked: u64,
    /// Longest time of one block for releasing and offsetting, in milliseconds, over all days.
    block_ms_max: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueCost>,
}

/// What one day needs.
#[derive(Debug, Serialize)]
struct DayResult {
    seed: u64,
    /// Value of all payments, and of the balances with which nothing waits, in millions of the first currency.
    value_millions: f64,
    unlimited_millions: f64,
    bounds: Vec<BoundResult>,
}

/// What is needed so that payments, or their value, wait no longer than this on average.
#[derive(Debug, Serialize)]
struct BoundResult {
    of: DelayOf,
    delay_seconds: u32,
    fifo_gross: Need,
    gross_with_bypass: Need,
    offsetting: Need,
    /// Less than FIFO gross, in per cent.
    saved_percent: f64,
}

/// The smallest balances with which the day settles within the bound.
#[derive(Debug, Clone, Copy, Serialize)]
struct Need {
    /// In per cent of those with which nothing waits.
    share_percent: f64,
    /// The delay that they give, in seconds.
    delay_seconds: f64,
    /// Transfers that had not settled at closing time.
    unsettled: u64,
}

/// What a delay is averaged over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum DelayOf {
    Payments,
    Value,
}

impl DelayOf {
    const fn seconds(self, fate: &Fate) -> f64 {
        match self {
            Self::Payments => fate.delay_each,
            Self::Value => fate.delay_of_value,
        }
    }
}

/// Bounds of the average delay, in seconds.
const DELAYS: [u32; 3] = [300, 900, 1_800];

/// Runs of one day that were made already.
type Known = BTreeMap<(Way, u32), Fate>;

/// Runs `corridor bench liquidity`.
pub(crate) fn run(arguments: LiquidityArguments) -> Result<()> {
    let mut known_blocks = Totals::default();
    let mut days = Vec::new();
    for number in 0..u64::from(arguments.days) {
        let seed = arguments.seed + number;
        let day = Day::new(seed, arguments.banks, arguments.payments, arguments.pvp);
        days.push(measure(&day, seed, &mut known_blocks)?);
    }
    let ring = run::ring()?;
    let queue = if arguments.no_queue { None } else { Some(queue::measure()?) };
    let saved = |of| {
        let bounds = days.iter().flat_map(|day| &day.bounds).filter(|bound| bound.of == of);
        bounds.map(|bound| bound.saved_percent).fold(100.0, f64::min)
    };
    let (saved_percent, saved_by_value_percent) = (saved(DelayOf::Payments), saved(DelayOf::Value));
    let result = LiquidityResult {
        banks: arguments.banks,
        payments: arguments.payments,
        pvp_percent: arguments.pvp,
        saved_percent,
        saved_by_value_percent,
        days,
        ring,
        checked: known_blocks.checked,
        groups_checked: known_blocks.groups,
        block_ms_max: rounded(known_blocks.block_ms),
        queue,
    };
    print(&result);
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    Ok(())
}

/// What all runs together saw.
#[derive(Debug, Default)]
struct Totals {
    checked: u64,
    groups: u64,
    block_ms: f64,
}

fn measure(day: &Day, seed: u64, totals: &mut Totals) -> Result<DayResult> {
    let mut known = Known::new();
    let mut bounds = Vec::new();
    let both = [DelayOf::Payments, DelayOf::Value].into_iter();
    for (of, bound) in both.flat_map(|of| DELAYS.map(|bound| (of, bound))) {
        let mut need = |way| smallest(day, way, (of, bound), &mut known, totals);
        let (fifo, bypass, offsetting) =
            (need(Way::FifoGross)?, need(Way::BypassGross)?, need(Way::Offsetting)?);
        let saved = 100.0 * (1.0 - offsetting.share_percent / fifo.share_percent);
        bounds.push(BoundResult {
            of,
            delay_seconds: bound,
            fifo_gross: fifo,
            gross_with_bypass: bypass,
            offsetting,
            saved_percent: rounded(saved),
        });
    }
    Ok(DayResult {
        seed,
        value_millions: rounded(day.value() / 1e6),
        unlimited_millions: rounded(day.unlimited_value() / 1e6),
        bounds,
    })
}

/// The smallest share with which the day settles within the bound of delay, by halving.
fn smallest(
    day: &Day,
    way: Way,
    (of, bound): (DelayOf, u32),
    known: &mut Known,
    totals: &mut Totals,
) -> Result<Need> {
    let mut fate_of = |step: u32| -> Result<Fate> {
        if let Some(fate) = known.get(&(way, step)) {
            return Ok(*fate);
        }
        let fate = run::run(day, way, step, STEPS)?;
        totals.checked += fate.checked;
        totals.groups += fate.groups;
        totals.block_ms = totals.block_ms.max(fate.block_ms);
        known.insert((way, step), fate);
        Ok(fate)
    };
    let within = |fate: &Fate| of.seconds(fate) <= f64::from(bound);
    let mut best = fate_of(STEPS)?;
    ensure!(within(&best), "with unlimited balances something waits: {best:?}");
    let (mut too_little, mut enough) = (0, STEPS);
    while enough - too_little > 1 {
        let middle = too_little.midpoint(enough);
        let fate = fate_of(middle)?;
        if within(&fate) {
            (enough, best) = (middle, fate);
        } else {
            too_little = middle;
        }
    }
    Ok(Need {
        share_percent: rounded(100.0 * f64::from(enough) / f64::from(STEPS)),
        delay_seconds: rounded(of.seconds(&best)),
        unsettled: best.unsettled,
    })
}

fn print(result: &LiquidityResult) {
    println!(
        "{} payments between {} banks in 3 currencies, {} % against payment",
        result.payments, result.banks, result.pvp_percent
    );
    for day in &result.days {
        println!(
            "day {}: value {} million; nothing would wait with {} million",
            day.seed, day.value_millions, day.unlimited_millions
        );
        for bound in &day.bounds {
            println!(
                "  {:<8} wait {:>5} s or less: FIFO gross {:>6} %, with by-pass {:>6} %, offsetting {:>6} %: saves {} %",
                if bound.of == DelayOf::Payments { "payments" } else { "value" },
                bound.delay_seconds,
                bound.fifo_gross.share_percent,
                bound.gross_with_bypass.share_percent,
                bound.offsetting.share_percent,
                bound.saved_percent
            );
        }
    }
    println!(
        "{} settlements checked, {} of them groups; releasing and offsetting took a block {} ms at most",
        result.checked, result.groups_checked, result.block_ms_max
    );
    println!(
        "a ring of {} transfers of 5 banks in 3 currencies without cover: {} block, {} group",
        result.ring.transfers, result.ring.blocks, result.ring.groups
    );
    if let Some(queue) = &result.queue {
        println!(
            "{} queued: a payment that does not wait costs {} ns instead of {} ({} % more); a block's releasing and offsetting {} ms on average, {} ms at most",
            queue.queued,
            queue.with_queue_ns,
            queue.without_ns,
            queue.more_percent,
            queue.block_ms_mean,
            queue.block_ms_max
        );
    }
}
