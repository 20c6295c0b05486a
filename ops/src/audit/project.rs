//! Writing the log into PostgreSQL and following it, for as long as somebody wants that.
//!
//! PostgreSQL and the node may go and come back. What the database says of itself is the only memory: a projection that
//! was wiped or set back is written again from where it stands, by the same process.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    ProjectArguments,
    database::{Cursor, Database, Written},
    migrate::migrate,
    runs::{self, Run, Wanted},
    source::{End, Source},
};

/// How long to wait for more of the log, and before PostgreSQL is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// Leaves after which the planner is told of what was written.
const LOOK_LEAVES: u64 = 200_000;

/// Runs `corridor audit project`.
pub(crate) async fn project(arguments: &ProjectArguments) -> Result<()> {
    let mut anew = arguments.anew;
    loop {
        if project_from_cursor(arguments, anew).await? {
            return Ok(());
        }
        anew = false;
        tracing::warn!("the database was set back or wiped; the log is read again");
    }
}

/// Follows the log; true at its end when that was asked for, false when the database was set back.
async fn project_from_cursor(arguments: &ProjectArguments, anew: bool) -> Result<bool> {
    let url = &arguments.place.postgres;
    let (mut source, genesis) = arguments.place.open()?;
    let network = genesis.domain.network;
    let (database, cursor) = loop {
        let tried = async {
            let mut database = Database::connect(url).await?;
            migrate(&mut database, &network, anew).await?;
            let cursor = database.cursor().await?;
            anyhow::Ok((database, cursor))
        };
        match tried.await {
            Ok(done) => break done,
            Err(error) if is_away(&error) => {
                tracing::warn!(error = format!("{error:#}"), "PostgreSQL is away");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    };
    let end = match arguments.once {
        false => End::Never,
        true => match source.checkpoint().await? {
            Some(checkpoint) => {
                let behind = cursor.as_ref().is_none_or(|one| one.leaves <= checkpoint.size);
                ensure!(behind, "the database is ahead of the log");
                End::At(checkpoint)
            }
            None => End::Newest,
        },
    };
    let (pipe, feed) = Source::feed();
    let (mut made, making) = runs::make(genesis, feed, Wanted::After(cursor.clone()))?;
    let fetching = source.fetch(pipe, end, PAUSE);
    let mut writer =
        Writer { url, database: Some(database), looked: cursor.map_or(0, |one| one.leaves) };
    let writing = async {
        while let Some(run) = made.recv().await {
            if !writer.write(&run).await? {
                return Ok(false);
            }
        }
        anyhow::Ok(true)
    };
    let written = {
        tokio::pin!(fetching, writing);
        tokio::select! {
            written = &mut writing => written?,
            fetched = &mut fetching => {
                fetched?;
                writing.await?
            }
        }
    };
    if !written {
        return Ok(false);
    }
    drop(made);
    making.await??;
    Ok(true)
}

/// The connection, while there is one.
struct Writer<'a> {
    url: &'a str,
    database: Option<Database>,
    /// Leaves when the planner was last told.
    looked: u64,
}

impl Writer<'_> {
    /// Writes rows until they are there, whatever PostgreSQL does meanwhile; false when it is not where it was.
    async fn write(&mut self, run: &Run) -> Result<bool> {
        loop {
            match self.try_write(run).await {
                Ok(Written::Moved) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(error) if is_away(&error) => {
                    tracing::warn!(error = format!("{error:#}"), "PostgreSQL is away");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.context("write the projection")),
            }
        }
    }

    async fn try_write(&mut self, run: &Run) -> Result<Written> {
        let mut open = match self.database.take() {
            Some(open) => open,
            None => Database::connect(self.url).await?,
        };
        let written = open.write(&run.rows, run.after, &run.to).await?;
        if written != Written::Moved && run.at_checkpoint {
            let Cursor { height, leaves, .. } = run.to;
            tracing::info!(height, leaves, "the projection is at the checkpoint");
            if leaves.saturating_sub(self.looked) >= LOOK_LEAVES {
                open.look_again().await?;
                self.looked = leaves;
            }
        }
        self.database = Some(open);
        Ok(written)
    }
}

/// Whether an error says that the server is not there, stops or starts, or that others were in the way; any other is
/// ours or its operator's to mend.
fn is_away(error: &anyhow::Error) -> bool {
    let Some(error) = error.downcast_ref::<tokio_postgres::Error>() else {
        return error.chain().any(|cause| cause.is::<std::io::Error>());
    };
    // Class 57: operator intervention; 08: connection; 40: a deadlock, with a wipe for one.
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some(code) => ["57", "08", "40"].iter().any(|class| code.starts_with(class)),
        None => true,
    }
}
