//! One machine: a node, its disk, and a loop that does what the real one does in the same order.

use bytes::Bytes;
use ledger::{Digest, LedgerTime, NodeStep, Seat};
use settlement_node::{
    event::{Effects, Event},
    forms::history_block,
    mend::Mender,
    node::Node,
    peer_message,
    prepare::{PrepareError, PreparedSubmission},
    recover::Wounds,
    storage::{Damage, Storage},
    store::{history::HistoryError, vfs::MemVfs},
};
use std::collections::BTreeMap;
use wire::{
    client::{self, Cursor, NotTaken, NotTakenReason, Outcomes, Query, QueryAnswer},
    peer::{
        ForwardRefusal, ForwardRefused, KIND_FETCH, KIND_FORWARD, KIND_FORWARD_REFUSED, KIND_PIECE,
        KIND_RAFT,
    },
};

use super::{
    class::Class,
    disk::{Disk, Opened, Safe, text},
    network::START_NS,
    raft_checks::check_safe,
    rot::Spot,
    world::{What, World},
};

/// A tick in microseconds.
const TICK: u64 = 50_000;
/// Between two steps of the scrubber, in microseconds.
pub(super) const SCRUB: u64 = 500_000;

pub(super) struct Machine {
    pub(super) vfs: MemVfs,
    /// The node and its open files; nothing while it is down.
    pub(super) running: Option<(Node, Disk)>,
    /// Raised at each start, so that what belongs to an earlier life is dropped.
    pub(super) life: u64,
    pub(super) paused_until: u64,
    /// What was safe on the disk when the node was last up.
    kept: Safe,
    /// Whether the disk was told to fail: only then the process may stop by itself.
    pub(super) harmed: bool,
    /// Whether it is started at all.
    pub(super) may_start: bool,
    /// What fetches from the others what its disk lacks, while it is not running.
    pub(super) mending: Option<Box<Mender>>,
    /// When that began.
    pub(super) mending_since: u64,
    /// Whether its operator has told it to believe the other nodes.
    pub(super) believes: bool,
    /// A snapshot above this log index is needed at the next start.
    pub(super) above: Option<u64>,
    /// What was found damaged and is set aside at the next start.
    pub(super) damage: Option<Damage>,
    /// Whether durable data was taken from it that it has not got back.
    pub(super) is_damaged: bool,
    /// Where its disk was damaged.
    pub(super) spots: Vec<Spot>,
    inbox: Vec<Event>,
    tick_due: bool,
    turn_waits: bool,
    durable: u64,
    told_durable: u64,
    /// Streams of deliveries that lost a frame, by session.
    pub(super) broken: BTreeMap<u64, u32>,
    /// How far the clock is off, in nanoseconds, and how fast a tick is, in microseconds.
    skew_ns: i64,
    /// How far it was moved since, and how fast it runs away, in parts per million.
    pub(super) jump_ns: i64,
    drift_ppm: i64,
    tick: u64,
}

impl Machine {
    pub(super) fn new(skew_ns: i64, drift_ppm: i64, tick_change: i64) -> Self {
        Self {
            vfs: MemVfs::new(),
            running: None,
            life: 0,
            paused_until: 0,
            kept: Safe::default(),
            harmed: false,
            may_start: true,
            mending: None,
            mending_since: 0,
            believes: false,
            above: None,
            damage: None,
            is_damaged: false,
            spots: Vec::new(),
            inbox: Vec::new(),
            tick_due: false,
            turn_waits: false,
            durable: 0,
            told_durable: 0,
            broken: BTreeMap::new(),
            skew_ns,
            jump_ns: 0,
            drift_ppm,
            tick: TICK.saturating_add_signed(tick_change),
        }
    }

    /// Whether its disk is a reason for the process to end.
    fn may_fail(&self) -> bool {
        self.harmed || self.is_damaged
    }

