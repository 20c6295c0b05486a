//! Liquidity transfers, notifications to receive, report requests and charges: `camt.050`, `057`,
//! `060`, `105`, `106`.

use super::payments::amounts::Amount;
use super::{Context, Report, rules};
use crate::name::MessageName;
use crate::tree::Node;
use crate::views::account_id;
use crate::views::money::decimal;
use rust_decimal::Decimal;

rules! {
    /// A liquidity transfer moves more than nothing.
    TRANSFER_NOT_ZERO = "base.liquidity-not-zero", CrossField, ERROR, ["AM01"], "camt.050",
        "reason code AM01; practice of settlement systems";
    /// A liquidity transfer goes from one account to another.
    ACCOUNTS_DIFFER = "base.liquidity-accounts-differ", CrossField, ERROR, ["AC01"], "camt.050",
        "definition of the message: money moves between two accounts";
    /// A liquidity transfer names the account that it credits or the one that it debits.
    ACCOUNT_NAMED = "base.liquidity-account-named", CrossField, WARNING, ["AC01"], "camt.050",
        "definition of the message";
    /// The total of a notification is the sum of its items, in one currency.
    NOTIFICATION_TOTAL = "base.notification-total", CrossField, ERROR, ["AM10"], "camt.057",
        "base message, definition of TotalAmount";
    /// The expected value date stands in the notification or in its items, not in both.
    NOTIFICATION_DATE = "base.notification-date-once", CrossField, WARNING, ["CH17"], "camt.057",
        "base message, rules on elements common to all items, as re-told";
    /// The debtor and its agent stand in the notification or in its items, not in both.
    NOTIFICATION_DEBTOR = "base.notification-debtor-once", CrossField, WARNING, ["CH17"], "camt.057",
        "base message, rules on elements common to all items, as re-told";
    /// A request for a report names a report, statement or notification message.
    REQUEST_MESSAGE = "base.report-request-message", CrossField, WARNING, ["CH16"], "camt.060",
        "base message, definition of RequestedMessageNameIdentification";
    /// The period of a request does not end before it starts.
    REQUEST_PERIOD = "base.report-request-period", CrossField, WARNING, ["DT01"], "camt.060",
        "base message, definition of ReportingPeriod";
    /// The number of charges records (or of the items of a record) is the number that follows.
    CHARGES_NUMBER = "base.charges-number", CrossField, ERROR, ["AM19"], "camt.105 camt.106",
        "base message, definition of NumberOfChargesRecords";
    /// The control sum of charges is the sum of what follows as plain numbers.
    CHARGES_SUM = "base.charges-control-sum", CrossField, ERROR, ["AM10"], "camt.105 camt.106",
        "base message, definition of ControlSum";
    /// The total of charges is the sum of what follows, in its currency.
    CHARGES_TOTAL = "base.charges-total", CrossField, ERROR, ["AM10"], "camt.105 camt.106",
        "base message, definition of TotalChargesAmount";
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    match context.family() {
        "camt.050" => transfer(context.body, report),
        "camt.057" => notification(context.body, report),
        "camt.060" => request(context.body, report),
        _ => charges(context.body, report),
    }
}

fn transfer(body: Node<'_>, report: &mut Report) {
    let Some(transfer) = body.child("LqdtyCdtTrf") else { return };
    let amount = transfer.child("TrfdAmt").and_then(|choice| choice.elements().next());
    if let Some(amount) = amount {
        transfer_not_zero(amount, report);
    }
    let (credited, debited) = (transfer.child("CdtrAcct"), transfer.child("DbtrAcct"));
    accounts_differ(credited, debited, report);
    account_named(transfer, credited, debited, report);
}

/// See [`TRANSFER_NOT_ZERO`].
fn transfer_not_zero(amount: Node<'_>, report: &mut Report) {
    if decimal(amount.text()).is_some_and(|value| value.is_zero()) {
        report.add(&TRANSFER_NOT_ZERO, amount, "The amount is zero.");
    }
}

