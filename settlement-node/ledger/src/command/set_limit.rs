//! Limiting what an account may pay: by payment, over time, towards one participant, and towards all others.
//!
//! Who must sign: the owner, or for a limit by payment or over time the issuer of the asset, as `by` says. Each keeps
//! a limit of its own and the stricter one binds; neither can lift that of the other. Limits towards others are the
//! owner's alone: they say whom it trusts, not what it may do.
//!
//! - *payment*: the most that one transfer takes from the account in sum. It is no matter of waiting: a transfer above
//!   it is refused, and one in the queue is released when it is looked at next. A hold stands.
//! - *velocity*: the most that is taken within a window of ledger time. Holds count as long as they live.
//! - *bilateral*, *multilateral*: the most by which what is paid to another participant, or to all others, may pass what
//!   came from there since the limit was first set (the position). They bind transfers of normal priority; all transfers
//!   count. What a hold would pay counts as paid; what comes back counts once it has settled.
//!
//! Issuing and redeeming, which both sides sign, are not limited. Anybody can send a signed batch again: the id keeps a
//! repetition from bringing back a limit that was changed since.

use crate::account::AccountStatus;
use crate::apply::Authority;
use crate::id::{AccountNumber, ParticipantNumber, TransferId};
use crate::limits::{
    BILATERAL_LIMITS_MAX, VELOCITY_WINDOW_NANOSECONDS_MAX, VELOCITY_WINDOW_NANOSECONDS_MIN,
};
use crate::liquidity::{Position, Velocity};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Sets, changes or ends a limit of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetLimit {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The account.
    pub account: AccountNumber,
    /// Whose limit it is.
    pub by: LimitSetter,
    /// Which limit, and what it becomes.
    pub limit: Limit,
}

/// Whose limit it is. Each has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LimitSetter {
    /// The owner of the account.
    Owner = 1,
    /// The issuer of the asset.
    Issuer = 2,
}

impl LimitSetter {
    /// The setter of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Owner),
            2 => Some(Self::Issuer),
            _ => None,
        }
    }
}

/// A limit. `None` as its value ends it. Amounts are in minor units of the account's asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The most that one transfer takes.
    Payment {
        /// The limit.
        most: Option<u64>,
    },
    /// The most that is taken within a window. Changing it keeps what was taken while the window stays.
    Velocity {
        /// The limit.
        most: Option<Pace>,
    },
    /// The most that may be owed in sum to one participant.
    Bilateral {
        /// The other participant.
        towards: ParticipantNumber,
        /// The limit.
        most: Option<u64>,
        /// Count from zero again, as at the beginning of a day.
        restart: bool,
    },
    /// The most that may be owed in sum to all others.
    Multilateral {
        /// The limit.
        most: Option<u64>,
        /// Count from zero again, as at the beginning of a day.
        restart: bool,
    },
}

/// An amount within a window of ledger time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The most that is taken within the window.
    pub amount: u64,
    /// Length of the window in nanoseconds: a second to 400 days.
    pub window: u64,
    /// False: windows follow each other, from time 0 on. True: the window moves along in sixteenths of its length, and
    /// what was taken is forgotten between one length and one and a sixteenth later.
    pub rolling: bool,
}

impl SetLimit {
    /// Form, account, the signature of whose limit it is.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        if !self.is_well_formed() {
            return Err(Refusal::Malformed);
        }
        let account = ledger.hot(self.account).ok_or(Refusal::UnknownAccount)?;
        let who = match self.by {
            LimitSetter::Owner => account.owner,
            LimitSetter::Issuer => ledger.issuer_of(account),
        };
        if authority.includes(who) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// True when the window is within its bounds and the limit may be whose it is said to be.
    pub(crate) fn is_well_formed(&self) -> bool {
        let bounds = VELOCITY_WINDOW_NANOSECONDS_MIN..=VELOCITY_WINDOW_NANOSECONDS_MAX;
        match self.limit {
            Limit::Payment { .. } | Limit::Velocity { most: None } => true,
            Limit::Velocity { most: Some(pace) } => bounds.contains(&pace.window),
            Limit::Bilateral { .. } | Limit::Multilateral { .. } => self.by == LimitSetter::Owner,
        }
    }

    /// Status, the other participant, room.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let account = ledger.authorised(self.account);
        if account.status == AccountStatus::Closed {
            return Err(Refusal::AccountClosed);
        }
        if let Limit::Bilateral { towards, most, .. } = self.limit {
            if ledger.participant(towards).is_none() {
                return Err(Refusal::UnknownParticipant);
            }
            if towards == account.owner {
                return Err(Refusal::LimitTowardsOneself);
            }
            let controls = ledger.liquidity.of(self.account);
            let full = controls.is_some_and(|controls| {
                controls.bilateral.len() >= BILATERAL_LIMITS_MAX
                    && !controls.bilateral.contains_key(&towards)
            });
            if full && most.is_some() {
                return Err(Refusal::LimitReached);
            }
        }
        Ok(())
    }

    /// Sets it.
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        let by = usize::from(self.by == LimitSetter::Issuer);
        let limit = self.limit;
        ledger.change_controls(self.account, |controls| match limit {
            Limit::Payment { most } => controls.payment[by] = most,
            Limit::Velocity { most } => {
                let before = controls.velocity[by].take();
                controls.velocity[by] = most.map(|pace| Velocity::changed(pace, before));
            }
            Limit::Bilateral { towards, most, restart } => {
                let before = controls.bilateral.remove(&towards);
                if let Some(most) = most {
                    controls.bilateral.insert(towards, Position::changed(most, before, restart));
                }
            }
            Limit::Multilateral { most, restart } => {
                let before = controls.multilateral.take();
                controls.multilateral = most.map(|most| Position::changed(most, before, restart));
            }
        });
    }
}
