//! `corridor bench net`: what a bad network costs, with a proxy between the nodes.
//!
//! The same network is measured three times: undisturbed, with loss on all links, and with distance
//! between the nodes. Each time full batches of signed transfers show the rate, and lone payments
//! through a gateway, one after the other, the latency. Only ratios mean something: the proxy and the
//! load share the machine with the nodes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use super::measure::{Latencies, rounded};
use super::place::{Place, PlaceArguments};
use super::stream::{self, End, Stream};
use crate::clock::now_ns;
use crate::cluster::{Cluster, READY_TIME_MAX, find_program};
use crate::description::{Description, PortPlan};
use crate::gateway_api;
use crate::init::{random, uuid_v4};
use crate::messages::{Payment, Reply, pacs008};
use crate::udp_proxy::{Counts, UdpProxy, Weather};

/// The bank that sends full batches; the first one pays the second through gateways.
const STREAMER: usize = 2;
const FULL_BATCH: u32 = 8_000;
const EQUAL_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two lone payments.
const PAUSE: Duration = Duration::from_millis(20);
/// Payments before the first measured one of a phase.
const WARM_UP: u32 = 10;
/// Full batches before the measured ones of a phase: a connection has to find its speed.
const RUN_IN: Duration = Duration::from_secs(2);

/// Arguments of `corridor bench net`.
#[derive(Debug, Args)]
pub struct NetArguments {
    /// Seconds of full batches in each phase
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Lone payments in each phase
    #[arg(long, default_value_t = 200)]
    payments: u32,
    /// Datagrams of 1,000 that are lost on all links
    #[arg(long, default_value_t = 50)]
    lost: u16,
    /// Milliseconds from one node to another
    #[arg(long, default_value_t = 50)]
    way_ms: u64,
    /// Connections with full batches
    #[arg(long, default_value_t = 4)]
    streams: u8,
    /// Batches that each keeps in flight
    #[arg(long, default_value_t = 4)]
    in_flight: u16,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// One phase.
#[derive(Debug, Serialize)]
struct Phase {
    name: &'static str,
    transfers_per_second: f64,
    /// Share of the undisturbed rate.
    share: f64,
    batch_ms_p50: f64,
    batch_ms_p99: f64,
    /// A lone payment from pacs.008 to pacs.002.
    payment_ms_p50: f64,
    payment_ms_p99: f64,
    payment_ms_max: f64,
    datagrams: u64,
    datagrams_lost: u64,
    datagrams_overflowed: u64,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct NetResult {
    lost_of_thousand: u16,
    way_ms: u64,
    phases: Vec<Phase>,
    conserved: bool,
    held: bool,
}

/// Runs `corridor bench net`.
pub(crate) async fn run(arguments: NetArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let program = find_program()?;
    let mut description = Description::example("bench", 3, 3, PortPlan::Free)?;
    description.banks[STREAMER].gateway = None;
    for gateway in description.banks.iter_mut().filter_map(|bank| bank.gateway.as_mut()) {
        gateway.folder = false;
    }
    stream::add_accounts(&mut description, STREAMER);
    let mut cluster = Cluster::create(place.path(), description, &program)?;
    let seed = u64::from_le_bytes(random()?);
    let proxy = UdpProxy::in_front_of(cluster.layout(), seed)?;
    println!("3 nodes and 2 gateways behind a proxy, seed {seed}");
    cluster.start_all_nodes()?;
    cluster.start_all_gateways()?;
    cluster.wait_ready(READY_TIME_MAX).await?;

    let lossy = Weather { lost: arguments.lost, ..Weather::CALM };
    let far = Weather { delay: Duration::from_millis(arguments.way_ms), ..Weather::CALM };
    let mut phases: Vec<Phase> = Vec::new();
    for name in ["undisturbed", "loss", "distance"] {
        proxy.calm();
        match name {
            "loss" => proxy.set_everywhere(lossy),
            "distance" => proxy.set_between_nodes(far),
            _ => {}
        }
        let mut phase = measure(&mut cluster, &proxy, &arguments, name).await?;
        let undisturbed =
            phases.first().map_or(phase.transfers_per_second, |first| first.transfers_per_second);
        phase.share = rounded(phase.transfers_per_second / undisturbed);
        print(&phase);
        phases.push(phase);
    }
    proxy.calm();
    let mut conserved = true;
    for status in cluster.wait_equal(EQUAL_TIME_MAX).await? {
        conserved &= status.conserved && cluster.balances(status.node).await?.conserved();
    }
    let result = NetResult {
        lost_of_thousand: arguments.lost,
        way_ms: arguments.way_ms,
        phases,
        conserved,
        held: conserved,
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    cluster.stop()?;
    ensure!(result.held, "money does not add up; see {}", place.path().display());
    place.done()
}

fn print(phase: &Phase) {
    println!(
        "{}: {:.0} transfers/s ({:.0} %), batch p50 {:.0} ms, p99 {:.0} ms; lone payment p50 {:.0} ms, \
         p99 {:.0} ms, max {:.0} ms; {} datagrams, {} lost, {} overflowed",
        phase.name,
        phase.transfers_per_second,
        phase.share * 100.0,
        phase.batch_ms_p50,
        phase.batch_ms_p99,
        phase.payment_ms_p50,
        phase.payment_ms_p99,
        phase.payment_ms_max,
        phase.datagrams,
        phase.datagrams_lost,
        phase.datagrams_overflowed
    );
}

async fn measure(
    cluster: &mut Cluster,
    proxy: &UdpProxy,
    arguments: &NetArguments,
    name: &'static str,
) -> Result<Phase> {
    let before = proxy.counts();
    let mut payments = Latencies::new()?;
    for place in 0..2 {
        payments.add(&lone_payments(cluster, arguments.payments / 2, name, place).await?)?;
    }
    full_batches(cluster, arguments, RUN_IN).await?;
    let seconds = Duration::from_secs(u64::from(arguments.seconds));
    let (rate, batches) = full_batches(cluster, arguments, seconds).await?;
    cluster.wait_equal(EQUAL_TIME_MAX).await?;
    let Counts { passed, lost, overflowed, .. } = proxy.counts();
    Ok(Phase {
        name,
        transfers_per_second: rate.round(),
        share: 0.0,
        batch_ms_p50: batches.ms_at(50.0),
        batch_ms_p99: batches.ms_at(99.0),
        payment_ms_p50: payments.ms_at(50.0),
        payment_ms_p99: payments.ms_at(99.0),
        payment_ms_max: payments.ms_max(),
        datagrams: passed - before.passed,
        datagrams_lost: lost - before.lost,
        datagrams_overflowed: overflowed - before.overflowed,
    })
}

/// Transfers a second and the latencies of their batches.
async fn full_batches(
    cluster: &mut Cluster,
    arguments: &NetArguments,
    length: Duration,
) -> Result<(f64, Latencies)> {
    let node = cluster.wait_leader(READY_TIME_MAX).await?;
    let start = Instant::now();
    let stream = Stream {
        bank: STREAMER,
        batch: FULL_BATCH,
        in_flight: usize::from(arguments.in_flight),
        node,
        end: End::At(start + length),
    };
    let mut tasks = JoinSet::new();
    for _ in 0..arguments.streams {
        let layout = cluster.layout().clone();
        tasks.spawn(async move { stream.run(&layout).await });
    }
    let (mut settled, mut latencies) = (0, Latencies::new()?);
    while let Some(ended) = tasks.join_next().await {
        let streamed = ended.context("a stream broke")??;
        settled += streamed.settled;
        latencies.add(&streamed.latencies)?;
    }
    Ok((settled as f64 / start.elapsed().as_secs_f64(), latencies))
}

/// One payment after the other through one bank's gateway, which may be at the leader or not.
async fn lone_payments(
    cluster: &Cluster,
    count: u32,
    phase: &str,
    place: usize,
) -> Result<Latencies> {
    let bics = cluster.gateway_bics();
    let mut client = cluster.gateway_client(&bics[place])?;
    let mut latencies = Latencies::new()?;
    for number in 0..WARM_UP + count {
        let payment = Payment {
            uetr: uuid_v4()?,
            end_to_end_id: format!("NET-{number}"),
            debtor_bank: bics[place].clone(),
            creditor_bank: bics[1 - place].clone(),
            currency: "EUR".to_owned(),
            exponent: 2,
            minor: 100,
            remittance: "Benchmark".to_owned(),
        };
        let message_id = format!("NET-{phase}-{place}-{number}");
        let xml = pacs008(&message_id, std::slice::from_ref(&payment), now_ns());
        let answered = gateway_api::submit(&mut client, xml.as_bytes()).await?;
        let settled =
            matches!(&answered.reply, Reply::Status(report) if report.first().code == "ACSC");
        ensure!(settled, "payment {} is answered {:?}", payment.uetr, answered.reply);
        if number >= WARM_UP {
            latencies.record(answered.elapsed);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(latencies)
}
