//! Recalls and their answers (`camt.056`, `camt.055`, `camt.029`) and status requests (`pacs.028`).

use super::{Context, Report, rules};
use crate::tree::Node;
use crate::views::money::decimal;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

rules! {
    /// `CtrlData/NbOfTxs` is the number of transactions in the message.
    NUMBER = "base.recall-number", CrossField, ERROR, ["AM19"], "camt.055 camt.056",
        "base message, definition of ControlData/NumberOfTransactions";
    /// `CtrlData/CtrlSum` is the sum of the original settlement amounts, if all are quoted.
    CONTROL_SUM = "base.recall-control-sum", CrossField, WARNING, ["AM10"], "camt.056",
        "base message, definition of ControlData/ControlSum";
    /// A recall says why: for the transaction or for its group.
    REASON_PRESENT = "base.recall-reason", CrossField, STRICT, ["CH21"], "camt.056",
        "base message, rule on CancellationReasonInformation; CBPR+ makes it mandatory";
    /// A recall for the reason NARR explains it in the additional information.
    REASON_TEXT = "base.recall-narrative-text", CrossField, STRICT, ["CH21"],
        "camt.055 camt.056",
        "definition of the code NARR";
    /// A recall of a transaction names it: by an identification or by its reference.
    ORIGINAL_NAMED = "base.recall-original-named", CrossField, STRICT, ["CH21"], "camt.056",
        "base message, definition of the original identifications";
    /// A recall of a whole group (`GrpCxl` true) lists no transactions.
    GROUP_WHOLE = "base.recall-group-whole", CrossField, WARNING, ["CH17"], "camt.056",
        "base message, rule GroupCancellationAndTransactionInformation, as re-told";
    /// No original transaction is recalled twice in one message.
    RECALL_ONCE = "base.recall-once", CrossField, WARNING, ["DU03"], "camt.056",
        "practice of recalls: one active request for a payment";
    /// Assigner and assignee of a case are different parties.
    ASSIGNMENT = "base.assignment-parties", CrossField, WARNING, ["AGNT"],
        "camt.029 camt.055 camt.056",
        "base message, definition of CaseAssignment";
    /// A recall that is refused (RJCR) says why.
    REFUSAL_REASON = "base.resolution-reason", CrossField, STRICT, ["CH21"], "camt.029",
        "base message, rule on CancellationStatusReasonInformation; CBPR+, as re-told";
    /// A resolution that confirms or refuses a recall (CNCL, RJCR, PDCR) names what was recalled.
    RESOLUTION_DETAILS = "base.resolution-details", CrossField, WARNING, ["CH21"], "camt.029",
        "practice of resolutions, as generally known";
    /// The status of a recalled transaction does not contradict the status of the case.
    RESOLUTION_AGREES = "base.resolution-agrees", CrossField, WARNING, ["CH16"], "camt.029",
        "base message, definitions of Confirmation and TransactionCancellationStatus";
    /// A status request names the transaction or the message that it asks about.
    REQUEST_NAMED = "base.request-original-named", CrossField, STRICT, ["CH21"], "pacs.028",
        "base message, definition of the original identifications";
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let body = context.body;
    match context.family() {
        "pacs.028" => request(body, report),
        "camt.029" => {
            assignment(body, report);
            resolution(body, report);
        }
        "camt.056" => {
            assignment(body, report);
            recall(body, report);
        }
        _ => {
            assignment(body, report);
            initiated_recall(body, report);
        }
    }
}

fn is_identification(name: &str) -> bool {
    matches!(
        name,
        "OrgnlInstrId"
            | "OrgnlEndToEndId"
            | "OrgnlTxId"
            | "OrgnlUETR"
            | "OrgnlClrSysRef"
            | "OrgnlTxRef"
    )
}

fn is_named(transaction: Node<'_>) -> bool {
    transaction.elements().any(|part| is_identification(part.name()))
}

/// See [`REQUEST_NAMED`].
fn request(body: Node<'_>, report: &mut Report) {
    let group = body.child("OrgnlGrpInf").is_some();
    let mut any = group;
    for transaction in body.children("TxInf") {
        any = true;
        if !group && !is_named(transaction) && transaction.child("OrgnlGrpInf").is_none() {
            report.add(&REQUEST_NAMED, transaction, "Nothing says what this asks about.");
        }
    }
    if !any {
        report.add(&REQUEST_NAMED, body, "Nothing says what this asks about.");
    }
}

/// See [`ASSIGNMENT`].
fn assignment(body: Node<'_>, report: &mut Report) {
    let Some(assignment) = body.child("Assgnmt") else { return };
    let (Some(from), Some(to)) = (assignment.child("Assgnr"), assignment.child("Assgne")) else {
        return;
    };
    let bic = |party: Node<'_>| {
        let agent = party.child("Agt").and_then(crate::views::agent_bic);
        agent.map(|bic| crate::reference::bic::normalised(bic).to_owned())
    };
    if let (Some(from), Some(same)) = (bic(from), bic(to))
        && from == same
    {
        report.add(&ASSIGNMENT, to, "A case is not assigned to who assigns it.");
    }
}

