//! Status reports: `pacs.002` and `pain.002`.

use super::pick::picked;
use super::{Context, Report, rules};
use crate::tree::Node;

rules! {
    /// A status report gives a reason for what it refuses (RJCT).
    REJECTION_REASON = "base.rejection-reason", CrossField, STRICT, ["CH21"],
        "pacs.002 pain.002",
        "usage rules of the status report; outside the market profiles a warning, since a refusal without reason is one";
    /// The reason NARR comes with additional information.
    NARRATIVE = "base.narrative-text", CrossField, STRICT, ["CH21"],
        "pacs.002 pain.002",
        "definition of the code NARR; base message, rule StatusReason";
    /// A transaction's status names the transaction: by an identification or by its reference.
    ORIGINAL_NAMED = "base.status-original-named", CrossField, STRICT, ["CH21"],
        "pacs.002 pain.002",
        "base message, definition of the original identifications";
    /// With a group that is refused (RJCT) no transaction of it is accepted.
    GROUP_REJECTED = "base.group-rejected", CrossField, ERROR, ["CH16"],
        "pacs.002 pain.002",
        "base message, rule GroupStatusRejected";
    /// With a group that is accepted no transaction of it is refused (RJCT).
    GROUP_ACCEPTED = "base.group-accepted", CrossField, ERROR, ["CH16"],
        "pacs.002 pain.002",
        "base message, rule GroupStatusAccepted";
    /// With a group that waits (PDNG) no transaction of it is refused (RJCT).
    GROUP_PENDING = "base.group-pending", CrossField, WARNING, ["CH16"],
        "pacs.002 pain.002",
        "base message, rule GroupStatusPending, as generally known";
    /// The numbers of transactions by status add up to the original number of transactions.
    DETAILED_NUMBERS = "base.status-numbers", CrossField, WARNING, ["AM19"],
        "pacs.002 pain.002",
        "base message, definition of NumberOfTransactionsPerStatus";
    /// The same original transaction does not get two statuses in one report.
    STATUS_ONCE = "base.status-once", CrossField, WARNING, ["DU03"],
        "pacs.002",
        "practice of reporting: a final status is not followed by another";
}

picked! {
    Group {
        status: "GrpSts" | "PmtInfSts",
        number: "OrgnlNbOfTxs",
        reason: "StsRsnInf",
        part: "NbOfTxsPerSts",
    }
}

picked! {
    One {
        status: "TxSts",
        reason: "StsRsnInf",
        id: "OrgnlInstrId" | "OrgnlEndToEndId" | "OrgnlTxId" | "AcctSvcrRef" | "ClrSysRef",
        uetr: "OrgnlUETR",
        group: "OrgnlGrpInf",
        original: "OrgnlTxRef",
    }
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let mut group = Group::default();
    for node in context.body.elements() {
        match node.name() {
            "OrgnlGrpInfAndSts" => {
                group = Group::of(node);
                of_group(node, &group, report);
            }
            "OrgnlPmtInfAndSts" => {
                let block = Group::of(node);
                of_group(node, &block, report);
                for transaction in node.children("TxInfAndSts") {
                    of_transaction(transaction, &block, report);
                }
            }
            "TxInfAndSts" => of_transaction(node, &group, report),
            _ => {}
        }
    }
    status_once(context.body, report);
}

fn of_group(node: Node<'_>, group: &Group<'_>, report: &mut Report) {
    rejection_reason(node, group.status, group.reason, report);
    narrative_text(node, report);
    detailed_numbers(node, group, report);
}

fn of_transaction(node: Node<'_>, group: &Group<'_>, report: &mut Report) {
    let one = One::of(node);
    rejection_reason(node, one.status, one.reason, report);
    narrative_text(node, report);
    original_named(node, &one, report);
    if let (Some(group), Some(status)) = (group.status, one.status) {
        group_rejected(group.text(), status, report);
        group_accepted(group.text(), status, report);
        group_pending(group.text(), status, report);
    }
}

fn code_of(reason: Node<'_>) -> Option<&str> {
    let rsn = reason.child("Rsn").or_else(|| reason.child("StsRsn"))?;
    rsn.elements().next().map(Node::text)
}

/// See [`REJECTION_REASON`].
fn rejection_reason(
    node: Node<'_>,
    status: Option<Node<'_>>,
    reason: Option<Node<'_>>,
    report: &mut Report,
) {
    if reason.and_then(code_of).is_none()
        && status.is_some_and(|status| status.text() == "RJCT")
        && node.children("StsRsnInf").all(|reason| code_of(reason).is_none())
    {
        report.add(&REJECTION_REASON, node, "RJCT should give a reason.");
    }
}

/// See [`NARRATIVE`].
fn narrative_text(node: Node<'_>, report: &mut Report) {
    let silent = |reason: Node<'_>| {
        let said = ["AddtlInf", "AddtlStsRsnInf"];
        code_of(reason) == Some("NARR")
            && !reason.elements().any(|part| said.contains(&part.name()))
    };
    if node.children("StsRsnInf").any(silent) {
        report.add(&NARRATIVE, node, "NARR should come with additional information.");
    }
}

/// See [`ORIGINAL_NAMED`].
fn original_named(node: Node<'_>, one: &One<'_>, report: &mut Report) {
    if one.id.or(one.uetr).or(one.original).is_none() {
        report.add(&ORIGINAL_NAMED, node, "Nothing says which transaction this is about.");
    }
}

/// See [`GROUP_REJECTED`].
fn group_rejected(group: &str, status: Node<'_>, report: &mut Report) {
    if group == "RJCT" && status.text() != "RJCT" {
        report.add(&GROUP_REJECTED, status, "The whole group is refused.");
    }
}

/// See [`GROUP_ACCEPTED`].
fn group_accepted(group: &str, status: Node<'_>, report: &mut Report) {
    let accepted = matches!(group, "ACTC" | "ACCP" | "ACSP" | "ACSC" | "ACCC" | "ACWC" | "ACWP");
    if accepted && status.text() == "RJCT" {
        report.add(&GROUP_ACCEPTED, status, "The whole group is accepted.");
    }
}

/// See [`GROUP_PENDING`].
fn group_pending(group: &str, status: Node<'_>, report: &mut Report) {
    if group == "PDNG" && status.text() == "RJCT" {
        report.add(&GROUP_PENDING, status, "The whole group waits.");
    }
}

/// See [`DETAILED_NUMBERS`].
fn detailed_numbers(node: Node<'_>, group: &Group<'_>, report: &mut Report) {
    let (Some(number), Some(part)) = (group.number, group.part) else { return };
    let Ok(number) = number.text().trim().parse::<u64>() else { return };
    let count = |one: Node<'_>| one.text_at("DtldNbOfTxs")?.trim().parse::<u64>().ok();
    let sum =
        node.children("NbOfTxsPerSts").try_fold(0_u64, |sum, one| sum.checked_add(count(one)?));
    if let Some(sum) = sum
        && sum != number
    {
        report.add(&DETAILED_NUMBERS, part, format!("{sum} of {number} transactions are counted."));
    }
}

/// See [`STATUS_ONCE`].
fn status_once(body: Node<'_>, report: &mut Report) {
    let mut transactions = body.children("TxInfAndSts");
    let first = transactions.next();
    if transactions.next().is_none() {
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    for node in first.into_iter().flat_map(|_| body.children("TxInfAndSts")) {
        if let Some(uetr) = node.child("OrgnlUETR")
            && !seen.insert(uetr.text())
        {
            report.add(&STATUS_ONCE, uetr, "An earlier status is about the same transaction.");
        }
    }
}
