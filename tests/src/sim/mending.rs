//! Nodes that make snapshots, release their logs, and fetch from each other what they lack.
//!
//! The real mender over the simulated net: it asks, the others answer from their disks, and when all is
//! there the node starts. While it is being mended a node is down for everybody else.

use bytes::Bytes;
use settlement_node::{
    checkpoint::ChainCheckpoint,
    event::Event,
    mend::{Ask, Mender},
    recover::Wounds,
    serve::Shelf,
    storage::Storage,
};
use wire::{
    peer::{KIND_FETCH, KIND_PIECE},
    repair::{Answer, Got, Request},
};

use super::{
    class::Class,
    report::Report,
    rng::Rng,
    world::{What, World},
};

/// A tick of the mender in microseconds.
const MEND_TICK: u64 = 50_000;
/// After how many microseconds somebody looks after a node that is still being mended.
const OPERATOR: u64 = 3_000_000;

impl World {
    /// Begins to mend a node whose disk lacks something.
    pub(super) fn begin_mending(&mut self, node: usize, storage: Storage, wounds: Wounds) {
        self.note(format!("node {} is mended: it lacks {wounds}", node + 1));
        self.counts.mended += 1;
        let mut mender = Mender::new(storage, self.genesis.clone(), wounds);
        if self.machines[node].believes {
            mender
                .believe((1..=self.machines.len() as u64).filter(|peer| *peer != node as u64 + 1));
        }
        let machine = &mut self.machines[node];
        machine.life += 1;
        machine.mending = Some(Box::new(mender));
        let life = machine.life;
        machine.mending_since = self.now;
        self.after(1_000, What::Mend { node, life });
    }

    pub(super) fn on_mend_tick(&mut self, node: usize, life: u64) {
        if self.machines[node].life != life || self.machines[node].mending.is_none() {
            return;
        }
        self.after(MEND_TICK, What::Mend { node, life });
        if self.look_after(node) {
            return;
        }
        let connected: Vec<u64> = (0..self.machines.len())
            .filter(|peer| *peer != node && self.gives(*peer))
            .filter(|peer| !self.cut.contains(&(node, *peer)) && !self.cut.contains(&(*peer, node)))
            .map(|peer| peer as u64 + 1)
            .collect();
        let mender = self.machines[node].mending.as_mut().expect("seen above");
        if let Some(ask) = mender.tick(&connected) {
            self.ask(node, &ask);
        }
        self.end_mending_if_done(node);
    }

    /// Whether a node answers those that lack something.
    fn gives(&self, node: usize) -> bool {
        let machine = &self.machines[node];
        machine.running.is_some() || machine.mending.is_some()
    }

    /// What only one node has nobody can confirm. In the end somebody looks at a node that waits for that,
    /// and starts it again with the word whom to believe.
    fn look_after(&mut self, node: usize) -> bool {
        let machine = &self.machines[node];
        let since = machine.mending_since.max(self.plan.faults_ms * 1_000);
        if !self.healed || machine.believes || self.now < since + OPERATOR {
            return false;
        }
        let waits = machine.mending.as_ref().expect("it is being mended").progress();
        self.note(format!("node {} is told to believe the others: {waits}", node + 1));
        self.crash(node, false);
        self.machines[node].believes = true;
        self.counts.believed += 1;
        self.after(1_000, What::Restart { node });
        true
    }

    fn end_mending_if_done(&mut self, node: usize) {
        if self.machines[node].mending.as_ref().is_some_and(|mender| mender.is_done()) {
            let mender = self.machines[node].mending.take().expect("seen above");
            self.machines[node].believes = false;
            self.note(format!("node {} is mended", node + 1));
            self.start_with(node, mender.into_storage());
        }
    }

    fn ask(&mut self, node: usize, ask: &Ask) {
        self.send(node, ask.peer as usize - 1, KIND_FETCH, ask.request.encode());
    }

