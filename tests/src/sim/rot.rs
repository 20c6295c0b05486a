//! Damage to what is durable: bits that change, writes that are lost or hit another place.
//!
//! An atlas is kept of the nodes whose data is damaged, from the fault until the node runs, is neither
//! mended nor recovering, and nothing of the damage is left in its live files. They are a minority at
//! any time, and none where a minority is no node. In the log only such places are damaged of which the
//! log can tell that they were durable: the loss of its very last records is the same as a write that
//! never finished, whatever a node does. Of the superblock one copy of each pair stays sound.

use std::path::{Path, PathBuf};

use settlement_node::{
    storage::Damage,
    store::{
        scrub::{Part, Step},
        vfs::Vfs as _,
    },
};

use super::{
    class::Class,
    disk::is_log_corrupt,
    machine::SCRUB,
    world::{What, World},
};

const SECTOR: usize = 4096;
const SUPERBLOCK: &str = "/wal/wal.meta";
/// Places that are looked at before the fault is given up.
const TRIES: u64 = 6;

/// A place on a disk that was damaged.
pub(super) struct Spot {
    path: PathBuf,
    offset: usize,
    bytes: Vec<u8>,
}

impl Spot {
    fn is_in(&self, dir: &str) -> bool {
        self.path.starts_with(dir)
    }

    fn is_superblock(&self) -> bool {
        self.path == Path::new(SUPERBLOCK)
    }
}

impl World {
    /// How many nodes are damaged.
    pub(super) fn damaged(&self) -> usize {
        self.machines.iter().filter(|machine| machine.is_damaged).count()
    }

    /// Takes those out of the atlas that are whole again.
    pub(super) fn review_damage(&mut self) {
        for (node, machine) in self.machines.iter_mut().enumerate() {
            let vfs = machine.vfs.clone();
            machine.spots.retain(|spot| {
                let there = vfs.on_disk(&spot.path);
                let end = spot.offset + spot.bytes.len();
                there.is_some_and(|there| there.get(spot.offset..end) == Some(&spot.bytes[..]))
            });
            let well = machine.damage.is_none()
                && machine.running.as_ref().is_some_and(|(own, _)| !own.order_status().recovering);
            if !machine.is_damaged || !well {
                continue;
            }
            // A segment that was released is as good as gone.
            if machine.spots.iter().any(|spot| spot.is_in("/wal") && !spot.is_superblock())
                && !is_log_corrupt(&vfs, node as u64 + 1, &self.genesis)
            {
                machine.spots.retain(|spot| spot.is_superblock() || !spot.is_in("/wal"));
            }
            machine.is_damaged = machine.spots.iter().any(|spot| !spot.is_superblock());
        }
    }

    /// Damages something on a disk. Whether it did.
    pub(super) fn damage_disk(&mut self, node: usize, class: Class) -> bool {
        self.review_damage();
        if !self.machines[node].is_damaged && self.damaged() >= self.plan.minority() {
            return false;
        }
        (0..TRIES).any(|_| self.damage_somewhere(node, class))
    }

    fn damage_somewhere(&mut self, node: usize, class: Class) -> bool {
        let (dir, ending) = match self.rng.range(0, 100) {
            0..40 => ("/wal", ".wal"),
            40..50 => ("/wal", ".meta"),
            50..75 => ("/history", if self.rng.percent(80) { ".blocks" } else { ".rows" }),
            _ => ("/snapshots", ".state"),
        };
        let vfs = self.machines[node].vfs.clone();
        let mut names = vfs.list(Path::new(dir)).expect("the disk is there");
        names.retain(|name| name.ends_with(ending));
        if names.is_empty() {
            return false;
        }
        let path = Path::new(dir).join(&names[self.rng.index(names.len())]);
        let Some(content) = vfs.on_disk(&path) else { return false };
        let spots = self.spots_in(&path, &content, class);
        let known = &self.machines[node].spots;
        let in_use = |spot: &Spot| {
            let twin = known.iter().find(|one| one.path == spot.path);
            spot.is_superblock() && twin.is_some_and(|one| one.offset != spot.offset)
        };
        if spots.is_empty() || spots.iter().any(in_use) {
            return false;
        }
        let of_log = ending == ".wal";
        if of_log {
            let trial = vfs.fork_synced();
            for spot in &spots {
                trial.damage(&path, spot.offset as u64, &spot.bytes).expect("the file is there");
            }
            if !is_log_corrupt(&trial, node as u64 + 1, &self.genesis) {
                return false;
            }
        }
        let machine = &mut self.machines[node];
        machine.is_damaged |= ending != ".meta";
        let mut places = Vec::new();
        for spot in spots {
            vfs.damage(&path, spot.offset as u64, &spot.bytes).expect("the file is there");
            places.push(spot.offset);
            machine.spots.push(spot);
        }
        let name = class.name();
        self.note(format!("node {}: {name} in {} at {places:?}", node + 1, path.display()));
        true
    }

    /// What a fault makes of a file.
    fn spots_in(&mut self, path: &Path, content: &[u8], class: Class) -> Vec<Spot> {
        let sectors: Vec<&[u8]> = content.chunks(SECTOR).collect();
        let used: Vec<usize> =
            (0..sectors.len()).filter(|at| sectors[*at].iter().any(|byte| *byte != 0)).collect();
        if used.is_empty() {
            return Vec::new();
        }
        let at = used[self.rng.index(used.len())];
        let old = sectors[at];
        let spot = |at: usize, bytes: Vec<u8>| Spot {
            path: path.to_path_buf(),
            offset: at * SECTOR,
            bytes,
        };
        match class {
            Class::LostWrite => vec![spot(at, vec![0; old.len()])],
            Class::MisdirectedWrite => {
                let from = used[self.rng.index(used.len())];
                let mut new = sectors[from].to_vec();
                new.resize(old.len(), 0);
                if new == old {
                    return Vec::new();
                }
                let mut spots = vec![spot(at, new)];
                if path != Path::new(SUPERBLOCK) {
                    spots.push(spot(from, vec![0; sectors[from].len()]));
                }
                spots
            }
            _ => {
                let mut new = old.to_vec();
                for _ in 0..8 {
                    let place = self.rng.index(new.len());
                    let bit = self.rng.range(0, 8);
                    // Zeros may be padding that nobody reads.
                    if old[place] != 0 {
                        new[place] = old[place] ^ 1 << bit;
                    }
                }
                if new == old { Vec::new() } else { vec![spot(at, new)] }
            }
        }
    }

    /// A step of the scrubber.
    pub(super) fn on_scrub(&mut self, node: usize, life: u64) {
        if !self.is_alive(node, life) {
            return;
        }
        self.after(SCRUB, What::Scrub { node, life });
        let (_, disk) = self.machines[node].running.as_mut().expect("alive");
        let Step::Damaged(found) = disk.scrubber.step() else { return };
        let damage = match found.part {
            Part::Log => Damage::Log,
            Part::History => Damage::History { height: found.number },
            Part::Snapshot => Damage::Snapshot { index: found.number },
            Part::Run => panic!("there are no runs: {}", found.place),
        };
        self.found_damage(node, damage);
    }

    /// A running node has read something damaged: it ends in good order and starts again to be mended.
    pub(super) fn found_damage(&mut self, node: usize, damage: Damage) {
        assert!(self.machines[node].is_damaged, "node {} finds {damage} damaged", node + 1);
        self.note(format!("node {} finds {damage} damaged", node + 1));
        self.crash(node, false);
        self.machines[node].damage = Some(damage);
        let delay = self.rng.range(1, 50) * 1_000;
        self.after(delay, What::Restart { node });
    }
}
