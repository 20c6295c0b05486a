//! `corridor bench ledger --cosigning-cost N`: what checkpoints cost, as the ratio of runs with and without them.
//!
//! Each run has a new network and the same load; the order alternates, so that what changes with time touches both. Without
//! means a network whose genesis file names no keys for checkpoints: no setting of a node switches them off in another.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::{LedgerArguments, Load, compare, network, phase, plans};
use crate::bench::measure::rounded;
use crate::bench::pace::Pace;
use crate::bench::place::Place;
use crate::cluster::{Cluster, READY_TIME_MAX, find_program};
use crate::layout::Layout;

/// What cosigning may cost at most, as a part of the rate.
const COST_MAX: f64 = 0.05;
const KEY: &str = "cosign_key";

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Comparison {
    transfers: u64,
    nodes: u8,
    batch: u32,
    clients: u8,
    in_flight: u16,
    /// Transfers a second of each run, in their order.
    with_cosigning: Vec<f64>,
    without_cosigning: Vec<f64>,
    median_with: f64,
    median_without: f64,
    /// Of the medians.
    ratio: f64,
    cost: f64,
    cost_max: f64,
    met: bool,
}

/// Runs so many pairs.
pub(super) async fn run(arguments: &LedgerArguments, pairs: u8) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        // On and off, then off and on: a machine that slows down slows both.
        for on in if pair % 2 == 0 { [true, false] } else { [false, true] } {
            let dir = place.path().join(format!("{pair}-{on}"));
            let rate = one(arguments, &dir, on).await?;
            println!("{} cosigning: {rate:.0} transfers/s", if on { "with" } else { "without" });
            if on { &mut with } else { &mut without }.push(rate);
            fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
        }
    }
    let (median_with, median_without) = (median(&with), median(&without));
    let ratio = median_with / median_without;
    let result = Comparison {
        transfers: arguments.transfers,
        nodes: arguments.nodes,
        batch: arguments.batch,
        clients: arguments.clients,
        in_flight: arguments.in_flight,
        with_cosigning: with,
        without_cosigning: without,
        median_with,
        median_without,
        ratio: rounded(ratio),
        cost: rounded(1.0 - ratio),
        cost_max: COST_MAX,
        met: 1.0 - ratio < COST_MAX,
    };
    println!(
        "medians {median_with:.0} with, {median_without:.0} without: cosigning costs {:.1} % (less than {:.0} %: {})",
        result.cost * 100.0,
        COST_MAX * 100.0,
        if result.met { "met" } else { "MISSED" }
    );
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    place.done()
}

/// One run on a network of its own; its transfers a second.
async fn one(arguments: &LedgerArguments, dir: &Path, on: bool) -> Result<f64> {
    let (clients, accounts) = (arguments.clients, arguments.accounts);
    let description = network(usize::from(clients), usize::from(arguments.nodes), accounts)?;
    let mut cluster = Cluster::create(dir, description, &find_program()?)?;
    if !on {
        without_cosigning(cluster.layout())?;
    }
    cluster.start_all_nodes()?;
    cluster.wait_ready(READY_TIME_MAX).await?;
    let leader = cluster.wait_leader(READY_TIME_MAX).await?;
    let load = Load {
        transfers: arguments.transfers,
        seconds: None,
        batch: arguments.batch,
        in_flight: arguments.in_flight,
    };
    let plans = plans(clients, accounts, &load, &cluster, leader)?;
    let start = Instant::now();
    let measured = phase(plans, &Pace::start()).await?;
    let seconds = start.elapsed().as_secs_f64();
    let (agree, conserved) = compare(&mut cluster, &measured).await?;
    let whole = measured.settled == arguments.transfers;
    ensure!(agree && conserved && whole, "the ledger is not what the clients were told");
    for id in cluster.node_ids() {
        let is_on = cluster.node_status(id).await?.final_height.is_some();
        ensure!(is_on == on, "node {id} has a final block: {is_on}");
    }
    cluster.stop()?;
    Ok((measured.settled as f64 / seconds).round())
}

/// Makes a network that was not started yet one without checkpoints.
fn without_cosigning(layout: &Layout) -> Result<()> {
    let nodes = layout.nodes().map(|(id, _)| layout.node_dir(id).join("node.toml"));
    for path in nodes.chain([layout.genesis()]) {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with(KEY)).collect();
        ensure!(rest.len() < text.lines().count(), "{} names no {KEY}", path.display());
        fs::write(&path, rest.join("\n") + "\n")
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::description::{Description, PortPlan};
    use settlement_node::config::NodeConfig;

    #[test]
    fn a_network_without_checkpoints_is_whole_and_no_node_leaves_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let example = Description::example("test", 2, 2, PortPlan::From(7100)).unwrap();
        let layout = crate::init::create(&dir.path().join("network"), example).unwrap();
        let config = layout.node_dir(1).join("node.toml");
        assert!(NodeConfig::load(&config).unwrap().cosigning.is_some());
        // What an operator could do by accident is refused.
        let text = fs::read_to_string(&config).unwrap();
        let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with(KEY)).collect();
        fs::write(&config, rest.join("\n")).unwrap();
        let error = NodeConfig::load(&config).unwrap_err().to_string();
        assert!(error.contains("cosign_key"), "{error}");
        fs::write(&config, text).unwrap();
        without_cosigning(&layout).unwrap();
        assert!(NodeConfig::load(&config).unwrap().cosigning.is_none());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
    }
}
