//! Submissions in line for a block of this leader: one line for each bank, and the banks take turns.
//!
//! Within a bank first come, first served. A block takes one submission of each bank in turn, so that
//! a long line of one bank does not make another wait. A bank's line may be as long as the room that
//! is left for all.

use std::collections::{BTreeMap, VecDeque};

use ledger::ParticipantNumber;
use wire::{block, limits::BATCHES_PER_BLOCK_MAX, limits::BLOCK_BYTES_MAX};

use crate::{
    limits::{
        BLOCK_BYTES_AIM, LITTLE_BYTES_MAX, SIGNATURES_PER_BLOCK_MAX, WAITING_BYTES_MAX,
        WAITING_SUBMISSIONS_MAX,
    },
    prepare::PreparedSubmission,
};

/// The lines.
#[derive(Debug, Default)]
pub struct Waiting {
    lines: BTreeMap<ParticipantNumber, Line>,
    /// Banks with something in line, in the order of their turns.
    turns: VecDeque<ParticipantNumber>,
    len: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Line {
    submissions: VecDeque<PreparedSubmission>,
    bytes: usize,
}

/// Whose submission it is.
pub(crate) fn bank_of(prepared: &PreparedSubmission) -> ParticipantNumber {
    prepared.submission.batch.batch().submitter
}

impl Waiting {
    /// Whether there is room for this one in its bank's line.
    pub fn has_room(&self, prepared: &PreparedSubmission) -> bool {
        let (len, bytes) = self.line_of(bank_of(prepared));
        len + self.len < WAITING_SUBMISSIONS_MAX
            && bytes + self.bytes + prepared.submission.bytes().len() <= WAITING_BYTES_MAX
    }

    /// Puts one at the end of its bank's line. The caller has asked whether there is room.
    pub fn push_back(&mut self, prepared: PreparedSubmission) {
        let bank = bank_of(&prepared);
        let line = self.lines.entry(bank).or_default();
        if line.submissions.is_empty() {
            self.turns.push_back(bank);
        }
        let bytes = prepared.submission.bytes().len();
        line.bytes += bytes;
        line.submissions.push_back(prepared);
        self.len += 1;
        self.bytes += bytes;
    }

    /// Puts submissions back in front of their lines, in the order in which they were taken.
    pub fn put_back(&mut self, submissions: Vec<PreparedSubmission>) {
        for prepared in submissions.into_iter().rev() {
            let bank = bank_of(&prepared);
            let line = self.lines.entry(bank).or_default();
            if line.submissions.is_empty() {
                self.turns.push_front(bank);
            }
            let bytes = prepared.submission.bytes().len();
            line.bytes += bytes;
            line.submissions.push_front(prepared);
            self.len += 1;
            self.bytes += bytes;
        }
    }

    /// Takes what makes a block: of each bank in turn the first of its line.
    pub fn take_block(&mut self) -> Vec<PreparedSubmission> {
        let mut room = BLOCK_BYTES_MAX - block::HEADER_BYTES;
        let aim = room.saturating_sub(BLOCK_BYTES_AIM);
        let mut signatures = SIGNATURES_PER_BLOCK_MAX;
        let mut taken: Vec<PreparedSubmission> = Vec::new();
        // Banks whose first submission no longer fits; the first of them comes first next time.
        let mut left = VecDeque::new();
        while let Some(bank) = self.turns.pop_front() {
            let Some(line) = self.lines.get_mut(&bank) else { continue };
            let fits = line.submissions.front().is_some_and(|next| {
                next.submission.bytes().len() + block::PER_SUBMISSION_BYTES <= room
                    && (room > aim || taken.is_empty())
                    && taken.len() < BATCHES_PER_BLOCK_MAX
                    && next.submission.batch.batch().authorisations.len() <= signatures
            });
            if !fits {
                left.push_back(bank);
                continue;
            }
            let Some(next) = line.submissions.pop_front() else { continue };
            let bytes = next.submission.bytes().len();
            room -= bytes + block::PER_SUBMISSION_BYTES;
            signatures -= next.submission.batch.batch().authorisations.len();
            line.bytes -= bytes;
            self.len -= 1;
            self.bytes -= bytes;
            if line.submissions.is_empty() {
                self.lines.remove(&bank);
            } else {
                self.turns.push_back(bank);
            }
            taken.push(next);
        }
        self.turns = left;
        taken
    }

