//! The settings of accounts as bytes: in a checkpoint, and under the state root.
//!
//! One record, little-endian: account u32, presence bits u16, then what is present: the owner's and the issuer's payment
//! limit u64 each (bits 0, 1), their windows (bits 2, 3: amount u64, length u64, rolling u8, steps u8, each step u64 and
//! amount u128), multilateral limit (bit 4: u64, position i128), acceptance u64 (bit 5), floor and ceiling i64 each (bits 6,
//! 7; bits 8, 9: passed); always reserved for urgent and for high u64 each, wake time u64, bilateral limits (count u16,
//! each participant u32, limit u64, position i128).

use super::{Controls, Liquidity, NoticeLines, Position, STEPS, Velocity};
use crate::checkpoint::{RestoreError, Source};
use crate::command::{Limit, LimitSetter, Pace, SetLimit};
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::limits::{BILATERAL_LIMITS_MAX, WAIT_NANOSECONDS_MAX};
use crate::state::Ledger;

/// Of the section in a checkpoint and of what is added to the state root.
pub(crate) const TAG: u8 = b'L';
const WHAT: &str = "liquidity settings";
const BITS: u16 = (1 << 10) - 1;

fn put_position(position: &Position, out: &mut Vec<u8>) {
    out.extend_from_slice(&position.most.to_le_bytes());
    out.extend_from_slice(&position.settled.to_le_bytes());
}

impl Controls {
    /// The bytes of the record.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let lines = &self.notices;
        let present = [
            self.payment[0].is_some(),
            self.payment[1].is_some(),
            self.velocity[0].is_some(),
            self.velocity[1].is_some(),
            self.multilateral.is_some(),
            self.acceptance.is_some(),
            lines.floor.is_some(),
            lines.ceiling.is_some(),
            lines.below,
            lines.above,
        ];
        let bits = present.iter().rev().fold(0u16, |bits, one| bits << 1 | u16::from(*one));
        out.extend_from_slice(&self.account.0.to_le_bytes());
        out.extend_from_slice(&bits.to_le_bytes());
        for most in self.payment.iter().flatten() {
            out.extend_from_slice(&most.to_le_bytes());
        }
        for one in self.velocity.iter().flatten() {
            out.extend_from_slice(&one.pace.amount.to_le_bytes());
            out.extend_from_slice(&one.pace.window.to_le_bytes());
            out.push(u8::from(one.pace.rolling));
            out.push(one.taken.len() as u8);
            for (step, amount) in &one.taken {
                out.extend_from_slice(&step.to_le_bytes());
                out.extend_from_slice(&amount.to_le_bytes());
            }
        }
        self.multilateral.iter().for_each(|one| put_position(one, out));
        self.acceptance.iter().for_each(|one| out.extend_from_slice(&one.to_le_bytes()));
        for line in [lines.floor, lines.ceiling].into_iter().flatten() {
            out.extend_from_slice(&line.to_le_bytes());
        }
        self.reserved.iter().for_each(|one| out.extend_from_slice(&one.to_le_bytes()));
        out.extend_from_slice(&self.wake.0.to_le_bytes());
        out.extend_from_slice(&(self.bilateral.len() as u16).to_le_bytes());
        for (to, position) in &self.bilateral {
            out.extend_from_slice(&to.0.to_le_bytes());
            put_position(position, out);
        }
    }
}

