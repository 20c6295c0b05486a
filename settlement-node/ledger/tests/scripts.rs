//! Golden scripts: `testscripts/*.txt`, named by behaviour. A block is lines, `---`, and what came of them.
//!
//! `BLESS=1` writes what came of them into the scripts; look at the difference before committing it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod script;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use ledger::Refusal;
use script::Network;

/// Refusals that no script can reach: their limits are beyond any script. Each has a test elsewhere.
const BEYOND_SCRIPTS: [Refusal; 4] = [
    // apply.rs: amounts_beyond_the_bound_are_refused_before_any_debit
    Refusal::AmountTooLarge,
    // waiting.rs: the_table_of_waiting_transfers_is_bounded
    Refusal::TooManyWaiting,
    // properties.rs: a_participant_has_a_bounded_number_of_accounts
    Refusal::LimitReached,
    // exchange_bounds.rs: the_work_of_a_block_is_bounded
    Refusal::TooManyExchanges,
];

fn script_paths() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testscripts");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Runs a script; returns it with what came of each block, and the refusals seen.
fn run(text: &str) -> (String, Vec<Refusal>) {
    let mut network = Network::new();
    let mut blocks = Vec::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let input: Vec<&str> = block.lines().take_while(|line| *line != "---").collect();
        let mut output = Vec::new();
        for line in &input {
            if !line.starts_with('#') {
                output.extend(network.line(line));
            }
        }
        output.extend(network.describe());
        blocks.push(format!("{}\n---\n{}\n", input.join("\n"), output.join("\n")));
    }
    (blocks.join("\n"), network.refusals)
}

#[test]
fn scripts_say_what_happens() {
    let bless = std::env::var("BLESS").is_ok();
    let paths = script_paths();
    assert!(paths.len() >= 40, "{} scripts", paths.len());
    let mut differing = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let (actual, _) = run(&text);
        if text != actual {
            if bless {
                fs::write(&path, &actual).unwrap();
            } else {
                differing.push(format!("{}:\n{actual}", path.display()));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_refusal_is_produced_by_a_script() {
    let mut seen = BTreeSet::from(BEYOND_SCRIPTS);
    for path in script_paths() {
        seen.extend(run(&fs::read_to_string(path).unwrap()).1);
    }
    let missing: Vec<_> = Refusal::ALL.iter().filter(|one| !seen.contains(one)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// With `CORRIDOR_ISO_DIR`: every ISO code is in the published list of external status reasons.
#[test]
fn iso_codes_are_published() {
    let Ok(folder) = std::env::var("CORRIDOR_ISO_DIR") else { return };
    let list = PathBuf::from(folder).join("codesets/external_status_reason_code.json");
    let text = fs::read_to_string(list).unwrap();
    for refusal in Refusal::ALL {
        let entry = format!("\"{}\":", refusal.iso_code());
        assert!(text.contains(&entry), "{refusal:?} {entry}");
    }
}
