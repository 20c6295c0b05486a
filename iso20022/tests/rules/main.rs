//! Every rule beyond the schema: one message that passes it and one that fails it.
//!
//! A case is a rule, a profile, one of our own base messages (`testdata/rules`), and changes to its
//! text: some that both messages have, and some that only the failing one has. Both messages follow
//! their schema, so that the rule alone makes the difference.
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
mod base;
mod cash;
mod cbpr;
mod values;

use iso20022::{Finding, Limits, Profile, read, rules};
use std::collections::BTreeSet;
use std::path::Path;

/// A text and what it is replaced by, once.
type Change = (&'static str, &'static str);

pub(crate) struct Case {
    rule: &'static str,
    profile: Profile,
    base: &'static str,
    both: &'static [Change],
    fail: &'static [Change],
}

/// A case in which the base message passes as it is.
pub(crate) const fn case(
    rule: &'static str,
    profile: Profile,
    base: &'static str,
    fail: &'static [Change],
) -> Case {
    Case { rule, profile, base, both: &[], fail }
}

/// A case in which the passing message is a changed base as well.
pub(crate) const fn changed(
    rule: &'static str,
    profile: Profile,
    base: &'static str,
    both: &'static [Change],
    fail: &'static [Change],
) -> Case {
    Case { rule, profile, base, both, fail }
}

pub(crate) const BATCH: &str = "valid/pacs.008.001.08-two-transactions";

fn text_of(base: &str) -> String {
    let name = if base.contains('/') { base.to_owned() } else { format!("rules/{base}") };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name + ".xml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn change(text: &str, changes: &[Change], rule: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{rule}: the base has no {from}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn findings(text: &str, profile: Profile, rule: &str) -> Vec<Finding> {
    let message = read(text.as_bytes(), &Limits::message()).unwrap();
    assert!(message.is_schema_valid(), "{rule}: {:#?}", message.findings);
    message.validate(profile)
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [base::CASES, answers::CASES, cash::CASES, cbpr::CASES, values::CASES].into_iter().flatten()
}

#[test]
fn each_rule_passes_one_message_and_fails_another() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        let rule = rules::find(case.rule).unwrap_or_else(|| panic!("no rule {}", case.rule));
        let severity = rule.severity(case.profile).unwrap_or_else(|| {
            panic!("{} does not apply to {}", case.rule, case.profile);
        });
        let good = change(&text_of(case.base), case.both, case.rule);
        let found = findings(&good, case.profile, case.rule);
        let own = found.iter().find(|finding| finding.rule == case.rule);
        assert!(own.is_none(), "{} should pass: {own:#?}", case.rule);
        let bad = change(&good, case.fail, case.rule);
        let found = findings(&bad, case.profile, case.rule);
        let own: Vec<&Finding> = found.iter().filter(|one| one.rule == case.rule).collect();
        assert!(!own.is_empty(), "{} should fail {}: {found:#?}", case.rule, case.base);
        for finding in own {
            assert_eq!(finding.severity, severity, "{}", case.rule);
            assert_eq!(finding.layer, rule.layer, "{}", case.rule);
            assert!(rule.codes.contains(&finding.code), "{}: {}", case.rule, finding.code);
            assert!(finding.path.starts_with('/') && finding.line > 1, "{finding:?}");
            assert!(finding.text.ends_with('.'), "{}: {}", case.rule, finding.text);
            let family = &finding.message[..8];
            let applies = rule.families == "any" || rule.families.contains(family);
            assert!(applies || family == "head.001", "{} of {family}", case.rule);
        }
        seen.insert(case.rule);
    }
    remittance_has_a_length();
    seen.insert("cbpr.remittance-length");
    let missing: Vec<&str> =
        rules::all().iter().map(|rule| rule.id).filter(|id| !seen.contains(id)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    println!("{} rules, {} cases", rules::all().len(), cases().count());
    assert!(rules::all().len() >= 60);
}

/// A case that is too long to be written down.
fn remittance_has_a_length() {
    let line = format!("<AddtlRmtInf>{}</AddtlRmtInf>", "x".repeat(140));
    let part = format!("<Strd>{}</Strd>", line.repeat(3));
    let with = |parts: usize| {
        let text = text_of("pacs.008").replace("<Ustrd>Invoice 17</Ustrd>", &part.repeat(parts));
        findings(&text, Profile::Cbpr, "cbpr.remittance-length")
    };
    assert!(with(21).is_empty(), "8820 characters are allowed");
    assert_eq!(with(22)[0].rule, "cbpr.remittance-length", "9240 characters are not");
}

/// The base messages are clean, so that no case rests on a message that is wrong anyway.
#[test]
fn base_messages_are_clean() {
    for (base, profile) in [
        ("pacs.008", Profile::Cbpr),
        ("pacs.009", Profile::Cbpr),
        ("pacs.009.cov", Profile::Cbpr),
        ("pacs.009.clearing", Profile::Hvps),
        ("pacs.004", Profile::Cbpr),
        ("pacs.002", Profile::Cbpr),
        ("pacs.002.group", Profile::Corridor),
        ("pacs.010", Profile::Cbpr),
        ("pacs.028", Profile::Corridor),
        ("camt.029", Profile::Corridor),
        ("camt.050", Profile::Corridor),
        ("camt.053", Profile::Corridor),
        ("camt.056", Profile::Corridor),
        ("camt.057", Profile::Corridor),
        ("camt.060", Profile::Corridor),
        ("camt.106", Profile::Corridor),
        ("pain.001", Profile::Corridor),
        (BATCH, Profile::Corridor),
    ] {
        let found = findings(&text_of(base), profile, base);
        assert!(found.is_empty(), "{base}: {found:#?}");
    }
}

/// What a profile does not ask for, it does not report.
#[test]
fn profiles_choose_among_rules() {
    for profile in Profile::ALL {
        for base in ["pacs.008", "pacs.009.clearing", "camt.053", BATCH] {
            for finding in findings(&text_of(base), profile, base) {
                let rule = rules::find(finding.rule).unwrap();
                assert_eq!(rule.severity(profile), Some(finding.severity), "{finding:?}");
            }
        }
    }
    let of = |profile| findings(&text_of(BATCH), profile, BATCH);
    assert!(of(Profile::Base).is_empty() && of(Profile::Corridor).is_empty());
    let market: BTreeSet<&str> = of(Profile::Cbpr).iter().map(|finding| finding.rule).collect();
    for rule in ["cbpr.single-transaction", "cbpr.group-header-plain", "cbpr.settlement-method"] {
        assert!(market.contains(rule), "{market:?}");
    }
}
