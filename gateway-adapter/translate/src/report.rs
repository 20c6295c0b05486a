//! The answers that a bank's own systems get: `pacs.002` for payments, `admi.002` for what can't be processed.
//!
//! An answer is a pure function of what was stored about the message and of the fates of its transactions, so
//! the same question gets the same bytes. References that break the schema are left out, never altered. Each
//! reason is told in full: code, text, place and rule, cut into lines of 105 characters.

use iso20022::writer::{BuildError, Draft};
use iso20022::{Finding, MessageName};
use ledger::{LedgerTime, Refusal};
use thiserror::Error;

use crate::answer::{AnswerContext, Fate, REASONS_MAX, Reason, References, cut, reasons};
use crate::reference::REFERENCE_TEXT_CHARS_MAX;
use crate::time::{is_iso_date_time, iso_date_time};

/// Longest line of additional information, in characters (Max105Text).
const LINE_CHARS: usize = 105;
/// Most lines of additional information for one part of a reason: text, place, rule.
const LINES_MAX: usize = 5;
/// Longest place and longest description in a rejection, in characters (Max350Text).
const DESCRIPTION_CHARS: usize = 350;
/// Transactions that are drafted at one time.
const PIECE_TRANSACTIONS: usize = 256;
/// Largest message of which a report that is not final names each transaction; see [`group_report`].
pub const DETAILED_TRANSACTIONS_MAX: usize = 1_000;
/// What stands for a reference that can't be repeated.
pub(crate) const NOT_PROVIDED: &str = "NOTPROVIDED";

/// Why an answer could not be built. None depends on what a bank sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    /// Each transaction needs exactly one fate.
    #[error("{transactions} transactions but {fates} fates")]
    FateCount {
        /// Transactions in the context.
        transactions: usize,
        /// Fates given.
        fates: usize,
    },
    /// The id of the answer is not 1 to 35 characters of text.
    #[error("`{0}` is not a message id of 1 to 35 characters")]
    MessageId(String),
    /// The answer breaks its schema, which would be a mistake in this crate.
    #[error("the answer can't be written")]
    Build(#[from] BuildError),
}

/// The status of one transaction, or of a group of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Settled,
    Rejected,
    Pending,
    /// Of a group only: some were rejected, others not.
    Partial,
}

impl Status {
    const fn code(self) -> &'static str {
        match self {
            Self::Settled => "ACSC",
            Self::Rejected => "RJCT",
            Self::Pending => "PDNG",
            Self::Partial => "PART",
        }
    }

    const fn of(fate: &Fate) -> Self {
        match fate {
            Fate::Settled { .. } => Self::Settled,
            Fate::Refused(_) | Fate::Rejected(_) => Self::Rejected,
            Fate::Pending => Self::Pending,
        }
    }
}

/// The status of a message: that of its transactions when they agree. Settled with pending ones is pending, since
/// nothing was rejected and not all is done; a message without transactions can only have been rejected.
fn group_status(fates: &[Fate]) -> Status {
    let is = |status| move |fate: &Fate| Status::of(fate) == status;
    if fates.iter().all(is(Status::Rejected)) {
        Status::Rejected
    } else if fates.iter().any(is(Status::Rejected)) {
        Status::Partial
    } else if fates.iter().any(is(Status::Pending)) {
        Status::Pending
    } else {
        Status::Settled
    }
}

/// The `pacs.002.001.10` that answers a payment message: the status of the group and of each transaction.
///
/// `fates` are in the order of `context.transactions`. `new_message_id` names the answer: 1 to 35 characters,
/// the same again when the same answer is built again. `now` becomes the answer's creation time.
///
/// # Errors
/// `ReportError` when the number of fates or the new id is wrong.
pub fn status_report(
    context: &AnswerContext,
    fates: &[Fate],
    new_message_id: &str,
    now: LedgerTime,
) -> Result<Vec<u8>, ReportError> {
    if fates.len() != context.transactions.len() {
        let transactions = context.transactions.len();
        return Err(ReportError::FateCount { transactions, fates: fates.len() });
    }
    if !is_max35_text(new_message_id) {
        return Err(ReportError::MessageId(new_message_id.to_owned()));
    }
    let head = head(context, fates, new_message_id, now);
    let mut both = context.transactions.iter().zip(fates);
    let mut written = Vec::new();
    // A large message's report is written piece by piece: its draft would be many times its size.
    loop {
        let mut document = head.clone();
        let report = document.at("FIToFIPmtStsRpt");
        for (references, fate) in both.by_ref().take(PIECE_TRANSACTIONS) {
            transaction(report.push("TxInfAndSts"), references, fate);
        }
        let piece = write(&document, "pacs.002.001.10")?;
        if written.is_empty() {
            written = piece;
        } else {
            append(&mut written, &piece);
        }
        if both.len() == 0 {
            return Ok(written);
        }
    }
}

