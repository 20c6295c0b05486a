//! Facts that applying a batch establishes, in order: the source of notices.
//!
//! Events carry positions and numbers, not copies: the caller has the batch at hand and can query the ledger.
//! A refusal or a repetition establishes nothing and has no event.

use crate::account::AccountStatus;
use crate::answer::Stage;
use crate::id::{AccountNumber, AssetNumber, ParticipantNumber};

/// Something that happened. `position` is the place of the command in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A transfer, issue or redemption moved money.
    Settled {
        /// Place of the command in its batch.
        position: u32,
        /// Its leaf in the record log.
        leaf: u64,
    },
    /// A transfer was taken and waits.
    Waits {
        /// Place of the command in its batch.
        position: u32,
        /// Its leaf in the record log.
        leaf: u64,
        /// Where it waits.
        stage: Stage,
    },
    /// An approval, refusal, preimage or cancellation of a waiting transfer counted.
    Answered {
        /// Place of the command in its batch.
        position: u32,
    },
    /// A waiting transfer was moved in the queue.
    Reordered {
        /// Place of the command in its batch.
        position: u32,
    },
    /// A version of the rules is active.
    RulesActivated {
        /// Place of the command in its batch.
        position: u32,
        /// The version.
        version: u16,
    },
    /// An account was opened.
    AccountOpened {
        /// Place of the command in its batch.
        position: u32,
        /// The new account.
        number: AccountNumber,
    },
    /// The credit line of an account changed.
    FloorSet {
        /// Place of the command in its batch.
        position: u32,
        /// The account.
        account: AccountNumber,
    },
    /// The status of an account changed.
    AccountStatusSet {
        /// Place of the command in its batch.
        position: u32,
        /// The account.
        account: AccountNumber,
        /// Its new status.
        status: AccountStatus,
    },
    /// A participant was admitted.
    ParticipantAdmitted {
        /// Place of the command in its batch.
        position: u32,
        /// The new participant.
        number: ParticipantNumber,
    },
    /// An asset was added.
    AssetAdded {
        /// Place of the command in its batch.
        position: u32,
        /// The new asset.
        number: AssetNumber,
    },
    /// A quote was placed. What becomes of quotes is in `FxOutputs`.
    QuotePlaced {
        /// Place of the command in its batch.
        position: u32,
    },
    /// A quote was withdrawn.
    QuoteWithdrawn {
        /// Place of the command in its batch.
        position: u32,
    },
    /// A bank reported what became of a credit.
    CreditReported {
        /// Place of the command in its batch.
        position: u32,
    },
    /// The reporting of an account's credits was set.
    ReportingSet {
        /// Place of the command in its batch.
        position: u32,
        /// The account.
        account: AccountNumber,
    },
}
