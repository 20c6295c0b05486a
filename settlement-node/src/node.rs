//! The one loop: events in, effects out.
//!
//! [`Node`] owns all state of a node: the order of the log, the applied chain, submissions on their
//! way, sessions. It touches no socket, file, clock or random source; time comes with each call.
//! [`Node::on`] takes one event; [`Node::settle`] is called once after all events that were waiting,
//! so that a busy node puts everything that waits into one block and a quiet one loses no time.
//!
//! Invariants: blocks are applied in the order of the log without gaps; nothing is answered
//! "settled" before its entry is committed, which Raft says only of what a majority has fsynced.

mod members;
mod questions;
mod snapshots;

pub use snapshots::SnapshotRule;

use std::{collections::BTreeMap, sync::Arc};

use ledger::{Digest, LedgerTime, NodeStep};
use link::SessionId;
use order::{Order, ProposeError, Role, StepError};
use wire::{
    batch::Domain,
    block,
    client::{self, NotTaken, NotTakenReason, Outcomes},
    peer::{ForwardRefusal, ForwardRefused},
};

use crate::{
    chain::{AppliedBlock, Chain},
    clocks::Clocks,
    deliver::Owners,
    event::{Effects, Event, Reply, Room},
    intake::Intake,
    limits::{BUSY_RETRY_MS, DUE_BLOCK_TICKS, FORWARD_AGAIN_TICKS},
    membership::Membership,
    pipeline::{Pipeline, Proposed},
    prepare::{OldIdSource, PreparedBlock, PreparedSubmission},
    subscribers::{self, Subscribers},
};

/// Why the loop cannot go on. The process must stop and say so.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// A committed entry is no block. It was checked before it was written, so the disk or a
    /// majority of the nodes is not what it should be.
    #[error("committed entry {index} cannot be read: {reason}")]
    BadEntry {
        /// Its index.
        index: u64,
        /// What is wrong.
        reason: String,
    },
    /// The runs on disk cannot be read.
    #[error("look up old ids: {0}")]
    OldIds(#[from] std::io::Error),
}

/// Counters that only grow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Blocks proposed as a leader.
    pub blocks_proposed: u64,
    /// Submissions taken from sessions.
    pub submissions: u64,
    /// Submissions given back as busy.
    pub busy: u64,
    /// Messages of peers dropped because they were forged, implausible or from the future.
    pub peer_misbehaviour: u64,
    /// Times that the leader changed, as this node saw it.
    pub leader_changes: u64,
}

/// All state of a node.
pub struct Node {
    id: u64,
    order: Order,
    chain: Chain,
    old_ids: Arc<dyn OldIdSource>,
    intake: Intake,
    subscribers: Subscribers,
    /// Checked blocks of entries not yet applied, by index, with the entry's term.
    prepared: BTreeMap<u64, (u64, Arc<PreparedBlock>)>,
    /// Blocks proposed in this term and not yet applied.
    in_flight: Pipeline,
    membership: Membership,
    /// Steps of membership that the applied state demands.
    wanted: Vec<NodeStep>,
    last_block_time: LedgerTime,
    clocks: Clocks,
    room: Room,
    /// Not before this tick is the lead handed over again for want of room.
    hand_over_at: u64,
    /// Not before this tick is another block ordered for nothing but what is due.
    due_block_at: u64,
    /// Who was asked the last time.
    handed_to: Option<u64>,
    owners: Owners,
    tick: u64,
    now: LedgerTime,
    leader: Option<u64>,
    /// Term in which that leader leads.
    leader_term: u64,
    counters: Counters,
    snapshots: SnapshotRule,
    /// A snapshot is being written.
    snapshot_under_way: bool,
    /// Term of the last applied entry with a block; 0 when it is not known.
    applied_term: u64,
    #[cfg(feature = "planted")]
    looked_up: BTreeMap<ledger::TransferId, Option<ledger::IdEntry>>,
}

