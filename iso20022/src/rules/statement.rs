//! Account reports, statements and notifications: `camt.052`, `camt.053`, `camt.054`.
//!
//! Sums are taken over booked entries, with credits positive and debits negative; amounts are never
//! negative themselves. A statement that is one page of several is not summed up.

use super::payments::amounts::Amount;
use super::pick::picked;
use super::{Context, Report, rules};
use crate::tree::Node;
use crate::views::money::decimal;
use rust_decimal::Decimal;

rules! {
    /// Opening balance plus credits less debits is the closing balance, over the booked entries of a
    /// statement in one currency.
    BALANCE = "base.statement-balance", CrossField, STRICT_CORRIDOR, ["AM10"],
        "camt.052 camt.053",
        "definition of the closing booked balance (CLBD) in the external list of balance types";
    /// A statement has an opening and a closing booked balance.
    BALANCES_PRESENT = "base.statement-balances-present", CrossField, WARNING, ["CH21"], "camt.053",
        "base message, definition of Balance in a statement; CBPR+, as re-told";
    /// No type of balance comes twice for one date without a sub-type.
    BALANCE_ONCE = "base.balance-once", CrossField, WARNING, ["CH17"], "camt.052 camt.053",
        "base message, definition of Balance";
    /// Booked balances and entries are in the currency of the account.
    CURRENCY = "base.statement-currency", CrossField, WARNING, ["AM11"],
        "camt.052 camt.053 camt.054",
        "base message, definition of Account/Currency";
    /// The summary's number of entries is the number of entries.
    SUMMARY_NUMBER = "base.summary-number", CrossField, WARNING, ["AM19"],
        "camt.052 camt.053 camt.054",
        "base message, definition of TransactionsSummary/NumberOfEntries";
    /// The summary's sums are the sums of the entries: of all, of the credits, of the debits.
    SUMMARY_SUM = "base.summary-sum", CrossField, WARNING, ["AM10"],
        "camt.052 camt.053 camt.054",
        "base message, definition of TransactionsSummary/Sum";
    /// The summary's net amount is credits less debits.
    SUMMARY_NET = "base.summary-net", CrossField, WARNING, ["AM10"],
        "camt.052 camt.053 camt.054",
        "base message, definition of TransactionsSummary/TotalNetEntry";
    /// The number of transactions of a batch is the number of its transaction details, if any are
    /// listed.
    BATCH_NUMBER = "base.entry-batch-number", CrossField, WARNING, ["AM19"],
        "camt.052 camt.053 camt.054",
        "base message, definition of Batch/NumberOfTransactions";
    /// The transactions of an entry add up to the entry, if all of them state amounts in its currency.
    DETAILS_SUM = "base.entry-details-sum", CrossField, WARNING, ["AM10"],
        "camt.052 camt.053 camt.054",
        "base message, definition of EntryDetails";
    /// A booked entry has a booking date.
    BOOKING_DATE = "base.entry-booking-date", CrossField, WARNING, ["CH21"], "camt.053 camt.054",
        "definition of the entry status BOOK; CBPR+, as re-told";
    /// A statement holds booked entries only.
    BOOKED_ONLY = "base.statement-booked-only", CrossField, WARNING, ["CH16"], "camt.053",
        "base message, scope of the statement: entries booked to the account";
    /// The period of a report does not end before it starts.
    PERIOD = "base.period-order", CrossField, WARNING, ["DT01"], "camt.052 camt.053 camt.054",
        "base message, definition of FromToDate";
}

picked! {
    Statement {
        pages: "StmtPgntn" | "RptPgntn" | "NtfctnPgntn",
        period: "FrToDt",
        account: "Acct",
        balance: "Bal",
        summary: "TxsSummry",
    }
}

picked! {
    Entry {
        amount: "Amt",
        direction: "CdtDbtInd",
        status: "Sts",
        booked: "BookgDt",
    }
}

