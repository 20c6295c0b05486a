//! A bank is suspended by vote, and another changes its key while it pays: all by `corridor` commands on a running
//! network.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, http::HttpClient};
use ed25519_dalek::SigningKey;

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, single};
use crate::tool::Tool;

const ALPHA: &str = "ALPHDEFF";
const BRAVO: &str = "BRAVFRPP";
const CHARLIE: &str = "CHARGB2L";
const TIME_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn participants_decide_and_keys_change() {
    on_stage("process-govern", false, use_it);
}

async fn use_it(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    stage.cluster.wait_leader(TIME_MAX).await?;
    let tool = Tool::new(stage)?;
    suspension(&tool)?;
    key_under_load(stage, &tool).await?;
    stage.cluster.wait_equal(TIME_MAX).await?;
    for id in stage.cluster.node_ids() {
        ensure!(stage.cluster.balances(id).await?.conserved(), "node {id}");
    }
    Ok(())
}

/// A bank is blocked by vote, and active again by another.
fn suspension(tool: &Tool) -> Result<()> {
    let pay =
        ["ledger", "transfer", "--as", CHARLIE, "--leg", "CHARGB2L/EUR", "ALPHDEFF/EUR", "1.00"];
    tool.ask(&pay, "settled")?;
    decide(tool, "blocked")?;
    tool.fails(&pay, "is refused")?;
    decide(tool, "active")?;
    tool.ask(&pay, "settled")?;
    Ok(())
}

fn decide(tool: &Tool, state: &str) -> Result<()> {
    let words = ["govern", "propose", "--state", CHARLIE, state, "--by", ALPHA, "--as", ALPHA];
    let id = tool.ask(&words, "held")?;
    let shown = tool.json(&["govern", "proposals"])?;
    ensure!(shown[0]["id"] == id.as_str() && shown.to_string().contains(state), "{shown}");
    let waits = tool.json(&["ledger", "show", &id])?;
    ensure!(waits["answer"] == "held", "{waits}");
    tool.fails(&["govern", "vote", &id, "--as", ALPHA], "is refused")?;
    for voter in [BRAVO, "EUROBEBB", "USDOUS33", "YENOJPJT"] {
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

/// A bank pays all the time while its key is replaced by another one.
async fn key_under_load(stage: &mut Stage, tool: &Tool) -> Result<()> {
    let bics = stage.bics.clone();
    let old = public_key(stage, &bics[0])?;
    let stop = Arc::new(AtomicBool::new(false));
    let client = stage.cluster.gateway_client(&bics[0])?;
    let load = tokio::spawn(pay_on(client, bics.clone(), stage.seed, Arc::clone(&stop)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    tool.ask(&["govern", "keys", "new", "--of", ALPHA, "--as", ALPHA], "done")?;
    let (well, _, error) = tool.run(&["govern", "keys", "use", "--of", ALPHA])?;
    ensure!(well, "{error}");
    stage.cluster.stop_gateway(&bics[0])?;
    stage.cluster.start_gateway(&bics[0])?;
    stage.wait_ready().await?;
    tool.ask(&["govern", "keys", "retire", &old, "--of", ALPHA, "--as", ALPHA], "done")?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let paid = tokio::time::timeout(TIME_MAX, load).await.context("the payments end")???;
    ensure!(paid > 20, "only {paid} payments");
    ensure!(public_key(stage, &bics[0])? != old, "the key in use is another one");
    // Whoever has the old key can do nothing with it.
    let dir = stage.gateway_folder(&bics[0])?;
    let kept = dir.join(format!("signing.{}.key", &old[..8]));
    std::fs::copy(dir.join("signing.key"), dir.join("new.key")).context("keep the new key")?;
    std::fs::copy(&kept, dir.join("signing.key")).context("take the old key")?;
    let pay =
        ["ledger", "transfer", "--as", ALPHA, "--leg", "ALPHDEFF/EUR", "BRAVFRPP/EUR", "1.00"];
    tool.fails(&pay, "no live signing key")?;
    std::fs::copy(dir.join("new.key"), dir.join("signing.key")).context("take the new key")?;
    tool.ask(&pay, "settled")?;
    Ok(())
}

fn public_key(stage: &Stage, bic: &str) -> Result<String> {
    let path = stage.gateway_folder(bic)?.join("signing.key");
    let key = SigningKey::from_bytes(&*link::keyfile::read(&path)?);
    Ok(wire::genesis::hex(key.verifying_key().as_bytes()))
}

/// Pays until it is told to stop, each payment as often as it takes; each must settle.
pub(crate) async fn pay_on(
    mut client: HttpClient,
    bics: Vec<String>,
    seed: u64,
    stop: Arc<AtomicBool>,
) -> Result<u64> {
    let mut chance = Chance::new(seed ^ 1);
    let mut paid = 0;
    while !stop.load(Ordering::Relaxed) {
        paid += 1;
        let name = format!("KEY-{paid}");
        let payment = euro(&mut chance, &bics[0], &bics[1], 100 + paid, &name);
        let message = single(&name, &payment);
        loop {
            // The gateway is away for a moment while it is restarted.
            if let Ok(answered) = gateway_api::submit(&mut client, &message).await
                && let Ok(report) = definitive(&answered.bytes)
            {
                let status = only_status(&report, &payment.uetr)?;
                ensure!(status.code == "ACSC", "payment {paid} is answered {status:?}");
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(paid)
}
