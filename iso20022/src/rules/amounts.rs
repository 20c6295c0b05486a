//! Amounts: currency, decimals, zero, exchange rate.
//!
//! Trailing zeros beyond the decimals of a currency are accepted on input (`100.00` yen is one
//! hundred yen), since senders format all currencies alike and the value is exact; a fraction that
//! the currency does not have is refused. Output never has superfluous zeros.

use super::{Report, Rule, error};
use crate::finding::Layer;
use crate::reference::currency;
use crate::tree::Node;
use crate::views::{CreditTransfer, Money, Return};

pub(super) static CURRENCY_KNOWN: Rule =
    error("base.currency-known", Layer::ReferenceData, &["AM11"]);
pub(super) static CURRENCY_MONEY: Rule =
    error("base.currency-is-money", Layer::ReferenceData, &["AM03"]);
pub(super) static DECIMALS: Rule = error("base.currency-decimals", Layer::CrossField, &["CH20"]);
pub(super) static NOT_ZERO: Rule = error("base.amount-not-zero", Layer::CrossField, &["AM01"]);
pub(super) static RATE_NEEDED: Rule =
    error("base.exchange-rate-needed", Layer::CrossField, &["CH21"]);
pub(super) static RATE_SUPERFLUOUS: Rule =
    error("base.exchange-rate-superfluous", Layer::CrossField, &["CH17"]);
pub(super) static RETURN_NOT_MORE: Rule =
    error("base.return-not-more", Layer::CrossField, &["AM09"]);

pub(super) fn credit_transfer(transfer: &CreditTransfer<'_>, report: &mut Report) {
    for transaction in transfer.transactions() {
        let node = transaction.node();
        if let Some(amount) = node.child("IntrBkSttlmAmt") {
            settlement_amount(amount, report);
        }
        exchange_rate(node, report);
    }
}

pub(super) fn returned(returned: &Return<'_>, report: &mut Report) {
    for transaction in returned.transactions() {
        let node = transaction.node();
        if let Some(amount) = node.child("RtrdIntrBkSttlmAmt") {
            settlement_amount(amount, report);
            return_not_more(node, amount, report);
        }
    }
}

fn settlement_amount(node: Node<'_>, report: &mut Report) {
    let Ok(money) = Money::of(node) else { return };
    match currency::decimals(money.currency) {
        Some(decimals) => currency_decimals(node, &money, decimals, report),
        None if currency::is_not_money(money.currency) => currency_is_money(node, report),
        None => currency_known(node, report),
    }
    not_zero(node, &money, report);
}

/// The currency of a settlement amount is an active one. Source: ISO 4217 through the data type.
fn currency_known(node: Node<'_>, report: &mut Report) {
    report.add(&CURRENCY_KNOWN, node, "The currency is not an active one.");
}

/// Metals, bond units and test codes cannot settle. Source: CBPR+ rule on commodity currencies.
fn currency_is_money(node: Node<'_>, report: &mut Report) {
    report.add(&CURRENCY_MONEY, node, "The code names no currency that can settle.");
}

/// The value has no fraction that the currency lacks. Source: base message, rule "currency amount".
fn currency_decimals(node: Node<'_>, money: &Money<'_>, decimals: u32, report: &mut Report) {
    if !currency::fits(money.value, decimals) {
        let text = format!("{} has {decimals} decimals.", money.currency);
        report.add(&DECIMALS, node, text);
    }
}

/// Nothing of no value is settled. Source: practice of settlement systems, code AM01.
fn not_zero(node: Node<'_>, money: &Money<'_>, report: &mut Report) {
    if money.value.is_zero() {
        report.add(&NOT_ZERO, node, "The settlement amount is zero.");
    }
}

/// An instructed amount in another currency needs a rate; in the same currency a rate has no
/// place. Source: base message, rules "instructed amount and exchange rate" 1 and 2.
fn exchange_rate(transaction: Node<'_>, report: &mut Report) {
    let settled = transaction.child("IntrBkSttlmAmt").and_then(|node| node.attribute("Ccy"));
    let Some(settled) = settled else { return };
    let Some(instructed) = transaction.child("InstdAmt") else { return };
    let rate = transaction.child("XchgRate");
    let same = instructed.attribute("Ccy") == Some(settled);
    match rate {
        None if !same => {
            report.add(&RATE_NEEDED, instructed, "Two currencies need an exchange rate.");
        }
        Some(rate) if same => {
            report.add(&RATE_SUPERFLUOUS, rate, "One currency needs no exchange rate.");
        }
        _ => {}
    }
}

/// A return is never more than the original, unless it holds a compensation. Source: definition
/// of the returned amount in the base message.
fn return_not_more(transaction: Node<'_>, amount: Node<'_>, report: &mut Report) {
    let original = transaction.child("OrgnlIntrBkSttlmAmt").map(Money::of);
    let (Some(Ok(original)), Ok(returned)) = (original, Money::of(amount)) else { return };
    if original.currency == returned.currency
        && returned.value > original.value
        && transaction.child("CompstnAmt").is_none()
    {
        let text = format!("The original amount is {}.", original.lexical);
        report.add(&RETURN_NOT_MORE, amount, text);
    }
}
