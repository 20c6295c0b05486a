//! Payments both ways between two banks, and the checks that nothing of them was lost, doubled or changed.
//!
//! Eight clients pay without a break, one payment after the other. Each answer must be definitive, the
//! one that the payment deserves, and the same byte for byte whenever it is asked for again.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, http::HttpClient, messages::Payment};
use tokio::task::JoinSet;

use crate::process_stage::{Stage, UNPAYABLE_MINOR, definitive, euro, only_status, single};

const CLIENTS: u64 = 8;
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(30);
const OUTBOX_WAIT: Duration = Duration::from_millis(300);
/// A client's pause between two payments.
const PAUSE: Duration = Duration::from_millis(30);
/// Settled amounts are below this, so that no account ever lacks cover.
const MINOR_MAX: u64 = 10_000;
/// One payment in so many cannot be paid; one in so many is asked for again.
const UNPAYABLE_EACH: u64 = 12;
const REPEAT_EACH: u64 = 6;
/// At the end at least so many messages are handed over once more.
const RESENDS_MIN: usize = 60;

/// A payment with its definitive answer.
#[derive(Debug)]
pub(crate) struct Sent {
    payment: Payment,
    message: Vec<u8>,
    answer: Vec<u8>,
    settled: bool,
}

/// Seen by all clients.
#[derive(Default)]
struct Board {
    stop: AtomicBool,
    answered: AtomicU64,
}

/// Clients that pay until they are told to stop.
pub(crate) struct Traffic {
    board: Arc<Board>,
    clients: JoinSet<Result<Vec<Sent>>>,
}

/// What the checks at the end have seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    /// Payments with a definitive answer.
    pub(crate) payments: usize,
    /// Those that were settled.
    pub(crate) settled: usize,
    /// Messages that were handed over once more at the end.
    pub(crate) resent: usize,
    /// Height of all nodes.
    pub(crate) height: u64,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payments, settled, resent, height } = self;
        let refused = payments - settled;
        write!(
            f,
            "{payments} payments, {settled} settled, {refused} refused, {resent} resent; height {height}"
        )
    }
}

impl Traffic {
    /// Eight clients, half of them at each of the first two gateways.
    pub(crate) fn start(stage: &Stage) -> Result<Self> {
        let board = Arc::new(Board::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let own = number as usize % 2;
            let client = stage.cluster.gateway_client(&stage.bics[own])?;
            let banks = (stage.bics[own].clone(), stage.bics[1 - own].clone());
            let chance = Chance::new(stage.seed.wrapping_mul(1_000) + number);
            clients.spawn(pay(board.clone(), number, banks, client, chance));
        }
        Ok(Self { board, clients })
    }

    /// Payments answered definitively so far.
    pub(crate) fn answered(&self) -> u64 {
        self.board.answered.load(Ordering::Relaxed)
    }

    /// A client that ends before it is told to has failed.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        match self.clients.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                let sent = ended.context("a client of the traffic broke")??;
                anyhow::bail!("a client ended by itself after {} payments", sent.len())
            }
        }
    }

    /// Stops all clients after their last answer and returns all they sent.
    pub(crate) async fn stop(mut self) -> Result<Vec<Sent>> {
        self.board.stop.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        while let Some(ended) = self.clients.join_next().await {
            sent.extend(ended.context("a client of the traffic broke")??);
        }
        Ok(sent)
    }
}

/// Checks all that was promised: the nodes are equal and hold what the answers add up to, each
/// payment stands in the ledger as it was answered, answers stay, documents arrive exactly once.
pub(crate) async fn check_all(stage: &mut Stage, sent: &[Sent]) -> Result<Checked> {
    stage.wait_ready().await?;
    let settled: Vec<&Sent> = sent.iter().filter(|sent| sent.settled).collect();
    let expected = stage.expected_balances(settled.iter().map(|sent| &sent.payment))?;
    let nodes = stage.check_nodes(&expected).await?;
    check_ledger(stage, sent).await?;
    let resent = check_answers(stage, sent).await?;
    check_deliveries(stage, &settled).await?;
    // Nothing of that asking moved any money.
    stage.check_nodes(&expected).await?;
    Ok(Checked { payments: sent.len(), settled: settled.len(), resent, height: nodes[0].height })
}

