//! `corridor demo`: a network of banks on this machine, used, broken and checked before one's eyes.
//!
//! Everything is real: each node and gateway is a process of its own with its own disk and sockets,
//! and the demo talks to them as a bank's systems would. What it claims at the end it has counted
//! itself. The folder is made afresh each time; one that is not a demo's is never touched.

mod book;
mod check;
mod exchange;
mod projection;
mod quotes;
mod scenario;
mod traffic;
mod voice;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use crate::cluster::{Cluster, READY_TIME_MAX, find_program};
use crate::description::{Description, PortPlan};
use crate::serve;

pub use projection::Projection;

use book::Book;
use scenario::Stage;
use voice::Voice;

/// File that marks a folder as a demo's, locked while the demo runs.
const MARKER: &str = ".corridor-demo";

/// Arguments of `corridor demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Folder of the network; emptied first if an earlier demo made it
    #[arg(long, default_value = "./corridor-demo")]
    dir: PathBuf,
    /// End after the checks instead of staying up; exit code 0 only if everything held
    #[arg(long)]
    once: bool,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
    /// Number of banks, each with a node and a gateway
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=9))]
    banks: u8,
    /// Seconds of continuous traffic, during which the leader is killed
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(6..=3600))]
    seconds: u16,
    /// The history in PostgreSQL beside it: `auto` starts a private one where it is installed
    #[arg(long, value_name = "auto|URL")]
    postgres: Option<String>,
}

/// What the demo found out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DemoResult {
    /// Payments handed to a gateway.
    pub payments_sent: u64,
    /// Payments answered as settled.
    pub settled: u64,
    /// Payments answered as refused.
    pub refused: u64,
    /// Payments without a definitive answer, and settled ones that never reached the creditor bank.
    pub lost: u64,
    /// Deliveries beyond the first of a payment, and deliveries of payments that did not settle.
    pub duplicated: u64,
    /// How often a leading node was killed.
    pub leader_kills: u64,
    /// From the kill to the first settled answer to a payment sent after it, in milliseconds.
    pub recovery_ms: f64,
    /// From the restart of the killed node until it had caught up, in milliseconds.
    pub catch_up_ms: f64,
    /// Median time from handing a payment over to its definitive answer, in milliseconds.
    pub settle_ms_p50: f64,
    /// The same for 99 of 100 payments, those caught by the outage included.
    pub settle_ms_p99: f64,
    /// Whether on every node each currency adds up and each balance is what the demo counted.
    pub conserved: bool,
    /// Whether all nodes ended at one height with one state root and one log root.
    pub nodes_equal: bool,
    /// Whether each wrong message got the answer it should.
    pub refusals_as_expected: bool,
    /// Whether every row in PostgreSQL follows from the ledger; nothing when none was asked for or installed.
    pub projected: Option<bool>,
    /// Seconds the whole demo took.
    pub seconds: f64,
    /// Whether all of the above is as it should be.
    pub all_held: bool,
}

impl DemoResult {
    fn judge(&mut self) {
        self.all_held = self.lost == 0
            && self.duplicated == 0
            && self.settled > 0
            && self.leader_kills > 0
            && self.settled + self.refused == self.payments_sent
            && self.conserved
            && self.nodes_equal
            && self.refusals_as_expected
            && self.projected != Some(false);
    }
}

