//! Canonical bytes of the commands of governance, keys and funding: kinds 30 to 38.
//!
//! | kind | command | body |
//! |---|---|---|
//! | 30 | propose | id 16, proposer u32, expires u64, content |
//! | 31 | vote | proposal 16, u8: 1 in favour, 2 against |
//! | 32, 33 | withdraw, confirm | id 16 |
//! | 34 | add key | id 16, participant u32, key 32, time |
//! | 35 | retire key | participant u32, key 32, time |
//! | 36 | revoke key | participant u32, key 32 |
//! | 37 | set sealing key | id 16, participant u32, key 32 |
//! | 38 | set funding limit | id 16, asset u32, amount |
//!
//! A time or amount that may be missing is 0, or 1 and a u64. Contents begin with a kind u8:
//!
//! | kind | content | body |
//! |---|---|---|
//! | 1, 3, 8 | admit, add asset, activate rules | the command of kind 7, 8, 9 |
//! | 2 | set state | participant u32, state u8 (1 active, 2 send-only, 3 receive-only, 4 blocked, 5 removed) |
//! | 4 | set calendar | asset u32; 0, or 1 and opens u16, cut-off u16, weekdays u8, count u16, holidays u32 each |
//! | 5 | set leg limit | asset u32, amount |
//! | 6 | add node | id u64, operator u32, link key 32, address and client address (length u8, characters) |
//! | 7 | remove node | id u64 |
//! | 9 | set finality | u16 |
//! | 10 | set voting | needed u16, count u16, voters u32 each |
//! | 11 | replace keys | participant u32, count u16, keys 32 each |

use super::reader::Reader;
use super::{
    DecodeError, KIND_ACTIVATE_RULES, KIND_ADD_ASSET, KIND_ADMIT_PARTICIPANT, decode_plain, header,
    short_text,
};
use crate::amount::Amount;
use crate::command::{
    AddKey, Command, Confirm, Propose, RetireKey, RevokeKey, SetFundingLimit, SetSealingKey, Vote,
    Withdraw,
};
use crate::govern::{Calendar, Content, NodeDescription, ParticipantState, VotingPolicy};
use crate::id::{AssetNumber, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::limits::{HOLIDAYS_MAX, NODE_ADDRESS_BYTES_MAX, SIGNING_KEYS_MAX, VOTERS_MAX};

pub(super) const KIND_PROPOSE: u8 = 30;
const KIND_VOTE: u8 = 31;
const KIND_WITHDRAW: u8 = 32;
const KIND_CONFIRM: u8 = 33;
const KIND_ADD_KEY: u8 = 34;
const KIND_RETIRE_KEY: u8 = 35;
const KIND_REVOKE_KEY: u8 = 36;
const KIND_SET_SEALING_KEY: u8 = 37;
pub(super) const KIND_SET_FUNDING_LIMIT: u8 = 38;

/// Appends the bytes of a command of this module; others have none here.
pub(super) fn encode(command: &Command, out: &mut Vec<u8>) {
    match command {
        Command::Propose(Propose { id, proposer, expires, content }) => {
            header(KIND_PROPOSE, 0, 0, out);
            out.extend_from_slice(&id.0);
            out.extend_from_slice(&proposer.0.to_le_bytes());
            out.extend_from_slice(&expires.0.to_le_bytes());
            put_content(content, out);
        }
        Command::Vote(Vote { proposal, in_favour }) => {
            header(KIND_VOTE, 0, 0, out);
            out.extend_from_slice(&proposal.0);
            out.push(if *in_favour { 1 } else { 2 });
        }
        Command::Withdraw(Withdraw { id }) => {
            header(KIND_WITHDRAW, 0, 0, out);
            out.extend_from_slice(&id.0);
        }
        Command::Confirm(Confirm { id }) => {
            header(KIND_CONFIRM, 0, 0, out);
            out.extend_from_slice(&id.0);
        }
        Command::AddKey(AddKey { id, participant, key, from }) => {
            header(KIND_ADD_KEY, 0, 0, out);
            out.extend_from_slice(&id.0);
            put_key_of(*participant, key, out);
            put_maybe(from.map(|time| time.0), out);
        }
        Command::RetireKey(RetireKey { participant, key, at }) => {
            header(KIND_RETIRE_KEY, 0, 0, out);
            put_key_of(*participant, key, out);
            put_maybe(at.map(|time| time.0), out);
        }
        Command::RevokeKey(RevokeKey { participant, key }) => {
            header(KIND_REVOKE_KEY, 0, 0, out);
            put_key_of(*participant, key, out);
        }
        Command::SetSealingKey(SetSealingKey { id, participant, sealing_key }) => {
            header(KIND_SET_SEALING_KEY, 0, 0, out);
            out.extend_from_slice(&id.0);
            put_key_of(*participant, &PublicKey(*sealing_key), out);
        }
        Command::SetFundingLimit(SetFundingLimit { id, asset, above }) => {
            header(KIND_SET_FUNDING_LIMIT, 0, 0, out);
            out.extend_from_slice(&id.0);
            out.extend_from_slice(&asset.0.to_le_bytes());
            put_maybe(above.map(Amount::minor), out);
        }
        _ => {}
    }
}

/// Reads the body of a command of this module.
pub(super) fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    Ok(match kind {
        KIND_PROPOSE => Command::Propose(Propose {
            id: TransferId(reader.array()?),
            proposer: ParticipantNumber(reader.u32()?),
            expires: LedgerTime(reader.u64()?),
            content: Box::new(read_content(reader)?),
        }),
        KIND_VOTE => Command::Vote(Vote {
            proposal: TransferId(reader.array()?),
            in_favour: match reader.u8()? {
                1 => true,
                2 => false,
                _ => return Err(DecodeError::Field("vote")),
            },
        }),
        KIND_WITHDRAW => Command::Withdraw(Withdraw { id: TransferId(reader.array()?) }),
        KIND_CONFIRM => Command::Confirm(Confirm { id: TransferId(reader.array()?) }),
        KIND_ADD_KEY => Command::AddKey(AddKey {
            id: TransferId(reader.array()?),
            participant: ParticipantNumber(reader.u32()?),
            key: PublicKey(reader.array()?),
            from: read_maybe(reader)?.map(LedgerTime),
        }),
        KIND_RETIRE_KEY => Command::RetireKey(RetireKey {
            participant: ParticipantNumber(reader.u32()?),
            key: PublicKey(reader.array()?),
            at: read_maybe(reader)?.map(LedgerTime),
        }),
        KIND_REVOKE_KEY => Command::RevokeKey(RevokeKey {
            participant: ParticipantNumber(reader.u32()?),
            key: PublicKey(reader.array()?),
        }),
        KIND_SET_SEALING_KEY => Command::SetSealingKey(SetSealingKey {
            id: TransferId(reader.array()?),
            participant: ParticipantNumber(reader.u32()?),
            sealing_key: reader.array()?,
        }),
        KIND_SET_FUNDING_LIMIT => Command::SetFundingLimit(SetFundingLimit {
            id: TransferId(reader.array()?),
            asset: AssetNumber(reader.u32()?),
            above: read_maybe(reader)?.map(Amount::new),
        }),
        other => return Err(DecodeError::Kind(other)),
    })
}

