//! The versions of the projection's schema, and how a database gets from an older one to that of this program.
//!
//! Rows follow from the log, so a version that changes what rows there are is not reached by changing them: the
//! schema is made anew, and the log is read again from its beginning. What is not of the log is carried over: which
//! bank each login looks for. Later versions that only add to it are statements. A newer schema is left alone.

use anyhow::{Context, Result, ensure};
use tokio_postgres::Transaction;

use super::database::Database;

/// The version that `schema/` makes; whatever is older is made anew.
const BASE: i32 = 4;
/// Statements of each version after it.
const LATER: [&str; 0] = [];
/// Key of the lock under which one process migrates at a time.
const LOCK: i64 = 0x636f_7272_6964_6f72;

/// Brings the schema up to date, and claims it for a network; with `anew` it is made anew whatever it is.
pub(super) async fn migrate(database: &mut Database, network: &[u8; 32], anew: bool) -> Result<()> {
    migrate_to(database, network, anew, &LATER).await
}

pub(super) async fn migrate_to(
    database: &mut Database,
    network: &[u8; 32],
    anew: bool,
    later: &[&str],
) -> Result<()> {
    let transaction = database.client().transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let known = BASE + later.len() as i32;
    let found = version(&transaction).await?;
    ensure!(
        found.is_none_or(|found| found <= known),
        "the schema has version {}; this program knows {known}",
        found.unwrap_or_default()
    );
    let mut version = match found {
        Some(found) if found >= BASE && !anew => found,
        _ => {
            if let Some(found) = found {
                tracing::warn!(
                    "the schema of version {found} is made anew as version {BASE}: all rows are written \
                     again from the log; bank_logins is kept, other objects and grants in it are not"
                );
            }
            make(&transaction, found.is_some()).await.context("make the schema")?;
            BASE
        }
    };
    while let Some(statements) = later.get((version - BASE) as usize) {
        version += 1;
        transaction
            .batch_execute(statements)
            .await
            .with_context(|| format!("bring the schema to version {version}"))?;
        note(&transaction, version).await?;
        tracing::info!(version, "the schema was brought up to date");
    }
    let row = match transaction.query_opt("SELECT network FROM corridor.cursor", &[]).await? {
        Some(row) => row,
        None => {
            let rows = "SELECT EXISTS (SELECT FROM corridor.blocks)
                OR EXISTS (SELECT FROM corridor.participants)";
            let filled: bool = transaction.query_one(rows, &[]).await?.get(0);
            ensure!(
                !filled,
                "the cursor was removed, the rows were not: project again with --anew"
            );
            let begin = "INSERT INTO corridor.cursor (network, height, leaves, log_root)
                VALUES ($1, -1, 0, '') RETURNING network";
            transaction.query_one(begin, &[&&network[..]]).await?
        }
    };
    let claimed: &[u8] = row.get(0);
    ensure!(claimed == network, "the database holds the projection of another network");
    transaction.commit().await?;
    Ok(())
}

/// Nothing where there is no schema of ours.
async fn version(transaction: &Transaction<'_>) -> Result<Option<i32>> {
    let there = "SELECT to_regclass('corridor.migrations') IS NOT NULL";
    if !transaction.query_one(there, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM corridor.migrations";
    Ok(Some(transaction.query_one(newest, &[]).await?.get(0)))
}

async fn note(transaction: &Transaction<'_>, version: i32) -> Result<()> {
    let note = "INSERT INTO corridor.migrations (version) VALUES ($1)";
    transaction.execute(note, &[&version]).await?;
    Ok(())
}

async fn make(transaction: &Transaction<'_>, replaces: bool) -> Result<()> {
    if replaces {
        let keep =
            "CREATE TEMP TABLE logins_before ON COMMIT DROP AS SELECT * FROM corridor.bank_logins;
            DROP SCHEMA corridor CASCADE";
        transaction.batch_execute(keep).await?;
    }
    transaction.batch_execute(include_str!("schema/roles.sql")).await?;
    transaction.batch_execute("SET LOCAL ROLE projector").await?;
    transaction.batch_execute(include_str!("schema/tables.sql")).await?;
    transaction.batch_execute(include_str!("schema/views.sql")).await?;
    note(transaction, BASE).await?;
    transaction.batch_execute("SET LOCAL ROLE NONE").await?;
    transaction.batch_execute(include_str!("schema/access.sql")).await?;
    if replaces {
        let put = "INSERT INTO corridor.bank_logins SELECT * FROM logins_before";
        transaction.batch_execute(put).await?;
    }
    Ok(())
}
