//! The writer: one thread, one transaction for all that waits, one durable commit.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use redb::{Database, ReadableTable as _, Table};
use tokio::sync::{mpsc, watch};
use translate::Fate;
use wire::{client::Cursor, ledger::TransferId};

use super::{
    Answer, Arrived, Delivered, Erasure, MessageRow, OutboxEntry, Place, Request, StoreError,
    TransferRow, WantedReceipt, row,
    tables::{
        ANSWERS, ARRIVED, ERASED, KEYS, MESSAGES, META, META_ACKNOWLEDGED, META_CURSOR,
        META_WRITTEN, NAMED, OPEN, OUTBOX, OUTCOMES, PIECES, RECEIPTS, STAGED, TRANSFERS, UETRS,
    },
};
use crate::{environment::Simulation, limits::COMMIT_WRITES_MAX, metrics, vault::Vault};

/// A payment that this message brings.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// Position of its transaction, from 0.
    pub index: u32,
    /// The payment.
    pub row: TransferRow,
}

/// A message with all that was prepared for it.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its sequence number, used for no other message.
    pub sequence: u64,
    /// The message.
    pub row: MessageRow,
    /// Payments to be submitted, only those that are new.
    pub transfers: Vec<NewTransfer>,
    /// Ids of its other transactions, as far as they have one.
    pub named: Vec<TransferId>,
    /// What becomes of what was staged for it; `None` when nothing was.
    pub staged: Option<StagedFate>,
    /// The answer, when it is known already.
    pub answer: Option<Answer>,
}

/// A part of a message that is too large to be written at once. It has no effect until the message
/// is accepted.
#[derive(Clone, Debug)]
pub struct StagedPart {
    /// Sequence number of the message.
    pub sequence: u64,
    /// Number of the part, from 0.
    pub number: u32,
    /// These bytes of the message as received.
    pub raw: Bytes,
    /// Payments that were prepared of them.
    pub transfers: Vec<NewTransfer>,
}

/// What becomes of staged payments when their message is accepted.
#[derive(Clone, Debug, Default)]
pub struct StagedFate {
    /// Payments to be submitted, by position.
    pub claimed: Vec<(u32, TransferId)>,
    /// Positions of those that are dropped: not to be paid, or paid by another message.
    pub dropped: Vec<u32>,
}

/// What the ledger answered, and the messages that are answered by it.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// Fates of payments, all final.
    pub fates: Vec<(Place, Fate)>,
    /// Answers of messages whose last payment was among them.
    pub answers: Vec<(u64, Answer)>,
    /// Receipts that the bank is to be sent for them.
    pub receipts: Vec<WantedReceipt>,
}

/// A way on which the bank takes its outbox. Each has a place of its own, so that a credit that
/// was taken on one is not missing on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxReader {
    /// The HTTP API.
    Http,
    /// The folder.
    Folder,
}

impl OutboxReader {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Http => META_ACKNOWLEDGED,
            Self::Folder => META_WRITTEN,
        }
    }
}

/// One change of the store. Each is performed as a whole or not at all.
#[derive(Clone, Debug)]
pub enum Write {
    /// A message has arrived.
    Accept(Box<NewMessage>),
    /// A part of a large message has arrived.
    Stage(StagedPart),
    /// A large message is not accepted after all.
    Unstage(u64),
    /// The ledger has answered.
    Settle(Settlement),
    /// Credits have arrived; everything up to the cursor was searched for them.
    Deliver(Vec<Delivered>, Cursor),
    /// Receipts have become messages: the entries, and the numbers of the wanted ones that they are.
    Receipts(Vec<OutboxEntry>, Vec<u64>),
    /// The bank has taken all outbox entries up to this one over this way.
    Acknowledge(OutboxReader, u64),
    /// How far the erasure of a payment's document has come.
    Erase(TransferId, Erasure),
}

pub(super) fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut tables = Tables::open(&transaction, None)?;
        // Whoever sent these was told nothing, and sends them again.
        let staged = tables.staged.iter()?.map(|row| row.map(|(sequence, _)| sequence.value()));
        for sequence in staged.collect::<Result<Vec<u64>, _>>()? {
            tables.unstage(sequence)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

struct Tables<'t> {
    keys: Table<'t, &'static [u8; 32], u64>,
    uetrs: Table<'t, &'static [u8; 16], (u64, u32)>,
    named: Table<'t, &'static [u8; 16], u64>,
    messages: Table<'t, u64, &'static [u8]>,
    transfers: Table<'t, (u64, u32), &'static [u8]>,
    outcomes: Table<'t, (u64, u32), &'static [u8]>,
    answers: Table<'t, u64, &'static [u8]>,
    open: Table<'t, u64, ()>,
    staged: Table<'t, u64, ()>,
    pieces: Table<'t, (u64, u32), &'static [u8]>,
    outbox: Table<'t, u64, &'static [u8]>,
    receipts: Table<'t, u64, &'static [u8]>,
    arrived: Table<'t, &'static [u8; 16], &'static [u8]>,
    erased: Table<'t, &'static [u8; 16], &'static [u8]>,
    meta: Table<'t, &'static str, &'static [u8]>,
    /// What documents are locked with.
    vault: Option<&'t Vault>,
}

