//! What a row holds, and its bytes: a version, then little-endian fields. Large texts are
//! compressed.

use std::{cell::RefCell, io};

use bytes::Bytes;
use translate::{AnswerContext, Fate};
use wire::codec::{CodecError, Reader, put_bytes};
use wire::ledger::{Digest, Height, LedgerTime, TransferId};
use zstd::bulk::{Compressor, Decompressor};

use super::{
    StoreError,
    kept::{Kept, Unlocked},
};
use crate::vault::Vault;

const VERSION: u8 = 1;
/// As version 1, with the text locked under a key of its own.
const VERSION_LOCKED: u8 = 2;
/// Longest field of a row: above the report on the largest bulk message.
pub(super) const FIELD_BYTES_MAX: usize = 256 << 20;
const COMPRESSION_LEVEL: i32 = 1;
/// Bytes of the salt before a locked document.
const SALT_BYTES: usize = 16;

/// Name of a message's content: SHA-256 of its bytes, whatever channel brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub [u8; 32]);

impl MessageKey {
    /// The key of a message.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        Self(Digest::of(raw).0)
    }
}

impl std::fmt::Display for MessageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Digest(self.0).fmt(f)
    }
}

/// Where a payment stands: a message by its sequence number, and the transaction's position from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The message.
    pub message: u64,
    /// The transaction.
    pub index: u32,
}

/// A transaction of a stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionRow {
    /// Its fate was known when the message was stored.
    Known(Fate),
    /// Its fate is that of the payment at this place, in this message or an earlier one.
    Payment(Place),
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Name of its content.
    pub key: MessageKey,
    /// When it was received, in nanoseconds since the Unix epoch.
    pub received_ns: u64,
    /// What its answer repeats; `None` for a message whose answer was known at once.
    pub context: Option<AnswerContext>,
    /// Its transactions.
    pub transactions: Vec<TransactionRow>,
    /// The message as received; empty for one that was staged, whose bytes are in pieces.
    pub raw: Bytes,
}

/// A prepared payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    /// The UETR.
    pub uetr: TransferId,
    /// Digest of the instruction that the command was made from: tells a repetition from another
    /// payment.
    pub instruction: Digest,
    /// Canonical bytes of the command: never made again, because sealing is random.
    pub command: Bytes,
    /// Digest of the salted document.
    pub salted: Digest,
    /// The sealed document.
    pub sealed: Bytes,
}

/// What kind of message an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswerKind {
    /// A status report (pacs.002) with at least one transaction settled.
    Report = 1,
    /// A status report that refuses all of it.
    Refusal = 2,
    /// A rejection of something that is no readable message (admi.002).
    Unreadable = 3,
}

/// The answer to a message: the same bytes for ever, and what is told beside them to those who wait for it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its kind.
    pub kind: AnswerKind,
    /// Its XML.
    pub xml: Bytes,
    /// Everything that it reports as settled stands in this block or before it. It is not stored: who asks later asks
    /// for the payment.
    pub height: Option<Height>,
}

/// Answers are the same when their bytes are.
impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.xml == other.xml
    }
}

impl Eq for Answer {}

/// What an outbox entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxKind {
    /// An ISO 20022 message of this name, such as `pacs.008.001.08`.
    Message(String),
    /// A note in JSON about a credit whose document cannot be shown.
    Notice,
}

impl OutboxKind {
    /// The name as clients see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message(name) => name,
            Self::Notice => "notice",
        }
    }
}

/// One leg of a settled transfer that credits the bank, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Credit {
    /// BIC of the bank that paid.
    pub debtor: String,
    /// Code of the asset, such as `EUR`.
    pub currency: String,
    /// Decimal text with all decimals of the asset, such as `1234.50`.
    pub amount: String,
}

/// A message for the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// What it is.
    pub kind: OutboxKind,
    /// The payment.
    pub uetr: TransferId,
    /// When the payment settled.
    pub settled: LedgerTime,
    /// When this gateway received it, in nanoseconds since the Unix epoch.
    pub received_ns: u64,
    /// Its leaf in the Merkle log.
    pub leaf: u64,
    /// What it brought the bank, by the ledger and not by the message.
    pub credits: Vec<Credit>,
    /// The message.
    pub content: Bytes,
}

thread_local! {
    // To make one costs more than to use it for a message.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

pub(super) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(compressor) => compressor.compress(bytes),
        None => slot.insert(Compressor::new(COMPRESSION_LEVEL)?).compress(bytes),
    })
}

pub(super) fn decompress(bytes: &[u8], size: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(decompressor) => decompressor.decompress(bytes, size),
        None => slot.insert(Decompressor::new()?).decompress(bytes, size),
    })
}

pub(super) fn put_compressed(out: &mut Vec<u8>, bytes: &[u8]) {
    let compressed =
        compress(bytes).expect("compression into a buffer of the bound's size does not fail");
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    put_bytes(out, &compressed);
}

