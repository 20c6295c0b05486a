//! `corridor audit statement`: the movements of one account with the balance after each, page by page.
//!
//! The node answers the same question at `/v1/statement`, from an index and on its word; here the answer is made from
//! records that lead to what the nodes have cosigned.

use std::io::{BufWriter, Write as _, stdout};

use anyhow::Result;
use clap::Args;

use super::{
    export::json,
    reader::ReaderArguments,
    search::{LedgerPlace, Line, Log, Movement, Names, Page, Query, ask, end},
};
use crate::{clock::date_time, money::format_grouped, verify::Progress};

/// Arguments of `corridor audit statement`.
#[derive(Args, Clone, Debug)]
pub struct StatementArguments {
    /// The account, such as ALPHDEFFXXX/EUR
    account: String,
    #[command(flatten)]
    place: LedgerPlace,
    /// From this ledger time on, in UTC: 2026-11-22 or 2026-11-22T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this ledger time
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// As if the log ended with this block; the last final one when left out
    #[arg(long, value_name = "HEIGHT")]
    as_of: Option<u64>,
    /// Only movements after this number: the `next` of the page before
    #[arg(long, default_value_t = 0, value_name = "ROW")]
    after: u64,
    /// Movements of a page
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print one JSON object a movement, and one with the sums at the end
    #[arg(long)]
    json: bool,
}

/// Runs `corridor audit statement`. Blocking.
pub(super) fn run(arguments: &StatementArguments) -> Result<()> {
    let mut bar = Progress::new(!arguments.json);
    let log = Log::open(&arguments.place, &mut bar)?;
    let query = Query {
        account: Some(arguments.account.clone()),
        from: arguments.from.clone(),
        before: arguments.before.clone(),
        as_of: arguments.as_of,
        ..Query::default()
    };
    arguments.reader.question(
        &arguments.place,
        &serde_json::json!({ "statement": query }),
        None,
    )?;
    let page = Page { after: (arguments.after, 0), limit: arguments.limit };
    let mut out = BufWriter::new(stdout().lock());
    let summary = ask(&log, &query, true, &page, &mut bar, &mut |line, names| {
        if arguments.json {
            let mut text = Vec::new();
            json(&mut text, line, names)?;
            text.push(b'\n');
            out.write_all(&text)?;
        } else if let Line::Movement(one) = line {
            writeln!(out, "{}", text_of(one, names))?;
        }
        Ok(())
    })?;
    end(&mut out, &summary, arguments.json)
}

fn text_of(one: &Movement, names: &Names) -> String {
    let asset = one.own().and_then(|account| names.asset_of(account));
    let exponent = asset.map_or(0, |(_, exponent)| exponent);
    format!(
        "{:>6}  {}Z  {:>18}  {:>20}  {}  {}  leaf {}",
        one.number,
        date_time(one.row.time_ns),
        format_grouped(one.change, exponent),
        format_grouped(one.balance, exponent),
        one.other.map_or("-".into(), |other| names.account(other)),
        one.row.id.map_or("-".to_owned(), |id| id.to_string()),
        one.row.leaf
    )
}
