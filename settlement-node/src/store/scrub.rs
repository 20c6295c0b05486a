//! Reads cold files again and again, so that rot is found while the other nodes still have copies.
//!
//! One small step at a time; the caller paces them (a step each 100 ms with 1 MiB a step reads 860
//! GB a day). Only what was written and shown to readers is looked at, so a write under way is
//! never taken for damage. It repairs nothing, and checks entries and blocks, not the superblock
//! and the small records of the log, which the next start checks.

mod sources;
#[cfg(test)]
mod tests;

pub use sources::{HistorySource, LogSource, RunSource, SnapshotSource};

use super::history::HistoryReader;
use super::runs::RunSets;
use super::wal::WalReader;
use std::io;

/// Bytes that a step reads, unless a single record or block is larger.
pub const STEP_BYTES: u64 = 1 << 20;

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The log.
    Log,
    /// The block history.
    History,
    /// Runs of old ids.
    Run,
    /// State snapshots.
    Snapshot,
}

/// A place that is damaged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The kind of file.
    pub part: Part,
    /// First entry of the damaged record, height of the block, generation of the run, or index of
    /// the snapshot.
    pub number: u64,
    /// The place in words.
    pub place: String,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// So many bytes were read and are sound.
    Read(u64),
    /// Something is damaged; the next step goes on behind it.
    Damaged(Damage),
    /// The disk refused to read; the next step goes on with the next kind of file.
    Failed(io::Error),
    /// All was read once; the next step begins anew.
    PassEnded(Totals),
}

/// What one pass has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Bytes found sound.
    pub bytes: u64,
    /// Damaged places.
    pub damaged: u64,
    /// Errors of the disk.
    pub failed: u64,
}

/// What a source says to one step.
#[derive(Debug)]
pub enum Progress {
    /// So many bytes were read and are sound.
    Read(u64),
    /// Something is damaged; the next call goes on behind it.
    Damaged(Damage),
    /// Nothing is left in this pass; the next call begins anew.
    Done,
}

/// A kind of file that can be read step by step.
pub trait Source: Send {
    /// Reads the next `bytes` or so.
    ///
    /// # Errors
    /// Those of the disk; the next call begins anew.
    fn step(&mut self, bytes: u64) -> io::Result<Progress>;
}

/// Reads all sources in turn, without an end.
pub struct Scrubber {
    sources: Vec<Box<dyn Source>>,
    at: usize,
    totals: Totals,
}

impl Scrubber {
    /// Reads log, history and runs of a node.
    #[must_use]
    pub fn new(log: WalReader, history: HistoryReader, runs: RunSets) -> Self {
        Self::of(vec![
            Box::new(LogSource::new(log)),
            Box::new(HistorySource::new(history)),
            Box::new(RunSource::new(runs)),
        ])
    }

    /// Reads these sources.
    #[must_use]
    pub fn of(sources: Vec<Box<dyn Source>>) -> Self {
        Self { sources, at: 0, totals: Totals::default() }
    }

    /// Reads another source, too.
    pub fn add(&mut self, source: Box<dyn Source>) {
        self.sources.push(source);
    }

    /// Reads a little further.
    pub fn step(&mut self) -> Step {
        while let Some(source) = self.sources.get_mut(self.at) {
            match source.step(STEP_BYTES) {
                Ok(Progress::Read(bytes)) => {
                    self.totals.bytes += bytes;
                    return Step::Read(bytes);
                }
                Ok(Progress::Damaged(damage)) => {
                    self.totals.damaged += 1;
                    return Step::Damaged(damage);
                }
                Ok(Progress::Done) => self.at += 1,
                Err(error) => {
                    self.totals.failed += 1;
                    self.at += 1;
                    return Step::Failed(error);
                }
            }
        }
        self.at = 0;
        Step::PassEnded(std::mem::take(&mut self.totals))
    }
}
