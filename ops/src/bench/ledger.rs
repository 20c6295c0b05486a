//! `corridor bench ledger`: signed batches of transfers over QUIC into a cluster of node processes.
//!
//! Each client is a bank with accounts of its own and one connection, opened to the leader first. A
//! thread a client writes and signs batches ahead of time; the client keeps some in flight and waits
//! for their outcomes. The generator keeps its own balances and compares them with every node's.

pub(super) mod client;
mod cosigning;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use wire::genesis::Genesis;

use crate::cluster::{Cluster, READY_TIME_MAX, find_program};
use crate::description::{Account, Asset, BANKS_MAX, Description, PortPlan};

use super::measure::{Costs, Usage, rounded};
use super::pace::{self, DiskWatch, Pace, Steadiness};
use super::place::{Place, PlaceArguments};
use super::threads::{self, StageCost, ThreadTimes};
use client::{ClientPlan, ClientResult};

/// What each account holds at the start, in the unit of its asset: never used up by a run.
const FUNDING: &str = "1000000000.00";
const EQUAL_TIME_MAX: Duration = Duration::from_secs(60);

/// Arguments of `corridor bench ledger`.
#[derive(Debug, Args)]
pub struct LedgerArguments {
    /// Node processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Transfers in all
    #[arg(long, default_value_t = 1_000_000, conflicts_with = "seconds")]
    transfers: u64,
    /// Seconds of load instead of a number of transfers
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
    /// Transfers made first, in full batches and not measured: how many ids the ledger knows already
    #[arg(long, default_value_t = 0)]
    prefill: u64,
    /// Transfers under one signature, 1 to 8192
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(1..=8_192))]
    batch: u32,
    /// Clients, each a bank with a connection
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=26))]
    clients: u8,
    /// Batches that each client keeps in flight
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    in_flight: u16,
    /// Accounts in all
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=60_000))]
    accounts: u32,
    /// Instead of one run so many pairs of runs, with cosigned checkpoints and without, each on a new network: what they cost
    #[arg(long, value_name = "PAIRS", conflicts_with_all = ["seconds", "prefill"], value_parser = clap::value_parser!(u8).range(1..=50))]
    cosigning_cost: Option<u8>,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct LedgerResult {
    transfers: u64,
    nodes: u8,
    batch: u32,
    clients: u8,
    in_flight: u16,
    accounts: u32,
    seconds: f64,
    transfers_per_second: f64,
    /// Latency of a batch, from handing it to the connection to its outcomes.
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
    settled: u64,
    refused: u64,
    sent_again: u64,
    /// Whether each node's counters and balances are what the clients were told.
    counts_agree: bool,
    conserved: bool,
    /// Transfers that were in the ledger before, and how fast they came in.
    prefill: u64,
    prefill_per_second: f64,
    #[serde(flatten)]
    steady: Steadiness,
    #[serde(flatten)]
    costs: Costs,
    /// Largest memory of each node in bytes, by its id.
    rss_bytes: Vec<(u64, u64)>,
    stages: Vec<StageCost>,
    held: bool,
}

/// Batch and batches in flight of each client while the ledger is filled.
const PREFILL: (u32, u16) = (8_000, 4);

