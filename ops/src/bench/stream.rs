//! Signed batches of one bank between its own accounts, some in flight: load for benchmarks that disturb
//! the network rather than exhaust it.
//!
//! The accounts are the first ones of the genesis file and all belong to the bank, so that the rest of
//! the network does not notice. Batches are sent again until they are answered; each counts once.

use std::collections::BTreeMap;
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
use wire::batch::{BatchBuilder, encode_submission};
use wire::client::{
    CLIENT_PROTOCOL, FRAME_VERSION, KIND_NOT_TAKEN, KIND_OUTCOMES, KIND_SUBMIT, NotTaken,
    NotTakenReason, Outcomes,
};
use wire::genesis::Genesis;

use super::measure::Latencies;
use crate::chance::Chance;
use crate::clock::now_ns;
use crate::description::{Account, Description};
use crate::init::random;
use crate::layout::Layout;

/// Accounts of the bank.
const ACCOUNTS: u64 = 10;
const FUNDING: &str = "1000000000.00";
/// Without any news for this long the run has failed.
const NEWS_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a signed batch is valid.
const VALID_NS: u64 = 3_600_000_000_000;
/// Largest amount of a transfer, in minor units.
const MINOR_MAX: u64 = 100;

/// Puts the accounts that streams use before all others.
pub(crate) fn add_accounts(description: &mut Description, bank: usize) {
    let bic = &description.banks[bank].bic;
    let own = (0..ACCOUNTS).map(|number| Account {
        account: format!("{bic}/EUR/A{number}"),
        funding: FUNDING.to_owned(),
        credit_line: "0".to_owned(),
    });
    description.accounts = own.chain(description.accounts.iter().cloned()).collect();
}

/// When a stream ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// After so many transfers.
    Transfers(u64),
    /// When no batch is begun after this time.
    At(Instant),
}

/// A stream to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// The bank, by its place in the description.
    pub(crate) bank: usize,
    /// Transfers under one signature.
    pub(crate) batch: u32,
    /// Batches in flight at one time.
    pub(crate) in_flight: usize,
    /// Node to connect to first.
    pub(crate) node: u64,
    /// Its end.
    pub(crate) end: End,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Streamed {
    /// Transfers settled.
    pub(crate) settled: u64,
    /// Latency of each batch.
    pub(crate) latencies: Latencies,
}

struct Flying {
    submission: Bytes,
    transfers: u64,
    sent: Instant,
    /// To be sent again at this time, because the node was busy.
    again: Option<TokioInstant>,
}

struct Run {
    client: Client,
    flying: BTreeMap<Digest, Flying>,
    streamed: Streamed,
}

impl Stream {
    /// Runs to its end; fails when a transfer is refused.
    pub(crate) async fn run(self, layout: &Layout) -> Result<Streamed> {
        let file = std::fs::read(layout.genesis()).context("read the genesis file")?;
        let genesis = Genesis::parse(&file)?;
        let keys = layout.participant_dir(&layout.description().banks[self.bank]);
        let signing = SigningKey::from_bytes(&*keyfile::read(&keys.join("signing.key"))?);
        let mut servers: Vec<_> = genesis
            .nodes
            .iter()
            .map(|node| ServerAddress {
                id: node.id,
                key: node.link_key,
                addr: node.client_address,
            })
            .collect();
        servers.sort_by_key(|server| (server.id != self.node, server.id));
        let (client, mut events) = Client::connect(ClientConfig {
            key: LinkKey::from_seed(*keyfile::read(&keys.join("link.key"))?),
            network_id: genesis.domain.network,
            servers,
            hello: CLIENT_PROTOCOL.to_le_bytes().to_vec().into(),
            frame_bytes_max: wire::frame::CLIENT_FRAME_BYTES_MAX,
        })
        .await?;
        wait_connected(&mut events).await?;
        let streamed = Streamed { settled: 0, latencies: Latencies::new()? };
        let mut run = Run { client, flying: BTreeMap::new(), streamed };
        let mut chance = Chance::new(u64::from_le_bytes(random()?));
        let mut begun = 0;
        loop {
            while run.flying.len() < self.in_flight {
                let count = match self.end {
                    End::Transfers(all) => u64::from(self.batch).min(all - begun),
                    End::At(end) if Instant::now() >= end => 0,
                    End::At(_) => u64::from(self.batch),
                };
                if count == 0 {
                    break;
                }
                begun += count;
                let valid_until = LedgerTime(now_ns().saturating_add(VALID_NS));
                let bank = ParticipantNumber(self.bank as u32);
                let mut builder = BatchBuilder::new(&genesis.domain, bank, valid_until);
                for _ in 0..count {
                    builder.push(&transfer(&mut chance));
                }
                let (bytes, digest) = builder.sign(&[(bank, &signing)]);
                run.begin(digest, encode_submission(&bytes, &[]), count).await;
            }
            if run.flying.is_empty() {
                run.client.close();
                return Ok(run.streamed);
            }
            run.wait(&mut events).await?;
        }
    }
}

