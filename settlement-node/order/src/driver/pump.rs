//! Between raft-rs and the shell: takes what raft-rs has ready, and holds back what must wait for the
//! disk. Messages that speak of something that this node must not forget leave with the write that
//! holds it, and in order; raft-rs learns of a durable write only when nothing later replaces it.

use raft::eraftpb;

use super::Order;
use crate::{
    HardState, Message, MessageKind, Persist, ReadReady, output::counted_bytes,
    restored::entry_from_raft,
};

/// A write handed to the shell and not yet reported durable.
pub(super) struct PendingWrite {
    op: u64,
    /// The last raft-rs `Ready` that this write covers; later ones without a write of their own queue here.
    ready_number: u64,
    /// First and last index written, if there are entries.
    span: Option<(u64, u64)>,
    /// The term of the last entry, 0 if there is none.
    last_term: u64,
    bytes: u64,
    /// May leave only when this write is durable.
    messages: Vec<Message>,
}

impl Order {
    /// All writes up to and including `op` are durable.
    ///
    /// # Panics
    /// If no such write was handed out.
    pub fn persisted(&mut self, op: u64) {
        assert!(
            op <= self.last_op,
            "write {op} is durable but only {} was handed out",
            self.last_op
        );
        while self.pending.front().is_some_and(|write| write.op <= op) {
            let Some(write) = self.pending.pop_front() else { break };
            self.held_messages -= write.messages.len();
            self.pending_bytes -= write.bytes;
            self.release(write.messages);
            self.durable_through(write.last_term);
            let before = self.unreported.map_or(0, |(_, last_index)| last_index);
            let last_index = write.span.map_or(before, |(_, last)| last.max(before));
            self.unreported = Some((write.ready_number, last_index));
        }
        let Some((ready_number, last_index)) = self.unreported else { return };
        // raft-rs recognises a durable entry by index and term. If a later write replaces it by
        // another one and then the first one again, it would count as durable too early.
        let is_replaced =
            |write: &PendingWrite| write.span.is_some_and(|(first, _)| first <= last_index);
        if !self.pending.iter().any(is_replaced) {
            self.unreported = None;
            self.node.on_persist_ready(ready_number);
            self.settle();
            self.evict();
        }
    }

    #[cfg(feature = "planted")]
    fn let_votes_go(&mut self, messages: Vec<Message>) -> Vec<Message> {
        let is_vote = |message: &Message| {
            message.kind == MessageKind::RequestVoteResponse
                && crate::planted::is(crate::planted::Bug::VotesBeforeFsync)
        };
        let (votes, others) = messages.into_iter().partition(is_vote);
        self.release(votes);
        others
    }

    fn release(&mut self, messages: Vec<Message>) {
        for message in messages {
            if message.kind == MessageKind::RequestVote {
                self.vote_asked_term = self.vote_asked_term.max(message.term);
            }
            self.output.messages.push(message);
        }
    }

    /// Completes and sorts out what raft-rs wants to say as a leader.
    fn prepare(&mut self, mut messages: Vec<Message>) -> Vec<Message> {
        messages.retain_mut(|message| match message.kind {
            MessageKind::Snapshot => self.complete_offer(message),
            MessageKind::Append => self.is_worth_sending(message),
            _ => true,
        });
        messages
    }

    /// Takes all that raft-rs has ready. Its rule: no other call between `ready` and `advance`.
    pub(super) fn pump(&mut self) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let number = ready.number();
            // Only a leader has these: they speak of entries that others must store, not we.
            let free = self.prepare(to_messages(ready.take_messages()));
            // What a leader had to say is among these when it has stepped down meanwhile.
            let held = self.prepare(to_messages(ready.take_persisted_messages()));
            #[cfg(feature = "planted")]
            let held = self.let_votes_go(held);
            self.release(free);
            for entry in ready.take_committed_entries() {
                self.handed_out = entry.index;
                self.output.committed.push(entry_from_raft(entry));
            }
            for state in ready.take_read_states() {
                if let Some(context) = self.reads.finish(&state.request_ctx) {
                    self.output.reads.push(ReadReady { context, index: state.index });
                }
            }
            let must_sync = ready.must_sync();
            let hard_state = ready.hs().map(|state| HardState {
                term: state.term,
                vote: state.vote,
                commit: state.commit,
            });
            let entries = ready.take_entries();
            let last_term = entries.last().map_or(0, |entry| entry.term);
            let span = entries.first().zip(entries.last()).map(|(a, b)| (a.index, b.index));
            let bytes = entries.iter().map(|entry| counted_bytes(&entry.data)).sum();
            if must_sync || hard_state.is_some() {
                self.last_op = number;
                let entries = entries.iter().cloned().map(entry_from_raft).collect();
                self.output.persist.push(Persist { op: number, entries, hard_state, must_sync });
            }
            // raft-rs reads the entries back from here on.
            self.node.mut_store().append(entries);
            self.node.advance_append_async(ready);
            let write = PendingWrite {
                op: number,
                ready_number: number,
                span,
                last_term,
                bytes,
                messages: held,
            };
            self.hold(write, must_sync);
        }
    }

    /// Lets messages wait for the newest pending write, so that they also keep their order.
    fn hold(&mut self, write: PendingWrite, must_sync: bool) {
        if must_sync {
            self.held_messages += write.messages.len();
            self.pending_bytes += write.bytes;
            self.pending.push_back(write);
        } else if let Some(last) = self.pending.back_mut() {
            self.held_messages += write.messages.len();
            last.ready_number = write.ready_number;
            last.messages.extend(write.messages);
        } else {
            self.release(write.messages);
            self.node.on_persist_ready(write.ready_number);
            self.settle();
        }
    }
}

fn to_messages(messages: Vec<eraftpb::Message>) -> Vec<Message> {
    messages.into_iter().filter_map(Message::from_raft).collect()
}