/// Runs `corridor bench ledger`.
pub(crate) async fn run(arguments: LedgerArguments) -> Result<()> {
    if let Some(pairs) = arguments.cosigning_cost {
        return cosigning::run(&arguments, pairs).await;
    }
    let place = Place::new(&arguments.place)?;
    let program = find_program()?;
    let description =
        network(usize::from(arguments.clients), usize::from(arguments.nodes), arguments.accounts)?;
    let amount = match arguments.seconds {
        Some(seconds) => format!("{seconds} s of transfers"),
        None => format!("{} transfers", arguments.transfers),
    };
    println!(
        "{} nodes, {} clients, {amount} in batches of {}, {} in flight each, {} accounts",
        arguments.nodes,
        arguments.clients,
        arguments.batch,
        arguments.in_flight,
        arguments.accounts
    );
    let mut cluster = Cluster::create(place.path(), description, &program)?;
    cluster.start_all_nodes()?;
    cluster.wait_ready(READY_TIME_MAX).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    println!(
        "ready, node {leader} leads; batches are written and signed on a thread a client, ahead of need"
    );

    let mut total = ClientResult::new(arguments.accounts as usize)?;
    let mut prefill_per_second = 0.0;
    if arguments.prefill > 0 {
        let (batch, in_flight) = PREFILL;
        let load = Load { transfers: arguments.prefill, seconds: None, batch, in_flight };
        let start = Instant::now();
        total.add(
            &phase(
                plans(arguments.clients, arguments.accounts, &load, &cluster, leader)?,
                &Pace::start(),
            )
            .await?,
        )?;
        cluster.wait_equal(EQUAL_TIME_MAX).await?;
        prefill_per_second = (arguments.prefill as f64 / start.elapsed().as_secs_f64()).round();
        println!("{} transfers in the ledger, {prefill_per_second:.0}/s", arguments.prefill);
    }
    let load = Load {
        transfers: arguments.seconds.map_or(arguments.transfers, |_| u64::MAX),
        seconds: arguments.seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
        batch: arguments.batch,
        in_flight: arguments.in_flight,
    };
    let plans = plans(arguments.clients, arguments.accounts, &load, &cluster, leader)?;
    let addresses = cluster.node_ids().into_iter().map(|id| cluster.node_http(id));
    let addresses = addresses.collect::<Result<Vec<_>>>()?;
    let before = Usage::now(&cluster).await?;
    let threads_before = ThreadTimes::now(&cluster.processes());
    let pace = Pace::start();
    let watch = DiskWatch::start(addresses, pace.clone());
    let start = Instant::now();
    let measured = phase(plans, &pace).await?;
    let seconds = start.elapsed().as_secs_f64();
    let steady = watch.end(&pace).await?;
    let transfers = measured.settled + measured.refused;
    let threads_after = ThreadTimes::now(&cluster.processes());
    let leader_name = format!("node {leader}");
    let stages = threads_after.since(&threads_before, transfers, |process| {
        if process == leader_name { "leader" } else { "follower" }.to_owned()
    });
    let costs = before.costs_since(&cluster, transfers).await?;
    total.add(&measured)?;
    let (counts_agree, conserved) = compare(&mut cluster, &total).await?;
    let result = LedgerResult {
        transfers,
        nodes: arguments.nodes,
        batch: arguments.batch,
        clients: arguments.clients,
        in_flight: arguments.in_flight,
        accounts: arguments.accounts,
        seconds: rounded(seconds),
        transfers_per_second: (transfers as f64 / seconds).round(),
        ms_p50: measured.latencies.ms_at(50.0),
        ms_p99: measured.latencies.ms_at(99.0),
        ms_max: measured.latencies.ms_max(),
        settled: measured.settled,
        refused: measured.refused,
        sent_again: measured.sent_again,
        counts_agree,
        conserved,
        prefill: arguments.prefill,
        prefill_per_second,
        steady,
        costs,
        rss_bytes: cluster.node_rss(),
        stages,
        held: counts_agree
            && conserved
            && total.refused == 0
            && (arguments.seconds.is_some() || transfers == arguments.transfers),
    };
    print(&result);
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    cluster.stop()?;
    ensure!(
        result.held,
        "the ledger is not what the clients were told; see {}",
        place.path().display()
    );
    place.done()
}

fn print(result: &LedgerResult) {
    println!(
        "{:.0} transfers/s ({} in {:.2} s); batch latency p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        result.transfers_per_second,
        result.transfers,
        result.seconds,
        result.ms_p50,
        result.ms_p99,
        result.ms_max
    );
    pace::print(&result.steady);
    let memory: Vec<String> =
        result.rss_bytes.iter().map(|(_, bytes)| (bytes >> 20).to_string()).collect();
    println!(
        "{:.1} s of processor time on {} cores, {:.2} us a transfer; nodes had up to {} MiB and wrote {:.0} bytes each for a transfer",
        result.costs.cpu_seconds,
        result.costs.cores,
        result.costs.cpu_us,
        memory.join(", "),
        result.costs.log_bytes_per_transfer
    );
    threads::print(&result.stages, "transfer");
    println!(
        "settled {}, refused {}, balances as counted: {}, money adds up: {}",
        result.settled, result.refused, result.counts_agree, result.conserved
    );
}

