//! Counts and sums of the group header against the transactions.

use super::Group;
use super::amounts::Amount;
use crate::rules::{Report, rules};
use crate::views::money::decimal;
use rust_decimal::Decimal;

rules! {
    /// `NbOfTxs` is the number of transactions in the message.
    NUMBER = "base.number-of-transactions", CrossField, ERROR, ["AM19"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, definition of NumberOfTransactions";
    /// `CtrlSum` is the sum of all settlement amounts as plain numbers.
    CONTROL_SUM = "base.control-sum", CrossField, ERROR, ["AM10"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, definition of ControlSum";
    /// The total settlement amount is the sum of the settlement amounts.
    TOTAL = "base.total-amount", CrossField, ERROR, ["AM10"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on TotalInterbankSettlementAmount";
    /// The total settlement amount has the currency of the settlement amounts.
    TOTAL_CURRENCY = "base.total-currency", CrossField, ERROR, ["AM11"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on TotalInterbankSettlementAmount";
    /// All settlement amounts of a message (of a credit instruction in `pacs.010`) have one currency.
    ONE_CURRENCY = "base.one-currency", CrossField, ERROR, ["AM11"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on TotalInterbankSettlementAmount, and the practice of settlement systems";
    /// A total settlement amount comes with a settlement date, in the group or in every transaction.
    DATE_WITH_TOTAL = "base.settlement-date-with-total", CrossField, WARNING, ["CH21"],
        "pacs.003 pacs.004 pacs.007 pacs.008 pacs.009 pacs.010",
        "base message, rule on total amount and settlement date, as re-told";
}

/// Running totals over transactions.
#[derive(Default)]
pub(in crate::rules) struct Totals<'a> {
    pub(in crate::rules) count: usize,
    /// Transactions whose amount could be read.
    amounts: usize,
    /// The sum; `None` when it is larger than can be held.
    sum: Option<Decimal>,
    first: Option<Amount<'a>>,
    /// The first amount in another currency.
    odd: Option<Amount<'a>>,
    /// Transactions with a settlement date.
    pub(super) dated: usize,
}

impl<'a> Totals<'a> {
    pub(super) fn add(&mut self, amount: Option<Amount<'a>>) {
        self.count += 1;
        let Some(amount) = amount else { return };
        self.sum = if self.amounts == 0 {
            Some(amount.value)
        } else {
            self.sum.and_then(|sum| sum.checked_add(amount.value))
        };
        self.amounts += 1;
        match self.first {
            None => self.first = Some(amount),
            Some(first) if first.currency != amount.currency && self.odd.is_none() => {
                self.odd = Some(amount);
            }
            Some(_) => {}
        }
    }

    /// Takes in the totals of a part, whose currencies are its own affair.
    pub(super) fn join(&mut self, part: &Self) {
        self.sum = match (self.sum, part.sum) {
            (Some(sum), Some(more)) => sum.checked_add(more),
            (sum, more) if self.amounts == 0 || part.amounts == 0 => sum.or(more),
            _ => None,
        };
        self.count += part.count;
        self.amounts += part.amounts;
        self.first = self.first.or(part.first);
    }
}

/// See [`NUMBER`]. A return or reversal of a whole group may list no transactions; its count is
/// that of the original.
pub(super) fn number(group: &Group<'_>, totals: &Totals<'_>, report: &mut Report) {
    if is_whole(group) {
        return;
    }
    if let Some(node) = group.number
        && node.text().trim().parse() != Ok(totals.count)
    {
        report.add(&NUMBER, node, format!("The message holds {} transactions.", totals.count));
    }
}

fn is_whole(group: &Group<'_>) -> bool {
    group.whole.is_some_and(|node| matches!(node.text().trim(), "true" | "1"))
}

pub(super) fn sums(group: &Group<'_>, totals: &Totals<'_>, report: &mut Report) {
    // With an amount missing or unreadable, sums would only repeat what the schema has said.
    if is_whole(group) || totals.amounts != totals.count {
        return;
    }
    let Some(first) = totals.first else { return };
    one_currency(totals, &first, report);
    control_sum(group, totals, report);
    total_amount(group, totals, report);
    total_currency(group, &first, report);
    date_with_total(group, totals, report);
}

/// See [`ONE_CURRENCY`].
fn one_currency(totals: &Totals<'_>, first: &Amount<'_>, report: &mut Report) {
    if let Some(odd) = totals.odd {
        let text = format!("The first transaction is in {}.", first.currency);
        report.add(&ONE_CURRENCY, odd.node, text);
    }
}

/// See [`CONTROL_SUM`].
fn control_sum(group: &Group<'_>, totals: &Totals<'_>, report: &mut Report) {
    let Some(node) = group.sum else { return };
    if let Some(stated) = decimal(node.text())
        && totals.sum != Some(stated)
    {
        report.add(&CONTROL_SUM, node, sum_text(totals.sum));
    }
}

/// See [`TOTAL`].
fn total_amount(group: &Group<'_>, totals: &Totals<'_>, report: &mut Report) {
    if let Some(stated) = group.total.and_then(Amount::of)
        && totals.sum != Some(stated.value)
    {
        report.add(&TOTAL, stated.node, sum_text(totals.sum));
    }
}

/// See [`TOTAL_CURRENCY`].
fn total_currency(group: &Group<'_>, first: &Amount<'_>, report: &mut Report) {
    if let Some(stated) = group.total.and_then(Amount::of)
        && stated.currency != first.currency
    {
        let text = format!("The first transaction is in {}.", first.currency);
        report.add(&TOTAL_CURRENCY, stated.node, text);
    }
}

/// See [`DATE_WITH_TOTAL`].
fn date_with_total(group: &Group<'_>, totals: &Totals<'_>, report: &mut Report) {
    if let Some(total) = group.total
        && group.date.is_none()
        && totals.dated < totals.count
    {
        report.add(&DATE_WITH_TOTAL, total, "A total needs a settlement date.");
    }
}

pub(in crate::rules) fn sum_text(sum: Option<Decimal>) -> String {
    match sum {
        Some(sum) => format!("The transactions sum up to {sum}."),
        None => "The transactions sum up to more than can be held.".to_owned(),
    }
}
