//! Rows about evidence: receipts that the bank is to be sent, and what proves a document that was opened.
//!
//! A document is proven by three things beside itself: its salt, which travelled inside the sealed bytes; the digest of
//! those bytes; and the commitment to both in the ledger's record. Salt and digest are kept here, so that one document
//! can be shown to others later without any other.

use bytes::Bytes;
use wire::codec::{CodecError, Reader, put_bytes};
use wire::ledger::{Digest, LedgerTime, TransferId};
use wire::limits::BATCH_BYTES_MAX;

use super::{OutboxEntry, Place, StoreError};

const VERSION: u8 = 1;
/// As version 1, without the salt, which is locked with the document, and with the sealing key that opened it.
const VERSION_LOCKED: u8 = 2;

/// A receipt that the bank is to be sent once it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedReceipt {
    /// Of a payment that the bank sent.
    Paid {
        /// The payment.
        uetr: TransferId,
        /// Where it stands.
        place: Place,
        /// When it settled.
        settled: LedgerTime,
    },
    /// Of a payment to the bank.
    Credited {
        /// The payment.
        uetr: TransferId,
        /// Canonical bytes of its command.
        command: Bytes,
        /// Leaf that says that it settled.
        leaf: u64,
        /// When it settled.
        settled: LedgerTime,
    },
}

/// What is kept of an opened document beside its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentProof {
    /// The salt of its digest.
    pub salt: [u8; 16],
    /// SHA-256 of the sealed bytes that it came in.
    pub sealed: Digest,
    /// Generation of the sealing key that opened it.
    pub generation: u32,
}

/// Where an opened document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its entry of the outbox.
    pub entry: u64,
    /// The salt, of a document that is stored in clear; otherwise it is locked with it.
    pub salt: Option<[u8; 16]>,
    /// SHA-256 of the sealed bytes that it came in.
    pub sealed: Digest,
    /// Generation of the sealing key that opened it; 0 where that was not noted.
    pub generation: u32,
}

/// An entry for the outbox with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The entry.
    pub entry: OutboxEntry,
    /// Of an entry that is an opened document.
    pub proof: Option<DocumentProof>,
    /// The receipt that is to follow.
    pub receipt: Option<WantedReceipt>,
}

impl From<OutboxEntry> for Delivered {
    fn from(entry: OutboxEntry) -> Self {
        Self { entry, proof: None, receipt: None }
    }
}

fn reader(bytes: &[u8], what: &'static str) -> Result<Reader, StoreError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    match reader.u8(what) {
        Ok(VERSION) => Ok(reader),
        _ => Err(StoreError::Corrupt(what)),
    }
}

impl WantedReceipt {
    /// The payment.
    #[must_use]
    pub const fn uetr(&self) -> TransferId {
        match self {
            Self::Paid { uetr, .. } | Self::Credited { uetr, .. } => *uetr,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Self::Paid { uetr, place, settled } => {
                out.push(1);
                out.extend_from_slice(&uetr.0);
                out.extend_from_slice(&place.message.to_le_bytes());
                out.extend_from_slice(&place.index.to_le_bytes());
                out.extend_from_slice(&settled.0.to_le_bytes());
            }
            Self::Credited { uetr, command, leaf, settled } => {
                out.push(2);
                out.extend_from_slice(&uetr.0);
                put_bytes(&mut out, command);
                out.extend_from_slice(&leaf.to_le_bytes());
                out.extend_from_slice(&settled.0.to_le_bytes());
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = reader(bytes, "wanted receipt")?;
        let mut read = || -> Result<Self, CodecError> {
            let kind = reader.u8("kind")?;
            let uetr = TransferId(reader.array("uetr")?);
            let wanted = match kind {
                1 => Self::Paid {
                    uetr,
                    place: Place { message: reader.u64("message")?, index: reader.u32("index")? },
                    settled: LedgerTime(reader.u64("settled")?),
                },
                2 => Self::Credited {
                    uetr,
                    command: reader.bytes(BATCH_BYTES_MAX, "command")?,
                    leaf: reader.u64("leaf")?,
                    settled: LedgerTime(reader.u64("settled")?),
                },
                other => {
                    let field = "kind of wanted receipt";
                    return Err(CodecError::Unknown { field, value: u64::from(other) });
                }
            };
            Ok(wanted)
        };
        let wanted = read().map_err(|_| StoreError::Corrupt("wanted receipt"))?;
        reader.end().map_err(|_| StoreError::Corrupt("wanted receipt"))?;
        Ok(wanted)
    }
}

impl Arrived {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![if self.salt.is_some() { VERSION } else { VERSION_LOCKED }];
        out.extend_from_slice(&self.entry.to_le_bytes());
        if let Some(salt) = &self.salt {
            out.extend_from_slice(salt);
        }
        out.extend_from_slice(&self.sealed.0);
        if self.salt.is_none() {
            out.extend_from_slice(&self.generation.to_le_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
        let mut read = || -> Result<Self, CodecError> {
            let field = "place of a document";
            let locked = match reader.u8(field)? {
                VERSION => false,
                VERSION_LOCKED => true,
                other => return Err(CodecError::Unknown { field, value: u64::from(other) }),
            };
            let entry = reader.u64("entry")?;
            let salt = if locked { None } else { Some(reader.array("salt")?) };
            let sealed = Digest(reader.array("sealed digest")?);
            let generation = if locked { reader.u32("generation")? } else { 0 };
            Ok(Self { entry, salt, sealed, generation })
        };
        let arrived = read().map_err(|_| StoreError::Corrupt("place of a document"))?;
        reader.end().map_err(|_| StoreError::Corrupt("place of a document"))?;
        Ok(arrived)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_part_of_it() {
        let (uetr, settled) = (TransferId([1; 16]), LedgerTime(2));
        let place = Place { message: 3, index: 4 };
        let command = Bytes::from_static(b"command");
        for wanted in [
            WantedReceipt::Paid { uetr, place, settled },
            WantedReceipt::Credited { uetr, command, leaf: 5, settled },
        ] {
            let bytes = wanted.encode();
            assert_eq!(WantedReceipt::decode(&bytes).unwrap(), wanted);
            for length in 0..bytes.len() {
                assert!(WantedReceipt::decode(&bytes[..length]).is_err());
            }
        }
        for (salt, generation) in [(Some([6; 16]), 0), (None, 3)] {
            let arrived = Arrived { entry: 8, salt, sealed: Digest([7; 32]), generation };
            let bytes = arrived.encode();
            assert_eq!(Arrived::decode(&bytes).unwrap(), arrived);
            for length in 0..bytes.len() {
                assert!(Arrived::decode(&bytes[..length]).is_err());
            }
        }
    }
}
