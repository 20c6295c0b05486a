//! The closed list of what may change the ledger: one command a file, its `check` and `apply` side by side.
//!
//! `check` reads the state and answers with a refusal or a plan; `apply` carries the plan out and cannot fail.
//! Nothing else writes to the state. A command says what its sender wants; who may want it is in its file.

mod activate_rules;
mod add_asset;
mod add_key;
mod admit_participant;
mod approve;
mod cancel;
mod confirm;
mod erase_document;
mod exchange;
mod issue;
mod open_account;
mod options;
mod place_quote;
mod propose;
mod record_access;
mod redeem;
mod refuse;
mod reorder;
mod report_credit;
mod retire_key;
mod return_exchange;
mod reveal;
mod revoke_key;
mod set_account_status;
mod set_floor;
mod set_funding_limit;
mod set_reporting;
mod set_sealing_key;
mod transfer;
mod vote;
mod withdraw;

mod attest;
mod set_acceptance;
mod set_limit;
mod set_notices;
mod set_reservation;
mod withdraw_quote;

pub use activate_rules::{ActivateRules, RULES_FIRST, RULES_LAST, RULES_LIFE_CYCLE};
pub use add_asset::AddAsset;
pub use add_key::AddKey;
pub use admit_participant::AdmitParticipant;
pub use approve::Approve;
pub use cancel::Cancel;
pub use confirm::Confirm;
pub use erase_document::EraseDocument;
pub use exchange::{Exchange, ExchangeAmount};
pub use issue::Issue;
pub use open_account::OpenAccount;
pub use options::{Approver, Condition, OnShortage, Priority, TransferOptions};
pub use place_quote::PlaceQuote;
pub use propose::Propose;
pub use record_access::{Access, RecordAccess};
pub use redeem::Redeem;
pub use refuse::Refuse;
pub use reorder::{Position, Reorder};
pub use report_credit::{CreditOutcome, ReportCredit};
pub use retire_key::RetireKey;
pub use return_exchange::ReturnExchange;
pub use reveal::Reveal;
pub use revoke_key::RevokeKey;
pub use set_account_status::SetAccountStatus;
pub use set_floor::SetFloor;
pub use set_funding_limit::SetFundingLimit;
pub use set_reporting::SetReporting;
pub use set_sealing_key::SetSealingKey;
pub(crate) use transfer::{Course, check_bounds};
pub use transfer::{Leg, Legs, LegsError, Transfer};
pub use vote::Vote;
pub use withdraw::Withdraw;

pub use attest::Attest;
pub use set_acceptance::SetAcceptance;
pub use set_limit::{Limit, LimitSetter, Pace, SetLimit};
pub use set_notices::SetNotices;
pub use set_reservation::SetReservation;
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
    /// Admit a participant. In genesis only; later as the content of a proposal.
    AdmitParticipant(AdmitParticipant),
    /// Add an asset. In genesis only; later as the content of a proposal.
    AddAsset(AddAsset),
    /// Activate a version of the rules. In genesis only; later as the content of a proposal.
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
    /// Propose something to the voters.
    Propose(Propose),
    /// Vote on a proposal.
    Vote(Vote),
    /// Withdraw a proposal, or an act that waits for its second person.
    Withdraw(Withdraw),
    /// Confirm an act as its second person.
    Confirm(Confirm),
    /// Add a signing key of one's own.
    AddKey(AddKey),
    /// Retire a signing key of one's own.
    RetireKey(RetireKey),
    /// Revoke a signing key of one's own.
    RevokeKey(RevokeKey),
    /// Change one's own sealing key.
    SetSealingKey(SetSealingKey),
    /// Set the amount above which issuing and redeeming takes two people.
    SetFundingLimit(SetFundingLimit),
    /// Set, change or end a limit of an account.
    SetLimit(SetLimit),
    /// Keep a part of what is available for urgent or high transfers.
    SetReservation(SetReservation),
    /// Accept what comes to an account before it settles.
    SetAcceptance(SetAcceptance),
    /// Ask for notices about the balance of an account.
    SetNotices(SetNotices),
    /// Record the digest of a document.
    Attest(Attest),
    /// Record that party data is read, or was erased. Boxed: seldom, and longer than what moves money.
    RecordAccess(Box<RecordAccess>),
    /// Certify that one's keys to the document of a payment are destroyed. Boxed as well.
    EraseDocument(Box<EraseDocument>),
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
            Self::Propose(propose) => Some(propose.id),
            Self::AddKey(add) => Some(add.id),
            Self::SetSealingKey(set) => Some(set.id),
            Self::SetFundingLimit(set) => Some(set.id),
            Self::SetLimit(set) => Some(set.id),
            Self::SetReservation(set) => Some(set.id),
            Self::SetAcceptance(set) => Some(set.id),
            Self::SetNotices(set) => Some(set.id),
            Self::Attest(attest) => Some(attest.id),
            Self::RecordAccess(access) => Some(access.id),
            Self::EraseDocument(erase) => Some(erase.id),
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
            | Self::Vote(_)
            | Self::Withdraw(_)
            | Self::Confirm(_)
            | Self::RetireKey(_)
            | Self::RevokeKey(_)
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
            Self::Propose(_) => "propose",
            Self::Vote(_) => "vote",
            Self::Withdraw(_) => "withdraw",
            Self::Confirm(_) => "confirm",
            Self::AddKey(_) => "add-key",
            Self::RetireKey(_) => "retire-key",
            Self::RevokeKey(_) => "revoke-key",
            Self::SetSealingKey(_) => "set-sealing-key",
            Self::SetFundingLimit(_) => "set-funding-limit",
            Self::SetLimit(_) => "set-limit",
            Self::SetReservation(_) => "set-reservation",
            Self::SetAcceptance(_) => "set-acceptance",
            Self::SetNotices(_) => "set-notices",
            Self::Attest(_) => "attest",
            Self::RecordAccess(_) => "record-access",
            Self::EraseDocument(_) => "erase-document",
            Self::PlaceQuote(_) => "place-quote",
            Self::WithdrawQuote(_) => "withdraw-quote",
            Self::Exchange(_) => "exchange",
            Self::ReturnExchange(_) => "return-exchange",
            Self::ReportCredit(_) => "report-credit",
            Self::SetReporting(_) => "set-reporting",
        }
    }
}
