//! `corridor bench payments`: XML in at one bank's gateway, pacs.002 back, XML out at another's.
//!
//! Closed loop (`--clients`: each sends the next payment when the last is answered) or open loop
//! (`--rate`: payments are due at fixed times, and latency counts from when one was due, so that a
//! stall is charged to every payment that had to wait). The receiving bank reads its outbox beside it, and the paying
//! one waits for its payments to become final.

mod finality;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::clock::now_ns;
use crate::cluster::{Cluster, READY_TIME_MAX, find_program};
use crate::description::{Description, PortPlan};
use crate::gateway_api;
use crate::http::HttpClient;
use crate::init::{random, uuid_v4};
use crate::messages::{Payment, Reply, pacs008};

use super::measure::{Costs, Latencies, Usage, rounded};
use super::place::{Place, PlaceArguments};
use super::threads::{self, StageCost, ThreadTimes};
use finality::{FinalAfter, Told};

/// Connections with which an offered rate is sent.
const RATE_CLIENTS: u16 = 256;
const WARM_UP: u64 = 20;
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(30);
const OUTBOX_WAIT: Duration = Duration::from_millis(200);
const EQUAL_TIME_MAX: Duration = Duration::from_secs(30);

/// Arguments of `corridor bench payments`.
#[derive(Debug, Args)]
pub struct PaymentsArguments {
    /// Node processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Seconds of load
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Payments offered each second, whether answers come or not
    #[arg(long, conflicts_with = "clients", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Clients that send one payment after the other
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    clients: u16,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct PaymentsResult {
    payments: u64,
    nodes: u8,
    clients: u16,
    rate: Option<u32>,
    seconds: f64,
    payments_per_second: f64,
    /// From handing the pacs.008 over (or when it was due) to its definitive pacs.002.
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
    /// From handing the pacs.008 over to reading it from the receiver's outbox.
    delivery_ms_p50: f64,
    delivery_ms_p99: f64,
    delivery_ms_max: f64,
    /// Part of it: from settlement to the journal of the receiver's gateway.
    receive_ms_p50: f64,
    receive_ms_p99: f64,
    #[serde(flatten)]
    finality: FinalAfter,
    settled: u64,
    refused: u64,
    sent_again: u64,
    lost: u64,
    duplicated: u64,
    conserved: bool,
    #[serde(flatten)]
    costs: Costs,
    stages: Vec<StageCost>,
    held: bool,
}

/// What became of one payment.
struct Track {
    sent: Instant,
    settled: bool,
    deliveries: u32,
}

/// Seen by all clients and the receiver.
struct Shared {
    /// By UETR.
    payments: Mutex<HashMap<String, Track>>,
    /// Numbers of payments handed out so far.
    next: AtomicU64,
    start: Instant,
    seconds: Duration,
    rate: Option<u32>,
    run: u64,
    from: String,
    to: String,
    moved: AtomicU64,
    stop_reading: AtomicBool,
}

impl Shared {
    fn payments(&self) -> MutexGuard<'_, HashMap<String, Track>> {
        // No code that can panic runs under this lock.
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `corridor bench payments`.
pub(crate) async fn run(arguments: PaymentsArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let program = find_program()?;
    let nodes = usize::from(arguments.nodes);
    let mut description = Description::example("bench", nodes.max(2), nodes, PortPlan::Free)?;
    for (number, bank) in description.banks.iter_mut().enumerate() {
        bank.gateway = bank.gateway.take().filter(|_| number < 2);
        if let Some(gateway) = &mut bank.gateway {
            gateway.folder = false;
        }
    }
    let (from, to) = (description.banks[0].bic.clone(), description.banks[1].bic.clone());
    let load = arguments.rate.map_or_else(
        || format!("{} clients", arguments.clients),
        |rate| format!("{rate} payments/s offered"),
    );
    println!("{nodes} nodes, 2 gateways, {load}, {} s", arguments.seconds);
    let mut cluster = Cluster::start(place.path(), description, &program).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    warm_up(&cluster, &from, &to).await?;
    println!("ready");

    let before = Usage::now(&cluster).await?;
    let threads_before = ThreadTimes::now(&cluster.processes());
    let shared = Arc::new(Shared {
        payments: Mutex::default(),
        next: AtomicU64::new(0),
        start: Instant::now(),
        seconds: Duration::from_secs(u64::from(arguments.seconds)),
        rate: arguments.rate,
        run: u64::from_le_bytes(random()?),
        from: from.clone(),
        to: to.clone(),
        moved: AtomicU64::new(0),
        stop_reading: AtomicBool::new(false),
    });
    let reader = tokio::spawn(read_outbox(shared.clone(), cluster.gateway_client(&to)?, WARM_UP));
    let nodes_http = cluster.node_ids().into_iter().map(|id| cluster.node_http(id));
    let nodes_http = nodes_http.collect::<Result<Vec<_>>>()?;
    let watch = finality::Watch::start(cluster.gateway_client(&from)?, nodes_http);
    let clients = arguments.rate.map_or(arguments.clients, |_| RATE_CLIENTS);
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(client(shared.clone(), cluster.gateway_client(&from)?));
    }
    let (mut latencies, mut told, mut sent_again) = (Latencies::new()?, Vec::new(), 0);
    while let Some(ended) = tasks.join_next().await {
        let own = ended.context("a client broke")??;
        latencies.add(&own.latencies)?;
        told.extend(own.told);
        sent_again += own.again;
    }
    let seconds = shared.start.elapsed().as_secs_f64();
    let finality = watch.end(shared.start, &told).await?;
    wait_delivered(&shared).await;
    shared.stop_reading.store(true, Ordering::Relaxed);
    let deliveries = reader.await.context("the reader of the outbox broke")??;
    let conserved = conserved(&mut cluster, &shared).await?;
    let counts = count(&shared);
    let threads_after = ThreadTimes::now(&cluster.processes());
    let (leader, sender) = (format!("node {leader}"), crate::layout::long_bic(&from));
    let stages = threads_after.since(&threads_before, counts.sent, |process| match process {
        node if node == leader => "leader".to_owned(),
        node if node.starts_with("node") => "follower".to_owned(),
        gateway if gateway.ends_with(&sender) => "gateway of the sender".to_owned(),
        _ => "gateway of the receiver".to_owned(),
    });
    let result = PaymentsResult {
        payments: counts.sent,
        nodes: arguments.nodes,
        clients,
        rate: arguments.rate,
        seconds: rounded(seconds),
        payments_per_second: rounded(counts.settled as f64 / seconds),
        ms_p50: latencies.ms_at(50.0),
        ms_p99: latencies.ms_at(99.0),
        ms_max: latencies.ms_max(),
        delivery_ms_p50: deliveries.read.ms_at(50.0),
        delivery_ms_p99: deliveries.read.ms_at(99.0),
        delivery_ms_max: deliveries.read.ms_max(),
        receive_ms_p50: deliveries.received.ms_at(50.0),
        receive_ms_p99: deliveries.received.ms_at(99.0),
        settled: counts.settled,
        refused: counts.sent - counts.settled,
        sent_again,
        lost: counts.lost,
        duplicated: counts.duplicated,
        conserved,
        costs: before.costs_since(&cluster, counts.sent).await?,
        stages,
        held: conserved
            && counts.lost == 0
            && counts.duplicated == 0
            && counts.settled == counts.sent
            && finality.not_final == 0,
        finality,
    };
    print(&result);
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    cluster.stop()?;
    ensure!(result.held, "payments are not as they should be; see {}", place.path().display());
    place.done()
}

fn print(result: &PaymentsResult) {
    println!(
        "{:.0} payments/s ({} in {:.1} s); answer p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        result.payments_per_second,
        result.payments,
        result.seconds,
        result.ms_p50,
        result.ms_p99,
        result.ms_max
    );
    println!(
        "delivery p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms (journal of the receiver's gateway: p50 {:.1} ms, p99 {:.1} ms after settlement)",
        result.delivery_ms_p50,
        result.delivery_ms_p99,
        result.delivery_ms_max,
        result.receive_ms_p50,
        result.receive_ms_p99
    );
    finality::print(&result.finality);
    println!(
        "settled {}, refused {}, lost {}, duplicated {}",
        result.settled, result.refused, result.lost, result.duplicated
    );
    println!(
        "{:.1} s of processor time on {} cores ({:.0} us a payment), {} MiB a node, money adds up: {}",
        result.costs.cpu_seconds,
        result.costs.cores,
        result.costs.cpu_us,
        result.costs.rss_bytes_per_node >> 20,
        result.conserved
    );
    threads::print(&result.stages, "payment");
}

fn payment(shared_from: &str, shared_to: &str, minor: u64, number: u64) -> Result<Payment> {
    Ok(Payment {
        uetr: uuid_v4()?,
        end_to_end_id: format!("BENCH-{number}"),
        debtor_bank: shared_from.to_owned(),
        creditor_bank: shared_to.to_owned(),
        currency: "EUR".to_owned(),
        exponent: 2,
        minor,
        remittance: "Benchmark".to_owned(),
    })
}

/// A few payments first, so that connections stand and code is in memory.
async fn warm_up(cluster: &Cluster, from: &str, to: &str) -> Result<()> {
    let mut client = cluster.gateway_client(from)?;
    for number in 0..WARM_UP {
        let xml = pacs008(&format!("WARM-{number}"), &[payment(from, to, 1, number)?], now_ns());
        let answered = gateway_api::submit(&mut client, xml.as_bytes()).await?;
        ensure!(is_settled(&answered.reply), "a payment is refused: {:?}", answered.reply);
    }
    Ok(())
}

fn is_settled(reply: &Reply) -> bool {
    matches!(reply, Reply::Status(report) if matches!(report.first().code.as_str(), "ACSC" | "ACCC"))
}

/// What one client saw.
struct Seen {
    latencies: Latencies,
    /// When each payment was answered that has settled.
    told: Vec<Told>,
    /// How often a message was repeated.
    again: u64,
}

/// Sends payments until the time is over.
async fn client(shared: Arc<Shared>, mut client: HttpClient) -> Result<Seen> {
    let mut seen = Seen { latencies: Latencies::new()?, told: Vec::new(), again: 0 };
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let due = match shared.rate {
            None => Instant::now(),
            Some(rate) => {
                let due = shared.start + Duration::from_secs_f64(number as f64 / f64::from(rate));
                if due < shared.start + shared.seconds {
                    tokio::time::sleep_until(due.into()).await;
                }
                due
            }
        };
        if due >= shared.start + shared.seconds {
            return Ok(seen);
        }
        let minor = 1 + Chance::new(number).below(100);
        let payment = payment(&shared.from, &shared.to, minor, number)?;
        let message_id = format!("B{:016x}-{number}", shared.run);
        let xml = pacs008(&message_id, std::slice::from_ref(&payment), now_ns());
        let uetr = payment.uetr;
        let track = Track { sent: due, settled: false, deliveries: 0 };
        shared.payments().insert(uetr.clone(), track);
        let answered = gateway_api::submit(&mut client, xml.as_bytes()).await?;
        seen.latencies.record(due.elapsed());
        seen.again += u64::from(answered.attempts - 1);
        if is_settled(&answered.reply) {
            // A repeated question is answered without the block: how long that takes is not known.
            seen.told.extend(answered.height.map(|height| Told { height, at: Instant::now() }));
            shared.moved.fetch_add(minor, Ordering::Relaxed);
            if let Some(track) = shared.payments().get_mut(&uetr) {
                track.settled = true;
            }
        }
    }
}

