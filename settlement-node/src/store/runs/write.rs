//! Writing a run: rows in order of id go in, a durable file with its name comes out.
//!
//! Page table, filter and digest are made on the way, so the rows of a large run need not be in
//! memory. The file is written under a temporary name of its own, synced, and renamed.

use super::filter::Filter;
use super::info::{RunInfo, RunRange};
use super::pace::Pace;
use super::run::{
    PAGE_BYTES, PAGE_ROWS, PIECE_BYTES, Page, Run, TABLE_ROW, header, id_of, table_row,
};
use super::sort::Sorted;
use super::{ID_BYTES, ROW_BYTES, RunError};
use crate::store::vfs::{Vfs, VfsFile};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Synced after this many bytes, so that the log's own syncs never wait for a whole run.
const SYNC_BYTES: u64 = 8 << 20;
/// Tells the temporary files of one process from each other: two writers of one run do no harm.
static WRITERS: AtomicU64 = AtomicU64::new(0);

/// A run that is being written.
pub(super) struct RunWriter {
    range: RunRange,
    temporary: PathBuf,
    path: PathBuf,
    out: Output,
    filter: Filter,
    pages: Vec<Page>,
    page: Vec<u8>,
    rows: u64,
    last: Option<[u8; ID_BYTES]>,
}

/// The file behind its header.
struct Output {
    file: Box<dyn VfsFile>,
    digest: Sha256,
    piece: Vec<u8>,
    at: u64,
    synced: u64,
}

impl Output {
    fn put(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), RunError> {
        self.digest.update(&self.piece);
        self.file.write_at(&self.piece, self.at)?;
        self.at += self.piece.len() as u64;
        self.piece.clear();
        if self.at - self.synced >= SYNC_BYTES {
            self.file.sync_data().map_err(RunError::SyncFailed)?;
            self.file.drop_cache(self.synced, self.at - self.synced);
            self.synced = self.at;
        }
        Ok(())
    }
}

impl RunWriter {
    /// Begins a run of at most `rows` rows. The filter is sized for all of them.
    pub(super) fn create(
        vfs: &dyn Vfs,
        dir: &Path,
        range: RunRange,
        rows: u64,
    ) -> Result<Self, RunError> {
        let writer = WRITERS.fetch_add(1, Ordering::Relaxed).to_string();
        let temporary = range.temporary_path(dir, &writer);
        let file = vfs.open(&temporary, true)?;
        file.set_len(0)?;
        let at = PAGE_BYTES as u64;
        let piece = Vec::with_capacity(PIECE_BYTES + PAGE_BYTES);
        Ok(Self {
            range,
            temporary,
            path: range.path(dir),
            out: Output { file, digest: Sha256::new(), piece, at, synced: 0 },
            filter: Filter::for_ids(rows),
            pages: Vec::with_capacity((rows as usize).div_ceil(PAGE_ROWS)),
            page: Vec::with_capacity(PAGE_BYTES),
            rows: 0,
            last: None,
        })
    }

    /// Adds a row, of a greater id than the one before.
    pub(super) fn push(&mut self, row: &[u8; ROW_BYTES]) -> Result<(), RunError> {
        let id = id_of(row);
        if self.last.replace(id).is_some_and(|last| last >= id) {
            return Err(RunError::DuplicateId(id));
        }
        self.page.extend_from_slice(row);
        self.rows += 1;
        if self.page.len() == PAGE_BYTES { self.end_page() } else { Ok(()) }
    }

    fn end_page(&mut self) -> Result<(), RunError> {
        if !self.page.is_empty() {
            self.filter.insert(self.page.chunks_exact(ROW_BYTES).map(id_of));
            self.pages.push((id_of(&self.page), crc32c::crc32c(&self.page)));
            self.out.put(&self.page)?;
            self.page.clear();
        }
        Ok(())
    }

