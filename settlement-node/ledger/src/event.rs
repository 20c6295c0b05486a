//! Facts that applying a batch establishes, in order: the source of notices.
//!
//! Events carry positions and numbers, not copies: the caller has the batch at hand and can query the ledger.
//! A refusal or a repetition establishes nothing and has no event.

use crate::account::AccountStatus;
use crate::answer::{Answer, Stage};
use crate::govern::ParticipantState;
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
    /// Votes on a proposal counted. What it brought about, if it was carried, comes before; how it ended is in the
    /// `Progress` of its id.
    Voted {
        /// Place of the command in its batch.
        position: u32,
    },
    /// A proposal or act was withdrawn.
    Withdrawn {
        /// Place of the command in its batch.
        position: u32,
    },
    /// The state of a participant changed.
    ParticipantStateSet {
        /// Place of the command in its batch.
        position: u32,
        /// The participant.
        participant: ParticipantNumber,
        /// Its new state.
        state: ParticipantState,
    },
    /// Signing keys of a participant changed, or a change was planned; or its sealing key changed.
    KeysChanged {
        /// Place of the command in its batch.
        position: u32,
        /// The participant.
        participant: ParticipantNumber,
    },
    /// The business hours of an asset changed.
    CalendarSet {
        /// Place of the command in its batch.
        position: u32,
        /// The asset.
        asset: AssetNumber,
    },
    /// The most that a leg may move of an asset changed.
    LegLimitSet {
        /// Place of the command in its batch.
        position: u32,
        /// The asset.
        asset: AssetNumber,
    },
    /// The amount above which funding an asset takes two people changed.
    FundingLimitSet {
        /// Place of the command in its batch.
        position: u32,
        /// The asset.
        asset: AssetNumber,
    },
    /// The participants decided about a voting node. The ledger records it; no node joins or leaves by it yet.
    NodeDecided {
        /// Place of the command in its batch.
        position: u32,
        /// The id of the node.
        node: u64,
    },
    /// The number of faulty nodes that a final checkpoint tolerates changed.
    FinalitySet {
        /// Place of the command in its batch.
        position: u32,
        /// The number.
        faulty: u16,
    },
    /// Who votes, and how many it takes, changed.
    VotingSet {
        /// Place of the command in its batch.
        position: u32,
    },
    /// A limit, reservation, acceptance or notice of an account was set.
    LiquiditySet {
        /// Place of the command in its batch.
        position: u32,
        /// The account.
        account: AccountNumber,
    },
    /// A document was attested.
    Attested {
        /// Place of the command in its batch.
        position: u32,
        /// Its leaf in the record log.
        leaf: u64,
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

impl Event {
    /// What the answer to a transfer establishes.
    pub(crate) const fn of_transfer(position: u32, leaf: u64, answer: Answer) -> Self {
        match answer {
            Answer::Waiting(stage) => Self::Waits { position, leaf, stage },
            _ => Self::Settled { position, leaf },
        }
    }
}
