//! [`Order`]: feeds raft-rs, holds back what must wait for the disk, and collects the effects.
//!
//! The asynchronous way of driving raft-rs is used: entries are readable as soon as they are handed
//! to the shell, replication overlaps the local write, and a leader counts itself only when its own
//! write is durable.

use std::collections::VecDeque;

use bytes::Bytes;
use raft::{
    RawNode, StateRole,
    eraftpb::{self, MessageType},
};

use crate::{
    Config, Entry, HardState, Message, MessageKind, NodeId, OrderError, Output, PeerProgress,
    Persist, ProposeError, Proposed, ReadError, ReadReady, Restored, Role, Status, StepError,
    check::{Verdict, check},
    log::Log,
    output::counted_bytes,
    reads::Reads,
    restored::{entry_from_raft, entry_to_raft},
    rng::Rng,
};

/// Messages that may wait for the local disk; beyond it the node plays deaf until the disk answers.
const HELD_MESSAGES_MAX: usize = 4096;
/// A read without an answer is forgotten after this many election waits.
const READ_ELECTIONS_MAX: usize = 4;

/// A write handed to the shell and not yet reported durable.
struct PendingWrite {
    op: u64,
    /// The last raft-rs `Ready` that this write covers; later ones without a write of their own queue here.
    ready_number: u64,
    /// First and last index written, if there are entries.
    span: Option<(u64, u64)>,
    bytes: u64,
    /// May leave only when this write is durable.
    messages: Vec<Message>,
}

/// One node's part in ordering. Single-threaded; see the crate text for the contract.
///
/// Call [`Order::take_output`] after every event, or after a small batch of events: effects pile up
/// until then.
pub struct Order {
    config: Config,
    node: RawNode<Log>,
    rng: Rng,
    reads: Reads,
    pending: VecDeque<PendingWrite>,
    held_messages: usize,
    pending_bytes: u64,
    /// The newest write handed out.
    last_op: u64,
    /// Durable, but not yet reported to raft-rs: the ready number and the last index written.
    unreported: Option<(u64, u64)>,
    /// The last index handed out in `Output::committed`.
    handed_out: u64,
    /// The last term for which vote requests have left this node.
    vote_asked_term: u64,
    election_wait: usize,
    last_role: (u64, StateRole),
    told_role: (u64, Role, NodeId),
    output: Output,
}

impl Order {
    /// Builds a node from its settings and what its disk holds.
    ///
    /// # Errors
    /// [`OrderError`] if the settings or the restored log contradict themselves, or the log has lost
    /// entries that this node applied or knows to be committed.
    pub fn new(config: Config, restored: Restored) -> Result<Self, OrderError> {
        config.check()?;
        restored.check(&config)?;
        let applied = restored.applied;
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let log = Log::new(&config, restored);
        let node = RawNode::new(&config.to_raft(applied), log, &logger)
            .map_err(|error| OrderError::Refused(error.to_string()))?;
        let mut rng = Rng::new(config.seed);
        let read_ticks_max = (config.election_ticks * READ_ELECTIONS_MAX) as u64;
        let reads = Reads::new(config.id, rng.next(), read_ticks_max);
        let mut order = Order {
            // No role has this term yet, so the first wait is drawn below.
            last_role: (u64::MAX, StateRole::Follower),
            told_role: (node.raft.term, Role::Follower, 0),
            config,
            node,
            rng,
            reads,
            pending: VecDeque::new(),
            held_messages: 0,
            pending_bytes: 0,
            last_op: 0,
            unreported: None,
            handed_out: applied,
            vote_asked_term: 0,
            election_wait: 0,
            output: Output::default(),
        };
        order.settle();
        Ok(order)
    }

    /// Time passes: one tick.
    pub fn tick(&mut self) {
        self.reads.tick();
        let idle_ticks_max = 2 * self.config.election_ticks;
        self.node.mut_store().fetches().tick(idle_ticks_max);
        self.node.tick();
        self.settle();
    }

    /// A message of a peer arrived. The transport must have verified that it comes from `message.from`.
    ///
    /// # Errors
    /// [`StepError`] if the message was dropped; this node is unchanged then.
    pub fn step(&mut self, message: Message) -> Result<(), StepError> {
        let verdict = check(&self.config, &self.node.raft, self.vote_asked_term, &message)?;
        let brings_entries = message.kind == MessageKind::Append && !message.entries.is_empty();
        if self.held_messages >= HELD_MESSAGES_MAX || (brings_entries && self.is_behind()) {
            return Err(StepError::Busy);
        }
        if verdict == Verdict::Ignore {
            return Ok(());
        }
        let kind = message.kind;
        let stepped = self.node.step(message.into_raft());
        self.settle();
        // The checks leave no message that raft-rs refuses.
        stepped.map_err(|_| StepError::Malformed { kind })
    }