/// The same report without the transactions: how a message stands as a whole, for while it is large and open.
///
/// # Errors
/// As [`status_report`].
pub fn group_report(
    context: &AnswerContext,
    fates: &[Fate],
    new_message_id: &str,
    now: LedgerTime,
) -> Result<Vec<u8>, ReportError> {
    if !is_max35_text(new_message_id) {
        return Err(ReportError::MessageId(new_message_id.to_owned()));
    }
    write(&head(context, fates, new_message_id, now), "pacs.002.001.10")
}

/// A report up to its first transaction.
fn head(context: &AnswerContext, fates: &[Fate], new_message_id: &str, now: LedgerTime) -> Draft {
    let mut document = Draft::new("Document");
    let report = document.push("FIToFIPmtStsRpt");
    let header = report.push("GrpHdr");
    header.set("MsgId", new_message_id);
    header.set("CreDtTm", iso_date_time(now));
    header.set("InstdAgt/FinInstnId/BICFI", context.sender.as_str());
    group(report.push("OrgnlGrpInfAndSts"), context, fates);
    document
}

/// Appends the transactions of one report to another with the same head: both are valid, and the schema bounds not
/// how many there are.
fn append(report: &mut Vec<u8>, piece: &[u8]) {
    const START: &[u8] = b"<TxInfAndSts>";
    const END: &[u8] = b"</FIToFIPmtStsRpt></Document>";
    let from = piece.windows(START.len()).position(|window| window == START);
    // Texts have no `<` of their own, so this is the first transaction.
    let from = from.expect("each piece but the first has a transaction");
    report.truncate(report.len() - END.len());
    report.extend_from_slice(&piece[from..]);
}

pub(crate) fn write(document: &Draft, message: &str) -> Result<Vec<u8>, ReportError> {
    let name: MessageName = message.parse().expect("the names of the answers are well formed");
    Ok(document.write(name)?)
}

fn group(group: &mut Draft, context: &AnswerContext, fates: &[Fate]) {
    let message_id = Some(context.message_id.as_str()).filter(|id| is_max35_text(id));
    group.set("OrgnlMsgId", message_id.unwrap_or(NOT_PROVIDED));
    group.set("OrgnlMsgNmId", context.message_name.as_str());
    let created = context.created.as_deref().map(str::trim).filter(|text| is_iso_date_time(text));
    group.set_some("OrgnlCreDtTm", created);
    if !fates.is_empty() {
        group.set("OrgnlNbOfTxs", fates.len().to_string());
    }
    let status = group_status(fates);
    group.set("GrpSts", status.code());
    for reason in context.group_reasons.iter().take(REASONS_MAX) {
        status_reason(group, reason);
    }
    if status == Status::Rejected && context.group_reasons.is_empty() {
        status_reason(group, &common_reason(fates));
    }
    if status != Status::Partial {
        return;
    }
    for one in [Status::Settled, Status::Rejected, Status::Pending] {
        let count = fates.iter().filter(|fate| Status::of(fate) == one).count();
        if count > 0 {
            let counted = group.push("NbOfTxsPerSts");
            counted.set("DtldNbOfTxs", count.to_string());
            counted.set("DtldSts", one.code());
        }
    }
}

/// Why a message is rejected of which each transaction was rejected on its own: their common code, if any.
fn common_reason(fates: &[Fate]) -> Reason {
    let code = |fate: &Fate| match fate {
        Fate::Refused(refusal) => refusal.iso_code().to_owned(),
        Fate::Rejected(reasons) => reasons.first().map_or_else(String::new, |one| one.code.clone()),
        Fate::Settled { .. } | Fate::Pending => String::new(),
    };
    let mut codes = fates.iter().map(code);
    let first = codes.next().unwrap_or_default();
    let common = if codes.all(|code| code == first) { first } else { String::new() };
    Reason::new(&common, "Each transaction was rejected, for the reason given with it.")
}

