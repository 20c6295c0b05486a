//! `corridor bench failover`: how long nobody can pay when the leader dies, or all nodes at once.
//!
//! Payments go both ways through two gateways at a fixed rate. The leader is killed (SIGKILL) again and
//! again; the gap is the time from the kill to the answer of the first payment that was begun after it
//! and settled, as its payer sees it. Then the ledger is filled, and all nodes are killed and started
//! again at once. At the end every acknowledged payment must be in the ledger and delivered, once.

mod payers;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::measure::{Latencies, rounded};
use super::place::{Place, PlaceArguments};
use super::stream::{self, End, Stream};
use crate::chance::Chance;
use crate::cluster::{Cluster, READY_TIME_MAX, find_program};
use crate::description::{Description, PortPlan};
use crate::init::random;
use payers::Payers;

/// The bank that fills the ledger; the first two have the gateways.
const FILLER: usize = 2;
const FILL_BATCH: u32 = 8_000;
const FILL_IN_FLIGHT: usize = 4;
/// Longest gap before the run has failed.
const GAP_MAX: Duration = Duration::from_secs(60);
/// Payments each second while all nodes are killed.
const ALL_RATE: u32 = 50;
/// Between the return of a node and the next kill, in milliseconds, by chance.
const CALM_MS: std::ops::Range<u64> = 300..1_300;

