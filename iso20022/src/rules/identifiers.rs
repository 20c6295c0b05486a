//! Identifiers anywhere in a message: references, accounts, institutions, entities, countries.
//!
//! One pass over the tree; the name of an element decides which check applies, since the standard
//! uses each of these names with one meaning only.

use super::{Report, Rule, error, warning};
use crate::finding::Layer;
use crate::reference::{bic, country, iban, lei};
use crate::tree::{Node, NodeKind, Tree};

pub(super) static REFERENCES: Rule =
    warning("base.reference-slashes", Layer::CrossField, &["CH16"]);
pub(super) static IBAN: Rule =
    error("reference.iban", Layer::ReferenceData, &["AC01", "AC02", "AC03"]);
pub(super) static LEI: Rule = warning("reference.lei", Layer::ReferenceData, &["BE15"]);
pub(super) static BIC_COUNTRY: Rule =
    warning("reference.bic-country", Layer::ReferenceData, &["RC01"]);
pub(super) static COUNTRY: Rule =
    error("reference.country", Layer::ReferenceData, &["BE09", "BE10", "BE11"]);

pub(super) fn check(tree: &Tree, report: &mut Report) {
    for node in tree.all_nodes() {
        if node.kind() != NodeKind::Element {
            continue;
        }
        match node.name() {
            "IBAN" => account_number(node, report),
            "LEI" => entity(node, report),
            "BICFI" | "BIC" | "AnyBIC" | "BICOrBEI" | "BEI" => institution(node, report),
            "Ctry" | "CtryOfRes" | "CtryOfBirth" => country_code(node, report),
            "MsgId" | "InstrId" | "EndToEndId" | "TxId" => reference(node, report),
            _ => {}
        }
    }
}

/// References neither start nor end with a slash nor hold two in a row, since networks that still
/// speak MT cannot carry them. Source: CBPR+ rule on references; a warning, the network does not
/// need it.
fn reference(node: Node<'_>, report: &mut Report) {
    let text = node.text();
    if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
        report.add(&REFERENCES, node, "The slashes of the reference do not pass all networks.");
    }
}

/// An IBAN has the length of its country and check digits that fit. Source: ISO 13616 through the
/// data type.
fn account_number(node: Node<'_>, report: &mut Report) {
    if let Err(bad) = iban::check(node.text()) {
        // A malformed number has failed the schema, unless an old version allows lower case.
        let code = match side(node) {
            Side::Debtor => "AC02",
            Side::Creditor => "AC03",
            Side::Neither => "AC01",
        };
        let mut text = bad.to_string();
        text[..1].make_ascii_uppercase();
        report.add_coded(&IBAN, code, node, text + ".");
    }
}

/// An LEI has check digits that fit. Source: ISO 17442 through the data type; a warning, since
/// nothing is settled by it.
fn entity(node: Node<'_>, report: &mut Report) {
    if !lei::is_valid(node.text()) {
        report.add(&LEI, node, "The check digits of the LEI are wrong.");
    }
}

/// The country in a BIC exists. Source: ISO 9362; a warning, since whether a BIC is reachable is
/// decided by the directory of the network.
fn institution(node: Node<'_>, report: &mut Report) {
    if let Some(code) = bic::country(node.text())
        && !country::is_known(code)
    {
        report.add(&BIC_COUNTRY, node, format!("The BIC names an unknown country {code}."));
    }
}

/// A country code is assigned. Source: ISO 3166 through the data type.
fn country_code(node: Node<'_>, report: &mut Report) {
    if !country::is_known(node.text()) {
        let code = match side(node) {
            Side::Debtor => "BE10",
            Side::Creditor => "BE11",
            Side::Neither => "BE09",
        };
        report.add_coded(&COUNTRY, code, node, "The country code is not assigned.");
    }
}

enum Side {
    Debtor,
    Creditor,
    Neither,
}

/// Whose data an element belongs to, by the nearest enclosing party, account or agent.
fn side(node: Node<'_>) -> Side {
    let mut next = node.parent();
    while let Some(node) = next {
        match node.name() {
            "Dbtr" | "DbtrAcct" => return Side::Debtor,
            "Cdtr" | "CdtrAcct" => return Side::Creditor,
            _ => next = node.parent(),
        }
    }
    Side::Neither
}
