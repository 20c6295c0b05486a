//! The demo's own book: every payment it sent, the answer, and what balances must follow from them.
//!
//! Knows nothing of the network's state. At the end the nodes' balances and the banks' outboxes are
//! compared with it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::description::Description;
use crate::layout::{long_account, long_bic};
use crate::messages::{Payment, Status};

/// Longest latency that is told apart, in microseconds: two minutes.
const LATENCY_MAX_US: u64 = 120_000_000;

/// A payment that was handed to a gateway.
#[derive(Clone, Debug)]
struct Entry {
    payment: Payment,
    /// The definitive answer; `None` while there is none.
    answer: Option<Status>,
}

/// Everything that was sent.
#[derive(Debug)]
pub(crate) struct Book {
    opening: BTreeMap<String, i128>,
    entries: Vec<Entry>,
    latencies: Histogram<u64>,
}

/// What the answers amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Payments handed to a gateway.
    pub(crate) sent: u64,
    /// Answered `ACSC` or `ACCC`.
    pub(crate) settled: u64,
    /// Answered `RJCT`.
    pub(crate) refused: u64,
    /// Not answered definitively.
    pub(crate) unanswered: u64,
}

impl Book {
    /// A book that opens with the funding of a description.
    pub(crate) fn new(description: &Description) -> Result<Self> {
        let mut opening = BTreeMap::new();
        for account in &description.accounts {
            let (funding, _) = description.minor_units(account)?;
            opening.insert(long_account(&account.account), i128::from(funding));
        }
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)
            .context("make a histogram of latencies")?;
        Ok(Self { opening, entries: Vec::new(), latencies })
    }

    /// Notes a payment before it is handed over; returns its number.
    pub(crate) fn sent(&mut self, payment: Payment) -> usize {
        self.entries.push(Entry { payment, answer: None });
        self.entries.len() - 1
    }

    /// Notes money that moved by a command of the ledger: an account by its long name, and its change.
    pub(crate) fn moved(&mut self, account: &str, minor: i128) {
        *self.opening.entry(account.to_owned()).or_default() += minor;
    }

    /// Notes the definitive answer to a payment and how long it took.
    pub(crate) fn answered(&mut self, number: usize, status: Status, elapsed: Duration) {
        self.entries[number].answer = Some(status);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(LATENCY_MAX_US);
        self.latencies.saturating_record(micros.max(1));
    }

    /// Latency in milliseconds below which this share of all answers came, 0 to 100 per cent.
    pub(crate) fn latency_ms(&self, percentile: f64) -> f64 {
        self.latencies.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// What the answers amount to.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { sent: self.entries.len() as u64, ..Counts::default() };
        for entry in &self.entries {
            match &entry.answer {
                None => counts.unanswered += 1,
                Some(status) if is_settled(status) => counts.settled += 1,
                Some(_) => counts.refused += 1,
            }
        }
        counts
    }

    /// Settled payments that a bank must have received: their UETRs.
    pub(crate) fn settled_for(&self, creditor_bank: &str) -> Vec<&str> {
        self.settled()
            .filter(|payment| long_bic(&payment.creditor_bank) == long_bic(creditor_bank))
            .map(|payment| payment.uetr.as_str())
            .collect()
    }

    fn settled(&self) -> impl Iterator<Item = &Payment> {
        self.entries
            .iter()
            .filter(|entry| entry.answer.as_ref().is_some_and(is_settled))
            .map(|entry| &entry.payment)
    }

    /// Balance of each account, in minor units, as it follows from opening balances and settled
    /// payments; accounts by name with BICs in long form.
    pub(crate) fn expected_balances(&self) -> BTreeMap<String, i128> {
        let mut balances = self.opening.clone();
        for payment in self.settled() {
            let minor = i128::from(payment.minor);
            let account = |bic: &str| format!("{}/{}", long_bic(bic), payment.currency);
            *balances.entry(account(&payment.debtor_bank)).or_default() -= minor;
            *balances.entry(account(&payment.creditor_bank)).or_default() += minor;
        }
        balances
    }
}

/// Whether a status says that money moved.
pub(crate) fn is_settled(status: &Status) -> bool {
    matches!(status.code.as_str(), "ACSC" | "ACCC")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::description::PortPlan;

    #[test]
    fn balances_follow_from_settled_payments_only() {
        let description = Description::example("test", 2, 2, PortPlan::From(7100)).unwrap();
        let mut book = Book::new(&description).unwrap();
        for (code, minor) in [("ACSC", 100), ("RJCT", 1_000), ("", 10_000)] {
            let number = book.sent(Payment {
                uetr: code.to_owned(),
                end_to_end_id: String::new(),
                debtor_bank: "ALPHDEFF".into(),
                creditor_bank: "BRAVFRPPXXX".into(),
                currency: "EUR".into(),
                exponent: 2,
                minor,
                remittance: String::new(),
            });
            if !code.is_empty() {
                let status = Status { code: code.to_owned(), ..Status::default() };
                book.answered(number, status, Duration::from_millis(3));
            }
        }
        let expected = Counts { sent: 3, settled: 1, refused: 1, unanswered: 1 };
        assert_eq!(book.counts(), expected);
        let balances = book.expected_balances();
        assert_eq!(balances["ALPHDEFFXXX/EUR"], 5_000_000_000 - 100);
        assert_eq!(balances["BRAVFRPPXXX/EUR"], 5_000_000_000 + 100);
        assert_eq!(book.settled_for("BRAVFRPP"), ["ACSC"]);
        assert!((book.latency_ms(50.0) - 3.0).abs() < 0.1);
    }
}
