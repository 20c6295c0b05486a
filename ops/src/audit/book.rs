//! The rows of money: commands, what became of them, and each change of an account.
//!
//! A log that is applied again is watched; each balance that rows arrive at must be the ledger's. What the rows say of
//! accounts, participants and keys is in `registry.rs`, of proposals and votes in `governance.rs`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use ledger::{
    AccountNumber, Answer, Cause, Command, EraseDocument, Exchanged, Ledger, Outcome,
    ParticipantNumber, Progress, RecordAccess, TransferId,
};
use proof::Hash;

use super::{
    governance,
    registry::Registry,
    rows::{DAY_NS, Rows, Table},
};
use crate::{
    clock::date_time,
    replay::{At, Chain, CheckedBlock, Stop, Watch},
};

/// What one account did on one UTC day.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    day: u64,
    leaf: u64,
    height: u64,
    opening: i128,
    debits: i128,
    credits: i128,
    /// Changed since it was last written as a row.
    dirty: bool,
}

/// The rows of the blocks that were watched, and what the next ones need.
pub(super) struct Book {
    pub(super) rows: Rows,
    balances: Vec<i128>,
    days: Vec<Day>,
    /// Commands that wait: what they will move is in no later record.
    waiting: BTreeMap<TransferId, Command>,
    /// Exchanges of the block at hand, by leaf.
    exchanges: BTreeMap<u64, Command>,
    /// Accounts that the block at hand touched.
    touched: BTreeSet<u32>,
    registry: Registry,
    month: (u64, String),
    seq: u32,
}

impl Book {
    /// With the rows of a log that has nothing but its first record.
    pub(super) fn genesis(chain: &Chain, first: &[u8]) -> Result<Self> {
        let mut this = Self {
            rows: Rows::default(),
            balances: Vec::new(),
            days: Vec::new(),
            waiting: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            touched: BTreeSet::new(),
            registry: Registry::default(),
            month: (u64::MAX, String::new()),
            seq: 0,
        };
        let ledger = chain.ledger();
        let at = At { leaf: 0, height: 0, time: chain.time() };
        this.note_month(at.time);
        this.record(at, first);
        Registry::answers(at, &mut this.rows);
        this.registry.end(ledger, at, &mut this.rows);
        for view in ledger.accounts() {
            let posted = view.posted.minor();
            if posted != 0 {
                this.post(ledger, at, view.number, None, None, posted)?;
            }
        }
        this.touched.clear();
        Ok(this)
    }

    fn record(&mut self, at: At, bytes: &[u8]) {
        let kind = bytes.first().copied().unwrap_or_default();
        let row = self.rows.row(Table::Records).big(at.leaf).big(at.height).time(at.time);
        row.small(kind.into()).bytes(bytes);
    }

    fn first_answer(
        &mut self,
        ledger: &Ledger,
        at: At,
        submitter: ParticipantNumber,
        command: &Command,
        outcome: Outcome,
    ) -> Result<()> {
        self.note_month(at.time);
        let (first, legs) = first_leg(command);
        let mut parties = self.parties(ledger, command);
        let about = governance::about(command);
        if let Some(waiting) = about.and_then(|id| self.waiting.get(&id)) {
            parties.append(&mut self.parties(ledger, waiting));
        }
        parties.insert(submitter.0);
        let asset =
            first.debit.or(first.credit).and_then(|number| self.registry.asset(ledger, number));
        self.rows
            .row(Table::Commands)
            .big(at.leaf)
            .big(at.height)
            .time(at.time)
            .big(at.time)
            .text(command.name())
            .option(command.id(), |row, id| row.bytes(&id.0))
            .option(about, |row, id| row.bytes(&id.0))
            .int(submitter.0)
            .int(outcome.answer.code().into())
            .option(outcome.original, |row, leaf| row.big(leaf))
            .option(first.debit, |row, account| row.int(account))
            .option(first.credit, |row, account| row.int(account))
            .option(asset, |row, asset| row.text(&asset))
            .option(first.amount, |row, amount| row.number(amount))
            .int(legs)
            .option(command.document(), |row, digest| row.bytes(&digest.0))
            .ints(&parties);
        governance::row(ledger, at, submitter, command, outcome.answer, &mut self.rows);
        self.registry.look_at(command);
        if outcome.original.is_some() {
            return Ok(());
        }
        match outcome.answer {
            Answer::Settled => {
                match command {
                    Command::RecordAccess(access) => access_row(at, access, &mut self.rows),
                    Command::EraseDocument(erase) => erasure_row(at, erase, &mut self.rows),
                    _ => {}
                }
                if matches!(command, Command::Exchange(_)) {
                    self.exchanges.insert(at.leaf, command.clone());
                }
                self.settle(ledger, command, at)
            }
            Answer::Waiting(_) => {
                self.waiting.extend(command.id().map(|id| (id, command.clone())));
                Ok(())
            }
            Answer::Refused(_) => Ok(()),
        }
    }