    /// What of its log is safe, whether it is up or down.
    pub(super) fn safe(&self) -> &Safe {
        self.running.as_ref().map_or(&self.kept, |(_, disk)| &disk.safe)
    }
}

impl World {
    pub(super) fn start(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        if machine.running.is_some() || machine.mending.is_some() || !machine.may_start {
            return;
        }
        let (above, damage) = (machine.above.take(), machine.damage.take());
        let opened = Disk::open(&self.machines[node].vfs, node as u64 + 1, &self.genesis, damage);
        let mut storage = match opened {
            Err(why) => return self.failed_start(node, &why),
            Ok(storage) => storage,
        };
        for finding in std::mem::take(&mut storage.findings) {
            self.counts.salvaged += u64::from(finding.starts_with("the log was damaged"));
            self.note(format!("node {}: {finding}", node + 1));
        }
        if above.is_some() {
            let wounds = Wounds { snapshot_above: above, only_behind: true, ..Wounds::default() };
            return self.begin_mending(node, storage, wounds);
        }
        self.start_with(node, storage);
    }

    /// Starts a node from its open storage, unless it lacks something.
    pub(super) fn start_with(&mut self, node: usize, storage: Storage) {
        let (seed, bytes) = (self.rng.next(), self.plan.snapshot_bytes);
        let (vfs, id) = (&self.machines[node].vfs, node as u64 + 1);
        let (started, disk) = match Disk::start(vfs, storage, id, &self.genesis, seed, bytes) {
            Ok(Opened::Ready(started)) => *started,
            Ok(Opened::Wounded(storage, wounds)) => {
                return self.begin_mending(node, *storage, wounds);
            }
            Err(why) => return self.failed_start(node, &why),
        };
        let height = started.chain().height().0;
        self.note(format!("node {} starts at height {height}", node + 1));
        self.truth.state(&started);
        self.machines[node].kept.check_kept(node as u64 + 1, &disk.safe);
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
        let first_scrub = self.rng.range(1, SCRUB);
        self.after(first_scrub, What::Scrub { node, life });
    }

    /// The process could not start; whoever watches over it tries again.
    pub(super) fn failed_start(&mut self, node: usize, why: &str) {
        assert!(self.machines[node].may_fail(), "node {} does not start: {why}", node + 1);
        self.note(format!("node {} does not start: {why}", node + 1));
        self.counts.failed_starts += 1;
        let power = self.rng.percent(50);
        let seed = self.rng.next();
        let machine = &mut self.machines[node];
        machine.vfs = if power { machine.vfs.crash(seed) } else { machine.vfs.kill() };
        machine.harmed = machine.vfs.is_full();
        self.restart_later(node);
    }

    /// An error of the disk ends the process at once.
    pub(super) fn stop(&mut self, node: usize, why: &str) {
        assert!(self.machines[node].may_fail(), "node {} stopped: {why}", node + 1);
        self.note(format!("node {} stops: {why}", node + 1));
        self.counts.stops += 1;
        let power = self.rng.percent(50);
        self.crash(node, power);
        self.restart_later(node);
    }

    fn restart_later(&mut self, node: usize) {
        let delay = self.rng.range(5, 1_000) * 1_000;
        self.after(delay, What::Restart { node });
    }

    /// Lets the disk of a node misbehave.
    pub(super) fn harm(&mut self, node: usize, how: impl FnOnce(&MemVfs)) {
        let machine = &mut self.machines[node];
        machine.harmed = true;
        how(&machine.vfs);
    }

    /// The disk does what it should from now on; what it did stays.
    pub(super) fn on_disk_heals(&mut self, node: usize) {
        self.note(format!("the disk of node {} works again", node + 1));
        self.machines[node].vfs.heal();
    }

