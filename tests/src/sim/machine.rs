//! One machine: a node, its disk, and a loop that does what the real one does in the same order.

use bytes::Bytes;
use ledger::{Digest, LedgerTime};
use settlement_node::{
    event::{Effects, Event, Scanned},
    forms::history_block,
    node::Node,
    peer_message,
    prepare::{PrepareError, PreparedSubmission},
    store::vfs::MemVfs,
};
use std::collections::BTreeMap;
use wire::{
    client::{self, Cursor, NotTaken, NotTakenReason, Query, QueryAnswer},
    peer::{ForwardRefusal, ForwardRefused, KIND_FORWARD, KIND_FORWARD_REFUSED, KIND_RAFT},
};

use super::{
    disk::Disk,
    network::START_NS,
    world::{What, World},
};

/// A tick in microseconds.
const TICK: u64 = 50_000;

pub(super) struct Machine {
    pub(super) vfs: MemVfs,
    /// The node and its open files; nothing while it is down.
    pub(super) running: Option<(Node, Disk)>,
    /// Raised at each start, so that what belongs to an earlier life is dropped.
    pub(super) life: u64,
    pub(super) paused_until: u64,
    inbox: Vec<Event>,
    tick_due: bool,
    turn_waits: bool,
    durable: u64,
    told_durable: u64,
    broken: BTreeMap<u64, u32>,
    /// How far the clock is off, in nanoseconds, and how fast a tick is, in microseconds.
    skew_ns: i64,
    tick: u64,
}

impl Machine {
    pub(super) fn new(skew_ns: i64, tick_change: i64) -> Self {
        Self {
            vfs: MemVfs::new(),
            running: None,
            life: 0,
            paused_until: 0,
            inbox: Vec::new(),
            tick_due: false,
            turn_waits: false,
            durable: 0,
            told_durable: 0,
            broken: BTreeMap::new(),
            skew_ns,
            tick: TICK.saturating_add_signed(tick_change),
        }
    }
}

impl World {
    pub(super) fn start(&mut self, node: usize) {
        if self.machines[node].running.is_some() {
            return;
        }
        let seed = self.rng.next();
        let (disk, started) =
            Disk::start(&self.machines[node].vfs, node as u64 + 1, &self.genesis, seed);
        let height = started.chain().height().0;
        self.note(format!("node {} starts at height {height}", node + 1));
        self.truth.state(&started);
        let first_tick = self.rng.range(1, TICK);
        let machine = &mut self.machines[node];
        machine.life += 1;
        machine.running = Some((started, disk));
        machine.inbox.clear();
        machine.broken.clear();
        (machine.tick_due, machine.turn_waits) = (false, false);
        (machine.durable, machine.told_durable) = (0, 0);
        let life = machine.life;
        self.after(first_tick, What::Tick { node, life });
    }

    /// Ends the process; with `power` also what was not synced.
    pub(super) fn crash(&mut self, node: usize, power: bool) {
        if self.machines[node].running.take().is_none() {
            return;
        }
        self.note(format!("node {} {}", node + 1, if power { "loses power" } else { "is killed" }));
        let seed = self.rng.next();
        let machine = &mut self.machines[node];
        machine.life += 1;
        machine.vfs = if power { machine.vfs.crash(seed) } else { machine.vfs.kill() };
        let lost: Vec<u64> = self.sessions_at(node);
        for session in lost {
            self.break_session(session, false);
        }
        for peer in 0..self.machines.len() {
            if peer != node {
                self.wake(peer, Event::PeerLost { peer: node as u64 + 1 });
            }
        }
    }

    pub(super) fn is_alive(&self, node: usize, life: u64) -> bool {
        self.machines[node].life == life && self.machines[node].running.is_some()
    }

    pub(super) fn on_tick(&mut self, node: usize, life: u64) {
        if self.is_alive(node, life) {
            self.machines[node].tick_due = true;
            let tick = self.machines[node].tick;
            self.after(tick, What::Tick { node, life });
            self.wake_loop(node);
        }
    }

    /// Puts an event into a node's queue.
    pub(super) fn wake(&mut self, node: usize, event: Event) {
        if self.machines[node].running.is_some() {
            self.machines[node].inbox.push(event);
            self.wake_loop(node);
        }
    }

    fn wake_loop(&mut self, node: usize) {
        if !self.machines[node].turn_waits {
            let pause = self.machines[node].paused_until.saturating_sub(self.now);
            let delay = pause + self.rng.range(5, 300);
            let machine = &mut self.machines[node];
            machine.turn_waits = true;
            let life = machine.life;
            self.after(delay, What::Turn { node, life });
        }
    }

