//! Bytes from a bank's own systems to what they ask of the network.
//!
//! The layers run in order and each says which place it objects to: what can't be read is answered with an
//! `admi.002`, what breaks the schema or a rule of the whole message rejects each of its transactions, what breaks
//! a rule inside one transaction rejects only that one. Warnings travel along and reject nothing. Every
//! transaction gets exactly one result. The message is kept, and the documents for the receiving banks are written
//! from it one at a time: a bulk file's documents together are many times its size.

use iso20022::views::Split;
use iso20022::{Finding, Limits, Message, Node, Profile};
use ledger::{Bic, LedgerTime, Leg, ParticipantNumber, TransferId};

use crate::answer::{
    AnswerContext, Fate, REASONS_MAX, REFERENCE_CHARS_MAX, References, cut, reasons,
};
use crate::directory::Directory;
use crate::payment::Translator;
use crate::reference;
use crate::rules::{self, Place};
use crate::time::SettlementDates;

/// The element of one transaction in `pacs.008` and `pacs.009`.
pub(crate) const TRANSACTION: &str = "CdtTrfTxInf";
/// How a payment message names the network as its clearing system (`SttlmInf/ClrSys/Prtry`).
pub const CLEARING_SYSTEM: &str = "CORRIDOR";

/// What a received message asks for.
#[derive(Debug, Clone)]
pub enum Received {
    /// It can't be read, or not far enough to answer each transaction: answer with `message_rejection`.
    Unreadable {
        /// What is wrong; at least one error.
        findings: Vec<Finding>,
        /// The message's own reference (`BizMsgIdr`, else `MsgId`) where it could be made out.
        answer_reference: Option<String>,
    },
    /// Payments: answer with `status_report` once each transaction has a fate.
    Payments(Payments),
    /// Valid, but nothing that the network does: answer with `not_supported`.
    Other {
        /// Name of the message, e.g. `camt.060.001.05`.
        name: String,
        /// The message's own reference (`BizMsgIdr`, else `MsgId`) if it has one.
        answer_reference: Option<String>,
    },
}

/// A message with payments, one or many. It keeps the message itself, which copies share, to write documents from.
#[derive(Debug, Clone)]
pub struct Payments {
    /// `GrpHdr/MsgId` as sent.
    pub message_id: String,
    /// Name of the message, e.g. `pacs.008.001.08`.
    pub message_name: String,
    /// `GrpHdr/CreDtTm` as sent.
    pub created: Option<String>,
    /// `AppHdr/BizMsgIdr` as sent.
    pub header_id: Option<String>,
    /// Findings that concern no single transaction, warnings included. An error here rejects every transaction.
    pub group_findings: Vec<Finding>,
    /// The transactions in the order of the message.
    pub transactions: Vec<Payment>,
    /// The message, from which documents are written.
    pub(crate) split: Split,
}

/// One transaction of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Place in the message, from 0.
    pub index: usize,
    /// How the sender named it.
    pub references: References,
    /// The UETR as transfer id. `None` when it is missing or malformed, or belongs to an earlier transaction of
    /// the same message, so that an id never stands for two transactions.
    pub id: Option<TransferId>,
    /// `IntrBkSttlmAmt` as sent, for people.
    pub amount: Option<String>,
    /// The currency of `IntrBkSttlmAmt` as sent, for people.
    pub currency: Option<String>,
    /// `IntrBkSttlmDt` as sent, of the transaction or of the whole message.
    pub settlement_date: Option<String>,
    /// Findings that do not reject it.
    pub warnings: Vec<Finding>,
    /// What to submit, or the errors (at least one, at most `REASONS_MAX`) for which it is rejected.
    pub result: Result<Instruction, Vec<Finding>>,
}

/// What one accepted transaction asks of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// The UETR.
    pub id: TransferId,
    /// Who pays: the bank that sent the message.
    pub debtor_bank: ParticipantNumber,
    /// Who receives the money, and the document.
    pub creditor_bank: ParticipantNumber,
    /// The movement between the two banks' main accounts.
    pub leg: Leg,
}

impl Payments {
    /// What must be stored to answer this message later.
    #[must_use]
    pub fn answer_context(&self, sender: Bic) -> AnswerContext {
        AnswerContext {
            message_id: self.message_id.clone(),
            message_name: self.message_name.clone(),
            created: self.created.clone(),
            header_id: self.header_id.clone(),
            sender,
            group_reasons: reasons(&self.group_findings),
            transactions: self.transactions.iter().map(|one| one.references.clone()).collect(),
        }
    }

    /// The message for the creditor bank of the transaction at `index` (see [`Payment::index`]): the group header
    /// and this transaction only, without supplementary data of the message as a whole. Written anew by each call,
    /// always the same bytes, at a cost that does not depend on the other transactions. Meant for transactions with
    /// an [`Instruction`]; the document of a rejected one may not be valid.
    ///
    /// # Panics
    /// When the message has no transaction at `index`.
    #[must_use]
    pub fn document(&self, index: usize) -> Vec<u8> {
        self.split.document(index)
    }

