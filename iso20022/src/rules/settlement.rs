//! The settlement method and the agents and accounts that go with it.

use super::{Report, Rule, error, warning};
use crate::finding::Layer;
use crate::tree::Node;
use crate::views::CreditTransfer;

pub(super) static METHOD_AGENTS: Rule =
    error("base.settlement-method-excludes", Layer::CrossField, &["CH17"]);
pub(super) static COVER_NEEDS_AGENT: Rule =
    error("base.cover-needs-agent", Layer::CrossField, &["CH21"]);
pub(super) static THIRD_NEEDS_BOTH: Rule =
    error("base.third-agent-needs-both", Layer::CrossField, &["CH21"]);
pub(super) static CLEARING_NAMED: Rule =
    warning("base.clearing-system-named", Layer::CrossField, &["CH21"]);

const REIMBURSEMENT: [&str; 3] = ["InstgRmbrsmntAgt", "InstdRmbrsmntAgt", "ThrdRmbrsmntAgt"];

pub(super) fn credit_transfer(transfer: &CreditTransfer<'_>, report: &mut Report) {
    let Some(settlement) = transfer.group().and_then(|group| group.child("SttlmInf")) else {
        return;
    };
    method_excludes(settlement, report);
    if !transfer.is_institutional() {
        cover_needs_agent(settlement, report);
    }
    third_agent_needs_both(settlement, report);
    clearing_system_named(settlement, report);
}

/// Each method excludes what belongs to another: reimbursement agents only with COVE, a clearing
/// system only with CLRG, a settlement account only with INDA and INGA. Source: base message, rules
/// "settlement method" (agent, cover, clearing).
fn method_excludes(settlement: Node<'_>, report: &mut Report) {
    let Some(method) = settlement.text_at("SttlmMtd") else { return };
    let mut exclude = |name: &str| {
        if let Some(node) = settlement.child(name) {
            report.add(&METHOD_AGENTS, node, format!("`{name}` has no place with {method}."));
        }
    };
    if method != "COVE" {
        REIMBURSEMENT.iter().for_each(|name| exclude(name));
    }
    if method != "CLRG" {
        exclude("ClrSys");
    }
    if matches!(method, "COVE" | "CLRG") {
        exclude("SttlmAcct");
    }
}

/// COVE names at least one reimbursement agent in a customer transfer (an advice between
/// institutions need not). Source: base message, rule "settlement method cover".
fn cover_needs_agent(settlement: Node<'_>, report: &mut Report) {
    let cover = settlement.text_at("SttlmMtd") == Some("COVE");
    if cover && REIMBURSEMENT[..2].iter().all(|name| settlement.child(name).is_none()) {
        report.add(&COVER_NEEDS_AGENT, settlement, "COVE needs a reimbursement agent.");
    }
}

/// A third reimbursement agent comes with both others. Source: base message, rule "third
/// reimbursement agent".
fn third_agent_needs_both(settlement: Node<'_>, report: &mut Report) {
    if let Some(third) = settlement.child(REIMBURSEMENT[2])
        && REIMBURSEMENT[..2].iter().any(|name| settlement.child(name).is_none())
    {
        report.add(&THIRD_NEEDS_BOTH, third, "A third reimbursement agent needs both others.");
    }
}

/// CLRG names its clearing system. Source: practice of clearing systems; a warning, since the only
/// system that a receiver serves may go without saying.
fn clearing_system_named(settlement: Node<'_>, report: &mut Report) {
    let clearing = settlement.text_at("SttlmMtd") == Some("CLRG");
    if clearing && settlement.child("ClrSys").is_none() {
        report.add(&CLEARING_NAMED, settlement, "CLRG should name the clearing system.");
    }
}
