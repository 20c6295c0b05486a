//! How much of this node's room for open submissions each bank holds.
//!
//! A bank may hold as much as is still free for everybody: alone it gets half of the room, beside
//! one other that takes all it can get a third, and so on. So a flood of one bank never leaves
//! another without room, and no bank has to be told its share in advance. Counted by the loop, read
//! by the threads that decide what to check next.
//!
//! Counted beside it is what was checked and has not reached the loop. That queue has no turns, so it is
//! kept short: what waits, waits where the banks take turns. And, where this node leads, how much of each bank
//! waits for a place in a block: of a bank of which that is enough no more is checked, so that a flood
//! does not keep processors busy with what has to wait anyway. For the same reason a node checks no more of a bank
//! than fills the blocks under way; between far nodes that is more.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ledger::ParticipantNumber;

use crate::limits::{
    BANK_BYTES_NEAR, BANK_BYTES_PER_MS, CHECKED_AHEAD_BYTES_MAX, CHECKED_AHEAD_MAX,
    LINE_BYTES_ENOUGH, LINE_SUBMISSIONS_ENOUGH, NEAR, TRACKED_BYTES_MAX, TRACKED_SUBMISSIONS_MAX,
};

/// What is open, by bank.
#[derive(Debug, Default)]
pub struct Shares {
    open: Mutex<Open>,
    /// Nanoseconds of the round trip to the farthest node that is connected.
    distance_ns: AtomicU64,
}

/// A number of submissions and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    submissions: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Open {
    by_bank: HashMap<ParticipantNumber, Amount>,
    all: Amount,
    /// Checked, and on their way to the loop.
    ahead: Amount,
    /// Waiting for a place in a block of this leader.
    lines: HashMap<ParticipantNumber, Amount>,
}

impl Open {
    fn has_room(&self, bank: ParticipantNumber, bytes: usize) -> bool {
        let own = self.by_bank.get(&bank).copied().unwrap_or_default();
        own.submissions + self.all.submissions < TRACKED_SUBMISSIONS_MAX
            && own.bytes + self.all.bytes + bytes <= TRACKED_BYTES_MAX
    }
}

impl Shares {
    fn open(&self) -> MutexGuard<'_, Open> {
        // No code that can panic runs under this lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a submission of so many bytes by a bank would have room now, and would not only lengthen the queue
    /// between this node and the leader's blocks: another bank's next submission has to come through the same queue.
    pub fn has_room(&self, bank: ParticipantNumber, bytes: usize) -> bool {
        let most = self.bank_bytes();
        let open = self.open();
        let own = open.by_bank.get(&bank).copied().unwrap_or_default();
        open.has_room(bank, bytes) && (own.submissions < 2 || own.bytes + bytes <= most)
    }

    /// Bytes of one bank that do any good between their check and their answer.
    fn bank_bytes(&self) -> usize {
        let beyond = self.distance().saturating_sub(NEAR).as_millis();
        let beyond = usize::try_from(beyond).unwrap_or(usize::MAX);
        BANK_BYTES_NEAR.saturating_add(BANK_BYTES_PER_MS.saturating_mul(beyond))
    }

    /// The round trip to the farthest node that is connected, as it was seen last; zero before that.
    pub fn distance(&self) -> Duration {
        Duration::from_nanos(self.distance_ns.load(Ordering::Relaxed))
    }

    /// The round trip to the farthest node that is connected is so long.
    pub fn set_distance(&self, distance: Duration) {
        let nanoseconds = u64::try_from(distance.as_nanos()).unwrap_or(u64::MAX);
        self.distance_ns.store(nanoseconds, Ordering::Relaxed);
    }

    /// Whether another submission may be checked: not too many are on their way to the loop.
    pub fn is_loop_near(&self) -> bool {
        let ahead = self.open().ahead;
        ahead.submissions < CHECKED_AHEAD_MAX && ahead.bytes < CHECKED_AHEAD_BYTES_MAX
    }

    /// Whether enough of a bank waits for a place in a block of this leader.
    pub fn has_enough_in_line(&self, bank: ParticipantNumber) -> bool {
        self.open().lines.get(&bank).is_some_and(|line| {
            line.bytes >= LINE_BYTES_ENOUGH || line.submissions >= LINE_SUBMISSIONS_ENOUGH
        })
    }

    /// So much of a bank waits for a place in a block.
    pub fn waits_in_line(&self, bank: ParticipantNumber, submissions: usize, bytes: usize) {
        match submissions {
            0 => drop(self.open().lines.remove(&bank)),
            submissions => drop(self.open().lines.insert(bank, Amount { submissions, bytes })),
        }
    }

    /// Nothing waits for a place in a block any more.
    pub fn lines_are_empty(&self) {
        self.open().lines.clear();
    }

    /// A submission of so many bytes was checked and is sent to the loop.
    pub fn sent(&self, bytes: usize) {
        let mut open = self.open();
        open.ahead.submissions += 1;
        open.ahead.bytes += bytes;
    }

    /// The loop has it. One that was not counted when it was sent is not counted here either.
    pub fn arrived(&self, bytes: usize) {
        let mut open = self.open();
        open.ahead.submissions = open.ahead.submissions.saturating_sub(1);
        open.ahead.bytes = open.ahead.bytes.saturating_sub(bytes);
    }

