//! A fourth node is voted in under load and the node that leads is voted out: by `corridor` commands, with real
//! processes. Nothing that was answered is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::description::{Description, PortPlan};

use crate::process_govern::pay_on;
use crate::process_stage::{Stage, on_network};
use crate::tool::Tool;

const TIME_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
const ALPHA: &str = "ALPHDEFF";

#[test]
fn a_node_comes_and_the_leader_leaves_by_vote() {
    on_network("process-members", network, use_it);
}

/// Three banks with nodes that vote and a fourth whose node stands by; the first two have gateways.
fn network(name: &str) -> Result<Description> {
    let mut description = Description::example(name, 4, 4, PortPlan::Free)?;
    for bank in &mut description.banks[2..] {
        bank.gateway = None;
    }
    for gateway in description.banks.iter_mut().filter_map(|bank| bank.gateway.as_mut()) {
        gateway.folder = false;
    }
    let last = description.banks[3].node.as_mut().context("every bank has a node")?;
    last.standby = true;
    Ok(description)
}

async fn use_it(stage: &mut Stage) -> Result<()> {
    for id in 1..=3 {
        stage.cluster.start_node(id)?;
    }
    stage.cluster.start_all_gateways()?;
    stage.wait_ready().await?;
    let first = stage.cluster.wait_leader(TIME_MAX).await?;
    let tool = Tool::new(stage)?;
    let stop = Arc::new(AtomicBool::new(false));
    let client = stage.cluster.gateway_client(&stage.bics[0])?;
    let load = tokio::spawn(pay_on(client, stage.bics.clone(), stage.seed, Arc::clone(&stop)));
    // It is decided before the node is there: it comes when it comes.
    decide(&tool, &["--add-node", "4"])?;
    stage.cluster.start_node(4)?;
    let began = Instant::now();
    wait_voters(stage, &[1, 2, 3, 4], &[1, 2, 3, 4]).await?;
    println!("node 4 votes {} ms after its start", began.elapsed().as_millis());
    let out = first.to_string();
    decide(&tool, &["--remove-node", &out])?;
    let rest: Vec<u64> = (1..=4).filter(|id| *id != first).collect();
    wait_voters(stage, &rest, &rest).await?;
    stage.cluster.kill_node(first)?;
    let second = stage.cluster.wait_leader(TIME_MAX).await?;
    ensure!(second != first, "who has left leads");
    // With one of the three away, the node that came counts.
    let away = *rest.iter().find(|id| **id != 4 && **id != second).context("one of the first")?;
    stage.cluster.kill_node(away)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.cluster.start_node(away)?;
    stop.store(true, Ordering::Relaxed);
    let paid = tokio::time::timeout(TIME_MAX, load).await.context("the payments end")???;
    ensure!(paid > 20, "only {paid} payments");
    wait_equal(stage, &rest).await?;
    // Every payment that was answered has settled on every node, once: each is answered only when it has.
    for id in rest {
        let status = stage.cluster.node_status(id).await?;
        ensure!(status.settled >= paid, "node {id} settled {} of {paid}", status.settled);
        ensure!(stage.cluster.balances(id).await?.conserved(), "node {id}");
    }
    println!("{paid} payments");
    Ok(())
}

/// A proposal of one bank, and votes of the others until it is carried.
fn decide(tool: &Tool, what: &[&str]) -> Result<()> {
    let words = [&["govern", "propose", "--by", ALPHA, "--as", ALPHA][..], what].concat();
    let id = tool.ask(&words, "held")?;
    for voter in ["BRAVFRPP", "CHARGB2L", "EUROBEBB", "USDOUS33", "YENOJPJT"] {
        let open = tool.json(&["govern", "proposals"])?;
        if open.as_array().is_some_and(Vec::is_empty) {
            break;
        }
        tool.ask(&["govern", "vote", &id, "--as", voter], "done")?;
    }
    let shown = tool.json(&["ledger", "show", &id])?;
    ensure!(shown["answer"] == "settled", "{shown}");
    Ok(())
}

/// Waits until these nodes say that those vote.
async fn wait_voters(stage: &mut Stage, nodes: &[u64], voters: &[u64]) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut agree = 0;
        for id in nodes {
            let status = stage.cluster.node_status(*id).await;
            agree += usize::from(status.is_ok_and(|status| status.voters == voters));
        }
        if agree == nodes.len() {
            return Ok(());
        }
        stage.cluster.check_running()?;
        ensure!(start.elapsed() < TIME_MAX, "{agree} of {nodes:?} say that {voters:?} vote");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until these nodes are at one height with one state root and one log root.
pub(crate) async fn wait_equal(stage: &mut Stage, nodes: &[u64]) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut seen = Vec::new();
        for id in nodes {
            if let Ok(status) = stage.cluster.node_status(*id).await {
                seen.push((status.height, status.state_root, status.log_root));
            }
        }
        if seen.len() == nodes.len() && seen.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        stage.cluster.check_running()?;
        ensure!(start.elapsed() < TIME_MAX, "the nodes {nodes:?} are not equal: {seen:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