impl<'t> Tables<'t> {
    fn open(
        transaction: &'t redb::WriteTransaction,
        vault: Option<&'t Vault>,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            keys: transaction.open_table(KEYS)?,
            uetrs: transaction.open_table(UETRS)?,
            named: transaction.open_table(NAMED)?,
            messages: transaction.open_table(MESSAGES)?,
            transfers: transaction.open_table(TRANSFERS)?,
            outcomes: transaction.open_table(OUTCOMES)?,
            answers: transaction.open_table(ANSWERS)?,
            open: transaction.open_table(OPEN)?,
            staged: transaction.open_table(STAGED)?,
            pieces: transaction.open_table(PIECES)?,
            outbox: transaction.open_table(OUTBOX)?,
            receipts: transaction.open_table(RECEIPTS)?,
            arrived: transaction.open_table(ARRIVED)?,
            erased: transaction.open_table(ERASED)?,
            meta: transaction.open_table(META)?,
            vault,
        })
    }

    fn perform(&mut self, write: &Write, outbox_last: &mut u64) -> Result<(), redb::Error> {
        match write {
            Write::Accept(message) => self.accept(message),
            Write::Stage(part) => self.stage(part),
            Write::Unstage(sequence) => self.unstage(*sequence),
            Write::Settle(settlement) => self.settle(settlement),
            Write::Deliver(entries, cursor) => {
                for Delivered { entry, proof, receipt } in entries {
                    *outbox_last += 1;
                    #[cfg(feature = "planted")]
                    if crate::planted::is(crate::planted::LOST_OUTBOX_ROW) && entry.leaf % 16 == 5 {
                        continue;
                    }
                    let lock = self.vault.zip(proof.as_ref().map(|proof| &proof.salt));
                    self.outbox.insert(*outbox_last, entry.encode(lock)?.as_slice())?;
                    if let Some(proof) = proof
                        && self.arrived.get(&entry.uetr.0)?.is_none()
                    {
                        let salt = self.vault.is_none().then_some(proof.salt);
                        let (sealed, generation) = (proof.sealed, proof.generation);
                        let arrived = Arrived { entry: *outbox_last, salt, sealed, generation };
                        self.arrived.insert(&entry.uetr.0, arrived.encode().as_slice())?;
                    }
                    self.want(receipt)?;
                }
                self.meta.insert(META_CURSOR, cursor.encode().as_ref())?;
                Ok(())
            }
            Write::Receipts(entries, done) => {
                for entry in entries {
                    *outbox_last += 1;
                    self.outbox.insert(*outbox_last, entry.encode(None)?.as_slice())?;
                }
                for number in done {
                    self.receipts.remove(number)?;
                }
                Ok(())
            }
            Write::Acknowledge(reader, sequence) => {
                // Never back, and never beyond what exists: the next entries would be skipped.
                let known = match self.meta.get(reader.key())? {
                    Some(bytes) => bytes.value().try_into().map_or(0, u64::from_le_bytes),
                    None => 0,
                };
                let sequence = known.max(*sequence).min(*outbox_last);
                self.meta.insert(reader.key(), sequence.to_le_bytes().as_slice())?;
                Ok(())
            }
            Write::Erase(uetr, erasure) => {
                self.erased.insert(&uetr.0, erasure.encode().as_slice())?;
                Ok(())
            }
        }
    }

    fn accept(&mut self, message: &NewMessage) -> Result<(), redb::Error> {
        let sequence = message.sequence;
        self.keys.insert(&message.row.key.0, sequence)?;
        self.messages.insert(sequence, message.row.encode(self.vault)?.as_slice())?;
        for transfer in &message.transfers {
            let place = (sequence, transfer.index);
            self.uetrs.insert(&transfer.row.uetr.0, place)?;
            self.transfers.insert(place, transfer.row.encode().as_slice())?;
        }
        if let Some(fate) = &message.staged {
            for (index, id) in &fate.claimed {
                self.uetrs.insert(&id.0, (sequence, *index))?;
            }
            for index in &fate.dropped {
                self.transfers.remove((sequence, *index))?;
            }
            self.staged.remove(sequence)?;
        }
        for id in &message.named {
            if self.named.get(&id.0)?.is_none() {
                self.named.insert(&id.0, sequence)?;
            }
        }
        match &message.answer {
            Some(answer) => {
                self.answers.insert(sequence, answer.encode().as_slice())?;
            }
            None => {
                self.open.insert(sequence, ())?;
            }
        }
        Ok(())
    }

    fn stage(&mut self, part: &StagedPart) -> Result<(), redb::Error> {
        self.staged.insert(part.sequence, ())?;
        let place = (part.sequence, part.number);
        self.pieces.insert(place, row::encode_piece(&part.raw, self.vault)?.as_slice())?;
        for transfer in &part.transfers {
            let place = (part.sequence, transfer.index);
            self.transfers.insert(place, transfer.row.encode().as_slice())?;
        }
        Ok(())
    }

    fn unstage(&mut self, sequence: u64) -> Result<(), redb::Error> {
        let all = (sequence, 0)..=(sequence, u32::MAX);
        self.transfers.retain_in(all.clone(), |_, _| false)?;
        self.pieces.retain_in(all, |_, _| false)?;
        self.staged.remove(sequence)?;
        Ok(())
    }

    fn settle(&mut self, settlement: &Settlement) -> Result<(), redb::Error> {
        for (place, fate) in &settlement.fates {
            self.outcomes.insert((place.message, place.index), fate.encode().as_slice())?;
        }
        for (sequence, answer) in &settlement.answers {
            self.answers.insert(sequence, answer.encode().as_slice())?;
            self.open.remove(sequence)?;
        }
        self.want(&settlement.receipts)
    }
}

