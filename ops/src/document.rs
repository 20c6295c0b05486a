//! `corridor document`: opening a document of a payment, notarising one's own, and verifying either against a receipt.
//!
//! A document is bound to the ledger by a salted digest, so that nobody can guess it from there, and each by a salt of
//! its own, so that showing one shows nothing of any other. Whoever is to believe a document gets it with its *proof*, a
//! small JSON file with the salt, and with the receipt of the record that commits to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use ledger::{Command, Digest};
use proof::policy::POLICY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use wire::document::{commitment, salted_digest};
use wire::genesis::{Genesis, hex};
use wire::limits::GENESIS_BYTES_MAX;

use crate::clock::date_time;
use crate::http::HttpClient;
use crate::layout::read_token;
use crate::ledger::{Network, ask, id};
use crate::verify::{Erased, Names, read_file, read_receipt, verify};

/// Largest document that is notarised or verified, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;
const PROOF_BYTES_MAX: usize = 4_096;
const PROOF_VERSION: u32 = 1;

/// `corridor document ...`.
#[derive(Debug, Subcommand)]
pub enum DocumentCommand {
    /// Open the document of a payment to your bank, at its gateway; the ledger records who, when and why first
    Open(OpenArguments),
    /// Destroy your bank's keys to the document of a payment, at its gateway, and record a certificate of that
    Erase(EraseArguments),
    /// Show, renew or destroy your bank's sealing keys, to which documents are sealed
    #[command(subcommand)]
    Key(KeyCommand),
    /// Record the salted digest of a file in the ledger: that your bank had it at this time
    Notarise(NotariseArguments),
    /// Verify that a document is the one that a receipt's record commits to, or that it was erased; no network is needed
    Verify(VerifyArguments),
}

/// Arguments of `corridor document open`.
#[derive(Debug, Args)]
pub struct OpenArguments {
    /// UETR of the payment
    uetr: String,
    /// Why it is opened; it is there for ever, and names no party of a payment
    #[arg(long, value_name = "TEXT")]
    ground: String,
    /// Who reads it, as your bank names its people
    #[arg(long, value_name = "NAME")]
    reader: String,
    /// Your bank's gateway, such as http://127.0.0.1:7103
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// File with the gateway's bearer token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// File for the document; standard output when left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File for its proof, to show this document to others
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
}

/// Where a gateway is and who asks it.
#[derive(Debug, Args)]
pub struct GatewayArguments {
    /// Your bank's gateway, such as http://127.0.0.1:7103
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// File with the gateway's bearer token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// File with another token of it, of a second person; needed where the gateway knows several
    #[arg(long, value_name = "FILE")]
    second_token_file: Option<PathBuf>,
}

impl GatewayArguments {
    fn client(&self) -> Result<HttpClient> {
        let client = HttpClient::new(&self.gateway)?.with_token(read_token(&self.token_file)?);
        Ok(match &self.second_token_file {
            Some(file) => client.with_header("Corridor-Second-Token", read_token(file)?),
            None => client,
        })
    }
}

/// Arguments of `corridor document erase`.
#[derive(Debug, Args)]
pub struct EraseArguments {
    /// UETR of the payment
    uetr: String,
    /// Why it is erased; it is there for ever, and names no party of a payment
    #[arg(long, value_name = "TEXT")]
    ground: String,
    /// Who orders it, as your bank names its people
    #[arg(long, value_name = "NAME")]
    by: String,
    /// The message that your bank sent holds more payments: all of it may go
    #[arg(long)]
    whole_message: bool,
    #[command(flatten)]
    at: GatewayArguments,
}

/// `corridor document key ...`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show the generations of the sealing key
    List(GatewayArguments),
    /// Make a new sealing key and put it into force
    Rotate(GatewayArguments),
    /// Destroy an older generation; only then can what was sealed to it be erased
    Retire {
        /// Number of the generation
        generation: u32,
        /// Where, and who asks
        #[command(flatten)]
        at: GatewayArguments,
    },
}

