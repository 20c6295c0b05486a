//! One client of the ledger benchmark: a signing thread, a connection, batches in flight.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Answer, Command, Digest, LedgerTime, Leg, Legs, ParticipantNumber,
    Transfer, TransferId,
};
use link::{Client, ClientConfig, ClientSideEvent, LinkKey, OutFrame, ServerAddress, keyfile};
use tokio::sync::mpsc;
use tokio::time::Instant as TokioInstant;
use wire::batch::{BatchBuilder, Domain, encode_submission};
use wire::client::{
    CLIENT_PROTOCOL, FRAME_VERSION, KIND_NOT_TAKEN, KIND_OUTCOMES, KIND_SUBMIT, NotTaken,
    NotTakenReason, Outcomes,
};

use crate::bench::measure::Latencies;
use crate::bench::pace::Pace;
use crate::chance::Chance;
use crate::clock::now_ns;
use crate::init::random;

/// Signed batches that wait for a place in flight.
const BATCHES_AHEAD: usize = 8;
/// Without any news for this long the run has failed.
const NEWS_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a signed batch is valid.
const VALID_NS: u64 = 3_600_000_000_000;
/// Largest amount of a transfer, in minor units.
const MINOR_MAX: u64 = 100;

/// What a client does.
#[derive(Debug)]
pub(crate) struct ClientPlan {
    /// Its number from 0, which is also its bank's participant number.
    pub(crate) number: u32,
    /// Number of clients; account `a` belongs to client `a % clients`.
    pub(crate) clients: u32,
    /// Accounts in all.
    pub(crate) accounts: u32,
    /// Transfers to be made.
    pub(crate) transfers: u64,
    /// No new batch after this time.
    pub(crate) seconds: Option<Duration>,
    /// Transfers in a batch.
    pub(crate) batch: u32,
    /// Batches in flight at one time.
    pub(crate) in_flight: usize,
    /// What signatures are for.
    pub(crate) domain: Domain,
    /// Nodes, the first one preferred.
    pub(crate) servers: Vec<ServerAddress>,
    /// Folder with `link.key` and `signing.key`.
    pub(crate) keys: PathBuf,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct ClientResult {
    /// Transfers settled.
    pub(crate) settled: u64,
    /// Transfers refused.
    pub(crate) refused: u64,
    /// Batches that were sent again because a node was busy or a connection broke.
    pub(crate) sent_again: u64,
    /// Latency of each batch.
    pub(crate) latencies: Latencies,
    /// Change of each account by settled transfers, in minor units.
    pub(crate) changes: Vec<i64>,
}

impl ClientResult {
    /// Nothing done yet.
    pub(crate) fn new(accounts: usize) -> Result<Self> {
        Ok(Self {
            settled: 0,
            refused: 0,
            sent_again: 0,
            latencies: Latencies::new()?,
            changes: vec![0; accounts],
        })
    }

    /// Adds what another client did.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.settled += other.settled;
        self.refused += other.refused;
        self.sent_again += other.sent_again;
        for (sum, change) in self.changes.iter_mut().zip(&other.changes) {
            *sum += change;
        }
        self.latencies.add(&other.latencies)
    }

    fn count(&mut self, batch: &Signed, outcomes: &Outcomes) -> Result<()> {
        let count = batch.legs.len();
        ensure!(
            outcomes.outcomes.len() == count,
            "a batch of {count} got {} outcomes",
            outcomes.outcomes.len()
        );
        for (leg, outcome) in batch.legs.iter().zip(&outcomes.outcomes) {
            match outcome.answer {
                Answer::Settled => {
                    self.settled += 1;
                    self.changes[leg.debit as usize] -= i64::from(leg.minor);
                    self.changes[leg.credit as usize] += i64::from(leg.minor);
                }
                Answer::Refused(_) => self.refused += 1,
                // The bench sends nothing that could wait.
                Answer::Waiting(_) => bail!("a plain transfer waits"),
            }
        }
        Ok(())
    }
}

