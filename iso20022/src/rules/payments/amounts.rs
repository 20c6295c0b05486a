//! Amounts: currency, decimals, zero, exchange rate, charges.
//!
//! Trailing zeros beyond the decimals of a currency are accepted on input (`100.00` yen is one
//! hundred yen), since senders format all currencies alike and the value is exact; a fraction that
//! the currency does not have is refused. Output never has superfluous zeros.

use super::Transaction;
use crate::reference::currency;
use crate::rules::{Report, rules};
use crate::tree::Node;
use crate::views::money::decimal;
use rust_decimal::Decimal;

rules! {
    /// The currency of a settlement amount is an active one.
    CURRENCY_KNOWN = "base.currency-known", ReferenceData, ERROR, ["AM11"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "ISO 4217, through the data type ActiveCurrencyCode";
    /// A settlement amount is in money: not in metal, bond units, special drawing rights or test codes.
    CURRENCY_MONEY = "base.currency-is-money", ReferenceData, ERROR, ["AM03"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "CBPR+ rule on commodity currencies, as re-told; ISO 4217 for the test codes";
    /// A settlement amount has no fraction that its currency lacks. Trailing zeros do not count.
    DECIMALS = "base.currency-decimals", CrossField, ERROR, ["CH20"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule CurrencyAmount; exponents of ISO 4217";
    /// A settlement amount is not zero.
    NOT_ZERO = "base.amount-not-zero", CrossField, ERROR, ["AM01"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "practice of settlement systems, reason code AM01";
    /// An instructed amount in another currency than the settlement amount needs an exchange rate.
    RATE_NEEDED = "base.exchange-rate-needed", CrossField, ERROR, ["CH21"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009",
        "base message, rule InstructedAmountAndExchangeRate1";
    /// With one currency for instructed and settlement amount an exchange rate has no place.
    RATE_SUPERFLUOUS = "base.exchange-rate-superfluous", CrossField, ERROR, ["CH17"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009",
        "base message, rule InstructedAmountAndExchangeRate2";
    /// Where instructed and settlement amount differ in one currency, charges explain why.
    DIFFERENCE_EXPLAINED = "base.difference-explained", CrossField, WARNING, ["AM09"],
        "pacs.003 pacs.008",
        "CBPR+ rules on DEBT and SHAR, as re-told";
    /// With SHAR or CRED, in one currency, the settlement amount is the instructed amount less the
    /// charges taken.
    CHARGES_TAKEN = "base.charges-taken", CrossField, WARNING, ["AM09"],
        "pacs.008",
        "CBPR+ rules on SHAR and CRED, as re-told";
    /// With DEBT, in one currency, the settlement amount is not below the instructed amount.
    CHARGES_PREPAID = "base.charges-prepaid", CrossField, WARNING, ["AM09"],
        "pacs.008",
        "CBPR+ rule on DEBT, as re-told";
}

/// An amount that could be read. What cannot be read is the schema's business.
#[derive(Clone, Copy)]
pub(in crate::rules) struct Amount<'a> {
    pub(in crate::rules) node: Node<'a>,
    pub(in crate::rules) value: Decimal,
    pub(in crate::rules) currency: &'a str,
}

impl<'a> Amount<'a> {
    pub(in crate::rules) fn of(node: Node<'a>) -> Option<Self> {
        Some(Self { node, value: decimal(node.text())?, currency: node.attribute("Ccy")? })
    }
}

pub(super) fn settled(amount: &Amount<'_>, report: &mut Report) {
    match currency::decimals(amount.currency) {
        Some(decimals) => currency_decimals(amount, decimals, report),
        None if currency::is_not_money(amount.currency) => currency_is_money(amount, report),
        None => currency_known(amount, report),
    }
    not_zero(amount, report);
}

/// See [`CURRENCY_KNOWN`].
fn currency_known(amount: &Amount<'_>, report: &mut Report) {
    report.add(&CURRENCY_KNOWN, amount.node, "The currency is not an active one.");
}

/// See [`CURRENCY_MONEY`].
fn currency_is_money(amount: &Amount<'_>, report: &mut Report) {
    report.add(&CURRENCY_MONEY, amount.node, "The code names no currency that can settle.");
}

/// See [`DECIMALS`].
fn currency_decimals(amount: &Amount<'_>, decimals: u32, report: &mut Report) {
    if !currency::fits(amount.value, decimals) {
        let text = format!("{} has {decimals} decimals.", amount.currency);
        report.add(&DECIMALS, amount.node, text);
    }
}

/// See [`NOT_ZERO`].
fn not_zero(amount: &Amount<'_>, report: &mut Report) {
    if amount.value.is_zero() {
        report.add(&NOT_ZERO, amount.node, "The settlement amount is zero.");
    }
}

pub(super) fn instructed(
    transaction: &Transaction<'_>,
    settled: &Amount<'_>,
    is_reverse: bool,
    report: &mut Report,
) {
    let Some(node) = transaction.instructed_amount else { return };
    let Some(instructed) = Amount::of(node) else { return };
    let same = instructed.currency == settled.currency;
    rate_needed(transaction, node, same, report);
    rate_superfluous(transaction, same, report);
    if same && !is_reverse {
        difference_explained(transaction, &instructed, settled, report);
        charges_taken(transaction, &instructed, settled, report);
        charges_prepaid(transaction, &instructed, settled, report);
    }
}

/// See [`RATE_NEEDED`].
fn rate_needed(transaction: &Transaction<'_>, node: Node<'_>, same: bool, report: &mut Report) {
    if !same && transaction.rate.is_none() {
        report.add(&RATE_NEEDED, node, "Two currencies need an exchange rate.");
    }
}

/// See [`RATE_SUPERFLUOUS`].
fn rate_superfluous(transaction: &Transaction<'_>, same: bool, report: &mut Report) {
    if let Some(rate) = transaction.rate
        && same
    {
        report.add(&RATE_SUPERFLUOUS, rate, "One currency needs no exchange rate.");
    }
}

/// See [`DIFFERENCE_EXPLAINED`].
fn difference_explained(
    transaction: &Transaction<'_>,
    instructed: &Amount<'_>,
    settled: &Amount<'_>,
    report: &mut Report,
) {
    if instructed.value != settled.value && transaction.charges.is_none() {
        let text = "The amounts differ, but no charges are told.";
        report.add(&DIFFERENCE_EXPLAINED, settled.node, text);
    }
}

/// See [`CHARGES_TAKEN`].
fn charges_taken(
    transaction: &Transaction<'_>,
    instructed: &Amount<'_>,
    settled: &Amount<'_>,
    report: &mut Report,
) {
    let shared = transaction.bearer.is_some_and(|node| matches!(node.text(), "SHAR" | "CRED"));
    if !shared || transaction.charges.is_none() {
        return;
    }
    let Some(charges) = charges_in(settled) else { return };
    if instructed.value.checked_sub(charges) != Some(settled.value) {
        let text = format!("{} less charges of {charges} is another amount.", instructed.value);
        report.add(&CHARGES_TAKEN, settled.node, text);
    }
}

/// The sum of the charges beside a settlement amount; `None` when one of them is in another
/// currency or cannot be read.
fn charges_in(settled: &Amount<'_>) -> Option<Decimal> {
    let transaction = settled.node.parent()?;
    transaction.children("ChrgsInf").try_fold(Decimal::ZERO, |sum, one| {
        let amount = Amount::of(one.child("Amt").or_else(|| one.child("ChrgsAmt"))?)?;
        (amount.currency == settled.currency).then(|| sum.checked_add(amount.value)).flatten()
    })
}

/// See [`CHARGES_PREPAID`].
fn charges_prepaid(
    transaction: &Transaction<'_>,
    instructed: &Amount<'_>,
    settled: &Amount<'_>,
    report: &mut Report,
) {
    let debtor_pays = transaction.bearer.is_some_and(|node| node.text() == "DEBT");
    if debtor_pays && settled.value < instructed.value {
        let text = "The debtor bears the charges, but something was taken from the amount.";
        report.add(&CHARGES_PREPAID, settled.node, text);
    }
}
