//! What the settlement network asks of payments beyond the base message.

use super::payments::Transaction;
use super::{Context, Report, Rule, rules};
use crate::finding::Severity;
use crate::profile::Profile;
use crate::tree::Node;
use std::collections::BTreeMap;

rules! {
    /// Every transaction carries a UETR. Its form, a lower-case UUID of version 4, is the schema's
    /// business.
    UETR_PRESENT = "corridor.uetr-present", Profile, CORRIDOR, ["CH21"],
        "pacs.008 pacs.009",
        "the network's profile: the UETR is what makes a resend recognisable";
    /// No UETR comes twice in one message.
    UETR_UNIQUE = "corridor.uetr-unique", Profile, STRICT_CORRIDOR, ["RF01"],
        "pacs.003 pacs.008 pacs.009 pacs.010",
        "the network's profile; UETRs are unique by definition, so a second one is a mistake or a replay";
}

/// The UETRs of a message so far. A single transaction needs no set.
#[derive(Default)]
pub(super) struct Uetrs<'a> {
    first: Option<Node<'a>>,
    others: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Uetrs<'a> {
    /// Where it has come before.
    fn insert(&mut self, uetr: Node<'a>) -> Option<Node<'a>> {
        match self.first {
            None => {
                self.first = Some(uetr);
                None
            }
            Some(first) if first.text() == uetr.text() => Some(first),
            Some(_) => match self.others.get(uetr.text()) {
                None => {
                    self.others.insert(uetr.text(), uetr);
                    None
                }
                earlier => earlier.copied(),
            },
        }
    }
}

/// The text of a finding, made only for what is reported: to tell a place costs a walk over the
/// message.
struct SameAs<'a>(Node<'a>);

impl From<SameAs<'_>> for String {
    fn from(SameAs(first): SameAs<'_>) -> Self {
        format!("{} (line {}) has the same UETR.", first.path(), first.line())
    }
}

/// [`UETR_UNIQUE`], for who reads one transaction at a time, where it is an error.
pub(crate) fn uetr_unique_in(profile: Profile) -> Option<&'static Rule> {
    (UETR_UNIQUE.severity(profile) == Some(Severity::Error)).then_some(&UETR_UNIQUE)
}

pub(super) fn uetr<'a>(
    context: &Context<'a>,
    node: Node<'a>,
    transaction: &Transaction<'a>,
    seen: &mut Uetrs<'a>,
    report: &mut Report,
) {
    match transaction.ids.and_then(|ids| ids.child("UETR")) {
        Some(uetr) => uetr_unique(uetr, seen, report),
        None => uetr_present(context, transaction.ids.unwrap_or(node), report),
    }
}

/// See [`UETR_PRESENT`].
fn uetr_present(context: &Context<'_>, node: Node<'_>, report: &mut Report) {
    let transfer = matches!(context.family(), "pacs.008" | "pacs.009");
    if transfer && context.profile == Profile::Corridor {
        report.add(&UETR_PRESENT, node, "The transaction has no UETR.");
    }
}

/// See [`UETR_UNIQUE`].
fn uetr_unique<'a>(uetr: Node<'a>, seen: &mut Uetrs<'a>, report: &mut Report) {
    if let Some(first) = seen.insert(uetr) {
        report.add(&UETR_UNIQUE, uetr, SameAs(first));
    }
}
