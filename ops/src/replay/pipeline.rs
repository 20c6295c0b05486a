//! Reads, checks and replays at the same time: one thread reads, some check signatures and hashes of
//! groups of blocks, and the caller's replays these in order. Everything between them is bounded.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use anyhow::anyhow;
use wire::batch::Domain;

use super::{
    Report, Stop, Task,
    blocks::{self, CheckedBlock, Group},
    progress::Progress,
    replay::Replay,
    source::Source,
};

/// Records from which on blocks are passed on: enough signatures to be checked together.
const GROUP_RECORDS: usize = 16 << 10;
/// Most bytes of one block: far more than the rules can make of the largest.
const BLOCK_BYTES_MAX: usize = 256 << 20;
/// Groups under way for each thread.
const AHEAD: usize = 2;

type Checked = Result<Vec<CheckedBlock>, String>;
/// A group with where its result goes.
type Job = (Group, SyncSender<Checked>);
/// What comes next: how far the source was read and the result, or why it ended.
type Next = Result<(u64, Receiver<Checked>), Stop>;

/// Verifies a source; `report` says how far it came, also when it fails.
pub(super) fn run(
    task: &Task<'_>,
    source: Source,
    bar: &mut Progress,
    report: &mut Report,
) -> Result<(), Stop> {
    let tiles = source.tiles();
    let (mut replay, first) = Replay::genesis(task.genesis, tiles, task.signed.clone())?;
    let total = source.progress().1;
    let domain = &task.genesis.domain;
    let (to_check, jobs) = sync_channel::<Job>(task.threads * AHEAD);
    let (to_replay, results) = sync_channel::<Next>(task.threads * AHEAD);
    let jobs = Mutex::new(jobs);
    let ended = thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(stop) = read(source, &first, &to_check, &to_replay) {
                // Nobody listens only when the replay has ended with an error of its own.
                let _ = to_replay.send(Err(stop));
            }
        });
        for _ in 0..task.threads {
            scope.spawn(|| work(&jobs, domain));
        }
        let ended = replay_all(&mut replay, &results, total, bar, report);
        // Lets the others end when this one was the first.
        drop(results);
        ended
    });
    replay.reached(report);
    ended?;
    replay.end()
}

/// Reads groups and hands them out, until the end or until nobody wants them any more.
fn read(
    mut source: Source,
    first: &[u8],
    to_check: &SyncSender<Job>,
    to_replay: &SyncSender<Next>,
) -> Result<(), Stop> {
    let mut group = Group::default();
    let mut expects_genesis = source.has_genesis();
    loop {
        let mut genesis_differs = false;
        let more = source.read(&mut |record| {
            if std::mem::take(&mut expects_genesis) {
                genesis_differs = record != first;
            } else {
                group.push(record);
            }
        })?;
        if genesis_differs {
            return Err(Stop::Wrong("the log begins with another genesis".to_owned()));
        }
        group.done = source.progress().0;
        if group.open_bytes() > BLOCK_BYTES_MAX {
            return Err(Stop::Wrong("a block does not end".to_owned()));
        }
        if group.whole() >= GROUP_RECORDS || (!more && group.whole() > 0) {
            let (answer, result) = sync_channel(1);
            let next = group.take();
            let done = next.done;
            if to_check.send((next, answer)).is_err() || to_replay.send(Ok((done, result))).is_err()
            {
                return Ok(());
            }
        }
        if !more {
            break;
        }
    }
    match group.open_bytes() {
        0 => Ok(()),
        _ => Err(Stop::Wrong("the ledger ends within a block".to_owned())),
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, domain: &Domain) {
    loop {
        // No code that can panic runs under this lock.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((group, answer)) = job else { return };
        // Nobody listens any more when the replay has ended with an error.
        let _ = answer.send(blocks::check(&group, domain));
    }
}

fn replay_all(
    replay: &mut Replay,
    results: &Receiver<Next>,
    total: u64,
    bar: &mut Progress,
    report: &mut Report,
) -> Result<(), Stop> {
    while let Ok(next) = results.recv() {
        let (done, result) = next?;
        let checked = result.recv().map_err(|_| anyhow!("a checking thread has ended"))?;
        for block in checked.map_err(Stop::Wrong)? {
            replay.apply(&block, report)?;
        }
        bar.show("verified", done, total, report.transfers);
    }
    Ok(())
}
