//! Building answers. Their ids follow from the message's key, so that an answer names the same
//! message id whenever and wherever it is built.

use bytes::Bytes;
use translate::{AnswerContext, DETAILED_TRANSACTIONS_MAX, Fate, Finding};
use wire::ledger::LedgerTime;

use crate::{
    book::Finished,
    store::{Answer, AnswerKind, MessageKey},
};

/// 32 hexadecimal digits: the first half of the key.
fn message_id(key: &MessageKey) -> String {
    let mut id = key.to_string();
    id.truncate(32);
    id
}

/// The final report on a message.
pub(super) fn report(
    key: &MessageKey,
    context: &AnswerContext,
    fates: &[Fate],
    now: LedgerTime,
) -> Answer {
    let settled = fates.iter().any(|fate| matches!(fate, Fate::Settled { .. }));
    let kind = if settled { AnswerKind::Report } else { AnswerKind::Refusal };
    let xml = translate::status_report(context, fates, &message_id(key), now)
        .expect("one fate a transaction and an id of 32 digits always make a report");
    Answer { kind, xml: xml.into(), height: None }
}

/// The report on a message that is still open. Its id differs from that of the final one. Of a large
/// message it tells how many transactions stand how, and not which: it may be asked for often.
pub(super) fn interim(key: &MessageKey, message: &Finished, now: LedgerTime) -> Bytes {
    let id = format!("{}-P", message_id(key));
    let detailed = message.fates.len() <= DETAILED_TRANSACTIONS_MAX;
    let report = if detailed { translate::status_report } else { translate::group_report };
    report(&message.context, &message.fates, &id, now)
        .expect("one fate a transaction and an id of 34 characters always make a report")
        .into()
}

/// The rejection of something unreadable.
pub(super) fn unreadable(findings: &[Finding], reference: Option<&str>, now: LedgerTime) -> Answer {
    let xml = translate::message_rejection(findings, reference, now)
        .expect("a rejection is built of texts that were cut to size");
    Answer { kind: AnswerKind::Unreadable, xml: xml.into(), height: None }
}

/// The rejection of a message that the network does not process.
pub(super) fn not_supported(name: &str, reference: Option<&str>, now: LedgerTime) -> Answer {
    let xml = translate::not_supported(name, reference, now)
        .expect("a rejection is built of texts that were cut to size");
    Answer { kind: AnswerKind::Unreadable, xml: xml.into(), height: None }
}
