//! A group of nodes over a simulated network, disks and clocks, driven by one seeded event queue.
//!
//! After every event the world checks what must always hold: one leader a term, no gaps and equal
//! entries in what is handed out for apply, every such entry durable on a majority, reads not stale,
//! and no honest message refused. It does not check liveness; see [`World::heal_and_converge`].

mod disk;
mod faults;
mod rng;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use disk::Disk;
use order::{
    Config, Entry, Fetch, Message, MessageKind, Order, Persist, ProposeError, Role, StepError,
};
use rng::Rng;

#[derive(Debug)]
enum Event {
    Tick { node: usize, life: u64 },
    Deliver(Message),
    WriteDone { node: usize, life: u64, op: u64 },
    Apply { node: usize, life: u64 },
    Fetched { node: usize, life: u64, fetch: Fetch },
    Restart { node: usize },
    CrashAgain { node: usize, life: u64 },
    Mend { node: usize, from: u64 },
    Client,
    Fault,
    EndPartition,
}

struct Node {
    order: Option<Order>,
    life: u64,
    disk: Disk,
    writes: VecDeque<Persist>,
    disk_free_at: u64,
    apply_queue: VecDeque<Entry>,
    applied: u64,
    handed_out: u64,
    tick_units: u64,
    reads: BTreeMap<u64, u64>,
}

/// How often things happened, to prove that a run met what it claims to test.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) crashes: u64,
    pub(crate) lost_writes: u64,
    pub(crate) partitions: u64,
    pub(crate) elections: u64,
    pub(crate) transfers: u64,
    pub(crate) committed: u64,
    pub(crate) reads: u64,
    pub(crate) fetches: u64,
    pub(crate) busy_steps: u64,
    pub(crate) busy_proposals: u64,
    pub(crate) compactions: u64,
    pub(crate) offers: u64,
    pub(crate) mends: u64,
    pub(crate) losses: u64,
    pub(crate) recoveries: u64,
    pub(crate) words_of_loss: u64,
}

pub(crate) struct World {
    seed: u64,
    rng: Rng,
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    nodes: Vec<Node>,
    cut: BTreeSet<(u64, u64)>,
    chaos: bool,
    loss_percent: u64,
    duplicate_percent: u64,
    slow_disk_percent: u64,
    next_data: u64,
    /// All entries that any node ever handed out for apply.
    chosen: Vec<Entry>,
    leaders: BTreeMap<u64, u64>,
    pub(crate) trace: u64,
    pub(crate) counts: Counts,
}

