//! Files with many transactions: the same findings as when they are read whole, in constant memory.
#![allow(clippy::unwrap_used, missing_docs)]

mod files;

use files::{credit_transfers, initiation};
use iso20022::bulk::{BulkReader, Summary, Transaction};
use iso20022::{Finding, Limits, Profile, Unreadable, read};
use peak_alloc::PeakAlloc;
use proptest::prelude::*;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Reads a file in chunks and hands over each transaction.
fn in_chunks(
    file: &[u8],
    chunk: usize,
    mut each: impl FnMut(Transaction),
) -> Result<Summary, Unreadable> {
    let mut reader = BulkReader::new(Limits::message());
    for bytes in file.chunks(chunk) {
        reader.push(bytes);
        while let Some(transaction) = reader.next_transaction()? {
            each(transaction);
        }
    }
    reader.finish()
}

/// What a finding says, and where.
fn place(finding: &Finding) -> (String, usize, u32, &'static str) {
    (finding.path.clone(), finding.offset, finding.line, finding.rule)
}

#[test]
fn transactions_come_out_one_by_one() {
    for chunk in [1, 7, 100, 4096, usize::MAX] {
        let file = credit_transfers(5, "\n");
        let mut seen = Vec::new();
        let summary = in_chunks(file.as_bytes(), chunk, |one| {
            let node = one.node().unwrap();
            assert_eq!(node.name(), "CdtTrfTxInf");
            assert!(file[one.offset as usize..].starts_with("<CdtTrfTxInf>"));
            assert!(one.message.is_schema_valid(), "{:?}", one.message.findings);
            assert_eq!(read(&one.document, &Limits::message()).unwrap().findings, []);
            assert!(!one.check(Profile::Base).findings.iter().any(Finding::is_error));
            assert!(one.message.header.is_some());
            seen.push((
                one.number,
                one.group,
                node.text_at("PmtId/EndToEndId").unwrap().to_owned(),
            ));
        })
        .unwrap();
        let expected = (1..=5).map(|n| (n, 0, format!("E2E-{n}"))).collect::<Vec<_>>();
        assert_eq!(seen, expected);
        assert!(summary.is_good(), "{:?}", summary.findings);
        assert_eq!((summary.transactions, summary.groups), (5, 0));
    }
}

#[test]
fn groups_have_their_own_counts_and_sums() {
    let file = initiation(&[2, 3]);
    for chunk in [1, 64, usize::MAX] {
        let mut seen = Vec::new();
        let summary = in_chunks(file.as_bytes(), chunk, |one| {
            assert!(one.message.is_schema_valid(), "{:?}", one.message.findings);
            let group = one.node().unwrap().parent().unwrap();
            seen.push((one.group, one.number, group.text_at("PmtInfId").unwrap().to_owned()));
        })
        .unwrap();
        let group = |n: u64| format!("GROUP-{n}");
        assert_eq!(
            seen,
            [
                (1, 1, group(1)),
                (1, 2, group(1)),
                (2, 1, group(2)),
                (2, 2, group(2)),
                (2, 3, group(2))
            ]
        );
        assert!(summary.is_good(), "{:?}", summary.findings);
        assert_eq!((summary.transactions, summary.groups), (5, 2));
    }
    let wrong = file.replacen("<NbOfTxs>3</NbOfTxs>", "<NbOfTxs>4</NbOfTxs>", 1);
    let summary = in_chunks(wrong.as_bytes(), 50, drop).unwrap();
    let found: Vec<_> = summary.findings.iter().map(|one| (one.path.as_str(), one.rule)).collect();
    let path = "/Document/CstmrCdtTrfInitn/PmtInf[2]/NbOfTxs";
    assert_eq!(found, [(path, "base.block-number")]);
}

#[test]
fn wrong_totals_are_found_at_the_end() {
    let file = credit_transfers(20, "");
    for (from, to, rule) in [
        ("<NbOfTxs>20<", "<NbOfTxs>21<", "base.number-of-transactions"),
        ("<CtrlSum>", "<CtrlSum>1", "base.control-sum"),
        (
            "<TtlIntrBkSttlmAmt Ccy=\"EUR\">",
            "<TtlIntrBkSttlmAmt Ccy=\"EUR\">1",
            "base.total-amount",
        ),
    ] {
        let wrong = file.replacen(from, to, 1);
        assert_ne!(wrong, file);
        let mut clean = true;
        let summary = in_chunks(wrong.as_bytes(), 1000, |one| {
            clean &= !one.check(Profile::Base).findings.iter().any(Finding::is_error);
        })
        .unwrap();
        assert!(clean, "{rule} is for the end");
        let rules: Vec<_> = summary.findings.iter().map(|one| one.rule).collect();
        assert_eq!(rules, [rule]);
        assert_eq!(
            summary.findings[0].line,
            1 + wrong[..wrong.find(from.split('>').next().unwrap()).unwrap()].matches('\n').count()
                as u32
        );
    }
}

