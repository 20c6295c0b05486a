//! What an export says of itself: `manifest.json`, beside the rows, the proof, the checkpoint and the genesis file.
//!
//! | file | what |
//! |---|---|
//! | `rows.csv`, `rows.jsonl` or `camt053-DAY-PAGE.xml` | the rows |
//! | `proof.bin` | the records that they rest on, as one proof under the checkpoint |
//! | `checkpoint` | what the nodes have cosigned, a signed note |
//! | `genesis.toml` | names of banks, accounts and assets; its SHA-256 is the network's id |
//! | `manifest.json` | query, height, rows, sums, digests |
//!
//! A manifest is believed by nobody: `corridor verify export` makes rows, sums and digests again from the proof.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{
    export::{FileFacts, Format},
    search::{Query, Totals},
};

/// Version of the folder's format.
pub(crate) const VERSION: &str = "corridor-export/1";
/// Name of the manifest.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Name of the proof.
pub(crate) const PROOF: &str = "proof.bin";
/// Name of the checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Name of the genesis file.
pub(crate) const GENESIS: &str = "genesis.toml";
/// Longest manifest that is read, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: usize = 16 << 20;

/// What is in an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// Rows of all that matches.
    Rows,
    /// Movements of one account with the balance after each.
    Statement,
}

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// [`VERSION`].
    pub(crate) version: String,
    /// Id of the network, hex.
    pub(crate) network: String,
    /// What the rows are.
    pub(crate) content: Content,
    /// How they are written.
    pub(crate) format: Format,
    /// What was asked.
    pub(crate) query: Query,
    /// The answer is as of this block.
    pub(crate) as_of: u64,
    /// Count and sums.
    pub(crate) totals: Totals,
    /// The files of rows.
    pub(crate) files: Vec<FileFacts>,
    /// The file of the proof.
    pub(crate) proof: FileFacts,
    /// How many records it carries.
    pub(crate) records: u64,
    /// Leaves of the log under the checkpoint.
    pub(crate) size: u64,
    /// Root over them, in base64.
    pub(crate) root: String,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// It is none, or of a version that is not known.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(bytes).context("read the manifest")?;
        ensure!(manifest.version == VERSION, "the manifest is of version {}", manifest.version);
        Ok(manifest)
    }
}
