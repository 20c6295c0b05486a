//! `corridor bench iso`: how fast messages are read, validated and written, on one core.
//!
//! No network and no files: what is measured is the message library alone, in processor time of one
//! thread. The bare tokeniser of the crate `quick-xml` runs over the same bytes in the same rounds,
//! as a measure for the machine. Files with many transactions are made while they are read, so that
//! the memory counted is that of reading.

mod text;

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use clap::Args;
use iso20022::build::{Build, StatusReport, TransactionReport};
use iso20022::bulk::BulkReader;
use iso20022::{Finding, Limits, Profile, read};
use quick_xml::Reader;
use quick_xml::events::Event;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::measure::rounded;
use text::{Stream, message};

/// Different messages, so that no cache knows the next one.
const MESSAGES: u64 = 64;
const CHUNK_BYTES: usize = 64 << 10;

/// Arguments of `corridor bench iso`.
#[derive(Debug, Args)]
pub struct IsoArguments {
    /// Seconds for each measurement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Rules that messages are held to: base, cbpr, hvps or corridor
    #[arg(long, default_value = "corridor")]
    profile: Profile,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct IsoResult {
    profile: String,
    message_bytes: usize,
    /// `pacs.008` read, validated against the schema and by the rules of the profile.
    messages_per_second: f64,
    megabytes_per_second: f64,
    message_us: f64,
    /// Reading and the schema alone.
    schema_us: f64,
    /// Cutting the same bytes into tags and texts with quick-xml, checking nothing else.
    tokenise_us: f64,
    /// Reading with the schema, and with all rules, in units of that.
    schema_to_tokenise: f64,
    message_to_tokenise: f64,
    /// Transactions of one file, each read with the schema and the rules.
    files: Vec<FileResult>,
    /// Of the smaller file.
    transactions_per_second: f64,
    /// `pacs.002` built and written.
    statuses_per_second: f64,
    status_bytes: usize,
}

/// One file with many transactions.
#[derive(Debug, Serialize)]
struct FileResult {
    transactions: u64,
    file_bytes: u64,
    transactions_per_second: f64,
    megabytes_per_second: f64,
    /// Most memory that the process had, in bytes, before and after.
    resident_before: u64,
    resident_after: u64,
}

/// Runs `corridor bench iso`.
pub(crate) fn run(arguments: IsoArguments) -> Result<()> {
    let seconds = f64::from(arguments.seconds);
    let profile = arguments.profile;
    let messages: Vec<String> = (0..MESSAGES).map(message).collect();
    let limits = Limits::message();
    for message in &messages {
        let read = read(message.as_bytes(), &limits)?;
        let findings = read.validate(profile);
        ensure!(!findings.iter().any(Finding::is_error), "the message is wrong: {findings:?}");
    }
    let message_bytes = messages.iter().map(String::len).sum::<usize>() / messages.len();
    // In turns, so that a slow moment of the machine meets all of them.
    let (mut full, mut schema, mut tokens) = (Rounds::new(), Rounds::new(), Rounds::new());
    while tokens.seconds < seconds {
        full.round(&messages, |message| {
            let read = read(black_box(message.as_bytes()), &limits);
            read.is_ok_and(|message| black_box(message.check(profile)).findings.len() < 1_000)
        })?;
        schema.round(&messages, |message| {
            black_box(read(black_box(message.as_bytes()), &limits))
                .is_ok_and(|message| message.is_schema_valid())
        })?;
        tokens.round(&messages, |message| tokenise(black_box(message)) > 0)?;
    }
    let files = [10_000, 100_000].map(|count| file(count, profile));
    let files = files.into_iter().collect::<Result<Vec<_>>>()?;
    let (statuses_per_second, status_bytes) = statuses(seconds)?;
    let (message_us, tokenise_us) = (full.us(), tokens.us());
    let result = IsoResult {
        profile: profile.to_string(),
        message_bytes,
        messages_per_second: rounded(1e6 / message_us),
        megabytes_per_second: rounded(message_bytes as f64 / message_us),
        message_us: rounded(message_us),
        schema_us: rounded(schema.us()),
        tokenise_us: rounded(tokenise_us),
        schema_to_tokenise: rounded(schema.us() / tokenise_us),
        message_to_tokenise: rounded(message_us / tokenise_us),
        transactions_per_second: files[0].transactions_per_second,
        files,
        statuses_per_second: rounded(statuses_per_second),
        status_bytes,
    };
    print!("{}", describe(&result));
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    Ok(())
}

/// Processor time of this thread in seconds: other work on the machine does not count.
fn own_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// The same work on all messages, again and again.
struct Rounds {
    count: f64,
    seconds: f64,
}

impl Rounds {
    fn new() -> Self {
        Self { count: 0.0, seconds: 0.0 }
    }