#[test]
fn amounts_of_one_file_have_one_currency() {
    let file = credit_transfers(3, "\n");
    let at = file.rfind("<IntrBkSttlmAmt Ccy=\"EUR\"").unwrap();
    let file = format!("{}{}", &file[..at], file[at..].replacen("EUR", "USD", 1));
    let summary = in_chunks(file.as_bytes(), 333, drop).unwrap();
    let found: Vec<_> = summary.findings.iter().map(place).collect();
    let path = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[3]/IntrBkSttlmAmt".to_owned();
    let line = 1 + file[..at].matches('\n').count() as u32;
    assert_eq!(found, [(path, at, line, "base.one-currency")]);
}

#[test]
fn what_is_not_well_formed_ends_the_file() {
    let file = credit_transfers(10, "\n");
    for (from, to, rule) in [
        ("</CdtTrfTxInf>", "</CdtTrfTx>", "xml.well-formed"),
        ("<ChrgBr>", "<ChrgBr", "xml.well-formed"),
        ("SHAR", "&nope;", "xml.entity"),
        ("SHAR", "<!DOCTYPE a>", "xml.doctype"),
        ("SHAR", "\u{1}", "xml.character"),
        ("</CdtTrfTxInf>", "</CdtTrfTxInf>\u{c}", "xml.character"),
        ("</FIToFICstmrCdtTrf>", "", "xml.well-formed"),
        (
            "</Document>",
            "</Document><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"/>",
            "xml.repeated",
        ),
    ] {
        let at = file.find(from).unwrap();
        let broken = format!("{}{to}{}", &file[..at], &file[at + from.len()..]);
        let error = in_chunks(broken.as_bytes(), 512, drop).unwrap_err();
        assert_eq!(error.findings[0].rule, rule, "{to}: {:?}", error.findings);
        let line = 1 + broken[..at].matches('\n').count() as u32;
        // The reader notices what is wrong within the transaction that it is in.
        assert!(
            (line..line + 12).contains(&error.findings[0].line),
            "{to}: {:?}, {line}",
            error.findings
        );
    }
    for length in [0, 10, 500, 2000, file.len() - 20] {
        assert!(in_chunks(&file.as_bytes()[..length], 512, drop).is_err(), "{length}");
    }
}

#[test]
fn endless_data_is_bounded() {
    let head = credit_transfers(1, "");
    let cut = head.find("<CdtTrfTxInf>").unwrap();
    for (fill, rule) in
        [("<X>", "limit.depth"), ("<X/>", "limit."), ("x", "limit."), ("<X a='", "limit.")]
    {
        for start in [&head[..cut], &head[..cut + 13], ""] {
            let mut reader = BulkReader::new(Limits::message());
            reader.push(start.as_bytes());
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            let chunk = fill.repeat(1000);
            let error = (0..4000).find_map(|_| {
                reader.push(chunk.as_bytes());
                reader.next_transaction().err()
            });
            let found = error.unwrap().findings[0].rule;
            assert!(found.starts_with(rule), "{fill}: {found}");
            if fill == "<X/>" {
                // Within a transaction its size is bounded, outside of one what is kept around them.
                let in_unit = start.ends_with("<CdtTrfTxInf>");
                assert_eq!(found, if in_unit { "limit.bytes" } else { "limit.context" });
            }
            assert!(MEMORY.peak_usage() - before < 6 << 20, "{fill}");
        }
    }
}

