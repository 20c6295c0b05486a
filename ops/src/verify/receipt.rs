//! `corridor verify receipt`: everything that a receipt claims, checked one by one and said in
//! sentences. It needs the receipt and the network's policy, and no network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use iso20022::Limits;
use proof::{
    final_rule,
    policy::{POLICY_BYTES_MAX, Policy},
    receipt::{RECEIPT_BYTES_MAX, Receipt, ReceiptError},
    text::to_base64,
};
use serde::Serialize;
use wire::{genesis::Genesis, limits::GENESIS_BYTES_MAX};

use super::{
    read_file,
    record::{self, Facts, Names},
};
use crate::clock::date_time;

/// Arguments of `corridor verify receipt`.
#[derive(Debug, Args)]
pub struct ReceiptArguments {
    /// The receipt, a .tlog-proof file, or an ISO 20022 message that carries it
    receipt: PathBuf,
    /// The network's policy: the public keys of its nodes, and how many must have cosigned
    #[arg(long)]
    policy: PathBuf,
    /// Genesis file of the network, for the names of accounts
    #[arg(long)]
    genesis: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `policy`, `form`, `record`, `signatures`, `inclusion` or `message`.
    pub check: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub text: String,
}

/// A cosignature that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cosignature {
    /// Who.
    pub witness: String,
    /// When, in seconds since 1970, by its own clock.
    pub time: u64,
}

/// What became of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether everything holds.
    pub valid: bool,
    /// What was checked, up to the first thing that does not hold.
    pub checks: Vec<Check>,
    /// What the record says; only of a valid receipt.
    pub record: Option<Facts>,
    /// Its leaf in the log.
    pub leaf: Option<u64>,
    /// Origin of the log.
    pub origin: Option<String>,
    /// Leaves of the signed log.
    pub size: Option<u64>,
    /// Root of the signed log, in base64.
    pub root: Option<String>,
    /// Verified cosignatures.
    pub cosigned: Vec<Cosignature>,
    /// Witnesses whose cosignature the receipt does not carry.
    pub missing: Vec<String>,
}

/// Runs `corridor verify receipt`; fails when the receipt is not valid.
pub(super) fn run(arguments: ReceiptArguments) -> Result<()> {
    let Found { receipt, uetr } = find_receipt(&arguments.receipt)?;
    let policy = read_file(&arguments.policy, POLICY_BYTES_MAX)?;
    let genesis = arguments.genesis.as_ref().map(|path| -> Result<Genesis> {
        let bytes = read_file(path, GENESIS_BYTES_MAX)?;
        Genesis::parse(&bytes).with_context(|| format!("read {}", path.display()))
    });
    let genesis = genesis.transpose()?;
    let names = genesis.as_ref().map(Names::of).transpose()?.unwrap_or_default();
    let mut report = verify(&receipt, &policy, &names);
    if let (true, Some(uetr)) = (report.valid, uetr) {
        report.is_of(&uetr);
    }
    if let (Some(genesis), Some(origin)) = (&genesis, &report.origin) {
        let own = proof::checkpoint::origin(&genesis.domain.network);
        ensure!(&own == origin, "the genesis file is of {own}, the receipt of {origin}");
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", text(&report));
    }
    match report.checks.last() {
        _ if report.valid => Ok(()),
        Some(check) => bail!("the receipt proves nothing: {}", check.text),
        None => bail!("the receipt proves nothing"),
    }
}

/// A receipt, and the payment that the message says it is of.
struct Found {
    receipt: Vec<u8>,
    uetr: Option<String>,
}

/// Largest message that receipts are taken out of, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Reads a receipt, from a file of its own or out of a message.
fn find_receipt(path: &Path) -> Result<Found> {
    let bytes = read_file(path, MESSAGE_BYTES_MAX.max(RECEIPT_BYTES_MAX))?;
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    if !start.starts_with(b"<") {
        return Ok(Found { receipt: bytes, uetr: None });
    }
    let limits = Limits { bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() };
    let mut found = translate::receipts_in(&bytes, &limits)?;
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(Found { receipt: one.receipt, uetr: one.uetr }),
        (None, _) => bail!("{} carries no receipt", path.display()),
        (Some(_), more) => bail!("{} carries {} receipts, and not one", path.display(), more + 1),
    }
}

