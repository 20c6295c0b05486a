//! What an operator sees and is told: health, metrics, status page, JSON, tokens, the command line, refused starts.
//!
//! One network is looked at with its majority up, down and up again. Processes that must not start are
//! started, and must end at once with one sentence that says what to do. Figures are compared with
//! payments that the test made, not with each other alone.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use corridor::{
    chance::Chance,
    cluster::Cluster,
    gateway_api,
    http::{Answer, HttpClient},
    messages::{Payment, Reply, read_reply},
    money::format_grouped,
    process::Process,
};
use serde_json::Value;

use crate::process_stage::{
    Stage, definitive, euro, network, on_stage, only_status, program, single,
};

const MINOR: u64 = 12_345;
const FIGURES_TIME_MAX: Duration = Duration::from_secs(5);
const NO_LEADER_TIME_MAX: Duration = Duration::from_secs(20);
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(20);
/// A gateway with the wrong network must not have become ready after this time.
const NOT_READY_TIME: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

#[test]
fn an_operator_sees_how_the_network_stands() {
    on_stage("process-status", false, look_around);
}

async fn look_around(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    let mut chance = Chance::new(stage.seed);
    let payment = euro(&mut chance, &stage.bics[0], &stage.bics[1], MINOR, "STATUS-1");
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let answered = gateway_api::submit(&mut client, &single("STATUS-1", &payment)).await?;
    let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
    ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
    let expected = stage.expected_balances([&payment].into_iter())?;
    stage.check_nodes(&expected).await?;
    let leader = stage.cluster.leader().await.context("no node leads")?;
    for id in stage.cluster.node_ids() {
        check_node(stage, id, leader, &payment).await.with_context(|| format!("node {id}"))?;
    }
    check_gateway(stage).await?;
    check_tokens(stage, &payment).await?;
    check_tool(stage, leader, &payment)?;
    without_majority(stage, &mut chance).await
}

async fn check_node(stage: &Stage, id: u64, leader: u64, payment: &Payment) -> Result<()> {
    let mut client = stage.node_client(id)?;
    for path in ["/healthz", "/readyz"] {
        let answer = client.get(path).await?;
        ensure!(answer.status == 200, "{path} answers {} {}", answer.status, answer.text());
    }
    check_status_json(&json(&mut client, "/v1/status").await?, id, leader)?;
    check_balances_json(&json(&mut client, "/v1/balances").await?)?;
    stage.check_transfer(&mut client, payment, Some("settled")).await?;
    check_statement(&mut client, payment).await?;
    for (uetr, status) in [("00000000-0000-4000-8000-000000000000", 404), ("no-uetr", 400)] {
        let answer = client.get(&format!("/v1/transfers/{uetr}")).await?;
        ensure!(answer.status == status, "transfer {uetr} answers {}", answer.status);
    }

    let figures = metrics(&client.get("/metrics").await?)?;
    let exact = [
        ("corridor_has_leader", 1.0),
        ("corridor_is_leader", f64::from(u8::from(id == leader))),
        ("corridor_conserved", 1.0),
        // No honest node accuses another.
        ("corridor_peer_misbehaviour_total", 0.0),
    ];
    for (name, value) in exact {
        let got = figures.get(name).with_context(|| format!("no metric {name}"))?;
        ensure!((got - value).abs() < 0.5, "{name} is {got}, not {value}");
    }
    let positive = [
        "corridor_height",
        "corridor_term",
        "corridor_applied_index",
        "corridor_commit_index",
        "corridor_log_leaves",
        "corridor_leader_changes_total",
        "corridor_settled_total",
    ];
    for name in positive {
        let got = figures.get(name).with_context(|| format!("no metric {name}"))?;
        ensure!(*got >= 1.0, "{name} is {got}");
    }
    for peer in stage.cluster.node_ids().into_iter().filter(|peer| *peer != id) {
        let name = format!("corridor_peer_connected{{peer=\"{peer}\"}}");
        ensure!(figures.get(&name).is_some_and(|up| *up > 0.5), "{name} is not 1: {figures:?}");
    }

    let page = client.get("/").await?;
    let text = page.text();
    ensure!(page.status == 200, "the status page answers {}", page.status);
    ensure!(
        page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
        "the status page is no HTML"
    );
    let leads = match id == leader {
        true => "This node leads".to_owned(),
        false => format!("Node {leader} leads"),
    };
    let held = format_grouped(5_000_000_000 - i128::from(MINOR), 2).replace(',', "\u{202f}");
    // A head office is shown by the short form of its BIC.
    for part in [leads, format!("{:.8}/EUR", payment.debtor_bank), held, "adds up".to_owned()] {
        ensure!(text.contains(&part), "the status page does not say `{part}`:\n{text}");
    }
    ensure!(!text.contains("does not add up"), "the status page raises an alarm:\n{text}");
    Ok(())
}