/// A leg in few bytes: a million of them are kept at a time.
#[derive(Clone, Copy, Debug)]
struct SmallLeg {
    debit: u32,
    credit: u32,
    minor: u32,
}

/// A batch ready to be sent.
#[derive(Debug)]
pub(crate) struct Signed {
    /// Its name in answers.
    pub(crate) digest: Digest,
    /// What is sent.
    pub(crate) submission: Bytes,
    legs: Vec<SmallLeg>,
}

#[derive(Debug)]
struct InFlight {
    batch: Signed,
    sent: Instant,
    /// To be sent again at this time, because the node was busy.
    again: Option<TokioInstant>,
}

/// Runs a client until every transfer of its plan has an outcome.
pub(crate) async fn run(plan: ClientPlan, pace: Arc<Pace>) -> Result<ClientResult> {
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
    let mut result = ClientResult::new(plan.accounts as usize)?;
    let mut batches = sign_ahead(&plan)?;
    let mut flying: BTreeMap<Digest, InFlight> = BTreeMap::new();
    let mut more = true;
    while more || !flying.is_empty() {
        let next_again = flying.values().filter_map(|one| one.again).min();
        let deadline = TokioInstant::now() + NEWS_TIME_MAX;
        tokio::select! {
            batch = batches.recv(), if more && flying.len() < plan.in_flight => match batch {
                None => more = false,
                Some(batch) => {
                    let sent = Instant::now();
                    send(&client, &batch).await;
                    flying.insert(batch.digest, InFlight { batch, sent, again: None });
                }
            },
            event = events.recv() => match event.context("the connection is gone for good")? {
                ClientSideEvent::Frame(frame) => {
                    pace.answered(on_frame(&frame, &mut flying, &mut result)?);
                }
                ClientSideEvent::Disconnected { .. } => {}
                ClientSideEvent::Connected { .. } => {
                    // What was in flight may be lost; a batch that is sent twice is answered alike.
                    for one in flying.values_mut() {
                        one.again = None;
                        result.sent_again += 1;
                        send(&client, &one.batch).await;
                    }
                }
            },
            () = tokio::time::sleep_until(next_again.unwrap_or(deadline)) => {
                ensure!(next_again.is_some(), "no news from the network for {} s", NEWS_TIME_MAX.as_secs());
                let now = TokioInstant::now();
                for one in flying.values_mut().filter(|one| one.again.is_some_and(|at| at <= now)) {
                    one.again = None;
                    result.sent_again += 1;
                    send(&client, &one.batch).await;
                }
            }
        }
    }
    client.close();
    Ok(result)
}

pub(crate) async fn wait_connected(events: &mut mpsc::Receiver<ClientSideEvent>) -> Result<()> {
    let connected = async {
        while let Some(event) = events.recv().await {
            if matches!(event, ClientSideEvent::Connected { .. }) {
                return Ok(());
            }
        }
        bail!("the connection is gone for good")
    };
    tokio::time::timeout(NEWS_TIME_MAX, connected)
        .await
        .context("no node accepts the connection")?
}

/// A frame that cannot be sent is sent again after the next connection.
async fn send(client: &Client, batch: &Signed) {
    let frame = OutFrame::new(KIND_SUBMIT, FRAME_VERSION, batch.submission.clone());
    let _ = client.send(frame).await;
}

/// Takes in a frame; returns how many transfers it answers.
fn on_frame(
    frame: &wire::frame::Frame,
    flying: &mut BTreeMap<Digest, InFlight>,
    result: &mut ClientResult,
) -> Result<u64> {
    match frame.kind {
        KIND_OUTCOMES => {
            let outcomes = Outcomes::decode(frame.payload.clone())?;
            // A batch that was sent twice is answered twice.
            if let Some(done) = flying.remove(&outcomes.batch) {
                result.latencies.record(done.sent.elapsed());
                result.count(&done.batch, &outcomes)?;
                return Ok(done.batch.legs.len() as u64);
            }
        }
        KIND_NOT_TAKEN => {
            let not_taken = NotTaken::decode(frame.payload.clone())?;
            match not_taken.reason {
                NotTakenReason::Invalid { text } => bail!("a node finds a batch invalid: {text}"),
                NotTakenReason::Busy { retry_after_ms } => {
                    if let Some(one) = flying.get_mut(&not_taken.batch) {
                        let wait = Duration::from_millis(u64::from(retry_after_ms));
                        one.again = Some(TokioInstant::now() + wait);
                    }
                }
            }
        }
        _ => {}
    }
    Ok(0)
}

