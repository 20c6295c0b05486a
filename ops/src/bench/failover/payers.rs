//! Payments both ways between two banks at a fixed rate, and what is checked of them at the end.
//!
//! Payments are due at fixed times whether answers come or not. Each payer keeps a list of its own of
//! what it was answered; these lists are what the ledger has to agree with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::bench::measure::Latencies;
use crate::chance::Chance;
use crate::clock::now_ns;
use crate::cluster::Cluster;
use crate::gateway_api;
use crate::http::HttpClient;
use crate::init::{random, uuid_v4};
use crate::layout::{long_account, long_bic};
use crate::messages::{Payment, Reply, pacs008};
use crate::node_api::TransferView;

/// Connections that share the rate.
const PAYERS: u64 = 128;
const EQUAL_TIME_MAX: Duration = Duration::from_secs(60);
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(60);
const OUTBOX_WAIT: Duration = Duration::from_millis(300);

/// A settled payment as its payer was told.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    uetr: String,
    from: String,
    to: String,
    minor: u64,
}

/// Waits for the first payment that was begun after a moment and settled.
struct Watch {
    since: Instant,
    told: oneshot::Sender<Instant>,
}

struct Board {
    banks: [String; 2],
    start: Instant,
    rate: u32,
    run: u64,
    next: AtomicU64,
    stop: AtomicBool,
    watch: Mutex<Option<Watch>>,
}

/// Running payers.
pub(super) struct Payers {
    board: Arc<Board>,
    tasks: JoinSet<Result<(Vec<Settled>, Latencies)>>,
}

impl Payers {
    /// Starts to pay.
    pub(super) fn start(cluster: &Cluster, rate: u32) -> Result<Self> {
        let bics = cluster.gateway_bics();
        let [one, other] = &bics[..] else { anyhow::bail!("two gateways are needed") };
        let board = Arc::new(Board {
            banks: [one.clone(), other.clone()],
            start: Instant::now(),
            rate,
            run: u64::from_le_bytes(random()?),
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            watch: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..PAYERS {
            let own = (number % 2) as usize;
            let client = cluster.gateway_client(&board.banks[own])?;
            tasks.spawn(pay(board.clone(), own, client));
        }
        Ok(Self { board, tasks })
    }

    /// When the first payment that is begun from now on has settled, it is told.
    pub(super) fn next_settled(&self) -> oneshot::Receiver<Instant> {
        let (told, receiver) = oneshot::channel();
        let watch = Watch { since: Instant::now(), told };
        *self.board.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
        receiver
    }

    /// Fails with the reason when a payer has ended.
    pub(super) fn check_running(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended.context("a payer broke")??;
                anyhow::bail!("a payer ended by itself")
            }
        }
    }

    /// Lets all payers finish what they have begun.
    pub(super) async fn stop(mut self) -> Result<(Vec<Settled>, Latencies)> {
        self.board.stop.store(true, Ordering::Relaxed);
        let (mut settled, mut latencies) = (Vec::new(), Latencies::new()?);
        while let Some(ended) = self.tasks.join_next().await {
            let (own, times) = ended.context("a payer broke")??;
            settled.extend(own);
            latencies.add(&times)?;
        }
        Ok((settled, latencies))
    }
}

async fn pay(
    board: Arc<Board>,
    own: usize,
    mut client: HttpClient,
) -> Result<(Vec<Settled>, Latencies)> {
    let (from, to) = (&board.banks[own], &board.banks[1 - own]);
    let (mut list, mut latencies) = (Vec::new(), Latencies::new()?);
    loop {
        let number = board.next.fetch_add(1, Ordering::Relaxed);
        let due = board.start + Duration::from_secs_f64(number as f64 / f64::from(board.rate));
        tokio::time::sleep_until(due.into()).await;
        if board.stop.load(Ordering::Relaxed) {
            return Ok((list, latencies));
        }
        let minor = 1 + Chance::new(number).below(100);
        let payment = Payment {
            uetr: uuid_v4()?,
            end_to_end_id: format!("BENCH-{number}"),
            debtor_bank: from.clone(),
            creditor_bank: to.clone(),
            currency: "EUR".to_owned(),
            exponent: 2,
            minor,
            remittance: "Benchmark".to_owned(),
        };
        let message_id = format!("F{:016x}-{number}", board.run);
        let xml = pacs008(&message_id, std::slice::from_ref(&payment), now_ns());
        let begun = Instant::now();
        let answered = gateway_api::submit(&mut client, xml.as_bytes()).await?;
        let code = match &answered.reply {
            Reply::Status(report) => report.first().code,
            Reply::Unreadable { code, .. } => code.clone(),
        };
        ensure!(code == "ACSC", "payment {} is answered {:?}", payment.uetr, answered.reply);
        let now = Instant::now();
        latencies.record(now - due);
        list.push(Settled { uetr: payment.uetr, from: from.clone(), to: to.clone(), minor });
        let mut watch = board.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = watch.take_if(|watch| begun >= watch.since) {
            // Whoever waited may have given up.
            let _ = waiting.told.send(now);
        }
    }
}

