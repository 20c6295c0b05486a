//! What has been shown of each release condition of a waiting transfer.
//!
//! The language is small and total: a transfer's conditions must all be met; each is an approval, k of n approvals,
//! a preimage or a time. Approvals and preimages are marked here as they come, times are looked at when asked. A mark
//! is never taken back, so a condition that is met stays met; a refusal that makes one unreachable ends the transfer.

use crate::apply::Authority;
use crate::command::{Approver, Condition};
use crate::id::{Digest, LedgerTime};
use crate::refusal::Refusal;

/// Marks of the conditions of one transfer, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks(Vec<Mark>);

/// Who has answered one condition: bit i is member i; a condition without members uses bit 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) met: u16,
    pub(crate) against: u16,
}

/// What a refusal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// It was the first of somebody.
    pub(crate) counted: bool,
    /// A condition can no longer be met.
    pub(crate) ends: bool,
}

/// The members of a condition that people answer.
fn members(condition: &Condition) -> Members<'_> {
    match condition {
        Condition::Approval { participant } => Members::One(Approver::Participant(*participant)),
        Condition::KeyApproval { key } => Members::One(Approver::Key(*key)),
        Condition::Threshold { of, .. } => Members::Many(of),
        Condition::Preimage { .. } | Condition::NotBefore(_) => Members::Many(&[]),
    }
}

enum Members<'a> {
    One(Approver),
    Many(&'a [Approver]),
}

impl Members<'_> {
    fn as_slice(&self) -> &[Approver] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// True when one of the signers may answer one of the conditions.
pub(crate) fn name_a_signer(conditions: &[Condition], authority: &Authority<'_>) -> bool {
    conditions
        .iter()
        .any(|condition| members(condition).as_slice().iter().any(|one| authority.signs(one)))
}

impl Condition {
    /// How many members must approve; none where a preimage or a time is asked for.
    fn needed(&self) -> u32 {
        match self {
            Self::Approval { .. } | Self::KeyApproval { .. } => 1,
            Self::Threshold { k, .. } => u32::from(*k),
            Self::Preimage { .. } | Self::NotBefore(_) => 0,
        }
    }
}

impl Marks {
    /// What those who signed the transfer itself have shown: their signature is their approval.
    pub(crate) fn of_signers(conditions: &[Condition], authority: &Authority<'_>) -> Self {
        let mut marks = Self(vec![Mark::default(); conditions.len()]);
        for (mark, condition) in marks.0.iter_mut().zip(conditions) {
            for (at, member) in members(condition).as_slice().iter().enumerate() {
                if authority.signs(member) {
                    mark.met |= 1 << at;
                }
            }
        }
        marks
    }

    /// Marks read from elsewhere; `None` when a condition cannot have them.
    pub(crate) fn checked(list: Vec<Mark>, conditions: &[Condition]) -> Option<Self> {
        let fits = |(mark, condition): (&Mark, &Condition)| {
            let bits = match condition {
                Condition::Preimage { .. } => 1,
                other => members(other).as_slice().len(),
            };
            let within = bits >= 16 || u32::from(mark.met | mark.against) >> bits == 0;
            // Only a threshold survives a refusal.
            let silent = mark.against == 0 || matches!(condition, Condition::Threshold { .. });
            within && silent && mark.met & mark.against == 0
        };
        let whole = list.len() == conditions.len() && list.iter().zip(conditions).all(fits);
        whole.then_some(Self(list))
    }

    pub(crate) fn as_slice(&self) -> &[Mark] {
        &self.0
    }

    /// True when condition number `at` is met at this time.
    pub(crate) fn is_met(&self, at: usize, condition: &Condition, now: LedgerTime) -> bool {
        let mark = self.0[at];
        match condition {
            Condition::NotBefore(time) => now >= *time,
            Condition::Preimage { .. } => mark.met != 0,
            people => mark.met.count_ones() >= people.needed(),
        }
    }

    /// Marks the approvals of the signers. True when one was new.
    pub(crate) fn approve(
        &mut self,
        conditions: &[Condition],
        authority: &Authority<'_>,
    ) -> Result<bool, Refusal> {
        let mut counted = false;
        for (mark, condition) in self.0.iter_mut().zip(conditions) {
            for (at, member) in members(condition).as_slice().iter().enumerate() {
                if authority.signs(member) {
                    if mark.against & 1 << at != 0 {
                        return Err(Refusal::AlreadyAnswered);
                    }
                    counted |= mark.met & 1 << at == 0;
                    mark.met |= 1 << at;
                }
            }
        }
        Ok(counted)
    }

    /// Marks the refusals of the signers.
    pub(crate) fn refuse(
        &mut self,
        conditions: &[Condition],
        authority: &Authority<'_>,
    ) -> Result<Refused, Refusal> {
        let mut refused = Refused::default();
        for (mark, condition) in self.0.iter_mut().zip(conditions) {
            let members = members(condition);
            let members = members.as_slice();
            for (at, member) in members.iter().enumerate() {
                if authority.signs(member) {
                    if mark.met & 1 << at != 0 {
                        return Err(Refusal::AlreadyAnswered);
                    }
                    refused.counted |= mark.against & 1 << at == 0;
                    mark.against |= 1 << at;
                }
            }
            let left = members.len() as u32 - mark.against.count_ones();
            refused.ends |= left < condition.needed();
        }
        Ok(refused)
    }

    /// Marks the conditions that a preimage with this digest meets. True when one was open.
    pub(crate) fn reveal(
        &mut self,
        conditions: &[Condition],
        shown: &Digest,
    ) -> Result<bool, Refusal> {
        let (mut known, mut counted) = (false, false);
        for (mark, condition) in self.0.iter_mut().zip(conditions) {
            if matches!(condition, Condition::Preimage { sha256 } if sha256 == shown) {
                known = true;
                counted |= mark.met == 0;
                mark.met = 1;
            }
        }
        if known { Ok(counted) } else { Err(Refusal::WrongPreimage) }
    }
}
