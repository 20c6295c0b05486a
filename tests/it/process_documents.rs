//! Evidence that travels, with real processes: receipts in messages, the other bank's report of the credit, documents that
//! are opened for a person, proven to others and notarised, and the trail that each opening leaves.
//!
//! Everything is judged from what the banks and the tool hand out.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{chance::Chance, gateway_api, messages::Payment};
use serde_json::Value;

use crate::process_stage::{Stage, definitive, euro, on_stage, only_status, program, single};
use crate::tool::Tool;

const ISSUER: &str = "EUROBEBB";
const ARRIVE_TIME_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

#[test]
fn evidence_travels_in_messages_and_reading_leaves_a_trail() {
    on_stage("process-documents", false, travels);
}

async fn travels(stage: &mut Stage) -> Result<()> {
    for bic in stage.bics.clone() {
        let path = stage.gateway_folder(&bic)?.join("gateway.toml");
        let text = fs::read_to_string(&path)?;
        let asks = text.replace("\"on-request\"", "\"in-messages\"");
        ensure!(asks != text, "gateway.toml says nothing of receipts: {text}");
        fs::write(&path, asks)?;
    }
    stage.start().await?;
    let tool = Tool::new(stage)?;
    let trail = Trail { stage, tool };
    let mut chance = Chance::new(trail.stage.seed);
    let payee = trail.stage.bics[1].clone();
    trail.tool.ask(&["fx", "reporting", &format!("{payee}/EUR"), "1h", "--as", ISSUER], "done")?;
    let first = trail.pay(&mut chance, 1).await?;
    let second = trail.pay(&mut chance, 2).await?;
    let policy = trail.file("ledger.policy");
    trail.well(&["policy", "--out", &policy])?;
    trail.receipts(&first, &policy).await?;
    trail.report(&first, &second).await?;
    trail.documents(&first, &second, &policy)?;
    trail.notary(&policy)
}

/// The tool on a running network.
struct Trail<'a> {
    stage: &'a Stage,
    tool: Tool,
}

