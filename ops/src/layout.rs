//! Where the files of a network lie below its folder.
//!
//! ```text
//! genesis.toml                    the same bytes at every bank
//! description.toml                what it was made from
//! node-1/                         node.toml link.key data/ log
//! gateway-ALPHDEFFXXX/            gateway.toml link.key signing.key sealing.key token data/ folder/ log
//! participant-EUROBEBBXXX/        keys of a participant that runs nothing
//! ```
//! In operation each bank holds only its own folders and the genesis file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::description::{Bank, Description};

/// A network's folder with what it was made from.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
    description: Description,
}

impl Layout {
    /// The layout of a network below `dir`, whether its files exist or not.
    pub fn new(dir: &Path, description: Description) -> Self {
        Self { dir: dir.to_owned(), description }
    }

    /// The layout of a network that was set up before.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("description.toml");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{} is not the folder of a network (`corridor init` makes one)", dir.display())
        })?;
        let description =
            Description::parse(&text).with_context(|| format!("read {}", path.display()))?;
        Ok(Self::new(dir, description))
    }

    /// The network's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the network was made from.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.dir.join("genesis.toml")
    }

    /// The description's file.
    pub fn description_file(&self) -> PathBuf {
        self.dir.join("description.toml")
    }

    /// Banks that run a node with the node's id, from 1.
    pub fn nodes(&self) -> impl Iterator<Item = (u64, &Bank)> {
        (1..).zip(self.description.banks.iter().filter(|bank| bank.node.is_some()))
    }

    /// Banks that run a gateway.
    pub fn gateways(&self) -> impl Iterator<Item = &Bank> {
        self.description.banks.iter().filter(|bank| bank.gateway.is_some())
    }

    /// Folder of a node.
    pub fn node_dir(&self, id: u64) -> PathBuf {
        self.dir.join(format!("node-{id}"))
    }

    /// Folder of a participant: of its gateway if it has one, otherwise of its keys alone.
    pub fn participant_dir(&self, bank: &Bank) -> PathBuf {
        let kind = if bank.gateway.is_some() { "gateway" } else { "participant" };
        self.dir.join(format!("{kind}-{}", long_bic(&bank.bic)))
    }

    /// Folder with the keys of a bank of 8 or 11 characters, whenever it was admitted.
    pub fn keys_of(&self, bic: &str) -> Result<PathBuf> {
        let bic = long_bic(&bic.to_ascii_uppercase());
        let newcomer = self.newcomer_dir(&bic);
        match self.bank(&bic) {
            Ok(bank) => Ok(self.participant_dir(bank)),
            Err(_) if newcomer.is_dir() => Ok(newcomer),
            Err(error) => Err(error),
        }
    }

    /// Folder with the keys of a bank of 11 characters that was admitted later, and runs nothing.
    pub fn newcomer_dir(&self, bic: &str) -> PathBuf {
        self.dir.join(format!("participant-{bic}"))
    }

    /// The bank of a BIC of 8 or 11 characters.
    pub fn bank(&self, bic: &str) -> Result<&Bank> {
        let wanted = long_bic(bic);
        self.description
            .banks
            .iter()
            .find(|bank| long_bic(&bank.bic) == wanted)
            .with_context(|| format!("{bic} is no participant of this network"))
    }

    /// Base address of a node's HTTP.
    pub fn node_http(&self, id: u64) -> Result<String> {
        let (_, bank) = self
            .nodes()
            .find(|(known, _)| *known == id)
            .with_context(|| format!("the network has no node {id}"))?;
        let node = bank.node.as_ref().context("the bank runs no node")?;
        Ok(format!("http://{}", node.http))
    }

    /// Base address of a gateway's HTTP.
    pub fn gateway_http(&self, bic: &str) -> Result<String> {
        let gateway = self.bank(bic)?.gateway.as_ref();
        let gateway = gateway.with_context(|| format!("{bic} runs no gateway"))?;
        Ok(format!("http://{}", gateway.http))
    }

    /// Bearer token of a gateway's HTTP, as `init` wrote it.
    pub fn token(&self, bic: &str) -> Result<String> {
        read_token(&self.participant_dir(self.bank(bic)?).join("token"))
    }
}

/// Reads a token file.
pub fn read_token(path: &Path) -> Result<String> {
    let text =
        fs::read_to_string(path).with_context(|| format!("read token {}", path.display()))?;
    let token = text.trim();
    let printable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(printable, "{} does not hold a token", path.display());
    Ok(token.to_owned())
}

/// A BIC in its long form: a head office of 8 characters gets `XXX`.
pub fn long_bic(bic: &str) -> String {
    if bic.len() == 8 { format!("{bic}XXX") } else { bic.to_owned() }
}

/// An account's name with its BIC in long form.
pub fn long_account(name: &str) -> String {
    match name.split_once('/') {
        Some((bic, rest)) => format!("{}/{rest}", long_bic(bic)),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::description::PortPlan;

    #[test]
    fn folders_and_addresses_follow_the_description() {
        let description = Description::example("test", 3, 2, PortPlan::From(7100)).unwrap();
        let layout = Layout::new(Path::new("/net"), description);
        assert_eq!(layout.node_http(2).unwrap(), "http://127.0.0.1:7106");
        assert!(layout.node_http(3).is_err());
        assert_eq!(layout.gateway_http("CHARGB2L").unwrap(), "http://127.0.0.1:7111");
        assert!(layout.gateway_http("EUROBEBB").is_err());
        let issuer = layout.bank("EUROBEBB").unwrap();
        assert_eq!(layout.participant_dir(issuer), Path::new("/net/participant-EUROBEBBXXX"));
        assert_eq!(layout.nodes().map(|(id, _)| id).collect::<Vec<_>>(), [1, 2]);
    }
}
