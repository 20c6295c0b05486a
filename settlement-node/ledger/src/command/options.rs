//! What a transfer may ask beyond "settle now or refuse": times, queueing, returns and release conditions.
//!
//! The shape is complete so that recorded bytes need not change when a rule is switched on. In rule version 1
//! only the deadline acts; a transfer that sets anything else is refused with `RuleNotActive`. Release
//! conditions are a small, total language: every one of a transfer's conditions must be met.

use crate::id::{Digest, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::refusal::Refusal;

/// Options of a transfer. The default asks for nothing and is never written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransferOptions {
    /// Settle no earlier than this.
    pub not_before: Option<LedgerTime>,
    /// Refuse when the ledger's time is later than this.
    pub deadline: Option<LedgerTime>,
    /// Place in the queue.
    pub priority: Priority,
    /// What to do when cover is short.
    pub on_shortage: OnShortage,
    /// The settled transfer that this one returns in part or whole.
    pub returns: Option<TransferId>,
    /// What must happen before the transfer settles; all of them.
    pub conditions: Vec<Condition>,
}

/// Place of a waiting transfer in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Before all others.
    Urgent = 1,
    /// After urgent ones.
    High = 2,
    /// After all others.
    #[default]
    Normal = 3,
}

/// What a transfer wants when a debited account is short of cover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnShortage {
    /// Refuse at once.
    #[default]
    Refuse = 1,
    /// Wait in the queue until the deadline.
    Queue = 2,
}

/// One thing that must happen before a transfer settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A participant approves.
    Approval {
        /// Who must approve.
        participant: ParticipantNumber,
    },
    /// The holder of a key approves.
    KeyApproval {
        /// The key that must sign.
        key: PublicKey,
    },
    /// At least `k` of the named approvers approve.
    Threshold {
        /// How many must approve: 1 to the number of approvers.
        k: u8,
        /// Who may approve: 1 to 16.
        of: Vec<Approver>,
    },
    /// Somebody shows the preimage of a SHA-256 digest.
    Preimage {
        /// The digest.
        sha256: Digest,
    },
    /// The ledger's time has reached this.
    NotBefore(LedgerTime),
}

/// One member of a threshold condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approver {
    /// A participant, by any of its live keys.
    Participant(ParticipantNumber),
    /// The holder of a key.
    Key(PublicKey),
}

impl TransferOptions {
    /// Whether the options are active, and the deadline.
    pub(crate) fn check(&self, now: LedgerTime) -> Result<(), Refusal> {
        let Self { not_before, deadline, priority, on_shortage, returns, conditions } = self;
        let only_deadline = not_before.is_none()
            && *priority == Priority::default()
            && *on_shortage == OnShortage::default()
            && returns.is_none()
            && conditions.is_empty();
        if !only_deadline {
            return Err(Refusal::RuleNotActive);
        }
        #[cfg(feature = "planted")]
        let deadline = if crate::planted::is(crate::planted::Bug::DeadlineNeverFires) {
            &None
        } else {
            deadline
        };
        match deadline {
            Some(deadline) if now > *deadline => Err(Refusal::DeadlinePassed),
            _ => Ok(()),
        }
    }
}