    /// Takes all that banks have in line who send little, up to so many bytes; `under_way` says how many bytes of
    /// a bank are in blocks already.
    pub fn take_little(
        &mut self,
        mut room: usize,
        under_way: impl Fn(ParticipantNumber) -> usize,
    ) -> Vec<PreparedSubmission> {
        let mut signatures = SIGNATURES_PER_BLOCK_MAX;
        let mut taken = Vec::new();
        let mut left = VecDeque::new();
        while let Some(bank) = self.turns.pop_front() {
            let Some(line) = self.lines.get(&bank) else { continue };
            let signed = || {
                let of =
                    |one: &PreparedSubmission| one.submission.batch.batch().authorisations.len();
                line.submissions.iter().map(of).sum::<usize>()
            };
            let fits = line.bytes <= room
                && line.bytes + under_way(bank) <= LITTLE_BYTES_MAX
                && taken.len() + line.submissions.len() <= BATCHES_PER_BLOCK_MAX
                && signed() <= signatures;
            if !fits {
                left.push_back(bank);
                continue;
            }
            room -= line.bytes;
            signatures -= signed();
            self.len -= line.submissions.len();
            self.bytes -= line.bytes;
            taken.extend(self.lines.remove(&bank).into_iter().flat_map(|line| line.submissions));
        }
        self.turns = left;
        taken
    }

