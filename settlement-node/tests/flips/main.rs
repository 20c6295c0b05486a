//! Flips bytes of a stopped node's data directory, one at a time, and starts the node again each time.
//!
//! Whatever byte it is: either nothing differs from what was there before, or the node (or a scrub) says
//! what is damaged, and all is got back from the others. It never gives an answer that differs from
//! theirs, never accuses them, and is not accused by them. Long runs of zeros are sampled; everything else
//! is flipped byte by byte with `CORRIDOR_FLIPS=all`, and every so many bytes without it.
//!
//! Runs of old ids need a million ids each and are not in these disks: their own tests flip them.
#![allow(clippy::unwrap_used)]

mod network;

use std::{
    collections::{BTreeMap, HashMap},
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use settlement_node::{
    serve::Shelf,
    storage::Storage,
    store::{
        history::HistoryBlock,
        vfs::{MemVfs, Vfs},
        wal::{Recovered, WalEntry},
    },
};
use sha2::{Digest, Sha256};
use wire::genesis::Genesis;

use network::{Machine, NODES, Network, folders, genesis, open, shelf};

/// Chooses how many bytes are flipped: `all`, or every how manieth.
const VARIABLE: &str = "CORRIDOR_FLIPS";
/// Without the variable; a prime, so that all columns of a table get their turn.
const STEP: usize = 31;
/// Of a run of at least so many zeros one in so many is flipped.
const ZEROS: usize = 64;

/// Blocks after the newest snapshot, or nearly so many.
const BATCHES_ABOVE: usize = 8;

/// How the node was stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Clean,
    Killed,
}

/// What came of a flip.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Nobody noticed, and nothing differs.
    Harmless,
    /// The last write counts as unfinished.
    Torn,
    /// Named to the operator and made good from what this node has.
    Own,
    /// Named to the operator and made good by the other nodes.
    Peers,
}

const CLASSES: [&str; 4] = ["harmless", "torn", "repaired", "by peers"];

/// A stopped node, and the disks of the others.
struct Scene {
    stop: Stop,
    victim: u64,
    disks: Vec<MemVfs>,
    now: u64,
    paid: u64,
    genesis: Genesis,
    /// What the victim is without a flip.
    sound: Seen,
}

/// All that a start brings to light.
#[derive(PartialEq, Debug)]
struct Seen {
    recovered: Recovered,
    entries: Vec<WalEntry>,
    blocks: Vec<HistoryBlock>,
    snapshots: Vec<u64>,
    roots: (u64, ledger::Digest, proof::Hash, u64),
}

impl Seen {
    fn of(machine: &Machine) -> Result<Self, String> {
        let storage = &machine.storage;
        let log = storage.wal.reader();
        let (mut next, mut entries) = (log.first_index(), Vec::new());
        while next <= log.last_index() {
            let read = log.read(next, log.last_index() + 1, 1 << 20);
            entries.extend(read.map_err(|error| format!("entry {next}: {error}"))?);
            next = entries.last().map_or(next, |entry: &WalEntry| entry.index) + 1;
        }
        Ok(Self {
            recovered: storage.recovered.clone(),
            entries,
            blocks: machine.blocks()?,
            snapshots: storage.snapshots.list().map_err(|error| error.to_string())?,
            roots: machine.roots(),
        })
    }
}