    /// Takes room for a submission of so many bytes, if there is any.
    pub fn take(&self, bank: ParticipantNumber, bytes: usize) -> bool {
        let mut open = self.open();
        if !open.has_room(bank, bytes) {
            return false;
        }
        let own = open.by_bank.entry(bank).or_default();
        own.submissions += 1;
        own.bytes += bytes;
        open.all.submissions += 1;
        open.all.bytes += bytes;
        true
    }

    /// Gives back what was taken for a submission of so many bytes.
    pub fn give_back(&self, bank: ParticipantNumber, bytes: usize) {
        let mut open = self.open();
        let Some(own) = open.by_bank.get_mut(&bank) else { return };
        own.submissions -= 1;
        own.bytes -= bytes;
        if own.submissions == 0 {
            open.by_bank.remove(&bank);
        }
        open.all.submissions -= 1;
        open.all.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: usize = 256 << 10;

    fn flood(shares: &Shares, bank: u32) -> usize {
        (0..).take_while(|_| shares.take(ParticipantNumber(bank), ONE)).count()
    }

    #[test]
    fn a_flood_leaves_room_for_each_other_bank() {
        let shares = Shares::default();
        let all = TRACKED_BYTES_MAX / ONE;
        assert_eq!(flood(&shares, 1), all / 2, "alone half of the room");
        let second = flood(&shares, 2);
        assert!(second >= all / 5, "{second}");
        let third = flood(&shares, 3);
        assert!(third >= all / 10, "{third}");
        assert!(shares.has_room(ParticipantNumber(4), ONE));
        assert!(!shares.take(ParticipantNumber(1), ONE));
    }

    #[test]
    fn a_flood_has_no_more_under_way_than_the_distance_needs() {
        let (shares, bank) = (Shares::default(), ParticipantNumber(1));
        let flood = || {
            let count = (0..)
                .take_while(|_| shares.has_room(bank, ONE / 8) && shares.take(bank, ONE / 8))
                .count();
            (0..count).for_each(|_| shares.give_back(bank, ONE / 8));
            count * ONE / 8
        };
        let near = flood();
        assert!((BANK_BYTES_NEAR - ONE / 8..=BANK_BYTES_NEAR).contains(&near), "{near}");
        shares.set_distance(NEAR);
        assert_eq!(flood(), near);
        shares.set_distance(Duration::from_millis(110));
        assert!(flood() > near + 99 * BANK_BYTES_PER_MS);
        shares.set_distance(Duration::MAX);
        assert!(flood() <= TRACKED_BYTES_MAX / 2);
    }

    #[test]
    fn two_submissions_may_be_open_however_large_they_are() {
        let (shares, bank) = (Shares::default(), ParticipantNumber(1));
        for _ in 0..2 {
            assert!(shares.has_room(bank, BANK_BYTES_NEAR) && shares.take(bank, BANK_BYTES_NEAR));
        }
        assert!(!shares.has_room(bank, BANK_BYTES_NEAR));
        assert!(shares.has_room(ParticipantNumber(2), BANK_BYTES_NEAR));
    }

    #[test]
    fn no_more_is_checked_ahead_than_the_loop_takes_in_soon() {
        let shares = Shares::default();
        let count = (0..).take_while(|_| {
            let near = shares.is_loop_near();
            shares.sent(10);
            near
        });
        assert_eq!(count.count(), CHECKED_AHEAD_MAX);
        for _ in 0..CHECKED_AHEAD_MAX + 5 {
            shares.arrived(10);
        }
        assert!(shares.is_loop_near());
        shares.sent(CHECKED_AHEAD_BYTES_MAX);
        assert!(!shares.is_loop_near());
        shares.arrived(CHECKED_AHEAD_BYTES_MAX);
        assert_eq!(shares.open().ahead, Amount::default());
    }

    #[test]
    fn of_a_bank_with_a_long_line_no_more_is_checked() {
        let (shares, bank) = (Shares::default(), ParticipantNumber(3));
        shares.waits_in_line(bank, 5, LINE_BYTES_ENOUGH - 1);
        assert!(!shares.has_enough_in_line(bank));
        shares.waits_in_line(bank, 5, LINE_BYTES_ENOUGH);
        assert!(shares.has_enough_in_line(bank));
        assert!(!shares.has_enough_in_line(ParticipantNumber(4)));
        shares.waits_in_line(bank, LINE_SUBMISSIONS_ENOUGH, 1);
        assert!(shares.has_enough_in_line(bank));
        shares.waits_in_line(bank, 0, 0);
        assert!(!shares.has_enough_in_line(bank));
        shares.waits_in_line(bank, 5, LINE_BYTES_ENOUGH);
        shares.lines_are_empty();
        assert!(!shares.has_enough_in_line(bank));
    }

    #[test]
    fn all_that_is_given_back_is_free_again() {
        let shares = Shares::default();
        for _ in 0..3 {
            let count = flood(&shares, 7);
            for _ in 0..count {
                shares.give_back(ParticipantNumber(7), ONE);
            }
            assert_eq!(count, TRACKED_BYTES_MAX / ONE / 2);
        }
        let open = shares.open();
        assert_eq!((open.all, open.by_bank.len()), (Amount::default(), 0));
    }
}
