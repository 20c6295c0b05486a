//! Banks use the ledger by `corridor ledger` on a running network: payment against payment, holds, a ring in the queue,
//! deadlines that nobody but time brings about, and files that two banks sign.
//!
//! Every answer is read from the command's own JSON, and money is counted at the end: each account has what the
//! commands that settled say, on every node.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, http::HttpClient};
use serde_json::Value;

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, single};
use crate::tool::Tool;

const ALPHA: &str = "ALPHDEFF";
const BRAVO: &str = "BRAVFRPP";
const CHARLIE: &str = "CHARGB2L";
const ISSUER: &str = "EUROBEBB";
const EQUAL_TIME_MAX: Duration = Duration::from_secs(30);
const TOLD_TIME_MAX: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[test]
fn banks_use_the_ledger_by_its_commands() {
    on_stage("process-ledger", false, use_it);
}

/// The tool, and what the test has moved: account and change in minor units.
struct Bench<'a> {
    stage: &'a mut Stage,
    tool: Tool,
    moved: BTreeMap<String, i128>,
}

async fn use_it(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    stage.cluster.wait_leader(TOLD_TIME_MAX).await?;
    let tool = Tool::new(stage)?;
    let mut bench = Bench { stage, tool, moved: BTreeMap::new() };
    bench.payment_against_payment()?;
    bench.holds()?;
    bench.secret_and_later_start()?;
    bench.ring()?;
    bench.queue_is_left()?;
    bench.two_signatures()?;
    bench.giving_back()?;
    bench.exchange()?;
    bench.mistakes_are_explained()?;
    bench.gateway_goes_on().await?;
    bench.deadline_outlives_a_leader().await?;
    bench.money_is_right().await?;
    crate::process_audit::statements_lead_to_balances(stage).await
}

