//! Finality and evidence with real processes: checkpoints that all nodes cosign, receipts that are
//! verified offline, the log mirrored from tiles, a node killed and started again.
//!
//! What the nodes hand out is verified here from the bytes alone, with nothing but the policy.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, http::HttpClient, messages::Payment};
use proof::{
    Hash,
    checkpoint::Checkpoint,
    final_rule,
    note::Note,
    path::root,
    policy::Policy,
    receipt::Receipt,
    record::{Record, decode},
    tile::{TILE_WIDTH, TileKind, TileName, entries, hashes},
    tile_tree::{TileTree, Tiles},
    tree::leaf_hash,
};

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, program, single};

const FINAL_TIME_MAX: Duration = Duration::from_secs(15);
/// Long enough for many checkpoints.
const NOT_FINAL_TIME: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const PAYMENTS: u64 = 120;

#[test]
fn payments_become_final_and_have_receipts() {
    on_stage("process-evidence", false, evidence);
}

async fn evidence(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    let mut chance = Chance::new(stage.seed);
    let mut first = None;
    for number in 0..PAYMENTS {
        let payment = pay(stage, &mut chance, number).await?;
        first.get_or_insert(payment);
    }
    let payment = first.context("a payment was made")?;
    wait_final(stage, &stage.cluster.node_ids()).await?;
    report(stage).await?;
    shown(stage, &mut chance).await?;
    wait_final(stage, &stage.cluster.node_ids()).await?;

    let policy = offline(stage, &payment)?;
    by_gateways(stage, &payment, &policy).await?;
    for id in stage.cluster.node_ids() {
        mirror(stage, id, &policy).await.with_context(|| format!("the log of node {id}"))?;
    }

    whole(stage)?;

    // Without one of three nothing more becomes final, though payments are settled.
    stage.cluster.kill_node(3)?;
    pay(stage, &mut chance, PAYMENTS).await?;
    tokio::time::sleep(NOT_FINAL_TIME).await;
    let status = stage.cluster.node_status(1).await?;
    let reached = status.final_height.context("something is final")?;
    ensure!(reached < status.height, "final at {reached} of {} without a quorum", status.height);
    // Back again it goes on from what it cosigned before, and the rest becomes final.
    stage.cluster.start_node(3)?;
    stage.wait_ready().await?;
    wait_final(stage, &stage.cluster.node_ids()).await?;
    mirror(stage, 3, &policy).await?;
    ensure!(!stage.folder.join("node-3/data/evidence").exists(), "somebody was accused");
    Ok(())
}

