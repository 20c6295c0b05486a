//! The log applied again, record by record, and the rows that follow from it.
//!
//! Nothing is taken from a record that was not recomputed: every signature is checked, every answer, progress,
//! exchange, seal and state root must come out as recorded, and each balance that rows arrive at must be the ledger's.
//! Ids of the whole log stay in memory (64 MiB a million); a restart applies the log from its beginning.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ledger::{
    AccountNumber, Answer, BatchContext, Cause, Command, Exchanged, Height, Ledger, LedgerTime,
    NodeStep, OldIds, Outcome, Seat, TransferId,
};
use proof::{
    Hash,
    record::{self, KIND_BATCH, KIND_SEAL, Record, Seal},
    tree::Frontier,
};
use wire::{
    batch::{Domain, HEADER_BYTES, SignedBatch},
    genesis::Genesis,
    notice::BankNotice,
};

use super::rows::{DAY_NS, Rows, Table};
use crate::clock::date_time;

/// Most bytes of records that one block may have here: those of the block, and what answers add.
const OPEN_BYTES_MAX: usize = 4 * wire::limits::BLOCK_BYTES_MAX;

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

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
struct At {
    leaf: u64,
    height: u64,
    time: u64,
}

/// The ledger as far as records were pushed.
pub(super) struct Replay {
    ledger: Ledger,
    domain: Domain,
    genesis: Vec<u8>,
    frontier: Frontier,
    height: u64,
    time: u64,
    previous: Hash,
    open: Vec<Vec<u8>>,
    open_bytes: usize,
    balances: Vec<i128>,
    days: Vec<Day>,
    /// Commands that wait: what they will move is in no later record.
    waiting: BTreeMap<TransferId, Command>,
    /// Accounts that the block at hand touched.
    touched: BTreeSet<u32>,
    participants: usize,
    /// Accounts that have their row.
    accounts: usize,
    month: (u64, String),
    seq: u32,
}

impl Replay {
    /// Before the first record of the log of a network.
    pub(super) fn new(genesis: &Genesis) -> Result<Self> {
        let mut ledger = genesis.ledger()?;
        let root = ledger.seal_block();
        let mut first = Vec::new();
        record::genesis(&mut first, &genesis.domain.network, &root.0);
        Ok(Self {
            ledger,
            domain: genesis.domain,
            genesis: first,
            frontier: Frontier::new(),
            height: 0,
            time: genesis.time.0,
            previous: [0; 32],
            open: Vec::new(),
            open_bytes: 0,
            balances: Vec::new(),
            days: Vec::new(),
            waiting: BTreeMap::new(),
            touched: BTreeSet::new(),
            participants: 0,
            accounts: 0,
            month: (u64::MAX, String::new()),
            seq: 0,
        })
    }

    /// Height of the last whole block.
    pub(super) fn height(&self) -> u64 {
        self.height
    }

