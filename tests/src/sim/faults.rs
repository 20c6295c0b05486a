//! What goes wrong, and when: crashes, cuts, pauses, hand-overs, broken sessions.

use settlement_node::event::Event;

use super::world::{What, World};

impl World {
    /// One fault of a kind that the plan allows; then the next one is planned.
    pub(super) fn on_fault(&mut self) {
        if self.healed {
            return;
        }
        let delay = self.rng.range(50, 2 * self.plan.fault_every_ms) * 1_000;
        self.after(delay, What::Fault);
        self.counts.faults += 1;
        let count = self.machines.len();
        let node = self.rng.index(count);
        match self.rng.range(0, 12) {
            0..4 if self.plan.crashes => self.some_crash(node),
            4..8 if self.plan.partitions && count > 1 => self.cut_net(),
            8 | 9 if self.plan.pauses => {
                let pause = self.rng.range(50, 1_500) * 1_000;
                self.note(format!("node {} stands still for {} ms", node + 1, pause / 1_000));
                self.machines[node].paused_until = self.now + pause;
            }
            10 if self.plan.broken_sessions => {
                let open: Vec<u64> = self.sessions_at(node);
                open.into_iter().for_each(|session| self.break_session(session, true));
            }
            _ => {
                self.note(format!("node {} is asked to hand over", node + 1));
                self.wake(node, Event::HandOver);
            }
        }
    }

    fn some_crash(&mut self, node: usize) {
        let everyone = self.rng.percent(15);
        for other in 0..self.machines.len() {
            if other == node || everyone {
                let power = self.rng.percent(70);
                self.crash(other, power);
                // A quick restart may come back into the same election.
                let quick = self.rng.percent(40);
                let delay = self.rng.range(5, if quick { 150 } else { 4_000 }) * 1_000;
                self.after(delay, What::Restart { node: other });
                self.counts.crashes += 1;
            }
        }
    }

    fn cut_net(&mut self) {
        let sides = self.rng.next();
        let one_way = self.rng.percent(35);
        self.cut.clear();
        for a in 0..self.machines.len() {
            for b in 0..self.machines.len() {
                let (side_a, side_b) = (sides >> a & 1, sides >> b & 1);
                if side_a != side_b && !(one_way && side_a == 0) {
                    self.cut.insert((a, b));
                }
            }
        }
        self.counts.cuts += 1;
        self.note(format!("the net is cut: {:?}", self.cut));
        let delay = self.rng.range(200, 4_000) * 1_000;
        self.after(delay, What::EndCut);
    }

    /// From now on nothing goes wrong any more, and nothing new is wished for.
    pub(super) fn heal(&mut self) {
        self.note("healed".to_owned());
        self.healed = true;
        self.cut.clear();
        self.submitters.iter_mut().for_each(|submitter| submitter.left = 0);
        for node in 0..self.machines.len() {
            self.machines[node].paused_until = 0;
            self.start(node);
        }
    }
}