/// Pays without a break, repeats some messages, and fails when an answer ever differs from the first.
async fn pay(
    board: Arc<Board>,
    number: u64,
    (own, other): (String, String),
    mut client: HttpClient,
    mut chance: Chance,
) -> Result<Vec<Sent>> {
    let mut sent: Vec<Sent> = Vec::new();
    while !board.stop.load(Ordering::Relaxed) {
        let name = format!("PAY-{number}-{}", sent.len());
        let payable = chance.below(UNPAYABLE_EACH) != 0;
        let minor = if payable { 1 + chance.below(MINOR_MAX) } else { UNPAYABLE_MINOR };
        let payment = euro(&mut chance, &own, &other, minor, &name);
        let message = single(&name, &payment);
        let answer = gateway_api::submit(&mut client, &message)
            .await
            .with_context(|| format!("payment {} of {own}", payment.uetr))?
            .bytes;
        let status = only_status(&definitive(&answer)?, &payment.uetr)?;
        let wanted = if payable { ("ACSC", "") } else { ("RJCT", "AM04") };
        ensure!(
            (status.code.as_str(), status.reason.as_str()) == wanted,
            "{payment:?} should be answered {wanted:?}, but got {status:?}"
        );
        sent.push(Sent { payment, message, answer, settled: payable });
        board.answered.fetch_add(1, Ordering::Relaxed);
        if chance.below(REPEAT_EACH) == 0 {
            let earlier = &sent[chance.below(sent.len() as u64) as usize];
            resend(&mut client, earlier).await?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(sent)
}

/// Hands a message over once more: the answer must be the first one, byte for byte.
async fn resend(client: &mut HttpClient, sent: &Sent) -> Result<()> {
    let uetr = &sent.payment.uetr;
    let again = gateway_api::submit(client, &sent.message)
        .await
        .with_context(|| format!("repetition of {uetr}"))?;
    ensure!(
        again.bytes == sent.answer,
        "the answer to {uetr} has changed from\n{}\nto\n{}",
        String::from_utf8_lossy(&sent.answer),
        String::from_utf8_lossy(&again.bytes)
    );
    Ok(())
}

/// Each payment stands in the ledger as it was answered; the nodes, which are equal, are asked in turn.
async fn check_ledger(stage: &Stage, sent: &[Sent]) -> Result<()> {
    let ids = stage.cluster.node_ids();
    let mut clients = Vec::new();
    for id in &ids {
        clients.push(stage.node_client(*id)?);
    }
    for (number, sent) in sent.iter().enumerate() {
        let answer = if sent.settled { "settled" } else { "refused" };
        let client = &mut clients[number % ids.len()];
        stage.check_transfer(client, &sent.payment, Some(answer)).await?;
    }
    Ok(())
}

/// A sample of messages gets its first answer again, by repetition and by name.
async fn check_answers(stage: &Stage, sent: &[Sent]) -> Result<usize> {
    let step = (sent.len() / RESENDS_MIN).max(1);
    let sample: Vec<&Sent> = sent.iter().step_by(step).collect();
    ensure!(sample.len() >= RESENDS_MIN, "only {} messages to repeat", sample.len());
    for sent in &sample {
        let uetr = &sent.payment.uetr;
        let mut client = stage.cluster.gateway_client(&sent.payment.debtor_bank)?;
        resend(&mut client, sent).await?;
        let named = client.get(&format!("/v1/messages/{uetr}")).await?;
        ensure!(
            named.status == 200 && named.body == sent.answer,
            "GET /v1/messages/{uetr} gives another answer: {} {}",
            named.status,
            named.text()
        );
    }
    Ok(sample.len())
}

/// Each settled payment lies exactly once in its creditor's outbox, and nothing else does.
async fn check_deliveries(stage: &Stage, settled: &[&Sent]) -> Result<()> {
    for bic in &stage.bics {
        let wanted: Vec<&str> = settled
            .iter()
            .filter(|sent| sent.payment.creditor_bank == *bic)
            .map(|sent| sent.payment.uetr.as_str())
            .collect();
        let mut client = stage.cluster.gateway_client(bic)?;
        let mut arrived: BTreeMap<String, u64> = BTreeMap::new();
        let (mut after, mut count) = (0, 0);
        let start = Instant::now();
        loop {
            let page = gateway_api::outbox(&mut client, after, OUTBOX_WAIT).await?;
            // An empty page after the last expected entry shows that nothing comes twice.
            if page.is_empty() && (count >= wanted.len() || start.elapsed() > DELIVERY_TIME_MAX) {
                break;
            }
            for entry in page {
                ensure!(entry.cursor > after, "cursor {} follows {after}", entry.cursor);
                after = entry.cursor;
                count += 1;
                ensure!(
                    entry.is_payment(),
                    "outbox entry {after} of {bic} is no payment message: {} {}",
                    entry.kind,
                    entry.content
                );
                *arrived.entry(entry.uetr).or_default() += 1;
            }
        }
        for uetr in &wanted {
            let times = arrived.remove(*uetr).unwrap_or_default();
            ensure!(times == 1, "{uetr} was delivered {times} times to {bic}");
        }
        ensure!(arrived.is_empty(), "{bic} received what nobody settled: {:?}", arrived.keys());
    }
    Ok(())
}
