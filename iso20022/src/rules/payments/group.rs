//! Elements that stand either in the group header or in the transactions, never in both.

use super::{Group, Transaction};
use crate::rules::{Report, Rule, rules};
use crate::tree::Node;

rules! {
    /// The settlement date stands in the group header or in the transactions, not in both.
    DATE_ONCE = "base.settlement-date-once", CrossField, ERROR, ["CH17"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on GroupHeader/InterbankSettlementDate";
    /// Payment type information stands in the group header or in the transactions, not in both.
    TYPE_ONCE = "base.payment-type-once", CrossField, ERROR, ["CH17"],
        "pacs.003 pacs.008 pacs.009 pacs.010",
        "base message, rule on PaymentTypeInformation";
    /// The instructing agent stands in the group header or in the transactions, not in both.
    INSTRUCTING_ONCE = "base.instructing-agent-once", CrossField, ERROR, ["CH17"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on InstructingAgent";
    /// The instructed agent stands in the group header or in the transactions, not in both.
    INSTRUCTED_ONCE = "base.instructed-agent-once", CrossField, ERROR, ["CH17"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on InstructedAgent";
}

/// See [`DATE_ONCE`] and [`TYPE_ONCE`].
pub(super) fn once(group: &Group<'_>, transaction: &Transaction<'_>, report: &mut Report) {
    both(group.date, transaction.date, &DATE_ONCE, report);
    both(group.payment_type, transaction.payment_type, &TYPE_ONCE, report);
}

/// See [`INSTRUCTING_ONCE`] and [`INSTRUCTED_ONCE`].
pub(super) fn agents_once(
    group: &Group<'_>,
    instructing: Option<Node<'_>>,
    instructed: Option<Node<'_>>,
    report: &mut Report,
) {
    both(group.instructing, instructing, &INSTRUCTING_ONCE, report);
    both(group.instructed, instructed, &INSTRUCTED_ONCE, report);
}

fn both(group: Option<Node<'_>>, own: Option<Node<'_>>, rule: &Rule, report: &mut Report) {
    if let (Some(_), Some(node)) = (group, own) {
        let text = format!("`{}` already stands on the level above.", node.name());
        report.add(rule, node, text);
    }
}
