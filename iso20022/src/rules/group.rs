//! Elements that stand either in the group header or in the transactions, never in both.

use super::{Report, Rule, error, warning};
use crate::finding::Layer;
use crate::views::CreditTransfer;

pub(super) static DATE_ONCE: Rule =
    error("base.settlement-date-once", Layer::CrossField, &["CH17"]);
pub(super) static DATE_WITH_TOTAL: Rule =
    warning("base.settlement-date-with-total", Layer::CrossField, &["CH21"]);
pub(super) static TYPE_ONCE: Rule = error("base.payment-type-once", Layer::CrossField, &["CH17"]);
pub(super) static INSTRUCTING_ONCE: Rule =
    error("base.instructing-agent-once", Layer::CrossField, &["CH17"]);
pub(super) static INSTRUCTED_ONCE: Rule =
    error("base.instructed-agent-once", Layer::CrossField, &["CH17"]);

pub(super) fn credit_transfer(transfer: &CreditTransfer<'_>, report: &mut Report) {
    settlement_date_once(transfer, report);
    settlement_date_with_total(transfer, report);
    payment_type_once(transfer, report);
    instructing_agent_once(transfer, report);
    instructed_agent_once(transfer, report);
}

/// The settlement date stands in the group or in the transactions. Source: base message, rule
/// "group interbank settlement date".
fn settlement_date_once(transfer: &CreditTransfer<'_>, report: &mut Report) {
    once(transfer, "IntrBkSttlmDt", &DATE_ONCE, report);
}

/// A total amount comes with a settlement date, in the group or in every transaction. Source: base
/// message, rule "total interbank settlement amount and date", as re-told; hence a warning.
fn settlement_date_with_total(transfer: &CreditTransfer<'_>, report: &mut Report) {
    let Some(total) = transfer.group().and_then(|group| group.child("TtlIntrBkSttlmAmt")) else {
        return;
    };
    if transfer.transactions().any(|transaction| transaction.settlement_date().is_none()) {
        report.add(&DATE_WITH_TOTAL, total, "A total needs a settlement date.");
    }
}

/// Payment type information stands in the group or in the transactions. Source: base message, rule
/// "payment type information".
fn payment_type_once(transfer: &CreditTransfer<'_>, report: &mut Report) {
    once(transfer, "PmtTpInf", &TYPE_ONCE, report);
}

/// The instructing agent stands in the group or in the transactions. Source: base message, rule
/// "instructing agent".
fn instructing_agent_once(transfer: &CreditTransfer<'_>, report: &mut Report) {
    once(transfer, "InstgAgt", &INSTRUCTING_ONCE, report);
}

/// The instructed agent stands in the group or in the transactions. Source: base message, rule
/// "instructed agent".
fn instructed_agent_once(transfer: &CreditTransfer<'_>, report: &mut Report) {
    once(transfer, "InstdAgt", &INSTRUCTED_ONCE, report);
}

fn once(transfer: &CreditTransfer<'_>, name: &str, rule: &Rule, report: &mut Report) {
    if transfer.group().and_then(|group| group.child(name)).is_none() {
        return;
    }
    for transaction in transfer.transactions() {
        if let Some(node) = transaction.node().child(name) {
            report.add(rule, node, format!("`{name}` already stands in the group header."));
        }
    }
}
