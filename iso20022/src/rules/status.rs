//! Status reports explain what they refuse.

use super::{Report, Rule, warning};
use crate::finding::Layer;
use crate::tree::Node;
use crate::views::{Reason, Status};

pub(super) static REJECTION_REASON: Rule =
    warning("base.rejection-reason", Layer::CrossField, &["CH21"]);
pub(super) static NARRATIVE: Rule = warning("base.narrative-text", Layer::CrossField, &["CH21"]);

pub(super) fn check(status: &Status<'_>, report: &mut Report) {
    for transaction in status.transactions() {
        rejection_reason(transaction.node(), transaction.status(), transaction.reasons(), report);
        narrative_text(transaction.node(), transaction.reasons(), report);
    }
    for group in status.groups() {
        rejection_reason(group.node(), group.status(), group.reasons(), report);
        narrative_text(group.node(), group.reasons(), report);
    }
}

/// RJCT comes with a reason. Source: usage rules of the status report; a warning, since a refusal
/// without reason is still a refusal.
fn rejection_reason<'a>(
    node: Node<'a>,
    status: Option<&str>,
    mut reasons: impl Iterator<Item = Reason<'a>>,
    report: &mut Report,
) {
    if status == Some("RJCT") && !reasons.any(|reason| reason.code().is_some()) {
        report.add(&REJECTION_REASON, node, "RJCT should give a reason.");
    }
}

/// NARR comes with additional information. Source: definition of the code.
fn narrative_text<'a>(
    node: Node<'a>,
    mut reasons: impl Iterator<Item = Reason<'a>>,
    report: &mut Report,
) {
    let silent = |reason: Reason<'a>| {
        reason.code() == Some("NARR") && reason.additional_information().next().is_none()
    };
    if reasons.any(silent) {
        report.add(&NARRATIVE, node, "NARR should come with additional information.");
    }
}