    /// Places `data` at the end of the log, if this node leads.
    ///
    /// The answer is where it was placed; it counts only when an entry with that term and index
    /// shows up in `Output::committed`.
    ///
    /// # Errors
    /// [`ProposeError`]; the data is not in the log then.
    ///
    /// # Panics
    /// If `data` is empty: empty entries are the markers of new leaders.
    pub fn propose(&mut self, data: Bytes) -> Result<Proposed, ProposeError> {
        assert!(!data.is_empty(), "an empty proposal would be taken for a leader's marker");
        // raft-rs would forward the proposal of a follower, which can order it twice.
        if self.node.raft.state != StateRole::Leader {
            return Err(ProposeError::NotLeader { leader: self.leader() });
        }
        let (bytes, limit) = (data.len(), self.config.entry_bytes_max);
        if bytes > limit {
            return Err(ProposeError::TooLarge { bytes, limit });
        }
        if !self.node.raft.apply_to_current_term() {
            return Err(ProposeError::NotReady);
        }
        if self.is_behind() {
            return Err(ProposeError::Busy);
        }
        let entry = eraftpb::Entry { data, ..eraftpb::Entry::default() };
        let mut message = eraftpb::Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.config.id;
        message.set_entries(vec![entry].into());
        let stepped = self.node.raft.step(message);
        self.settle();
        match stepped {
            Ok(()) => Ok(Proposed {
                term: self.node.raft.term,
                index: self.node.raft.raft_log.last_index(),
            }),
            Err(_) => Err(ProposeError::Busy),
        }
    }

    /// Whether [`Order::propose`] may succeed now: this node leads and has caught up with its term.
    pub fn accepts_proposals(&self) -> bool {
        self.node.raft.state == StateRole::Leader
            && self.node.raft.apply_to_current_term()
            && !self.is_behind()
    }

    /// Starts a linearizable read; `context` comes back in a [`ReadReady`]. One read may stand for
    /// all callers that wait at the moment. It can get lost (a message, a change of leader): the
    /// caller needs a timeout and asks again.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot even be started.
    pub fn read_index(&mut self, context: u64) -> Result<(), ReadError> {
        let raft = &self.node.raft;
        let leads = raft.state == StateRole::Leader;
        if raft.leader_id == 0 {
            return Err(ReadError::NoLeader);
        }
        if leads && !raft.commit_to_current_term() {
            return Err(ReadError::NotReady);
        }
        let tag = self.reads.begin(context).ok_or(ReadError::Busy)?;
        // raft-rs drops reads without a word, so look whether it took this one.
        let before = self.reads_in_core(leads);
        self.node.read_index(tag.to_vec());
        self.settle();
        if self.reads_in_core(leads) == before {
            self.reads.finish(&tag);
            return Err(ReadError::Dropped);
        }
        Ok(())
    }

    fn reads_in_core(&self, leads: bool) -> usize {
        let raft = &self.node.raft;
        if leads { raft.pending_read_count() + raft.ready_read_count() } else { raft.msgs.len() }
    }

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

    /// Everything up to and including `index` is applied. Reports may skip indexes, not go back.
    ///
    /// # Panics
    /// If `index` was not handed out yet.
    pub fn applied(&mut self, index: u64) {
        assert!(
            index <= self.handed_out,
            "applied {index} but only {} was handed out",
            self.handed_out
        );
        if index > self.node.raft.raft_log.applied {
            self.node.advance_apply_to(index);
            self.settle();
            self.evict();
        }
    }

    /// The answer to a [`Fetch`](crate::Fetch): entries from `low` on, at least one.
    ///
    /// # Panics
    /// If the entries are not the ones this node wrote: the disk returned something else.
    pub fn fetched(&mut self, token: u64, entries: Vec<Entry>) {
        let log = self.node.mut_store();
        let Some((fetch, contexts)) = log.fetches().finish(token) else { return };
        let count = entries.len() as u64;
        assert!(
            count > 0 && fetch.low + count <= fetch.high,
            "{count} entries were read where [{}, {}) was asked",
            fetch.low,
            fetch.high
        );
        for (index, entry) in (fetch.low..).zip(&entries) {
            assert!(
                entry.index == index && log.term_at(index) == Some(entry.term),
                "the entry read at index {index} is not the one that was written"
            );
        }
        log.fetches().keep(entries.into_iter().map(entry_to_raft).collect());
        for context in contexts {
            self.node.on_entries_fetched(context);
        }
        self.settle();
    }

    /// A [`Fetch`](crate::Fetch) could not be served; the peer asks again by itself.
    pub fn fetch_failed(&mut self, token: u64) {
        self.node.mut_store().fetches().finish(token);
    }

    /// The connection to `peer` broke, so messages to it were probably lost.
    pub fn unreachable(&mut self, peer: NodeId) {
        if peer != self.config.id && self.config.voters.contains(&peer) {
            self.node.report_unreachable(peer);
            self.settle();
        }
    }

