//! What the settlement network asks of payments beyond the base message.

use super::payments::Transaction;
use super::{Context, Report, rules};
use crate::profile::Profile;
use crate::tree::Node;
use std::collections::BTreeSet;

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
    first: Option<&'a str>,
    others: BTreeSet<&'a str>,
}

impl<'a> Uetrs<'a> {
    /// False when it has come before.
    fn insert(&mut self, uetr: &'a str) -> bool {
        match self.first {
            None => {
                self.first = Some(uetr);
                true
            }
            Some(first) => first != uetr && self.others.insert(uetr),
        }
    }
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
    if !seen.insert(uetr.text()) {
        report.add(&UETR_UNIQUE, uetr, "An earlier transaction has the same UETR.");
    }
}