/// See [`ACCOUNTS_DIFFER`].
fn accounts_differ(credited: Option<Node<'_>>, debited: Option<Node<'_>>, report: &mut Report) {
    if let (Some(credited), Some(debited)) = (credited, debited)
        && let Some(id) = account_id(credited)
        && account_id(debited) == Some(id)
    {
        report.add(&ACCOUNTS_DIFFER, debited, "Both accounts are the same.");
    }
}

/// See [`ACCOUNT_NAMED`].
fn account_named(
    transfer: Node<'_>,
    credited: Option<Node<'_>>,
    debited: Option<Node<'_>>,
    report: &mut Report,
) {
    let parties = transfer.child("Cdtr").or_else(|| transfer.child("Dbtr"));
    if credited.or(debited).or(parties).is_none() {
        report.add(&ACCOUNT_NAMED, transfer, "No account and no party is named.");
    }
}

fn notification(body: Node<'_>, report: &mut Report) {
    for notification in body.children("Ntfctn") {
        notification_total(notification, report);
        for item in notification.children("Itm") {
            notification_date(notification, item, report);
            notification_debtor(notification, item, report);
        }
    }
}

/// See [`NOTIFICATION_TOTAL`].
fn notification_total(notification: Node<'_>, report: &mut Report) {
    let Some(total) = notification.child("TtlAmt").and_then(Amount::of) else { return };
    let sum = notification.children("Itm").try_fold(Decimal::ZERO, |sum, item| {
        let amount = item.child("Amt").and_then(Amount::of)?;
        (amount.currency == total.currency).then(|| sum.checked_add(amount.value)).flatten()
    });
    if let Some(sum) = sum
        && sum != total.value
    {
        report.add(&NOTIFICATION_TOTAL, total.node, format!("The items sum up to {sum}."));
    }
}

/// See [`NOTIFICATION_DATE`].
fn notification_date(notification: Node<'_>, item: Node<'_>, report: &mut Report) {
    if let (Some(_), Some(own)) = (notification.child("XpctdValDt"), item.child("XpctdValDt")) {
        report.add(&NOTIFICATION_DATE, own, "The date already stands above the items.");
    }
}

/// See [`NOTIFICATION_DEBTOR`].
fn notification_debtor(notification: Node<'_>, item: Node<'_>, report: &mut Report) {
    for name in ["Dbtr", "DbtrAgt"] {
        if let (Some(_), Some(own)) = (notification.child(name), item.child(name)) {
            let text = format!("`{name}` already stands above the items.");
            report.add(&NOTIFICATION_DEBTOR, own, text);
        }
    }
}

fn request(body: Node<'_>, report: &mut Report) {
    for request in body.children("RptgReq") {
        if let Some(name) = request.child("ReqdMsgNmId") {
            request_message(name, report);
        }
        if let Some(period) = request.at("RptgPrd/FrToDt") {
            request_period(period, report);
        }
    }
}

/// See [`REQUEST_MESSAGE`].
fn request_message(node: Node<'_>, report: &mut Report) {
    let text = node.text();
    let known = |family: &str| matches!(family, "camt.052" | "camt.053" | "camt.054" | "camt.086");
    let whole = text.parse::<MessageName>().is_ok_and(|name| known(name.family()));
    if !whole && !known(text) {
        report.add(&REQUEST_MESSAGE, node, "This names no report that can be asked for.");
    }
}

/// See [`REQUEST_PERIOD`].
fn request_period(period: Node<'_>, report: &mut Report) {
    if let (Some(from), Some(to)) = (period.text_at("FrDt"), period.child("ToDt"))
        && from.get(..10) > to.text().get(..10)
    {
        report.add(&REQUEST_PERIOD, to, format!("The period starts on {from}."));
    }
}

/// Records of charges: how many, and their sum in one direction if they share a currency.
#[derive(Default)]
struct Records<'a> {
    count: usize,
    sum: Option<Decimal>,
    currency: Option<&'a str>,
    mixed: bool,
}