impl Node {
    /// A node whose applied state and order were read from disk.
    pub fn new(
        id: u64,
        mut order: Order,
        chain: Chain,
        old_ids: Arc<dyn OldIdSource>,
        snapshots: SnapshotRule,
    ) -> Self {
        if let Some(newest) = snapshots.kept.last() {
            order.snapshot_made(newest.index, newest.term);
        }
        let owners = owners_of(&chain);
        let (membership, wanted) = (chain.membership(), chain.demanded_steps());
        let (last_block_time, applied_term) = (chain.time(), snapshots.applied_term);
        Self {
            id,
            order,
            chain,
            old_ids,
            intake: Intake::default(),
            subscribers: Subscribers::default(),
            prepared: BTreeMap::new(),
            in_flight: Pipeline::default(),
            membership,
            wanted,
            last_block_time,
            clocks: Clocks::new(last_block_time),
            room: Room::Enough,
            hand_over_at: 0,
            due_block_at: 0,
            handed_to: None,
            owners,
            tick: 0,
            now: last_block_time,
            leader: None,
            leader_term: 0,
            counters: Counters::default(),
            snapshots,
            snapshot_under_way: false,
            applied_term,
            #[cfg(feature = "planted")]
            looked_up: BTreeMap::new(),
        }
    }

    /// Keeps blocks applied before the start, for subscribers that catch up.
    pub fn remember(&mut self, block: &Arc<AppliedBlock>) {
        self.subscribers.remember(block);
    }

    /// The log has a block of this time, applied or not.
    pub fn took(&mut self, time: LedgerTime) {
        self.clocks.took(time);
    }

    /// Takes one event. `now` is the wall clock.
    pub fn on(&mut self, now: LedgerTime, event: Event, effects: &mut Effects) {
        self.now = now;
        match event {
            Event::Tick => self.on_tick(effects),
            Event::Peer { message, blocks } => self.on_peer(message, blocks, effects),
            Event::PeerMisbehaved { peer, what } => self.misbehaved(peer, &what, effects),
            Event::PeerLost { peer } => self.order.unreachable(peer),
            Event::Forwarded { peer, prepared } => self.on_forwarded(peer, prepared, effects),
            Event::ForwardRefused { peer, batch, busy } => {
                if busy
                    && Some(peer) == self.leader
                    && let Some(tracked) = self.intake.untrack(&batch)
                {
                    self.give_back(batch, &tracked.sessions, effects);
                }
            }
            Event::Persisted { op } => self.order.persisted(op),
            Event::Fetched { token, entries: Some(entries) } => self.order.fetched(token, entries),
            Event::Fetched { token, entries: None } => self.order.fetch_failed(token),
            Event::RunWritten { generation } => self.chain.run_written(generation),
            Event::SnapshotWritten { place } => self.on_snapshot_written(place, effects),
            Event::SnapshotFailed => self.snapshot_under_way = false,
            Event::SnapshotWanted { above } => self.on_snapshot_wanted(above),
            Event::SessionOpened { session, participant } => {
                self.subscribers.open(session, participant);
            }
            Event::SessionClosed { session } => {
                self.subscribers.close(session);
                self.intake.forget_session(session);
                effects.closed.push(session);
            }
            Event::Submit { session, prepared } => self.on_submit(session, prepared, effects),
            Event::Subscribe { session, after } => self.subscribers.subscribe(session, after),
            Event::Scanned(found) => self.subscribers.scanned(
                &found,
                &subscribers::Place {
                    tick: self.tick,
                    height: self.chain.height().0,
                    owners: &self.owners,
                },
                effects,
            ),
            Event::DeliveryFailed { session, stream, after } => {
                let at = subscribers::Place {
                    tick: self.tick,
                    height: self.chain.height().0,
                    owners: &self.owners,
                };
                self.subscribers.delivery_failed(session, stream, after, &at);
            }
            Event::Query { session, number, query } => {
                self.on_query(session, number, query, effects);
            }
            Event::Room(room) => {
                self.room = room;
                self.make_way();
            }
            Event::Inspect(inspection) => inspection(self),
            Event::HandOver => {
                self.hand_over();
            }
        }
    }

