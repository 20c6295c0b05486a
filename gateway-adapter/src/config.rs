//! The gateway's configuration: [`RawConfig`] as written in TOML, [`Config`] once checked and
//! loaded.
//!
//! Paths are relative to the configuration file. Secrets are read from key files that only their
//! owner may read; bearer tokens are kept as SHA-256 digests. An unknown field is an error, not a
//! warning.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ed25519_dalek::SigningKey;
use link::{LinkKey, keyfile, keyfile::KeyFileError};
use serde::{Deserialize, Serialize};
use wire::genesis::{Genesis, GenesisError, key_from_hex};
use wire::ledger::{Bic, ParticipantNumber};

use crate::keyring::{Keyring, KeyringError};
use crate::limits;

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
    /// The file is not TOML of the expected shape.
    #[error("configuration {path}: {source}")]
    Toml {
        /// Which file.
        path: PathBuf,
        /// What is wrong and where.
        source: toml::de::Error,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The sealing keys cannot be used.
    #[error(transparent)]
    Sealing(#[from] KeyringError),
    /// The genesis file cannot be used.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A field has a value that is not allowed.
    #[error("configuration: {field}: {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The file as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// BIC of the bank, a participant of the network.
    pub bic: String,
    /// The genesis file.
    pub genesis: PathBuf,
    /// Key file of the link to the nodes (Ed25519).
    pub link_key: PathBuf,
    /// Key file that signs batches (Ed25519).
    pub signing_key: PathBuf,
    /// Key file that opens documents (X25519).
    pub sealing_key: PathBuf,
    /// Directory of the store; created when it does not exist.
    pub data: PathBuf,
    /// Directory of the folder channel with `in`, `out`, `archive` and `failed`; none: no folder
    /// channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Address of the HTTP API; port 0 chooses a free one; none: no HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    /// Allows an HTTP address that is not on the loopback interface.
    #[serde(default)]
    pub allow_remote: bool,
    /// SHA-256 of each bearer token's 64 hexadecimal digits, hex. Without any, `/v1` refuses
    /// everybody.
    #[serde(default)]
    pub token_sha256: Vec<String>,
    /// How long a caller waits for the final answer before it gets an interim one, in milliseconds,
    /// 0 to 60,000.
    #[serde(default = "default_answer_deadline_ms")]
    pub answer_deadline_ms: u64,
    /// Id of the node to connect to first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer_node: Option<u64>,
    /// How long a signed batch stays valid, in milliseconds, 1,000 to 3,600,000.
    #[serde(default = "default_batch_valid_ms")]
    pub batch_valid_ms: u64,
    /// Whether receipts are sent without being asked for: `on-request` or `in-messages`.
    #[serde(default)]
    pub receipts: Receipts,
    /// How long an older sealing key must be kept after another came into force, for senders that do not know of it
    /// yet, in seconds, 0 to 31,536,000.
    #[serde(default = "default_sealing_overlap_s")]
    pub sealing_overlap_s: u64,
    /// Limits that an installation may change.
    #[serde(default)]
    pub limits: RawLimits,
}

/// How a bank gets the receipts of its payments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receipts {
    /// By asking for each: `GET /v1/receipts/{uetr}`.
    #[default]
    OnRequest,
    /// In a message of its own as soon as a payment is final, beside that: `pacs.002` for what the bank paid, `camt.054`
    /// for what it was paid. Answers and credits do not wait for it.
    InMessages,
}

/// Limits as written; each has a default.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Payments that wait for the ledger, 1 to 1,000,000.
    pub open_payments: usize,
    /// Messages that wait for their answers, 1 to 1,000,000.
    pub open_messages: usize,
    /// Largest message in bytes, 1 KiB to 64 MiB.
    pub message_bytes: usize,
    /// Largest bulk message in bytes, not below `message_bytes`, at most 2 GiB.
    pub bulk_bytes: usize,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            open_payments: limits::OPEN_PAYMENTS_MAX,
            open_messages: limits::OPEN_MESSAGES_MAX,
            message_bytes: limits::MESSAGE_BYTES_MAX,
            bulk_bytes: limits::BULK_BYTES_MAX,
        }
    }
}

const fn default_sealing_overlap_s() -> u64 {
    86_400
}

const fn default_answer_deadline_ms() -> u64 {
    2_000
}

const fn default_batch_valid_ms() -> u64 {
    60_000
}

/// A checked configuration with its keys.
pub struct Config {
    /// The bank.
    pub bic: Bic,
    /// The bank's number in the network.
    pub participant: ParticipantNumber,
    /// The network.
    pub genesis: Genesis,
    /// Identity of the link.
    pub link_key: LinkKey,
    /// Signs batches.
    pub signing_key: SigningKey,
    /// Opens documents.
    pub sealing: Arc<Keyring>,
    /// Directory of the store.
    pub data: PathBuf,
    /// How long an older sealing key is kept after another came into force.
    pub sealing_overlap: Duration,
    /// Directory of the folder channel.
    pub folder: Option<PathBuf>,
    /// Address of the HTTP API.
    pub http: Option<SocketAddr>,
    /// SHA-256 digests of the bearer tokens.
    pub token_sha256: Vec<[u8; 32]>,
    /// How long a caller waits for the final answer.
    pub answer_deadline: Duration,
    /// Node to connect to first.
    pub prefer_node: Option<u64>,
    /// How long a signed batch stays valid.
    pub batch_valid: Duration,
    /// How the bank gets receipts.
    pub receipts: Receipts,
    /// Limits.
    pub limits: RawLimits,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("bic", &self.bic)
            .field("data", &self.data)
            .field("folder", &self.folder)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

fn field(field: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Field { field, reason: reason.into() }
}

fn in_range<T: PartialOrd + std::fmt::Display>(
    name: &'static str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(field(name, format!("{value} is not in {} to {}", range.start(), range.end())))
    }
}