impl Scene {
    /// A network with a past: two snapshots, a released log, several terms; one node stopped.
    fn set(stop: Stop) -> Self {
        let disks: Vec<MemVfs> = (0..NODES).map(|_| MemVfs::new()).collect();
        let mut net = Network::new(disks, 1_000_000_000, 0);
        (1..=NODES).for_each(|id| net.start(id));
        for batch in 0..36 {
            net.pay(1 + batch % 3).unwrap();
            if batch % 12 == 11 {
                // Another leader, another term.
                let leader = net.leader().unwrap();
                net.machines[leader as usize - 1].take().unwrap().end().unwrap();
                net.until(|net| net.leader().is_some_and(|other| other != leader)).unwrap();
                net.start(leader);
                net.until(|net| net.leader().is_some()).unwrap();
            }
        }
        // More files of the history above the newest snapshot than the last one, which is read at a start.
        for _ in 0..BATCHES_ABOVE {
            net.pay(1).unwrap();
        }
        // The leader is killed, a follower is stopped.
        let leader = net.leader().unwrap();
        let victim = if stop == Stop::Killed { leader } else { leader % NODES + 1 };
        let machine = net.machines[victim as usize - 1].take().unwrap();
        let at = victim as usize - 1;
        match stop {
            Stop::Clean => machine.end().unwrap(),
            Stop::Killed => {
                drop(machine);
                net.disks[at] = net.disks[at].kill();
            }
        }
        net.until(|net| net.leader().is_some_and(|leader| leader != victim)).unwrap();
        net.pay(2).unwrap();
        net.pay(3).unwrap();
        for other in (1..=NODES).filter(|other| *other != victim) {
            net.machines[other as usize - 1].take().unwrap().end().unwrap();
        }
        assert!(net.alarms.is_empty(), "{:?}", net.alarms);
        assert!(net.said.is_empty(), "{:?}", net.said);
        let (now, paid, disks, genesis) = (net.now(), net.paid, net.disks.clone(), genesis().0);
        let mut said = Vec::new();
        let whole = Machine::begin_whole(&disks[at].fork(), victim, &genesis, &[], &mut said);
        let whole = whole.unwrap();
        let sound = Seen::of(&whole).unwrap();
        assert!(said.is_empty(), "{said:?}");
        assert_eq!(sound.snapshots.len(), 2);
        let names = disks[at].list(&folders().history).unwrap();
        let first_of =
            |name: &String| name.strip_prefix("history-")?.strip_suffix(".blocks")?.parse().ok();
        let above = names.iter().filter_map(first_of);
        let above = above.filter(|first: &u64| *first > whole.node.snapshots().0[1].height).count();
        assert!(above > 1, "{above} files of the history begin above the newest snapshot");
        assert!(sound.recovered.first_index > 1 && sound.recovered.terms.len() > 1);
        Self { stop, victim, disks, now, paid, genesis, sound }
    }

    fn disk(&self) -> &MemVfs {
        &self.disks[self.victim as usize - 1]
    }

    /// The storages of the others, open for giving from.
    fn givers(&self) -> Vec<(u64, Storage)> {
        let others = (1..=NODES).filter(|id| *id != self.victim);
        let giver = |id: u64| (id, open(&self.disks[id as usize - 1].fork(), id, &self.genesis));
        others.map(giver).map(|(id, storage)| (id, storage.unwrap())).collect()
    }

    /// Every byte that is flipped: file and offset.
    fn places(&self) -> Vec<(PathBuf, usize)> {
        let mut places = Vec::new();
        for path in files(self.disk()) {
            let bytes = content(self.disk(), &path);
            let mut at = 0;
            while at < bytes.len() {
                let zeros = bytes[at..].iter().take_while(|byte| **byte == 0).count();
                let step = if zeros >= ZEROS { ZEROS } else { 1 };
                let end = at + zeros.max(1);
                places.extend((at..end).step_by(step).map(|at| (path.clone(), at)));
                at = end;
            }
        }
        places
    }