    /// Ends the process; with `power` also what was not synced.
    pub(super) fn crash(&mut self, node: usize, power: bool) {
        if self.machines[node].mending.take().is_some() {
            self.note(format!("node {} crashes while it is mended", node + 1));
            let seed = self.rng.next();
            let machine = &mut self.machines[node];
            machine.life += 1;
            machine.vfs = if power { machine.vfs.crash(seed) } else { machine.vfs.kill() };
            machine.harmed = machine.vfs.is_full();
            return;
        }
        let Some((_, disk)) = self.machines[node].running.take() else { return };
        self.note(format!("node {} {}", node + 1, if power { "loses power" } else { "is killed" }));
        let seed = self.rng.next();
        let machine = &mut self.machines[node];
        machine.life += 1;
        machine.kept = disk.safe.clone();
        machine.vfs = if power { machine.vfs.crash(seed) } else { machine.vfs.kill() };
        machine.harmed = machine.vfs.is_full();
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
        let machine = &self.machines[node];
        let exact = START_NS + 1_000_000_000 + self.now * 1_000;
        let drift_ns = self.now as i64 * machine.drift_ppm / 1_000;
        LedgerTime(exact.saturating_add_signed(machine.skew_ns + machine.jump_ns + drift_ns))
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
        let mut stepped = Vec::new();
        if !effects.history.is_empty() {
            for block in &effects.history {
                self.truth.applied(node as u64 + 1, block);
                if let Some(step) = block.block.step() {
                    stepped.extend(self.raft.stepped(block.log_index, step).then_some(step));
                }
            }
            self.truth.state(own);
        }
        let leader = own.leader().unwrap_or(0);
        let height = own.chain().height().0;
        self.raft.status(life, &own.order_status());
        stepped.into_iter().for_each(|step| self.follow(step));
        self.trace(height << 8 | leader);
        for block in &effects.history {
            check_safe(&self.raft, &self.machines, node, block.log_index, "has applied");
        }
        self.perform(node, life, asked_at, effects);
    }

    /// A node has become something for the first time anywhere: the operator of one that has left tells its banks.
    fn follow(&mut self, step: NodeStep) {
        self.note(format!("node {} becomes {:?}", step.node, step.seat));
        if step.seat == Seat::Gone {
            for session in self.sessions_at(step.node as usize - 1) {
                self.break_session(session, true);
            }
        }
    }