/// What is final is shown by each node's page, its metrics, and by the bank's own gateway, which told the block.
async fn shown(stage: &Stage, chance: &mut Chance) -> Result<()> {
    for id in stage.cluster.node_ids() {
        let mut node = HttpClient::new(&stage.cluster.node_http(id)?)?;
        let page = node.get("/").await?.text();
        ensure!(page.contains("<th>Final</th><td>up to block "), "the page of node {id}: {page}");
        let metrics = node.get("/metrics").await?.text();
        for stage in ["turn", "sync", "gather"] {
            let name = format!("corridor_cosign_{stage}_below{{le=\"+Inf\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
            let count: f64 = line.with_context(|| format!("node {id} tells {name}"))?.parse()?;
            ensure!(count > 0.0, "node {id}: {name}{count}");
        }
    }
    let mut gateway = stage.cluster.gateway_client(&stage.bics[0])?;
    let name = "EVIDENCE-SHOWN";
    let payment = euro(chance, &stage.bics[0], &stage.bics[1], 1, name);
    let answered = gateway_api::submit(&mut gateway, &single(name, &payment)).await?;
    let height = answered.height.context("the answer tells the block")?;
    let wait = format!("/v1/final?height={height}&wait_ms={}", FINAL_TIME_MAX.as_millis());
    let reached: serde_json::Value = serde_json::from_slice(&gateway.get(&wait).await?.body)?;
    ensure!(reached["height"].as_u64() >= Some(height), "block {height} is final: {reached}");
    let standing = gateway.get(&format!("/v1/messages/{}", payment.uetr)).await?;
    ensure!(standing.header("x-corridor-final") == Some("true"), "{:?}", standing.headers);
    let status: serde_json::Value = serde_json::from_slice(&gateway.get("/v1/status").await?.body)?;
    ensure!(status["final_height"].as_u64() >= Some(height), "{status}");
    Ok(())
}

async fn pay(stage: &Stage, chance: &mut Chance, number: u64) -> Result<Payment> {
    let name = format!("EVIDENCE-{number}");
    let payment = euro(chance, &stage.bics[0], &stage.bics[1], 100 + number, &name);
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let answered = gateway_api::submit(&mut client, &single(&name, &payment)).await?;
    let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
    ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
    Ok(payment)
}

/// Waits until everything that the nodes have applied is final on each of them.
async fn wait_final(stage: &Stage, nodes: &[u64]) -> Result<()> {
    let until = Instant::now() + FINAL_TIME_MAX;
    loop {
        let mut behind = Vec::new();
        for id in nodes {
            let status = stage.cluster.node_status(*id).await?;
            if status.final_height != Some(status.height) {
                behind.push((*id, status.height, status.final_height));
            }
        }
        if behind.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < until, "not final: {behind:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// How long blocks took to become final, for who reads the test's output.
async fn report(stage: &Stage) -> Result<()> {
    for id in stage.cluster.node_ids() {
        let metrics = stage.node_client(id)?.get("/metrics").await?.text();
        for line in metrics.lines().filter(|line| line.starts_with("corridor_settled_to_final")) {
            println!("node {id}: {line}");
        }
        ensure!(metrics.contains("corridor_signatures_abused_total 0"), "node {id} accuses");
    }
    Ok(())
}

/// The whole ledger holds, from a node and then from the mirror alone; with one byte changed it does not.
fn whole(stage: &Stage) -> Result<()> {
    let at = |name: &str| stage.folder.join(name).to_string_lossy().into_owned();
    let (genesis, mirror) = (at("genesis.toml"), at("mirror"));
    let node = stage.cluster.node_http(1)?;
    done(&["verify", "ledger", &node, "--genesis", &genesis, "--mirror", &mirror])?;
    done(&["verify", "ledger", &mirror, "--genesis", &genesis])?;
    let mut bundles = files_below(&stage.folder.join("mirror/tile/entries"))?;
    let bundle = bundles.pop().context("the mirror has entries")?;
    let mut bytes = fs::read(&bundle)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bundle, bytes)?;
    let output = tool(&["verify", "ledger", &mirror, "--genesis", &genesis])?;
    ensure!(output.status.code() == Some(1), "a changed ledger: {output:?}");
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files_below(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// Both banks get the receipt from their own gateways, and nobody else does.
async fn by_gateways(stage: &Stage, payment: &Payment, policy: &Policy) -> Result<()> {
    for (at, bic) in stage.bics.iter().enumerate() {
        let mut client = stage.cluster.gateway_client(bic)?;
        let answer = client.get(&format!("/v1/receipts/{}", payment.uetr)).await?;
        if at > 1 {
            ensure!(answer.status == 404, "{bic} sees a payment of others: {}", answer.text());
            continue;
        }
        ensure!(answer.status == 200, "{bic}: {} {}", answer.status, answer.text());
        Receipt::parse(answer.text().as_bytes())?.verify(policy)?;
    }
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let answer = client.get(&format!("/v1/messages/{}", payment.uetr)).await?;
    ensure!(answer.header("x-corridor-final") == Some("true"), "not told to be final");
    Ok(())
}

/// Fetches policy and receipt with the tool and verifies them with it; a changed one is refused.
fn offline(stage: &Stage, payment: &Payment) -> Result<Policy> {
    let at = |name: &str| stage.folder.join(name);
    let (policy, receipt) = (at("ledger.policy"), at("payment.tlog-proof"));
    let folder = stage.folder.to_string_lossy();
    done(&["policy", "--dir", &folder, "--out", &policy.to_string_lossy()])?;
    done(&["receipt", &payment.uetr, "--dir", &folder, "--out", &receipt.to_string_lossy()])?;
    let genesis = at("genesis.toml");
    let text = verify(&receipt, &policy, &["--genesis", &genesis.to_string_lossy()])?;
    ensure!(text.status.success(), "a good receipt is refused: {text:?}");
    let said = String::from_utf8_lossy(&text.stdout).into_owned();
    let settled = format!("The transfer {} was settled.", payment.uetr);
    for part in [settled.as_str(), "EUR 1.00 from", "3 of 3 nodes cosigned", "it is final"] {
        ensure!(said.contains(part), "{part:?} is missing in\n{said}");
    }
    let bytes = fs::read(&receipt)?;
    ensure!(bytes.len() < 4_096, "a receipt of {} bytes", bytes.len());
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let report = corridor::verify::verify(
            &changed,
            &fs::read(&policy)?,
            &corridor::verify::Names::default(),
        );
        ensure!(!report.valid, "byte {at} was changed unnoticed");
    }
    fs::write(&receipt, String::from_utf8(bytes)?.replacen("index ", "index 1", 1))?;
    let refused = verify(&receipt, &policy, &["--json"])?;
    ensure!(refused.status.code() == Some(1), "a changed receipt is accepted: {refused:?}");
    let unknown = "00000000-0000-4000-8000-000000000000";
    ensure!(!tool(&["receipt", unknown, "--dir", &folder])?.status.success(), "of nothing");
    let policy = Policy::parse(&fs::read(&policy)?)?;
    final_rule::check(&policy)?;
    Ok(policy)
}

fn verify(receipt: &Path, policy: &Path, more: &[&str]) -> Result<Output> {
    let (receipt, policy) = (receipt.to_string_lossy(), policy.to_string_lossy());
    let mut arguments = vec!["verify", "receipt", &receipt, "--policy", &policy];
    arguments.extend(more);
    tool(&arguments)
}

fn tool(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(program()?).args(arguments).output()?)
}

fn done(arguments: &[&str]) -> Result<()> {
    let output = tool(arguments)?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Tiles by name, as they were fetched.
struct Fetched(BTreeMap<TileName, Vec<Hash>>);

impl Tiles for Fetched {
    type Error = anyhow::Error;

    fn tile(&self, name: TileName) -> Result<Vec<Hash>> {
        self.0.get(&name).cloned().with_context(|| format!("{name} is needed"))
    }
}

/// Fetches checkpoint, tiles and entries of a node: the checkpoint satisfies the policy, the tiles lead to
/// its root, and the entries are records that hash to the tiles.
async fn mirror(stage: &Stage, id: u64, policy: &Policy) -> Result<()> {
    let mut client = stage.node_client(id)?;
    let note = bytes(&mut client, "/checkpoint").await?;
    let accepted = policy.judge(&Note::parse(&note)?)?;
    let Checkpoint { size, root: signed, .. } = accepted.checkpoint;
    ensure!(size > PAYMENTS, "a checkpoint of {size} leaves");
    let mut tiles = BTreeMap::new();
    for level in 0.. {
        let kind = TileKind::Hashes { level };
        let Some(first) = TileName::of_tree(kind, 0, size) else { break };
        let mut next = Some(first);
        while let Some(name) = next {
            let tile = bytes(&mut client, &format!("/{name}")).await?;
            tiles.insert(name, hashes(&tile, name.width)?);
            next = TileName::of_tree(kind, name.number + 1, size);
        }
    }
    let fetched = Fetched(tiles);
    ensure!(root(&TileTree::new(&fetched, size), size)? == signed, "tiles lead to another root");
    let mut commands = 0;
    for number in 0..size.div_ceil(TILE_WIDTH.into()) {
        let name = TileName::of_tree(TileKind::Entries, number, size).context("within the log")?;
        let bundle = bytes(&mut client, &format!("/{name}")).await?;
        let tile = fetched.tile(TileName { kind: TileKind::Hashes { level: 0 }, ..name })?;
        let records = entries(&bundle, name.width)?;
        ensure!(records.iter().map(|record| leaf_hash(record)).eq(tile), "{name} differs");
        for record in records {
            commands += u64::from(matches!(decode(record)?, Record::Command { .. }));
        }
    }
    ensure!(commands >= PAYMENTS, "{commands} commands in the log");
    for (path, status) in [
        ("/tile/0/999", 404),
        ("/tile/0/1", 400),
        ("/tile/0/000.p/256", 400),
        ("/v1/receipts/no-uetr", 400),
    ] {
        let answer = client.get(path).await?;
        ensure!(answer.status == status, "{path} answers {}", answer.status);
    }
    Ok(())
}

async fn bytes(client: &mut HttpClient, path: &str) -> Result<Vec<u8>> {
    let answer = client.get(path).await?;
    ensure!(answer.status == 200, "{path} answers {} {}", answer.status, answer.text());
    Ok(answer.body)
}