impl<'a> Records<'a> {
    /// Takes in a record: its amount, or the amounts that it is broken down into.
    fn add(&mut self, record: Node<'a>) {
        self.count += 1;
        let broken_down = record.children("ChrgsBrkdwn").next().is_some();
        if broken_down {
            record.children("ChrgsBrkdwn").for_each(|item| self.add_amount(item));
        } else {
            self.add_amount(record);
        }
    }

    fn add_amount(&mut self, part: Node<'a>) {
        let Some(amount) = part.child("Amt").and_then(Amount::of) else {
            self.mixed = true;
            return;
        };
        let returned = part.text_at("CdtDbtInd") == Some("CRDT");
        self.mixed |= returned || self.currency.is_some_and(|known| known != amount.currency);
        self.currency = Some(amount.currency);
        self.sum = self.sum.unwrap_or_default().checked_add(amount.value);
        self.mixed |= self.sum.is_none();
    }

    fn join(&mut self, part: &Self) {
        self.mixed |= part.mixed || (self.currency.is_some() && self.currency != part.currency);
        self.count += part.count;
        self.currency = self.currency.or(part.currency);
        self.sum = self.sum.unwrap_or_default().checked_add(part.sum.unwrap_or_default());
        self.mixed |= self.sum.is_none();
    }
}

fn charges(body: Node<'_>, report: &mut Report) {
    let mut all = Records::default();
    for choice in body.child("Chrgs").into_iter().flat_map(Node::elements) {
        if choice.name() == "Sngl" {
            all.add(choice);
            continue;
        }
        let mut part = Records::default();
        for record in choice.children("Rcrd") {
            part.add(record);
            one_record(record, report);
        }
        let total = choice.child("TtlChrgsPerTx").or_else(|| choice.child("TtlChrgsPerChrgTp"));
        if let Some(total) = total {
            compare(total, &part, report);
        }
        all.join(&part);
    }
    if let Some(total) = body.at("GrpHdr/TtlChrgs") {
        compare(total, &all, report);
    }
}

/// The total of one record against the items that it is broken down into.
fn one_record(record: Node<'_>, report: &mut Report) {
    let Some(total) = record.child("TtlChrgsPerRcrd") else { return };
    let mut items = Records::default();
    for item in record.children("ChrgsBrkdwn") {
        items.count += 1;
        items.add_amount(item);
    }
    compare(total, &items, report);
}

fn compare(total: Node<'_>, records: &Records<'_>, report: &mut Report) {
    charges_number(total, records, report);
    if records.mixed {
        return;
    }
    charges_sum(total, records, report);
    charges_total(total, records, report);
}

/// See [`CHARGES_NUMBER`].
fn charges_number(total: Node<'_>, records: &Records<'_>, report: &mut Report) {
    if let Some(node) = total.child("NbOfChrgsRcrds").or_else(|| total.child("NbOfChrgsBrkdwnItms"))
        && node.text().trim().parse() != Ok(records.count)
    {
        report.add(&CHARGES_NUMBER, node, format!("There are {} records.", records.count));
    }
}

/// See [`CHARGES_SUM`].
fn charges_sum(total: Node<'_>, records: &Records<'_>, report: &mut Report) {
    if let (Some(node), Some(sum)) = (total.child("CtrlSum"), records.sum)
        && decimal(node.text()).is_some_and(|stated| stated != sum)
    {
        report.add(&CHARGES_SUM, node, format!("The records sum up to {sum}."));
    }
}

/// See [`CHARGES_TOTAL`].
fn charges_total(total: Node<'_>, records: &Records<'_>, report: &mut Report) {
    if let (Some(stated), Some(sum)) =
        (total.child("TtlChrgsAmt").and_then(Amount::of), records.sum)
        && (stated.value != sum || Some(stated.currency) != records.currency)
    {
        report.add(&CHARGES_TOTAL, stated.node, format!("The records sum up to {sum}."));
    }
}
