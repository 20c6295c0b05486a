//! `corridor iso show`: what is in a message, for people.
//!
//! Payments, returns, statuses, recalls and statements are told in their own terms: who pays whom,
//! how much, under which references. Of every other message all values are listed, each once.

mod accounts;
mod payments;
mod values;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use iso20022::views::{Header, Money};
use iso20022::{Finding, Limits, Message, read, read_header};

use super::folder;
use super::rewrite::put;

/// Most transactions or entries of one message that are shown in full.
const PARTS_MAX: usize = 20;

/// Arguments of `corridor iso show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The messages' files; - for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs `corridor iso show`.
pub(super) fn run(arguments: ShowArguments) -> Result<()> {
    for (at, file) in arguments.files.iter().enumerate() {
        let bytes = folder::message(file)?;
        let mut text = summary(&bytes).with_context(|| format!("show {}", file.display()))?;
        if arguments.files.len() > 1 {
            let gap = if at > 0 { "\n" } else { "" };
            text = format!("{gap}{}:\n{text}", file.display());
        }
        put(text.as_bytes(), None)?;
    }
    Ok(())
}

/// What `show` prints for one input.
fn summary(bytes: &[u8]) -> Result<String> {
    let limits = Limits::batch();
    let mut page = Page::default();
    match read(bytes, &limits) {
        Ok(message) => message_summary(&message, &mut page),
        Err(unreadable) => {
            let Ok(header) = read_header(bytes, &limits) else { bail!(unreadable) };
            page.title(header.name.as_str());
            if let Some(view) = Header::of_tree(&header.tree) {
                header_summary(&view, &mut page);
            }
            findings_summary(&header.findings, &mut page);
        }
    }
    Ok(page.0)
}

fn message_summary(message: &Message, page: &mut Page) {
    page.title(message.name.as_str());
    if let Some(header) = Header::of(message) {
        header_summary(&header, page);
    }
    let told = payments::show(message, page) || accounts::show(message, page);
    if !told {
        values::show(message, page);
    }
    findings_summary(&message.findings, page);
}

fn header_summary(header: &Header<'_>, page: &mut Page) {
    page.row(
        "header",
        &[
            said("from", header.from_bic()),
            said("to", header.to_bic()),
            said("reference", header.business_message_id()),
            said("service", header.business_service()),
            said("at", header.creation_time()),
            header.possible_duplicate().then(|| "possible duplicate".to_owned()),
        ],
    );
}

fn findings_summary(findings: &[Finding], page: &mut Page) {
    if let Some(first) = findings.first() {
        let more = findings.len() - 1;
        let text = format!("{} line {}: {} ({more} more)", first.path, first.line, first.text);
        page.row("not valid", &[Some(text)]);
    }
}

/// Lines of labels and values.
#[derive(Default)]
struct Page(String);

impl Page {
    fn title(&mut self, name: &str) {
        let title = title(name.get(..8).unwrap_or(name));
        let dash = if title.is_empty() { "" } else { ": " };
        self.line(0, &format!("{name}{dash}{title}"));
    }

    fn line(&mut self, indent: usize, text: &str) {
        writeln!(self.0, "{:indent$}{}", "", clean(text)).expect("a string takes everything");
    }

    /// One line of what is known; no line where nothing is.
    fn row(&mut self, label: &str, parts: &[Option<String>]) {
        self.indented(2, label, parts);
    }

    /// A row of a part of the message.
    fn part(&mut self, label: &str, parts: &[Option<String>]) {
        self.indented(5, label, parts);
    }

    fn indented(&mut self, indent: usize, label: &str, parts: &[Option<String>]) {
        let known: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
        if !known.is_empty() {
            self.line(indent, &format!("{label:<12} {}", known.join(", ")));
        }
    }

    /// Says how many parts are left out, if any.
    fn rest(&mut self, count: usize, of: &str) {
        if count > PARTS_MAX {
            self.line(2, &format!("... and {} more {of}", count - PARTS_MAX));
        }
    }
}

