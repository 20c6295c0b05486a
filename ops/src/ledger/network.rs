//! The network that a command is for: its folder, its genesis, and who and what there is now.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use ledger::{AccountNumber, Amount, AssetNumber, ParticipantNumber, PublicKey, TransferId};
use link::keyfile;
use serde::Deserialize;
use wire::genesis::Genesis;

use crate::init::random;
use crate::layout::{Layout, long_account, long_bic};
use crate::money::{format_grouped, parse_minor};
use crate::node_api;

/// Answer to `/v1/registry`.
#[derive(Clone, Debug, Deserialize)]
pub struct Registry {
    /// In order of their numbers.
    pub participants: Vec<RegistryParticipant>,
    /// In order of their numbers.
    pub assets: Vec<RegistryAsset>,
    /// Names in order of their numbers.
    pub accounts: Vec<String>,
}

/// A participant.
#[derive(Clone, Debug, Deserialize)]
pub struct RegistryParticipant {
    /// BIC of 11 characters.
    pub bic: String,
    /// Live signing keys, hex.
    pub signing_keys: Vec<String>,
}

/// An asset.
#[derive(Clone, Debug, Deserialize)]
pub struct RegistryAsset {
    /// Its code.
    pub code: String,
    /// Decimals of the minor unit.
    pub exponent: u8,
}

impl Registry {
    /// A head office is written with and without `XXX`; here always with it.
    fn with_long_names(mut self) -> Self {
        for one in &mut self.participants {
            one.bic = long_bic(&one.bic);
        }
        for name in &mut self.accounts {
            *name = long_account(name);
        }
        self
    }
}

/// A running network.
#[derive(Debug)]
pub struct Network {
    /// Where its files are.
    pub layout: Layout,
    /// What it began with.
    pub genesis: Genesis,
    /// Who and what there is now.
    pub registry: Registry,
    /// HTTP address of the node that said so.
    pub node: String,
}

impl Network {
    /// Opens the network of a folder; one of its nodes must answer.
    pub async fn open(dir: &Path) -> Result<Self> {
        let layout = Layout::open(dir)?;
        let path = layout.genesis();
        let file = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let genesis = Genesis::parse(&file).with_context(|| format!("{}", path.display()))?;
        let mut last = None;
        let ids: Vec<u64> = layout.nodes().map(|(id, _)| id).collect();
        for id in ids {
            let node = layout.node_http(id)?;
            match node_api::get::<Registry>(&node, "/v1/registry").await {
                Ok(Some(registry)) => {
                    let registry = registry.with_long_names();
                    return Ok(Self { layout, genesis, registry, node });
                }
                Ok(None) => last = Some(anyhow::anyhow!("{node} does not know its registry")),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("the network has no node")?.context("no node answers"))
    }

    /// The number of a bank.
    pub fn participant(&self, bic: &str) -> Result<ParticipantNumber> {
        let wanted = long_bic(&bic.to_ascii_uppercase());
        let all = &self.registry.participants;
        let at = all.iter().position(|one| one.bic == wanted);
        let at = at.with_context(|| format!("{bic} is no participant of this network"))?;
        Ok(ParticipantNumber(at as u32))
    }

    /// The BIC of a number.
    pub fn bic(&self, number: ParticipantNumber) -> String {
        let found = self.registry.participants.get(number.0 as usize);
        found.map_or_else(|| number.to_string(), |one| one.bic.clone())
    }

    /// The number of an asset.
    pub fn asset(&self, code: &str) -> Result<AssetNumber> {
        let at = self.registry.assets.iter().position(|one| one.code == code);
        let at = at.with_context(|| {
            let known: Vec<&str> = self.registry.assets.iter().map(|one| &one.code[..]).collect();
            format!("there is no asset {code}; the network has {}", known.join(", "))
        })?;
        Ok(AssetNumber(at as u32))
    }

    /// The number of an account, `BIC/ASSET[/label]`.
    pub fn account(&self, name: &str) -> Result<AccountNumber> {
        let wanted = long_account(name);
        let at = self.registry.accounts.iter().position(|one| *one == wanted);
        let at = at.with_context(|| {
            let bank = wanted.split('/').next().unwrap_or_default();
            let of = |one: &&String| one.split('/').next() == Some(bank);
            let known: Vec<&str> =
                self.registry.accounts.iter().filter(of).take(8).map(String::as_str).collect();
            match known.is_empty() {
                true => format!("there is no account {name}"),
                false => format!("there is no account {name}; {bank} has {}", known.join(", ")),
            }
        })?;
        Ok(AccountNumber(at as u32))
    }

    /// The name of an account.
    pub fn account_name(&self, number: AccountNumber) -> String {
        let found = self.registry.accounts.get(number.0 as usize);
        found.cloned().unwrap_or_else(|| number.to_string())
    }

    /// Decimals of what an account holds, and its code.
    pub fn asset_of(&self, account: &str) -> Result<(String, u8)> {
        let code = account.split('/').nth(1).unwrap_or_default();
        let at = self.asset(code)?;
        let asset = &self.registry.assets[at.0 as usize];
        Ok((asset.code.clone(), asset.exponent))
    }

    /// An amount such as `1250.00` of what an account holds.
    pub fn amount(&self, text: &str, account: &str) -> Result<Amount> {
        let (code, exponent) = self.asset_of(account)?;
        let minor = parse_minor(text, exponent).with_context(|| {
            format!("`{text}` is no amount of {code}, which has {exponent} decimals")
        })?;
        Ok(Amount::new(minor))
    }

    /// An amount of what an account holds, for people.
    pub fn amount_text(&self, minor: i128, account: &str) -> String {
        match self.asset_of(account) {
            Ok((code, exponent)) => format!("{code} {}", format_grouped(minor, exponent)),
            Err(_) => minor.to_string(),
        }
    }

    /// Folder with the keys of a bank.
    pub fn keys(&self, bic: &str) -> Result<PathBuf> {
        self.layout.keys_of(bic)
    }

    /// The signing key of a bank that is in the network's folder. It must be a live one.
    pub fn signing_key(&self, bic: &str) -> Result<SigningKey> {
        let path = self.keys(bic)?.join("signing.key");
        let key = SigningKey::from_bytes(&*keyfile::read(&path)?);
        let public = PublicKey(key.verifying_key().to_bytes());
        ensure!(
            self.live_keys(bic)?.contains(&public),
            "{} is no live signing key of {bic}",
            path.display()
        );
        Ok(key)
    }

    /// The live signing keys of a bank.
    pub fn live_keys(&self, bic: &str) -> Result<Vec<PublicKey>> {
        let number = self.participant(bic)?;
        let keys = &self.registry.participants[number.0 as usize].signing_keys;
        keys.iter().map(|key| key.parse().with_context(|| format!("`{key}` is no key"))).collect()
    }
}

/// The id that was given, or a new one.
pub(crate) fn id(given: Option<&str>) -> Result<TransferId> {
    let Some(text) = given else {
        let mut bytes = random::<16>()?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        return Ok(TransferId(bytes));
    };
    match text.to_ascii_lowercase().parse() {
        Ok(id) => Ok(id),
        Err(_) => bail!("`{text}` is no id: a UUID such as 0e4a6c1e-52c1-4d7e-9d0a-3c9f1f0f7b11"),
    }
}
