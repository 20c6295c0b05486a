//! The chain of agents.

use crate::rules::pick::picked;
use crate::rules::{Report, Rule, rules};
use crate::tree::Node;

rules! {
    /// Agent n + 1 of a chain needs agent n, and an intermediary needs the creditor's agent.
    CHAIN = "base.agent-chain", CrossField, ERROR, ["CH21"],
        "pacs.003 pacs.008 pacs.009 pacs.010 pain.001",
        "base message, rules on IntermediaryAgent and PreviousInstructingAgent";
    /// The account of an agent in the chain needs the agent.
    ACCOUNT_NEEDS_AGENT = "base.agent-account-needs-agent", CrossField, ERROR, ["CH21"],
        "pacs.003 pacs.008 pacs.009 pacs.010 pain.001 pain.008",
        "base message, rules on the accounts of intermediary and previous instructing agents";
}

picked! {
    Chain {
        previous: "PrvsInstgAgt",
        previous_account: "PrvsInstgAgtAcct",
        previous1: "PrvsInstgAgt1",
        previous1_account: "PrvsInstgAgt1Acct",
        previous2: "PrvsInstgAgt2",
        previous2_account: "PrvsInstgAgt2Acct",
        previous3: "PrvsInstgAgt3",
        previous3_account: "PrvsInstgAgt3Acct",
        middle1: "IntrmyAgt1",
        middle1_account: "IntrmyAgt1Acct",
        middle2: "IntrmyAgt2",
        middle2_account: "IntrmyAgt2Acct",
        middle3: "IntrmyAgt3",
        middle3_account: "IntrmyAgt3Acct",
        creditor_agent: "CdtrAgt",
        creditor_agent_account: "CdtrAgtAcct",
        debtor_agent: "DbtrAgt",
        debtor_agent_account: "DbtrAgtAcct",
    }
}

/// Rules on the chain that the children of an element form.
pub(in crate::rules) fn chain(node: Node<'_>, report: &mut Report) {
    let chain = Chain::of(node);
    in_order(&chain, report);
    account_needs_agent(&chain, report);
}

/// See [`CHAIN`].
fn in_order(chain: &Chain<'_>, report: &mut Report) {
    needs(chain.previous2, chain.previous1, &CHAIN, "the previous instructing agent 1", report);
    needs(chain.previous3, chain.previous2, &CHAIN, "the previous instructing agent 2", report);
    needs(chain.middle1, chain.creditor_agent, &CHAIN, "the creditor's agent", report);
    needs(chain.middle2, chain.middle1, &CHAIN, "the intermediary agent 1", report);
    needs(chain.middle3, chain.middle2, &CHAIN, "the intermediary agent 2", report);
}

/// See [`ACCOUNT_NEEDS_AGENT`].
fn account_needs_agent(chain: &Chain<'_>, report: &mut Report) {
    for (account, agent) in [
        (chain.previous_account, chain.previous),
        (chain.previous1_account, chain.previous1),
        (chain.previous2_account, chain.previous2),
        (chain.previous3_account, chain.previous3),
        (chain.middle1_account, chain.middle1),
        (chain.middle2_account, chain.middle2),
        (chain.middle3_account, chain.middle3),
        (chain.creditor_agent_account, chain.creditor_agent),
        (chain.debtor_agent_account, chain.debtor_agent),
    ] {
        needs(account, agent, &ACCOUNT_NEEDS_AGENT, "its agent", report);
    }
}

fn needs(
    node: Option<Node<'_>>,
    needed: Option<Node<'_>>,
    rule: &Rule,
    what: &str,
    report: &mut Report,
) {
    if let (Some(node), None) = (node, needed) {
        report.add(rule, node, format!("`{}` needs {what}.", node.name()));
    }
}