/// A text on one line: a message must not move the cursor of a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

/// A label with a value, if there is a value.
fn said(label: &str, value: Option<&str>) -> Option<String> {
    value.map(|value| format!("{label} {value}"))
}

/// A value alone, if there is one.
fn plain(value: Option<&str>) -> Option<String> {
    value.map(str::to_owned)
}

/// An amount as currency and value.
fn money(amount: Option<Result<Money<'_>, Finding>>) -> Option<String> {
    match amount? {
        Ok(money) => Some(format!("{} {}", money.currency, money.lexical)),
        Err(finding) => Some(format!("({})", finding.text)),
    }
}

/// What a message of a family is, in a few words.
fn title(family: &str) -> &'static str {
    const TITLES: [(&str, &str); 36] = [
        ("head.001", "business application header"),
        ("pacs.002", "status of payments"),
        ("pacs.003", "customer direct debit"),
        ("pacs.004", "return of payments"),
        ("pacs.007", "reversal of payments"),
        ("pacs.008", "customer credit transfer"),
        ("pacs.009", "credit transfer between institutions"),
        ("pacs.010", "direct debit between institutions"),
        ("pacs.028", "request for the status of payments"),
        ("camt.003", "query of accounts"),
        ("camt.004", "accounts"),
        ("camt.005", "query of transactions"),
        ("camt.006", "transactions"),
        ("camt.007", "change of a waiting transaction"),
        ("camt.008", "cancellation of a waiting transaction"),
        ("camt.009", "query of limits"),
        ("camt.010", "limits"),
        ("camt.011", "change of limits"),
        ("camt.012", "deletion of a limit"),
        ("camt.018", "query of the business day"),
        ("camt.019", "the business day"),
        ("camt.025", "receipt"),
        ("camt.029", "answer to a recall"),
        ("camt.046", "query of reservations"),
        ("camt.047", "reservations"),
        ("camt.048", "change of a reservation"),
        ("camt.049", "deletion of a reservation"),
        ("camt.050", "liquidity transfer"),
        ("camt.052", "account report within the day"),
        ("camt.053", "account statement"),
        ("camt.054", "notification of entries"),
        ("camt.056", "recall of payments"),
        ("camt.057", "notification to receive"),
        ("camt.060", "request for an account report"),
        ("pain.001", "payment orders of a customer"),
        ("pain.002", "status of payment orders"),
    ];
    TITLES.iter().find(|(known, _)| *known == family).map_or("", |(_, title)| title)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use iso20022::{sample, table};

    #[test]
    fn a_payment_is_told_in_its_own_terms() {
        let text = summary(include_bytes!("../../docs/examples/pacs.008.xml")).unwrap();
        for part in [
            "pacs.008.001.08: customer credit transfer",
            "EUR 1250.00 on 2026-11-22",
            "Example Maschinen GmbH",
            "account FR1420041010050500013M02606",
            "end to end INVOICE-2026-117",
            "UETR 00000000-0000-4000-8000-000000000001",
            "Invoice 2026-117",
        ] {
            assert!(text.contains(part), "`{part}` in\n{text}");
        }
    }

    #[test]
    fn every_message_has_a_summary() {
        for name in table::names() {
            if name.as_str().starts_with("head.002") {
                continue;
            }
            for seed in 0..3 {
                let bytes = sample::schema_valid(name, seed).unwrap();
                let text = summary(&bytes).unwrap();
                assert!(text.starts_with(name.as_str()), "{text}");
                assert!(text.lines().count() > 1, "{text}");
                assert!(!text.contains("not valid"), "{text}");
            }
        }
    }

    #[test]
    fn terminals_are_safe() {
        assert_eq!(clean("a\u{1b}[2J\nb"), "a [2J b");
        assert!(summary(b"<Document").is_err());
    }
}