pub(super) fn read_compressed(
    reader: &mut Reader,
    field: &'static str,
) -> Result<Bytes, CodecError> {
    let size = reader.count(FIELD_BYTES_MAX, field)?;
    let compressed = reader.bytes(FIELD_BYTES_MAX, field)?;
    let plain = decompress(&compressed, size)
        .map_err(|_| CodecError::Unknown { field, value: size as u64 })?;
    Ok(plain.into())
}

fn opened(bytes: &[u8], what: &'static str) -> Result<Reader, StoreError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    match reader.u8(what) {
        Ok(VERSION) => Ok(reader),
        _ => Err(StoreError::Corrupt(what)),
    }
}

/// As [`opened`], of a row whose text may be locked; true when it is.
fn opened_or_locked(bytes: &[u8], what: &'static str) -> Result<(Reader, bool), StoreError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    match reader.u8(what) {
        Ok(VERSION) => Ok((reader, false)),
        Ok(VERSION_LOCKED) => Ok((reader, true)),
        _ => Err(StoreError::Corrupt(what)),
    }
}

/// The stored form of a piece of a message.
pub(super) fn encode_piece(bytes: &[u8], vault: Option<&Vault>) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(64 + bytes.len() / 3);
    match vault {
        None => {
            out.push(VERSION);
            put_compressed(&mut out, bytes);
        }
        Some(vault) => {
            out.push(VERSION_LOCKED);
            Kept::lock(vault, &[], bytes)?.put(&mut out);
        }
    }
    Ok(out)
}

pub(super) fn decode_piece(bytes: &[u8]) -> Result<Kept, StoreError> {
    let damaged = |_| StoreError::Corrupt("piece of a message");
    let (mut reader, locked) = opened_or_locked(bytes, "piece of a message")?;
    let piece = Kept::read(&mut reader, locked, "piece").map_err(damaged)?;
    reader.end().map_err(damaged)?;
    Ok(piece)
}

impl MessageRow {
    pub(super) fn encode(&self, vault: Option<&Vault>) -> io::Result<Vec<u8>> {
        // Of a message that was staged there is nothing here to be locked.
        let vault = vault.filter(|_| !self.raw.is_empty());
        let mut out = Vec::with_capacity(256 + self.raw.len() / 3);
        out.push(if vault.is_some() { VERSION_LOCKED } else { VERSION });
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&self.received_ns.to_le_bytes());
        put_bytes(&mut out, &self.context.as_ref().map_or_else(Vec::new, AnswerContext::encode));
        out.extend_from_slice(&(self.transactions.len() as u32).to_le_bytes());
        for transaction in &self.transactions {
            match transaction {
                TransactionRow::Known(fate) => {
                    out.push(1);
                    put_bytes(&mut out, &fate.encode());
                }
                TransactionRow::Payment(place) => {
                    out.push(2);
                    out.extend_from_slice(&place.message.to_le_bytes());
                    out.extend_from_slice(&place.index.to_le_bytes());
                }
            }
        }
        match vault {
            None => put_compressed(&mut out, &self.raw),
            Some(vault) => Kept::lock(vault, &[], &self.raw)?.put(&mut out),
        }
        Ok(out)
    }

    /// The row without its message, and that.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, Kept), StoreError> {
        let damaged = || StoreError::Corrupt("message");
        let (mut reader, locked) = opened_or_locked(bytes, "message")?;
        let mut read = || -> Result<(Self, Kept), CodecError> {
            let key = MessageKey(reader.array("key")?);
            let received_ns = reader.u64("received")?;
            let field = "answer context";
            let context = match reader.bytes(FIELD_BYTES_MAX, field)? {
                bytes if bytes.is_empty() => None,
                bytes => Some(
                    AnswerContext::decode(&bytes)
                        .map_err(|_| CodecError::Unknown { field, value: 0 })?,
                ),
            };
            let count = reader.count(FIELD_BYTES_MAX, "transactions")?;
            let mut transactions = Vec::with_capacity(count.min(1024));
            for _ in 0..count {
                transactions.push(match reader.u8("transaction")? {
                    1 => TransactionRow::Known(read_fate(&reader.bytes(FIELD_BYTES_MAX, "fate")?)?),
                    2 => TransactionRow::Payment(Place {
                        message: reader.u64("message")?,
                        index: reader.u32("index")?,
                    }),
                    other => {
                        let field = "transaction";
                        return Err(CodecError::Unknown { field, value: u64::from(other) });
                    }
                });
            }
            let raw = Kept::read(&mut reader, locked, "raw message")?;
            Ok((Self { key, received_ns, context, transactions, raw: Bytes::new() }, raw))
        };
        let row = read().map_err(|_| damaged())?;
        reader.end().map_err(|_| damaged())?;
        Ok(row)
    }
}

fn read_fate(bytes: &[u8]) -> Result<Fate, CodecError> {
    Fate::decode(bytes).map_err(|_| CodecError::Unknown { field: "fate", value: 0 })
}

pub(super) fn decode_fate(bytes: &[u8]) -> Result<Fate, StoreError> {
    Fate::decode(bytes).map_err(|_| StoreError::Corrupt("outcome"))
}

