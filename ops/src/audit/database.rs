//! The projection's database: its schema, its cursor, and runs of rows written in one transaction with the cursor.
//!
//! Exactly once: a run is written only where the cursor stands right before it, and moves the cursor in the same
//! transaction. Whoever does not know whether a commit arrived writes again and is told by the cursor.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use super::rows::{Rows, Table};

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

    /// The connection, for what is no part of the projection.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
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
        match self.try_write(rows, after, to).await {
            // Whatever the error says: where the schema is gone, all is to be written anew.
            Err(error) if !self.is_there().await.unwrap_or(true) => {
                tracing::warn!(error = format!("{error:#}"), "the projection was wiped");
                Ok(Written::Moved)
            }
            done => done,
        }
    }

    async fn is_there(&self) -> Result<bool> {
        let question = "SELECT to_regclass('corridor.cursor') IS NOT NULL";
        Ok(self.client.query_one(question, &[]).await?.get(0))
    }

    async fn try_write(&mut self, rows: &Rows, after: Option<u64>, to: &Cursor) -> Result<Written> {
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
        for table in Table::all().filter(|table| rows.has(*table)) {
            let bytes = rows.copy(table);
            if table == Table::Days {
                let make =
                    "CREATE TEMP TABLE days_now (LIKE corridor.balances_by_day) ON COMMIT DROP";
                transaction.batch_execute(make).await?;
                copy_into(transaction.client(), "days_now", bytes).await?;
                transaction
                    .batch_execute(&put_days("days_now", "corridor.balances_by_day"))
                    .await?;
            } else {
                copy_into(transaction.client(), &format!("corridor.{}", table.name()), bytes)
                    .await?;
            }
        }
        let (height, leaves) = (to.height as i64, to.leaves as i64);
        let forward = "UPDATE corridor.cursor SET height = $1, leaves = $2, log_root = $3";
        transaction.execute(forward, &[&height, &leaves, &&to.log_root[..]]).await?;
        transaction.commit().await?;
        Ok(Written::Now)
    }

    /// Lets the planner know what was written.
    pub(super) async fn look_again(&self) -> Result<()> {
        self.client.batch_execute("SELECT corridor.look_again()").await?;
        Ok(())
    }

    /// Begins a view of the database as it is now, for all that is compared: who writes meanwhile is not seen.
    pub(super) async fn begin_comparing(&self) -> Result<()> {
        // A whole table is never to be sorted for a few of its rows, whatever the planner knows of it.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ;
            SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
            CREATE TEMP TABLE days_all (LIKE corridor.balances_by_day, PRIMARY KEY (account, day))
            ON COMMIT DROP;
            CREATE TEMP TABLE days_now (LIKE corridor.balances_by_day) ON COMMIT DROP";
        self.client.batch_execute(begin).await?;
        Ok(())
    }

    /// Compares rows of the leaves `from..to` with those in the database; returns what differs, a line each.
    ///
    /// The database is asked for the very bytes that were copied in. Only where they differ are rows compared.
    pub(super) async fn compare(&self, rows: &Rows, from: u64, to: u64) -> Result<Vec<String>> {
        let client = &self.client;
        let mut lines = Vec::new();
        for table in Table::all() {
            let name = table.name();
            if table == Table::Days {
                client.batch_execute("TRUNCATE days_now").await?;
                copy_into(client, "days_now", rows.copy(table)).await?;
                client.batch_execute(&put_days("days_now", "days_all")).await?;
                continue;
            }
            let range =
                format!("SELECT * FROM corridor.{name} WHERE leaf >= {from} AND leaf < {to}");
            let ordered = format!("{range} ORDER BY {}", table.order());
            if is_copied_out(client, &ordered, rows.copy(table)).await? {
                continue;
            }
            let make =
                format!("CREATE TEMP TABLE expected_{name} (LIKE corridor.{name}) ON COMMIT DROP");
            client.batch_execute(&make).await?;
            copy_into(client, &format!("expected_{name}"), rows.copy(table)).await?;
            let expected = format!("SELECT * FROM expected_{name}");
            differences(client, name, &expected, &range, &mut lines).await?;
            client.batch_execute(&format!("DROP TABLE expected_{name}")).await?;
        }
        Ok(lines)
    }

    /// What is at no leaf below `leaves`, and the balances by day; after all leaves were compared.
    pub(super) async fn compare_rest(&self, leaves: u64) -> Result<Vec<String>> {
        let client = &self.client;
        let mut lines = Vec::new();
        for table in Table::all().filter(|table| *table != Table::Days) {
            let name = table.name();
            let none = format!("SELECT * FROM corridor.{name} WHERE false");
            let beyond =
                format!("SELECT * FROM corridor.{name} WHERE leaf >= {leaves} OR leaf < 0");
            differences(client, name, &none, &beyond, &mut lines).await?;
        }
        let days = "SELECT * FROM corridor.balances_by_day";
        differences(client, "balances_by_day", "SELECT * FROM days_all", days, &mut lines).await?;
        client.batch_execute("COMMIT").await?;
        Ok(lines)
    }
}

/// Whether a query's rows are, byte for byte, those that are expected.
async fn is_copied_out(client: &Client, query: &str, expected: Bytes) -> Result<bool> {
    let stream = client.copy_out(&format!("COPY ({query}) TO STDOUT (FORMAT binary)")).await?;
    let mut stream = std::pin::pin!(stream);
    let (mut rest, mut same) = (expected, true);
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        same = same && rest.starts_with(&piece);
        if same {
            rest = rest.slice(piece.len()..);
        }
    }
    Ok(same && rest.is_empty())
}

fn put_days(from: &str, into: &str) -> String {
    format!(
        "INSERT INTO {into} SELECT * FROM {from} ON CONFLICT (account, day) DO UPDATE SET
         leaf = excluded.leaf, height = excluded.height, debits = excluded.debits,
         credits = excluded.credits, closing = excluded.closing"
    )
}

async fn copy_into(client: &Client, table: &str, bytes: Bytes) -> Result<()> {
    const PIECE: usize = 1 << 20;
    let copy = format!("COPY {table} FROM STDIN (FORMAT binary)");
    let sink = client.copy_in::<_, Bytes>(&copy).await?;
    let mut sink = std::pin::pin!(sink);
    for from in (0..bytes.len()).step_by(PIECE) {
        sink.feed(bytes.slice(from..bytes.len().min(from + PIECE))).await?;
    }
    sink.finish().await.with_context(|| format!("copy into {table}"))?;
    Ok(())
}

async fn differences(
    client: &Client,
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
        for row in client.query(&question, &[]).await? {
            let text: &str = row.get(0);
            lines.push(format!("{name}: {what}: {text}"));
        }
    }
    Ok(())
}
