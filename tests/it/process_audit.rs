//! The auditor's story of the README, as it is written there, on a running network; and statements that must lead to
//! the balances that the nodes have, whatever moved the money.

use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, layout::long_account};
use serde_json::Value;

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, program, single};
use crate::tidy::read;

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
    let script = section.split("```").nth(1).context("the story has commands")?;
    let said = shell(stage, script)?;
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
    ] {
        ensure!(said.contains(part), "{part:?} is not said by the story:\n{said}");
    }
    statements(stage).await?;
    openapi(stage).await
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
        tool(&[&words[..], &place[..]].concat())?;
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
