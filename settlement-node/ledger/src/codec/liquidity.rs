//! Canonical bytes of the commands about liquidity and of `attest`.
//!
//! | kind | command | body |
//! |---|---|---|
//! | 20 | set limit | id 16, account u32, by u8 (1 owner, 2 issuer), which u8, its fields |
//! | 21 | set reservation | id 16, account u32, priority u8 (1 urgent, 2 high), amount u64 |
//! | 22 | set acceptance | id 16, account u32, present u8, nanoseconds u64 if present |
//! | 23 | set notices | id 16, account u32, present u8 (1 floor, 2 ceiling), i64 each |
//! | 24 | attest | id 16, participant u32, document 32 |
//!
//! Limits: 1 payment (present u8, u64); 2 velocity (present u8, amount u64, window u64, rolling u8); 3 bilateral
//! (participant u32, restart u8, present u8, u64); 4 multilateral (restart u8, present u8, u64). Flags and count are 0.

use std::ops::RangeInclusive;

use super::reader::Reader;
use super::{DecodeError, header};
use crate::command::{
    Attest, Command, Limit, LimitSetter, Pace, Priority, SetAcceptance, SetLimit, SetNotices,
    SetReservation,
};
use crate::id::{AccountNumber, Digest, ParticipantNumber, TransferId};

pub(super) const KINDS: RangeInclusive<u8> = KIND_SET_LIMIT..=KIND_ATTEST;
const KIND_SET_LIMIT: u8 = 20;
const KIND_SET_RESERVATION: u8 = 21;
const KIND_SET_ACCEPTANCE: u8 = 22;
const KIND_SET_NOTICES: u8 = 23;
const KIND_ATTEST: u8 = 24;

fn start(kind: u8, id: TransferId, about: u32, out: &mut Vec<u8>) {
    header(kind, 0, 0, out);
    out.extend_from_slice(&id.0);
    out.extend_from_slice(&about.to_le_bytes());
}

fn optional(value: Option<u64>, out: &mut Vec<u8>) {
    out.push(u8::from(value.is_some()));
    value.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

pub(super) fn encode(command: &Command, out: &mut Vec<u8>) {
    match command {
        Command::SetLimit(set) => {
            start(KIND_SET_LIMIT, set.id, set.account.0, out);
            out.push(set.by as u8);
            encode_limit(&set.limit, out);
        }
        Command::SetReservation(set) => {
            start(KIND_SET_RESERVATION, set.id, set.account.0, out);
            out.push(set.priority as u8);
            out.extend_from_slice(&set.amount.to_le_bytes());
        }
        Command::SetAcceptance(set) => {
            start(KIND_SET_ACCEPTANCE, set.id, set.account.0, out);
            optional(set.within, out);
        }
        Command::SetNotices(set) => {
            start(KIND_SET_NOTICES, set.id, set.account.0, out);
            out.push(u8::from(set.floor.is_some()) | u8::from(set.ceiling.is_some()) << 1);
            for line in [set.floor, set.ceiling].into_iter().flatten() {
                out.extend_from_slice(&line.to_le_bytes());
            }
        }
        Command::Attest(attest) => {
            start(KIND_ATTEST, attest.id, attest.participant.0, out);
            out.extend_from_slice(&attest.document.0);
        }
        _ => unreachable!("only the commands of this file come here"),
    }
}

fn encode_limit(limit: &Limit, out: &mut Vec<u8>) {
    match limit {
        Limit::Payment { most } => {
            out.push(1);
            optional(*most, out);
        }
        Limit::Velocity { most } => {
            out.push(2);
            optional(most.map(|pace| pace.amount), out);
            if let Some(pace) = most {
                out.extend_from_slice(&pace.window.to_le_bytes());
                out.push(u8::from(pace.rolling));
            }
        }
        Limit::Bilateral { towards, most, restart } => {
            out.push(3);
            out.extend_from_slice(&towards.0.to_le_bytes());
            out.push(u8::from(*restart));
            optional(*most, out);
        }
        Limit::Multilateral { most, restart } => {
            out.extend_from_slice(&[4, u8::from(*restart)]);
            optional(*most, out);
        }
    }
}

fn flag(what: &'static str, reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Field(what)),
    }
}

fn read_optional(reader: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    if flag("presence", reader)? { reader.u64().map(Some) } else { Ok(None) }
}

pub(super) fn decode(
    kind: u8,
    flags: u8,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Command, DecodeError> {
    if flags != 0 {
        return Err(DecodeError::Flags(flags));
    }
    if count != 0 {
        return Err(DecodeError::Count { what: "count of a command without a list", count });
    }
    let id = TransferId(reader.array()?);
    let about = reader.u32()?;
    let account = AccountNumber(about);
    Ok(match kind {
        KIND_SET_LIMIT => {
            let by = LimitSetter::from_number(reader.u8()?);
            let by = by.ok_or(DecodeError::Field("whose limit"))?;
            let limit = decode_limit(reader)?;
            let set = SetLimit { id, account, by, limit };
            if !set.is_well_formed() {
                return Err(DecodeError::Field("limit"));
            }
            Command::SetLimit(set)
        }
        KIND_SET_RESERVATION => {
            let priority = match reader.u8()? {
                1 => Priority::Urgent,
                2 => Priority::High,
                _ => return Err(DecodeError::Field("priority")),
            };
            let amount = reader.u64()?;
            Command::SetReservation(SetReservation { id, account, priority, amount })
        }
        KIND_SET_ACCEPTANCE => {
            let set = SetAcceptance { id, account, within: read_optional(reader)? };
            if !set.is_well_formed() {
                return Err(DecodeError::Field("time to accept"));
            }
            Command::SetAcceptance(set)
        }
        KIND_SET_NOTICES => {
            let bits = reader.u8()?;
            if bits > 3 {
                return Err(DecodeError::Flags(bits));
            }
            let mut line = |bit: u8| {
                let present = bits & bit != 0;
                if present { reader.array().map(i64::from_le_bytes).map(Some) } else { Ok(None) }
            };
            let (floor, ceiling) = (line(1)?, line(2)?);
            Command::SetNotices(SetNotices { id, account, floor, ceiling })
        }
        KIND_ATTEST => Command::Attest(Attest {
            id,
            participant: ParticipantNumber(about),
            document: Digest(reader.array()?),
        }),
        other => return Err(DecodeError::Kind(other)),
    })
}

fn decode_limit(reader: &mut Reader<'_>) -> Result<Limit, DecodeError> {
    Ok(match reader.u8()? {
        1 => Limit::Payment { most: read_optional(reader)? },
        2 => {
            let most = match read_optional(reader)? {
                Some(amount) => {
                    let window = reader.u64()?;
                    Some(Pace { amount, window, rolling: flag("rolling", reader)? })
                }
                None => None,
            };
            Limit::Velocity { most }
        }
        3 => {
            let towards = ParticipantNumber(reader.u32()?);
            let restart = flag("restart", reader)?;
            Limit::Bilateral { towards, restart, most: read_optional(reader)? }
        }
        4 => {
            let restart = flag("restart", reader)?;
            Limit::Multilateral { restart, most: read_optional(reader)? }
        }
        _ => return Err(DecodeError::Field("limit")),
    })
}
