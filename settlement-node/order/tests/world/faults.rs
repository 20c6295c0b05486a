//! What goes wrong in a simulated world: crashes, damaged disks, partitions, needless hand-overs; and
//! the mending of a node that was offered a snapshot.

use super::{Event, World};

impl World {
    pub(super) fn fault(&mut self) {
        if !self.chaos {
            return;
        }
        let delay = self.rng.range(50, 500);
        self.schedule(delay, Event::Fault);
        let count = self.nodes.len() as u64;
        let node = self.rng.range(0, count) as usize;
        match self.rng.range(0, 10) {
            0..=3 => self.crash_some(),
            4..=7 => self.partition(),
            8 => {
                let Some(leader) = self.leader() else { return };
                self.counts.transfers += 1;
                let order = self.nodes[leader].order.as_mut().expect("leads");
                order.transfer_leader(node as u64 + 1);
                self.effects(leader);
            }
            _ => {
                let peer = self.rng.range(1, count + 1);
                let Some(order) = self.nodes[node].order.as_mut() else { return };
                order.unreachable(peer);
                self.effects(node);
            }
        }
    }

    fn crash_some(&mut self) {
        let count = self.nodes.len();
        let everyone = self.rng.percent(15);
        for node in 0..count {
            let hit = everyone || node == self.rng.range(0, count as u64) as usize;
            if hit && self.nodes[node].order.is_some() {
                self.crash(node);
                if self.rng.percent(40) {
                    self.damage(node);
                }
                // A quick restart may come back into the same election.
                let quick = self.rng.percent(40);
                let delay = self.rng.range(1, if quick { 10 } else { 400 });
                self.schedule(delay, Event::Restart { node });
            }
        }
    }

    fn partition(&mut self) {
        let count = self.nodes.len() as u64;
        self.counts.partitions += 1;
        let sides = self.rng.next();
        let one_way = self.rng.percent(30);
        for a in 1..=count {
            for b in 1..=count {
                let (side_a, side_b) = (sides >> a & 1, sides >> b & 1);
                if side_a != side_b && !(one_way && side_a == 0) {
                    self.cut.insert((a, b));
                }
            }
        }
        let delay = self.rng.range(50, 600);
        self.schedule(delay, Event::EndPartition);
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.counts.crashes += 1;
        let own = &mut self.nodes[node];
        own.order = None;
        own.apply_queue.clear();
        own.reads.clear();
        own.disk_free_at = self.now;
        // Writes in flight survive up to a random point, in order.
        let survive = self.rng.range(0, own.writes.len() as u64 + 1) as usize;
        let writes: Vec<_> = own.writes.drain(..).collect();
        writes[..survive].iter().for_each(|write| own.disk.write(write));
        self.counts.lost_writes += (writes.len() - survive) as u64;
    }

    /// A node that recovers from a loss crashes while it does, or soon after.
    pub(super) fn crash_again(&mut self, node: usize, life: u64) {
        if self.chaos && self.alive(node, life).is_some() {
            self.crash(node);
            if self.rng.percent(20) {
                self.damage(node);
            }
            let delay = self.rng.range(1, 50);
            self.schedule(delay, Event::Restart { node });
        }
    }

    /// The disk of a stopped node loses durable entries, within what the others can repair.
    fn damage(&mut self, node: usize) {
        let lossy = |other: &usize| *other != node && self.nodes[*other].disk.lost_term.is_some();
        let others = (0..self.nodes.len()).filter(lossy).count();
        if others + 1 > (self.nodes.len() - 1) / 2 {
            return;
        }
        let applied = self.nodes[node].disk.applied;
        let applied_term = match applied {
            0 => 0,
            _ => self.chosen[applied as usize - 1].term,
        };
        self.nodes[node].disk.lose(applied_term, &mut self.rng);
        self.counts.losses += 1;
    }

    /// A node needs a snapshot: it stops and comes back with one, or is disturbed and comes back as is.
    pub(super) fn stop_for_mending(&mut self, node: usize, from: u64) {
        self.crash(node);
        self.counts.offers += 1;
        let delay = self.rng.range(5, 200);
        let disturbed = self.chaos && self.rng.percent(20);
        let next = if disturbed { Event::Restart { node } } else { Event::Mend { node, from } };
        self.schedule(delay, next);
    }

    pub(super) fn mend(&mut self, node: usize, from: u64) {
        if self.nodes[node].order.is_some() {
            return;
        }
        let offered = &self.nodes[from as usize - 1];
        let newest = offered.disk.snapshots.back().copied();
        if let Some((index, term)) = newest.filter(|_| offered.order.is_some()) {
            self.counts.mends += u64::from(index > self.nodes[node].disk.applied);
            self.nodes[node].disk.install(index, term);
        }
        self.start(node);
    }
}
