//! Frames that wait for a checking thread.
//!
//! Raft appends of a peer wait in the queue of that peer's thread and keep their order. Everything else
//! waits in one line for each bank, and the lines take turns: the flood of one bank does not delay
//! another. A bank that has used up its share of open submissions waits until something of it is done;
//! what has waited too long is taken to be answered "busy", without its signatures being checked. The same goes
//! for a bank of which this node, as leader, has enough for its next blocks.
//!
//! How much of a session or of a peer may wait here is bounded by its credit, which the frames carry.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use ledger::ParticipantNumber;
use link::{Credit, SessionId};
use wire::{batch, peer::KIND_FORWARD};

use crate::{
    limits::{PASSED_ON_BYTES_MAX, PASSED_ON_MAX, SHARE_WAIT},
    shares::Shares,
};

/// Threads that check appends, submissions and questions.
pub(super) const THREADS: usize = 2;
/// How often a thread looks whether there is room again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A frame as it came from the link.
pub(super) enum Unchecked {
    Append { peer: u64, payload: Bytes, credit: Credit },
    Peer { peer: u64, kind: u8, payload: Bytes, credit: Credit },
    Submission { session: SessionId, bank: ParticipantNumber, payload: Bytes, credit: Credit },
    Request { session: SessionId, kind: u8, payload: Bytes, credit: Credit },
}

/// What a thread is to do.
pub(super) enum Task {
    /// Check the frame.
    Check(Unchecked),
    /// Answer the submission "busy": its bank has used up its share.
    Shed(Unchecked),
    /// End.
    Stop,
}

/// Whose line a frame waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    /// Questions, and answers of peers: quick to check.
    Quick,
    /// Submissions of a bank's own sessions.
    Own(ParticipantNumber),
    /// Submissions of a bank that other nodes passed on.
    PassedOn(ParticipantNumber),
}

pub(super) struct Work {
    state: Mutex<State>,
    ready: [Condvar; THREADS],
    shares: Arc<Shares>,
}

#[derive(Default)]
struct State {
    appends: [VecDeque<Unchecked>; THREADS],
    lines: BTreeMap<Line, VecDeque<(Instant, Unchecked)>>,
    /// Lines that hold something, in the order of their turns.
    turns: VecDeque<Line>,
    passed_on: usize,
    passed_on_bytes: usize,
    /// Threads that sleep.
    idle: [bool; THREADS],
    /// Whether each thread took an append last.
    append_last: [bool; THREADS],
    stopped: bool,
}

impl Work {
    pub(super) fn new(shares: Arc<Shares>) -> Self {
        Self { state: Mutex::default(), ready: Default::default(), shares }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a frame in line; never waits.
    pub(super) fn push(&self, mut unchecked: Unchecked) {
        if let Unchecked::Append { peer, .. } = &unchecked {
            let thread = *peer as usize % THREADS;
            let mut state = self.state();
            if !state.stopped {
                state.appends[thread].push_back(unchecked);
                self.wake(&mut state, thread);
            }
            return;
        }
        let line = match &unchecked {
            Unchecked::Submission { bank, .. } => Line::Own(*bank),
            // The node that passed it on has checked it; here it only chooses the line.
            Unchecked::Peer { kind: KIND_FORWARD, payload, .. } => {
                Line::PassedOn(batch::submitter_of(payload).unwrap_or(ParticipantNumber(0)))
            }
            _ => Line::Quick,
        };
        let mut state = self.state();
        if let (Line::PassedOn(_), Unchecked::Peer { payload, credit, .. }) = (line, &mut unchecked)
        {
            // These have a limit of their own, and may wait for long: the appends behind them do not.
            *credit = Credit::none();
            if state.passed_on >= PASSED_ON_MAX
                || state.passed_on_bytes + payload.len() > PASSED_ON_BYTES_MAX
            {
                return;
            }
            state.passed_on += 1;
            state.passed_on_bytes += payload.len();
        }
        let waiting = state.lines.entry(line).or_default();
        waiting.push_back((Instant::now(), unchecked));
        if waiting.len() == 1 {
            state.turns.push_back(line);
        }
        if let Some(thread) = state.idle.iter().position(|idle| *idle) {
            self.wake(&mut state, thread);
        }
    }

    fn wake(&self, state: &mut State, thread: usize) {
        if state.idle[thread] {
            state.idle[thread] = false;
            self.ready[thread].notify_one();
        }
    }

    /// The next task of a thread; waits for one.
    pub(super) fn take(&self, thread: usize) -> Task {
        let mut state = self.state();
        loop {
            if state.stopped {
                return Task::Stop;
            }
            // Appends and everything else take turns, so that neither starves the other.
            let append_first = !state.append_last[thread];
            if append_first && let Some(append) = state.appends[thread].pop_front() {
                state.append_last[thread] = true;
                return Task::Check(append);
            }
            state.append_last[thread] = false;
            if let Some(task) = state.next(&self.shares) {
                return task;
            }
            if let Some(append) = state.appends[thread].pop_front() {
                state.append_last[thread] = true;
                return Task::Check(append);
            }
            state.idle[thread] = true;
            state = if state.turns.is_empty() {
                self.ready[thread].wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                // Some bank waits for its share.
                self.ready[thread]
                    .wait_timeout(state, LOOK_AGAIN)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            };
            state.idle[thread] = false;
        }
    }

    /// Ends all threads.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.ready.iter().for_each(Condvar::notify_all);
    }
}

