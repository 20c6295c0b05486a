//! `corridor audit`: the ledger's history in PostgreSQL, and whether what is there is what the ledger says.
//!
//! `project` follows a node's final log for as long as it runs; `verify-db` recomputes every row from the log and names
//! those that differ. Both apply the log themselves (`runs.rs`): no balance and no answer is taken from the node.
//! PostgreSQL may be away, be wiped or come back older: the projection goes on from what its cursor says.

mod book;
mod database;
pub(crate) mod export;
mod governance;
pub(crate) mod manifest;
mod migrate;
mod project;
mod reader;
mod registry;
mod rows;
mod runs;
pub(crate) mod search;
mod source;
mod statement;
#[cfg(test)]
mod tests;
mod trace;
mod verify_db;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use proof::{checkpoint::origin, policy::Policy};
use settlement_node::finality::Members;
use wire::genesis::Genesis;

use crate::process;
use source::Source;

pub(crate) use project::project;
pub(crate) use verify_db::verify_db;

/// What auditors do with a database.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write the final log into PostgreSQL, and follow it
    Project(ProjectArguments),
    /// Who read data of parties, when, what, and on what ground; from a node, without a database
    Access(crate::access::AccessArguments),
    /// Recompute every row in PostgreSQL from the log, and name those that differ
    VerifyDb(Place),
    /// Rows of the log by filters, with count and sums; no database is needed
    Search(search::SearchArguments),
    /// The movements of an account with the balance after each
    Statement(statement::StatementArguments),
    /// Everything that the log says of one payment
    Trace(trace::TraceArguments),
    /// Rows or a statement as CSV, JSON lines or camt.053, with a manifest and a proof
    Export(export::ExportArguments),
}

/// Where log and database are.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// URL of the database, as in postgres://user@host/name
    #[arg(long, value_name = "URL")]
    postgres: String,
    /// HTTP address of the node whose log is read
    #[arg(long, value_name = "URL")]
    node: String,
    /// The network's genesis file
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The network's policy: only checkpoints that it accepts count; that of the genesis file when left out
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Arguments of `corridor audit project`.
#[derive(Clone, Debug, Args)]
pub struct ProjectArguments {
    #[command(flatten)]
    place: Place,
    /// End when the newest checkpoint is reached
    #[arg(long)]
    once: bool,
    /// Make the schema anew first: every row is written again from the log
    #[arg(long)]
    anew: bool,
}

/// Runs one of them.
pub async fn run(command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Project(arguments) => {
            process::die_with_parent()?;
            project(&arguments).await
        }
        AuditCommand::Access(arguments) => crate::access::run(arguments).await,
        AuditCommand::VerifyDb(place) => {
            let lines = verify_db(&place).await?;
            lines.iter().for_each(|line| println!("{line}"));
            ensure!(lines.is_empty(), "{} differences between ledger and database", lines.len());
            println!("every row follows from the ledger");
            Ok(())
        }
        AuditCommand::Search(arguments) => blocking(move || search::run(&arguments)).await,
        AuditCommand::Statement(arguments) => blocking(move || statement::run(&arguments)).await,
        AuditCommand::Trace(arguments) => blocking(move || trace::run(&arguments)).await,
        AuditCommand::Export(arguments) => blocking(move || export::run(&arguments)).await,
    }
}

/// What reads a whole log does so on a thread of its own.
async fn blocking(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work).await.context("the work broke off")?
}

impl Place {
    /// A database and a node's log, judged by the genesis file's own policy.
    pub(crate) fn new(postgres: &str, node: &str, genesis: PathBuf) -> Self {
        Self { postgres: postgres.to_owned(), node: node.to_owned(), genesis, policy: None }
    }

    /// How far the projection is, in leaves; nothing before genesis is in it.
    pub(crate) async fn projected(&self) -> Result<Option<u64>> {
        let database = database::Database::connect(&self.postgres).await?;
        Ok(database.cursor().await?.map(|cursor| cursor.leaves))
    }

    fn open(&self) -> Result<(Source, Genesis)> {
        let genesis = std::fs::read(&self.genesis)
            .with_context(|| format!("read {}", self.genesis.display()))?;
        let genesis = Genesis::parse(&genesis)?;
        let policy = match &self.policy {
            Some(path) => {
                let text =
                    std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
                Some(Policy::parse(&text)?)
            }
            None => match Members::of(&genesis)? {
                Some(members) => Some(Policy::parse(members.policy().as_bytes())?),
                None => None,
            },
        };
        let origin = origin(&genesis.domain.network);
        Ok((Source::new(&self.node, policy, origin)?, genesis))
    }
}