impl Liquidity {
    /// The section of a checkpoint without its tag: the number of records u32 and the records. Given piece by piece.
    pub(crate) fn encode(
        &self,
        each: &mut dyn FnMut(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        each(&[TAG])?;
        each(&(self.records.len() as u32).to_le_bytes())?;
        let mut bytes = Vec::new();
        for record in &self.records {
            bytes.clear();
            record.encode(&mut bytes);
            each(&bytes)?;
        }
        Ok(())
    }
}

fn wrong(number: u64, field: &'static str) -> RestoreError {
    RestoreError::Field { what: WHAT, number, field }
}

fn u64_of(source: &mut Source<'_>) -> Result<u64, RestoreError> {
    source.array().map(u64::from_le_bytes)
}

fn read_position(source: &mut Source<'_>, number: u64) -> Result<Position, RestoreError> {
    let most = u64_of(source)?;
    let settled = i128::from_le_bytes(source.array()?);
    // A sum of amounts of 64 bits, of which no network sees 2^60.
    let bound = 1i128 << 124;
    if !(-bound..=bound).contains(&settled) {
        return Err(wrong(number, "position"));
    }
    Ok(Position { most, settled })
}

fn read_velocity(source: &mut Source<'_>, number: u64) -> Result<Velocity, RestoreError> {
    let (amount, window) = (u64_of(source)?, u64_of(source)?);
    let rolling = match source.u8()? {
        0 => false,
        1 => true,
        _ => return Err(wrong(number, "window")),
    };
    let pace = Pace { amount, window, rolling };
    let limit = Limit::Velocity { most: Some(pace) };
    let (id, account) = (TransferId([0; 16]), AccountNumber(0));
    if !(SetLimit { id, account, by: LimitSetter::Owner, limit }).is_well_formed() {
        return Err(wrong(number, "window"));
    }
    let mut taken: Vec<(u64, u128)> = Vec::new();
    for _ in 0..source.u8()? {
        let (step, amount) = (u64_of(source)?, u128::from_le_bytes(source.array()?));
        let ascends = taken.last().is_none_or(|(last, _)| *last < step);
        if !ascends || taken.len() as u64 > STEPS || amount >> 120 != 0 {
            return Err(wrong(number, "what was taken"));
        }
        taken.push((step, amount));
    }
    Ok(Velocity { pace, taken })
}

fn read_record(
    ledger: &Ledger,
    source: &mut Source<'_>,
    number: u64,
) -> Result<Controls, RestoreError> {
    let account = AccountNumber(source.u32()?);
    if ledger.account(account).is_none() || ledger.liquidity.of(account).is_some() {
        return Err(wrong(number, "account"));
    }
    let bits = u16::from_le_bytes(source.array()?);
    if bits & !BITS != 0 {
        return Err(wrong(number, "presence"));
    }
    let has = |bit: u16| bits >> bit & 1 == 1;
    let mut record = Controls::none(account);
    for at in 0..2 {
        if has(at) {
            record.payment[usize::from(at)] = Some(u64_of(source)?);
        }
    }
    for at in 0..2 {
        if has(at + 2) {
            record.velocity[usize::from(at)] = Some(read_velocity(source, number)?);
        }
    }
    if has(4) {
        record.multilateral = Some(read_position(source, number)?);
    }
    if has(5) {
        let within = u64_of(source)?;
        if !(1..=WAIT_NANOSECONDS_MAX).contains(&within) {
            return Err(wrong(number, "acceptance"));
        }
        record.acceptance = Some(within);
    }
    let mut line = |bit| {
        if has(bit) { source.array().map(i64::from_le_bytes).map(Some) } else { Ok(None) }
    };
    let (floor, ceiling) = (line(6)?, line(7)?);
    record.notices = NoticeLines { floor, ceiling, below: has(8), above: has(9) };
    if has(8) && !has(6) || has(9) && !has(7) {
        return Err(wrong(number, "notices"));
    }
    record.reserved = [u64_of(source)?, u64_of(source)?];
    record.wake = LedgerTime(u64_of(source)?);
    let count = usize::from(u16::from_le_bytes(source.array()?));
    if count > BILATERAL_LIMITS_MAX {
        return Err(wrong(number, "bilateral limits"));
    }
    for _ in 0..count {
        let to = ParticipantNumber(source.u32()?);
        let ascends = record.bilateral.last_key_value().is_none_or(|(last, _)| *last < to);
        if !ascends || ledger.participant(to).is_none() {
            return Err(wrong(number, "bilateral limits"));
        }
        record.bilateral.insert(to, read_position(source, number)?);
    }
    Ok(record)
}

/// Reads the section behind its tag into a ledger that has its accounts and what waits.
pub(crate) fn read(ledger: &mut Ledger, source: &mut Source<'_>) -> Result<(), RestoreError> {
    let count = source.u32()?;
    // A section without records is never written.
    if count == 0 || count as usize > ledger.accounts().len() {
        return Err(RestoreError::Count { what: WHAT, count: u64::from(count) });
    }
    for number in 0..u64::from(count) {
        let record = read_record(ledger, source, number)?;
        let (account, wake) = (record.account, record.wake);
        ledger.accounts[account.0 as usize].controlled = !record.is_empty();
        let table = &mut ledger.liquidity;
        table.noticed += u32::from(record.notices.any());
        if wake != LedgerTime(0) {
            table.wakes.insert((wake, account));
        }
        *table.of_mut(account) = record;
    }
    Ok(())
}
