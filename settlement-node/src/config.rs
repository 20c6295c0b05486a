//! The node's configuration file: as written ([`RawConfig`]) and checked ([`NodeConfig`]).
//!
//! Everything that all banks must agree on stands in the genesis file; this file says only where
//! this node keeps its data and on which addresses it answers.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wire::genesis::{Genesis, GenesisError, GenesisNode};

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML of the expected shape.
    #[error("{path}: {source}")]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        source: toml::de::Error,
    },
    /// The genesis file is refused.
    #[error("{path}: {source}")]
    Genesis {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: GenesisError,
    },
    /// The key file is refused.
    #[error(transparent)]
    Key(#[from] link::keyfile::KeyFileError),
    /// The genesis file names no node with this id.
    #[error("the genesis file names no node with id {0}")]
    UnknownNode(u64),
    /// The genesis file names another key for this node.
    #[error("the link key is not the one that the genesis file names for node {0}")]
    OtherKey(u64),
    /// The genesis file names another key for this node's checkpoints, or none.
    #[error("the cosign key is not the one that the genesis file names for node {0}")]
    OtherCosignKey(u64),
    /// The genesis file names a key for this node's checkpoints, and the configuration none: without all its nodes a
    /// network may never have anything that is final.
    #[error("cosign_key is missing: the genesis file names a key for the checkpoints of node {0}")]
    NoCosignKey(u64),
    /// The keys of the nodes cannot make checkpoints.
    #[error("the genesis file: {0}")]
    CosignKeys(proof::key::KeyError),
    /// Snapshots would be made too often.
    #[error("snapshot_bytes is {0}; it must be 65536 or more")]
    SnapshotBytes(u64),
    /// A node that is to be believed is none of this network's others.
    #[error("believe names node {0}, which is no other node of this network")]
    Believe(u64),
    /// An address that is reachable from outside was not allowed.
    #[error(
        "{field} {address} is not a loopback address; set allow_remote = true if that is intended"
    )]
    Remote {
        /// Which field.
        field: &'static str,
        /// The address.
        address: SocketAddr,
    },
}

/// Snapshots more often than this would cost more than the log that they save.
const SNAPSHOT_BYTES_MIN: u64 = 64 << 10;

fn snapshot_bytes() -> u64 {
    crate::limits::SNAPSHOT_BYTES
}

/// The file as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// This node's id in the genesis file.
    pub id: u64,
    /// The genesis file.
    pub genesis: PathBuf,
    /// The link key's file.
    pub link_key: PathBuf,
    /// File of the key that signs checkpoints; left out only where the genesis file names none for this node, and then it
    /// takes no part in finality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosign_key: Option<PathBuf>,
    /// Directory of the log, the history and the runs.
    pub data: PathBuf,
    /// Where metrics, health, status page and JSON are served.
    pub http: SocketAddr,
    /// Whether `http` may be other than a loopback address. It shows balances of all banks.
    #[serde(default)]
    pub allow_remote: bool,
    /// Bytes of log after which the next snapshot of the state is made: 64 KiB or more. Restarts replay
    /// up to twice as much.
    #[serde(default = "snapshot_bytes")]
    pub snapshot_bytes: u64,
    /// Other nodes whose word alone is enough while this node is mended: for an operator who knows that
    /// a node is honest when no other can confirm what it says. Empty unless needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub believe: Vec<u64>,
    /// Where this node listens for others, if not at its address in the genesis file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Where this node listens for gateways, if not at its address in the genesis file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_listen: Option<SocketAddr>,
}

/// The checked configuration.
#[derive(Debug)]
pub struct NodeConfig {
    /// The network.
    pub genesis: Genesis,
    /// This node in it.
    pub own: GenesisNode,
    /// The link identity.
    pub link_key: link::LinkKey,
    /// Who cosigns, and this node's key for it; nothing when it takes no part.
    pub cosigning: Option<crate::finality::Cosigning>,
    /// Directory of the log, the history and the runs.
    pub data: PathBuf,
    /// Where metrics, health, status page and JSON are served.
    pub http: SocketAddr,
    /// Bytes of log after which the next snapshot of the state is made.
    pub snapshot_bytes: u64,
    /// Other nodes whose word alone is enough while this node is mended.
    pub believe: Vec<u64>,
    /// Where this node listens for others.
    pub listen: SocketAddr,
    /// Where this node listens for gateways.
    pub client_listen: SocketAddr,
}

impl NodeConfig {
    /// Reads and checks a configuration file. Relative paths in it are relative to the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let raw: RawConfig = toml::from_str(&text)
            .map_err(|source| ConfigError::Toml { path: path.to_owned(), source })?;
        Self::check(raw, path.parent().unwrap_or(Path::new(".")))
    }

    fn check(raw: RawConfig, base: &Path) -> Result<Self, ConfigError> {
        let genesis_path = base.join(&raw.genesis);
        let file = fs::read(&genesis_path)
            .map_err(|source| ConfigError::Read { path: genesis_path.clone(), source })?;
        let genesis = Genesis::parse(&file)
            .map_err(|source| ConfigError::Genesis { path: genesis_path, source })?;
        let own = genesis
            .nodes
            .iter()
            .find(|node| node.id == raw.id)
            .cloned()
            .ok_or(ConfigError::UnknownNode(raw.id))?;
        let link_key = link::LinkKey::from_seed(*link::keyfile::read(&base.join(&raw.link_key))?);
        if link_key.public() != own.link_key {
            return Err(ConfigError::OtherKey(raw.id));
        }
        let cosigning = match &raw.cosign_key {
            None if own.cosign_key.is_some() => return Err(ConfigError::NoCosignKey(raw.id)),
            None => None,
            Some(path) => {
                let seed = link::keyfile::read(&base.join(path))?;
                let cosigning = crate::finality::Cosigning::new(&genesis, raw.id, &seed)
                    .map_err(ConfigError::CosignKeys)?;
                Some(cosigning.ok_or(ConfigError::OtherCosignKey(raw.id))?)
            }
        };
        if !raw.allow_remote && !raw.http.ip().is_loopback() {
            return Err(ConfigError::Remote { field: "http", address: raw.http });
        }
        if raw.snapshot_bytes < SNAPSHOT_BYTES_MIN {
            return Err(ConfigError::SnapshotBytes(raw.snapshot_bytes));
        }
        let is_other = |id: &u64| *id != own.id && genesis.nodes.iter().any(|node| node.id == *id);
        if let Some(stranger) = raw.believe.iter().find(|id| !is_other(id)) {
            return Err(ConfigError::Believe(*stranger));
        }
        Ok(Self {
            believe: raw.believe,
            listen: raw.listen.unwrap_or(own.address),
            client_listen: raw.client_listen.unwrap_or(own.client_address),
            data: base.join(&raw.data),
            http: raw.http,
            snapshot_bytes: raw.snapshot_bytes,
            genesis,
            own,
            link_key,
            cosigning,
        })
    }
}
