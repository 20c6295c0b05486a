//! Three nodes over disks in memory, driven by hand: all that an event leads to is done at once.
//!
//! No message is lost and nothing waits. A node is opened as the program opens it: what its disk lacks
//! is fetched from the others, and what a scrub finds is set aside before the next start.

use std::{collections::VecDeque, path::Path, sync::Arc};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Command, LedgerTime, Leg, Legs, ParticipantNumber, Transfer, TransferId,
};
use settlement_node::{
    event::{Effects, Event},
    forms::{history_block, log_op, order_entry},
    mend::{Ask, Mender},
    node::Node,
    old_ids::OldIdsOnDisk,
    past::Past,
    peer_message::{self, RecentBlocks},
    prepare::PreparedSubmission,
    recover::{self, Start, Started, Wounds},
    serve::Shelf,
    storage::{Damage, Folders, Storage},
    store::{
        history::{HistoryBlock, HistoryOptions},
        scrub::{Part, Scrubber, SnapshotSource, Step},
        snapshots::Sink,
        vfs::{MemVfs, Vfs},
        wal::WalOptions,
    },
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    client::Query,
    genesis::{Genesis, hex},
    repair::Answer,
};

pub(crate) const NODES: u64 = 3;
const BANK: ParticipantNumber = ParticipantNumber(0);
/// Of the only client; each life of a node has it.
const SESSION: u64 = 1;
const TICK_NS: u64 = 50_000_000;
/// Bytes of log between two snapshots: about eight blocks.
const SNAPSHOT_BYTES: u64 = 3_000;
/// Starts and rounds of mending that one damage may need.
const ATTEMPTS: usize = 8;

/// The network's description and the only bank's key.
pub(crate) fn genesis() -> (Genesis, SigningKey) {
    let key = SigningKey::from_bytes(&[5; 32]);
    let node = |id: u64| {
        let link = hex(SigningKey::from_bytes(&[id as u8; 32]).verifying_key().as_bytes());
        format!(
            r#"{{ id = {id}, bic = "ALPHDEFF", link_key = "{link}", address = "127.0.0.1:{}", client_address = "127.0.0.1:{}" }}"#,
            2000 + id,
            3000 + id
        )
    };
    let nodes: Vec<String> = (1..=NODES).map(node).collect();
    let text = format!(
        r#"version = 1
network = "flips"
time_ns = 1
nodes = [{}]
participants = [{{ bic = "ALPHDEFF", name = "Alpha", signing_keys = ["{}"], sealing_key = "{}", gateway_keys = [] }}]
assets = [{{ code = "EUR", exponent = 2, issuer = "ALPHDEFF" }}]
accounts = [{{ account = "ALPHDEFF/EUR" }}, {{ account = "ALPHDEFF/EUR/other" }}]
funding = [{{ id = "00000000-0000-4000-8000-000000000001", account = "ALPHDEFF/EUR", amount = 1000000000 }}]
"#,
        nodes.join(", "),
        hex(key.verifying_key().as_bytes()),
        "00".repeat(32),
    );
    (Genesis::parse(text.as_bytes()).unwrap(), key)
}

pub(crate) fn folders() -> Folders {
    Folders::under(Path::new("/data"))
}

/// Opens a disk as it is; an error is what an operator would read.
pub(crate) fn open(vfs: &MemVfs, id: u64, genesis: &Genesis) -> Result<Storage, String> {
    let options = WalOptions {
        segment_bytes: 16 << 10,
        released_max: 1,
        background: false,
        node_id: id,
        network_id: genesis.domain.network,
        ..WalOptions::default()
    };
    let history = HistoryOptions { file_bytes: 6 << 10, sync_bytes: 2 << 10 };
    let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    Storage::open(vfs, folders(), options, history).map_err(|error| format!("open: {error}"))
}

/// What peers may have of an open storage.
pub(crate) fn shelf(storage: &Storage) -> Shelf {
    Shelf {
        snapshots: storage.snapshots.clone(),
        runs: storage.runs.clone(),
        history: storage.history.reader(),
        log: storage.wal.reader(),
        committed: u64::MAX,
    }
}

/// A node that runs.
pub(crate) struct Machine {
    pub(crate) id: u64,
    pub(crate) storage: Storage,
    pub(crate) node: Node,
    recent: RecentBlocks,
    appended: u64,
}

