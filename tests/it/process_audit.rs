//! The auditor's story of the README, as it is written there, on a running network; and statements that must lead to
//! the balances that the nodes have, whatever moved the money.

use std::{
    env, fs,
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, demo::Projection, gateway_api, layout::long_account};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wire::genesis::hex;

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, program, single};
use crate::tidy::read;
use crate::tool::Tool;

const HEADING: &str = "## Five minutes as an auditor";
const FINAL_TIME_MAX: Duration = Duration::from_secs(15);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const PAYMENTS: u64 = 12;

#[test]
fn the_auditors_story_of_the_readme_is_true() {
    on_stage("process-audit", false, story);
}

async fn story(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    let mut projection = Projection::start("auto", &stage.cluster, &program()?, &stage.folder)?;
    let mut chance = Chance::new(stage.seed);
    for number in 0..PAYMENTS {
        let name = format!("AUDIT-{number}");
        let payment = euro(&mut chance, &stage.bics[0], &stage.bics[1], 100 + number, &name);
        let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
        let answered = gateway_api::submit(&mut client, &single(&name, &payment)).await?;
        let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
        ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
    }
    wait_final(stage).await?;
    let readme = read("README.md");
    let section = readme.split(HEADING).nth(1).context("the README has the story")?;
    let section = section.split("\n## ").next().context("the story ends")?;
    let mut scripts: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
    ensure!(scripts.len() == 2, "the log's commands and those in SQL");
    match &mut projection {
        Some(projection) => ensure!(projection.check(leaves(stage).await?).await?.is_empty()),
        None => {
            eprintln!("SKIPPED: no PostgreSQL is installed, so the story goes without SQL");
            scripts.truncate(1);
        }
    }
    // In SQL the access is there a moment later; who reads the story is slower than that.
    let said = shell(stage, &scripts.join("sleep 3\n"))?;
    for part in [
        "12 rows as of block",
        "lead to the root that the nodes have cosigned",
        "3 of 3 nodes cosigned",
        "ok      the record is leaf",
        "REFUSED",
        "forged: refused",
        "was settled.",
        ", final",
        "opening 5000000000, closing",
        "ok  the whole log has no other rows",
        "a changed row: refused",
        "VALID: everything that was looked at holds.",
        "recorded as access",
        " exported data with digest",
        "auditor 7, yearly audit",
    ] {
        ensure!(said.contains(part), "{part:?} is not said by the story:\n{said}");
    }
    if let Some(projection) = &mut projection {
        for row in [
            r"\| transfer +\| +1 \|",
            r"\| ALPHDEFF(XXX)? +\| auditor 7 +\| exported +\| yearly audit +\|",
        ] {
            ensure!(matches(row, &said)?, "{row} is not said by the story:\n{said}");
        }
        ensure!(projection.check(leaves(stage).await?).await?.is_empty());
    }
    readings(stage)?;
    statements(stage).await?;
    openapi(stage).await
}

/// Whether a text has a line like this, as `grep -E` sees it.
fn matches(pattern: &str, text: &str) -> Result<bool> {
    let mut grep = Command::new("grep");
    let mut grep = grep.args(["-Eq", pattern]).stdin(Stdio::piped()).spawn().context("run grep")?;
    let mut input = grep.stdin.take().context("grep reads")?;
    // It goes when it has found something.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    Ok(grep.wait()?.success())
}

async fn leaves(stage: &Stage) -> Result<u64> {
    wait_final(stage).await?;
    Ok(stage.cluster.node_status(1).await?.leaves)
}

