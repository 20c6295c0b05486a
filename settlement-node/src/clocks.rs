//! What a node thinks of the times that leaders give to blocks.
//!
//! A leader whose clock is far ahead would carry the ledger's time away, so its blocks are refused, and
//! silence towards it lets the others elect another one. Refused is only what is still open: what a
//! majority has committed is taken as it is, as is a time that merely goes on from one that was taken
//! before, and, after some patience, what an earlier leader has left in the log. Without these three a
//! network whose clocks were wrong for a moment would stand still for as long as they were ahead.

use std::sync::Arc;

use ledger::LedgerTime;
use order::{Message, MessageKind};

use crate::{
    limits::{DEAF_TICKS, LEFT_OVER_TICKS, TIME_AHEAD_MAX_NS},
    prepare::PreparedBlock,
};

/// A leader whose blocks were refused.
#[derive(Clone, Copy, Debug)]
struct Distrust {
    leader: u64,
    term: u64,
    /// When its block would be acceptable.
    until: LedgerTime,
    /// Ticks of the first and of the last refusal since a block was taken.
    since: u64,
    last: u64,
}

/// The times that this node has taken, and whom it does not listen to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    latest: LedgerTime,
    distrust: Option<Distrust>,
}

impl Clocks {
    /// `latest` is the time of the last block in the log, applied or not.
    pub(crate) fn new(latest: LedgerTime) -> Self {
        Self { latest, distrust: None }
    }

    /// A block of this time is in the log.
    pub(crate) fn took(&mut self, time: LedgerTime) {
        self.latest = self.latest.max(time);
    }

    /// Whether a message is not listened to: it comes from a leader with a wrong clock, or asks for a
    /// vote for one.
    pub(crate) fn ignores(&self, message: &Message, now: LedgerTime, tick: u64) -> bool {
        let Some(distrust) = self.distrust else { return false };
        // Not for long: if the others follow it, what it says is committed, and then it counts.
        if distrust.leader != message.from || tick >= distrust.last + DEAF_TICKS {
            return false;
        }
        let asks = matches!(message.kind, MessageKind::RequestVote | MessageKind::RequestPreVote);
        asks || (message.term == distrust.term && now < distrust.until)
    }

    /// Takes the times of the blocks of a message, or says what is wrong with them.
    pub(crate) fn judge(
        &mut self,
        message: &Message,
        blocks: &[(u64, Arc<PreparedBlock>)],
        now: LedgerTime,
        tick: u64,
    ) -> Result<(), String> {
        let horizon = now.0.saturating_add(TIME_AHEAD_MAX_NS);
        let patient = self.distrust.is_none_or(|one| tick < one.since + LEFT_OVER_TICKS);
        let mut latest = self.latest;
        for (index, block) in blocks {
            let entry = message.entries.iter().find(|entry| entry.index == *index);
            let left_over = entry.is_some_and(|entry| entry.term < message.term);
            let taken = block.time.0 <= horizon
                || block.time.0 <= latest.0.saturating_add(1)
                || *index <= message.commit
                || (left_over && !patient);
            if !taken {
                self.refuse(message, LedgerTime(block.time.0 - TIME_AHEAD_MAX_NS), tick);
                let ahead_ms = (block.time.0 - now.0) / 1_000_000;
                return Err(format!(
                    "block at index {index} is {ahead_ms} ms ahead of this node's clock"
                ));
            }
            latest = latest.max(block.time);
        }
        if !blocks.is_empty() {
            self.latest = latest;
            self.distrust = None;
        }
        Ok(())
    }