impl Config {
    /// Reads and checks a configuration file and everything that it names.
    ///
    /// # Errors
    /// When a file cannot be read, a key file is exposed, or a value is not allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let raw: RawConfig = toml::from_str(&text)
            .map_err(|source| ConfigError::Toml { path: path.to_owned(), source })?;
        Self::from_raw(&raw, path.parent().unwrap_or(Path::new("")))
    }

    /// Checks a configuration whose relative paths start at `base`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_raw(raw: &RawConfig, base: &Path) -> Result<Self, ConfigError> {
        let bic: Bic =
            raw.bic.parse().map_err(|e: wire::ledger::ParseIdError| field("bic", e.to_string()))?;
        let genesis_path = base.join(&raw.genesis);
        let genesis_bytes = fs::read(&genesis_path)
            .map_err(|source| ConfigError::Read { path: genesis_path, source })?;
        let genesis = Genesis::parse(&genesis_bytes)?;
        let participant = genesis
            .gateways
            .iter()
            .position(|gateways| gateways.bic == bic)
            .ok_or_else(|| field("bic", format!("{bic} is no participant of this network")))?;
        if let Some(http) = raw.http
            && !http.ip().is_loopback()
            && !raw.allow_remote
        {
            return Err(field(
                "http",
                format!(
                    "{http} is not a loopback address; set allow_remote = true if that is meant"
                ),
            ));
        }
        if let Some(id) = raw.prefer_node
            && !genesis.nodes.iter().any(|node| node.id == id)
        {
            return Err(field("prefer_node", format!("the network has no node {id}")));
        }
        let token_sha256 = raw
            .token_sha256
            .iter()
            .map(|text| {
                key_from_hex(text)
                    .ok_or_else(|| field("token_sha256", "each must be 64 hexadecimal digits"))
            })
            .collect::<Result<_, _>>()?;
        in_range("limits.open_payments", raw.limits.open_payments, 1..=1_000_000)?;
        in_range("limits.open_messages", raw.limits.open_messages, 1..=1_000_000)?;
        in_range("limits.message_bytes", raw.limits.message_bytes, 1 << 10..=64 << 20)?;
        in_range("limits.bulk_bytes", raw.limits.bulk_bytes, raw.limits.message_bytes..=2 << 30)?;
        let answer_ms = in_range("answer_deadline_ms", raw.answer_deadline_ms, 0..=60_000)?;
        let overlap_s = in_range("sealing_overlap_s", raw.sealing_overlap_s, 0..=31_536_000)?;
        let valid_ms = in_range("batch_valid_ms", raw.batch_valid_ms, 1_000..=3_600_000)?;
        let link_key = LinkKey::from_seed(*keyfile::read(&base.join(&raw.link_key))?);
        if !genesis.gateways[participant].keys.contains(&link_key.public()) {
            return Err(field(
                "link_key",
                format!("the genesis file names another key for the gateways of {bic}"),
            ));
        }
        let participant = ParticipantNumber(participant as u32);
        let network = genesis.domain.network;
        let sealing = Keyring::open(network, participant, &base.join(&raw.sealing_key))?;
        Ok(Self {
            bic,
            participant,
            genesis,
            link_key,
            signing_key: SigningKey::from_bytes(&*keyfile::read(&base.join(&raw.signing_key))?),
            sealing: Arc::new(sealing),
            sealing_overlap: Duration::from_secs(overlap_s),
            data: base.join(&raw.data),
            folder: raw.folder.as_ref().map(|folder| base.join(folder)),
            http: raw.http,
            token_sha256,
            answer_deadline: Duration::from_millis(answer_ms),
            prefer_node: raw.prefer_node,
            batch_valid: Duration::from_millis(valid_ms),
            receipts: raw.receipts,
            limits: raw.limits,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::{PAYER, config};

    /// Loads the test bank's configuration after a change of its text.
    fn load(change: impl Fn(String) -> String) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        config(directory.path(), PAYER, true);
        let path = directory.path().join("gateway.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(text)).unwrap();
        Config::load(&path)
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        assert!(load(|text| text).is_ok());
        let cases: [(&str, &str, &str); 7] = [
            ("127.0.0.1:0", "0.0.0.0:0", "allow_remote"),
            ("bic = \"BANKDEFF\"", "bic = \"NOBKDEFF\"", "no participant"),
            ("bic = \"BANKDEFF\"", "bic = \"x\"", "bic"),
            ("prefer_node = 1", "prefer_node = 9", "no node 9"),
            ("batch_valid_ms = 60000", "batch_valid_ms = 1", "batch_valid_ms"),
            ("allow_remote = false", "allow_remotes = false", "unknown field"),
            ("signing_key = \"signing.key\"", "signing_key = \"none.key\"", "none.key"),
        ];
        for (before, after, named) in cases {
            let error = load(|text| text.replace(before, after)).unwrap_err().to_string();
            assert!(error.contains(named), "{after}: {error}");
        }
        let remote = load(|text| {
            text.replace("127.0.0.1:0", "0.0.0.0:0")
                .replace("allow_remote = false", "allow_remote = true")
        });
        assert!(remote.is_ok());
    }

    #[test]
    fn an_exposed_key_is_refused_and_no_secret_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let shown = format!("{:?}", config(directory.path(), PAYER, false));
        assert!(!shown.contains("key"), "{shown}");
        let key = directory.path().join("sealing.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Config::load(&directory.path().join("gateway.toml")).unwrap_err();
        assert!(
            matches!(error, ConfigError::Sealing(KeyringError::File(KeyFileError::Exposed { .. }))),
            "{error}"
        );
    }
}