impl Trail<'_> {
    fn file(&self, name: &str) -> String {
        self.stage.folder.join(name).to_string_lossy().into_owned()
    }

    /// Runs a command that takes the network's folder.
    fn well(&self, words: &[&str]) -> Result<String> {
        let (well, out, error) = self.tool.run(words)?;
        ensure!(well, "{words:?}: {out} {error}");
        Ok(out)
    }

    /// Runs a command without the network's folder.
    fn alone(words: &[&str]) -> Result<(bool, String)> {
        let output = std::process::Command::new(program()?).args(words).output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    async fn pay(&self, chance: &mut Chance, number: u64) -> Result<Payment> {
        let name = format!("DOCUMENT-{number}");
        let bics = &self.stage.bics;
        let payment = euro(chance, &bics[0], &bics[1], 100 + number, &name);
        let mut client = self.stage.cluster.gateway_client(&bics[0])?;
        let answered = gateway_api::submit(&mut client, &single(&name, &payment)).await?;
        let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
        ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
        Ok(payment)
    }

    /// The entry of a bank's outbox of this kind about a payment whose content has this text.
    async fn arrives(&self, bank: usize, kind: &str, uetr: &str, has: &str) -> Result<String> {
        let until = Instant::now() + ARRIVE_TIME_MAX;
        let mut client = self.stage.cluster.gateway_client(&self.stage.bics[bank])?;
        loop {
            let entries = gateway_api::outbox(&mut client, 0, Duration::ZERO).await?;
            let mut fits = entries.into_iter().filter(|entry| {
                entry.kind == kind && entry.uetr == uetr && entry.content.contains(has)
            });
            if let Some(entry) = fits.next() {
                ensure!(fits.next().is_none(), "{kind} of {uetr} came twice");
                return Ok(entry.content);
            }
            ensure!(Instant::now() < until, "no {kind} of {uetr} with {has}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Both banks have the receipt in a message, which verifies offline; of another payment it is refused.
    async fn receipts(&self, payment: &Payment, policy: &str) -> Result<()> {
        for (bank, kind) in [(0, "pacs.002.001.10"), (1, "camt.054.001.08")] {
            let text = self.arrives(bank, kind, &payment.uetr, "urn:corridor:receipt:1").await?;
            println!("a {kind} with a receipt has {} bytes", text.len());
            ensure!(text.len() < 8 << 10, "too large to travel: {} bytes", text.len());
            let path = self.file(&format!("{kind}.xml"));
            fs::write(&path, &text)?;
            let (well, said) = Self::alone(&["verify", "receipt", &path, "--policy", policy])?;
            ensure!(well && said.contains("the same payment"), "{kind}: {said}");
            let other = self.file("other.xml");
            fs::write(&other, text.replace(&payment.uetr, "00000000-0000-4000-8000-000000000000"))?;
            let (well, said) = Self::alone(&["verify", "receipt", &other, "--policy", policy])?;
            ensure!(!well && said.contains("about another"), "{kind}: {said}");
        }
        Ok(())
    }

    /// The payer's bank learns that one customer has the money and the other could not be credited.
    async fn report(&self, first: &Payment, second: &Payment) -> Result<()> {
        let payee = &self.stage.bics[1];
        let account = format!("{payee}/EUR");
        self.tool.ask(&["fx", "report", &first.uetr, &account, "--as", payee], "done")?;
        let refused = ["fx", "report", &second.uetr, &account, "--rejected", "AC04", "--as", payee];
        self.tool.ask(&refused, "done")?;
        let kind = "pacs.002.001.10";
        let credited = self.arrives(0, kind, &first.uetr, "<TxSts>ACCC</TxSts>").await?;
        ensure!(credited.contains("<OrgnlMsgId>DOCUMENT-1</OrgnlMsgId>"), "{credited}");
        let not = self.arrives(0, kind, &second.uetr, "<TxSts>ACWP</TxSts>").await?;
        ensure!(not.contains("<Cd>AC04</Cd>"), "{not}");
        Ok(())
    }

    fn open(&self, bank: usize, payment: &Payment, name: &str) -> Result<(bool, String)> {
        let bic = &self.stage.bics[bank];
        let token = self.stage.gateway_folder(bic)?.join("token").to_string_lossy().into_owned();
        let gateway = self.stage.cluster.gateway_http(bic)?;
        let (out, proof) = (self.file(&format!("{name}.xml")), self.file(&format!("{name}.json")));
        let ground = format!("complaint {name}");
        let words = ["document", "open", &payment.uetr, "--reader", "clerk 7", "--ground", &ground];
        let place = ["--gateway", &gateway, "--token-file", &token, "--out", &out];
        Self::alone(&[&words[..], &place[..], &["--proof", &proof]].concat())
    }

    fn accesses(&self, more: &[&str]) -> Result<Vec<Value>> {
        let said = self.well(&[&["audit", "access", "--json"], more].concat())?;
        said.lines().map(|line| serde_json::from_str(line).context("a row is JSON")).collect()
    }

    /// Documents are opened and proven one by one, and each opening is on the trail.
    fn documents(&self, first: &Payment, second: &Payment, policy: &str) -> Result<()> {
        for (payment, name) in [(first, "first"), (second, "second")] {
            let (well, said) = self.open(1, payment, name)?;
            ensure!(well && said.contains("recorded as access"), "{said}");
            let text = fs::read_to_string(self.file(&format!("{name}.xml")))?;
            ensure!(text.contains(&payment.uetr), "another document: {text}");
        }
        let (well, said) = self.open(0, first, "none")?;
        ensure!(!well, "a bank opens what was not sent to it: {said}");
        let receipt = self.file("camt.054.001.08.xml");
        let verify = |document: &str, proof: &str| {
            let (document, proof) = (self.file(document), self.file(proof));
            let words = ["document", "verify", &document, "--proof", &proof];
            Self::alone(&[&words[..], &["--receipt", &receipt, "--policy", policy]].concat())
        };
        let (well, said) = verify("first.xml", "first.json")?;
        ensure!(well && said.contains(&first.uetr), "{said}");
        for (document, proof) in [("second.xml", "first.json"), ("first.xml", "second.json")] {
            let (well, said) = verify(document, proof)?;
            ensure!(!well, "{document} with {proof} is accepted: {said}");
        }
        let rows = self.accesses(&[])?;
        ensure!(rows.len() == 2, "two documents were opened: {rows:?}");
        let one = self.accesses(&["--payment", &first.uetr, "--bank", &self.stage.bics[1]])?;
        let [row] = &one[..] else { anyhow::bail!("one opening of the first: {one:?}") };
        let said = (&row["access"], &row["reader"], &row["ground"], &row["bank"]);
        let bank = corridor::layout::long_bic(&self.stage.bics[1]);
        ensure!(
            *said.0 == "opened" && *said.1 == "clerk 7" && *said.2 == "complaint first",
            "{row}"
        );
        ensure!(
            said.3.as_str().is_some_and(|bic| corridor::layout::long_bic(bic) == bank),
            "{row}"
        );
        ensure!(self.accesses(&["--bank", &self.stage.bics[0]])?.is_empty(), "nobody read there");
        // The record itself is in the log, and final.
        let id = row["id"].as_str().context("a row names its id")?;
        let path = self.file("access.tlog-proof");
        self.well(&["receipt", id, "--out", &path])?;
        let (well, said) = Self::alone(&["verify", "receipt", &path, "--policy", policy])?;
        ensure!(well && said.contains("clerk 7 opened data of payment"), "{said}");
        Ok(())
    }

    /// A file is notarised and verified with the receipt of that; a changed one is not.
    fn notary(&self, policy: &str) -> Result<()> {
        let (file, proof) = (self.file("contract.txt"), self.file("contract.json"));
        fs::write(&file, "The parties agree.")?;
        let bank = &self.stage.bics[0];
        let id = self
            .tool
            .ask(&["document", "notarise", &file, "--as", bank, "--proof", &proof], "done")?;
        let receipt = self.file("contract.tlog-proof");
        self.well(&["receipt", &id, "--out", &receipt])?;
        let words = [
            "document",
            "verify",
            &file,
            "--proof",
            &proof,
            "--receipt",
            &receipt,
            "--policy",
            policy,
        ];
        let (well, said) = Self::alone(&words)?;
        ensure!(well && said.contains("attest"), "{said}");
        fs::write(&file, "The parties disagree.")?;
        let (well, said) = Self::alone(&words)?;
        ensure!(!well && said.contains("not the one"), "{said}");
        let mode = fs::metadata(PathBuf::from(&proof))?;
        use std::os::unix::fs::PermissionsExt as _;
        ensure!(mode.permissions().mode() & 0o077 == 0, "others can read the proof");
        Ok(())
    }
}
