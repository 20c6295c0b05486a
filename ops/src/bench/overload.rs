//! `corridor bench overload`: ten times more than the cluster can do, all from one bank.
//!
//! Three phases of equal length, and in each a second bank sends a steady small load: that load alone;
//! beside it the first bank in a closed loop, which is the maximum; beside it the first bank's offer
//! of `--times` that maximum, whether answers come or not. What is given back as busy is offered
//! again, so that the offer costs no more signatures than what settles. An offer that the connection
//! does not take, because the node reads no faster, is counted as held back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ledger::Digest;
use link::{Client, ClientConfig, ClientSideEvent, LinkKey, OutFrame, SendResult, keyfile};
use serde::Serialize;
use tokio::sync::{Barrier, mpsc, oneshot};
use tokio::task::JoinSet;
use wire::client::{
    CLIENT_PROTOCOL, FRAME_VERSION, KIND_NOT_TAKEN, KIND_OUTCOMES, KIND_SUBMIT, NotTaken,
    NotTakenReason, Outcomes,
};

use crate::cluster::{Cluster, READY_TIME_MAX, find_program};

use super::ledger::client::{self, ClientPlan, Signed, sign_ahead, wait_connected};
use super::ledger::{network, servers};
use super::measure::{Latencies, rounded};
use super::pace::Pace;
use super::place::{Place, PlaceArguments};

/// Signed bytes that a connection of the first bank holds at most, settled ones excluded.
const HELD_BYTES_MAX: usize = 48 << 20;
const TURN: Duration = Duration::from_millis(2);
/// How long answers are waited for after the last offer.
const LAST_ANSWERS: Duration = Duration::from_secs(15);
const EQUAL_TIME_MAX: Duration = Duration::from_secs(60);
const BANKS: u32 = 2;