/// What the ledger and the gateways say about the payers' lists.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    /// Acknowledged, but not in the ledger as acknowledged, or not delivered.
    pub(super) lost: u64,
    /// Delivered more than once, or moved money that nobody was told of.
    pub(super) doubled: u64,
    /// All nodes are equal, hold what the lists add up to, and conserve money.
    pub(super) balances_agree: bool,
}

/// Compares the lists with every node and with both outboxes.
pub(super) async fn check(cluster: &mut Cluster, settled: &[Settled]) -> Result<Verdict> {
    let mut verdict = Verdict { balances_agree: true, ..Verdict::default() };
    let mut changes: BTreeMap<String, i128> = BTreeMap::new();
    for payment in settled {
        let name = |bic: &str| long_account(&format!("{bic}/EUR"));
        *changes.entry(name(&payment.from)).or_default() -= i128::from(payment.minor);
        *changes.entry(name(&payment.to)).or_default() += i128::from(payment.minor);
    }
    let description = cluster.layout().description();
    let mut expected: BTreeMap<String, i128> = BTreeMap::new();
    for account in &description.accounts {
        let (funding, _) = description.minor_units(account)?;
        let name = long_account(&account.account);
        if let Some(change) = changes.get(&name) {
            expected.insert(name, i128::from(funding) + change);
        }
    }
    for status in cluster.wait_equal(EQUAL_TIME_MAX).await? {
        let balances = cluster.balances(status.node).await?;
        verdict.balances_agree &= status.conserved && balances.conserved();
        let held: BTreeMap<String, i128> = balances
            .accounts
            .iter()
            .map(|account| (long_account(&account.account), account.posted))
            .collect();
        verdict.balances_agree &=
            expected.iter().all(|(name, posted)| held.get(name) == Some(posted));
    }
    verdict.lost += missing_in_ledger(cluster, settled).await?;
    for bic in cluster.gateway_bics() {
        let wanted: BTreeSet<&str> = settled
            .iter()
            .filter(|payment| long_bic(&payment.to) == bic)
            .map(|payment| payment.uetr.as_str())
            .collect();
        let (arrived, doubled) = read_outbox(cluster.gateway_client(&bic)?, wanted.len()).await?;
        verdict.doubled += doubled;
        verdict.lost += wanted.iter().filter(|uetr| !arrived.contains(**uetr)).count() as u64;
        verdict.doubled +=
            arrived.iter().filter(|uetr| !wanted.contains(uetr.as_str())).count() as u64;
    }
    Ok(verdict)
}

/// Payments that a node does not show as they were acknowledged; the nodes are asked in turn.
async fn missing_in_ledger(cluster: &Cluster, settled: &[Settled]) -> Result<u64> {
    let mut tasks = JoinSet::new();
    let ids = cluster.node_ids();
    for (place, id) in ids.iter().enumerate() {
        let mut client = HttpClient::new(&cluster.node_http(*id)?)?;
        let own: Vec<Settled> = settled.iter().skip(place).step_by(ids.len()).cloned().collect();
        tasks.spawn(async move {
            let mut missing = 0;
            for payment in own {
                let answer = client.get(&format!("/v1/transfers/{}", payment.uetr)).await?;
                let shown: Option<TransferView> = serde_json::from_slice(&answer.body).ok();
                let agrees = shown.is_some_and(|shown| {
                    shown.answer == "settled"
                        && shown.legs.iter().map(|leg| leg.amount_minor).sum::<i128>()
                            == i128::from(payment.minor)
                });
                missing += u64::from(!agrees);
            }
            Ok::<u64, anyhow::Error>(missing)
        });
    }
    let mut missing = 0;
    while let Some(ended) = tasks.join_next().await {
        missing += ended.context("a check broke")??;
    }
    Ok(missing)
}

/// Everything in an outbox, and how many entries came more than once.
async fn read_outbox(mut client: HttpClient, wanted: usize) -> Result<(BTreeSet<String>, u64)> {
    let (mut arrived, mut doubled, mut after) = (BTreeSet::new(), 0, 0);
    let start = Instant::now();
    loop {
        let page = gateway_api::outbox(&mut client, after, OUTBOX_WAIT).await?;
        // One look after the last: what came twice would be seen.
        if page.is_empty() && (arrived.len() >= wanted || start.elapsed() > DELIVERY_TIME_MAX) {
            return Ok((arrived, doubled));
        }
        for entry in page {
            after = entry.cursor;
            doubled += u64::from(!arrived.insert(entry.uetr));
        }
    }
}
