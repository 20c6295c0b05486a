//! The event queue, the net between nodes, the sessions of gateways, and the course of a run.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use ledger::{ParticipantNumber, RULES_LIFE_CYCLE};
use settlement_node::{
    checkpoint::ChainCheckpoint,
    event::{Event, Scan},
};
use wire::{
    client::{self, Deliveries, NotTaken, Outcomes, Query, QueryAnswer},
    genesis::Genesis,
};

use super::{
    asks::Known,
    checks::Truth,
    class::Class,
    gateway::GatewayMachine,
    life::Life,
    machine::Machine,
    network::{self, START_NS},
    plan::Plan,
    raft_checks::RaftTruth,
    report::Report,
    rng::{Rng, mix},
    submitter::Submitter,
    watcher::Watcher,
};

static QUIET: AtomicBool = AtomicBool::new(false);
static PRINTS: AtomicBool = AtomicBool::new(false);

/// Lets failing runs say nothing but their panic.
pub fn keep_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Lets runs print what happens in them.
pub fn print_notes() {
    PRINTS.store(true, Ordering::Relaxed);
}

/// Notes that are printed when a run fails.
const NOTES_MAX: usize = 80;

/// What happens at a moment. Nodes and gateways are named by their position.
pub(super) enum What {
    Tick { node: usize, life: u64 },
    Turn { node: usize, life: u64 },
    Synced { node: usize, life: u64 },
    Flush { node: usize, life: u64 },
    Fetch { node: usize, life: u64, fetch: order::Fetch },
    Scan { node: usize, life: u64, scan: Scan },
    Snapshot { node: usize, life: u64, checkpoint: Box<ChainCheckpoint> },
    Mend { node: usize, life: u64 },
    Scrub { node: usize, life: u64 },
    PeerFrame { node: usize, from: u64, kind: u8, payload: Bytes },
    ToNode { session: u64, kind: u8, payload: Bytes },
    ToClient { session: u64, kind: u8, payload: Bytes },
    Submitter { which: usize },
    Watcher { which: usize },
    Restart { node: usize },
    Gateway { which: usize, life: u64, at_ms: u64 },
    GatewayStart { which: usize },
    Fault,
    EndCut,
    DiskHeals { node: usize },
}

#[derive(Clone, Copy)]
pub(super) enum Owner {
    Submitter(usize),
    Watcher(usize),
    Gateway(usize),
}

