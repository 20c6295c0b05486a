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
    storage::Storage,
};
use wire::{
    peer::{KIND_FETCH, KIND_PIECE},
    repair::{Answer, Got, Request},
};

use super::{
    class::Class,
    world::{What, World},
};

/// A tick of the mender in microseconds.
const MEND_TICK: u64 = 50_000;

impl World {
    /// Begins to mend a node whose disk lacks something.
    pub(super) fn begin_mending(&mut self, node: usize, storage: Storage, wounds: Wounds) {
        self.note(format!("node {} is mended: it lacks {wounds}", node + 1));
        self.counts.mended += 1;
        let mender = Mender::new(storage, self.genesis.clone(), wounds);
        let machine = &mut self.machines[node];
        machine.life += 1;
        machine.mending = Some(Box::new(mender));
        let life = machine.life;
        self.after(1_000, What::Mend { node, life });
    }

    pub(super) fn on_mend_tick(&mut self, node: usize, life: u64) {
        if self.machines[node].life != life || self.machines[node].mending.is_none() {
            return;
        }
        self.after(MEND_TICK, What::Mend { node, life });
        let connected: Vec<u64> = (0..self.machines.len())
            .filter(|peer| *peer != node && self.machines[*peer].running.is_some())
            .filter(|peer| !self.cut.contains(&(node, *peer)) && !self.cut.contains(&(*peer, node)))
            .map(|peer| peer as u64 + 1)
            .collect();
        let mender = self.machines[node].mending.as_mut().expect("seen above");
        if let Some(ask) = mender.tick(&connected) {
            self.ask(node, &ask);
        }
        self.end_mending_if_done(node);
    }

    fn end_mending_if_done(&mut self, node: usize) {
        if self.machines[node].mending.as_ref().is_some_and(|mender| mender.is_done()) {
            let mender = self.machines[node].mending.take().expect("seen above");
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
        let Some((_, disk)) = self.machines[node].running.as_ref() else { return };
        let (mut answer, _) = disk.shelf.answer(&request);
        if !self.healed && self.rng.percent(self.plan.bad_pieces) {
            self.spoil(&mut answer);
        }
        self.send(node, peer as usize - 1, KIND_PIECE, answer.encode());
    }

    /// Changes a bit of what a node gives away.
    fn spoil(&mut self, answer: &mut Answer) {
        let target = match &mut answer.got {
            Got::Piece { bytes, .. } => bytes,
            Got::Blocks(rows) => {
                let row = self.rng.index(rows.len());
                let row = &mut rows[row];
                match self.rng.range(0, 3) {
                    0 => &mut row.block,
                    1 => &mut row.outcome,
                    _ => &mut row.seal,
                }
            }
            Got::Nothing | Got::Snapshot(_) => return,
        };
        if target.is_empty() {
            return;
        }
        let mut changed = target.to_vec();
        let at = self.rng.index(changed.len());
        changed[at] ^= 1 << self.rng.range(0, 8);
        *target = Bytes::from(changed);
        self.counts.met(Class::BadPiece);
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