    /// Flips one byte and sees what comes of it.
    fn flip(
        &self,
        path: &Path,
        at: usize,
        shelves: &[(u64, Shelf)],
        known: &Known,
    ) -> Result<(Class, Vec<String>), String> {
        let vfs = self.disk().fork();
        let pattern = if at.is_multiple_of(5) { 0xff } else { 1 << (at % 8) };
        vfs.corrupt(path, |bytes| bytes[at] ^= pattern).unwrap();
        let mut said = Vec::new();
        let machine = Machine::begin_whole(&vfs, self.victim, &self.genesis, shelves, &mut said)?;
        if said.is_empty() {
            let seen = Seen::of(&machine)?;
            if seen == self.sound {
                return Ok((Class::Harmless, said));
            }
            // Behind the end of a log there may be an older use of the segment: an unfinished write
            // whose header says so cannot be told from that. And the end of the history is cut off where
            // it was not written wholly: what the log does not bring back at once, the leader will.
            let last = self.sound.entries.len() - 1;
            let log = &self.sound.entries[..];
            let torn = self.stop == Stop::Killed
                && (seen.entries == log[..last] || seen.entries == log)
                && self.sound.blocks.starts_with(&seen.blocks)
                && seen.blocks.len() as u64 >= seen.roots.0;
            if !torn {
                return Err(format!("nobody noticed, and it is different now: {seen:?}"));
            }
        }
        // From equal disks comes an equal course of things, which is then known already.
        let print = self.print(&vfs);
        let before = known.lock().unwrap().get(&print).cloned();
        let result = match before {
            Some(result) => result,
            None => {
                let result = self.take_part(&vfs, machine);
                known.lock().unwrap().insert(print, result.clone());
                result
            }
        };
        result.map_err(|error| format!("{error}; it had said {said:?}"))?;
        let torn = |text: &String| text.contains("unfinished write");
        if said.iter().all(torn) {
            return match self.stop {
                Stop::Killed => Ok((Class::Torn, said)),
                Stop::Clean => Err(format!("after a clean stop nothing is torn: {said:?}")),
            };
        }
        let fetched = said
            .iter()
            .any(|text| text.contains("fetching") || text.contains("fetched from the other nodes"));
        Ok((if fetched { Class::Peers } else { Class::Own }, said))
    }

    /// A digest of what the next start will see.
    fn print(&self, vfs: &MemVfs) -> [u8; 32] {
        let mut digest = Sha256::new();
        for path in files(vfs) {
            if !path.to_string_lossy().contains("damaged") {
                let bytes = content(vfs, &path);
                digest.update(path.to_string_lossy().as_bytes());
                digest.update((bytes.len() as u64).to_le_bytes());
                digest.update(&bytes);
            }
        }
        digest.finalize().into()
    }

    /// The node among the others: it catches up, is trusted, takes part in what comes, and is whole.
    fn take_part(&self, vfs: &MemVfs, machine: Machine) -> Result<(), String> {
        let mut disks: Vec<MemVfs> = self.disks.iter().map(MemVfs::fork).collect();
        disks[self.victim as usize - 1] = vfs.clone();
        let mut net = Network::new(disks, self.now, self.paid);
        (1..=NODES).filter(|id| *id != self.victim).for_each(|id| net.start(id));
        net.join(machine);
        let equal = |net: &Network| {
            let roots: Vec<_> = net.machines.iter().flatten().map(Machine::roots).collect();
            roots.len() == NODES as usize && roots.iter().all(|other| *other == roots[0])
        };
        let sound = |net: &Network| {
            net.machines.iter().flatten().all(|one| !one.node.order_status().recovering)
        };
        let paid = self.paid;
        net.until(|net| {
            net.leader().is_some()
                && equal(net)
                && sound(net)
                && net.machine(1).node.chain().settled() == paid
        })?;
        net.pay(2)?;
        if !equal(&net) {
            return Err("the nodes differ".to_owned());
        }
        if !net.alarms.is_empty() {
            return Err(format!("accusations: {:?}", net.alarms));
        }
        let other = self.victim % NODES + 1;
        let (own, theirs) = (net.machine(self.victim).blocks()?, net.machine(other).blocks()?);
        let height = net.machine(other).roots().0;
        if own != theirs || own.len() as u64 != height {
            return Err(format!("{} blocks, the others have {height}", own.len()));
        }
        for transfer in 0..=net.paid + 1 {
            if net.status(self.victim, transfer)? != net.status(other, transfer)? {
                return Err(format!("another answer about transfer {transfer}"));
            }
        }
        let machine = net.machines[self.victim as usize - 1].take().expect("it runs");
        if let Some((_, place)) = machine.scrub()? {
            return Err(format!("still damaged: {place}"));
        }
        let roots = machine.roots();
        machine.end()?;
        let mut said = Vec::new();
        let again = Machine::begin(vfs, self.victim, &self.genesis, None, &[], &mut said)?;
        let back = again.roots();
        // The last commit is known again once it hears from a leader.
        if !said.is_empty() || back.0 > roots.0 || back.0 == roots.0 && back != roots {
            return Err(format!("the start after that: {said:?}, {back:?} instead of {roots:?}"));
        }
        Ok(())
    }
}