    fn later_answer(&mut self, ledger: &Ledger, at: At, one: &Progress) -> Result<()> {
        let command = match one.answer.is_final() {
            true => self.waiting.remove(&one.id),
            false => self.waiting.get(&one.id).cloned(),
        };
        let command = command.with_context(|| format!("{} did not wait", one.id))?;
        let cause = match one.cause {
            Cause::Command(leaf) => format!("command {leaf}"),
            Cause::Time => "time".to_owned(),
            Cause::Cover => "cover".to_owned(),
            Cause::Together(number) => format!("group {number}"),
            Cause::Till => "notice".to_owned(),
        };
        let parties = self.parties(ledger, &command);
        self.rows
            .row(Table::Progress)
            .big(at.leaf)
            .big(at.height)
            .time(at.time)
            .big(at.time)
            .bytes(&one.id.0)
            .big(one.leaf)
            .int(one.answer.code().into())
            .text(&cause)
            .ints(&parties);
        governance::end_row(at, one, &command, &mut self.rows);
        self.registry.look_at(&command);
        if one.answer.is_settled() { self.settle(ledger, &command, at) } else { Ok(()) }
    }

    /// The postings of a command that settled. Those of an exchange come with its own record.
    fn settle(&mut self, ledger: &Ledger, command: &Command, at: At) -> Result<()> {
        self.seq = 0;
        let id = command.id();
        match command {
            Command::Transfer(transfer) => {
                for leg in transfer.legs.as_slice() {
                    self.pair(ledger, at, id, leg.debit, leg.credit, leg.amount.minor())?;
                }
            }
            Command::Issue(issue) => {
                self.post(ledger, at, issue.account, None, id, issue.amount.minor().into())?;
            }
            Command::Redeem(redeem) => {
                let change = -i128::from(redeem.amount.minor());
                self.post(ledger, at, redeem.account, None, id, change)?;
            }
            Command::ReturnExchange(back) => {
                let (debit, credit) = (back.original.credit, back.credit);
                self.pair(ledger, at, id, debit, credit, back.amount.minor())?;
            }
            _ => {}
        }
        Ok(())
    }

    fn exchanged(&mut self, ledger: &Ledger, at: At, one: &Exchanged) -> Result<()> {
        let Some(Command::Exchange(command)) = self.exchanges.remove(&one.leaf) else {
            bail!("exchange {} has no command in its block", one.id);
        };
        self.seq = 0;
        let id = Some(one.id);
        let (paid, delivered) = (i128::from(one.paid.minor()), i128::from(one.delivered.minor()));
        self.post(ledger, at, command.debit, None, id, -paid)?;
        for fill in &one.fills {
            self.post(ledger, at, fill.buys, None, id, fill.took.minor().into())?;
            self.post(ledger, at, fill.sells, None, id, -i128::from(fill.gave.minor()))?;
        }
        self.post(ledger, at, command.credit, None, id, delivered)?;
        let fills = one.fills.iter().flat_map(|fill| [fill.sells, fill.buys]);
        let accounts = fills.chain([command.debit, command.credit]);
        let parties = accounts.filter_map(|number| self.registry.owner(ledger, number)).collect();
        self.rows
            .row(Table::Exchanges)
            .big(at.leaf)
            .big(at.height)
            .time(at.time)
            .bytes(&one.id.0)
            .big(one.leaf)
            .number(paid)
            .number(delivered)
            .int(one.fills.len() as u32)
            .ints(&parties);
        Ok(())
    }