    /// How many submissions of a bank are in line, and their bytes.
    pub fn line_of(&self, bank: ParticipantNumber) -> (usize, usize) {
        self.lines.get(&bank).map_or((0, 0), |line| (line.submissions.len(), line.bytes))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Submissions in all lines.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of all submissions in line.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use ed25519_dalek::SigningKey;
    use ledger::{AccountNumber, Amount, Command, LedgerTime, Leg, Legs, Transfer, TransferId};
    use wire::batch::{BatchBuilder, Domain, RawSubmission, encode_submission};

    const DOMAIN: Domain = Domain { network: [7; 32], epoch: 1 };

    fn submission(bank: u32, number: u8, commands: usize) -> PreparedSubmission {
        let bank = ParticipantNumber(bank);
        let mut builder = BatchBuilder::new(&DOMAIN, bank, LedgerTime(u64::MAX));
        for at in 0..commands {
            let mut id = [number; 16];
            id[..8].copy_from_slice(&(at as u64).to_le_bytes());
            builder.push(&Command::Transfer(Transfer {
                id: TransferId(id),
                legs: Legs::One(Leg {
                    debit: AccountNumber(0),
                    credit: AccountNumber(1),
                    amount: Amount::new(1),
                }),
                document: None,
                options: None,
            }));
        }
        let (batch, _) = builder.sign(&[(bank, &SigningKey::from_bytes(&[1; 32]))]);
        let raw: Bytes = encode_submission(&batch, &[]);
        let submission = RawSubmission::decode(raw).unwrap().verify(&DOMAIN).unwrap();
        PreparedSubmission { submission, old_ids: Vec::new(), runs_seen: 0 }
    }

    fn banks(block: &[PreparedSubmission]) -> Vec<u32> {
        block.iter().map(|prepared| bank_of(prepared).0).collect()
    }

    #[test]
    fn a_long_line_of_one_bank_does_not_keep_another_out_of_the_next_block() {
        let mut waiting = Waiting::default();
        for number in 0..60 {
            waiting.push_back(submission(1, number, 1_000));
        }
        waiting.push_back(submission(2, 0, 1));
        waiting.push_back(submission(3, 0, 1));
        let first = waiting.take_block();
        assert_eq!(banks(&first)[..3], [1, 2, 3]);
        let bytes: usize = first.iter().map(|prepared| prepared.submission.bytes().len()).sum();
        assert!(bytes < BLOCK_BYTES_AIM + 200_000, "{bytes}");
        let mut blocks = 1;
        while !waiting.is_empty() {
            assert!(banks(&waiting.take_block()).iter().all(|bank| *bank == 1));
            blocks += 1;
        }
        assert!(blocks > 5, "{blocks}");
        assert_eq!((waiting.bytes(), waiting.turns.len(), waiting.lines.len()), (0, 0, 0));
    }

    #[test]
    fn each_bank_keeps_its_order_also_when_a_block_is_put_back() {
        let mut waiting = Waiting::default();
        for number in 0..20 {
            waiting.push_back(submission(u32::from(number % 3), number, 1));
        }
        let bytes = waiting.bytes();
        let block = waiting.take_block();
        assert_eq!(block.len(), 20);
        let order: Vec<_> = block.iter().map(PreparedSubmission::digest).collect();
        waiting.put_back(block);
        assert_eq!((waiting.len(), waiting.bytes()), (20, bytes));
        let again = waiting.take_block();
        for bank in 0..3 {
            let of = |all: &[PreparedSubmission], order: &[ledger::Digest]| -> Vec<_> {
                let own = |digest: &&ledger::Digest| {
                    all.iter().any(|one| one.digest() == **digest && bank_of(one).0 == bank)
                };
                order.iter().filter(own).copied().collect()
            };
            let now: Vec<_> = again.iter().map(PreparedSubmission::digest).collect();
            assert_eq!(of(&again, &order), of(&again, &now), "bank {bank}");
        }
    }

    #[test]
    fn a_large_submission_gets_a_block_and_the_others_the_next() {
        let mut waiting = Waiting::default();
        waiting.push_back(submission(1, 1, 8_000));
        waiting.push_back(submission(2, 2, 8_000));
        waiting.push_back(submission(3, 3, 1));
        assert_eq!(banks(&waiting.take_block()), [1]);
        assert_eq!(banks(&waiting.take_block()), [2]);
        assert_eq!(banks(&waiting.take_block()), [3]);
        assert!(waiting.take_block().is_empty());
    }

    #[test]
    fn what_is_little_is_taken_whole_and_past_the_rest() {
        let mut waiting = Waiting::default();
        (0..20).for_each(|number| waiting.push_back(submission(1, number, 100)));
        (0..3).for_each(|number| waiting.push_back(submission(2, number, 1)));
        waiting.push_back(submission(3, 0, 1));
        waiting.push_back(submission(4, 0, 1));
        let (len, bytes) = (waiting.len(), waiting.bytes());
        let (_, two) = waiting.line_of(ParticipantNumber(2));
        let (_, three) = waiting.line_of(ParticipantNumber(3));
        assert!(waiting.take_little(three - 1, |_| 0).is_empty());
        // The fourth has too much under way already.
        let much = |bank: ParticipantNumber| if bank.0 == 4 { LITTLE_BYTES_MAX } else { 0 };
        let taken = waiting.take_little(two + three, much);
        assert_eq!(banks(&taken), [2, 2, 2, 3]);
        assert_eq!((waiting.len(), waiting.bytes()), (len - 4, bytes - two - three));
        waiting.put_back(taken);
        assert_eq!((waiting.len(), waiting.bytes()), (len, bytes));
        let mut rest = 0;
        while !waiting.is_empty() {
            rest += waiting.take_block().len();
        }
        assert_eq!((rest, waiting.bytes()), (len, 0));
    }

    #[test]
    fn a_bank_has_room_as_long_as_no_other_takes_it() {
        let mut waiting = Waiting::default();
        let large = submission(1, 1, 8_000);
        while waiting.has_room(&large) {
            waiting.push_back(large.clone());
        }
        assert!(waiting.bytes() <= WAITING_BYTES_MAX / 2 + (1 << 20));
        assert!(waiting.has_room(&submission(2, 1, 8_000)));
    }
}
