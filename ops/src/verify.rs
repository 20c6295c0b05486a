//! `corridor verify`: checks evidence offline. What is checked is believed only for what it proves;
//! the verifier's own policy file is the one thing that is taken for granted.

mod evidence;
mod export;
mod ledger;
mod receipt;
mod record;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Subcommand;

pub use self::ledger::NotChecked;
pub(crate) use self::ledger::{Progress, fetch_mirror, policy};
pub use evidence::{Verdict, weigh};
pub(crate) use receipt::read_receipt;
#[cfg(test)]
pub(crate) use receipt::tests as sample;
pub use receipt::{Check, Report, verify};
pub(crate) use record::describe;
pub use record::{Erased, Facts, Names};

/// What can be verified.
#[derive(Debug, Subcommand)]
pub enum VerifyCommand {
    /// Verify a receipt with the network's policy alone: who signed, what the record says
    Receipt(receipt::ReceiptArguments),
    /// Verify a whole ledger: every hash and signature, every rule, against what the nodes cosigned
    Ledger(ledger::LedgerArguments),
    /// Verify evidence of abused signatures: whom the files of a node's evidence folder convict
    Evidence(evidence::EvidenceArguments),
    /// Verify an export of `corridor audit export` with the network's policy alone: each row, count and sum
    Export(export::ExportArguments),
}

/// Runs one of them.
pub fn run(command: VerifyCommand) -> Result<()> {
    match command {
        VerifyCommand::Receipt(arguments) => receipt::run(arguments),
        VerifyCommand::Ledger(arguments) => ledger::run(arguments),
        VerifyCommand::Evidence(arguments) => evidence::run(arguments),
        VerifyCommand::Export(arguments) => export::run(&arguments),
    }
}

/// A file of at most `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut bytes = Vec::new();
    let most = limit as u64 + 1;
    file.take(most).read_to_end(&mut bytes).with_context(|| format!("read {}", path.display()))?;
    ensure!(bytes.len() <= limit, "{} has more than {limit} bytes", path.display());
    Ok(bytes)
}
