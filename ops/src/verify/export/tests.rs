//! Exports that hold, the same with a byte changed anywhere, and those from which a row was left out.

#![allow(clippy::unwrap_used)]

use std::fs;

use clap::Parser;
use settlement_node::finality::Members;

use super::*;
use crate::audit::{
    export,
    search::{Line, Page, Query, ask},
};
use crate::verify::ledger::tests::ledger;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: export::ExportArguments,
}

/// Exports from a mirror, and writes the policy beside.
fn make(mirror: &Path, out: &Path, more: &[&str]) -> Manifest {
    let genesis = mirror.join("genesis.toml");
    let [from, genesis, to] = [mirror, &genesis, out].map(|path| path.to_str().unwrap());
    let words = ["export", "--ledger", from, "--genesis", genesis, "--out", to, "--json"];
    let cli = Cli::try_parse_from(words.iter().chain(more)).unwrap();
    export::run(&cli.arguments).unwrap();
    let genesis = Genesis::parse(&fs::read(mirror.join("genesis.toml")).unwrap()).unwrap();
    let policy = Members::of(&genesis).unwrap().unwrap().policy();
    fs::write(out.with_extension("policy"), policy).unwrap();
    Manifest::parse(&fs::read(out.join(MANIFEST)).unwrap()).unwrap()
}

fn arguments(out: &Path, ledger: Option<&Path>) -> ExportArguments {
    ExportArguments {
        export: out.to_owned(),
        policy: out.with_extension("policy"),
        ledger: ledger.map(|path| path.to_str().unwrap().to_owned()),
        mirror: out.join("unused"),
        json: true,
    }
}

fn verdict(out: &Path, ledger: Option<&Path>) -> Result<u64> {
    check(&arguments(out, ledger)).map(|report| report.rows)
}

#[test]
fn exports_hold_and_one_changed_byte_anywhere_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mirror, out) = (dir.path().join("mirror"), dir.path().join("export"));
    fs::create_dir(&mirror).unwrap();
    ledger(&mirror, 8, 2, 2);
    // The first transfer is refused, so that a statement has one row less.
    for (more, rows) in [
        (&["--format", "csv"][..], 8),
        (&["--format", "jsonl", "--statement", "BANKFRPPXXX/EUR"], 7),
        (&["--format", "camt053", "--statement", "BANKDEFFXXX/EUR"], 7),
    ] {
        let manifest = make(&mirror, &out, more);
        assert_eq!(manifest.totals.rows, rows);
        assert_eq!(verdict(&out, None).unwrap(), rows);
        assert_eq!(verdict(&out, Some(&mirror)).unwrap(), rows);
        let mut changed_files = 0;
        for entry in fs::read_dir(&out).unwrap() {
            let path = entry.unwrap().path();
            changed_files += 1;
            let bytes = fs::read(&path).unwrap();
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                fs::write(&path, &changed).unwrap();
                assert!(verdict(&out, None).is_err(), "{}: byte {at}", path.display());
            }
            fs::write(&path, bytes).unwrap();
        }
        assert_eq!(changed_files, 5);
        assert_eq!(verdict(&out, None).unwrap(), rows);
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn a_query_as_of_a_block_gives_the_same_rows_when_the_log_has_grown() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, transfers) in [("short", 600), ("long", 3_000)] {
        fs::create_dir(at(name)).unwrap();
        ledger(&at(name), transfers, 5, 4);
    }
    for (number, more) in [
        &["--as-of", "20"][..],
        &["--as-of", "20", "--status", "refused"],
        &["--as-of", "20", "--asset", "EUR", "--min", "0.02", "--max", "0.02"],
        &[
            "--as-of",
            "20",
            "--statement",
            "BANKFRPPXXX/EUR",
            "--from",
            "1970-01-01T00:00:00.0000001Z",
        ],
        &["--as-of", "20", "--statement", "BANKFRPPXXX/EUR", "--format", "camt053"],
        &["--as-of", "20", "--uetr", "00000000-0000-4000-8000-000000000007"],
    ]
    .into_iter()
    .enumerate()
    {
        let (one, two) = (at(&format!("short-{number}")), at(&format!("long-{number}")));
        let short = make(&at("short"), &one, more);
        let long = make(&at("long"), &two, more);
        assert_eq!(short.files, long.files, "{more:?}");
        assert_eq!((short.as_of, &short.totals), (long.as_of, &long.totals));
        assert!(short.size < long.size && short.totals.rows > 0, "{short:?}");
        for out in [&one, &two] {
            assert_eq!(verdict(out, None).unwrap(), short.totals.rows, "{more:?}");
            assert_eq!(verdict(out, Some(&at("long"))).unwrap(), short.totals.rows);
        }
    }
    let one = make(&at("long"), &at("one"), &["--uetr", "00000000-0000-4000-8000-000000000007"]);
    // Genesis, the transfer, its seal and the last one.
    assert_eq!((one.totals.rows, one.records), (1, 4));
    assert!(one.proof.bytes < 3_000, "{one:?}");
    let refused = make(&at("long"), &at("none"), &["--status", "refused", "--code", "1"]);
    assert_eq!(refused.totals.rows, 0);
}