/// The payment on the statement of who paid, its block, and the position before and after it.
async fn check_statement(client: &mut HttpClient, payment: &Payment) -> Result<()> {
    let account = format!("{:.8}/EUR", payment.debtor_bank);
    let path = format!("/v1/statement?account={account}");
    let whole = json(client, &path).await?;
    let rows = whole["rows"].as_array().context("a statement has rows")?;
    let row = rows.iter().find(|row| row["uetr"] == payment.uetr.as_str()).context("no row")?;
    let (after, before) = ((5_000_000_000 - MINOR).to_string(), "5000000000");
    ensure!(row["change_minor"] == format!("-{MINOR}"), "the statement says {row}");
    ensure!(row["balance_minor"] == after.as_str(), "the statement says {row}");
    ensure!(whole["opening_minor"] == "0" && whole["closing_minor"] == after.as_str(), "{whole}");
    ensure!(whole["count"] == rows.len(), "{whole}");
    let height = row["height"].as_u64().context("a row has a height")?;
    // Of an earlier height, and in pages of one row: the same rows.
    let pages = json(client, &format!("{path}&limit=1&as_of={height}")).await?;
    ensure!(pages["rows"][0] == rows[0] && pages["next"] == 1, "a page of one row: {pages}");
    let next = json(client, &format!("{path}&limit=1&as_of={height}&after=1")).await?;
    ensure!(next["rows"][0] == rows[1] && next.get("next").is_none(), "the next page: {next}");
    for (as_of, expected) in [(height - 1, before), (height, after.as_str())] {
        let got = json(client, &format!("/v1/position?account={account}&as_of={as_of}")).await?;
        ensure!(got["balance_minor"] == expected, "position at {as_of}: {got}");
    }
    let block = json(client, &format!("/v1/blocks/{height}")).await?;
    let commands = block["commands"].as_array().context("a block has commands")?;
    let found = commands.iter().find(|command| command["leaf"] == row["leaf"]);
    let found = found.context("the block does not have the leaf")?;
    ensure!(found["uetr"] == payment.uetr.as_str() && found["code"] == 1, "{found}");
    let wrong = [
        ("/v1/statement?account=NOBODYXX/EUR", 404),
        ("/v1/statement?account=no-name", 400),
        ("/v1/position?account=NOBODYXX/EUR", 404),
        ("/v1/blocks/1000000", 404),
    ];
    for (path, status) in wrong {
        let answer = client.get(path).await?;
        ensure!(answer.status == status, "{path} answers {}", answer.status);
    }
    for bad in ["limit=0", "limit=1001", "as_of=1000000"] {
        let answer = client.get(&format!("{path}&{bad}")).await?;
        ensure!(matches!(answer.status, 400 | 404), "{bad} is answered {}", answer.status);
    }
    Ok(())
}

