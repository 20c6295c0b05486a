//! `corridor receipt` and `corridor policy`: evidence from a running network, as files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use proof::{policy::Policy, receipt::Receipt};

use crate::http::{Answer, HttpClient};
use crate::layout::read_token;
use crate::status::NodeChoice;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a transfer that was just settled may take to become final.
const FINAL_TIME_MAX: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Arguments of `corridor receipt`.
#[derive(Debug, Args)]
pub struct ReceiptArguments {
    /// UETR of the payment
    uetr: String,
    #[command(flatten)]
    source: Source,
    /// File with the gateway's bearer token
    #[arg(long, value_name = "FILE", requires = "gateway")]
    token_file: Option<PathBuf>,
    /// File to write, such as payment.tlog-proof; standard output when left out
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Who is asked for a receipt.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Address of a node, such as http://127.0.0.1:7102; may be repeated
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<String>,
    /// Folder of a network: all its nodes
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A gateway, such as http://127.0.0.1:7103: it has the receipts of its bank's payments
    #[arg(long, value_name = "URL", requires = "token_file")]
    gateway: Option<String>,
}

/// Arguments of `corridor policy`.
#[derive(Debug, Args)]
pub struct PolicyArguments {
    #[command(flatten)]
    nodes: NodeChoice,
    /// File to write, such as ledger.policy; standard output when left out
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs `corridor receipt`: waits a little for a payment that is not final yet.
pub async fn receipt(arguments: ReceiptArguments) -> Result<()> {
    let uetr = arguments.uetr.to_ascii_lowercase();
    let until = Instant::now() + FINAL_TIME_MAX;
    let path = format!("/v1/receipts/{uetr}");
    let text = loop {
        let answer = ask(&arguments, &path).await?;
        match answer.status {
            200 => break answer.text(),
            503 if Instant::now() < until => tokio::time::sleep(ASK_AGAIN).await,
            _ => bail!("{}", answer.text().trim()),
        }
    };
    Receipt::parse(text.as_bytes()).context("the node sent something that is no receipt")?;
    write(arguments.out.as_deref(), &text)
}

/// Fetches a receipt from the first node that gives one, into a file.
pub(crate) async fn fetch(uetr: &str, nodes: &NodeChoice, out: &Path) -> Result<()> {
    let answer = first(nodes, &format!("/v1/receipts/{uetr}")).await?;
    ensure!(answer.status == 200, "{uetr}: {}", answer.text().trim());
    write(Some(out), &answer.text())
}

async fn ask(arguments: &ReceiptArguments, path: &str) -> Result<Answer> {
    let Source { nodes, dir, gateway } = &arguments.source;
    let (Some(gateway), Some(token)) = (gateway, &arguments.token_file) else {
        return first(&NodeChoice::new(nodes.clone(), dir.clone()), path).await;
    };
    let client = HttpClient::new(gateway)?.with_timeout(ANSWER_TIME_MAX);
    Ok(client.with_token(read_token(token)?).get(path).await?)
}

/// Runs `corridor policy`. The nodes of a network must say the same: one alone could name its own keys.
pub async fn policy(arguments: PolicyArguments) -> Result<()> {
    let mut said: Option<(String, String)> = None;
    for address in arguments.nodes.addresses()? {
        let answer = get(&address, "/ledger.policy").await?;
        ensure!(answer.status == 200, "{address}: {}", answer.text().trim());
        let text = answer.text();
        Policy::parse(text.as_bytes()).with_context(|| format!("the policy of {address}"))?;
        match &said {
            None => said = Some((address, text)),
            Some((other, policy)) => {
                ensure!(*policy == text, "{address} and {other} say different policies");
            }
        }
    }
    let (_, text) = said.context("no node was named")?;
    write(arguments.out.as_deref(), &text)
}

async fn get(address: &str, path: &str) -> Result<Answer> {
    let mut client = HttpClient::new(address)?.with_timeout(ANSWER_TIME_MAX);
    Ok(client.get(path).await?)
}

/// The answer of the first node that gives one.
async fn first(nodes: &NodeChoice, path: &str) -> Result<Answer> {
    let mut last = None;
    for address in nodes.addresses()? {
        match get(&address, path).await {
            Ok(answer) => return Ok(answer),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no node was named")?.context("no node answers"))
}

fn write(out: Option<&Path>, text: &str) -> Result<()> {
    match out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
        }
        None => {
            print!("{text}");
            Ok(())
        }
    }
}
