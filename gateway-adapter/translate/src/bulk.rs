//! Payment messages of any size: one transaction at a time, in memory that does not grow with the message but for
//! an id and a place for each transaction.
//!
//! The same layers in the same order as for a message that is read whole (`receive`), with the same results. What
//! only the end can tell, counts and sums, comes from [`BulkTranslation::finish`]: nothing may be released before it
//! is content. What does not hold here: more than [`REASONS_MAX`] reasons for the message as a whole are not kept,
//! and large messages of other kinds are not looked into further than their name.

use iso20022::bulk::{BulkReader, Transaction};
use iso20022::views::CreditTransfer;
use iso20022::{Finding, Layer, Limits, Message, Profile};
use ledger::{Bic, LedgerTime};

use crate::answer::{AnswerContext, REASONS_MAX, REFERENCE_CHARS_MAX, Reason, cut, reasons};
use crate::directory::Directory;
use crate::payment::Translator;
use crate::receive::{Context, Payment, header_text, transaction_of};
use crate::receive::{header_objections, place_of, settlement_objections};
use crate::reference::{self, SEARCHED_BYTES_MAX};
use crate::rules;
use crate::time::SettlementDates;

/// Most transactions in one message: what is kept for each of them until it is answered is bounded by this.
pub const BULK_TRANSACTIONS_MAX: u64 = 100_000;
/// The rule of the profile on a UETR that came before.
const UETR_REPEATED: &str = "corridor.uetr-unique";

/// Reads a payment message of any size.
#[derive(Debug)]
pub struct BulkTranslation {
    reader: BulkReader,
    /// The start of the message, for its reference when it cannot be read.
    start: Vec<u8>,
    own_bank: Bic,
    dates: SettlementDates,
    head: Option<Head>,
    group_findings: Vec<Finding>,
    warnings: usize,
    count: u64,
}

/// What is known of a message from its first transaction on.
#[derive(Clone, Debug)]
struct Head {
    message_id: String,
    message_name: String,
    created: Option<String>,
    header_id: Option<String>,
}

/// One transaction, with the document for the bank that receives it.
#[derive(Clone, Debug)]
pub struct BulkPayment {
    /// The transaction. Its `index` is its place in the message, and so are the places in its findings.
    pub payment: Payment,
    /// The document; `None` when the transaction is rejected.
    pub document: Option<Vec<u8>>,
}

/// Why a message is read no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkRefusal {
    /// It cannot be read: answer with `message_rejection`.
    Unreadable {
        /// What is wrong; at least one error.
        findings: Vec<Finding>,
        /// The message's own reference, where it could be made out.
        answer_reference: Option<String>,
    },
    /// It is nothing that the network does: answer with `not_supported`.
    Other {
        /// Name of the message.
        name: String,
        /// The message's own reference, if it has one.
        answer_reference: Option<String>,
    },
}

impl BulkTranslation {
    /// A translation at the start of a message. `own_bank` and `now` as for `receive`.
    #[must_use]
    pub fn new(own_bank: Bic, now: LedgerTime) -> Self {
        let ids_max = usize::try_from(BULK_TRANSACTIONS_MAX).unwrap_or(usize::MAX);
        Self {
            reader: BulkReader::new(Limits::message()).with_unique_uetrs(ids_max),
            start: Vec::new(),
            own_bank,
            dates: SettlementDates::at(now),
            head: None,
            group_findings: Vec::new(),
            warnings: 0,
            count: 0,
        }
    }

