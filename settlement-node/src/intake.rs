//! Submissions between their arrival and their block.
//!
//! Two lists. *Tracked* are the submissions of this node's own sessions: each is followed until it
//! is applied, whichever leader orders it, and answered then. *Waiting* are those that this node, as
//! leader, will put into its next blocks. Both are bounded, and each bank has its share in them; what
//! does not fit is "busy", which is always safe because a submission may be repeated.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use ledger::{Digest, ParticipantNumber};
use link::SessionId;

use crate::{
    limits::{BLOCK_WORTH_BYTES, BLOCK_WORTH_SUBMISSIONS, TRACKED_TICKS_MAX},
    prepare::PreparedSubmission,
    shares::Shares,
    waiting::{Waiting, bank_of},
};

/// A submission of an own session that is not applied yet.
#[derive(Debug)]
pub struct Tracked {
    /// The submission, to be passed on again when a leader is lost.
    pub prepared: PreparedSubmission,
    /// Who asked.
    pub sessions: Vec<SessionId>,
    /// Tick at which it arrived.
    pub since: u64,
    /// Tick at which it was last passed to a leader; `None` while it waits for one.
    pub passed_on: Option<u64>,
}

/// All submissions that this node holds.
#[derive(Debug, Default)]
pub struct Intake {
    tracked: HashMap<Digest, Tracked>,
    /// What the tracked ones take of each bank's share.
    shares: Arc<Shares>,
    waiting: Waiting,
    /// Batches that wait or are in a block not yet applied: not ordered twice.
    ordered: HashSet<Digest>,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Intake {
    /// Follows a submission of an own session. Returns whether it is new.
    pub fn track(
        &mut self,
        prepared: &PreparedSubmission,
        session: SessionId,
        tick: u64,
    ) -> Result<bool, Full> {
        let digest = prepared.digest();
        if let Some(tracked) = self.tracked.get_mut(&digest) {
            if !tracked.sessions.contains(&session) {
                tracked.sessions.push(session);
            }
            return Ok(false);
        }
        let bytes = prepared.submission.bytes().len();
        if !self.shares.take(prepared.submission.batch.batch().submitter, bytes) {
            return Err(Full);
        }
        let tracked = Tracked {
            prepared: prepared.clone(),
            sessions: vec![session],
            since: tick,
            passed_on: None,
        };
        self.tracked.insert(digest, tracked);
        Ok(true)
    }

    /// Takes an own submission off the list, because it was applied or given back.
    pub fn untrack(&mut self, digest: &Digest) -> Option<Tracked> {
        let tracked = self.tracked.remove(digest)?;
        self.give_back(&tracked);
        Some(tracked)
    }

    /// Forgets a session. Its submissions may still be ordered.
    pub fn forget_session(&mut self, session: SessionId) {
        let shares = &self.shares;
        self.tracked.retain(|_, tracked| {
            tracked.sessions.retain(|known| *known != session);
            if tracked.sessions.is_empty() {
                let submission = &tracked.prepared.submission;
                shares.give_back(submission.batch.batch().submitter, submission.bytes().len());
            }
            !tracked.sessions.is_empty()
        });
    }

    fn give_back(&self, tracked: &Tracked) {
        let submission = &tracked.prepared.submission;
        self.shares.give_back(submission.batch.batch().submitter, submission.bytes().len());
    }

    /// Notes that a checked submission has reached the loop.
    pub fn arrived(&self, prepared: &PreparedSubmission) {
        self.shares.arrived(prepared.submission.bytes().len());
    }

    /// Each bank's share of the room for tracked submissions.
    pub fn shares(&self) -> Arc<Shares> {
        Arc::clone(&self.shares)
    }

    /// How far the other nodes are, see [`Shares::distance`].
    pub fn distance(&self) -> std::time::Duration {
        self.shares.distance()
    }

    /// Own submissions that should be passed to a leader now, oldest first.
    pub fn to_pass_on(&mut self, tick: u64, again_after: u64) -> Vec<PreparedSubmission> {
        let mut due: Vec<&mut Tracked> = self
            .tracked
            .values_mut()
            .filter(|tracked| tracked.passed_on.is_none_or(|at| at + again_after <= tick))
            .collect();
        due.sort_by_key(|tracked| (tracked.since, tracked.prepared.digest()));
        due.into_iter()
            .map(|tracked| {
                tracked.passed_on = Some(tick);
                tracked.prepared.clone()
            })
            .collect()
    }

    /// Marks one own submission as passed to a leader.
    pub fn passed_on(&mut self, digest: &Digest, tick: u64) {
        if let Some(tracked) = self.tracked.get_mut(digest) {
            tracked.passed_on = Some(tick);
        }
    }

    /// All own submissions must find a leader again: the one they were passed to is lost.
    pub fn leader_lost(&mut self) {
        for tracked in self.tracked.values_mut() {
            tracked.passed_on = None;
        }
        self.waiting.clear();
        self.shares.lines_are_empty();
        self.ordered.clear();
    }

    /// Own submissions that waited too long, taken off the list.
    pub fn take_overdue(&mut self, tick: u64) -> Vec<(Digest, Tracked)> {
        let overdue = |tracked: &Tracked| tracked.since + TRACKED_TICKS_MAX <= tick;
        let mut digests: Vec<Digest> = self
            .tracked
            .iter()
            .filter(|(_, tracked)| overdue(tracked))
            .map(|(digest, _)| *digest)
            .collect();
        digests.sort_by_key(|digest| digest.0);
        digests.into_iter().filter_map(|digest| Some((digest, self.untrack(&digest)?))).collect()
    }

    /// Puts a submission in line for a block of this leader. One that is in line already stays there once.
    pub fn enqueue(&mut self, prepared: PreparedSubmission) -> Result<(), Full> {
        if self.ordered.contains(&prepared.digest()) {
            return Ok(());
        }
        if !self.waiting.has_room(&prepared) {
            return Err(Full);
        }
        self.ordered.insert(prepared.digest());
        let bank = bank_of(&prepared);
        self.waiting.push_back(prepared);
        self.note_line(bank);
        Ok(())
    }

    /// Whether a block could be formed.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether enough waits for a block to be worth its cost while others are under way.
    pub fn has_block_worth(&self) -> bool {
        self.waiting.len() >= BLOCK_WORTH_SUBMISSIONS || self.waiting.bytes() >= BLOCK_WORTH_BYTES
    }

    /// Takes what fits into one block, the banks taking turns.
    pub fn take_block(&mut self) -> Vec<PreparedSubmission> {
        let taken = self.waiting.take_block();
        self.note_lines(&taken);
        taken
    }

    /// Takes what banks have in line who send little, see [`Waiting::take_little`].
    pub fn take_little(
        &mut self,
        room: usize,
        under_way: impl Fn(ParticipantNumber) -> usize,
    ) -> Vec<PreparedSubmission> {
        if room == 0 {
            return Vec::new();
        }
        let taken = self.waiting.take_little(room, under_way);
        self.note_lines(&taken);
        taken
    }

    /// Puts submissions back in front, after a proposal that was not taken.
    pub fn put_back(&mut self, submissions: Vec<PreparedSubmission>) {
        let banks: BTreeSet<ParticipantNumber> = submissions.iter().map(bank_of).collect();
        self.waiting.put_back(submissions);
        banks.into_iter().for_each(|bank| self.note_line(bank));
    }

    /// Tells those who check how long the lines are from which something was taken.
    fn note_lines(&self, taken: &[PreparedSubmission]) {
        let banks: BTreeSet<ParticipantNumber> = taken.iter().map(bank_of).collect();
        banks.into_iter().for_each(|bank| self.note_line(bank));
    }

    fn note_line(&self, bank: ParticipantNumber) {
        let (submissions, bytes) = self.waiting.line_of(bank);
        self.shares.waits_in_line(bank, submissions, bytes);
    }

    /// Notes that a batch was applied: the same batch may be ordered again from now on.
    pub fn applied(&mut self, digest: &Digest) {
        self.ordered.remove(digest);
    }

    /// Own submissions not yet applied.
    pub fn tracked_len(&self) -> usize {
        self.tracked.len()
    }

    /// Submissions that wait for a block.
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }
}
