//! The settlement method and the agents and accounts that go with it.

use crate::rules::pick::picked;
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// Each method excludes what belongs to another: reimbursement agents stand only with COVE, a
    /// clearing system only with CLRG, a settlement account only with INDA and INGA.
    METHOD_EXCLUDES = "base.settlement-method-excludes", CrossField, ERROR, ["CH17"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009",
        "base message, rules SettlementMethodAgent, Cover and Clearing";
    /// COVE names at least one reimbursement agent in a customer transfer.
    COVER_NEEDS_AGENT = "base.cover-needs-agent", CrossField, ERROR, ["CH21"],
        "pacs.004 pacs.007 pacs.008",
        "base message, rule SettlementMethodCover";
    /// A third reimbursement agent comes with both others.
    THIRD_NEEDS_BOTH = "base.third-agent-needs-both", CrossField, ERROR, ["CH21"],
        "pacs.004 pacs.007 pacs.008 pacs.009",
        "base message, rule ThirdReimbursementAgent";
    /// The account of a reimbursement agent comes with the agent.
    ACCOUNT_NEEDS_AGENT = "base.reimbursement-account-needs-agent", CrossField, ERROR, ["CH21"],
        "pacs.004 pacs.007 pacs.008 pacs.009",
        "base message, rules on the accounts of reimbursement agents";
    /// CLRG should name its clearing system.
    CLEARING_NAMED = "base.clearing-system-named", CrossField, WARNING, ["CH21"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009",
        "practice of clearing systems; the only system that a receiver serves may go without saying";
}

picked! {
    Settlement {
        method: "SttlmMtd",
        account: "SttlmAcct",
        clearing: "ClrSys",
        first: "InstgRmbrsmntAgt",
        first_account: "InstgRmbrsmntAgtAcct",
        second: "InstdRmbrsmntAgt",
        second_account: "InstdRmbrsmntAgtAcct",
        third: "ThrdRmbrsmntAgt",
        third_account: "ThrdRmbrsmntAgtAcct",
    }
}

pub(super) fn check(node: Node<'_>, is_customer: bool, report: &mut Report) {
    let settlement = Settlement::of(node);
    let method = settlement.method.map_or("", Node::text);
    method_excludes(&settlement, method, report);
    if is_customer {
        cover_needs_agent(&settlement, method, node, report);
    }
    third_agent_needs_both(&settlement, report);
    account_needs_agent(&settlement, report);
    clearing_system_named(&settlement, method, node, report);
}

/// See [`METHOD_EXCLUDES`].
fn method_excludes(settlement: &Settlement<'_>, method: &str, report: &mut Report) {
    let agents = [settlement.first, settlement.second, settlement.third];
    let agents = agents.into_iter().filter(|_| method != "COVE");
    let clearing = Some(settlement.clearing).filter(|_| method != "CLRG");
    let account = Some(settlement.account).filter(|_| matches!(method, "COVE" | "CLRG"));
    for node in agents.chain(clearing).chain(account).flatten() {
        let text = format!("`{}` has no place with {method}.", node.name());
        report.add(&METHOD_EXCLUDES, node, text);
    }
}

/// See [`COVER_NEEDS_AGENT`].
fn cover_needs_agent(
    settlement: &Settlement<'_>,
    method: &str,
    node: Node<'_>,
    report: &mut Report,
) {
    if method == "COVE" && settlement.first.is_none() && settlement.second.is_none() {
        report.add(&COVER_NEEDS_AGENT, node, "COVE needs a reimbursement agent.");
    }
}

/// See [`THIRD_NEEDS_BOTH`].
fn third_agent_needs_both(settlement: &Settlement<'_>, report: &mut Report) {
    if let Some(third) = settlement.third
        && (settlement.first.is_none() || settlement.second.is_none())
    {
        report.add(&THIRD_NEEDS_BOTH, third, "A third reimbursement agent needs both others.");
    }
}

/// See [`ACCOUNT_NEEDS_AGENT`].
fn account_needs_agent(settlement: &Settlement<'_>, report: &mut Report) {
    let pairs = [
        (settlement.first_account, settlement.first),
        (settlement.second_account, settlement.second),
        (settlement.third_account, settlement.third),
    ];
    for (account, agent) in pairs {
        if let (Some(account), None) = (account, agent) {
            report.add(&ACCOUNT_NEEDS_AGENT, account, "The agent of this account is missing.");
        }
    }
}

/// See [`CLEARING_NAMED`].
fn clearing_system_named(
    settlement: &Settlement<'_>,
    method: &str,
    node: Node<'_>,
    report: &mut Report,
) {
    if method == "CLRG" && settlement.clearing.is_none() {
        report.add(&CLEARING_NAMED, node, "CLRG should name the clearing system.");
    }
}
