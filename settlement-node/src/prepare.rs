//! The heavy pure work that is done before an event reaches the loop: form, signatures, digests, and
//! the look-up of old transfer ids on disk.
//!
//! What comes out, [`PreparedSubmission`] and [`PreparedBlock`], is all that the loop accepts. The
//! look-up is exact, so it does not matter to the outcome which node did it, or when: an answer
//! that was found stays true, and what was written to disk after the look-up is still in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use ledger::{IdEntry, LedgerTime, TransferId};
use wire::{
    batch::{BatchError, Domain, RawSubmission, Submission},
    block::{self, Block, RawBlock},
};

use crate::limits::{ADMITTED_BYTES_MAX, ADMITTED_SUBMISSIONS_MAX};

/// Looks up ids that are no longer in memory. Implemented by the runs on disk.
pub trait OldIdSource: Send + Sync {
    /// Generations of ids with a number below this are on disk.
    fn version(&self) -> u64;
    /// The first answers to these ids, of those that are of a generation on disk with a number below
    /// `runs_below`. One of a later generation that is on disk may be found too: an answer that is
    /// yet to come, while the log is replayed, is known by its leaf (`Chain::apply` leaves it out).
    fn find(
        &self,
        ids: &[TransferId],
        runs_below: u64,
    ) -> Result<Vec<(TransferId, IdEntry)>, std::io::Error>;
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
            let commands = &submission.batch.batch().commands;
            let mut ids: Vec<TransferId> = Vec::with_capacity(commands.len());
            for checked in commands {
                checked.command.ids_consulted(&mut |id| ids.push(id));
            }
            old_ids = old.find(&ids, runs_below)?;
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

/// Submissions that this node checked when it admitted them. When they come back in a block of the
/// leader, they need not be checked again. Compared are all bytes, so nothing else passes for them.
#[derive(Debug, Default)]
pub struct Admitted(Mutex<AdmittedList>);

#[derive(Debug, Default)]
struct AdmittedList {
    by_end: HashMap<[u8; END_BYTES], Submission>,
    oldest_first: VecDeque<[u8; END_BYTES]>,
    bytes: usize,
}

/// The end of a submission holds half a signature, or the tag of a sealed document: enough to find
/// it by.
const END_BYTES: usize = 32;

impl Admitted {
    fn list(&self) -> MutexGuard<'_, AdmittedList> {
        // No code that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a checked submission for a while.
    pub fn keep(&self, submission: &Submission) {
        let Some(end) = submission.bytes().last_chunk().copied() else { return };
        let mut list = self.list();
        list.bytes += submission.bytes().len();
        match list.by_end.insert(end, submission.clone()) {
            Some(replaced) => list.bytes -= replaced.bytes().len(),
            None => list.oldest_first.push_back(end),
        }
        while list.bytes > ADMITTED_BYTES_MAX || list.oldest_first.len() > ADMITTED_SUBMISSIONS_MAX
        {
            let Some(oldest) = list.oldest_first.pop_front() else { return };
            list.bytes -= list.by_end.remove(&oldest).map_or(0, |gone| gone.bytes().len());
        }
    }

