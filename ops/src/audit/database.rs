//! The projection's database: its schema, its cursor, and runs of rows written in one transaction with the cursor.
//!
//! Exactly once: a run is written only where the cursor stands right before it, and moves the cursor in the same
//! transaction. Whoever does not know whether a commit arrived writes again and is told by the cursor.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::SinkExt;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, Transaction};

use super::rows::{Rows, Table};

/// Statements of each version of the schema, from version 1.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];
/// Key of the lock under which one process migrates at a time.
const LOCK: i64 = 0x636f_7272_6964_6f72;

/// How far the projection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) height: u64,
    pub(super) leaves: u64,
    pub(super) log_root: [u8; 32],
}

/// What became of a run of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is there now.
    Now,
    /// It was there before.
    Before,
    /// The cursor stands somewhere else: the database was wiped or set back.
    Moved,
}

/// A connection.
pub(super) struct Database {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Database {
    /// Connects, without TLS: by a socket of this machine, or over a network that is protected otherwise.
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let (client, connection) =
            tokio_postgres::connect(url, NoTls).await.context("connect to PostgreSQL")?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "the connection to PostgreSQL broke");
            }
        });
        Ok(Self { client, driver })
    }

    /// Brings the schema up to date, and claims it for a network.
    pub(super) async fn migrate(&mut self, network: &[u8; 32]) -> Result<()> {
        let transaction = self.client.transaction().await?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
        let there = "SELECT to_regclass('corridor.migrations') IS NOT NULL";
        let version: i32 = match transaction.query_one(there, &[]).await?.get(0) {
            true => {
                let newest = "SELECT coalesce(max(version), 0) FROM corridor.migrations";
                transaction.query_one(newest, &[]).await?.get(0)
            }
            false => 0,
        };
        let known = MIGRATIONS.len() as i32;
        ensure!(version <= known, "the schema has version {version}; this program knows {known}");
        for migration in &MIGRATIONS[version as usize..] {
            transaction.batch_execute(migration).await.context("migrate the schema")?;
        }
        let begin = "INSERT INTO corridor.cursor (network, height, leaves, log_root)
            VALUES ($1, -1, 0, '') ON CONFLICT DO NOTHING";
        transaction.execute(begin, &[&&network[..]]).await?;
        let row = transaction.query_one("SELECT network FROM corridor.cursor", &[]).await?;
        let found: &[u8] = row.get(0);
        ensure!(found == network, "the database holds the projection of another network");
        transaction.commit().await?;
        Ok(())
    }

    /// How far the projection is; nothing before genesis.
    pub(super) async fn cursor(&self) -> Result<Option<Cursor>> {
        let question = "SELECT height, leaves, log_root FROM corridor.cursor WHERE height >= 0";
        let Some(row) = self.client.query_opt(question, &[]).await? else { return Ok(None) };
        let (height, leaves, root): (i64, i64, &[u8]) = (row.get(0), row.get(1), row.get(2));
        Ok(Some(Cursor {
            height: height.try_into()?,
            leaves: leaves.try_into()?,
            log_root: root.try_into().context("the cursor has no root")?,
        }))
    }

    /// Writes a run of rows that follows `after` and ends at `to`.
    pub(super) async fn write(
        &mut self,
        rows: &Rows,
        after: Option<u64>,
        to: &Cursor,
    ) -> Result<Written> {
        let transaction = self.client.transaction().await?;
        let question = "SELECT height FROM corridor.cursor FOR UPDATE";
        let Some(row) = transaction.query_opt(question, &[]).await? else {
            return Ok(Written::Moved);
        };
        let height: i64 = row.get(0);
        if height == to.height as i64 {
            return Ok(Written::Before);
        }
        if height != after.map_or(-1, |after| after as i64) {
            return Ok(Written::Moved);
        }
        for month in &rows.months {
            let make = format!("SELECT corridor.add_month('{month}')");
            transaction.batch_execute(&make).await?;
        }
        for table in Table::ALL {
            let Some(bytes) = rows.copy(table) else { continue };
            if table == Table::Days {
                let make =
                    "CREATE TEMP TABLE days_now (LIKE corridor.balances_by_day) ON COMMIT DROP";
                transaction.batch_execute(make).await?;
                copy_into(&transaction, "days_now", bytes).await?;
                transaction
                    .batch_execute(&put_days("days_now", "corridor.balances_by_day"))
                    .await?;
            } else {
                copy_into(&transaction, &format!("corridor.{}", table.name()), bytes).await?;
            }
        }
        let (height, leaves) = (to.height as i64, to.leaves as i64);
        let forward = "UPDATE corridor.cursor SET height = $1, leaves = $2, log_root = $3";
        transaction.execute(forward, &[&height, &leaves, &&to.log_root[..]]).await?;
        transaction.commit().await?;
        Ok(Written::Now)
    }

    /// Compares rows of the blocks `from..=to` with those in the database; returns what differs, a line each.
    pub(super) async fn compare(&mut self, rows: &Rows, from: u64, to: u64) -> Result<Vec<String>> {
        let transaction = self.client.transaction().await?;
        let mut lines = Vec::new();
        for table in Table::ALL {
            let name = table.name();
            if table == Table::Days {
                let make =
                    "CREATE TEMP TABLE IF NOT EXISTS days_all (LIKE corridor.balances_by_day,
                    PRIMARY KEY (account, day))";
                transaction.batch_execute(make).await?;
            }
            let make =
                format!("CREATE TEMP TABLE expected_{name} (LIKE corridor.{name}) ON COMMIT DROP");
            transaction.batch_execute(&make).await?;
            if let Some(bytes) = rows.copy(table) {
                copy_into(&transaction, &format!("expected_{name}"), bytes).await?;
            }
            if table == Table::Days {
                let put = put_days("expected_balances_by_day", "days_all");
                transaction.batch_execute(&put).await?;
                continue;
            }
            let range =
                format!("SELECT * FROM corridor.{name} WHERE height BETWEEN {from} AND {to}");
            let expected = format!("SELECT * FROM expected_{name}");
            differences(&transaction, name, &expected, &range, &mut lines).await?;
        }
        transaction.commit().await?;
        Ok(lines)
    }

    /// What is in no block up to `height`, and the balances by day; after all blocks were compared.
    pub(super) async fn compare_rest(&mut self, height: u64) -> Result<Vec<String>> {
        let transaction = self.client.transaction().await?;
        let mut lines = Vec::new();
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Days) {
            let name = table.name();
            let none = format!("SELECT * FROM corridor.{name} WHERE false");
            let beyond =
                format!("SELECT * FROM corridor.{name} WHERE height > {height} OR height < 0");
            differences(&transaction, name, &none, &beyond, &mut lines).await?;
        }
        let days = "SELECT * FROM corridor.balances_by_day";
        differences(&transaction, "balances_by_day", "SELECT * FROM days_all", days, &mut lines)
            .await?;
        transaction.commit().await?;
        Ok(lines)
    }
}