/// Ten times the transactions must not take more memory.
#[test]
fn memory_does_not_depend_on_the_number_of_transactions() {
    let mut peaks = Vec::new();
    for count in [1_000, 10_000, 100_000] {
        let mut writer = files::Stream::new(count);
        let mut reader = BulkReader::new(Limits::message());
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let (mut seen, mut bytes) = (0, 0);
        while let Some(chunk) = writer.next_chunk(64 << 10) {
            bytes += chunk.len();
            reader.push(chunk.as_bytes());
            while let Some(one) = reader.next_transaction().unwrap() {
                assert!(one.message.is_schema_valid());
                seen += 1;
            }
        }
        let summary = reader.finish().unwrap();
        assert!(summary.is_good(), "{:?}", summary.findings);
        assert_eq!((summary.transactions, seen), (count, count));
        let peak = MEMORY.peak_usage() - before;
        println!("{count} transactions, {bytes} bytes: {} KiB at most", peak >> 10);
        peaks.push(peak);
    }
    assert!(peaks[2] < 2 << 20, "{peaks:?}");
    assert!(peaks[2] < peaks[0] + (64 << 10), "{peaks:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is done to a file: the findings are those of reading it whole.
    #[test]
    fn findings_are_those_of_the_whole_file(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12), 1..5),
        chunk in 1_usize..3000,
    ) {
        let mut file = credit_transfers(6, "\n  ");
        for (at, kind) in edits {
            let tags: Vec<usize> = file.match_indices('<').map(|(at, _)| at).collect();
            let at = tags[at.index(tags.len())];
            let text = [
                "<New/>", "x", "<!-- <CdtTrfTxInf> -->", "<Cd>NORM</Cd>", "<![CDATA[<]]>", "\n\n",
                "<?pi <a> ?>", "<SplmtryData><Envlp><a/></Envlp></SplmtryData>", "<a b='>'>c</a>",
                "<ChrgBr>SHAR</ChrgBr>", "<IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>", "&lt;",
            ][kind];
            file.insert_str(at, text);
        }
        let limits = Limits { findings_max: 10_000, ..Limits::message() };
        let whole = read(file.as_bytes(), &limits);
        let mut found = Vec::new();
        let bulk = in_chunks(file.as_bytes(), chunk, |one| {
            found.extend(one.message.findings.iter().map(place));
        });
        match (whole, bulk) {
            (Ok(message), Ok(summary)) => {
                let schema = |one: &&Finding| one.rule.starts_with("schema.");
                found.extend(summary.findings.iter().filter(schema).map(place));
                let in_text = |mut all: Vec<(String, usize, u32, &'static str)>| {
                    // Which of several equal siblings a path means may be told in other words.
                    for one in &mut all {
                        one.0 = one.0.replace("CdtTrfTxInf[", "CdtTrfTxInf/[");
                        one.0 = one.0.split('/').filter(|part| !part.starts_with('[')).collect::<Vec<_>>().join("/");
                        if let Some(at) = one.0.find('[') { one.0.truncate(at); }
                    }
                    all.sort();
                    all.dedup();
                    all
                };
                let expected = in_text(message.findings.iter().map(place).collect());
                // After something foreign between transactions the rest is told once more.
                for finding in &expected {
                    prop_assert!(in_text(found.clone()).contains(finding), "{finding:?} is not among {found:#?}\n{file}");
                }
                prop_assert_eq!(found.is_empty(), expected.is_empty(), "{:#?}\n{}", found, file);
            }
            (Err(_), Err(_)) => {}
            (whole, bulk) => prop_assert!(false, "{:?} {:?}\n{}", whole.map(|m| m.findings), bulk, file),
        }
    }
}

#[test]
fn what_rules_say_of_common_data_is_said_once() {
    let file = credit_transfers(4, "\n").replacen("BRVOUS33XXX", "BRVOXX33XXX", 2);
    let wrong = read(file.as_bytes(), &Limits::batch()).unwrap().validate(Profile::Base);
    let expected: Vec<_> = wrong.iter().map(place).collect();
    assert!(!expected.is_empty());
    let mut found = Vec::new();
    in_chunks(file.as_bytes(), 300, |one| {
        found.extend(one.check(Profile::Base).findings.iter().map(place));
    })
    .unwrap();
    found.retain(|one| expected.contains(one));
    found.dedup();
    let mut sorted = expected.clone();
    sorted.sort();
    found.sort();
    assert_eq!(found, sorted);
}

#[test]
fn a_uetr_that_comes_twice_names_both_places() {
    let twice = credit_transfers(9, "\n").replace("00000007-1111", "00000003-1111");
    let find = |ids_max, profile| {
        let mut reader = BulkReader::new(Limits::message()).with_unique_uetrs(ids_max);
        let mut found = Vec::new();
        for bytes in twice.as_bytes().chunks(500) {
            reader.push(bytes);
            while let Some(one) = reader.next_transaction().unwrap() {
                let findings = one.check(profile).findings.into_iter();
                found.extend(findings.filter(|one| one.rule == "corridor.uetr-unique"));
            }
        }
        assert!(reader.finish().unwrap().is_good());
        found
    };
    let found = find(100, Profile::Corridor);
    assert_eq!(found.len(), 1, "{found:?}");
    let path = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[7]/PmtId/UETR";
    assert_eq!((found[0].path.as_str(), found[0].code), (path, "RF01"));
    let line = |n: u64| {
        let at = twice.match_indices("00000003-1111").nth(usize::from(n == 7)).unwrap().0;
        twice[..at].matches('\n').count() + 1
    };
    assert_eq!(found[0].line as usize, line(7));
    let text = format!("Transaction 3 (line {}) has the same UETR.", line(3));
    assert_eq!(found[0].text, text);
    assert!(find(0, Profile::Corridor).is_empty(), "only where it is asked for");
    assert!(find(2, Profile::Corridor).is_empty(), "and only among so many");
    assert!(find(100, Profile::Base).is_empty(), "where the rule is an error");
}
