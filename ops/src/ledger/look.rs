//! Questions: what became of a command, what a transfer waits for, an account, the queue.
//!
//! A node answers each from one applied state. It shows all banks to its operator, so these commands need the
//! network's folder or a node's address, and no key.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use ledger::{Command, Refusal, Transfer};
use serde::{Deserialize, Serialize};

use super::answer::reason;
use super::network::Network;
use crate::clock::{date_time, now_ns};
use crate::layout::long_account;
use crate::money::format_grouped;
use crate::node_api::{self, AccountBalance, Balances, LegView};
use crate::status::NodeChoice;

/// Between two questions of who waits for an end.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How something stands, as `/v1/transfers/{id}` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Its id.
    pub uetr: String,
    /// What it is.
    #[serde(default)]
    pub kind: String,
    /// `settled`, `refused`, `released`, or where it waits.
    pub answer: String,
    /// Number of the answer.
    pub code: u16,
    /// Leaf of the first answer.
    pub leaf: u64,
    /// Block of the first answer.
    pub height: u64,
    /// Ledger time of that block.
    pub time_ns: u64,
    /// Canonical bytes, hex.
    #[serde(default, skip_serializing)]
    command: String,
    /// What it moves.
    #[serde(default, skip_serializing)]
    legs: Vec<LegView>,
    /// Where it waited at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited: Option<String>,
    /// How its waiting ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndView>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
}

/// The end of a transfer that had to wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndView {
    /// Leaf that says so.
    pub leaf: u64,
    /// Block that holds it.
    pub height: u64,
    /// Ledger time of that block.
    pub time_ns: u64,
    /// `command`, `time`, `cover`, `together` ...
    pub cause: String,
    /// Leaf of the command, or the number of those that settled together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Kind of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Reason that a bank gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_reason: Option<String>,
}

/// A transfer that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingView {
    /// Its id.
    pub uetr: String,
    /// Where it waits.
    pub stage: String,
    /// Its place in the queue.
    pub priority: String,
    /// Who sent it.
    pub submitter: String,
    /// After this it is released.
    pub deadline_ns: u64,
    /// What it moves.
    pub legs: Vec<WaitingLeg>,
    /// Its conditions.
    pub conditions: Vec<ConditionView>,
    /// What it waits for, as the node says it.
    pub obstacles: Vec<serde_json::Value>,
}

/// A movement that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingLeg {
    /// Account that pays.
    pub debit: String,
    /// Account that receives.
    pub credit: String,
    /// Minor units.
    pub amount_minor: String,
}

/// A release condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConditionView {
    /// In words.
    pub text: String,
    /// Whether it is met.
    pub met: bool,
}

/// Answer to `/v1/waiting`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WaitingList {
    height: u64,
    time_ns: u64,
    count: usize,
    transfers: Vec<WaitingView>,
}

impl Standing {
    /// How it stands, in a line or two.
    pub(super) fn text(&self) -> String {
        let mut text = self.answer.clone();
        if let Some(refusal) = Refusal::from_code(self.code) {
            text += &format!(": {}", reason(refusal));
        }
        if let Some(end) = &self.end {
            text += &format!("\nended     by {}", end.text());
        }
        text
    }
}

impl EndView {
    fn text(&self) -> String {
        let how = match (self.cause.as_str(), &self.by, self.number) {
            ("command", Some(by), _) => format!("the command {by}"),
            ("time", ..) => "time: a start or the deadline was reached".to_owned(),
            ("cover", ..) => "cover that became available".to_owned(),
            ("together", _, Some(number)) => {
                format!("settling together with others (number {number} of the block)")
            }
            (other, ..) => other.to_owned(),
        };
        let reason = self.by_reason.as_ref().map(|code| format!(" with the reason {code}"));
        let (reason, time) = (reason.unwrap_or_default(), date_time(self.time_ns));
        format!("{how}{reason}, leaf {} in block {} at {time} UTC", self.leaf, self.height)
    }
}

