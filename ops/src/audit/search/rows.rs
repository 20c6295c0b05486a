//! Rows from records: one for each leg of each answer, block by block.
//!
//! A pure function of the records: who exports and who verifies an export use this one code, the first on all
//! records, the other on those that the export carries. A row names the leaf of the record that it follows from; the
//! time is that of the block's seal. A repeated command is no row: its first answer was one. What an exchange moves
//! is in its own record, what a transfer that waited moves in the command that it names. Nothing is verified here:
//! that the records are the log's is shown by the tree over them, and that the log follows the rules by its cosigners.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ledger::{Answer, Command, TransferId};
use proof::record::{self, Record, Seal};
use wire::codec::Reader as Bytewise;

use super::names::Names;

/// Most bytes of records that one block may have here.
const BLOCK_BYTES_MAX: usize = 256 << 20;
/// Most commands that may wait at one time here; the rules allow far fewer.
const WAITING_MAX: usize = 4_000_000;

/// A leg and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Leaf of the record that it follows from.
    pub(crate) leaf: u64,
    /// Number among the rows of that record, from 0.
    pub(crate) seq: u32,
    /// Leaf of the record that names the accounts, when that is another one.
    pub(crate) from: Option<u64>,
    /// Block.
    pub(crate) height: u64,
    /// Ledger time of the block, nanoseconds since 1970.
    pub(crate) time_ns: u64,
    /// UETR or another id.
    pub(crate) id: Option<TransferId>,
    /// Which command.
    pub(crate) kind: &'static str,
    /// What became of it.
    pub(crate) answer: Answer,
    /// The account that pays.
    pub(crate) debit: Option<u32>,
    /// The account that receives.
    pub(crate) credit: Option<u32>,
    /// Minor units; nothing for what moves no named amount.
    pub(crate) minor: Option<u64>,
}

impl Row {
    /// The answer in one word.
    pub(crate) fn status(&self) -> &'static str {
        match self.answer {
            Answer::Settled => "settled",
            Answer::Refused(_) => "refused",
            Answer::Waiting(stage) => stage.name(),
        }
    }
}

/// A block's records, as many of them as there are, and the rows that follow.
pub(crate) struct Block {
    /// Its height.
    pub(crate) height: u64,
    bytes: Vec<u8>,
    /// Leaf and end of each record.
    ends: Vec<(u64, usize)>,
    /// In the order of their leaves.
    pub(crate) rows: Vec<Row>,
    /// Places of the records that open accounts.
    pub(crate) opened: Vec<usize>,
}

impl Block {
    /// Its records with their leaves, the seal last.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.ends.iter().enumerate().map(|(at, (leaf, _))| (*leaf, self.record(at)))
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Place of a leaf among the records.
    pub(crate) fn place(&self, leaf: u64) -> Option<usize> {
        self.ends.binary_search_by_key(&leaf, |(leaf, _)| *leaf).ok()
    }

    fn record(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        &self.bytes[start..self.ends[at].1]
    }

    fn empty() -> Self {
        Self {
            height: 0,
            bytes: Vec::new(),
            ends: Vec::new(),
            rows: Vec::new(),
            opened: Vec::new(),
        }
    }
}

/// Makes rows of records that come in the order of their leaves.
pub(crate) struct Reader {
    /// Grows with the accounts that are opened.
    pub(crate) names: Names,
    open: Block,
    /// Commands that wait, by their leaf.
    waiting: BTreeMap<u64, Command>,
    /// Leaf of the last seal.
    sealed: u64,
}

impl Reader {
    /// At the beginning of a log.
    pub(crate) fn new(names: Names) -> Self {
        Self { names, open: Block::empty(), waiting: BTreeMap::new(), sealed: 0 }
    }

    /// Takes a record; a seal gives the block that it ends.
    ///
    /// # Errors
    /// The record cannot be read, or does not belong where it is.
    pub(crate) fn push(&mut self, leaf: u64, record: &[u8]) -> Result<Option<Block>> {
        match record.first() {
            Some(&record::KIND_GENESIS) => {
                ensure!(leaf == 0, "leaf {leaf} is a second genesis");
                return Ok(None);
            }
            _ => ensure!(leaf > self.sealed, "leaf {leaf} does not follow"),
        }
        let block = &mut self.open;
        ensure!(block.bytes.len() + record.len() <= BLOCK_BYTES_MAX, "a block is too large");
        block.bytes.extend_from_slice(record);
        block.ends.push((leaf, block.bytes.len()));
        if record.first() != Some(&record::KIND_SEAL) {
            return Ok(None);
        }
        let seal = Seal::decode(record).with_context(|| format!("leaf {leaf} is no seal"))?;
        let own = seal.first_leaf.checked_add(seal.records.into()) == Some(leaf);
        let first = self.open.ends[0].0;
        ensure!(
            own && seal.first_leaf <= first && seal.first_leaf > self.sealed,
            "the seal in leaf {leaf} is not that of its block"
        );
        self.sealed = leaf;
        let mut block = std::mem::replace(&mut self.open, Block::empty());
        block.height = seal.height;
        self.rows(&mut block, &seal).with_context(|| format!("block {}", seal.height))?;
        Ok(Some(block))
    }

