//! Rules beyond the schema: cross-field rules (L2), the network's profile (L3), reference data (L4).
//!
//! One function per rule; each rule has an identifier, a severity and reason codes in
//! [`CATALOGUE`], and its source in the doc comment of its function. A rule that is not certain, or
//! that must not stop money, is a warning. Rules look at present elements only: what the schema
//! already refuses is not reported twice, and a broken tree never makes a rule fail.

mod agents;
mod amounts;
mod corridor;
mod group;
mod header;
mod identifiers;
mod settlement;
mod status;
mod totals;

use crate::finding::{Finding, Layer, Severity};
use crate::limits::{FINDINGS_MAX, WARNINGS_MAX};
use crate::message::{Message, Profile};
use crate::tree::Node;
use crate::views::{CreditTransfer, Header, Return, Status, finding_at};

/// A rule beyond the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Identifier, stable, e.g. `base.control-sum`.
    pub id: &'static str,
    /// Layer of the findings.
    pub layer: Layer,
    /// Severity of the findings.
    pub severity: Severity,
    /// Reason codes that findings may carry; the first is the usual one.
    pub codes: &'static [&'static str],
}

/// Reason codes that findings on transport and schema may carry.
pub const READER_CODES: [&str; 5] = ["FF01", "CH16", "CH17", "CH21", "AM11"];

/// Every rule, in the order in which they run.
pub static CATALOGUE: [&Rule; 36] = [
    &totals::NUMBER,
    &totals::CONTROL_SUM,
    &totals::TOTAL,
    &totals::TOTAL_CURRENCY,
    &totals::ONE_CURRENCY,
    &group::DATE_ONCE,
    &group::DATE_WITH_TOTAL,
    &group::TYPE_ONCE,
    &group::INSTRUCTING_ONCE,
    &group::INSTRUCTED_ONCE,
    &amounts::CURRENCY_KNOWN,
    &amounts::CURRENCY_MONEY,
    &amounts::DECIMALS,
    &amounts::NOT_ZERO,
    &amounts::RATE_NEEDED,
    &amounts::RATE_SUPERFLUOUS,
    &amounts::RETURN_NOT_MORE,
    &settlement::METHOD_AGENTS,
    &settlement::COVER_NEEDS_AGENT,
    &settlement::THIRD_NEEDS_BOTH,
    &settlement::CLEARING_NAMED,
    &agents::CHAIN,
    &agents::ACCOUNT_NEEDS_AGENT,
    &status::REJECTION_REASON,
    &status::NARRATIVE,
    &header::DEFINITION,
    &header::VERSION,
    &header::BUSINESS_ID,
    &header::PARTIES,
    &corridor::UETR_PRESENT,
    &corridor::UETR_UNIQUE,
    &identifiers::REFERENCES,
    &identifiers::IBAN,
    &identifiers::LEI,
    &identifiers::BIC_COUNTRY,
    &identifiers::COUNTRY,
];

/// Runs all rules that apply to a message.
pub(crate) fn check(message: &Message, profile: Profile) -> Report {
    let mut report = Report::default();
    if let Some(transfer) = CreditTransfer::of(message) {
        totals::credit_transfer(&transfer, &mut report);
        group::credit_transfer(&transfer, &mut report);
        amounts::credit_transfer(&transfer, &mut report);
        settlement::credit_transfer(&transfer, &mut report);
        agents::credit_transfer(&transfer, &mut report);
        if profile == Profile::Corridor {
            corridor::credit_transfer(&transfer, &mut report);
        }
    }
    if let Some(returned) = Return::of(message) {
        totals::returned(&returned, &mut report);
        amounts::returned(&returned, &mut report);
    }
    if let Some(status) = Status::of(message) {
        status::check(&status, &mut report);
    }
    if let Some(head) = Header::of(message) {
        header::check(message, &head, &mut report);
    }
    identifiers::check(&message.document, &mut report);
    report.findings.sort_by_key(|finding| (finding.layer, finding.offset));
    report
}

/// Collects findings up to the limits, errors and warnings each by their own: a batch with a
/// harmless peculiarity in each transaction must neither be refused for it nor hide an error.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
    /// True when an error was dropped. Dropped warnings do not count.
    pub(crate) truncated: bool,
}

impl Report {
    /// Reports with the rule's usual code.
    fn add(&mut self, rule: &Rule, node: Node<'_>, text: impl Into<String>) {
        self.add_coded(rule, rule.codes[0], node, text);
    }

    /// Reports with one of the rule's codes.
    fn add_coded(
        &mut self,
        rule: &Rule,
        code: &'static str,
        node: Node<'_>,
        text: impl Into<String>,
    ) {
        debug_assert!(rule.codes.contains(&code), "{code} is not declared by {}", rule.id);
        let (count, count_max) = match rule.severity {
            Severity::Error => (&mut self.errors, FINDINGS_MAX),
            Severity::Warning => (&mut self.warnings, WARNINGS_MAX),
        };
        if *count < count_max {
            *count += 1;
            let found = finding_at(node, rule.layer, rule.severity, rule.id, code, text.into());
            self.findings.push(found);
        } else if rule.severity == Severity::Error {
            self.truncated = true;
        }
    }
}

const fn error(id: &'static str, layer: Layer, codes: &'static [&'static str]) -> Rule {
    Rule { id, layer, severity: Severity::Error, codes }
}

const fn warning(id: &'static str, layer: Layer, codes: &'static [&'static str]) -> Rule {
    Rule { id, layer, severity: Severity::Warning, codes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_rules_are_unique() {
        for (at, rule) in CATALOGUE.iter().enumerate() {
            assert!(!rule.codes.is_empty());
            assert!(CATALOGUE[..at].iter().all(|earlier| earlier.id != rule.id), "{}", rule.id);
        }
    }
}
