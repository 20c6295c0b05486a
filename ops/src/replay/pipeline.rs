//! Reads, checks and replays at the same time: one thread reads, some check signatures and hashes of
//! groups of blocks, and the caller's takes these in order. Everything between them is bounded.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use anyhow::anyhow;
use proof::checkpoint::Checkpoint;
use wire::batch::Domain;

use super::{
    Stop,
    blocks::{self, CheckedBlock, Group},
};

/// Records from which on blocks are passed on: enough signatures to be checked together.
const GROUP_RECORDS: usize = 16 << 10;
/// Most bytes of one block: far more than the rules can make of the largest.
const BLOCK_BYTES_MAX: usize = 256 << 20;
/// Groups under way for each thread.
const AHEAD: usize = 2;

/// What a reading has brought.
pub(crate) enum Read {
    /// Some records, and there may be more.
    More,
    /// All records of a checkpoint are there; they end with a block.
    Edge(Checkpoint),
    /// There are no more.
    End,
}

/// Where records come from, in their order.
pub(crate) trait Records: Send {
    /// Calls `each` with some records more; waits for them where they are still to come.
    fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Read, Stop>;
    /// Whether leaf 0 is among them; a history has no genesis record.
    fn has_genesis(&self) -> bool;
    /// How much was read, in a measure of its own.
    fn done(&self) -> u64 {
        0
    }
}

/// Blocks that were checked as far as they can be without the state.
pub(crate) struct Part {
    /// How far the source was read then.
    pub(crate) done: u64,
    /// In their order.
    pub(crate) blocks: Vec<CheckedBlock>,
    /// The checkpoint that they end with.
    pub(crate) edge: Option<Checkpoint>,
}

type Checked = Result<Vec<CheckedBlock>, String>;
/// A group with where its result goes.
type Job = (Group, SyncSender<Checked>);
/// What comes next: how far the source was read, what it ends with and the result; or why it ended.
type Next = Result<(u64, Option<Checkpoint>, Receiver<Checked>), Stop>;

/// Calls `each` with all blocks of a log that begins with the record `first`, on the caller's thread.
pub(crate) fn run(
    domain: &Domain,
    first: &[u8],
    threads: usize,
    records: impl Records,
    each: &mut dyn FnMut(Part) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (to_check, jobs) = sync_channel::<Job>(threads * AHEAD);
    let (to_replay, results) = sync_channel::<Next>(threads * AHEAD);
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(stop) = read(records, first, &to_check, &to_replay) {
                // Nobody listens only when the caller has ended with an error of its own.
                let _ = to_replay.send(Err(stop));
            }
        });
        for _ in 0..threads {
            scope.spawn(|| work(&jobs, domain));
        }
        let ended = take_all(&results, each);
        // Lets the others end when this one was the first.
        drop(results);
        ended
    })
}

/// Reads groups and hands them out, until the end or until nobody wants them any more.
fn read(
    mut records: impl Records,
    first: &[u8],
    to_check: &SyncSender<Job>,
    to_replay: &SyncSender<Next>,
) -> Result<(), Stop> {
    let mut group = Group::default();
    let mut expects_genesis = records.has_genesis();
    loop {
        let mut genesis_differs = false;
        let came = records.read(&mut |record| {
            if std::mem::take(&mut expects_genesis) {
                genesis_differs = record != first;
            } else {
                group.push(record);
            }
        })?;
        if genesis_differs {
            return Err(Stop::Wrong("the log begins with another genesis".to_owned()));
        }
        group.done = records.done();
        if group.open_bytes() > BLOCK_BYTES_MAX {
            return Err(Stop::Wrong("a block does not end".to_owned()));
        }
        let is_end = matches!(came, Read::End);
        if let Read::Edge(checkpoint) = came {
            if group.open_bytes() > 0 {
                let what = format!("the checkpoint at {} is not at the end", checkpoint.size);
                return Err(Stop::Wrong(format!("{what} of a block")));
            }
            group.edge = Some(checkpoint);
        }
        let whole = group.whole();
        if whole >= GROUP_RECORDS || group.edge.is_some() || (is_end && whole > 0) {
            let (answer, result) = sync_channel(1);
            let mut next = group.take();
            let (done, edge) = (next.done, next.edge.take());
            let taken = to_check.send((next, answer)).is_ok();
            if !taken || to_replay.send(Ok((done, edge, result))).is_err() {
                return Ok(());
            }
        }
        if is_end {
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
        // Nobody listens any more when the caller has ended with an error.
        let _ = answer.send(blocks::check(group, domain));
    }
}

fn take_all(
    results: &Receiver<Next>,
    each: &mut dyn FnMut(Part) -> Result<(), Stop>,
) -> Result<(), Stop> {
    while let Ok(next) = results.recv() {
        let (done, edge, result) = next?;
        let checked = result.recv().map_err(|_| anyhow!("a checking thread has ended"))?;
        each(Part { done, blocks: checked.map_err(Stop::Wrong)?, edge })?;
    }
    Ok(())
}