impl TransferRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.command.len() + self.sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&self.uetr.0);
        out.extend_from_slice(&self.instruction.0);
        put_bytes(&mut out, &self.command);
        out.extend_from_slice(&self.salted.0);
        put_bytes(&mut out, &self.sealed);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = opened(bytes, "payment")?;
        let mut read = || -> Result<Self, CodecError> {
            Ok(Self {
                uetr: TransferId(reader.array("uetr")?),
                instruction: Digest(reader.array("instruction")?),
                command: reader.bytes(FIELD_BYTES_MAX, "command")?,
                salted: Digest(reader.array("salted digest")?),
                sealed: reader.bytes(FIELD_BYTES_MAX, "sealed document")?,
            })
        };
        let row = read().map_err(|_| StoreError::Corrupt("payment"))?;
        reader.end().map_err(|_| StoreError::Corrupt("payment"))?;
        Ok(row)
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.xml.len());
        out.push(VERSION);
        out.push(self.kind as u8);
        put_compressed(&mut out, &self.xml);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = opened(bytes, "answer")?;
        let mut read = || -> Result<Self, CodecError> {
            let kind = match reader.u8("kind")? {
                1 => AnswerKind::Report,
                2 => AnswerKind::Refusal,
                3 => AnswerKind::Unreadable,
                other => {
                    let field = "kind of answer";
                    return Err(CodecError::Unknown { field, value: u64::from(other) });
                }
            };
            Ok(Self { kind, xml: read_compressed(&mut reader, "answer")?, height: None })
        };
        let row = read().map_err(|_| StoreError::Corrupt("answer"))?;
        reader.end().map_err(|_| StoreError::Corrupt("answer"))?;
        Ok(row)
    }
}

fn read_credits(reader: &mut Reader) -> Result<Vec<Credit>, CodecError> {
    let count = reader.count(FIELD_BYTES_MAX, "credits")?;
    let mut credits = Vec::with_capacity(count.min(16));
    for _ in 0..count {
        credits.push(Credit {
            debtor: reader.text(256, "debtor")?,
            currency: reader.text(256, "currency")?,
            amount: reader.text(256, "amount")?,
        });
    }
    Ok(credits)
}

impl OutboxEntry {
    /// `lock`: the keys, and the salt of a document.
    pub(super) fn encode(&self, lock: Option<(&Vault, &[u8; 16])>) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(128 + self.content.len() / 2);
        out.push(if lock.is_some() { VERSION_LOCKED } else { VERSION });
        match &self.kind {
            OutboxKind::Message(name) => {
                out.push(1);
                put_bytes(&mut out, name.as_bytes());
            }
            OutboxKind::Notice => out.push(2),
        }
        out.extend_from_slice(&self.uetr.0);
        for number in [self.settled.0, self.received_ns, self.leaf] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&(self.credits.len() as u32).to_le_bytes());
        for Credit { debtor, currency, amount } in &self.credits {
            for text in [debtor, currency, amount] {
                put_bytes(&mut out, text.as_bytes());
            }
        }
        match lock {
            None => put_compressed(&mut out, &self.content),
            Some((vault, salt)) => Kept::lock(vault, salt, &self.content)?.put(&mut out),
        }
        Ok(out)
    }

    /// The entry as the bank sees it, and the salt of a document. What is erased is a notice of that.
    pub(super) fn decode(
        bytes: &[u8],
        vault: Option<&Vault>,
    ) -> Result<(Self, Option<[u8; 16]>), StoreError> {
        let (mut entry, content) = Self::decode_kept(bytes)?;
        match content.text(vault, SALT_BYTES)? {
            Some(Unlocked { salt, text }) => {
                entry.content = text;
                Ok((entry, salt))
            }
            None => {
                entry.kind = OutboxKind::Notice;
                let notice = format!(
                    "{{\"notice\":\"erased\",\"uetr\":\"{}\",\"leaf\":\"{}\"}}",
                    entry.uetr, entry.leaf
                );
                entry.content = notice.into_bytes().into();
                Ok((entry, None))
            }
        }
    }

    /// The entry without its content, and that.
    pub(super) fn decode_kept(bytes: &[u8]) -> Result<(Self, Kept), StoreError> {
        let (mut reader, locked) = opened_or_locked(bytes, "outbox entry")?;
        let mut read = || -> Result<(Self, Kept), CodecError> {
            let kind = match reader.u8("kind")? {
                1 => OutboxKind::Message(reader.text(256, "message name")?),
                2 => OutboxKind::Notice,
                other => {
                    let field = "kind of outbox entry";
                    return Err(CodecError::Unknown { field, value: u64::from(other) });
                }
            };
            let entry = Self {
                kind,
                uetr: TransferId(reader.array("uetr")?),
                settled: LedgerTime(reader.u64("settled")?),
                received_ns: reader.u64("received")?,
                leaf: reader.u64("leaf")?,
                credits: read_credits(&mut reader)?,
                content: Bytes::new(),
            };
            Ok((entry, Kept::read(&mut reader, locked, "content")?))
        };
        let row = read().map_err(|_| StoreError::Corrupt("outbox entry"))?;
        reader.end().map_err(|_| StoreError::Corrupt("outbox entry"))?;
        Ok(row)
    }
}