/// A network whose banks are the clients, with the accounts spread evenly over them.
pub(super) fn network(clients: usize, nodes: usize, accounts: u32) -> Result<Description> {
    let banks = clients.max(nodes).clamp(2, BANKS_MAX);
    let mut description = Description::example("bench", banks, nodes, PortPlan::Free)?;
    ensure!(accounts as usize >= clients, "each client needs an account");
    let issuer = description.assets[0].issuer.clone();
    description.assets = vec![Asset { code: "EUR".into(), exponent: 2, issuer }];
    description.accounts = (0..accounts)
        .map(|number| Account {
            account: format!("{}/EUR/A{number}", description.banks[number as usize % clients].bic),
            funding: FUNDING.to_owned(),
            credit_line: "0".to_owned(),
        })
        .collect();
    Ok(description)
}

/// What all clients of a phase do together.
pub(super) struct Load {
    pub(super) transfers: u64,
    pub(super) seconds: Option<Duration>,
    pub(super) batch: u32,
    pub(super) in_flight: u16,
}

/// Brings transfers into a network of [`network`], all of which must settle.
pub(super) async fn fill(
    cluster: &Cluster,
    leader: u64,
    clients: u8,
    accounts: u32,
    transfers: u64,
) -> Result<()> {
    let (batch, in_flight) = PREFILL;
    let load = Load { transfers, seconds: None, batch, in_flight };
    let done = phase(plans(clients, accounts, &load, cluster, leader)?, &Pace::start()).await?;
    ensure!(done.settled == transfers, "{} of {transfers} transfers settled", done.settled);
    Ok(())
}

/// Runs one client for each plan to its end.
pub(super) async fn phase(plans: Vec<ClientPlan>, pace: &Arc<Pace>) -> Result<ClientResult> {
    let accounts = plans.first().map_or(0, |plan| plan.accounts);
    let mut result = ClientResult::new(accounts as usize)?;
    let mut tasks = JoinSet::new();
    for plan in plans {
        tasks.spawn(client::run(plan, pace.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        result.add(&ended.context("a client broke")??)?;
    }
    Ok(result)
}

/// The network's genesis and its nodes' addresses, the leader's first.
pub(super) fn servers(
    cluster: &Cluster,
    leader: u64,
) -> Result<(Genesis, Vec<link::ServerAddress>)> {
    let file = std::fs::read(cluster.layout().genesis()).context("read the genesis file")?;
    let genesis = Genesis::parse(&file)?;
    let mut servers: Vec<_> = genesis
        .nodes
        .iter()
        .map(|node| link::ServerAddress {
            id: node.id,
            key: node.link_key,
            addr: node.client_address,
        })
        .collect();
    servers.sort_by_key(|server| (server.id != leader, server.id));
    Ok((genesis, servers))
}

/// A plan for each client, so that together they do a load.
pub(super) fn plans(
    clients: u8,
    accounts: u32,
    load: &Load,
    cluster: &Cluster,
    leader: u64,
) -> Result<Vec<ClientPlan>> {
    let (genesis, servers) = servers(cluster, leader)?;
    let layout = cluster.layout();
    let clients = u64::from(clients);
    (0..clients)
        .map(|number| {
            let bank = &layout.description().banks[number as usize];
            let transfers = load.transfers / clients + u64::from(number < load.transfers % clients);
            Ok(ClientPlan {
                number: number as u32,
                clients: clients as u32,
                accounts,
                transfers,
                seconds: load.seconds,
                batch: load.batch,
                in_flight: usize::from(load.in_flight),
                domain: genesis.domain,
                servers: servers.clone(),
                keys: layout.participant_dir(bank),
            })
        })
        .collect()
}

/// Whether every node's counters and balances are what the clients were told, and money adds up.
async fn compare(cluster: &mut Cluster, total: &ClientResult) -> Result<(bool, bool)> {
    let equal = cluster.wait_equal(EQUAL_TIME_MAX).await?;
    let opening = crate::money::parse_minor(FUNDING, 2).context("the funding is an amount")?;
    let (mut agree, mut conserved) = (true, true);
    for status in equal {
        agree &= status.settled == total.settled && status.refused == total.refused;
        conserved &= status.conserved;
        let balances = cluster.balances(status.node).await?;
        conserved &= balances.conserved();
        agree &= balances.accounts.len() == total.changes.len();
        // Accounts are listed in the order of their numbers, which is that of the genesis file.
        agree &=
            balances.accounts.iter().zip(&total.changes).all(|(account, change)| {
                account.posted == i128::from(opening) + i128::from(*change)
            });
    }
    Ok((agree, conserved))
}
