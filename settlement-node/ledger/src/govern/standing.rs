//! The state of a participant: what the others let it do.
//!
//! | state | pays | receives | acts |
//! |---|---|---|---|
//! | active | yes | yes | yes |
//! | send-only | yes | no | yes |
//! | receive-only | no | yes | yes |
//! | blocked | no | no | may refuse and cancel waiting transfers, withdraw, and revoke its own keys |
//! | removed | no | no | never again: its keys are not live |
//!
//! A new payment against a state is refused. What waits is judged when it would settle, and then released; until then,
//! or until its deadline, it may still settle if the state is lifted. A hold can be cancelled without the signature of
//! a party that is blocked or removed. Removal is for ever, so what waits for a removed participant is ended by the
//! ledger itself, block by block, and its balances are redeemed by the issuer alone.

use crate::apply::Authority;
use crate::batch::Authorisation;
use crate::command::{Command, Leg};
use crate::id::ParticipantNumber;
use crate::limits::SWEEP_PER_BLOCK_MAX;
use crate::progress::Cause;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// What the others let a participant do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ParticipantState {
    /// Everything.
    #[default]
    Active = 1,
    /// It pays but does not receive.
    SendOnly = 2,
    /// It receives but does not pay.
    ReceiveOnly = 3,
    /// It neither pays nor receives; it can end what it has under way.
    Blocked = 4,
    /// It is gone, for ever.
    Removed = 5,
}

impl ParticipantState {
    /// The state of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Active),
            2 => Some(Self::SendOnly),
            3 => Some(Self::ReceiveOnly),
            4 => Some(Self::Blocked),
            5 => Some(Self::Removed),
            _ => None,
        }
    }

    /// The state in lower-case words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::SendOnly => "send-only",
            Self::ReceiveOnly => "receive-only",
            Self::Blocked => "blocked",
            Self::Removed => "removed",
        }
    }

    /// True when its accounts may be debited.
    #[must_use]
    pub const fn may_pay(self) -> bool {
        matches!(self, Self::Active | Self::SendOnly)
    }

    /// True when its accounts may be credited.
    #[must_use]
    pub const fn may_receive(self) -> bool {
        matches!(self, Self::Active | Self::ReceiveOnly)
    }

    /// True when it votes and its agreement is asked for.
    #[must_use]
    pub const fn takes_part(self) -> bool {
        !matches!(self, Self::Blocked | Self::Removed)
    }
}

impl Command {
    /// Ends something and begins nothing: what a blocked participant may still do.
    pub(crate) const fn only_ends(&self) -> bool {
        matches!(self, Self::Refuse(_) | Self::Cancel(_) | Self::Withdraw(_) | Self::RevokeKey(_))
    }
}

impl Ledger {
    /// The state of a participant; active where nothing was decided about it.
    #[must_use]
    pub fn participant_state(&self, number: ParticipantNumber) -> ParticipantState {
        self.gov.states.get(number.0 as usize).copied().unwrap_or_default()
    }

    /// Whether the owners of the two accounts of a leg may pay and receive.
    pub(crate) fn check_standing(&self, leg: &Leg) -> Result<(), Refusal> {
        self.check_may_pay(self.authorised(leg.debit).owner)?;
        self.check_may_receive(self.authorised(leg.credit).owner)
    }

    /// Whether a participant may pay.
    pub(crate) fn check_may_pay(&self, owner: ParticipantNumber) -> Result<(), Refusal> {
        let may = self.participant_state(owner).may_pay();
        if may { Ok(()) } else { Err(Refusal::DebtorSuspended) }
    }

    /// Whether a participant may receive.
    pub(crate) fn check_may_receive(&self, owner: ParticipantNumber) -> Result<(), Refusal> {
        let may = self.participant_state(owner).may_receive();
        if may { Ok(()) } else { Err(Refusal::CreditorSuspended) }
    }

    /// True when one of the signers is blocked, so that not everything in the batch may be done.
    pub(crate) fn suspends(&self, signers: &[Authorisation]) -> bool {
        let blocked = |one: &Authorisation| !self.participant_state(one.participant).takes_part();
        !self.gov.states.is_empty() && signers.iter().any(blocked)
    }

    /// True when the participant agrees to the end of a hold: it has signed, or nobody asks it any more.
    pub(crate) fn agrees_to_end(
        &self,
        authority: &Authority<'_>,
        participant: ParticipantNumber,
    ) -> bool {
        authority.includes(participant) || !self.participant_state(participant).takes_part()
    }

    /// Ends what waits for removed participants, as far as one block goes.
    pub(crate) fn sweep_removed(&mut self) {
        let mut left = SWEEP_PER_BLOCK_MAX;
        while let Some((participant, mut place)) = self.gov.sweeping.pop_first() {
            self.gov.changed = true;
            let places = self.waiting.slots().len() as u32;
            while place < places && left > 0 {
                self.end_if_party(place, participant);
                place += 1;
                left -= 1;
            }
            if place < places {
                self.gov.sweeping.insert(participant, place);
                return;
            }
        }
    }

    fn end_if_party(&mut self, place: u32, participant: ParticipantNumber) {
        let Some(waiting) = self.waiting.place(place) else { return };
        let pays = self.owners_debited(waiting).any(|owner| owner == participant);
        let receives = self.owners_credited(waiting).any(|owner| owner == participant);
        if pays {
            self.release(place, Refusal::DebtorSuspended, Cause::Time);
        } else if receives {
            self.release(place, Refusal::CreditorSuspended, Cause::Time);
        }
    }
}
