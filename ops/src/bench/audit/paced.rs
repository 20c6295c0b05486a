//! A load that comes at its own pace: so many batches a second, whatever the network does with them.
//!
//! The time of a batch counts from when it was to be sent. So a network that stops answers late to all that would have
//! come meanwhile, and not to the one batch that was under way.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ledger::{Answer, Digest};
use link::{Client, ClientConfig, ClientSideEvent, LinkKey, OutFrame, keyfile};
use tokio::{task::JoinSet, time::sleep_until};
use wire::client::{
    CLIENT_PROTOCOL, FRAME_VERSION, KIND_NOT_TAKEN, KIND_OUTCOMES, KIND_SUBMIT, NotTaken,
    NotTakenReason, Outcomes,
};

use super::ledger::client::{ClientPlan, Signed, sign_ahead, wait_connected};
use crate::bench::measure::Latencies;

/// Batches of one client that are under way; what is due beyond waits, and its time runs.
const FLYING_MAX: usize = 256;
/// Without any news for this long the run has failed.
const NEWS_TIME_MAX: Duration = Duration::from_secs(30);

/// What came of a load.
pub(super) struct Paced {
    /// Transfers settled.
    pub(super) settled: u64,
    /// From the time at which each batch was to be sent until its outcomes were there.
    pub(super) latencies: Latencies,
}

struct Flying {
    batch: Signed,
    due: Instant,
    /// To be sent again at this time, because the node was busy.
    again: Option<Instant>,
}

/// Runs one client for each plan; a client sends a batch each `every`, the clients in turn.
pub(super) async fn run(plans: Vec<ClientPlan>, every: Duration) -> Result<Paced> {
    let clients = u32::try_from(plans.len()).context("few clients")?;
    let mut tasks = JoinSet::new();
    for plan in plans {
        let shift = every * plan.number / clients;
        tasks.spawn(one(plan, every, shift));
    }
    let mut all = Paced { settled: 0, latencies: Latencies::new()? };
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.context("a client broke")??;
        all.settled += ended.settled;
        all.latencies.add(&ended.latencies)?;
    }
    Ok(all)
}

async fn one(plan: ClientPlan, every: Duration, shift: Duration) -> Result<Paced> {
    let link_key = LinkKey::from_seed(*keyfile::read(&plan.keys.join("link.key"))?);
    let (client, mut events) = Client::connect(ClientConfig {
        key: link_key,
        network_id: plan.domain.network,
        servers: plan.servers.clone(),
        hello: CLIENT_PROTOCOL.to_le_bytes().to_vec().into(),
        frame_bytes_max: wire::frame::CLIENT_FRAME_BYTES_MAX,
    })
    .await?;
    wait_connected(&mut events).await?;
    let mut done = Paced { settled: 0, latencies: Latencies::new()? };
    let mut batches = sign_ahead(&plan)?;
    let mut flying: BTreeMap<Digest, Flying> = BTreeMap::new();
    let mut due = Some(Instant::now() + shift);
    let mut news = Instant::now();
    while due.is_some() || !flying.is_empty() {
        let again = flying.values().filter_map(|one| one.again).min();
        let quiet = news + NEWS_TIME_MAX;
        let next = due.filter(|_| flying.len() < FLYING_MAX);
        let wake = [next, again, Some(quiet)].into_iter().flatten().min().unwrap_or(quiet);
        tokio::select! {
            event = events.recv() => {
                news = Instant::now();
                match event.context("the connection is gone for good")? {
                    ClientSideEvent::Frame(frame) => take(&frame, &mut flying, &mut done, &plan)?,
                    ClientSideEvent::Disconnected { .. } => {}
                    ClientSideEvent::Connected { .. } => {
                        // What was under way may be lost; a batch that is sent twice is answered alike.
                        for one in flying.values_mut() {
                            one.again = None;
                            send(&client, &one.batch).await;
                        }
                    }
                }
            }
            () = sleep_until(wake.into()) => {
                let now = Instant::now();
                ensure!(flying.is_empty() || now < quiet, "no news from the network");
                for one in flying.values_mut().filter(|one| one.again.is_some_and(|at| at <= now)) {
                    one.again = None;
                    send(&client, &one.batch).await;
                }
                if let Some(at) = next.filter(|at| *at <= now) {
                    due = match batches.recv().await {
                        None => None,
                        Some(batch) => {
                            send(&client, &batch).await;
                            if flying.is_empty() {
                                news = now;
                            }
                            flying.insert(batch.digest, Flying { batch, due: at, again: None });
                            Some(at + every)
                        }
                    };
                }
            }
        }
    }
    client.close();
    Ok(done)
}

/// A frame that cannot be sent is sent again after the next connection.
async fn send(client: &Client, batch: &Signed) {
    let frame = OutFrame::new(KIND_SUBMIT, FRAME_VERSION, batch.submission.clone());
    let _ = client.send(frame).await;
}

fn take(
    frame: &wire::frame::Frame,
    flying: &mut BTreeMap<Digest, Flying>,
    done: &mut Paced,
    plan: &ClientPlan,
) -> Result<()> {
    match frame.kind {
        KIND_OUTCOMES => {
            let outcomes = Outcomes::decode(frame.payload.clone())?;
            // A batch that was sent twice is answered twice.
            if let Some(one) = flying.remove(&outcomes.batch) {
                done.latencies.record(one.due.elapsed());
                let settled = |answer: Answer| answer == Answer::Settled;
                ensure!(
                    outcomes.outcomes.len() == plan.batch as usize
                        && outcomes.outcomes.iter().all(|one| settled(one.answer)),
                    "a transfer of the load did not settle"
                );
                done.settled += outcomes.outcomes.len() as u64;
            }
        }
        KIND_NOT_TAKEN => {
            let not_taken = NotTaken::decode(frame.payload.clone())?;
            match not_taken.reason {
                NotTakenReason::Invalid { text } => bail!("a node finds a batch invalid: {text}"),
                NotTakenReason::Busy { retry_after_ms } => {
                    if let Some(one) = flying.get_mut(&not_taken.batch) {
                        let wait = Duration::from_millis(u64::from(retry_after_ms));
                        one.again = Some(Instant::now() + wait);
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}
