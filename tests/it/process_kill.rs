//! Twenty sudden deaths under traffic: nodes and gateways are killed and restarted while eight clients pay both ways.
//!
//! Whatever dies, each payment has one answer for ever, money moves exactly once for each `ACSC`, its
//! document arrives exactly once, and the nodes end equal. At no time is more than one of three nodes down.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, http::HttpClient, messages::Payment};
use tokio::task::JoinSet;

use crate::process_stage::{
    Stage, UNPAYABLE_MINOR, definitive, euro, on_stage, only_status, shuffle, single,
};

const CLIENTS: u64 = 8;
const LEADER_KILLS: usize = 7;
const FOLLOWER_KILLS: usize = 5;
const GATEWAY_KILLS: usize = 8;
const KILLS: usize = LEADER_KILLS + FOLLOWER_KILLS + GATEWAY_KILLS;
/// A killed process stays down for at most this long, in milliseconds.
const DOWN_MS_MAX: u64 = 1_000;
/// Traffic runs this long between two kills, in milliseconds, and until some payments were answered.
const CALM_MS: std::ops::Range<u64> = 200..900;
const ANSWERS_BETWEEN_KILLS: u64 = 8;
const PROGRESS_TIME_MAX: Duration = Duration::from_secs(30);
const LEADER_TIME_MAX: Duration = Duration::from_secs(30);
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
/// Fewer would mean that the traffic stood still.
const SETTLED_MIN: usize = 200;

/// Who is killed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Leader,
    Follower,
    Gateway(usize),
}

/// A process that is down.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Down {
    Node(u64),
    Gateway(String),
}

/// A payment with its definitive answer.
#[derive(Debug)]
struct Sent {
    payment: Payment,
    message: Vec<u8>,
    answer: Vec<u8>,
    settled: bool,
}

/// Seen by all clients.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    answered: AtomicU64,
}

#[test]
fn twenty_kills_lose_and_double_nothing() {
    on_stage("process-kill", false, kill_and_check);
}

async fn kill_and_check(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    let start = Instant::now();
    let traffic = Arc::new(Traffic::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let own = number as usize % 2;
        let client = stage.cluster.gateway_client(&stage.bics[own])?;
        let banks = (stage.bics[own].clone(), stage.bics[1 - own].clone());
        let chance = Chance::new(stage.seed.wrapping_mul(1_000) + number);
        clients.spawn(pay(traffic.clone(), number, banks, client, chance));
    }
    let kills = kill_all(stage, &traffic, &mut clients).await?;
    traffic.stop.store(true, Ordering::Relaxed);
    let mut sent: Vec<Vec<Sent>> = Vec::new();
    while let Some(ended) = clients.join_next().await {
        sent.push(ended.context("a client of the traffic broke")??);
    }
    let traffic_time = start.elapsed();
    let sent: Vec<Sent> = sent.into_iter().flatten().collect();
    ensure!(kills.len() == KILLS, "only {} kills", kills.len());

    stage.wait_ready().await?;
    let settled: Vec<&Sent> = sent.iter().filter(|sent| sent.settled).collect();
    ensure!(settled.len() >= SETTLED_MIN, "only {} payments settled", settled.len());
    let expected = stage.expected_balances(settled.iter().map(|sent| &sent.payment))?;
    let nodes = stage.check_nodes(&expected).await?;
    check_ledger(stage, &sent).await?;
    let resent = check_answers(stage, &sent).await?;
    check_deliveries(stage, &settled).await?;
    // Nothing of that asking moved any money.
    stage.check_nodes(&expected).await?;
    println!(
        "{} payments, {} settled, {} refused; {KILLS} kills ({}) in {:.1} s; {resent} resent; height {}, \
         checked after {:.1} s",
        sent.len(),
        settled.len(),
        sent.len() - settled.len(),
        kills.join(", "),
        traffic_time.as_secs_f64(),
        nodes[0].height,
        start.elapsed().as_secs_f64(),
    );
    Ok(())
}