/// Sums over the entries of one statement.
#[derive(Default)]
struct Sums<'a> {
    credits: (u64, Decimal),
    debits: (u64, Decimal),
    /// Booked credits less booked debits.
    booked: Decimal,
    currency: Option<&'a str>,
    /// True when an amount could not be read or added, or currencies are mixed.
    unknown: bool,
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let pages = context.body.at("GrpHdr/MsgPgntn");
    for node in context.body.elements() {
        if matches!(node.name(), "Stmt" | "Rpt" | "Ntfctn") {
            statement(context, node, pages, report);
        }
    }
}

fn statement(context: &Context<'_>, node: Node<'_>, pages: Option<Node<'_>>, report: &mut Report) {
    let statement = Statement::of(node);
    let of_account = statement.account.and_then(|account| account.text_at("Ccy"));
    let mut sums = Sums::default();
    for entry in node.children("Ntry") {
        one(context, entry, of_account, &mut sums, report);
    }
    if let Some(period) = statement.period {
        period_order(period, report);
    }
    let complete = [statement.pages, pages].into_iter().flatten().all(is_only_page);
    // A summary may stand in place of entries.
    let listed = sums.credits.0 + sums.debits.0 > 0;
    if complete && !sums.unknown && (listed || statement.summary.is_none()) {
        if let Some(summary) = statement.summary {
            summarised(summary, &sums, report);
        }
        balance(node, &sums, report);
    }
    if context.family() == "camt.053" && complete {
        balances_present(node, statement.balance, report);
    }
    balance_once(node, report);
}

fn is_only_page(page: Node<'_>) -> bool {
    let last = matches!(page.text_at("LastPgInd").map(str::trim), Some("true" | "1"));
    let first = page.text_at("PgNb").is_some_and(|number| number.trim().parse() == Ok(1_u32));
    first && last
}

fn one<'a>(
    context: &Context<'a>,
    node: Node<'a>,
    of_account: Option<&str>,
    sums: &mut Sums<'a>,
    report: &mut Report,
) {
    let entry = Entry::of(node);
    let status = entry.status.map_or("", |status| match status.elements().next() {
        Some(code) => code.text(),
        None => status.text(),
    });
    booking_date(context, node, &entry, status, report);
    booked_only(context, &entry, status, report);
    let Some(amount) = entry.amount.and_then(Amount::of) else {
        sums.unknown = true;
        return;
    };
    currency(&amount, of_account, report);
    details(node, &amount, report);
    sums.unknown |= sums.currency.is_some_and(|known| known != amount.currency);
    sums.currency = Some(amount.currency);
    let credit = entry.direction.is_some_and(|direction| direction.text() == "CRDT");
    let side = if credit { &mut sums.credits } else { &mut sums.debits };
    side.0 += 1;
    let signed = if credit { amount.value } else { -amount.value };
    let booked = if status == "BOOK" { signed } else { Decimal::ZERO };
    match (side.1.checked_add(amount.value), sums.booked.checked_add(booked)) {
        (Some(sum), Some(booked)) => {
            side.1 = sum;
            sums.booked = booked;
        }
        _ => sums.unknown = true,
    }
}

/// See [`BOOKING_DATE`].
fn booking_date(
    context: &Context<'_>,
    node: Node<'_>,
    entry: &Entry<'_>,
    status: &str,
    report: &mut Report,
) {
    if status == "BOOK" && entry.booked.is_none() && context.family() != "camt.052" {
        report.add(&BOOKING_DATE, node, "A booked entry should have a booking date.");
    }
}

/// See [`BOOKED_ONLY`].
fn booked_only(context: &Context<'_>, entry: &Entry<'_>, status: &str, report: &mut Report) {
    if let Some(node) = entry.status
        && context.family() == "camt.053"
        && matches!(status, "PDNG" | "FUTR")
    {
        report.add(&BOOKED_ONLY, node, "The entry is not booked.");
    }
}

/// See [`CURRENCY`].
fn currency(amount: &Amount<'_>, of_account: Option<&str>, report: &mut Report) {
    if let Some(account) = of_account
        && account != amount.currency
    {
        report.add(&CURRENCY, amount.node, format!("The account is in {account}."));
    }
}