    pub(super) fn clock(&self, node: usize) -> LedgerTime {
        let exact = START_NS + 1_000_000_000 + self.now * 1_000;
        LedgerTime(exact.saturating_add_signed(self.machines[node].skew_ns))
    }

    /// One turn of the loop: all events that wait, then what is durable, then the tick.
    pub(super) fn on_turn(&mut self, node: usize, life: u64) {
        if !self.is_alive(node, life) {
            return;
        }
        let clock = self.clock(node);
        let machine = &mut self.machines[node];
        machine.turn_waits = false;
        let mut effects = Effects::default();
        let (own, _) = machine.running.as_mut().expect("alive");
        // Questions are looked up before the blocks of this turn are applied.
        let asked_at = own.chain().height().0;
        for event in machine.inbox.drain(..) {
            own.on(clock, event, &mut effects);
        }
        if machine.durable > machine.told_durable {
            machine.told_durable = machine.durable;
            own.on(clock, Event::Persisted { op: machine.durable }, &mut effects);
        }
        if std::mem::take(&mut machine.tick_due) {
            own.on(clock, Event::Tick, &mut effects);
        }
        if let Err(fatal) = own.settle(&mut effects) {
            panic!("node {}: {fatal}", node + 1);
        }
        if !effects.history.is_empty() {
            for block in &effects.history {
                self.truth.applied(node as u64 + 1, block);
            }
            self.truth.state(own);
        }
        let leader = own.leader().unwrap_or(0);
        let height = own.chain().height().0;
        self.trace(height << 8 | leader);
        self.perform(node, life, asked_at, effects);
    }

    fn perform(&mut self, node: usize, life: u64, asked_at: u64, effects: Effects) {
        let id = node as u64 + 1;
        for alarm in effects.alarms {
            // Every node here is honest and every clock is nearly right.
            assert!(
                alarm.contains("too much is waiting"),
                "node {id} accuses an honest peer: {alarm}"
            );
        }
        let (_, disk) = self.machines[node].running.as_mut().expect("alive");
        effects.persist.into_iter().for_each(|persist| disk.submit(persist));
        for block in &effects.history {
            disk.append(&history_block(block));
        }
        self.begin_sync(node, life);
        for message in effects.send {
            let to = message.to as usize - 1;
            let pieces = peer_message::to_wire(message).encode();
            self.send(node, to, KIND_RAFT, Bytes::from(pieces.concat()));
        }
        for (to, submission) in effects.forward {
            self.send(node, to as usize - 1, KIND_FORWARD, submission);
        }
        for (to, refused) in effects.forward_refused {
            self.send(node, to as usize - 1, KIND_FORWARD_REFUSED, refused.encode());
        }
        for reply in effects.replies {
            self.send_to_client(reply.session, reply.kind, reply.payload);
        }
        for frame in effects.deliveries {
            let broken = self.machines[node].broken.get(&frame.session);
            if broken.is_some_and(|stream| *stream >= frame.stream) {
                continue;
            }
            if self.queue_is_full() {
                let (session, stream, after) = (frame.session, frame.stream, frame.after);
                self.machines[node].broken.insert(session, stream);
                self.wake(node, Event::DeliveryFailed { session, stream, after });
            } else {
                self.send_to_client(frame.session, client::KIND_DELIVERIES, frame.payload);
            }
        }
        if !effects.history.is_empty() {
            let delay = self.rng.range(500, 30_000);
            self.after(delay, What::Flush { node, life });
        }
        assert!(effects.runs.is_empty(), "a run is too short for a generation of ids");
        for fetch in effects.fetches {
            let delay = self.rng.range(500, 20_000);
            self.after(delay, What::Fetch { node, life, fetch });
        }
        for scan in effects.scans {
            let delay = self.rng.range(500, 20_000);
            self.after(delay, What::Scan { node, life, scan });
        }
        for find in effects.finds {
            let (_, disk) = self.machines[node].running.as_ref().expect("alive");
            let answer = disk.find(&find);
            if let QueryAnswer::Transfer(found) = &answer {
                self.truth.found(&find.id, asked_at, found.as_ref());
            }
            self.send_to_client(find.session, client::KIND_ANSWER, answer.encode(find.number));
        }
    }

    fn queue_is_full(&mut self) -> bool {
        !self.healed && self.rng.percent(self.plan.full)
    }