    fn refuse(&mut self, message: &Message, until: LedgerTime, tick: u64) {
        let since = self.distrust.map_or(tick, |before| before.since);
        let (leader, term) = (message.from, message.term);
        self.distrust = Some(Distrust { leader, term, until, since, last: tick });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bytes::Bytes;
    use order::Entry;

    const SECOND: u64 = 1_000_000_000;
    const NOW: LedgerTime = LedgerTime(100 * SECOND);
    const HOUR: u64 = 3_600 * SECOND;

    /// An append of blocks with (index, term of the entry, time).
    fn append(
        term: u64,
        commit: u64,
        blocks: &[(u64, u64, u64)],
    ) -> (Message, Vec<(u64, Arc<PreparedBlock>)>) {
        let entry = |&(index, term, _): &(u64, u64, u64)| Entry { index, term, data: Bytes::new() };
        let message = Message {
            term,
            commit,
            entries: blocks.iter().map(entry).collect(),
            ..message(MessageKind::Append, term)
        };
        let block = |&(index, _, time): &(u64, u64, u64)| {
            let (submissions, bytes) = (Vec::new(), Bytes::new());
            (index, Arc::new(PreparedBlock { time: LedgerTime(time), submissions, bytes }))
        };
        (message, blocks.iter().map(block).collect())
    }

    fn message(kind: MessageKind, term: u64) -> Message {
        Message {
            kind,
            from: 2,
            to: 1,
            term,
            log_term: 0,
            index: 0,
            commit: 0,
            commit_term: 0,
            reject: false,
            reject_hint: 0,
            request_snapshot: 0,
            priority: 0,
            context: Bytes::new(),
            entries: Vec::new(),
        }
    }

    fn judge(
        clocks: &mut Clocks,
        tick: u64,
        case: (Message, Vec<(u64, Arc<PreparedBlock>)>),
    ) -> bool {
        clocks.judge(&case.0, &case.1, NOW, tick).is_ok()
    }

    #[test]
    fn a_leader_far_ahead_is_refused_and_not_heard_in_its_term() {
        let mut clocks = Clocks::new(LedgerTime(0));
        assert!(judge(&mut clocks, 0, append(3, 0, &[(1, 3, NOW.0 + SECOND)])));
        assert!(!judge(&mut clocks, 1, append(3, 0, &[(2, 3, NOW.0 + HOUR)])));
        let beat = |term| message(MessageKind::Heartbeat, term);
        assert!(clocks.ignores(&beat(3), NOW, 1));
        assert!(!clocks.ignores(&beat(3), LedgerTime(NOW.0 + HOUR), 1));
        assert!(!clocks.ignores(&beat(4), NOW, 1));
        assert!(!clocks.ignores(&beat(3), NOW, 1 + DEAF_TICKS));
        let asks = message(MessageKind::RequestPreVote, 4);
        assert!(clocks.ignores(&asks, NOW, DEAF_TICKS));
        assert!(!clocks.ignores(&asks, NOW, 1 + DEAF_TICKS));
        assert!(!clocks.ignores(&Message { from: 3, ..asks }, NOW, 1));
    }

    #[test]
    fn what_is_committed_or_goes_on_from_it_is_taken() {
        let mut clocks = Clocks::new(LedgerTime(0));
        let late = NOW.0 + HOUR;
        assert!(judge(&mut clocks, 0, append(3, 5, &[(5, 2, late), (6, 3, late + 1)])));
        assert!(judge(&mut clocks, 0, append(3, 6, &[(7, 3, late + 2)])));
        assert!(!judge(&mut clocks, 0, append(3, 6, &[(8, 3, late + 4)])));
        assert!(judge(&mut Clocks::new(LedgerTime(late)), 0, append(3, 0, &[(1, 3, late + 1)])));
    }

    #[test]
    fn what_an_earlier_leader_left_is_taken_after_some_patience() {
        let mut clocks = Clocks::new(LedgerTime(0));
        let left = |term| append(term, 0, &[(1, 2, NOW.0 + HOUR)]);
        assert!(!judge(&mut clocks, 10, left(2)));
        assert!(!judge(&mut clocks, 40, left(3)));
        assert!(!judge(&mut clocks, 10 + LEFT_OVER_TICKS, left(2)), "its own term is no left-over");
        assert!(judge(&mut clocks, 10 + LEFT_OVER_TICKS, left(4)));
        assert!(!clocks.ignores(&message(MessageKind::Heartbeat, 2), NOW, 0), "all is well again");
    }
}