/// Arguments of `show` and `explain`.
#[derive(Debug, Args)]
pub struct IdArguments {
    /// Id of the command
    uetr: String,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `corridor ledger show`.
pub(super) async fn show(arguments: IdArguments) -> Result<()> {
    let (node, standing) = find(&arguments.nodes, &arguments.uetr).await?;
    if arguments.json {
        println!("{}", serde_json::to_string(&standing).context("write the answer")?);
        return Ok(());
    }
    let balances = node_api::balances(&node).await?;
    println!("{:<9} {}", standing.kind, standing.uetr);
    println!("answer    {}", standing.text());
    if let Some(waited) = &standing.waited {
        println!("at first  {waited}");
    }
    println!("block     {} at {} UTC", standing.height, date_time(standing.time_ns));
    println!("record    leaf {} of the log", standing.leaf);
    for leg in &standing.legs {
        let amount = amount(&balances, &leg.debit, leg.amount_minor);
        println!("moves     {amount}  {} -> {}", leg.debit, leg.credit);
    }
    if let Some(waiting) = &standing.waiting {
        print!("{}", describe(waiting, &balances));
    }
    Ok(())
}

/// Runs `corridor ledger explain`.
pub(super) async fn explain(arguments: IdArguments) -> Result<()> {
    let (node, standing) = find(&arguments.nodes, &arguments.uetr).await?;
    let Some(waiting) = &standing.waiting else {
        bail!("{} waits for nothing: it is {}", standing.uetr, standing.text());
    };
    if arguments.json {
        println!("{}", serde_json::to_string(waiting).context("write the answer")?);
        return Ok(());
    }
    let balances = node_api::balances(&node).await?;
    println!("{} is {}", standing.uetr, standing.answer);
    print!("{}", describe(waiting, &balances));
    Ok(())
}

/// Arguments of `corridor ledger account`.
#[derive(Debug, Args)]
pub struct AccountArguments {
    /// Name of the account, or a BIC for all of a bank
    account: String,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// Runs `corridor ledger account`.
pub(super) async fn account(arguments: AccountArguments) -> Result<()> {
    let (_, balances) = first(&arguments.nodes, "/v1/balances").await?;
    let balances: Balances = balances.context("the node does not show balances")?;
    let wanted = long_account(&match arguments.account.contains('/') {
        true => arguments.account.clone(),
        false => format!("{}/", arguments.account),
    });
    let is_wanted = |one: &&AccountBalance| match wanted.ends_with('/') {
        true => long_account(&one.account).starts_with(&wanted),
        false => long_account(&one.account) == wanted,
    };
    let found: Vec<&AccountBalance> = balances.accounts.iter().filter(is_wanted).collect();
    if found.is_empty() {
        bail!("there is no account {}", arguments.account);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&found).context("write the answer")?);
        return Ok(());
    }
    for one in found {
        let text = |minor| amount(&balances, &one.account, minor);
        println!("{}  {}", one.account, one.status);
        println!("  balance      {}", text(one.posted));
        println!("  held         {}", text(one.held));
        println!("  credit line  {}", text(-one.floor));
        println!("  available    {}", text(one.available));
    }
    Ok(())
}

/// Arguments of `corridor ledger queue`.
#[derive(Debug, Args)]
pub struct QueueArguments {
    /// Only what debits or credits this account
    #[arg(long)]
    account: Option<String>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `corridor ledger queue`.
pub(super) async fn queue(arguments: QueueArguments) -> Result<()> {
    let path = match &arguments.account {
        Some(account) => format!("/v1/waiting?account={}", long_account(account)),
        None => "/v1/waiting".to_owned(),
    };
    let (node, list) = first::<WaitingList>(&arguments.nodes, &path).await?;
    let Some(list) = list else {
        bail!("there is no account {}", arguments.account.unwrap_or_default());
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&list).context("write the answer")?);
        return Ok(());
    }
    let balances = node_api::balances(&node).await?;
    println!(
        "{} of {} transfers that wait, at height {}",
        list.transfers.len(),
        list.count,
        list.height
    );
    for one in &list.transfers {
        println!("{}  {:<10} {:<6} sent by {}", one.uetr, one.stage, one.priority, one.submitter);
        print!("{}", describe(one, &balances));
    }
    Ok(())
}

