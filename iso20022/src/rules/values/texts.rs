//! Texts, references and dates.

use crate::class::Class;
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// A text is not blank.
    BLANK = "base.text-blank", CrossField, STRICT, ["CH16"], "any",
        "CBPR+ and general practice: an element without content is left out";
    /// A text neither starts nor ends with a blank.
    EDGES = "base.text-edges", CrossField, WARNING, ["CH16"], "any",
        "practice: blanks at the edges are kept by the standard and lost by many systems";
    /// References neither start nor end with a slash nor hold two in a row, since networks that still
    /// speak MT cannot carry them.
    REFERENCES = "base.reference-slashes", CrossField, WARNING, ["CH16"], "any",
        "CBPR+ rule on references; where it is stricter, it has a rule of its own";
    /// A date has no zone.
    DATE_ZONE = "base.date-zone", CrossField, STRICT, ["DT01"], "any",
        "practice of settlement: a settlement day is a day of the system, not of a zone";
    /// A year has four digits.
    YEAR = "base.year-four-digits", CrossField, STRICT, ["DT01"], "any",
        "practice: the schema language allows longer and negative years, no calendar of payments does";
}

pub(super) fn check(node: Node<'_>, report: &mut Report) {
    let text = node.text();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return };
    if is_blank(*first) || is_blank(*last) {
        if bytes.iter().copied().all(is_blank) {
            blank(node, report);
        } else {
            edges(node, report);
        }
    }
    if text.contains('/') && matches!(node.name(), "MsgId" | "InstrId" | "EndToEndId" | "TxId") {
        reference(node, report);
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// See [`BLANK`].
fn blank(node: Node<'_>, report: &mut Report) {
    report.add(&BLANK, node, "The value is blank.");
}

/// See [`EDGES`].
fn edges(node: Node<'_>, report: &mut Report) {
    report.add(&EDGES, node, "The value starts or ends with a blank.");
}

/// See [`REFERENCES`].
fn reference(node: Node<'_>, report: &mut Report) {
    if has_bad_slashes(node.text()) {
        report.add(&REFERENCES, node, "The slashes of the reference do not pass all networks.");
    }
}

/// True for a slash at an edge and for two in a row.
pub(in crate::rules) fn has_bad_slashes(text: &str) -> bool {
    text.starts_with('/') || text.ends_with('/') || text.contains("//")
}

/// See [`DATE_ZONE`].
pub(super) fn date(node: Node<'_>, report: &mut Report) {
    if node.text().len() != "2026-11-22".len() {
        if node.text().get(..5).is_some_and(|start| start.ends_with('-')) {
            report.add(&DATE_ZONE, node, "The date has a zone.");
        } else {
            year(node, Class::DATE, report);
        }
    }
}

/// See [`YEAR`].
pub(super) fn year(node: Node<'_>, class: Class, report: &mut Report) {
    let digits = node.text().bytes().take_while(u8::is_ascii_digit).count();
    let negative = node.text().starts_with('-');
    if class != Class::TIME && (digits > 4 || negative) {
        report.add(&YEAR, node, "The year is no year of four digits.");
    }
}
