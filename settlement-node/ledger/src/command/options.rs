//! What a transfer may ask beyond "settle now or refuse": times, queueing, returns and release conditions.
//!
//! In rule version 1 only the deadline acts; a transfer that sets anything else is refused with `RuleNotActive`.
//! From version 2 on all of them act (`life.rs`), and a transfer that may wait must name a deadline. Release
//! conditions are a small, total language: every one of a transfer's conditions must be met.

use crate::id::{Digest, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::limits::{CONDITIONS_MAX, THRESHOLD_MEMBERS_MAX, WAIT_NANOSECONDS_MAX};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::transfer::Transfer;

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
    /// That transfer as it was sent: its content digest is what the ledger remembers of it. It returns nothing
    /// itself.
    pub original: Option<Box<Transfer>>,
    /// What must happen before the transfer settles; all of them.
    pub conditions: Vec<Condition>,
    /// When it still waits after this, both sides are told; it goes on waiting until the deadline.
    pub till: Option<LedgerTime>,
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

impl Priority {
    /// The priority of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Urgent),
            2 => Some(Self::High),
            3 => Some(Self::Normal),
            _ => None,
        }
    }
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
    /// True when the transfer may have to wait.
    fn may_wait(&self) -> bool {
        self.not_before.is_some()
            || self.on_shortage == OnShortage::Queue
            || !self.conditions.is_empty()
    }

    /// Rule version 2: deadline, times and conditions.
    pub(crate) fn check(&self, ledger: &Ledger, now: LedgerTime) -> Result<(), Refusal> {
        let deadline = match self.deadline {
            Some(deadline) if now > deadline => return Err(Refusal::DeadlinePassed),
            Some(deadline) => deadline,
            None if self.may_wait() => return Err(Refusal::DeadlineMissing),
            None => return Ok(()),
        };
        if !self.may_wait() {
            return Ok(());
        }
        if deadline.0 - now.0 > WAIT_NANOSECONDS_MAX {
            return Err(Refusal::DeadlineTooFar);
        }
        let starts = self.conditions.iter().filter_map(|condition| match condition {
            Condition::NotBefore(time) => Some(*time),
            _ => None,
        });
        if starts.chain(self.not_before).any(|start| start > deadline) {
            return Err(Refusal::StartAfterDeadline);
        }
        if self.till.is_some_and(|till| till > deadline) {
            return Err(Refusal::TillAfterDeadline);
        }
        self.conditions.iter().try_for_each(|condition| condition.check(ledger))
    }

    /// Rule version 1: whether the options are active, and the deadline.
    pub(crate) fn check_first_rules(&self, now: LedgerTime) -> Result<(), Refusal> {
        let Self {
            not_before,
            deadline,
            priority,
            on_shortage,
            returns,
            original,
            conditions,
            till,
        } = self;
        let only_deadline = not_before.is_none()
            && *priority == Priority::default()
            && *on_shortage == OnShortage::default()
            && returns.is_none()
            && original.is_none()
            && conditions.is_empty()
            && till.is_none();
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

impl Condition {
    /// Whether the condition can be met: its approvers exist, and none counts twice.
    fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let exists = |approver: &Approver| match approver {
            Approver::Participant(number) if ledger.participant(*number).is_none() => {
                Err(Refusal::UnknownParticipant)
            }
            Approver::Key(key) if !ledger.is_anybodys_live_key(key) => Err(Refusal::UnknownKey),
            _ => Ok(()),
        };
        match self {
            Self::Approval { participant } => exists(&Approver::Participant(*participant)),
            Self::KeyApproval { key } => exists(&Approver::Key(*key)),
            Self::Threshold { of, .. } => {
                of.iter().try_for_each(exists)?;
                let twice = (1..of.len()).any(|at| of[..at].contains(&of[at]));
                if twice { Err(Refusal::ApproverTwice) } else { Ok(()) }
            }
            Self::Preimage { .. } | Self::NotBefore(_) => Ok(()),
        }
    }

    /// True when the counts are within their limits.
    pub(crate) fn is_well_formed(&self) -> bool {
        match self {
            Self::Threshold { k, of } => {
                (1..=THRESHOLD_MEMBERS_MAX).contains(&of.len())
                    && (1..=of.len()).contains(&usize::from(*k))
            }
            _ => true,
        }
    }
}

impl TransferOptions {
    /// True when the counts are within their limits.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.conditions.len() <= CONDITIONS_MAX
            && self.conditions.iter().all(Condition::is_well_formed)
    }
}