    /// Forms blocks, moves the log on and applies what is committed, until nothing more can be done.
    pub fn settle(&mut self, effects: &mut Effects) -> Result<(), Fatal> {
        loop {
            self.propose(effects);
            let output = self.order.take_output();
            if output.is_empty() {
                self.snapshot_if_due(effects);
                return Ok(());
            }
            if let Some(offer) = output.needs_snapshot {
                effects.mend_above =
                    Some(self.chain.log_index().max(offer.index.saturating_sub(1)));
            }
            effects.log_is_whole |= output.recovered;
            if output.role_changed {
                self.on_role_changed(effects);
            }
            effects.persist.extend(output.persist);
            effects.send.extend(output.messages);
            effects.fetches.extend(output.fetches);
            for entry in output.committed {
                self.apply(entry, effects)?;
            }
        }
    }

    fn on_tick(&mut self, effects: &mut Effects) {
        self.tick += 1;
        self.order.tick();
        self.make_way();
        self.in_flight.set_distance(self.intake.distance());
        for (batch, tracked) in self.intake.take_overdue(self.tick) {
            self.give_back(batch, &tracked.sessions, effects);
        }
        self.pass_on(effects);
        let at = subscribers::Place {
            tick: self.tick,
            height: self.chain.height().0,
            owners: &self.owners,
        };
        self.subscribers.on_tick(&at, effects);
    }

    fn on_peer(
        &mut self,
        mut message: order::Message,
        mut blocks: Vec<(u64, Arc<PreparedBlock>)>,
        effects: &mut Effects,
    ) {
        let from = message.from;
        if self.membership.gone.contains(&from) {
            // It may not know yet that it has left.
            return;
        }
        if self.room == Room::Nothing && !message.entries.is_empty() {
            // The leader sends them again; the others go on meanwhile.
            return;
        }
        if self.clocks.ignores(&message, self.now, self.tick) {
            return;
        }
        if let Err(what) = self.clocks.judge(&message, &blocks, self.now, self.tick) {
            return self.misbehaved(from, &what, effects);
        }
        if let Err(what) = self.cut_before_step(&mut message, &mut blocks) {
            return self.misbehaved(from, &what, effects);
        }
        let terms: Vec<u64> = message.entries.iter().map(|entry| entry.term).collect();
        let first = message.entries.first().map_or(0, |entry| entry.index);
        match self.order.step(message) {
            Ok(()) if blocks.is_empty() => {}
            Ok(()) => {
                // What the log did not take, or has cut off, is not kept either.
                let last_index = self.order.last_index();
                for (index, block) in blocks {
                    let offset = index.saturating_sub(first) as usize;
                    if let Some(term) = terms.get(offset)
                        && index > self.chain.log_index()
                        && index <= last_index
                    {
                        self.prepared.insert(index, (*term, block));
                    }
                }
                self.prepared.split_off(&(last_index + 1));
            }
            // This node is behind with its disk or its ledger; the leader sends it again.
            Err(StepError::Busy) => {}
            Err(error) => self.misbehaved(from, &error.to_string(), effects),
        }
    }

    fn misbehaved(&mut self, peer: u64, what: &str, effects: &mut Effects) {
        self.counters.peer_misbehaviour += 1;
        effects.alarms.push(format!("dropped a message of node {peer}: {what}"));
    }

    fn on_submit(
        &mut self,
        session: SessionId,
        prepared: PreparedSubmission,
        effects: &mut Effects,
    ) {
        self.intake.arrived(&prepared);
        let digest = prepared.digest();
        let submitter = prepared.submission.batch.batch().submitter;
        if self.subscribers.participant(session) != Some(submitter) {
            let text = format!(
                "batch is submitted for participant {}, not for this session's bank",
                submitter.0
            );
            return not_taken(session, digest, NotTakenReason::Invalid { text }, effects);
        }
        if self.has_no_room_for_work() {
            return self.give_back(digest, &[session], effects);
        }
        match self.intake.track(&prepared, session, self.tick) {
            Err(_) => self.give_back(digest, &[session], effects),
            Ok(false) => {}
            Ok(true) => {
                self.counters.submissions += 1;
                self.hand_to_leader(prepared, effects);
            }
        }
    }

