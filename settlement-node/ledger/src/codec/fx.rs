//! Canonical bytes of quotes, exchanges and reports of credit: kinds 50 to 55.
//!
//! | kind | command | flags | body |
//! |---|---|---|---|
//! | 50 | place quote | 1 replaces | id 16, sells u32, buys u32, pay u64, get u64, amount u64, least u64, until u64, replaced quote 16 |
//! | 51 | withdraw quote | 0 | quote 16 |
//! | 52 | exchange | 1 document, 2 deadline, 4 spend | id 16, debit u32, credit u32, exact amount u64, limit u64, document 32, deadline u64 |
//! | 53 | return exchange | 1 document, 2 deadline | id 16, credit u32, amount u64, document 32, deadline u64, canonical bytes of the exchange |
//! | 54 | report credit | 1 rejected | transfer 16, account u32, time u64 or reason 4 |
//! | 55 | set reporting | 0 | id 16, account u32, nanoseconds u64 |
//!
//! The count is 0. Of an exchange the exact amount is delivered and the limit is the most to pay, or with flag 4 the
//! exact amount is paid and the limit is the least to deliver.

use super::reader::Reader;
use super::{DecodeError, header};
use crate::amount::Amount;
use crate::command::{
    Command, CreditOutcome, Exchange, ExchangeAmount, PlaceQuote, ReportCredit, ReturnExchange,
    SetReporting, WithdrawQuote,
};
use crate::fx::rate::Rate;
use crate::id::{AccountNumber, Digest, LedgerTime, TransferId};
use crate::name::ReasonCode;

const KIND_PLACE_QUOTE: u8 = 50;
const KIND_WITHDRAW_QUOTE: u8 = 51;
const KIND_EXCHANGE: u8 = 52;
const KIND_RETURN_EXCHANGE: u8 = 53;
const KIND_REPORT_CREDIT: u8 = 54;
const KIND_SET_REPORTING: u8 = 55;

/// The kinds that are read here.
pub(super) const KINDS: std::ops::RangeInclusive<u8> = KIND_PLACE_QUOTE..=KIND_SET_REPORTING;

const FLAG_DOCUMENT: u8 = 1;
const FLAG_DEADLINE: u8 = 2;
const FLAG_SPEND: u8 = 4;
const FLAG_REPLACES: u8 = 1;
const FLAG_REJECTED: u8 = 1;

/// Appends the bytes of one of these commands; none of another.
pub(super) fn encode(command: &Command, out: &mut Vec<u8>) {
    match command {
        Command::PlaceQuote(quote) => encode_quote(quote, out),
        Command::WithdrawQuote(WithdrawQuote { quote }) => {
            header(KIND_WITHDRAW_QUOTE, 0, 0, out);
            out.extend_from_slice(&quote.0);
        }
        Command::Exchange(exchange) => encode_exchange(exchange, out),
        Command::ReturnExchange(back) => {
            let ReturnExchange { id, credit, amount, original, document, deadline } = back;
            header(KIND_RETURN_EXCHANGE, flags_of(document, deadline), 0, out);
            out.extend_from_slice(&id.0);
            out.extend_from_slice(&credit.0.to_le_bytes());
            out.extend_from_slice(&amount.minor().to_le_bytes());
            encode_rest(document, deadline, out);
            encode_exchange(original, out);
        }
        Command::ReportCredit(ReportCredit { transfer, account, outcome }) => {
            let rejected = matches!(outcome, CreditOutcome::Rejected(_));
            header(KIND_REPORT_CREDIT, u8::from(rejected) * FLAG_REJECTED, 0, out);
            out.extend_from_slice(&transfer.0);
            out.extend_from_slice(&account.0.to_le_bytes());
            match outcome {
                CreditOutcome::Credited(at) => out.extend_from_slice(&at.0.to_le_bytes()),
                CreditOutcome::Rejected(reason) => out.extend_from_slice(reason.as_bytes()),
            }
        }
        Command::SetReporting(SetReporting { id, account, within }) => {
            header(KIND_SET_REPORTING, 0, 0, out);
            out.extend_from_slice(&id.0);
            out.extend_from_slice(&account.0.to_le_bytes());
            out.extend_from_slice(&within.to_le_bytes());
        }
        _ => {}
    }
}