/// Who names himself is on the trail before he sees anything; who does not gets no export.
fn readings(stage: &Stage) -> Result<()> {
    let tool = Tool::new(stage)?;
    let (house, mirror) = (&stage.bics[1], stage.folder.join("readings-mirror"));
    let mirror = mirror.to_string_lossy().into_owned();
    let place = ["--mirror", mirror.as_str()];
    let named = ["--as", house, "--reader", "anna", "--ground"];
    let trail = || -> Result<Vec<Value>> {
        let (well, out, error) = tool.run(&["audit", "access", "--json", "--bank", house])?;
        ensure!(well, "{error}");
        out.lines().map(|line| serde_json::from_str(line).context("a row is JSON")).collect()
    };
    let account = format!("{house}/EUR");
    let ask = ["audit", "search", "--kind", "transfer", "--limit", "1", "--json"];
    let (well, out, error) = tool.run(&[&ask[..], &place, &named, &["complaint 1"]].concat())?;
    ensure!(well && error.contains("recorded as access"), "{out} {error}");
    let row: Value = serde_json::from_str(out.lines().next().context("a row")?)?;
    let uetr = row["id"].as_str().context("a payment")?;
    for (words, ground) in
        [(["audit", "statement", &account], "2"), (["audit", "trace", uetr], "3")]
    {
        let (well, out, error) = tool.run(&[&words[..], &place, &named, &[ground]].concat())?;
        ensure!(well && error.contains("recorded as access"), "{out} {error}");
    }
    let rows = trail()?;
    let seen: Vec<_> = rows.iter().map(|row| (&row["access"], &row["ground"])).collect();
    ensure!(seen.iter().all(|one| one.0 == "queried") && seen.len() == 3, "{seen:?}");
    ensure!(rows[2]["payment"] == uetr && rows[2]["reader"] == "anna", "{rows:?}");
    // What was read can be told from its digest.
    let words = format!("{{\"trace\":\"{uetr}\"}}");
    ensure!(rows[2]["what"] == hex(&Sha256::digest(words)), "{rows:?}");

    let out = stage.folder.join("readings-export");
    let export = ["audit", "export", "--uetr", uetr, "--out", &out.to_string_lossy()];
    tool.fails(&[&export[..], &place].concat(), "--ground")?;
    // A bank that is none, a key that is not here, a ground that is too long: nothing is shown.
    let long = "x".repeat(141);
    for named in [["NOBODEFF", "anna", "4"], [house, "anna", &long]] {
        let words = ["--as", named[0], "--reader", named[1], "--ground", named[2]];
        let (well, said, error) = tool.run(&[&export[..], &place, &words].concat())?;
        ensure!(!well && error.contains("nothing is shown"), "{said} {error}");
        ensure!(!out.exists(), "an export that was not recorded");
        let (well, said, error) = tool.run(&[&ask[..], &place, &words].concat())?;
        ensure!(!well && said.is_empty(), "{said} {error}");
    }
    ensure!(trail()?.len() == 3, "nothing was read");
    let (well, _, error) = tool.run(&[&export[..], &place, &named, &["complaint 5"]].concat())?;
    ensure!(well, "{error}");
    let manifest = hex(&Sha256::digest(fs::read(out.join("manifest.json"))?));
    let rows = trail()?;
    ensure!(rows.len() == 4 && rows[3]["access"] == "exported", "{rows:?}");
    ensure!(rows[3]["what"] == manifest && rows[3]["payment"] == uetr, "{rows:?}");
    Ok(())
}