/// What a proof alone cannot show, the whole log does.
#[test]
fn rows_that_were_left_out_are_missed_with_the_log_at_hand() {
    let dir = tempfile::tempdir().unwrap();
    let (mirror, out) = (dir.path().join("mirror"), dir.path().join("export"));
    fs::create_dir(&mirror).unwrap();
    ledger(&mirror, 200, 5, 4);
    let mut manifest = make(&mirror, &out, &["--status", "refused"]);
    assert_eq!(manifest.totals.rows, 5);
    manifest.query = Query::default();
    fs::write(out.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    assert_eq!(verdict(&out, None).unwrap(), 5);
    let missed = verdict(&out, Some(&mirror)).unwrap_err();
    assert!(format!("{missed:#}").contains("the whole log gives another export"), "{missed:#}");
    // A statement that begins with other money than genesis gave.
    fs::remove_dir_all(&out).unwrap();
    let mut manifest = make(&mirror, &out, &["--statement", "BANKDEFFXXX/EUR"]);
    assert_eq!(manifest.totals.opening_minor.as_deref(), Some("1000000"));
    manifest.totals.opening_minor = Some("1000001".to_owned());
    fs::write(out.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    let wrong = verdict(&out, None).unwrap_err().to_string();
    assert!(wrong.contains("began with 1000000"), "{wrong}");
}

/// As of an earlier block is another question than all of the log.
#[test]
fn what_was_not_asked_as_of_a_block_ends_with_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (mirror, out) = (dir.path().join("mirror"), dir.path().join("export"));
    fs::create_dir(&mirror).unwrap();
    ledger(&mirror, 200, 5, 4);
    let mut manifest = make(&mirror, &out, &["--as-of", "4"]);
    assert_eq!(verdict(&out, Some(&mirror)).unwrap(), manifest.totals.rows);
    manifest.query.as_of = None;
    fs::write(out.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    for ledger in [None, Some(&*mirror)] {
        let wrong = verdict(&out, ledger).unwrap_err().to_string();
        assert!(wrong.contains("does not end with block 4"), "{wrong}");
    }
}

#[test]
fn a_file_that_nobody_made_is_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (mirror, out) = (dir.path().join("mirror"), dir.path().join("export"));
    fs::create_dir(&mirror).unwrap();
    ledger(&mirror, 8, 2, 2);
    let rows = make(&mirror, &out, &[]).totals.rows;
    let other = out.join("rows.jsonl");
    fs::copy(out.join("rows.csv"), &other).unwrap();
    let wrong = verdict(&out, None).unwrap_err().to_string();
    assert!(wrong.contains("rows.jsonl is in the folder and not of the export"), "{wrong}");
    fs::remove_file(other).unwrap();
    fs::create_dir(out.join("more")).unwrap();
    assert!(verdict(&out, None).is_err(), "nor is a folder");
    fs::remove_dir(out.join("more")).unwrap();
    assert_eq!(verdict(&out, None).unwrap(), rows);
}

#[test]
fn pages_put_together_are_the_whole_answer() {
    let dir = tempfile::tempdir().unwrap();
    let genesis = ledger(dir.path(), 300, 5, 4);
    let place = LedgerPlace {
        dir: None,
        ledger: Some(dir.path().to_str().unwrap().to_owned()),
        genesis: Some(dir.path().join("genesis.toml")),
        mirror: dir.path().join("unused"),
        checkpoint: None,
        policy: None,
    };
    let mut bar = Progress::new(false);
    let log = Log::open(&place, &mut bar).unwrap();
    assert_eq!(log.genesis.domain.network, genesis.domain.network);
    for is_statement in [false, true] {
        let account = is_statement.then(|| "BANKDEFFXXX/EUR".to_owned());
        let query = Query { account, ..Query::default() };
        let mut read = |after, limit| {
            let mut found = Vec::new();
            let page = Page { after, limit };
            let summary = ask(&log, &query, is_statement, &page, &mut bar, &mut |line, _| {
                found.push(match line {
                    Line::Row(row) => (row.leaf, 0, i128::from(row.minor.unwrap())),
                    Line::Movement(one) => (one.row.leaf, one.number, one.balance),
                });
                Ok(())
            });
            (found, summary.unwrap())
        };
        let (whole, all) = read((0, 0), 100_000);
        assert_eq!((whole.len() as u64, all.next), (all.totals.rows, None));
        let (mut pages, mut after, mut count) = (Vec::new(), (0, 0), 0);
        loop {
            let (found, summary) = read(after, 37);
            assert_eq!(summary.totals, all.totals, "sums are over all pages");
            pages.extend(found);
            count += 1;
            let Some(next) = summary.next else { break };
            let (leaf, seq) = next.split_once('.').unwrap_or((&next, "0"));
            after = (leaf.parse().unwrap(), seq.parse().unwrap());
        }
        assert_eq!(pages, whole);
        assert_eq!(count, whole.len().div_ceil(37));
        if is_statement {
            let closing = whole.last().unwrap().2.to_string();
            assert_eq!(all.totals.closing_minor, Some(closing));
        }
    }
    let none = Query { account: Some("BANKDEFFXXX/USD".to_owned()), ..Query::default() };
    let page = Page { after: (0, 0), limit: 1 };
    assert!(ask(&log, &none, true, &page, &mut bar, &mut |_, _| Ok(())).is_err());
}
