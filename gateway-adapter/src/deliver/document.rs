//! Whether a document that arrived is the payment that settled.
//!
//! The ledger moves money between accounts; the document is written by the bank that pays, and
//! nobody has read it on the way. A document is handed on only when it is a valid payment message
//! whose translation is the very movement that settled: same id, accounts and amount, from the
//! bank that owns the debited account. Anything else would let a sender announce what it never
//! paid.

use translate::{Directory, Limits, Received};
use wire::ledger::{LedgerTime, Leg, ParticipantNumber, Transfer};

use crate::limits::DOCUMENT_BYTES_MAX;

const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// Days in a row that are accepted as settlement date at one time.
const DATES_ACCEPTED: u64 = 3;
/// A payment may settle so many days after its settlement date.
const DAYS_LATE_MAX: u64 = 30;
/// The rule against a settlement date that is past.
const LATE_RULE: &str = "network.settlement-date-past";

/// Checks a document against the transfer that it came with; returns the message's name, such as
/// `pacs.008.001.08`. `settled` is when the transfer settled.
///
/// # Errors
/// A sentence that says why the document is not this payment.
pub(super) fn check(
    document: &[u8],
    transfer: &Transfer,
    settled: LedgerTime,
    directory: &Directory,
    own: ParticipantNumber,
) -> Result<String, String> {
    let [leg] = transfer.legs.as_slice() else {
        return Err("a document goes with a transfer of one leg, and this one has more".into());
    };
    let debtor = directory
        .account(leg.debit)
        .and_then(|account| directory.participant(account.owner))
        .ok_or("the directory does not know the bank that pays")?;
    let limits = Limits { bytes_max: DOCUMENT_BYTES_MAX, ..Limits::message() };
    let read = |days_before: u64| {
        let time = LedgerTime(settled.0.saturating_sub(days_before * DAY_NS));
        translate::receive(document, &limits, directory, &debtor.bic, time)
    };
    // A payment that waited for the network settles after its date; nothing else may be wrong.
    let mut received = read(0);
    for days in (DATES_ACCEPTED..=DAYS_LATE_MAX).step_by(DATES_ACCEPTED as usize) {
        if !is_only_late(&received) {
            break;
        }
        received = read(days);
    }
    let payments = match received {
        Received::Payments(payments) => payments,
        Received::Unreadable { .. } => return Err("the document cannot be read".into()),
        Received::Other { name, .. } => {
            return Err(format!("the document is a {name}, no payment"));
        }
    };
    let [payment] = payments.transactions.as_slice() else {
        let count = payments.transactions.len();
        return Err(format!("the document has {count} transactions instead of one"));
    };
    let instruction = payment.result.as_ref().map_err(|findings| {
        let first = findings.first().map_or("", |finding| finding.text.as_str());
        format!("the document is not a payment that the network could have settled: {first}")
    })?;
    if instruction.id != transfer.id {
        return Err("the document has another UETR than the payment that settled".into());
    }
    if instruction.creditor_bank != own {
        return Err("the document is meant for another bank".into());
    }
    if instruction.leg != *leg {
        return Err(different(&instruction.leg, leg).into());
    }
    Ok(payments.message_name)
}

/// Whether a payment is rejected for nothing but a settlement date that is past.
fn is_only_late(received: &Received) -> bool {
    let Received::Payments(payments) = received else { return false };
    let [payment] = payments.transactions.as_slice() else { return false };
    let errors = payment.result.as_ref().err();
    errors.is_some_and(|errors| errors.iter().all(|error| error.rule == LATE_RULE))
}

fn different(written: &Leg, settled: &Leg) -> &'static str {
    if (written.debit, written.credit) == (settled.debit, settled.credit) {
        "the document has another amount than the payment that settled"
    } else {
        "the document has another currency or other accounts than the payment that settled"
    }
}