impl Tables<'_> {
    /// Notes receipts that are to be sent. A number is used again only when no row is left that could be meant.
    fn want<'w>(
        &mut self,
        receipts: impl IntoIterator<Item = &'w WantedReceipt>,
    ) -> Result<(), redb::Error> {
        for wanted in receipts {
            let next = self.receipts.last()?.map_or(1, |(number, _)| number.value() + 1);
            self.receipts.insert(next, wanted.encode().as_slice())?;
        }
        Ok(())
    }
}

pub(super) struct Writer {
    database: Arc<Database>,
    vault: Option<Arc<Vault>>,
    failure: Arc<OnceLock<Arc<str>>>,
    outbox_last: watch::Sender<u64>,
    failed: watch::Sender<bool>,
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        vault: Option<Arc<Vault>>,
        failure: Arc<OnceLock<Arc<str>>>,
        outbox_last: watch::Sender<u64>,
        failed: watch::Sender<bool>,
    ) -> Self {
        Self { database, vault, failure, outbox_last, failed }
    }

    /// Writes until all handles are gone or a write fails.
    pub(super) fn run(self, mut queue: mpsc::Receiver<Request>) {
        let mut requests: Vec<Request> = Vec::new();
        while queue.blocking_recv_many(&mut requests, COMMIT_WRITES_MAX) > 0 {
            let committed = self.commit_timed(&requests);
            if !self.tell(committed, &mut requests) {
                return;
            }
        }
    }

    /// The same as a task, with a disk that takes its time.
    pub(super) async fn run_as_task(
        self,
        mut queue: mpsc::Receiver<Request>,
        simulation: Arc<dyn Simulation>,
    ) {
        let mut requests: Vec<Request> = Vec::new();
        while queue.recv_many(&mut requests, COMMIT_WRITES_MAX).await > 0 {
            tokio::time::sleep(simulation.disk_time()).await;
            let committed = self.commit_timed(&requests);
            tokio::time::sleep(simulation.disk_time()).await;
            if !self.tell(committed, &mut requests) {
                return;
            }
        }
    }

    fn commit_timed(&self, requests: &[Request]) -> Result<u64, redb::Error> {
        let started = std::time::Instant::now();
        let outbox_last = self.commit(requests)?;
        metrics::observe_commit(started.elapsed(), requests.len());
        Ok(outbox_last)
    }

    /// Completes the requests of a commit. False when no further write may be performed.
    fn tell(&self, committed: Result<u64, redb::Error>, requests: &mut Vec<Request>) -> bool {
        match committed {
            Ok(outbox_last) => {
                self.outbox_last
                    .send_if_modified(|last| std::mem::replace(last, outbox_last) != outbox_last);
                for request in requests.drain(..) {
                    // A caller that went away does not change what is durable.
                    let _ = request.done.send(Ok(()));
                }
                true
            }
            Err(error) => {
                let text: Arc<str> = error.to_string().into();
                tracing::error!(error = %text, "write to store; no further writes are taken");
                // Set before anybody is told, so that everybody finds the reason.
                let _ = self.failure.set(text.clone());
                self.failed.send_replace(true);
                for request in requests.drain(..) {
                    let _ = request.done.send(Err(StoreError::Failed(text.clone())));
                }
                false
            }
        }
    }

    fn commit(&self, requests: &[Request]) -> Result<u64, redb::Error> {
        let mut outbox_last = *self.outbox_last.borrow();
        let transaction = self.database.begin_write()?;
        {
            let mut tables = Tables::open(&transaction, self.vault.as_deref())?;
            for request in requests {
                tables.perform(&request.write, &mut outbox_last)?;
            }
        }
        transaction.commit()?;
        Ok(outbox_last)
    }
}