impl Bench<'_> {
    fn run(&self, words: &[&str]) -> Result<(bool, String, String)> {
        self.tool.run(&[&["ledger"], words].concat())
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        self.tool.json(&[&["ledger"], words].concat())
    }

    fn ask(&self, words: &[&str], answer: &str) -> Result<String> {
        self.tool.ask(&[&["ledger"], words].concat(), answer)
    }

    /// How a transfer stands must be so.
    fn stands(&self, id: &str, answer: &str) -> Result<Value> {
        let shown = self.json(&["show", id])?;
        ensure!(shown["answer"] == answer, "{id} should be {answer} and is {shown}");
        Ok(shown)
    }

    fn moves(&mut self, code: &str, from: &str, to: &str, minor: i128) {
        *self.moved.entry(format!("{from}XXX/{code}")).or_default() -= minor;
        *self.moved.entry(format!("{to}XXX/{code}")).or_default() += minor;
    }

    fn payment_against_payment(&mut self) -> Result<()> {
        let words = [
            &["transfer", "--as", ALPHA, "--needs", BRAVO, "--deadline", "5m"][..],
            &["--leg", "ALPHDEFF/EUR", "BRAVFRPP/EUR", "1000.00"],
            &["--leg", "BRAVFRPP/USD", "ALPHDEFF/USD", "1080.50"],
        ]
        .concat();
        let id = self.ask(&words, "held")?;
        let explained = self.json(&["explain", &id])?;
        let says = explained["obstacles"].to_string();
        ensure!(says.contains("agreement") && says.contains(BRAVO), "{explained}");
        let reserved = self.json(&["account", "ALPHDEFF/EUR"])?;
        ensure!(reserved[0]["held"] == "100000", "{reserved}");
        self.ask(&["approve", &id, "--as", BRAVO], "done")?;
        let shown = self.stands(&id, "settled")?;
        ensure!(shown["end"]["cause"] == "command" && shown["end"]["by"] == "approve", "{shown}");
        self.moves("EUR", ALPHA, BRAVO, 100_000);
        self.moves("USD", BRAVO, ALPHA, 108_050);
        Ok(())
    }

    fn holds(&mut self) -> Result<()> {
        let leg = ["--leg", "ALPHDEFF/EUR", "BRAVFRPP/EUR", "500.00"];
        let hold = |deadline: &'static str| {
            [&["transfer", "--as", ALPHA, "--needs", BRAVO, "--deadline", deadline][..], &leg]
                .concat()
        };
        let accepted = self.ask(&hold("5m"), "held")?;
        self.ask(&["approve", &accepted, "--as", BRAVO], "done")?;
        self.stands(&accepted, "settled")?;
        self.moves("EUR", ALPHA, BRAVO, 50_000);

        let refused = self.ask(&hold("5m"), "held")?;
        self.ask(&["refuse", &refused, "--reason", "AC04", "--as", BRAVO], "done")?;
        let shown = self.stands(&refused, "released")?;
        ensure!(shown["end"]["by_reason"] == "AC04", "{shown}");

        // Nobody sends anything: the deadline takes effect all the same, and soon.
        let since = Instant::now();
        let (well, out, error) =
            self.run(&[&hold("1500ms")[..], &["--wait", "--json"]].concat())?;
        ensure!(!well && error.contains("ConditionsNotMet"), "{out} {error}");
        let told: Value = serde_json::from_str(&out).context("read the answer")?;
        ensure!(told["answer"] == "held" && told["end"]["end"]["cause"] == "time", "{told}");
        ensure!(since.elapsed() < Duration::from_secs(10), "took {:?}", since.elapsed());
        let free = self.json(&["account", "ALPHDEFF/EUR"])?;
        ensure!(free[0]["held"] == "0", "{free}");
        Ok(())
    }

    fn secret_and_later_start(&mut self) -> Result<()> {
        // SHA-256 of "open sesame".
        let hash = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
        let leg = ["--leg", "BRAVFRPP/USD", "CHARGB2L/USD", "7.00"];
        let words = ["transfer", "--as", BRAVO, "--hash", hash, "--deadline", "5m"];
        let id = self.ask(&[&words[..], &leg].concat(), "held")?;
        let (well, _, error) = self.run(&["reveal", &id, "open barley", "--as", CHARLIE])?;
        ensure!(!well && error.contains("WrongPreimage"), "{error}");
        self.ask(&["reveal", &id, "open sesame", "--as", CHARLIE], "done")?;
        self.stands(&id, "settled")?;
        self.moves("USD", BRAVO, CHARLIE, 700);

        let words = ["transfer", "--as", BRAVO, "--after", "1s", "--deadline", "5m", "--wait"];
        let told = self.json(&[&words[..], &leg].concat())?;
        ensure!(told["answer"] == "warehoused" && told["end"]["answer"] == "settled", "{told}");
        self.moves("USD", BRAVO, CHARLIE, 700);
        Ok(())
    }

    /// Each pays the next more than it has; together they can.
    fn ring(&mut self) -> Result<()> {
        let mut ids = Vec::new();
        for (from, to) in [(ALPHA, BRAVO), (BRAVO, CHARLIE), (CHARLIE, ALPHA)] {
            let (debit, credit) = (format!("{from}/EUR"), format!("{to}/EUR"));
            let words = ["transfer", "--as", from, "--queue", "--deadline", "5m"];
            let leg = ["--leg", &debit, &credit, "60000000.00"];
            ids.push(self.ask(&[&words[..], &leg].concat(), "queued")?);
            if ids.len() == 2 {
                let queue = self.json(&["queue", "--account", "BRAVFRPP/EUR"])?;
                let waiting = queue["transfers"].as_array().map_or(0, Vec::len);
                ensure!(waiting == 2, "{queue}");
                ensure!(queue.to_string().contains("missing_minor"), "{queue}");
            }
            self.moves("EUR", from, to, 6_000_000_000);
        }
        let mut blocks = Vec::new();
        for id in &ids {
            let end = self.wait_for(id, "settled")?;
            ensure!(end["end"]["cause"] == "together", "{end}");
            blocks.push(end["end"]["height"].clone());
        }
        ensure!(blocks.windows(2).all(|pair| pair[0] == pair[1]), "in blocks {blocks:?}");
        Ok(())
    }

    fn wait_for(&self, id: &str, answer: &str) -> Result<Value> {
        let since = Instant::now();
        loop {
            let shown = self.json(&["show", id])?;
            if shown["answer"] == answer {
                return Ok(shown);
            }
            ensure!(since.elapsed() < TOLD_TIME_MAX, "{id} should be {answer} and is {shown}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn queue_is_left(&mut self) -> Result<()> {
        let leg = ["--leg", "CHARGB2L/JPY", "ALPHDEFF/JPY", "9000000000"];
        let words = ["transfer", "--as", CHARLIE, "--queue", "--deadline", "5m"];
        let first = self.ask(&[&words[..], &leg].concat(), "queued")?;
        let second = self.ask(&[&words[..], &leg].concat(), "queued")?;
        self.ask(&["reorder", &second, "--priority", "urgent", "--as", CHARLIE], "done")?;
        let queue = self.json(&["queue", "--account", "CHARGB2L/JPY"])?;
        ensure!(queue["transfers"][0]["uetr"] == second.as_str(), "{queue}");
        for id in [first, second] {
            self.ask(&["cancel", &id, "--as", CHARLIE], "done")?;
            let shown = self.stands(&id, "released")?;
            ensure!(shown["end"]["by"] == "cancel", "{shown}");
        }
        Ok(())
    }

    /// What is redeemed needs the issuer and the owner: each signs the file at home.
    fn two_signatures(&mut self) -> Result<()> {
        self.ask(&["issue", "ALPHDEFF/EUR", "250.00", "--as", ISSUER], "settled")?;
        *self.moved.entry("ALPHDEFFXXX/EUR".to_owned()).or_default() += 25_000;
        let file = self.stage.folder.join("redeem.json");
        let file = file.to_str().context("a path in UTF-8")?;
        let words = ["redeem", "ALPHDEFF/EUR", "100.00", "--as", ISSUER, "--with", ALPHA];
        let written = self.json(&[&words[..], &["--out", file]].concat())?;
        ensure!(written["missing"][0] == "ALPHDEFFXXX", "{written}");
        let (well, _, error) = self.run(&["send", file])?;
        ensure!(!well && error.contains("still needs the signature of ALPHDEFFXXX"), "{error}");
        let (well, _, error) = self.run(&["sign", file, "--as", CHARLIE])?;
        ensure!(!well && error.contains("does not ask for a signature of CHARGB2L"), "{error}");
        let signed = self.json(&["sign", file, "--as", ALPHA])?;
        ensure!(signed["missing"].as_array().is_some_and(Vec::is_empty), "{signed}");
        self.ask(&["send", file], "settled")?;
        *self.moved.entry("ALPHDEFFXXX/EUR".to_owned()).or_default() -= 10_000;
        // Sent again it is answered as it was, and happens no second time.
        let again = self.json(&["send", file])?;
        ensure!(again["repeated"] == true && again["answer"] == "settled", "{again}");
        Ok(())
    }

    fn giving_back(&mut self) -> Result<()> {
        let leg = ["--leg", "ALPHDEFF/USD", "CHARGB2L/USD", "40.00"];
        let id = self.ask(&[&["transfer", "--as", ALPHA][..], &leg].concat(), "settled")?;
        self.ask(&["return", &id, "15.00", "--as", CHARLIE], "settled")?;
        self.moves("USD", ALPHA, CHARLIE, 2_500);
        let (well, _, error) = self.run(&["return", &id, "30.00", "--as", CHARLIE])?;
        ensure!(!well && error.contains("ReturnTooLarge"), "{error}");
        Ok(())
    }

    /// Two providers quote dollars; who needs more than the cheaper one has takes the rest from the other.
    fn exchange(&mut self) -> Result<()> {
        self.ask(&["open", "EUROBEBB/USD", "--as", ISSUER], "done")?;
        let quote = |bank: &str, amount: &str, price: &str| {
            let (sells, buys) = (format!("{bank}/USD"), format!("{bank}/EUR"));
            self.tool.ask(&["fx", "quote", &sells, &buys, amount, price, "--as", bank], "done")
        };
        quote(BRAVO, "10000.00", "0.96")?;
        quote(CHARLIE, "500.00", "0.95")?;
        let book = self.tool.json(&["fx", "book", "--pays", "EUR", "--gets", "USD"])?;
        let first = book[0]["provider"].as_str().unwrap_or_default();
        ensure!(first.starts_with(CHARLIE), "the best price comes first: {book}");
        let words = ["fx", "take", "ALPHDEFF/EUR", "EUROBEBB/USD", "--as", ALPHA];
        let dear = ["--deliver", "1200.00", "--at-most", "1100.00"];
        self.tool.fails(&[&words[..], &dear].concat(), "is refused")?;
        let enough = ["--deliver", "1200.00", "--at-most", "1200.00"];
        let id = self.tool.ask(&[&words[..], &enough].concat(), "settled")?;
        self.stands(&id, "settled")?;
        // 500.00 at 0.95 and 700.00 at 0.96.
        self.moves("EUR", ALPHA, CHARLIE, 47_500);
        self.moves("EUR", ALPHA, BRAVO, 67_200);
        self.moves("USD", CHARLIE, ISSUER, 50_000);
        self.moves("USD", BRAVO, ISSUER, 70_000);
        let shown = self.json(&["account", "EUROBEBB/USD"])?;
        ensure!(shown[0]["posted"] == "120000", "{shown}");
        Ok(())
    }

    fn mistakes_are_explained(&mut self) -> Result<()> {
        let transfer = |as_bank: &'static str, leg: [&'static str; 3]| {
            let words = ["transfer", "--as", as_bank, "--leg", leg[0], leg[1], leg[2]];
            self.run(&words)
        };
        for (as_bank, leg, says) in [
            (ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "900000000.00"], "refusal 190"),
            (ALPHA, ["BRAVFRPP/EUR", "ALPHDEFF/EUR", "1.00"], "refusal 100"),
            (ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/USD", "1.00"], "AM03"),
            (ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "1.005"], "which has 2 decimals"),
            (ALPHA, ["ALPHDEFF/EUR", "BRAVFRPP/GBP", "1.00"], "BRAVFRPPXXX/EUR"),
            ("NOBODYXX", ["ALPHDEFF/EUR", "BRAVFRPP/EUR", "1.00"], "no participant"),
        ] {
            let (well, out, error) = transfer(as_bank, leg)?;
            ensure!(!well && error.contains(says), "{leg:?}: {out} {error}");
            ensure!(error.lines().count() == 1, "one sentence: {error}");
        }
        Ok(())
    }

    /// The gateways were told of all that waited, and deliver payments as ever.
    async fn gateway_goes_on(&mut self) -> Result<()> {
        let bics = self.stage.bics.clone();
        let mut chance = Chance::new(self.stage.seed);
        let payment = euro(&mut chance, &bics[0], &bics[1], 12_345, "LEDGER-1");
        let mut client = self.stage.cluster.gateway_client(&bics[0])?;
        let answered = gateway_api::submit(&mut client, &single("LEDGER-1", &payment)).await?;
        let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
        ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
        self.moves("EUR", ALPHA, BRAVO, 12_345);
        let mut metrics = HttpClient::new(&self.stage.cluster.gateway_http(&bics[1])?)?;
        let since = Instant::now();
        loop {
            let text = metrics.get("/metrics").await?.text().to_string();
            let told = text.lines().find(|line| line.contains("not-money"));
            let opened =
                text.lines().any(|line| line.contains("\"opened\"") && line.ends_with(" 1"));
            if told.is_some() && opened {
                return Ok(());
            }
            ensure!(since.elapsed() < TOLD_TIME_MAX, "the gateway was not told: {text}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The leader dies while something waits: another one brings its deadline about.
    async fn deadline_outlives_a_leader(&mut self) -> Result<()> {
        let leg = ["--leg", "ALPHDEFF/EUR", "BRAVFRPP/EUR", "1.00"];
        let words = ["transfer", "--as", ALPHA, "--needs", BRAVO, "--deadline", "4s"];
        let id = self.ask(&[&words[..], &leg].concat(), "held")?;
        let leader = self.stage.cluster.wait_leader(TOLD_TIME_MAX).await?;
        self.stage.cluster.kill_node(leader)?;
        let end = self.wait_for(&id, "released")?;
        ensure!(end["end"]["cause"] == "time", "{end}");
        self.stage.cluster.start_node(leader)?;
        self.stage.wait_ready().await
    }

    async fn money_is_right(&mut self) -> Result<()> {
        self.stage.cluster.wait_equal(EQUAL_TIME_MAX).await?;
        let layout = self.stage.cluster.layout();
        for account in &layout.description().accounts {
            let (funding, _) = layout.description().minor_units(account)?;
            let moved = self.moved.get(&account.account).copied().unwrap_or_default();
            let shown = self.json(&["account", &account.account])?;
            let expected = (i128::from(funding) + moved).to_string();
            ensure!(shown[0]["posted"] == expected.as_str(), "{shown} and not {expected}");
            ensure!(shown[0]["held"] == "0", "{shown}");
        }
        for id in self.stage.cluster.node_ids() {
            ensure!(self.stage.cluster.balances(id).await?.conserved(), "node {id}");
        }
        Ok(())
    }
}
