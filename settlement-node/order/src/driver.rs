//! [`Order`]: feeds raft-rs, holds back what must wait for the disk, and collects the effects.
//!
//! The asynchronous way of driving raft-rs is used: entries are readable as soon as they are handed
//! to the shell, replication overlaps the local write, and a leader counts itself only when its own
//! write is durable.

mod loss;
mod members;
mod probes;
mod pump;
mod snapshots;

use std::collections::VecDeque;

use bytes::Bytes;
use raft::{
    RawNode, StateRole,
    eraftpb::{self, MessageType},
};

use crate::{
    Config, Entry, Message, MessageKind, NodeId, OrderError, Output, PeerProgress, ProposeError,
    Proposed, ReadError, Restored, Role, Status, StepError,
    change::Members,
    check::{Verdict, check},
    log::Log,
    reads::Reads,
    restored::entry_to_raft,
    rng::Rng,
};
use loss::Loss;
use probes::Probes;
use pump::PendingWrite;
use snapshots::{Offers, in_place_of_offer};

/// Messages that may wait for the local disk; beyond it the node plays deaf until the disk answers.
const HELD_MESSAGES_MAX: usize = 4096;
/// A read without an answer is forgotten after this many election waits.
const READ_ELECTIONS_MAX: usize = 4;

/// One node's part in ordering. Single-threaded; see the crate text for the contract.
///
/// Call [`Order::take_output`] after every event, or after a small batch of events: effects pile up
/// until then.
pub struct Order {
    config: Config,
    members: Members,
    node: RawNode<Log>,
    rng: Rng,
    reads: Reads,
    offers: Offers,
    probes: Probes,
    loss: Loss,
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
        let (durable_term, least_term) = (restored.hard_state.term, restored.least_term());
        let (lost_term, unrecovered) = (restored.lost_term, restored.unrecovered_term());
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let log = Log::new(&config, restored);
        let mut node = RawNode::new(&config.to_raft(applied), log, &logger)
            .map_err(|error| OrderError::Refused(error.to_string()))?;
        if least_term > durable_term {
            // As if heard from a peer, so that it is made durable before anything depends on it.
            node.raft.become_follower(least_term, 0);
        }
        let mut rng = Rng::new(config.seed);
        let read_ticks_max = (config.election_ticks * READ_ELECTIONS_MAX) as u64;
        let reads = Reads::new(config.id, rng.next(), read_ticks_max);
        let mut order = Order {
            // No role has this term yet, so the first wait is drawn below.
            last_role: (u64::MAX, StateRole::Follower),
            told_role: (node.raft.term, Role::Follower, 0),
            members: Members::of(&config),
            config,
            node,
            rng,
            reads,
            offers: Offers::default(),
            probes: Probes::default(),
            loss: Loss::new(unrecovered),
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
        order.output.recovered = lost_term.is_some() && unrecovered.is_none();
        order.settle();
        Ok(order)
    }

    /// Time passes: one tick.
    pub fn tick(&mut self) {
        self.reads.tick();
        let idle_ticks_max = 2 * self.config.election_ticks;
        self.node.mut_store().fetches().tick(idle_ticks_max);
        self.probes.tick();
        self.tick_loss();
        self.tick_offers();
        if !self.recovering() {
            self.node.tick();
        }
        self.settle();
    }

    /// A message of a peer arrived. The transport must have verified that it comes from `message.from`.
    ///
    /// # Errors
    /// [`StepError`] if the message was dropped; this node is unchanged then.
    pub fn step(&mut self, mut message: Message) -> Result<(), StepError> {
        self.distrust_commit(&mut message);
        let verdict =
            check(&self.config, &self.members, &self.node.raft, self.vote_asked_term, &message)?;
        let brings_entries = message.kind == MessageKind::Append && !message.entries.is_empty();
        if self.held_messages >= HELD_MESSAGES_MAX || (brings_entries && self.is_behind()) {
            return Err(StepError::Busy);
        }
        if verdict == Verdict::Ignore || self.is_deaf_to(&message) {
            return Ok(());
        }
        let (kind, from, term) = (message.kind, message.from, message.term);
        match kind {
            MessageKind::LogLost => self.on_log_lost(from, message.index),
            MessageKind::Snapshot => {
                self.step_core(in_place_of_offer(&message))?;
                if self.follows(from, term)
                    && let Some(offer) = self.needed_offer(&message)
                {
                    self.output.needs_snapshot = Some(offer);
                }
            }
            _ => self.step_core(message)?,
        }
        if matches!(kind, MessageKind::Append | MessageKind::Heartbeat | MessageKind::Snapshot)
            && self.follows(from, term)
        {
            self.heard_leader(from);
        }
        Ok(())
    }

    fn step_core(&mut self, message: Message) -> Result<(), StepError> {
        let kind = message.kind;
        let stepped =
            message.into_raft(self.config.change_of).map(|message| self.node.step(message));
        self.settle();
        // The checks leave no message that raft-rs refuses.
        match stepped {
            Some(Ok(())) => Ok(()),
            _ => Err(StepError::Malformed { kind }),
        }
    }

    /// Whether this node takes `leader` for the leader of its own term, which is `term`.
    fn follows(&self, leader: NodeId, term: u64) -> bool {
        (self.node.raft.leader_id, self.node.raft.term) == (leader, term)
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
    /// If `data` is empty, the marker of a new leader, or changes who votes ([`Order::propose_change`]).
    pub fn propose(&mut self, data: Bytes) -> Result<Proposed, ProposeError> {
        assert!(!data.is_empty(), "an empty proposal would be taken for a leader's marker");
        assert!((self.config.change_of)(&data).is_none(), "a change goes another way");
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

    /// Starts a linearizable read; `context` comes back in a [`ReadReady`](crate::ReadReady). One read may stand for
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
        let change_of = self.config.change_of;
        let to_raft = |entry| entry_to_raft(entry, change_of);
        log.fetches().keep(entries.into_iter().map(to_raft).collect());
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
        if peer != self.config.id && self.node.raft.prs().get(peer).is_some() {
            self.node.report_unreachable(peer);
            self.settle();
        }
    }

    /// Hands the leadership to `to`, if this node leads. Proposals are refused as busy until it is
    /// done or an election wait has passed.
    pub fn transfer_leader(&mut self, to: NodeId) {
        let leads = self.node.raft.state == StateRole::Leader;
        if leads && to != self.config.id && self.members.voters.contains(&to) {
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
            for id in self.members.all().filter(|id| *id != self.config.id) {
                if let Some(progress) = raft.prs().get(id) {
                    let (matched, next) = (progress.matched, progress.next_idx);
                    let active = progress.recent_active;
                    let votes = self.members.voters.contains(&id);
                    peers.push(PeerProgress { id, matched, next, active, votes });
                }
            }
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
            recovering: self.recovering(),
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
            self.offers.clear();
            self.probes.clear();
            self.loss.forget_peers();
        }
        self.node.raft.set_randomized_election_timeout(self.election_wait);
    }
}
