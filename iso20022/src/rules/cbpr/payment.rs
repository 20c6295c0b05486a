//! Payments in CBPR+: what holds for the message as a whole.

use super::transaction;
use crate::rules::{Context, Report, rules};
use crate::tree::Node;

rules! {
    /// A message holds exactly one transaction.
    SINGLE = "cbpr.single-transaction", Profile, MARKET, ["AM18"], "pacs.008 pacs.009",
        "CBPR+ and HVPS+ restriction of NumberOfTransactions, as re-told";
    /// The group header holds only the message identification, the creation time, the number of
    /// transactions and the settlement information.
    GROUP_PLAIN = "cbpr.group-header-plain", Profile, CBPR, ["CH17"], "pacs.008 pacs.009",
        "CBPR+ restriction of GroupHeader, as re-told";
    /// A customer transfer is settled by INDA, INGA or COVE; a transfer between institutions by INDA
    /// or INGA; an advice by COVE.
    METHOD = "cbpr.settlement-method", Profile, CBPR, ["CH16"], "pacs.008 pacs.009",
        "CBPR+ restriction of SettlementMethod, as re-told";
    /// A direct debit between institutions has one credit instruction, except for the collection of
    /// margins (`mlp`).
    DEBIT_SINGLE = "cbpr.direct-debit-single", Profile, CBPR, ["AM18"], "pacs.010",
        "CBPR+ restriction of CreditInstruction, as re-told";
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let debit = match context.family() {
        "pacs.008" | "pacs.009" => {
            transfer(context, report);
            false
        }
        family => {
            if family == "pacs.010" {
                debit_single(context, report);
            }
            true
        }
    };
    for node in context.body.elements() {
        match node.name() {
            "CdtTrfTxInf" => transaction::transfer(context, node, report),
            "DrctDbtTxInf" if debit => transaction::uetr_present(node, report),
            "CdtInstr" => {
                let debits = node.children("DrctDbtTxInf");
                debits.for_each(|node| transaction::uetr_present(node, report));
            }
            _ => {}
        }
    }
}

fn transfer(context: &Context<'_>, report: &mut Report) {
    single(context, report);
    let Some(group) = context.body.child("GrpHdr") else { return };
    group_plain(group, report);
    if let Some(node) = group.at("SttlmInf/SttlmMtd") {
        method(context, node, report);
    }
}

/// See [`SINGLE`].
fn single(context: &Context<'_>, report: &mut Report) {
    if let Some(second) = context.body.children("CdtTrfTxInf").nth(1) {
        report.add(&SINGLE, second, "The message holds more than one transaction.");
    }
}

/// See [`GROUP_PLAIN`].
fn group_plain(group: Node<'_>, report: &mut Report) {
    for extra in group.elements() {
        if !matches!(extra.name(), "MsgId" | "CreDtTm" | "NbOfTxs" | "SttlmInf" | "XpryDtTm") {
            let text = format!("`{}` has no place in the group header.", extra.name());
            report.add(&GROUP_PLAIN, extra, text);
        }
    }
}

fn service<'a>(context: &Context<'a>) -> &'a str {
    context.header.as_ref().and_then(|header| header.business_service()).unwrap_or("")
}

/// See [`METHOD`].
fn method(context: &Context<'_>, node: Node<'_>, report: &mut Report) {
    let allowed: &[&str] = if context.family() == "pacs.008" {
        &["INDA", "INGA", "COVE"]
    } else if service(context).contains(".adv.") {
        &["COVE"]
    } else {
        &["INDA", "INGA"]
    };
    if !allowed.contains(&node.text()) {
        report.add(&METHOD, node, format!("Expected is {}.", allowed.join(" or ")));
    }
}

/// See [`DEBIT_SINGLE`].
fn debit_single(context: &Context<'_>, report: &mut Report) {
    if let Some(second) = context.body.children("CdtInstr").nth(1)
        && !service(context).contains(".mlp.")
    {
        report.add(&DEBIT_SINGLE, second, "The message holds more than one credit instruction.");
    }
}
