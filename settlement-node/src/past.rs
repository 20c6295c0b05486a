//! Reading the history: deliveries for those who catch up, and what became of a transfer.

use bytes::Bytes;
use ledger::{IdEntry, LedgerTime, Outcome, Progress, TransferId};
use proof::{
    Hash,
    record::{self, Seal},
    tree::Frontier,
};
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
    storage::Damage,
    store::history::{HistoryBlock, HistoryError, HistoryReader},
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

/// Why the past cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The runs of old ids.
    #[error("look up old ids: {0}")]
    OldIds(#[from] std::io::Error),
    /// A block that was read is none.
    #[error("{0}")]
    Block(String),
}

impl PastError {
    /// What is damaged, if that is the reason.
    #[must_use]
    pub fn damage(&self) -> Option<Damage> {
        match self {
            Self::History(HistoryError::Corrupt { height }) => {
                Some(Damage::History { height: *height })
            }
            Self::OldIds(error) => Damage::of_run(error),
            Self::History(_) | Self::Block(_) => None,
        }
    }
}

/// A block of the history taken apart.
pub struct PastBlock {
    /// Its number.
    pub height: u64,
    /// Its ledger time.
    pub time: LedgerTime,
    first_leaf: u64,
    leaf_count: u32,
    submissions: Vec<Submission>,
    outcomes: Vec<Vec<Outcome>>,
    progress: Vec<Progress>,
}

impl PastBlock {
    /// Takes a block apart. Its signatures were checked before it was written.
    pub fn read(block: &HistoryBlock, domain: &Domain) -> Result<Self, String> {
        let bad = |error: &dyn std::fmt::Display| format!("block {}: {error}", block.height);
        let raw = RawBlock::decode(block.block.clone()).map_err(|error| bad(&error))?;
        let submissions = raw.trusted(domain).map_err(|error| bad(&error))?.submissions;
        Self::with(block, submissions)
    }

    fn with(block: &HistoryBlock, submissions: Vec<Submission>) -> Result<Self, String> {
        let bad = |error: &dyn std::fmt::Display| format!("block {}: {error}", block.height);
        let mut reader = Reader::new(block.outcome.clone());
        let mut outcomes = Vec::with_capacity(submissions.len());
        for submission in &submissions {
            let own = (0..submission.batch.signed().len())
                .map(|_| client::read_outcome(&mut reader))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| bad(&error))?;
            outcomes.push(own);
        }
        let mut progress = Vec::new();
        while reader.remaining() > 0 {
            progress.push(wire::progress::read(&mut reader).map_err(|error| bad(&error))?);
        }
        Ok(Self {
            height: block.height,
            time: LedgerTime(block.time_ns),
            first_leaf: block.first_leaf,
            leaf_count: block.leaf_count,
            submissions,
            outcomes,
            progress,
        })
    }

    /// Takes a block apart that came from another node: every signature in it is checked.
    pub fn check(block: &HistoryBlock, domain: &Domain) -> Result<Self, String> {
        let bad = |error: &dyn std::fmt::Display| format!("block {}: {error}", block.height);
        let raw = RawBlock::decode(block.block.clone()).map_err(|error| bad(&error))?;
        let submissions = raw.verify(domain).map_err(|error| bad(&error))?.submissions;
        Self::with(block, submissions)
    }

    /// Appends the leaves of the block to a Merkle log, after checking that `seal`, its own, follows
    /// `previous`, the leaf hash of the seal before it, and says what the block holds, as do the numbers
    /// beside it but for the log index.
    pub fn append_to(
        &self,
        frontier: &mut Frontier,
        seal: &Seal,
        previous: &Hash,
    ) -> Result<(), String> {
        let bad = |what: &str| Err(format!("block {}: {what}", self.height));
        let commands: usize = self.outcomes.iter().map(Vec::len).sum();
        let records = commands + self.submissions.len() + self.progress.len();
        if seal.previous != *previous {
            return bad("its seal does not follow the one before");
        }
        let said = (seal.height, seal.time, seal.first_leaf, seal.records, seal.commands);
        let found = (self.height, self.time.0, frontier.size(), records as u32, commands as u32);
        if said != found || self.first_leaf != frontier.size() {
            return bad("its seal does not say what is in it");
        }
        if u64::from(self.leaf_count) != u64::from(seal.records) + 1 {
            return bad("it has another number of leaves than is said");
        }
        self.for_each_record(seal, |record| {
            frontier.append(record);
        });
        Ok(())
    }

    /// Calls `each` with the canonical bytes of each record of the block, in the order of their leaves;
    /// the last one is `seal`, its own.
    pub fn for_each_record(&self, seal: &Seal, mut each: impl FnMut(&[u8])) {
        let mut record = Vec::new();
        for (submission, outcomes) in self.submissions.iter().zip(&self.outcomes) {
            let verified = &submission.batch;
            let signed = verified.signed();
            record::batch(&mut record, signed.header(), signed.signatures());
            each(&record);
            for (position, outcome) in outcomes.iter().enumerate() {
                let command = verified.command_slice(position);
                record::command(&mut record, outcome.answer.code(), outcome.original, command);
                each(&record);
            }
        }
        for one in &self.progress {
            record::progress(&mut record, &wire::progress::encode(one));
            each(&record);
        }
        each(&seal.encode());
    }

    /// What became of waiting transfers in it, each with its leaf.
    pub fn progress(&self) -> impl Iterator<Item = (u64, &Progress)> {
        let before = self.outcomes.iter().map(|own| own.len() as u64 + 1).sum::<u64>();
        (self.first_leaf + before..).zip(&self.progress)
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
    pub fn search(
        &self,
        scan: &Scan,
        bytes_max: u64,
    ) -> Result<(Vec<Delivery>, Cursor), PastError> {
        let mut items = Vec::new();
        let mut reached = scan.after;
        let from = if scan.after.commands == u32::MAX {
            scan.after.height.saturating_add(1)
        } else {
            // Height 0 is genesis; the first block is 1.
            scan.after.height.max(1)
        };
        let blocks = self.history.scan(from, bytes_max)?;
        for block in blocks.into_iter().take_while(|block| block.height <= scan.up_to) {
            let past = PastBlock::read(&block, &self.domain).map_err(PastError::Block)?;
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
    pub fn find(&self, find: &Find) -> Result<QueryAnswer, PastError> {
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
    ) -> Result<Option<IdEntry>, PastError> {
        match in_memory {
            Some(entry) => Ok(Some(entry)),
            None => {
                let found = self.old_ids.find(&[*id], self.old_ids.version())?;
                Ok(found.first().map(|(_, entry)| *entry))
            }
        }
    }

    /// The block that holds a leaf; nothing for genesis, and for a block so fresh that the history
    /// does not have it yet.
    pub fn block_of_leaf(&self, leaf: u64) -> Result<Option<PastBlock>, PastError> {
        let Some(height) = self.history.block_of_leaf(leaf) else { return Ok(None) };
        let block = self.history.block(height)?;
        let read = block.map(|block| PastBlock::read(&block, &self.domain));
        read.transpose().map_err(PastError::Block)
    }
}
