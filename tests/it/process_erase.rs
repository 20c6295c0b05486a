//! Provable erasure with real processes: a document is paid, opened and erased by both banks, and comes back from nowhere.
//!
//! Judged from the raw files of the gateways' folders, from what the tool says, and from the ledger as an auditor has it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, messages::Payment};

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, program, single};
use crate::tool::Tool;

const ARRIVE_TIME_MAX: Duration = Duration::from_secs(20);
const FINAL_TIME_MAX: Duration = Duration::from_secs(30);
/// Senders read the directory every 10 s.
const DIRECTORY_TIME: Duration = Duration::from_secs(12);
const POLL: Duration = Duration::from_millis(100);
const MAGIC_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const CREDIT: &str = "pacs.008.001.08";

#[test]
fn an_erased_document_is_nowhere_and_the_ledger_still_verifies() {
    on_stage("process-erase", false, erases);
}

async fn erases(stage: &mut Stage) -> Result<()> {
    for bic in stage.bics.clone() {
        let path = stage.gateway_folder(&bic)?.join("gateway.toml");
        let text = fs::read_to_string(&path)?;
        let soon = text.replace("sealing_overlap_s = 86400", "sealing_overlap_s = 0");
        ensure!(soon != text, "gateway.toml says nothing of the overlap: {text}");
        fs::write(&path, soon)?;
    }
    stage.start().await?;
    let tool = Tool::new(stage)?;
    let mut chance = Chance::new(stage.seed);
    let first = pay(stage, &mut chance, 1).await?;
    let second = pay(stage, &mut chance, 2).await?;
    let cursor = arrives(stage, CREDIT, &first.uetr).await?.0;
    let last = arrives(stage, CREDIT, &second.uetr).await?.0;

    // In order: taken, opened by no key that others could get, and only then erased.
    refused(stage, 1, &["erase", &first.uetr], "has not taken")?;
    let mut client = stage.cluster.gateway_client(&stage.bics[1])?;
    let ack = format!("/v1/outbox/ack?cursor={}", cursor.max(last));
    ensure!(client.post(&ack, "application/json", b"").await?.is_success(), "acknowledge");
    refused(stage, 1, &["erase", &first.uetr], "retire it first")?;
    refused(stage, 1, &["key", "retire", "1"], "rotate the sealing key first")?;
    let payee = stage.gateway_folder(&stage.bics[1])?;
    let sealing = fs::read_to_string(payee.join("sealing.key"))?.trim().to_owned();
    ensure!(found(&payee, sealing.as_bytes())?.len() == 1, "the sealing key is in one file");
    well(stage, 1, &["key", "rotate"])?;
    well(stage, 1, &["key", "retire", "1"])?;
    ensure!(found(&payee, sealing.as_bytes())?.is_empty(), "the sealing key is still there");
    ensure!(found(&payee, &from_hex(&sealing)?)?.is_empty(), "the sealing key is still there");
    // Its own key opens each document that is here.
    open(stage, 1, &first, Ok("recorded as access"))?;

    // Both banks erase.
    let mut certificates = Vec::new();
    for bank in [1, 0] {
        let folder = stage.gateway_folder(&stage.bics[bank])?;
        let before = keys(&folder)?;
        let said = well(stage, bank, &["erase", &first.uetr])?;
        certificates.push(said.split_whitespace().nth(2).context("an id")?.to_owned());
        let destroyed = destroyed(&before, &keys(&folder)?)?;
        ensure!(!found(&folder, &[0; KEY_BYTES])?.is_empty(), "the search finds what is there");
        let files = found(&folder, b"")?;
        println!("{} files of {} are searched", files.len(), folder.display());
        for part in [&destroyed[..], &destroyed[..16], &destroyed[16..]] {
            let left = found(&folder, part)?;
            ensure!(left.is_empty(), "bytes of the destroyed key are in {left:?}");
        }
        let hex: String = destroyed.iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(found(&folder, hex.as_bytes())?.is_empty(), "the destroyed key is there as text");
        refused(stage, bank, &["erase", &first.uetr], "erased on")?;
    }
    open(stage, 1, &first, Err("erased on"))?;
    open(stage, 1, &first, Err("certificate at leaf"))?;
    open(stage, 1, &second, Ok("recorded as access"))?;
    evidence(stage, &tool, &first, &certificates).await?;

    // What is sealed now is sealed to the new key.
    tokio::time::sleep(DIRECTORY_TIME).await;
    let third = pay(stage, &mut chance, 3).await?;
    arrives(stage, CREDIT, &third.uetr).await?;

    // A new gateway with the keys that are left reads everything from the beginning.
    let bic = stage.bics[1].clone();
    stage.cluster.stop_gateway(&bic)?;
    for file in ["gateway.redb", "documents.keys"] {
        fs::remove_file(payee.join("data").join(file))?;
    }
    stage.cluster.start_gateway(&bic)?;
    stage.wait_ready().await?;
    arrives(stage, CREDIT, &third.uetr).await?;
    let (_, note) = arrives(stage, "notice", &first.uetr).await?;
    ensure!(note.contains("erased on") && note.contains("certificate at leaf"), "{note}");
    let (_, note) = arrives(stage, "notice", &second.uetr).await?;
    ensure!(note.contains("does not open with this bank"), "{note}");
    open(stage, 1, &first, Err("erased on"))?;
    refused(stage, 1, &["erase", &first.uetr], "erased on")?;
    Ok(())
}