    fn rows(&mut self, block: &mut Block, seal: &Seal) -> Result<()> {
        let mut rows = Vec::with_capacity(block.len());
        let mut exchanges = BTreeMap::new();
        for at in 0..block.ends.len() {
            let leaf = block.ends[at].0;
            let mut row = Row {
                leaf,
                seq: 0,
                from: None,
                height: seal.height,
                time_ns: seal.time,
                id: None,
                kind: "",
                answer: Answer::Settled,
                debit: None,
                credit: None,
                minor: None,
            };
            let unread = || format!("leaf {leaf} cannot be read");
            match record::decode(block.record(at)).with_context(unread)? {
                Record::Command { original: Some(_), .. } => {}
                Record::Command { answer, original: None, command } => {
                    let (command, length) = Command::decode(command)
                        .with_context(unread)
                        .map(|(one, length)| (one, length == command.len()))?;
                    ensure!(length, "leaf {leaf} has bytes after its command");
                    row.answer = Answer::from_code(answer).with_context(unread)?;
                    match (&command, row.answer) {
                        (Command::OpenAccount(open), Answer::Settled) => {
                            self.names.open(open);
                            block.opened.push(at);
                        }
                        (Command::Exchange(one), Answer::Settled) => {
                            exchanges.insert(leaf, (one.debit.0, one.credit.0));
                            continue;
                        }
                        _ => {}
                    }
                    legs(&command, row, &mut rows);
                    if matches!(row.answer, Answer::Waiting(_)) {
                        ensure!(self.waiting.len() < WAITING_MAX, "too many commands wait");
                        self.waiting.insert(leaf, command);
                    }
                }
                Record::Progress(body) => {
                    let mut reader = Bytewise::new(Bytes::copy_from_slice(body));
                    let one = wire::progress::read(&mut reader).with_context(unread)?;
                    let found = match one.answer.is_final() {
                        true => self.waiting.remove(&one.leaf),
                        false => self.waiting.get(&one.leaf).cloned(),
                    };
                    let Some(command) = found else {
                        bail!("leaf {leaf} goes on with leaf {}, which is not there", one.leaf);
                    };
                    (row.answer, row.from) = (one.answer, Some(one.leaf));
                    legs(&command, row, &mut rows);
                }
                Record::Exchange(body) => {
                    let mut reader = Bytewise::new(Bytes::copy_from_slice(body));
                    let one = wire::exchanged::read(&mut reader).with_context(unread)?;
                    let Some((debit, credit)) = exchanges.get(&one.leaf) else {
                        bail!(
                            "leaf {leaf} is of the exchange in leaf {}, which is not there",
                            one.leaf
                        );
                    };
                    (row.id, row.kind, row.from) = (Some(one.id), "exchange", Some(one.leaf));
                    let mut put = |debit, credit, minor| {
                        rows.push(Row { debit, credit, minor: Some(minor), ..row });
                        row.seq += 1;
                    };
                    put(Some(*debit), None, one.paid.minor());
                    for fill in &one.fills {
                        put(None, Some(fill.buys.0), fill.took.minor());
                        put(Some(fill.sells.0), None, fill.gave.minor());
                    }
                    put(None, Some(*credit), one.delivered.minor());
                }
                Record::Batch(_) | Record::Notice(_) | Record::Step { .. } | Record::Seal(_) => {}
                Record::Genesis { .. } => bail!("a genesis within a block"),
            }
        }
        block.rows = rows;
        Ok(())
    }
}

/// A row for each leg of a command, at least one.
fn legs(command: &Command, row: Row, rows: &mut Vec<Row>) {
    let mut row = Row { id: command.id(), kind: command.name(), ..row };
    let mut put = |debit, credit, minor| {
        rows.push(Row { debit, credit, minor, ..row });
        row.seq += 1;
    };
    match command {
        Command::Transfer(transfer) => {
            for leg in transfer.legs.as_slice() {
                put(Some(leg.debit.0), Some(leg.credit.0), Some(leg.amount.minor()));
            }
        }
        Command::Issue(issue) => put(None, Some(issue.account.0), Some(issue.amount.minor())),
        Command::Redeem(redeem) => put(Some(redeem.account.0), None, Some(redeem.amount.minor())),
        Command::ReturnExchange(back) => {
            put(Some(back.original.credit.0), Some(back.credit.0), Some(back.amount.minor()));
        }
        Command::Exchange(one) => put(Some(one.debit.0), Some(one.credit.0), None),
        _ => put(None, None, None),
    }
}
