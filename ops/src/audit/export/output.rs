//! Rows as files: CSV, JSON lines, or camt.053 statements, with the SHA-256 of each file.
//!
//! What is written depends on the rows alone, so the same rows give the same bytes: whoever verifies an export writes
//! it again into nothing and compares the digests. Nothing is kept but the file at hand and, for camt.053, one page.

use std::io::Write;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::camt::Pages;
use crate::{
    audit::search::{Line, Movement, Names, Row},
    clock::date_time,
    money::format_minor,
};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Comma-separated values with a header (RFC 4180)
    Csv,
    /// One JSON object a line
    Jsonl,
    /// camt.053.001.08, a statement for each UTC day; of one account
    Camt053,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileFacts {
    /// Name in the folder.
    pub(crate) name: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// SHA-256 of its bytes, hex.
    pub(crate) sha256: String,
}

/// Where a file's bytes go.
pub(crate) type Sink = Box<dyn Write>;

/// A file that is being written.
pub(crate) struct Hashed {
    name: String,
    out: Sink,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    /// Begins a file.
    pub(crate) fn new(name: &str, out: Sink) -> Self {
        Self { name: name.to_owned(), out, hash: Sha256::new(), bytes: 0 }
    }

    /// Ends it: all bytes are with the system.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn end(mut self) -> Result<FileFacts> {
        self.out.flush().with_context(|| format!("write {}", self.name))?;
        let digest: [u8; 32] = self.hash.finalize().into();
        Ok(FileFacts { name: self.name, bytes: self.bytes, sha256: wire::genesis::hex(&digest) })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Opens a file by name.
pub(crate) type Open<'a> = Box<dyn FnMut(&str) -> Result<Sink> + 'a>;

const ROW_HEADER: &str =
    "leaf,seq,height,time,time_ns,id,kind,status,code,debit,credit,asset,amount,amount_minor\n";
const MOVEMENT_HEADER: &str = "row,leaf,seq,height,time,time_ns,id,kind,account,counterpart,asset,\
    change,change_minor,balance,balance_minor\n";

/// Writes lines into files.
pub(crate) struct Output<'a> {
    format: Format,
    open: Open<'a>,
    /// CSV and JSON lines are one file.
    file: Option<Hashed>,
    pages: Option<Pages>,
    files: Vec<FileFacts>,
    /// Lines that were not handed to the file yet.
    lines: Vec<u8>,
}

/// Lines are handed over in pieces of about this many bytes.
const PIECE_BYTES: usize = 1 << 16;

impl<'a> Output<'a> {
    /// Begins; `account` is that of a statement.
    ///
    /// # Errors
    /// The first file cannot be made, or the format does not fit what is written.
    pub(crate) fn new(format: Format, account: Option<&str>, mut open: Open<'a>) -> Result<Self> {
        let mut lines = Vec::with_capacity(2 * PIECE_BYTES);
        let (mut file, mut pages) = (None, None);
        match format {
            Format::Csv => {
                file = Some(Hashed::new("rows.csv", open("rows.csv")?));
                let header = if account.is_some() { MOVEMENT_HEADER } else { ROW_HEADER };
                lines.extend_from_slice(header.as_bytes());
            }
            Format::Jsonl => file = Some(Hashed::new("rows.jsonl", open("rows.jsonl")?)),
            Format::Camt053 => {
                let account = account
                    .context("camt.053 is a statement: name its account with --statement")?;
                pages = Some(Pages::new(account));
            }
        }
        Ok(Self { format, open, file, pages, files: Vec::new(), lines })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn line(&mut self, line: &Line<'_>, names: &Names) -> Result<()> {
        match (self.format, line) {
            (Format::Csv, Line::Row(row)) => csv_row(&mut self.lines, row, names)?,
            (Format::Csv, Line::Movement(one)) => csv_movement(&mut self.lines, one, names)?,
            (Format::Jsonl, line) => {
                json(&mut self.lines, line, names)?;
                self.lines.push(b'\n');
            }
            (Format::Camt053, Line::Movement(one)) => {
                let pages = self.pages.as_mut().context("camt.053 has pages")?;
                if let Some(page) = pages.push(one, names)? {
                    self.page(&page)?;
                }
            }
            (Format::Camt053, Line::Row(_)) => {
                unreachable!("camt.053 is begun for statements only")
            }
        }
        if self.lines.len() >= PIECE_BYTES { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.lines).with_context(|| format!("write {}", file.name))?;
            self.lines.clear();
        }
        Ok(())
    }