    /// A request of a peer that is being mended.
    pub(super) fn on_request(&mut self, node: usize, peer: u64, payload: Bytes) {
        let request = Request::decode(payload).expect("a request survives its codec");
        let machine = &self.machines[node];
        let shelf = match (&machine.running, &machine.mending) {
            (Some((_, disk)), _) => disk.shelf.clone(),
            (None, Some(mender)) => mender.shelf(),
            (None, None) => return,
        };
        let (mut answer, _) = shelf.answer(&request);
        if let Some(above) = Shelf::wanted_above(&request, &answer) {
            self.wake(node, Event::SnapshotWanted { above });
        }
        if !self.healed && self.rng.percent(self.plan.bad_pieces) {
            self.spoil(&mut answer);
        }
        self.send(node, peer as usize - 1, KIND_PIECE, answer.encode());
    }

    /// Changes a bit or a number of what a node gives away.
    fn spoil(&mut self, answer: &mut Answer) {
        let by = self.rng.range(1, 3);
        let target = match &mut answer.got {
            Got::Piece { bytes, .. } => bytes,
            Got::Blocks(rows) => {
                let row = self.rng.index(rows.len());
                let row = &mut rows[row];
                let number = match self.rng.range(0, 8) {
                    0 => return spoil_bytes(&mut self.rng, &mut row.block, &mut self.counts),
                    1 => return spoil_bytes(&mut self.rng, &mut row.outcome, &mut self.counts),
                    2 => return spoil_bytes(&mut self.rng, &mut row.seal, &mut self.counts),
                    3 => {
                        row.leaf_count += by as u32;
                        return self.counts.met(Class::BadPiece);
                    }
                    4 => &mut row.log_index,
                    5 => &mut row.time_ns,
                    6 => &mut row.first_leaf,
                    _ => &mut row.height,
                };
                *number += by;
                return self.counts.met(Class::BadPiece);
            }
            Got::Snapshot(info) => {
                let number = match self.rng.range(0, 5) {
                    0 => &mut info.index,
                    1 => &mut info.term,
                    2 => &mut info.height,
                    3 => &mut info.bytes,
                    _ => {
                        info.digest[by as usize] ^= 1;
                        return self.counts.met(Class::BadPiece);
                    }
                };
                *number += by;
                return self.counts.met(Class::BadPiece);
            }
            Got::Seen { digest, index, term } => {
                match self.rng.range(0, 3) {
                    0 => digest[by as usize] ^= 1,
                    1 => *index += by,
                    _ => *term += by,
                }
                return self.counts.met(Class::BadPiece);
            }
            Got::Nothing => return,
        };
        spoil_bytes(&mut self.rng, target, &mut self.counts);
    }

    /// An answer for a node that is being mended.
    pub(super) fn on_piece(&mut self, node: usize, peer: u64, payload: Bytes) {
        let Some(mender) = self.machines[node].mending.as_mut() else { return };
        let answer = Answer::decode(payload).expect("an answer survives its codec");
        match mender.answer(peer, answer) {
            Ok(Some(ask)) => self.ask(node, &ask),
            Ok(None) => {}
            Err(error) => {
                let why = error.to_string();
                self.machines[node].mending = None;
                return self.failed_start(node, &why);
            }
        }
        self.end_mending_if_done(node);
    }

    /// A snapshot has been written, or not.
    pub(super) fn on_snapshot(&mut self, node: usize, life: u64, checkpoint: &ChainCheckpoint) {
        if !self.is_alive(node, life) {
            return;
        }
        let (_, disk) = self.machines[node].running.as_mut().expect("alive");
        match disk.snapshot(checkpoint) {
            Ok(()) => {
                self.counts.snapshots += 1;
                self.wake(node, Event::SnapshotWritten { place: checkpoint.place });
            }
            Err(why) if why.contains("sync") => self.stop(node, &why),
            Err(_) => self.wake(node, Event::SnapshotFailed),
        }
    }

    /// The node ends in good order, to be mended and to start again.
    pub(super) fn needs_snapshot(&mut self, node: usize, above: u64) {
        self.note(format!("node {} needs a snapshot above {above}", node + 1));
        self.crash(node, false);
        self.machines[node].above = Some(above);
        let delay = self.rng.range(1, 50) * 1_000;
        self.after(delay, What::Restart { node });
    }
}

fn spoil_bytes(rng: &mut Rng, target: &mut Bytes, counts: &mut Report) {
    if target.is_empty() {
        return;
    }
    let mut changed = target.to_vec();
    let at = rng.index(changed.len());
    changed[at] ^= 1 << rng.range(0, 8);
    *target = Bytes::from(changed);
    counts.met(Class::BadPiece);
}