    /// Records up to there.
    pub(super) fn leaves(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the log there.
    pub(super) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The network that the log is of.
    pub(super) fn network(&self) -> &Hash {
        &self.domain.network
    }

    /// Takes the next record; true when it ended a block, whose rows are then in `rows`.
    pub(super) fn push(&mut self, record: &[u8], rows: &mut Rows) -> Result<bool> {
        if self.frontier.size() == 0 {
            ensure!(
                record == self.genesis,
                "the log begins with another genesis than that of the file"
            );
            self.previous = self.frontier.append(record);
            self.genesis_rows(rows)?;
            return Ok(true);
        }
        self.open_bytes += record.len();
        ensure!(self.open_bytes <= OPEN_BYTES_MAX, "a block has more than {OPEN_BYTES_MAX} bytes");
        self.open.push(record.to_vec());
        if record.first() != Some(&KIND_SEAL) {
            return Ok(false);
        }
        let records = std::mem::take(&mut self.open);
        self.open_bytes = 0;
        self.block(&records, rows).with_context(|| format!("block {}", self.height + 1))?;
        Ok(true)
    }

    fn genesis_rows(&mut self, rows: &mut Rows) -> Result<()> {
        let at = At { leaf: 0, height: 0, time: self.time };
        self.note_month(at.time, rows);
        let genesis = std::mem::take(&mut self.genesis);
        record_row(rows, at, &genesis);
        self.genesis = genesis;
        self.registry_rows(at, rows);
        let opened: Vec<(AccountNumber, i128)> =
            self.ledger.accounts().map(|view| (view.number, view.posted.minor())).collect();
        self.seq = 0;
        for (number, posted) in opened.into_iter().filter(|(_, posted)| *posted != 0) {
            self.post(at, number, None, None, posted, rows)?;
        }
        self.touched.clear();
        Ok(())
    }

    fn block(&mut self, records: &[Vec<u8>], rows: &mut Rows) -> Result<()> {
        let (last, before) = records.split_last().context("a block has a seal")?;
        let seal = Seal::decode(last).context("the seal cannot be read")?;
        let first = self.frontier.size();
        let follows = seal.height == self.height + 1
            && seal.first_leaf == first
            && seal.previous == self.previous
            && seal.time > self.time
            && seal.records as usize == before.len();
        ensure!(follows, "the seal does not follow from the block before");
        self.note_month(seal.time, rows);
        let at =
            |index: usize| At { leaf: first + index as u64, height: seal.height, time: seal.time };
        self.ledger.open_block(LedgerTime(seal.time));
        let (step, before) = split_step(before)?;
        if let Some(step) = step {
            self.ledger.seat_node(step);
        }
        let (mut index, mut commands) = (0, 0);
        let mut exchanges = BTreeMap::new();
        while before.get(index).is_some_and(|bytes| bytes.first() == Some(&KIND_BATCH)) {
            let count = self.batch(&before[index..], at(index), &mut exchanges, rows)?;
            commands += count as u32;
            index += count + 1;
        }
        ensure!(commands == seal.commands, "the seal counts {} commands", seal.commands);
        let mut made = Vec::new();
        for one in self.ledger.close_block(first + index as u64) {
            record::progress(&mut made, &wire::progress::encode(&one));
            ensure!(
                before.get(index) == Some(&made),
                "leaf {} is not the progress that follows",
                at(index).leaf
            );
            self.progress(&one, at(index), rows)?;
            index += 1;
        }
        let outputs = self.ledger.take_fx_outputs();
        let notices = BankNotice::of_block(&outputs, &self.ledger.take_notices());
        for one in outputs.exchanges {
            record::exchange(&mut made, &wire::exchanged::encode(&one));
            ensure!(
                before.get(index) == Some(&made),
                "leaf {} is not the exchange that follows",
                at(index).leaf
            );
            self.exchange(&one, &exchanges, at(index), rows)?;
            index += 1;
        }
        for one in &notices {
            record::notice(&mut made, &wire::notice::encode(one));
            ensure!(
                before.get(index) == Some(&made),
                "leaf {} is not the notice that follows",
                at(index).leaf
            );
            index += 1;
        }
        ensure!(index == before.len(), "leaf {} does not follow from the block", at(index).leaf);
        ensure!(self.ledger.seal_block().0 == seal.state_root, "the state root is another one");
        for (number, bytes) in records.iter().enumerate() {
            let hash = self.frontier.append(bytes);
            record_row(rows, at(number), bytes);
            if number + 1 == records.len() {
                self.previous = hash;
            }
        }
        for number in std::mem::take(&mut self.touched) {
            let posted = self.ledger.account(AccountNumber(number)).map(|view| view.posted.minor());
            let own = self.balances.get(number as usize).copied();
            ensure!(own == posted, "account {number} has {posted:?}, its postings end at {own:?}");
        }
        self.registry_rows(at(records.len() - 1), rows);
        (self.height, self.time) = (seal.height, seal.time);
        rows.row(Table::Blocks)
            .big(at(before.len()).leaf)
            .big(seal.height)
            .time(seal.time)
            .big(seal.time)
            .big(seal.first_leaf)
            .int(seal.records)
            .int(seal.commands)
            .bytes(&seal.state_root);
        Ok(())
    }

    /// Applies the batch whose record comes first; returns the number of its commands.
    fn batch(
        &mut self,
        records: &[Vec<u8>],
        at: At,
        exchanges: &mut BTreeMap<u64, Command>,
        rows: &mut Rows,
    ) -> Result<usize> {
        let Record::Batch(body) = record::decode(&records[0])? else { bail!("no batch") };
        let (header, signatures) = body.split_at_checked(HEADER_BYTES).context("a short batch")?;
        let count = u32::from_le_bytes(header[50..54].try_into().expect("4 bytes")) as usize;
        let commands =
            records.get(1..count.saturating_add(1)).context("commands of a batch are missing")?;
        let mut bytes = header.to_vec();
        for one in commands {
            let Record::Command { command, .. } = record::decode(one)? else { bail!("no command") };
            bytes.extend_from_slice(command);
        }
        bytes.extend_from_slice(signatures);
        let verified = SignedBatch::decode(Bytes::from(bytes))?.verify(&self.domain)?;
        let first_leaf = at.leaf + 1;
        let context =
            BatchContext { height: Height(at.height), time: LedgerTime(at.time), first_leaf };
        let (mut outcomes, mut events) = (Vec::new(), Vec::new());
        let batch = verified.batch();
        self.ledger.apply_batch(&context, batch, &OldIds::new(&[]), &mut outcomes, &mut events);
        let mut made = Vec::new();
        for (position, outcome) in outcomes.iter().enumerate() {
            let at = At { leaf: first_leaf + position as u64, ..at };
            let code = outcome.answer.code();
            record::command(&mut made, code, outcome.original, verified.command_slice(position));
            ensure!(made == commands[position], "the answer at leaf {} is another one", at.leaf);
            let command = &batch.commands[position].command;
            self.command(command, *outcome, batch.submitter.0, at, rows)?;
            if matches!(command, Command::Exchange(_)) && outcome.original.is_none() {
                exchanges.insert(at.leaf, command.clone());
            }
        }
        Ok(count)
    }

    fn command(
        &mut self,
        command: &Command,
        outcome: Outcome,
        submitter: u32,
        at: At,
        rows: &mut Rows,
    ) -> Result<()> {
        let (first, legs) = first_leg(command);
        let mut parties = self.parties(command);
        parties.insert(submitter);
        rows.row(Table::Commands)
            .big(at.leaf)
            .big(at.height)
            .time(at.time)
            .big(at.time)
            .bytes(command.name().as_bytes())
            .option(command.id(), |row, id| row.bytes(&id.0))
            .int(submitter)
            .int(outcome.answer.code().into())
            .option(outcome.original, |row, leaf| row.big(leaf))
            .option(first.debit, |row, account| row.int(account))
            .option(first.credit, |row, account| row.int(account))
            .option(first.amount, |row, amount| row.number(amount))
            .int(legs)
            .option(command.document(), |row, digest| row.bytes(&digest.0))
            .ints(&parties);
        if outcome.original.is_some() {
            return Ok(());
        }
        match outcome.answer {
            Answer::Settled => self.settle(command, at, rows),
            Answer::Waiting(_) => {
                self.waiting.extend(command.id().map(|id| (id, command.clone())));
                Ok(())
            }
            Answer::Refused(_) => Ok(()),
        }
    }

    fn progress(&mut self, one: &ledger::Progress, at: At, rows: &mut Rows) -> Result<()> {
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
        let parties = self.parties(&command);
        rows.row(Table::Progress)
            .big(at.leaf)
            .big(at.height)
            .time(at.time)
            .big(at.time)
            .bytes(&one.id.0)
            .big(one.leaf)
            .int(one.answer.code().into())
            .bytes(cause.as_bytes())
            .ints(&parties);
        if one.answer.is_settled() { self.settle(&command, at, rows) } else { Ok(()) }
    }

    /// The postings of a command that settled. Those of an exchange come with its own record.
    fn settle(&mut self, command: &Command, at: At, rows: &mut Rows) -> Result<()> {
        self.seq = 0;
        let id = command.id();
        match command {
            Command::Transfer(transfer) => {
                for leg in transfer.legs.as_slice() {
                    self.pair(at, id, leg.debit, leg.credit, leg.amount.minor(), rows)?;
                }
            }
            Command::Issue(issue) => {
                self.post(at, issue.account, None, id, issue.amount.minor().into(), rows)?;
            }
            Command::Redeem(redeem) => {
                let change = -i128::from(redeem.amount.minor());
                self.post(at, redeem.account, None, id, change, rows)?;
            }
            Command::ReturnExchange(back) => {
                let (debit, credit) = (back.original.credit, back.credit);
                self.pair(at, id, debit, credit, back.amount.minor(), rows)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn exchange(
        &mut self,
        one: &Exchanged,
        commands: &BTreeMap<u64, Command>,
        at: At,
        rows: &mut Rows,
    ) -> Result<()> {
        let Some(Command::Exchange(command)) = commands.get(&one.leaf) else {
            bail!("exchange {} has no command in its block", one.id);
        };
        self.seq = 0;
        let id = Some(one.id);
        let (paid, delivered) = (i128::from(one.paid.minor()), i128::from(one.delivered.minor()));
        self.post(at, command.debit, None, id, -paid, rows)?;
        for fill in &one.fills {
            self.post(at, fill.buys, None, id, fill.took.minor().into(), rows)?;
            self.post(at, fill.sells, None, id, -i128::from(fill.gave.minor()), rows)?;
        }
        self.post(at, command.credit, None, id, delivered, rows)
    }

    fn pair(
        &mut self,
        at: At,
        id: Option<TransferId>,
        debit: AccountNumber,
        credit: AccountNumber,
        amount: u64,
        rows: &mut Rows,
    ) -> Result<()> {
        self.post(at, debit, Some(credit), id, -i128::from(amount), rows)?;
        self.post(at, credit, Some(debit), id, amount.into(), rows)
    }

    fn post(
        &mut self,
        at: At,
        account: AccountNumber,
        counterpart: Option<AccountNumber>,
        id: Option<TransferId>,
        change: i128,
        rows: &mut Rows,
    ) -> Result<()> {
        let index = account.0 as usize;
        let owner = self.ledger.account(account).context("posting to an unknown account")?.owner.0;
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
            self.day_row(index, owner, before, rows);
            self.days[index] = Day { day: today, opening: before, ..Day::default() };
        }
        let day = &mut self.days[index];
        (day.leaf, day.height, day.dirty) = (at.leaf, at.height, true);
        if change < 0 {
            day.debits -= change
        } else {
            day.credits += change
        }
        rows.row(Table::Postings)
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
    pub(super) fn flush_days(&mut self, rows: &mut Rows) {
        for index in 0..self.days.len() {
            if self.days[index].dirty {
                let owner =
                    self.ledger.account(AccountNumber(index as u32)).map(|view| view.owner.0);
                self.day_row(index, owner.unwrap_or_default(), self.balances[index], rows);
            }
        }
    }

    fn day_row(&mut self, index: usize, owner: u32, closing: i128, rows: &mut Rows) {
        let day = &mut self.days[index];
        if !std::mem::take(&mut day.dirty) {
            return;
        }
        rows.row(Table::Days)
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

    /// Participants and accounts that are new.
    fn registry_rows(&mut self, at: At, rows: &mut Rows) {
        for one in &self.ledger.participants()[self.participants..] {
            let row = rows.row(Table::Participants).big(at.leaf).big(at.height);
            row.int(one.number.0).bytes(one.bic.to_string().as_bytes());
        }
        self.participants = self.ledger.participants().len();
        for view in self.ledger.accounts().skip(self.accounts) {
            let exponent = self.ledger.asset(view.asset).map_or(0, |asset| asset.exponent.get());
            rows.row(Table::Accounts)
                .big(at.leaf)
                .big(at.height)
                .int(view.number.0)
                .bytes(view.name.to_string().as_bytes())
                .int(view.owner.0)
                .bytes(view.name.asset.to_string().as_bytes())
                .int(exponent.into());
        }
        let accounts = self.ledger.accounts().len();
        self.accounts = accounts;
        self.balances.resize(accounts, 0);
        self.days.resize(accounts, Day::default());
    }

    /// Banks that own an account that a command names.
    fn parties(&self, command: &Command) -> BTreeSet<u32> {
        let accounts = match command {
            Command::Transfer(transfer) => {
                transfer.legs.as_slice().iter().flat_map(|leg| [leg.debit, leg.credit]).collect()
            }
            Command::Issue(issue) => vec![issue.account],
            Command::Redeem(redeem) => vec![redeem.account],
            Command::Exchange(exchange) => vec![exchange.debit, exchange.credit],
            Command::ReturnExchange(back) => vec![back.original.credit, back.credit],
            _ => Vec::new(),
        };
        let owner = |number| self.ledger.account(number).map(|view| view.owner.0);
        accounts.into_iter().filter_map(owner).collect()
    }

    fn note_month(&mut self, time: u64, rows: &mut Rows) {
        if self.month.0 != time / DAY_NS {
            self.month = (time / DAY_NS, format!("{}-01", &date_time(time)[..7]));
        }
        if !rows.months.contains(&self.month.1) {
            rows.months.insert(self.month.1.clone());
        }
    }
}

fn record_row(rows: &mut Rows, at: At, bytes: &[u8]) {
    let kind = bytes.first().copied().unwrap_or_default();
    let row = rows.row(Table::Records).big(at.leaf).big(at.height).time(at.time);
    row.small(kind.into()).bytes(bytes);
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

/// The step of membership that a block ends with, if it carries one out, and the records before it.
fn split_step(records: &[Vec<u8>]) -> Result<(Option<NodeStep>, &[Vec<u8>])> {
    let Some((last, before)) = records.split_last() else { return Ok((None, records)) };
    match record::decode(last) {
        Ok(Record::Step { node, seat }) => {
            let seat = Seat::from_number(seat).context("a step to an unknown seat")?;
            Ok((Some(NodeStep { node, seat }), before))
        }
        _ => Ok((None, records)),
    }
}
