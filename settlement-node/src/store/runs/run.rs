//! One run: how it is written, opened and searched.
//!
//! File: a 4 KiB header; the rows in pages of 128; the page table (first id, checksum of the page);
//! the filter. The header is checksummed and holds the SHA-256 of all that follows it. A run is
//! written under a temporary name and renamed when durable, so a run that has its name is whole.

use super::filter::Filter;
use super::{ID_BYTES, ROW_BYTES, RunError};
use crate::store::vfs::{Vfs, VfsFile, read_exact_at};
use crate::store::wal::{read_u32, read_u64};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: u64 = u64::from_le_bytes(*b"corr-run");
const FORMAT: u32 = 1;
const PAGE_BYTES: usize = 4096;
const PAGE_ROWS: usize = PAGE_BYTES / ROW_BYTES;
/// Bytes of the page table per page: first id, checksum.
const TABLE_ROW: usize = ID_BYTES + 4;
/// Bytes of the header that carry fields; the checksum follows them.
const FIELDS: usize = 8 + 4 + 4 + 8 + 8 + 8 + 32;
/// Written and read in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
const PREFIX: &str = "run-";
const SUFFIX: &str = ".ids";
/// Ending of a run that is being written.
pub(super) const TEMPORARY: &str = ".tmp";

/// An open run.
pub struct Run {
    generation: u64,
    rows: u64,
    digest: [u8; 32],
    file: Box<dyn VfsFile>,
    filter: Filter,
    /// First id of each page, and the checksum of the page.
    pages: Vec<([u8; ID_BYTES], u32)>,
}

fn path_of(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{generation:020}{SUFFIX}"))
}

/// Generation of a run, from the name of its file.
pub(super) fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

fn id_of(row: &[u8]) -> [u8; ID_BYTES] {
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&row[..ID_BYTES]);
    id
}

/// Sorts the rows by id and writes them as the run `generation` of `dir`, durably. If that run
/// exists with the same rows (a checkpoint that is repeated after a crash) it is left as it is.
///
/// # Errors
/// [`RunError::DuplicateId`], [`RunError::Exists`], [`RunError::Io`], [`RunError::SyncFailed`].
pub fn write_run(
    vfs: Arc<dyn Vfs>,
    dir: &Path,
    generation: u64,
    mut rows: Vec<[u8; ROW_BYTES]>,
) -> Result<Run, RunError> {
    rows.sort_unstable();
    if let Some(pair) = rows.windows(2).find(|pair| pair[0][..ID_BYTES] == pair[1][..ID_BYTES]) {
        return Err(RunError::DuplicateId(id_of(&pair[0])));
    }
    vfs.create_dir_all(dir)?;
    let path = path_of(dir, generation);
    let mut filter = Filter::for_ids(rows.len());
    rows.iter().for_each(|row| filter.insert(&id_of(row)));
    let mut pages = Vec::with_capacity(rows.len().div_ceil(PAGE_ROWS));
    let mut table = Vec::with_capacity(pages.capacity() * TABLE_ROW);
    for page in rows.chunks(PAGE_ROWS) {
        let (first, crc) = (id_of(&page[0]), crc32c::crc32c(page.as_flattened()));
        pages.push((first, crc));
        table.extend_from_slice(&first);
        table.extend_from_slice(&crc.to_le_bytes());
    }
    let mut digest = Sha256::new();
    let parts = [rows.as_flattened(), &table, filter.as_bytes()];
    parts.iter().for_each(|part| digest.update(part));
    let digest: [u8; 32] = digest.finalize().into();
    let count = rows.len() as u64;
    if vfs.exists(&path)? {
        let known = Run::open(&*vfs, dir, generation)?;
        let same = known.digest == digest;
        return if same { Ok(known) } else { Err(RunError::Exists { generation }) };
    }
    let temporary = dir.join(format!("{PREFIX}{generation:020}{TEMPORARY}"));
    let file = vfs.open(&temporary, true)?;
    file.set_len(0)?;
    let filter_bytes = filter.as_bytes().len() as u64;
    file.write_at(&header(generation, count, filter_bytes, &digest), 0)?;
    let mut at = PAGE_BYTES as u64;
    for part in parts {
        for piece in part.chunks(PIECE_BYTES) {
            file.write_at(piece, at)?;
            at += piece.len() as u64;
        }
    }
    file.sync_data().map_err(RunError::SyncFailed)?;
    vfs.rename(&temporary, &path)?;
    vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
    Ok(Run { generation, rows: count, digest, file, filter, pages })
}