/// See [`BATCH_NUMBER`] and [`DETAILS_SUM`].
fn details(entry: Node<'_>, amount: &Amount<'_>, report: &mut Report) {
    let (mut count, mut sum) = (0_usize, Some(Decimal::ZERO));
    for details in entry.children("NtryDtls") {
        let mut own = 0_usize;
        for transaction in details.children("TxDtls") {
            own += 1;
            let value = transaction.child("Amt").and_then(Amount::of);
            let value = value.filter(|value| value.currency == amount.currency);
            sum = sum.zip(value).and_then(|(sum, value)| {
                let opposite = transaction.text_at("CdtDbtInd").is_some_and(|direction| {
                    entry.text_at("CdtDbtInd").is_some_and(|entry| entry != direction)
                });
                if opposite { sum.checked_sub(value.value) } else { sum.checked_add(value.value) }
            });
        }
        batch_number(details, own, report);
        count += own;
    }
    if count > 0
        && let Some(sum) = sum
        && sum != amount.value
    {
        report.add(&DETAILS_SUM, amount.node, format!("The transactions sum up to {sum}."));
    }
}

/// See [`BATCH_NUMBER`].
fn batch_number(details: Node<'_>, count: usize, report: &mut Report) {
    if let Some(node) = details.at("Btch/NbOfTxs")
        && count > 0
        && node.text().trim().parse() != Ok(count)
    {
        report.add(&BATCH_NUMBER, node, format!("{count} transactions are listed."));
    }
}

/// See [`PERIOD`]. Times are compared as they are written, so only those of one zone.
fn period_order(period: Node<'_>, report: &mut Report) {
    let (Some(from), Some(to)) = (period.text_at("FrDtTm"), period.child("ToDtTm")) else { return };
    let zone = |text: &str| text.get(19..).unwrap_or("").trim_start_matches(is_fraction).to_owned();
    let (start, end) = (from.get(..19), to.text().get(..19));
    if start > end && zone(from) == zone(to.text()) {
        report.add(&PERIOD, to, format!("The period starts at {from}."));
    }
}

fn is_fraction(character: char) -> bool {
    character == '.' || character.is_ascii_digit()
}

fn signed(node: Node<'_>) -> Option<(Decimal, &str)> {
    let amount = node.child("Amt").and_then(Amount::of)?;
    let credit = node.text_at("CdtDbtInd")? == "CRDT";
    Some((if credit { amount.value } else { -amount.value }, amount.currency))
}

fn balance_type(balance: Node<'_>) -> Option<&str> {
    balance.text_at("Tp/CdOrPrtry/Cd").or_else(|| balance.text_at("Tp/Cd"))
}

/// See [`BALANCE`]. Where the opening balance is that of the period before (PRCD), it counts.
fn balance(statement: Node<'_>, sums: &Sums<'_>, report: &mut Report) {
    let of = |wanted: &[&str]| {
        let mut found = statement.children("Bal").filter(|balance| {
            balance_type(*balance).is_some_and(|known| wanted.contains(&known))
                && balance.at("Tp/SubTp").is_none()
        });
        let first = found.next()?;
        // With several of one type, sums over all entries say nothing.
        found.next().is_none().then_some(first)
    };
    let opening = of(&["OPBD"]).or_else(|| of(&["PRCD"]));
    let (Some(opening), Some(closing)) = (opening, of(&["CLBD"])) else { return };
    let (Some((start, currency)), Some((end, same))) = (signed(opening), signed(closing)) else {
        return;
    };
    if currency != same || sums.currency.is_some_and(|known| known != currency) {
        return;
    }
    let expected = start.checked_add(sums.booked);
    if expected != Some(end)
        && let Some(node) = closing.child("Amt")
    {
        let sum = expected.map_or_else(|| "too much".to_owned(), |sum| sum.to_string());
        report.add(&BALANCE, node, format!("Opening balance and booked entries make {sum}."));
    }
}

