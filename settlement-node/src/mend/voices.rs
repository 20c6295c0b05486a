//! Asks other nodes whether they say the same as the one that things are fetched from.
//!
//! Of `n` nodes at most `(n - 1) / 2` lie together: a strict minority. So what one more than that say is
//! what an honest node says. With two nodes that is one; with three, the one that things are fetched
//! from and one other. A node that does not know is no voice and is asked again, for a while; one that says
//! otherwise is a voice against. The word of a node that the operator believes is enough alone.

use std::collections::BTreeSet;

use wire::repair::{Got, RunRow, SnapshotInfo, Want};

use super::{Mender, Next, ROUND_TICKS, Step, Taken, blocks::Batch};

/// Rounds of asking all that are connected before the peer is given up.
const ROUNDS_MAX: u64 = 5;

/// What others are asked about.
enum Question {
    /// Whether a snapshot stands where the log has such a block, in such a term.
    Place(SnapshotInfo),
    /// Whether they have the same blocks.
    Rows(Batch),
    /// Whether they have the same runs; each with those who have.
    Runs(Vec<(RunRow, BTreeSet<u64>)>),
}

/// The asking about one thing.
pub(super) struct Poll {
    question: Question,
    /// Who says the same.
    same: BTreeSet<u64>,
    /// Who says otherwise.
    against: BTreeSet<u64>,
    rounds: u64,
    next_round: u64,
    left: Vec<u64>,
}

impl Poll {
    fn new(question: Question) -> Box<Self> {
        let (same, against) = (BTreeSet::new(), BTreeSet::new());
        Box::new(Self { question, same, against, rounds: 0, next_round: 0, left: Vec::new() })
    }

    fn want(&self) -> Want {
        match &self.question {
            Question::Place(info) => Want::Seen { from: info.height, to: info.height },
            Question::Rows(batch) => {
                let first = batch.blocks.first().map_or(0, |block| block.height);
                Want::Seen { from: first, to: batch.walk.height }
            }
            Question::Runs(_) => Want::Snapshot { up_to: u64::MAX, above: 0 },
        }
    }

    fn what(&self) -> String {
        match &self.question {
            Question::Place(info) => format!("a state at block {}", info.height),
            Question::Rows(batch) => format!("the blocks up to {}", batch.walk.height),
            Question::Runs(_) => "old ids".to_owned(),
        }
    }