    /// The fates before anything is submitted: rejected, or pending.
    #[must_use]
    pub fn first_fates(&self) -> Vec<Fate> {
        let fate = |payment: &Payment| match &payment.result {
            Ok(_) => Fate::Pending,
            Err(findings) => Fate::rejected(findings),
        };
        self.transactions.iter().map(fate).collect()
    }
}

/// Reads a message from a bank's own systems and says what it asks for.
///
/// `own_bank` is the bank whose messages these are: it must be the instructing agent of each payment. `now` decides
/// which settlement dates are accepted: a payment settles at once, so today's, and in kindness to time zones those
/// of the day before and the day after (in UTC).
#[must_use]
pub fn receive(
    bytes: &[u8],
    limits: &Limits,
    directory: &Directory,
    own_bank: &Bic,
    now: LedgerTime,
) -> Received {
    let message = match iso20022::read(bytes, limits) {
        Ok(message) => message,
        Err(unreadable) => {
            let answer_reference = reference::search(bytes);
            return Received::Unreadable { findings: unreadable.findings, answer_reference };
        }
    };
    let header_id = header_text(&message, "BizMsgIdr");
    let is_payment = matches!(message.name.family(), "pacs.008" | "pacs.009");
    let message_id = message
        .document
        .body()
        .and_then(|body| body.text_at("GrpHdr/MsgId"))
        .filter(|id| !id.is_empty())
        .map(|id| cut(id, REFERENCE_CHARS_MAX));
    match message_id {
        Some(message_id) if is_payment => {
            let context = Context { directory, own_bank, dates: SettlementDates::at(now) };
            Received::Payments(payments(message, message_id, header_id, &context))
        }
        message_id => {
            let answer_reference = header_id.or(message_id);
            if is_payment || message.findings.iter().any(Finding::is_error) {
                Received::Unreadable { findings: message.findings, answer_reference }
            } else {
                Received::Other { name: message.name.to_string(), answer_reference }
            }
        }
    }
}

/// What messages are judged by, other than themselves.
pub(crate) struct Context<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) own_bank: &'a Bic,
    pub(crate) dates: SettlementDates,
}

fn payments(
    message: Message,
    message_id: String,
    header_id: Option<String>,
    context: &Context<'_>,
) -> Payments {
    let body = message.document.body().expect("the message id is in the body");
    let nodes: Vec<Node<'_>> = body.children(TRANSACTION).collect();
    let mut scoped = Scoped::new(findings_of(&message, body, &context.dates), nodes.len());
    if nodes.is_empty() && !scoped.group.iter().any(Finding::is_error) {
        let text = "The message holds no transaction.".to_owned();
        let place =
            Place { path: format!("/Document/{}/{TRANSACTION}", body.name()), ..Place::default() };
        scoped.group.push(rules::NO_TRANSACTIONS.broken(message.name.as_str(), place, text));
    }
    // Each transaction repeats one reason of the group, not all: a bulk file has many transactions.
    let group_error = scoped.group.iter().find(|finding| finding.is_error()).cloned();
    let mut translator = Translator::new(&message, body, nodes.len(), context);
    let transactions = nodes
        .into_iter()
        .zip(scoped.transactions)
        .enumerate()
        .map(|(index, (node, findings))| {
            let (own_errors, warnings): (Vec<_>, Vec<_>) =
                findings.into_iter().partition(Finding::is_error);
            let errors: Vec<Finding> =
                group_error.iter().cloned().chain(own_errors).take(REASONS_MAX).collect();
            translator.payment(index, node, errors, warnings)
        })
        .collect();
    Payments {
        message_id,
        message_name: message.name.to_string(),
        created: body.text_at("GrpHdr/CreDtTm").map(|text| cut(text, REFERENCE_CHARS_MAX)),
        header_id,
        group_findings: scoped.group,
        transactions,
        split: Split::of(message).expect("only credit transfers are payments"),
    }
}

/// All findings on a payment message. The layers above the schema are asked only when the schema is kept.
fn findings_of(message: &Message, body: Node<'_>, dates: &SettlementDates) -> Vec<Finding> {
    if message.findings.iter().any(Finding::is_error) {
        return message.findings.clone();
    }
    let validation = message.check(Profile::Corridor);
    let mut findings = validation.findings;
    let name = message.name.as_str();
    if validation.truncated {
        let text = "There are more errors than are listed; the message is rejected as a whole.";
        findings
            .insert(0, rules::TOO_MANY_FINDINGS.broken(name, Place::default(), text.to_owned()));
    }
    findings.extend(header_objections(message));
    findings.extend(settlement_objections(message, body, dates));
    findings
}

