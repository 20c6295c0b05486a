//! What the messages that a payment network meets are for, in a sentence each.

use std::fmt::{self, Write};

use iso20022::{MessageName, table};

use super::{line, versions};

/// Family, what it is for, who sends it to whom.
const MESSAGES: &[(&str, &str, &str)] = &[
    ("admi.002", "says that a message could not be read or accepted at all", "receiver to sender"),
    ("admi.004", "tells of an event of the system", "network to bank"),
    ("admi.006", "asks for messages to be sent again", "bank to network"),
    ("admi.007", "acknowledges the receipt of a message", "receiver to sender"),
    ("admi.011", "acknowledges an event of the system", "bank to network"),
    ("camt.003", "asks about accounts", "bank to network"),
    ("camt.004", "returns accounts and their balances", "network to bank"),
    ("camt.005", "asks about transactions", "bank to network"),
    ("camt.006", "returns transactions and their state", "network to bank"),
    ("camt.007", "asks to modify a queued transaction", "bank to network"),
    ("camt.008", "asks to cancel a queued transaction", "bank to network"),
    ("camt.009", "asks about limits", "bank to network"),
    ("camt.010", "returns limits", "network to bank"),
    ("camt.011", "modifies limits", "bank to network"),
    ("camt.012", "deletes limits", "bank to network"),
    ("camt.018", "asks about the business day", "bank to network"),
    ("camt.019", "returns information on the business day", "network to bank"),
    ("camt.025", "is the receipt for a request", "network to bank"),
    ("camt.026", "says that a payment cannot be applied", "bank to bank"),
    ("camt.027", "claims that a payment was not received", "bank to bank"),
    ("camt.028", "gives additional information on a payment", "bank to bank"),
    ("camt.029", "answers a recall or an investigation", "bank to bank"),
    ("camt.046", "asks about reservations", "bank to network"),
    ("camt.047", "returns reservations", "network to bank"),
    ("camt.048", "modifies reservations", "bank to network"),
    ("camt.049", "deletes reservations", "bank to network"),
    ("camt.050", "moves liquidity between two accounts of a participant", "bank to network"),
    ("camt.051", "debits liquidity from an account of a participant", "bank to network"),
    ("camt.052", "reports on an account within the day", "account servicer to owner"),
    ("camt.053", "is the statement of an account", "account servicer to owner"),
    ("camt.054", "notifies of a debit or credit", "account servicer to owner"),
    ("camt.055", "recalls a payment that a customer has initiated", "customer to bank"),
    ("camt.056", "recalls a payment", "bank to bank"),
    ("camt.057", "notifies of money to be received", "account owner to servicer"),
    ("camt.058", "cancels a notification of money to be received", "account owner to servicer"),
    ("camt.060", "asks for a report on an account", "account owner to servicer"),
    ("camt.105", "notifies of charges", "bank to bank"),
    ("camt.106", "asks for the payment of charges", "bank to bank"),
    ("camt.107", "presents a cheque", "bank to bank"),
    ("camt.108", "cancels or stops a cheque", "bank to bank"),
    ("camt.109", "answers the cancellation of a cheque", "bank to bank"),
    ("camt.110", "opens an investigation", "bank to bank"),
    ("camt.111", "answers an investigation", "bank to bank"),
    (
        "head.001",
        "is the header of a business message: from whom, to whom, what",
        "with any message",
    ),
    ("pacs.002", "reports the status of payments", "receiver to sender"),
    ("pacs.003", "debits a customer by direct debit", "bank to bank"),
    ("pacs.004", "returns money after settlement", "bank to bank"),
    ("pacs.007", "reverses a payment by the one who sent it", "bank to bank"),
    ("pacs.008", "transfers money of customers", "bank to bank"),
    ("pacs.009", "transfers money of institutions, or covers a customer transfer", "bank to bank"),
    ("pacs.010", "debits an institution by direct debit", "bank to bank"),
    ("pacs.028", "asks for the status of a payment", "sender to receiver"),
    ("pain.001", "initiates credit transfers", "customer to bank"),
    ("pain.002", "reports the status of initiated payments", "bank to customer"),
    ("pain.008", "initiates direct debits", "customer to bank"),
    ("pain.013", "asks a debtor to pay", "creditor to debtor"),
    ("pain.014", "answers a request to pay", "debtor to creditor"),
];

/// Explains a family or a version of it; writes nothing when it is neither.
pub(super) fn explain(asked: &str, text: &mut String) -> fmt::Result {
    let version: Option<MessageName> = asked.parse().ok();
    let family = version.as_ref().map_or(asked, |name| name.family());
    let versions = versions(family);
    if versions.is_empty() {
        return Ok(());
    }
    match MESSAGES.iter().find(|(known, ..)| *known == family) {
        Some((_, what, way)) => {
            writeln!(text, "{asked}: {what}")?;
            line(text, "way", way)?;
        }
        None => writeln!(text, "{asked}: a message that is read and validated")?,
    }
    line(text, "versions", versions)?;
    if let Some(version) = version
        && table::root_of(version).is_none()
    {
        line(text, "but", format_args!("version {} is not one of them", version.version()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_described_has_a_table() {
        assert!(MESSAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (family, ..) in MESSAGES {
            assert!(!versions(family).is_empty(), "{family}");
        }
    }
}
