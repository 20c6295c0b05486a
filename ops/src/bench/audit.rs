//! `corridor bench audit`: the auditor's PostgreSQL beside a real network, with real commits to the disk.
//!
//! A cluster settles so many transfers; then a private PostgreSQL is filled from its log by `corridor audit project`,
//! compared with it by `audit verify-db`, once as it is and once with one cent changed, and asked what auditors ask.
//! At last PostgreSQL is stopped while the network works: its clients must not notice. All are processes of their own.

mod outage;
mod paced;
pub(super) mod questions;

use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use proof::{checkpoint::Checkpoint, note::Note};
use serde::Serialize;
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

use crate::{
    cluster::{Cluster, READY_TIME_MAX, find_program},
    http::HttpClient,
    postgres::{Options, PrivatePostgres},
};

use super::{
    ledger::{self, Load, client::ClientResult},
    measure::rounded,
    pace::Pace,
    place::{Place, PlaceArguments},
};
use outage::Outage;
use questions::Asked;

const FINAL_TIME_MAX: Duration = Duration::from_secs(120);
/// Clients of the load, each a bank: accounts are spread over them.
const CLIENTS: u8 = 4;
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Batch and batches in flight of each client while the ledger is filled.
const FILL: (u32, u16) = (8_000, 2);

/// Arguments of `corridor bench audit`.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Transfers in the log
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    transfers: u64,
    /// Node processes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Accounts in all
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(8..=60_000))]
    accounts: u32,
    /// How often each question is asked
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Seconds for which PostgreSQL is away under load; 0 to leave that out
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    outage: u32,
    /// Transfers a second of that load [default: half of what it settles and projects]
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    rate: Option<u32>,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct AuditResult {
    transfers: u64,
    nodes: u8,
    /// What the server says of `fsync`, `synchronous_commit` and `full_page_writes`.
    durability: [String; 3],
    project_seconds: f64,
    project_per_second: f64,
    verify_seconds: f64,
    verify_per_second: f64,
    database_bytes: i64,
    /// Lines that verification printed after one cent of one row was changed: what it should be and what it is.
    changed_cent_lines: usize,
    cent_seconds: f64,
    questions: Vec<Asked>,
    slowest_question_ms: f64,
    outage: Option<Outage>,
    held: bool,
}

/// The network, the database, and where their log is.
struct Bench {
    cluster: Cluster,
    program: std::path::PathBuf,
    leader: u64,
    accounts: u32,
    postgres: PrivatePostgres,
}

