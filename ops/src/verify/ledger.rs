//! `corridor verify ledger`: a whole ledger, from its genesis file to what the nodes cosigned last.
//!
//! The records come from a node over HTTP, from a mirror that was made so, or from the history of a
//! node that does not run. Believed is the genesis file alone: every leaf is hashed, every signature
//! checked by the rule of the nodes, every command applied again, and answers, state roots, tiles
//! and checkpoints are compared with what that gives. Who had to sign a checkpoint, the ledger says
//! itself: nodes come and go by vote. Nothing is written but the mirror.

mod mirror;
mod progress;
mod replay;
mod signed;
mod source;
#[cfg(test)]
pub(super) mod tests;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use proof::{Hash, text::to_base64};
use serde::Serialize;
use wire::{genesis::Genesis, limits::GENESIS_BYTES_MAX};

pub(crate) use self::{mirror::fetch as fetch_mirror, progress::Progress, signed::policy};
use self::{
    replay::Replay,
    signed::{Rule, Signed},
    source::Source,
};
use super::read_file;
use crate::replay::Stop;

/// Longest checkpoint that is read, in bytes.
const CHECKPOINT_BYTES_MAX: usize = 1 << 20;

/// Arguments of `corridor verify ledger`.
#[derive(Debug, Args)]
pub struct LedgerArguments {
    /// A node's address such as http://127.0.0.1:7201, a mirror, or the data folder of a node that is stopped
    ledger: String,
    /// Genesis file of the network: the one thing that is taken for granted
    #[arg(long)]
    genesis: PathBuf,
    /// Folder for the mirror of a node; what is there already is not fetched again
    #[arg(long, default_value = "ledger-mirror")]
    mirror: PathBuf,
    /// A checkpoint to hold the ledger to, beside those of the mirror; may be given several times
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// Policy to judge all checkpoints by; when left out, each by the nodes that vote there as the ledger says
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Threads that check signatures; as many as there are processors when left out
    #[arg(long)]
    threads: Option<u8>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Not everything could be looked at, so there is no verdict.
#[derive(Debug, thiserror::Error)]
#[error("the ledger could not be checked")]
pub struct NotChecked;

impl NotChecked {
    /// Exit code of the program then.
    pub const EXIT_CODE: u8 = 3;
}

/// A checkpoint that the ledger was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Held {
    /// Leaves.
    pub(super) size: u64,
    /// Root, in base64.
    pub(super) root: String,
    /// Who cosigned it.
    pub(super) cosigned: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// Whether everything that was there holds.
    pub(super) valid: bool,
    /// The first thing that does not.
    pub(super) wrong: Option<String>,
    /// Network id, hex.
    pub(super) network: String,
    /// Last block that holds.
    pub(super) height: u64,
    /// Leaves up to there.
    pub(super) leaves: u64,
    /// Root over them, in base64.
    pub(super) root: String,
    /// State root after that block, hex.
    pub(super) state_root: String,
    /// Signed batches.
    pub(super) batches: u64,
    /// Signatures checked.
    pub(super) signatures: u64,
    /// Commands applied again.
    pub(super) commands: u64,
    /// Transfers among them.
    pub(super) transfers: u64,
    /// Checkpoints that the ledger leads to.
    pub(super) checkpoints: Vec<Held>,
    /// Leaves that a quorum has signed for; 0 when no checkpoint was there.
    pub(super) final_leaves: u64,
    /// How long it took, in milliseconds.
    pub(super) milliseconds: u64,
}

/// What to verify, and against what.
struct Task<'a> {
    genesis: &'a Genesis,
    /// What was signed for.
    signed: Signed,
    threads: usize,
}

/// Runs `corridor verify ledger`.
pub(super) fn run(arguments: LedgerArguments) -> Result<()> {
    let report = check(&arguments).context(NotChecked)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", text(&report));
    }
    match &report.wrong {
        Some(wrong) => bail!("the ledger is not what it should be: {wrong}"),
        None => Ok(()),
    }
}

