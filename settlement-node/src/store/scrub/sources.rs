//! How each kind of file is read: the log by index, the history by height, runs and snapshots by piece.

use super::{Damage, Part, Progress, Source};
use crate::store::history::{HistoryError, HistoryReader};
use crate::store::runs::{Run, RunCheck, RunError, RunSets};
use crate::store::snapshots::{SnapshotCheck, SnapshotError, Snapshots};
use crate::store::wal::{ReadError, WalReader};
use std::io;
use std::sync::Arc;

/// The entries of the log.
pub struct LogSource {
    log: WalReader,
    /// Next index; 0 before a pass.
    next: u64,
    /// Last index when the pass began; the log may grow faster than it is read.
    last: u64,
}

impl LogSource {
    /// Reads this log.
    #[must_use]
    pub fn new(log: WalReader) -> Self {
        Self { log, next: 0, last: 0 }
    }
}

impl Source for LogSource {
    fn step(&mut self, bytes: u64) -> io::Result<Progress> {
        if self.next == 0 {
            self.last = self.log.last_index();
        }
        // A suffix may have been replaced by a shorter one.
        let last = self.last.min(self.log.last_index());
        self.next = self.next.max(self.log.first_index());
        if self.next > last {
            self.next = 0;
            return Ok(Progress::Done);
        }
        match self.log.read(self.next, last + 1, bytes) {
            Ok(entries) => {
                self.next = entries.last().map_or(last, |entry| entry.index) + 1;
                Ok(Progress::Read(entries.iter().map(|entry| entry.data.len() as u64).sum()))
            }
            Err(ReadError::Corrupt { segment, offset, index }) => {
                self.next = self.log.behind_record(index);
                let place = format!("segment {segment} of the log at {offset}");
                Ok(Progress::Damaged(Damage { part: Part::Log, number: index, place }))
            }
            // Released or replaced since: the next step looks anew.
            Err(ReadError::Compacted { .. } | ReadError::Unavailable { .. }) => {
                Ok(Progress::Read(0))
            }
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let number = self.next;
                self.next = self.log.behind_record(number);
                let place = format!("the segment of entry {number} ends before it");
                Ok(Progress::Damaged(Damage { part: Part::Log, number, place }))
            }
            Err(ReadError::Io(error)) => {
                self.next = 0;
                Err(error)
            }
        }
    }
}

/// The blocks of the history.
pub struct HistorySource {
    history: HistoryReader,
    /// Next height, `None` before a pass.
    next: Option<u64>,
    /// Last height when the pass began.
    last: Option<u64>,
}

impl HistorySource {
    /// Reads this history.
    #[must_use]
    pub fn new(history: HistoryReader) -> Self {
        Self { history, next: None, last: None }
    }

    fn damaged(&mut self, height: u64) -> Progress {
        self.next = Some(height + 1);
        let place = format!("block {height} of the history");
        Progress::Damaged(Damage { part: Part::History, number: height, place })
    }
}

impl Source for HistorySource {
    fn step(&mut self, bytes: u64) -> io::Result<Progress> {
        if self.next.is_none() {
            self.last = self.history.last_height();
        }
        let next = self.next.or(self.history.first_height());
        let Some(height) = next.filter(|height| Some(*height) <= self.last) else {
            self.next = None;
            return Ok(Progress::Done);
        };
        let found = match self.history.scan(height, bytes) {
            // The file ends too early somewhere: find the block.
            Err(HistoryError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.history.block(height).map(|block| block.into_iter().collect())
            }
            found => found,
        };
        match found {
            Ok(blocks) if blocks.is_empty() => {
                self.next = None;
                Ok(Progress::Done)
            }
            Ok(blocks) => {
                self.next = Some(height + blocks.len() as u64);
                let size = |block: &crate::store::history::HistoryBlock| {
                    (block.block.len() + block.outcome.len() + block.seal.len()) as u64
                };
                Ok(Progress::Read(blocks.iter().map(size).sum()))
            }
            Err(HistoryError::Corrupt { height }) => Ok(self.damaged(height)),
            Err(HistoryError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(self.damaged(height))
            }
            Err(error) => {
                self.next = None;
                Err(match error {
                    HistoryError::Io(error) => error,
                    other => io::Error::other(other),
                })
            }
        }
    }
}

/// The runs of old ids, one after the other.
pub struct RunSource {
    runs: RunSets,
    /// Generations below this were read in this pass.
    next: u64,
    /// The one that is being read. It is readable also when another has taken its place.
    reading: Option<(Arc<Run>, RunCheck)>,
}

impl RunSource {
    /// Reads these runs.
    #[must_use]
    pub fn new(runs: RunSets) -> Self {
        Self { runs, next: 0, reading: None }
    }
}

impl Source for RunSource {
    fn step(&mut self, bytes: u64) -> io::Result<Progress> {
        let (run, mut check) = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let set = self.runs.current();
                let run = set.runs().iter().find(|run| run.range().first() >= self.next);
                let Some(run) = run else {
                    self.next = 0;
                    return Ok(Progress::Done);
                };
                self.next = run.range().end();
                (Arc::clone(run), RunCheck::default())
            }
        };
        match check.step(&run, bytes) {
            Ok(Some(read)) => {
                self.reading = Some((run, check));
                Ok(Progress::Read(read))
            }
            Ok(None) => Ok(Progress::Read(0)),
            Err(RunError::Io(error)) => {
                self.next = 0;
                Err(error)
            }
            Err(error) => {
                let current = self.runs.current();
                // What has taken its place since is another file.
                if !current.runs().iter().any(|known| Arc::ptr_eq(known, &run)) {
                    return Ok(Progress::Read(0));
                }
                Ok(Progress::Damaged(Damage {
                    part: Part::Run,
                    number: run.range().first(),
                    place: error.to_string(),
                }))
            }
        }
    }
}

/// The snapshots of the state, one after the other.
pub struct SnapshotSource {
    snapshots: Snapshots,
    /// Log indexes up to this one were read in this pass.
    last: u64,
    reading: Option<SnapshotCheck>,
}

impl SnapshotSource {
    /// Reads these snapshots.
    #[must_use]
    pub fn new(snapshots: Snapshots) -> Self {
        Self { snapshots, last: 0, reading: None }
    }

    fn read(&mut self, mut check: SnapshotCheck, bytes: u64) -> Result<u64, SnapshotError> {
        let read = check.step(bytes)?;
        if read.is_some() {
            self.reading = Some(check);
        }
        Ok(read.unwrap_or(0))
    }
}

impl Source for SnapshotSource {
    fn step(&mut self, bytes: u64) -> io::Result<Progress> {
        let check = match self.reading.take() {
            Some(check) => Ok(check),
            None => {
                let known = self.snapshots.list()?;
                let Some(index) = known.into_iter().find(|index| *index > self.last) else {
                    self.last = 0;
                    return Ok(Progress::Done);
                };
                self.last = index;
                self.snapshots.check(index)
            }
        };
        match check.and_then(|check| self.read(check, bytes)) {
            Ok(read) => Ok(Progress::Read(read)),
            // It was removed for a newer one.
            Err(SnapshotError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Progress::Read(0))
            }
            Err(SnapshotError::Io(error)) => {
                self.last = 0;
                Err(error)
            }
            Err(error) => {
                // Removed while it was read: nobody will read it again.
                if !self.snapshots.list()?.contains(&self.last) {
                    return Ok(Progress::Read(0));
                }
                Ok(Progress::Damaged(Damage {
                    part: Part::Snapshot,
                    number: self.last,
                    place: error.to_string(),
                }))
            }
        }
    }
}
