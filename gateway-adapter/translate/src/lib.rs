//! ISO 20022 messages to ledger commands, and the ledger's answers back to messages.
//!
//! Pure: bytes and a [`Directory`] in, values and bytes out; no files, clock, network or randomness. A message
//! from a bank's own systems becomes [`Received`]; what of it can be paid is an [`Instruction`] each, what can't
//! has [`iso20022::Finding`]s. The answer is built from a stored [`AnswerContext`] and one [`Fate`] for each
//! transaction, and is the same whenever it is built again.
//!
//! What it does not do: seal or sign, submit, store, wait, screen, or decide when to answer.

#![deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::float_arithmetic)]

// In reading order.

// Who and what there is.
mod directory;
// What translation itself objects to.
pub mod rules;
// Decimals and minor units.
pub mod money;
// A message as a whole.
mod receive;
// One transaction of it.
mod payment;
// A message that is too large to be a whole.
mod bulk;
// The reference of what can't be read.
mod reference;
// What is stored to answer later.
mod answer;
mod codec;
// The answers.
mod report;
pub mod time;
// What a bank is told although it sent nothing.
mod notify;
// What a payer is told after its answer.
mod follow_up;
// Receipts in messages.
mod receipt;
// What the receiving side shows of a document.
mod incoming;

pub use answer::{
    AnswerContext, Fate, REASON_PATH_CHARS_MAX, REASON_TEXT_CHARS_MAX, REASONS_MAX,
    REFERENCE_CHARS_MAX, Reason, References, reasons,
};
pub use bulk::{
    BULK_TRANSACTIONS_MAX, BulkPayment, BulkRefusal, BulkTranslation, rejected_with_the_group,
};
pub use codec::DecodeError;
pub use directory::{Account, Asset, Directory, Participant};
pub use follow_up::{FollowUp, Original, follow_up};
pub use incoming::{Summary, incoming};
pub use iso20022::{Finding, Limits};
pub use notify::{
    NotifyError, Passed, balance_notice, credit_notifications, exchange_notifications,
    quote_notice, report_notice,
};
pub use receipt::{FoundReceipt, RECEIPT_NAMESPACE, ReceiptInMessageError, receipts_in};
pub use receive::{CLEARING_SYSTEM, Instruction, Payment, Payments, Received, receive};
pub use report::{
    DETAILED_TRANSACTIONS_MAX, ReportError, group_report, message_rejection, not_supported,
    refusal_reason, status_report,
};
