//! Exchanges and notices as entries of the outbox: `camt.054` and `admi.004`, or a note in JSON where ISO 20022 has no
//! words, as for an asset that is no currency. What the other bank reports of a credit is a `pacs.002`.
//!
//! Documents of exchanges are not opened: the exchange is told by what the ledger settled, with its rates.

use bytes::Bytes;
use serde_json::{Value, json};
use translate::{Directory, FollowUp, NotifyError, Original, Passed, money::to_decimal_text};
use wire::client::Delivery;
use wire::ledger::{AccountNumber, Exchange, Exchanged, TransferId};
use wire::notice::{BankNotice, What};

use crate::{
    core::Core,
    metrics::METRICS,
    store::{Credit, OutboxEntry, OutboxKind},
};

const ACCOUNT_REPORT: &str = "camt.054.001.08";
const EVENT: &str = "admi.004.001.02";
const STATUS: &str = "pacs.002.001.10";

/// What an entry is about when there is no payment.
const NO_PAYMENT: TransferId = TransferId([0; 16]);

/// The accounts that an exchange moves.
pub(super) fn accounts<'a>(
    exchange: &'a Exchange,
    exchanged: &'a Exchanged,
) -> impl Iterator<Item = AccountNumber> + 'a {
    let fills = exchanged.fills.iter().flat_map(|fill| [fill.sells, fill.buys]);
    [exchange.debit, exchange.credit].into_iter().chain(fills)
}

/// The account that a notice is about.
pub(super) fn account(notice: &BankNotice) -> Option<AccountNumber> {
    match notice.what {
        What::Line { account, .. }
        | What::ReportOverdue { account, .. }
        | What::ReportMissing { account, .. }
        | What::Credited { account, .. }
        | What::NotCredited { account, .. } => Some(account),
        What::QuoteExpired { .. } => None,
    }
}

/// An exchange that settled: one entry for each account of this bank that it moved.
pub(super) fn of_exchange(
    core: &Core,
    directory: &Directory,
    delivery: &Delivery,
    exchange: &Exchange,
    exchanged: &Exchanged,
) -> Vec<OutboxEntry> {
    let (leaf, time) = (delivery.leaf, delivery.time);
    let told = translate::exchange_notifications(
        directory,
        core.participant,
        exchange,
        exchanged,
        leaf,
        time,
    );
    let entry =
        |kind, credits, content| entry(core, delivery, exchanged.id, kind, credits, content);
    match told {
        Ok(messages) => messages
            .into_iter()
            .map(|(account, xml)| {
                count("exchange");
                let credits = credits(core, directory, exchange, exchanged, Some(account));
                entry(OutboxKind::Message(ACCOUNT_REPORT.to_owned()), credits, xml.into())
            })
            .collect(),
        Err(error) => {
            count("exchange-as-note");
            let note = note_of_exchange(directory, exchange, exchanged, &error);
            let credits = credits(core, directory, exchange, exchanged, None);
            vec![entry(OutboxKind::Notice, credits, in_json(&note))]
        }
    }
}

/// A notice of the network.
pub(super) fn of_notice(
    core: &Core,
    directory: &Directory,
    delivery: &Delivery,
    notice: &BankNotice,
) -> OutboxEntry {
    let time = delivery.time;
    let (about, built) = match notice.what {
        What::Line { account, kind, line, posted, available } => {
            let passed = Passed { account, kind, line, posted, available };
            (NO_PAYMENT, translate::balance_notice(directory, &passed, time))
        }
        What::ReportOverdue { transfer, account } => {
            (transfer, translate::report_notice(directory, &transfer, account, false, time))
        }
        What::ReportMissing { transfer, account } => {
            (transfer, translate::report_notice(directory, &transfer, account, true, time))
        }
        What::QuoteExpired { quote, left } => (quote, translate::quote_notice(&quote, left, time)),
        What::Credited { transfer, at, .. } => {
            return of_report(core, delivery, transfer, &FollowUp::Credited { at });
        }
        What::NotCredited { transfer, reason, .. } => {
            return of_report(core, delivery, transfer, &FollowUp::NotCredited { reason });
        }
    };
    let (kind, content) = match built {
        Ok(xml) => (OutboxKind::Message(EVENT.to_owned()), xml.into()),
        Err(error) => (OutboxKind::Notice, in_json(&note_of_notice(directory, notice, &error))),
    };
    count("notice");
    entry(core, delivery, about, kind, Vec::new(), content)
}