    fn pair(
        &mut self,
        ledger: &Ledger,
        at: At,
        id: Option<TransferId>,
        debit: AccountNumber,
        credit: AccountNumber,
        amount: u64,
    ) -> Result<()> {
        self.post(ledger, at, debit, Some(credit), id, -i128::from(amount))?;
        self.post(ledger, at, credit, Some(debit), id, amount.into())
    }

    fn post(
        &mut self,
        ledger: &Ledger,
        at: At,
        account: AccountNumber,
        counterpart: Option<AccountNumber>,
        id: Option<TransferId>,
        change: i128,
    ) -> Result<()> {
        let index = account.0 as usize;
        let owner =
            self.registry.owner(ledger, account).context("posting to an unknown account")?;
        if self.balances.len() <= index {
            self.balances.resize(index + 1, 0);
            self.days.resize(index + 1, Day::default());
        }
        let before = self.balances[index];
        let balance = before + change;
        self.balances[index] = balance;
        self.touched.insert(account.0);
        let today = at.time / DAY_NS;
        if self.days[index].day != today {
            self.day_row(index, owner, before);
            self.days[index] = Day { day: today, opening: before, ..Day::default() };
        }
        let day = &mut self.days[index];
        (day.leaf, day.height, day.dirty) = (at.leaf, at.height, true);
        if change < 0 {
            day.debits -= change
        } else {
            day.credits += change
        }
        self.rows
            .row(Table::Postings)
            .big(at.leaf)
            .int(self.seq)
            .big(at.height)
            .time(at.time)
            .int(account.0)
            .int(owner)
            .option(counterpart, |row, other| row.int(other.0))
            .option(id, |row, id| row.bytes(&id.0))
            .number(change)
            .number(balance);
        self.seq += 1;
        Ok(())
    }

    /// Writes the days that changed since the last call; a day that goes on is written again later.
    pub(super) fn flush_days(&mut self, ledger: &Ledger) {
        for index in 0..self.days.len() {
            if self.days[index].dirty {
                let owner = self.registry.owner(ledger, AccountNumber(index as u32));
                self.day_row(index, owner.unwrap_or_default(), self.balances[index]);
            }
        }
    }

    fn day_row(&mut self, index: usize, owner: u32, closing: i128) {
        let day = &mut self.days[index];
        if !std::mem::take(&mut day.dirty) {
            return;
        }
        self.rows
            .row(Table::Days)
            .big(day.leaf)
            .big(day.height)
            .int(index as u32)
            .int(owner)
            .day(day.day)
            .number(day.opening)
            .number(day.debits)
            .number(day.credits)
            .number(closing);
    }

    /// Banks that own an account that a command names.
    fn parties(&self, ledger: &Ledger, command: &Command) -> BTreeSet<u32> {
        let legs = match command {
            Command::Transfer(transfer) => transfer.legs.as_slice(),
            _ => &[],
        };
        let named = match command {
            Command::Issue(issue) => [Some(issue.account), None],
            Command::Redeem(redeem) => [Some(redeem.account), None],
            Command::SetFloor(set) => [Some(set.account), None],
            Command::SetAccountStatus(set) => [Some(set.account), None],
            Command::ReportCredit(report) => [Some(report.account), None],
            Command::Exchange(exchange) => [Some(exchange.debit), Some(exchange.credit)],
            Command::ReturnExchange(back) => [Some(back.original.credit), Some(back.credit)],
            _ => [None, None],
        };
        let accounts = legs.iter().flat_map(|leg| [leg.debit, leg.credit]);
        let accounts = accounts.chain(named.into_iter().flatten());
        accounts.filter_map(|number| self.registry.owner(ledger, number)).collect()
    }

    fn note_month(&mut self, time: u64) {
        if self.month.0 != time / DAY_NS {
            self.month = (time / DAY_NS, format!("{}-01", &date_time(time)[..7]));
        }
        if !self.rows.months.contains(&self.month.1) {
            self.rows.months.insert(self.month.1.clone());
        }
    }
}

/// Who read what, and why. Whose payment it is, is not told here: the row of the payment knows that.
fn access_row(at: At, access: &RecordAccess, rows: &mut Rows) {
    rows.row(Table::Access)
        .big(at.leaf)
        .big(at.height)
        .time(at.time)
        .big(at.time)
        .bytes(&access.id.0)
        .int(access.participant.0)
        .text(access.access.name())
        .option(access.payment, |row, payment| row.bytes(&payment.0))
        .bytes(&access.what.0)
        .text(&access.reader)
        .text(&access.ground);
}

