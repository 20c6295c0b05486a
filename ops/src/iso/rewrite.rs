//! `corridor iso rewrite`: a message in canonical form.
//!
//! One default namespace, no prefixes, no white space between elements, values as they were. A
//! message that does not follow its schema is refused, so what comes out is always valid.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use iso20022::{Finding, Limits, read, read_header, writer};

use super::folder;

/// Arguments of `corridor iso rewrite`.
#[derive(Debug, Args)]
pub struct RewriteArguments {
    /// The message's file; - for standard input
    file: PathBuf,
    /// Each element on a line of its own
    #[arg(long)]
    indent: bool,
    /// Write to this file instead of standard output
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs `corridor iso rewrite`.
pub(super) fn run(arguments: RewriteArguments) -> Result<()> {
    let file = &arguments.file;
    let bytes = folder::message(file)?;
    let written = rewritten(&bytes, arguments.indent)
        .with_context(|| format!("rewrite {}", file.display()))?;
    put(&written, arguments.out.as_deref())
}

/// Writes to a file, or to standard output where none is given.
pub(super) fn put(bytes: &[u8], out: Option<&Path>) -> Result<()> {
    match out {
        Some(path) => {
            std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
        }
        None => std::io::stdout().write_all(bytes).context("write to standard output"),
    }
}

/// The canonical form of a message, of a header alone, or of both in an `Envelope`.
fn rewritten(bytes: &[u8], indent: bool) -> Result<Vec<u8>> {
    let limits = Limits::batch();
    match read(bytes, &limits) {
        Ok(message) => {
            refuse(&message.findings)?;
            let document = &message.document;
            Ok(match (&message.header, indent) {
                (None, false) => writer::write(document),
                (None, true) => writer::write_indented(document),
                (Some((_, header)), false) => writer::write_envelope(header, document),
                (Some((_, header)), true) => writer::write_envelope_indented(header, document),
            })
        }
        Err(unreadable) => {
            // A header may stand alone.
            let Ok(header) = read_header(bytes, &limits) else { bail!(unreadable) };
            refuse(&header.findings)?;
            let write = if indent { writer::write_indented } else { writer::write };
            Ok(write(&header.tree))
        }
    }
}

fn refuse(findings: &[Finding]) -> Result<()> {
    match findings {
        [] => Ok(()),
        [first, rest @ ..] => bail!(
            "the message does not follow its schema: {} line {}: {} ({} more)",
            first.path,
            first.line,
            first.text,
            rest.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use iso20022::sample;

    #[test]
    fn the_form_is_canonical() {
        let bytes = sample::schema_valid("pacs.008.001.08".parse().unwrap(), 3).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        // The same message under a prefix, with comments and white space.
        let disguised = text
            .replace("<Document xmlns=", "<!-- a --><Document xmlns:p=\"urn:p\" xmlns=")
            .replace("</GrpHdr>", "</GrpHdr>\n  <!-- b -->\n");
        let once = rewritten(disguised.as_bytes(), false).unwrap();
        assert_eq!(String::from_utf8(once).unwrap(), text);
        let indented = rewritten(&bytes, true).unwrap();
        assert!(indented.iter().filter(|byte| **byte == b'\n').count() > 10);
        assert_eq!(rewritten(&indented, false).unwrap(), bytes);
    }

    #[test]
    fn what_is_not_valid_is_refused() {
        let bytes = sample::schema_valid("pacs.002.001.10".parse().unwrap(), 3).unwrap();
        let broken = String::from_utf8(bytes).unwrap().replace("CreDtTm", "CreDtTn");
        let error = rewritten(broken.as_bytes(), false).unwrap_err().to_string();
        assert!(error.contains("/Document/FIToFIPmtStsRpt/GrpHdr"), "{error}");
        assert!(rewritten(b"<Document", false).is_err());
    }
}
