//! One run: its file, how it is opened, searched and checked.
//!
//! File: a 4 KiB header; the rows in pages of 128; the page table (first id, checksum of the page);
//! the filter. The header is checksummed, holds the checksums of table and filter, and the SHA-256
//! of all that follows it. Opening reads header, table and filter, a twelfth of the file; a page
//! is checked when it is read, and `verify` checks all. A run that has its name is whole.

use super::filter::{Filter, Probe};
use super::info::{RunInfo, RunRange};
use super::{ID_BYTES, ROW_BYTES, RunError};
use crate::store::vfs::{Vfs, VfsFile, read_exact_at};
use crate::store::wal::{read_u32, read_u64};
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: u64 = u64::from_le_bytes(*b"corr-run");
const FORMAT: u32 = 3;
pub(super) const PAGE_BYTES: usize = 4096;
pub(super) const PAGE_ROWS: usize = PAGE_BYTES / ROW_BYTES;
/// Bytes of the page table per page: first id, checksum.
pub(super) const TABLE_ROW: usize = ID_BYTES + 4;
/// The checksum of the header page is its last field.
const HEADER_CRC_AT: usize = PAGE_BYTES - 4;
/// Written and read in pieces of this size.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// First id of a page, and the checksum of the page.
pub(super) type Page = ([u8; ID_BYTES], u32);

/// An open run. It stays readable while it is open, also when its file was merged into another.
pub struct Run {
    pub(super) info: RunInfo,
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn VfsFile>,
    pub(super) filter: Filter,
    pub(super) pages: Vec<Page>,
}

/// The id of a row.
pub(super) fn id_of(row: &[u8]) -> [u8; ID_BYTES] {
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&row[..ID_BYTES]);
    id
}

/// The row of a page in the page table.
pub(super) fn table_row((first, crc): &Page) -> [u8; TABLE_ROW] {
    let mut row = [0; TABLE_ROW];
    row[..ID_BYTES].copy_from_slice(first);
    row[ID_BYTES..].copy_from_slice(&crc.to_le_bytes());
    row
}