    /// Passes an own submission to the leader, which may be this node. Without a leader it waits.
    fn hand_to_leader(&mut self, prepared: PreparedSubmission, effects: &mut Effects) {
        let digest = prepared.digest();
        match self.leader {
            Some(leader) if leader == self.id => {
                self.intake.passed_on(&digest, self.tick);
                if self.intake.enqueue(prepared).is_err()
                    && let Some(tracked) = self.intake.untrack(&digest)
                {
                    self.give_back(digest, &tracked.sessions, effects);
                }
            }
            Some(leader) => {
                self.intake.passed_on(&digest, self.tick);
                effects.forward.push((leader, prepared.submission.bytes().clone()));
            }
            None => {}
        }
    }

    fn pass_on(&mut self, effects: &mut Effects) {
        if self.leader.is_some() {
            for prepared in self.intake.to_pass_on(self.tick, FORWARD_AGAIN_TICKS) {
                self.hand_to_leader(prepared, effects);
            }
        }
    }

    fn on_forwarded(&mut self, peer: u64, prepared: PreparedSubmission, effects: &mut Effects) {
        self.intake.arrived(&prepared);
        let batch = prepared.digest();
        let reason = if self.leader != Some(self.id) {
            ForwardRefusal::NotLeader
        } else if self.has_no_room_for_work() || self.intake.enqueue(prepared).is_err() {
            ForwardRefusal::Busy
        } else {
            return;
        };
        effects.forward_refused.push((peer, ForwardRefused { batch, reason }));
    }

    fn give_back(&mut self, batch: Digest, sessions: &[SessionId], effects: &mut Effects) {
        self.counters.busy += 1;
        for session in sessions {
            let reason = NotTakenReason::Busy { retry_after_ms: BUSY_RETRY_MS };
            not_taken(*session, batch, reason, effects);
        }
    }

    fn on_role_changed(&mut self, effects: &mut Effects) {
        let status = self.order.status();
        let leader = match status.role {
            Role::Leader => Some(self.id),
            _ => status.leader,
        };
        if leader == self.leader && status.term == self.leader_term {
            return;
        }
        // The same leader in a new term counts as another one: it may have lost what it had taken.
        self.counters.leader_changes += u64::from(leader != self.leader);
        self.leader = leader;
        self.leader_term = status.term;
        // What the last leader had taken may be lost with it: everything finds its way again.
        self.in_flight.clear();
        self.intake.leader_lost();
        self.pass_on(effects);
    }

    /// As leader, puts what waits into the next blocks.
    fn propose(&mut self, effects: &mut Effects) {
        if self.leader != Some(self.id) || self.room == Room::Nothing {
            return;
        }
        if self.lets_step_go_first() {
            return;
        }
        while self.intake.has_waiting() {
            let has_room = self.in_flight.has_room(self.intake.has_block_worth(), self.now.0);
            let submissions = match has_room {
                true => self.intake.take_block(),
                false => {
                    let (room, in_flight) = (self.in_flight.room_for_little(), &self.in_flight);
                    self.intake.take_little(room, |bank| in_flight.bytes_of(bank))
                }
            };
            if submissions.is_empty() || !self.propose_block(submissions, !has_room, effects) {
                return;
            }
        }
        // Any other block under way does what is due as well. One at a tick: what one block leaves undone may wait
        // so long.
        if self.is_block_due() && self.in_flight.is_empty() && self.tick >= self.due_block_at {
            self.due_block_at = self.tick + DUE_BLOCK_TICKS;
            self.propose_block(Vec::new(), false, effects);
        }
    }

    /// Whether something that waits is to be looked at by now: a start, a deadline, or what the last block left over.
    fn is_block_due(&self) -> bool {
        self.chain.next_due().is_some_and(|due| due <= self.next_block_time())
    }

    fn next_block_time(&self) -> LedgerTime {
        LedgerTime(self.now.0.max(self.last_block_time.0 + 1))
    }