/// Arguments of `corridor bench overload`.
#[derive(Debug, Args)]
pub struct OverloadArguments {
    /// Node processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Seconds of each of the three phases
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many times the maximum is offered
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=100))]
    times: u32,
    /// Transfers under one signature of the first bank, 1 to 8192
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=8_192))]
    batch: u32,
    /// Connections of the first bank
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=8))]
    connections: u8,
    /// Batches that each connection keeps in flight while the maximum is measured
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    in_flight: u16,
    /// Transfers a second of the second bank, each under a signature of its own
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    second_rate: u32,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The second bank's latencies in one phase, in milliseconds.
#[derive(Debug, Serialize)]
struct SecondBank {
    phase: &'static str,
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
    settled: u64,
    busy: u64,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct OverloadResult {
    nodes: u8,
    batch: u32,
    seconds: u32,
    maximum_per_second: f64,
    offered_per_second: f64,
    goodput_per_second: f64,
    goodput_ratio: f64,
    /// Offers that a node answered with "busy".
    busy: u64,
    /// Offers that the connection did not take.
    held_back: u64,
    second_bank: Vec<SecondBank>,
    /// The second bank's p99 under overload as a multiple of that at the maximum.
    second_p99_ratio: f64,
    rss_bytes: Vec<(u64, u64)>,
    conserved: bool,
    held: bool,
}

/// The second bank at work.
type Steady = oneshot::Receiver<Result<Offered>>;

/// What one connection offers.
struct Offer {
    plan: ClientPlan,
    /// Batches offered each second.
    per_second: f64,
    seconds: Duration,
    /// Signed bytes held at most, all of them before the phase begins.
    held_max: usize,
    /// Where all connections of a phase wait for each other.
    begin: Arc<Barrier>,
}

/// What became of it.
struct Offered {
    latencies: Latencies,
    offered: u64,
    settled: u64,
    busy: u64,
    held_back: u64,
}

/// Runs `corridor bench overload`.
pub(crate) async fn run(arguments: OverloadArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let description = network(BANKS as usize, usize::from(arguments.nodes), 10_000)?;
    let mut cluster = Cluster::create(place.path(), description, &find_program()?)?;
    cluster.start_all_nodes()?;
    cluster.wait_ready(READY_TIME_MAX).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    println!(
        "ready, node {leader} leads; first bank: batches of {} over {} connections; second bank: {} transfers/s",
        arguments.batch, arguments.connections, arguments.second_rate
    );
    let seconds = Duration::from_secs(u64::from(arguments.seconds));

    let alone = steady(&arguments, &cluster, leader, Arc::new(Barrier::new(1)))?
        .await
        .context("the second bank broke")??;
    let beside = steady(&arguments, &cluster, leader, Arc::new(Barrier::new(1)))?;
    let mut tasks = JoinSet::new();
    for _ in 0..arguments.connections {
        let mut plan = plan(&cluster, leader, 0, arguments.batch)?;
        plan.seconds = Some(seconds);
        plan.in_flight = usize::from(arguments.in_flight);
        tasks.spawn(client::run(plan, Pace::start()));
    }
    let (start, mut maximum) = (Instant::now(), 0);
    while let Some(ended) = tasks.join_next().await {
        maximum += ended.context("a client broke")??.settled;
    }
    let maximum_per_second = maximum as f64 / start.elapsed().as_secs_f64();
    let at_maximum = beside.await.context("the second bank broke")??;
    println!("maximum: {maximum_per_second:.0} transfers/s");

    // What the first bank signs ahead, it signs before: its processors are not the nodes'.
    let begin = Arc::new(Barrier::new(usize::from(arguments.connections) + 1));
    let beside = steady(&arguments, &cluster, leader, Arc::clone(&begin))?;
    let share = maximum_per_second * f64::from(arguments.times) / f64::from(arguments.connections);
    let mut tasks = JoinSet::new();
    for _ in 0..arguments.connections {
        tasks.spawn(offer(Offer {
            plan: plan(&cluster, leader, 0, arguments.batch)?,
            per_second: share / f64::from(arguments.batch),
            seconds,
            held_max: HELD_BYTES_MAX,
            begin: Arc::clone(&begin),
        }));
    }
    let (mut offered, mut settled, mut busy, mut held_back) = (0, 0, 0, 0);
    while let Some(ended) = tasks.join_next().await {
        let own = ended.context("a connection broke")??;
        offered += own.offered;
        settled += own.settled;
        busy += own.busy;
        held_back += own.held_back;
    }
    let under_overload = beside.await.context("the second bank broke")??;
    let equal = cluster.wait_equal(EQUAL_TIME_MAX).await?;
    let conserved = equal.iter().all(|status| status.conserved && status.refused == 0);
    let goodput = settled as f64 / seconds.as_secs_f64();
    let p99_ratio =
        under_overload.latencies.ms_at(99.0) / at_maximum.latencies.ms_at(99.0).max(0.001);
    let result = OverloadResult {
        nodes: arguments.nodes,
        batch: arguments.batch,
        seconds: arguments.seconds,
        maximum_per_second: maximum_per_second.round(),
        offered_per_second: (offered as f64 * f64::from(arguments.batch) / seconds.as_secs_f64())
            .round(),
        goodput_per_second: goodput.round(),
        goodput_ratio: rounded(goodput / maximum_per_second.max(1.0)),
        busy,
        held_back,
        second_bank: vec![
            second("alone", &alone),
            second("beside the maximum", &at_maximum),
            second("beside the overload", &under_overload),
        ],
        second_p99_ratio: rounded(p99_ratio),
        rss_bytes: cluster.node_rss(),
        conserved,
        held: conserved,
    };
    print(&result);
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    cluster.stop()?;
    ensure!(result.held, "money does not add up; see {}", place.path().display());
    place.done()
}

fn second(phase: &'static str, offered: &Offered) -> SecondBank {
    SecondBank {
        phase,
        ms_p50: offered.latencies.ms_at(50.0),
        ms_p99: offered.latencies.ms_at(99.0),
        ms_max: offered.latencies.ms_max(),
        settled: offered.settled,
        busy: offered.busy,
    }
}

fn print(result: &OverloadResult) {
    println!(
        "offered {:.0} transfers/s: {:.0}/s settled, {:.0} % of the maximum; {} offers answered busy, {} held back by the connection",
        result.offered_per_second,
        result.goodput_per_second,
        result.goodput_ratio * 100.0,
        result.busy,
        result.held_back
    );
    for row in &result.second_bank {
        println!(
            "second bank {:<20} p50 {:>7.1} ms, p99 {:>7.1} ms, max {:>7.1} ms ({} settled, {} busy)",
            row.phase, row.ms_p50, row.ms_p99, row.ms_max, row.settled, row.busy
        );
    }
    let memory: Vec<String> =
        result.rss_bytes.iter().map(|(_, bytes)| (bytes >> 20).to_string()).collect();
    println!("nodes had up to {} MiB; money adds up: {}", memory.join(", "), result.conserved);
}

fn plan(cluster: &Cluster, leader: u64, bank: u32, batch: u32) -> Result<ClientPlan> {
    let (genesis, servers) = servers(cluster, leader)?;
    let layout = cluster.layout();
    let description = layout.description();
    Ok(ClientPlan {
        number: bank,
        clients: BANKS,
        accounts: description.accounts.len() as u32,
        transfers: u64::MAX,
        seconds: None,
        batch,
        in_flight: 1,
        domain: genesis.domain,
        servers,
        keys: layout.participant_dir(&description.banks[bank as usize]),
    })
}

/// The second bank's steady load, from a thread of its own: it is another process in life, and must not
/// wait until this one has signed and sent what the first bank floods the nodes with.
fn steady(
    arguments: &OverloadArguments,
    cluster: &Cluster,
    leader: u64,
    begin: Arc<Barrier>,
) -> Result<Steady> {
    let offered = Offer {
        plan: plan(cluster, leader, 1, 1)?,
        per_second: f64::from(arguments.second_rate),
        seconds: Duration::from_secs(u64::from(arguments.seconds)),
        held_max: 64 << 10,
        begin,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new().name("second-bank".to_owned()).spawn(move || {
        // Who waits for it may be gone with an error of its own.
        let _ = sender.send(runtime.block_on(offer(offered)));
    })?;
    Ok(receiver)
}

/// A batch that was sent.
struct Sent {
    batch: Signed,
    /// When it was first due.
    due: Instant,
}

/// Batches of one connection, sent and waiting.
struct Open {
    signed: mpsc::Receiver<Signed>,
    /// Ready to be offered, with the time when each was first due, if it was offered before.
    ready: VecDeque<(Signed, Option<Instant>)>,
    sent: BTreeMap<Digest, Sent>,
    bytes: usize,
    bytes_max: usize,
}

impl Open {
    /// Takes in signed batches as far as there is room.
    fn fill(&mut self) {
        while self.bytes < self.bytes_max
            && let Ok(batch) = self.signed.try_recv()
        {
            self.hold(batch);
        }
    }

    fn hold(&mut self, batch: Signed) {
        self.bytes += batch.submission.len();
        self.ready.push_back((batch, None));
    }
}

/// Offers batches at a fixed rate until the time is over, then waits for the last answers.
async fn offer(offer: Offer) -> Result<Offered> {
    let plan = &offer.plan;
    let key = LinkKey::from_seed(*keyfile::read(&plan.keys.join("link.key"))?);
    let (client, mut events) = Client::connect(ClientConfig {
        key,
        network_id: plan.domain.network,
        servers: plan.servers.clone(),
        hello: CLIENT_PROTOCOL.to_le_bytes().to_vec().into(),
        frame_bytes_max: wire::frame::CLIENT_FRAME_BYTES_MAX,
    })
    .await?;
    wait_connected(&mut events).await?;
    let mut open = Open {
        signed: sign_ahead(plan)?,
        ready: VecDeque::new(),
        sent: BTreeMap::new(),
        bytes: 0,
        bytes_max: offer.held_max,
    };
    let mut result =
        Offered { latencies: Latencies::new()?, offered: 0, settled: 0, busy: 0, held_back: 0 };
    while open.bytes < open.bytes_max {
        let batch = open.signed.recv().await.context("the thread that signs has ended")?;
        open.hold(batch);
    }
    offer.begin.wait().await;
    let start = Instant::now();
    let mut turns = tokio::time::interval(TURN);
    loop {
        let now = Instant::now();
        let over = now >= start + offer.seconds;
        if over && (open.sent.is_empty() || now >= start + offer.seconds + LAST_ANSWERS) {
            client.close();
            return Ok(result);
        }
        tokio::select! {
            event = events.recv() => match event.context("the connection is gone for good")? {
                ClientSideEvent::Frame(frame) => {
                    on_frame(&frame, &mut open, &mut result, !over)?;
                }
                ClientSideEvent::Connected { .. } => {}
                ClientSideEvent::Disconnected { .. } => bail!("a node ended the connection"),
            },
            _ = turns.tick(), if !over => {
                open.fill();
                // The first is due at once.
                let due = (start.elapsed().as_secs_f64() * offer.per_second) as u64 + 1;
                while result.offered < due {
                    let at = Duration::from_secs_f64(result.offered as f64 / offer.per_second);
                    if !offer_next(&client, &mut open, start + at) {
                        result.held_back += due - result.offered;
                        result.offered = due;
                        break;
                    }
                    result.offered += 1;
                }
            }
            () = tokio::time::sleep(TURN * 5), if over => {}
        }
    }
}

/// Offers the next batch; `false` when the connection does not take it or none is ready.
fn offer_next(client: &Client, open: &mut Open, now_due: Instant) -> bool {
    let Some((batch, before)) = open.ready.pop_front() else { return false };
    let frame = OutFrame::new(KIND_SUBMIT, FRAME_VERSION, batch.submission.clone());
    if client.try_send(frame) != SendResult::Sent {
        open.ready.push_front((batch, before));
        return false;
    }
    let due = before.unwrap_or(now_due);
    open.sent.insert(batch.digest, Sent { batch, due });
    true
}

fn on_frame(
    frame: &wire::frame::Frame,
    open: &mut Open,
    result: &mut Offered,
    in_time: bool,
) -> Result<()> {
    match frame.kind {
        KIND_OUTCOMES => {
            let outcomes = Outcomes::decode(frame.payload.clone())?;
            if let Some(sent) = open.sent.remove(&outcomes.batch) {
                open.bytes -= sent.batch.submission.len();
                result.latencies.record(sent.due.elapsed());
                // What settles after the end of the phase is no part of its goodput.
                result.settled += if in_time { outcomes.outcomes.len() as u64 } else { 0 };
            }
        }
        KIND_NOT_TAKEN => {
            let not_taken = NotTaken::decode(frame.payload.clone())?;
            if let NotTakenReason::Invalid { text } = not_taken.reason {
                bail!("a node finds a batch invalid: {text}");
            }
            result.busy += 1;
            if let Some(sent) = open.sent.remove(&not_taken.batch) {
                open.ready.push_back((sent.batch, Some(sent.due)));
            }
        }
        _ => {}
    }
    Ok(())
}
