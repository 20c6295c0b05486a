//! The same ledger in a private PostgreSQL, and pages of it by filters, as an auditor asks for them.

use std::path::Path;

use anyhow::Result;
use tokio_postgres::NoTls;

use super::measured;
use crate::{
    bench::audit::questions::{self, Asked},
    postgres::{Options, PrivatePostgres},
};

/// How often each question is asked.
const ROUNDS: u32 = 40;

/// Fills it from a node and asks; nothing where no PostgreSQL is installed.
pub(super) async fn ask(
    program: &Path,
    node: &str,
    genesis: &str,
    accounts: u32,
) -> Result<Option<Vec<Asked>>> {
    let options = Options { durable: true, memory_mib: 512 };
    let Some(postgres) = PrivatePostgres::start(options)? else { return Ok(None) };
    let url = postgres.url("postgres");
    let (project, _) = measured(
        program,
        &["audit", "project", "--once", "--postgres", &url, "--node", node, "--genesis", genesis],
    )?;
    println!("projected into PostgreSQL in {:.1} s", project.seconds);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    // It ends when the server is stopped or the client dropped.
    tokio::spawn(connection);
    questions::ask(&client, ROUNDS, accounts).await.map(Some)
}
