//! Nodes whose log was released, or whose files were damaged, get back from the others what they lack.
//!
//! Real processes under traffic. Snapshots are made very often here, so that a node that was away for a
//! moment is behind the log of the leader. Then, one after the other, a byte is flipped in a file of a
//! node that was killed. Each time it must say so, take part again without help, and end equal to the
//! others, with no payment lost or doubled.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::chance::Chance;

use crate::{
    process_stage::{Stage, on_stage},
    process_traffic::{Traffic, check_all},
};

/// Little, so that there are many, but enough for the log to hold what comes while a node is mended.
const SNAPSHOT_BYTES: u64 = 160 << 10;
const PATIENCE: Duration = Duration::from_secs(60);
/// Damage is done in this much of a file.
const FLIPPED_BYTES: u64 = 12_000;

/// What is damaged, and what the node must say of it. Nothing: the other copies do.
const DAMAGES: [(&str, &str, &str); 4] = [
    ("wal", "segment-", "the log was damaged"),
    ("snapshots", "snapshot-", "set aside the snapshot"),
    ("history", "history-", "fetching from the other nodes"),
    ("wal", "wal.meta", ""),
];

#[test]
fn nodes_that_lack_something_are_mended_by_the_others() {
    on_stage("process-mend", false, mend_and_check);
}

async fn mend_and_check(stage: &mut Stage) -> Result<()> {
    for id in stage.cluster.node_ids() {
        let config = stage.cluster.layout().node_dir(id).join("node.toml");
        let text = fs::read_to_string(&config)?;
        let lines = text.lines().filter(|line| !line.starts_with("snapshot_bytes"));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        fs::write(&config, format!("snapshot_bytes = {SNAPSHOT_BYTES}\n{text}"))?;
    }
    stage.start().await?;
    let mut chance = Chance::new(stage.seed);
    let mut traffic = Traffic::start(stage)?;
    wait_until(stage, &mut traffic, "the first snapshot", |index, _| index > 0).await?;

    // A follower that is away while the log is released.
    let away = some_follower(stage, &mut chance).await?;
    let reached = stage.cluster.node_status(away).await?.applied_index;
    stage.cluster.kill_node(away)?;
    let mut snapshots = Vec::new();
    wait_until(stage, &mut traffic, "two snapshots above its log", |index, _| {
        if index > reached && snapshots.last() != Some(&index) {
            snapshots.push(index);
        }
        snapshots.len() > 2
    })
    .await?;
    restart(stage, &mut traffic, away, "mended").await?;

    for (folder, prefix, said) in DAMAGES {
        let node = some_follower(stage, &mut chance).await?;
        stage.cluster.kill_node(node)?;
        let data = stage.cluster.layout().node_dir(node).join("data");
        let file = newest(&data.join(folder), prefix)?;
        flip(&file, &mut chance)?;
        restart(stage, &mut traffic, node, said).await.with_context(|| {
            format!("node {node} after damage of {folder}/{prefix} (seed {})", stage.seed)
        })?;
    }
    let sent = traffic.stop().await?;
    check_all(stage, &sent).await?;
    mend_when_somebody_is_there(stage, &mut chance).await?;
    let checked = check_all(stage, &sent).await?;
    println!("{checked}; one node mended by snapshot, {} damages repaired", DAMAGES.len());
    Ok(())
}