/// Runs commands as they are written, in a folder that has the network as `./network`.
fn shell(stage: &Stage, script: &str) -> Result<String> {
    let program = program()?;
    let programs = program.parent().context("the program is in a folder")?;
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    let folder = stage.folder.parent().context("the network is in a folder")?;
    let script = format!("set -eu\n{script}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("PATH", path)
        .current_dir(folder)
        .output()
        .context("run bash")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the story ends with {}:\n{said}\n{errors}", output.status);
    Ok(said + &errors)
}

async fn wait_final(stage: &Stage) -> Result<()> {
    let until = Instant::now() + FINAL_TIME_MAX;
    for id in stage.cluster.node_ids() {
        loop {
            let status = stage.cluster.node_status(id).await?;
            if status.final_height == Some(status.height) {
                break;
            }
            ensure!(Instant::now() < until, "node {id} is final at {:?}", status.final_height);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}

fn tool(words: &[&str]) -> Result<String> {
    let output = Command::new(program()?).args(words).output().context("run corridor")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {error}", words.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

/// The statement of every account ends with the balance that the node has, and its export verifies.
pub(crate) async fn statements_lead_to_balances(stage: &Stage) -> Result<()> {
    wait_final(stage).await?;
    statements(stage).await
}

async fn statements(stage: &Stage) -> Result<()> {
    let at = |name: &str| stage.folder.join(name).to_string_lossy().into_owned();
    let (network, mirror, policy) = (at(""), at("audit-mirror"), at("audit.policy"));
    let genesis = stage.cluster.layout().genesis().to_string_lossy().into_owned();
    tool(&["policy", "--dir", &network, "--out", &policy])?;
    let place = ["--dir", network.as_str(), "--mirror", mirror.as_str()];
    let mut accounts = 0;
    for account in stage.cluster.balances(1).await?.accounts {
        let name = &long_account(&account.account);
        let said = tool(&[&["audit", "statement", name, "--json"], &place[..]].concat())?;
        let summary: Value = serde_json::from_str(said.lines().last().context("a summary")?)?;
        ensure!(
            summary["closing_minor"] == account.posted.to_string(),
            "the statement of {name} ends with {summary}, the node has {}",
            account.posted
        );
        accounts += 1;
        let out = at(&format!("export-{accounts}"));
        let words = ["audit", "export", "--statement", name, "--format", "camt053", "--out", &out];
        tool(&[&words[..], &["--ledger", &mirror, "--genesis", &genesis]].concat())?;
        tool(&["verify", "export", &out, "--policy", &policy, "--ledger", &mirror])?;
        fs::remove_dir_all(&out)?;
    }
    ensure!(accounts > 3, "{accounts} accounts");
    Ok(())
}

/// What a node answers is what its OpenAPI document says: each path answers, and each answer has what is required.
async fn openapi(stage: &Stage) -> Result<()> {
    let document: Value = serde_json::from_str(&read("ops/docs/openapi/node.json"))?;
    let mut client = stage.node_client(1)?;
    let served = client.get("/openapi.json").await?;
    ensure!(
        serde_json::from_slice::<Value>(&served.body)? == document,
        "another document is served"
    );
    let paths = document["paths"].as_object().context("paths")?;
    for (path, item) in paths {
        // What is posted has a test of its own.
        let Some(operation) = item.get("get") else { continue };
        let mut asked = path.clone();
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().context("a parameter has a name")?;
            let Some(example) = parameter.get("example") else { continue };
            let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            match parameter["in"].as_str() {
                Some("path") => asked = asked.replace(&format!("{{{name}}}"), &example),
                _ => query.push(format!("{name}={example}")),
            }
        }
        if !query.is_empty() {
            asked = format!("{asked}?{}", query.join("&"));
        }
        let answer = client.get(&asked).await?;
        let responses = operation["responses"].as_object().context("responses")?;
        let response = responses
            .get(&answer.status.to_string())
            .with_context(|| format!("{asked} answers {}: {}", answer.status, answer.text()))?;
        let Some(schema) = response.pointer("/content/application~1json/schema") else { continue };
        let body: Value = serde_json::from_slice(&answer.body)?;
        conforms(&body, schema, &document).with_context(|| format!("the answer to {asked}"))?;
    }
    Ok(())
}

/// Checks what the document uses of JSON Schema: `$ref`, `type`, `required`, `properties`, `items`.
fn conforms(value: &Value, schema: &Value, document: &Value) -> Result<()> {
    if let Some(name) = schema["$ref"].as_str() {
        let place = name.strip_prefix('#').context("a reference within the document")?;
        let schema = document.pointer(place).with_context(|| format!("{name} is not there"))?;
        return conforms(value, schema, document);
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    ensure!(fits, "{value} is no {}", schema["type"]);
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().context("a required property has a name")?;
        ensure!(value.get(name).is_some(), "`{name}` is missing in {value}");
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name).filter(|value| !value.is_null()) {
            conforms(value, schema, document).with_context(|| name.clone())?;
        }
    }
    for value in value.as_array().into_iter().flatten() {
        conforms(value, &schema["items"], document)?;
    }
    Ok(())
}