    /// The checked form of these bytes, if they were kept.
    pub fn find(&self, bytes: &Bytes) -> Option<Submission> {
        let end: &[u8; END_BYTES] = bytes.last_chunk()?;
        self.list().by_end.get(end).filter(|known| known.bytes() == bytes).cloned()
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
    /// Checks every signature of a block that came from a peer, but for those that this node checked
    /// when it admitted the submission.
    pub fn check(
        bytes: Bytes,
        domain: &Domain,
        old: &dyn OldIdSource,
        admitted: &Admitted,
    ) -> Result<Self, PrepareError> {
        let (time, parts) = block::split(bytes.clone())?;
        let known: Vec<Option<Submission>> = parts.iter().map(|part| admitted.find(part)).collect();
        let unknown = parts.into_iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown =
            unknown.map(|(part, _)| RawSubmission::decode(part)).collect::<Result<Vec<_>, _>>()?;
        let mut checked = RawSubmission::verify_together(unknown, domain)?.into_iter();
        let submissions = known.into_iter().filter_map(|known| known.or_else(|| checked.next()));
        let block = Block { time, submissions: submissions.collect() };
        Self::find_old(block, bytes, old, old.version())
    }

    /// Reads a block from this node's own log, whose signatures were checked before it was written.
    /// Only generations below a number need be consulted: while the log is replayed, the others
    /// hold ids that memory still holds too, or that are yet to come.
    pub fn trusted(
        bytes: Bytes,
        domain: &Domain,
        old: &dyn OldIdSource,
        runs_below: u64,
    ) -> Result<Self, PrepareError> {
        let block = RawBlock::decode(bytes.clone())?.trusted(domain)?;
        Self::find_old(block, bytes, old, runs_below)
    }

    /// The step of membership that it carries out, if it is such a block.
    pub fn step(&self) -> Option<ledger::NodeStep> {
        block::step_of(&self.bytes)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ed25519_dalek::SigningKey;
    use ledger::{
        AccountNumber, Amount, Command, Leg, Legs, ParticipantNumber, Transfer, TransferId,
    };
    use wire::batch::{BatchBuilder, encode_submission};

    const DOMAIN: Domain = Domain { network: [7; 32], epoch: 1 };

    struct NoOldIds;

    impl OldIdSource for NoOldIds {
        fn version(&self) -> u64 {
            0
        }

        fn find(
            &self,
            _: &[TransferId],
            _: u64,
        ) -> Result<Vec<(TransferId, IdEntry)>, std::io::Error> {
            Ok(Vec::new())
        }
    }

    fn submission(number: u8) -> Bytes {
        let mut builder = BatchBuilder::new(&DOMAIN, ParticipantNumber(0), LedgerTime(u64::MAX));
        builder.push(&Command::Transfer(Transfer {
            id: TransferId([number; 16]),
            legs: Legs::One(Leg {
                debit: AccountNumber(0),
                credit: AccountNumber(1),
                amount: Amount::new(1),
            }),
            document: None,
            options: None,
        }));
        let key = SigningKey::from_bytes(&[number; 32]);
        let (batch, _) = builder.sign(&[(ParticipantNumber(0), &key)]);
        encode_submission(&batch, &[])
    }

    fn block_of(submissions: &[Bytes]) -> Bytes {
        block::encode(LedgerTime(1), submissions.iter())
    }

    #[test]
    fn a_block_is_checked_with_and_without_what_was_admitted() {
        let all: Vec<Bytes> = (1..=9).map(submission).collect();
        let admitted = Admitted::default();
        for round in 0..2 {
            let block =
                PreparedBlock::check(block_of(&all), &DOMAIN, &NoOldIds, &admitted).unwrap();
            let order: Vec<&Bytes> =
                block.submissions.iter().map(|prepared| prepared.submission.bytes()).collect();
            assert_eq!(order, all.iter().collect::<Vec<_>>(), "round {round}");
            for bytes in all.iter().step_by(2) {
                let own = PreparedSubmission::check(bytes.clone(), &DOMAIN, &NoOldIds).unwrap();
                admitted.keep(&own.submission);
                assert!(admitted.find(bytes).is_some());
            }
        }
    }

    #[test]
    fn nothing_but_the_same_bytes_passes_for_what_was_admitted() {
        let good = submission(1);
        let admitted = Admitted::default();
        admitted
            .keep(&PreparedSubmission::check(good.clone(), &DOMAIN, &NoOldIds).unwrap().submission);
        for at in 0..good.len() {
            let mut changed = good.to_vec();
            changed[at] ^= 1;
            let block = block_of(&[Bytes::from(changed)]);
            let verdict = PreparedBlock::check(block, &DOMAIN, &NoOldIds, &admitted);
            assert!(verdict.is_err(), "byte {at} was not looked at");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let admitted = Admitted::default();
        let first = submission(1);
        for bytes in [first.clone(), submission(2)] {
            let own = PreparedSubmission::check(bytes, &DOMAIN, &NoOldIds).unwrap().submission;
            for _ in 0..3 {
                admitted.keep(&own);
            }
        }
        {
            let list = admitted.list();
            assert_eq!((list.by_end.len(), list.oldest_first.len()), (2, 2));
            assert_eq!(list.bytes, first.len() * 2);
        }
        admitted.list().bytes = ADMITTED_BYTES_MAX;
        let third = PreparedSubmission::check(submission(3), &DOMAIN, &NoOldIds).unwrap();
        admitted.keep(&third.submission);
        assert!(admitted.find(&first).is_none());
    }
}
