//! `corridor govern keys`: the signing keys of a bank over time.
//!
//! A new key is written beside the one in use and registered; `use` puts it in its place, and what signs for the bank
//! takes it at its next start. Keys that ended stay in the history, because what they signed while they were live
//! stays valid.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use ed25519_dalek::SigningKey;
use ledger::{AddKey, Command, PublicKey, RetireKey, RevokeKey};
use link::keyfile;
use serde::{Deserialize, Serialize};
use wire::genesis::hex;

use crate::clock::date_time;
use crate::init::random;
use crate::layout::long_bic;
use crate::ledger::{Action, Network, Signed, first, id, parse_time};
use crate::status::NodeChoice;

/// `corridor govern keys ...`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a new key in the bank's folder and register it; both are live from then on
    New(Signed<NewKey>),
    /// Put the new key into the place of the one in use; nothing is sent
    Use(UseArguments),
    /// End a key in good order
    Retire(Signed<RetireWords>),
    /// End a key at once, because it may be in wrong hands
    Revoke(Signed<RevokeWords>),
    /// All keys that a bank ever had, and at which leaves of the history each was live
    History(HistoryArguments),
    /// Make the keys of a bank that is to be admitted, in the network's folder; nothing is sent
    Make(MakeArguments),
}

/// Runs `corridor govern keys ...`.
pub(super) async fn run(command: KeysCommand) -> Result<()> {
    match command {
        KeysCommand::New(signed) => signed.run().await,
        KeysCommand::Use(arguments) => use_new_key(&arguments),
        KeysCommand::Retire(signed) => signed.run().await,
        KeysCommand::Revoke(signed) => signed.run().await,
        KeysCommand::History(arguments) => history(arguments).await,
        KeysCommand::Make(arguments) => make(&arguments),
    }
}

pub(super) fn key_of(text: &str) -> Result<PublicKey> {
    text.parse().with_context(|| format!("`{text}` is no key of 64 hex digits"))
}

/// The words of `keys new`.
#[derive(Debug, Args)]
pub struct NewKey {
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Live from this time on [default: at once]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

/// Name of a key that is registered and not in use.
const NEXT_KEY: &str = "signing.next.key";
const KEY: &str = "signing.key";

impl Action for NewKey {
    fn command(&self, network: &Network) -> Result<Command> {
        let path = network.keys(&self.of)?.join(NEXT_KEY);
        // A key that was made and not registered is registered now.
        if !path.exists() {
            keyfile::write_new(&path, &random()?)?;
        }
        let key = SigningKey::from_bytes(&*keyfile::read(&path)?);
        Ok(Command::AddKey(AddKey {
            id: id(self.id.as_deref())?,
            participant: network.participant(&self.of)?,
            key: PublicKey(key.verifying_key().to_bytes()),
            from: self.from.as_deref().map(parse_time).transpose()?,
        }))
    }
}

/// Arguments of `keys use`.
#[derive(Debug, Args)]
pub struct UseArguments {
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Folder of the network
    #[arg(long)]
    dir: PathBuf,
}

fn use_new_key(arguments: &UseArguments) -> Result<()> {
    let layout = crate::layout::Layout::open(&arguments.dir)?;
    let dir = layout.keys_of(&arguments.of)?;
    let (key, next) = (dir.join(KEY), dir.join(NEXT_KEY));
    ensure!(next.exists(), "{} does not exist: `keys new` makes it", next.display());
    let old = SigningKey::from_bytes(&*keyfile::read(&key)?);
    let old = PublicKey(old.verifying_key().to_bytes());
    let kept = dir.join(format!("signing.{}.key", &old.to_string()[..8]));
    fs::rename(&key, &kept).with_context(|| format!("keep {}", kept.display()))?;
    fs::rename(&next, &key).with_context(|| format!("put {} in its place", key.display()))?;
    println!("the old key {old} is kept as {}", kept.display());
    println!("restart what signs for {}, then `keys retire` the old key", arguments.of);
    Ok(())
}

/// The words of `keys retire`.
#[derive(Debug, Args)]
pub struct RetireWords {
    /// The key, 64 hex digits
    key: String,
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Not live from this time on [default: at once]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl Action for RetireWords {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::RetireKey(RetireKey {
            participant: network.participant(&self.of)?,
            key: key_of(&self.key)?,
            at: self.at.as_deref().map(parse_time).transpose()?,
        }))
    }
}

