//! `corridor audit`: the ledger's history in PostgreSQL, and whether what is there is what the ledger says.
//!
//! `project` follows a node's final log for as long as it runs; `verify-db` recomputes every row from the log and names
//! those that differ. Both apply the log themselves (`replay.rs`): no balance and no answer is taken from the node.
//! PostgreSQL may be away, be wiped or come back older: the projection goes on from what its cursor says.

mod database;
pub(crate) mod export;
pub(crate) mod manifest;
mod replay;
mod rows;
pub(crate) mod search;
mod source;
mod statement;
#[cfg(test)]
mod tests;
mod trace;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use proof::{checkpoint::origin, policy::Policy};
use wire::genesis::Genesis;

use database::{Cursor, Database, Written};
use replay::Replay;
use rows::Rows;
use source::Source;

/// Rows are written when they have this many bytes, and when the end of the log is reached.
const RUN_BYTES: usize = 16 << 20;
/// How long to wait for more of the log, and before PostgreSQL is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// What auditors do with a database.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write the final log into PostgreSQL, and follow it
    Project(ProjectArguments),
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
    /// The network's policy: only checkpoints that it accepts count
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
}

/// Runs one of them.
pub async fn run(command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Project(arguments) => project(&arguments).await,
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
    fn open(&self) -> Result<(Source, Replay)> {
        let genesis = std::fs::read(&self.genesis)
            .with_context(|| format!("read {}", self.genesis.display()))?;
        let policy = match &self.policy {
            Some(path) => {
                let text =
                    std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
                Some(Policy::parse(&text)?)
            }
            None => None,
        };
        Ok((Source::new(&self.node, policy)?, Replay::new(&Genesis::parse(&genesis)?)?))
    }
}

/// Rows that were not yet written, and where they begin.
struct Run {
    rows: Rows,
    /// Height before the first of them; nothing before genesis.
    after: Option<u64>,
}

impl Run {
    fn begin() -> Self {
        Self { rows: Rows::default(), after: None }
    }

    fn end(&mut self, at: u64) {
        self.rows.clear();
        self.after = Some(at);
    }
}

fn reached(replay: &Replay) -> Cursor {
    Cursor { height: replay.height(), leaves: replay.leaves(), log_root: replay.root() }
}

/// Writes rows until they are there, whatever PostgreSQL does meanwhile; false when it is not where it was.
async fn write(
    url: &str,
    database: &mut Option<Database>,
    run: &mut Run,
    replay: &mut Replay,
) -> Result<bool> {
    replay.flush_days(&mut run.rows);
    let to = reached(replay);
    loop {
        let tried = async {
            let mut open = match database.take() {
                Some(open) => open,
                None => Database::connect(url).await?,
            };
            let written = open.write(&run.rows, run.after, &to).await?;
            anyhow::Ok((open, written))
        };
        match tried.await {
            Ok((open, written)) => {
                *database = Some(open);
                if written == Written::Moved {
                    return Ok(false);
                }
                run.end(to.height);
                return Ok(true);
            }
            Err(error) if is_away(&error) => {
                tracing::warn!(error = format!("{error:#}"), "PostgreSQL is away");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.context("write the projection")),
        }
    }
}

/// Whether an error says that the server is not there, stops or starts; any other is ours or its operator's to mend.
fn is_away(error: &anyhow::Error) -> bool {
    let Some(error) = error.downcast_ref::<tokio_postgres::Error>() else {
        return error.chain().any(|cause| cause.is::<std::io::Error>());
    };
    // Class 57: operator intervention; 08: connection; 42P01 and 3F000: wiped, which is seen after a new start.
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some(code) => code.starts_with("57") || code.starts_with("08"),
        None => true,
    }
}

async fn project(arguments: &ProjectArguments) -> Result<()> {
    loop {
        if project_from_cursor(arguments).await? {
            return Ok(());
        }
        tracing::warn!("the database was set back or wiped; the log is read again");
    }
}