fn put_key_of(participant: ParticipantNumber, key: &PublicKey, out: &mut Vec<u8>) {
    out.extend_from_slice(&participant.0.to_le_bytes());
    out.extend_from_slice(&key.0);
}

/// A number that may be missing.
fn put_maybe(number: Option<u64>, out: &mut Vec<u8>) {
    out.push(u8::from(number.is_some()));
    number.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn read_maybe(reader: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(reader.u64()?)),
        _ => Err(DecodeError::Field("presence")),
    }
}

/// A count of 16 bits; one beyond becomes one that reading refuses.
fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
}

fn read_count(
    what: &'static str,
    most: usize,
    reader: &mut Reader<'_>,
) -> Result<usize, DecodeError> {
    let count = usize::from(reader.u16()?);
    if count <= most { Ok(count) } else { Err(DecodeError::Count { what, count }) }
}

fn put_content(content: &Content, out: &mut Vec<u8>) {
    match content {
        Content::Admit(admit) => {
            out.push(1);
            Command::AdmitParticipant(admit.clone()).encode(out);
        }
        Content::SetState { participant, state } => {
            out.push(2);
            out.extend_from_slice(&participant.0.to_le_bytes());
            out.push(*state as u8);
        }
        Content::AddAsset(add) => {
            out.push(3);
            Command::AddAsset(add.clone()).encode(out);
        }
        Content::SetCalendar { asset, calendar } => {
            out.push(4);
            out.extend_from_slice(&asset.0.to_le_bytes());
            out.push(u8::from(calendar.is_some()));
            calendar.iter().for_each(|calendar| put_calendar(calendar, out));
        }
        Content::SetLegLimit { asset, most } => {
            out.push(5);
            out.extend_from_slice(&asset.0.to_le_bytes());
            put_maybe(*most, out);
        }
        Content::AddNode { id, node } => {
            out.push(6);
            out.extend_from_slice(&id.to_le_bytes());
            put_node(node, out);
        }
        Content::RemoveNode { id } => {
            out.push(7);
            out.extend_from_slice(&id.to_le_bytes());
        }
        Content::ActivateRules(activate) => {
            out.push(8);
            Command::ActivateRules(activate.clone()).encode(out);
        }
        Content::SetFinality { faulty } => {
            out.push(9);
            out.extend_from_slice(&faulty.to_le_bytes());
        }
        Content::SetVoting(VotingPolicy { needed, voters }) => {
            out.push(10);
            out.extend_from_slice(&needed.to_le_bytes());
            put_count(voters.len(), out);
            voters.iter().for_each(|voter| out.extend_from_slice(&voter.0.to_le_bytes()));
        }
        Content::ReplaceKeys { participant, signing_keys } => {
            out.push(11);
            out.extend_from_slice(&participant.0.to_le_bytes());
            put_count(signing_keys.len(), out);
            signing_keys.iter().for_each(|key| out.extend_from_slice(&key.0));
        }
    }
}