/// The header page.
pub(super) fn header(info: &RunInfo, table_crc: u32, filter_crc: u32) -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    let mut at = 0;
    let mut put = |field: &[u8]| {
        page[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    };
    put(&MAGIC.to_le_bytes());
    put(&FORMAT.to_le_bytes());
    put(&[0; 4]);
    put(&info.range.first().to_le_bytes());
    put(&info.range.generations().to_le_bytes());
    put(&info.rows.to_le_bytes());
    put(&Filter::bytes_for(info.rows).to_le_bytes());
    put(&info.digest);
    put(&table_crc.to_le_bytes());
    put(&filter_crc.to_le_bytes());
    let crc = crc32c::crc32c(&page[..HEADER_CRC_AT]);
    page[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    page
}

/// The format of a sound header of another version. Magic, format and the checksum of the page stay where
/// they are in every format.
fn other_format(head: &[u8; PAGE_BYTES]) -> Option<u32> {
    let format = read_u32(head, 8);
    let is_sound = read_u64(head, 0) == MAGIC
        && read_u32(head, HEADER_CRC_AT) == crc32c::crc32c(&head[..HEADER_CRC_AT]);
    (is_sound && format != FORMAT).then_some(format)
}

/// Reads a part of a file piece by piece and returns its checksum.
fn read_part(
    file: &dyn VfsFile,
    mut at: u64,
    bytes: u64,
    mut each: impl FnMut(&[u8]),
) -> io::Result<u32> {
    // A multiple of the table's rows and of the filter's blocks.
    const PART_BYTES: usize = TABLE_ROW * 64 * 256;
    let (end, mut crc) = (at + bytes, 0);
    let mut piece = vec![0; PART_BYTES.min(bytes as usize)];
    while at < end {
        let length = piece.len().min((end - at) as usize);
        read_exact_at(file, &mut piece[..length], at)?;
        crc = crc32c::crc32c_append(crc, &piece[..length]);
        each(&piece[..length]);
        at += length as u64;
    }
    Ok(crc)
}

impl Run {
    /// Opens the run `range` of `dir`: checks header and size, loads page table and filter and
    /// checks them. The rows are not read.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::UnknownFormat`], [`RunError::Io`].
    pub fn open(vfs: &dyn Vfs, dir: &Path, range: RunRange) -> Result<Self, RunError> {
        Self::open_file(vfs, range.path(dir), range)
    }

    /// As [`Run::open`], for a file of any name.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::UnknownFormat`], [`RunError::Io`].
    pub fn open_file(vfs: &dyn Vfs, path: PathBuf, range: RunRange) -> Result<Self, RunError> {
        let corrupt = |offset: u64| RunError::Corrupt { range, offset };
        let file = vfs.open(&path, false)?;
        let mut head = [0; PAGE_BYTES];
        if file.read_at(&mut head, 0)? < PAGE_BYTES {
            return Err(corrupt(0));
        }
        if let Some(format) = other_format(&head) {
            return Err(RunError::UnknownFormat { range, format });
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&head[48..80]);
        let info = RunInfo { range, rows: read_u64(&head, 32), digest };
        let (table_crc, filter_crc) = (read_u32(&head, 80), read_u32(&head, 84));
        // One run, one header: comparing it with what it should be checks every byte.
        let bytes = info.file_bytes().ok_or_else(|| corrupt(0))?;
        if head != header(&info, table_crc, filter_crc) {
            return Err(corrupt(0));
        }
        if file.len()? != bytes {
            return Err(corrupt(info.table_at()));
        }
        let mut pages = Vec::with_capacity(info.table_bytes() as usize / TABLE_ROW);
        let page = |row: &[u8]| (id_of(row), read_u32(row, ID_BYTES));
        let found = read_part(&*file, info.table_at(), info.table_bytes(), |piece| {
            pages.extend(piece.chunks_exact(TABLE_ROW).map(page));
        })?;
        if found != table_crc {
            return Err(corrupt(info.table_at()));
        }
        let filter_at = info.table_at() + info.table_bytes();
        let mut filter = Filter::unread();
        let found = read_part(&*file, filter_at, Filter::bytes_for(info.rows), |piece| {
            filter.extend(piece);
        })?;
        if found != filter_crc {
            return Err(corrupt(filter_at));
        }
        file.expect_random_reads();
        Ok(Self { info, path, file, filter, pages })
    }

    /// Its generations, number of rows and digest.
    #[must_use]
    pub fn info(&self) -> RunInfo {
        self.info
    }

    /// Its generations.
    #[must_use]
    pub fn range(&self) -> RunRange {
        self.info.range
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.info.rows
    }

    /// SHA-256 of the content, the same for the same rows on every node.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.info.digest
    }

    /// Its file. A merged run has taken its place when it is not there any more.
    #[must_use]
    pub fn file_path(&self) -> &Path {
        &self.path
    }

    /// Reads bytes of the file, to be sent to a peer; returns the count, short only at the end.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    /// Reads pages from `page` on into `buffer`, which holds whole pages, and checks each of them.
    /// Returns how many bytes of rows it has read.
    pub(super) fn read_pages(&self, page: usize, buffer: &mut [u8]) -> Result<usize, RunError> {
        let offset = (PAGE_BYTES * (page + 1)) as u64;
        let rest = self.info.table_at() - offset;
        let length = buffer.len().min(rest as usize);
        read_exact_at(&*self.file, &mut buffer[..length], offset)?;
        for (at, bytes) in buffer[..length].chunks(PAGE_BYTES).enumerate() {
            if crc32c::crc32c(bytes) != self.pages[page + at].1 {
                let offset = offset + (at * PAGE_BYTES) as u64;
                return Err(RunError::Corrupt { range: self.info.range, offset });
            }
        }
        Ok(length)
    }

    /// Whether the run may hold the id: false is certain, true is wrong about once in a thousand times.
    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        self.filter.may_contain(probe)
    }

    /// Reads the place of the filter that [`Run::may_contain`] will look at.
    pub(super) fn touch(&self, probe: &Probe) -> u64 {
        self.filter.touch(probe)
    }

    /// The value of an id that [`Run::may_contain`] does not exclude, `None` if it is not there.
    ///
    /// # Errors
    /// [`RunError::Corrupt`] if the page is damaged, [`RunError::Io`].
    pub(super) fn value(&self, id: &[u8; ID_BYTES]) -> Result<Option<[u8; 16]>, RunError> {
        let after = self.pages.partition_point(|page| page.0 <= *id);
        let Some(page) = after.checked_sub(1) else { return Ok(None) };
        let mut buffer = [0; PAGE_BYTES];
        let length = self.read_pages(page, &mut buffer)?;
        let (rows, _) = buffer[..length].as_chunks::<ROW_BYTES>();
        let found = rows.binary_search_by(|row| row[..ID_BYTES].cmp(&id[..]));
        Ok(found.ok().map(|at| {
            let mut value = [0; 16];
            value.copy_from_slice(&rows[at][ID_BYTES..]);
            value
        }))
    }
}
