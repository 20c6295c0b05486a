//! What nodes wrote, judged by programs that share nothing with them: Go's `sumdb/note` and `tlog`, the crates
//! `signed_note` and `tlog_tiles`, and a verifier in plain Python that follows ops/docs/formats.md.
//!
//! One real network writes a small ledger of more than one tile: policy, receipts, two mirrors with their
//! checkpoints. Everybody verifies it, and then each single bit of it is changed: by the library of the nodes
//! and by the Go program all of them, by the others some. No change may go unnoticed.

mod crates;
mod own;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{
    chance::Chance,
    clock::now_ns,
    gateway_api,
    layout::long_account,
    messages::{Payment, pacs008},
};
use serde_json::{Value, json};

use crate::process_stage::{Stage, definitive, euro, on_stage, program};

/// With them the log has a full tile, and one hash a level above it.
const BULK: u64 = 262;
const FINAL_TIME_MAX: Duration = Duration::from_secs(15);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Says that programs of others must be there, and not only may.
const NEEDED_VARIABLE: &str = "CORRIDOR_VERIFIERS_NEEDED";

#[test]
fn everybody_verifies_what_nodes_wrote_and_no_changed_bit_goes_unnoticed() {
    on_stage("process-verifiers", false, verifiers);
}

async fn verifiers(stage: &mut Stage) -> Result<()> {
    let kit = write(stage).await?;
    stage.cluster.kill_node(1)?;
    let bits = own::flips(&kit).context("the library of the nodes")?;
    crates::check(&kit).context("the crates signed_note and tlog_tiles")?;
    go(&kit, bits).context("the Go program")?;
    python(&kit).context("the verifier in Python")
}

/// Lets a network write a small ledger, and gathers what an auditor would have of it.
async fn write(stage: &mut Stage) -> Result<PathBuf> {
    stage.start().await?;
    let kit = stage.folder.join("kit");
    fs::create_dir_all(kit.join("receipts")).context("make the folder of receipts")?;
    let mut chance = Chance::new(stage.seed);
    let mut payments = Vec::new();
    for (round, count) in [(0, 1), (1, 2), (2, BULK)] {
        let made: Vec<Payment> = (0..count)
            .map(|at| {
                let name = format!("KIT-{round}-{at}");
                euro(&mut chance, &stage.bics[0], &stage.bics[1], 1_000 * round + at + 1, &name)
            })
            .collect();
        pay(stage, &format!("KIT-{round}"), &made).await?;
        payments.extend(made);
        mirror(stage, &kit).await?;
    }
    let folder = stage.folder.to_string_lossy().into_owned();
    let policy = kit.join("ledger.policy").to_string_lossy().into_owned();
    done(Command::new(program()?).args(["policy", "--dir", &folder, "--out", &policy]))?;
    fs::copy(stage.folder.join("genesis.toml"), kit.join("genesis.toml"))?;
    let mut told = Vec::new();
    for payment in [&payments[0], &payments[payments.len() - 1]] {
        let out = kit.join("receipts").join(format!("{}.tlog-proof", payment.uetr));
        let out = out.to_string_lossy().into_owned();
        done(Command::new(program()?).args([
            "receipt",
            &payment.uetr,
            "--dir",
            &folder,
            "--out",
            &out,
        ]))?;
        told.push(json!({
            "uetr": payment.uetr,
            "debit": long_account(&format!("{}/EUR", payment.debtor_bank)),
            "credit": long_account(&format!("{}/EUR", payment.creditor_bank)),
            "minor": payment.minor,
        }));
    }
    let balances = stage.cluster.balances(2).await?;
    let balances: BTreeMap<String, String> = balances
        .accounts
        .iter()
        .map(|account| (long_account(&account.account), account.posted.to_string()))
        .collect();
    let expected = json!({ "payments": told, "balances": balances });
    fs::write(kit.join("expected.json"), serde_json::to_vec_pretty(&expected)?)?;
    Ok(kit)
}

async fn pay(stage: &Stage, name: &str, payments: &[Payment]) -> Result<()> {
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let message = pacs008(name, payments, now_ns()).into_bytes();
    let answered = gateway_api::submit(&mut client, &message).await?;
    let report = definitive(&answered.bytes)?;
    let settled = report.transactions.iter().filter(|(_, status)| status.code == "ACSC").count();
    ensure!(settled == payments.len(), "{settled} of {} payments were settled", payments.len());
    Ok(())
}

