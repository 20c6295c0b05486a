//! Canonical bytes of a command: what is signed, ordered, recorded and hashed. One command, one byte string.
//!
//! Little-endian, no padding. Every command starts with four bytes: kind (never 0), flags, and a 16-bit count.
//!
//! | kind | command | flags | count | body |
//! |---|---|---|---|---|
//! | 1 | transfer | 1 document, 2 options | legs | id 16, legs (debit u32, credit u32, amount u64), document 32, options |
//! | 2, 3 | issue, redeem | 0 | 0 | id 16, account u32, amount u64 |
//! | 4 | open account | 0 | 0 | owner u32, asset u32, label (length u8, characters) |
//! | 5 | set floor | 0 | 0 | id 16, account u32, floor i64 |
//! | 6 | set account status | 0 | 0 | id 16, account u32, status u8 |
//! | 7 | admit participant | 0 | keys | BIC 11, name (length u8, UTF-8), sealing key 32, keys 32 each |
//! | 8 | add asset | 0 | 0 | code (length u8, characters), exponent u8, issuer u32 |
//! | 9 | activate rules | 0 | 0 | version u16 |
//! | 10, 13 | approve, cancel | 0 | 0 | transfer 16 |
//! | 11 | refuse | 0 | 0 | transfer 16, reason 4 |
//! | 12 | reveal | 0 | 0 | transfer 16, preimage (length u8, bytes) |
//! | 14 | reorder | 0 | 0 | id 16, transfer 16, priority u8, position u8 |
//! | 30 to 38 | governance, keys, funding | 0 | 0 | `codec/govern.rs` |
//! | 20 to 24 | limits, reservations, acceptance, notices, attest | 0 | 0 | `codec/liquidity.rs` |
//! | 50 to 55 | quotes, exchanges, reports of credit | | 0 | `codec/fx.rs` |
//! | 60 | record access | 1 payment | 0 | `codec/access.rs` |
//!
//! Options: one byte of presence bits, then the present fields (`codec/options.rs`). A field equal to its
//! default is absent, so there is one spelling. Decoding is strict: whatever it accepts encodes to the same
//! bytes again. Values beyond `limits.rs` encode to bytes that decoding refuses, never to another command.

mod access;
mod fx;
pub(crate) mod govern;
mod liquidity;
mod options;
pub(crate) mod reader;

use thiserror::Error;

use crate::account::AccountStatus;
use crate::amount::{Amount, Exponent};
use crate::command::{
    ActivateRules, AddAsset, AdmitParticipant, Approve, Cancel, Command, Issue, Leg, Legs,
    OpenAccount, Position, Priority, Redeem, Refuse, Reorder, Reveal, SetAccountStatus, SetFloor,
    Transfer, TransferOptions,
};
use crate::id::{AccountNumber, AssetNumber, Digest, ParticipantNumber, PublicKey, TransferId};
use crate::limits::{LEGS_MAX, PARTICIPANT_NAME_BYTES_MAX, PREIMAGE_BYTES_MAX, SIGNING_KEYS_MAX};
use crate::name::{Bic, ReasonCode};
use reader::Reader;

const KIND_TRANSFER: u8 = 1;
const KIND_ISSUE: u8 = 2;
const KIND_REDEEM: u8 = 3;
const KIND_OPEN_ACCOUNT: u8 = 4;
const KIND_SET_FLOOR: u8 = 5;
const KIND_SET_ACCOUNT_STATUS: u8 = 6;
const KIND_ADMIT_PARTICIPANT: u8 = 7;
const KIND_ADD_ASSET: u8 = 8;

const KIND_ACTIVATE_RULES: u8 = 9;
const KIND_APPROVE: u8 = 10;
const KIND_REFUSE: u8 = 11;
const KIND_REVEAL: u8 = 12;
const KIND_CANCEL: u8 = 13;
const KIND_REORDER: u8 = 14;

const FLAG_DOCUMENT: u8 = 1;
const FLAG_OPTIONS: u8 = 2;