/// Runs `corridor bench audit`.
pub(crate) async fn run(arguments: AuditArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let program = find_program()?;
    let options = Options { durable: true, memory_mib: 512 };
    let postgres = PrivatePostgres::start(options)?.context("no PostgreSQL is installed")?;
    let nodes = usize::from(arguments.nodes);
    let description = ledger::network(usize::from(CLIENTS), nodes, arguments.accounts)?;
    let mut cluster = Cluster::create(place.path(), description, &program)?;
    cluster.start_all_nodes()?;
    cluster.wait_ready(READY_TIME_MAX).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    let mut bench = Bench { cluster, program, leader, accounts: arguments.accounts, postgres };
    println!("{} nodes, {} transfers, a private PostgreSQL", nodes, arguments.transfers);
    let (batch, in_flight) = FILL;
    let load = Load { transfers: arguments.transfers, seconds: None, batch, in_flight };
    let start = Instant::now();
    let filled = bench.load(CLIENTS, &load).await?;
    ensure!(filled.refused == 0, "{} transfers were refused", filled.refused);
    bench.wait_final().await?;
    println!("settled and final after {:.1} s", start.elapsed().as_secs_f64());

    let rate = |seconds: f64| (arguments.transfers as f64 / seconds).round();
    let (seconds, output) = bench.audit("project", &["--once"]).await?;
    expect_success("project", &output)?;
    let project_seconds = rounded(seconds);
    println!("projected in {seconds:.1} s, {} transfers a second", rate(seconds));
    let client = bench.client().await?;
    let durability = durability(&client).await?;
    let size = "SELECT pg_database_size(current_database())";
    let database_bytes: i64 = client.query_one(size, &[]).await?.get(0);
    let (seconds, output) = bench.audit("verify-db", &[]).await?;
    expect_success("verify-db", &output)?;
    let verify_seconds = rounded(seconds);
    println!("verified in {seconds:.1} s, {} transfers a second", rate(seconds));
    let (changed_cent_lines, cent_seconds) = bench.changed_cent(&client).await?;
    println!("one changed cent: {changed_cent_lines} lines after {cent_seconds:.1} s");
    let questions = questions::ask(&client, arguments.rounds, arguments.accounts).await?;
    questions.iter().for_each(|asked| println!("{asked}"));
    let outage = match arguments.outage {
        0 => None,
        seconds => Some(outage::run(&mut bench, seconds, arguments.rate).await?),
    };
    if let Some(outage) = &outage {
        println!("{outage}");
    }
    let result = AuditResult {
        transfers: arguments.transfers,
        nodes: arguments.nodes,
        project_per_second: rate(project_seconds),
        verify_per_second: rate(verify_seconds),
        durability,
        project_seconds,
        verify_seconds,
        database_bytes,
        changed_cent_lines,
        cent_seconds: rounded(cent_seconds),
        slowest_question_ms: questions.iter().map(|asked| asked.ms_max).fold(0.0, f64::max),
        questions,
        held: changed_cent_lines == 2 && outage.as_ref().is_none_or(|outage| outage.complete),
        outage,
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    bench.cluster.stop()?;
    ensure!(result.held, "the projection is not what it should be; see {}", place.path().display());
    place.done()
}

impl Bench {
    async fn load(&self, clients: u8, load: &Load) -> Result<ClientResult> {
        let plans = ledger::plans(clients, self.accounts, load, &self.cluster, self.leader)?;
        ledger::phase(plans, &Pace::start()).await
    }

    /// Waits until everything that is settled is final; returns the leaves.
    async fn wait_final(&mut self) -> Result<u64> {
        let mut http = HttpClient::new(&self.cluster.node_http(self.leader)?)?;
        let start = Instant::now();
        loop {
            let leaves = self.cluster.node_status(self.leader).await?.leaves;
            let answer = http.get("/checkpoint").await?;
            if answer.is_success() {
                let note = Note::parse(&answer.body)?;
                if Checkpoint::parse(note.text())?.size == leaves {
                    return Ok(leaves);
                }
            }
            ensure!(start.elapsed() < FINAL_TIME_MAX, "what is settled does not become final");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Arguments of `corridor audit`, for the leader's log.
    fn arguments(&self, command: &str) -> Result<Vec<String>> {
        let genesis = self.cluster.layout().genesis();
        let pairs = [
            ("--postgres", self.postgres.url("postgres")),
            ("--node", self.cluster.node_http(self.leader)?),
            ("--genesis", genesis.display().to_string()),
        ];
        let start = ["audit".to_owned(), command.to_owned()].into_iter();
        Ok(start
            .chain(pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]))
            .collect())
    }

    /// Runs `corridor audit` as a process; returns its seconds and what it said.
    async fn audit(&self, command: &str, more: &[&str]) -> Result<(f64, Output)> {
        let mut process = Command::new(&self.program);
        process.args(self.arguments(command)?).args(more).kill_on_drop(true);
        let start = Instant::now();
        let output = process.output().await.with_context(|| format!("run audit {command}"))?;
        Ok((start.elapsed().as_secs_f64(), output))
    }

    async fn client(&self) -> Result<Client> {
        let url = self.postgres.url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        // It ends when the server is stopped or the client dropped.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Changes one cent in the middle of all postings; returns how many lines name that very row, and the seconds.
    async fn changed_cent(&self, client: &Client) -> Result<(usize, f64)> {
        let middle = "SELECT leaf FROM corridor.postings WHERE leaf >=
            (SELECT max(leaf) / 2 FROM corridor.postings) ORDER BY leaf, seq LIMIT 1";
        let leaf: i64 = client.query_one(middle, &[]).await?.get(0);
        let change = |sign: &str| {
            format!(
                "UPDATE corridor.postings SET balance = balance {sign} 1 WHERE leaf = {leaf} AND seq = 0"
            )
        };
        ensure!(client.execute(&change("+"), &[]).await? == 1, "leaf {leaf} has no posting");
        let (seconds, output) = self.audit("verify-db", &[]).await?;
        client.execute(&change("-"), &[]).await?;
        ensure!(!output.status.success(), "a changed cent was not noticed");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let named = format!("\"leaf\": {leaf},");
        let lines =
            said.lines().filter(|line| line.starts_with("postings: ") && line.contains(&named));
        let count = lines.count();
        ensure!(count == said.lines().count(), "other rows were named as well: {said}");
        Ok((count, seconds))
    }

    fn path(&self) -> &Path {
        self.cluster.layout().dir()
    }
}

fn expect_success(command: &str, output: &Output) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "audit {command} failed: {said}");
    Ok(())
}

async fn durability(client: &Client) -> Result<[String; 3]> {
    let mut found = [String::new(), String::new(), String::new()];
    for (text, name) in found.iter_mut().zip(["fsync", "synchronous_commit", "full_page_writes"]) {
        *text = client.query_one(&format!("SHOW {name}"), &[]).await?.get(0);
    }
    Ok(found)
}
