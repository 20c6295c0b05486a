//! What a node answers over HTTP, as the tool reads it.
//!
//! Only the fields that the tool uses; fields that a newer node adds are ignored.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use crate::http::HttpClient;

pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Answer to `/v1/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeStatus {
    /// The node's id.
    pub node: u64,
    /// Name of the network.
    #[serde(default)]
    pub network: String,
    /// `leader`, `follower`, `candidate` ...
    #[serde(default)]
    pub role: String,
    /// Id of the leader that the node knows.
    #[serde(default)]
    pub leader: Option<u64>,
    /// Nodes that vote, as of its last block.
    #[serde(default)]
    pub voters: Vec<u64>,
    /// Raft term.
    #[serde(default)]
    pub term: u64,
    /// Last applied block.
    pub height: u64,
    /// Last applied log entry.
    #[serde(default)]
    pub applied_index: u64,
    /// Last log entry known to be committed.
    #[serde(default)]
    pub commit_index: u64,
    /// Records in the Merkle log.
    #[serde(default)]
    pub leaves: u64,
    /// Root of the Merkle log, hex.
    #[serde(default)]
    pub log_root: String,
    /// Digest of the state, hex.
    #[serde(default)]
    pub state_root: String,
    /// Commands settled since genesis.
    #[serde(default)]
    pub settled: u64,
    /// Commands refused since genesis.
    #[serde(default)]
    pub refused: u64,
    /// Rate over the last seconds.
    #[serde(default)]
    pub settled_per_second: f64,
    /// Whether its log lacks entries that it had: it does not vote then.
    #[serde(default)]
    pub recovering: bool,
    /// Everything up to this block is final; nothing before the first certificate, and in networks
    /// without checkpoints.
    #[serde(default)]
    pub final_height: Option<u64>,
    /// Log index of its newest snapshot of the state; 0 before the first.
    #[serde(default)]
    pub snapshot_index: u64,
    /// Whether the sums of all accounts are what was issued.
    #[serde(default)]
    pub conserved: bool,
}

impl NodeStatus {
    /// The leader, unless the node knows none.
    pub fn known_leader(&self) -> Option<u64> {
        self.leader.filter(|id| *id != 0)
    }

    /// Log entries that are committed but not applied yet.
    pub fn lag(&self) -> u64 {
        self.commit_index.saturating_sub(self.applied_index)
    }
}

/// Answer to `/v1/balances`.
#[derive(Clone, Debug, Deserialize)]
pub struct Balances {
    /// Height at which they were read.
    pub height: u64,
    /// One row an asset.
    pub assets: Vec<AssetSums>,
    /// One row an account.
    pub accounts: Vec<AccountBalance>,
}

/// Sums of one asset, in minor units.
#[derive(Clone, Debug, Deserialize)]
pub struct AssetSums {
    /// Its code.
    pub code: String,
    /// Decimals of its minor unit.
    pub exponent: u8,
    /// Everything ever issued.
    #[serde(deserialize_with = "whole_number")]
    pub issued: i128,
    /// Everything ever taken back.
    #[serde(deserialize_with = "whole_number")]
    pub redeemed: i128,
    /// Sum of all accounts.
    #[serde(deserialize_with = "whole_number")]
    pub sum_of_posted: i128,
}

/// One account, in minor units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountBalance {
    /// `BIC/ASSET[/label]`.
    pub account: String,
    /// Balance.
    #[serde(deserialize_with = "whole_number", serialize_with = "as_text")]
    pub posted: i128,
    /// What holds reserve of it.
    #[serde(default, deserialize_with = "whole_number", serialize_with = "as_text")]
    pub held: i128,
    /// How far it may go, 0 or negative.
    #[serde(default, deserialize_with = "whole_number", serialize_with = "as_text")]
    pub floor: i128,
    /// What can be paid out.
    #[serde(default, deserialize_with = "whole_number", serialize_with = "as_text")]
    pub available: i128,
    /// In a word.
    #[serde(default)]
    pub status: String,
}

/// JSON numbers are not exact beyond 2^53.
// By reference, as serde asks for it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn as_text<S: serde::Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl Balances {
    /// Whether every asset's accounts add up to what was issued less what was redeemed.
    ///
    /// Adds the accounts up itself: the node's own sum is checked, not believed.
    pub fn conserved(&self) -> bool {
        self.assets.iter().all(|asset| {
            let own: i128 = self
                .accounts
                .iter()
                .filter(|account| account.account.split('/').nth(1) == Some(asset.code.as_str()))
                .map(|account| account.posted)
                .sum();
            own == asset.issued - asset.redeemed && own == asset.sum_of_posted
        })
    }
}

/// A transfer as `/v1/transfers/{uetr}` shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct TransferView {
    /// The transfer's id.
    pub uetr: String,
    /// `settled` or `refused`.
    pub answer: String,
    /// Number of the answer.
    #[serde(default)]
    pub code: u64,
    /// Why it was refused.
    #[serde(default)]
    pub reason: Option<String>,
    /// Its leaf in the Merkle log.
    #[serde(default)]
    pub leaf: u64,
    /// Block that holds it.
    #[serde(default)]
    pub height: u64,
    /// Ledger time of that block.
    #[serde(default)]
    pub time_ns: u64,
    /// What moved.
    #[serde(default)]
    pub legs: Vec<LegView>,
}

/// One movement of a transfer.
#[derive(Clone, Debug, Deserialize)]
pub struct LegView {
    /// Account that paid.
    pub debit: String,
    /// Account that received.
    pub credit: String,
    /// Amount in minor units.
    #[serde(deserialize_with = "whole_number")]
    pub amount_minor: i128,
}

/// Reads a whole number written as a number or as a text (JSON numbers are not exact beyond 2^53).
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    use serde::de::Error;
    let value = serde_json::Value::deserialize(deserializer)?;
    let text = match &value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a whole number")))
}

/// Gets a path of a node and reads its JSON; `None` for 404.
pub async fn get<T: DeserializeOwned>(base: &str, path: &str) -> Result<Option<T>> {
    let mut client = HttpClient::new(base)?.with_timeout(ANSWER_TIME_MAX);
    let answer = client.get(path).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    ensure!(answer.is_success(), "{base}{path} answers {}: {}", answer.status, answer.text());
    let value = serde_json::from_slice(&answer.body)
        .with_context(|| format!("read the answer of {base}{path}"))?;
    Ok(Some(value))
}

/// A node's status. One that is being mended has none yet; the error says what it waits for.
pub async fn status(base: &str) -> Result<NodeStatus> {
    if let Some(status) = get(base, "/v1/status").await? {
        return Ok(status);
    }
    let answer = HttpClient::new(base)?.with_timeout(ANSWER_TIME_MAX).get("/readyz").await?;
    let ready: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match ready["mending"].as_str() {
        Some(what) => bail!("it is being mended: {what}"),
        None => bail!("{base} has no /v1/status"),
    }
}

/// A node's balances.
pub async fn balances(base: &str) -> Result<Balances> {
    get(base, "/v1/balances").await?.with_context(|| format!("{base} has no /v1/balances"))
}

/// A transfer, if the node knows it.
pub async fn transfer(base: &str, uetr: &str) -> Result<Option<TransferView>> {
    get(base, &format!("/v1/transfers/{uetr}")).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn conservation_is_recomputed_from_the_accounts() {
        let text = r#"{"height": 7, "assets": [
            {"code": "EUR", "exponent": 2, "issued": "300", "redeemed": 100, "sum_of_posted": "200"}],
            "accounts": [{"account": "A/EUR", "posted": "150", "held": "0"},
                         {"account": "B/EUR/x", "posted": "50"}, {"account": "B/USD", "posted": "9"}]}"#;
        let mut balances: Balances = serde_json::from_str(text).unwrap();
        assert!(balances.conserved());
        balances.accounts[0].posted = 151;
        assert!(!balances.conserved());
    }

    #[test]
    fn a_status_with_unknown_and_missing_fields_is_read() {
        let text = r#"{"node": 2, "height": 5, "leader": 0, "role": "follower", "new": [1]}"#;
        let status: NodeStatus = serde_json::from_str(text).unwrap();
        assert_eq!((status.known_leader(), status.lag()), (None, 0));
    }
}
