//! The heavy pure work that is done before an event reaches the loop: form, signatures, digests, and
//! the look-up of old transfer ids on disk.
//!
//! What comes out, [`PreparedSubmission`] and [`PreparedBlock`], is all that the loop accepts. The
//! look-up is exact, so it does not matter to the outcome which node did it, or when: an answer
//! that was found stays true, and what was written to disk after the look-up is still in memory.

use bytes::Bytes;
use ledger::{IdEntry, LedgerTime, TransferId};
use wire::{
    batch::{BatchError, Domain, RawSubmission, Submission},
    block::{Block, RawBlock},
};

/// Looks up ids that are no longer in memory. Implemented by the runs on disk.
pub trait OldIdSource: Send + Sync {
    /// Runs that were consulted so far are those with a number below this.
    fn version(&self) -> u64;
    /// The first answer to this id, if a run on disk with a number below `runs_below` has it.
    fn find(&self, id: &TransferId, runs_below: u64) -> Result<Option<IdEntry>, std::io::Error>;
}

/// Why a frame did not become an event.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A batch is malformed, or a signature does not verify.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The runs on disk could not be read.
    #[error("look up old ids: {0}")]
    OldIds(#[from] std::io::Error),
}

/// A checked submission with what the disk knows of its ids.
#[derive(Clone, Debug)]
pub struct PreparedSubmission {
    /// The submission.
    pub submission: Submission,
    /// Ids of it that older runs know, in rising order.
    pub old_ids: Vec<(TransferId, IdEntry)>,
    /// Runs below this number were consulted.
    pub runs_seen: u64,
}

impl PreparedSubmission {
    /// Checks a submission as received.
    pub fn check(
        bytes: Bytes,
        domain: &Domain,
        old: &dyn OldIdSource,
    ) -> Result<Self, PrepareError> {
        let submission = RawSubmission::decode(bytes)?.verify(domain)?;
        // The version is read first: a run published in between may be consulted or not, and its
        // ids are still in memory when this submission is applied.
        let runs_below = old.version();
        Self::find_old(submission, old, runs_below)
    }

    /// Adds what runs below a number know of the ids of a checked submission.
    pub fn find_old(
        submission: Submission,
        old: &dyn OldIdSource,
        runs_below: u64,
    ) -> Result<Self, PrepareError> {
        let mut old_ids = Vec::new();
        if runs_below > 0 {
            for checked in &submission.batch.batch().commands {
                if let Some(id) = checked.command.id()
                    && let Some(entry) = old.find(&id, runs_below)?
                {
                    old_ids.push((id, entry));
                }
            }
            old_ids.sort_by_key(|(id, _)| *id);
            old_ids.dedup_by_key(|(id, _)| *id);
        }
        Ok(Self { submission, old_ids, runs_seen: runs_below })
    }

    /// The digest that the batch is known by.
    pub fn digest(&self) -> ledger::Digest {
        self.submission.batch.signed().digest()
    }
}

/// A checked block.
#[derive(Clone, Debug)]
pub struct PreparedBlock {
    /// The leader's time.
    pub time: LedgerTime,
    /// Submissions in order.
    pub submissions: Vec<PreparedSubmission>,
    /// The block as the log holds it.
    pub bytes: Bytes,
}

impl PreparedBlock {
    /// Checks every signature of a block that came from a peer.
    pub fn check(
        bytes: Bytes,
        domain: &Domain,
        old: &dyn OldIdSource,
    ) -> Result<Self, PrepareError> {
        let block = RawBlock::decode(bytes.clone())?.verify(domain)?;
        Self::find_old(block, bytes, old, old.version())
    }

    /// Reads a block from this node's own log, whose signatures were checked before it was written.
    /// Only runs below a number are consulted: while the log is replayed, the others hold ids that
    /// memory still holds too, or that are yet to come.
    pub fn trusted(
        bytes: Bytes,
        domain: &Domain,
        old: &dyn OldIdSource,
        runs_below: u64,
    ) -> Result<Self, PrepareError> {
        let block = RawBlock::decode(bytes.clone())?.trusted(domain)?;
        Self::find_old(block, bytes, old, runs_below)
    }

    fn find_old(
        block: Block,
        bytes: Bytes,
        old: &dyn OldIdSource,
        runs_below: u64,
    ) -> Result<Self, PrepareError> {
        let submissions = block
            .submissions
            .into_iter()
            .map(|submission| PreparedSubmission::find_old(submission, old, runs_below))
            .collect::<Result<_, _>>()?;
        Ok(Self { time: block.time, submissions, bytes })
    }
}