/// What the network objects to in the header.
pub(crate) fn header_objections(message: &Message) -> Vec<Finding> {
    let header = message.header.as_ref().map(|(_, header)| header.root());
    let Some(copy) = header.and_then(|header| header.child("CpyDplct")) else { return Vec::new() };
    if !matches!(copy.text(), "COPY" | "CODU") {
        return Vec::new();
    }
    let text =
        format!("The header says that this is a copy ({}): copies are not settled.", copy.text());
    vec![rules::COPY.broken(message.name.as_str(), place_of(copy), text)]
}

/// What the network objects to in how, and on which day, the message as a whole is to be settled.
pub(crate) fn settlement_objections(
    message: &Message,
    body: Node<'_>,
    dates: &SettlementDates,
) -> Vec<Finding> {
    let name = message.name.as_str();
    let mut findings = Vec::new();
    if let Some(settlement) = body.at("GrpHdr/SttlmInf") {
        findings.extend(settlement_objection(settlement, name));
    }
    if let Some(date) = body.at("GrpHdr/IntrBkSttlmDt")
        && let Err(error) = dates.accept(date.text())
    {
        let text = dates.text(error, date.text());
        findings.push(rules::of_date(error).broken(name, place_of(date), text));
    }
    findings
}

/// What is wrong with how a message asks for settlement, if anything. CLRG without a clearing system is taken to
/// mean the one that the message was sent to; INDA and INGA are moved between the same two accounts.
fn settlement_objection(settlement: Node<'_>, name: &str) -> Option<Finding> {
    let method = settlement.child("SttlmMtd")?;
    match method.text() {
        "COVE" => {
            let text = "The settlement method is COVE: the network settles the covering pacs.009, not this message.";
            Some(rules::COVER.broken(name, place_of(method), text.to_owned()))
        }
        "CLRG" => {
            let system = settlement.child("ClrSys")?.elements().next()?;
            if system.name() == "Prtry" && system.text() == CLEARING_SYSTEM {
                return None;
            }
            let text = format!(
                "The message asks for settlement in the clearing system {}; this network is named by the \
                 proprietary code {CLEARING_SYSTEM}.",
                cut(system.text(), 35)
            );
            Some(rules::CLEARING_SYSTEM.broken(name, place_of(system), text))
        }
        _ => None,
    }
}

/// Findings by what they concern.
struct Scoped {
    /// The message as a whole.
    group: Vec<Finding>,
    /// One transaction each.
    transactions: Vec<Vec<Finding>>,
}

impl Scoped {
    fn new(findings: Vec<Finding>, count: usize) -> Self {
        let mut scoped = Self { group: Vec::new(), transactions: vec![Vec::new(); count] };
        for finding in findings {
            let scope = transaction_of(&finding.path);
            // A message that breaks its schema has no meaning: an error inside one transaction concerns them all.
            let of_all = finding.is_error() && finding.layer <= iso20022::Layer::Schema;
            match scope.and_then(|index| scoped.transactions.get_mut(index)) {
                Some(transaction) if !of_all => transaction.push(finding),
                _ => scoped.group.push(finding),
            }
        }
        scoped
    }
}

/// The transaction (from 0) that a path points into; a path without an index means the first.
pub(crate) fn transaction_of(path: &str) -> Option<usize> {
    let mut steps = path.strip_prefix("/Document/")?.split('/');
    let step = steps.nth(1)?.strip_prefix(TRANSACTION)?;
    if step.is_empty() {
        return Some(0);
    }
    let number: usize = step.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    number.checked_sub(1)
}

pub(crate) fn header_text(message: &Message, path: &str) -> Option<String> {
    let (_, header) = message.header.as_ref()?;
    let text = header.root().text_at(path).filter(|text| !text.is_empty())?;
    Some(cut(text, REFERENCE_CHARS_MAX))
}

pub(crate) fn place_of(node: Node<'_>) -> Place {
    Place {
        path: node.path(),
        offset: node.offset(),
        line: node.line(),
        value: node.text().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_point_into_transactions() {
        assert_eq!(transaction_of("/Document/FIToFICstmrCdtTrf/CdtTrfTxInf"), Some(0));
        assert_eq!(transaction_of("/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/PmtId/UETR"), Some(0));
        assert_eq!(transaction_of("/Document/FICdtTrf/CdtTrfTxInf[12]/PmtId"), Some(11));
        assert_eq!(transaction_of("/Document/FICdtTrf/CdtTrfTxInf[0]"), None);
        assert_eq!(transaction_of("/Document/FICdtTrf/CdtTrfTxInfo"), None);
        assert_eq!(transaction_of("/Document/FICdtTrf/GrpHdr/MsgId"), None);
        assert_eq!(transaction_of("/AppHdr/CdtTrfTxInf"), None);
        assert_eq!(transaction_of(""), None);
    }
}
