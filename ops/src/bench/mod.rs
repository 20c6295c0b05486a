//! `corridor bench`: the same processes and bytes as in operation, under load, with the cost counted.
//!
//! Every run checks at the end that nothing was lost or doubled and that money adds up: a run that
//! does not has no speed and ends with exit code 1. Figures mean something only on a quiet machine.

mod audit;
mod failover;
mod iso;
mod ledger;
mod liquidity;
mod measure;
mod net;
mod overload;
mod pace;
mod payments;
mod place;
mod queries;
mod raft;
mod stages;
mod stream;
mod threads;

use anyhow::Result;
use clap::Subcommand;

use crate::serve;

/// Worker threads of the load generator; the nodes are processes of their own.
const WORKERS: u8 = 2;

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Transfers as signed batches over QUIC into a cluster: what the ledger alone can do
    Ledger(ledger::LedgerArguments),
    /// Ten times more than the cluster can do, from one bank, beside a steady small load of another
    Overload(overload::OverloadArguments),
    /// Payments from XML in at one bank's gateway to XML out at another's
    Payments(payments::PaymentsArguments),
    /// The leader is killed again and again, then all nodes: how long nobody can pay
    Failover(failover::FailoverArguments),
    /// Loss and distance between the nodes: what they cost in rate and latency
    Net(net::NetArguments),
    /// The auditor's PostgreSQL: how fast it catches up, is verified, and answers
    Audit(audit::AuditArguments),
    /// The message library alone: reading, validating and writing ISO 20022
    Iso(iso::IsoArguments),
    /// Each stage of a payment by itself, in this process: which one costs most
    Stages(stages::StagesArguments),
    /// A day of payments in this process: what offsetting saves against FIFO gross, and what a long queue costs
    Liquidity(liquidity::LiquidityArguments),
    /// What an auditor waits for: lookups, statements, exports and verification of a large ledger
    Queries(queries::QueriesArguments),
}

/// Runs `corridor bench`.
pub fn run(command: BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Ledger(arguments) => {
            serve::runtime(WORKERS)?.block_on(ledger::run(arguments))
        }
        BenchCommand::Overload(arguments) => {
            serve::runtime(WORKERS)?.block_on(overload::run(arguments))
        }
        BenchCommand::Payments(arguments) => {
            serve::runtime(WORKERS)?.block_on(payments::run(arguments))
        }
        BenchCommand::Failover(arguments) => {
            serve::runtime(WORKERS)?.block_on(failover::run(arguments))
        }
        BenchCommand::Net(arguments) => serve::runtime(WORKERS)?.block_on(net::run(arguments)),
        BenchCommand::Audit(arguments) => serve::runtime(WORKERS)?.block_on(audit::run(arguments)),
        BenchCommand::Iso(arguments) => iso::run(arguments),
        BenchCommand::Stages(arguments) => stages::run(arguments),
        BenchCommand::Liquidity(arguments) => liquidity::run(arguments),
        BenchCommand::Queries(arguments) => {
            serve::runtime(WORKERS)?.block_on(queries::run(arguments))
        }
    }
}