    fn hear(&mut self, from: u64, got: &Got) {
        match (&mut self.question, got) {
            (Question::Place(info), Got::Seen { index, term, .. }) => {
                let knows = *index != 0 && *term != 0;
                if (*index, *term) == (info.index, info.term) {
                    self.same.insert(from);
                } else if knows || *index != 0 && *index != info.index {
                    self.against.insert(from);
                }
            }
            (Question::Rows(batch), Got::Seen { digest, .. }) => {
                let heard =
                    if *digest == batch.digest { &mut self.same } else { &mut self.against };
                heard.insert(from);
            }
            (Question::Runs(wanted), Got::Snapshot(info)) => {
                for (row, voices) in wanted {
                    let range = |other: &&RunRow| {
                        (other.first, other.generations) == (row.first, row.generations)
                    };
                    match info.runs.iter().find(range) {
                        Some(other) if other == row => drop(voices.insert(from)),
                        Some(_) => drop(self.against.insert(from)),
                        None => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// How many say the same, the peer itself included.
    fn voices(&self) -> usize {
        1 + match &self.question {
            Question::Runs(wanted) => {
                wanted.iter().map(|(_, voices)| voices.len()).min().unwrap_or(0)
            }
            _ => self.same.len(),
        }
    }
}

impl Mender {
    /// So many nodes that one of them is honest.
    pub(super) fn voices_needed(&self) -> usize {
        self.genesis.nodes.len().div_ceil(2).max(1)
    }

    pub(super) fn is_believed(&self, peer: u64) -> bool {
        self.believed.contains(&peer)
    }

    /// What is missing, for the operator.
    pub(super) fn waits_for(&self, poll: &Poll) -> String {
        let peer = self.peer.unwrap_or(0);
        let against = match poll.against.is_empty() {
            true => String::new(),
            false => format!("; the nodes {:?} say otherwise", poll.against),
        };
        format!(
            "node {peer} offers {}; {} of {} nodes that must say so do{against}; connected are {:?}; to take \
             the word of a node alone, name it in `believe` in this node's configuration",
            poll.what(),
            poll.voices(),
            self.voices_needed(),
            self.connected,
        )
    }

    pub(super) fn ask_about_place(&mut self, info: SnapshotInfo) -> Taken {
        self.begin_poll(Question::Place(info))
    }

    pub(super) fn ask_about_rows(&mut self, batch: Batch) -> Taken {
        self.begin_poll(Question::Rows(batch))
    }

    pub(super) fn ask_about_runs(&mut self, wanted: Vec<RunRow>) -> Taken {
        let wanted = wanted.into_iter().map(|row| (row, BTreeSet::new())).collect();
        self.begin_poll(Question::Runs(wanted))
    }

    fn begin_poll(&mut self, question: Question) -> Taken {
        self.go_on_polling(Poll::new(question))
    }

    fn go_on_polling(&mut self, poll: Box<Poll>) -> Taken {
        let believed = self.peer.is_some_and(|peer| self.is_believed(peer));
        if !believed && poll.voices() < self.voices_needed() {
            self.step = Step::Voices(poll);
            return Ok(Ok(Next::Voice));
        }
        match poll.question {
            Question::Place(info) => self.begin_state(info),
            Question::Rows(batch) => self.append(batch),
            Question::Runs(wanted) => {
                self.fetch_runs(wanted.into_iter().map(|(row, _)| row).collect())
            }
        }
    }

    /// Another node has said what it has.
    pub(super) fn voice(&mut self, mut poll: Box<Poll>, from: u64, got: Got) -> Taken {
        poll.hear(from, &got);
        self.go_on_polling(poll)
    }

    /// Asks the next node, or gives the peer up when nobody is left.
    pub(super) fn next_voice(&mut self) -> Option<super::Ask> {
        let others = self.genesis.nodes.len().saturating_sub(1);
        let needed = self.voices_needed();
        let (peer, tick) = (self.peer?, self.tick);
        let Step::Voices(poll) = &mut self.step else { return None };
        if poll.left.is_empty() {
            let hopeless = others.saturating_sub(poll.against.len()) < needed;
            if hopeless || poll.rounds >= ROUNDS_MAX && poll.next_round <= tick {
                let reason = format!(
                    "offers {} that {} of {needed} nodes confirm ({:?} say otherwise)",
                    poll.what(),
                    poll.voices(),
                    poll.against
                );
                self.give_up_on_peer(&reason);
                return None;
            }
            if tick < poll.next_round {
                return None;
            }
            (poll.rounds, poll.next_round) = (poll.rounds + 1, tick + ROUND_TICKS);
            let heard = |node: &u64| poll.same.contains(node) || poll.against.contains(node);
            let others = self.connected.iter().copied();
            poll.left = others.filter(|node| *node != peer && !heard(node)).collect();
        }
        let node = poll.left.pop()?;
        let want = poll.want();
        Some(self.ask(node, want))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_run_is_a_voice_for_a_run() {
        let row = |digest| RunRow { first: 4, generations: 4, rows: 9, digest: [digest; 32] };
        let other = RunRow { first: 0, ..row(3) };
        let info = |runs| {
            let digest = [0; 32];
            Got::Snapshot(SnapshotInfo { index: 1, term: 1, height: 1, bytes: 1, digest, runs })
        };
        let wanted = [row(1), other].map(|row| (row, BTreeSet::new())).to_vec();
        let mut poll = Poll::new(Question::Runs(wanted));
        assert_eq!(poll.voices(), 1);
        // Of one run only, none at all, of other generations, and another digest.
        for (from, runs) in
            [(2, vec![row(1)]), (3, vec![]), (4, vec![RunRow { generations: 1, ..row(1) }])]
        {
            poll.hear(from, &info(runs));
            assert_eq!((poll.voices(), poll.against.len()), (1, 0), "node {from}");
        }
        poll.hear(5, &info(vec![row(2), other]));
        assert_eq!((poll.voices(), poll.against.len()), (2, 1));
        poll.hear(2, &info(vec![row(1), other]));
        assert_eq!(poll.voices(), 2, "each node is one voice");
        poll.hear(6, &info(vec![other, row(1)]));
        assert_eq!(poll.voices(), 3);
    }

    #[test]
    fn who_does_not_know_a_place_says_nothing() {
        let (index, term) = (7, 3);
        let info =
            SnapshotInfo { index, term, height: 5, bytes: 1, digest: [0; 32], runs: Vec::new() };
        let mut poll = Poll::new(Question::Place(info));
        let seen = |index, term| Got::Seen { digest: [0; 32], index, term };
        for (from, got) in [(2, Got::Nothing), (3, seen(0, 0)), (4, seen(7, 0))] {
            poll.hear(from, &got);
            assert_eq!((poll.voices(), poll.against.len()), (1, 0), "node {from}");
        }
        for (from, got) in [(5, seen(8, 0)), (6, seen(7, 4)), (7, seen(8, 3))] {
            let before = poll.against.len();
            poll.hear(from, &got);
            assert_eq!((poll.voices(), poll.against.len()), (1, before + 1), "node {from}");
        }
        poll.hear(8, &seen(7, 3));
        assert_eq!(poll.voices(), 2);
    }
}
