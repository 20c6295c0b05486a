//! What auditors ask in SQL: each question many times with values drawn from what is there.

use std::{fmt, time::Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio_postgres::Client;

use crate::bench::measure::{Latencies, rounded};

/// A question, and how long its answers took.
#[derive(Debug, Serialize)]
pub(in crate::bench) struct Asked {
    name: &'static str,
    rows: usize,
    ms_p50: f64,
    ms_p95: f64,
    pub(in crate::bench) ms_max: f64,
}

impl Asked {
    /// Whether it asks for a page of rows by a filter.
    pub(in crate::bench) fn is_page(&self) -> bool {
        self.name.contains("page")
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms ({} rows in all)",
            self.name, self.ms_p50, self.ms_p95, self.ms_max, self.rows
        )
    }
}

/// Something that a payment of the ledger has, to ask for.
struct Drawn {
    leaf: i64,
    uetr: String,
    at: String,
    bank: String,
    account: String,
    asset: String,
}

/// Asks all questions; each must find the payment that it was drawn from, or at least a row.
pub(in crate::bench) async fn ask(
    client: &Client,
    rounds: u32,
    accounts: u32,
) -> Result<Vec<Asked>> {
    let mut drawn = Vec::new();
    let last = "SELECT max(leaf) FROM corridor.commands";
    let last: i64 = client.query_one(last, &[]).await?.get(0);
    for round in 0..rounds {
        let from = last / i64::from(rounds) * i64::from(round);
        let one = format!(
            "SELECT leaf, uetr::text, at::text, submitter, debit, asset FROM corridor.payments
             WHERE leaf >= {from} AND debit IS NOT NULL ORDER BY leaf LIMIT 1"
        );
        let row = client.query_opt(&one, &[]).await?.context("the projection has no payment")?;
        drawn.push(Drawn {
            leaf: row.get(0),
            uetr: row.get(1),
            at: row.get(2),
            bank: row.get(3),
            account: row.get(4),
            asset: row.get(5),
        });
    }
    type Text = fn(&Drawn) -> String;
    let questions: [(&'static str, Text); 9] = [
        ("payment by UETR", |one| {
            format!(
                "SELECT * FROM corridor.payment_trace WHERE uetr = '{}' ORDER BY leaf",
                one.uetr
            )
        }),
        ("statement page from a time on", |one| {
            format!(
                "SELECT * FROM corridor.statement WHERE account = '{}' AND at >= '{}'
                 ORDER BY at, leaf, seq LIMIT 100",
                one.account, one.at
            )
        }),
        ("count and sum of an account", |one| {
            format!(
                "SELECT count(*), sum(change) FROM corridor.statement WHERE account = '{}'",
                one.account
            )
        }),
        ("page by bank, currency and amount", |one| {
            format!(
                "SELECT * FROM corridor.payments WHERE submitter_number = corridor.bank('{}') AND asset = '{}'
                 AND amount >= 50 AND at >= '{}' ORDER BY at, leaf LIMIT 100",
                one.bank, one.asset, one.at
            )
        }),
        ("page by a narrow range of amounts", |one| {
            format!(
                "SELECT * FROM corridor.payments WHERE asset = '{}' AND amount BETWEEN 77 AND 78
                 AND at >= '{}' ORDER BY at, leaf LIMIT 100",
                one.asset, one.at
            )
        }),
        ("page by bank", |one| {
            format!(
                "SELECT * FROM corridor.postings WHERE owner = corridor.bank('{}')
                 AND (at, leaf) >= ('{}', {}) ORDER BY at, leaf, seq LIMIT 100",
                one.bank, one.at, one.leaf
            )
        }),
        ("page by leaves", |one| {
            format!(
                "SELECT * FROM corridor.payments WHERE leaf BETWEEN {} AND {} ORDER BY leaf",
                one.leaf,
                one.leaf + 99
            )
        }),
        ("page by status", |_| {
            "SELECT count(*) FROM (SELECT * FROM corridor.payments WHERE answer >= 100 AND answer <> 1
             ORDER BY at, leaf LIMIT 100) refused"
                .to_owned()
        }),
        ("positions of all accounts", |_| "SELECT * FROM corridor.position".to_owned()),
    ];
    let mut asked = Vec::new();
    for (name, text) in questions {
        let (mut latencies, mut rows) = (Latencies::new()?, 0);
        for one in &drawn {
            let question = text(one);
            let start = Instant::now();
            let answer = client.query(&question, &[]).await.with_context(|| question.clone())?;
            latencies.record(start.elapsed());
            ensure!(!answer.is_empty(), "{name}: no row for {question}");
            rows += answer.len();
        }
        asked.push(Asked {
            name,
            rows,
            ms_p50: rounded(latencies.ms_at(50.0)),
            ms_p95: rounded(latencies.ms_at(95.0)),
            ms_max: rounded(latencies.ms_max()),
        });
    }
    let positions = asked.last().map_or(0, |asked| asked.rows);
    ensure!(positions >= accounts as usize * rounds as usize, "positions are missing");
    Ok(asked)
}