    /// Ends the file, makes it durable and gives it its name. `rows` is what `create` was told.
    pub(super) fn finish(mut self, vfs: &dyn Vfs, dir: &Path) -> Result<Run, RunError> {
        self.end_page()?;
        let (mut table_crc, mut filter_crc) = (0, 0);
        for page in &self.pages {
            let row: [u8; TABLE_ROW] = table_row(page);
            table_crc = crc32c::crc32c_append(table_crc, &row);
            self.out.put(&row)?;
        }
        for block in self.filter.bytes() {
            filter_crc = crc32c::crc32c_append(filter_crc, &block);
            self.out.put(&block)?;
        }
        self.out.flush()?;
        let digest = self.out.digest.finalize().into();
        let info = RunInfo { range: self.range, rows: self.rows, digest };
        let file = self.out.file;
        file.write_at(&header(&info, table_crc, filter_crc), 0)?;
        file.sync_data().map_err(RunError::SyncFailed)?;
        vfs.rename(&self.temporary, &self.path)?;
        vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
        file.expect_random_reads();
        Ok(Run { info, path: self.path, file, filter: self.filter, pages: self.pages })
    }

    /// The file while it is written, to be removed when that failed.
    pub(super) fn temporary(&self) -> PathBuf {
        self.temporary.clone()
    }
}

/// Writes a run with `fill`, and removes what was written when that fails.
pub(super) fn write_with(
    vfs: &dyn Vfs,
    dir: &Path,
    range: RunRange,
    rows: u64,
    fill: impl FnOnce(&mut RunWriter) -> Result<(), RunError>,
) -> Result<Run, RunError> {
    let mut writer = RunWriter::create(vfs, dir, range, rows)?;
    let temporary = writer.temporary();
    let written = fill(&mut writer).and_then(|()| writer.finish(vfs, dir));
    if written.is_err() && vfs.exists(&temporary).unwrap_or(false) {
        // What cannot be removed now is removed when the runs are opened.
        let _: io::Result<()> = vfs.remove(&temporary);
    }
    written
}

/// Sorts the rows by id and writes them as the run of one generation, durably. If that run exists
/// with the same rows (a generation that is written again after a crash) it is left as it is.
///
/// # Errors
/// [`RunError::DuplicateId`], [`RunError::Exists`], [`RunError::Io`], [`RunError::SyncFailed`],
/// [`RunError::GivenUp`]; [`RunError::Corrupt`] if the run that exists is damaged.
pub fn write_run(
    vfs: &dyn Vfs,
    dir: &Path,
    generation: u64,
    rows: impl Iterator<Item = [u8; ROW_BYTES]> + Clone,
    mut pace: Pace<'_>,
) -> Result<Run, RunError> {
    let rows = Sorted::new(rows, &mut pace)?;
    vfs.create_dir_all(dir)?;
    let range = RunRange::one(generation);
    if vfs.exists(&range.path(dir))? {
        let known = Run::open(vfs, dir, range)?;
        return if known.holds(rows, &mut pace)? {
            Ok(known)
        } else {
            Err(RunError::Exists(range))
        };
    }
    let count = rows.len() as u64;
    write_with(vfs, dir, range, count, |writer| rows.for_each(&mut pace, |row| writer.push(row)))
}

impl Run {
    /// Whether the rows of the run are exactly these.
    fn holds(&self, rows: Sorted, pace: &mut Pace<'_>) -> Result<bool, RunError> {
        if self.info.rows != rows.len() as u64 {
            return Ok(false);
        }
        let mut buffer = [0; PAGE_BYTES];
        let (mut page, mut length, mut at, mut same) = (0, 0, 0, true);
        rows.for_each(pace, |row| {
            if at == length {
                (length, at) = (self.read_pages(page, &mut buffer)?, 0);
                page += 1;
            }
            same &= buffer[at..at + ROW_BYTES] == *row;
            at += ROW_BYTES;
            Ok(())
        })?;
        Ok(same)
    }
}