fn read_content(reader: &mut Reader<'_>) -> Result<Content, DecodeError> {
    let content = match reader.u8()? {
        1 => match read_command(KIND_ADMIT_PARTICIPANT, reader)? {
            Command::AdmitParticipant(admit) => Content::Admit(admit),
            _ => return Err(DecodeError::Field("content")),
        },
        2 => Content::SetState {
            participant: ParticipantNumber(reader.u32()?),
            state: ParticipantState::from_number(reader.u8()?)
                .ok_or(DecodeError::Field("participant state"))?,
        },
        3 => match read_command(KIND_ADD_ASSET, reader)? {
            Command::AddAsset(add) => Content::AddAsset(add),
            _ => return Err(DecodeError::Field("content")),
        },
        4 => {
            let asset = AssetNumber(reader.u32()?);
            let calendar = match reader.u8()? {
                0 => None,
                1 => Some(read_calendar(reader)?),
                _ => return Err(DecodeError::Field("presence")),
            };
            Content::SetCalendar { asset, calendar }
        }
        5 => Content::SetLegLimit { asset: AssetNumber(reader.u32()?), most: read_maybe(reader)? },
        6 => Content::AddNode { id: reader.u64()?, node: read_node(reader)? },
        7 => Content::RemoveNode { id: reader.u64()? },
        8 => match read_command(KIND_ACTIVATE_RULES, reader)? {
            Command::ActivateRules(activate) => Content::ActivateRules(activate),
            _ => return Err(DecodeError::Field("content")),
        },
        9 => Content::SetFinality { faulty: reader.u16()? },
        10 => {
            let needed = reader.u16()?;
            let count = read_count("voters", VOTERS_MAX, reader)?;
            let mut voters = Vec::with_capacity(count);
            for _ in 0..count {
                voters.push(ParticipantNumber(reader.u32()?));
            }
            Content::SetVoting(VotingPolicy { needed, voters })
        }
        11 => {
            let participant = ParticipantNumber(reader.u32()?);
            let count = read_count("signing keys", SIGNING_KEYS_MAX, reader)?;
            let mut signing_keys = Vec::with_capacity(count);
            for _ in 0..count {
                signing_keys.push(PublicKey(reader.array()?));
            }
            Content::ReplaceKeys { participant, signing_keys }
        }
        _ => return Err(DecodeError::Field("content")),
    };
    Ok(content)
}

/// A command of one kind inside a proposal.
fn read_command(kind: u8, reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    let found = reader.u8()?;
    let flags = reader.u8()?;
    let count = usize::from(reader.u16()?);
    if found != kind {
        return Err(DecodeError::Kind(found));
    }
    decode_plain(kind, flags, count, reader)
}

/// Opens u16, cut-off u16, weekdays u8, count u16, holidays u32 each.
pub(crate) fn put_calendar(calendar: &Calendar, out: &mut Vec<u8>) {
    out.extend_from_slice(&calendar.opens.to_le_bytes());
    out.extend_from_slice(&calendar.cut_off.to_le_bytes());
    out.push(calendar.weekdays);
    put_count(calendar.holidays.len(), out);
    calendar.holidays.iter().for_each(|date| out.extend_from_slice(&date.to_le_bytes()));
}

/// Reads what `put_calendar` wrote.
pub(crate) fn read_calendar(reader: &mut Reader<'_>) -> Result<Calendar, DecodeError> {
    let (opens, cut_off, weekdays) = (reader.u16()?, reader.u16()?, reader.u8()?);
    let count = read_count("holidays", HOLIDAYS_MAX, reader)?;
    let mut holidays = Vec::with_capacity(count);
    for _ in 0..count {
        holidays.push(reader.u32()?);
    }
    Ok(Calendar { opens, cut_off, weekdays, holidays })
}

/// Operator u32, link key 32, address and client address.
pub(crate) fn put_node(node: &NodeDescription, out: &mut Vec<u8>) {
    out.extend_from_slice(&node.operator.0.to_le_bytes());
    out.extend_from_slice(&node.link_key);
    short_text(&node.address, out);
    short_text(&node.client_address, out);
}

/// Reads what `put_node` wrote.
pub(crate) fn read_node(reader: &mut Reader<'_>) -> Result<NodeDescription, DecodeError> {
    let (operator, link_key) = (ParticipantNumber(reader.u32()?), reader.array()?);
    let mut text = || {
        let text = reader.short_text()?;
        let fits = text.len() <= NODE_ADDRESS_BYTES_MAX;
        if fits { Ok(text.to_owned()) } else { Err(DecodeError::Field("address")) }
    };
    let (address, client_address) = (text()?, text()?);
    Ok(NodeDescription { operator, link_key, address, client_address })
}