impl Machine {
    /// Starts a node from its disk, with what `shelves` hold if something is missing. `said` gets what
    /// an operator would be told. `above`: a snapshot above this log index is needed.
    pub(crate) fn begin(
        vfs: &MemVfs,
        id: u64,
        genesis: &Genesis,
        above: Option<u64>,
        shelves: &[(u64, Shelf)],
        said: &mut Vec<String>,
    ) -> Result<Self, String> {
        let mut storage = open(vfs, id, genesis)?;
        let mut wounds = above.map(|_| Wounds { snapshot_above: above, ..Wounds::default() });
        for _ in 0..ATTEMPTS {
            if let Some(wounds) = wounds.take() {
                said.append(&mut storage.findings);
                said.push(format!("fetching {wounds}"));
                storage = mend(storage, genesis, wounds, shelves, said)?;
            }
            let start = Start {
                id,
                genesis,
                seed: 70 + id,
                table_key: [1, 2],
                snapshot_bytes: SNAPSHOT_BYTES,
            };
            let started = recover::start(&start, &mut storage);
            said.append(&mut storage.findings);
            match started.map_err(|error| format!("start: {error}"))? {
                Started::Ready(node) => {
                    let recent = RecentBlocks::default();
                    return Ok(Self { id, storage, node: *node, recent, appended: 0 });
                }
                Started::Wounded(missing) => wounds = Some(missing),
            }
        }
        Err(format!("still not whole after {ATTEMPTS} rounds of mending: {said:?}"))
    }

    /// Starts a node, scrubs its disk, and has what is found mended, until there is nothing more.
    pub(crate) fn begin_whole(
        vfs: &MemVfs,
        id: u64,
        genesis: &Genesis,
        shelves: &[(u64, Shelf)],
        said: &mut Vec<String>,
    ) -> Result<Self, String> {
        for _ in 0..ATTEMPTS {
            let machine = Self::begin(vfs, id, genesis, None, shelves, said)?;
            let Some((damage, place)) = machine.scrub()? else { return Ok(machine) };
            said.push(format!("scrub: {place}; set aside {damage}"));
            machine.end()?;
            let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
            damage.set_aside(&vfs, &folders()).map_err(|error| format!("set aside: {error}"))?;
        }
        Err(format!("a scrub finds damage again and again: {said:?}"))
    }

    /// Stops in good order.
    pub(crate) fn end(mut self) -> Result<(), String> {
        self.storage.history.sync().map_err(|error| error.to_string())?;
        self.storage.wal.close().map_err(|error| error.to_string())
    }

    /// One pass of the scrubber.
    pub(crate) fn scrub(&self) -> Result<Option<(Damage, String)>, String> {
        let shelf = shelf(&self.storage);
        let log = self.storage.wal.reader();
        let mut scrubber = Scrubber::new(log, shelf.history.clone(), shelf.runs.clone());
        scrubber.add(Box::new(SnapshotSource::new(shelf.snapshots.clone())));
        loop {
            match scrubber.step() {
                Step::Read(_) => {}
                Step::PassEnded(_) => return Ok(None),
                Step::Failed(error) => return Err(format!("the scrubber cannot read: {error}")),
                Step::Damaged(found) => {
                    let damage = match found.part {
                        Part::Log => Damage::Log,
                        Part::History => Damage::History { height: found.number },
                        Part::Snapshot => Damage::Snapshot { index: found.number },
                        Part::Run => return Err("there are no runs".to_owned()),
                    };
                    return Ok(Some((damage, found.place)));
                }
            }
        }
    }

    /// All blocks of the history.
    pub(crate) fn blocks(&self) -> Result<Vec<HistoryBlock>, String> {
        let reader = self.storage.history.reader();
        let last = reader.last_height().unwrap_or(0);
        let block = |height| {
            let found = reader.block(height).map_err(|error| format!("block {height}: {error}"))?;
            let block = found.ok_or_else(|| format!("block {height} is missing"))?;
            // Who has a block from another node does not know where it stood in the log.
            Ok(HistoryBlock { log_index: 0, ..block })
        };
        (1..=last).map(block).collect()
    }

    /// Height, roots, and what was settled.
    pub(crate) fn roots(&self) -> (u64, ledger::Digest, proof::Hash, u64) {
        let chain = self.node.chain();
        (chain.height().0, chain.state_root(), chain.log_root(), chain.settled())
    }
}

/// Fetches what is missing.
fn mend(
    storage: Storage,
    genesis: &Genesis,
    wounds: Wounds,
    shelves: &[(u64, Shelf)],
    said: &mut Vec<String>,
) -> Result<Storage, String> {
    let peers: Vec<u64> = shelves.iter().map(|shelf| shelf.0).collect();
    let mut mender = Mender::new(storage, genesis.clone(), wounds);
    let mut ask: Option<Ask> = None;
    for _ in 0..1_000 {
        if mender.is_done() {
            said.append(&mut mender.alarms);
            return Ok(mender.into_storage());
        }
        ask = match ask.take() {
            None => mender.tick(&peers),
            Some(ask) => {
                let shelf = shelves.iter().find(|shelf| shelf.0 == ask.peer).unwrap();
                let (answer, trouble) = shelf.1.answer(&ask.request);
                if let Some(trouble) = trouble {
                    return Err(format!("node {} cannot answer: {trouble}", ask.peer));
                }
                let answer = Answer::decode(answer.encode()).unwrap();
                mender.answer(ask.peer, answer).map_err(|error| format!("mend: {error}"))?
            }
        };
    }
    Err(format!("not mended: {:?}, {}", mender.alarms, mender.progress()))
}

