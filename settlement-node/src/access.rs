//! Who read data of parties: the records of accesses, found in the history.
//!
//! Blocks are read in order and not by an index: accesses are few, and an auditor reads them all. One question reads a
//! bounded number of bytes and says where the next one goes on; with the last height named, the same questions have the
//! same answers for ever. Blocking.

use std::borrow::Cow;

use ledger::{
    Access, Answer, Command, Digest, LedgerTime, ParticipantNumber, RecordAccess, TransferId,
};

use crate::past::{Past, PastBlock, PastError};

/// Most rows of one page; those of its last block are all on it.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Bytes of blocks read in one go.
const SCAN_BYTES: u64 = 4 << 20;
/// Bytes of blocks that one question reads at most: well under a second.
const PAGE_BYTES_MAX: u64 = 64 << 20;

/// Which accesses are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// In the house of this participant.
    pub participant: Option<ParticipantNumber>,
    /// To data of this payment.
    pub payment: Option<TransferId>,
    /// From this block on.
    pub from: u64,
    /// Up to this block.
    pub to: u64,
    /// Rows of the page, 1 to [`PAGE_ROWS_MAX`].
    pub rows: usize,
}

/// One access that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Block.
    pub height: u64,
    /// Its ledger time: when.
    pub time: LedgerTime,
    /// Leaf of the record.
    pub leaf: u64,
    /// Id of the record's command.
    pub id: TransferId,
    /// In whose house.
    pub participant: ParticipantNumber,
    /// What was done.
    pub access: Access,
    /// The payment, where it is one.
    pub payment: Option<TransferId>,
    /// What was read.
    pub what: Digest,
    /// Who.
    pub reader: String,
    /// On what ground.
    pub ground: String,
}

/// A page of them, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The accesses.
    pub rows: Vec<Row>,
    /// The block with which the next page begins; nothing after the last.
    pub next: Option<u64>,
}

impl Past {
    /// A page of the accesses that were recorded.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn accesses(&self, wanted: &Wanted) -> Result<Page, PastError> {
        let limit = wanted.rows.clamp(1, PAGE_ROWS_MAX);
        let (mut rows, mut next, mut read) = (Vec::new(), wanted.from.max(1), 0);
        while next <= wanted.to {
            let blocks = self.history.scan(next, SCAN_BYTES)?;
            if blocks.is_empty() {
                break;
            }
            for block in blocks.iter().take_while(|block| block.height <= wanted.to) {
                read += (block.block.len() + block.outcome.len()) as u64;
                let past = PastBlock::read(block, &self.domain).map_err(PastError::Block)?;
                rows.extend(rows_of(&past, wanted));
                next = block.height + 1;
                if next <= wanted.to && (rows.len() >= limit || read >= PAGE_BYTES_MAX) {
                    return Ok(Page { rows, next: Some(next) });
                }
            }
            if blocks.last().is_some_and(|last| last.height >= wanted.to) {
                break;
            }
        }
        Ok(Page { rows, next: None })
    }
}

fn rows_of<'a>(past: &'a PastBlock, wanted: &'a Wanted) -> impl Iterator<Item = Row> + 'a {
    past.commands().filter_map(move |applied| {
        let record = record_of(applied.command())?;
        let recorded =
            applied.outcome.answer == Answer::Settled && applied.outcome.original.is_none();
        let of = wanted.participant.is_none_or(|of| of == record.participant);
        let about = wanted.payment.is_none_or(|about| record.payment == Some(about));
        (recorded && of && about).then(|| Row {
            height: past.height,
            time: past.time,
            leaf: applied.leaf,
            id: record.id,
            participant: record.participant,
            access: record.access,
            payment: record.payment,
            what: record.what,
            reader: record.reader.clone(),
            ground: record.ground.clone(),
        })
    })
}

/// What a command says of an access; a certificate of erasure says it as well.
fn record_of(command: &Command) -> Option<Cow<'_, RecordAccess>> {
    match command {
        Command::RecordAccess(record) => Some(Cow::Borrowed(record)),
        Command::EraseDocument(erase) => Some(Cow::Owned(RecordAccess {
            id: erase.id,
            participant: erase.participant,
            access: Access::Erased,
            payment: Some(erase.payment.id),
            what: erase.document()?,
            reader: erase.by.clone(),
            ground: erase.ground.clone(),
        })),
        _ => None,
    }
}