/// Arguments of `corridor bench failover`.
#[derive(Debug, Args)]
pub struct FailoverArguments {
    /// How often the leader is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Payments each second meanwhile
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// How long a killed node stays away, in milliseconds
    #[arg(long, default_value_t = 500)]
    down_ms: u64,
    /// How often all nodes are killed at once afterwards
    #[arg(long, default_value_t = 10)]
    all_kills: u32,
    /// Transfers in the ledger before that
    #[arg(long, default_value_t = 1_000_000)]
    transfers: u64,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// Gaps of one kind.
#[derive(Debug, Default, Serialize)]
struct Gaps {
    count: u32,
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
}

impl Gaps {
    fn of(latencies: &Latencies, count: u32) -> Self {
        if count == 0 {
            return Self::default();
        }
        Self {
            count,
            ms_p50: latencies.ms_at(50.0),
            ms_p99: latencies.ms_at(99.0),
            ms_max: latencies.ms_max(),
        }
    }
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct FailoverResult {
    rate: u32,
    /// From the death of the leader to the next payment that was begun and settled.
    leader: Gaps,
    transfers: u64,
    /// From the death of all nodes to the next payment that was begun and settled.
    all: Gaps,
    payments: u64,
    /// From when a payment was due to its answer, kills included, first phase.
    payment_ms_p50: f64,
    payment_ms_p99: f64,
    payment_ms_max: f64,
    seconds: f64,
    lost: u64,
    doubled: u64,
    balances_agree: bool,
    held: bool,
}

/// Runs `corridor bench failover`.
pub(crate) async fn run(arguments: FailoverArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let program = find_program()?;
    let mut description = Description::example("bench", 3, 3, PortPlan::Free)?;
    description.banks[FILLER].gateway = None;
    for gateway in description.banks.iter_mut().filter_map(|bank| bank.gateway.as_mut()) {
        gateway.folder = false;
    }
    stream::add_accounts(&mut description, FILLER);
    println!(
        "3 nodes, 2 gateways, {} payments/s; {} kills of the leader, {} of all nodes with {} transfers",
        arguments.rate, arguments.kills, arguments.all_kills, arguments.transfers
    );
    let start = Instant::now();
    let mut cluster = Cluster::start(place.path(), description, &program).await?;
    let mut chance = Chance::new(u64::from_le_bytes(random()?));

    let mut payers = Payers::start(&cluster, arguments.rate)?;
    let leader_gaps = kill_leaders(&mut cluster, &mut payers, &mut chance, &arguments).await?;
    let (mut settled, latencies) = payers.stop().await?;
    let leader = Gaps::of(&leader_gaps, arguments.kills);
    print("leader", &leader);

    let mut all = Gaps::default();
    let mut transfers = 0;
    if arguments.all_kills > 0 {
        transfers = fill(&mut cluster, arguments.transfers).await?;
        let mut payers = Payers::start(&cluster, ALL_RATE)?;
        let all_gaps = kill_all(&mut cluster, &mut payers, &mut chance, &arguments).await?;
        settled.extend(payers.stop().await?.0);
        all = Gaps::of(&all_gaps, arguments.all_kills);
        print("all nodes", &all);
    }

    let verdict = payers::check(&mut cluster, &settled).await?;
    let result = FailoverResult {
        rate: arguments.rate,
        leader,
        transfers,
        all,
        payments: settled.len() as u64,
        payment_ms_p50: latencies.ms_at(50.0),
        payment_ms_p99: latencies.ms_at(99.0),
        payment_ms_max: latencies.ms_max(),
        seconds: rounded(start.elapsed().as_secs_f64()),
        lost: verdict.lost,
        doubled: verdict.doubled,
        balances_agree: verdict.balances_agree,
        held: verdict.lost == 0 && verdict.doubled == 0 && verdict.balances_agree,
    };
    println!(
        "{} payments settled; lost {}, doubled {}, balances as counted on all nodes: {}",
        result.payments, result.lost, result.doubled, result.balances_agree
    );
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    cluster.stop()?;
    ensure!(result.held, "payments are not as they should be; see {}", place.path().display());
    place.done()
}

fn print(who: &str, gaps: &Gaps) {
    println!(
        "{} deaths of the {who}: next settled payment after p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
        gaps.count, gaps.ms_p50, gaps.ms_p99, gaps.ms_max
    );
}

async fn kill_leaders(
    cluster: &mut Cluster,
    payers: &mut Payers,
    chance: &mut Chance,
    arguments: &FailoverArguments,
) -> Result<Latencies> {
    let mut gaps = Latencies::new()?;
    for number in 1..=arguments.kills {
        calm(cluster, payers, chance).await?;
        let leader = cluster.wait_leader(READY_TIME_MAX).await?;
        let killed = Instant::now();
        cluster.kill_node(leader)?;
        let gap = gap_after(payers, killed).await.with_context(|| format!("kill {number}"))?;
        gaps.record(gap);
        tokio::time::sleep(Duration::from_millis(arguments.down_ms)).await;
        cluster.start_node(leader)?;
        if number % 10 == 0 {
            println!("{number} kills, p50 {:.0} ms, max {:.0} ms", gaps.ms_at(50.0), gaps.ms_max());
        }
    }
    calm(cluster, payers, chance).await?;
    Ok(gaps)
}

async fn kill_all(
    cluster: &mut Cluster,
    payers: &mut Payers,
    chance: &mut Chance,
    arguments: &FailoverArguments,
) -> Result<Latencies> {
    let mut gaps = Latencies::new()?;
    for number in 1..=arguments.all_kills {
        calm(cluster, payers, chance).await?;
        let killed = Instant::now();
        for id in cluster.node_ids() {
            cluster.kill_node(id)?;
        }
        let next = payers.next_settled();
        cluster.start_all_nodes()?;
        let settled = tokio::time::timeout(GAP_MAX, next);
        let gap = settled.await.with_context(|| format!("no payment after death {number}"))??;
        println!("all nodes: {:.0} ms", (gap - killed).as_secs_f64() * 1e3);
        gaps.record(gap - killed);
    }
    calm(cluster, payers, chance).await?;
    Ok(gaps)
}

/// Waits until all nodes are well again, and a moment longer.
async fn calm(cluster: &mut Cluster, payers: &mut Payers, chance: &mut Chance) -> Result<()> {
    cluster.wait_ready(READY_TIME_MAX).await?;
    let length = CALM_MS.start + chance.below(CALM_MS.end - CALM_MS.start);
    tokio::time::sleep(Duration::from_millis(length)).await;
    cluster.check_running()?;
    payers.check_running()
}

async fn gap_after(payers: &Payers, killed: Instant) -> Result<Duration> {
    let settled = tokio::time::timeout(GAP_MAX, payers.next_settled()).await;
    Ok(settled.context("no payment has settled since")?? - killed)
}

/// Fills the ledger up, without payments.
async fn fill(cluster: &mut Cluster, transfers: u64) -> Result<u64> {
    let start = Instant::now();
    let stream = Stream {
        bank: FILLER,
        batch: FILL_BATCH,
        in_flight: FILL_IN_FLIGHT,
        node: cluster.wait_leader(READY_TIME_MAX).await?,
        end: End::Transfers(transfers),
    };
    let streamed = stream.run(cluster.layout()).await?;
    cluster.wait_equal(READY_TIME_MAX).await?;
    println!("{} transfers more in {:.1} s", streamed.settled, start.elapsed().as_secs_f64());
    Ok(streamed.settled)
}
