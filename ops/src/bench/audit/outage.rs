//! PostgreSQL away while the network works: whether clients notice, and whether the projection is complete afterwards.
//!
//! Phases with and without PostgreSQL take turns, so that whatever else the machine does falls on both.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde::Serialize;
use tokio_postgres::Client;

use super::{Bench, Load, POLL_INTERVAL, expect_success};
use crate::{
    bench::measure::{Latencies, rounded},
    process::Process,
};

/// Phases of each kind.
const TURNS: u32 = 3;
/// Clients, and transfers in a batch, of the load.
const LOAD: (u8, u32) = (2, 100);
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(300);

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Outage {
    seconds: u32,
    /// Transfers settled in the phases with PostgreSQL, and in those without.
    settled: [u64; 2],
    /// Latency of a batch at 99 of 100, with and without.
    ms_p99: [f64; 2],
    /// Median, with and without.
    ms_p50: [f64; 2],
    /// By how much the absence changes the latency at 99 of 100, in per cent.
    p99_change_percent: f64,
    /// From PostgreSQL's return until every transfer is in it.
    catch_up_seconds: f64,
    /// Whether every row was there exactly once in the end.
    pub(super) complete: bool,
}

impl fmt::Display for Outage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "PostgreSQL away for {} s: batch p99 {:.1} ms with it, {:.1} ms without ({:+.1} %); caught up {:.1} s after its return",
            self.seconds,
            self.ms_p99[0],
            self.ms_p99[1],
            self.p99_change_percent,
            self.catch_up_seconds
        )
    }
}

/// Stops PostgreSQL for so many seconds in all.
pub(super) async fn run(bench: &mut Bench, _before: &Client, seconds: u32) -> Result<Outage> {
    let arguments = bench.arguments("project")?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let log = bench.path().join("projector.log");
    let mut projector = Process::start("the projector", &bench.program, &arguments, &log)?;
    let (clients, batch) = LOAD;
    let part = Duration::from_secs(u64::from(seconds)) / TURNS;
    let load = Load { transfers: u64::MAX, seconds: Some(part), batch, in_flight: 1 };
    let mut latencies = [Latencies::new()?, Latencies::new()?];
    let mut settled = [0; 2];
    for turn in 0..2 * TURNS {
        let away = (turn % 2) as usize;
        if away == 1 {
            bench.postgres.stop()?;
        } else if turn > 0 {
            bench.postgres.go_on()?;
        }
        let done = bench.load(clients, &load).await?;
        latencies[away].add(&done.latencies)?;
        settled[away] += done.settled;
    }
    bench.postgres.go_on()?;
    let start = Instant::now();
    let leaves = bench.wait_final().await?;
    let client = bench.client().await?;
    let reached = "SELECT leaves FROM corridor.cursor";
    while client.query_one(reached, &[]).await?.get::<_, i64>(0) as u64 != leaves {
        projector.check_running()?;
        ensure!(start.elapsed() < CATCH_UP_TIME_MAX, "the projection does not catch up");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let catch_up_seconds = rounded(start.elapsed().as_secs_f64());
    projector.kill();
    let (_, output) = bench.audit("verify-db", &[]).await?;
    expect_success("verify-db", &output)?;
    let at = |share| [0, 1].map(|kind: usize| rounded(latencies[kind].ms_at(share)));
    let ms_p99 = at(99.0);
    Ok(Outage {
        seconds,
        settled,
        ms_p50: at(50.0),
        p99_change_percent: rounded((ms_p99[1] / ms_p99[0] - 1.0) * 100.0),
        ms_p99,
        catch_up_seconds,
        complete: true,
    })
}