/// Reads a receipt, from a file of its own or out of a message.
///
/// # Errors
/// When the file cannot be read, or is a message without exactly one receipt.
pub(crate) fn read_receipt(path: &Path) -> Result<Vec<u8>> {
    find_receipt(path).map(|found| found.receipt)
}

/// Checks a receipt against a policy.
pub fn verify(receipt: &[u8], policy: &[u8], names: &Names) -> Report {
    let mut report = Report::default();
    report.valid = checked(receipt, policy, names, &mut report).is_some();
    report
}

/// Goes on as long as everything holds.
fn checked(receipt: &[u8], policy: &[u8], names: &Names, report: &mut Report) -> Option<()> {
    let policy = report.found("policy", Policy::parse(policy))?;
    report.found("policy", final_rule::check(&policy))?;
    let nodes = policy.logs().len();
    report.holds(
        "policy",
        format!(
            "the policy asks for {} of {nodes} nodes, which is the finality rule",
            final_rule::quorum(nodes)
        ),
    );
    let receipt = report.found("form", Receipt::parse(receipt))?;
    report.holds("form", "the receipt is well formed".to_owned());
    let facts = match receipt.record.is_empty() {
        true => Err(ReceiptError::NoRecord.to_string()),
        false => record::describe(&receipt.record, names),
    };
    let facts = report.found("record", facts)?;
    report.holds("record", format!("the record is readable: a {} record", facts.kind));
    // Signatures first: what nobody signed need not be followed to its root.
    let accepted = report.found("signatures", policy.judge(&receipt.checkpoint))?;
    report.holds(
        "signatures",
        format!(
            "{} of {nodes} nodes cosigned the log at {} leaves: it is final",
            accepted.cosigned.len(),
            accepted.checkpoint.size
        ),
    );
    report.found("inclusion", receipt.verify(&policy))?;
    report.holds(
        "inclusion",
        format!("the record is leaf {} of the log that they cosigned", receipt.index),
    );
    report.record = Some(facts);
    report.leaf = Some(receipt.index);
    report.size = Some(accepted.checkpoint.size);
    report.root = Some(to_base64(&accepted.checkpoint.root));
    report.origin = Some(accepted.checkpoint.origin);
    let cosignature =
        |one: proof::policy::Cosigned| Cosignature { witness: one.witness, time: one.time };
    report.cosigned = accepted.cosigned.into_iter().map(cosignature).collect();
    report.missing = accepted.missing;
    Some(())
}

impl Report {
    /// Notes whether the record is of the payment that the message names.
    fn is_of(&mut self, uetr: &str) {
        let id = self.record.as_ref().and_then(|facts| facts.id.as_deref());
        self.valid = id == Some(uetr);
        let text = match self.valid {
            true => format!("the message is about the same payment, {uetr}"),
            false => format!("the message is about payment {uetr}, and the receipt about another"),
        };
        self.checks.push(Check { check: "message", holds: self.valid, text });
        if !self.valid {
            self.record = None;
        }
    }

    fn holds(&mut self, check: &'static str, text: String) {
        self.checks.push(Check { check, holds: true, text });
    }

    fn found<T, E: ToString>(&mut self, check: &'static str, found: Result<T, E>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                self.checks.push(Check { check, holds: false, text: error.to_string() });
                None
            }
        }
    }
}

/// The report for people.
fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        text += &format!("{:<8}{}\n", if check.holds { "ok" } else { "REFUSED" }, check.text);
    }
    let Some(facts) = &report.record else { return text };
    text.push('\n');
    for sentence in &facts.sentences {
        text += &format!("{sentence}\n");
    }
    text.push('\n');
    for cosigned in &report.cosigned {
        let time = date_time(cosigned.time.saturating_mul(1_000_000_000));
        text += &format!("Cosigned by {} at {time} UTC.\n", cosigned.witness);
    }
    if !report.missing.is_empty() {
        text += &format!("Not needed and not included: {}.\n", report.missing.join(", "));
    }
    let (origin, size) = (report.origin.as_deref().unwrap_or_default(), report.size.unwrap_or(0));
    text + &format!("Log {origin} with {size} leaves.\n")
}

#[cfg(test)]
pub(crate) mod tests;