/// The nodes that run, and the messages between them.
pub(crate) struct Network {
    genesis: Genesis,
    key: SigningKey,
    pub(crate) disks: Vec<MemVfs>,
    /// By id, from 1.
    pub(crate) machines: Vec<Option<Machine>>,
    queue: VecDeque<(u64, u64, Bytes)>,
    now: u64,
    /// Ids of the transfers made so far.
    pub(crate) paid: u64,
    /// What the nodes alarmed their operators of.
    pub(crate) alarms: Vec<String>,
    /// What was said when one had to be started again.
    pub(crate) said: Vec<String>,
}

impl Network {
    pub(crate) fn new(disks: Vec<MemVfs>, now: u64, paid: u64) -> Self {
        let (genesis, key) = genesis();
        let machines = disks.iter().map(|_| None).collect();
        let (queue, alarms, said) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { genesis, key, disks, machines, queue, now, paid, alarms, said }
    }

    pub(crate) fn start(&mut self, id: u64) {
        let vfs = &self.disks[id as usize - 1];
        let machine = Machine::begin(vfs, id, &self.genesis, None, &[], &mut self.said).unwrap();
        self.join(machine);
    }

    pub(crate) fn join(&mut self, mut machine: Machine) {
        let opened = Event::SessionOpened { session: SESSION, participant: BANK };
        machine.node.on(LedgerTime(self.now), opened, &mut Effects::default());
        let at = machine.id as usize - 1;
        self.machines[at] = Some(machine);
    }