    fn perform(&mut self, node: usize, life: u64, asked_at: u64, effects: Effects) {
        let id = node as u64 + 1;
        for alarm in effects.alarms {
            // Every node here is honest, and in most runs every clock is nearly right.
            let clock = alarm.contains("ahead of this node's clock")
                && (self.plan.classes.has(Class::ClockJump)
                    || self.plan.classes.has(Class::BrokenMinority));
            assert!(
                clock || alarm.contains("too much is waiting"),
                "node {id} accuses an honest peer: {alarm}"
            );
            self.counts.clock_alarms += u64::from(clock);
        }
        let (own, disk) = self.machines[node].running.as_mut().expect("alive");
        let own_term = own.order_status().term;
        effects.persist.into_iter().for_each(|persist| disk.submit(persist));
        if !self.begin_sync(node, life) {
            return;
        }
        for message in effects.send {
            self.raft.said(&message, own_term, self.machines[node].safe());
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
            if reply.kind == client::KIND_OUTCOMES {
                let outcomes =
                    Outcomes::decode(reply.payload.clone()).expect("outcomes survive their codec");
                let index = self.truth.told(&outcomes);
                check_safe(&self.raft, &self.machines, node, index, "answers with");
            }
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
        for block in &effects.history {
            let (_, disk) = self.machines[node].running.as_mut().expect("alive");
            match disk.append(&history_block(block)) {
                Ok(()) => {}
                Err(HistoryError::Corrupt { height }) => {
                    return self.found_damage(node, Damage::History { height });
                }
                Err(error) => return self.stop(node, &text("append to the history")(error)),
            }
        }
        if !effects.history.is_empty() {
            let delay = self.rng.range(500, 30_000);
            self.after(delay, What::Flush { node, life });
        }
        let (_, disk) = self.machines[node].running.as_mut().expect("alive");
        if let Err(why) = disk.tend(effects.release_log_below, effects.log_is_whole) {
            return self.stop(node, &why);
        }
        if let Some(checkpoint) = effects.snapshot {
            let delay = self.rng.range(1_000, 100_000);
            self.after(delay, What::Snapshot { node, life, checkpoint: Box::new(checkpoint) });
        }
        if let Some(above) = effects.mend_above {
            return self.needs_snapshot(node, above);
        }
        assert!(effects.runs.is_empty(), "a run is too short for a generation of ids");
        for fetch in effects.fetches {
            let delay = self.rng.range(500, 20_000);
            self.after(delay, What::Fetch { node, life, fetch });
        }
        effects.scans.into_iter().for_each(|scan| self.begin_scan(node, life, scan));
        assert!(effects.proofs.is_empty(), "no client of the simulation asks for receipts");
        let mut damage = None;
        for find in effects.finds {
            let (_, disk) = self.machines[node].running.as_ref().expect("alive");
            let answer = match disk.find(&find) {
                Ok(answer) => answer,
                Err(error) => {
                    damage = damage.or(error.damage());
                    QueryAnswer::Failed(error.to_string())
                }
            };
            if let QueryAnswer::Transfer(found) = &answer {
                self.truth.found(&find.id, asked_at, found.as_ref());
            }
            self.send_to_client(find.session, client::KIND_ANSWER, answer.encode(find.number));
        }
        if let Some(damage) = damage {
            self.found_damage(node, damage);
        }
    }

    pub(super) fn queue_is_full(&mut self) -> bool {
        let full = !self.healed && self.rng.percent(self.plan.full);
        if full {
            self.counts.met(Class::FullQueue);
        }
        full
    }

    /// Writes what waits. Whether the process still runs.
    fn begin_sync(&mut self, node: usize, life: u64) -> bool {
        let (_, disk) = self.machines[node].running.as_mut().expect("alive");
        match disk.begin() {
            Ok(true) => {
                let slow = !self.healed && self.rng.percent(self.plan.slow_sync);
                let delay = if slow {
                    self.counts.met(Class::SlowSync);
                    self.rng.range(20_000, 400_000)
                } else {
                    self.rng.range(100, 3_000)
                };
                self.after(delay, What::Synced { node, life });
                true
            }
            Ok(false) => true,
            Err(why) => {
                self.stop(node, &why);
                false
            }
        }
    }

    pub(super) fn on_synced(&mut self, node: usize, life: u64) {
        if !self.is_alive(node, life) {
            return;
        }
        let quiet = self.rng.percent(10);
        let machine = &mut self.machines[node];
        let (_, disk) = machine.running.as_mut().expect("alive");
        match disk.end() {
            Ok(durable) => machine.durable = durable,
            Err(why) => return self.stop(node, &why),
        }
        if quiet && let Err(why) = disk.mark_durable() {
            return self.stop(node, &why);
        }
        if self.begin_sync(node, life) {
            self.wake_loop(node);
        }
    }

    pub(super) fn on_flush(&mut self, node: usize, life: u64) {
        if self.is_alive(node, life) {
            let sync = self.rng.percent(10);
            let (_, disk) = self.machines[node].running.as_mut().expect("alive");
            if let Err(why) = disk.flush_history(sync) {
                self.stop(node, &why);
            }
        }
    }

    /// A frame of another node arrived: it is checked as the checking threads do.
    pub(super) fn on_peer_frame(&mut self, node: usize, peer: u64, kind: u8, payload: Bytes) {
        match kind {
            KIND_FETCH => return self.on_request(node, peer, payload),
            KIND_PIECE => return self.on_piece(node, peer, payload),
            _ => {}
        }
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