/// Whose keys to the document of which payment are destroyed. It settled, so the payment is one with a document.
fn erasure_row(at: At, erase: &EraseDocument, rows: &mut Rows) {
    rows.row(Table::Erasures)
        .big(at.leaf)
        .big(at.height)
        .time(at.time)
        .big(at.time)
        .bytes(&erase.id.0)
        .int(erase.participant.0)
        .bytes(&erase.payment.id.0)
        .option(erase.document(), |row, digest| row.bytes(&digest.0))
        .number(erase.destroyed.0.into())
        .option(erase.sealing_key, |row, key| row.bytes(&key))
        .text(&erase.by)
        .text(&erase.ground);
}

impl Watch for Book {
    fn command(
        &mut self,
        ledger: &Ledger,
        at: At,
        submitter: ParticipantNumber,
        command: &Command,
        outcome: Outcome,
    ) -> Result<(), Stop> {
        Ok(self.first_answer(ledger, at, submitter, command, outcome)?)
    }

    fn progress(&mut self, ledger: &Ledger, at: At, one: &Progress) -> Result<(), Stop> {
        self.note_month(at.time);
        Ok(self.later_answer(ledger, at, one)?)
    }

    fn exchange(&mut self, ledger: &Ledger, at: At, one: &Exchanged) -> Result<(), Stop> {
        Ok(self.exchanged(ledger, at, one)?)
    }

    fn leaf(&mut self, at: At, _: &Hash, bytes: &[u8]) -> Result<(), Stop> {
        self.note_month(at.time);
        self.record(at, bytes);
        Ok(())
    }

    fn end(&mut self, ledger: &Ledger, at: At, block: &CheckedBlock) -> Result<(), Stop> {
        self.exchanges.clear();
        self.registry.end(ledger, at, &mut self.rows);
        self.balances_are_the_ledgers(ledger)?;
        let seal = &block.seal;
        self.rows
            .row(Table::Blocks)
            .big(at.leaf)
            .big(seal.height)
            .time(seal.time)
            .big(seal.time)
            .big(seal.first_leaf)
            .int(seal.records)
            .int(seal.commands)
            .bytes(&seal.state_root);
        Ok(())
    }
}

impl Book {
    fn balances_are_the_ledgers(&mut self, ledger: &Ledger) -> Result<()> {
        for number in std::mem::take(&mut self.touched) {
            let posted = ledger.account(AccountNumber(number)).map(|view| view.posted.minor());
            let own = self.balances.get(number as usize).copied();
            ensure!(own == posted, "account {number} has {posted:?}, its postings end at {own:?}");
        }
        Ok(())
    }
}

/// What a command moves first, as far as it names it.
#[derive(Default)]
struct First {
    debit: Option<u32>,
    credit: Option<u32>,
    amount: Option<i128>,
}

fn first_leg(command: &Command) -> (First, u32) {
    match command {
        Command::Transfer(transfer) => {
            let legs = transfer.legs.as_slice();
            let first = legs.first().map_or_else(First::default, |leg| First {
                debit: Some(leg.debit.0),
                credit: Some(leg.credit.0),
                amount: Some(leg.amount.minor().into()),
            });
            (first, legs.len() as u32)
        }
        Command::Issue(issue) => {
            let amount = Some(issue.amount.minor().into());
            (First { credit: Some(issue.account.0), amount, debit: None }, 1)
        }
        Command::Redeem(redeem) => {
            let amount = Some(redeem.amount.minor().into());
            (First { debit: Some(redeem.account.0), amount, credit: None }, 1)
        }
        Command::Exchange(exchange) => {
            let (debit, credit) = (Some(exchange.debit.0), Some(exchange.credit.0));
            (First { debit, credit, amount: None }, 1)
        }
        Command::ReturnExchange(back) => {
            let (debit, credit) = (Some(back.original.credit.0), Some(back.credit.0));
            (First { debit, credit, amount: Some(back.amount.minor().into()) }, 1)
        }
        _ => (First::default(), 0),
    }
}
