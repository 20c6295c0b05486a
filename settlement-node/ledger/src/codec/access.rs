//! Canonical bytes of the record of an access and of the certificate of an erasure.
//!
//! | kind | command | flags | body |
//! |---|---|---|---|
//! | 60 | record access | 1 payment | id 16, participant u32, access u8, payment 16 if flag 1, what 32, reader, ground |
//! | 61 | erase document | 1 sealing key | id 16, participant u32, destroyed u64, sealing key 32 if flag 1, by, ground, payment |
//!
//! The payment is the transfer's own canonical bytes, with a document. Access: 1 opened, 2 exported, 3 queried, 4 erased. Texts: length u8, UTF-8 without control characters. Count is 0.

use super::reader::Reader;
use super::{DecodeError, KIND_TRANSFER, decode_transfer, encode_transfer, header, short_text};
use crate::command::{Access, Command, EraseDocument, RecordAccess};
use crate::id::{Digest, LedgerTime, ParticipantNumber, TransferId};

pub(super) const KIND_RECORD_ACCESS: u8 = 60;
pub(super) const KIND_ERASE_DOCUMENT: u8 = 61;
const FLAG_PAYMENT: u8 = 1;
const FLAG_SEALING_KEY: u8 = 1;

pub(super) fn encode(record: &RecordAccess, out: &mut Vec<u8>) {
    header(KIND_RECORD_ACCESS, u8::from(record.payment.is_some()), 0, out);
    out.extend_from_slice(&record.id.0);
    out.extend_from_slice(&record.participant.0.to_le_bytes());
    out.push(record.access as u8);
    if let Some(payment) = &record.payment {
        out.extend_from_slice(&payment.0);
    }
    out.extend_from_slice(&record.what.0);
    short_text(&record.reader, out);
    short_text(&record.ground, out);
}

pub(super) fn decode(
    flags: u8,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Command, DecodeError> {
    if flags & !FLAG_PAYMENT != 0 {
        return Err(DecodeError::Flags(flags));
    }
    if count != 0 {
        return Err(DecodeError::Count { what: "count of a command without a list", count });
    }
    let id = TransferId(reader.array()?);
    let participant = ParticipantNumber(reader.u32()?);
    let access = Access::from_number(reader.u8()?).ok_or(DecodeError::Field("access"))?;
    let payment = if flags == FLAG_PAYMENT { Some(TransferId(reader.array()?)) } else { None };
    let what = Digest(reader.array()?);
    let (who, ground) = (reader.short_text()?.to_owned(), reader.short_text()?.to_owned());
    let record = RecordAccess { id, participant, access, payment, what, reader: who, ground };
    match record.is_well_formed() {
        true => Ok(Command::RecordAccess(Box::new(record))),
        false => Err(DecodeError::Field("reader or ground")),
    }
}

pub(super) fn encode_erase(erase: &EraseDocument, out: &mut Vec<u8>) {
    header(KIND_ERASE_DOCUMENT, u8::from(erase.sealing_key.is_some()), 0, out);
    out.extend_from_slice(&erase.id.0);
    out.extend_from_slice(&erase.participant.0.to_le_bytes());
    out.extend_from_slice(&erase.destroyed.0.to_le_bytes());
    if let Some(key) = &erase.sealing_key {
        out.extend_from_slice(key);
    }
    short_text(&erase.by, out);
    short_text(&erase.ground, out);
    encode_transfer(&erase.payment, out);
}

pub(super) fn decode_erase(
    flags: u8,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Command, DecodeError> {
    if flags & !FLAG_SEALING_KEY != 0 {
        return Err(DecodeError::Flags(flags));
    }
    if count != 0 {
        return Err(DecodeError::Count { what: "count of a command without a list", count });
    }
    let id = TransferId(reader.array()?);
    let participant = ParticipantNumber(reader.u32()?);
    let destroyed = LedgerTime(reader.u64()?);
    let sealing_key = if flags == FLAG_SEALING_KEY { Some(reader.array()?) } else { None };
    let (by, ground) = (reader.short_text()?.to_owned(), reader.short_text()?.to_owned());
    if reader.u8()? != KIND_TRANSFER {
        return Err(DecodeError::Field("payment"));
    }
    let (flags, legs) = (reader.u8()?, usize::from(reader.u16()?));
    let payment = decode_transfer(flags, legs, reader)?;
    let erase = EraseDocument { id, participant, destroyed, sealing_key, by, ground, payment };
    match erase.is_well_formed() {
        true => Ok(Command::EraseDocument(Box::new(erase))),
        false => Err(DecodeError::Field("by, ground or payment without a document")),
    }
}
