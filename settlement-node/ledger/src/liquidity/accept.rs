//! Transfers to accounts whose owner accepts what comes before it settles.
//!
//! The wish of the receiver becomes a condition of the transfer while it waits: approval by the owner, and a deadline.
//! So everything that holds know (approval, refusal, reserved cover, explanation) serves here too.

use crate::apply::Authority;
use crate::command::{Condition, Transfer};
use crate::id::{LedgerTime, ParticipantNumber};
use crate::limits::CONDITIONS_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

impl Ledger {
    /// The transfer with what the owners of credited accounts ask; `None` when they ask nothing more.
    pub(crate) fn with_acceptance(
        &self,
        transfer: &Transfer,
        authority: &Authority<'_>,
        now: LedgerTime,
    ) -> Result<Option<Transfer>, Refusal> {
        if transfer.options.as_ref().is_some_and(|options| options.returns.is_some()) {
            return Ok(None);
        }
        let mut asked: Vec<(ParticipantNumber, u64)> = Vec::new();
        for leg in transfer.legs.as_slice() {
            let account = self.authorised(leg.credit);
            let controls = account.controlled.then(|| self.liquidity.of(leg.credit)).flatten();
            if let Some(within) = controls.and_then(|controls| controls.acceptance)
                && !authority.includes(account.owner)
            {
                asked.push((account.owner, within));
            }
        }
        if asked.is_empty() {
            return Ok(None);
        }
        let mut held = transfer.clone();
        let options = held.options.get_or_insert_default();
        let times = options.conditions.iter().filter_map(|condition| match condition {
            Condition::NotBefore(time) => Some(*time),
            _ => None,
        });
        let start = times.chain(options.not_before).fold(now, LedgerTime::max);
        for (participant, within) in asked {
            let condition = Condition::Approval { participant };
            if !options.conditions.contains(&condition) {
                options.conditions.push(condition);
            }
            let end = LedgerTime(start.0.saturating_add(within));
            options.deadline = Some(options.deadline.map_or(end, |own| own.min(end)));
        }
        if options.conditions.len() > CONDITIONS_MAX {
            return Err(Refusal::TooManyAcceptances);
        }
        Ok(Some(held))
    }
}
