//! The second part of the demo: many clients pay at once, and the leading node dies among them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::clock::now_ns;
use crate::gateway_api;
use crate::http::HttpClient;
use crate::init::uuid_v4;
use crate::messages::{Payment, Reply, pacs008};

use super::book::{Book, is_settled};
use super::scenario::{Stage, locked};

const CLIENTS_PER_BANK: usize = 2;
const PAUSE: Duration = Duration::from_millis(10);
const RECOVERY_TIME_MAX: Duration = Duration::from_secs(30);
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(30);
/// Currencies with their decimals and the largest amount of the traffic in minor units.
const CURRENCIES: [(&str, u8, u64); 3] =
    [("EUR", 2, 50_000), ("USD", 2, 50_000), ("JPY", 0, 9_000)];

/// What the outage cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outage {
    /// How often a leader was killed.
    pub(crate) leader_kills: u64,
    /// From the kill to the first settled answer to a payment sent after it.
    pub(crate) recovery: Duration,
    /// From the restart of the node until it had caught up.
    pub(crate) catch_up: Duration,
}

/// When a settled payment was handed over and answered.
type Settled = (Instant, Instant);

/// Seen by all clients.
struct Shared {
    stop: AtomicBool,
    book: Arc<Mutex<Book>>,
    settled: Mutex<Vec<Settled>>,
}

/// Runs traffic for some seconds, kills the leader after a third and restarts it after two thirds.
pub(crate) async fn run(stage: &mut Stage, seconds: u16) -> Result<Outage> {
    let third = Duration::from_secs(u64::from(seconds)) / 3;
    let clients = stage.banks.len() * CLIENTS_PER_BANK;
    stage
        .voice
        .step(&format!("Traffic: {clients} clients pay without a break, and the leader is killed"));
    let shared = Arc::new(Shared {
        stop: AtomicBool::new(false),
        book: stage.book.clone(),
        settled: Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    let bics: Arc<[String]> = stage.banks.iter().map(|bank| bank.bic.clone()).collect();
    for number in 0..clients {
        let own = number % bics.len();
        let client = stage.cluster.gateway_client(&bics[own])?;
        tasks.spawn(pay_on(shared.clone(), bics.clone(), own, number as u64, client));
    }

    tokio::time::sleep(third).await;
    let before = locked(&stage.book).counts().settled;
    let leader = stage.cluster.wait_leader(RECOVERY_TIME_MAX).await?;
    let killed = Instant::now();
    stage.cluster.kill_node(leader)?;
    stage.voice.line(format!(
        "node {leader}, the leader, is killed (SIGKILL); {before} payments were settled"
    ));
    let recovery = loop {
        if let Some(first) = first_after(&shared, killed) {
            break first - killed;
        }
        stage.cluster.check_running()?;
        ensure!(
            killed.elapsed() < RECOVERY_TIME_MAX,
            "no payment settled after the leader's death"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let successor = stage.cluster.wait_leader(RECOVERY_TIME_MAX).await?;
    stage.voice.line(format!(
        "the next payment settled {} ms after the kill; node {successor} leads now",
        recovery.as_millis()
    ));
    tokio::time::sleep(third.saturating_sub(killed.elapsed())).await;

    let restarted = Instant::now();
    stage.cluster.start_node(leader)?;
    let goal = stage.cluster.node_status(successor).await?.height;
    let catch_up = loop {
        let status = stage.cluster.node_status(leader).await;
        if status.is_ok_and(|status| status.height >= goal) {
            break restarted.elapsed();
        }
        stage.cluster.check_running()?;
        ensure!(
            restarted.elapsed() < CATCH_UP_TIME_MAX,
            "node {leader} did not catch up after its restart"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    stage.voice.line(format!(
        "node {leader} is started again and has caught up with block {goal} after {} ms",
        catch_up.as_millis()
    ));
    tokio::time::sleep(third.saturating_sub(restarted.elapsed())).await;

    shared.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended.context("a client of the traffic broke")? {
            // The payment stays unanswered in the book and is counted as lost.
            stage.voice.line(format!("a client gave up: {error:#}"));
        }
    }
    let counts = locked(&stage.book).counts();
    stage.voice.line(format!(
        "traffic ended: {} payments sent so far, {} settled, {} refused, {} unanswered",
        counts.sent, counts.settled, counts.refused, counts.unanswered
    ));
    Ok(Outage { leader_kills: 1, recovery, catch_up })
}

/// When the first payment that was sent after a point in time was answered as settled.
fn first_after(shared: &Shared, start: Instant) -> Option<Instant> {
    let settled = shared.settled.lock().unwrap_or_else(PoisonError::into_inner);
    settled.iter().filter(|(sent, _)| *sent >= start).map(|(_, answered)| *answered).min()
}

/// Pays random amounts to random banks, one after the other, until told to stop.
async fn pay_on(
    shared: Arc<Shared>,
    bics: Arc<[String]>,
    own: usize,
    number: u64,
    mut client: HttpClient,
) -> Result<()> {
    let mut chance = Chance::new(number);
    let mut count = 0u32;
    while !shared.stop.load(Ordering::Relaxed) {
        count += 1;
        let other = chance.below_but(bics.len() as u64, own as u64) as usize;
        let (currency, exponent, most) = CURRENCIES[chance.below(3) as usize];
        let payment = Payment {
            uetr: uuid_v4()?,
            end_to_end_id: format!("TRAFFIC-{number}-{count}"),
            debtor_bank: bics[own].clone(),
            creditor_bank: bics[other].clone(),
            currency: currency.to_owned(),
            exponent,
            minor: 1 + chance.below(most),
            remittance: "Traffic".to_owned(),
        };
        let message_id = format!("TRAFFIC-{number:03}-{count:08}");
        let xml = pacs008(&message_id, std::slice::from_ref(&payment), now_ns());
        let entry = locked(&shared.book).sent(payment);
        let sent = Instant::now();
        let answered = gateway_api::submit(&mut client, xml.as_bytes()).await?;
        let Reply::Status(report) = answered.reply else {
            anyhow::bail!("a payment was answered as unreadable")
        };
        let status = report.first();
        if is_settled(&status) {
            let mut settled = shared.settled.lock().unwrap_or_else(PoisonError::into_inner);
            settled.push((sent, Instant::now()));
        }
        locked(&shared.book).answered(entry, status, answered.elapsed);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
