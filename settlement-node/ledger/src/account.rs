//! An account: what the owner has, what is reserved, how far below zero it may go, and its status.
//!
//! `Account` is the hot part: 64 bytes, one cache line, held densely by account number. Names are elsewhere
//! (`registry.rs`). `available = posted - held - floor` is defined here and nowhere else. A positive balance
//! is the owner's claim; the sum of all accounts of an asset is what was issued less what was redeemed.

use crate::amount::{Amount, Balance};
use crate::id::{AccountNumber, AssetNumber, ParticipantNumber};
use crate::name::AccountName;
use crate::refusal::Refusal;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AccountStatus {
    /// Pays and receives.
    Open = 1,
    /// Receives only.
    CreditOnly = 2,
    /// Pays only.
    DebitOnly = 3,
    /// Neither pays nor receives; its balance stays.
    Blocked = 4,
    /// Empty and gone, for ever.
    Closed = 5,
}

impl AccountStatus {
    /// The status of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Open),
            2 => Some(Self::CreditOnly),
            3 => Some(Self::DebitOnly),
            4 => Some(Self::Blocked),
            5 => Some(Self::Closed),
            _ => None,
        }
    }

    /// True when the account may be debited.
    #[must_use]
    pub const fn may_pay(self) -> bool {
        matches!(self, Self::Open | Self::DebitOnly)
    }

    /// True when the account may be credited.
    #[must_use]
    pub const fn may_receive(self) -> bool {
        matches!(self, Self::Open | Self::CreditOnly)
    }
}

/// The hot part of an account. Written only by commands; the public fields of a copy change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Account {
    /// Balance after everything settled.
    pub posted: Balance,
    /// Part of the balance reserved for holds, zero or more.
    pub held: Balance,
    /// Lowest value of `posted - held` allowed, in minor units: zero or negative.
    pub floor: i64,
    /// Who owns the account.
    pub owner: ParticipantNumber,
    /// What it holds.
    pub asset: AssetNumber,
    /// What it may do.
    pub status: AccountStatus,
    /// On the list of accounts to hash again at the next seal. No part of the replicated state.
    pub(crate) touched: bool,
    /// A queued transfer waits for its cover. Follows from the waiting transfers.
    pub(crate) queued: bool,
    /// Its owner reports each credit (`fx/last_mile.rs`). Follows from the list of those.
    pub(crate) reports: bool,
}

const _: () = assert!(size_of::<Account>() == 64);

impl Account {
    /// A new account.
    pub(crate) const fn open(owner: ParticipantNumber, asset: AssetNumber) -> Self {
        Self {
            posted: Balance::ZERO,
            held: Balance::ZERO,
            floor: 0,
            owner,
            asset,
            status: AccountStatus::Open,
            touched: false,
            queued: false,
            reports: false,
        }
    }

    /// What may be paid out now: `posted - held - floor`.
    #[must_use]
    pub const fn available(&self) -> Balance {
        // Three values within 2^100, 2^100 and 2^63: the sum is far from the ends of an i128.
        Balance::new(self.posted.minor() - self.held.minor() - self.floor as i128)
    }

    /// True when nothing is posted or held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.posted.minor() == 0 && self.held.minor() == 0
    }

    /// Refuses when the status does not let the account pay.
    pub(crate) const fn check_may_pay(&self) -> Result<(), Refusal> {
        match self.status {
            AccountStatus::Open | AccountStatus::DebitOnly => Ok(()),
            AccountStatus::CreditOnly => Err(Refusal::DebitNotAllowed),
            AccountStatus::Blocked => Err(Refusal::DebitAccountBlocked),
            AccountStatus::Closed => Err(Refusal::DebitAccountClosed),
        }
    }

    /// Refuses when the status does not let the account receive.
    pub(crate) const fn check_may_receive(&self) -> Result<(), Refusal> {
        match self.status {
            AccountStatus::Open | AccountStatus::CreditOnly => Ok(()),
            AccountStatus::DebitOnly => Err(Refusal::CreditNotAllowed),
            AccountStatus::Blocked => Err(Refusal::CreditAccountBlocked),
            AccountStatus::Closed => Err(Refusal::CreditAccountClosed),
        }
    }

    /// True when `amount` may be paid out now.
    pub(crate) const fn covers(&self, amount: Amount) -> bool {
        self.available().minor() >= amount.minor() as i128
    }
}

/// An account with its name: what queries return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountView {
    /// Its number.
    pub number: AccountNumber,
    /// Its full name.
    pub name: AccountName,
    /// Its state.
    pub account: Account,
}

impl std::ops::Deref for AccountView {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}
