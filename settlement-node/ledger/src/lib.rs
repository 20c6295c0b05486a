//! The deterministic rules of money.
//!
//! One state machine keeps the accounts of all participants in all assets. It is pure: no I/O, clock, threads
//! or randomness; the same genesis and the same batches give the same answers, events and state root on every
//! node, for ever. There is one door: `Ledger::apply_batch`, between `open_block` and `close_block`, which act on what
//! waits. It checks everything, then writes; the write part cannot fail. It answers each command with settled, a
//! numbered refusal, or waiting; settled and refused never reverse, and what waits ends by its deadline.
//!
//! Promises, checked by tests after every block: what is in the accounts of an asset is what was issued less
//! what was redeemed; nobody pays out more than is available; an id is answered once, however old it is.
//!
//! What it does not do: verify signatures, order batches, keep history, store anything.
//!
//! Modules in reading order, which is the order of the data flow:

#![deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::float_arithmetic)]

// Bounds of everything.
pub mod limits;
// Numbers, ids, digests.
pub mod id;
// BIC, asset code, label, account name.
pub mod name;
#[cfg(feature = "planted")]
pub mod planted;
// Minor units, checked.
pub mod amount;
// What may be asked; one command a file.
pub mod command;
// Canonical bytes of a command.
pub mod codec;
// Commands that were signed together.
pub mod batch;
// Why not.
pub mod refusal;
// Settled, refused, or waiting.
pub mod answer;
// What becomes of what waits.
pub mod progress;
// What happened.
pub mod event;
// Balance, credit line, status.
pub mod account;
// Participants, assets, names.
pub mod registry;
// Remembered ids.
pub mod ids;
// What was shown of each condition.
mod conditions;
// Transfers that wait.
mod waiting;
// All state, and how to read it.
pub mod state;
// The first state.
pub mod genesis;
// The only mutator.
mod apply;
// Who waits for whose cover, and its release.
mod queue;
// What can settle at the same moment.
mod offset;
// Why a transfer waits.
pub mod explain;
// From submitted to settled or released.
mod life;
// Giving back what was moved, and not more.
mod returns;
// What participants decide together, their keys, hours and two-person acts.
pub mod govern;
// Who takes part, and what reaches it.
pub mod directory;
// Limits, reservations, acceptance, notices.
pub mod liquidity;
// Quotes, exchanges, and reports of credit.
mod fx;
// What must hold after every block.
pub mod invariant;
// The state root.
pub mod digest;
// The state as bytes, and back.
pub mod checkpoint;

pub use account::{Account, AccountStatus, AccountView};
pub use amount::{Amount, Balance, Exponent};
pub use answer::{Answer, Outcome, Stage};
pub use batch::{Authorisation, Batch, BatchContext, CheckedCommand};
pub use checkpoint::{Checkpoint, RestoreError};
pub use codec::DecodeError;
pub use command::{
    Access, Attest, EraseDocument, Limit, LimitSetter, Pace, RecordAccess, SetAcceptance, SetLimit,
    SetNotices, SetReservation,
};
pub use command::{
    ActivateRules, AddAsset, AddKey, AdmitParticipant, Approve, Approver, Cancel, Command,
    Condition, Confirm, Issue, Leg, Legs, LegsError, OnShortage, OpenAccount, Position, Priority,
    Propose, RULES_FIRST, RULES_LAST, RULES_LIFE_CYCLE, Redeem, Refuse, Reorder, RetireKey, Reveal,
    RevokeKey, SetAccountStatus, SetFloor, SetFundingLimit, SetSealingKey, Transfer,
    TransferOptions, Vote, Withdraw,
};
pub use command::{
    CreditOutcome, Exchange, ExchangeAmount, PlaceQuote, ReportCredit, ReturnExchange,
    SetReporting, WithdrawQuote,
};
pub use directory::{DirectoryEntry, Reach};
pub use event::Event;
pub use explain::{Incoming, Obstacle};
pub use fx::book::Quote;
pub use fx::last_mile::{AwaitedReport, Scorecard};
pub use fx::outputs::{CreditNotice, Exchanged, Fill, FxOutputs, PassedOver, QuoteNotice};
pub use fx::plan::{Exact, ExchangePlan};
pub use fx::rate::Rate;
pub use genesis::GenesisError;
pub use govern::{
    BusinessDay, Calendar, Content, KeyEnd, KeyRecord, NodeDescription, NodeStep, ParticipantState,
    Proposal, Seat, VotingPolicy,
};
pub use id::{
    AccountNumber, AssetNumber, ContentDigest, Digest, Height, LedgerTime, ParseIdError,
    ParticipantNumber, PublicKey, TransferId,
};
pub use ids::{GENESIS_LEAF, Generation, IdEntry, OldIds};
pub use invariant::{AssetTotals, Violation};
pub use liquidity::{Controls, Notice, NoticeKind, NoticeLines, Velocity, WhatIf};
pub use name::{AccountName, AssetCode, Bic, Label, ReasonCode};
pub use progress::{
    Cause, Progress, erasure_id, exchange_id, exchange_return_id, resolution_id, return_id,
};
pub use refusal::Refusal;
pub use registry::{Asset, Participant};
pub use state::Ledger;
pub use waiting::Waiting;