/// The words of `keys revoke`.
#[derive(Debug, Args)]
pub struct RevokeWords {
    /// The key, 64 hex digits
    key: String,
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
}

impl Action for RevokeWords {
    fn command(&self, network: &Network) -> Result<Command> {
        let participant = network.participant(&self.of)?;
        Ok(Command::RevokeKey(RevokeKey { participant, key: key_of(&self.key)? }))
    }
}

/// Arguments of `keys make`.
#[derive(Debug, Args)]
pub struct MakeArguments {
    /// The bank that is to be admitted
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Folder of the network
    #[arg(long)]
    dir: PathBuf,
    /// Print the public keys as one JSON object
    #[arg(long)]
    json: bool,
}

fn make(arguments: &MakeArguments) -> Result<()> {
    let layout = crate::layout::Layout::open(&arguments.dir)?;
    let bic = long_bic(&arguments.of.to_ascii_uppercase());
    bic.parse::<ledger::Bic>().with_context(|| format!("`{}` is no BIC", arguments.of))?;
    ensure!(layout.bank(&bic).is_err(), "{bic} is a participant from the beginning and has keys");
    let dir = layout.newcomer_dir(&bic);
    fs::create_dir(&dir).with_context(|| format!("make the folder {}", dir.display()))?;
    let (signing, sealing) = (random()?, random()?);
    keyfile::write_new(&dir.join(KEY), &signing)?;
    keyfile::write_new(&dir.join("sealing.key"), &sealing)?;
    let signing = hex(SigningKey::from_bytes(&signing).verifying_key().as_bytes());
    let sealing = gateway_adapter::seal::public_key(&sealing)
        .context("the random source gave a key that cannot be used")?;
    let sealing = hex(&sealing);
    if arguments.json {
        let shown = serde_json::json!({ "bic": bic, "sealing": sealing, "signing": [signing] });
        println!("{shown}");
        return Ok(());
    }
    println!("the secret keys of {bic} are in {}", dir.display());
    println!("a participant proposes it with:");
    println!("  corridor govern propose --admit {bic} NAME {sealing} {signing} --by ... --as ...");
    Ok(())
}

/// Arguments of `keys history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// The bank
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Only keys with which a batch could be signed that begins at this leaf
    #[arg(long, value_name = "LEAF")]
    at: Option<u64>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// A key, as `/v1/keys/{bic}` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeyView {
    key: String,
    from_ns: u64,
    from_leaf: Option<u64>,
    until_ns: Option<u64>,
    until_leaf: Option<u64>,
    end: Option<String>,
    live: bool,
}

async fn history(arguments: HistoryArguments) -> Result<()> {
    let bic = long_bic(&arguments.of.to_ascii_uppercase());
    let at = arguments.at.map(|leaf| format!("?leaf={leaf}")).unwrap_or_default();
    let path = format!("/v1/keys/{bic}{at}");
    let (_, found) = first::<Vec<KeyView>>(&arguments.nodes, &path).await?;
    let found = found.with_context(|| format!("{bic} is no participant of this network"))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&found).context("write the answer")?);
        return Ok(());
    }
    match arguments.at {
        None => println!("{bic} has had {} keys", found.len()),
        Some(leaf) => println!("at leaf {leaf} {} keys of {bic} were live", found.len()),
    }
    for one in found {
        println!("{}  {}", one.key, if one.live { "live" } else { "not live" });
        match (one.from_leaf, one.from_ns) {
            (Some(0), _) | (Some(_), 0) => println!("  from the beginning"),
            (Some(leaf), _) => println!("  from leaf {leaf}, {} UTC", date_time(one.from_ns)),
            (None, _) => println!("  will be live from {} UTC", date_time(one.from_ns)),
        }
        let end = one.end.unwrap_or_default();
        match (one.until_ns, one.until_leaf) {
            (Some(time), Some(leaf)) => println!("  {end} at leaf {leaf}, {} UTC", date_time(time)),
            (Some(time), None) => println!("  will be {end} at {} UTC", date_time(time)),
            (None, _) => {}
        }
    }
    Ok(())
}