fn encode_quote(quote: &PlaceQuote, out: &mut Vec<u8>) {
    let PlaceQuote { id, sells, buys, rate, amount, least, until, replaces } = quote;
    let flags = if replaces.is_some() { FLAG_REPLACES } else { 0 };
    header(KIND_PLACE_QUOTE, flags, 0, out);
    out.extend_from_slice(&id.0);
    out.extend_from_slice(&sells.0.to_le_bytes());
    out.extend_from_slice(&buys.0.to_le_bytes());
    for number in [rate.pay(), rate.get(), amount.minor(), least.minor(), until.0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    replaces.iter().for_each(|id| out.extend_from_slice(&id.0));
}

fn encode_exchange(exchange: &Exchange, out: &mut Vec<u8>) {
    let Exchange { id, debit, credit, amount, document, deadline } = exchange;
    let (spend, exact, limit) = match *amount {
        ExchangeAmount::Deliver { exactly, at_most } => (0, exactly, at_most),
        ExchangeAmount::Spend { exactly, at_least } => (FLAG_SPEND, exactly, at_least),
    };
    header(KIND_EXCHANGE, flags_of(document, deadline) | spend, 0, out);
    out.extend_from_slice(&id.0);
    out.extend_from_slice(&debit.0.to_le_bytes());
    out.extend_from_slice(&credit.0.to_le_bytes());
    out.extend_from_slice(&exact.minor().to_le_bytes());
    out.extend_from_slice(&limit.minor().to_le_bytes());
    encode_rest(document, deadline, out);
}

fn flags_of(document: &Option<Digest>, deadline: &Option<LedgerTime>) -> u8 {
    let mut flags = 0;
    if document.is_some() {
        flags |= FLAG_DOCUMENT;
    }
    if deadline.is_some() {
        flags |= FLAG_DEADLINE;
    }
    flags
}

fn encode_rest(document: &Option<Digest>, deadline: &Option<LedgerTime>, out: &mut Vec<u8>) {
    document.iter().for_each(|digest| out.extend_from_slice(&digest.0));
    deadline.iter().for_each(|time| out.extend_from_slice(&time.0.to_le_bytes()));
}

/// Reads the rest of a command of one of `KINDS`.
pub(super) fn decode(
    kind: u8,
    flags: u8,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Command, DecodeError> {
    let known = match kind {
        KIND_PLACE_QUOTE => FLAG_REPLACES,
        KIND_EXCHANGE => FLAG_DOCUMENT | FLAG_DEADLINE | FLAG_SPEND,
        KIND_RETURN_EXCHANGE => FLAG_DOCUMENT | FLAG_DEADLINE,
        KIND_REPORT_CREDIT => FLAG_REJECTED,
        _ => 0,
    };
    if flags & !known != 0 {
        return Err(DecodeError::Flags(flags));
    }
    if count != 0 {
        return Err(DecodeError::Count { what: "count of a command without a list", count });
    }
    let id = TransferId(reader.array()?);
    Ok(match kind {
        KIND_PLACE_QUOTE => Command::PlaceQuote(decode_quote(id, flags, reader)?),
        KIND_WITHDRAW_QUOTE => Command::WithdrawQuote(WithdrawQuote { quote: id }),
        KIND_EXCHANGE => Command::Exchange(decode_exchange(id, flags, reader)?),
        KIND_RETURN_EXCHANGE => {
            let credit = AccountNumber(reader.u32()?);
            let amount = Amount::new(reader.u64()?);
            let (document, deadline) = decode_rest(flags, reader)?;
            let original = decode_original(reader)?;
            Command::ReturnExchange(ReturnExchange {
                id,
                credit,
                amount,
                original,
                document,
                deadline,
            })
        }
        KIND_REPORT_CREDIT => {
            let account = AccountNumber(reader.u32()?);
            let outcome = if flags & FLAG_REJECTED == 0 {
                CreditOutcome::Credited(LedgerTime(reader.u64()?))
            } else {
                let reason = ReasonCode::from_bytes(reader.array()?);
                CreditOutcome::Rejected(reason.map_err(|_| DecodeError::Field("reason"))?)
            };
            Command::ReportCredit(ReportCredit { transfer: id, account, outcome })
        }
        _ => Command::SetReporting(SetReporting {
            id,
            account: AccountNumber(reader.u32()?),
            within: reader.u64()?,
        }),
    })
}

fn decode_quote(
    id: TransferId,
    flags: u8,
    reader: &mut Reader<'_>,
) -> Result<PlaceQuote, DecodeError> {
    let (sells, buys) = (AccountNumber(reader.u32()?), AccountNumber(reader.u32()?));
    let rate = Rate::new(reader.u64()?, reader.u64()?).ok_or(DecodeError::Field("rate"))?;
    let (amount, least) = (Amount::new(reader.u64()?), Amount::new(reader.u64()?));
    let until = LedgerTime(reader.u64()?);
    let replaces =
        if flags & FLAG_REPLACES == 0 { None } else { Some(TransferId(reader.array()?)) };
    Ok(PlaceQuote { id, sells, buys, rate, amount, least, until, replaces })
}

fn decode_exchange(
    id: TransferId,
    flags: u8,
    reader: &mut Reader<'_>,
) -> Result<Exchange, DecodeError> {
    let (debit, credit) = (AccountNumber(reader.u32()?), AccountNumber(reader.u32()?));
    let (exactly, limit) = (Amount::new(reader.u64()?), Amount::new(reader.u64()?));
    let amount = if flags & FLAG_SPEND == 0 {
        ExchangeAmount::Deliver { exactly, at_most: limit }
    } else {
        ExchangeAmount::Spend { exactly, at_least: limit }
    };
    let (document, deadline) = decode_rest(flags, reader)?;
    Ok(Exchange { id, debit, credit, amount, document, deadline })
}

fn decode_rest(
    flags: u8,
    reader: &mut Reader<'_>,
) -> Result<(Option<Digest>, Option<LedgerTime>), DecodeError> {
    let document = if flags & FLAG_DOCUMENT == 0 { None } else { Some(Digest(reader.array()?)) };
    let deadline = if flags & FLAG_DEADLINE == 0 { None } else { Some(LedgerTime(reader.u64()?)) };
    Ok((document, deadline))
}

/// The exchange that a return shows.
fn decode_original(reader: &mut Reader<'_>) -> Result<Exchange, DecodeError> {
    let (kind, flags, count) = (reader.u8()?, reader.u8()?, usize::from(reader.u16()?));
    if kind != KIND_EXCHANGE {
        return Err(DecodeError::Kind(kind));
    }
    match decode(kind, flags, count, reader)? {
        Command::Exchange(exchange) => Ok(exchange),
        _ => Err(DecodeError::Kind(kind)),
    }
}