/// The references of a transaction, as far as they can be repeated.
pub(crate) fn repeat(answer: &mut Draft, references: &References) {
    fn repeatable(reference: &Option<String>) -> Option<&str> {
        reference.as_deref().filter(|text| is_max35_text(text))
    }
    answer.set_some("OrgnlInstrId", repeatable(&references.instruction_id));
    answer.set_some("OrgnlEndToEndId", repeatable(&references.end_to_end_id));
    answer.set_some("OrgnlTxId", repeatable(&references.tx_id));
    answer.set_some("OrgnlUETR", references.uetr.as_deref().filter(|text| is_uuid_v4(text)));
}

fn transaction(answer: &mut Draft, references: &References, fate: &Fate) {
    repeat(answer, references);
    answer.set("TxSts", Status::of(fate).code());
    match fate {
        Fate::Settled { time } => {
            answer.set("FctvIntrBkSttlmDt/DtTm", iso_date_time(*time));
        }
        Fate::Refused(refusal) => status_reason(answer, &refusal_reason(*refusal)),
        Fate::Rejected(reasons) if reasons.is_empty() => {
            status_reason(answer, &Reason::new("MS03", "No reason was recorded."));
        }
        Fate::Rejected(reasons) => {
            for reason in reasons.iter().take(REASONS_MAX) {
                status_reason(answer, reason);
            }
        }
        Fate::Pending => {}
    }
}

pub(crate) fn status_reason(parent: &mut Draft, reason: &Reason) {
    let is_code = (1..=4).contains(&reason.code.len())
        && reason.code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let information = parent.push("StsRsnInf");
    information.set("Rsn/Cd", if is_code { reason.code.as_str() } else { "NARR" });
    let mut lines: Vec<String> = parts(reason).iter().flat_map(|part| lines(part)).collect();
    if lines.is_empty() {
        lines.push("No text was recorded.".to_owned());
    }
    for line in lines {
        information.push_text("AddtlInf", line);
    }
}

/// The reason that a refusal of the ledger becomes: the ISO code and sender's text of the ledger's one table.
#[must_use]
pub fn refusal_reason(refusal: Refusal) -> Reason {
    Reason {
        rule: format!("ledger.{}", refusal.code()),
        ..Reason::new(refusal.iso_code(), refusal.sender_text())
    }
}

/// A reason for people, in up to three parts: what is wrong, where, by which rule. Each of any length.
fn parts(reason: &Reason) -> Vec<String> {
    let place = match (reason.path.as_str(), reason.line) {
        ("", _) => String::new(),
        (path, 0) => format!("At {path}"),
        (path, line) => format!("At {path} (line {line})"),
    };
    let rule = match reason.rule.as_str() {
        "" => String::new(),
        rule => format!("Rule {rule}"),
    };
    let parts = [&reason.text, &place, &rule];
    parts.into_iter().map(|part| plain(part)).filter(|part| !part.is_empty()).collect()
}

/// A text in lines of at most 105 characters, broken at spaces where there are any, at most 5 lines.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in plain(text).split(' ').filter(|word| !word.is_empty()) {
        let word: Vec<char> = word.chars().collect();
        // A word that fits in no line (a path) is cut where the line ends.
        for piece in word.chunks(LINE_CHARS) {
            if length > 0 && length + 1 + piece.len() > LINE_CHARS {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.extend(piece);
            length += piece.len();
        }
    }
    if length > 0 {
        lines.push(line);
    }
    lines.truncate(LINES_MAX);
    lines
}

/// The `admi.002.001.01` that answers input which can't be read: where it breaks, which rule, all findings.
///
/// `reference` is the reference of the rejected message where it could be made out.
///
/// # Errors
/// `ReportError::Build`, which would be a mistake in this crate.
pub fn message_rejection(
    findings: &[Finding],
    reference: Option<&str>,
    now: LedgerTime,
) -> Result<Vec<u8>, ReportError> {
    let mut reasons = reasons(findings);
    if reasons.is_empty() {
        reasons.push(Reason::new("FF01", "The message cannot be read."));
    }
    rejection(&reasons, reference, now)
}

