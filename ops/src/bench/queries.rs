//! `corridor bench queries`: what an auditor waits for, on a ledger with many transfers.
//!
//! A cluster is filled with signed transfers; then payments are looked up and statements paged at one node, its log is
//! mirrored, verified, exported and the export verified, each by the program itself as a process of its own, whose
//! largest memory is noted. Receipts are fetched and verified here. A run in which a figure is wrong, a row is
//! missing or evidence does not verify has no speed and fails. At the end each bar stands beside its figure.

mod bars;
mod sql;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::{
    audit::questions::Asked,
    ledger::{fill, network},
    measure::{Latencies, rounded},
    place::{Place, PlaceArguments},
};
use crate::{
    cluster::{Cluster, READY_TIME_MAX, find_program},
    evidence,
    http::HttpClient,
    process::usage_of,
    status::NodeChoice,
    verify,
};
use bars::Bar;

const CLIENTS: u8 = 4;
const FINAL_TIME_MAX: Duration = Duration::from_secs(120);
const INDEX_TIME_MAX: Duration = Duration::from_secs(300);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Rows of a statement page.
const PAGE_ROWS: u64 = 100;
/// Memory that a large export may take more than one of a row.
const FLAT_MIB: f64 = 64.0;

/// Arguments of `corridor bench queries`.
#[derive(Debug, Args)]
pub struct QueriesArguments {
    /// Transfers in the ledger
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    transfers: u64,
    /// Node processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Accounts in all
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(8..=60_000))]
    accounts: u32,
    /// Payments that are looked up, and pages that are read
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    questions: u64,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// A run of the program.
#[derive(Clone, Copy, Debug, Serialize)]
struct Run {
    seconds: f64,
    rss_bytes: u64,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct QueriesResult {
    transfers: u64,
    nodes: u8,
    accounts: u32,
    /// A payment by its UETR, from the node.
    lookup_ms_p50: f64,
    lookup_ms_p95: f64,
    lookup_ms_max: f64,
    /// Until the first statement: movements of all accounts are indexed with the first question.
    index_seconds: f64,
    /// A page of an account's statement, from the node.
    statement_ms_p50: f64,
    statement_ms_p95: f64,
    statement_ms_max: f64,
    /// All records and tiles, from the node.
    mirror: Run,
    /// Every signature and rule, from the mirror.
    verify_ledger: Run,
    verify_ledger_transfers_per_second: f64,
    /// One row out of all, with its proof.
    export_one: Run,
    /// All rows as CSV, with their proof.
    export_all: Run,
    export_rows: u64,
    export_bytes: u64,
    /// More memory than for one row.
    export_rss_more_bytes: u64,
    verify_export: Run,
    /// A receipt, from its bytes to the verdict.
    receipt_ms_p50: f64,
    receipt_ms_max: f64,
    /// Pages of the same ledger in PostgreSQL; nothing where none is installed.
    sql: Option<Vec<Asked>>,
    bars: Vec<Bar>,
    held: bool,
}

/// Runs `corridor bench queries`.
pub(crate) async fn run(arguments: QueriesArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let program = find_program()?;
    let description =
        network(usize::from(CLIENTS), usize::from(arguments.nodes), arguments.accounts)?;
    let dir = place.path().join("network");
    let mut cluster = Cluster::create(&dir, description, &program)?;
    cluster.start_all_nodes()?;
    cluster.wait_ready(READY_TIME_MAX).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    println!("{} transfers come into {} nodes first", arguments.transfers, arguments.nodes);
    fill(&cluster, leader, CLIENTS, arguments.accounts, arguments.transfers).await?;
    wait_final(&cluster).await?;
    let node = cluster.node_http(1)?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let genesis = cluster.layout().genesis().to_string_lossy().into_owned();
    let tool = |words: &[&str]| measured(&program, words);

    println!("the log is mirrored, verified and exported");
    let (mirror, policy, export, one) = (at("mirror"), at("policy"), at("export"), at("one"));
    let log = ["--genesis", &genesis, "--mirror", &mirror];
    // The nodes made transfers only: a kind that is not there costs the fetching alone.
    let none = [&["audit", "search", "--ledger", &node, "--kind", "issue"], &log[..]].concat();
    let (mirror_run, _) = tool(&none)?;
    let whole = ["--ledger", &mirror, "--genesis", &genesis];
    let (verify_ledger, text) =
        tool(&["verify", "ledger", &mirror, "--genesis", &genesis, "--json"])?;
    let verdict: Value = serde_json::from_str(&text).context("the verdict on the ledger")?;
    ensure!(verdict["valid"] == true && verdict["transfers"] == arguments.transfers, "{verdict}");
    let milliseconds = verdict["milliseconds"].as_u64().context("how long it took")?.max(1);
    let all = [&["audit", "export", "--out", &export, "--json"], &whole[..]].concat();
    let (export_all, text) = tool(&all)?;
    let manifest: Value = serde_json::from_str(&text).context("the manifest")?;
    let export_rows = manifest["totals"]["rows"].as_u64().context("rows")?;
    ensure!(export_rows == arguments.transfers, "{export_rows} rows were exported");
    let rows = Path::new(&export).join("rows.csv");
    let sample = sample(&rows, export_rows, arguments.questions)?;
    let (uetr, _) = sample.first().context("a row")?;
    let few = [&["audit", "export", "--out", &one, "--uetr", uetr], &whole[..]].concat();
    let (export_one, _) = tool(&few)?;
    tool(&["policy", "--node", &node, "--out", &policy])?;
    let (verify_export, _) = tool(&["verify", "export", &export, "--policy", &policy])?;
    tool(&["verify", "export", &one, "--policy", &policy])?;

    println!("payments, statements and receipts are asked for");
    let mut client = HttpClient::new(&node)?;
    let mut lookups = Latencies::new()?;
    for (uetr, _) in &sample {
        let start = Instant::now();
        let answer = client.get(&format!("/v1/transfers/{uetr}")).await?;
        lookups.record(start.elapsed());
        ensure!(answer.status == 200 && answer.text().contains(uetr), "{uetr}: {}", answer.text());
    }
    let (index_seconds, statements) = statements(&mut client, &sample).await?;
    let receipts = receipts(&node, &sample, &fs::read(&policy)?, place.path()).await?;
    println!("the same ledger comes into a private PostgreSQL");
    let sql = sql::ask(&program, &node, &genesis, arguments.accounts).await?;
    let mut result = QueriesResult {
        transfers: arguments.transfers,
        nodes: arguments.nodes,
        accounts: arguments.accounts,
        lookup_ms_p50: lookups.ms_at(50.0),
        lookup_ms_p95: lookups.ms_at(95.0),
        lookup_ms_max: lookups.ms_max(),
        index_seconds,
        statement_ms_p50: statements.ms_at(50.0),
        statement_ms_p95: statements.ms_at(95.0),
        statement_ms_max: statements.ms_max(),
        mirror: mirror_run,
        verify_ledger,
        verify_ledger_transfers_per_second: (arguments.transfers * 1_000 / milliseconds) as f64,
        export_one,
        export_all,
        export_rows,
        export_bytes: fs::metadata(&rows).context("the rows")?.len(),
        export_rss_more_bytes: export_all.rss_bytes.saturating_sub(export_one.rss_bytes),
        verify_export,
        receipt_ms_p50: receipts.ms_at(50.0),
        receipt_ms_max: receipts.ms_max(),
        sql,
        bars: Vec::new(),
        held: true,
    };
    result.bars = bars(&result);
    print(&result);
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    cluster.stop()?;
    place.done()
}

/// What an auditor may have to wait at most, for a million transfers.
fn bars(result: &QueriesResult) -> Vec<Bar> {
    let pages = result.sql.iter().flatten().filter(|asked| asked.is_page());
    let page = pages.map(|asked| asked.ms_max).max_by(f64::total_cmp);
    let more_mib = result.export_rss_more_bytes as f64 / f64::from(1 << 20);
    let rate = result.verify_ledger_transfers_per_second;
    vec![
        Bar::at_most("payment by UETR from a node, p95", "ms", 20.0, Some(result.lookup_ms_p95)),
        Bar::at_most("statement page from a node, p95", "ms", 100.0, Some(result.statement_ms_p95)),
        Bar::at_most("filtered page in SQL, slowest", "ms", 300.0, page),
        Bar::at_most("export of all rows as CSV", "s", 30.0, Some(result.export_all.seconds)),
        Bar::at_most("memory of that beyond that of one row", "MiB", FLAT_MIB, Some(more_mib)),
        Bar::at_least("verify ledger", "transfers/s", 100_000.0, rate),
        Bar::at_most("receipt check, slowest", "ms", 5.0, Some(result.receipt_ms_max)),
    ]
}

fn print(result: &QueriesResult) {
    let QueriesResult { lookup_ms_p50, lookup_ms_p95, lookup_ms_max, .. } = result;
    println!(
        "UETR lookup p50 {lookup_ms_p50:.2} ms, p95 {lookup_ms_p95:.2} ms, max {lookup_ms_max:.2} ms"
    );
    println!(
        "statement page of {PAGE_ROWS} p50 {:.2} ms, p95 {:.2} ms, max {:.2} ms; the first after {:.1} s",
        result.statement_ms_p50,
        result.statement_ms_p95,
        result.statement_ms_max,
        result.index_seconds
    );
    let run = |what: &str, run: &Run| {
        println!("{what}: {:.2} s with up to {} MiB", run.seconds, run.rss_bytes >> 20);
    };
    run("mirror from a node", &result.mirror);
    run("verify ledger", &result.verify_ledger);
    println!("  {:.0} transfers a second", result.verify_ledger_transfers_per_second);
    run("export of one row", &result.export_one);
    run("export of all rows as CSV", &result.export_all);
    println!("  {} rows, {} MiB", result.export_rows, result.export_bytes >> 20);
    run("verify export", &result.verify_export);
    println!(
        "receipt check p50 {:.2} ms, max {:.2} ms",
        result.receipt_ms_p50, result.receipt_ms_max
    );
    result.sql.iter().flatten().for_each(|asked| println!("SQL: {asked}"));
    println!("bars, for {} transfers:", result.transfers);
    result.bars.iter().for_each(|bar| println!("{bar}"));
}

/// Waits until all that the nodes have applied is final.
async fn wait_final(cluster: &Cluster) -> Result<()> {
    let until = Instant::now() + FINAL_TIME_MAX;
    for id in cluster.node_ids() {
        loop {
            let status = cluster.node_status(id).await?;
            if status.final_height == Some(status.height) {
                break;
            }
            ensure!(Instant::now() < until, "node {id} is final at {:?}", status.final_height);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}

/// Runs the program to its end; what it printed, how long it took and its largest memory.
fn measured(program: &Path, words: &[&str]) -> Result<(Run, String)> {
    let start = Instant::now();
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start corridor")?;
    let id = child.id().to_string();
    // What it prints is read on another thread, so that it never waits for this one.
    let waiting = std::thread::spawn(move || child.wait_with_output());
    let mut rss_bytes = 0;
    while !waiting.is_finished() {
        // It may end between the question and the answer.
        rss_bytes = usage_of(&id).map_or(rss_bytes, |usage| usage.rss_bytes.max(rss_bytes));
        std::thread::sleep(POLL_INTERVAL / 4);
    }
    let Ok(output) = waiting.join() else { bail!("the thread that waited broke") };
    let output = output.context("wait for corridor")?;
    let seconds = rounded(start.elapsed().as_secs_f64());
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "corridor {}: {}", words.join(" "), error.trim());
    Ok((Run { seconds, rss_bytes }, String::from_utf8(output.stdout).context("its output")?))
}

/// UETR and debited account of rows all over the file.
fn sample(rows: &Path, count: u64, wanted: u64) -> Result<Vec<(String, String)>> {
    let file = BufReader::new(fs::File::open(rows).context("open the rows")?);
    let step = (count / wanted).max(1);
    let mut found = Vec::new();
    for (number, line) in (0_u64..).zip(file.lines().skip(1)) {
        let line = line.context("read the rows")?;
        if number % step == number / step % step && (found.len() as u64) < wanted {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |at: usize| fields.get(at).map(|field| (*field).to_owned());
            found.push((field(5).context("an id")?, field(9).context("an account")?));
        }
    }
    ensure!(!found.is_empty(), "the export has no rows");
    Ok(found)
}

/// Pages of statements: each account's first page, then one from its middle.
async fn statements(
    client: &mut HttpClient,
    sample: &[(String, String)],
) -> Result<(f64, Latencies)> {
    let (_, first) = sample.first().context("an account")?;
    let start = Instant::now();
    loop {
        let answer = client.get(&format!("/v1/statement?account={first}&limit=1")).await?;
        if answer.status == 200 {
            break;
        }
        ensure!(answer.status == 503, "the first statement: {}", answer.text());
        ensure!(start.elapsed() < INDEX_TIME_MAX, "no statement yet: {}", answer.text());
    }
    let index_seconds = rounded(start.elapsed().as_secs_f64());
    let mut latencies = Latencies::new()?;
    for (number, (_, account)) in sample.iter().enumerate() {
        let after = (number as u64 % 2) * PAGE_ROWS * 3;
        let path = format!("/v1/statement?account={account}&limit={PAGE_ROWS}&after={after}");
        let start = Instant::now();
        let answer = client.get(&path).await?;
        latencies.record(start.elapsed());
        ensure!(answer.status == 200, "{path}: {}", answer.text());
        let page: Value = serde_json::from_slice(&answer.body).context("a statement")?;
        ensure!(page["count"].as_u64().is_some_and(|count| count > 0), "{path} has no rows");
    }
    Ok((index_seconds, latencies))
}

/// Receipts of some payments, verified.
async fn receipts(
    node: &str,
    sample: &[(String, String)],
    policy: &[u8],
    dir: &Path,
) -> Result<Latencies> {
    const RECEIPTS: usize = 50;
    let mut latencies = Latencies::new()?;
    for (uetr, _) in sample.iter().step_by(sample.len().div_ceil(RECEIPTS)) {
        let out = dir.join("one.tlog-proof");
        evidence::fetch(uetr, &NodeChoice::new(vec![node.to_owned()], None), &out).await?;
        let receipt = fs::read(&out).context("read the receipt")?;
        let start = Instant::now();
        let report = verify::verify(&receipt, policy, &verify::Names::default());
        latencies.record(start.elapsed());
        ensure!(report.valid, "the receipt of {uetr}: {:?}", report.checks);
    }
    Ok(latencies)
}
