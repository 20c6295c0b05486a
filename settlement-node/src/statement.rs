//! Statements of accounts, from the history.
//!
//! The movements are kept beside the history ([`Movements`]) and brought up to a height when something is asked.
//! They are derived, and believed only where they lead to the balance that the ledger has: else they are made
//! again. A statement is of one height: the same question for that height has the same answer for ever. One
//! caller at a time; blocking.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::{Command, TransferId};
use wire::genesis::{Genesis, GenesisError};

use crate::{
    past::{Past, PastBlock, PastError},
    store::{
        history::{HistoryBlock, HistoryError},
        movements::{Movement, Movements, Row},
        vfs::Vfs,
    },
};

/// Bytes of blocks read in one go.
const SCAN_BYTES: u64 = 4 << 20;
/// Bytes of blocks that one question reads at most to catch up: well under a second.
const CATCH_UP_BYTES: u64 = 128 << 20;
/// Most rows of one page.
pub const PAGE_ROWS_MAX: u64 = 1_000;

/// Why there is no statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The history.
    #[error(transparent)]
    Past(#[from] PastError),
    /// The file of movements.
    #[error("movements of accounts: {0}")]
    File(#[from] io::Error),
    /// The genesis file.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// This node has no history from the beginning.
    #[error("the history of this node begins at block {0}")]
    Begins(u64),
    /// Not all blocks are taken in yet; the next question goes on there.
    #[error("movements are taken in up to block {at} of {of}; ask again")]
    Behind {
        /// Where they are.
        at: u64,
        /// Where they should be.
        of: u64,
    },
    /// The movements do not lead to the ledger's balance.
    #[error("the history of this node does not lead to the balance of account {0}")]
    OtherBalance(u32),
}

impl From<HistoryError> for StatementError {
    fn from(error: HistoryError) -> Self {
        Self::Past(error.into())
    }
}

/// What the ledger says of an account at a height, to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The account.
    pub account: u32,
    /// The height.
    pub height: u64,
    /// What is on it, in minor units.
    pub balance: i128,
}

/// Which movements are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// At this height.
    pub as_of: u64,
    /// From this ledger time on, nanoseconds since 1970.
    pub from: u64,
    /// Before this ledger time.
    pub before: u64,
    /// After this number among the account's movements; the last one of the page before.
    pub after: u64,
    /// Rows of the page, 1 to [`PAGE_ROWS_MAX`].
    pub limit: u64,
}

/// A page of a statement.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// On the account before the first movement that is wanted, on whatever page it is.
    pub opening: i128,
    /// After the last one.
    pub closing: i128,
    /// How many there are, on all pages.
    pub count: u64,
    /// Those of this page.
    pub rows: Vec<Row>,
    /// Ask with this as `after` for the next page; nothing after the last.
    pub next: Option<u64>,
}

/// The movements of all accounts.
pub struct Statements {
    past: Past,
    rows: Movements,
    /// The first block that was not taken in.
    next: u64,
    opening: Vec<Movement>,
}

impl Statements {
    /// Opens the movements below a data directory.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn open(
        vfs: &Arc<dyn Vfs>,
        data: &Path,
        past: Past,
        genesis: &Genesis,
    ) -> Result<Self, StatementError> {
        let dir: PathBuf = data.join("movements");
        let rows = Movements::open(vfs, &dir)?;
        let ledger = genesis.ledger()?;
        let opening = ledger.accounts().filter(|view| view.posted.minor() != 0);
        let opening = opening.map(|view| Movement {
            account: view.number.0,
            other: None,
            height: 0,
            time: genesis.time.0,
            leaf: 0,
            id: [0; 16],
            change: view.posted.minor(),
        });
        let mut statements = Self { past, rows, next: 1, opening: opening.collect() };
        let last = statements.past.history.last_height().unwrap_or(0);
        match statements.rows.last_height() {
            Some(height) if height <= last => statements.next = height + 1,
            // Nothing, or of another history.
            _ => statements.begin()?,
        }
        Ok(statements)
    }

    fn begin(&mut self) -> Result<(), StatementError> {
        self.rows.clear()?;
        self.opening.iter().for_each(|movement| self.rows.append(*movement));
        self.rows.flush()?;
        self.next = 1;
        Ok(())
    }

    /// Takes blocks in up to `height`, or as many as one question may.
    fn read_on(&mut self, height: u64) -> Result<(), StatementError> {
        if let Some(first) = self.past.history.first_height().filter(|first| *first > self.next) {
            return Err(StatementError::Begins(first));
        }
        let mut read = 0;
        while self.next <= height {
            let blocks = self.past.history.scan(self.next, SCAN_BYTES)?;
            if blocks.is_empty() || read > CATCH_UP_BYTES {
                return Err(StatementError::Behind { at: self.next - 1, of: height });
            }
            for block in blocks.iter().take_while(|block| block.height <= height) {
                read += (block.block.len() + block.outcome.len()) as u64;
                movements(&self.past, block, |movement| self.rows.append(movement))?;
                self.next = block.height + 1;
            }
            self.rows.flush()?;
        }
        Ok(())
    }

    /// Takes in what is missing, and compares with the ledger.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn catch_up(&mut self, known: Known) -> Result<(), StatementError> {
        self.read_on(known.height)?;
        if self.balance(known.account, known.height)? != known.balance {
            // The file is derived: perhaps only it is damaged.
            self.begin()?;
            self.read_on(known.height)?;
            if self.balance(known.account, known.height)? != known.balance {
                return Err(StatementError::OtherBalance(known.account));
            }
        }
        Ok(())
    }

    /// What was on an account after a block.
    ///
    /// # Errors
    /// [`StatementError::File`].
    pub fn balance(&self, account: u32, height: u64) -> Result<i128, StatementError> {
        let last = self.rows.last_where(account, |row| row.movement.height <= height)?;
        Ok(last.map_or(0, |row| row.balance))
    }

    /// A page of movements. [`Statements::catch_up`] must have come as far.
    ///
    /// # Errors
    /// [`StatementError::File`].
    pub fn page(&self, account: u32, wanted: &Wanted) -> Result<Page, StatementError> {
        let end = |row: Option<Row>| row.map_or((0, 0), |row| (row.ordinal, row.balance));
        let last = self.rows.last_where(account, |row| {
            row.movement.height <= wanted.as_of && row.movement.time < wanted.before
        })?;
        let before = self.rows.last_where(account, |row| {
            row.movement.height <= wanted.as_of
                && row.movement.time < wanted.from.min(wanted.before)
        })?;
        let ((first, opening), (last, closing)) = (end(before), end(last));
        let after = wanted.after.max(first);
        let to = after.saturating_add(wanted.limit.clamp(1, PAGE_ROWS_MAX)).min(last);
        let rows = if to > after { self.rows.page(account, after, to)? } else { Vec::new() };
        Ok(Page { opening, closing, count: last - first, rows, next: (to < last).then_some(to) })
    }
}

