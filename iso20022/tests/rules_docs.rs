//! The page on rules lists every rule as it is. `BLESS=1` writes the page anew.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::rules::{self, Rule};
use iso20022::{Profile, Severity};
use std::fmt::Write;
use std::path::Path;

const START: &str = "<!-- The rest of this page is written by iso20022/tests/rules_docs.rs. -->\n";

/// The strength of a rule in all profiles: `E` an error, `w` a warning, `-` nothing.
fn strength(rule: &Rule) -> String {
    let sign = |profile: &Profile| match rule.severity(*profile) {
        Some(Severity::Error) => "E",
        Some(Severity::Warning) => "w",
        None => "-",
    };
    Profile::ALL.iter().map(sign).collect::<Vec<_>>().join(" ")
}

fn tables() -> String {
    let mut text = format!("{START}\n## The reader: transport and schema, always an error\n\n");
    text.push_str("| rule | layer | what it asks for |\n|---|---|---|\n");
    for rule in rules::READER {
        let cell = rule.text.replace('|', "\\|");
        let _ = writeln!(text, "| {} | {} | {cell} |", rule.id, rule.layer.short());
    }
    let _ = write!(text, "\n## The {} rules beyond the schema\n\n", rules::all().len());
    text.push_str("| rule | layer | base cbpr corridor hvps | codes | messages | what it asks for | source |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for rule in rules::all() {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            rule.id,
            rule.layer.short(),
            strength(rule),
            rule.codes.join(" "),
            rule.families,
            rule.text.replace('|', "\\|"),
            rule.source.replace('|', "\\|"),
        );
    }
    text
}

#[test]
fn the_page_lists_every_rule() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/docs/iso20022-rules.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let at = text.find(START).expect("the page says where the tables start");
    let expected = format!("{}{}", &text[..at], tables());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&page, &expected).unwrap();
    } else {
        assert_eq!(text, expected, "run this test with BLESS=1 and review the page");
    }
}
