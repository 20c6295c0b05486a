//! Basics of high-value payment systems (HVPS+), beside those that they share with CBPR+.

use super::pick::picked;
use super::{Context, Report, rules};
use crate::profile::Profile;
use crate::tree::Node;

rules! {
    /// A payment settles through the system (CLRG), which is named.
    CLEARING = "hvps.settlement-clearing", Profile, HVPS, ["CH16"], "pacs.004 pacs.008 pacs.009",
        "HVPS+ practice, as generally known: payments settle in the system itself";
    /// A payment has a settlement date, in the group header or in the transaction.
    DATE = "hvps.settlement-date", Profile, HVPS, ["DT01"], "pacs.004 pacs.008 pacs.009",
        "HVPS+ practice, as generally known";
    /// A payment names the instructing and the instructed agent, in the group header or in the
    /// transaction, by BIC or clearing member identification.
    AGENTS = "hvps.agents-identified", Profile, HVPS, ["RC01"], "pacs.004 pacs.008 pacs.009",
        "HVPS+ practice, as generally known";
    /// A total in the group header has no place where there is one transaction.
    TOTAL = "hvps.total-single", Profile, HVPS, ["CH17"], "pacs.008 pacs.009",
        "HVPS+ restriction of GroupHeader to single transactions, as generally known";
}

picked! {
    Level {
        date: "IntrBkSttlmDt",
        instructing: "InstgAgt",
        instructed: "InstdAgt",
        settlement: "SttlmInf",
        total: "CtrlSum",
    }
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    if context.profile != Profile::Hvps
        || !matches!(context.family(), "pacs.004" | "pacs.008" | "pacs.009")
    {
        return;
    }
    let Some(group_node) = context.body.child("GrpHdr") else { return };
    let group = Level::of(group_node);
    clearing(group_node, &group, report);
    if context.family() != "pacs.004" {
        total(&group, report);
    }
    for node in context.body.elements() {
        if matches!(node.name(), "CdtTrfTxInf" | "TxInf") {
            let own = Level::of(node);
            date(node, &group, &own, report);
            agents(node, &group, &own, report);
        }
    }
}

/// See [`CLEARING`].
fn clearing(group: Node<'_>, level: &Level<'_>, report: &mut Report) {
    let Some(settlement) = level.settlement else { return };
    let named = settlement.child("ClrSys").is_some();
    if settlement.text_at("SttlmMtd") != Some("CLRG") || !named {
        let node = settlement.child("SttlmMtd").unwrap_or(group);
        report.add(&CLEARING, node, "Expected is CLRG with the name of the system.");
    }
}

/// See [`DATE`].
fn date(node: Node<'_>, group: &Level<'_>, own: &Level<'_>, report: &mut Report) {
    if own.date.or(group.date).is_none() {
        report.add(&DATE, node, "The settlement date is missing.");
    }
}

/// See [`AGENTS`].
fn agents(node: Node<'_>, group: &Level<'_>, own: &Level<'_>, report: &mut Report) {
    let known = |agent: Node<'_>| {
        agent.child("FinInstnId").is_some_and(|institution| {
            institution.elements().any(|part| matches!(part.name(), "BICFI" | "ClrSysMmbId"))
        })
    };
    for (name, agent) in [
        ("InstgAgt", own.instructing.or(group.instructing)),
        ("InstdAgt", own.instructed.or(group.instructed)),
    ] {
        if !agent.is_some_and(known) {
            report.add(&AGENTS, node, format!("`{name}` is missing or not identified."));
        }
    }
}

/// See [`TOTAL`].
fn total(group: &Level<'_>, report: &mut Report) {
    if let Some(total) = group.total {
        report.add(&TOTAL, total, "A single transaction needs no control sum.");
    }
}