/// Bytes that are not the canonical form of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside the command.
    #[error("the bytes end inside the command")]
    Truncated,
    /// No command has this kind.
    #[error("no command has kind {0}")]
    Kind(u8),
    /// Flags that this kind of command does not have.
    #[error("flags {0:#04x} are not defined for this command")]
    Flags(u8),
    /// A count outside the bounds of what it counts.
    #[error("{what}: {count} is out of bounds")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The number found.
        count: usize,
    },
    /// A field whose bytes are no value of its type.
    #[error("{0} is not well formed")]
    Field(&'static str),
    /// A value that has a shorter spelling.
    #[error("{0} is written although it has its default value")]
    NotCanonical(&'static str),
}

impl Command {
    /// Appends the canonical bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Transfer(transfer) => encode_transfer(transfer, out),
            Self::Issue(Issue { id, account, amount }) => {
                header(KIND_ISSUE, 0, 0, out);
                encode_movement(*id, *account, *amount, out);
            }
            Self::Redeem(Redeem { id, account, amount }) => {
                header(KIND_REDEEM, 0, 0, out);
                encode_movement(*id, *account, *amount, out);
            }
            Self::OpenAccount(OpenAccount { owner, asset, label }) => {
                header(KIND_OPEN_ACCOUNT, 0, 0, out);
                out.extend_from_slice(&owner.0.to_le_bytes());
                out.extend_from_slice(&asset.0.to_le_bytes());
                short_text(label.as_str(), out);
            }
            Self::SetFloor(SetFloor { id, account, floor }) => {
                header(KIND_SET_FLOOR, 0, 0, out);
                out.extend_from_slice(&id.0);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.extend_from_slice(&floor.to_le_bytes());
            }
            Self::SetAccountStatus(SetAccountStatus { id, account, status }) => {
                header(KIND_SET_ACCOUNT_STATUS, 0, 0, out);
                out.extend_from_slice(&id.0);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.push(*status as u8);
            }
            Self::AdmitParticipant(AdmitParticipant { bic, name, signing_keys, sealing_key }) => {
                header(KIND_ADMIT_PARTICIPANT, 0, signing_keys.len(), out);
                out.extend_from_slice(bic.as_bytes());
                short_text(name, out);
                out.extend_from_slice(sealing_key);
                signing_keys.iter().for_each(|key| out.extend_from_slice(&key.0));
            }
            Self::AddAsset(AddAsset { code, exponent, issuer }) => {
                header(KIND_ADD_ASSET, 0, 0, out);
                short_text(code.as_str(), out);
                out.push(exponent.get());
                out.extend_from_slice(&issuer.0.to_le_bytes());
            }
            Self::ActivateRules(ActivateRules { version }) => {
                header(KIND_ACTIVATE_RULES, 0, 0, out);
                out.extend_from_slice(&version.to_le_bytes());
            }
            Self::Approve(Approve { transfer }) => encode_about(KIND_APPROVE, transfer, &[], out),
            Self::Refuse(Refuse { transfer, reason }) => {
                encode_about(KIND_REFUSE, transfer, reason.as_bytes(), out);
            }
            Self::Reveal(Reveal { transfer, preimage }) => {
                encode_about(KIND_REVEAL, transfer, &[], out);
                // A length beyond 8 bits becomes one that decoding refuses.
                out.push(u8::try_from(preimage.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(preimage);
            }
            Self::Cancel(Cancel { transfer }) => encode_about(KIND_CANCEL, transfer, &[], out),
            Self::Reorder(Reorder { id, transfer, priority, position }) => {
                encode_about(KIND_REORDER, id, &transfer.0, out);
                out.extend_from_slice(&[*priority as u8, *position as u8]);
            }
            Self::SetLimit(_)
            | Self::SetReservation(_)
            | Self::SetAcceptance(_)
            | Self::SetNotices(_)
            | Self::Attest(_) => liquidity::encode(self, out),
            Self::RecordAccess(record) => access::encode(record, out),
            Self::EraseDocument(erase) => access::encode_erase(erase, out),
            Self::PlaceQuote(_)
            | Self::WithdrawQuote(_)
            | Self::Exchange(_)
            | Self::ReturnExchange(_)
            | Self::ReportCredit(_)
            | Self::SetReporting(_) => fx::encode(self, out),
            other => govern::encode(other, out),
        }
    }

    /// Reads one command from the start of `input`; also returns how many bytes it took.
    ///
    /// # Errors
    /// `DecodeError` when `input` does not start with the canonical bytes of a command.
    pub fn decode(input: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut reader = Reader::new(input);
        let kind = reader.u8()?;
        let flags = reader.u8()?;
        let count = usize::from(reader.u16()?);
        let command = if kind == KIND_TRANSFER {
            Self::Transfer(decode_transfer(flags, count, &mut reader)?)
        } else if liquidity::KINDS.contains(&kind) {
            liquidity::decode(kind, flags, count, &mut reader)?
        } else if fx::KINDS.contains(&kind) {
            fx::decode(kind, flags, count, &mut reader)?
        } else if kind == access::KIND_RECORD_ACCESS {
            access::decode(flags, count, &mut reader)?
        } else if kind == access::KIND_ERASE_DOCUMENT {
            access::decode_erase(flags, count, &mut reader)?
        } else {
            decode_plain(kind, flags, count, &mut reader)?
        };
        Ok((command, reader.consumed()))
    }
}

/// The four bytes at the start of each command. A count beyond 16 bits becomes one that decoding refuses.
fn header(kind: u8, flags: u8, count: usize, out: &mut Vec<u8>) {
    let count = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    out.extend_from_slice(&[kind, flags, count[0], count[1]]);
}

/// A length byte and the characters. A length beyond 8 bits becomes one that decoding refuses.
fn short_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn encode_movement(id: TransferId, account: AccountNumber, amount: Amount, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.0);
    out.extend_from_slice(&account.0.to_le_bytes());
    out.extend_from_slice(&amount.minor().to_le_bytes());
}

