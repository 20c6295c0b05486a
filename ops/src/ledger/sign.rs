//! Who signs a command: one bank, several whose keys are here, or several one after the other by way of a file.
//!
//! The file says in plain words what is signed, and carries the very bytes; who adds a signature is shown what the
//! bytes say, not what the words say. A signature covers the list of all signers, so the file names them all from the
//! beginning.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ed25519_dalek::{Signer, SigningKey};
use ledger::{Authorisation, Batch, Command, LedgerTime, PublicKey};
use serde::{Deserialize, Serialize};
use wire::batch::{BatchBuilder, UnsignedBatch};
use wire::genesis::hex;

use super::answer::{self, Told};
use super::network::Network;
use super::{look, submit, times};

/// Who signs, and what happens then.
#[derive(Debug, Args)]
pub struct Signing {
    /// Folder of the network, with the keys of the bank
    #[arg(long)]
    pub dir: PathBuf,
    /// The bank that signs and sends
    #[arg(long = "as", value_name = "BIC")]
    bank: String,
    /// Another bank that must sign too; may be repeated
    #[arg(long = "with", value_name = "BIC")]
    others: Vec<String>,
    /// Write it to this file, signed by the one bank, for the others to sign
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long the network may take to order it
    #[arg(long, value_name = "TIME", default_value = VALID)]
    valid: String,
    /// Wait until a transfer that has to wait has settled or is released
    #[arg(long)]
    wait: bool,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// A file for several signers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// Format of this file.
    version: u32,
    /// What is signed, for people.
    says: Vec<String>,
    /// The bytes that are signed, hex.
    batch: String,
    /// In the order of the bytes.
    signers: Vec<DraftSigner>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftSigner {
    bank: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

const DRAFT_VERSION: u32 = 1;
/// How long the network may take to order a command, unless something else is said.
const VALID: &str = "10m";

/// Signs a command, and sends it or writes it to a file.
pub(super) async fn act(network: &Network, signing: &Signing, command: Command) -> Result<()> {
    let LedgerTime(valid) = times::parse(&signing.valid)?;
    let submitter = network.participant(&signing.bank)?;
    let mut builder = BatchBuilder::new(&network.genesis.domain, submitter, LedgerTime(valid));
    builder.push(&command);
    let mut banks = vec![&signing.bank[..]];
    banks.extend(signing.others.iter().map(String::as_str));
    if let Some(path) = &signing.out {
        let own = network.signing_key(&signing.bank)?;
        let mut signers = vec![signer(network, &signing.bank, &own)?];
        for bank in &signing.others {
            let key = *network.live_keys(bank)?.first().context("the bank has no live key")?;
            signers.push(Authorisation { participant: network.participant(bank)?, key });
        }
        let unsigned = builder.for_signers(signers.iter().copied());
        let mut draft = draft(network, &unsigned, &signers)?;
        draft.signers[0].signature = Some(hex(&own.sign(&unsigned.digest().0).to_bytes()));
        return write(path, &draft, signing.json);
    }
    let told = as_banks(network, &banks, builder, command).await?;
    tell(network, told, signing.wait, signing.json).await
}

/// Asks something of the ledger as a bank whose keys are in the network's folder.
///
/// # Errors
/// When it was not answered; a refusal is an answer.
pub async fn ask(network: &Network, bank: &str, command: Command) -> Result<Told> {
    let LedgerTime(valid) = times::parse(VALID)?;
    let submitter = network.participant(bank)?;
    let mut builder = BatchBuilder::new(&network.genesis.domain, submitter, LedgerTime(valid));
    builder.push(&command);
    let told = as_banks(network, &[bank], builder, command).await?;
    told.into_iter().next().context("one command has one answer")
}

/// Signs with the keys of banks, the first of which sends it.
async fn as_banks(
    network: &Network,
    banks: &[&str],
    builder: BatchBuilder,
    command: Command,
) -> Result<Vec<Told>> {
    let mut keys = Vec::with_capacity(banks.len());
    for bank in banks {
        keys.push((network.participant(bank)?, network.signing_key(bank)?));
    }
    let keys: Vec<_> = keys.iter().map(|(bank, key)| (*bank, key)).collect();
    let (batch, digest) = builder.sign(&keys);
    submit::submit(network, banks[0], &batch, digest, &[command]).await
}

fn signer(network: &Network, bank: &str, key: &SigningKey) -> Result<Authorisation> {
    let key = PublicKey(key.verifying_key().to_bytes());
    Ok(Authorisation { participant: network.participant(bank)?, key })
}

fn draft(network: &Network, batch: &UnsignedBatch, signers: &[Authorisation]) -> Result<Draft> {
    let (_, content) = UnsignedBatch::decode(batch.bytes().to_vec(), &network.genesis.domain)?;
    let signers = signers.iter().map(|one| DraftSigner {
        bank: network.bic(one.participant),
        key: one.key.to_string(),
        signature: None,
    });
    Ok(Draft {
        version: DRAFT_VERSION,
        says: says(network, &content),
        batch: hex(batch.bytes()),
        signers: signers.collect(),
    })
}

/// What a batch says, line by line.
fn says(network: &Network, batch: &Batch) -> Vec<String> {
    let mut lines = vec![format!(
        "sent by {}, valid until {} UTC",
        network.bic(batch.submitter),
        crate::clock::date_time(batch.valid_until.0)
    )];
    for checked in &batch.commands {
        lines.extend(answer::says(network, &checked.command));
    }
    lines
}

fn write(path: &Path, draft: &Draft, json: bool) -> Result<()> {
    let text = serde_json::to_string_pretty(draft).context("write the file's JSON")?;
    // Whole or not at all: a half-written file would have lost the signatures before.
    let beside = path.with_extension("part");
    fs::write(&beside, text + "\n").with_context(|| format!("write {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("write {}", path.display()))?;
    let missing: Vec<&str> = draft.missing().collect();
    if json {
        println!("{}", serde_json::json!({ "file": path, "missing": missing }));
    } else if missing.is_empty() {
        println!("{} is signed by all: `corridor ledger send` it", path.display());
    } else {
        println!("{} still needs the signature of {}", path.display(), missing.join(", "));
    }
    Ok(())
}

impl Draft {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let draft: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no file to be signed", path.display()))?;
        ensure!(draft.version == DRAFT_VERSION, "{} has another format", path.display());
        Ok(draft)
    }

    fn missing(&self) -> impl Iterator<Item = &str> {
        self.signers.iter().filter(|one| one.signature.is_none()).map(|one| &one.bank[..])
    }

    /// The bytes, and what they say.
    fn open(&self, network: &Network) -> Result<(UnsignedBatch, Batch)> {
        let bytes = from_hex(&self.batch).context("the file's batch is no hex")?;
        let (unsigned, batch) = UnsignedBatch::decode(bytes, &network.genesis.domain)?;
        let named: Vec<(String, String)> = batch
            .authorisations
            .iter()
            .map(|one| (network.bic(one.participant), one.key.to_string()))
            .collect();
        let listed: Vec<(String, String)> =
            self.signers.iter().map(|one| (one.bank.clone(), one.key.clone())).collect();
        ensure!(named == listed, "the file lists other signers than the bytes that are signed");
        Ok((unsigned, batch))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Arguments of `corridor ledger sign`.
#[derive(Debug, Args)]
pub struct SignArguments {
    /// The file
    file: PathBuf,
    /// Folder of the network, with the keys of the bank
    #[arg(long)]
    dir: PathBuf,
    /// The bank that signs
    #[arg(long = "as", value_name = "BIC")]
    bank: String,
    /// Print what happened as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `corridor ledger sign`.
pub(super) async fn sign(arguments: SignArguments) -> Result<()> {
    let network = Network::open(&arguments.dir).await?;
    let mut draft = Draft::read(&arguments.file)?;
    let (unsigned, batch) = draft.open(&network)?;
    let key = network.signing_key(&arguments.bank)?;
    let own = signer(&network, &arguments.bank, &key)?;
    let at = batch.authorisations.iter().position(|one| *one == own);
    let at = at.with_context(|| {
        format!("the file does not ask for a signature of {} with this key", arguments.bank)
    })?;
    if !arguments.json {
        println!("{} signs:", arguments.bank);
        says(&network, &batch).iter().for_each(|line| println!("  {line}"));
    }
    draft.signers[at].signature = Some(hex(&key.sign(&unsigned.digest().0).to_bytes()));
    write(&arguments.file, &draft, arguments.json)
}

/// Arguments of `corridor ledger send`.
#[derive(Debug, Args)]
pub struct SendArguments {
    /// The file
    file: PathBuf,
    /// Folder of the network, with the link key of the bank that the file says sends it
    #[arg(long)]
    dir: PathBuf,
    /// Wait until a transfer that has to wait has settled or is released
    #[arg(long)]
    wait: bool,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `corridor ledger send`.
pub(super) async fn send(arguments: SendArguments) -> Result<()> {
    let network = Network::open(&arguments.dir).await?;
    let draft = Draft::read(&arguments.file)?;
    let (unsigned, batch) = draft.open(&network)?;
    let missing: Vec<&str> = draft.missing().collect();
    if !missing.is_empty() {
        bail!("the file still needs the signature of {}", missing.join(", "));
    }
    let signature = |one: &DraftSigner| {
        let bytes = one.signature.as_deref().and_then(from_hex);
        let bytes = bytes.and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        bytes.with_context(|| format!("the signature of {} is no signature", one.bank))
    };
    let signatures = draft.signers.iter().map(signature).collect::<Result<Vec<_>>>()?;
    let signed = unsigned.with_signatures(&signatures)?;
    let verified = signed.clone().verify(&network.genesis.domain);
    verified.context("a signature in the file does not fit what is signed")?;
    let bank = network.bic(batch.submitter);
    let commands: Vec<Command> = batch.commands.into_iter().map(|one| one.command).collect();
    let told = submit::submit(&network, &bank, signed.bytes(), signed.digest(), &commands).await?;
    tell(&network, told, arguments.wait, arguments.json).await
}

/// Tells what was answered, at the end of the waiting if that is wanted.
async fn tell(network: &Network, told: Vec<Told>, wait: bool, json: bool) -> Result<()> {
    let mut refused = Vec::new();
    for mut one in told {
        if wait && one.waits() {
            one.end(look::end_of(network, &one.id).await?);
        }
        match json {
            true => println!("{}", serde_json::to_string(&one).context("write the answer")?),
            false => println!("{}", one.text()),
        }
        refused.extend(one.refused());
    }
    match refused.first() {
        Some(reason) => bail!("{reason}"),
        None => Ok(()),
    }
}
