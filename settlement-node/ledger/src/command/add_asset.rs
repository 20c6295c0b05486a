//! Adding an asset. As a command in genesis only; later it is the content of a proposal.

use crate::amount::Exponent;
use crate::apply::Authority;
use crate::id::{AssetNumber, ParticipantNumber};
use crate::limits::ASSETS_MAX;
use crate::name::AssetCode;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Adds an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddAsset {
    /// Its code, unique in the network.
    pub code: AssetCode,
    /// Its decimals.
    pub exponent: Exponent,
    /// Who may issue and redeem it.
    pub issuer: ParticipantNumber,
}

impl AddAsset {
    /// Rule, issuer, code, capacity.
    pub(crate) fn check(&self, ledger: &Ledger, authority: &Authority<'_>) -> Result<(), Refusal> {
        if !authority.is_genesis() {
            return Err(Refusal::RuleNotActive);
        }
        if ledger.participant(self.issuer).is_none() {
            return Err(Refusal::UnknownParticipant);
        }
        if ledger.asset_by_code(&self.code).is_some() {
            return Err(Refusal::AssetExists);
        }
        if ledger.assets().len() >= ASSETS_MAX {
            return Err(Refusal::LimitReached);
        }
        Ok(())
    }

    /// Adds it under the next number.
    pub(crate) fn apply(&self, ledger: &mut Ledger) -> AssetNumber {
        ledger.registry.add_asset(self)
    }
}