    fn round(&mut self, messages: &[String], work: impl Fn(&str) -> bool) -> Result<()> {
        const TIMES: u32 = 8;
        let start = own_seconds();
        for _ in 0..TIMES {
            for message in messages {
                ensure!(work(message), "a message could not be read");
            }
        }
        self.seconds += own_seconds() - start;
        self.count += f64::from(TIMES) * messages.len() as f64;
        Ok(())
    }

    /// Microseconds a message.
    fn us(&self) -> f64 {
        self.seconds * 1e6 / self.count
    }
}

fn tokenise(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut events = 0;
    while let Ok(event) = reader.read_event() {
        if matches!(black_box(event), Event::Eof) {
            return events;
        }
        events += 1;
    }
    0
}

/// Reads a file of so many transactions as the gateway does: staged one by one, totals at the end.
fn file(transactions: u64, profile: Profile) -> Result<FileResult> {
    let mut stream = Stream::new(transactions);
    let mut reader = BulkReader::new(Limits::message());
    let resident_before = resident()?;
    let (mut seconds, mut file_bytes) = (0.0, 0);
    while let Some(chunk) = stream.next_chunk(CHUNK_BYTES) {
        file_bytes += chunk.len() as u64;
        let start = own_seconds();
        reader.push(chunk.as_bytes());
        while let Some(transaction) = reader.next_transaction()? {
            let findings = transaction.check(profile).findings;
            ensure!(!findings.iter().any(Finding::is_error), "{findings:?}");
        }
        seconds += own_seconds() - start;
    }
    let summary = reader.finish()?;
    ensure!(summary.is_good() && summary.transactions == transactions, "{:?}", summary.findings);
    Ok(FileResult {
        transactions,
        file_bytes,
        transactions_per_second: rounded(transactions as f64 / seconds),
        megabytes_per_second: rounded(file_bytes as f64 / seconds / 1e6),
        resident_before,
        resident_after: resident()?,
    })
}

/// Most memory that this process had at any time, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.context("/proc/self/status has no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("read VmHWM")?;
    Ok(kib << 10)
}

/// How many status reports a second, and how large they are.
fn statuses(seconds: f64) -> Result<(f64, usize)> {
    let reports: Vec<StatusReport> = (0..MESSAGES).map(status).collect();
    let bytes = reports[0].build()?.len();
    let (mut count, start) = (0_u64, own_seconds());
    let mut end = start;
    while end - start < seconds {
        for report in &reports {
            black_box(black_box(report).build()?);
        }
        count += MESSAGES;
        end = own_seconds();
    }
    Ok((count as f64 / (end - start), bytes))
}

fn status(number: u64) -> StatusReport {
    let time = "2030-01-15T09:30:00.123+00:00".to_owned();
    StatusReport {
        message_id: format!("STATUS-{number:08}"),
        creation_time: time.clone(),
        instructing_agent: Some("CORRXX00XXX".to_owned()),
        instructed_agent: Some("ALFADEFFXXX".to_owned()),
        original_message_id: format!("MESSAGE-{number:08}"),
        original_message_name: "pacs.008.001.08".to_owned(),
        transactions: vec![TransactionReport {
            original_instruction_id: Some(format!("INSTR-{number}")),
            original_end_to_end_id: Some(format!("INVOICE-{number}")),
            original_uetr: Some(format!("{number:08x}-1111-4111-8111-111111111111")),
            status: "ACSC".to_owned(),
            acceptance_time: Some(time),
            settlement_date: Some("2030-01-15".to_owned()),
            ..TransactionReport::default()
        }],
        ..StatusReport::default()
    }
}

fn describe(result: &IsoResult) -> String {
    let mut text = format!(
        "pacs.008 of {} bytes, profile {}, microseconds of one core:\n\
         \x20 read and schema            {:>8.2}\n\
         \x20 read, schema and rules     {:>8.2}  {:.0} messages/s, {:.1} MB/s\n\
         \x20 quick-xml tokenising alone {:>8.2}  reading with the schema takes {:.2} of it, with rules {:.2}\n",
        result.message_bytes,
        result.profile,
        result.schema_us,
        result.message_us,
        result.messages_per_second,
        result.megabytes_per_second,
        result.tokenise_us,
        result.schema_to_tokenise,
        result.message_to_tokenise,
    );
    for file in &result.files {
        text += &format!(
            "file of {} transactions, {} MB: {:.0} transactions/s, {:.1} MB/s, resident {} KiB before, {} KiB after\n",
            file.transactions,
            file.file_bytes / 1_000_000,
            file.transactions_per_second,
            file.megabytes_per_second,
            file.resident_before >> 10,
            file.resident_after >> 10,
        );
    }
    text += &format!(
        "pacs.002 of {} bytes built and written: {:.0} messages/s\n",
        result.status_bytes, result.statuses_per_second
    );
    text
}
