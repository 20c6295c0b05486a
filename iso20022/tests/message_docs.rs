//! The pages on messages: their examples are valid, keep the rules, and none is forgotten.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::{Limits, Profile, read, read_header, table};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Families that the network speaks, as far as there are schemas.
const FAMILIES: [&str; 42] = [
    "admi.002", "admi.004", "admi.006", "admi.007", "admi.011", "camt.003", "camt.004", "camt.005",
    "camt.006", "camt.007", "camt.008", "camt.009", "camt.010", "camt.011", "camt.012", "camt.018",
    "camt.019", "camt.025", "camt.029", "camt.046", "camt.047", "camt.048", "camt.049", "camt.050",
    "camt.052", "camt.053", "camt.054", "camt.056", "camt.057", "camt.058", "camt.060", "camt.110",
    "camt.111", "head.001", "pacs.002", "pacs.004", "pacs.008", "pacs.009", "pacs.010", "pacs.028",
    "pain.001", "pain.002",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ops/docs/messages")
}

fn page(family: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{family}.md"))).unwrap()
}

/// The XML of a page.
fn example(page: &str) -> &str {
    let (_, rest) = page.split_once("```xml\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn there_is_a_page_for_each_message() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let pages: BTreeSet<String> =
        files.map(|name| name.to_string_lossy().trim_end_matches(".md").to_owned()).collect();
    let mut expected: BTreeSet<String> = FAMILIES.iter().map(|one| (*one).to_owned()).collect();
    expected.insert("README".to_owned());
    assert_eq!(pages, expected);
    let index = page("README");
    for family in FAMILIES {
        assert!(index.contains(&format!("[{family}]({family}.md)")), "{family}");
        assert!(page(family).starts_with(&format!("# {family}: ")), "{family}");
    }
}

#[test]
fn every_example_is_valid_and_keeps_the_rules() {
    for family in FAMILIES {
        let page = page(family);
        let bytes = example(&page).as_bytes();
        let name = if family == "head.001" {
            let header = read_header(bytes, &Limits::message()).unwrap();
            assert!(header.findings.is_empty(), "{family}: {:#?}", header.findings);
            header.name
        } else {
            let message = read(bytes, &Limits::message()).unwrap();
            for profile in [Profile::Base, Profile::Corridor] {
                let found = message.validate(profile);
                let errors: Vec<_> = found.iter().filter(|one| one.is_error()).collect();
                assert!(errors.is_empty(), "{family} {profile}: {errors:#?}");
            }
            message.name
        };
        assert_eq!(name.family(), family);
        assert!(table::names().contains(&name));
        assert!(page.contains(&format!("| version in use | `{name}`")), "{family}");
    }
}
