//! The rows of participants, accounts and keys: what is new, and what became another at the end of a block.
//!
//! Whether anything may have changed is told by the commands of a block and by the times of keys; only then is all of
//! it compared with what was written last.

use ledger::{AccountNumber, AccountStatus, Answer, Command, KeyRecord, Ledger, ParticipantState};

use super::rows::{Rows, Table};
use crate::replay::At;

/// The leaf of what has not happened yet, in a key's record.
const LEAF_NONE: u64 = u64::MAX;

/// What was written.
#[derive(Default)]
pub(super) struct Registry {
    owners: Vec<u32>,
    assets: Vec<String>,
    accounts: Vec<(AccountStatus, i64)>,
    participants: Vec<ParticipantState>,
    keys: Vec<Vec<KeyRecord>>,
    /// A command of the block may have changed one of these.
    changed: bool,
    /// The next time at which a key begins or ends by itself.
    key_time: Option<u64>,
}

impl Registry {
    /// Owner of an account.
    pub(super) fn owner(&self, ledger: &Ledger, number: AccountNumber) -> Option<u32> {
        let known = self.owners.get(number.0 as usize).copied();
        known.or_else(|| ledger.account(number).map(|view| view.owner.0))
    }

    /// Code of the asset of an account.
    pub(super) fn asset(&self, ledger: &Ledger, number: u32) -> Option<String> {
        let known = self.assets.get(number as usize).cloned();
        known.or_else(|| {
            ledger.account(AccountNumber(number)).map(|view| view.name.asset.to_string())
        })
    }

    /// Takes note of a command that settled, or may have.
    pub(super) fn look_at(&mut self, command: &Command) {
        let moves_only = matches!(
            command,
            Command::Transfer(_)
                | Command::Issue(_)
                | Command::Redeem(_)
                | Command::Approve(_)
                | Command::Refuse(_)
                | Command::Reveal(_)
                | Command::Cancel(_)
                | Command::Reorder(_)
                | Command::Attest(_)
                | Command::EraseDocument(_)
                | Command::PlaceQuote(_)
                | Command::WithdrawQuote(_)
                | Command::Exchange(_)
                | Command::ReturnExchange(_)
                | Command::ReportCredit(_)
                | Command::RecordAccess(_)
        );
        self.changed |= !moves_only;
    }

    /// Writes what is new or another at the end of a block.
    pub(super) fn end(&mut self, ledger: &Ledger, at: At, rows: &mut Rows) {
        let is_first = self.participants.is_empty();
        let key_time = self.key_time.is_some_and(|time| time <= at.time);
        if !std::mem::take(&mut self.changed) && !is_first && !key_time {
            return;
        }
        self.all_participants(ledger, at, rows);
        self.all_accounts(ledger, at, rows);
    }

    fn all_participants(&mut self, ledger: &Ledger, at: At, rows: &mut Rows) {
        self.key_time = None;
        for (index, one) in ledger.participants().iter().enumerate() {
            let state = ledger.participant_state(one.number);
            if index >= self.participants.len() {
                let row = rows.row(Table::Participants).big(at.leaf).big(at.height);
                row.int(one.number.0).text(&one.bic.to_string()).text(&one.name);
            }
            if self.participants.get(index) != Some(&state) {
                let row = rows.row(Table::ParticipantStates).big(at.leaf).big(at.height);
                row.time(at.time).int(one.number.0).text(state.name());
            }
            match self.participants.get_mut(index) {
                Some(known) => *known = state,
                None => self.participants.push(state),
            }
            let keys = ledger.key_history(one.number);
            if self.keys.len() <= index {
                self.keys.push(Vec::new());
            }
            for (number, key) in keys.iter().enumerate() {
                let next = match (happened(key.from_leaf), key.until) {
                    (None, _) => Some(key.from.0),
                    (Some(_), Some((until, _))) if happened(key.until_leaf).is_none() => {
                        Some(until.0)
                    }
                    _ => None,
                };
                self.key_time = [self.key_time, next].into_iter().flatten().min();
                if self.keys[index].get(number) != Some(key) {
                    key_row(rows, at, one.number.0, number as u32, key);
                }
            }
            self.keys[index] = keys;
        }
    }

    fn all_accounts(&mut self, ledger: &Ledger, at: At, rows: &mut Rows) {
        for (index, view) in ledger.accounts().enumerate() {
            if index >= self.owners.len() {
                let exponent = ledger.asset(view.asset).map_or(0, |asset| asset.exponent.get());
                self.owners.push(view.owner.0);
                self.assets.push(view.name.asset.to_string());
                rows.row(Table::Accounts)
                    .big(at.leaf)
                    .big(at.height)
                    .int(view.number.0)
                    .text(&view.name.to_string())
                    .int(view.owner.0)
                    .text(&self.assets[index])
                    .int(exponent.into());
            }
            let state = (view.status, view.floor);
            if self.accounts.get(index) == Some(&state) {
                continue;
            }
            match self.accounts.get_mut(index) {
                Some(known) => *known = state,
                None => self.accounts.push(state),
            }
            rows.row(Table::AccountStates)
                .big(at.leaf)
                .big(at.height)
                .time(at.time)
                .int(view.number.0)
                .int(view.owner.0)
                .text(status(view.status))
                .number(view.floor.into());
        }
    }

    /// What the numbers of answers mean.
    pub(super) fn answers(at: At, rows: &mut Rows) {
        for code in 1..=u16::MAX {
            let Some(answer) = Answer::from_code(code) else { continue };
            let (name, iso) = match answer {
                Answer::Settled => ("settled", None),
                Answer::Waiting(stage) => (stage.name(), None),
                Answer::Refused(refusal) => (refusal.name(), Some(refusal.iso_code())),
            };
            let row = rows.row(Table::Answers).big(at.leaf).big(at.height).int(code.into());
            row.text(name).option(iso, |row, iso| row.text(iso));
        }
    }
}

fn happened(leaf: Option<u64>) -> Option<u64> {
    leaf.filter(|leaf| *leaf != LEAF_NONE)
}

fn key_row(rows: &mut Rows, at: At, participant: u32, number: u32, key: &KeyRecord) {
    rows.row(Table::KeyStates)
        .big(at.leaf)
        .big(at.height)
        .time(at.time)
        .int(participant)
        .int(number)
        .bytes(&key.key.0)
        .big(key.from.0)
        .option(happened(key.from_leaf), |row, leaf| row.big(leaf))
        .option(key.until, |row, (until, _)| row.big(until.0))
        .option(happened(key.until_leaf), |row, leaf| row.big(leaf))
        .option(key.until, |row, (_, end)| row.text(end.name()));
}

fn status(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Open => "open",
        AccountStatus::CreditOnly => "credit-only",
        AccountStatus::DebitOnly => "debit-only",
        AccountStatus::Blocked => "blocked",
        AccountStatus::Closed => "closed",
    }
}