impl State {
    fn next(&mut self, shares: &Shares) -> Option<Task> {
        for turn in 0..self.turns.len() {
            let line = *self.turns.get(turn)?;
            if line != Line::Quick && !shares.is_loop_near() {
                continue;
            }
            let (since, first) = self.lines.get(&line)?.front()?;
            let mut shed = false;
            if let Line::PassedOn(bank) = line
                && shares.has_enough_in_line(bank)
            {
                continue;
            }
            if let Unchecked::Submission { bank, payload, .. } = first
                && (!shares.has_room(*bank, payload.len()) || shares.has_enough_in_line(*bank))
            {
                if since.elapsed() < SHARE_WAIT {
                    continue;
                }
                shed = true;
            }
            self.turns.remove(turn);
            let waiting = self.lines.get_mut(&line)?;
            let (_, unchecked) = waiting.pop_front()?;
            match waiting.is_empty() {
                true => drop(self.lines.remove(&line)),
                false => self.turns.push_back(line),
            }
            if let (Line::PassedOn(_), Unchecked::Peer { payload, .. }) = (line, &unchecked) {
                self.passed_on -= 1;
                self.passed_on_bytes -= payload.len();
            }
            return Some(if shed { Task::Shed(unchecked) } else { Task::Check(unchecked) });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::limits::LINE_BYTES_ENOUGH;

    fn submission(bank: u32, bytes: usize) -> Unchecked {
        Unchecked::Submission {
            session: u64::from(bank),
            bank: ParticipantNumber(bank),
            payload: Bytes::from(vec![0; bytes]),
            credit: Credit::none(),
        }
    }

    fn bank_of(task: &Task) -> (u32, bool) {
        match task {
            Task::Check(Unchecked::Submission { bank, .. }) => (bank.0, false),
            Task::Shed(Unchecked::Submission { bank, .. }) => (bank.0, true),
            _ => panic!("not a submission"),
        }
    }

    #[test]
    fn banks_take_turns_however_long_the_line_of_one_is() {
        let work = Work::new(Arc::default());
        for _ in 0..100 {
            work.push(submission(1, 10));
        }
        work.push(submission(2, 10));
        work.push(submission(3, 10));
        let first: Vec<u32> = (0..4).map(|_| bank_of(&work.take(0)).0).collect();
        assert_eq!(first, [1, 2, 3, 1]);
    }

    #[test]
    fn a_bank_without_room_waits_and_is_then_answered_busy_beside_others() {
        let shares = Arc::new(Shares::default());
        let hog = ParticipantNumber(1);
        let mut held = 0;
        while shares.take(hog, 1 << 20) {
            held += 1;
        }
        let work = Work::new(Arc::clone(&shares));
        work.push(submission(1, 1 << 20));
        work.push(submission(2, 10));
        assert_eq!(bank_of(&work.take(0)), (2, false));
        let start = Instant::now();
        assert_eq!(bank_of(&work.take(0)), (1, true));
        assert!(start.elapsed() > SHARE_WAIT / 2);
        work.push(submission(1, 1 << 20));
        // With two open there is room for no third that is as large, with one there is.
        (2..held).for_each(|_| shares.give_back(hog, 1 << 20));
        assert_eq!(bank_of(&work.take(1)), (1, true));
        work.push(submission(1, 1 << 20));
        shares.give_back(hog, 1 << 20);
        assert_eq!(bank_of(&work.take(1)), (1, false), "there is room again");
    }

    #[test]
    fn what_has_to_wait_for_a_block_anyway_is_not_checked_yet() {
        let shares = Arc::new(Shares::default());
        let hog = ParticipantNumber(1);
        shares.waits_in_line(hog, 1, LINE_BYTES_ENOUGH);
        let work = Work::new(Arc::clone(&shares));
        work.push(submission(1, 10));
        work.push(submission(2, 10));
        assert_eq!(bank_of(&work.take(0)), (2, false));
        shares.waits_in_line(hog, 0, 0);
        assert_eq!(bank_of(&work.take(0)), (1, false));
    }

    #[test]
    fn appends_keep_their_order_and_share_their_thread() {
        let work = Work::new(Arc::default());
        for number in 0..6u8 {
            let payload = Bytes::from(vec![number]);
            work.push(Unchecked::Append { peer: 1, payload, credit: Credit::none() });
            work.push(submission(5, 3));
        }
        let (mut appends, mut others) = (Vec::new(), 0);
        for _ in 0..8 {
            match work.take(1) {
                Task::Check(Unchecked::Append { payload, .. }) => appends.push(payload[0]),
                _ => others += 1,
            }
        }
        assert_eq!((appends, others), (vec![0, 1, 2, 3], 4));
        for _ in 0..2 {
            bank_of(&work.take(0));
        }
        work.stop();
        assert!(matches!(work.take(0), Task::Stop));
    }

    #[test]
    fn what_peers_pass_on_is_bounded() {
        let work = Work::new(Arc::default());
        let payload = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..100 {
            work.push(Unchecked::Peer {
                peer: 2,
                kind: KIND_FORWARD,
                payload: payload.clone(),
                credit: Credit::none(),
            });
        }
        let kept = work.state().passed_on;
        assert_eq!(kept, PASSED_ON_BYTES_MAX >> 20);
        for _ in 0..kept {
            assert!(matches!(work.take(0), Task::Check(Unchecked::Peer { .. })));
        }
        let state = work.state();
        assert_eq!((state.passed_on, state.passed_on_bytes), (0, 0));
    }
}