    pub(crate) fn machine(&self, id: u64) -> &Machine {
        self.machines[id as usize - 1].as_ref().unwrap()
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// The id of the node that leads, if all that run say so.
    pub(crate) fn leader(&self) -> Option<u64> {
        let mut said = self.machines.iter().flatten().map(|machine| machine.node.leader());
        let first = said.next()??;
        said.all(|other| other == Some(first)).then_some(first)
    }

    /// A tick at each node, and all that follows from it.
    pub(crate) fn round(&mut self) -> Result<(), String> {
        self.now += TICK_NS;
        for at in 0..self.machines.len() {
            self.turn(at, vec![Event::Tick])?;
        }
        self.deliver()
    }

    /// Ticks until `enough`.
    pub(crate) fn until(&mut self, enough: impl Fn(&Self) -> bool) -> Result<(), String> {
        for _ in 0..600 {
            if enough(self) {
                return Ok(());
            }
            self.round()?;
        }
        let all = self.machines.iter().flatten();
        let status: Vec<_> = all.map(|one| (one.roots().0, one.node.order_status())).collect();
        Err(format!("nothing came of it: {status:?}"))
    }

    fn deliver(&mut self) -> Result<(), String> {
        for _ in 0..10_000 {
            let Some((from, to, payload)) = self.queue.pop_front() else { return Ok(()) };
            let at = to as usize - 1;
            let Some(machine) = &mut self.machines[at] else { continue };
            let old = OldIdsOnDisk(machine.storage.runs.clone());
            let domain = &self.genesis.domain;
            let checked = peer_message::check(from, payload, domain, &old, &mut machine.recent);
            let (message, blocks) = checked.map_err(|error| format!("node {to}: {error}"))?;
            self.turn(at, vec![Event::Peer { message, blocks }])?;
        }
        Err("the nodes do not stop talking".to_owned())
    }

    fn turn(&mut self, at: usize, events: Vec<Event>) -> Result<(), String> {
        let mut events = VecDeque::from(events);
        while let Some(event) = events.pop_front() {
            let Some(machine) = &mut self.machines[at] else { return Ok(()) };
            self.now += 1_000;
            let mut effects = Effects::default();
            machine.node.on(LedgerTime(self.now), event, &mut effects);
            let settled = machine.node.settle(&mut effects);
            settled.map_err(|error| format!("node {}: {error}", machine.id))?;
            let alarms = std::mem::take(&mut effects.alarms);
            self.alarms.extend(alarms.iter().map(|text| format!("node {}: {text}", machine.id)));
            for message in std::mem::take(&mut effects.send) {
                let (from, to) = (message.from, message.to);
                let pieces = peer_message::to_wire(message).encode();
                self.queue.push_back((from, to, Bytes::from(pieces.concat())));
            }
            if let Some(above) = effects.mend_above {
                return self.again(at, above);
            }
            perform(machine, effects, &mut events).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// A node ends and starts again with the state of another.
    fn again(&mut self, at: usize, above: u64) -> Result<(), String> {
        let machine = self.machines[at].take().expect("it runs");
        let id = machine.id;
        machine.end()?;
        let others = self.machines.iter_mut().flatten();
        let mut shelves = Vec::new();
        for other in others {
            other.storage.history.flush().map_err(|error| error.to_string())?;
            shelves.push((other.id, shelf(&other.storage)));
        }
        let said = &mut self.said;
        let vfs = &self.disks[at];
        let machine = Machine::begin(vfs, id, &self.genesis, Some(above), &shelves, said)?;
        self.join(machine);
        Ok(())
    }

    /// One batch of transfers, settled at every node that runs.
    pub(crate) fn pay(&mut self, count: u64) -> Result<(), String> {
        self.until(|net| net.leader().is_some())?;
        let leader = self.leader().expect("just seen") as usize - 1;
        let mut builder = BatchBuilder::new(&self.genesis.domain, BANK, LedgerTime(u64::MAX));
        for _ in 0..count {
            self.paid += 1;
            let leg =
                Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(1) };
            builder.push(&Command::Transfer(Transfer {
                id: transfer_id(self.paid),
                legs: Legs::One(leg),
                document: None,
                options: None,
            }));
        }
        let (batch, _) = builder.sign(&[(BANK, &self.key)]);
        let frame = encode_submission(&batch, &[]);
        let machine = self.machines[leader].as_ref().expect("it leads");
        let old = OldIdsOnDisk(machine.storage.runs.clone());
        let prepared = PreparedSubmission::check(frame, &self.genesis.domain, &old);
        let prepared = prepared.map_err(|error| error.to_string())?;
        self.turn(leader, vec![Event::Submit { session: SESSION, prepared }])?;
        self.deliver()?;
        let paid = self.paid;
        self.until(|net| {
            net.machines.iter().flatten().all(|one| one.node.chain().settled() == paid)
        })
    }

    /// What a node says of a transfer, as it would go to a client.
    pub(crate) fn status(&mut self, id: u64, transfer: u64) -> Result<Vec<u8>, String> {
        let machine = self.machines[id as usize - 1].as_mut().expect("it runs");
        let query = Query::Transfer(transfer_id(transfer));
        let asked = Event::Query { session: SESSION, number: 1, query };
        let mut effects = Effects::default();
        machine.node.on(LedgerTime(self.now), asked, &mut effects);
        let [find] = &effects.finds[..] else { return Err("the query was not taken".to_owned()) };
        let past = Past {
            history: machine.storage.history.reader(),
            domain: self.genesis.domain,
            old_ids: Arc::new(OldIdsOnDisk(machine.storage.runs.clone())),
        };
        let found = past.find(find).map_err(|error| format!("node {id}: {error}"))?;
        Ok(found.encode(1).to_vec())
    }
}

pub(crate) fn transfer_id(number: u64) -> TransferId {
    let mut id = [0x40; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    TransferId(id)
}

/// Does on the disk what a turn wants done.
fn perform(
    machine: &mut Machine,
    effects: Effects,
    events: &mut VecDeque<Event>,
) -> Result<(), Box<dyn std::error::Error>> {
    let storage = &mut machine.storage;
    for persist in effects.persist {
        let op = persist.op;
        storage.wal.append(&[log_op(persist)])?;
        events.push_back(Event::Persisted { op });
    }
    for block in &effects.history {
        storage.history.append(&history_block(block))?;
        machine.appended += 1;
        if machine.appended.is_multiple_of(4) {
            storage.history.sync()?;
        }
    }
    if !effects.history.is_empty() {
        storage.history.flush()?;
    }
    if let Some(checkpoint) = effects.snapshot {
        storage.history.sync()?;
        let (place, head) = (checkpoint.place, checkpoint.head());
        storage.snapshots.write(place, &head, |sink: &mut Sink<'_>| checkpoint.body(sink))?;
        events.push_back(Event::SnapshotWritten { place });
    }
    if let Some(index) = effects.release_log_below {
        storage.wal.release_below(index);
    }
    if effects.log_is_whole {
        storage.wal.forget_loss()?;
    }
    for fetch in effects.fetches {
        let read = storage.wal.reader().read(fetch.low, fetch.high, fetch.bytes_max).ok();
        let entries = read.map(|found| found.into_iter().map(order_entry).collect());
        events.push_back(Event::Fetched { token: fetch.token, entries });
    }
    assert!(effects.runs.is_empty() && effects.scans.is_empty(), "nobody makes them here");
    Ok(())
}
