//! Activating a version of the rules. As a command in genesis only; later it is the content of a proposal.
//!
//! Version 1 knows transfers that settle at once or never. Version 2 adds the life cycle: warehoused, held and
//! queued transfers, release conditions, and returns bounded by their original. A network without this command runs
//! version 1 for ever, with the answers and state roots that it always had.

use crate::apply::Authority;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// The first version of the rules, which every network begins with.
pub const RULES_FIRST: u16 = 1;
/// The version with the life cycle of transfers that wait.
pub const RULES_LIFE_CYCLE: u16 = 2;
/// The last version that this program knows.
pub const RULES_LAST: u16 = RULES_LIFE_CYCLE;

/// Activates a version of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivateRules {
    /// The version: higher than the one that is active.
    pub version: u16,
}

impl ActivateRules {
    /// Rule, version.
    pub(crate) fn check(&self, ledger: &Ledger, authority: &Authority<'_>) -> Result<(), Refusal> {
        let known = ledger.rules < self.version && self.version <= RULES_LAST;
        if authority.is_genesis() && known { Ok(()) } else { Err(Refusal::RuleNotActive) }
    }

    /// Activates it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        ledger.rules = self.version;
    }
}
