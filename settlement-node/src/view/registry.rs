//! Who and what there is, for tools that write commands: numbers, names and keys.

use serde::Serialize;
use wire::genesis::hex;

use crate::chain::Chain;

/// Participants, assets and accounts at a height.
#[derive(Clone, Debug, Serialize)]
pub struct Registry {
    /// Height at which they were read.
    pub height: u64,
    /// Ledger time of that block.
    pub time_ns: u64,
    /// Version of the ledger's rules.
    pub rules: u16,
    /// In order of their numbers.
    pub participants: Vec<ParticipantView>,
    /// In order of their numbers.
    pub assets: Vec<AssetView>,
    /// Names in order of their numbers.
    pub accounts: Vec<String>,
}

/// A participant.
#[derive(Clone, Debug, Serialize)]
pub struct ParticipantView {
    /// BIC of 11 characters.
    pub bic: String,
    /// For people.
    pub name: String,
    /// Live signing keys, hex.
    pub signing_keys: Vec<String>,
}

/// An asset.
#[derive(Clone, Debug, Serialize)]
pub struct AssetView {
    /// Its code.
    pub code: String,
    /// Decimals of the minor unit.
    pub exponent: u8,
    /// BIC of its issuer.
    pub issuer: String,
}

/// Reads them.
#[must_use]
pub fn registry(chain: &Chain) -> Registry {
    let ledger = chain.ledger();
    let bic =
        |number| ledger.participant(number).map_or_else(String::new, |found| found.bic.to_string());
    Registry {
        height: chain.height().0,
        time_ns: chain.time().0,
        rules: ledger.rules(),
        participants: ledger
            .participants()
            .iter()
            .map(|participant| ParticipantView {
                bic: participant.bic.to_string(),
                name: participant.name.clone(),
                signing_keys: participant.signing_keys.iter().map(|key| hex(&key.0)).collect(),
            })
            .collect(),
        assets: ledger
            .assets()
            .iter()
            .map(|asset| AssetView {
                code: asset.code.to_string(),
                exponent: asset.exponent.get(),
                issuer: bic(asset.issuer),
            })
            .collect(),
        accounts: ledger.accounts().map(|view| view.name.to_string()).collect(),
    }
}