    fn page(&mut self, (name, bytes): &(String, Vec<u8>)) -> Result<()> {
        let mut file = Hashed::new(name, (self.open)(name)?);
        file.write_all(bytes).with_context(|| format!("write {name}"))?;
        self.files.push(file.end()?);
        Ok(())
    }

    /// Ends all files.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn end(mut self) -> Result<Vec<FileFacts>> {
        self.hand_over()?;
        if let Some(file) = self.file.take() {
            self.files.push(file.end()?);
        }
        if let Some(page) = self.pages.take().map(Pages::end).transpose()?.flatten() {
            self.page(&page)?;
        }
        Ok(self.files)
    }
}

/// Asset code and amount in its unit; both empty for an asset that genesis did not name.
fn amount(account: Option<u32>, minor: Option<i128>, names: &Names) -> (&str, String) {
    let asset = account.and_then(|account| names.asset_of(account));
    let (code, exponent) = asset.unwrap_or(("", 0));
    let unit = asset.and(minor).map_or(String::new(), |minor| format_minor(minor, exponent));
    (code, unit)
}

// Names, codes and ids consist of letters, digits, `/`, `-` and `#`: no field needs quotes.
fn csv_row(out: &mut Vec<u8>, row: &Row, names: &Names) -> Result<()> {
    let name =
        |account: Option<u32>| account.map_or_else(Default::default, |one| names.account(one));
    let id = row.id.map_or_else(String::new, |id| id.to_string());
    let (asset, unit) = amount(row.debit.or(row.credit), row.minor.map(i128::from), names);
    let minor = row.minor.map_or_else(String::new, |minor| minor.to_string());
    writeln!(
        out,
        "{},{},{},{}Z,{},{id},{},{},{},{},{},{asset},{unit},{minor}",
        row.leaf,
        row.seq,
        row.height,
        date_time(row.time_ns),
        row.time_ns,
        row.kind,
        row.status(),
        row.answer.code(),
        name(row.debit),
        name(row.credit),
    )?;
    Ok(())
}

fn csv_movement(out: &mut Vec<u8>, one: &Movement, names: &Names) -> Result<()> {
    let row = &one.row;
    let own = one.own();
    let id = row.id.map_or_else(String::new, |id| id.to_string());
    let (asset, change) = amount(own, Some(one.change), names);
    let (_, balance) = amount(own, Some(one.balance), names);
    let name =
        |account: Option<u32>| account.map_or_else(Default::default, |one| names.account(one));
    writeln!(
        out,
        "{},{},{},{},{}Z,{},{id},{},{},{},{asset},{change},{},{balance},{}",
        one.number,
        row.leaf,
        row.seq,
        row.height,
        date_time(row.time_ns),
        row.time_ns,
        row.kind,
        name(own),
        name(one.other),
        one.change,
        one.balance,
    )?;
    Ok(())
}

/// A row as JSON; amounts are texts, because readers may not keep large numbers exactly.
#[derive(Serialize)]
struct JsonRow<'a> {
    leaf: u64,
    seq: u32,
    height: u64,
    time: String,
    time_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    kind: &'a str,
    status: &'a str,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    debit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit: Option<String>,
    asset: &'a str,
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_minor: Option<String>,
    #[serde(flatten)]
    movement: Option<JsonMovement>,
}

#[derive(Serialize)]
struct JsonMovement {
    row: u64,
    change_minor: String,
    balance: String,
    balance_minor: String,
}

/// Writes a line as one JSON object, without the end of the line.
pub(crate) fn json(out: &mut Vec<u8>, line: &Line<'_>, names: &Names) -> Result<()> {
    let (row, movement) = match line {
        Line::Row(row) => (*row, None),
        Line::Movement(one) => {
            let movement = JsonMovement {
                row: one.number,
                change_minor: one.change.to_string(),
                balance: amount(one.own(), Some(one.balance), names).1,
                balance_minor: one.balance.to_string(),
            };
            (&one.row, Some(movement))
        }
    };
    let name = |account: Option<u32>| account.map(|one| names.account(one).into_owned());
    let (asset, unit) = amount(row.debit.or(row.credit), row.minor.map(i128::from), names);
    let view = JsonRow {
        leaf: row.leaf,
        seq: row.seq,
        height: row.height,
        time: date_time(row.time_ns) + "Z",
        time_ns: row.time_ns,
        id: row.id.map(|id| id.to_string()),
        kind: row.kind,
        status: row.status(),
        code: row.answer.code(),
        debit: name(row.debit),
        credit: name(row.credit),
        asset,
        amount: unit,
        amount_minor: row.minor.map(|minor| minor.to_string()),
        movement,
    };
    serde_json::to_writer(out, &view).context("write a row")
}
