//! The chain of agents.

use super::{Report, Rule, error};
use crate::finding::Layer;
use crate::tree::Node;
use crate::views::CreditTransfer;

pub(super) static CHAIN: Rule = error("base.agent-chain", Layer::CrossField, &["CH21"]);
pub(super) static ACCOUNT_NEEDS_AGENT: Rule =
    error("base.agent-account-needs-agent", Layer::CrossField, &["CH21"]);

pub(super) fn credit_transfer(transfer: &CreditTransfer<'_>, report: &mut Report) {
    for transaction in transfer.transactions() {
        chain(transaction.node(), report);
        account_needs_agent(transaction.node(), report);
    }
}

/// Agent n + 1 of a chain needs agent n, and an intermediary needs the creditor's agent. Source:
/// base message, rules "intermediary agent" and "previous instructing agent".
fn chain(transaction: Node<'_>, report: &mut Report) {
    const NEEDS: [(&str, &str); 5] = [
        ("PrvsInstgAgt2", "PrvsInstgAgt1"),
        ("PrvsInstgAgt3", "PrvsInstgAgt2"),
        ("IntrmyAgt1", "CdtrAgt"),
        ("IntrmyAgt2", "IntrmyAgt1"),
        ("IntrmyAgt3", "IntrmyAgt2"),
    ];
    for (name, needed) in NEEDS {
        needs(transaction, name, needed, &CHAIN, report);
    }
}

/// The account of an intermediate agent needs the agent. Source: base message, rules on the
/// accounts of intermediary and previous instructing agents.
fn account_needs_agent(transaction: Node<'_>, report: &mut Report) {
    const NEEDS: [(&str, &str); 7] = [
        ("PrvsInstgAgtAcct", "PrvsInstgAgt"),
        ("PrvsInstgAgt1Acct", "PrvsInstgAgt1"),
        ("PrvsInstgAgt2Acct", "PrvsInstgAgt2"),
        ("PrvsInstgAgt3Acct", "PrvsInstgAgt3"),
        ("IntrmyAgt1Acct", "IntrmyAgt1"),
        ("IntrmyAgt2Acct", "IntrmyAgt2"),
        ("IntrmyAgt3Acct", "IntrmyAgt3"),
    ];
    for (name, needed) in NEEDS {
        needs(transaction, name, needed, &ACCOUNT_NEEDS_AGENT, report);
    }
}

fn needs(transaction: Node<'_>, name: &str, needed: &str, rule: &Rule, report: &mut Report) {
    if let Some(node) = transaction.child(name)
        && transaction.child(needed).is_none()
    {
        report.add(rule, node, format!("`{name}` needs `{needed}`."));
    }
}
