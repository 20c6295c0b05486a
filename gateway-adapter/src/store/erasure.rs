//! Rows about erasure: what was ordered, what is destroyed, and where that is certified. And the search for all copies.
//!
//! The order is durable before a key is touched, and the certificate's bytes before they are submitted: whatever ends in
//! between, the next start goes on, and the ledger gets the same certificate once.

use bytes::Bytes;
use redb::{ReadableDatabase as _, ReadableTable as _};
use wire::codec::{CodecError, Reader, put_bytes};
use wire::ledger::{LedgerTime, TransferId};
use wire::limits::BATCH_BYTES_MAX;

use super::{
    Arrived, MessageKey, MessageRow, OutboxEntry, Place, Store, StoreError,
    read::failed,
    row,
    tables::{ARRIVED, ERASED, MESSAGES, OPEN, OUTBOX, PIECES},
};

const VERSION: u8 = 1;
const TEXT_BYTES_MAX: usize = 256;

/// How far an erasure has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureStage {
    /// Ordered; its keys may be there or not.
    Ordered,
    /// Its keys are destroyed; these canonical bytes certify it.
    Destroyed(Bytes),
    /// The certificate is in the ledger.
    Certified {
        /// Its leaf.
        leaf: u64,
        /// Ledger time of its block.
        time: LedgerTime,
    },
}

/// The erasure of one payment's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Id of the certificate.
    pub id: TransferId,
    /// Who ordered it.
    pub by: String,
    /// On what ground.
    pub ground: String,
    /// How far it has come.
    pub stage: ErasureStage,
}

impl Erasure {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.id.0);
        put_bytes(&mut out, self.by.as_bytes());
        put_bytes(&mut out, self.ground.as_bytes());
        match &self.stage {
            ErasureStage::Ordered => out.push(1),
            ErasureStage::Destroyed(command) => {
                out.push(2);
                put_bytes(&mut out, command);
            }
            ErasureStage::Certified { leaf, time } => {
                out.push(3);
                out.extend_from_slice(&leaf.to_le_bytes());
                out.extend_from_slice(&time.0.to_le_bytes());
            }
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        const WHAT: &str = "erasure";
        let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
        let mut read = || -> Result<Self, CodecError> {
            let unknown = |field, value: u8| CodecError::Unknown { field, value: value.into() };
            match reader.u8("version")? {
                VERSION => {}
                other => return Err(unknown("version", other)),
            }
            let id = TransferId(reader.array("id")?);
            let by = reader.text(TEXT_BYTES_MAX, "by")?;
            let ground = reader.text(TEXT_BYTES_MAX, "ground")?;
            let stage = match reader.u8("stage")? {
                1 => ErasureStage::Ordered,
                2 => ErasureStage::Destroyed(reader.bytes(BATCH_BYTES_MAX, "certificate")?),
                3 => ErasureStage::Certified {
                    leaf: reader.u64("leaf")?,
                    time: LedgerTime(reader.u64("time")?),
                },
                other => return Err(unknown("stage", other)),
            };
            Ok(Self { id, by, ground, stage })
        };
        let erasure = read().map_err(|_| StoreError::Corrupt(WHAT))?;
        reader.end().map_err(|_| StoreError::Corrupt(WHAT))?;
        Ok(erasure)
    }
}

/// A copy of a document that a payment brought to this bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedCopy {
    /// Where it is, and what is kept beside it.
    pub arrived: Arrived,
    /// Slot of its key; `None` when it is stored in clear.
    pub slot: Option<u64>,
}

/// A message of this bank that names the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCopy {
    /// Its sequence number.
    pub sequence: u64,
    /// Its content's name.
    pub key: MessageKey,
    /// Transactions in it.
    pub transactions: usize,
    /// Whether it waits for an answer.
    pub open: bool,
    /// Bytes of it, as received.
    pub bytes: u64,
    /// Slots of its keys; `None` for a part that is stored in clear.
    pub slots: Vec<Option<u64>>,
}

/// All that the store holds of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// As it arrived.
    pub arrived: Option<ArrivedCopy>,
    /// As it was sent, and sent again.
    pub sent: Vec<SentCopy>,
}

