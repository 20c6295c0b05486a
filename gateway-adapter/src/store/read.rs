//! Reads: each in its own snapshot of the last commit, on whatever thread asks. They block on the
//! disk when a page is not cached, so callers on async threads hand them to a blocking one.

use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};
use translate::Fate;
use wire::client::Cursor;
use wire::ledger::TransferId;

use super::{
    Answer, Arrived, DocumentProof, MessageKey, MessageRow, OutboxEntry, OutboxReader, Place,
    Store, StoreError, TransferRow, WantedReceipt, row,
    tables::{
        ANSWERS, ARRIVED, KEYS, MESSAGES, META, META_CURSOR, NAMED, OPEN, OUTBOX, OUTCOMES, PIECES,
        RECEIPTS, TRANSFERS, UETRS,
    },
};
use crate::vault::Vault;

pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Read(Arc::new(error.into()))
}

/// The next message's sequence number and the last outbox entry's.
pub(super) fn ends(database: &Database) -> Result<(u64, u64), StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let messages = transaction.open_table(MESSAGES).map_err(failed)?;
    let outbox = transaction.open_table(OUTBOX).map_err(failed)?;
    let message = messages.last().map_err(failed)?.map_or(1, |(key, _)| key.value() + 1);
    let entry = outbox.last().map_err(failed)?.map_or(0, |(key, _)| key.value());
    Ok((message, entry))
}

pub(super) fn delivery_cursor(database: &Database) -> Result<Cursor, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let meta = transaction.open_table(META).map_err(failed)?;
    match meta.get(META_CURSOR).map_err(failed)? {
        None => Ok(Cursor::default()),
        Some(bytes) => Cursor::decode(Bytes::copy_from_slice(bytes.value()))
            .map_err(|_| StoreError::Corrupt("delivery cursor")),
    }
}

impl Store {
    pub(super) fn begin(&self) -> Result<redb::ReadTransaction, StoreError> {
        self.shared.database.begin_read().map_err(failed)
    }

    /// The sequence number of the message with this content.
    ///
    /// # Errors
    /// When the store cannot be read, as for all reads here.
    pub fn find_message(&self, key: &MessageKey) -> Result<Option<u64>, StoreError> {
        let table = self.begin()?.open_table(KEYS).map_err(failed)?;
        Ok(table.get(&key.0).map_err(failed)?.map(|sequence| sequence.value()))
    }

