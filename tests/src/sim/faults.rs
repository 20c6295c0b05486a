//! What goes wrong, and when; and what is made right again at the end.
//!
//! Those that take durable data from a node ([`super::rot`]) hit a minority at the most; all others
//! together may hit any number of nodes.

use settlement_node::{event::Event, store::vfs::Fault};

use super::{
    class::Class,
    world::{What, World},
};

const SECOND_NS: i64 = 1_000_000_000;
const HOUR_NS: i64 = 3_600 * SECOND_NS;

impl World {
    /// One fault of a class that the plan allows; then the next one is planned.
    pub(super) fn on_fault(&mut self) {
        if self.healed {
            return;
        }
        let delay = self.rng.range(50, 2 * self.plan.fault_every_ms) * 1_000;
        self.after(delay, What::Fault);
        let allowed = Class::STRIKES.into_iter().filter(|class| self.plan.classes.has(*class));
        let allowed: Vec<Class> = allowed.collect();
        if allowed.is_empty() {
            return;
        }
        let class = allowed[self.rng.index(allowed.len())];
        let count = self.machines.len();
        let node = self.rng.index(count);
        match class {
            Class::Kill | Class::PowerLoss => self.some_crash(node, class),
            Class::Cut | Class::OneWayCut | Class::Chain if count < 2 => return,
            Class::Cut | Class::OneWayCut => self.cut_net(class == Class::OneWayCut),
            Class::Chain => self.chain_net(),
            Class::Pause => self.pause(node),
            Class::ClockJump => self.move_clock(node),
            Class::SyncError => {
                let nth = self.rng.range(1, 8);
                self.note(format!("sync {nth} of node {} will fail", node + 1));
                self.harm(node, |vfs| vfs.fail(Fault::Sync, nth));
            }
            Class::ReadError => self.spoil_reads(node),
            Class::FullDisk => {
                self.note(format!("the disk of node {} is full", node + 1));
                self.harm(node, |vfs| vfs.fill());
                let delay = self.rng.range(100, 6_000) * 1_000;
                self.after(delay, What::DiskHeals { node });
            }
            Class::Rot | Class::LostWrite | Class::MisdirectedWrite => {
                if !self.damage_disk(node, class) {
                    return;
                }
            }
            Class::BrokenSession => {
                let open: Vec<u64> = self.sessions_at(node);
                open.into_iter().for_each(|session| self.break_session(session, true));
            }
            _ => {
                self.note(format!("node {} is asked to hand over", node + 1));
                self.wake(node, Event::HandOver);
            }
        }
        self.counts.faults += 1;
        self.counts.met(class);
    }

    fn some_crash(&mut self, node: usize, class: Class) {
        let everyone = self.rng.percent(15);
        for other in 0..self.machines.len() {
            if other == node || everyone {
                self.crash(other, class == Class::PowerLoss);
                // A quick restart may come back into the same election.
                let quick = self.rng.percent(40);
                let delay = self.rng.range(5, if quick { 150 } else { 4_000 }) * 1_000;
                self.after(delay, What::Restart { node: other });
                self.counts.crashes += 1;
            }
        }
    }

    fn cut_net(&mut self, one_way: bool) {
        let sides = self.rng.next();
        self.cut.clear();
        for a in 0..self.machines.len() {
            for b in 0..self.machines.len() {
                let (side_a, side_b) = (sides >> a & 1, sides >> b & 1);
                if side_a != side_b && !(one_way && side_a == 0) {
                    self.cut.insert((a, b));
                }
            }
        }
        self.end_cut_later();
    }