fn recall(body: Node<'_>, report: &mut Report) {
    let (mut count, mut sum) = (0_usize, Some(Decimal::ZERO));
    let mut seen = BTreeSet::new();
    let mut whole = false;
    for underlying in body.children("Undrlyg") {
        let group = underlying.child("OrgnlGrpInfAndCxl");
        if let Some(group) = group {
            reason_text(group, report);
            whole |= group_whole(underlying, group, report);
        }
        let of_group = group.is_some_and(|group| group.child("CxlRsnInf").is_some());
        for transaction in underlying.children("TxInf") {
            count += 1;
            let amount = transaction.child("OrgnlIntrBkSttlmAmt").and_then(|n| decimal(n.text()));
            sum = sum.zip(amount).and_then(|(sum, amount)| sum.checked_add(amount));
            reason_present(transaction, of_group, report);
            reason_text(transaction, report);
            original_named(transaction, report);
            if let Some(uetr) = transaction.child("OrgnlUETR") {
                recall_once(uetr, &mut seen, report);
            }
        }
    }
    if !whole {
        number(body, count, report);
        control_sum(body, sum.filter(|_| count > 0), report);
    }
}

/// A customer's recall: transactions stand below payment blocks.
fn initiated_recall(body: Node<'_>, report: &mut Report) {
    let (mut count, mut whole) = (0_usize, false);
    for underlying in body.children("Undrlyg") {
        whole |= underlying.child("OrgnlGrpInfAndCxl").is_some();
        for block in underlying.children("OrgnlPmtInfAndCxl") {
            let mut any = false;
            for transaction in block.children("TxInf") {
                any = true;
                count += 1;
                reason_text(transaction, report);
            }
            whole |= !any;
        }
    }
    if !whole {
        number(body, count, report);
    }
}

/// See [`NUMBER`].
fn number(body: Node<'_>, count: usize, report: &mut Report) {
    if let Some(node) = body.at("CtrlData/NbOfTxs")
        && node.text().trim().parse() != Ok(count)
    {
        report.add(&NUMBER, node, format!("The message holds {count} transactions."));
    }
}

/// See [`CONTROL_SUM`].
fn control_sum(body: Node<'_>, sum: Option<Decimal>, report: &mut Report) {
    if let Some(sum) = sum
        && let Some(node) = body.at("CtrlData/CtrlSum")
        && decimal(node.text()).is_some_and(|stated| stated != sum)
    {
        report.add(&CONTROL_SUM, node, format!("The original amounts sum up to {sum}."));
    }
}

/// See [`REASON_PRESENT`].
fn reason_present(transaction: Node<'_>, of_group: bool, report: &mut Report) {
    let own = transaction.children("CxlRsnInf").any(|reason| reason.child("Rsn").is_some());
    if !own && !of_group {
        report.add(&REASON_PRESENT, transaction, "A recall should say why.");
    }
}

/// See [`REASON_TEXT`].
fn reason_text(node: Node<'_>, report: &mut Report) {
    for reason in node.children("CxlRsnInf") {
        if reason.text_at("Rsn/Cd") == Some("NARR") && reason.child("AddtlInf").is_none() {
            report.add(&REASON_TEXT, reason, "NARR should come with additional information.");
        }
    }
}

/// See [`ORIGINAL_NAMED`].
fn original_named(transaction: Node<'_>, report: &mut Report) {
    if !is_named(transaction) {
        report.add(&ORIGINAL_NAMED, transaction, "Nothing says which payment this is about.");
    }
}

/// See [`GROUP_WHOLE`].
fn group_whole(underlying: Node<'_>, group: Node<'_>, report: &mut Report) -> bool {
    let whole = matches!(group.text_at("GrpCxl").map(str::trim), Some("true" | "1"));
    if whole && let Some(transaction) = underlying.child("TxInf") {
        report.add(&GROUP_WHOLE, transaction, "The whole group is recalled already.");
    }
    whole
}

/// See [`RECALL_ONCE`].
fn recall_once<'a>(uetr: Node<'a>, seen: &mut BTreeSet<&'a str>, report: &mut Report) {
    if !seen.insert(uetr.text()) {
        report.add(&RECALL_ONCE, uetr, "The message recalls this payment twice.");
    }
}

fn resolution(body: Node<'_>, report: &mut Report) {
    let confirmation = body.at("Sts/Conf");
    let status = confirmation.map_or("", Node::text);
    let mut reasons = false;
    let mut transactions = false;
    for details in body.children("CxlDtls") {
        for part in details.elements() {
            reasons |= part.child("CxlStsRsnInf").is_some();
            let inner = part.children("TxInfAndSts");
            for transaction in Some(part).into_iter().chain(inner) {
                if transaction.name() != "TxInfAndSts" {
                    continue;
                }
                transactions = true;
                reasons |= transaction.child("CxlStsRsnInf").is_some();
                transaction_status(transaction, status, report);
            }
        }
    }
    if let Some(confirmation) = confirmation {
        if status == "RJCR" && !reasons {
            report.add(&REFUSAL_REASON, confirmation, "RJCR should say why.");
        }
        resolution_details(confirmation, transactions || body.child("CxlDtls").is_some(), report);
    }
}

/// See [`RESOLUTION_DETAILS`].
fn resolution_details(confirmation: Node<'_>, details: bool, report: &mut Report) {
    if !details && matches!(confirmation.text(), "CNCL" | "RJCR" | "PDCR") {
        let text = "Nothing says which payment was recalled.";
        report.add(&RESOLUTION_DETAILS, confirmation, text);
    }
}

/// See [`REFUSAL_REASON`] and [`RESOLUTION_AGREES`].
fn transaction_status(transaction: Node<'_>, case: &str, report: &mut Report) {
    let Some(node) = transaction.child("TxCxlSts") else { return };
    let status = node.text();
    if status == "RJCR" && case != "RJCR" && transaction.child("CxlStsRsnInf").is_none() {
        report.add(&REFUSAL_REASON, node, "RJCR should say why.");
    }
    let contradicts = matches!((case, status), ("CNCL", "RJCR") | ("RJCR", "ACCR" | "CNCL"));
    if contradicts {
        report.add(&RESOLUTION_AGREES, node, format!("The case says {case}."));
    }
}