/// Pays without a break, repeats some messages, and fails when an answer ever differs from the first.
async fn pay(
    traffic: Arc<Traffic>,
    number: u64,
    (own, other): (String, String),
    mut client: HttpClient,
    mut chance: Chance,
) -> Result<Vec<Sent>> {
    let mut sent: Vec<Sent> = Vec::new();
    while !traffic.stop.load(Ordering::Relaxed) {
        let name = format!("KILL-{number}-{}", sent.len());
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
        traffic.answered.fetch_add(1, Ordering::Relaxed);
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

/// All victims in an order that the seed chooses.
fn victims(chance: &mut Chance) -> Vec<Victim> {
    let mut victims = vec![Victim::Leader; LEADER_KILLS];
    victims.extend([Victim::Follower; FOLLOWER_KILLS]);
    victims.extend((0..GATEWAY_KILLS).map(|number| Victim::Gateway(number % 2)));
    shuffle(&mut victims, chance);
    victims
}

/// Kills and restarts until the list is done and everybody runs; returns who was killed, in order.
async fn kill_all(
    stage: &mut Stage,
    traffic: &Traffic,
    clients: &mut JoinSet<Result<Vec<Sent>>>,
) -> Result<Vec<String>> {
    let mut chance = Chance::new(stage.seed);
    let mut down = Downs::default();
    let mut killed = Vec::new();
    let mut leaders_killed = 0;
    for victim in victims(&mut chance) {
        let before = traffic.answered.load(Ordering::Relaxed);
        let calm = CALM_MS.start + chance.below(CALM_MS.end - CALM_MS.start);
        down.restart_until(stage, Instant::now() + Duration::from_millis(calm)).await?;
        let start = Instant::now();
        while traffic.answered.load(Ordering::Relaxed) < before + ANSWERS_BETWEEN_KILLS {
            fail_with_client(clients)?;
            stage.cluster.check_running()?;
            ensure!(
                start.elapsed() < PROGRESS_TIME_MAX,
                "no traffic for {} s after {killed:?}",
                PROGRESS_TIME_MAX.as_secs()
            );
            down.restart_until(stage, Instant::now() + Duration::from_millis(20)).await?;
        }
        let target = match victim {
            Victim::Gateway(number) => Down::Gateway(stage.bics[number].clone()),
            Victim::Leader | Victim::Follower => {
                down.wait_for_nodes(stage).await?;
                let leader = stage.cluster.wait_leader(LEADER_TIME_MAX).await?;
                let others: Vec<u64> =
                    stage.cluster.node_ids().into_iter().filter(|id| *id != leader).collect();
                let follower = others[chance.below(others.len() as u64) as usize];
                leaders_killed += usize::from(victim == Victim::Leader);
                Down::Node(if victim == Victim::Leader { leader } else { follower })
            }
        };
        down.wait_for(stage, &target).await?;
        let name = match &target {
            Down::Node(id) => {
                stage.cluster.kill_node(*id)?;
                format!("{victim:?} {id}")
            }
            Down::Gateway(bic) => {
                stage.cluster.kill_gateway(bic)?;
                format!("{bic:.4}")
            }
        };
        killed.push(name);
        let due = Instant::now() + Duration::from_millis(chance.below(DOWN_MS_MAX + 1));
        down.0.push((due, target));
    }
    ensure!(leaders_killed >= 5, "only {leaders_killed} leaders were killed");
    while !down.0.is_empty() {
        down.restart_next(stage).await?;
    }
    stage.wait_ready().await?;
    stage.cluster.check_running()?;
    fail_with_client(clients)?;
    Ok(killed)
}

/// A client that ends before it is told to has failed.
fn fail_with_client(clients: &mut JoinSet<Result<Vec<Sent>>>) -> Result<()> {
    match clients.try_join_next() {
        None => Ok(()),
        Some(ended) => {
            let sent = ended.context("a client of the traffic broke")??;
            anyhow::bail!("a client ended by itself after {} payments", sent.len())
        }
    }
}

/// Who is down, and when each is started again.
#[derive(Default)]
struct Downs(Vec<(Instant, Down)>);

impl Downs {
    /// Sleeps until a point in time and starts on the way what is due.
    async fn restart_until(&mut self, stage: &mut Stage, end: Instant) -> Result<()> {
        while self.0.iter().any(|(due, _)| *due <= end) {
            self.restart_next(stage).await?;
        }
        tokio::time::sleep_until(end.into()).await;
        Ok(())
    }

    /// Waits for the next restart and does it.
    async fn restart_next(&mut self, stage: &mut Stage) -> Result<()> {
        let next = (0..self.0.len()).min_by_key(|place| self.0[*place].0);
        let (due, down) = self.0.swap_remove(next.context("nobody is down")?);
        tokio::time::sleep_until(due.into()).await;
        match down {
            Down::Node(id) => stage.cluster.start_node(id),
            Down::Gateway(bic) => stage.cluster.start_gateway(&bic),
        }
    }

    /// Waits until this process runs.
    async fn wait_for(&mut self, stage: &mut Stage, wanted: &Down) -> Result<()> {
        while self.0.iter().any(|(_, down)| down == wanted) {
            self.restart_next(stage).await?;
        }
        Ok(())
    }

    /// Waits until all nodes run.
    async fn wait_for_nodes(&mut self, stage: &mut Stage) -> Result<()> {
        while self.0.iter().any(|(_, down)| matches!(down, Down::Node(_))) {
            self.restart_next(stage).await?;
        }
        Ok(())
    }
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