    /// Takes the next bytes of the message. Ask for all transactions before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = SEARCHED_BYTES_MAX - self.start.len();
        self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.reader.push(bytes);
    }

    /// True once the message is known to be rejected as a whole: then no transaction will be paid, but all are still
    /// to be read, because the answer names each.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.group_findings.iter().any(Finding::is_error)
    }

    /// The next transaction that has come whole; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the message is read no further.
    pub fn next_payment(
        &mut self,
        directory: &Directory,
    ) -> Result<Option<BulkPayment>, BulkRefusal> {
        let transaction = match self.reader.next_transaction() {
            Ok(None) => return Ok(None),
            Ok(Some(transaction)) => transaction,
            Err(error) => return Err(self.unreadable(error.findings)),
        };
        if self.head.is_none() {
            self.head = Some(self.head_of(&transaction)?);
        }
        self.count += 1;
        if self.count > BULK_TRANSACTIONS_MAX {
            return Err(self.unreadable(vec![self.too_many(&transaction)]));
        }
        Ok(Some(self.payment(transaction, directory)))
    }

    /// Ends the message: what its answer needs, without references. An error among the reasons of the group rejects
    /// every transaction.
    ///
    /// # Errors
    /// When what is left cannot be read, or there was no transaction.
    pub fn finish(mut self) -> Result<AnswerContext, BulkRefusal> {
        let reader = std::mem::replace(&mut self.reader, BulkReader::new(Limits::message()));
        let summary = reader.finish().map_err(|error| self.unreadable(error.findings))?;
        for finding in summary.findings {
            self.keep(finding);
        }
        let Some(head) = self.head.take() else {
            let mut findings = std::mem::take(&mut self.group_findings);
            if !findings.iter().any(Finding::is_error) {
                let text = "The message holds no transaction that can be read.".to_owned();
                let name = summary.message.as_str();
                findings.push(rules::NO_TRANSACTIONS.broken(name, rules::Place::default(), text));
            }
            return Err(self.unreadable(findings));
        };
        Ok(AnswerContext {
            message_id: head.message_id,
            message_name: head.message_name,
            created: head.created,
            header_id: head.header_id,
            sender: self.own_bank,
            group_reasons: reasons(&self.group_findings),
            transactions: Vec::new(),
        })
    }

    fn unreadable(&self, findings: Vec<Finding>) -> BulkRefusal {
        let head = self.head.as_ref();
        let known = head.map(|head| head.header_id.as_ref().unwrap_or(&head.message_id).clone());
        let answer_reference = known.or_else(|| reference::search(&self.start));
        BulkRefusal::Unreadable { findings, answer_reference }
    }

    fn head_of(&self, first: &Transaction) -> Result<Head, BulkRefusal> {
        let message = &first.message;
        let header_id = header_text(message, "BizMsgIdr");
        let body = message.document.body();
        let sent = |path| {
            let text = body?.text_at(path).filter(|text: &&str| !text.is_empty())?;
            Some(cut(text, REFERENCE_CHARS_MAX))
        };
        let message_id = sent("GrpHdr/MsgId");
        if !matches!(message.name.family(), "pacs.008" | "pacs.009") {
            let answer_reference = header_id.or(message_id);
            return Err(BulkRefusal::Other { name: message.name.to_string(), answer_reference });
        }
        let Some(message_id) = message_id else {
            let text = "The message has no GrpHdr/MsgId, so its answer cannot name it.".to_owned();
            let path = "/Document/GrpHdr/MsgId".to_owned();
            let place = rules::Place { path, ..rules::Place::default() };
            let finding = rules::MESSAGE_ID_MISSING.broken(message.name.as_str(), place, text);
            let findings = vec![finding];
            return Err(BulkRefusal::Unreadable { findings, answer_reference: header_id });
        };
        Ok(Head {
            message_id,
            message_name: message.name.to_string(),
            created: sent("GrpHdr/CreDtTm"),
            header_id,
        })
    }

    fn too_many(&self, transaction: &Transaction) -> Finding {
        let text = format!("A message has at most {BULK_TRANSACTIONS_MAX} transactions.");
        let place = transaction.node().map(place_of).unwrap_or_default();
        let name = transaction.message.name.as_str();
        let mut finding = rules::TOO_MANY_TRANSACTIONS.broken(name, place, text);
        transaction.locate(&mut finding);
        finding
    }

    /// Keeps what concerns the message as a whole: errors before warnings.
    fn keep(&mut self, finding: Finding) {
        let errors = self.group_findings.len() - self.warnings;
        if finding.is_error() && errors < REASONS_MAX {
            self.group_findings.insert(errors, finding);
        } else if !finding.is_error() && self.warnings < REASONS_MAX {
            self.warnings += 1;
            self.group_findings.push(finding);
        }
    }

    fn payment(&mut self, transaction: Transaction, directory: &Directory) -> BulkPayment {
        let is_first = self.count == 1;
        let index = usize::try_from(self.count - 1).unwrap_or(usize::MAX);
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for finding in self.findings(&transaction, is_first) {
            let is_own = transaction_of(&finding.path).is_some();
            // A message that breaks its schema has no meaning: the error concerns all transactions.
            if !is_own || (finding.is_error() && finding.layer <= Layer::Schema) {
                self.keep(finding.clone());
            }
            match finding.is_error() {
                true if is_own => errors.push(finding),
                false if is_own => warnings.push(finding),
                _ => {}
            }
        }
        errors.truncate(REASONS_MAX);
        let (known, repeated) = (errors.len(), errors.iter().any(|one| one.rule == UETR_REPEATED));
        let message = &transaction.message;
        let context = Context { directory, own_bank: &self.own_bank, dates: self.dates };
        let body = message.document.body().expect("a transaction was found in it");
        let node = transaction.node().expect("the reader cut it out itself");
        let mut translator = Translator::new(message, body, 1, &context);
        let mut payment = translator.payment(0, node, errors, warnings);
        payment.index = index;
        payment.id = payment.id.filter(|_| !repeated);
        if let Err(findings) = &mut payment.result {
            // Those before are at their places already.
            for finding in findings.iter_mut().skip(known) {
                transaction.locate(finding);
            }
        }
        let document = match payment.result {
            Ok(_) => CreditTransfer::of(message).map(|view| view.extract(0)),
            Err(_) => None,
        };
        BulkPayment { payment, document }
    }

    /// What the layers say of a transaction, at places in the message. The layers above the schema are asked only
    /// when the schema is kept.
    fn findings(&self, transaction: &Transaction, is_first: bool) -> Vec<Finding> {
        let message: &Message = &transaction.message;
        if message.findings.iter().any(Finding::is_error) {
            return message.findings.clone();
        }
        let mut findings = transaction.check(Profile::Corridor).findings;
        if is_first && let Some(body) = message.document.body() {
            let mut of_group = header_objections(message);
            of_group.extend(settlement_objections(message, body, &self.dates));
            for finding in &mut of_group {
                transaction.locate(finding);
            }
            findings.extend(of_group);
        }
        findings
    }
}

/// The reason that each transaction of a message gets that is rejected as a whole: short, because it is repeated as
/// often as there are transactions; the group has the reasons in full.
#[must_use]
pub fn rejected_with_the_group(context: &AnswerContext) -> Vec<Reason> {
    let code = context.group_reasons.first().map_or("NARR", |reason| reason.code.as_str());
    vec![Reason::new(code, "The message is rejected as a whole, for the reasons of the group.")]
}
