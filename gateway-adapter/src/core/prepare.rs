//! From bytes to journalled rows: read and translate a message, seal its documents, claim its
//! payments. CPU-bound; runs on worker threads.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use translate::{Fate, Instruction, Limits, Payments, Reason, Received};
use wire::ledger::{Command, Digest, Legs, Transfer, TransferId};

use super::{
    Answer, AnswerKind, Core, Entry, METRICS, MessageRow, NewMessage, NewTransfer, Place, Prepared,
    ReceiveError, TransactionRow, answer,
};
use crate::{book::Claim, seal::Reader, store::TransferRow};

/// Rules that a newer directory may satisfy.
const DIRECTORY_RULES: &[&str] = &[
    "network.unknown-agent",
    "network.unknown-currency",
    "network.no-debtor-account",
    "network.no-creditor-account",
];

/// A message may have one element for each so many bytes; real ones have one for about thirty.
const BYTES_PER_ELEMENT: usize = 16;

/// What has to be done about a message.
pub(super) enum Outcome {
    /// It was answered before.
    Repeated { entry: Entry, answer: Answer },
    /// It names something that the directory does not know.
    UnknownName { entry: Entry, raw: Bytes },
    /// It has no payments: write it with its answer.
    Answered { entry: Entry, message: Box<NewMessage>, answer: Answer },
    /// It is in the book: write it once the messages `after` are durable, then submit.
    Registered { message: Box<NewMessage>, submissions: Vec<Arc<Prepared>>, after: Vec<u64> },
}

/// A payment that is ready to be claimed.
pub(super) struct Ready {
    pub(super) index: u32,
    pub(super) instruction: Digest,
    pub(super) row: TransferRow,
}

/// What became of the payments that a message claimed.
#[derive(Default)]
pub(super) struct Claims {
    /// Positions of those that are its own, in order.
    pub(super) new: Vec<u32>,
    /// Those of earlier messages that are open again and have to be submitted.
    pub(super) reopened: Vec<(Place, Box<TransferRow>)>,
    /// Messages that must be durable before this one.
    pub(super) after: Vec<u64>,
}

impl Core {
    pub(super) fn translate(&self, raw: &[u8]) -> Received {
        // Where larger messages are read whole, they have more elements; their size bounds them.
        let single = Limits::message();
        let elements_max = single.elements_max.max(raw.len() / BYTES_PER_ELEMENT);
        let limits = Limits { bytes_max: self.limits.message_bytes, elements_max, ..single };
        let now = self.environment.now();
        translate::receive(raw, &limits, &self.directory.current(), &self.bic, now)
    }

    /// Recognises a repetition, or reads and prepares the message.
    pub(super) fn first_look(&self, entry: Entry, raw: Bytes) -> Result<Outcome, ReceiveError> {
        if let Some(answer) = self.stored_answer(&entry.key)? {
            return Ok(Outcome::Repeated { entry, answer });
        }
        let received = self.translate(&raw);
        if let Received::Payments(payments) = &received
            && payments.transactions.iter().any(|payment| {
                payment.result.as_ref().is_err_and(|findings| {
                    findings.iter().any(|finding| DIRECTORY_RULES.contains(&finding.rule))
                })
            })
        {
            return Ok(Outcome::UnknownName { entry, raw });
        }
        self.prepare(entry, raw, received)
    }

    pub(super) fn prepare(
        &self,
        entry: Entry,
        raw: Bytes,
        received: Received,
    ) -> Result<Outcome, ReceiveError> {
        let sequence = self.next_message.fetch_add(1, Ordering::Relaxed);
        let now = self.environment.now();
        let answer = match received {
            Received::Payments(payments) => {
                return self.prepare_payments(entry, sequence, raw, payments);
            }
            Received::Unreadable { findings, answer_reference } => {
                answer::unreadable(&findings, answer_reference.as_deref(), now)
            }
            Received::Other { name, answer_reference } => {
                answer::not_supported(&name, answer_reference.as_deref(), now)
            }
        };
        let row = MessageRow {
            key: entry.key,
            received_ns: now.0,
            context: None,
            transactions: Vec::new(),
            raw,
        };
        let message = NewMessage {
            sequence,
            row,
            transfers: Vec::new(),
            named: Vec::new(),
            staged: None,
            answer: Some(answer.clone()),
        };
        Ok(Outcome::Answered { entry, message: Box::new(message), answer })
    }