fn check_status_json(status: &Value, id: u64, leader: u64) -> Result<()> {
    let numbers = [
        "node",
        "leader",
        "term",
        "height",
        "applied_index",
        "commit_index",
        "time_ns",
        "leaves",
        "settled",
        "refused",
        "settled_per_second",
    ];
    for name in numbers {
        ensure!(status[name].is_u64(), "status: `{name}` is no whole number: {status}");
    }
    for name in ["network", "network_id", "role", "log_root", "state_root", "version"] {
        let text = status[name].as_str().unwrap_or_default();
        ensure!(!text.is_empty(), "status: `{name}` is no text: {status}");
    }
    for name in ["network_id", "log_root", "state_root"] {
        let text = status[name].as_str().unwrap_or_default();
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        ensure!(is_hex, "status: `{name}` is no digest: {status}");
    }
    ensure!(status["node"] == id && status["leader"] == leader, "status: who leads? {status}");
    let role = if id == leader { "leader" } else { "follower" };
    ensure!(status["role"] == role, "status: role should be {role}: {status}");
    ensure!(status["network"] == "process-status", "status: another network: {status}");
    ensure!(status["conserved"] == true, "status: not conserved: {status}");
    let peers = status["peers"].as_array().context("status: `peers` is no list")?;
    ensure!(peers.len() == 2, "status: {} peers", peers.len());
    for peer in peers {
        ensure!(peer["connected"] == true && peer["rtt_us"].is_u64(), "status: peer {peer}");
        // Only the leader knows how far the others are.
        let known = peer["matched"].is_u64() && peer["lag"].is_u64();
        ensure!(known == (id == leader), "status: peer {peer} as seen by a {role}");
    }
    Ok(())
}

fn check_balances_json(balances: &Value) -> Result<()> {
    ensure!(balances["height"].is_u64(), "balances: no height: {balances}");
    let assets = balances["assets"].as_array().context("balances: no assets")?;
    ensure!(assets.len() == 3, "balances: {} assets", assets.len());
    for asset in assets {
        for name in ["code", "issued", "redeemed", "sum_of_posted"] {
            ensure!(asset[name].is_string(), "balances: `{name}` of {asset} is no text");
        }
        ensure!(asset["exponent"].is_u64(), "balances: asset {asset} has no exponent");
    }
    let accounts = balances["accounts"].as_array().context("balances: no accounts")?;
    ensure!(!accounts.is_empty(), "balances: no account");
    for account in accounts {
        for name in ["account", "posted", "held", "floor", "available", "status"] {
            ensure!(account[name].is_string(), "balances: `{name}` of {account} is no text");
        }
    }
    Ok(())
}

async fn json(client: &mut HttpClient, path: &str) -> Result<Value> {
    let answer = client.get(path).await?;
    ensure!(answer.status == 200, "{path} answers {} {}", answer.status, answer.text());
    serde_json::from_slice(&answer.body).with_context(|| format!("{path}: {}", answer.text()))
}

/// Reads Prometheus' text form: every line is a comment or a name, labels and a number.
fn metrics(answer: &Answer) -> Result<BTreeMap<String, f64>> {
    ensure!(answer.status == 200, "/metrics answers {}", answer.status);
    let mut figures = BTreeMap::new();
    for line in answer.text().lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').with_context(|| format!("metric `{line}`"))?;
        let plain = name.split('{').next().unwrap_or_default();
        let ours = plain.starts_with("corridor_")
            && plain
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte));
        ensure!(ours, "`{plain}` is no name of a metric");
        ensure!(!name.contains('{') || name.ends_with('}'), "labels of `{line}` have no end");
        let value: f64 = value.parse().with_context(|| format!("metric `{line}`"))?;
        let before = figures.insert(name.to_owned(), value);
        ensure!(before.is_none(), "metric `{name}` stands there twice");
    }
    Ok(figures)
}