/// Names the seed when a check anywhere below fails.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed: seed {} at time {}", self.seed, self.now);
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let count = match rng.range(0, 20) {
            few @ 1..=2 => few as usize,
            3..=13 => 3,
            14 => 4,
            _ => 5,
        };
        let nodes = (0..count)
            .map(|_| Node {
                order: None,
                life: 0,
                disk: Disk::default(),
                writes: VecDeque::new(),
                disk_free_at: 0,
                apply_queue: VecDeque::new(),
                applied: 0,
                handed_out: 0,
                tick_units: rng.range(8, 13),
                reads: BTreeMap::new(),
            })
            .collect();
        let mut world = World {
            seed,
            loss_percent: rng.range(0, 15),
            duplicate_percent: rng.range(0, 15),
            slow_disk_percent: rng.range(0, 10),
            rng,
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            nodes,
            cut: BTreeSet::new(),
            chaos: true,
            next_data: 0,
            chosen: Vec::new(),
            leaders: BTreeMap::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            counts: Counts::default(),
        };
        (0..count).for_each(|node| world.start(node));
        world.schedule(50, Event::Client);
        world.schedule(200, Event::Fault);
        world
    }

    /// Runs with faults until `end`.
    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let (at, event) = entry.remove_entry();
            self.now = at.0;
            self.counts.events += 1;
            self.note(self.now);
            self.handle(event);
        }
        self.now = end;
    }

    /// Ends all faults; then the group must agree, and order new work.
    pub(crate) fn heal_and_converge(&mut self) {
        self.chaos = false;
        self.cut.clear();
        for node in 0..self.nodes.len() {
            if self.nodes[node].order.is_none() {
                self.start(node);
            }
        }
        let before = self.chosen.len();
        self.run_until(self.now + 2500);
        let leader = self.leader().expect("a healed group has a leader");
        assert!(self.chosen.len() > before, "nothing was ordered after healing");
        let chosen = self.chosen.len() as u64;
        // The queue still holds client work; let the last of it reach every node.
        self.queue.retain(|_, event| !matches!(event, Event::Client));
        self.run_until(self.now + 600);
        for node in &self.nodes {
            assert!(node.applied >= chosen, "a node stays behind at {} of {chosen}", node.applied);
            assert_eq!(node.applied, self.chosen.len() as u64, "nodes end at different indexes");
            let order = node.order.as_ref().expect("runs");
            assert!(!order.recovering(), "a lost log is still not whole");
        }
        let status = self.nodes[leader].order.as_ref().expect("runs").status();
        assert!(status.peers.iter().all(|peer| peer.matched == status.last_index));
    }

    fn leader(&self) -> Option<usize> {
        let leads = |node: &Node| {
            node.order.as_ref().is_some_and(|order| order.status().role == Role::Leader)
        };
        self.nodes.iter().position(leads)
    }

    fn note(&mut self, value: u64) {
        self.trace = (self.trace ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
    }

    fn schedule(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    fn start(&mut self, node: usize) {
        let seed = self.rng.next();
        let voters = (1..=self.nodes.len() as u64).collect();
        let mut config = Config::new(node as u64 + 1, voters, seed);
        config.entry_bytes_max = 300;
        config.message_bytes_max = 600;
        config.inflight_messages_max = 4;
        config.uncommitted_bytes_max = 2500;
        config.committed_bytes_per_round_max = 500;
        config.cache_bytes_max = 1500;
        let restored = self.nodes[node].disk.restored(&mut self.rng);
        let own = &mut self.nodes[node];
        own.life += 1;
        own.applied = own.disk.applied;
        own.handed_out = own.disk.applied;
        let mut order = Order::new(config, restored).expect("a durable log is consistent");
        if let Some(&(index, term)) = own.disk.snapshots.back() {
            order.snapshot_made(index, term);
        }
        let recovering = order.recovering();
        own.order = Some(order);
        let (life, units) = (own.life, own.tick_units);
        let delay = self.rng.range(1, units + 1);
        self.schedule(delay, Event::Tick { node, life });
        if recovering && self.chaos && self.rng.percent(60) {
            let delay = self.rng.range(1, 150);
            self.schedule(delay, Event::CrashAgain { node, life });
        }
        self.effects(node);
    }

    fn alive(&mut self, node: usize, life: u64) -> Option<&mut Order> {
        let own = &mut self.nodes[node];
        if own.life == life { own.order.as_mut() } else { None }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Tick { node, life } => {
                let Some(order) = self.alive(node, life) else { return };
                order.tick();
                self.effects(node);
                self.schedule(self.nodes[node].tick_units, Event::Tick { node, life });
            }
            Event::Deliver(message) => {
                let node = message.to as usize - 1;
                let kind = message.kind as u64;
                self.counts.words_of_loss += u64::from(message.kind == MessageKind::LogLost);
                self.note(kind << 32 | message.from << 16 | message.to);
                let Some(order) = self.nodes[node].order.as_mut() else { return };
                match order.step(message.clone()) {
                    Ok(()) => self.effects(node),
                    Err(StepError::Busy) => self.counts.busy_steps += 1,
                    Err(error) => panic!("an honest message was refused: {error}: {message:?}"),
                }
            }
            Event::WriteDone { node, life, op } => {
                if self.alive(node, life).is_none() {
                    return;
                }
                let own = &mut self.nodes[node];
                while own.writes.front().is_some_and(|write| write.op <= op) {
                    let write = own.writes.pop_front().expect("just seen");
                    own.disk.write(&write);
                }
                self.alive(node, life).expect("alive").persisted(op);
                self.effects(node);
            }
            Event::Apply { node, life } => {
                if self.alive(node, life).is_none() {
                    return;
                }
                let own = &mut self.nodes[node];
                let count = self.rng.range(0, own.apply_queue.len() as u64 + 1) as usize;
                for entry in own.apply_queue.drain(..count) {
                    own.applied = entry.index;
                }
                let applied = own.applied;
                let checkpoint = self.rng.range(0, 100);
                if checkpoint < 10 {
                    own.disk.applied = applied;
                }
                if !own.apply_queue.is_empty() {
                    let delay = self.rng.range(1, 8);
                    self.schedule(delay, Event::Apply { node, life });
                }
                self.alive(node, life).expect("alive").applied(applied);
                if applied > 0 && (10..20).contains(&checkpoint) {
                    self.checkpoint(node);
                }
                self.effects(node);
            }
            Event::Fetched { node, life, fetch } => {
                let fails = self.rng.percent(10);
                if self.alive(node, life).is_none() {
                    return;
                }
                let read = self.nodes[node].disk.read(fetch.low, fetch.high, fetch.bytes_max);
                let order = self.alive(node, life).expect("alive");
                match read {
                    Some(entries) if !fails => order.fetched(fetch.token, entries),
                    _ => order.fetch_failed(fetch.token),
                }
                self.counts.fetches += 1;
                self.effects(node);
            }
            Event::Restart { node } => {
                if self.nodes[node].order.is_none() {
                    self.start(node);
                }
            }
            Event::CrashAgain { node, life } => self.crash_again(node, life),
            Event::Mend { node, from } => self.mend(node, from),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
            Event::EndPartition => self.cut.clear(),
        }
    }

    /// The applied state becomes a snapshot, and often the log below one is released.
    fn checkpoint(&mut self, node: usize) {
        let own = &mut self.nodes[node];
        let index = own.applied;
        let term = self.chosen[index as usize - 1].term;
        own.disk.snapshot(index, term);
        let order = own.order.as_mut().expect("alive");
        order.snapshot_made(index, term);
        let below = match self.rng.range(0, 3) {
            0 => own.disk.snapshots[0].0 + 1,
            1 => own.disk.snapshots.back().expect("just made").0 + 1,
            _ => return,
        };
        order.compact(below);
        own.disk.release_below(below);
        self.counts.compactions += 1;
    }

    fn client(&mut self) {
        let delay = self.rng.range(5, 40);
        self.schedule(delay, Event::Client);
        let node = self.rng.range(0, self.nodes.len() as u64) as usize;
        // Some clients know the leader, some guess.
        let node = if self.rng.percent(70) { self.leader().unwrap_or(node) } else { node };
        let chosen = self.chosen.len() as u64;
        let burst = if self.rng.percent(10) { 12 } else { self.rng.range(1, 4) };
        let Some(order) = self.nodes[node].order.as_mut() else { return };
        for _ in 0..burst {
            self.next_data += 1;
            let mut data = self.next_data.to_be_bytes().to_vec();
            data.resize(self.rng.range(8, 301) as usize, 0);
            match order.propose(Bytes::from(data)) {
                Ok(_) | Err(ProposeError::NotLeader { .. } | ProposeError::NotReady) => {}
                Err(ProposeError::Busy) => self.counts.busy_proposals += 1,
                Err(error) => panic!("{error}"),
            }
        }
        if self.rng.percent(50) && order.read_index(self.next_data).is_ok() {
            self.nodes[node].reads.insert(self.next_data, chosen);
        }
        self.effects(node);
    }

    /// Performs what a node asks for, and checks it.
    fn effects(&mut self, node: usize) {
        let life = self.nodes[node].life;
        let Some(order) = self.nodes[node].order.as_mut() else { return };
        let output = order.take_output();
        let status = order.status();
        assert!(!status.recovering || status.role == Role::Follower, "it cannot know enough");
        if output.recovered {
            self.counts.recoveries += 1;
            // The mark may outlive the recovery.
            if !status.recovering && self.rng.percent(80) {
                self.nodes[node].disk.forget_loss();
            }
        }
        if status.role == Role::Leader {
            let known = *self.leaders.entry(status.term).or_insert_with(|| {
                self.counts.elections += 1;
                status.id
            });
            assert_eq!(known, status.id, "two leaders in term {}", status.term);
        }
        for write in output.persist {
            self.note(write.op << 1 | u64::from(write.must_sync));
            if write.must_sync {
                let slow = self.chaos && self.rng.percent(self.slow_disk_percent);
                let took = if slow { self.rng.range(20, 400) } else { self.rng.range(1, 10) };
                let own = &mut self.nodes[node];
                own.disk_free_at = own.disk_free_at.max(self.now) + took;
                let delay = own.disk_free_at - self.now;
                self.schedule(delay, Event::WriteDone { node, life, op: write.op });
            }
            self.nodes[node].writes.push_back(write);
        }
        for message in output.messages {
            assert_eq!(message.from, node as u64 + 1, "a message in another node's name");
            self.send(message);
        }
        for entry in output.committed {
            self.check_handed_out(node, &entry);
            if self.nodes[node].apply_queue.is_empty() {
                let delay = self.rng.range(1, 8);
                self.schedule(delay, Event::Apply { node, life });
            }
            self.nodes[node].apply_queue.push_back(entry);
        }
        for read in output.reads {
            self.note(read.index);
            let floor = self.nodes[node].reads.remove(&read.context).expect("answered once");
            assert!(read.index >= floor, "a stale read at {} below {floor}", read.index);
            self.counts.reads += 1;
        }
        for fetch in output.fetches {
            let delay = self.rng.range(1, 20);
            self.schedule(delay, Event::Fetched { node, life, fetch });
        }
        if let Some(offer) = output.needs_snapshot {
            self.stop_for_mending(node, offer.from);
        }
    }

    fn send(&mut self, message: Message) {
        let link = (message.from, message.to);
        let lossy = self.chaos;
        if lossy && (self.cut.contains(&link) || self.rng.percent(self.loss_percent)) {
            return;
        }
        let copies = if lossy && self.rng.percent(self.duplicate_percent) { 2 } else { 1 };
        for _ in 0..copies {
            let late = lossy && self.rng.percent(5);
            let delay = if late { self.rng.range(10, 300) } else { self.rng.range(1, 8) };
            self.schedule(delay, Event::Deliver(message.clone()));
        }
    }

    fn check_handed_out(&mut self, node: usize, entry: &Entry) {
        let own = &mut self.nodes[node];
        assert_eq!(entry.index, own.handed_out + 1, "a gap in what node {} applies", node + 1);
        own.handed_out = entry.index;
        self.note(entry.index ^ entry.term << 40 ^ (entry.data.len() as u64) << 20);
        let position = entry.index as usize - 1;
        if let Some(chosen) = self.chosen.get(position) {
            assert_eq!(chosen, entry, "two nodes apply different entries at one index");
            return;
        }
        assert_eq!(position, self.chosen.len());
        let holds = |node: &&Node| node.disk.answers_for(entry);
        let durable_on = self.nodes.iter().filter(holds).count();
        assert!(
            durable_on > self.nodes.len() / 2,
            "entry {} was committed with {durable_on} durable copies",
            entry.index
        );
        self.chosen.push(entry.clone());
        self.counts.committed += 1;
    }
}
