//! The entry point: bytes to [`Message`], and validation beyond the schema.
//!
//! [`read`] does layers L0 and L1. A message that fails L0 is [`Unreadable`] and has no tree; one
//! that fails L1 has a tree (as far as it goes) and findings, so an answer can still quote its
//! identifiers. [`Message::validate`] adds the rules of the layers above.

use crate::finding::{Finding, Layer, Severity};
use crate::limits::Limits;
use crate::name::MessageName;
use crate::profile::Profile;
use crate::reader::{self, ReadPart};
use crate::rules;
use crate::table::Tables;
use crate::tree::Tree;

/// A message that was read: its parts and what the schema says against them.
#[derive(Clone, Debug)]
pub struct Message {
    /// Name and version of the `Document`.
    pub name: MessageName,
    /// The `AppHdr` with its version, when there is one.
    pub header: Option<(MessageName, Tree)>,
    /// The `Document`.
    pub document: Tree,
    /// Schema findings (L1) on header and document; empty when both are valid.
    pub findings: Vec<Finding>,
}

/// A header read on its own; see [`read_header`].
#[derive(Clone, Debug)]
pub struct Header {
    /// Name and version of the header.
    pub name: MessageName,
    /// The `AppHdr`.
    pub tree: Tree,
    /// Schema findings; empty when it is valid.
    pub findings: Vec<Finding>,
}

/// The input is not a message that can be read (layer L0). The answer is an `admi.002`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read: {}", .findings.first().map_or("", |finding| &finding.text))]
pub struct Unreadable {
    /// At least one finding of layer L0.
    pub findings: Vec<Finding>,
}

impl Message {
    /// True when header and document follow their schemas.
    #[must_use]
    pub fn is_schema_valid(&self) -> bool {
        self.findings.is_empty()
    }

    /// The schema findings and those of the layers above: cross-field rules, the profile, and
    /// reference data.
    #[must_use]
    pub fn check(&self, profile: Profile) -> Validation {
        let report = rules::check(self, profile);
        let mut findings = self.findings.clone();
        findings.extend(report.findings);
        Validation { findings, truncated: report.truncated }
    }

    /// The findings of [`Message::check`], for callers that do not ask whether there are more.
    #[must_use]
    pub fn validate(&self, profile: Profile) -> Vec<Finding> {
        self.check(profile).findings
    }
}

/// What all layers say against a message; see [`Message::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The findings, in order of layer, then place: at most the reader's limit of the schema, and
    /// of the layers above [`FINDINGS_MAX`](crate::limits::FINDINGS_MAX) errors and
    /// [`WARNINGS_MAX`](crate::limits::WARNINGS_MAX) warnings.
    pub findings: Vec<Finding>,
    /// True when the layers above the schema had more errors than are listed, so that a part of the
    /// message without an error may be wrong all the same. Never for dropped warnings.
    pub truncated: bool,
}

/// Reads a message: a `Document`, optionally with an `AppHdr`, in any wrapper or none.
///
/// # Errors
/// The input exceeds a limit, is not well-formed UTF-8 XML, uses a DOCTYPE or entities, or holds
/// no `Document` of a supported message.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Message, Unreadable> {
    read_with(bytes, limits, &BUILT_IN)
}

/// Reads a message by tables of one's own. Where several of them describe it, the first that has no
/// objection counts, or else the one with the fewest.
///
/// # Errors
/// As for [`read`].
pub fn read_with(bytes: &[u8], limits: &Limits, tables: &Tables) -> Result<Message, Unreadable> {
    let mut best = read_choice(bytes, limits, tables, 0)?;
    let choices = |message: &Message| {
        let header = message.header.as_ref().map_or(1, |(name, _)| tables.choices(*name));
        tables.choices(message.name).max(header)
    };
    for choice in 1..choices(&best) {
        if best.is_schema_valid() {
            break;
        }
        let next = read_choice(bytes, limits, tables, choice)?;
        if next.findings.len() < best.findings.len() {
            best = next;
        }
    }
    Ok(best)
}

fn read_choice(
    bytes: &[u8],
    limits: &Limits,
    tables: &Tables,
    choice: usize,
) -> Result<Message, Unreadable> {
    let parsed = reader::read(bytes, limits, tables, choice).map_err(unreadable)?;
    let Some(document) = parsed.document else {
        return Err(unreadable(parsed.unknown.unwrap_or_else(|| absent("Document"))));
    };
    let mut findings = Vec::new();
    let header = parsed.header.map(|header| {
        findings.extend(header.findings);
        (header.message, header.tree)
    });
    findings.extend(document.findings);
    findings.truncate(limits.findings_max);
    let (name, document) = (document.message, document.tree);
    Ok(Message { name, header, document, findings })
}

/// Reads only the `AppHdr` of an input that may lack a `Document`.
///
/// # Errors
/// As for [`read`], or there is no `AppHdr` of a supported version.
pub fn read_header(bytes: &[u8], limits: &Limits) -> Result<Header, Unreadable> {
    read_header_with(bytes, limits, &BUILT_IN)
}

/// Reads only the `AppHdr`, by tables of one's own.
///
/// # Errors
/// As for [`read_header`].
pub fn read_header_with(
    bytes: &[u8],
    limits: &Limits,
    tables: &Tables,
) -> Result<Header, Unreadable> {
    let parsed = reader::read(bytes, limits, tables, 0).map_err(unreadable)?;
    let missing = || unreadable(parsed.unknown.unwrap_or_else(|| absent("AppHdr")));
    let ReadPart { message, tree, findings } = parsed.header.ok_or_else(missing)?;
    Ok(Header { name: message, tree, findings })
}

static BUILT_IN: Tables = Tables::built_in();

pub(crate) fn unreadable(finding: Finding) -> Unreadable {
    Unreadable { findings: vec![finding] }
}

fn absent(element: &str) -> Finding {
    Finding {
        layer: Layer::Transport,
        severity: Severity::Error,
        message: String::new(),
        path: String::new(),
        offset: 0,
        line: 1,
        value: String::new(),
        rule: "xml.absent",
        code: "FF01",
        text: format!("The input holds no `{element}` of a supported message."),
    }
}
