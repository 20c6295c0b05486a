//! Counts and sums of the group header against the transactions.

use super::{Report, Rule, error};
use crate::finding::Layer;
use crate::tree::Node;
use crate::views::money::decimal;
use crate::views::{CreditTransfer, Money, Return};
use rust_decimal::Decimal;

pub(super) static NUMBER: Rule = error("base.number-of-transactions", Layer::CrossField, &["AM19"]);
pub(super) static CONTROL_SUM: Rule = error("base.control-sum", Layer::CrossField, &["AM10"]);
pub(super) static TOTAL: Rule = error("base.total-amount", Layer::CrossField, &["AM10"]);
pub(super) static TOTAL_CURRENCY: Rule = error("base.total-currency", Layer::CrossField, &["AM11"]);
pub(super) static ONE_CURRENCY: Rule = error("base.one-currency", Layer::CrossField, &["AM11"]);

pub(super) fn credit_transfer(transfer: &CreditTransfer<'_>, report: &mut Report) {
    let Some(group) = transfer.group() else { return };
    let amounts: Vec<Node<'_>> = transfer
        .transactions()
        .filter_map(|transaction| transaction.node().child("IntrBkSttlmAmt"))
        .collect();
    number_of_transactions(group, transfer.len(), report);
    sums(group, "TtlIntrBkSttlmAmt", transfer.len(), &amounts, report);
}

pub(super) fn returned(returned: &Return<'_>, report: &mut Report) {
    let Some(group) = returned.group() else { return };
    // A return of a whole group may list no transactions; its counts are those of the original.
    if matches!(group.text_at("GrpRtr").map(str::trim), Some("true" | "1")) {
        return;
    }
    let transactions: Vec<_> = returned.transactions().collect();
    let amounts: Vec<Node<'_>> =
        transactions.iter().filter_map(|one| one.node().child("RtrdIntrBkSttlmAmt")).collect();
    number_of_transactions(group, transactions.len(), report);
    sums(group, "TtlRtrdIntrBkSttlmAmt", transactions.len(), &amounts, report);
}

/// `NbOfTxs` is the number of transactions. Source: definition of the element in the base message.
fn number_of_transactions(group: Node<'_>, count: usize, report: &mut Report) {
    let Some(node) = group.child("NbOfTxs") else { return };
    if node.text().trim().parse() != Ok(count) {
        report.add(&NUMBER, node, format!("The message holds {count} transactions."));
    }
}

fn sums(group: Node<'_>, total: &str, count: usize, amounts: &[Node<'_>], report: &mut Report) {
    let monies: Vec<Money<'_>> = amounts.iter().filter_map(|node| Money::of(*node).ok()).collect();
    // With an amount missing or unreadable, sums would only repeat what the schema has said.
    if monies.len() != count || monies.is_empty() {
        return;
    }
    one_currency(&monies, amounts, report);
    let sum = monies.iter().try_fold(Decimal::ZERO, |sum, money| sum.checked_add(money.value));
    control_sum(group, sum, report);
    if let Some(node) = group.child(total)
        && let Ok(stated) = Money::of(node)
    {
        total_amount(node, &stated, sum, report);
        total_currency(node, &stated, &monies, report);
    }
}

/// All settlement amounts of a message have one currency. Source: base message, rule on the total
/// interbank settlement amount and common practice of settlement systems.
fn one_currency(monies: &[Money<'_>], amounts: &[Node<'_>], report: &mut Report) {
    let odd = monies.iter().position(|money| money.currency != monies[0].currency);
    if let Some(odd) = odd {
        let text = format!("The first transaction is in {}.", monies[0].currency);
        report.add(&ONE_CURRENCY, amounts[odd], text);
    }
}

/// `CtrlSum` is the sum of the amounts as plain numbers. Source: definition of the element.
fn control_sum(group: Node<'_>, sum: Option<Decimal>, report: &mut Report) {
    let Some(node) = group.child("CtrlSum") else { return };
    if let Some(stated) = decimal(node.text())
        && sum != Some(stated)
    {
        report.add(&CONTROL_SUM, node, sum_text(sum));
    }
}

/// The total settlement amount is the sum of the amounts. Source: base message, rule on the total.
fn total_amount(node: Node<'_>, stated: &Money<'_>, sum: Option<Decimal>, report: &mut Report) {
    if sum != Some(stated.value) {
        report.add(&TOTAL, node, sum_text(sum));
    }
}

/// The total has the currency of the amounts. Source: base message, rule on the total.
fn total_currency(node: Node<'_>, stated: &Money<'_>, monies: &[Money<'_>], report: &mut Report) {
    if stated.currency != monies[0].currency {
        let text = format!("The first transaction is in {}.", monies[0].currency);
        report.add(&TOTAL_CURRENCY, node, text);
    }
}

fn sum_text(sum: Option<Decimal>) -> String {
    match sum {
        Some(sum) => format!("The transactions sum up to {sum}."),
        None => "The transactions sum up to more than can be held.".to_owned(),
    }
}