/// The receipt of the payment and of each certificate hold, the trail has both, and the whole ledger is as it should be.
async fn evidence(
    stage: &Stage,
    tool: &Tool,
    payment: &Payment,
    certificates: &[String],
) -> Result<()> {
    let at = |name: &str| stage.folder.join(name).to_string_lossy().into_owned();
    let (policy, genesis, mirror) = (at("ledger.policy"), at("genesis.toml"), at("mirror"));
    done(tool, &["policy", "--out", &policy])?;
    for (id, says) in [
        (payment.uetr.as_str(), "the same payment"),
        (certificates[0].as_str(), "certifies that its keys"),
        (certificates[1].as_str(), "certifies that its keys"),
    ] {
        let path = at(&format!("{id}.tlog-proof"));
        let until = Instant::now() + FINAL_TIME_MAX;
        while !tool.run(&["receipt", id, "--out", &path])?.0 {
            ensure!(Instant::now() < until, "no receipt of {id}");
            tokio::time::sleep(POLL).await;
        }
        let said = alone(&["verify", "receipt", &path, "--policy", &policy])?;
        ensure!(said.0, "{id}: {}", said.1);
        ensure!(says == "the same payment" || said.1.contains(says), "{id}: {}", said.1);
        let words =
            ["document", "verify", "--receipt", &path, "--policy", &policy, "--genesis", &genesis];
        let (well, said) = alone(&words)?;
        if says == "the same payment" {
            ensure!(!well && said.contains("name the document"), "{said}");
        } else {
            let parts = [
                "erased at",
                "by officer 2",
                "certificate at leaf",
                "retention is over",
                &payment.uetr,
            ];
            ensure!(well && parts.iter().all(|part| said.contains(*part)), "{said}");
        }
    }
    let trail = done(tool, &["audit", "access", "--json", "--payment", &payment.uetr])?;
    let erased = trail.lines().filter(|line| line.contains("\"erased\"")).count();
    ensure!(erased == 2, "two banks have erased: {trail}");
    let node = stage.cluster.node_http(1)?;
    let verified = alone(&["verify", "ledger", &node, "--genesis", &genesis, "--mirror", &mirror])?;
    ensure!(verified.0, "{}", verified.1);
    Ok(())
}

fn done(tool: &Tool, words: &[&str]) -> Result<String> {
    let (well, out, error) = tool.run(words)?;
    ensure!(well, "{words:?}: {out} {error}");
    Ok(out)
}

