//! Setting the amount above which issuing and redeeming an asset takes two of the issuer's people.
//!
//! Who must sign: the issuer. To set or lower it takes one person; to raise it or take it away takes two. The issuer
//! needs two lasting keys, and keeps as many while the limit is set.

use crate::amount::Amount;
use crate::apply::Authority;
use crate::id::{AssetNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Sets the amount above which funding takes two people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFundingLimit {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The asset; its issuer must sign.
    pub asset: AssetNumber,
    /// More than this takes two people: zero for always; `None` for never.
    pub above: Option<Amount>,
}

impl SetFundingLimit {
    /// The asset, and its issuer's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let issuer = ledger.asset(self.asset).ok_or(Refusal::NotAuthorised)?.issuer;
        if authority.includes(issuer) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// That there are two keys for two people.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let issuer = ledger.asset(self.asset).ok_or(Refusal::UnknownAsset)?.issuer;
        let records = ledger.key_history(issuer);
        let lasting = records.iter().filter(|one| one.from_leaf.is_some() && one.until.is_none());
        if self.above.is_some() && lasting.count() < 2 {
            return Err(Refusal::KeyNeeded);
        }
        Ok(())
    }

    /// Sets it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let above = self.above.map(Amount::minor);
        match above {
            Some(above) => ledger.gov.funding_limits.insert(self.asset, above),
            None => ledger.gov.funding_limits.remove(&self.asset),
        };
        ledger.gov.note_change();
    }
}