/// Arguments of `corridor document notarise`.
#[derive(Debug, Args)]
pub struct NotariseArguments {
    /// The file
    file: PathBuf,
    /// Folder of the network, with the keys of the bank
    #[arg(long)]
    dir: PathBuf,
    /// The bank that attests
    #[arg(long = "as", value_name = "BIC")]
    bank: String,
    /// File for the proof; keep it as safe as the document
    #[arg(long, value_name = "FILE")]
    proof: PathBuf,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `corridor document verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The document; not needed where the receipt is of a certificate that it was erased
    #[arg(requires = "proof")]
    file: Option<PathBuf>,
    /// Its proof
    #[arg(long, value_name = "FILE", requires = "file")]
    proof: Option<PathBuf>,
    /// Receipt of the payment, of the attestation or of the certificate of erasure; a message that carries it will do
    #[arg(long, value_name = "FILE")]
    receipt: PathBuf,
    /// The network's policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Genesis file of the network, for the names of banks
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// What shows that a document is the one that a record commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentProof {
    version: u32,
    /// Id of the payment or of the attestation.
    id: String,
    /// Hex.
    salt: String,
    /// SHA-256 of the sealed bytes, hex; of a document that travelled with a payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_sha256: Option<String>,
}

impl DocumentProof {
    /// What a record that commits to this document carries.
    ///
    /// # Errors
    /// When the proof is malformed.
    pub fn commitment(&self, document: &[u8]) -> Result<Digest> {
        ensure!(self.version == PROOF_VERSION, "the proof has another format");
        let bytes = self.salt.as_bytes().chunks(2);
        let bytes = bytes.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        let salt = bytes.collect::<Option<Vec<u8>>>().and_then(|salt| salt.try_into().ok());
        let salted =
            salted_digest(&salt.context("the proof's salt is no 16 bytes in hex")?, document);
        let Some(sealed) = &self.sealed_sha256 else { return Ok(salted) };
        let sealed: Digest = sealed.parse().context("the proof's digest is no SHA-256 in hex")?;
        Ok(commitment(&salted, &sealed))
    }
}

/// A gateway's answer.
#[derive(Debug, Deserialize)]
struct Opened {
    uetr: String,
    access: Recorded,
    document: String,
    salt: String,
    sealed_sha256: String,
    commitment: String,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    id: String,
    leaf: u64,
}

/// Runs `corridor document ...`.
///
/// # Errors
/// With a sentence that says what does not hold.
pub async fn run(command: DocumentCommand) -> Result<()> {
    match command {
        DocumentCommand::Open(arguments) => open(arguments).await,
        DocumentCommand::Erase(arguments) => erase(arguments).await,
        DocumentCommand::Key(command) => key(command).await,
        DocumentCommand::Notarise(arguments) => notarise(arguments).await,
        DocumentCommand::Verify(arguments) => {
            println!("{}", verified(&arguments)?);
            Ok(())
        }
    }
}

async fn open(arguments: OpenArguments) -> Result<()> {
    let token = read_token(&arguments.token_file)?;
    let mut client = HttpClient::new(&arguments.gateway)?.with_token(token);
    let uetr = arguments.uetr.to_ascii_lowercase();
    let body = serde_json::json!({ "reader": arguments.reader, "ground": arguments.ground });
    let path = format!("/v1/documents/{uetr}/open");
    let answer = client.post(&path, "application/json", body.to_string().as_bytes()).await?;
    ensure!(answer.status == 200, "the gateway answers {}: {}", answer.status, answer.text());
    let opened: Opened = serde_json::from_slice(&answer.body).context("read the answer")?;
    let proof = DocumentProof {
        version: PROOF_VERSION,
        id: opened.uetr,
        salt: opened.salt,
        sealed_sha256: Some(opened.sealed_sha256),
    };
    let said = proof.commitment(opened.document.as_bytes())?;
    ensure!(said.to_string() == opened.commitment, "the gateway's document does not fit its proof");
    if let Some(path) = &arguments.proof {
        write_proof(path, &proof)?;
    }
    match &arguments.out {
        Some(path) => write_private(path, opened.document.as_bytes())?,
        None => println!("{}", opened.document),
    }
    eprintln!("recorded as access {} at leaf {}", opened.access.id, opened.access.leaf);
    Ok(())
}

async fn erase(arguments: EraseArguments) -> Result<()> {
    let uetr = arguments.uetr.to_ascii_lowercase();
    let body = serde_json::json!({
        "by": arguments.by,
        "ground": arguments.ground,
        "whole_message": arguments.whole_message,
    });
    let mut client = arguments.at.client()?;
    let path = format!("/v1/documents/{uetr}/erase");
    let answer = client.post(&path, "application/json", body.to_string().as_bytes()).await?;
    ensure!(answer.status == 200, "the gateway answers {}: {}", answer.status, answer.text());
    let certificate: Recorded = serde_json::from_slice(&answer.body).context("read the answer")?;
    println!("erased: certificate {} at leaf {}", certificate.id, certificate.leaf);
    println!("  it says that your bank's keys are destroyed; a reader may have kept a copy");
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Generation {
    generation: u32,
    public_key: String,
    since_ns: Option<String>,
    retired_ns: Option<String>,
}

async fn key(command: KeyCommand) -> Result<()> {
    const PATH: &str = "/v1/sealing-keys";
    let answer = match &command {
        KeyCommand::List(at) => at.client()?.get(PATH).await?,
        KeyCommand::Rotate(at) => at.client()?.post(PATH, "application/json", b"").await?,
        KeyCommand::Retire { generation, at } => {
            let path = format!("{PATH}/{generation}/retire");
            at.client()?.post(&path, "application/json", b"").await?
        }
    };
    ensure!(answer.status == 200, "the gateway answers {}: {}", answer.status, answer.text());
    let generations: Vec<Generation> = match command {
        KeyCommand::List(_) => serde_json::from_slice(&answer.body),
        _ => serde_json::from_slice(&answer.body).map(|one| vec![one]),
    }
    .context("read the answer")?;
    for Generation { generation, public_key, since_ns, retired_ns } in generations {
        let stands = match (retired_ns, since_ns) {
            (Some(time), _) => format!("destroyed at {time}"),
            (None, Some(time)) => format!("in force since {time}"),
            (None, None) => "as it was set up".to_owned(),
        };
        println!("generation {generation}: {public_key}, {stands}");
    }
    Ok(())
}

async fn notarise(arguments: NotariseArguments) -> Result<()> {
    let document = read_file(&arguments.file, DOCUMENT_BYTES_MAX)?;
    let network = Network::open(&arguments.dir).await?;
    let id = id(None)?;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| anyhow::anyhow!("read random bytes: {error}"))?;
    let proof = DocumentProof {
        version: PROOF_VERSION,
        id: id.to_string(),
        salt: hex(&salt),
        sealed_sha256: None,
    };
    let command = Command::Attest(ledger::Attest {
        id,
        participant: network.participant(&arguments.bank)?,
        document: proof.commitment(&document)?,
    });
    // Before it is recorded: without the salt the record proves nothing.
    write_proof(&arguments.proof, &proof)?;
    let told = ask(&network, &arguments.bank, command).await?;
    match arguments.json {
        true => println!("{}", serde_json::to_string(&told).context("write the answer")?),
        false => println!("{}", told.text()),
    }
    match told.refused() {
        Some(reason) => bail!("{reason}"),
        None => Ok(()),
    }
}

/// Checks everything and says what holds.
fn verified(arguments: &VerifyArguments) -> Result<String> {
    let receipt = read_receipt(&arguments.receipt)?;
    let policy = read_file(&arguments.policy, POLICY_BYTES_MAX)?;
    let names = names(arguments.genesis.as_deref())?;
    let report = verify(&receipt, &policy, &names);
    let facts = match (&report.record, report.checks.last()) {
        (Some(facts), _) if report.valid => facts,
        (_, Some(check)) => bail!("the receipt proves nothing: {}", check.text),
        _ => bail!("the receipt proves nothing"),
    };
    ensure!(facts.answer == Some("settled"), "the record was not settled");
    let of = match &facts.erased {
        Some(erased) => Some(&erased.payment),
        None => facts.id.as_ref(),
    };
    let shown = match (&arguments.file, &arguments.proof) {
        (Some(file), Some(proof)) if facts.erased.is_none() || file.exists() => {
            compare(file, proof, of, facts.document.as_deref())?;
            true
        }
        _ => false,
    };
    let leaf = report.leaf.unwrap_or(0);
    let Some(erased) = &facts.erased else {
        ensure!(
            shown,
            "name the document and its proof, or the receipt of a certificate of erasure"
        );
        let (what, id) = (facts.command.unwrap_or(facts.kind), facts.id.as_deref().unwrap_or(""));
        return Ok(format!(
            "ok: this is the document of {what} {id}, committed to at leaf {leaf}, which is final"
        ));
    };
    let Erased { payment, bank, by, ground, destroyed_ns } = erased;
    let what = match shown {
        true => format!("this is the document of transfer {payment}; at {bank} it was"),
        false => format!("the document of transfer {payment} was, at {bank},"),
    };
    let at = date_time(*destroyed_ns);
    Ok(format!(
        "ok: {what} erased at {at} UTC by {by}, on the ground: {ground}; certificate at leaf {leaf}, which is final\n  \
         its commitment is {}; the bank says that its keys are destroyed, a reader may have kept a copy",
        facts.document.as_deref().unwrap_or_default()
    ))
}

/// Checks that the document is the one that is committed to, of this payment or attestation.
fn compare(file: &Path, proof: &Path, of: Option<&String>, document: Option<&str>) -> Result<()> {
    let bytes = read_file(proof, PROOF_BYTES_MAX)?;
    let proof: DocumentProof = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no proof of a document", proof.display()))?;
    ensure!(of == Some(&proof.id), "the receipt is of another record than the proof");
    let said = proof.commitment(&read_file(file, DOCUMENT_BYTES_MAX)?)?.to_string();
    ensure!(
        document == Some(said.as_str()),
        "the document is not the one that the record commits to"
    );
    Ok(())
}

fn names(genesis: Option<&Path>) -> Result<Names> {
    let Some(path) = genesis else { return Ok(Names::default()) };
    let genesis = Genesis::parse(&read_file(path, GENESIS_BYTES_MAX)?)
        .with_context(|| format!("read {}", path.display()))?;
    Names::of(&genesis)
}

fn write_proof(path: &Path, proof: &DocumentProof) -> Result<()> {
    let text = serde_json::to_string_pretty(proof).context("write the proof")?;
    write_private(path, (text + "\n").as_bytes())
}

/// For its owner alone: documents name people.
fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests;
