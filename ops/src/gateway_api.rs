//! A gateway's HTTP interface as a bank's own systems use it: hand over a message, take what arrived.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Deserializer};

use crate::http::HttpClient;
use crate::messages::{Reply, delivered_uetrs, read_reply};

/// How long [`submit`] goes on asking for a definitive answer.
pub const DEFINITIVE_TIME_MAX: Duration = Duration::from_secs(60);
const REPEAT_INTERVAL: Duration = Duration::from_millis(25);
/// Most outbox entries asked for at a time.
const PAGE: usize = 500;

/// A definitive answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub reply: Reply,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The block by whose end all that it reports as settled has settled, if it is told for the first time.
    pub height: Option<u64>,
    /// Time from handing the message over to this answer.
    pub elapsed: Duration,
    /// How often the message was handed over: more than once when the network needed longer than
    /// the gateway lets a caller wait, or could not be reached.
    pub attempts: u32,
}

/// Hands a message to a gateway until it gives an answer that will not change.
///
/// Repeats on lost connections, on "busy" and on interim answers: a gateway takes a message once,
/// however often it is handed over. Fails on an answer that repeating cannot mend.
pub async fn submit(client: &mut HttpClient, xml: &[u8]) -> Result<Answered> {
    let start = Instant::now();
    let mut attempts = 0;
    let mut last = String::from("no answer");
    while start.elapsed() < DEFINITIVE_TIME_MAX {
        attempts += 1;
        match client.post("/v1/messages", "application/xml", xml).await {
            Err(error) => last = error.to_string(),
            Ok(answer) => match read_reply(&answer.body) {
                Ok(Reply::Status(report)) if !report.is_definitive() => {
                    last = format!("status {} so far", report.first().code);
                }
                Ok(reply) => {
                    let elapsed = start.elapsed();
                    let height = answer.header("x-corridor-height");
                    let height = height.and_then(|text| text.parse().ok());
                    let bytes = answer.body;
                    return Ok(Answered { reply, bytes, height, elapsed, attempts });
                }
                Err(error) if answer.is_success() => return Err(error),
                Err(_) if matches!(answer.status, 408 | 429 | 500..=599) => {
                    last = format!("HTTP {}: {}", answer.status, answer.text());
                }
                Err(_) => bail!("the gateway answers {}: {}", answer.status, answer.text()),
            },
        }
        tokio::time::sleep(REPEAT_INTERVAL).await;
    }
    bail!("no definitive answer within {} s: {last}", DEFINITIVE_TIME_MAX.as_secs())
}

/// What arrived for a bank.
#[derive(Clone, Debug, Deserialize)]
pub struct OutboxEntry {
    /// Its place; later entries have larger ones.
    pub cursor: u64,
    /// What it is: the name of a message such as `pacs.008.001.08`, or `notice`.
    pub kind: String,
    /// The payment's identity.
    pub uetr: String,
    /// When it settled, in nanoseconds since the Unix epoch.
    #[serde(deserialize_with = "nanoseconds")]
    pub settled_ns: u64,
    /// When the gateway received it, in nanoseconds since the Unix epoch.
    #[serde(deserialize_with = "nanoseconds")]
    pub received_ns: u64,
    /// The message: XML, or JSON for a notice.
    pub content: String,
}

impl OutboxEntry {
    /// Whether it holds a payment as a message that follows its schema and names this UETR.
    pub fn is_payment(&self) -> bool {
        let ids = delivered_uetrs(self.content.as_bytes()).unwrap_or_default();
        ids.len() == 1 && ids[0] == self.uetr
    }
}

/// Reads a time that is written as a text, because JSON numbers are not exact beyond 2^53.
fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[derive(Debug, Deserialize)]
struct OutboxPage {
    entries: Vec<OutboxEntry>,
}

/// Takes entries after a cursor (0 for the first), waiting up to `wait` for one to arrive.
pub async fn outbox(
    client: &mut HttpClient,
    after: u64,
    wait: Duration,
) -> Result<Vec<OutboxEntry>> {
    let path = format!("/v1/outbox?after={after}&limit={PAGE}&wait_ms={}", wait.as_millis());
    let answer = client.get(&path).await?;
    ensure!(answer.is_success(), "outbox answers {}: {}", answer.status, answer.text());
    let page: OutboxPage =
        serde_json::from_slice(&answer.body).context("read a page of the outbox")?;
    Ok(page.entries)
}
