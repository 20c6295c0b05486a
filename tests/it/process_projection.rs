//! The projection into PostgreSQL with real processes: a projector that is killed in the middle of a batch, and a server.
//!
//! Where it stands is no matter of chance: a lock on a table stops it there, with rows of others written and none
//! committed. Judged by `corridor audit verify-db` and by counting.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use corridor::{
    chance::Chance,
    gateway_api,
    postgres::{Options, PrivatePostgres},
    process::Process,
};
use tokio_postgres::{Client, NoTls};

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, program, single};

/// Tables in the order in which a projector fills them, of those that each payment has rows in.
const TABLES: [&str; 4] = ["records", "commands", "postings", "balances_by_day"];
const KILLS: usize = 20;
const WAIT_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

#[test]
fn a_projector_killed_in_mid_batch_twenty_times_loses_and_doubles_nothing() {
    on_stage("process-projection", false, kills);
}

async fn kills(stage: &mut Stage) -> Result<()> {
    let options = Options { durable: true, memory_mib: 32 };
    let Some(mut server) = PrivatePostgres::start(options)? else {
        eprintln!("SKIPPED: no PostgreSQL is installed");
        return Ok(());
    };
    stage.start().await?;
    let mut chance = Chance::new(stage.seed);
    let (url, node) = (server.url("postgres"), stage.cluster.node_http(1)?);
    let genesis = stage.cluster.layout().genesis().to_string_lossy().into_owned();
    let place = ["--postgres", &url, "--node", &node, "--genesis", &genesis];
    let log = stage.folder.join("projector.log");
    let once = |command: &str, more: &[&str]| -> Result<String> {
        let mut process = std::process::Command::new(program()?);
        let output = process.args(["audit", command]).args(place).args(more).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(output.status.success(), "audit {command}: {said}");
        Ok(said)
    };
    pay(stage, &mut chance, 0).await?;
    once("project", &["--once"])?;
    let mut watcher = connect(&url).await?;
    for kill in 0..KILLS {
        let before = counts(&watcher).await?;
        pay(stage, &mut chance, 1 + kill as u64).await?;
        let table = TABLES[kill % TABLES.len()];
        let holder = connect(&url).await?;
        let lock = format!("BEGIN; LOCK TABLE corridor.{table} IN SHARE MODE");
        holder.batch_execute(&lock).await?;
        let arguments = [&["audit", "project"], &place[..]].concat();
        let projector = Process::start("the projector", &program()?, &arguments, &log)?;
        waits_for(&watcher, table).await?;
        if kill % 5 == 4 {
            // The server as well, as by a power cut.
            server.stop()?;
            projector.kill();
            server.go_on()?;
            watcher = connect(&url).await?;
        } else {
            projector.kill();
            holder.batch_execute("ROLLBACK").await?;
        }
        ensure!(counts(&watcher).await? == before, "half a batch is there after kill {kill}");
    }
    once("project", &["--once"])?;
    let said = once("verify-db", &[])?;
    ensure!(said.contains("every row follows from the ledger"), "{said}");
    let settled = stage.cluster.node_status(1).await?.settled;
    let payments = counts(&watcher).await?[1];
    ensure!(payments > KILLS as i64, "{payments} commands, {settled} settled");
    Ok(())
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client or the server.
    tokio::spawn(connection);
    Ok(client)
}

/// Rows of each table, and where the cursor stands.
async fn counts(client: &Client) -> Result<[i64; TABLES.len() + 1]> {
    let mut counts = [0; TABLES.len() + 1];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        let question = format!("SELECT count(*) FROM corridor.{table}");
        *count = client.query_one(&question, &[]).await?.get(0);
    }
    let cursor = "SELECT height FROM corridor.cursor";
    counts[TABLES.len()] = client.query_one(cursor, &[]).await?.get(0);
    Ok(counts)
}

/// Waits until somebody who has written rows waits for the lock of a table or one of its parts.
async fn waits_for(client: &Client, table: &str) -> Result<()> {
    let question = format!(
        "SELECT count(*) FROM pg_locks w JOIN pg_class c ON c.oid = w.relation
         JOIN pg_stat_activity a USING (pid)
         WHERE NOT w.granted AND c.relname LIKE '{table}%' AND a.backend_xid IS NOT NULL"
    );
    let until = Instant::now() + WAIT_MAX;
    while client.query_one(&question, &[]).await?.get::<_, i64>(0) == 0 {
        ensure!(Instant::now() < until, "nobody writes into {table}");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Pays once, and waits until that is final.
async fn pay(stage: &Stage, chance: &mut Chance, number: u64) -> Result<()> {
    let name = format!("PROJECTION-{number}");
    let payment = euro(chance, &stage.bics[0], &stage.bics[1], 100 + number, &name);
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let answered = gateway_api::submit(&mut client, &single(&name, &payment)).await?;
    let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
    ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
    let until = Instant::now() + WAIT_MAX;
    loop {
        let status = stage.cluster.node_status(1).await?;
        let paid = status.final_height.context("nothing is final").ok();
        if paid == Some(status.height) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "what is settled does not become final");
        tokio::time::sleep(POLL).await;
    }
}
