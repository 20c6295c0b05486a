//! `corridor verify export`: an export checked offline, with the network's policy and nothing else.
//!
//! The records that the export carries must lead to the root that a quorum of nodes has cosigned; rows, counts, sums
//! and files are then made again from these records, by the rules that `corridor audit export` follows, and compared
//! byte by byte. What this alone cannot show is that no row was left out, nor what a statement that begins later
//! found on the account: `--ledger` makes the export again from a whole log under a cosigned checkpoint.

use std::{
    fs::{self, File},
    io::{BufReader, Read as _, sink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use proof::{
    checkpoint::origin,
    final_rule,
    note::Note,
    policy::{POLICY_BYTES_MAX, Policy},
    record::Seal,
    text::to_base64,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::{genesis::Genesis, limits::GENESIS_BYTES_MAX};

use super::{Progress, read_file};
use crate::audit::{
    export::{FileFacts, Made, Making, Sink, Task, read_proof},
    manifest::{CHECKPOINT, Content, GENESIS, MANIFEST, MANIFEST_BYTES_MAX, Manifest, PROOF},
    search::{CHECKPOINT_BYTES_MAX, LedgerPlace, Log, Names, Query},
};

/// Arguments of `corridor verify export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Folder of the export
    export: PathBuf,
    /// The network's policy: the public keys of its nodes, and how many must have cosigned
    #[arg(long)]
    policy: PathBuf,
    /// A node's address, a mirror, or a stopped node's folder: shows that no row is missing
    #[arg(long, value_name = "URL|DIR")]
    ledger: Option<String>,
    /// Folder for the mirror of a node
    #[arg(long, default_value = "ledger-mirror", requires = "ledger")]
    mirror: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    valid: bool,
    wrong: Option<String>,
    /// What was asked, as the manifest says.
    query: Query,
    rows: u64,
    as_of: u64,
    size: u64,
    records: u64,
    cosigned: Vec<String>,
    /// Whether a whole log showed that no row is missing.
    complete: bool,
}

/// Runs `corridor verify export`; fails when the export is not what its proof shows.
pub(super) fn run(arguments: &ExportArguments) -> Result<()> {
    let checked = check(arguments);
    if arguments.json {
        let report = match &checked {
            Ok(report) => serde_json::to_string(report)?,
            Err(error) => {
                let wrong = format!("{error:#}");
                serde_json::json!({ "valid": false, "wrong": wrong }).to_string()
            }
        };
        println!("{report}");
    }
    let report = checked.context("the export proves nothing")?;
    if arguments.json {
        return Ok(());
    }
    println!(
        "ok  {} nodes cosigned the log at {} leaves: {}",
        report.cosigned.len(),
        report.size,
        report.cosigned.join(", ")
    );
    println!("ok  {} records of the export are in that log", report.records);
    println!(
        "ok  {} rows as of block {} follow from them, with their count and sums",
        report.rows, report.as_of
    );
    println!(
        "--  the manifest says that this was asked: {}",
        serde_json::to_string(&report.query)?
    );
    match report.complete {
        true => println!("ok  the whole log has no other rows"),
        false => println!("--  that no row is missing was not asked: --ledger shows it"),
    }
    Ok(())
}

pub(super) fn check(arguments: &ExportArguments) -> Result<Report> {
    let dir = &arguments.export;
    let policy = Policy::parse(&read_file(&arguments.policy, POLICY_BYTES_MAX)?)?;
    final_rule::check(&policy)?;
    let manifest = Manifest::parse(&read_file(&dir.join(MANIFEST), MANIFEST_BYTES_MAX)?)?;
    nothing_else(dir, &manifest)?;
    let genesis = read_file(&dir.join(GENESIS), GENESIS_BYTES_MAX)?;
    let genesis = Genesis::parse(&genesis).context("the export's genesis file")?;
    let note = Note::parse(&read_file(&dir.join(CHECKPOINT), CHECKPOINT_BYTES_MAX)?)?;
    let accepted = policy.judge(&note).context("the export's checkpoint")?;
    let network = &genesis.domain.network;
    ensure!(
        accepted.checkpoint.origin == origin(network)
            && manifest.network == wire::genesis::hex(network),
        "checkpoint, manifest and genesis file are not of one network"
    );
    let (size, root) = (accepted.checkpoint.size, accepted.checkpoint.root);
    ensure!(
        manifest.size == size && manifest.root == to_base64(&root),
        "the manifest names another checkpoint"
    );
    ensure!(
        manifest.query.as_of.is_none_or(|as_of| as_of == manifest.as_of),
        "the manifest is as of another block than was asked"
    );
    let names = Names::of(&genesis)?;
    let opening = opening(&manifest, &names)?;
    let accounts = names.count();
    let task = Task {
        content: manifest.content,
        format: manifest.format,
        query: &manifest.query,
        as_of: Some(manifest.as_of),
        opening,
    };
    let mut making = Making::new(&task, names, Box::new(nothing))?;
    let (mut records, mut last) = (0, None);
    let path = dir.join(PROOF);
    let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
    let mut bar = Progress::new(!arguments.json);
    let led =
        read_proof(&mut BufReader::with_capacity(1 << 16, file), size, &mut |leaf, record| {
            records += 1;
            bar.show("verified", leaf, size, records);
            if leaf + 1 == size {
                last = Seal::decode(record).map(|seal| seal.height);
            }
            making.push(leaf, record, leaf + 1 == size, &mut |_, _| Ok(()))
        });
    bar.end();
    ensure!(led? == root, "the proof leads to another root than the one that the nodes cosigned");
    // Who did not ask as of a block asked for everything under the checkpoint.
    ensure!(
        manifest.query.as_of.is_some() || last == Some(manifest.as_of),
        "the log under the checkpoint does not end with block {}, and no block was asked for",
        manifest.as_of
    );
    // An account that was opened later has its number by how many were opened before it, and that the export carries
    // them all only the whole log shows.
    ensure!(
        making.accounts() == accounts || arguments.ledger.is_some(),
        "accounts were opened after genesis, and which number each of them has only the whole log shows: give --ledger"
    );
    compare(&manifest, &making.end()?)?;
    ensure!(records == manifest.records, "the manifest counts {} records", manifest.records);
    for facts in manifest.files.iter().chain([&manifest.proof]) {
        let found = digest(dir, facts)?;
        ensure!(found == *facts, "{} is not the file that the manifest names", facts.name);
    }
    if let Some(ledger) = &arguments.ledger {
        complete(arguments, ledger, &manifest, &mut bar)?;
    }
    Ok(Report {
        valid: true,
        wrong: None,
        query: manifest.query.clone(),
        rows: manifest.totals.rows,
        as_of: manifest.as_of,
        size,
        records,
        cosigned: accepted.cosigned.into_iter().map(|one| one.witness).collect(),
        complete: arguments.ledger.is_some(),
    })
}

/// What the manifest does not name was proven by nobody, and must not look as if it had been.
fn nothing_else(dir: &Path, manifest: &Manifest) -> Result<()> {
    let context = || format!("list {}", dir.display());
    for entry in fs::read_dir(dir).with_context(context)? {
        let name = entry.with_context(context)?.file_name();
        let fixed = [MANIFEST, PROOF, CHECKPOINT, GENESIS];
        let named = manifest.files.iter().map(|facts| facts.name.as_str());
        ensure!(
            fixed.into_iter().chain(named).any(|one| name == one),
            "{} is in the folder and not of the export",
            name.display()
        );
    }
    Ok(())
}

/// What a statement begins with; from genesis on it is not the manifest's to say.
fn opening(manifest: &Manifest, names: &Names) -> Result<Option<i128>> {
    if manifest.content == Content::Rows {
        return Ok(None);
    }
    let said =
        manifest.totals.opening_minor.as_ref().context("a statement has an opening balance")?;
    let said: i128 = said.parse().context("the opening balance")?;
    if manifest.query.from.is_none() {
        let account = manifest.query.account.as_ref().and_then(|name| names.number(name));
        let genesis = account.map_or(0, |number| names.opening(number));
        ensure!(said == genesis, "the account began with {genesis} minor units, not with {said}");
    }
    Ok(Some(said))
}

fn compare(manifest: &Manifest, made: &Made) -> Result<()> {
    ensure!(made.totals == manifest.totals, "count and sums are {:?}", made.totals);
    ensure!(made.as_of == manifest.as_of, "the records end with block {}", made.as_of);
    ensure!(made.files == manifest.files, "the rows that follow from the records are others");
    Ok(())
}

fn nothing(_: &str) -> Result<Sink> {
    Ok(Box::new(sink()))
}

/// The file as it is on disk.
fn digest(dir: &Path, facts: &FileFacts) -> Result<FileFacts> {
    let plain = Path::new(&facts.name).file_name().is_some_and(|name| name == facts.name.as_str());
    ensure!(plain, "{} is no name of a file", facts.name);
    let path = dir.join(&facts.name);
    let context = || format!("read {}", path.display());
    let mut file = File::open(&path).with_context(context)?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut piece).with_context(context)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        bytes += count as u64;
    }
    let digest: [u8; 32] = hash.finalize().into();
    Ok(FileFacts { name: facts.name.clone(), bytes, sha256: wire::genesis::hex(&digest) })
}

/// Makes the export again from a whole log.
fn complete(
    arguments: &ExportArguments,
    ledger: &str,
    manifest: &Manifest,
    bar: &mut Progress,
) -> Result<()> {
    let place = LedgerPlace {
        dir: None,
        ledger: Some(ledger.to_owned()),
        genesis: Some(arguments.export.join(GENESIS)),
        mirror: arguments.mirror.clone(),
        checkpoint: None,
        policy: Some(arguments.policy.clone()),
    };
    let log = Log::open(&place, bar)?;
    let signed = log.signed.as_ref().context("a log without a checkpoint shows nothing")?;
    let task = Task {
        content: manifest.content,
        format: manifest.format,
        query: &manifest.query,
        as_of: Some(manifest.as_of),
        opening: None,
    };
    let mut making = Making::new(&task, Names::of(&log.genesis)?, Box::new(nothing))?;
    log.walk(bar, &mut |leaf, record, _| {
        making.push(leaf, record, leaf + 1 == signed.size, &mut |_, _| Ok(()))
    })?;
    compare(manifest, &making.end()?).context("the whole log gives another export")
}

#[cfg(test)]
mod tests;