/// What a gateway tells without a token.
async fn check_gateway(stage: &Stage) -> Result<()> {
    let mut client = HttpClient::new(&stage.cluster.gateway_http(&stage.bics[0])?)?;
    for path in ["/healthz", "/readyz"] {
        let answer = client.get(path).await?;
        ensure!(answer.status == 200, "gateway: {path} answers {}", answer.status);
    }
    let wanted = [
        "corridor_gateway_payments_total{result=\"settled\"}",
        "corridor_gateway_connected",
        "corridor_gateway_node_height",
    ];
    let start = Instant::now();
    loop {
        let figures = metrics(&client.get("/metrics").await?)?;
        let low = |name: &&&str| figures.get(**name).is_none_or(|value| *value < 1.0);
        let Some(name) = wanted.iter().find(low) else { return Ok(()) };
        // The gateway asks its node once a second how it stands.
        ensure!(start.elapsed() < FIGURES_TIME_MAX, "gateway: {name} is {:?}", figures.get(*name));
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Everything below `/v1` needs the token, and only the right one.
async fn check_tokens(stage: &Stage, payment: &Payment) -> Result<()> {
    let base = stage.cluster.gateway_http(&stage.bics[0])?;
    let right = stage.cluster.token(&stage.bics[0])?;
    let message = format!("/v1/messages/{}", payment.uetr);
    let paths = ["/v1/status", "/v1/outbox?after=0", &message];
    let foreign = stage.cluster.token(&stage.bics[1])?;
    let shorter = right[..63].to_owned();
    let longer = format!("{right}0");
    let wrong = [None, Some(foreign), Some(shorter), Some(longer), Some(right.to_uppercase())];
    for token in wrong.into_iter().filter(|token| token.as_deref() != Some(&*right)) {
        let mut client = HttpClient::new(&base)?;
        if let Some(token) = &token {
            client = client.with_token(token.clone());
        }
        let mut answers = vec![client.post("/v1/messages", "application/xml", b"<a/>").await?];
        for path in paths {
            answers.push(client.get(path).await?);
        }
        for answer in answers {
            let fits = answer.status == 401 && answer.header("www-authenticate") == Some("Bearer");
            ensure!(fits, "with token {token:?}: {} {}", answer.status, answer.text());
            ensure!(answer.text().contains("bearer token"), "401 says `{}`", answer.text());
        }
    }
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    for path in paths {
        let answer = client.get(path).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
    }
    Ok(())
}

/// The tool's own commands for looking at a network.
fn check_tool(stage: &Stage, leader: u64, payment: &Payment) -> Result<()> {
    let dir = stage.folder.to_string_lossy();
    let status = corridor(&["status", "--dir", &dir])?;
    let text = String::from_utf8_lossy(&status.stdout);
    ensure!(status.status.success(), "corridor status: {status:?}");
    let rows: Vec<Vec<&str>> =
        text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    ensure!(rows.len() == 3, "corridor status shows {} nodes:\n{text}", rows.len());
    for (id, row) in (1u64..).zip(&rows) {
        let role = if id == leader { "leader" } else { "follower" };
        let wanted = [id.to_string(), role.to_owned(), leader.to_string()];
        ensure!(row[..3] == wanted && row.last() == Some(&"yes"), "corridor status:\n{text}");
    }

    let show = corridor(&["show", &payment.uetr, "--dir", &dir])?;
    let text = String::from_utf8_lossy(&show.stdout);
    let moves =
        format!("EUR 123.45  {:.8}/EUR -> {:.8}/EUR", payment.debtor_bank, payment.creditor_bank);
    for part in [&*payment.uetr, "settled", &moves] {
        ensure!(text.contains(part), "corridor show does not say `{part}`:\n{text}");
    }
    let unknown = corridor(&["show", "00000000-0000-4000-8000-000000000000", "--dir", &dir])?;
    ensure_refused(&unknown, "was never ordered")?;

    let file = stage.folder.join("again.xml");
    fs::write(&file, single("STATUS-2", payment)).context("write a message")?;
    let token = stage.gateway_folder(&stage.bics[0])?.join("token");
    let base = stage.cluster.gateway_http(&stage.bics[0])?;
    let arguments =
        ["send", &*file.to_string_lossy(), "--gateway", &base, "--token-file"].map(str::to_owned);
    let mut arguments = arguments.to_vec();
    arguments.push(token.to_string_lossy().into_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let sent = corridor(&arguments)?;
    ensure!(sent.status.success(), "corridor send: {sent:?}");
    // The same UETR in another message is another payment, and is not made.
    let status = only_status(&definitive(sent.stdout.trim_ascii())?, &payment.uetr)?;
    let answer = (&*status.code, &*status.reason);
    ensure!(answer == ("RJCT", "AM05"), "corridor send: {status:?}");
    Ok(())
}

fn corridor(arguments: &[&str]) -> Result<Output> {
    Command::new(program()?).args(arguments).output().context("run the tool")
}

fn ensure_refused(output: &Output, part: &str) -> Result<()> {
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "exit code {:?}: {text}", output.status.code());
    ensure!(text.contains(part), "`{part}` was expected, not: {text}");
    Ok(())
}

/// With two of three nodes gone nothing is settled and nobody is told otherwise; with one of them back
/// the open payment is settled.
async fn without_majority(stage: &mut Stage, chance: &mut Chance) -> Result<()> {
    let base = stage.bics[0].clone();
    stage.cluster.kill_node(2)?;
    stage.cluster.kill_node(3)?;
    let mut node = stage.node_client(1)?;
    let start = Instant::now();
    loop {
        let answer = node.get("/readyz").await?;
        if answer.status == 503 {
            ensure!(answer.text().contains("no leader"), "/readyz says {}", answer.text());
            break;
        }
        ensure!(start.elapsed() < NO_LEADER_TIME_MAX, "a lone node calls itself ready");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    ensure!(node.get("/healthz").await?.status == 200, "a node without a leader is alive");
    ensure!(node.get("/").await?.text().contains("No leader"), "the status page is too calm");
    let status = corridor(&["status", "--dir", &stage.folder.to_string_lossy()])?;
    ensure_refused(&status, "not every node is well")?;
    let text = String::from_utf8_lossy(&status.stdout);
    ensure!(text.matches("does not answer").count() == 2, "corridor status:\n{text}");

    let payment = euro(chance, &base, &stage.bics[1], 500, "STATUS-3");
    let message = single("STATUS-3", &payment);
    let mut client = stage.cluster.gateway_client(&base)?;
    let open = client.post("/v1/messages", "application/xml", &message).await?;
    ensure!(open.status == 202, "without a majority: {} {}", open.status, open.text());
    let Reply::Status(report) = read_reply(&open.body)? else { bail!("202 without a pacs.002") };
    let status = only_status(&report, &payment.uetr)?;
    ensure!(status.code == "PDNG", "an open payment is answered {status:?}");
    let location = open.header("location").context("202 without a Location")?.to_owned();

    stage.cluster.start_node(2)?;
    let start = Instant::now();
    let last = loop {
        let answer = client.get(&location).await?;
        ensure!(answer.status == 200, "{location}: {} {}", answer.status, answer.text());
        if definitive(&answer.body).is_ok() {
            break answer.body;
        }
        ensure!(start.elapsed() < Duration::from_secs(45), "{location} is still open");
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    let status = only_status(&definitive(&last)?, &payment.uetr)?;
    ensure!(status.code == "ACSC", "the payment is answered {status:?}");
    stage.cluster.start_node(3)?;
    stage.wait_ready().await?;
    stage.cluster.wait_equal(Duration::from_secs(30)).await?;
    Ok(())
}

#[test]
fn what_must_not_start_says_why() {
    on_stage("process-refusals", false, refuse);
}

async fn refuse(stage: &mut Stage) -> Result<()> {
    let node = stage.folder.join("node-1");
    let gateway = stage.gateway_folder(&stage.bics[0])?;
    let genesis = stage.folder.join("genesis.toml");

    // Secrets that others may read.
    for (command, folder, key) in
        [("node", &node, "link.key"), ("gateway", &gateway, "signing.key")]
    {
        let key = folder.join(key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).context("expose a key")?;
        let words = refusal(command, folder).await?;
        ensure!(
            words.contains("0644") && words.contains("chmod 600"),
            "{command} with an exposed key says: {words}"
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).context("hide a key")?;
    }

    // The genesis file of another network, with other keys.
    let own = fs::read_to_string(&genesis).context("read the genesis file")?;
    let other = stage.folder.join("other");
    Cluster::create(&other, network("process-refusals", false)?, &program()?)?;
    fs::copy(other.join("genesis.toml"), &genesis).context("change the genesis file")?;
    let words = refusal("node", &node).await?;
    ensure!(words.contains("link key"), "a node with another genesis file says: {words}");
    let words = refusal("gateway", &gateway).await?;
    ensure!(words.contains("link_key"), "a gateway with another genesis file says: {words}");

    // Rules of the ledger that nobody knows yet.
    let tomorrow = own.replacen("rules = 2", "rules = 3", 1);
    ensure!(tomorrow != own, "the genesis file names no rules");
    fs::write(&genesis, tomorrow).context("change the genesis file")?;
    let words = refusal("node", &node).await?;
    ensure!(
        words.contains("version 3 of the ledger's rules"),
        "a node with rules of tomorrow says: {words}"
    );

    // A genesis file that differs in one word, after the network has run.
    fs::write(&genesis, &own).context("restore the genesis file")?;
    stage.start().await?;
    let words = refusal("node", &node).await?;
    ensure!(words.contains("used by another process"), "a second node says: {words}");
    stage.cluster.stop_node(1)?;
    stage.cluster.stop_gateway(&stage.bics[0])?;
    let renamed = own.replace("\"process-refusals\"", "\"process-refusals-2\"");
    ensure!(renamed != own, "the genesis file does not name the network");
    fs::write(&genesis, renamed).context("change the genesis file")?;
    let words = refusal("node", &node).await?;
    ensure!(words.contains("another network"), "a node in another network says: {words}");

    // A gateway with it may run, but no node takes it in.
    stage.cluster.start_gateway(&stage.bics[0].clone())?;
    let mut client = HttpClient::new(&stage.cluster.gateway_http(&stage.bics[0])?)?;
    let start = Instant::now();
    let mut looks = 0;
    while start.elapsed() < NOT_READY_TIME {
        stage.cluster.check_running()?;
        if let Ok(answer) = client.get("/readyz").await {
            ensure!(answer.status == 503, "a gateway of another network is ready");
            looks += 1;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    ensure!(looks > 0, "the gateway does not listen");

    // A misspelt setting.
    fs::write(&genesis, &own).context("restore the genesis file")?;
    let config = node.join("node.toml");
    let text = fs::read_to_string(&config).context("read node.toml")?;
    fs::write(&config, format!("htpp = \"127.0.0.1:1\"\n{text}")).context("misspell a setting")?;
    let words = refusal("node", &node).await?;
    ensure!(words.contains("htpp"), "a node with a misspelt setting says: {words}");
    Ok(())
}

/// Starts a process that must end by itself; returns its last words.
async fn refusal(command: &str, folder: &Path) -> Result<String> {
    let config = folder.join(format!("{command}.toml"));
    let log = folder.join("refused.log");
    let arguments = [command, "--config", &*config.to_string_lossy()];
    let mut process = Process::start(command, &program()?, &arguments, &log)?;
    let start = Instant::now();
    loop {
        if let Err(error) = process.check_running() {
            let words = format!("{error:#}");
            ensure!(words.contains("exit status: 1)"), "{words}");
            fs::remove_file(&log).context("remove a log")?;
            return Ok(words);
        }
        ensure!(
            start.elapsed() < REFUSAL_TIME_MAX,
            "{command} with {} runs, although it must not; log {}",
            config.display(),
            log.display()
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
