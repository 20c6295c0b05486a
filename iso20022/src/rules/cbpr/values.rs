//! Characters, times and remittance information in CBPR+.

use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// Identifiers hold only the characters of the FIN X set: letters, digits, blank and
    /// `/ - ? : ( ) . , ' +`.
    CHARACTERS = "cbpr.characters-identifier", Profile, CBPR_FIRST, ["RR10"], "any",
        "CBPR+ data type of identifiers, as re-told";
    /// Texts hold only the characters of the extended set: the FIN X set and
    /// ``! # $ % & * = ^ _ ` { | } ~ " ; < > @ [ \ ]``.
    CHARACTERS_TEXT = "cbpr.characters-text", Profile, CBPR_FIRST, ["RR10"], "any",
        "CBPR+ data types of names, addresses and remittance information, as re-told";
    /// A time states its offset from UTC as `+hh:mm` or `-hh:mm`, not as `Z`.
    TIME_OFFSET = "cbpr.time-offset", Profile, CBPR, ["DT02"], "any",
        "CBPR+ pattern of date-times, as re-told";
    /// A time states its zone, as an offset or as `Z`.
    TIME_ZONE = "hvps.time-zone", Profile, HVPS, ["DT02"], "any",
        "HVPS+ practice, as generally known: offset or Z";
    /// Remittance information is structured or unstructured, not both.
    REMITTANCE_FORM = "cbpr.remittance-form", Profile, CBPR, ["RR07"], "any",
        "CBPR+ rule on RemittanceInformation, as re-told";
    /// Unstructured remittance information is one text.
    REMITTANCE_LINES = "cbpr.remittance-lines", Profile, CBPR, ["RR07"], "any",
        "CBPR+ restriction of RemittanceInformation/Unstructured, as re-told";
    /// Structured remittance information has at most 9000 characters of content.
    REMITTANCE_LENGTH = "cbpr.remittance-length", Profile, CBPR, ["RR08"], "any",
        "CBPR+ rule on the length of structured remittance information, as re-told";
}

/// Most characters of content in structured remittance information.
const STRUCTURED_CHARS_MAX: usize = 9_000;

/// For each byte: bit 0 in the FIN X set, bit 1 in the extended set.
static SETS: [u8; 128] = {
    let mut sets = [0; 128];
    let fin = b"/-?:().,'+ ";
    let more = b"!#$%&*=^_`{|}~\";<>@[\\]";
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            sets[byte] = 0b11;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < fin.len() {
        sets[fin[at] as usize] = 0b11;
        at += 1;
    }
    at = 0;
    while at < more.len() {
        sets[more[at] as usize] = 0b10;
        at += 1;
    }
    sets
};

fn within(text: &str, bit: u8) -> bool {
    text.bytes().all(|byte| SETS.get(usize::from(byte)).is_some_and(|sets| sets & bit != 0))
}

pub(in crate::rules) fn text(node: Node<'_>, report: &mut Report) {
    if within(node.text(), 0b01) {
        return;
    }
    if is_identifier(node.name()) {
        characters_identifier(node, report);
    } else if !within(node.text(), 0b10) {
        characters_text(node, report);
    }
}

fn is_identifier(name: &str) -> bool {
    name.ends_with("Id") || matches!(name, "BizMsgIdr" | "Issr" | "PmtInfId")
}

/// See [`CHARACTERS`].
fn characters_identifier(node: Node<'_>, report: &mut Report) {
    report.add(&CHARACTERS, node, "The identifier has a character outside of the FIN X set.");
}

/// See [`CHARACTERS_TEXT`].
fn characters_text(node: Node<'_>, report: &mut Report) {
    report.add(&CHARACTERS_TEXT, node, "The text has a character outside of the extended set.");
}

pub(in crate::rules) fn time(node: Node<'_>, report: &mut Report) {
    let text = node.text().trim_end();
    let offset = text.len().checked_sub("+01:00".len()).and_then(|at| text.get(at..));
    let signed = offset.is_some_and(|offset| offset.starts_with(['+', '-']) && is_offset(offset));
    if !signed {
        time_offset(node, report);
        if !text.ends_with('Z') {
            time_zone(node, report);
        }
    }
}

fn is_offset(offset: &str) -> bool {
    offset.as_bytes().get(3) == Some(&b':')
}

/// See [`TIME_OFFSET`].
fn time_offset(node: Node<'_>, report: &mut Report) {
    report.add(&TIME_OFFSET, node, "The time has no offset such as `+01:00`.");
}

/// See [`TIME_ZONE`].
fn time_zone(node: Node<'_>, report: &mut Report) {
    report.add(&TIME_ZONE, node, "The time has no zone.");
}

pub(in crate::rules) fn remittance(node: Node<'_>, report: &mut Report) {
    let mut lines = 0_usize;
    let mut first = None;
    let mut characters = 0_usize;
    for part in node.elements() {
        match part.name() {
            "Ustrd" => lines += 1,
            "Strd" => {
                first = first.or(Some(part));
                characters = characters.saturating_add(content(part));
            }
            _ => {}
        }
    }
    remittance_form(node, lines, first.is_some(), report);
    remittance_lines(node, lines, report);
    if let Some(first) = first {
        remittance_length(first, characters, report);
    }
}

/// Characters of content below a node. The tree is no deeper than the reader allows.
fn content(node: Node<'_>) -> usize {
    let own = node.text().chars().count();
    node.elements().map(content).fold(own, usize::saturating_add)
}

/// See [`REMITTANCE_FORM`].
fn remittance_form(node: Node<'_>, lines: usize, structured: bool, report: &mut Report) {
    if lines > 0 && structured {
        report.add(&REMITTANCE_FORM, node, "Structured and unstructured parts stand together.");
    }
}

/// See [`REMITTANCE_LINES`].
fn remittance_lines(node: Node<'_>, lines: usize, report: &mut Report) {
    if lines > 1 {
        report.add(&REMITTANCE_LINES, node, format!("There are {lines} texts."));
    }
}

/// See [`REMITTANCE_LENGTH`].
fn remittance_length(first: Node<'_>, characters: usize, report: &mut Report) {
    if characters > STRUCTURED_CHARS_MAX {
        report.add(&REMITTANCE_LENGTH, first, format!("There are {characters} characters."));
    }
}
