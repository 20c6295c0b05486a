//! Messages of ten thousand transactions, with the gateway killed while it reads them and after.
//!
//! Whenever it dies, each transaction is paid once and answered once: by the folder and by HTTP, and
//! the second channel gives the first one's answer. `CORRIDOR_BULK` sets another number of
//! transactions, of which the last wait is bounded in proportion.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{
    chance::Chance,
    clock::now_ns,
    messages::{Payment, pacs008},
};

use crate::process_stage::{Stage, euro, on_stage};

const TRANSACTIONS: usize = 10_000;
const STEP_TIME_MAX: Duration = Duration::from_secs(120);
/// Growth of the store that shows that a message is being staged.
const STAGED_BYTES: u64 = 1 << 20;

#[test]
fn a_bulk_message_survives_kills_while_it_is_read_and_after() {
    on_stage("process-bulk", true, send_and_check);
}

fn transactions() -> usize {
    std::env::var("CORRIDOR_BULK").ok().and_then(|text| text.parse().ok()).unwrap_or(TRANSACTIONS)
}

fn payments(stage: &Stage, name: &str) -> Vec<Payment> {
    let mut chance = Chance::new(stage.seed ^ u64::from(name.as_bytes()[0]));
    (0..transactions())
        .map(|number| {
            let minor = 1 + chance.below(1_000);
            euro(&mut chance, &stage.bics[0], &stage.bics[1], minor, &format!("{name}-{number}"))
        })
        .collect()
}

async fn send_and_check(stage: &mut Stage) -> Result<()> {
    let bank = stage.bics[0].clone();
    let (first, second) = (payments(stage, "FOLDER"), payments(stage, "HTTP"));
    let by_folder = pacs008("FOLDER", &first, now_ns()).into_bytes();
    let by_http = pacs008("HTTP", &second, now_ns()).into_bytes();
    ensure!(by_folder.len() > 2 << 20, "the message is not large");
    stage.start().await?;
    let home = stage.gateway_folder(&bank)?;
    let folder = home.join("folder");
    let store = store_file(&home)?;

    let start = Instant::now();
    let before = fs::metadata(&store)?.len();
    fs::write(folder.join("in/bulk.xml.tmp"), &by_folder)?;
    fs::rename(folder.join("in/bulk.xml.tmp"), folder.join("in/bulk.xml"))?;
    wait(|| Ok(fs::metadata(&store)?.len() > before + STAGED_BYTES)).await.context("staging")?;
    stage.cluster.kill_gateway(&bank)?;
    ensure!(folder.join("in/bulk.xml").exists(), "the kill came too late");
    stage.cluster.start_gateway(&bank)?;
    stage.wait_ready().await?;
    wait_journalled(stage, &bank, &first[0].uetr).await?;
    stage.cluster.kill_gateway(&bank)?;
    let open = folder.join("in/bulk.xml").exists();
    stage.cluster.start_gateway(&bank)?;
    stage.wait_ready().await?;
    let answer = folder.join("archive/bulk.xml.answer.xml");
    wait(|| Ok(answer.exists() && !folder.join("in/bulk.xml").exists())).await.context("folder")?;
    let answer = fs::read(answer)?;
    check_answer(&answer, &first)?;
    ensure!(fs::read(folder.join("archive/bulk.xml"))? == by_folder, "the message has changed");
    let folder_time = start.elapsed();

    // The same by HTTP, and killed as well; whoever gets no answer sends again.
    let start = Instant::now();
    let before = fs::metadata(&store)?.len();
    let mut client = stage.cluster.gateway_client(&bank)?.with_timeout(STEP_TIME_MAX);
    let body = by_http.clone();
    let sent = tokio::spawn(async move {
        client.post("/v1/messages?bulk=true", "application/xml", &body).await
    });
    wait(|| Ok(fs::metadata(&store)?.len() > before || sent.is_finished())).await?;
    stage.cluster.kill_gateway(&bank)?;
    // However that ended, the next one decides.
    let _ = sent.await;
    stage.cluster.start_gateway(&bank)?;
    stage.wait_ready().await?;
    let mut client = stage.cluster.gateway_client(&bank)?.with_timeout(STEP_TIME_MAX);
    let http = loop {
        let got = client.post("/v1/messages?bulk=true", "application/xml", &by_http).await?;
        if got.status == 200 {
            break got.body;
        }
        ensure!(matches!(got.status, 202 | 503), "{} {}", got.status, got.text());
        ensure!(start.elapsed() < STEP_TIME_MAX, "there is no answer by HTTP");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    check_answer(&http, &second)?;
    let http_time = start.elapsed();
    let again = client.post("/v1/messages?bulk=true", "application/xml", &by_folder).await?;
    ensure!(again.status == 200 && again.body == answer, "another answer by HTTP");

    let expected = stage.expected_balances(first.iter().chain(&second))?;
    stage.check_nodes(&expected).await?;
    println!(
        "{} transactions in {} bytes: {:.1} s by folder with two kills (open at the second: {open}), \
         {:.1} s by HTTP with one",
        first.len(),
        by_folder.len(),
        folder_time.as_secs_f64(),
        http_time.as_secs_f64(),
    );
    Ok(())
}

fn store_file(home: &Path) -> Result<PathBuf> {
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name() == "gateway.redb" {
                return Ok(entry.path());
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    anyhow::bail!("there is no store below {}", home.display())
}

async fn wait(mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !done()? {
        ensure!(start.elapsed() < STEP_TIME_MAX, "nothing for {} s", STEP_TIME_MAX.as_secs());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// Waits until the gateway answers for a payment: its message is durable then.
async fn wait_journalled(stage: &Stage, bank: &str, uetr: &str) -> Result<()> {
    let start = Instant::now();
    let mut client = stage.cluster.gateway_client(bank)?;
    while client.get(&format!("/v1/messages/{uetr}")).await?.status != 200 {
        ensure!(start.elapsed() < STEP_TIME_MAX, "the message is not journalled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Each transaction is there once, in order, and settled.
fn check_answer(answer: &[u8], payments: &[Payment]) -> Result<()> {
    let text = std::str::from_utf8(answer)?;
    let texts = |start: &str| {
        text.split(start).skip(1).filter_map(|rest| rest.split('<').next()).collect::<Vec<_>>()
    };
    let uetrs = texts("<OrgnlUETR>");
    let wanted: Vec<&str> = payments.iter().map(|payment| payment.uetr.as_str()).collect();
    ensure!(uetrs == wanted, "{} of {} transactions are answered", uetrs.len(), wanted.len());
    let states: BTreeSet<&str> = texts("<TxSts>").into_iter().collect();
    ensure!(states == BTreeSet::from(["ACSC"]), "not all are settled: {states:?}");
    ensure!(texts("<GrpSts>") == ["ACSC"], "the group is not settled");
    Ok(())
}