    fn prepare_payments(
        &self,
        entry: Entry,
        sequence: u64,
        raw: Bytes,
        payments: Payments,
    ) -> Result<Outcome, ReceiveError> {
        let key = entry.key;
        let context = Arc::new(payments.answer_context(self.bic));
        let mut fates = payments.first_fates();
        // Sealed before it is claimed: a claim cannot be taken back once others wait for it.
        let mut ready = Vec::with_capacity(fates.len());
        for (index, payment) in payments.transactions.iter().enumerate() {
            let Ok(instruction) = &payment.result else { continue };
            // One document at a time: all of a bulk file's are many times its size.
            match self.ready(index as u32, instruction, &payments.document(payment.index)) {
                Ok(payment) => ready.push(payment),
                Err(reason) => fates[index] = Fate::Rejected(vec![reason]),
            }
        }
        let rejected = fates.iter().filter(|fate| matches!(fate, Fate::Rejected(_))).count();
        METRICS.payments.with_label_values(&["rejected"]).inc_by(rejected as u64);
        let Some(reservation) = self.book.reserve(ready.len()) else {
            return Err(ReceiveError::Busy);
        };
        let mut transactions: Vec<TransactionRow> =
            fates.iter().cloned().map(TransactionRow::Known).collect();
        self.book.register(entry, sequence, context.clone(), fates);
        let wanted = ready.iter().map(|one| (one.index, one.row.uetr, one.instruction));
        let Claims { new, reopened, after } =
            self.claim_each(sequence, wanted, &mut transactions)?;
        drop(reservation);
        let brought: HashSet<u32> = new.into_iter().collect();
        let mut transfers = Vec::with_capacity(brought.len());
        let mut submissions = Vec::with_capacity(brought.len() + reopened.len());
        for Ready { index, row, .. } in ready {
            if brought.contains(&index) {
                submissions.push(Arc::new(Prepared::of(&row)));
                transfers.push(NewTransfer { index, row });
            }
        }
        submissions.extend(reopened.iter().map(|(_, row)| Arc::new(Prepared::of(row))));
        let named = payments
            .transactions
            .iter()
            .filter(|payment| !brought.contains(&(payment.index as u32)))
            .filter_map(|payment| payment.id)
            .collect();
        // Nothing to wait for: the answer goes into the same commit.
        let now = self.environment.now();
        let answer = self
            .book
            .settled_at_once(sequence)
            .map(|finished| answer::report(&key, &finished.context, &finished.fates, now));
        let row = MessageRow {
            key,
            received_ns: now.0,
            context: Some(Arc::unwrap_or_clone(context)),
            transactions,
            raw,
        };
        let message =
            Box::new(NewMessage { sequence, row, transfers, named, staged: None, answer });
        Ok(Outcome::Registered { message, submissions, after })
    }

    /// Claims payments (position, id, instruction) for a registered message and notes in
    /// `transactions` what its answer will say of each.
    pub(super) fn claim_each(
        &self,
        sequence: u64,
        payments: impl IntoIterator<Item = (u32, TransferId, Digest)>,
        transactions: &mut [TransactionRow],
    ) -> Result<Claims, ReceiveError> {
        let mut claims = Claims::default();
        let _turn = self.book.turn_to_claim();
        for (index, uetr, instruction) in payments {
            let place = Place { message: sequence, index };
            transactions[index as usize] =
                match self.book.claim(&self.store, uetr, instruction, place)? {
                    Claim::New => {
                        claims.new.push(index);
                        TransactionRow::Payment(place)
                    }
                    Claim::Known(place, _) => {
                        if place.message != sequence {
                            claims.after.push(place.message);
                        }
                        TransactionRow::Payment(place)
                    }
                    Claim::Reopened(place, row) => {
                        claims.reopened.push((place, row));
                        TransactionRow::Payment(place)
                    }
                    Claim::Clash => {
                        TransactionRow::Known(Fate::Refused(wire::ledger::Refusal::DuplicateId))
                    }
                };
        }
        claims.after.sort_unstable();
        claims.after.dedup();
        Ok(claims)
    }

    /// Seals the document of an instruction and writes its command.
    pub(super) fn ready(
        &self,
        index: u32,
        instruction: &Instruction,
        document: &[u8],
    ) -> Result<Ready, Reason> {
        let directory = self.directory.current();
        let Some(bank) = directory.participant(instruction.creditor_bank) else {
            return Err(Reason::new("RC01", "The receiving bank is not known to the network."));
        };
        let reader = Reader { participant: bank.number, key: bank.sealing_key };
        let sealed = self.sealer.seal(instruction.id, document, &[reader]).map_err(|error| {
            tracing::warn!(uetr = %instruction.id, %error, "seal document");
            Reason::new("NARR", "The message cannot be sealed for the receiving bank.")
        })?;
        let transfer = Transfer {
            id: instruction.id,
            legs: Legs::One(instruction.leg),
            document: Some(sealed.commitment()),
            options: None,
        };
        let mut command = Vec::with_capacity(96);
        Command::Transfer(transfer).encode(&mut command);
        let row = TransferRow {
            uetr: instruction.id,
            instruction: instruction_digest(instruction, document),
            command: command.into(),
            salted: sealed.salted,
            sealed: sealed.bytes.into(),
        };
        Ok(Ready { index, instruction: row.instruction, row })
    }
}

/// Tells the repetition of a payment from another payment with its UETR. The command cannot: it
/// commits to sealed bytes, which are random.
fn instruction_digest(instruction: &Instruction, document: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(b"corridor instruction v1\0");
    hasher.update(instruction.id.0);
    hasher.update(instruction.leg.debit.0.to_le_bytes());
    hasher.update(instruction.leg.credit.0.to_le_bytes());
    hasher.update(instruction.leg.amount.minor().to_le_bytes());
    hasher.update(document);
    Digest(hasher.finalize().into())
}

impl AnswerKind {
    /// Whether the message could be read.
    #[must_use]
    pub const fn is_report(self) -> bool {
        !matches!(self, Self::Unreadable)
    }
}
