//! `corridor iso validate`: is a message valid, and if not, why not.
//!
//! Without `--profile` the verdict is that of the schema (layers L0 and L1), and what the rules of
//! the base message say is a warning. With a profile its rules decide as well. Each file gives one
//! line of JSON or a few lines of text; the exit code says whether all of them are valid. A file that is
//! too large for one message is read transaction by transaction.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use iso20022::bulk::BulkReader;
use iso20022::limits::{BATCH_BYTES_MAX, FINDINGS_MAX, MESSAGE_BYTES_MAX, WARNINGS_MAX};
use iso20022::table::Tables;
use iso20022::{Finding, Layer, Limits, Profile, Unreadable, message};
use serde::Serialize;

use super::folder;

/// Most errors, and most warnings, that are listed for one file.
const COMPLAINTS_MAX: usize = 2 * FINDINGS_MAX + WARNINGS_MAX;
/// Most different UETRs of one file among which one that comes twice is found.
const UETRS_MAX: usize = 1_000_000;

/// Arguments of `corridor iso validate`.
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// Files, or folders of which all *.xml are read, those in folders below them too; - for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Rules beyond the schema that decide as well: base, cbpr, hvps or corridor
    #[arg(long)]
    profile: Option<Profile>,
    /// Print one JSON object a line for each file: file, message, header, verdict (valid, invalid, unreadable),
    /// errors (layer, path, line, rule, code, text)
    #[arg(long)]
    json: bool,
    /// With --json: also warnings, byte offsets and values, and whether there are more errors than are listed
    #[arg(long, requires = "json")]
    details: bool,
    /// Folder with tables (*.tbl) or schemas (*.xsd) that stand before the built-in ones; files are then read
    /// whole, up to 10 MiB
    #[arg(long)]
    tables: Option<PathBuf>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Valid,
    Invalid,
    Unreadable,
}

/// The result for one file, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    /// Name of the message, `null` when it is not known.
    message: Option<String>,
    /// Name of the header, `null` when there is none.
    header: Option<String>,
    verdict: Verdict,
    /// Why it is not valid; empty exactly when it is.
    errors: Vec<Complaint>,
    /// What does not decide. With `--details` only, like the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<Complaint>>,
    /// True when there are more errors than are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Complaint {
    layer: &'static str,
    path: String,
    line: u32,
    /// Place and start of what is wrong. With `--details` only.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
    rule: &'static str,
    code: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct Found {
    offset: usize,
    value: String,
}

/// Runs `corridor iso validate`.
pub(super) fn run(arguments: ValidateArguments) -> Result<()> {
    let tables = match &arguments.tables {
        Some(folder) => folder::tables(folder)?,
        None => Tables::built_in(),
    };
    let whole = arguments.tables.is_some();
    let files = arguments.files.iter().map(|file| match file.is_dir() {
        true => folder::files(file, "xml", true),
        false => Ok(vec![file.clone()]),
    });
    let files = files.collect::<Result<Vec<_>>>()?.concat();
    if files.is_empty() {
        bail!("there is no *.xml in the folders");
    }
    let mut bad = 0_usize;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for file in &files {
        let mut report = validate(file, &tables, whole, arguments.profile);
        bad += usize::from(report.verdict != Verdict::Valid);
        if arguments.json {
            if !arguments.details {
                report.leave_out_details();
            }
            writeln!(out, "{}", json(&report)?)?;
        } else {
            out.write_all(describe(&report).as_bytes())?;
        }
    }
    out.flush()?;
    if bad > 0 {
        bail!("{bad} of {} not valid", files.len());
    }
    Ok(())
}

