//! What Raft promises, judged from what nodes say and from what is safe on their disks.
//!
//! One leader a term; nobody votes twice in a term, over all its lives; votes and acknowledgements
//! leave only when they are durable; a node's term and commit do not go back; what was applied or
//! answered is safe on a majority at that moment, where a disk that was damaged since counts as if
//! it were whole. The majority is one of those that vote at that entry, or right before or after it: an entry behind a
//! change may be counted by the old voters. Who was never let vote leads nothing.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{NodeStep, Seat};
use order::{Message, MessageKind, Role, Status};

use super::{disk::Safe, machine::Machine};

pub(super) struct RaftTruth {
    /// Who votes, by position, each with the log index of the step from which on.
    voters: Vec<(u64, BTreeSet<usize>)>,
    learners: BTreeSet<usize>,
    /// Steps to learner, to voter, and out.
    pub(super) steps: [u64; 3],
    leaders: BTreeMap<u64, u64>,
    /// For whom each node voted in each term.
    votes: BTreeMap<(u64, u64), u64>,
    /// The highest term that each node has named to others.
    named: BTreeMap<u64, u64>,
    /// The commit index of each node, with the life it was seen in.
    commits: BTreeMap<u64, (u64, u64)>,
    pub(super) elections: u64,
}

impl RaftTruth {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            voters: vec![(0, (0..nodes).collect())],
            learners: BTreeSet::new(),
            steps: [0; 3],
            leaders: BTreeMap::new(),
            votes: BTreeMap::new(),
            named: BTreeMap::new(),
            commits: BTreeMap::new(),
            elections: 0,
        }
    }

    /// A block with a step was applied somewhere. Whether it is the first time.
    pub(super) fn stepped(&mut self, index: u64, step: NodeStep) -> bool {
        let (last, voters) = self.voters.last().expect("there is always one");
        if index <= *last {
            return false;
        }
        let (node, mut voters) = (step.node as usize - 1, voters.clone());
        match step.seat {
            Seat::Learner => assert!(!voters.contains(&node) && self.learners.insert(node)),
            Seat::Voter => assert!(self.learners.remove(&node) && voters.insert(node)),
            Seat::Gone => assert!(self.learners.remove(&node) || voters.remove(&node)),
        }
        assert!(!voters.is_empty(), "nobody votes");
        self.steps[step.seat as usize - 1] += 1;
        self.voters.push((index, voters));
        true
    }

    /// Whether a node, by its position, votes or learns to.
    pub(super) fn is_member(&self, node: usize) -> bool {
        let (_, voters) = self.voters.last().expect("there is always one");
        voters.contains(&node) || self.learners.contains(&node)
    }

    /// Those that may have been counted for an entry, or have it by now: the voters at it, before it, and later.
    fn counted(&self, index: u64) -> impl Iterator<Item = &BTreeSet<usize>> {
        let at = self.voters.partition_point(|(from, _)| *from <= index);
        self.voters[at.saturating_sub(2)..].iter().map(|(_, voters)| voters)
    }

    /// A node has ended a turn.
    pub(super) fn status(&mut self, life: u64, status: &Status) {
        let id = status.id;
        if status.role == Role::Leader {
            let known = *self.leaders.entry(status.term).or_insert_with(|| {
                self.elections += 1;
                id
            });
            assert_eq!(known, id, "two leaders in term {}", status.term);
            let ever = self.voters.iter().any(|(_, voters)| voters.contains(&(id as usize - 1)));
            assert!(ever, "node {id} leads and was never let vote");
        }
        let (known_life, commit) = self.commits.entry(id).or_default();
        assert!(
            *known_life != life || *commit <= status.commit,
            "the commit of node {id} went back from {commit} to {}",
            status.commit
        );
        (*known_life, *commit) = (life, status.commit);
    }

    /// A node says something to a peer, at a moment when this much of its log is safe.
    pub(super) fn said(&mut self, message: &Message, own_term: u64, safe: &Safe) {
        let (id, term) = (message.from, message.term);
        if matches!(
            message.kind,
            MessageKind::RequestPreVote
                | MessageKind::RequestPreVoteResponse
                | MessageKind::ReadIndex
        ) {
            return;
        }
        let named = self.named.entry(id).or_default();
        assert!(own_term >= *named, "node {id} named term {named} and is in {own_term}");
        *named = (*named).max(term);
        let vote = match message.kind {
            MessageKind::RequestVote => Some(id),
            MessageKind::RequestVoteResponse if !message.reject => Some(message.to),
            _ => None,
        };
        if let Some(vote) = vote {
            let known = *self.votes.entry((id, term)).or_insert(vote);
            assert_eq!(known, vote, "node {id} votes twice in term {term}");
            assert!(
                safe.vote == (term, vote) || safe.vote.0 > term,
                "node {id} votes for {vote} in term {term}, but only {:?} is durable",
                safe.vote
            );
        }
        // What an older term acknowledged may be replaced by now, which is no harm.
        if message.kind == MessageKind::AppendResponse && !message.reject && term == own_term {
            assert!(
                safe.upto >= message.index,
                "node {id} acknowledges entry {}, but only {} is durable",
                message.index,
                safe.upto
            );
        }
    }
}

/// What follows from an entry is known outside: it must be safe on a majority.
pub(super) fn check_safe(
    raft: &RaftTruth,
    machines: &[Machine],
    node: usize,
    index: u64,
    why: &str,
) {
    let own = machines[node].running.as_ref().expect("it just acted");
    let term = own.1.log.term(index);
    // An entry that was released here is in a snapshot, and its term is 0 in no log.
    // Of one that has lost data it is known that it had the entry only if others say so.
    let holds =
        |machine: &Machine| machine.is_damaged || machine.safe().holds(index, term.unwrap_or(0));
    let have: BTreeSet<usize> = (0..machines.len()).filter(|at| holds(&machines[*at])).collect();
    assert!(
        raft.counted(index).any(|voters| 2 * voters.intersection(&have).count() > voters.len()),
        "node {} {why} entry {index} of term {term:?}, which is safe on {have:?} of {:?}",
        node + 1,
        raft.voters
    );
}
