//! `corridor audit search`: rows of the log by filters, page by page.
//!
//! The log is read from its beginning, hashed, and compared with what the nodes have cosigned; a million rows take
//! seconds. Count and sums are over all rows of the query, whatever the page. A page begins after a row, named by its
//! leaf and its number there, so pages do not shift when the log grows; with `--as-of` nothing does.

mod log;
mod names;
mod query;
mod rows;

use std::io::{BufWriter, Write as _, stdout};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

pub(crate) use self::{
    log::{CHECKPOINT_BYTES_MAX, LedgerPlace, Log},
    names::Names,
    query::{Line, Movement, Picker, Query, Totals},
    rows::{Reader, Row},
};
use super::{export::json, reader::ReaderArguments};
use crate::{clock::date_time, money::format_grouped, verify::Progress};

/// Arguments of `corridor audit search`.
#[derive(Args, Clone, Debug)]
pub struct SearchArguments {
    #[command(flatten)]
    place: LedgerPlace,
    #[command(flatten)]
    query: Query,
    /// Only rows after this one, LEAF.SEQ: the `next` of the page before
    #[arg(long, value_name = "LEAF.SEQ")]
    after: Option<String>,
    /// Rows of a page
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print one JSON object a row, and one with the sums at the end
    #[arg(long)]
    json: bool,
}

/// The last line of an answer.
#[derive(Serialize)]
pub(crate) struct Summary {
    /// The answer is as of this block.
    pub(crate) as_of: u64,
    /// Leaves that were compared with a checkpoint; nothing when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) final_leaves: Option<u64>,
    /// Over all pages.
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// Ask with this as `--after` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// Which lines of an answer are shown.
pub(crate) struct Page {
    /// Leaf and number of the row before.
    pub(crate) after: (u64, u64),
    pub(crate) limit: u64,
}

/// Walks through the log and calls `each` with the lines of the page.
pub(crate) fn ask(
    log: &Log,
    query: &Query,
    statement: bool,
    page: &Page,
    bar: &mut Progress,
    each: &mut dyn FnMut(&Line<'_>, &Names) -> Result<()>,
) -> Result<Summary> {
    let names = Names::of(&log.genesis)?;
    let mut picker = Picker::new(query, statement, None, &names)?;
    let mut reader = Reader::new(names);
    let (mut shown, mut last, mut more, mut reached) = (0, (0, 0), false, 0);
    log.walk(bar, &mut |leaf, record, _| {
        let Some(block) = reader.push(leaf, record)? else { return Ok(()) };
        if query.as_of.is_none_or(|as_of| block.height <= as_of) {
            reached = block.height;
        }
        picker.block(&block, &reader.names, &mut |line, names| {
            let at = match line {
                Line::Row(row) => (row.leaf, row.seq.into()),
                Line::Movement(one) => (one.number, 0),
            };
            if at <= page.after {
                return Ok(());
            }
            if shown == page.limit {
                more = true;
                return Ok(());
            }
            (shown, last) = (shown + 1, at);
            each(line, names)
        })?;
        Ok(())
    })?;
    picker.check()?;
    if let Some(as_of) = query.as_of {
        anyhow::ensure!(reached == as_of, "the log ends with block {reached}, before {as_of}");
    }
    let next = match statement {
        true => last.0.to_string(),
        false => format!("{}.{}", last.0, last.1),
    };
    Ok(Summary {
        as_of: reached,
        final_leaves: log.signed.as_ref().map(|signed| signed.size),
        totals: picker.totals(),
        next: more.then_some(next),
    })
}

/// Runs `corridor audit search`. Blocking.
pub(super) fn run(arguments: &SearchArguments) -> Result<()> {
    let after = match &arguments.after {
        None => (0, 0),
        Some(text) => {
            let parts = text
                .split_once('.')
                .and_then(|(leaf, seq)| Some((leaf.parse().ok()?, seq.parse().ok()?)));
            parts.with_context(|| format!("`{text}` is no row: write LEAF.SEQ"))?
        }
    };
    let mut bar = Progress::new(!arguments.json);
    let log = Log::open(&arguments.place, &mut bar)?;
    let words = serde_json::json!({ "search": arguments.query });
    arguments.reader.question(&arguments.place, &words, arguments.query.uetr.as_deref())?;
    let page = Page { after, limit: arguments.limit };
    let mut out = BufWriter::new(stdout().lock());
    let summary = ask(&log, &arguments.query, false, &page, &mut bar, &mut |line, names| {
        if arguments.json {
            let mut text = Vec::new();
            json(&mut text, line, names)?;
            text.push(b'\n');
            out.write_all(&text)?;
        } else if let Line::Row(row) = line {
            writeln!(out, "{}", text_of(row, names))?;
        }
        Ok(())
    })?;
    end(&mut out, &summary, arguments.json)
}

/// Writes the summary.
pub(super) fn end(out: &mut dyn std::io::Write, summary: &Summary, as_json: bool) -> Result<()> {
    if as_json {
        writeln!(out, "{}", serde_json::to_string(summary)?)?;
        return Ok(out.flush()?);
    }
    write!(out, "{} rows as of block {}", summary.totals.rows, summary.as_of)?;
    for (asset, sum) in &summary.totals.settled_minor {
        write!(out, "; settled in {asset}: {sum} minor units")?;
    }
    if let (Some(opening), Some(closing)) =
        (&summary.totals.opening_minor, &summary.totals.closing_minor)
    {
        write!(out, "; opening {opening}, closing {closing} minor units")?;
    }
    writeln!(out)?;
    match summary.final_leaves {
        Some(leaves) => {
            writeln!(out, "The {leaves} leaves lead to the root that the nodes have cosigned.")?
        }
        None => writeln!(
            out,
            "No checkpoint was at hand: nothing was compared with what the nodes have cosigned."
        )?,
    }
    if let Some(next) = &summary.next {
        writeln!(out, "More: --after {next} --as-of {}", summary.as_of)?;
    }
    Ok(out.flush()?)
}

fn text_of(row: &Row, names: &Names) -> String {
    let name = |account: Option<u32>| account.map_or("-".into(), |one| names.account(one));
    let asset = row.debit.or(row.credit).and_then(|account| names.asset_of(account));
    let amount = match (asset, row.minor) {
        (Some((code, exponent)), Some(minor)) => {
            format!("{code} {}", format_grouped(minor.into(), exponent))
        }
        (_, minor) => minor.map_or("-".to_owned(), |minor| format!("{minor} minor units")),
    };
    format!(
        "{}Z  {:>8}.{:<2} {:<10} {:<10} {amount:>20}  {} -> {}  {}",
        date_time(row.time_ns),
        row.leaf,
        row.seq,
        row.kind,
        row.status(),
        name(row.debit),
        name(row.credit),
        row.id.map_or("-".to_owned(), |id| id.to_string()),
    )
}