fn put_days(from: &str, into: &str) -> String {
    format!(
        "INSERT INTO {into} SELECT * FROM {from} ON CONFLICT (account, day) DO UPDATE SET
         leaf = excluded.leaf, height = excluded.height, debits = excluded.debits,
         credits = excluded.credits, closing = excluded.closing"
    )
}

async fn copy_into(transaction: &Transaction<'_>, table: &str, bytes: Bytes) -> Result<()> {
    const PIECE: usize = 1 << 20;
    let copy = format!("COPY {table} FROM STDIN (FORMAT binary)");
    let sink = transaction.copy_in::<_, Bytes>(&copy).await?;
    let mut sink = std::pin::pin!(sink);
    for from in (0..bytes.len()).step_by(PIECE) {
        sink.feed(bytes.slice(from..bytes.len().min(from + PIECE))).await?;
    }
    sink.finish().await.with_context(|| format!("copy into {table}"))?;
    Ok(())
}

async fn differences(
    transaction: &Transaction<'_>,
    name: &str,
    expected: &str,
    found: &str,
    lines: &mut Vec<String>,
) -> Result<()> {
    for (what, one, other) in
        [("should be", expected, found), ("is in the database", found, expected)]
    {
        let question = format!(
            "SELECT to_jsonb(d)::text FROM (({one}) EXCEPT ALL ({other})) d ORDER BY leaf, 1"
        );
        for row in transaction.query(&question, &[]).await? {
            let text: &str = row.get(0);
            lines.push(format!("{name}: {what}: {text}"));
        }
    }
    Ok(())
}