    fn begin_sync(&mut self, node: usize, life: u64) {
        let (_, disk) = self.machines[node].running.as_mut().expect("alive");
        if disk.begin() {
            let slow = !self.healed && self.rng.percent(self.plan.slow_sync);
            let delay =
                if slow { self.rng.range(20_000, 400_000) } else { self.rng.range(100, 3_000) };
            self.after(delay, What::Synced { node, life });
        }
    }

    pub(super) fn on_synced(&mut self, node: usize, life: u64) {
        if !self.is_alive(node, life) {
            return;
        }
        let quiet = self.rng.percent(10);
        let machine = &mut self.machines[node];
        let (_, disk) = machine.running.as_mut().expect("alive");
        machine.durable = disk.end();
        if quiet {
            disk.mark_durable();
        }
        self.begin_sync(node, life);
        self.wake_loop(node);
    }

    pub(super) fn on_flush(&mut self, node: usize, life: u64) {
        if self.is_alive(node, life) {
            let sync = self.rng.percent(10);
            let (_, disk) = self.machines[node].running.as_mut().expect("alive");
            disk.flush_history(sync);
        }
    }

    pub(super) fn on_fetch(&mut self, node: usize, life: u64, fetch: order::Fetch) {
        if self.is_alive(node, life) {
            let (_, disk) = self.machines[node].running.as_ref().expect("alive");
            let entries = disk.fetch(&fetch);
            self.wake(node, Event::Fetched { token: fetch.token, entries });
        }
    }

    pub(super) fn on_scan(&mut self, node: usize, life: u64, scan: settlement_node::event::Scan) {
        if !self.is_alive(node, life) || !self.is_open(scan.session) {
            return;
        }
        let (_, disk) = self.machines[node].running.as_ref().expect("alive");
        let (items, reached) = disk.search(&scan);
        let (session, stream) = (scan.session, scan.stream);
        let mut done = Scanned { session, stream, reached, blocked: false };
        for (payload, after) in settlement_node::subscribers::frames(&items, scan.after, reached) {
            if self.queue_is_full() {
                (done.reached, done.blocked) = (after, true);
                break;
            }
            self.send_to_client(session, client::KIND_DELIVERIES, payload);
        }
        self.wake(node, Event::Scanned(done));
    }

    /// A frame of another node arrived: it is checked as the checking threads do.
    pub(super) fn on_peer_frame(&mut self, node: usize, peer: u64, kind: u8, payload: Bytes) {
        let domain = self.genesis.domain;
        let Some((_, disk)) = self.machines[node].running.as_ref() else { return };
        let event = match kind {
            KIND_RAFT => match peer_message::check(
                peer,
                payload,
                &domain,
                &*disk.old_ids,
                &mut peer_message::RecentBlocks::default(),
            ) {
                Ok((message, blocks)) => Event::Peer { message, blocks },
                Err(error) => Event::PeerMisbehaved { peer, what: error.to_string() },
            },
            KIND_FORWARD => match PreparedSubmission::check(payload, &domain, &*disk.old_ids) {
                Ok(prepared) => Event::Forwarded { peer, prepared },
                Err(error) => Event::PeerMisbehaved { peer, what: error.to_string() },
            },
            _ => {
                let refused =
                    ForwardRefused::decode(payload).expect("a refusal survives its codec");
                let busy = refused.reason == ForwardRefusal::Busy;
                Event::ForwardRefused { peer, batch: refused.batch, busy }
            }
        };
        self.wake(node, event);
    }

    /// A frame of a gateway arrived.
    pub(super) fn on_client_frame(&mut self, session: u64, kind: u8, payload: Bytes) {
        let Some(node) = self.node_of(session) else { return };
        let domain = self.genesis.domain;
        let Some((_, disk)) = self.machines[node].running.as_ref() else { return };
        let event = match kind {
            client::KIND_SUBMIT => {
                match PreparedSubmission::check(payload, &domain, &*disk.old_ids) {
                    Ok(prepared) => Event::Submit { session, prepared },
                    Err(PrepareError::OldIds(error)) => panic!("look up old ids: {error}"),
                    Err(error) => {
                        let reason = NotTakenReason::Invalid { text: error.to_string() };
                        let answer = NotTaken { batch: Digest([0; 32]), reason };
                        return self.send_to_client(
                            session,
                            client::KIND_NOT_TAKEN,
                            answer.encode(),
                        );
                    }
                }
            }
            client::KIND_SUBSCRIBE => {
                let after = Cursor::decode(payload).expect("a cursor survives its codec");
                Event::Subscribe { session, after }
            }
            _ => {
                let (number, query) = Query::decode(payload).expect("a query survives its codec");
                Event::Query { session, number, query }
            }
        };
        self.wake(node, event);
    }
}
