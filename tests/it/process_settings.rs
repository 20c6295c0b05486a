//! What a bank sets for its accounts, what the network tells it of its own accord, and what participants decide: all by
//! `corridor` commands on a running network, with what arrives at the banks' gateways.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use corridor::gateway_api::{self, OutboxEntry};
use serde_json::Value;

use crate::process_members::wait_equal;
use crate::process_stage::{Stage, on_stage};
use crate::tool::Tool;

const ALPHA: &str = "ALPHDEFF";
const BRAVO: &str = "BRAVFRPP";
const CHARLIE: &str = "CHARGB2L";
const ISSUER: &str = "EUROBEBB";
const TIME_MAX: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(200);

#[test]
fn banks_set_limits_hear_notices_and_decide_together() {
    on_stage("process-settings", false, use_it);
}

struct Bench<'a> {
    stage: &'a mut Stage,
    tool: Tool,
}

async fn use_it(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    stage.cluster.wait_leader(TIME_MAX).await?;
    let tool = Tool::new(stage)?;
    let mut bench = Bench { stage, tool };
    bench.limits()?;
    bench.reservation()?;
    bench.acceptance_and_document()?;
    bench.balance_notices().await?;
    bench.exchange_is_told().await?;
    bench.late_report().await?;
    bench.newcomer()?;
    bench.decisions()?;
    // The participants have sent the second node away.
    let left = [1, 3];
    wait_equal(bench.stage, &left).await?;
    for id in left {
        ensure!(bench.stage.cluster.balances(id).await?.conserved(), "node {id}");
    }
    Ok(())
}

