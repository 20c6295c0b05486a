//! Codes of external lists.

use crate::codes::{self, CodeSet};
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// A code of an external list is in the edition of the list that is known here. A younger code
    /// is carried as it is.
    UNKNOWN = "codes.unknown", ReferenceData, WARNING, ["CH16"], "any",
        "external code sets of ISO 20022, by the edition of the compiled lists";
}

/// See [`UNKNOWN`].
pub(super) fn check(node: Node<'_>, set: &CodeSet, report: &mut Report) {
    if !set.contains(node.text()) {
        let text = format!("`{}` of {} does not list the code.", set.name(), codes::edition());
        report.add(&UNKNOWN, node, text);
    }
}
