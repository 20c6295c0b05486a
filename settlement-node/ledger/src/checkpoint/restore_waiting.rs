//! The waiting transfers of a checkpoint.
//!
//! Each is checked as far as what follows relies on it: that it has options, a deadline, accounts that exist, marks
//! that its conditions can have. What the accounts hold for it is compared by the invariants.

use std::collections::BTreeSet;

use super::restore::{RestoreError, Source};
use crate::answer::Stage;
use crate::command::{Command, Priority, RULES_LAST, RULES_LIFE_CYCLE, Transfer};
use crate::conditions::{Mark, Marks};
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber};
use crate::ids::GENESIS_LEAF;
use crate::limits::{COMMAND_BYTES_MAX, CONDITIONS_MAX, WAITING_MAX};
use crate::state::Ledger;
use crate::waiting::Waiting;

const WHAT: &str = "waiting transfer";

fn wrong(number: u64, field: &'static str) -> RestoreError {
    RestoreError::Field { what: WHAT, number, field }
}

/// Reads the rule version and all waiting transfers into a ledger that has its accounts and ids.
pub(super) fn read_waiting(
    ledger: &mut Ledger,
    source: &mut Source<'_>,
    leaf_end: u64,
) -> Result<(), RestoreError> {
    let rules = u16::from_le_bytes(source.array()?);
    if !(RULES_LIFE_CYCLE..=RULES_LAST).contains(&rules) {
        return Err(RestoreError::Count {
            what: "as version of the rules",
            count: u64::from(rules),
        });
    }
    ledger.rules = rules;
    ledger.waiting.next_order = u64::from_le_bytes(source.array()?);
    ledger.waiting.first_order = u64::from_le_bytes(source.array()?);
    ledger.waiting.last_offset = LedgerTime(u64::from_le_bytes(source.array()?));
    ledger.waiting.offset_wanted = match source.u8()? {
        0 => false,
        1 => true,
        _ => return Err(wrong(0, "wish for offsetting")),
    };
    let to_release = read_accounts(ledger, source)?;
    let places = source.u32()?;
    let count = source.u32()?;
    if places as usize > WAITING_MAX || count > places {
        return Err(RestoreError::Count { what: "waiting transfers", count: u64::from(count) });
    }
    ledger.waiting.reserve_slots(places);
    let mut before = None;
    for number in 0..u64::from(count) {
        let place = source.u32()?;
        if place >= places || before.replace(place).is_some_and(|before| before >= place) {
            return Err(wrong(number, "place"));
        }
        let waiting = read_one(ledger, source, number, leaf_end)?;
        ledger.waiting.insert_at(place, waiting);
        ledger.reindex(place);
    }
    ledger.waiting.to_release = to_release;
    Ok(())
}

/// The accounts whose queues are still to be looked at, ascending.
fn read_accounts(
    ledger: &Ledger,
    source: &mut Source<'_>,
) -> Result<BTreeSet<AccountNumber>, RestoreError> {
    let count = source.u32()?;
    if count as usize > ledger.accounts().len() {
        return Err(RestoreError::Count { what: "accounts to look at", count: u64::from(count) });
    }
    let mut accounts = BTreeSet::new();
    for number in 0..u64::from(count) {
        let account = AccountNumber(source.u32()?);
        let ascends = accounts.last().is_none_or(|last| *last < account);
        if !ascends || ledger.account(account).is_none() {
            return Err(wrong(number, "account to look at"));
        }
        accounts.insert(account);
    }
    Ok(accounts)
}

fn read_one(
    ledger: &Ledger,
    source: &mut Source<'_>,
    number: u64,
    leaf_end: u64,
) -> Result<Waiting, RestoreError> {
    let leaf = u64::from_le_bytes(source.array()?);
    if leaf >= leaf_end && leaf != GENESIS_LEAF {
        return Err(RestoreError::Leaf { number, leaf });
    }
    let submitter = ParticipantNumber(source.u32()?);
    if ledger.participant(submitter).is_none() {
        return Err(wrong(number, "submitter"));
    }
    let stage =
        Stage::from_number(u16::from(source.u8()?)).ok_or_else(|| wrong(number, "stage"))?;
    let priority = Priority::from_number(source.u8()?).ok_or_else(|| wrong(number, "priority"))?;
    let order = u64::from_le_bytes(source.array()?);
    if order >= ledger.waiting.next_order || order <= ledger.waiting.first_order {
        return Err(wrong(number, "order"));
    }
    let due = LedgerTime(u64::from_le_bytes(source.array()?));
    let marks = usize::from(source.u8()?);
    if marks > CONDITIONS_MAX {
        return Err(RestoreError::Count { what: "conditions", count: marks as u64 });
    }
    let mut list = Vec::with_capacity(marks);
    for _ in 0..marks {
        let met = u16::from_le_bytes(source.array()?);
        let against = u16::from_le_bytes(source.array()?);
        list.push(Mark { met, against });
    }
    let transfer = read_transfer(source, number)?;
    let conditions = transfer.options.as_deref().map_or(&[][..], |options| &options.conditions);
    let marks = Marks::checked(list, conditions).ok_or_else(|| wrong(number, "marks"))?;
    let accounts = transfer.legs.as_slice().iter();
    let known = accounts
        .flat_map(|leg| [leg.debit, leg.credit])
        .all(|account| ledger.account(account).is_some());
    let timed = transfer.options.as_deref().is_some_and(|options| options.deadline.is_some());
    if !known || !timed || ledger.waiting.slot_of(&transfer.id).is_some() {
        return Err(wrong(number, "transfer"));
    }
    Ok(Waiting { transfer, leaf, submitter, stage, priority, order, due, marks })
}

fn read_transfer(source: &mut Source<'_>, number: u64) -> Result<Transfer, RestoreError> {
    let length = usize::from(u16::from_le_bytes(source.array()?));
    if length > COMMAND_BYTES_MAX {
        return Err(RestoreError::Count { what: "bytes of a command", count: length as u64 });
    }
    let mut bytes = vec![0; length];
    source.fill(&mut bytes)?;
    match Command::decode(&bytes) {
        Ok((Command::Transfer(transfer), used)) if used == length => Ok(transfer),
        _ => Err(wrong(number, "transfer")),
    }
}
