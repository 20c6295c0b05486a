//! Which generations a run holds, and what identifies its content.
//!
//! Generations are counted from 0. A run holds 1, 4, 16 ... of them and begins at a multiple of
//! their number: so two runs are apart, or one covers the other.

use super::ROW_BYTES;
use super::filter::Filter;
use super::run::{PAGE_BYTES, PAGE_ROWS, TABLE_ROW};
use std::fmt;
use std::path::{Path, PathBuf};

/// How many runs of one size become one of the next.
pub(super) const MERGED_AT_ONCE: u64 = 4;
/// Generations of the largest run: a thousand million ids, 42 GB. Larger ones would take too long
/// to merge and to fetch for what they save.
const GENERATIONS_MAX: u64 = 1024;
/// No run has as many rows: keeps arithmetic with numbers from a file from overflowing.
const ROWS_END: u64 = 1 << 48;
const PREFIX: &str = "run-";
const SUFFIX: &str = ".ids";
/// Ending of a file that is being written or fetched; removed when the runs are opened.
pub(super) const TEMPORARY: &str = ".tmp";

/// The generations of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunRange {
    first: u64,
    generations: u64,
}

impl RunRange {
    /// A range; `None` unless there are 1, 4, 16 ... 1024 generations and `first` is a multiple.
    #[must_use]
    pub fn new(first: u64, generations: u64) -> Option<Self> {
        let is_size = generations.is_power_of_two()
            && generations.trailing_zeros().is_multiple_of(MERGED_AT_ONCE.trailing_zeros())
            && generations <= GENERATIONS_MAX;
        let fits = is_size
            && first.is_multiple_of(generations)
            && first.checked_add(generations).is_some();
        fits.then_some(Self { first, generations })
    }

    /// A single generation, below 2^64 - 1.
    #[must_use]
    pub(super) const fn one(generation: u64) -> Self {
        Self { first: generation, generations: 1 }
    }

    /// The first generation.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How many there are.
    #[must_use]
    pub const fn generations(&self) -> u64 {
        self.generations
    }

    /// The generation after the last.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first + self.generations
    }

    /// Whether all generations of `other` are among these.
    #[must_use]
    pub const fn covers(&self, other: &Self) -> bool {
        self.first <= other.first && other.end() <= self.end()
    }

    /// The range that this one is the first quarter of, if there are runs of that size.
    pub(super) fn merged(&self) -> Option<Self> {
        Self::new(self.first, self.generations * MERGED_AT_ONCE)
    }

    /// The four ranges that are merged to get this one, unless it is a single generation.
    pub(super) fn parts(&self) -> Option<[Self; MERGED_AT_ONCE as usize]> {
        let generations = self.generations / MERGED_AT_ONCE;
        let part = |at: usize| Self { first: self.first + at as u64 * generations, generations };
        (generations > 0).then(|| std::array::from_fn(part))
    }

    /// Name of the file of the run.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{PREFIX}{:020}-{:04}{SUFFIX}", self.first, self.generations)
    }

    /// The range of a file, by its name.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let (first, generations) =
            name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
        let range = Self::new(first.parse().ok()?, generations.parse().ok()?)?;
        (range.file_name() == name).then_some(range)
    }

    /// Where the run is in a folder.
    #[must_use]
    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.file_name())
    }

    /// Where to put the run while it is written or fetched. `writer` tells those from each other
    /// that may do so at the same time. What is left there goes when the runs are opened.
    #[must_use]
    pub fn temporary_path(&self, dir: &Path, writer: &str) -> PathBuf {
        dir.join(format!("{PREFIX}{:020}-{:04}-{writer}{TEMPORARY}", self.first, self.generations))
    }
}

impl fmt::Display for RunRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.first, self.generations)
    }
}

/// What identifies a run: equal on all nodes for the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunInfo {
    /// Its generations.
    pub range: RunRange,
    /// How many ids it holds.
    pub rows: u64,
    /// SHA-256 of the file after its header, which the other fields determine.
    pub digest: [u8; 32],
}

impl RunInfo {
    /// Size of the file in bytes; `None` for a number of rows that no run has.
    #[must_use]
    pub fn file_bytes(&self) -> Option<u64> {
        let filter = Filter::bytes_for(self.rows);
        (self.rows < ROWS_END).then(|| self.table_at() + self.table_bytes() + filter)
    }

    pub(super) const fn table_at(&self) -> u64 {
        PAGE_BYTES as u64 + self.rows * ROW_BYTES as u64
    }

    pub(super) const fn table_bytes(&self) -> u64 {
        self.rows.div_ceil(PAGE_ROWS as u64) * TABLE_ROW as u64
    }
}

#[cfg(test)]
mod tests {
    use super::RunRange;

    #[test]
    fn ranges_are_aligned_powers_of_four_with_one_name() {
        for (first, generations) in [(0, 1), (7, 1), (8, 4), (16, 16), (0, 1024)] {
            let range = RunRange::new(first, generations).unwrap();
            assert_eq!(RunRange::of_file(&range.file_name()), Some(range));
            assert_eq!(range.end(), first + generations);
        }
        for (first, generations) in
            [(0, 0), (0, 2), (0, 8), (2, 4), (0, 4096), (u64::MAX, 1), (u64::MAX - 3, 4)]
        {
            assert_eq!(RunRange::new(first, generations), None, "{first} {generations}");
        }
        let name = RunRange::one(3).file_name();
        assert_eq!(name, "run-00000000000000000003-0001.ids");
        for wrong in ["run-3-1.ids", "run-00000000000000000003.ids", "run-0-0001.tmp", "x"] {
            assert_eq!(RunRange::of_file(wrong), None);
        }
        let merged = RunRange::new(8, 4).unwrap();
        assert_eq!(RunRange::one(8).merged(), Some(merged));
        assert_eq!(RunRange::one(9).merged(), None);
        assert_eq!(merged.parts().unwrap(), [8, 9, 10, 11].map(RunRange::one));
        assert_eq!(RunRange::new(0, 1024).unwrap().merged(), None);
        assert_eq!(RunRange::one(0).parts(), None);
        assert!(merged.covers(&RunRange::one(11)) && !merged.covers(&RunRange::one(12)));
    }
}
