//! The closed list of what may change the ledger: one command a file, its `check` and `apply` side by side.
//!
//! `check` reads the state and answers with a refusal or a plan; `apply` carries the plan out and cannot fail.
//! Nothing else writes to the state. A command says what its sender wants; who may want it is in its file.

mod add_asset;
mod admit_participant;
mod issue;
mod open_account;
mod options;
mod redeem;
mod set_account_status;
mod set_floor;
mod transfer;

pub use add_asset::AddAsset;
pub use admit_participant::AdmitParticipant;
pub use issue::Issue;
pub use open_account::OpenAccount;
pub use options::{Approver, Condition, OnShortage, Priority, TransferOptions};
pub use redeem::Redeem;
pub use set_account_status::SetAccountStatus;
pub use set_floor::SetFloor;
pub use transfer::{Leg, Legs, LegsError, Transfer};

use crate::id::TransferId;

/// One thing that a participant asks of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Move money between accounts.
    Transfer(Transfer),
    /// Create money on an account, by the asset's issuer.
    Issue(Issue),
    /// Take money out of circulation, by the asset's issuer and the account's owner.
    Redeem(Redeem),
    /// Open an account.
    OpenAccount(OpenAccount),
    /// Set the credit line of an account.
    SetFloor(SetFloor),
    /// Restrict, release or close an account.
    SetAccountStatus(SetAccountStatus),
    /// Admit a participant. In genesis only, until governance is active.
    AdmitParticipant(AdmitParticipant),
    /// Add an asset. In genesis only, until governance is active.
    AddAsset(AddAsset),
}

impl Command {
    /// The id that makes a repetition recognisable; `None` for commands that can succeed only once as it is:
    /// what they open, admit or add exists from then on, and their repetition is refused for that.
    #[must_use]
    pub const fn id(&self) -> Option<TransferId> {
        match self {
            Self::Transfer(transfer) => Some(transfer.id),
            Self::Issue(issue) => Some(issue.id),
            Self::Redeem(redeem) => Some(redeem.id),
            Self::SetFloor(set) => Some(set.id),
            Self::SetAccountStatus(set) => Some(set.id),
            Self::OpenAccount(_) | Self::AdmitParticipant(_) | Self::AddAsset(_) => None,
        }
    }

    /// The command in one lower-case word, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Transfer(_) => "transfer",
            Self::Issue(_) => "issue",
            Self::Redeem(_) => "redeem",
            Self::OpenAccount(_) => "open-account",
            Self::SetFloor(_) => "set-floor",
            Self::SetAccountStatus(_) => "set-account-status",
            Self::AdmitParticipant(_) => "admit-participant",
            Self::AddAsset(_) => "add-asset",
        }
    }
}
