//! Counts and sums over all transactions of a file, against what the file states.

use super::Transaction;
use crate::finding::{Finding, Layer, Severity, excerpt};
use crate::limits::FINDINGS_MAX;
use crate::message::Message;
use crate::rules;
use crate::tree::Node;
use crate::views::money::decimal;
use rust_decimal::Decimal;

const TOTAL: &str = "base.total-amount";
const ONE_CURRENCY: &str = "base.one-currency";

/// Where the amount of a transaction stands, most usual first.
const AMOUNTS: [&str; 5] =
    ["IntrBkSttlmAmt", "RtrdIntrBkSttlmAmt", "Amt/InstdAmt", "Amt/EqvtAmt/Amt", "InstdAmt"];
/// Totals of the group header that are sums of those amounts.
const TOTALS: [&str; 2] = ["TtlIntrBkSttlmAmt", "TtlRtrdIntrBkSttlmAmt"];

/// A count and a sum. The sum is lost when an amount cannot be read: the schema has said so.
#[derive(Clone, Copy, Debug)]
struct Sum {
    count: u64,
    amount: Option<Decimal>,
}

impl Default for Sum {
    fn default() -> Self {
        Self { count: 0, amount: Some(Decimal::ZERO) }
    }
}

impl Sum {
    fn add(&mut self, amount: Option<Decimal>) {
        self.count += 1;
        self.amount = self.amount.and_then(|sum| sum.checked_add(amount?));
    }
}

/// What a group states, as findings that hold if it is not so.
#[derive(Debug)]
struct Stated {
    group: u64,
    number: Option<(u64, Finding)>,
    sum: Option<(Decimal, Finding)>,
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    all: Sum,
    group: Sum,
    stated: Option<Stated>,
    /// Currency of the first transaction, where all must have the same.
    currency: Option<String>,
    findings: Vec<Finding>,
}

impl Totals {
    pub(super) fn count(&self) -> u64 {
        self.all.count
    }

    /// Counts a transaction.
    pub(super) fn add(&mut self, transaction: &Transaction) {
        let node = transaction.node();
        let node = node.and_then(|node| AMOUNTS.iter().find_map(|path| node.at(path)));
        let amount = node.and_then(|node| decimal(node.text()));
        if let Some(node) = node {
            self.one_currency(node, transaction);
        }
        self.all.add(amount);
        if transaction.group == 0 {
            return;
        }
        if self.stated.as_ref().is_none_or(|stated| stated.group != transaction.group) {
            self.end_group();
            self.stated = transaction.node().and_then(Node::parent).map(|group| {
                let locate = |mut finding: Finding| {
                    transaction.place.locate(&mut finding);
                    finding
                };
                Stated {
                    group: transaction.group,
                    number: number(group).map(|(value, found)| (value, locate(found))),
                    sum: control_sum(group).map(|(value, found)| (value, locate(found))),
                }
            });
        }
        self.group.add(amount);
    }

    /// Amounts between banks have one currency in a message.
    fn one_currency(&mut self, node: Node<'_>, transaction: &Transaction) {
        let settled = [AMOUNTS[0], AMOUNTS[1]].contains(&node.name());
        let Some(currency) = node.attribute("Ccy").filter(|_| settled) else { return };
        match &self.currency {
            None => self.currency = Some(currency.to_owned()),
            Some(first) if first != currency && self.findings.len() < FINDINGS_MAX => {
                let text = format!("The first amount of the file is in {}.", excerpt(first));
                let mut found = finding(node, ONE_CURRENCY, "AM11", text);
                transaction.place.locate(&mut found);
                self.findings.push(found);
            }
            Some(_) => {}
        }
    }

    fn end_group(&mut self) {
        let sum = std::mem::take(&mut self.group);
        if let Some(stated) = self.stated.take() {
            compare(stated.number, stated.sum, sum, &mut self.findings);
        }
        self.findings.truncate(FINDINGS_MAX);
    }

    /// What speaks against the file at its end. `message` holds the header of the group.
    pub(super) fn finish(&mut self, message: &Message) -> Vec<Finding> {
        self.end_group();
        let mut findings = std::mem::take(&mut self.findings);
        let Some(header) = message.document.body().and_then(|body| body.child("GrpHdr")) else {
            return findings;
        };
        if matches!(header.text_at("GrpRtr").map(str::trim), Some("true" | "1")) {
            return findings;
        }
        compare(number(header), control_sum(header), self.all, &mut findings);
        for name in TOTALS {
            let Some(node) = header.child(name) else { continue };
            let (Some(stated), Some(sum)) = (decimal(node.text()), self.all.amount) else {
                continue;
            };
            if stated != sum {
                findings.push(finding(
                    node,
                    TOTAL,
                    "AM10",
                    format!("The amounts add up to {sum}."),
                ));
            }
        }
        findings
    }
}

fn compare(
    number: Option<(u64, Finding)>,
    control: Option<(Decimal, Finding)>,
    found: Sum,
    findings: &mut Vec<Finding>,
) {
    if let Some((stated, mut finding)) = number
        && stated != found.count
    {
        finding.text = format!("There are {} transactions.", found.count);
        findings.push(finding);
    }
    if let (Some((stated, mut finding)), Some(sum)) = (control, found.amount)
        && stated != sum
    {
        finding.text = format!("The amounts add up to {sum}.");
        findings.push(finding);
    }
}

fn number(node: Node<'_>) -> Option<(u64, Finding)> {
    let child = node.child("NbOfTxs")?;
    // A number that is none, or too large, cannot be the number of transactions.
    let value = child.text().trim().parse().unwrap_or(u64::MAX);
    let [rule, _] = rules::counted(node);
    Some((value, finding(child, rule.id, rule.codes[0], String::new())))
}

fn control_sum(node: Node<'_>) -> Option<(Decimal, Finding)> {
    let child = node.child("CtrlSum")?;
    let [_, rule] = rules::counted(node);
    Some((decimal(child.text())?, finding(child, rule.id, rule.codes[0], String::new())))
}

/// An error of the rules on fields that depend on each other.
pub(super) fn finding(
    node: Node<'_>,
    rule: &'static str,
    code: &'static str,
    text: String,
) -> Finding {
    Finding {
        layer: Layer::CrossField,
        severity: Severity::Error,
        message: node.tree().message().to_string(),
        path: node.path(),
        offset: node.offset(),
        line: node.line(),
        value: excerpt(node.text()),
        rule,
        code,
        text,
    }
}