/// How long payments took to the receiving bank.
struct Deliveries {
    /// From handing over to reading from the outbox.
    read: Latencies,
    /// From settlement to the gateway's journal.
    received: Latencies,
}

/// Reads the receiving bank's outbox until told to stop.
async fn read_outbox(shared: Arc<Shared>, mut client: HttpClient, skip: u64) -> Result<Deliveries> {
    let mut deliveries = Deliveries { read: Latencies::new()?, received: Latencies::new()? };
    let (mut after, mut skipped) = (0, 0);
    loop {
        let stop = shared.stop_reading.load(Ordering::Relaxed);
        let page = gateway_api::outbox(&mut client, after, OUTBOX_WAIT).await?;
        // One look after the last: what came twice would be seen.
        if page.is_empty() && stop {
            return Ok(deliveries);
        }
        let mut payments = shared.payments();
        for entry in page {
            after = entry.cursor;
            match payments.get_mut(&entry.uetr) {
                Some(track) if entry.kind.starts_with("pacs.008") => {
                    track.deliveries += 1;
                    deliveries.read.record(track.sent.elapsed());
                    let received = entry.received_ns.saturating_sub(entry.settled_ns);
                    deliveries.received.record(Duration::from_nanos(received));
                }
                Some(_) => {}
                None if skipped < skip => skipped += 1,
                None => anyhow::bail!("a payment arrived that was never sent: {}", entry.uetr),
            }
        }
    }
}

