//! Answers, returns, recalls and reports in CBPR+.

use crate::rules::{Context, Report, Rule, rules};
use crate::tree::Node;

rules! {
    /// A status report is about exactly one transaction.
    STATUS_SINGLE = "cbpr.status-single", Profile, CBPR, ["AM18"], "pacs.002",
        "CBPR+ restriction of the status report, as re-told";
    /// A status names the original: message, message name, end-to-end identification and UETR.
    STATUS_ORIGINAL = "cbpr.status-original", Profile, CBPR, ["CH21"], "pacs.002",
        "CBPR+ restriction of the status report, as re-told";
    /// A status is one of RJCT, PDNG, ACSP and ACCC.
    STATUS_CODE = "cbpr.status-code", Profile, CBPR_WARNING, ["CH16"], "pacs.002",
        "CBPR+ statuses, as re-told";
    /// A return is about exactly one transaction.
    RETURN_SINGLE = "cbpr.return-single", Profile, MARKET, ["AM18"], "pacs.004",
        "CBPR+ and HVPS+ restriction of NumberOfTransactions, as re-told";
    /// A return carries the UETR of the original.
    RETURN_UETR = "cbpr.return-uetr", Profile, MARKET, ["CH21"], "pacs.004",
        "CBPR+ restriction of the return, as re-told";
    /// A return quotes amount and date of the original.
    RETURN_QUOTES = "cbpr.return-quotes", Profile, CBPR_FIRST, ["CH21"], "pacs.004",
        "CBPR+ restriction of the return, as re-told";
    /// A return names the chain that it takes.
    RETURN_CHAIN = "cbpr.return-chain", Profile, CBPR, ["CH21"], "pacs.004",
        "CBPR+ restriction of the return, as re-told";
    /// The charge bearer of a return is CRED or SHAR.
    RETURN_BEARER = "cbpr.return-charge-bearer", Profile, CBPR, ["BE19"], "pacs.004",
        "CBPR+ restriction of ChargeBearer in the return, as re-told";
    /// A recall is about exactly one transaction.
    RECALL_SINGLE = "cbpr.recall-single", Profile, CBPR_FIRST, ["AM18"], "camt.056",
        "CBPR+ restriction of the recall, as re-told";
    /// A recall, its resolution and a status request carry the UETR of the original.
    RELATED_UETR = "cbpr.related-uetr", Profile, CBPR_FIRST, ["CH21"],
        "camt.029 camt.056 pacs.028",
        "CBPR+ restriction of messages about a payment, as re-told";
    /// A report message holds exactly one report, statement or notification.
    REPORT_SINGLE = "cbpr.report-single", Profile, CBPR, ["CH17"], "camt.052 camt.053 camt.054",
        "CBPR+ restriction of the reports, as re-told";
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let body = context.body;
    match context.family() {
        "pacs.002" => status(body, report),
        "pacs.004" => returned(body, report),
        "camt.056" => recall(body, report),
        "camt.029" => {
            let details = body.children("CxlDtls").flat_map(Node::elements);
            for transaction in details.filter(|part| part.name() == "TxInfAndSts") {
                related_uetr(transaction, report);
            }
        }
        "pacs.028" => body.children("TxInf").for_each(|node| related_uetr(node, report)),
        _ => report_single(body, report),
    }
}

fn single(rule: &Rule, second: Option<Node<'_>>, report: &mut Report) {
    if let Some(second) = second {
        report.add(rule, second, "The message is about more than one.");
    }
}

fn status(body: Node<'_>, report: &mut Report) {
    let mut transactions = body.children("TxInfAndSts");
    let Some(node) = transactions.next() else {
        report.add(&STATUS_SINGLE, body, "The report has no status of a transaction.");
        return;
    };
    single(&STATUS_SINGLE, transactions.next(), report);
    status_original(body, node, report);
    status_code(node, report);
}

/// See [`STATUS_ORIGINAL`].
fn status_original(body: Node<'_>, node: Node<'_>, report: &mut Report) {
    let group = node.child("OrgnlGrpInf").or_else(|| body.child("OrgnlGrpInfAndSts"));
    if group.is_none() {
        report.add(&STATUS_ORIGINAL, node, "The original message is not named.");
    }
    for name in ["OrgnlEndToEndId", "OrgnlUETR"] {
        if node.child(name).is_none() {
            report.add(&STATUS_ORIGINAL, node, format!("`{name}` is missing."));
        }
    }
}

/// See [`STATUS_CODE`].
fn status_code(node: Node<'_>, report: &mut Report) {
    if let Some(status) = node.child("TxSts")
        && !matches!(status.text(), "RJCT" | "PDNG" | "ACSP" | "ACCC")
    {
        report.add(&STATUS_CODE, status, "Expected is RJCT, PDNG, ACSP or ACCC.");
    }
}

fn returned(body: Node<'_>, report: &mut Report) {
    single(&RETURN_SINGLE, body.children("TxInf").nth(1), report);
    for transaction in body.children("TxInf") {
        missing(&RETURN_UETR, transaction, "OrgnlUETR", report);
        missing(&RETURN_QUOTES, transaction, "OrgnlIntrBkSttlmAmt", report);
        missing(&RETURN_QUOTES, transaction, "OrgnlIntrBkSttlmDt", report);
        missing(&RETURN_CHAIN, transaction, "RtrChain", report);
        return_bearer(transaction, report);
    }
}

fn missing(rule: &Rule, node: Node<'_>, name: &str, report: &mut Report) {
    if node.child(name).is_none() {
        report.add(rule, node, format!("`{name}` is missing."));
    }
}

/// See [`RETURN_BEARER`].
fn return_bearer(transaction: Node<'_>, report: &mut Report) {
    if let Some(bearer) = transaction.child("ChrgBr")
        && !matches!(bearer.text(), "CRED" | "SHAR")
    {
        report.add(&RETURN_BEARER, bearer, "Expected is CRED or SHAR.");
    }
}

fn recall(body: Node<'_>, report: &mut Report) {
    let mut all = body.children("Undrlyg").flat_map(|underlying| underlying.children("TxInf"));
    if let Some(first) = all.next() {
        related_uetr(first, report);
    }
    single(&RECALL_SINGLE, all.next(), report);
}

/// See [`RELATED_UETR`].
fn related_uetr(transaction: Node<'_>, report: &mut Report) {
    missing(&RELATED_UETR, transaction, "OrgnlUETR", report);
}

/// See [`REPORT_SINGLE`].
fn report_single(body: Node<'_>, report: &mut Report) {
    let mut reports = body.elements().filter(|n| matches!(n.name(), "Rpt" | "Stmt" | "Ntfctn"));
    single(&REPORT_SINGLE, reports.nth(1), report);
}