/// Writes and signs batches on a thread of its own, some ahead of need.
pub(crate) fn sign_ahead(plan: &ClientPlan) -> Result<mpsc::Receiver<Signed>> {
    let key = SigningKey::from_bytes(&*keyfile::read(&plan.keys.join("signing.key"))?);
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let mut writer = Writer {
        domain: plan.domain,
        number: plan.number,
        clients: plan.clients,
        accounts: plan.accounts,
        chance: Chance::new(u64::from_le_bytes(random()?)),
    };
    let (mut left, batch, seconds) = (plan.transfers, u64::from(plan.batch), plan.seconds);
    std::thread::Builder::new()
        .name(format!("sign-{}", plan.number))
        .spawn(move || {
            let end = seconds.map(|seconds| Instant::now() + seconds);
            while left > 0 && end.is_none_or(|end| Instant::now() < end) {
                let count = left.min(batch);
                left -= count;
                if sender.blocking_send(writer.batch(count, &key)).is_err() {
                    return;
                }
            }
        })
        .context("start a signing thread")?;
    Ok(receiver)
}

struct Writer {
    domain: Domain,
    number: u32,
    clients: u32,
    accounts: u32,
    chance: Chance,
}

impl Writer {
    /// A signed batch of transfers from own accounts to any others.
    fn batch(&mut self, count: u64, key: &SigningKey) -> Signed {
        let bank = ParticipantNumber(self.number);
        let valid_until = LedgerTime(now_ns().saturating_add(VALID_NS));
        let mut builder = BatchBuilder::new(&self.domain, bank, valid_until);
        let mut legs = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let leg = self.leg();
            legs.push(leg);
            builder.push(&Command::Transfer(Transfer {
                id: TransferId(self.chance.uuid()),
                legs: Legs::One(Leg {
                    debit: AccountNumber(leg.debit),
                    credit: AccountNumber(leg.credit),
                    amount: Amount::new(u64::from(leg.minor)),
                }),
                document: None,
                options: None,
            }));
        }
        let (bytes, digest) = builder.sign(&[(bank, key)]);
        Signed { digest, submission: encode_submission(&bytes, &[]), legs }
    }

    fn leg(&mut self) -> SmallLeg {
        let own = (self.accounts - self.number).div_ceil(self.clients);
        let debit = self.number + self.clients * self.chance.below(u64::from(own)) as u32;
        let accounts = u64::from(self.accounts);
        let credit = self.chance.below_but(accounts, u64::from(debit)) as u32;
        SmallLeg { debit, credit, minor: 1 + self.chance.below(MINOR_MAX) as u32 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wire::batch::RawSubmission;

    #[test]
    fn batches_verify_and_debit_own_accounts_only() {
        let domain = Domain { network: [7; 32], epoch: 1 };
        let key = SigningKey::from_bytes(&[3; 32]);
        let mut writer =
            Writer { domain, number: 2, clients: 3, accounts: 10, chance: Chance::new(1) };
        let signed = writer.batch(200, &key);
        let submission = RawSubmission::decode(signed.submission.clone()).unwrap();
        let submission = submission.verify(&domain).unwrap();
        assert_eq!(submission.batch.signed().digest(), signed.digest);
        assert_eq!(submission.batch.batch().commands.len(), 200);
        for leg in &signed.legs {
            assert_eq!(leg.debit % 3, 2);
            assert!(leg.credit < 10 && leg.credit != leg.debit && leg.debit < 10);
        }
    }
}