/// A command that begins with an id, mostly of a waiting transfer.
fn encode_about(kind: u8, transfer: &TransferId, rest: &[u8], out: &mut Vec<u8>) {
    header(kind, 0, 0, out);
    out.extend_from_slice(&transfer.0);
    out.extend_from_slice(rest);
}

fn encode_transfer(transfer: &Transfer, out: &mut Vec<u8>) {
    let options =
        transfer.options.as_deref().filter(|options| **options != TransferOptions::default());
    let mut flags = 0;
    if transfer.document.is_some() {
        flags |= FLAG_DOCUMENT;
    }
    if options.is_some() {
        flags |= FLAG_OPTIONS;
    }
    let legs = transfer.legs.as_slice();
    header(KIND_TRANSFER, flags, legs.len(), out);
    out.extend_from_slice(&transfer.id.0);
    for leg in legs {
        out.extend_from_slice(&leg.debit.0.to_le_bytes());
        out.extend_from_slice(&leg.credit.0.to_le_bytes());
        out.extend_from_slice(&leg.amount.minor().to_le_bytes());
    }
    if let Some(document) = &transfer.document {
        out.extend_from_slice(&document.0);
    }
    if let Some(options) = options {
        options::encode(options, out);
    }
}

fn decode_transfer(
    flags: u8,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Transfer, DecodeError> {
    if flags & !(FLAG_DOCUMENT | FLAG_OPTIONS) != 0 {
        return Err(DecodeError::Flags(flags));
    }
    let id = TransferId(reader.array()?);
    let legs = match count {
        1 => Legs::One(decode_leg(reader)?),
        2..=LEGS_MAX => {
            let mut legs = Vec::with_capacity(count);
            for _ in 0..count {
                legs.push(decode_leg(reader)?);
            }
            Legs::Many(legs.into_boxed_slice())
        }
        count => return Err(DecodeError::Count { what: "legs", count }),
    };
    let document = if flags & FLAG_DOCUMENT != 0 { Some(Digest(reader.array()?)) } else { None };
    let options =
        if flags & FLAG_OPTIONS != 0 { Some(Box::new(options::decode(reader)?)) } else { None };
    let transfer = Transfer { id, legs, document, options };
    if transfer.shows_original_well() { Ok(transfer) } else { Err(DecodeError::Field("original")) }
}

/// The original that a return shows: a transfer that shows none itself.
fn decode_original(reader: &mut Reader<'_>) -> Result<Transfer, DecodeError> {
    let kind = reader.u8()?;
    let flags = reader.u8()?;
    let count = usize::from(reader.u16()?);
    if kind != KIND_TRANSFER {
        return Err(DecodeError::Kind(kind));
    }
    decode_transfer(flags, count, reader)
}

fn decode_leg(reader: &mut Reader<'_>) -> Result<Leg, DecodeError> {
    Ok(Leg {
        debit: AccountNumber(reader.u32()?),
        credit: AccountNumber(reader.u32()?),
        amount: Amount::new(reader.u64()?),
    })
}

/// The commands without flags.
fn decode_plain(
    kind: u8,
    flags: u8,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Command, DecodeError> {
    let governs = (govern::KIND_PROPOSE..=govern::KIND_SET_FUNDING_LIMIT).contains(&kind);
    if !(KIND_ISSUE..=KIND_REORDER).contains(&kind) && !governs {
        return Err(DecodeError::Kind(kind));
    }
    if flags != 0 {
        return Err(DecodeError::Flags(flags));
    }
    if kind != KIND_ADMIT_PARTICIPANT && count != 0 {
        return Err(DecodeError::Count { what: "count of a command without a list", count });
    }
    Ok(match kind {
        KIND_ISSUE | KIND_REDEEM => {
            let id = TransferId(reader.array()?);
            let account = AccountNumber(reader.u32()?);
            let amount = Amount::new(reader.u64()?);
            if kind == KIND_ISSUE {
                Command::Issue(Issue { id, account, amount })
            } else {
                Command::Redeem(Redeem { id, account, amount })
            }
        }
        KIND_OPEN_ACCOUNT => Command::OpenAccount(OpenAccount {
            owner: ParticipantNumber(reader.u32()?),
            asset: AssetNumber(reader.u32()?),
            label: reader.short_text()?.parse().map_err(|_| DecodeError::Field("label"))?,
        }),
        KIND_SET_FLOOR => Command::SetFloor(SetFloor {
            id: TransferId(reader.array()?),
            account: AccountNumber(reader.u32()?),
            floor: i64::from_le_bytes(reader.array()?),
        }),
        KIND_SET_ACCOUNT_STATUS => Command::SetAccountStatus(SetAccountStatus {
            id: TransferId(reader.array()?),
            account: AccountNumber(reader.u32()?),
            status: AccountStatus::from_number(reader.u8()?)
                .ok_or(DecodeError::Field("account status"))?,
        }),
        KIND_ADMIT_PARTICIPANT => decode_admit_participant(count, reader)?,
        KIND_ADD_ASSET => Command::AddAsset(AddAsset {
            code: reader.short_text()?.parse().map_err(|_| DecodeError::Field("asset code"))?,
            exponent: Exponent::new(reader.u8()?).ok_or(DecodeError::Field("exponent"))?,
            issuer: ParticipantNumber(reader.u32()?),
        }),
        KIND_ACTIVATE_RULES => Command::ActivateRules(ActivateRules { version: reader.u16()? }),
        _ if governs => govern::decode(kind, reader)?,
        about => decode_about(about, TransferId(reader.array()?), reader)?,
    })
}

/// The commands about a waiting transfer.
fn decode_about(
    kind: u8,
    transfer: TransferId,
    reader: &mut Reader<'_>,
) -> Result<Command, DecodeError> {
    Ok(match kind {
        KIND_APPROVE => Command::Approve(Approve { transfer }),
        KIND_REFUSE => {
            let reason = ReasonCode::from_bytes(reader.array()?);
            let reason = reason.map_err(|_| DecodeError::Field("reason"))?;
            Command::Refuse(Refuse { transfer, reason })
        }
        KIND_REVEAL => {
            let count = usize::from(reader.u8()?);
            if !(1..=PREIMAGE_BYTES_MAX).contains(&count) {
                return Err(DecodeError::Count { what: "bytes of a preimage", count });
            }
            Command::Reveal(Reveal { transfer, preimage: reader.bytes(count)?.into() })
        }
        KIND_CANCEL => Command::Cancel(Cancel { transfer }),
        _ => Command::Reorder(Reorder {
            id: transfer,
            transfer: TransferId(reader.array()?),
            priority: Priority::from_number(reader.u8()?).ok_or(DecodeError::Field("priority"))?,
            position: Position::from_number(reader.u8()?).ok_or(DecodeError::Field("position"))?,
        }),
    })
}

fn decode_admit_participant(count: usize, reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    if !(1..=SIGNING_KEYS_MAX).contains(&count) {
        return Err(DecodeError::Count { what: "signing keys", count });
    }
    let bic = Bic::from_bytes(reader.array()?).map_err(|_| DecodeError::Field("BIC"))?;
    let name = reader.short_text()?;
    if !(1..=PARTICIPANT_NAME_BYTES_MAX).contains(&name.len()) {
        return Err(DecodeError::Count { what: "bytes of a name", count: name.len() });
    }
    let sealing_key = reader.array()?;
    let mut signing_keys = Vec::with_capacity(count);
    for _ in 0..count {
        signing_keys.push(PublicKey(reader.array()?));
    }
    let name = name.to_owned();
    Ok(Command::AdmitParticipant(AdmitParticipant { bic, name, signing_keys, sealing_key }))
}
