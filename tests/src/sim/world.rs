//! The event queue, the net between nodes, the sessions of gateways, and the course of a run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use ledger::ParticipantNumber;
use settlement_node::event::{Event, Scan};
use wire::{
    client::{self, Deliveries, NotTaken, Outcomes, Query, QueryAnswer},
    genesis::Genesis,
};

use super::{
    checks::Truth,
    machine::Machine,
    network::{self, START_NS},
    plan::Plan,
    rng::{Rng, mix},
    submitter::Submitter,
    watcher::Watcher,
};

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
    PeerFrame { node: usize, from: u64, kind: u8, payload: Bytes },
    ToNode { session: u64, kind: u8, payload: Bytes },
    ToClient { session: u64, kind: u8, payload: Bytes },
    Submitter { which: usize },
    Watcher { which: usize },
    Restart { node: usize },
    Fault,
    EndCut,
}

#[derive(Clone, Copy)]
enum Owner {
    Submitter(usize),
    Watcher(usize),
}

struct Session {
    owner: Owner,
    node: usize,
    /// When the last frame of each way arrives: a session keeps the order.
    to_node_at: u64,
    to_client_at: u64,
}

/// What a run met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Hash over everything that happened; equal for equal seeds.
    pub trace: u64,
    /// Events handled.
    pub events: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Simulated milliseconds from healing to the end.
    pub healed_after_ms: u64,
    /// Faults of all kinds.
    pub faults: u64,
    /// Nodes that lost power or were killed.
    pub crashes: u64,
    /// Cuts of the net.
    pub cuts: u64,
    /// Blocks applied.
    pub blocks: u64,
    /// Frames with submissions that gateways sent.
    pub submissions: u64,
    /// Commands that were answered to their gateway.
    pub answered: u64,
    /// Commands that settled.
    pub settled: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Commands whose id was answered before.
    pub repeated: u64,
    /// Deliveries to banks.
    pub delivered: u64,
    /// Times that a listening gateway connected.
    pub reconnects: u64,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) genesis: Genesis,
    pub(super) machines: Vec<Machine>,
    pub(super) submitters: Vec<Submitter>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) truth: Truth,
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
        let machines = (0..plan.nodes)
            .map(|_| {
                let skew_ns = rng.range(0, 2 * skew + 1) as i64 - skew as i64;
                Machine::new(skew_ns, rng.range(0, 2_001) as i64 - 1_000)
            })
            .collect();
        let watchers =
            (0..banks.len()).map(|bank| Watcher { bank, ..Watcher::default() }).collect();
        let submitters = banks.into_iter().map(|bank| Submitter::new(bank, plan.batches)).collect();
        Self {
            truth: Truth::new(plan.banks),
            plan,
            rng,
            now: 0,
            genesis,
            machines,
            submitters,
            watchers,
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
        for which in 0..self.submitters.len() {
            self.after(1_000, What::Submitter { which });
            self.after(1_500, What::Watcher { which });
        }
        self.after(1_000_000, What::Fault);
        let heal_at = self.plan.faults_ms * 1_000;
        self.run_until(heal_at, false);
        self.now = heal_at;
        self.heal();
        self.run_until(heal_at + self.plan.heal_ms * 1_000, true);
        if !self.is_done() {
            self.explain();
        }
        self.counts.healed_after_ms = (self.now - heal_at) / 1_000;
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
            What::Fault => self.on_fault(),
            What::EndCut => self.cut.clear(),
        }
    }

    /// Whether everything is answered and delivered, and all nodes are at the same height.
    fn is_done(&self) -> bool {
        let height = self.truth.height();
        self.submitters.iter().all(Submitter::is_done)
            && self.watchers.iter().all(|one| one.count == self.truth.credits(one.bank))
            && self.machines.iter().all(|machine| {
                let own = machine.running.as_ref();
                own.is_some_and(|(node, _)| node.chain().height().0 == height)
            })
    }

    /// Says what is missing after the time for healing is over.
    fn explain(&self) -> ! {
        for (which, one) in self.submitters.iter().enumerate() {
            eprintln!("bank {which}: open batches {:?}, session {:?}", one.waiting(), one.session);
        }
        for one in &self.watchers {
            let of = self.truth.credits(one.bank);
            eprintln!("bank {}: {} of {of} delivered, at {:?}", one.bank, one.count, one.cursor);
        }
        for machine in &self.machines {
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
        report.blocks = self.truth.height();
        report.submissions = self.submitters.iter().map(|one| one.sent).sum();
        report.answered = self.submitters.iter().map(|one| one.answered).sum();
        report.settled = self.truth.settled;
        report.refused = self.truth.refused;
        report.repeated = self.truth.repeated;
        report.delivered = self.watchers.iter().map(|one| one.count as u64).sum();
        report.reconnects = self.watchers.iter().map(|one| one.reconnects).sum();
        report
    }

    pub(super) fn after(&mut self, delay: u64, what: What) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), what);
    }

    pub(super) fn note(&mut self, text: String) {
        self.trace_bytes(text.as_bytes());
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

    /// Sends a frame from one node to another.
    pub(super) fn send(&mut self, from: usize, to: usize, kind: u8, payload: Bytes) {
        let faulty = !self.healed;
        if self.cut.contains(&(from, to)) || faulty && self.rng.percent(self.plan.loss) {
            return;
        }
        let copies = if faulty && self.rng.percent(self.plan.repeat) { 2 } else { 1 };
        for _ in 0..copies {
            let late = faulty && self.rng.percent(self.plan.late);
            let delay =
                if late { self.rng.range(5_000, 400_000) } else { self.rng.range(200, 4_000) };
            let (from, payload) = (from as u64 + 1, payload.clone());
            self.after(delay, What::PeerFrame { node: to, from, kind, payload });
        }
    }

    // Sessions.

    fn open_session(&mut self, owner: Owner, bank: usize) -> Option<u64> {
        let node = self.rng.index(self.machines.len());
        self.machines[node].running.as_ref()?;
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

    fn send_to_node(&mut self, session: u64, kind: u8, payload: Bytes) {
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
            (Owner::Submitter(_), client::KIND_ANSWER) => {
                let (_, answer) = QueryAnswer::decode(payload).expect("it survives its codec");
                // The history may be a moment behind the ledger; nothing else may go wrong.
                if let QueryAnswer::Failed(text) = answer {
                    assert!(text.contains("being written"), "a question failed: {text}");
                }
            }
            (Owner::Watcher(which), client::KIND_DELIVERIES) => {
                let deliveries = Deliveries::decode(payload).expect("they survive their codec");
                let one = &mut self.watchers[which];
                (one.cursor, one.count) =
                    self.truth.delivered(one.bank, one.cursor, one.count, &deliveries);
            }
            (_, kind) => panic!("a gateway got a frame of kind {kind} that it did not ask for"),
        }
    }

    fn on_submitter(&mut self, which: usize) {
        let delay = self.rng.range(20_000, 400_000);
        self.after(delay, What::Submitter { which });
        let broken = !self.healed && self.plan.broken_sessions && self.rng.percent(2);
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
        let own = &mut self.submitters[which];
        if self.rng.percent(60) {
            own.make(&mut self.rng, &domain, banks, clock, foreign, now);
        }
        for frame in own.due(&mut self.rng, &domain, clock, now) {
            self.send_to_node(session, client::KIND_SUBMIT, frame.clone());
            if self.rng.percent(5) {
                self.send_to_node(session, client::KIND_SUBMIT, frame);
            }
        }
        if self.rng.percent(2) {
            let own = &mut self.submitters[which];
            let (frame, digest) = own.forge(&mut self.rng, &domain, banks);
            self.truth.forged.insert(digest);
            self.send_to_node(session, client::KIND_SUBMIT, frame);
        }
        if self.rng.percent(30)
            && let Some(id) = self.submitters[which].some_id(&mut self.rng)
        {
            self.send_to_node(session, client::KIND_QUERY, Query::Transfer(id).encode(now));
        }
    }

    fn on_watcher(&mut self, which: usize) {
        let delay = self.rng.range(20_000, 500_000);
        self.after(delay, What::Watcher { which });
        let broken = !self.healed && self.plan.broken_sessions && self.rng.percent(10);
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
        if std::thread::panicking() {
            eprintln!("--- the run of seed {} failed at {} us", self.plan.seed, self.now);
            eprintln!("{:#?}", self.plan);
            for (at, note) in &self.notes {
                eprintln!("{at:>10} {note}");
            }
        }
    }
}
