//! What Raft promises, judged from what nodes say and from what is safe on their disks.
//!
//! One leader a term; nobody votes twice in a term, over all its lives; votes and acknowledgements
//! leave only when they are durable; a node's term and commit do not go back; what was applied or
//! answered is safe on a majority at that moment, where a disk that was damaged since counts as if
//! it were whole.

use std::collections::BTreeMap;

use order::{Message, MessageKind, Role, Status};

use super::{disk::Safe, machine::Machine};

#[derive(Default)]
pub(super) struct RaftTruth {
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
    /// A node has ended a turn.
    pub(super) fn status(&mut self, life: u64, status: &Status) {
        let id = status.id;
        if status.role == Role::Leader {
            let known = *self.leaders.entry(status.term).or_insert_with(|| {
                self.elections += 1;
                id
            });
            assert_eq!(known, id, "two leaders in term {}", status.term);
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
pub(super) fn check_safe(machines: &[Machine], node: usize, index: u64, why: &str) {
    let own = machines[node].running.as_ref().expect("it just acted");
    let term = own.1.log.term(index);
    // An entry that was released here is in a snapshot, and its term is 0 in no log.
    // Of one that has lost data it is known that it had the entry only if others say so.
    let holds =
        |machine: &&Machine| machine.is_damaged || machine.safe().holds(index, term.unwrap_or(0));
    let count = machines.iter().filter(holds).count();
    assert!(
        2 * count > machines.len(),
        "node {} {why} entry {index} of term {term:?}, which is safe on {count} of {} nodes",
        node + 1,
        machines.len()
    );
}