/// A node that lacks blocks and has nobody to ask says so to those who look at it, and goes on by itself
/// once the others are back.
async fn mend_when_somebody_is_there(stage: &mut Stage, chance: &mut Chance) -> Result<()> {
    let node = some_follower(stage, chance).await?;
    for id in stage.cluster.node_ids() {
        stage.cluster.stop_node(id)?;
    }
    let data = stage.cluster.layout().node_dir(node).join("data");
    flip(&newest(&data.join("history"), "history-")?, chance)?;
    stage.cluster.start_node(node)?;
    let mut client = stage.node_client(node)?;
    let start = Instant::now();
    let ready = loop {
        // At first it does not listen yet.
        match client.get("/readyz").await {
            Ok(answer) => break answer,
            Err(error) => ensure!(start.elapsed() < PATIENCE, "it does not answer: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let text = ready.text();
    ensure!(ready.status == 503 && text.contains("the blocks "), "{} {text}", ready.status);
    let metrics = client.get("/metrics").await?.text();
    ensure!(metrics.contains("corridor_mending 1"), "{metrics}");
    let health = client.get("/healthz").await?.status;
    ensure!(health == 200, "a node that waits for others is healthy, but says {health}");
    for id in stage.cluster.node_ids().into_iter().filter(|id| *id != node) {
        stage.cluster.start_node(id)?;
    }
    stage.wait_ready().await?;
    // Asked over the connection of before, too.
    let ready = client.get("/readyz").await?;
    ensure!(ready.status == 200, "{} {}", ready.status, ready.text());
    Ok(())
}

/// Waits until what the leader says of its newest snapshot and its applied index is enough.
async fn wait_until(
    stage: &mut Stage,
    traffic: &mut Traffic,
    what: &str,
    mut enough: impl FnMut(u64, u64) -> bool,
) -> Result<()> {
    let start = Instant::now();
    loop {
        traffic.check_running()?;
        if let Some(leader) = stage.cluster.leader().await {
            let status = stage.cluster.node_status(leader).await?;
            if enough(status.snapshot_index, status.applied_index) {
                return Ok(());
            }
        }
        ensure!(start.elapsed() < PATIENCE, "waited for {what} for {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn some_follower(stage: &mut Stage, chance: &mut Chance) -> Result<u64> {
    let leader = stage.cluster.wait_leader(PATIENCE).await?;
    let mut others = stage.cluster.node_ids();
    others.retain(|id| *id != leader);
    Ok(others[chance.below(others.len() as u64) as usize])
}

/// Starts a node again and waits until it has caught up, votes, and has said what it had to say.
async fn restart(stage: &mut Stage, traffic: &mut Traffic, node: u64, said: &str) -> Result<()> {
    let log = stage.cluster.layout().node_dir(node).join("log");
    let before = fs::read_to_string(&log)?.len();
    stage.cluster.start_node(node)?;
    let start = Instant::now();
    loop {
        traffic.check_running()?;
        stage.cluster.check_running()?;
        if let Ok(own) = stage.cluster.node_status(node).await
            && let Some(leader) = stage.cluster.leader().await
        {
            let target = stage.cluster.node_status(leader).await?.applied_index;
            if !own.recovering && own.applied_index + 20 >= target {
                break;
            }
        }
        ensure!(start.elapsed() < PATIENCE, "it has not caught up in {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = fs::read_to_string(&log)?;
    ensure!(text[before..].contains(said), "its log does not say \"{said}\":\n{}", &text[before..]);
    Ok(())
}

/// The last file of a name that begins so; of log segments the first, which surely holds something.
fn newest(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let mut names = crate::process_stage::names(folder)?;
    let ending = |name: &str| name.ends_with(".rows") || name.contains("damaged");
    names.retain(|name| name.starts_with(prefix) && !ending(name));
    names.sort_unstable();
    let name = if prefix == "segment-" { names.first() } else { names.last() };
    Ok(folder.join(name.with_context(|| format!("no {prefix} in {}", folder.display()))?))
}

/// Flips one bit in the first part of a file, of a byte that is not padding.
fn flip(file: &Path, chance: &mut Chance) -> Result<()> {
    let disk = fs::OpenOptions::new().read(true).write(true).open(file)?;
    let mut bytes = vec![0; disk.metadata()?.len().min(FLIPPED_BYTES) as usize];
    disk.read_exact_at(&mut bytes, 0)?;
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    ensure!(!used.is_empty(), "{} holds nothing", file.display());
    let at = used[chance.below(used.len() as u64) as usize];
    disk.write_all_at(&[bytes[at] ^ (1 << chance.below(8))], at as u64)?;
    Ok(())
}