impl Store {
    /// The erasure of a payment's document, if one was ordered.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn erasure(&self, uetr: &TransferId) -> Result<Option<Erasure>, StoreError> {
        let table = self.begin()?.open_table(ERASED).map_err(failed)?;
        let row = table.get(&uetr.0).map_err(failed)?;
        row.map(|row| Erasure::decode(row.value())).transpose()
    }

    /// Payments whose erasure is ordered and not certified yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn erasures_under_way(&self) -> Result<Vec<TransferId>, StoreError> {
        let table = self.begin()?.open_table(ERASED).map_err(failed)?;
        let mut under_way = Vec::new();
        for row in table.iter().map_err(failed)? {
            let (uetr, row) = row.map_err(failed)?;
            if !matches!(Erasure::decode(row.value())?.stage, ErasureStage::Certified { .. }) {
                under_way.push(TransferId(*uetr.value()));
            }
        }
        Ok(under_way)
    }

    /// Every copy of a payment's document in this store. Looks at each message that was ever taken in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn copies(&self, uetr: &TransferId) -> Result<Copies, StoreError> {
        let payment = self.find_payment(uetr)?;
        let transaction = self.shared.database.begin_read().map_err(failed)?;
        let mut copies = Copies::default();
        let arrived = transaction.open_table(ARRIVED).map_err(failed)?;
        if let Some(row) = arrived.get(&uetr.0).map_err(failed)? {
            let arrived = Arrived::decode(row.value())?;
            let outbox = transaction.open_table(OUTBOX).map_err(failed)?;
            let entry = outbox.get(arrived.entry).map_err(failed)?;
            let entry = entry.ok_or(StoreError::Corrupt("place of a document"))?;
            let (_, kept) = OutboxEntry::decode_kept(entry.value())?;
            copies.arrived = Some(ArrivedCopy { arrived, slot: kept.slot() });
        }
        let (messages, pieces, open) = (
            transaction.open_table(MESSAGES).map_err(failed)?,
            transaction.open_table(PIECES).map_err(failed)?,
            transaction.open_table(OPEN).map_err(failed)?,
        );
        for row in messages.iter().map_err(failed)? {
            let (sequence, row) = row.map_err(failed)?;
            let (sequence, (message, kept)) = (sequence.value(), MessageRow::decode(row.value())?);
            if !message.names(uetr, payment) {
                continue;
            }
            let (mut slots, mut bytes) = (Vec::new(), kept.size());
            if bytes > 0 {
                slots.push(kept.slot());
            }
            for piece in pieces.range((sequence, 0)..=(sequence, u32::MAX)).map_err(failed)? {
                let (_, piece) = piece.map_err(failed)?;
                let piece = row::decode_piece(piece.value())?;
                bytes += piece.size();
                slots.push(piece.slot());
            }
            copies.sent.push(SentCopy {
                sequence,
                key: message.key,
                transactions: message.transactions.len(),
                bytes: bytes as u64,
                open: open.get(sequence).map_err(failed)?.is_some(),
                slots,
            });
        }
        Ok(copies)
    }

    /// Destroys the keys of these slots; when this returns, they are gone from the file.
    ///
    /// # Errors
    /// When that cannot be done or is not found to be done.
    pub fn destroy(&self, slots: &[u64]) -> Result<(), StoreError> {
        let vault = self.shared.vault.as_ref().ok_or(StoreError::Corrupt("file of keys"))?;
        slots.iter().try_for_each(|slot| {
            vault.destroy(*slot).map_err(|error| StoreError::Failed(error.to_string().into()))
        })
    }
}

impl MessageRow {
    /// Whether the message has a transaction of this UETR, or one that stands for its payment.
    fn names(&self, uetr: &TransferId, payment: Option<Place>) -> bool {
        let is_payment = |place: &Place| Some(*place) == payment;
        let text = uetr.to_string();
        let references = self.context.iter().flat_map(|context| &context.transactions);
        self.transactions.iter().any(|transaction| match transaction {
            super::TransactionRow::Payment(place) => is_payment(place),
            super::TransactionRow::Known(_) => false,
        }) || references
            .filter_map(|one| one.uetr.as_deref())
            .any(|named| named.eq_ignore_ascii_case(&text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_part_of_it() {
        let stages = [
            ErasureStage::Ordered,
            ErasureStage::Destroyed(Bytes::from_static(b"certificate")),
            ErasureStage::Certified { leaf: 7, time: LedgerTime(8) },
        ];
        for stage in stages {
            let id = TransferId([1; 16]);
            let erasure = Erasure { id, by: "officer".into(), ground: "why".into(), stage };
            let bytes = erasure.encode();
            assert_eq!(Erasure::decode(&bytes).unwrap(), erasure);
            for length in 0..bytes.len() {
                assert!(Erasure::decode(&bytes[..length]).is_err(), "{length}");
            }
        }
    }
}