/// Follows the log; true at its end when that was asked for, false when the database was set back.
async fn project_from_cursor(arguments: &ProjectArguments) -> Result<bool> {
    let url = &arguments.place.postgres;
    let (mut source, mut replay) = arguments.place.open()?;
    let (mut database, cursor) = loop {
        let tried = async {
            let mut database = Database::connect(url).await?;
            database.migrate(replay.network()).await?;
            let cursor = database.cursor().await?;
            anyhow::Ok((database, cursor))
        };
        match tried.await {
            Ok((database, cursor)) => break (Some(database), cursor),
            Err(error) if is_away(&error) => {
                tracing::warn!(error = format!("{error:#}"), "PostgreSQL is away");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    };
    let mut run = Run::begin();
    loop {
        let Some(checkpoint) = source.checkpoint().await? else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        ensure!(checkpoint.origin == origin(replay.network()), "the checkpoint is of another log");
        let mut next = replay.leaves();
        let mut blocks = Vec::new();
        while next < checkpoint.size {
            source
                .bundle(next, checkpoint.size, |record| {
                    next += 1;
                    blocks.push(record.to_vec());
                    Ok(())
                })
                .await?;
            for record in blocks.drain(..) {
                if !replay.push(&record, &mut run.rows)? {
                    continue;
                }
                if let Some(cursor) = &cursor
                    && replay.height() <= cursor.height
                {
                    pass(&mut run, &mut replay, cursor)?;
                } else if run.rows.len() >= RUN_BYTES
                    && !write(url, &mut database, &mut run, &mut replay).await?
                {
                    return Ok(false);
                }
            }
        }
        ensure!(replay.leaves() == checkpoint.size, "the checkpoint is not at the end of a block");
        ensure!(
            replay.root() == checkpoint.root,
            "the records do not lead to the checkpoint's root"
        );
        if run.rows.len() > 0 {
            if !write(url, &mut database, &mut run, &mut replay).await? {
                return Ok(false);
            }
            let (height, leaves) = (replay.height(), replay.leaves());
            tracing::info!(height, leaves, "the projection is at the checkpoint");
        }
        if arguments.once {
            if let Some(cursor) = &cursor {
                ensure!(replay.height() >= cursor.height, "the database is ahead of the log");
            }
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Passes over what is in the database already.
fn pass(run: &mut Run, replay: &mut Replay, cursor: &Cursor) -> Result<()> {
    replay.flush_days(&mut run.rows);
    run.end(replay.height());
    if replay.height() == cursor.height && *cursor != reached(replay) {
        bail!(
            "the database was filled from another history: its root differs at {}",
            cursor.height
        );
    }
    Ok(())
}

/// Recomputes all that the database should hold; one line for each row that differs.
async fn verify_db(place: &Place) -> Result<Vec<String>> {
    let (mut source, mut replay) = place.open()?;
    let mut database = Database::connect(&place.postgres).await?;
    let cursor = database.cursor().await?.context("the database holds no projection yet")?;
    let checkpoint = source.checkpoint().await?.context("the node has no checkpoint yet")?;
    ensure!(cursor.leaves <= checkpoint.size, "the database is ahead of the node's checkpoint");
    let (mut rows, mut lines) = (Rows::default(), Vec::new());
    let (mut from, mut next) = (0, 0);
    let mut records = Vec::new();
    let mut compared = false;
    while next < checkpoint.size {
        source
            .bundle(next, checkpoint.size, |record| {
                next += 1;
                records.push(record.to_vec());
                Ok(())
            })
            .await?;
        for record in records.drain(..) {
            if !replay.push(&record, &mut rows)? || compared {
                // Beyond the cursor only the root counts.
                if compared {
                    rows.clear();
                }
                continue;
            }
            let last = replay.height() == cursor.height;
            if last || rows.len() >= RUN_BYTES {
                replay.flush_days(&mut rows);
                lines.extend(database.compare(&rows, from, replay.height()).await?);
                rows.clear();
                from = replay.height() + 1;
            }
            if last {
                if cursor != reached(&replay) {
                    lines.push("cursor: its leaves or root are not the log's".to_owned());
                }
                lines.extend(database.compare_rest(cursor.height).await?);
                compared = true;
            }
        }
    }
    ensure!(replay.root() == checkpoint.root, "the records do not lead to the checkpoint's root");
    ensure!(compared, "the cursor is beyond the log");
    Ok(lines)
}
