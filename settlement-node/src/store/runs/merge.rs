//! Four neighbouring runs of one size become one, in the background.
//!
//! The parts are read once, in order, and each page is checked on the way by its checksum, and every row by
//! its place: damage never gets into a merged run. Their SHA-256 is not computed again, which would
//! cost a third of a merge: who opened or wrote a part knows the checksums of its pages, and the scrubber
//! compares whole files. The merged run is durable under its name before it
//! takes its parts' place in the set, and only then are their files removed. A crash at any moment
//! leaves the parts, or the merged run, or both: then the wider one counts.

use super::info::{RunInfo, RunRange};
use super::pace::Pace;
use super::run::{PAGE_BYTES, Run, id_of};
use super::set::RunSets;
use super::sort::in_order;
use super::write::write_with;
use super::{ID_BYTES, ROW_BYTES, RunError};
use crate::store::vfs::Vfs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Bytes that are read of a part at once.
const READ_BYTES: usize = 64 * PAGE_BYTES;

/// A run that is read from its first row to its last.
struct Cursor {
    run: Arc<Run>,
    /// The next page to be read.
    page: usize,
    buffer: Vec<u8>,
    length: usize,
    at: usize,
    last: Option<[u8; ID_BYTES]>,
}

impl Cursor {
    fn new(run: Arc<Run>) -> Self {
        let buffer = vec![0; READ_BYTES];
        Self { run, page: 0, buffer, length: 0, at: 0, last: None }
    }

    /// The next row, `None` at the end.
    fn next(&mut self) -> Result<Option<[u8; ROW_BYTES]>, RunError> {
        if self.at == self.length {
            if self.page == self.run.pages.len() {
                return Ok(None);
            }
            self.length = self.run.read_pages(self.page, &mut self.buffer)?;
            self.at = 0;
            self.page += self.length.div_ceil(PAGE_BYTES);
        }
        let mut row = [0; ROW_BYTES];
        row.copy_from_slice(&self.buffer[self.at..self.at + ROW_BYTES]);
        self.at += ROW_BYTES;
        let id = id_of(&row);
        if self.last.replace(id).is_some_and(|last| last >= id) {
            return Err(self.corrupt());
        }
        Ok(Some(row))
    }

    fn corrupt(&self) -> RunError {
        RunError::Corrupt { range: self.run.range(), offset: PAGE_BYTES as u64 }
    }
}

/// Merges four neighbouring runs of the current set if there are four to be merged, and says
/// whether it did: ask again until it says no. May take minutes for the largest runs; needs memory
/// for the filter and page table of the merged run (18 bits an id) and room on the disk for its rows.
///
/// # Errors
/// [`RunError::Corrupt`] if a part is damaged: the set stays as it is. [`RunError::Io`], also for
/// want of room: the set stays as it is, or parts are left to be removed when the runs are opened.
/// [`RunError::GivenUp`]: the set stays as it is, and nothing of the merged run.
/// [`RunError::SyncFailed`]: the process should stop. [`RunError::DuplicateId`] if two parts
/// have the same id, which is a defect of who wrote them.
pub fn merge_due(
    vfs: &dyn Vfs,
    dir: &Path,
    sets: &RunSets,
    mut pace: Pace<'_>,
) -> Result<bool, RunError> {
    let set = sets.current();
    let Some((range, parts)) = set.due() else { return Ok(false) };
    let rows = parts.iter().map(|part| part.rows()).sum();
    let merged = write_with(vfs, dir, range, rows, |writer| {
        let mut cursors = parts.clone().map(Cursor::new);
        in_order(cursors.len(), |at| cursors[at].next(), &mut pace, |row| writer.push(row))
    })?;
    sets.replace(merged);
    for part in &parts {
        remove(vfs, part.file_path())?;
    }
    vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
    Ok(true)
}

/// Removes a file that may be gone.
pub(super) fn remove(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    match vfs.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a run that was fetched from a peer into `dir`, in place of a damaged one if there is one.
///
/// `fetched` is a file in the same folder, see [`RunRange::temporary_path`]. It is checked whole
/// against `expected`, made durable, and only then renamed. Give the result to
/// [`RunSets::replace`] when the runs are open.
///
/// # Errors
/// [`RunError::Unexpected`] if it is another run, [`RunError::Corrupt`] if it is damaged,
/// [`RunError::Io`], [`RunError::SyncFailed`]. The file is left where it is then.
pub fn install_run(
    vfs: &dyn Vfs,
    dir: &Path,
    fetched: &Path,
    expected: &RunInfo,
) -> Result<Run, RunError> {
    let range: RunRange = expected.range;
    let mut run = Run::open_file(vfs, fetched.to_owned(), range)?;
    if run.info() != *expected {
        return Err(RunError::Unexpected(range));
    }
    run.verify()?;
    run.file.sync_data().map_err(RunError::SyncFailed)?;
    let path = range.path(dir);
    vfs.rename(fetched, &path)?;
    vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
    run.path = path;
    Ok(run)
}