fn alone(words: &[&str]) -> Result<(bool, String)> {
    let output = std::process::Command::new(program()?).args(words).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// `corridor document WORDS` at the gateway of a bank.
fn at_gateway(stage: &Stage, bank: usize, words: &[&str]) -> Result<(bool, String)> {
    let bic = &stage.bics[bank];
    let token = stage.gateway_folder(bic)?.join("token").to_string_lossy().into_owned();
    let gateway = stage.cluster.gateway_http(bic)?;
    let by = ["--by", "officer 2", "--ground", "retention is over"];
    let who = ["--reader", "clerk 7", "--ground", "a complaint"];
    let more: &[&str] = match words[0] {
        "erase" => &by,
        "open" => &who,
        _ => &[],
    };
    let place = ["--gateway", &gateway, "--token-file", &token];
    alone(&[&["document"], words, more, &place].concat())
}

fn well(stage: &Stage, bank: usize, words: &[&str]) -> Result<String> {
    let (well, said) = at_gateway(stage, bank, words)?;
    ensure!(well, "{words:?}: {said}");
    Ok(said)
}

fn refused(stage: &Stage, bank: usize, words: &[&str], says: &str) -> Result<()> {
    let (well, said) = at_gateway(stage, bank, words)?;
    ensure!(!well && said.contains(says), "{words:?} is not refused with `{says}`: {said}");
    Ok(())
}

fn open(stage: &Stage, bank: usize, payment: &Payment, says: Result<&str, &str>) -> Result<()> {
    match says {
        Ok(text) => {
            let said = well(stage, bank, &["open", &payment.uetr])?;
            ensure!(said.contains(text) && said.contains(&payment.uetr), "{said}");
            Ok(())
        }
        Err(text) => refused(stage, bank, &["open", &payment.uetr], text),
    }
}

async fn pay(stage: &Stage, chance: &mut Chance, number: u64) -> Result<Payment> {
    let name = format!("ERASE-{number}");
    let payment = euro(chance, &stage.bics[0], &stage.bics[1], 100 + number, &name);
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let answered = gateway_api::submit(&mut client, &single(&name, &payment)).await?;
    let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
    ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
    Ok(payment)
}

/// The cursor and content of the payee's outbox entry of this kind about a payment.
async fn arrives(stage: &Stage, kind: &str, uetr: &str) -> Result<(u64, String)> {
    let until = Instant::now() + ARRIVE_TIME_MAX;
    let mut client = stage.cluster.gateway_client(&stage.bics[1])?;
    loop {
        let entries = gateway_api::outbox(&mut client, 0, Duration::ZERO).await?;
        let found = entries.into_iter().find(|entry| entry.kind == kind && entry.uetr == uetr);
        if let Some(entry) = found {
            return Ok((entry.cursor, entry.content));
        }
        ensure!(Instant::now() < until, "no {kind} of {uetr}");
        tokio::time::sleep(POLL).await;
    }
}

/// The raw file of a gateway's document keys.
fn keys(folder: &Path) -> Result<Vec<u8>> {
    fs::read(folder.join("data/documents.keys")).context("read the keys")
}

/// The one key that is zeros now and was not before.
fn destroyed(before: &[u8], after: &[u8]) -> Result<Vec<u8>> {
    ensure!(before.len() == after.len(), "the file of keys has another size");
    let slots = before[MAGIC_BYTES..].chunks(KEY_BYTES).zip(after[MAGIC_BYTES..].chunks(KEY_BYTES));
    let changed: Vec<_> = slots.filter(|(before, after)| before != after).collect();
    let [(key, zeros)] = changed[..] else {
        anyhow::bail!("{} keys have changed, and not one", changed.len())
    };
    ensure!(zeros.iter().all(|byte| *byte == 0), "the key is not overwritten with zeros");
    Ok(key.to_vec())
}

/// The files at any depth that contain these bytes anywhere.
fn found(folder: &Path, bytes: &[u8]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(self::found(&path, bytes)?);
        } else {
            let content = fs::read(&path)?;
            let there = bytes.is_empty() || memmem(&content, bytes);
            found.extend(there.then_some(path));
        }
    }
    Ok(found)
}

fn memmem(content: &[u8], bytes: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = content[from..].iter().position(|byte| *byte == bytes[0]) {
        if content[from + at..].starts_with(bytes) {
            return true;
        }
        from += at + 1;
    }
    false
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
