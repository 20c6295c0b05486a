//! Statements, reports and notifications: balances and entries of accounts.

use iso20022::Message;
use iso20022::views::{Entry, Statement};

use super::{PARTS_MAX, Page, money, plain, said};

/// Tells a message about an account; false for any other.
pub(super) fn show(message: &Message, page: &mut Page) -> bool {
    let Some(view) = Statement::of(message) else { return false };
    let number = view.page().map(|number| {
        let last = if view.last_page() == Some(true) { ", the last" } else { "" };
        format!("page {number}{last}")
    });
    page.row("message", &[plain(view.msg_id()), said("at", view.creation_time()), number]);
    for report in view.reports().take(PARTS_MAX) {
        page.row(
            "account",
            &[
                plain(report.account()),
                plain(report.currency()),
                said("of", report.owner()),
                said("at", report.servicer()),
            ],
        );
        let sequence = report.sequence_number().map(|number| format!("number {number}"));
        let period = [said("from", report.from()), said("to", report.to())];
        let [from, to] = period;
        page.row("report", &[plain(report.id()), sequence, from, to]);
        for balance in report.balances() {
            page.row(
                "balance",
                &[
                    plain(balance.kind()),
                    money(balance.amount()),
                    plain(balance.credit_debit()),
                    said("on", balance.date()),
                ],
            );
        }
        let sums = |count: Option<u64>, sum: Option<&str>| {
            count.map(|count| format!("{count} entries")).into_iter().chain(said("sum", sum))
        };
        let credits: Vec<String> = sums(report.credit_count(), report.credit_sum()).collect();
        let debits: Vec<String> = sums(report.debit_count(), report.debit_sum()).collect();
        let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join(" "));
        page.row("credits", &[joined(credits)]);
        page.row("debits", &[joined(debits)]);
        for (index, entry) in report.entries().enumerate().take(PARTS_MAX) {
            one(index, &entry, page);
        }
        page.rest(report.entries().count(), "entries");
    }
    true
}

fn one(index: usize, entry: &Entry<'_>, page: &mut Page) {
    let parts = [
        money(entry.amount()),
        plain(entry.credit_debit()),
        plain(entry.status()),
        said("booked", entry.booking_date()),
        said("value", entry.value_date()),
        said("reference", entry.reference().or_else(|| entry.servicer_reference())),
        (entry.reversal() == Some(true)).then(|| "reversal".to_owned()),
    ];
    let known: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    page.line(2, &format!("{}. {}", index + 1, known.join(", ")));
    for details in entry.details().take(PARTS_MAX) {
        let account = said("account", details.debtor_account());
        let agent = said("at", details.debtor_agent_bic());
        page.part("from", &[plain(details.debtor_name()), account, agent]);
        let account = said("account", details.creditor_account());
        let agent = said("at", details.creditor_agent_bic());
        page.part("to", &[plain(details.creditor_name()), account, agent]);
        page.part(
            "references",
            &[
                said("instruction", details.instruction_id()),
                said("end to end", details.end_to_end_id()),
                said("transaction", details.tx_id()),
                said("UETR", details.uetr()),
            ],
        );
        let lines: Vec<&str> = details.remittance().collect();
        page.part("for", &[(!lines.is_empty()).then(|| lines.join(" "))]);
    }
    page.part("note", &[plain(entry.information())]);
}
