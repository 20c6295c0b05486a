//! The `corridor` program: reads the command line and hands over to one subcommand.
//!
//! Exit code 0: done. 1: it failed, with the reason in one sentence on standard error. 2: the command
//! line is wrong. 3: `corridor verify ledger` could not check everything, so it says neither yes nor no.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use corridor::{
    audit, bench, demo, directory, document, evidence, fx, govern, init, iso, ledger, log, send,
    serve, show, status, verify,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Cross-border settlement that banks run together: set a network up, run it, look at it.
///
/// New here? `corridor demo` runs four banks on this machine and takes less than two minutes.
#[derive(Debug, Parser)]
#[command(name = "corridor", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a network of four banks on this machine, break it on purpose and check every balance
    Demo(demo::DemoArguments),
    /// Set a network up: genesis file, keys, one folder for each process
    Init(init::InitArguments),
    /// Run a settlement node until it is asked to end
    Node(serve::ServeArguments),
    /// Run a bank's gateway until it is asked to end
    Gateway(serve::ServeArguments),
    /// Hand a message to a gateway and print the answer
    Send(send::SendArguments),
    /// Show how the nodes stand, one line each
    Status(status::StatusArguments),
    /// Show what became of a payment
    Show(show::ShowArguments),
    /// Move money, hold it, queue it, and see what waits: a bank's commands, with its signature
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Firm quotes in currencies, and exchanges at the best of them
    #[command(subcommand)]
    Fx(fx::FxCommand),
    /// Proposals, votes, and each bank's own keys
    #[command(subcommand)]
    Govern(govern::GovernCommand),
    /// Who takes part, and who can be paid in which asset
    Directory(directory::DirectoryArguments),
    /// Look into a node's log, without changing anything
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Documents: open one, which is recorded; notarise one; verify one against a receipt
    #[command(subcommand)]
    Document(document::DocumentCommand),
    /// Fetch the receipt of a payment, which proves its outcome to anybody, offline
    Receipt(evidence::ReceiptArguments),
    /// Fetch the network's policy: the public keys that receipts are verified with
    Policy(evidence::PolicyArguments),
    /// Verify evidence offline, with the network's public keys alone
    #[command(subcommand)]
    Verify(verify::VerifyCommand),
    /// The history in PostgreSQL, for auditors: write it, follow it, verify it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Validate, show, rewrite, make and explain ISO 20022 messages; no network is needed
    #[command(subcommand)]
    Iso(iso::IsoCommand),
    /// Measure: the ledger alone, payments from XML to XML, or each stage by itself
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Print the version
    Version,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corridor: {}", sentence(&error));
            match error.is::<verify::NotChecked>() {
                true => ExitCode::from(verify::NotChecked::EXIT_CODE),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// An error with its causes, each said once: some errors name their cause in their own text.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn run(command: Command) -> Result<()> {
    const TOOL_WORKERS: u8 = 2;
    match command {
        Command::Demo(arguments) => serve::runtime(TOOL_WORKERS)?.block_on(demo::run(arguments)),
        Command::Init(arguments) => init::run(arguments),
        Command::Node(arguments) => serve::node(arguments),
        Command::Gateway(arguments) => serve::gateway(arguments),
        Command::Send(arguments) => serve::runtime(1)?.block_on(send::run(arguments)),
        Command::Status(arguments) => serve::runtime(1)?.block_on(status::run(arguments)),
        Command::Show(arguments) => serve::runtime(1)?.block_on(show::run(arguments)),
        Command::Ledger(command) => serve::runtime(1)?.block_on(ledger::run(command)),
        Command::Fx(command) => serve::runtime(1)?.block_on(fx::run(command)),
        Command::Govern(command) => serve::runtime(1)?.block_on(govern::run(command)),
        Command::Directory(arguments) => serve::runtime(1)?.block_on(directory::run(arguments)),
        Command::Log(command) => log::run(command),
        Command::Document(command) => serve::runtime(1)?.block_on(document::run(command)),
        Command::Receipt(arguments) => serve::runtime(1)?.block_on(evidence::receipt(arguments)),
        Command::Policy(arguments) => serve::runtime(1)?.block_on(evidence::policy(arguments)),
        Command::Verify(command) => verify::run(command),
        Command::Audit(command) => serve::runtime(TOOL_WORKERS)?.block_on(audit::run(command)),
        Command::Iso(command) => iso::run(command),
        Command::Bench(command) => bench::run(command),
        Command::Version => {
            println!("corridor {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn each_cause_is_said_once() {
        let error = anyhow!("no such file").context("read a: no such file").context("start");
        assert_eq!(sentence(&error), "start: read a: no such file");
    }
}
