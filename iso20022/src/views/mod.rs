//! Typed views: thin, hand-written readings of a tree, one view for all versions of a message.
//!
//! A view never copies and never fails to be made for a message of its kind, valid or not: what is
//! absent is `None`. Where versions differ (`BIC` became `BICFI`, names of wrappers changed) the
//! view looks in all places. Values are given as they were written unless a method says otherwise.

mod credit_transfer;
mod direct_debit;
mod fields;
mod header;
mod initiation;
mod investigation;
mod limits;
mod liquidity;
pub(crate) mod money;
mod notice;
mod queries;
mod recall;
mod return_;
mod split;
mod statement;
mod status;
mod status_request;
mod system;
#[cfg(test)]
mod tests;

pub use credit_transfer::{CreditTransfer, Transaction};
pub use direct_debit::{CreditInstruction, DirectDebit, DirectDebitTransaction};
pub use header::Header;
pub use initiation::{
    InitiatedPayment, InitiatedTransaction, Initiation, InitiationStatus, PaymentStatus,
};
pub use investigation::{Investigation, InvestigationAnswer, InvestigationData};
pub use limits::{
    LimitChange, LimitDeletion, LimitQuery, LimitReport, ReportedLimit, ReportedReservation,
    ReservationChange, ReservationDeletion, ReservationQuery, ReservationReport, StatedLimit,
};
pub use liquidity::{LiquidityTransfer, Receipt, ReceiptDetails, RequestHandling};
pub use money::Money;
pub use notice::{ExpectedItem, NoticeCancellation, NoticeToReceive};
pub use queries::{
    AccountQuery, AccountReport, PaymentReference, ReportedAccount, ReportedBalance,
    ReportedTransaction, TransactionCancellation, TransactionChange, TransactionModification,
    TransactionQuery, TransactionReport,
};
pub use recall::{CancellationRequest, CancelledTransaction, Resolution, ResolvedTransaction};
pub use return_::{Return, ReturnedTransaction};
pub use split::Split;
pub use statement::{Balance, Entry, EntryDetails, ReportingRequest, Statement, StatementReport};
pub use status::{GroupStatus, Reason, Status, TransactionStatus};
pub use status_request::{RequestedStatus, StatusRequest};
pub use system::{
    BusinessDayQuery, BusinessDayReport, EventAcknowledgement, ReceiptAcknowledgement, Rejection,
    ReportedDay, ResendCriterion, ResendRequest, SystemEvent,
};

use crate::finding::{Finding, Layer, Severity, excerpt, line_at};
use crate::lexical::collapse;
use crate::tree::Node;

/// BIC of an agent (`InstgAgt`, `DbtrAgt`, ...), in any version.
#[must_use]
pub fn agent_bic(agent: Node<'_>) -> Option<&str> {
    let institution = agent.child("FinInstnId")?;
    ["BICFI", "BIC", "CmbndId/BIC"].into_iter().find_map(|path| institution.text_at(path))
}

/// Identification of an account (`DbtrAcct`, `CdtrAcct`, ...): IBAN, or whatever else it has.
#[must_use]
pub fn account_id(account: Node<'_>) -> Option<&str> {
    let id = account.child("Id")?;
    ["IBAN", "Othr/Id", "BBAN", "UPIC", "PrtryAcct/Id"]
        .into_iter()
        .find_map(|path| id.text_at(path))
}

/// The text of a child whose type ignores surrounding white space (dates, numbers, codes).
fn collapsed<'a>(node: Node<'a>, path: &str) -> Option<&'a str> {
    node.text_at(path).map(collapse)
}

/// A finding on a node.
pub(crate) fn finding_at(
    node: Node<'_>,
    layer: Layer,
    severity: Severity,
    rule: &'static str,
    code: &'static str,
    text: String,
) -> Finding {
    let tree = node.tree();
    Finding {
        layer,
        severity,
        message: tree.message().to_string(),
        path: node.path(),
        offset: node.offset(),
        line: line_at(tree.source(), node.offset()),
        value: excerpt(node.text()),
        rule,
        code,
        text,
    }
}