fn check(arguments: &LedgerArguments) -> Result<Report> {
    let bytes = read_file(&arguments.genesis, GENESIS_BYTES_MAX)?;
    let genesis =
        Genesis::parse(&bytes).with_context(|| format!("read {}", arguments.genesis.display()))?;
    let rule = Rule::of(&genesis, arguments.policy.as_deref())?;
    let mut bar = Progress::new(!arguments.json);
    let dir = if arguments.ledger.starts_with("http://") {
        mirror::fetch(&arguments.ledger, &arguments.mirror, rule.at_least(), &mut bar)?;
        arguments.mirror.clone()
    } else {
        PathBuf::from(&arguments.ledger)
    };
    let mut files = arguments.checkpoint.clone();
    files.extend(mirror::checkpoints(&dir)?);
    let threads = match arguments.threads {
        Some(threads) => usize::from(threads.max(1)),
        None => std::thread::available_parallelism().map_or(2, usize::from),
    };
    let source = Source::open(&dir, &genesis.domain)?;
    match Signed::read(&files, rule, &genesis) {
        Ok(signed) => verify(&Task { genesis: &genesis, signed, threads }, source, &mut bar),
        Err(Stop::Wrong(wrong)) => Ok(Report { wrong: Some(wrong), ..Report::default() }),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Verifies what a source has.
fn verify(task: &Task<'_>, source: Source, bar: &mut Progress) -> Result<Report> {
    let started = Instant::now();
    let mut report =
        Report { network: wire::genesis::hex(&task.genesis.domain.network), ..Report::default() };
    let ended = replay_all(task, source, bar, &mut report);
    bar.end();
    match ended {
        Ok(()) => report.valid = true,
        Err(Stop::Wrong(wrong)) => report.wrong = Some(wrong),
        Err(Stop::Failed(error)) => return Err(error),
    }
    report.milliseconds = started.elapsed().as_millis() as u64;
    Ok(report)
}

/// Applies everything again; `report` says how far that came, also when it fails.
fn replay_all(
    task: &Task<'_>,
    source: Source,
    bar: &mut Progress,
    report: &mut Report,
) -> Result<(), Stop> {
    let (mut replay, first) = Replay::genesis(task.genesis, source.tiles(), task.signed.clone())?;
    let total = source.progress().1;
    let domain = &task.genesis.domain;
    let ended = crate::replay::run(domain, &first, task.threads, source, &mut |part| {
        for block in &part.blocks {
            replay.apply(block, report)?;
        }
        bar.show("verified", part.done, total, report.transfers);
        Ok(())
    });
    replay.reached(report);
    ended?;
    replay.end()
}

impl Report {
    fn hold(&mut self, size: u64, root: &Hash, cosigned: &[String]) {
        self.checkpoints.push(Held { size, root: to_base64(root), cosigned: cosigned.to_vec() });
        self.final_leaves = self.final_leaves.max(size);
    }
}

fn text(report: &Report) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all text");
    line(format!("Network {}.", report.network));
    line(format!(
        "{} blocks with {} leaves hold: {} batches with {} signatures, {} commands applied again, \
         {} of them transfers.",
        report.height,
        report.leaves,
        report.batches,
        report.signatures,
        report.commands,
        report.transfers
    ));
    line(format!("Root {}, state root {}.", report.root, report.state_root));
    for held in &report.checkpoints {
        let names = held.cosigned.join(", ");
        line(format!("The checkpoint at {} leaves leads there; cosigned by {names}.", held.size));
    }
    if report.valid && report.final_leaves < report.leaves {
        let beyond = report.leaves - report.final_leaves;
        line(format!("No checkpoint was at hand for the last {beyond} leaves."));
    }
    let rate = report.transfers * 1_000 / report.milliseconds.max(1);
    line(format!(
        "{}.{:03} s, {rate} transfers a second.",
        report.milliseconds / 1_000,
        report.milliseconds % 1_000
    ));
    line(match &report.wrong {
        None => "VALID: everything that was looked at holds.".to_owned(),
        Some(wrong) => format!("NOT VALID: {wrong}."),
    });
    out
}
