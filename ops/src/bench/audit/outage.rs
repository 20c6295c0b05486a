//! PostgreSQL away while the network works: whether clients notice, and whether the projection is complete afterwards.
//!
//! The load comes at a fixed rate, half of what the machine settles and projects, and times count from when
//! a batch was to be sent. The phases are of equal length: PostgreSQL up and idle (half of it at the beginning, half at
//! the end), followed by a projector, away, and back with a projector that catches up. Where PostgreSQL and the nodes
//! share few cores, its absence makes the network faster: what must not be is that it makes it slower.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::{Bench, CLIENTS, Load, POLL_INTERVAL, expect_success, ledger, paced};
use crate::{
    bench::measure::{Latencies, rounded},
    process::Process,
};

/// Clients, which are all banks with accounts, and transfers in a batch, of the load.
const LOAD: (u8, u32) = (CLIENTS, 100);
/// How long, and with how many batches under way, it is tried out what the machine does.
const TRIAL: (Duration, u16) = (Duration::from_secs(6), 4);
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(600);
/// By how much of itself the time at 99 of 100 may rise, in per cent.
const RISE_PERCENT_MAX: f64 = 5.0;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Outage {
    seconds: u32,
    /// What the machine settled and projected, in transfers a second; none where a rate was given.
    trial_per_second: Option<f64>,
    /// Transfers that were to be sent in a second.
    rate: f64,
    /// PostgreSQL up and idle, with a projection, away, and back.
    phases: [Phase; 4],
    /// By how much its absence changes the latency at 99 of 100 against a projection that runs, in per cent.
    p99_change_percent: f64,
    /// The same against PostgreSQL up and idle.
    p99_change_from_idle_percent: f64,
    /// Whether the first of them is at most 5.
    met: bool,
    /// From the end of the load until every transfer is in the database.
    catch_up_seconds: f64,
    /// Whether every row was there exactly once in the end.
    pub(super) complete: bool,
}

/// The load with PostgreSQL in one state.
#[derive(Debug, Serialize)]
struct Phase {
    name: &'static str,
    settled: u64,
    /// Latency of a batch, from the time at which it was to be sent.
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
}

impl Phase {
    fn new(name: &'static str, settled: u64, latencies: &Latencies) -> Self {
        Self {
            name,
            settled,
            ms_p50: rounded(latencies.ms_at(50.0)),
            ms_p99: rounded(latencies.ms_at(99.0)),
            ms_max: rounded(latencies.ms_max()),
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:.0} transfers a second, PostgreSQL away for {} s; batches from when they were due:",
            self.rate, self.seconds
        )?;
        for phase in &self.phases {
            writeln!(
                out,
                "  {:<16} p50 {:>8.1} ms, p99 {:>8.1} ms, max {:>8.1} ms ({} transfers)",
                phase.name, phase.ms_p50, phase.ms_p99, phase.ms_max, phase.settled
            )?;
        }
        write!(
            out,
            "  p99 without PostgreSQL: {:+.1} % against a projection, {:+.1} % against an idle one; at most \
             {RISE_PERCENT_MAX:+.0} % wanted: {}\n  the projection was complete {:.1} s after the load, nothing lost or doubled",
            self.p99_change_percent,
            self.p99_change_from_idle_percent,
            if self.met { "met" } else { "missed" },
            self.catch_up_seconds
        )
    }
}

/// Stops PostgreSQL for so many seconds under a load of `rate` transfers a second, or half of what the machine does.
pub(super) async fn run(bench: &mut Bench, seconds: u32, rate: Option<u32>) -> Result<Outage> {
    let length = Duration::from_secs(u64::from(seconds));
    let mut projector = start_projector(bench)?;
    caught_up(bench, &mut projector).await?;
    let (trial_per_second, rate) = match rate {
        Some(rate) => (None, f64::from(rate)),
        None => {
            let (clients, batch) = LOAD;
            let (trial, in_flight) = TRIAL;
            let load = Load { transfers: u64::MAX, seconds: Some(trial), batch, in_flight };
            let start = Instant::now();
            let done = bench.load(clients, &load).await?;
            ensure!(done.refused == 0, "{} transfers were refused", done.refused);
            // Until it is projected as well: a load that leaves the projection behind would be measured beside a
            // backlog, and not beside a projection.
            caught_up(bench, &mut projector).await?;
            let most = (done.settled as f64 / start.elapsed().as_secs_f64()).round();
            (Some(most), (most / 2.0).round())
        }
    };
    caught_up(bench, &mut projector).await?;
    projector.pause()?;
    let first = phase(bench, length / 2, rate).await?;
    projector.resume()?;
    caught_up(bench, &mut projector).await?;
    let with = phase(bench, length, rate).await?;
    bench.postgres.stop()?;
    let without = phase(bench, length, rate).await?;
    bench.postgres.go_on()?;
    let back = phase(bench, length, rate).await?;
    let start = Instant::now();
    caught_up(bench, &mut projector).await?;
    let catch_up_seconds = rounded(start.elapsed().as_secs_f64());
    projector.kill();
    let mut idle = phase(bench, length / 2, rate).await?;
    idle.settled += first.settled;
    idle.latencies.add(&first.latencies)?;
    let (_, output) = bench.audit("project", &["--once"]).await?;
    expect_success("project", &output)?;
    let (_, output) = bench.audit("verify-db", &[]).await?;
    expect_success("verify-db", &output)?;

    let phase = |name, one: &paced::Paced| Phase::new(name, one.settled, &one.latencies);
    let phases = [
        phase("up and idle", &idle),
        phase("with projection", &with),
        phase("away", &without),
        phase("back", &back),
    ];
    let change = |from: &Phase| rounded((phases[2].ms_p99 / from.ms_p99 - 1.0) * 100.0);
    let p99_change_percent = change(&phases[1]);
    Ok(Outage {
        seconds,
        trial_per_second,
        rate,
        p99_change_percent,
        p99_change_from_idle_percent: change(&phases[0]),
        met: p99_change_percent <= RISE_PERCENT_MAX,
        phases,
        catch_up_seconds,
        complete: true,
    })
}

fn start_projector(bench: &Bench) -> Result<Process> {
    let arguments = bench.arguments("project")?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let log = bench.path().join("projector.log");
    Process::start("the projector", &bench.program, &arguments, &log)
}

/// Loads the network for so long.
async fn phase(bench: &Bench, length: Duration, rate: f64) -> Result<paced::Paced> {
    let (clients, batch) = LOAD;
    let every = Duration::from_secs_f64(f64::from(clients) * f64::from(batch) / rate);
    ensure!(every < length, "{rate} transfers a second are too few to be measured");
    let batches = (length.as_secs_f64() / every.as_secs_f64()) as u64;
    let transfers = batches * u64::from(clients) * u64::from(batch);
    let load = Load { transfers, seconds: None, batch, in_flight: 1 };
    let plans = ledger::plans(clients, bench.accounts, &load, &bench.cluster, bench.leader)?;
    let done = paced::run(plans, every).await?;
    ensure!(done.settled == transfers, "{} of {transfers} transfers settled", done.settled);
    Ok(done)
}

/// Waits until everything that is settled is in the database.
async fn caught_up(bench: &mut Bench, projector: &mut Process) -> Result<()> {
    let start = Instant::now();
    let leaves = bench.wait_final().await?;
    let client = bench.client().await?;
    let reached = "SELECT leaves FROM corridor.cursor";
    while (client.query_one(reached, &[]).await?.get::<_, i64>(0) as u64) < leaves {
        projector.check_running()?;
        ensure!(start.elapsed() < CATCH_UP_TIME_MAX, "the projection does not catch up");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
