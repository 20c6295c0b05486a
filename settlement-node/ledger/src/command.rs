//! The closed list of what may change the ledger: one command a file, its `check` and `apply` side by side.
//!
//! `check` reads the state and answers with a refusal or a plan; `apply` carries the plan out and cannot fail.
//! Nothing else writes to the state. A command says what its sender wants; who may want it is in its file.

mod activate_rules;
mod add_asset;
mod admit_participant;
mod approve;
mod cancel;
mod exchange;
mod issue;
mod open_account;
mod options;
mod place_quote;
mod redeem;
mod refuse;
mod reorder;
mod report_credit;
mod return_exchange;
mod reveal;
mod set_account_status;
mod set_floor;
mod set_reporting;
mod transfer;
mod withdraw_quote;

pub use activate_rules::{ActivateRules, RULES_FIRST, RULES_LAST, RULES_LIFE_CYCLE};
pub use add_asset::AddAsset;
pub use admit_participant::AdmitParticipant;
pub use approve::Approve;
pub use cancel::Cancel;
pub use exchange::{Exchange, ExchangeAmount};
pub use issue::Issue;
pub use open_account::OpenAccount;
pub use options::{Approver, Condition, OnShortage, Priority, TransferOptions};
pub use place_quote::PlaceQuote;
pub use redeem::Redeem;
pub use refuse::Refuse;
pub use reorder::{Position, Reorder};
pub use report_credit::{CreditOutcome, ReportCredit};
pub use return_exchange::ReturnExchange;
pub use reveal::Reveal;
pub use set_account_status::SetAccountStatus;
pub use set_floor::SetFloor;
pub use set_reporting::SetReporting;
pub(crate) use transfer::check_bounds;
pub use transfer::{Leg, Legs, LegsError, Transfer};
pub use withdraw_quote::WithdrawQuote;

use crate::id::{Digest, TransferId};

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
    /// Activate a version of the rules. In genesis only, until governance is active.
    ActivateRules(ActivateRules),
    /// Approve a waiting transfer.
    Approve(Approve),
    /// Refuse a waiting transfer, with a reason.
    Refuse(Refuse),
    /// Show the preimage that a waiting transfer asks for.
    Reveal(Reveal),
    /// Cancel a waiting transfer.
    Cancel(Cancel),
    /// Move a waiting transfer in the queue.
    Reorder(Reorder),
    /// Offer to give one asset for another.
    PlaceQuote(PlaceQuote),
    /// Take a quote out of the book.
    WithdrawQuote(WithdrawQuote),
    /// Pay in one asset and deliver in another.
    Exchange(Exchange),
    /// Give back what an exchange delivered.
    ReturnExchange(ReturnExchange),
    /// Report what became of a credit.
    ReportCredit(ReportCredit),
    /// Set within what time an account's credits are reported.
    SetReporting(SetReporting),
}

impl Command {
    /// The id that makes a repetition recognisable; `None` for commands that can succeed only once as it is:
    /// what they open, admit, add or answer is so from then on, and their repetition is refused or does nothing.
    #[must_use]
    pub const fn id(&self) -> Option<TransferId> {
        match self {
            Self::Transfer(transfer) => Some(transfer.id),
            Self::Issue(issue) => Some(issue.id),
            Self::Redeem(redeem) => Some(redeem.id),
            Self::SetFloor(set) => Some(set.id),
            Self::SetAccountStatus(set) => Some(set.id),
            Self::Reorder(reorder) => Some(reorder.id),
            Self::PlaceQuote(quote) => Some(quote.id),
            Self::Exchange(exchange) => Some(exchange.id),
            Self::ReturnExchange(back) => Some(back.id),
            Self::SetReporting(set) => Some(set.id),
            Self::OpenAccount(_)
            | Self::AdmitParticipant(_)
            | Self::AddAsset(_)
            | Self::ActivateRules(_)
            | Self::Approve(_)
            | Self::Refuse(_)
            | Self::Reveal(_)
            | Self::Cancel(_)
            | Self::WithdrawQuote(_)
            | Self::ReportCredit(_) => None,
        }
    }

    /// Digest of the document that belongs to the command, for those that move money between banks.
    #[must_use]
    pub const fn document(&self) -> Option<Digest> {
        match self {
            Self::Transfer(transfer) => transfer.document,
            Self::Exchange(exchange) => exchange.document,
            Self::ReturnExchange(back) => back.document,
            _ => None,
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
            Self::ActivateRules(_) => "activate-rules",
            Self::Approve(_) => "approve",
            Self::Refuse(_) => "refuse",
            Self::Reveal(_) => "reveal",
            Self::Cancel(_) => "cancel",
            Self::Reorder(_) => "reorder",
            Self::PlaceQuote(_) => "place-quote",
            Self::WithdrawQuote(_) => "withdraw-quote",
            Self::Exchange(_) => "exchange",
            Self::ReturnExchange(_) => "return-exchange",
            Self::ReportCredit(_) => "report-credit",
            Self::SetReporting(_) => "set-reporting",
        }
    }
}