/// See [`BALANCES_PRESENT`].
fn balances_present(statement: Node<'_>, first: Option<Node<'_>>, report: &mut Report) {
    let has = |wanted: &[&str]| {
        let mut all = statement.children("Bal").filter_map(balance_type);
        all.any(|known| wanted.contains(&known))
    };
    if !has(&["OPBD", "PRCD", "ITBD"]) || !has(&["CLBD", "ITBD"]) {
        let text = "A statement should have an opening and a closing booked balance.";
        report.add(&BALANCES_PRESENT, first.unwrap_or(statement), text);
    }
}

/// Type, date and currency of a balance.
type BalanceKey<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn balance_key(balance: Node<'_>) -> Option<BalanceKey<'_>> {
    let date = balance.child("Dt").map(|date| match date.elements().next() {
        Some(choice) => choice.text(),
        None => date.text(),
    });
    let currency = balance.child("Amt").and_then(|amount| amount.attribute("Ccy"));
    Some((balance_type(balance)?, date, currency))
}

/// See [`BALANCE_ONCE`].
fn balance_once(statement: Node<'_>, report: &mut Report) {
    let plain = |balance: &Node<'_>| balance.at("Tp/SubTp").is_none();
    let mut seen = Vec::new();
    for balance in statement.children("Bal").filter(plain).take(BALANCES_COMPARED_MAX) {
        let Some(key) = balance_key(balance) else { continue };
        if seen.contains(&key) {
            report.add(&BALANCE_ONCE, balance, "An earlier balance has this type and date.");
        } else {
            seen.push(key);
        }
    }
}

/// Balances beyond this many are not compared with one another.
const BALANCES_COMPARED_MAX: usize = 200;

/// See [`SUMMARY_NUMBER`], [`SUMMARY_SUM`] and [`SUMMARY_NET`].
fn summarised(summary: Node<'_>, sums: &Sums<'_>, report: &mut Report) {
    let (credits, debits) = (sums.credits, sums.debits);
    let Some(all) = credits.1.checked_add(debits.1) else { return };
    for (name, number, sum) in [
        ("TtlNtries", credits.0 + debits.0, all),
        ("TtlCdtNtries", credits.0, credits.1),
        ("TtlDbtNtries", debits.0, debits.1),
    ] {
        let Some(node) = summary.child(name) else { continue };
        summary_number(node, number, report);
        summary_sum(node, sum, report);
    }
    if let Some(all) = summary.child("TtlNtries") {
        summary_net(all, credits.1 - debits.1, report);
    }
}

/// See [`SUMMARY_NUMBER`].
fn summary_number(part: Node<'_>, number: u64, report: &mut Report) {
    if let Some(node) = part.child("NbOfNtries")
        && node.text().trim().parse() != Ok(number)
    {
        report.add(&SUMMARY_NUMBER, node, format!("There are {number} such entries."));
    }
}

/// See [`SUMMARY_SUM`].
fn summary_sum(part: Node<'_>, sum: Decimal, report: &mut Report) {
    if let Some(node) = part.child("Sum")
        && decimal(node.text()).is_some_and(|stated| stated != sum)
    {
        report.add(&SUMMARY_SUM, node, format!("The entries sum up to {sum}."));
    }
}

/// See [`SUMMARY_NET`]. Older versions state the amount and the direction side by side.
fn summary_net(part: Node<'_>, net: Decimal, report: &mut Report) {
    let (amount, direction) = match part.child("TtlNetNtry") {
        Some(net) => (net.child("Amt"), net.text_at("CdtDbtInd")),
        None => (part.child("TtlNetNtryAmt"), part.text_at("CdtDbtInd")),
    };
    let (Some(amount), Some(direction)) = (amount, direction) else { return };
    let Some(value) = decimal(amount.text()) else { return };
    let stated = if direction == "CRDT" { value } else { -value };
    if stated != net {
        report.add(&SUMMARY_NET, amount, format!("Credits less debits are {net}."));
    }
}