/// Calls `each` with what a block moved, in the order of its records.
fn movements(
    past: &Past,
    block: &HistoryBlock,
    mut each: impl FnMut(Movement),
) -> Result<(), StatementError> {
    let read = PastBlock::read(block, &past.domain).map_err(PastError::Block)?;
    let mut post = |leaf: u64, id: Option<TransferId>, account: u32, other, change: i128| {
        let id = id.map_or([0; 16], |id| id.0);
        each(Movement {
            account,
            other,
            height: block.height,
            time: block.time_ns,
            leaf,
            id,
            change,
        });
    };
    for applied in read.commands() {
        if applied.outcome.original.is_none() && applied.outcome.answer.is_settled() {
            settle(applied.command(), applied.leaf, &mut post);
        }
    }
    for moved in read.moved().filter(|moved| moved.progress.answer.is_settled()) {
        let leaf = moved.progress.leaf;
        let missing = || PastError::Block(format!("leaf {leaf} is no command that waited"));
        let earlier;
        let applied = match read.command(leaf) {
            Some(applied) => Some(applied),
            None => {
                earlier = past.block_of_leaf(leaf)?;
                earlier.as_ref().and_then(|block| block.command(leaf))
            }
        };
        settle(applied.ok_or_else(missing)?.command(), moved.leaf, &mut post);
    }
    let exchanges = read.exchanges();
    // The seal is the last leaf; before it stand the notices, and before those the exchanges.
    let after = 1 + read.notices().len() as u64;
    let end = block.first_leaf + u64::from(block.leaf_count) - after;
    for (leaf, one) in (end - exchanges.len() as u64..).zip(exchanges) {
        let applied = read.command(one.leaf);
        let Some(Command::Exchange(command)) = applied.as_ref().map(|applied| applied.command())
        else {
            return Err(PastError::Block(format!("leaf {} is no exchange", one.leaf)).into());
        };
        let id = Some(one.id);
        post(leaf, id, command.debit.0, None, -i128::from(one.paid.minor()));
        for fill in &one.fills {
            post(leaf, id, fill.buys.0, None, fill.took.minor().into());
            post(leaf, id, fill.sells.0, None, -i128::from(fill.gave.minor()));
        }
        post(leaf, id, command.credit.0, None, one.delivered.minor().into());
    }
    Ok(())
}

/// What a command moves when it settles. What an exchange moves is in its own record.
fn settle(
    command: &Command,
    leaf: u64,
    post: &mut impl FnMut(u64, Option<TransferId>, u32, Option<u32>, i128),
) {
    let id = command.id();
    let mut pair = |debit: u32, credit: u32, amount: u64| {
        post(leaf, id, debit, Some(credit), -i128::from(amount));
        post(leaf, id, credit, Some(debit), amount.into());
    };
    match command {
        Command::Transfer(transfer) => {
            for leg in transfer.legs.as_slice() {
                pair(leg.debit.0, leg.credit.0, leg.amount.minor());
            }
        }
        Command::ReturnExchange(back) => {
            pair(back.original.credit.0, back.credit.0, back.amount.minor());
        }
        Command::Issue(issue) => {
            post(leaf, id, issue.account.0, None, issue.amount.minor().into());
        }
        Command::Redeem(redeem) => {
            post(leaf, id, redeem.account.0, None, -i128::from(redeem.amount.minor()));
        }
        _ => {}
    }
}
