//! Brings a signed batch to a node over the bank's link and waits for its outcomes.
//!
//! A batch may be sent again at will: an id is answered once. So a node that is busy, or gone, is no reason to give
//! up before the time is over.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ledger::{Command, Digest};
use link::{Client, ClientConfig, ClientSideEvent, LinkKey, OutFrame, ServerAddress, keyfile};
use tokio::time::{Instant, sleep_until, timeout_at};
use wire::batch::encode_submission;
use wire::client::{
    CLIENT_PROTOCOL, FRAME_VERSION, KIND_NOT_TAKEN, KIND_OUTCOMES, KIND_SUBMIT, NotTaken,
    NotTakenReason, Outcomes,
};

use super::answer::Told;
use super::network::Network;
use crate::layout::long_bic;

/// How long a batch may take to be answered.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// Without an answer for this long it is sent again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Sends a batch as a bank; one answer a command.
pub(super) async fn submit(
    network: &Network,
    bank: &str,
    batch: &[u8],
    digest: Digest,
    commands: &[Command],
) -> Result<Vec<Told>> {
    let outcomes = outcomes(network, bank, batch, digest).await?;
    let answers = commands.iter().zip(&outcomes.outcomes).enumerate();
    Ok(answers
        .map(|(at, (command, outcome))| {
            let leaf = outcome.original.unwrap_or(outcomes.first_leaf + at as u64);
            Told::of(network, command, outcome, leaf, &outcomes)
        })
        .collect())
}

async fn outcomes(network: &Network, bank: &str, batch: &[u8], digest: Digest) -> Result<Outcomes> {
    let path = network.keys(bank)?.join("link.key");
    let key = LinkKey::from_seed(*keyfile::read(&path)?);
    let own = network.bic(network.participant(bank)?);
    let mut nodes: Vec<_> = network.genesis.nodes.iter().collect();
    nodes.sort_by_key(|node| (node.standby, long_bic(&node.bic.to_string()) != own, node.id));
    let server = |node: &&wire::genesis::GenesisNode| ServerAddress {
        id: node.id,
        key: node.link_key,
        addr: node.client_address,
    };
    let (client, mut events) = Client::connect(ClientConfig {
        key,
        network_id: network.genesis.domain.network,
        servers: nodes.iter().map(server).collect(),
        hello: CLIENT_PROTOCOL.to_le_bytes().to_vec().into(),
        frame_bytes_max: wire::frame::CLIENT_FRAME_BYTES_MAX,
    })
    .await?;
    let submission = encode_submission(batch, &[]);
    let end = Instant::now() + ANSWER_TIME_MAX;
    let mut again: Option<Instant> = None;
    let mut last = "no node accepts the connection".to_owned();
    loop {
        let event = tokio::select! {
            event = timeout_at(end, events.recv()) => match event {
                Ok(event) => event.context("the connection is gone for good")?,
                Err(_) => bail!("no answer within {} s: {last}", ANSWER_TIME_MAX.as_secs()),
            },
            () = sleep_until(again.unwrap_or(end)), if again.is_some() => {
                again = Some(Instant::now() + AGAIN_AFTER);
                let frame = OutFrame::new(KIND_SUBMIT, FRAME_VERSION, submission.clone());
                if client.send(frame).await.is_err() {
                    // The next connection sends it.
                    again = None;
                }
                continue;
            }
        };
        match event {
            ClientSideEvent::Connected { server, .. } => {
                last = format!("node {server} has it and says nothing");
                again = Some(Instant::now());
            }
            ClientSideEvent::Disconnected { server, reason } => {
                last = format!("node {server}: {reason}");
                again = None;
            }
            ClientSideEvent::Frame(frame) if frame.kind == KIND_OUTCOMES => {
                let outcomes = Outcomes::decode(frame.payload)?;
                if outcomes.batch == digest {
                    client.close();
                    return Ok(outcomes);
                }
            }
            ClientSideEvent::Frame(frame) if frame.kind == KIND_NOT_TAKEN => {
                match NotTaken::decode(frame.payload)?.reason {
                    NotTakenReason::Invalid { text } => bail!("the node does not take it: {text}"),
                    NotTakenReason::Busy { retry_after_ms } => {
                        last = "the network is busy".to_owned();
                        let wait = Duration::from_millis(u64::from(retry_after_ms));
                        again = Some(Instant::now() + wait);
                    }
                }
            }
            ClientSideEvent::Frame(_) => {}
        }
    }
}