    /// Proposes one block, perhaps `beside` a full pipeline; without submissions it lets time pass. Returns whether
    /// another one may follow.
    fn propose_block(
        &mut self,
        submissions: Vec<PreparedSubmission>,
        beside: bool,
        effects: &mut Effects,
    ) -> bool {
        let time = self.next_block_time();
        let bytes =
            block::encode(time, submissions.iter().map(|prepared| prepared.submission.bytes()));
        match self.order.propose(bytes.clone()) {
            Ok(place) => {
                self.counters.blocks_proposed += 1;
                self.last_block_time = time;
                self.clocks.took(time);
                let (index, bytes_len) = (place.index, bytes.len());
                let proposed =
                    Proposed { index, bytes: bytes_len, beside, submissions: &submissions };
                self.in_flight.proposed(proposed, self.now.0);
                let block = PreparedBlock { time, submissions, bytes };
                self.prepared.insert(place.index, (place.term, Arc::new(block)));
                true
            }
            Err(ProposeError::TooLarge { .. }) => {
                effects.alarms.push(format!("a block of {} bytes is too large", bytes.len()));
                for prepared in &submissions {
                    self.intake.applied(&prepared.digest());
                }
                true
            }
            Err(_) => {
                // Not ready, busy or no longer leader: the next event tries again.
                self.intake.put_back(submissions);
                false
            }
        }
    }

    fn apply(&mut self, entry: order::Entry, effects: &mut Effects) -> Result<(), Fatal> {
        let index = entry.index;
        self.in_flight.applied(index, self.now.0);
        let prepared = self.prepared.remove(&index);
        self.snapshots.since += entry.data.len() as u64;
        if entry.data.is_empty() {
            self.chain.skip(index);
            self.order.applied(index);
            return Ok(());
        }
        self.applied_term = entry.term;
        let block = match prepared {
            Some((term, block)) if term == entry.term && block.bytes == entry.data => block,
            _ => {
                let domain: Domain = *self.chain.domain();
                let runs_below = self.old_ids.version();
                PreparedBlock::trusted(entry.data, &domain, &*self.old_ids, runs_below)
                    .map(Arc::new)
                    .map_err(|error| Fatal::BadEntry { index, reason: error.to_string() })?
            }
        };
        self.check_step(index, &block)?;
        let accounts = self.chain.ledger().accounts().len();
        let applied = Arc::new(self.chain.apply(index, block, &*self.old_ids)?);
        if self.chain.ledger().accounts().len() != accounts {
            self.owners = owners_of(&self.chain);
        }
        self.last_block_time = self.last_block_time.max(applied.time);
        self.clocks.took(applied.time);
        self.answer(&applied, effects);
        self.subscribers.applied(&applied, &self.owners, effects);
        effects.history.push(Arc::clone(&applied));
        effects.sealed.push(self.chain.sealed());
        while let Some(full) = self.chain.take_full_generation() {
            effects.runs.push(full);
        }
        self.follow_step(&applied.block, effects);
        self.order.applied(index);
        Ok(())
    }

    /// Answers the sessions whose submissions are in a block.
    fn answer(&mut self, block: &AppliedBlock, effects: &mut Effects) {
        for submission in &block.submissions {
            self.intake.applied(&submission.batch);
            let Some(tracked) = self.intake.untrack(&submission.batch) else { continue };
            let payload = Outcomes {
                batch: submission.batch,
                height: block.height,
                time: block.time,
                first_leaf: submission.first_leaf,
                outcomes: submission.outcomes.clone(),
            }
            .encode();
            for session in tracked.sessions {
                let payload = payload.clone();
                effects.replies.push(Reply { session, kind: client::KIND_OUTCOMES, payload });
            }
        }
    }

    /// A node that has left takes no work. One with little room does not take it as leader, one with none does not take any: what a
    /// follower passes on costs it no more than what the others pass on.
    fn has_no_room_for_work(&self) -> bool {
        if self.membership.gone.contains(&self.id) {
            return true;
        }
        match self.room {
            Room::Enough => false,
            Room::Low => self.leader == Some(self.id),
            Room::Nothing => true,
        }
    }
}

fn not_taken(session: SessionId, batch: Digest, reason: NotTakenReason, effects: &mut Effects) {
    let payload = NotTaken { batch, reason }.encode();
    effects.replies.push(Reply { session, kind: client::KIND_NOT_TAKEN, payload });
}

fn owners_of(chain: &Chain) -> Owners {
    Arc::new(chain.ledger().accounts().map(|view| view.account.owner).collect())
}