/// Mirrors the ledger of a node when all of it is final: each time with a checkpoint more.
async fn mirror(stage: &Stage, kit: &Path) -> Result<()> {
    let until = Instant::now() + FINAL_TIME_MAX;
    loop {
        let status = stage.cluster.node_status(1).await?;
        if status.final_height == Some(status.height) {
            break;
        }
        ensure!(Instant::now() < until, "final at {:?} of {}", status.final_height, status.height);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let node = stage.cluster.node_http(1)?;
    let genesis = stage.folder.join("genesis.toml");
    done(
        Command::new(program()?)
            .args(["verify", "ledger", &node, "--genesis"])
            .arg(genesis)
            .arg("--mirror")
            .arg(kit.join("mirror")),
    )
}

/// Runs a program to its end; it must succeed. Gives what it printed.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {said}{complaint}", output.status);
    Ok(said)
}

fn done(command: &mut Command) -> Result<()> {
    output(command).map(|_| ())
}

/// Says that a verifier is not there; an error where it has to be.
fn absent(what: &str) -> Result<()> {
    ensure!(env::var_os(NEEDED_VARIABLE).is_none(), "{what} is needed and not there");
    println!("NOT CHECKED: {what} is not installed here, ops/scripts/test installs it");
    Ok(())
}

fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("verifiers").join(name)
}

/// Builds the Go program from Debian's packages, without any network, and lets it check and flip.
fn go(kit: &Path, bits: u64) -> Result<()> {
    const LIBRARIES: &str = "/usr/share/gocode";
    let library = Path::new(LIBRARIES).join("src/golang.org/x/mod/sumdb/tlog");
    if !library.exists() || Command::new("go").arg("version").output().is_err() {
        return absent("Go with golang.org/x/mod");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    fs::create_dir_all(&folder)?;
    let binary = folder.join("verify");
    done(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&binary)
            .arg(sources("verify.go"))
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("GOPATH", LIBRARIES)
            .env("GOCACHE", folder.join("cache")),
    )?;
    print!("{}", output(Command::new(&binary).arg("check").arg(kit))?);
    let said = output(Command::new(&binary).arg("flips").arg(kit))?;
    // Beside all files it changes roots and consistency proofs.
    let last = said.lines().last().unwrap_or_default().to_owned();
    println!("Go: {last}");
    let numbers: Vec<u64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [flipped, refused] = numbers[..] else { anyhow::bail!("the Go program said: {said}") };
    ensure!(flipped == refused && flipped > bits, "{bits} bits are in the files, but: {last}");
    Ok(())
}

/// Lets the Python program check everything, and compares what it read with what the test paid.
fn python(kit: &Path) -> Result<()> {
    let program = sources("verify.py");
    let version = Command::new("python3").args(["-c", "import tomllib"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        return absent("Python 3.11");
    }
    let run = |arguments: &[&str]| -> Result<Value> {
        let said = output(
            Command::new("python3").arg("-B").arg(&program).args(arguments).current_dir(kit),
        )?;
        serde_json::from_str(&said).with_context(|| format!("read what it says: {said}"))
    };
    let shared = ["--policy", "ledger.policy", "--genesis", "genesis.toml"];
    let expected: Value = serde_json::from_slice(&fs::read(kit.join("expected.json"))?)?;
    for payment in expected["payments"].as_array().context("payments were made")? {
        let uetr = payment["uetr"].as_str().context("a payment has a UETR")?;
        let receipt = format!("receipts/{uetr}.tlog-proof");
        let found = run(&[&["receipt", &receipt], &shared[..]].concat())?;
        let record = &found["record"];
        ensure!(record["answer"] == "settled" && record["id"] == *uetr, "it reads {found}");
        let leg = &record["legs"][0];
        for field in ["debit", "credit", "minor"] {
            ensure!(leg[field] == payment[field], "it reads {leg}, and this was paid: {payment}");
        }
    }
    let found = run(&[&["ledger", "mirror"], &shared[..]].concat())?;
    println!("Python: {}", found["summary"]);
    ensure!(
        found["balances"] == expected["balances"],
        "it computes {}, a node {}",
        found["balances"],
        expected["balances"]
    );
    ensure!(found["checkpoints"].as_array().is_some_and(|all| all.len() == 3), "it says {found}");
    let found = run(&[&["lies", "mirror"], &shared[..]].concat())?;
    println!("Python: {found}");
    ensure!(found["lies"] == found["refused"] && found["lies"].as_u64() > Some(15), "{found}");
    let found = run(&[&["flips", "."], &shared[..]].concat())?;
    println!("Python: {found}");
    ensure!(found["flips"] == found["refused"] && found["flips"].as_u64() > Some(200), "{found}");
    Ok(())
}
