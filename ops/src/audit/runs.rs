//! Runs of rows, made from a node's log on threads of their own: fetched, checked and applied at the same time.
//!
//! A run is what is written, or compared, in one transaction. Runs follow one another without a gap and end with a
//! block. At each checkpoint the root over all records must be the checkpoint's, and the run ends there.

use anyhow::{Result, anyhow, ensure};
use tokio::{sync::mpsc, task::JoinHandle};
use wire::genesis::Genesis;

use super::{book::Book, database::Cursor, rows::Rows, source::Feed};
use crate::replay::{self, Chain, Part, Stop};

/// Rows make a run when they have this many bytes, or the log has no more.
const RUN_BYTES: usize = 24 << 20;
/// Runs that are ready and wait; one more is being made, one written.
const AHEAD: usize = 1;

/// Rows of some blocks.
pub(super) struct Run {
    pub(super) rows: Rows,
    /// Height before the first of them; nothing before genesis.
    pub(super) after: Option<u64>,
    /// Its first leaf.
    pub(super) first_leaf: u64,
    /// Where it ends.
    pub(super) to: Cursor,
    /// Whether it ends with a checkpoint.
    pub(super) at_checkpoint: bool,
}

/// Which rows are wanted.
pub(super) enum Wanted {
    /// Those after what a database has already.
    After(Option<Cursor>),
    /// Those up to there; beyond, only the root of the checkpoint counts. The cursor itself is not compared.
    UpTo(Cursor),
}

struct Maker {
    chain: Chain,
    book: Book,
    wanted: Wanted,
    after: Option<u64>,
    first_leaf: u64,
    runs: mpsc::Sender<Run>,
}

/// Makes runs until the feed ends or nobody wants them; an error is that of the log.
pub(super) fn make(
    genesis: Genesis,
    feed: Feed,
    wanted: Wanted,
) -> Result<(mpsc::Receiver<Run>, JoinHandle<Result<()>>)> {
    let (runs, made) = mpsc::channel(AHEAD);
    let (chain, first) = Chain::genesis(&genesis)?;
    let book = Book::genesis(&chain, &first)?;
    let task = tokio::task::spawn_blocking(move || {
        let mut maker = Maker { chain, book, wanted, after: None, first_leaf: 0, runs };
        // The first block may be wanted although genesis is not.
        maker.block_ended()?;
        let threads = std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
        let domain = genesis.domain;
        replay::run(&domain, &first, threads, feed, &mut |part| maker.take(part))?;
        Ok(())
    });
    Ok((made, task))
}

impl Maker {
    fn take(&mut self, part: Part) -> Result<(), Stop> {
        for block in &part.blocks {
            self.chain.apply(block, &mut self.book)?;
            self.block_ended()?;
        }
        if let Some(checkpoint) = part.edge {
            let (leaves, root) = (self.chain.leaves(), self.chain.root());
            if leaves != checkpoint.size || root != checkpoint.root {
                let what = "the records do not lead to the checkpoint's root";
                return Err(Stop::Wrong(what.to_owned()));
            }
            if self.book.rows.len() > 0 {
                self.hand_over(true)?;
            }
        }
        Ok(())
    }

    fn reached(&self) -> Cursor {
        Cursor {
            height: self.chain.height(),
            leaves: self.chain.leaves(),
            log_root: self.chain.root(),
        }
    }

    fn forget(&mut self) {
        self.book.rows.clear();
        self.after = Some(self.chain.height());
        self.first_leaf = self.chain.leaves();
    }

    fn block_ended(&mut self) -> Result<()> {
        let height = self.chain.height();
        match &self.wanted {
            Wanted::After(Some(cursor)) if height <= cursor.height => {
                if height == cursor.height {
                    ensure!(
                        *cursor == self.reached(),
                        "the database was filled from another history: its root differs at {height}"
                    );
                    self.book.flush_days(self.chain.ledger());
                }
                self.forget();
            }
            Wanted::UpTo(cursor) if height == cursor.height => self.hand_over(false)?,
            Wanted::UpTo(cursor) if height > cursor.height => self.forget(),
            _ if self.book.rows.len() >= RUN_BYTES => self.hand_over(false)?,
            _ => {}
        }
        Ok(())
    }

    fn hand_over(&mut self, at_checkpoint: bool) -> Result<()> {
        self.book.flush_days(self.chain.ledger());
        let run = Run {
            rows: std::mem::take(&mut self.book.rows),
            after: self.after,
            first_leaf: self.first_leaf,
            to: self.reached(),
            at_checkpoint,
        };
        self.forget();
        self.runs.blocking_send(run).map_err(|_| anyhow!("nobody wants the rows any more"))
    }
}
