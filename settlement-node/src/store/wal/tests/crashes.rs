//! Random work, random crashes: what was acknowledged is there, the rest is a prefix.

use super::*;
use crate::store::vfs::Fault;

/// What the log should hold: entries from index 1 (released ones included), and the hard state.
#[derive(Clone, Default)]
struct Model {
    base: u64,
    log: Vec<WalEntry>,
    state: WalHardState,
}

impl Model {
    fn last(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    fn put(&mut self, entry: &WalEntry) {
        self.log.truncate((entry.index - self.base - 1) as usize);
        self.log.push(entry.clone());
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % limit.max(1)
    }
}

/// One random step on top of `model`.
fn step(dice: &mut Dice, model: &Model) -> WalOp {
    let mut state = model.state;
    if dice.below(8) == 0 {
        state.term += 1;
        state.vote = dice.below(4);
    }
    // A committed entry is never replaced.
    let replace = dice.below(6) == 0 && model.last() > state.commit;
    let first = match replace {
        true => {
            state.term += 1;
            state.commit + 1 + dice.below(model.last() - state.commit)
        }
        false => model.last() + 1,
    };
    let count = if replace { 1 + dice.below(6) } else { dice.below(8) };
    let size = if dice.below(10) == 0 { 9000 } else { 700 };
    let entries: Vec<_> = (first..first + count)
        .map(|index| entry(index, state.term, dice.below(size) as usize))
        .collect();
    let last = if count == 0 { model.last() } else { first + count - 1 };
    state.commit += dice.below(last - state.commit + 1);
    let must_sync = !entries.is_empty() && dice.below(8) > 0 || dice.below(20) == 0;
    let hard_state = (state != model.state).then_some(state);
    WalOp { must_sync: must_sync || state.term != model.state.term, entries, hard_state }
}

/// The recovered log must be the acknowledged one, changed by a prefix of what was tried since.
fn check(found: &Recovered, wal: &Wal, acked: &Model, tried: &[WalOp], seed: u64) -> Model {
    let entries = all(wal);
    let state = found.hard_state.unwrap_or_default();
    let same = |model: &Model| {
        let first = found.first_index;
        model.last() == found.last_index
            && first > model.base
            && model.log[(first - model.base - 1) as usize..] == entries[..]
    };
    let mut model = acked.clone();
    let mut matches = same(&model);
    for entry in tried.iter().flat_map(|op| &op.entries) {
        if matches {
            break;
        }
        model.put(entry);
        matches = same(&model);
    }
    assert!(
        matches,
        "seed {seed}: {}..={} is no prefix after {} ({} steps tried)",
        found.first_index,
        found.last_index,
        acked.last(),
        tried.len()
    );
    let states = tried.iter().filter_map(|op| op.hard_state);
    let votes = [acked.state].into_iter().chain(states).collect::<Vec<_>>();
    let known = votes.iter().any(|known| (known.term, known.vote) == (state.term, state.vote));
    assert!(known && state.term >= acked.state.term, "seed {seed}: {state:?}");
    assert!(state.commit <= found.last_index, "seed {seed}: commit beyond the log");
    assert!(state.term >= entries.last().map_or(0, |entry| entry.term), "seed {seed}");
    model.state = state;
    model
}

fn run(seed: u64, lives: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut vfs = MemVfs::new();
    let mut acked = Model::default();
    let mut tried: Vec<WalOp> = Vec::new();
    for life in 0..lives {
        let (mut wal, found) = match open(&vfs) {
            Ok(opened) => opened,
            Err(error) => panic!("seed {seed} life {life}: {error:?}"),
        };
        acked = check(&found, &wal, &acked, &tried, seed);
        // A lazily written commit may have been lost, but only one that nobody waited for.
        let mut model = acked.clone();
        tried.clear();
        if dice.below(3) == 0 {
            let fault = if dice.below(2) == 0 { Fault::Write } else { Fault::Sync };
            vfs.fail(fault, 1 + dice.below(30));
        }
        for _ in 0..dice.below(40) {
            let mut ops = Vec::new();
            for _ in 0..=dice.below(3) {
                let op = step(&mut dice, &model);
                op.entries.iter().for_each(|entry| model.put(entry));
                model.state = op.hard_state.unwrap_or(model.state);
                ops.push(op);
            }
            tried.extend(ops.iter().cloned());
            if wal.append(&ops).is_err() {
                break;
            }
            if ops.iter().any(|op| op.must_sync) {
                acked = model.clone();
                tried.clear();
            }
            match dice.below(12) {
                0 => wal.release_below(model.state.commit.saturating_sub(dice.below(30))),
                1 if wal.mark_durable().is_err() => break,
                2 if dice.below(6) == 0 => {
                    let (index, term) = (model.last() + 1 + dice.below(50), model.state.term);
                    if wal.reset_to(index, term).is_err() {
                        // Half done: either log is right, which this test does not model.
                        return;
                    }
                    let state = WalHardState { commit: index, ..model.state };
                    let op = WalOp { hard_state: Some(state), must_sync: true, entries: vec![] };
                    model = Model { base: index, log: Vec::new(), state };
                    if wal.append(&[op]).is_err() {
                        return;
                    }
                    acked = model.clone();
                    tried.clear();
                }
                _ => {}
            }
        }
        drop(wal);
        // Killing the process keeps the page cache; cutting the power does not.
        vfs = if dice.below(3) == 0 { vfs.kill() } else { vfs.crash(dice.0) };
    }
}

#[test]
fn acknowledged_steps_survive_random_crashes() {
    for seed in 1..=150 {
        run(seed, 25);
    }
}