/// The `admi.002.001.01` that answers a valid message of a kind that the network does not process.
///
/// # Errors
/// `ReportError::Build`, which would be a mistake in this crate.
pub fn not_supported(
    name: &str,
    reference: Option<&str>,
    now: LedgerTime,
) -> Result<Vec<u8>, ReportError> {
    let text = format!("The network does not process {} messages.", cut(name, 40));
    let reason = Reason {
        rule: "network.not-supported".to_owned(),
        path: "/Document".to_owned(),
        ..Reason::new("AG03", &text)
    };
    rejection(&[reason], reference, now)
}

fn rejection(
    reasons: &[Reason],
    reference: Option<&str>,
    now: LedgerTime,
) -> Result<Vec<u8>, ReportError> {
    let mut document = Draft::new("Document");
    let body = document.push("admi.002.001.01");
    let repeatable = reference.filter(|text| is_max35_text(text));
    body.set("RltdRef/Ref", repeatable.unwrap_or(NOT_PROVIDED));
    let rejection = body.push("Rsn");
    let first = reasons.first().expect("both callers give at least one reason");
    rejection.set("RjctgPtyRsn", cut(&first.code, REFERENCE_TEXT_CHARS_MAX));
    rejection.set("RjctnDtTm", iso_date_time(now));
    let location = match (first.path.as_str(), first.line) {
        ("", 0) => None,
        ("", line) => Some(format!("line {line}")),
        (path, 0) => Some(path.to_owned()),
        (path, line) => Some(format!("{path} (line {line})")),
    };
    rejection.set_some("ErrLctn", location.map(|text| cut(&plain(&text), DESCRIPTION_CHARS)));
    let description = Some(cut(&plain(&first.text), DESCRIPTION_CHARS));
    rejection.set_some("RsnDesc", description.filter(|text| !text.is_empty()));
    let all: Vec<String> = reasons
        .iter()
        .map(|reason| plain(&format!("{}: {}", reason.code, parts(reason).join(" "))))
        .collect();
    rejection.set("AddtlData", all.join(" "));
    write(&document, "admi.002.001.01")
}

/// Control characters, and what XML can't carry.
fn is_unprintable(character: char) -> bool {
    character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// A text in one line: runs of white space and unprintable characters become one space.
fn plain(text: &str) -> String {
    let is_gap = |character: char| character.is_whitespace() || is_unprintable(character);
    text.split(is_gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// 1 to 35 characters that are not all blank.
pub(crate) fn is_max35_text(text: &str) -> bool {
    let count = text.chars().take(REFERENCE_TEXT_CHARS_MAX + 1).count();
    (1..=REFERENCE_TEXT_CHARS_MAX).contains(&count)
        && !text.trim().is_empty()
        && !text.chars().any(is_unprintable)
}

/// The pattern of UUIDv4Identifier: stricter than a transfer id, which is any UUID.
pub(crate) fn is_uuid_v4(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.parse::<ledger::TransferId>().is_ok()
        && bytes[14] == b'4'
        && matches!(bytes[19], b'8' | b'9' | b'a' | b'b')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_status_follows_from_the_fates() {
        let settled = Fate::Settled { time: LedgerTime(1) };
        let refused = Fate::Refused(Refusal::InsufficientCover);
        let rejected = Fate::Rejected(Vec::new());
        let status = |fates: &[&Fate]| {
            group_status(&fates.iter().map(|&fate| fate.clone()).collect::<Vec<_>>()).code()
        };
        assert_eq!(status(&[&settled, &settled]), "ACSC");
        assert_eq!(status(&[&refused, &rejected]), "RJCT");
        assert_eq!(status(&[&settled, &refused]), "PART");
        assert_eq!(status(&[&Fate::Pending, &rejected]), "PART");
        assert_eq!(status(&[&settled, &Fate::Pending]), "PDNG");
        assert_eq!(status(&[]), "RJCT");
    }

    #[test]
    fn lines_break_at_spaces_and_are_never_too_long() {
        assert_eq!(lines(""), Vec::<String>::new());
        assert_eq!(lines("a  b\n c"), ["a b c"]);
        let long_word = "x".repeat(250);
        let broken = lines(&format!("start {long_word} end"));
        assert_eq!(broken.iter().map(String::len).collect::<Vec<_>>(), [5, 105, 105, 44]);
        assert!(broken[3].ends_with("x end"));
        assert_eq!(lines(&"word ".repeat(1_000)).len(), LINES_MAX);
        assert_eq!(lines(&"é".repeat(106)).len(), 2);
    }
}