/// A transfer in euros without any options.
fn pay<'a>(from: &'a str, leg: [&'a str; 3]) -> Vec<&'a str> {
    vec!["ledger", "transfer", "--as", from, "--leg", leg[0], leg[1], leg[2]]
}

impl Bench<'_> {
    /// Minor units of an account, by name of the field.
    fn balance(&self, account: &str, field: &str) -> Result<i128> {
        let shown = self.tool.json(&["ledger", "account", account])?;
        let text = shown[0][field].as_str().context("a balance is a text")?;
        text.parse().with_context(|| format!("{shown}"))
    }

    fn limits(&self) -> Result<()> {
        let dear = pay(ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "150.00"]);
        let limit = ["ledger", "limit", "ALPHDEFF/EUR", "payment"];
        let set = |most: &'static str| [&limit[..], &[most, "--as", ALPHA]].concat();
        self.tool.ask(&set("100.00"), "done")?;
        self.tool.fails(&dear, "is refused")?;
        self.tool.ask(&pay(ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "100.00"]), "settled")?;
        self.tool.ask(&set("none"), "done")?;
        self.tool.ask(&dear, "settled")?;
        // Only the owner or the issuer sets a limit.
        let others = [&limit[..], &["100.00", "--as", BRAVO]].concat();
        self.tool.fails(&others, "is refused")
    }

    /// Everything is kept for urgent transfers; what would settle without that is asked first, and then done.
    fn reservation(&self) -> Result<()> {
        let all = self.balance("ALPHDEFF/EUR", "available")?;
        let all = format!("{}.{:02}", all / 100, all % 100);
        let reserve = ["ledger", "reserve", "ALPHDEFF/EUR"];
        self.tool.ask(&[&reserve[..], &[&all, "--as", ALPHA]].concat(), "done")?;
        let mut words = pay(ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "20.00"]);
        words.extend(["--queue", "--deadline", "5m"]);
        let id = self.tool.ask(&words, "queued")?;
        let explained = self.tool.json(&["ledger", "explain", &id])?.to_string();
        ensure!(explained.contains("reserved"), "{explained}");
        let what_if = |amount: &str| -> Result<Value> {
            self.tool.json(&["ledger", "what-if", "reserve", "ALPHDEFF/EUR", amount])
        };
        let found = what_if("0")?;
        ensure!(found["settle"] == 1 && found["transfers"][0]["uetr"] == id.as_str(), "{found}");
        ensure!(what_if(&all)?["settle"] == 0);
        let incoming = ["ledger", "what-if", "incoming", "ALPHDEFF/EUR", "20.00"];
        let found = self.tool.json(&incoming)?;
        ensure!(found["settle"] == 1, "{found}");
        self.tool
            .fails(&["ledger", "what-if", "incoming", "ALPHDEFF/GBP", "1.00"], "no account")?;
        self.tool.ask(&[&reserve[..], &["0", "--as", ALPHA]].concat(), "done")?;
        self.wait_settled(&id)
    }

    fn wait_settled(&self, id: &str) -> Result<()> {
        let since = Instant::now();
        loop {
            let shown = self.tool.json(&["ledger", "show", id])?;
            if shown["answer"] == "settled" {
                return Ok(());
            }
            ensure!(since.elapsed() < TIME_MAX, "{shown}");
            std::thread::sleep(WAIT);
        }
    }

    fn acceptance_and_document(&self) -> Result<()> {
        let accept = ["ledger", "accept", "BRAVFRPP/USD"];
        self.tool.ask(&[&accept[..], &["60s", "--as", BRAVO]].concat(), "done")?;
        let rows = self.tool.json(&["directory", BRAVO])?;
        let all = rows.as_array().context("accounts")?;
        let row = all.iter().find(|row| row["account"] == "BRAVFRPP/USD");
        let row = row.context("the directory names the account")?;
        ensure!(row["accepts_within_ns"] == 60_000_000_000_u64 && row["receives"] == true, "{row}");
        let id = self.tool.ask(&pay(ALPHA, ["ALPHDEFF/USD", "BRAVFRPP/USD", "5.00"]), "held")?;
        self.tool.ask(&["ledger", "approve", &id, "--as", BRAVO], "done")?;
        self.wait_settled(&id)?;
        self.tool.ask(&[&accept[..], &["off", "--as", BRAVO]].concat(), "done")?;
        let digest = "5e".repeat(32);
        let attest = ["ledger", "attest", &digest, "--by", ALPHA, "--as"];
        let id = self.tool.ask(&[&attest[..], &[ALPHA]].concat(), "done")?;
        let shown = self.tool.json(&["ledger", "show", &id])?;
        ensure!(shown["answer"] == "settled", "{shown}");
        self.tool.fails(&[&attest[..], &[BRAVO]].concat(), "is refused")
    }

    /// Entries of a bank's outbox after a cursor, until there is one of these kind and words.
    async fn arrives(
        &self,
        bic: &str,
        after: u64,
        kind: &str,
        words: &[&str],
    ) -> Result<OutboxEntry> {
        let mut client = self.stage.cluster.gateway_client(bic)?;
        let (since, mut seen) = (Instant::now(), Vec::new());
        let mut after = after;
        loop {
            for entry in gateway_api::outbox(&mut client, after, WAIT).await? {
                after = entry.cursor;
                if entry.kind == kind && words.iter().all(|word| entry.content.contains(word)) {
                    return Ok(entry);
                }
                seen.push(entry.content);
            }
            ensure!(since.elapsed() < TIME_MAX, "no {kind} with {words:?} among {seen:?}");
        }
    }

    /// How many entries a bank's outbox has after a cursor, once nothing comes any more.
    async fn count(&self, bic: &str, after: u64, code: &str) -> Result<usize> {
        let mut client = self.stage.cluster.gateway_client(bic)?;
        let entries = gateway_api::outbox(&mut client, after, WAIT).await?;
        Ok(entries.iter().filter(|entry| entry.content.contains(code)).count())
    }

    /// A balance falls below the floor and rises above the ceiling of another; who was away hears it once.
    async fn balance_notices(&mut self) -> Result<()> {
        let line = |minor: i128| format!("{}.{:02}", minor / 100, minor % 100);
        let floor = line(self.balance("ALPHDEFF/EUR", "available")? - 500);
        let ceiling = line(self.balance("BRAVFRPP/EUR", "posted")? + 500);
        let notices = ["ledger", "notices"];
        let low = ["ALPHDEFF/EUR", "--floor", &floor, "--as", ALPHA];
        self.tool.ask(&[&notices[..], &low].concat(), "done")?;
        let high = ["BRAVFRPP/EUR", "--ceiling", &ceiling, "--as", BRAVO];
        self.tool.ask(&[&notices[..], &high].concat(), "done")?;
        let there = pay(ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "10.00"]);
        let back = pay(BRAVO, ["BRAVFRPP/EUR", "ALPHDEFF/EUR", "10.00"]);
        self.tool.ask(&there, "settled")?;
        let told = self.arrives(ALPHA, 0, "admi.004.001.02", &["LOWB"]).await?;
        ensure!(told.content.contains(&format!("EUR {floor}")), "{}", told.content);
        self.arrives(BRAVO, 0, "admi.004.001.02", &["HIGB", &format!("EUR {ceiling}")]).await?;
        // Once more, while the gateway is away.
        self.stage.cluster.stop_gateway(ALPHA)?;
        self.tool.ask(&back, "settled")?;
        self.tool.ask(&there, "settled")?;
        self.stage.cluster.start_gateway(ALPHA)?;
        self.stage.wait_ready().await?;
        self.arrives(ALPHA, told.cursor, "admi.004.001.02", &["LOWB"]).await?;
        ensure!(self.count(ALPHA, 0, "LOWB").await? == 2, "each notice is told once");
        self.tool.ask(&back, "settled")?;
        for (account, bank) in [("ALPHDEFF/EUR", ALPHA), ("BRAVFRPP/EUR", BRAVO)] {
            self.tool.ask(&["ledger", "notices", account, "--as", bank], "done")?;
        }
        Ok(())
    }

    /// Alpha pays in euros, Bravo gets dollars of Charlie: both gateways are told on which account what moved.
    async fn exchange_is_told(&self) -> Result<()> {
        let quote = ["CHARGB2L/USD", "CHARGB2L/EUR", "500.00", "0.95"];
        self.tool.ask(&[&["fx", "quote"][..], &quote, &["--as", CHARLIE]].concat(), "done")?;
        let price = self.tool.json(&["fx", "price", "EUR", "USD", "--deliver", "100.00"])?;
        ensure!(price["paid_minor"] == "9500" && price["delivered_minor"] == "10000", "{price}");
        self.tool.fails(&["fx", "price", "EUR", "USD", "--deliver", "5000000.00"], "quote")?;
        let take = ["fx", "take", "ALPHDEFF/EUR", "BRAVFRPP/USD", "--deliver", "100.00"];
        let bound = ["--at-most", "95.00", "--as", ALPHA];
        let id = self.tool.ask(&[&take[..], &bound].concat(), "settled")?;
        let debit = ["95.00", "DBIT", "EUR 95.00 paid, USD 100.00 delivered", &id[..]];
        let told = self.arrives(ALPHA, 0, "camt.054.001.08", &debit).await?;
        ensure!(told.uetr == id, "{}", told.uetr);
        self.arrives(BRAVO, 0, "camt.054.001.08", &["100.00", "CRDT", &id]).await?;
        for bank in [ALPHA, BRAVO] {
            ensure!(self.count(bank, 0, "camt.054").await? == 1, "{bank} is told once");
        }
        Ok(())
    }

    /// A bank that must report its credits and does not is told so, and it stands on its scorecard.
    async fn late_report(&self) -> Result<()> {
        let reporting = ["fx", "reporting", "BRAVFRPP/EUR"];
        self.tool.ask(&[&reporting[..], &["2s", "--as", ISSUER]].concat(), "done")?;
        let leg = ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "1.00"];
        let reported = self.tool.ask(&pay(ALPHA, leg), "settled")?;
        let report = ["fx", "report", &reported, "BRAVFRPP/EUR", "--as", BRAVO];
        self.tool.ask(&report, "done")?;
        let missed = self.tool.ask(&pay(ALPHA, leg), "settled")?;
        let short = missed.replace('-', "");
        for code in ["RPTO", "RPTM"] {
            let told = self.arrives(BRAVO, 0, "admi.004.001.02", &[code, &short]).await?;
            ensure!(told.uetr == missed, "{}", told.uetr);
        }
        let scores = self.tool.json(&["fx", "scorecard", BRAVO])?;
        let card = &scores["banks"][0];
        ensure!(card["in_time"] == 1 && card["missing"] == 1, "{scores}");
        self.tool.ask(&[&reporting[..], &["off", "--as", ISSUER]].concat(), "done")?;
        Ok(())
    }

    /// Proposed and decided with one file's worth of signatures: all who are needed sign at once.
    fn decide(&self, what: &[&str]) -> Result<String> {
        let others = ["--with", BRAVO, "--with", CHARLIE, "--with", ISSUER, "--with", "USDOUS33"];
        let words = [&["govern", "propose"][..], what, &["--by", ALPHA, "--as", ALPHA], &others];
        self.tool.ask(&words.concat(), "done")
    }

    /// A bank is admitted, opens an account, is paid, and pays.
    fn newcomer(&self) -> Result<()> {
        const DELTA: &str = "DELTNL2A";
        let keys = self.tool.json(&["govern", "keys", "make", "--of", DELTA])?;
        let key = |value: &Value| value.as_str().map(str::to_owned).context("a key");
        let (sealing, signing) = (key(&keys["sealing"])?, key(&keys["signing"][0])?);
        self.decide(&["--admit", DELTA, "Delta Bank", &sealing, &signing])?;
        let members = self.tool.json(&["directory"])?;
        let members = members.as_array().context("members")?;
        let delta = members.iter().find(|one| one["bic"] == DELTA);
        let delta = delta.context("the directory names the new bank")?;
        ensure!(delta["votes"] == true && delta["live_keys"] == 1, "{delta}");
        // Its gateway is not known to the nodes: another bank sends what it signs.
        let by_alpha = ["--as", ALPHA, "--with", DELTA];
        self.tool.ask(&[&["ledger", "open", "DELTNL2A/EUR"][..], &by_alpha].concat(), "done")?;
        self.tool.ask(&pay(ALPHA, ["ALPHDEFF/EUR", "DELTNL2A/EUR", "30.00"]), "settled")?;
        let leg = ["--leg", "DELTNL2A/EUR", "BRAVFRPP/EUR", "12.00"];
        let transfer = [&["ledger", "transfer"][..], &by_alpha, &leg].concat();
        self.tool.ask(&transfer, "settled")?;
        ensure!(self.balance("DELTNL2A/EUR", "posted")? == 1_800);
        let reachable = self.tool.json(&["directory", "--asset", "EUR"])?.to_string();
        ensure!(reachable.contains("DELTNL2A/EUR"), "{reachable}");
        self.tool.fails(&["directory", "--asset", "GBP"], "no such asset")
    }

    /// Hours, nodes and finality; and the keys that a bank had.
    fn decisions(&self) -> Result<()> {
        let closed = ["--calendar", "JPY", "00:00-00:01", "--weekdays", "mon-sun"];
        self.decide(&closed)?;
        let hours = self.tool.json(&["ledger", "day", "JPY"])?;
        ensure!(hours[0]["day"]["cut_off_minutes"] == 1, "{hours}");
        if hours[0]["open"] == false {
            let words = pay(ALPHA, ["ALPHDEFF/JPY", "BRAVFRPP/JPY", "1"]);
            self.tool.fails(&words, "is refused")?;
        }
        self.decide(&["--calendar", "JPY", "always"])?;
        self.tool.ask(&pay(ALPHA, ["ALPHDEFF/JPY", "BRAVFRPP/JPY", "1"]), "settled")?;
        let link_key = "7a".repeat(32);
        let place = ["203.0.113.7:7100", "203.0.113.7:7101"];
        self.decide(&["--add-node", "4", CHARLIE, &link_key, place[0], place[1]])?;
        self.decide(&["--remove-node", "2"])?;
        self.decide(&["--finality", "1"])?;
        let decided = self.tool.json(&["govern", "decisions"])?;
        ensure!(decided["finality_faulty"] == 1 && decided["rules"] == 2, "{decided}");
        let nodes = &decided["nodes"];
        ensure!(nodes[0]["id"] == 2 && nodes[0]["node"].is_null(), "{decided}");
        ensure!(nodes[1]["node"]["address"] == place[0], "{decided}");
        self.tool.ask(&["govern", "keys", "new", "--of", CHARLIE, "--as", CHARLIE], "done")?;
        let keys = self.tool.json(&["govern", "keys", "history", "--of", CHARLIE])?;
        let live =
            keys.as_array().map_or(0, |all| all.iter().filter(|one| one["live"] == true).count());
        ensure!(live == 2 && keys[1]["from_leaf"].as_u64() > Some(0), "{keys}");
        let early = ["govern", "keys", "history", "--of", CHARLIE, "--at", "1"];
        let early = self.tool.json(&early)?;
        ensure!(early.as_array().map_or(0, Vec::len) == 1, "{early}");
        Ok(())
    }
}
