//! What the settlement network asks of credit transfers beyond the base message.

use super::{Report, Rule, error};
use crate::finding::Layer;
use crate::views::CreditTransfer;
use std::collections::BTreeSet;

pub(super) static UETR_PRESENT: Rule = error("corridor.uetr-present", Layer::Profile, &["CH21"]);
pub(super) static UETR_UNIQUE: Rule = error("corridor.uetr-unique", Layer::Profile, &["RF01"]);

pub(super) fn credit_transfer(transfer: &CreditTransfer<'_>, report: &mut Report) {
    uetr_present(transfer, report);
    uetr_unique(transfer, report);
}

/// Every transaction carries a UETR (its form, a lower-case version 4 UUID, is the schema's
/// business). Source: the network's profile: the UETR is what makes a resend recognisable.
fn uetr_present(transfer: &CreditTransfer<'_>, report: &mut Report) {
    for transaction in transfer.transactions() {
        if transaction.uetr().is_none() {
            let node = transaction.node().child("PmtId").unwrap_or(transaction.node());
            report.add(&UETR_PRESENT, node, "The transaction has no UETR.");
        }
    }
}

/// No UETR comes twice in one message. Source: the network's profile; UETRs are unique by
/// definition, so the second one is a mistake or a replay.
fn uetr_unique(transfer: &CreditTransfer<'_>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for transaction in transfer.transactions() {
        if let Some(uetr) = transaction.uetr()
            && !seen.insert(uetr)
            && let Some(node) = transaction.node().at("PmtId/UETR")
        {
            report.add(&UETR_UNIQUE, node, "An earlier transaction has the same UETR.");
        }
    }
}
