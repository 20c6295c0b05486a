//! Postal addresses as of November 2026: structured or hybrid, no longer unstructured.

use crate::rules::pick::picked;
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// An address is not made of lines alone: town and country stand in elements of their own.
    UNSTRUCTURED = "cbpr.address-unstructured", Profile, CBPR_FIRST, ["BE04", "BE07"], "any",
        "CBPR+ release of November 2026: unstructured addresses are no longer accepted";
    /// An address has a town and a country.
    TOWN_COUNTRY = "cbpr.address-town-country", Profile, CBPR_FIRST, ["BE04", "BE07"], "any",
        "CBPR+ rules on structured and hybrid addresses, as re-told";
    /// An address has at most two lines beside its structured elements.
    LINES = "cbpr.address-lines", Profile, CBPR_FIRST, ["BE04", "BE07"], "any",
        "CBPR+ rule on hybrid addresses, as re-told";
    /// Nothing in the lines of an address repeats what stands in an element of its own.
    REPEATED = "cbpr.address-repeated", Profile, MARKET_WARNING, ["BE04", "BE07"], "any",
        "CBPR+ rule on hybrid addresses, as re-told; only the whole of an element is found";
}

/// Most lines beside structured elements.
const LINES_MAX: usize = 2;

picked! {
    Address {
        town: "TwnNm",
        country: "Ctry",
        street: "StrtNm",
        code: "PstCd",
        line: "AdrLine",
    }
}

pub(in crate::rules) fn check(node: Node<'_>, report: &mut Report) {
    let address = Address::of(node);
    let has_structure =
        node.elements().any(|part| part.name() != "AdrLine" && part.name() != "AdrTp");
    if address.line.is_some() && !has_structure {
        unstructured(node, report);
        return;
    }
    town_country(node, &address, report);
    if address.line.is_some() {
        lines(node, report);
        for line in node.children("AdrLine") {
            repeated(line, &address, report);
        }
    }
}

/// The creditor's address, or anybody else's.
fn code(node: Node<'_>) -> &'static str {
    let creditor = node.parent().is_some_and(|party| matches!(party.name(), "Cdtr" | "UltmtCdtr"));
    if creditor { "BE04" } else { "BE07" }
}

/// See [`UNSTRUCTURED`].
fn unstructured(node: Node<'_>, report: &mut Report) {
    report.add_coded(&UNSTRUCTURED, code(node), node, "The address has lines only.");
}

/// See [`TOWN_COUNTRY`].
fn town_country(node: Node<'_>, address: &Address<'_>, report: &mut Report) {
    let missing = match (address.town, address.country) {
        (Some(_), Some(_)) => return,
        (None, Some(_)) => "town",
        (Some(_), None) => "country",
        (None, None) => "town and no country",
    };
    let text = format!("The address has no {missing}.");
    report.add_coded(&TOWN_COUNTRY, code(node), node, text);
}

/// See [`LINES`].
fn lines(node: Node<'_>, report: &mut Report) {
    let count = node.children("AdrLine").count();
    if count > LINES_MAX {
        report.add_coded(&LINES, code(node), node, format!("The address has {count} lines."));
    }
}

/// See [`REPEATED`]. Countries are too short to be found in a line.
fn repeated(line: Node<'_>, address: &Address<'_>, report: &mut Report) {
    for part in [address.town, address.street, address.code].into_iter().flatten() {
        if has_words(line.text(), part.text()) {
            let code = line.parent().map_or("BE07", code);
            let text = format!("The line repeats `{}`.", part.name());
            report.add_coded(&REPEATED, code, line, text);
        }
    }
}

/// True when the words stand in the text as words, in any case of ASCII letters.
fn has_words(text: &str, words: &str) -> bool {
    let (text, words) = (text.as_bytes(), words.trim().as_bytes());
    if words.is_empty() || words.len() > text.len() {
        return false;
    }
    let inside = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric());
    (0..=text.len() - words.len()).any(|at| {
        let end = at + words.len();
        text[at..end].eq_ignore_ascii_case(words)
            && !(at > 0 && inside(text.get(at - 1)))
            && !inside(text.get(end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_words() {
        assert!(has_words("12 Main Street, BOSTON", "Boston"));
        assert!(!has_words("Bostonian Club", "Boston") && !has_words("Rue", "Rue de la Paix"));
        assert!(!has_words("anything", "") && has_words("Kiel", "Kiel"));
    }
}
