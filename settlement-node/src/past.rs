//! Reading the history: deliveries for those who catch up, and what became of a transfer.

use bytes::Bytes;
use ledger::{IdEntry, LedgerTime, Outcome, TransferId};
use wire::{
    batch::{Domain, Submission},
    block::RawBlock,
    client::{self, Cursor, Delivery, QueryAnswer, TransferFound},
    codec::Reader,
};

use crate::{
    deliver,
    event::{Find, Scan},
    prepare::OldIdSource,
    store::history::{HistoryBlock, HistoryReader},
};

/// The history of a node with what is needed to read it. Errors are texts for the operator.
#[derive(Clone)]
pub struct Past {
    /// The blocks.
    pub history: HistoryReader,
    /// Network id and epoch.
    pub domain: Domain,
    /// Ids that are no longer in memory.
    pub old_ids: std::sync::Arc<dyn OldIdSource>,
}

/// A block of the history taken apart.
pub struct PastBlock {
    /// Its number.
    pub height: u64,
    /// Its ledger time.
    pub time: LedgerTime,
    first_leaf: u64,
    submissions: Vec<Submission>,
    outcomes: Vec<Vec<Outcome>>,
}

impl PastBlock {
    /// Takes a block apart. Its signatures were checked before it was written.
    pub fn read(block: &HistoryBlock, domain: &Domain) -> Result<Self, String> {
        let bad = |error: &dyn std::fmt::Display| format!("block {}: {error}", block.height);
        let raw = RawBlock::decode(block.block.clone()).map_err(|error| bad(&error))?;
        let submissions = raw.trusted(domain).map_err(|error| bad(&error))?.submissions;
        let mut reader = Reader::new(block.outcome.clone());
        let mut outcomes = Vec::with_capacity(submissions.len());
        for submission in &submissions {
            let own = (0..submission.batch.signed().len())
                .map(|_| client::read_outcome(&mut reader))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| bad(&error))?;
            outcomes.push(own);
        }
        Ok(Self {
            height: block.height,
            time: LedgerTime(block.time_ns),
            first_leaf: block.first_leaf,
            submissions,
            outcomes,
        })
    }

    /// Its commands with what became of them.
    pub fn commands(&self) -> impl Iterator<Item = deliver::Applied<'_>> {
        let pairs = self.submissions.iter().zip(self.outcomes.iter().map(Vec::as_slice));
        deliver::commands(self.height, self.time, self.first_leaf, pairs)
    }
}

impl Past {
    /// Deliveries after the scan's place, as far as one reading of about `bytes_max` bytes goes, and
    /// how far that was.
    pub fn search(&self, scan: &Scan, bytes_max: u64) -> Result<(Vec<Delivery>, Cursor), String> {
        let mut items = Vec::new();
        let mut reached = scan.after;
        let from = if scan.after.commands == u32::MAX {
            scan.after.height.saturating_add(1)
        } else {
            // Height 0 is genesis; the first block is 1.
            scan.after.height.max(1)
        };
        let blocks = self.history.scan(from, bytes_max).map_err(|error| error.to_string())?;
        for block in blocks.into_iter().take_while(|block| block.height <= scan.up_to) {
            let past = PastBlock::read(&block, &self.domain)?;
            items.extend(
                past.commands()
                    .filter(|applied| applied.cursor > scan.after)
                    .filter(|applied| applied.credited(&scan.owners).contains(&scan.participant))
                    .map(|applied| applied.delivery()),
            );
            reached = Cursor { height: past.height, commands: u32::MAX };
        }
        Ok((items, reached))
    }

    /// The answer to a bank's question about a transfer. Its command is shown only to its parties.
    pub fn find(&self, find: &Find) -> Result<QueryAnswer, String> {
        let Some(entry) = self.entry(&find.id, find.entry)? else {
            return Ok(QueryAnswer::Transfer(None));
        };
        let mut found = TransferFound {
            answer: entry.answer(),
            leaf: entry.leaf,
            height: 0,
            time: LedgerTime(0),
            command: Bytes::new(),
        };
        let past = self.block_of_leaf(entry.leaf)?;
        if past.is_none() && entry.leaf != ledger::GENESIS_LEAF {
            return Ok(QueryAnswer::Failed("its block is being written; ask again".to_owned()));
        }
        if let Some(past) = past {
            found.height = past.height;
            found.time = past.time;
            let own = past.commands().find(|applied| applied.leaf == entry.leaf);
            if let Some(applied) = own
                && deliver::takes_part(applied.command(), find.participant, &find.owners)
            {
                found.command = applied.submission.batch.command_bytes(applied.position);
            }
        }
        Ok(QueryAnswer::Transfer(Some(found)))
    }

    /// The first answer to an id: what memory knew of it, or else what the disk knows.
    pub fn entry(
        &self,
        id: &TransferId,
        in_memory: Option<IdEntry>,
    ) -> Result<Option<IdEntry>, String> {
        match in_memory {
            Some(entry) => Ok(Some(entry)),
            None => {
                self.old_ids.find(id, self.old_ids.version()).map_err(|error| error.to_string())
            }
        }
    }

    /// The block that holds a leaf; nothing for genesis, and for a block so fresh that the history
    /// does not have it yet.
    pub fn block_of_leaf(&self, leaf: u64) -> Result<Option<PastBlock>, String> {
        let Some(height) = self.history.block_of_leaf(leaf) else { return Ok(None) };
        let block = self.history.block(height).map_err(|error| error.to_string())?;
        block.map(|block| PastBlock::read(&block, &self.domain)).transpose()
    }
}