/// What the bank that was paid reports of the credit to its customer, to this bank, which paid.
fn of_report(
    core: &Core,
    delivery: &Delivery,
    payment: TransferId,
    said: &FollowUp<'_>,
) -> OutboxEntry {
    let place = core.store.find_payment(&payment);
    let message = place.and_then(|place| {
        let Some(place) = place else { return Ok(None) };
        let row = core.store.message(place.message)?;
        Ok(row.and_then(|row| row.context).map(|context| (context, place.index as usize)))
    });
    // Without the message the report still names the payment.
    let message = message.unwrap_or_else(|error| {
        tracing::error!(uetr = %payment, %error, "read the message of a payment");
        None
    });
    let original = message.as_ref().map(|(context, index)| Original { context, index: *index });
    let id = format!("L{}", delivery.leaf);
    let xml = translate::follow_up(&payment, original, core.bic, said, &id, delivery.time)
        .expect("a leaf is a short id, and the texts were checked");
    count("report");
    entry(core, delivery, payment, OutboxKind::Message(STATUS.to_owned()), Vec::new(), xml.into())
}

fn count(result: &str) {
    METRICS.deliveries.with_label_values(&[result]).inc();
}

fn entry(
    core: &Core,
    delivery: &Delivery,
    uetr: TransferId,
    kind: OutboxKind,
    credits: Vec<Credit>,
    content: Bytes,
) -> OutboxEntry {
    OutboxEntry {
        kind,
        uetr,
        settled: delivery.time,
        received_ns: core.environment.now_ns(),
        leaf: delivery.leaf,
        credits,
        content,
    }
}

/// What an exchange brought this bank, on one of its accounts or on all of them.
fn credits(
    core: &Core,
    directory: &Directory,
    exchange: &Exchange,
    exchanged: &Exchanged,
    only: Option<AccountNumber>,
) -> Vec<Credit> {
    let debtor = directory
        .account(exchange.debit)
        .and_then(|account| directory.participant(account.owner))
        .map_or_else(String::new, |bank| bank.bic.to_string());
    let fills = exchanged.fills.iter().map(|fill| (fill.buys, fill.took));
    let all = [(exchange.credit, exchanged.delivered)].into_iter().chain(fills);
    let credits = all.filter(|(account, _)| only.is_none_or(|only| only == *account));
    let credits = credits.filter_map(|(account, amount)| {
        let account = directory.account(account).filter(|found| found.owner == core.participant)?;
        let asset = directory.asset(account.asset)?;
        Some(Credit {
            debtor: debtor.clone(),
            currency: asset.code.to_string(),
            amount: to_decimal_text(amount, asset.exponent),
        })
    });
    credits.collect()
}

/// `BIC/ASSET[/label]`; the number where the directory does not know it.
fn name(directory: &Directory, number: AccountNumber) -> String {
    let known = directory.account(number).and_then(|account| {
        let owner = directory.participant(account.owner)?.bic;
        let asset = directory.asset(account.asset)?.code;
        let label = match account.label.is_empty() {
            true => String::new(),
            false => format!("/{}", account.label),
        };
        Some(format!("{owner}/{asset}{label}"))
    });
    known.unwrap_or_else(|| number.to_string())
}

fn note_of_exchange(
    directory: &Directory,
    exchange: &Exchange,
    exchanged: &Exchanged,
    error: &NotifyError,
) -> Value {
    let fills = exchanged.fills.iter().map(|fill| {
        json!({
            "quote": fill.quote.to_string(),
            "sells": name(directory, fill.sells),
            "buys": name(directory, fill.buys),
            "gave_minor": fill.gave.to_string(),
            "took_minor": fill.took.to_string(),
        })
    });
    json!({
        "exchange": exchanged.id.to_string(),
        "debit": name(directory, exchange.debit),
        "credit": name(directory, exchange.credit),
        "paid_minor": exchanged.paid.to_string(),
        "delivered_minor": exchanged.delivered.to_string(),
        "fills": fills.collect::<Vec<_>>(),
        "reason": error.to_string(),
    })
}

fn note_of_notice(directory: &Directory, notice: &BankNotice, error: &NotifyError) -> Value {
    let mut note = match notice.what {
        What::Line { kind, line, posted, available, .. } => json!({
            "notice": match kind {
                wire::ledger::NoticeKind::BelowFloor => "below-floor",
                wire::ledger::NoticeKind::AboveCeiling => "above-ceiling",
            },
            "line_minor": line.to_string(),
            "posted_minor": posted.to_string(),
            "available_minor": available.to_string(),
        }),
        What::ReportOverdue { transfer, .. } => {
            json!({ "notice": "report-overdue", "uetr": transfer.to_string() })
        }
        What::ReportMissing { transfer, .. } => {
            json!({ "notice": "report-missing", "uetr": transfer.to_string() })
        }
        What::Credited { transfer, .. } => {
            json!({ "notice": "credited", "uetr": transfer.to_string() })
        }
        What::NotCredited { transfer, reason, .. } => json!({
            "notice": "not-credited", "uetr": transfer.to_string(), "code": reason.as_str()
        }),
        What::QuoteExpired { quote, left } => json!({
            "notice": "quote-expired", "quote": quote.to_string(), "left_minor": left.to_string()
        }),
    };
    if let Some(account) = account(notice) {
        note["account"] = name(directory, account).into();
    }
    note["reason"] = error.to_string().into();
    note
}

fn in_json(note: &Value) -> Bytes {
    note.to_string().into_bytes().into()
}
