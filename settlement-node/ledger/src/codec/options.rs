//! Canonical bytes of a transfer's options: a byte of presence bits, then the present fields in bit order.
//!
//! | bit | field | bytes |
//! |---|---|---|
//! | 0, 1 | not before, deadline | u64 each |
//! | 2, 3 | priority, on shortage | u8 each, never the default |
//! | 4 | returns | 16 |
//! | 5 | conditions | count u8 (1 to 16), then each: kind u8 and its fields |
//! | 6 | original | the canonical bytes of the transfer named in bit 4; never together with bit 5 |
//! | 7 | till | u64 |
//!
//! Conditions: 1 approval (u32), 2 key approval (32), 3 threshold (k u8, count u8, then 1 participant u32 or
//! 2 key 32 each), 4 preimage (32), 5 not before (u64).

use super::DecodeError;
use super::reader::Reader;
use crate::command::{Approver, Condition, OnShortage, Priority, TransferOptions};
use crate::id::{Digest, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::limits::{CONDITIONS_MAX, THRESHOLD_MEMBERS_MAX};

const HAS_NOT_BEFORE: u8 = 1;
const HAS_DEADLINE: u8 = 1 << 1;
const HAS_PRIORITY: u8 = 1 << 2;
const HAS_ON_SHORTAGE: u8 = 1 << 3;
const HAS_RETURNS: u8 = 1 << 4;
const HAS_CONDITIONS: u8 = 1 << 5;
const HAS_ORIGINAL: u8 = 1 << 6;
const HAS_TILL: u8 = 1 << 7;

pub(super) fn encode(options: &TransferOptions, out: &mut Vec<u8>) {
    let presence_at = out.len();
    let mut presence = 0;
    out.push(presence);
    if let Some(time) = options.not_before {
        presence |= HAS_NOT_BEFORE;
        out.extend_from_slice(&time.0.to_le_bytes());
    }
    if let Some(time) = options.deadline {
        presence |= HAS_DEADLINE;
        out.extend_from_slice(&time.0.to_le_bytes());
    }
    if options.priority != Priority::default() {
        presence |= HAS_PRIORITY;
        out.push(options.priority as u8);
    }
    if options.on_shortage != OnShortage::default() {
        presence |= HAS_ON_SHORTAGE;
        out.push(options.on_shortage as u8);
    }
    if let Some(id) = options.returns {
        presence |= HAS_RETURNS;
        out.extend_from_slice(&id.0);
    }
    if !options.conditions.is_empty() {
        presence |= HAS_CONDITIONS;
        out.push(count_byte(options.conditions.len()));
        options.conditions.iter().for_each(|condition| encode_condition(condition, out));
    }
    if let Some(original) = &options.original {
        presence |= HAS_ORIGINAL;
        super::encode_transfer(original, out);
    }
    if let Some(time) = options.till {
        presence |= HAS_TILL;
        out.extend_from_slice(&time.0.to_le_bytes());
    }
    out[presence_at] = presence;
}

/// A count as a byte; one beyond 8 bits becomes one that decoding refuses.
fn count_byte(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn encode_condition(condition: &Condition, out: &mut Vec<u8>) {
    match condition {
        Condition::Approval { participant } => {
            out.push(1);
            out.extend_from_slice(&participant.0.to_le_bytes());
        }
        Condition::KeyApproval { key } => {
            out.push(2);
            out.extend_from_slice(&key.0);
        }
        Condition::Threshold { k, of } => {
            out.extend_from_slice(&[3, *k, count_byte(of.len())]);
            for approver in of {
                match approver {
                    Approver::Participant(participant) => {
                        out.push(1);
                        out.extend_from_slice(&participant.0.to_le_bytes());
                    }
                    Approver::Key(key) => {
                        out.push(2);
                        out.extend_from_slice(&key.0);
                    }
                }
            }
        }
        Condition::Preimage { sha256 } => {
            out.push(4);
            out.extend_from_slice(&sha256.0);
        }
        Condition::NotBefore(time) => {
            out.push(5);
            out.extend_from_slice(&time.0.to_le_bytes());
        }
    }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<TransferOptions, DecodeError> {
    let presence = reader.u8()?;
    if presence == 0 {
        return Err(DecodeError::NotCanonical("options"));
    }
    let has = |bit: u8| presence & bit != 0;
    let mut options = TransferOptions::default();
    if has(HAS_NOT_BEFORE) {
        options.not_before = Some(LedgerTime(reader.u64()?));
    }
    if has(HAS_DEADLINE) {
        options.deadline = Some(LedgerTime(reader.u64()?));
    }
    if has(HAS_PRIORITY) {
        options.priority = match reader.u8()? {
            1 => Priority::Urgent,
            2 => Priority::High,
            3 => return Err(DecodeError::NotCanonical("priority")),
            _ => return Err(DecodeError::Field("priority")),
        };
    }
    if has(HAS_ON_SHORTAGE) {
        options.on_shortage = match reader.u8()? {
            1 => return Err(DecodeError::NotCanonical("on shortage")),
            2 => OnShortage::Queue,
            _ => return Err(DecodeError::Field("on shortage")),
        };
    }
    if has(HAS_RETURNS) {
        options.returns = Some(TransferId(reader.array()?));
    }
    if has(HAS_CONDITIONS) {
        let count = bounded_count("conditions", CONDITIONS_MAX, reader)?;
        options.conditions.reserve_exact(count);
        for _ in 0..count {
            options.conditions.push(decode_condition(reader)?);
        }
    }
    if has(HAS_ORIGINAL) {
        // Of these bits, so that bytes cannot nest deeper than one original.
        if !has(HAS_RETURNS) || has(HAS_CONDITIONS) || reader.is_nested() {
            return Err(DecodeError::Field("original"));
        }
        reader.set_nested(true);
        options.original = Some(Box::new(super::decode_original(reader)?));
        reader.set_nested(false);
    }
    if has(HAS_TILL) {
        options.till = Some(LedgerTime(reader.u64()?));
    }
    Ok(options)
}

fn bounded_count(
    what: &'static str,
    most: usize,
    reader: &mut Reader<'_>,
) -> Result<usize, DecodeError> {
    let count = usize::from(reader.u8()?);
    if (1..=most).contains(&count) { Ok(count) } else { Err(DecodeError::Count { what, count }) }
}

fn decode_condition(reader: &mut Reader<'_>) -> Result<Condition, DecodeError> {
    Ok(match reader.u8()? {
        1 => Condition::Approval { participant: ParticipantNumber(reader.u32()?) },
        2 => Condition::KeyApproval { key: PublicKey(reader.array()?) },
        3 => {
            let k = reader.u8()?;
            let count = bounded_count("threshold members", THRESHOLD_MEMBERS_MAX, reader)?;
            if !(1..=count).contains(&usize::from(k)) {
                return Err(DecodeError::Field("threshold"));
            }
            let mut of = Vec::with_capacity(count);
            for _ in 0..count {
                of.push(match reader.u8()? {
                    1 => Approver::Participant(ParticipantNumber(reader.u32()?)),
                    2 => Approver::Key(PublicKey(reader.array()?)),
                    _ => return Err(DecodeError::Field("approver")),
                });
            }
            Condition::Threshold { k, of }
        }
        4 => Condition::Preimage { sha256: Digest(reader.array()?) },
        5 => Condition::NotBefore(LedgerTime(reader.u64()?)),
        _ => return Err(DecodeError::Field("condition")),
    })
}