impl Run {
    async fn begin(&mut self, digest: Digest, submission: Bytes, transfers: u64) {
        let flying = Flying { submission, transfers, sent: Instant::now(), again: None };
        self.send(&flying.submission).await;
        self.flying.insert(digest, flying);
    }

    /// A frame that cannot be sent is sent again after the next connection.
    async fn send(&self, submission: &Bytes) {
        let frame = OutFrame::new(KIND_SUBMIT, FRAME_VERSION, submission.clone());
        let _ = self.client.send(frame).await;
    }

    /// Waits for news and takes it.
    async fn wait(&mut self, events: &mut mpsc::Receiver<ClientSideEvent>) -> Result<()> {
        let next_again = self.flying.values().filter_map(|one| one.again).min();
        let deadline = TokioInstant::now() + NEWS_TIME_MAX;
        tokio::select! {
            event = events.recv() => match event.context("the connection is gone for good")? {
                ClientSideEvent::Frame(frame) => self.on_frame(&frame)?,
                ClientSideEvent::Disconnected { .. } => {}
                // What was in flight may be lost; a batch that is sent twice is answered alike.
                ClientSideEvent::Connected { .. } => self.send_again(|_| true).await,
            },
            () = tokio::time::sleep_until(next_again.unwrap_or(deadline)) => {
                ensure!(next_again.is_some(), "no news for {} s", NEWS_TIME_MAX.as_secs());
                let now = TokioInstant::now();
                self.send_again(|again| again.is_some_and(|at| at <= now)).await;
            }
        }
        Ok(())
    }

    async fn send_again(&mut self, which: impl Fn(Option<TokioInstant>) -> bool) {
        let mut due = Vec::new();
        for one in self.flying.values_mut().filter(|one| which(one.again)) {
            one.again = None;
            due.push(one.submission.clone());
        }
        for submission in due {
            self.send(&submission).await;
        }
    }

    fn on_frame(&mut self, frame: &wire::frame::Frame) -> Result<()> {
        match frame.kind {
            KIND_OUTCOMES => {
                let outcomes = Outcomes::decode(frame.payload.clone())?;
                // A batch that was sent twice is answered twice.
                if let Some(done) = self.flying.remove(&outcomes.batch) {
                    let settled = outcomes
                        .outcomes
                        .iter()
                        .filter(|outcome| matches!(outcome.answer, Answer::Settled))
                        .count() as u64;
                    ensure!(
                        settled == done.transfers,
                        "{settled} of {} transfers settled",
                        done.transfers
                    );
                    self.streamed.settled += settled;
                    self.streamed.latencies.record(done.sent.elapsed());
                }
            }
            KIND_NOT_TAKEN => {
                let not_taken = NotTaken::decode(frame.payload.clone())?;
                match not_taken.reason {
                    NotTakenReason::Invalid { text } => bail!("a batch is called invalid: {text}"),
                    NotTakenReason::Busy { retry_after_ms } => {
                        if let Some(one) = self.flying.get_mut(&not_taken.batch) {
                            let wait = Duration::from_millis(u64::from(retry_after_ms));
                            one.again = Some(TokioInstant::now() + wait);
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

async fn wait_connected(events: &mut mpsc::Receiver<ClientSideEvent>) -> Result<()> {
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

/// A transfer between two of the accounts.
fn transfer(chance: &mut Chance) -> Command {
    let debit = chance.below(ACCOUNTS);
    let credit = chance.below_but(ACCOUNTS, debit);
    Command::Transfer(Transfer {
        id: TransferId(chance.uuid()),
        legs: Legs::One(Leg {
            debit: AccountNumber(debit as u32),
            credit: AccountNumber(credit as u32),
            amount: Amount::new(1 + chance.below(MINOR_MAX)),
        }),
        document: None,
        options: None,
    })
}