fn describe(waiting: &WaitingView, balances: &Balances) -> String {
    let mut text = String::new();
    for leg in &waiting.legs {
        let minor = leg.amount_minor.parse().unwrap_or_default();
        let amount = amount(balances, &leg.debit, minor);
        text += &format!("  moves {amount}  {} -> {}\n", leg.debit, leg.credit);
    }
    for condition in &waiting.conditions {
        let met = if condition.met { "met" } else { "open" };
        text += &format!("  condition {} ({met})\n", condition.text);
    }
    for obstacle in &waiting.obstacles {
        text += &format!("  waits for {}\n", obstacle_text(obstacle, balances));
    }
    if waiting.obstacles.is_empty() {
        text += "  waits for the next block\n";
    }
    let left = waiting.deadline_ns.saturating_sub(now_ns()) / 1_000_000_000;
    text += &format!("  until {} UTC ({left} s)\n", date_time(waiting.deadline_ns));
    text
}

/// What a transfer waits for, as part of a sentence. What a newer node says is shown as it says it.
fn obstacle_text(obstacle: &serde_json::Value, balances: &Balances) -> String {
    let word = |name: &str| obstacle[name].as_str().unwrap_or_default();
    match word("kind") {
        "start" => {
            format!("its time, {} UTC", date_time(obstacle["time_ns"].as_u64().unwrap_or_default()))
        }
        "condition" => word("text").to_owned(),
        "agreement" => format!("the agreement of {}, which pays", word("bic")),
        "cover" => {
            let missing = word("missing_minor").parse().unwrap_or_default();
            format!("{} on {}", amount(balances, word("account"), missing), word("account"))
        }
        "opening" => {
            let time = date_time(obstacle["time_ns"].as_u64().unwrap_or_default());
            format!("the opening of its business day, {time} UTC")
        }
        "reserved" => {
            let missing = word("missing_minor").parse().unwrap_or_default();
            let amount = amount(balances, word("account"), missing);
            format!("{amount} on {} that are kept for more urgent transfers", word("account"))
        }
        "limit" => {
            let by = word("by_minor").parse().unwrap_or_default();
            let amount = amount(balances, word("account"), by);
            format!("the {} of {}, which it would pass by {amount}", word("limit"), word("account"))
        }
        "behind" => {
            format!("{}, which comes first on {}", word("uetr"), word("account"))
        }
        _ => obstacle.to_string(),
    }
}

fn amount(balances: &Balances, account: &str, minor: i128) -> String {
    let code = account.split('/').nth(1).unwrap_or_default();
    let asset = balances.assets.iter().find(|asset| asset.code == code);
    format!("{code} {}", format_grouped(minor, asset.map_or(0, |asset| asset.exponent)))
}

/// Asks the nodes in turn until one answers: its address, and the answer if it has one.
pub(crate) async fn first<T: serde::de::DeserializeOwned>(
    nodes: &NodeChoice,
    path: &str,
) -> Result<(String, Option<T>)> {
    let mut last = None;
    for node in nodes.addresses()? {
        match node_api::get(&node, path).await {
            Ok(found) => return Ok((node, found)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no node was named")?.context("no node answers"))
}

async fn find(nodes: &NodeChoice, uetr: &str) -> Result<(String, Standing)> {
    let uetr = uetr.to_ascii_lowercase();
    let (node, found) = first(nodes, &format!("/v1/transfers/{uetr}")).await?;
    let found =
        found.with_context(|| format!("{uetr} was never ordered, as far as {node} knows"))?;
    Ok((node, found))
}

/// The transfer of an id as it was sent.
pub(super) async fn original(node: &str, uetr: &str) -> Result<Transfer> {
    let uetr = uetr.to_ascii_lowercase();
    let found: Option<Standing> = node_api::get(node, &format!("/v1/transfers/{uetr}")).await?;
    let found =
        found.with_context(|| format!("{uetr} was never ordered, as far as {node} knows"))?;
    let bytes: Option<Vec<u8>> = found
        .command
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    match bytes.as_deref().map(Command::decode) {
        Some(Ok((Command::Transfer(transfer), _))) => Ok(transfer),
        _ => bail!("{uetr} is no transfer"),
    }
}

/// Waits until a transfer waits no more; it has a deadline.
///
/// # Errors
/// When no node answers.
pub async fn end_of(network: &Network, id: &str) -> Result<Standing> {
    loop {
        let found: Option<Standing> =
            node_api::get(&network.node, &format!("/v1/transfers/{id}")).await?;
        // The node that is asked may be a moment behind the one that answered.
        if let Some(found) =
            found.filter(|found| matches!(&found.answer[..], "settled" | "released"))
        {
            return Ok(found);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