fn header(generation: u64, rows: u64, filter_bytes: u64, digest: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PAGE_BYTES);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for field in [generation, rows, filter_bytes] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(digest);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.resize(PAGE_BYTES, 0);
    out
}

impl Run {
    /// Opens the run `generation` of `dir`: checks header, size and SHA-256, loads page table and
    /// filter. Reads the whole file, about a second per gigabyte.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::Io`].
    pub fn open(vfs: &dyn Vfs, dir: &Path, generation: u64) -> Result<Self, RunError> {
        let corrupt = |offset: u64| RunError::Corrupt { generation, offset };
        let file = vfs.open(&path_of(dir, generation), false)?;
        let mut head = vec![0; PAGE_BYTES];
        if file.read_at(&mut head, 0)? < PAGE_BYTES {
            return Err(corrupt(0));
        }
        let sound = read_u64(&head, 0) == MAGIC
            && crc32c::crc32c(&head[..FIELDS]) == read_u32(&head, FIELDS)
            && read_u32(&head, 8) == FORMAT
            && read_u64(&head, 16) == generation;
        if !sound {
            return Err(corrupt(0));
        }
        let (rows, filter_bytes) = (read_u64(&head, 24), read_u64(&head, 32));
        let mut digest = [0; 32];
        digest.copy_from_slice(&head[40..72]);
        let table_at = PAGE_BYTES as u64 + rows * ROW_BYTES as u64;
        let table_bytes = rows.div_ceil(PAGE_ROWS as u64) * TABLE_ROW as u64;
        if file.len()? != table_at + table_bytes + filter_bytes {
            return Err(corrupt(table_at));
        }
        let mut table = vec![0; table_bytes as usize];
        read_exact_at(&*file, &mut table, table_at)?;
        let page = |row: &[u8]| (id_of(row), read_u32(row, ID_BYTES));
        let pages = table.chunks_exact(TABLE_ROW).map(page).collect();
        let mut bytes = vec![0; filter_bytes as usize];
        read_exact_at(&*file, &mut bytes, table_at + table_bytes)?;
        let filter = Filter::from_bytes(bytes).ok_or_else(|| corrupt(table_at + table_bytes))?;
        let run = Self { generation, rows, digest, file, filter, pages };
        run.verify()?;
        Ok(run)
    }

    /// Generation given when it was written.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// SHA-256 of the content, the same for the same rows on every node.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Reads the whole run again and compares its SHA-256; for scrubbing.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::Io`].
    pub fn verify(&self) -> Result<(), RunError> {
        let mut digest = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = PAGE_BYTES as u64;
        loop {
            let count = self.file.read_at(&mut piece, at)?;
            if count == 0 {
                break;
            }
            digest.update(&piece[..count]);
            at += count as u64;
        }
        let found: [u8; 32] = digest.finalize().into();
        let (generation, offset) = (self.generation, PAGE_BYTES as u64);
        if found == self.digest { Ok(()) } else { Err(RunError::Corrupt { generation, offset }) }
    }

    /// The value of an id, `None` if the run certainly does not hold it.
    ///
    /// # Errors
    /// [`RunError::Corrupt`] if the page is damaged, [`RunError::Io`].
    pub fn lookup(&self, id: &[u8; ID_BYTES]) -> Result<Option<[u8; 16]>, RunError> {
        if !self.filter.may_contain(id) {
            return Ok(None);
        }
        let after = self.pages.partition_point(|page| page.0 <= *id);
        let Some(page) = after.checked_sub(1) else { return Ok(None) };
        let offset = (PAGE_BYTES * (page + 1)) as u64;
        let rows = (self.rows as usize - page * PAGE_ROWS).min(PAGE_ROWS);
        let mut buffer = [0; PAGE_BYTES];
        let bytes = &mut buffer[..rows * ROW_BYTES];
        read_exact_at(&*self.file, bytes, offset)?;
        if crc32c::crc32c(bytes) != self.pages[page].1 {
            return Err(RunError::Corrupt { generation: self.generation, offset });
        }
        let (rows, _) = bytes.as_chunks::<ROW_BYTES>();
        let found = rows.binary_search_by(|row| row[..ID_BYTES].cmp(&id[..]));
        Ok(found.ok().map(|at| {
            let mut value = [0; 16];
            value.copy_from_slice(&rows[at][ID_BYTES..]);
            value
        }))
    }
}
