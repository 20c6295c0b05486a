//! The thread that reads cold files again and again, slowly, and has damage mended while others have copies.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    Cause, Loop,
    disk::{BACKGROUND_NICENESS, yield_to_others},
};
use crate::{
    limits::SCRUB_PAUSE,
    serve::Shelf,
    storage::Damage,
    store::{
        scrub::{self, Part, Scrubber, SnapshotSource, Step},
        wal::WalReader,
    },
};

/// What the scrubber has read and found in this life of the node.
#[derive(Default)]
pub(super) struct Scrubbed {
    pub(super) bytes: AtomicU64,
    pub(super) passes: AtomicU64,
    pub(super) errors: AtomicU64,
}

/// At most so often a pass without damage is worth a line in the log: small disks are read in no time.
const WORD_PAUSE: Duration = Duration::from_secs(600);

/// Starts the thread; it ends with the loop.
pub(super) fn start(
    log: WalReader,
    shelf: Shelf,
    handle: Loop,
) -> io::Result<(Arc<Scrubbed>, JoinHandle<()>)> {
    let scrubbed = Arc::new(Scrubbed::default());
    let seen = Arc::clone(&scrubbed);
    let mut scrubber = Scrubber::new(log, shelf.history.clone(), shelf.runs.clone());
    scrubber.add(Box::new(SnapshotSource::new(shelf.snapshots.clone())));
    let mut said: Option<Instant> = None;
    let thread = thread::Builder::new().name("disk-scrub".to_owned()).spawn(move || {
        yield_to_others(BACKGROUND_NICENESS);
        while !handle.is_stopping() {
            thread::sleep(SCRUB_PAUSE);
            match scrubber.step() {
                Step::Read(bytes) => {
                    seen.bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                Step::Damaged(found) => {
                    seen.errors.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(place = found.place, "the scrubber has found damage");
                    if let Some(damage) = damage_of(&found, &shelf) {
                        handle.mend(Cause::Damaged(damage));
                    }
                }
                Step::Failed(error) => {
                    seen.errors.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%error, "the scrubber cannot read the disk");
                }
                Step::PassEnded(totals) => {
                    seen.passes.fetch_add(1, Ordering::Relaxed);
                    if said.is_none_or(|at| at.elapsed() >= WORD_PAUSE) || totals.damaged > 0 {
                        said = Some(Instant::now());
                        tracing::info!(bytes = totals.bytes, damaged = totals.damaged, "scrubbed");
                    }
                }
            }
        }
    })?;
    Ok((scrubbed, thread))
}

/// What is to be set aside; nothing if it has been replaced since it was read.
fn damage_of(found: &scrub::Damage, shelf: &Shelf) -> Option<Damage> {
    match found.part {
        Part::Log => Some(Damage::Log),
        Part::History => Some(Damage::History { height: found.number }),
        Part::Snapshot => Some(Damage::Snapshot { index: found.number }),
        Part::Run => {
            let runs = shelf.runs.current();
            let mut ranges = runs.runs().iter().map(|run| run.range());
            ranges.rfind(|range| range.first() == found.number).map(|range| Damage::Run { range })
        }
    }
}