struct Session {
    owner: Owner,
    node: usize,
    /// When the last frame of each way arrives: a session keeps the order.
    to_node_at: u64,
    to_client_at: u64,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) genesis: Genesis,
    pub(super) machines: Vec<Machine>,
    pub(super) submitters: Vec<Submitter>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) gateways: Vec<GatewayMachine>,
    pub(super) truth: Truth,
    pub(super) raft: RaftTruth,
    /// Nodes that stay broken while the others are healthy.
    pub(super) broken: BTreeSet<usize>,
    /// Ways that are cut, from and to.
    pub(super) cut: BTreeSet<(usize, usize)>,
    pub(super) healed: bool,
    pub(super) counts: Report,
    queue: BTreeMap<(u64, u64), What>,
    sequence: u64,
    sessions: BTreeMap<u64, Session>,
    next_session: u64,
    notes: VecDeque<(u64, String)>,
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(mix(plan.seed));
        let (genesis, banks) = network::make(&plan, &mut rng);
        let skew = plan.skew_ms * 1_000_000;
        let mut either_side = |most: u64| rng.range(0, 2 * most + 1) as i64 - most as i64;
        let machines = (0..plan.nodes + plan.standby)
            .map(|_| {
                let (skew_ns, drift_ppm) = (either_side(skew), either_side(plan.drift_ppm));
                Machine::new(skew_ns, drift_ppm, either_side(1_000))
            })
            .collect();
        let gateways = banks[..plan.gateways]
            .iter()
            .enumerate()
            .map(|(bank, one)| GatewayMachine::new(bank, &plan, &genesis, one.key.clone()))
            .collect();
        let plan_nodes = plan.nodes;
        let watchers =
            (0..banks.len()).map(|bank| Watcher { bank, ..Watcher::default() }).collect();
        let submitters = banks
            .into_iter()
            .enumerate()
            .map(|(number, bank)| {
                let batches = if number < plan.gateways { 0 } else { plan.batches };
                Submitter::new(bank, &plan, batches)
            })
            .collect();
        Self {
            truth: Truth::new(
                plan.banks,
                (plan.rules >= RULES_LIFE_CYCLE).then(|| Life::new(&genesis)),
            ),
            plan,
            rng,
            now: 0,
            genesis,
            machines,
            submitters,
            watchers,
            raft: RaftTruth::new(plan_nodes),
            broken: BTreeSet::new(),
            gateways,
            cut: BTreeSet::new(),
            healed: false,
            counts: Report::default(),
            queue: BTreeMap::new(),
            sequence: 0,
            sessions: BTreeMap::new(),
            next_session: 0,
            notes: VecDeque::new(),
        }
    }

    pub(super) fn run(&mut self) {
        (0..self.machines.len()).for_each(|node| self.start(node));
        for which in 0..self.gateways.len() {
            self.after(2_000, What::GatewayStart { which });
        }
        for which in self.gateways.len()..self.submitters.len() {
            self.after(1_000, What::Submitter { which });
            self.after(1_500, What::Watcher { which });
        }
        self.after(1_000_000, What::Fault);
        let heal_at = self.plan.faults_ms * 1_000;
        self.run_until(heal_at, false);
        self.now = heal_at;
        self.heal();
        self.run_until(heal_at + self.plan.heal_ms_min * 1_000, false);
        self.must_be_done();
        let healed_after = self.now - heal_at;
        if !self.broken.is_empty() {
            self.heal_minority();
            self.must_be_done();
        }
        self.counts.healed_after_ms = healed_after / 1_000;
        self.check_gateways();
        let last = self.gateways.iter().map(GatewayMachine::last_answer_ms).max().unwrap_or(0);
        self.counts.messages_healed_after_ms = last.saturating_sub(heal_at / 1_000);
    }

    /// Everything is answered in bounded time, counted from now.
    fn must_be_done(&mut self) {
        self.run_until(self.now + self.plan.heal_ms * 1_000, true);
        if !self.is_done() {
            self.explain();
        }
    }

    fn run_until(&mut self, end: u64, stop_when_done: bool) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                return;
            }
            let ((at, _), what) = entry.remove_entry();
            self.now = at;
            self.counts.events += 1;
            self.handle(what);
            if stop_when_done && self.counts.events.is_multiple_of(64) && self.is_done() {
                return;
            }
        }
    }

    fn handle(&mut self, what: What) {
        self.trace(self.now);
        match what {
            What::Tick { node, life } => self.on_tick(node, life),
            What::Turn { node, life } => self.on_turn(node, life),
            What::Synced { node, life } => self.on_synced(node, life),
            What::Flush { node, life } => self.on_flush(node, life),
            What::Fetch { node, life, fetch } => self.on_fetch(node, life, fetch),
            What::Scan { node, life, scan } => self.on_scan(node, life, scan),
            What::Snapshot { node, life, checkpoint } => {
                self.on_snapshot(node, life, &checkpoint);
            }
            What::Mend { node, life } => self.on_mend_tick(node, life),
            What::Scrub { node, life } => self.on_scrub(node, life),
            What::PeerFrame { node, from, kind, payload } => {
                self.trace_bytes(&payload);
                self.on_peer_frame(node, from, kind, payload);
            }
            What::ToNode { session, kind, payload } => self.on_client_frame(session, kind, payload),
            What::ToClient { session, kind, payload } => {
                self.trace_bytes(&payload);
                self.on_answer(session, kind, payload);
            }
            What::Submitter { which } => self.on_submitter(which),
            What::Watcher { which } => self.on_watcher(which),
            What::Restart { node } => self.start(node),
            What::Gateway { which, life, at_ms } => self.on_gateway(which, life, at_ms),
            What::GatewayStart { which } => self.start_gateway(which),
            What::Fault => self.on_fault(),
            What::EndCut if self.healed => {}
            What::EndCut => self.cut.clear(),
            What::DiskHeals { node } => self.on_disk_heals(node),
        }
    }

    /// Whether everything is answered and delivered, and all healthy nodes are at the same height.
    fn is_done(&self) -> bool {
        let height = self.truth.height();
        // A leader whose clock is behind brings deadlines late: by its own time they have not come.
        let slow = self.broken.iter().any(|node| self.machines[*node].jump_ns < 0);
        (slow || self.truth.waiting() == 0)
            && self.submitters.iter().all(Submitter::is_done)
            && self.watchers[self.gateways.len()..]
                .iter()
                .all(|one| one.count == self.truth.told_to(one.bank))
            && self.gateways.iter().all(|one| one.is_done(self.truth.credits(one.bank)))
            && self.machines.iter().enumerate().all(|(node, machine)| {
                // Who has left, or never came, need not have anything.
                if self.broken.contains(&node) || !self.raft.is_member(node) {
                    return true;
                }
                let own = machine.running.as_ref();
                own.is_some_and(|(node, _)| {
                    node.chain().height().0 == height && !node.order_status().recovering
                })
            })
    }

    /// Says what is missing after the time for healing is over.
    fn explain(&self) -> ! {
        for (which, one) in self.submitters.iter().enumerate() {
            eprintln!("bank {which}: open batches {:?}, session {:?}", one.waiting(), one.session);
        }
        for one in &self.watchers {
            let of = self.truth.told_to(one.bank);
            eprintln!("bank {}: {} of {of} delivered, at {:?}", one.bank, one.count, one.cursor);
        }
        for one in &self.gateways {
            eprintln!("{} of {} credits", one.missing(), self.truth.credits(one.bank));
        }
        eprintln!("{} transfers wait", self.truth.waiting());
        for (at, machine) in self.machines.iter().enumerate() {
            if let Some(mender) = &machine.mending {
                eprintln!("node {}: {}", at + 1, mender.progress());
            }
            if let Some((node, _)) = &machine.running {
                let (status, load) = (node.order_status(), node.load());
                let height = node.chain().height().0;
                eprintln!("node {}: height {height}, load {load:?}, {status:?}", node.id());
            }
        }
        panic!("not everything was answered after {} healed ms", self.plan.heal_ms);
    }

    pub(super) fn into_report(mut self) -> Report {
        let mut report = std::mem::take(&mut self.counts);
        report.simulated_ms = self.now / 1_000;
        report.elections = self.raft.elections;
        [report.joined, report.promoted, report.left] = self.raft.steps;
        report.blocks = self.truth.height();
        report.submissions = self.submitters.iter().map(|one| one.sent).sum();
        report.answered = self.submitters.iter().map(|one| one.answered).sum();
        report.settled = self.truth.settled;
        report.refused = self.truth.refused;
        report.repeated = self.truth.repeated;
        [report.waited, report.waited_and_settled] = self.truth.waited();
        report.delivered = self.watchers.iter().map(|one| one.count as u64).sum();
        report.reconnects = self.watchers.iter().map(|one| one.reconnects).sum();
        let counts = self.gateways.iter().map(GatewayMachine::counts);
        [
            report.messages,
            report.message_answers,
            report.message_repeats,
            report.outbox_entries,
            report.gateway_ends,
            report.gateway_failed_starts,
            report.store_steps,
        ] = counts.fold([0; 7], |sum, one| std::array::from_fn(|at| sum[at] + one[at]));
        report
    }

    pub(super) fn after(&mut self, delay: u64, what: What) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), what);
    }

    pub(super) fn note(&mut self, text: String) {
        self.trace_bytes(text.as_bytes());
        if PRINTS.load(Ordering::Relaxed) {
            println!("{:>10} {text}", self.now);
        }
        if self.notes.len() == NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back((self.now, text));
    }

    pub(super) fn trace(&mut self, value: u64) {
        self.counts.trace = mix(self.counts.trace.rotate_left(5) ^ value);
    }

    fn trace_bytes(&mut self, bytes: &[u8]) {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.trace(hash);
    }

    /// Whether a fault that hits a share of all frames hits this one.
    fn strikes(&mut self, class: Class, percent: u64) -> bool {
        let strikes = !self.healed && self.rng.percent(percent);
        if strikes {
            self.counts.met(class);
        }
        strikes
    }

    /// Sends a frame from one node to another.
    pub(super) fn send(&mut self, from: usize, to: usize, kind: u8, payload: Bytes) {
        if self.cut.contains(&(from, to)) || self.strikes(Class::Loss, self.plan.loss) {
            return;
        }
        let copies = if self.strikes(Class::Repeat, self.plan.repeat) { 2 } else { 1 };
        for _ in 0..copies {
            let late = self.strikes(Class::Late, self.plan.late);
            let delay =
                if late { self.rng.range(5_000, 400_000) } else { self.rng.range(200, 4_000) };
            let (from, payload) = (from as u64 + 1, payload.clone());
            self.after(delay, What::PeerFrame { node: to, from, kind, payload });
        }
    }

    // Sessions.

    pub(super) fn open_session(&mut self, owner: Owner, bank: usize) -> Option<u64> {
        let node = self.rng.index(self.machines.len());
        self.machines[node].running.as_ref()?;
        if self.broken.contains(&node) || !self.raft.is_member(node) {
            return None;
        }
        self.next_session += 1;
        let session = self.next_session;
        let at = self.now;
        self.sessions.insert(session, Session { owner, node, to_node_at: at, to_client_at: at });
        let participant = ParticipantNumber(bank as u32);
        self.wake(node, Event::SessionOpened { session, participant });
        Some(session)
    }

    /// Ends a session on both sides; what is on its way is lost.
    pub(super) fn break_session(&mut self, session: u64, tell_node: bool) {
        let Some(known) = self.sessions.remove(&session) else { return };
        let now = self.now;
        match known.owner {
            Owner::Submitter(which) => self.submitters[which].disconnected(now),
            Owner::Watcher(which) => self.watchers[which].session = None,
            Owner::Gateway(which) => self.gateways[which].disconnected(now),
        }
        if tell_node {
            self.wake(known.node, Event::SessionClosed { session });
        }
    }

    pub(super) fn sessions_at(&self, node: usize) -> Vec<u64> {
        self.sessions.iter().filter(|(_, one)| one.node == node).map(|(id, _)| *id).collect()
    }

    pub(super) fn is_open(&self, session: u64) -> bool {
        self.sessions.contains_key(&session)
    }

    pub(super) fn node_of(&self, session: u64) -> Option<usize> {
        self.sessions.get(&session).map(|known| known.node)
    }

    pub(super) fn send_to_node(&mut self, session: u64, kind: u8, payload: Bytes) {
        let delay = self.rng.range(200, 10_000);
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.to_node_at = (known.to_node_at + 1).max(self.now + delay);
        let delay = known.to_node_at - self.now;
        self.after(delay, What::ToNode { session, kind, payload });
    }

    pub(super) fn send_to_client(&mut self, session: u64, kind: u8, payload: Bytes) {
        let delay = self.rng.range(200, 10_000);
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.to_client_at = (known.to_client_at + 1).max(self.now + delay);
        let delay = known.to_client_at - self.now;
        self.after(delay, What::ToClient { session, kind, payload });
    }

    /// A node's frame arrived at its gateway.
    fn on_answer(&mut self, session: u64, kind: u8, payload: Bytes) {
        let Some(owner) = self.sessions.get(&session).map(|known| known.owner) else { return };
        match (owner, kind) {
            (Owner::Submitter(which), client::KIND_OUTCOMES) => {
                let outcomes = Outcomes::decode(payload).expect("outcomes survive their codec");
                self.truth.told(&outcomes);
                self.submitters[which].outcomes(&outcomes);
            }
            (Owner::Submitter(which), client::KIND_NOT_TAKEN) => {
                let not_taken = NotTaken::decode(payload).expect("an answer survives its codec");
                self.submitters[which].not_taken(&not_taken, self.now);
            }
            (Owner::Submitter(which), client::KIND_ANSWER) => {
                let (number, answer) = QueryAnswer::decode(payload).expect("it survives its codec");
                match answer {
                    // The history may be a moment behind the ledger, or its disk may fail.
                    QueryAnswer::Failed(text) => assert!(
                        text.contains("being written")
                            || self.plan.classes.has(Class::ReadError)
                            || self.plan.harms_disks(),
                        "a question failed: {text}"
                    ),
                    QueryAnswer::Transfer(found) => {
                        self.submitters[which].found(number, found.as_ref());
                    }
                    other => panic!("nobody asked for {other:?}"),
                }
            }
            (Owner::Watcher(which), client::KIND_DELIVERIES) => {
                let deliveries = Deliveries::decode(payload).expect("they survive their codec");
                let one = &mut self.watchers[which];
                (one.cursor, one.count) =
                    self.truth.delivered(one.bank, one.cursor, one.count, &deliveries);
            }
            (Owner::Gateway(which), kind) => {
                if kind == client::KIND_OUTCOMES {
                    let outcomes = Outcomes::decode(payload.clone());
                    self.truth.told(&outcomes.expect("outcomes survive their codec"));
                }
                self.reach_gateway(which, kind, payload);
            }
            (_, kind) => panic!("a gateway got a frame of kind {kind} that it did not ask for"),
        }
    }

    fn on_submitter(&mut self, which: usize) {
        let delay = self.rng.range(20_000, 400_000);
        self.after(delay, What::Submitter { which });
        let broken =
            !self.healed && self.plan.classes.has(Class::BrokenSession) && self.rng.percent(2);
        if let Some(session) = self.submitters[which].session
            && broken
        {
            self.break_session(session, true);
        }
        if self.submitters[which].session.is_none() {
            self.submitters[which].session = self.open_session(Owner::Submitter(which), which);
        }
        let Some(session) = self.submitters[which].session else { return };
        let other = self.rng.index(self.submitters.len());
        let foreign = self.submitters[other].some_id(&mut self.rng);
        let clock = START_NS + 1_000_000_000 + self.now * 1_000;
        let (domain, banks, now) = (self.genesis.domain, self.plan.banks, self.now);
        let waiting = self.truth.some_waiting(&mut self.rng);
        let credit = self.truth.some_credit(which, &mut self.rng);
        let exchanged = self.truth.some_exchange(which, &mut self.rng);
        let (gateways, ledger) = (self.gateways.len(), self.truth.reference());
        let own = &mut self.submitters[which];
        if self.rng.percent(60) {
            let known = Known {
                banks,
                clock,
                foreign,
                waiting: &waiting,
                credit: credit.as_ref(),
                exchanged: exchanged.as_ref(),
                gateways,
                ledger,
                genesis: &self.genesis,
                removable: self.plan.removable.min(self.plan.nodes - 1),
            };
            own.make(&mut self.rng, &domain, &known, now);
        }
        own.knows_keys(ledger);
        for frame in own.due(&mut self.rng, &domain, clock, now) {
            self.send_to_node(session, client::KIND_SUBMIT, frame.clone());
            if self.rng.percent(5) {
                self.send_to_node(session, client::KIND_SUBMIT, frame);
            }
        }
        if self.rng.percent(2) {
            let own = &mut self.submitters[which];
            let (frame, digest) = own.forge(&mut self.rng, &domain, banks, clock);
            self.truth.forged.insert(digest);
            self.send_to_node(session, client::KIND_SUBMIT, frame);
        }
        if self.rng.percent(30)
            && let Some(id) = self.submitters[which].some_id(&mut self.rng)
        {
            self.submitters[which].asks(now, id);
            self.send_to_node(session, client::KIND_QUERY, Query::Transfer(id).encode(now));
        }
    }

    fn on_watcher(&mut self, which: usize) {
        let delay = self.rng.range(20_000, 500_000);
        self.after(delay, What::Watcher { which });
        let broken =
            !self.healed && self.plan.classes.has(Class::BrokenSession) && self.rng.percent(10);
        if let Some(session) = self.watchers[which].session
            && broken
        {
            self.break_session(session, true);
        }
        if self.watchers[which].session.is_none()
            && let Some(session) = self.open_session(Owner::Watcher(which), which)
        {
            let one = &mut self.watchers[which];
            one.session = Some(session);
            one.reconnects += 1;
            let cursor = one.cursor.encode();
            self.send_to_node(session, client::KIND_SUBSCRIBE, cursor);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && !QUIET.load(Ordering::Relaxed) {
            eprintln!("--- the run of seed {} failed at {} us", self.plan.seed, self.now);
            eprintln!("{:#?}", self.plan);
            for (at, note) in &self.notes {
                eprintln!("{at:>10} {note}");
            }
        }
    }
}