    /// Nodes stand in a row, in some order, and hear only those beside them.
    fn chain_net(&mut self) {
        let count = self.machines.len();
        let mut row: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            row.swap(at, self.rng.index(at + 1));
        }
        self.cut.clear();
        for (at, &a) in row.iter().enumerate() {
            for (other, &b) in row.iter().enumerate() {
                if at.abs_diff(other) > 1 {
                    self.cut.insert((a, b));
                }
            }
        }
        self.end_cut_later();
    }

    fn end_cut_later(&mut self) {
        self.counts.cuts += 1;
        self.note(format!("the net is cut: {:?}", self.cut));
        let delay = self.rng.range(200, 4_000) * 1_000;
        self.after(delay, What::EndCut);
    }

    fn pause(&mut self, node: usize) {
        let longest = if self.rng.percent(30) { 5_000 } else { 1_500 };
        let pause = self.rng.range(50, longest) * 1_000;
        self.note(format!("node {} stands still for {} ms", node + 1, pause / 1_000));
        self.machines[node].paused_until = self.now + pause;
    }

    fn move_clock(&mut self, node: usize) {
        let jump = match self.rng.range(0, 6) {
            0 => HOUR_NS,
            1 => -HOUR_NS,
            2 => 0,
            _ => self.rng.range(0, 10_000_000_000) as i64 - 5 * SECOND_NS,
        };
        self.note(format!("the clock of node {} is now {} ms off", node + 1, jump / 1_000_000));
        self.machines[node].jump_ns = jump;
    }

    fn spoil_reads(&mut self, node: usize) {
        let nth = self.rng.range(1, 6);
        self.note(format!("read {nth} of node {} and all after it will fail", node + 1));
        if self.rng.percent(40) {
            // It finds out when it starts.
            let power = self.plan.classes.has(Class::PowerLoss);
            self.crash(node, power);
            let delay = self.rng.range(5, 500) * 1_000;
            self.after(delay, What::Restart { node });
        }
        self.harm(node, |vfs| vfs.fail(Fault::Read, nth));
        let delay = self.rng.range(50, 3_000) * 1_000;
        self.after(delay, What::DiskHeals { node });
    }

    /// From now on nothing goes wrong any more, but for a minority that stays broken in some runs.
    pub(super) fn heal(&mut self) {
        self.note("healed".to_owned());
        self.healed = true;
        self.cut.clear();
        // Some new work shows that it is not only the old that still moves.
        self.submitters.iter_mut().for_each(|submitter| submitter.left = submitter.left.min(3));
        for node in 0..self.machines.len() {
            self.repair(node);
        }
        // With those whose data is damaged they must be fewer than half.
        self.review_damage();
        let room = self.plan.minority().saturating_sub(self.damaged());
        if self.plan.classes.has(Class::BrokenMinority) && room > 0 {
            self.break_minority(room);
        }
        for node in 0..self.machines.len() {
            self.start(node);
        }
    }

    /// Chooses some nodes, fewer than half, that stay down, cut off, or with a wrong clock.
    fn break_minority(&mut self, room: usize) {
        let count = self.rng.range(1, room as u64 + 1) as usize;
        while self.broken.len() < count {
            self.broken.insert(self.rng.index(self.machines.len()));
        }
        self.counts.met(Class::BrokenMinority);
        for node in self.broken.clone() {
            match self.rng.range(0, 3) {
                0 => {
                    self.crash(node, true);
                    self.machines[node].may_start = false;
                }
                1 => {
                    self.note(format!("node {} stays cut off", node + 1));
                    for other in (0..self.machines.len()).filter(|other| *other != node) {
                        self.cut.extend([(node, other), (other, node)]);
                    }
                }
                _ => {
                    let jump = if self.rng.percent(50) { HOUR_NS } else { -HOUR_NS };
                    self.note(format!("the clock of node {} stays wrong", node + 1));
                    self.machines[node].jump_ns = jump;
                }
            }
            for session in self.sessions_at(node) {
                self.break_session(session, true);
            }
        }
    }

    /// The broken minority is mended, too.
    pub(super) fn heal_minority(&mut self) {
        self.note("the last are healed".to_owned());
        self.cut.clear();
        for node in std::mem::take(&mut self.broken) {
            self.repair(node);
            self.start(node);
        }
    }

    fn repair(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        machine.paused_until = 0;
        machine.jump_ns = 0;
        machine.may_start = true;
        machine.vfs.heal();
        machine.harmed = false;
    }
}
