//! Reading the history: deliveries for those who catch up, and what became of a transfer.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use ledger::{
    Answer, Cause, Exchanged, IdEntry, LedgerTime, Outcome, ParticipantNumber, Progress, Stage,
    TransferId, resolution_id,
};
use proof::{
    Hash,
    record::{self, Seal},
    tree::Frontier,
};
use wire::{
    batch::{Domain, Submission},
    block::RawBlock,
    client::{self, Cursor, Delivery, End, QueryAnswer, Standing, TransferFound},
    codec::Reader,
    notice::BankNotice,
};

use crate::{
    deliver::{self, Ends, Moved, Owners},
    event::{Find, Scan},
    limits::FIRST_WORDS_BYTES_MAX,
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
    pub old_ids: Arc<dyn OldIdSource>,
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
    exchanges: Vec<Exchanged>,
    notices: Vec<BankNotice>,
    step: Option<ledger::NodeStep>,
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
        let (mut progress, mut exchanges, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        while reader.remaining() > 0 {
            match reader.u8("kind of a record").map_err(|error| bad(&error))? {
                record::KIND_PROGRESS if exchanges.is_empty() && notices.is_empty() => {
                    progress.push(wire::progress::read(&mut reader).map_err(|error| bad(&error))?);
                }
                record::KIND_EXCHANGE if notices.is_empty() => {
                    let one = wire::exchanged::read(&mut reader).map_err(|error| bad(&error))?;
                    exchanges.push(one);
                }
                record::KIND_NOTICE => {
                    notices.push(wire::notice::read(&mut reader).map_err(|error| bad(&error))?);
                }
                kind => return Err(bad(&format!("a record of kind {kind} in its place"))),
            }
        }
        Ok(Self {
            height: block.height,
            time: LedgerTime(block.time_ns),
            first_leaf: block.first_leaf,
            leaf_count: block.leaf_count,
            submissions,
            outcomes,
            progress,
            exchanges,
            notices,
            step: wire::block::step_of(&block.block),
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
        let more = self.progress.len() + self.exchanges.len() + self.notices.len();
        let more = more + usize::from(self.step.is_some());
        let records = commands + self.submissions.len() + more;
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
        for one in &self.exchanges {
            record::exchange(&mut record, &wire::exchanged::encode(one));
            each(&record);
        }
        for one in &self.notices {
            record::notice(&mut record, &wire::notice::encode(one));
            each(&record);
        }
        if let Some(step) = self.step {
            record::step(&mut record, step.node, step.seat as u8);
            each(&record);
        }
        each(&seal.encode());
    }

    fn has_leaf(&self, leaf: u64) -> bool {
        leaf.checked_sub(self.first_leaf).is_some_and(|at| at < u64::from(self.leaf_count))
    }

    /// What became of waiting transfers in it, each in its place.
    pub fn moved(&self) -> impl Iterator<Item = Moved<'_>> {
        let commands = self.outcomes.iter().map(Vec::len).sum::<usize>();
        let first_leaf = self.first_leaf + (commands + self.outcomes.len()) as u64;
        deliver::moved(self.height, self.time, first_leaf, commands as u32, &self.progress)
    }

    /// The command in a leaf of this block.
    pub fn command(&self, leaf: u64) -> Option<deliver::Applied<'_>> {
        self.commands().find(|applied| applied.leaf == leaf)
    }

    /// Canonical bytes of the command that brought a change of this block about; empty when none did.
    fn because(&self, moved: &Moved<'_>) -> Bytes {
        let Cause::Command(leaf) = moved.progress.cause else { return Bytes::new() };
        self.command(leaf)
            .map_or_else(Bytes::new, |by| by.submission.batch.command_bytes(by.position))
    }

    /// At which rates exchanges settled in it, in their order.
    pub fn exchanges(&self) -> &[Exchanged] {
        &self.exchanges
    }

    /// What banks were told of it although they sent nothing, in order.
    pub fn notices(&self) -> &[BankNotice] {
        &self.notices
    }

    /// What a bank is told of exchanges, and although it sent nothing.
    fn deliveries(&self, bank: ParticipantNumber, owners: &Owners) -> Vec<Delivery> {
        if self.exchanges.is_empty() && self.notices.is_empty() {
            return Vec::new();
        }
        let commands: Vec<_> = self.commands().collect();
        let first_leaf = self.first_leaf + (commands.len() + self.outcomes.len()) as u64;
        let ends = Ends {
            height: self.height,
            time: self.time,
            first_leaf,
            progress: self.progress.len(),
            exchanges: &self.exchanges,
            notices: &self.notices,
        };
        ends.deliveries(&commands, bank, owners)
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
        let mut firsts = Firsts::default();
        for block in blocks.into_iter().take_while(|block| block.height <= scan.up_to) {
            let past = Arc::new(PastBlock::read(&block, &self.domain).map_err(PastError::Block)?);
            items.extend(
                past.commands()
                    .filter(|applied| applied.cursor > scan.after)
                    .filter(|applied| applied.told(&scan.owners).contains(scan.participant))
                    .map(|applied| applied.delivery(scan.participant, &scan.owners)),
            );
            for moved in past.moved().filter(|moved| moved.cursor > scan.after) {
                if firsts.bytes > FIRST_WORDS_BYTES_MAX {
                    return Ok((items, reached));
                }
                items.extend(self.moved(&past, &moved, scan, &mut firsts)?);
                reached = moved.cursor;
            }
            let rest = past.deliveries(scan.participant, &scan.owners).into_iter();
            items.extend(rest.filter(|one| one.cursor > scan.after));
            reached = Cursor { height: past.height, commands: u32::MAX };
        }
        Ok((items, reached))
    }

    /// What a bank is told of a change, if it takes part in the transfer.
    fn moved(
        &self,
        past: &Arc<PastBlock>,
        moved: &Moved<'_>,
        scan: &Scan,
        firsts: &mut Firsts,
    ) -> Result<Option<Delivery>, PastError> {
        let leaf = moved.progress.leaf;
        let first = firsts.find(leaf, past, |leaf| self.sized_block_of_leaf(leaf))?;
        let missing = || PastError::Block(format!("leaf {leaf} is no transfer that waited"));
        let applied = first.command(leaf).ok_or_else(missing)?;
        let told = applied.told(&scan.owners).contains(scan.participant);
        Ok(told.then(|| applied.moved(moved, scan.participant, &scan.owners, past.because(moved))))
    }

    /// Where the last word on a transfer stands: its release if it waited, else its answer. `in_memory` is
    /// what memory knows of the answer and of the release.
    pub fn last_word(
        &self,
        id: &TransferId,
        in_memory: [Option<IdEntry>; 2],
    ) -> Result<Option<IdEntry>, PastError> {
        let [first, released] = in_memory;
        let entry = match self.entry(&ledger::resolution_id(id), released)? {
            Some(entry) => Some(entry),
            None => self.entry(id, first)?,
        };
        Ok(entry.filter(|entry| entry.leaf != ledger::GENESIS_LEAF))
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
            standing: None,
        };
        let being_written =
            || Ok(QueryAnswer::Failed("its block is being written; ask again".to_owned()));
        let past = self.block_of_leaf(entry.leaf)?;
        if past.is_none() && entry.leaf != ledger::GENESIS_LEAF {
            return being_written();
        }
        let mut is_party = false;
        if let Some(past) = past {
            found.height = past.height;
            found.time = past.time;
            if let Some(applied) = past.command(entry.leaf) {
                let (bank, owners) = (find.participant, &find.owners);
                is_party = applied.submitter() == bank
                    || deliver::takes_part(applied.command(), bank, owners);
                if is_party {
                    found.command = applied.submission.batch.command_bytes(applied.position);
                }
            }
        }
        if !found.answer.is_final() {
            match self.standing(&find.id, find.stage, find.end)? {
                Some(mut standing) => {
                    if let Some(end) = standing.end.as_mut().filter(|_| !is_party) {
                        end.because = Bytes::new();
                    }
                    found.standing = Some(standing);
                }
                None => return being_written(),
            }
        }
        Ok(QueryAnswer::Transfer(Some(found)))
    }

    /// How a transfer stands whose first answer was that it waits; nothing when its end is not in the history yet.
    /// `stage` is where it waits, if it does, `end` where its end is, if memory knows.
    pub fn standing(
        &self,
        id: &TransferId,
        stage: Option<Stage>,
        end: Option<IdEntry>,
    ) -> Result<Option<Standing>, PastError> {
        if let Some(stage) = stage {
            return Ok(Some(Standing { answer: Answer::Waiting(stage), end: None }));
        }
        let Some(end) = self.entry(&resolution_id(id), end)? else { return Ok(None) };
        let Some(past) = self.block_of_leaf(end.leaf)? else { return Ok(None) };
        let Some(moved) = past.moved().find(|moved| moved.leaf == end.leaf) else {
            return Err(PastError::Block(format!("leaf {} is not the end of {id}", end.leaf)));
        };
        let end = End {
            leaf: moved.leaf,
            height: past.height,
            time: past.time,
            progress: *moved.progress,
            because: past.because(&moved),
        };
        Ok(Some(Standing { answer: end.progress.answer, end: Some(end) }))
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
        Ok(self.sized_block_of_leaf(leaf)?.map(|(past, _)| past))
    }

    /// The same with the bytes that were read for it.
    fn sized_block_of_leaf(&self, leaf: u64) -> Result<Option<(PastBlock, usize)>, PastError> {
        let Some(height) = self.history.block_of_leaf(leaf) else { return Ok(None) };
        let Some(block) = self.history.block(height)? else { return Ok(None) };
        let past = PastBlock::read(&block, &self.domain).map_err(PastError::Block)?;
        Ok(Some((past, block.block.len() + block.outcome.len())))
    }
}

/// Blocks with the first words of transfers that went on later: they often share one.
#[derive(Default)]
struct Firsts {
    /// The newest last.
    kept: VecDeque<Arc<PastBlock>>,
    /// Bytes read.
    bytes: usize,
}

impl Firsts {
    const KEPT_MAX: usize = 4;

    fn find(
        &mut self,
        leaf: u64,
        own: &Arc<PastBlock>,
        read: impl FnOnce(u64) -> Result<Option<(PastBlock, usize)>, PastError>,
    ) -> Result<Arc<PastBlock>, PastError> {
        if own.has_leaf(leaf) {
            return Ok(Arc::clone(own));
        }
        if let Some(known) = self.kept.iter().find(|known| known.has_leaf(leaf)) {
            return Ok(Arc::clone(known));
        }
        let missing = || PastError::Block(format!("the history has no block with leaf {leaf}"));
        let (past, bytes) = read(leaf)?.ok_or_else(missing)?;
        self.bytes += bytes;
        if self.kept.len() == Self::KEPT_MAX {
            self.kept.pop_front();
        }
        let past = Arc::new(past);
        self.kept.push_back(Arc::clone(&past));
        Ok(past)
    }
}