/// One line, whatever takes it apart: some programs see the end of a line in more characters than one.
fn json(report: &Report) -> Result<String> {
    let text = serde_json::to_string(report).context("write the result")?;
    let ends = [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    Ok(ends.into_iter().fold(text, |text, (end, name)| match text.contains(end) {
        true => text.replace(end, name),
        false => text,
    }))
}

/// Reads one file and everything there is to say about it.
fn validate(path: &Path, tables: &Tables, whole: bool, profile: Option<Profile>) -> Report {
    let read = folder::open(path)
        .and_then(|mut input| validate_input(path, &mut *input, tables, whole, profile));
    read.unwrap_or_else(|error| {
        let mut report = Report::new(path);
        report.errors.push(Complaint {
            layer: Layer::Transport.short(),
            path: String::new(),
            line: 1,
            found: None,
            rule: "input.file",
            code: "FF01",
            text: format!("The file cannot be read: {error}."),
        });
        report
    })
}

/// The same for what a file holds. `whole`: at once also when it is large, because transactions are read one at a
/// time by the built-in tables only.
fn validate_input(
    path: &Path,
    input: &mut dyn Read,
    tables: &Tables,
    whole: bool,
    profile: Option<Profile>,
) -> io::Result<Report> {
    let mut head = Vec::new();
    input.take(BATCH_BYTES_MAX as u64 + 1).read_to_end(&mut head)?;
    if head.len() <= MESSAGE_BYTES_MAX {
        return Ok(check(path, &head, tables, profile, &Limits::message()));
    }
    if whole {
        return Ok(check(path, &head, tables, profile, &Limits::batch()));
    }
    let mut report = Report::new(path);
    if let Err(unreadable) = large(&mut (&head[..]).chain(input), profile, &mut report)? {
        // Statements and other messages have no transactions: they are read whole, within limits.
        let context = unreadable.findings.iter().any(|one| one.rule == "limit.context");
        if context && head.len() <= BATCH_BYTES_MAX {
            return Ok(check(path, &head, tables, profile, &Limits::batch()));
        }
        report.unreadable(unreadable);
    }
    Ok(report)
}

/// Reads a file with many transactions, one at a time.
fn large(
    input: &mut dyn Read,
    profile: Option<Profile>,
    report: &mut Report,
) -> io::Result<Result<(), Unreadable>> {
    let ids_max = if profile.is_some() { UETRS_MAX } else { 0 };
    let mut reader = BulkReader::new(Limits::message()).with_unique_uetrs(ids_max);
    let mut chunk = vec![0; 1 << 16];
    loop {
        let length = input.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        reader.push(&chunk[..length]);
        loop {
            match reader.next_transaction() {
                Ok(None) => break,
                Ok(Some(transaction)) => {
                    let found = transaction.check(profile.unwrap_or(Profile::Base));
                    report.note_more(found.truncated);
                    report.sort(found.findings, profile);
                }
                Err(unreadable) => return Ok(Err(unreadable)),
            }
        }
    }
    Ok(reader.finish().map(|summary| {
        report.message = Some(summary.message.to_string());
        report.header = summary.header.map(|name| name.to_string());
        report.sort(summary.findings, profile);
    }))
}

/// Reads one message.
fn check(
    path: &Path,
    bytes: &[u8],
    tables: &Tables,
    profile: Option<Profile>,
    limits: &Limits,
) -> Report {
    let mut report = Report::new(path);
    let unreadable = match message::read_with(bytes, limits, tables) {
        Ok(message) => {
            report.message = Some(message.name.to_string());
            report.header = message.header.as_ref().map(|(name, _)| name.to_string());
            let found = message.check(profile.unwrap_or(Profile::Base));
            report.note_more(found.truncated || message.findings.len() >= limits.findings_max);
            report.sort(found.findings, profile);
            return report;
        }
        Err(unreadable) => unreadable,
    };
    // A header may come alone.
    let is_absent = unreadable.findings.iter().any(|one| one.rule == "xml.absent");
    match is_absent.then(|| message::read_header_with(bytes, limits, tables)) {
        Some(Ok(header)) => {
            report.message = Some(header.name.to_string());
            report.header = report.message.clone();
            report.sort(header.findings, profile);
        }
        _ => report.unreadable(unreadable),
    }
    report
}

impl Report {
    fn new(path: &Path) -> Self {
        Self {
            file: path.display().to_string(),
            message: None,
            header: None,
            verdict: Verdict::Unreadable,
            errors: Vec::new(),
            warnings: Some(Vec::new()),
            more: Some(false),
        }
    }

    fn note_more(&mut self, more: bool) {
        self.more = Some(more || self.more == Some(true));
    }

    fn leave_out_details(&mut self) {
        (self.warnings, self.more) = (None, None);
        self.errors.iter_mut().for_each(|error| error.found = None);
    }

    fn unreadable(&mut self, unreadable: Unreadable) {
        self.errors.extend(unreadable.findings.into_iter().map(complaint));
        self.verdict = Verdict::Unreadable;
    }

    /// Tells what decides from what does not. Keeps so many of each.
    fn sort(&mut self, findings: Vec<Finding>, profile: Option<Profile>) {
        for finding in findings {
            let decides = profile.is_some() || finding.layer <= Layer::Schema;
            let error = finding.is_error() && decides;
            let warnings = self.warnings.get_or_insert_default();
            let list = if error { &mut self.errors } else { warnings };
            if list.len() < COMPLAINTS_MAX {
                list.push(complaint(finding));
            } else {
                self.note_more(error);
            }
        }
        let valid = self.errors.is_empty();
        self.verdict = if valid { Verdict::Valid } else { Verdict::Invalid };
    }
}

fn complaint(finding: Finding) -> Complaint {
    Complaint {
        layer: finding.layer.short(),
        path: finding.path,
        line: finding.line,
        found: Some(Found { offset: finding.offset, value: finding.value }),
        rule: finding.rule,
        code: finding.code,
        text: finding.text,
    }
}

fn describe(report: &Report) -> String {
    let name = report.message.as_deref().unwrap_or("no message");
    let verdict = match report.verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid => "invalid",
        Verdict::Unreadable => "unreadable",
    };
    let mut text = format!("{}: {name}, {verdict}\n", report.file);
    let warnings = report.warnings.as_deref().unwrap_or_default();
    for (word, list) in [("error", &report.errors[..]), ("warning", warnings)] {
        for one in list {
            let place = if one.path.is_empty() { String::new() } else { format!(" {}", one.path) };
            text += &format!(
                "  line {}:{place}\n    {word} {} {} {}: {}",
                one.line, one.layer, one.rule, one.code, one.text
            );
            if let Some(found) = one.found.as_ref().filter(|found| !found.value.is_empty()) {
                text += &format!(" Found `{}`.", found.value.escape_debug());
            }
            text.push('\n');
        }
    }
    if report.more == Some(true) {
        text += "  There are more errors than are listed.\n";
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fmt::Write as _;

    const HEADER: &str = "<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\">\
        <Fr><FIId><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></FIId></Fr>\
        <To><FIId><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></FIId></To>\
        <BizMsgIdr>A</BizMsgIdr><MsgDefIdr>admi.002.001.01</MsgDefIdr>\
        <CreDt>2030-01-15T09:30:00+01:00</CreDt></AppHdr>";
    const REJECTION: &str = "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:admi.002.001.01\">\
        <admi.002.001.01><RltdRef><Ref>A</Ref></RltdRef><Rsn><RjctgPtyRsn>R</RjctgPtyRsn></Rsn>\
        </admi.002.001.01></Document>";

    fn report(bytes: &str, profile: Option<Profile>) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message.xml");
        std::fs::write(&path, bytes).unwrap();
        validate(&path, &Tables::built_in(), false, profile)
    }

    #[test]
    fn tables_of_ones_own_count_for_large_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message.xml");
        let mut tables = Tables::built_in();
        let own = "S Max35Text string len=1..35\nM Document B:Max35Text\nR test.002.001.01 Document:Document\n";
        tables.add(own).unwrap();
        for (padding, verdict) in [
            (10, Verdict::Valid),
            (MESSAGE_BYTES_MAX, Verdict::Valid),
            (BATCH_BYTES_MAX, Verdict::Unreadable),
        ] {
            let text = format!(
                "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:test.002.001.01\">{}<B>b</B></Document>",
                "\n".repeat(padding)
            );
            std::fs::write(&path, text).unwrap();
            assert_eq!(validate(&path, &tables, true, None).verdict, verdict, "{padding}");
        }
    }

    #[test]
    fn a_verdict_for_each_kind_of_file() {
        for (text, verdict, message, header) in [
            (REJECTION.to_owned(), Verdict::Valid, Some("admi.002.001.01"), None),
            (HEADER.to_owned(), Verdict::Valid, Some("head.001.001.02"), Some("head.001.001.02")),
            (
                format!("<E>{HEADER}{REJECTION}</E>"),
                Verdict::Valid,
                Some("admi.002.001.01"),
                Some("head.001.001.02"),
            ),
            (
                HEADER.replace("BizMsgIdr", "Nope"),
                Verdict::Invalid,
                Some("head.001.001.02"),
                Some("head.001.001.02"),
            ),
            (
                REJECTION.replace("<Ref>A</Ref>", ""),
                Verdict::Invalid,
                Some("admi.002.001.01"),
                None,
            ),
            (
                REJECTION.replace("admi.002.001.01\">", "admi.002.001.77\">"),
                Verdict::Unreadable,
                None,
                None,
            ),
            (REJECTION[1..].to_owned(), Verdict::Unreadable, None, None),
            (String::new(), Verdict::Unreadable, None, None),
        ] {
            let report = report(&text, None);
            assert_eq!(report.verdict, verdict, "{text}: {report:?}");
            assert_eq!(report.errors.is_empty(), verdict == Verdict::Valid, "{report:?}");
            assert_eq!((report.message.as_deref(), report.header.as_deref()), (message, header));
            let json: serde_json::Value =
                serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
            let words = ["valid", "invalid", "unreadable"];
            assert_eq!(json["verdict"], words[verdict as usize]);
            assert!(describe(&report).contains(words[verdict as usize]));
        }
    }

    #[test]
    fn json_has_the_keys_that_are_promised_in_one_line() {
        let text = REJECTION.replace("<Ref>A</Ref>", "<Reff>\u{2028}\u{85}</Reff>");
        let mut report = report(&text, None);
        let keys = |report: &Report| {
            let text = json(report).unwrap();
            assert!(!text.contains(['\n', '\u{2028}', '\u{85}']), "{text}");
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let keys = |value: &serde_json::Value| {
                value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
            };
            (keys(&value), keys(&value["errors"][0]))
        };
        let (all, error) = keys(&report);
        assert!(all.contains("warnings") && all.contains("more"), "{all}");
        assert!(error.contains("offset") && error.contains("value"), "{error}");
        report.leave_out_details();
        let (mut all, error) = keys(&report);
        all = all
            .split(' ')
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(all, "errors file header message verdict");
        let mut error: Vec<&str> = error.split(' ').collect();
        error.sort_unstable();
        assert_eq!(error, ["code", "layer", "line", "path", "rule", "text"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_like_the_rest() {
        let report = validate(Path::new("/nowhere/message.xml"), &Tables::built_in(), false, None);
        assert_eq!((report.verdict, report.errors[0].rule), (Verdict::Unreadable, "input.file"));
    }

    #[test]
    fn rules_decide_only_with_a_profile() {
        // The header speaks of another message than the document is.
        let text = format!("<E>{}{REJECTION}</E>", HEADER.replace("admi.002", "admi.007"));
        let schema = report(&text, None);
        assert_eq!((schema.verdict, schema.errors.len()), (Verdict::Valid, 0));
        assert_eq!(schema.warnings.as_ref().unwrap()[0].rule, "header.message-definition");
        let base = report(&text, Some(Profile::Base));
        assert_eq!(
            (base.verdict, base.errors[0].rule),
            (Verdict::Invalid, "header.message-definition")
        );
        assert_eq!(base.errors[0].layer, "L2");
    }

    #[test]
    fn a_large_file_is_read_by_transactions() {
        let mut text = String::from(
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"><FIToFICstmrCdtTrf>\
             <GrpHdr><MsgId>M</MsgId><CreDtTm>2030-01-15T09:30:00Z</CreDtTm><NbOfTxs>5000</NbOfTxs>\
             <IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt><SttlmInf><SttlmMtd>INDA</SttlmMtd></SttlmInf>\
             </GrpHdr>",
        );
        let agent = "<FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId>";
        for n in 0..5000 {
            let _ = write!(
                text,
                "<CdtTrfTxInf><PmtId><EndToEndId>E{n}</EndToEndId></PmtId>\
                 <IntrBkSttlmAmt Ccy=\"EUR\">1</IntrBkSttlmAmt><ChrgBr>SHAR</ChrgBr>\
                 <Dbtr><Nm>A</Nm></Dbtr><DbtrAgt>{agent}</DbtrAgt><CdtrAgt>{agent}</CdtrAgt>\
                 <Cdtr><Nm>B</Nm></Cdtr></CdtTrfTxInf>"
            );
        }
        text.push_str("</FIToFICstmrCdtTrf></Document>");
        assert!(text.len() > MESSAGE_BYTES_MAX);
        let good = report(&text, Some(Profile::Base));
        assert_eq!(good.verdict, Verdict::Valid, "{:?}", good.errors);
        assert_eq!(good.message.as_deref(), Some("pacs.008.001.08"));
        let count = report(&text.replace(">5000<", ">5001<"), Some(Profile::Base));
        assert_eq!((count.verdict, count.errors[0].code), (Verdict::Invalid, "AM19"));
        let schema = report(&text.replace("E4321<", "<"), None);
        let path = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[4322]/PmtId/EndToEndId";
        assert_eq!((schema.verdict, schema.errors[0].path.as_str()), (Verdict::Invalid, path));
        let broken = report(&text.replace("E4321<", "&x;<"), None);
        assert_eq!((broken.verdict, broken.errors[0].rule), (Verdict::Unreadable, "xml.entity"));
    }
}