async fn wait_delivered(shared: &Shared) {
    let start = Instant::now();
    while start.elapsed() < DELIVERY_TIME_MAX {
        let open = {
            let payments = shared.payments();
            payments.values().any(|track| track.settled && track.deliveries == 0)
        };
        if !open {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    sent: u64,
    settled: u64,
    lost: u64,
    duplicated: u64,
}

fn count(shared: &Shared) -> Counts {
    let mut counts = Counts::default();
    for track in shared.payments().values() {
        counts.sent += 1;
        counts.settled += u64::from(track.settled);
        counts.lost += u64::from(track.settled && track.deliveries == 0);
        counts.duplicated += u64::from(track.deliveries.saturating_sub(u32::from(track.settled)));
    }
    counts
}

/// Whether on every node money adds up and the two banks' balances are what was counted.
async fn conserved(cluster: &mut Cluster, shared: &Shared) -> Result<bool> {
    let moved = i128::from(shared.moved.load(Ordering::Relaxed)) + i128::from(WARM_UP);
    let mut all = true;
    for status in cluster.wait_equal(EQUAL_TIME_MAX).await? {
        let balances = cluster.balances(status.node).await?;
        let posted = |bic: &str| {
            let name = |account: &str| crate::layout::long_account(account);
            let wanted = crate::layout::long_account(&format!("{bic}/EUR"));
            balances.accounts.iter().find(|row| name(&row.account) == wanted).map(|row| row.posted)
        };
        // Both held the same at the start, so the difference is twice what moved.
        let difference = posted(&shared.to).zip(posted(&shared.from)).map(|(to, from)| to - from);
        all &= difference == Some(2 * moved) && balances.conserved() && status.conserved;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_and_doubled_payments_are_counted() {
        let shared = Shared {
            payments: Mutex::default(),
            next: AtomicU64::new(0),
            start: Instant::now(),
            seconds: Duration::ZERO,
            rate: None,
            run: 0,
            from: String::new(),
            to: String::new(),
            moved: AtomicU64::new(0),
            stop_reading: AtomicBool::new(false),
        };
        for (settled, deliveries) in [(true, 1), (true, 0), (true, 2), (false, 0), (false, 1)] {
            let uetr = format!("{}", shared.payments().len());
            let track = Track { sent: shared.start, settled, deliveries };
            shared.payments().insert(uetr, track);
        }
        assert_eq!(count(&shared), Counts { sent: 5, settled: 3, lost: 1, duplicated: 2 });
    }
}