    /// The bytes of a message that was not staged; `None` when there are none, or no key any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn raw_message(&self, sequence: u64) -> Result<Option<Bytes>, StoreError> {
        let table = self.begin()?.open_table(MESSAGES).map_err(failed)?;
        let row = table.get(sequence).map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let (_, kept) = MessageRow::decode(row.value())?;
        Ok(kept.text(self.vault(), 0)?.map(|unlocked| unlocked.text))
    }

    /// A stored message, without its bytes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn message(&self, sequence: u64) -> Result<Option<MessageRow>, StoreError> {
        let table = self.begin()?.open_table(MESSAGES).map_err(failed)?;
        let row = table.get(sequence).map_err(failed)?;
        let row = row.map(|row| MessageRow::decode(row.value())).transpose()?;
        Ok(row.map(|(row, _)| row))
    }

    /// A piece of a message that was staged, from 0; empty when its key is destroyed; `None` after the last one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn piece(&self, sequence: u64, number: u32) -> Result<Option<Bytes>, StoreError> {
        let table = self.begin()?.open_table(PIECES).map_err(failed)?;
        let row = table.get((sequence, number)).map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let kept = row::decode_piece(row.value())?;
        Ok(Some(kept.text(self.vault(), 0)?.map_or_else(Bytes::new, |unlocked| unlocked.text)))
    }

    /// The answer to a message.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answer(&self, sequence: u64) -> Result<Option<Answer>, StoreError> {
        let table = self.begin()?.open_table(ANSWERS).map_err(failed)?;
        let row = table.get(sequence).map_err(failed)?;
        row.map(|row| Answer::decode(row.value())).transpose()
    }

    /// Where the payment with this UETR stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn find_payment(&self, uetr: &TransferId) -> Result<Option<Place>, StoreError> {
        let table = self.begin()?.open_table(UETRS).map_err(failed)?;
        let place = table.get(&uetr.0).map_err(failed)?;
        Ok(place.map(|place| {
            let (message, index) = place.value();
            Place { message, index }
        }))
    }

    /// The first message with a transaction of this UETR that brought no payment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn find_named(&self, uetr: &TransferId) -> Result<Option<u64>, StoreError> {
        let table = self.begin()?.open_table(NAMED).map_err(failed)?;
        Ok(table.get(&uetr.0).map_err(failed)?.map(|sequence| sequence.value()))
    }

    /// A prepared payment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn payment(&self, place: Place) -> Result<Option<TransferRow>, StoreError> {
        let table = self.begin()?.open_table(TRANSFERS).map_err(failed)?;
        let row = table.get((place.message, place.index)).map_err(failed)?;
        row.map(|row| TransferRow::decode(row.value())).transpose()
    }

    /// The final fate of a payment; `None` while it has none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fate(&self, place: Place) -> Result<Option<Fate>, StoreError> {
        let table = self.begin()?.open_table(OUTCOMES).map_err(failed)?;
        let row = table.get((place.message, place.index)).map_err(failed)?;
        row.map(|row| row::decode_fate(row.value())).transpose()
    }

    /// Messages without an answer, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open_messages(&self) -> Result<Vec<u64>, StoreError> {
        let table = self.begin()?.open_table(OPEN).map_err(failed)?;
        let rows = table.iter().map_err(failed)?;
        rows.map(|row| row.map(|(sequence, _)| sequence.value()).map_err(failed)).collect()
    }

    /// Outbox entries after `after`, at most `count_max` of them and, but for the first, at most
    /// `bytes_max` bytes of messages.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbox(
        &self,
        after: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, OutboxEntry)>, StoreError> {
        let table = self.begin()?.open_table(OUTBOX).map_err(failed)?;
        let mut entries = Vec::new();
        let mut bytes = 0;
        let Some(first) = after.checked_add(1) else { return Ok(entries) };
        for row in table.range(first..).map_err(failed)?.take(count_max) {
            let (sequence, row) = row.map_err(failed)?;
            let (entry, _) = OutboxEntry::decode(row.value(), self.vault())?;
            bytes += entry.content.len();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push((sequence.value(), entry));
        }
        Ok(entries)
    }

    /// One entry of the outbox.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbox_entry(&self, sequence: u64) -> Result<Option<OutboxEntry>, StoreError> {
        let table = self.begin()?.open_table(OUTBOX).map_err(failed)?;
        let row = table.get(sequence).map_err(failed)?;
        let row = row.map(|row| OutboxEntry::decode(row.value(), self.vault())).transpose()?;
        Ok(row.map(|(entry, _)| entry))
    }

    fn vault(&self) -> Option<&Vault> {
        self.shared.vault.as_deref()
    }

    /// The document of a payment to this bank with what proves it; `None` when there is none, or no key any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn document(
        &self,
        uetr: &TransferId,
    ) -> Result<Option<(OutboxEntry, DocumentProof)>, StoreError> {
        let Some(arrived) = self.arrived(uetr)? else { return Ok(None) };
        let table = self.begin()?.open_table(OUTBOX).map_err(failed)?;
        let row = table.get(arrived.entry).map_err(failed)?;
        let row = row.ok_or(StoreError::Corrupt("place of a document"))?;
        let (entry, salt) = OutboxEntry::decode(row.value(), self.vault())?;
        let proof = arrived.salt.or(salt).map(|salt| DocumentProof {
            salt,
            sealed: arrived.sealed,
            generation: arrived.generation,
        });
        Ok(proof.map(|proof| (entry, proof)))
    }

    /// Where the opened document of a payment to this bank is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn arrived(&self, uetr: &TransferId) -> Result<Option<Arrived>, StoreError> {
        let table = self.begin()?.open_table(ARRIVED).map_err(failed)?;
        let row = table.get(&uetr.0).map_err(failed)?;
        row.map(|row| Arrived::decode(row.value())).transpose()
    }

    /// Receipts that the bank is to be sent, after a number, at most `count_max`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn wanted_receipts(
        &self,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<(u64, WantedReceipt)>, StoreError> {
        let table = self.begin()?.open_table(RECEIPTS).map_err(failed)?;
        let rows = table.range(after.saturating_add(1)..).map_err(failed)?.take(count_max);
        rows.map(|row| {
            let (number, row) = row.map_err(failed)?;
            Ok((number.value(), WantedReceipt::decode(row.value())?))
        })
        .collect()
    }

    /// The newest outbox entry that the bank has taken on this way; 0 when none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn acknowledged(&self, reader: OutboxReader) -> Result<u64, StoreError> {
        let table = self.begin()?.open_table(META).map_err(failed)?;
        match table.get(reader.key()).map_err(failed)? {
            None => Ok(0),
            Some(bytes) => bytes
                .value()
                .try_into()
                .map(u64::from_le_bytes)
                .map_err(|_| StoreError::Corrupt("outbox acknowledgement")),
        }
    }

    /// The newest outbox entry that the bank has taken on any way; 0 when none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn taken(&self) -> Result<u64, StoreError> {
        Ok(self.acknowledged(OutboxReader::Http)?.max(self.acknowledged(OutboxReader::Folder)?))
    }

    /// Number of messages ever stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn message_count(&self) -> Result<u64, StoreError> {
        let table = self.begin()?.open_table(MESSAGES).map_err(failed)?;
        table.len().map_err(failed)
    }
}
