//! Messages of any size: staged part by part, accepted as a whole.
//!
//! Each part is durable before the next but one is read, and none has an effect: payments are
//! claimed, and the message accepted in one commit, only when its end has been read and its counts
//! and sums are right. A crash before that commit leaves nothing but staged rows, which the next
//! start drops; the sender was told nothing and sends again. After it the message is open like any
//! other, and its payments are submitted from the store.
//!
//! In memory are one part, and for each transaction what its answer needs: its references, its fate,
//! and the id and digest of its instruction. One bulk message is read at a time.

use std::{
    io::{self, Read},
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use translate::{
    BulkPayment, BulkRefusal, BulkTranslation, Directory, Fate, References, rejected_with_the_group,
};
use wire::ledger::{Digest, TransferId};

use super::{
    Answer, Channel, Claims, Core, Entry, METRICS, MessageKey, MessageRow, NewMessage, NewTransfer,
    Place, ReceiveError, Ticket, TransactionRow, Write, answer,
};
use crate::{
    limits::{BULK_READ_BYTES, BULK_ROOM_INTERVAL, STAGE_BYTES, STAGE_PAYMENTS},
    store::{StagedFate, StagedPart},
};

/// A message that is read piece by piece.
pub struct Bulk {
    /// Its key, of all of its bytes. They are compared with it when they have been read.
    pub key: MessageKey,
    /// Where its bytes come from.
    pub content: Box<dyn Read + Send>,
}

impl Bulk {
    /// The key of what a reader gives, and how many bytes that is; `None` for the key when there are
    /// more than `bytes_max`.
    ///
    /// # Errors
    /// What the reader says.
    pub fn key_of(content: &mut dyn Read, bytes_max: u64) -> io::Result<(Option<MessageKey>, u64)> {
        let mut digest = Sha256::new();
        let mut buffer = vec![0; BULK_READ_BYTES];
        let mut bytes = 0;
        loop {
            let length = content.read(&mut buffer)?;
            if length == 0 {
                return Ok((Some(MessageKey(digest.finalize().into())), bytes));
            }
            bytes += length as u64;
            if bytes > bytes_max {
                return Ok((None, bytes));
            }
            digest.update(&buffer[..length]);
        }
    }
}

/// A message while it is read.
struct Stage {
    core: Arc<Core>,
    directory: Arc<Directory>,
    content: Box<dyn Read + Send>,
    translation: BulkTranslation,
    digest: Sha256,
    sequence: u64,
    parts: u32,
    /// Why it is read no further; the rest of its bytes is only kept.
    refusal: Option<BulkRefusal>,
    staged: Staged,
}

/// What is known of a message's transactions.
#[derive(Default)]
struct Staged {
    references: Vec<References>,
    fates: Vec<Fate>,
    /// Those that are to be paid: position, id, instruction.
    ready: Vec<(u32, TransferId, Digest)>,
    /// Ids of the others.
    named: Vec<TransferId>,
}

/// A message that was read to its end.
enum Ended {
    /// It has no payments; this is its answer.
    Answered(Answer),
    /// It has.
    Payments(Box<translate::AnswerContext>),
}

impl Stage {
    /// The next part; `None` at the end.
    fn next_part(&mut self) -> Result<Option<StagedPart>, ReceiveError> {
        let mut raw = Vec::with_capacity(STAGE_BYTES + BULK_READ_BYTES);
        let mut transfers = Vec::new();
        let mut buffer = vec![0; BULK_READ_BYTES];
        while raw.len() < STAGE_BYTES && transfers.len() < STAGE_PAYMENTS {
            let length = self.content.read(&mut buffer).map_err(|error| {
                tracing::warn!(%error, "read bulk message");
                ReceiveError::Dropped
            })?;
            if length == 0 {
                break;
            }
            let bytes = &buffer[..length];
            self.digest.update(bytes);
            raw.extend_from_slice(bytes);
            self.translation.push(bytes);
            while self.refusal.is_none() {
                match self.translation.next_payment(&self.directory) {
                    Ok(None) => break,
                    Ok(Some(payment)) => self.take(payment, &mut transfers),
                    Err(refusal) => self.refusal = Some(refusal),
                }
            }
        }
        if raw.is_empty() {
            return Ok(None);
        }
        let number = self.parts;
        self.parts += 1;
        let raw = Bytes::from(raw);
        Ok(Some(StagedPart { sequence: self.sequence, number, raw, transfers }))
    }

    fn take(&mut self, bulk: BulkPayment, transfers: &mut Vec<NewTransfer>) {
        let index = self.staged.fates.len() as u32;
        let BulkPayment { payment, document } = bulk;
        self.staged.references.push(payment.references);
        let fate = match (&payment.result, document) {
            // Nothing of it will be paid, so nothing is sealed.
            (Ok(_), _) if self.translation.is_rejected() => Fate::Pending,
            (Ok(instruction), Some(document)) => {
                match self.core.ready(index, instruction, &document) {
                    Ok(ready) => {
                        self.staged.ready.push((index, ready.row.uetr, ready.instruction));
                        transfers.push(NewTransfer { index, row: ready.row });
                        Fate::Pending
                    }
                    Err(reason) => Fate::Rejected(vec![reason]),
                }
            }
            (Ok(_), None) => unreachable!("an instruction comes with its document"),
            // The first is the one to repair first; all of them would fill the memory.
            (Err(findings), _) => Fate::rejected(&findings[..findings.len().min(1)]),
        };
        if fate != Fate::Pending {
            self.staged.named.extend(payment.id);
        }
        self.staged.fates.push(fate);
    }

    /// What is known at the end.
    fn end(self, key: MessageKey) -> Result<(Ended, Staged), ReceiveError> {
        let found: [u8; 32] = self.digest.finalize().into();
        if found != key.0 {
            // The file was changed while it was read: it is another message now.
            return Err(ReceiveError::Dropped);
        }
        let now = self.core.environment.now();
        let refusal = match self.refusal {
            Some(refusal) => refusal,
            None => match self.translation.finish() {
                Ok(context) => return Ok((Ended::Payments(Box::new(context)), self.staged)),
                Err(refusal) => refusal,
            },
        };
        let answer = match refusal {
            BulkRefusal::Unreadable { findings, answer_reference } => {
                answer::unreadable(&findings, answer_reference.as_deref(), now)
            }
            BulkRefusal::Other { name, answer_reference } => {
                answer::not_supported(&name, answer_reference.as_deref(), now)
            }
        };
        Ok((Ended::Answered(answer), self.staged))
    }
}

impl Core {
    /// Takes in a message of any size, read piece by piece, and returns at once.
    ///
    /// # Errors
    /// `Busy`; nothing was kept then.
    pub fn receive_bulk(
        self: &Arc<Self>,
        bulk: Bulk,
        channel: Channel,
    ) -> Result<Ticket, ReceiveError> {
        let key = bulk.key;
        self.enter(key, channel, move |core, entry| async move {
            if let Err(error) = core.clone().process_bulk(entry, bulk).await {
                tracing::warn!(message = %key, %error, "give up message");
                core.stop_if_store_failed(&error);
            }
        })
    }

    async fn process_bulk(self: Arc<Self>, entry: Entry, bulk: Bulk) -> Result<(), ReceiveError> {
        let (core, key) = (self.clone(), entry.key);
        let known = self.on_worker(usize::MAX, move || Ok(core.stored_answer(&key)?)).await?;
        if let Some(answer) = known {
            entry.finish(answer);
            return Ok(());
        }
        let turn = self.bulks.acquire().await.map_err(|_| ReceiveError::Dropped)?;
        // Before and not when a name is not known: to read a large message twice costs more.
        self.directory.refresh(&self.node).await;
        let sequence = self.next_message.fetch_add(1, Ordering::Relaxed);
        let (ended, staged) = match self.stage(sequence, bulk).await {
            Ok(staged) => staged,
            Err(error) => {
                self.store.write(Write::Unstage(sequence)).await?;
                return Err(error);
            }
        };
        match ended {
            Ended::Answered(answer) => {
                let dropped = staged.ready.iter().map(|(index, ..)| *index).collect();
                let message = NewMessage {
                    sequence,
                    row: self.bulk_row(key, None, Vec::new()),
                    transfers: Vec::new(),
                    named: Vec::new(),
                    staged: Some(StagedFate { claimed: Vec::new(), dropped }),
                    answer: Some(answer.clone()),
                };
                self.store.write(Write::Accept(Box::new(message))).await?;
                entry.finish(answer);
                Ok(())
            }
            Ended::Payments(context) => {
                let places = self.accept_bulk(entry, sequence, *context, staged).await?;
                // The next one may be read while these wait for the node.
                drop(turn);
                self.submit_stored(places).await
            }
        }
    }

    /// Reads a message to its end and makes its parts durable.
    async fn stage(
        self: &Arc<Self>,
        sequence: u64,
        bulk: Bulk,
    ) -> Result<(Ended, Staged), ReceiveError> {
        let key = bulk.key;
        let mut stage = Stage {
            core: self.clone(),
            directory: self.directory.current(),
            content: bulk.content,
            translation: BulkTranslation::new(self.bic, self.environment.now()),
            digest: Sha256::new(),
            sequence,
            parts: 0,
            refusal: None,
            staged: Staged::default(),
        };
        let mut writing = None;
        loop {
            // One part is written while the next is read.
            let (next, part) = self
                .on_worker(STAGE_BYTES, move || {
                    let part = stage.next_part();
                    Ok((stage, part))
                })
                .await?;
            stage = next;
            let queued = match part? {
                Some(part) => Some(self.store.enqueue(Write::Stage(part)).await?),
                None => None,
            };
            let end = queued.is_none();
            if let Some(before) = std::mem::replace(&mut writing, queued) {
                before.done().await?;
            }
            if end {
                return self.on_worker(STAGE_BYTES, move || stage.end(key)).await;
            }
        }
    }

    fn bulk_row(
        &self,
        key: MessageKey,
        context: Option<translate::AnswerContext>,
        transactions: Vec<TransactionRow>,
    ) -> MessageRow {
        let received_ns = self.environment.now().0;
        MessageRow { key, received_ns, context, transactions, raw: Bytes::new() }
    }

    /// Claims the payments of a staged message and accepts it. Returns those that are to be submitted.
    async fn accept_bulk(
        self: &Arc<Self>,
        entry: Entry,
        sequence: u64,
        mut context: translate::AnswerContext,
        mut staged: Staged,
    ) -> Result<Vec<Place>, ReceiveError> {
        context.transactions = std::mem::take(&mut staged.references);
        let mut dropped: Vec<u32> = Vec::new();
        if !context.group_reasons.is_empty() {
            let reasons = rejected_with_the_group(&context);
            for fate in &mut staged.fates {
                if *fate == Fate::Pending {
                    *fate = Fate::Rejected(reasons.clone());
                }
            }
            dropped.extend(staged.ready.drain(..).map(|(index, ..)| index));
        }
        let rejected = staged.fates.iter().filter(|fate| **fate != Fate::Pending).count();
        METRICS.payments.with_label_values(&["rejected"]).inc_by(rejected as u64);
        let reservation = loop {
            match self.book.reserve_bulk(staged.ready.len()) {
                Some(reservation) => break reservation,
                None => tokio::time::sleep(BULK_ROOM_INTERVAL).await,
            }
        };
        let core = self.clone();
        let (message, places, after) = self
            .on_worker(usize::MAX, move || {
                let key = entry.key;
                let context = Arc::new(context);
                let mut transactions: Vec<TransactionRow> =
                    staged.fates.iter().cloned().map(TransactionRow::Known).collect();
                core.book.register(entry, sequence, context.clone(), staged.fates);
                let Claims { new, reopened, after } =
                    core.claim_each(sequence, staged.ready.iter().copied(), &mut transactions)?;
                drop(reservation);
                let mut new_ones = new.iter().copied().peekable();
                let mut claimed = Vec::with_capacity(new.len());
                for (index, uetr, _) in staged.ready {
                    match new_ones.next_if_eq(&index) {
                        Some(_) => claimed.push((index, uetr)),
                        None => dropped.push(index),
                    }
                }
                let mut places: Vec<Place> =
                    new.iter().map(|index| Place { message: sequence, index: *index }).collect();
                places.extend(reopened.into_iter().map(|(place, _)| place));
                // Nothing to wait for: the answer goes into the same commit.
                let now = core.environment.now();
                let answer = core.book.settled_at_once(sequence);
                let answer = answer
                    .map(|finished| answer::report(&key, &finished.context, &finished.fates, now));
                let context = Arc::unwrap_or_clone(context);
                let message = NewMessage {
                    sequence,
                    row: core.bulk_row(key, Some(context), transactions),
                    transfers: Vec::new(),
                    named: staged.named,
                    staged: Some(StagedFate { claimed, dropped }),
                    answer,
                };
                Ok((Box::new(message), places, after))
            })
            .await?;
        let answer = message.answer.clone();
        self.book.wait_accepted(&after).await;
        self.store.write(Write::Accept(message)).await?;
        if let Some(answer) = answer {
            self.book.finish(sequence, answer);
            return Ok(places);
        }
        if let Some(finished) = self.book.accepted(sequence) {
            self.settle(Vec::new(), vec![finished]).await?;
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests;