/// Runs `corridor demo`; fails when something did not hold.
pub async fn run(arguments: DemoArguments) -> Result<()> {
    let ended = serve::ended()?;
    tokio::pin!(ended);
    let marker = prepare(&arguments.dir)?;
    let outcome = tokio::select! {
        outcome = play(&arguments) => outcome,
        () = &mut ended => bail!("interrupted; all processes of the demo are ended"),
    };
    let (result, mut cluster, projection) = outcome?;
    if !arguments.once {
        voice::urls(&cluster)?;
        if let Some(projection) = &projection {
            println!(
                "  {}  (schema corridor; try: SELECT * FROM corridor.payments LIMIT 5)\n  \
                 the same from here: psql \"$(cat {})\"",
                projection.psql(),
                projection.address_file().display()
            );
        }
        println!("\nThe network stays up. Ctrl-C ends it.");
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    if !arguments.once {
        ended.await;
    }
    let stopped = cluster.stop();
    drop(marker);
    ensure!(result.all_held, "not everything held; the logs are in {}", arguments.dir.display());
    stopped
}

async fn play(arguments: &DemoArguments) -> Result<(DemoResult, Cluster, Option<Projection>)> {
    let start = Instant::now();
    let banks = usize::from(arguments.banks);
    let mut description = Description::example("corridor demo", banks, banks, PortPlan::Free)?;
    // One bank shows the files; the others have enough to do.
    for gateway in description.banks.iter_mut().skip(1).filter_map(|bank| bank.gateway.as_mut()) {
        gateway.folder = false;
    }
    let book = Book::new(&description)?;
    let mut voice = Voice::new();
    voice.headline(banks);
    let program = find_program()?;
    let mut cluster = Cluster::create(&arguments.dir, description, &program)?;

    voice.step("Set-up: a genesis file, keys, and one process for each node and gateway");
    let starting = Instant::now();
    cluster.start_all_nodes()?;
    cluster.start_all_gateways()?;
    cluster.wait_ready(READY_TIME_MAX).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    voice.network(&cluster)?;
    voice.line(format!(
        "ready after {} ms; node {leader} was elected leader",
        starting.elapsed().as_millis()
    ));

    let mut projection = None;
    if let Some(wish) = &arguments.postgres {
        projection = Projection::start(wish, &cluster, &program, &arguments.dir)?;
        voice.line(match &projection {
            Some(projection) => format!("the history goes into PostgreSQL: {}", projection.psql()),
            None => "no PostgreSQL is installed; going on without one".to_owned(),
        });
    }

    let mut stage = Stage::new(cluster, book, voice)?;
    stage.first_payments().await?;
    stage.delivery().await?;
    stage.folder().await?;
    stage.bulk().await?;
    stage.mistakes().await?;
    stage.payment_against_payment().await?;
    stage.competing_quotes().await?;
    let outage = traffic::run(&mut stage, arguments.seconds).await?;
    let mut result = check::run(&mut stage, outage).await?;
    result.refusals_as_expected = stage.refusals_as_expected();
    if let Some(projection) = &mut projection {
        stage.voice.step("PostgreSQL: every row is made again from the log and compared");
        let equal = stage.cluster.wait_equal(READY_TIME_MAX).await?;
        let leaves = equal.iter().map(|status| status.leaves).max().unwrap_or(0);
        let lines = projection.check(leaves).await?;
        lines.iter().for_each(|line| stage.voice.line(line.clone()));
        stage.voice.line(format!("{leaves} records, {} rows that differ", lines.len()));
        result.projected = Some(lines.is_empty());
    }
    result.seconds = start.elapsed().as_secs_f64();
    result.judge();
    stage.voice.verdict(&result);
    Ok((result, stage.cluster, projection))
}

/// Makes the folder empty but for the marker, which stays locked as long as the file returned lives.
fn prepare(dir: &Path) -> Result<fs::File> {
    let marker = dir.join(MARKER);
    let in_use = dir.exists() && dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    ensure!(
        marker.exists() || !in_use,
        "{} holds something that is not a demo; choose another folder with --dir",
        dir.display()
    );
    fs::create_dir_all(dir).with_context(|| format!("make folder {}", dir.display()))?;
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&marker)
        .with_context(|| format!("write {}", marker.display()))?;
    if file.try_lock().is_err() {
        bail!("another demo runs in {}; choose another folder with --dir", dir.display());
    }
    for entry in dir.read_dir().with_context(|| format!("read folder {}", dir.display()))? {
        let entry = entry.with_context(|| format!("read folder {}", dir.display()))?;
        if entry.file_name() == MARKER {
            continue;
        }
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_demos_own_folder_is_emptied() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("demo");
        let lock = prepare(&dir).unwrap();
        assert!(prepare(&dir).is_err(), "a running demo is left alone");
        drop(lock);
        fs::create_dir(dir.join("node-1")).unwrap();
        fs::write(dir.join("node-1/file"), "x").unwrap();
        drop(prepare(&dir).unwrap());
        assert!(!dir.join("node-1").exists());
        let other = temporary.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("precious"), "x").unwrap();
        assert!(prepare(&other).is_err());
        assert!(other.join("precious").exists());
    }

    #[test]
    fn one_fault_is_enough_for_a_bad_verdict() {
        let mut good = DemoResult {
            payments_sent: 3,
            settled: 2,
            refused: 1,
            leader_kills: 1,
            conserved: true,
            nodes_equal: true,
            refusals_as_expected: true,
            ..DemoResult::default()
        };
        good.judge();
        assert!(good.all_held);
        let mut lost = DemoResult { lost: 1, ..good.clone() };
        lost.judge();
        assert!(!lost.all_held);
        let mut unanswered = DemoResult { payments_sent: 4, ..good };
        unanswered.judge();
        assert!(!unanswered.all_held);
    }
}