    /// Hands the leadership to `to`, if this node leads. Proposals are refused as busy until it is
    /// done or an election wait has passed.
    pub fn transfer_leader(&mut self, to: NodeId) {
        let leads = self.node.raft.state == StateRole::Leader;
        if leads && to != self.config.id && self.config.voters.contains(&to) {
            self.node.transfer_leader(to);
            self.settle();
        }
    }

    /// Everything to be done since the last call.
    pub fn take_output(&mut self) -> Output {
        self.pump();
        self.output.fetches = self.node.mut_store().fetches().take_requests();
        let raft = &self.node.raft;
        let role = (raft.term, Role::from_raft(raft.state), raft.leader_id);
        self.output.role_changed = role != self.told_role;
        self.told_role = role;
        std::mem::take(&mut self.output)
    }

    /// The last index of the log, durable or not.
    pub fn last_index(&self) -> u64 {
        self.node.raft.raft_log.last_index()
    }

    /// What this node knows of itself and, if it leads, of the others.
    pub fn status(&self) -> Status {
        let raft = &self.node.raft;
        let role = Role::from_raft(raft.state);
        let mut peers = Vec::new();
        if role == Role::Leader {
            for &id in self.config.voters.iter().filter(|id| **id != self.config.id) {
                if let Some(progress) = raft.prs().get(id) {
                    let (matched, next) = (progress.matched, progress.next_idx);
                    let active = progress.recent_active;
                    peers.push(PeerProgress { id, matched, next, active });
                }
            }
            peers.sort_unstable_by_key(|peer| peer.id);
        }
        Status {
            id: self.config.id,
            role,
            term: raft.term,
            leader: self.leader(),
            commit: raft.raft_log.committed,
            applied: raft.raft_log.applied,
            persisted: raft.raft_log.persisted,
            last_index: raft.raft_log.last_index(),
            peers,
        }
    }

    fn leader(&self) -> Option<NodeId> {
        Some(self.node.raft.leader_id).filter(|id| *id != 0)
    }

    /// Whether so much waits for the disk or for apply that no new entries are taken. Both shrink by
    /// local progress alone, so this cannot block the group.
    fn is_behind(&self) -> bool {
        let raft_log = &self.node.raft.raft_log;
        let unapplied = raft_log.store.bytes_between(raft_log.applied, self.handed_out);
        unapplied + self.pending_bytes > self.config.cache_bytes_max as u64
    }

    fn evict(&mut self) {
        let raft_log = &mut self.node.raft.r.raft_log;
        let keep_above = raft_log.applied.min(raft_log.persisted);
        raft_log.store.evict(keep_above);
    }

    /// Runs after every call into raft-rs: its election wait comes from a generator of its own, so it
    /// is replaced by one from ours, drawn anew whenever the term or the role is another.
    fn settle(&mut self) {
        let role = (self.node.raft.term, self.node.raft.state);
        if role != self.last_role {
            self.last_role = role;
            let election_ticks = self.config.election_ticks;
            self.election_wait = election_ticks + self.rng.below(election_ticks as u64) as usize;
            self.node.mut_store().fetches().clear();
        }
        self.node.raft.set_randomized_election_timeout(self.election_wait);
    }

    fn release(&mut self, messages: Vec<Message>) {
        for message in messages {
            if message.kind == MessageKind::RequestVote {
                self.vote_asked_term = self.vote_asked_term.max(message.term);
            }
            self.output.messages.push(message);
        }
    }

    /// Takes all that raft-rs has ready. Its rule: no other call between `ready` and `advance`.
    fn pump(&mut self) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let number = ready.number();
            // Only a leader has these: they speak of entries that others must store, not we.
            let free = to_messages(ready.take_messages());
            let held = to_messages(ready.take_persisted_messages());
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
            self.hold(number, must_sync, span, bytes, held);
        }
    }

    /// Lets messages wait for the newest pending write, so that they also keep their order.
    fn hold(
        &mut self,
        ready_number: u64,
        must_sync: bool,
        span: Option<(u64, u64)>,
        bytes: u64,
        messages: Vec<Message>,
    ) {
        if must_sync {
            self.held_messages += messages.len();
            self.pending_bytes += bytes;
            let op = ready_number;
            self.pending.push_back(PendingWrite { op, ready_number, span, bytes, messages });
        } else if let Some(last) = self.pending.back_mut() {
            self.held_messages += messages.len();
            last.ready_number = ready_number;
            last.messages.extend(messages);
        } else {
            self.release(messages);
            self.node.on_persist_ready(ready_number);
            self.settle();
        }
    }
}

fn to_messages(messages: Vec<eraftpb::Message>) -> Vec<Message> {
    messages.into_iter().filter_map(Message::from_raft).collect()
}