/// What came of the disks that were seen so far.
type Known = Mutex<HashMap<[u8; 32], Result<(), String>>>;

/// All files of a node, by name.
fn files(vfs: &MemVfs) -> Vec<PathBuf> {
    let folders = folders();
    let mut found = Vec::new();
    for folder in [folders.wal, folders.history, folders.runs, folders.snapshots] {
        found.extend(vfs.list(&folder).unwrap().iter().map(|name| folder.join(name)));
    }
    found
}

fn content(vfs: &MemVfs, path: &Path) -> Vec<u8> {
    let file = vfs.open(path, false).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// How many bytes of each class a file has.
type Table = BTreeMap<PathBuf, [u64; CLASSES.len()]>;

/// Flips them all; panics with what failed.
fn flip_all(scene: &Scene) -> Table {
    let step = match env::var(VARIABLE) {
        Err(_) => STEP,
        Ok(text) if text == "all" => 1,
        Ok(text) => text.parse().unwrap(),
    };
    let places: Vec<_> = scene.places().into_iter().step_by(step).collect();
    let next = AtomicUsize::new(0);
    let (known, table) = (Known::default(), Mutex::new(Table::new()));
    let failures = Mutex::new(Vec::new());
    let work = || {
        let givers = scene.givers();
        let shelves: Vec<_> = givers.iter().map(|(id, giver)| (*id, shelf(giver))).collect();
        while let Some((path, at)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            let flipped = || scene.flip(path, *at, &shelves, &known);
            match catch_unwind(AssertUnwindSafe(flipped)) {
                Ok(Ok((class, _))) => {
                    let mut table = table.lock().unwrap();
                    table.entry(path.clone()).or_default()[class as usize] += 1;
                }
                Ok(Err(error)) => failures.lock().unwrap().push((path, *at, error)),
                Err(_) => failures.lock().unwrap().push((path, *at, "it panics".to_owned())),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    let table = table.into_inner().unwrap();
    println!("{} flips, {} courses", places.len(), known.into_inner().unwrap().len());
    print(&table);
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    let count = failures.len();
    failures.truncate(12);
    let list: Vec<String> = failures
        .iter()
        .map(|(path, at, why)| format!("{} at {at}: {why}", path.display()))
        .collect();
    assert!(failures.is_empty(), "{count} flips failed, first of them:\n{}", list.join("\n"));
    table
}

fn print(table: &Table) {
    let head = CLASSES.map(|class| format!("{class:>9}"));
    println!("{:<50} {}", "file", head.join(" "));
    for (path, counts) in table {
        let counts = counts.map(|count| format!("{count:>9}"));
        println!("{:<50} {}", path.display(), counts.join(" "));
    }
}

fn count(table: &Table, part: &str, class: Class) -> u64 {
    let of_part = table.iter().filter(|(path, _)| path.to_string_lossy().contains(part));
    of_part.map(|(_, counts)| counts[class as usize]).sum()
}

#[test]
fn no_byte_of_a_stopped_node_changes_an_answer() {
    let table = flip_all(&Scene::set(Stop::Clean));
    assert!(count(&table, "segment-", Class::Peers) > 0);
    assert!(count(&table, ".blocks", Class::Peers) > 0);
    assert!(count(&table, "snapshot-", Class::Own) > 0);
    // One copy of the superblock is not missed, nor is a row that can be made again.
    assert_eq!(count(&table, "wal.meta", Class::Own) + count(&table, "wal.meta", Class::Peers), 0);
    assert!(count(&table, ".rows", Class::Harmless) > 0);
}

#[test]
fn no_byte_of_a_killed_node_changes_an_answer() {
    let table = flip_all(&Scene::set(Stop::Killed));
    assert!(
        count(&table, "segment-", Class::Torn) > 0,
        "its last write is not known to be durable"
    );
    assert!(count(&table, "segment-", Class::Peers) > 0);
}
