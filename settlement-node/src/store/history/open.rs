//! Opens a history: loads the rows, checks what may not have been synced, cuts off the rest.
//!
//! A file that is not the last one was synced before the next was begun, so damage there is rot and
//! is refused, while damage at the end of the last file is an unfinished write and is cut off.

use super::frame::{self, FILE_HEADER, FRAME_HEADER, ROW_BYTES, Row};
use super::reader::{Blocks, Part, Spot};
use super::{History, HistoryError, HistoryOptions, SECTOR_BYTES, Tail};
use crate::store::vfs::{Vfs, VfsFile, read_exact_at, settle};
use bytes::Bytes;
use std::path::Path;
use std::sync::{Arc, RwLock};

/// One file as found on the disk.
struct Loaded {
    data: Arc<dyn VfsFile>,
    rows_file: Arc<dyn VfsFile>,
    rows: Vec<Row>,
    /// How many rows of the sidecar are right as they are.
    kept: usize,
    data_len: u64,
    /// Checksum of the frame before the file.
    link: u32,
}

/// See [`History::open`].
pub(super) fn open(
    vfs: Arc<dyn Vfs>,
    dir: &Path,
    mut options: HistoryOptions,
) -> Result<History, HistoryError> {
    options.file_bytes = options.file_bytes.min(2 << 30);
    vfs.create_dir_all(dir)?;
    let names = vfs.list(dir)?;
    let mut heights: Vec<u64> =
        names.iter().filter_map(|name| frame::height_of_name(name)).collect();
    heights.sort_unstable();
    let mut parts = Vec::new();
    let mut previous: Option<Row> = None;
    let mut tail = None;
    for (at, &height) in heights.iter().enumerate() {
        let is_last = at + 1 == heights.len();
        let loaded = load(&*vfs, dir, height, is_last, &options)?;
        let follows = |loaded: &Loaded| {
            previous.is_none_or(|row| row.height + 1 == height && row.crc == loaded.link)
        };
        let loaded = loaded.filter(|loaded| !loaded.rows.is_empty());
        if loaded.as_ref().is_some_and(|loaded| !follows(loaded)) {
            // The file before was whole and durable when this one was begun.
            return Err(HistoryError::Corrupt { height: previous.map_or(0, |row| row.height) + 1 });
        }
        let Some(loaded) = loaded else {
            if !is_last {
                return Err(HistoryError::Corrupt { height });
            }
            // Begun, but nothing in it survived.
            vfs.remove(&frame::data_path(dir, height))?;
            if vfs.exists(&frame::rows_path(dir, height))? {
                vfs.remove(&frame::rows_path(dir, height))?;
            }
            break;
        };
        previous = loaded.rows.last().copied();
        if is_last {
            tail = Some(repair(&loaded)?);
        }
        parts.push(Part {
            first_height: height,
            data: loaded.data,
            rows: loaded.rows.iter().map(spot).collect(),
        });
    }
    vfs.sync_dir(dir).map_err(HistoryError::SyncFailed)?;
    let last_height = previous.map(|row| row.height);
    Ok(History {
        vfs,
        dir: dir.to_path_buf(),
        options,
        blocks: Arc::new(RwLock::new(Blocks { parts })),
        tail,
        last_height,
        next_leaf: previous.map_or(0, |row| row.first_leaf + u64::from(row.leaf_count)),
        link: previous.map_or(0, |row| row.crc),
        synced_height: last_height,
        written: 0,
    })
}

fn spot(row: &Row) -> Spot {
    Spot {
        first_leaf: row.first_leaf,
        offset: row.offset,
        len: row.len,
        leaf_count: row.leaf_count,
    }
}

/// End of the frame of a row.
fn end_of(row: Option<&Row>) -> u64 {
    row.map_or(FILE_HEADER as u64, |row| u64::from(row.offset) + u64::from(row.len))
}

/// Where the frame after this row can be: right behind it, or in the next sector after a sync.
fn starts_after(row: Option<&Row>) -> [u64; 2] {
    let end = end_of(row);
    [end, end.next_multiple_of(SECTOR_BYTES)]
}

/// Loads one file; `None` if its header is not sound.
fn load(
    vfs: &dyn Vfs,
    dir: &Path,
    height: u64,
    is_last: bool,
    options: &HistoryOptions,
) -> Result<Option<Loaded>, HistoryError> {
    let data: Arc<dyn VfsFile> = vfs.open(&frame::data_path(dir, height), false)?.into();
    if is_last {
        settle(&*data).map_err(HistoryError::SyncFailed)?;
    }
    let mut header = [0; FILE_HEADER];
    let count = data.read_at(&mut header, 0)?;
    if let Some(format) = frame::other_format(&header[..count]) {
        return Err(HistoryError::UnknownFormat { height, format });
    }
    let Some(link) = frame::link_of_header(&header[..count], height) else { return Ok(None) };
    let data_len = data.len()?;
    let rows_file: Arc<dyn VfsFile> = vfs.open(&frame::rows_path(dir, height), true)?.into();
    if is_last {
        settle(&*rows_file).map_err(HistoryError::SyncFailed)?;
    }
    let rows = sound_rows(&*rows_file, height, data_len)?;
    let mut loaded = Loaded { data, rows_file, kept: rows.len(), rows, data_len, link };
    if is_last {
        check_unsynced(&mut loaded, options)?;
    }
    scan_rest(&mut loaded, height)?;
    let end = end_of(loaded.rows.last());
    if !is_last && end != data_len {
        let height = height + loaded.rows.len() as u64;
        return Err(HistoryError::Corrupt { height });
    }
    if !is_last && loaded.kept < loaded.rows.len() {
        write_rows(&loaded)?;
    }
    Ok(Some(loaded))
}

/// The rows of a sidecar up to the first that is not sound.
fn sound_rows(file: &dyn VfsFile, height: u64, data_len: u64) -> Result<Vec<Row>, HistoryError> {
    let mut bytes = vec![0; file.len()? as usize];
    let count = file.read_at(&mut bytes, 0)?;
    let mut rows: Vec<Row> = Vec::with_capacity(count / ROW_BYTES);
    for chunk in bytes[..count].chunks_exact(ROW_BYTES) {
        let Some(row) = Row::decode(chunk) else { break };
        let last = rows.last();
        let fits = row.height == height + rows.len() as u64
            && starts_after(last).contains(&u64::from(row.offset))
            && end_of(Some(&row)) <= data_len
            && last
                .is_none_or(|last| row.first_leaf >= last.first_leaf + u64::from(last.leaf_count));
        if !fits {
            break;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Reads the frames that may have been unsynced, and drops the rows from the first bad one on.
fn check_unsynced(loaded: &mut Loaded, options: &HistoryOptions) -> Result<(), HistoryError> {
    let largest = loaded.rows.iter().map(|row| u64::from(row.len)).max().unwrap_or(0);
    let window = 2 * options.sync_bytes + 2 * super::BUFFER_BYTES as u64 + 2 * largest;
    let from = loaded.data_len.saturating_sub(window);
    let first = loaded.rows.partition_point(|row| end_of(Some(row)) <= from);
    for at in first..loaded.rows.len() {
        let row = loaded.rows[at];
        let link = at.checked_sub(1).map_or(loaded.link, |before| loaded.rows[before].crc);
        let sound = read_frame(loaded, u64::from(row.offset))?
            .is_some_and(|(found, frame)| found == row && frame == link);
        if !sound {
            loaded.rows.truncate(at);
            loaded.kept = at;
            return Ok(());
        }
    }
    Ok(())
}

/// Finds frames behind the last row; their rows were lost.
fn scan_rest(loaded: &mut Loaded, height: u64) -> Result<(), HistoryError> {
    loop {
        let last = loaded.rows.last().copied();
        let next_height = height + loaded.rows.len() as u64;
        let next_leaf = last.map_or(0, |last| last.first_leaf + u64::from(last.leaf_count));
        let next_link = last.map_or(loaded.link, |last| last.crc);
        let mut found = None;
        for offset in starts_after(last.as_ref()) {
            let frame = read_frame(loaded, offset)?.filter(|(row, link)| {
                row.height == next_height && *link == next_link && row.first_leaf >= next_leaf
            });
            found = found.or(frame);
        }
        let Some((row, _)) = found else { return Ok(()) };
        loaded.rows.push(row);
    }
}

/// The row that belongs to the frame at `offset`, and the link in it; `None` if it is not sound.
fn read_frame(loaded: &Loaded, offset: u64) -> Result<Option<(Row, u32)>, HistoryError> {
    if offset + FRAME_HEADER as u64 > loaded.data_len {
        return Ok(None);
    }
    let mut head = [0; FRAME_HEADER];
    read_exact_at(&*loaded.data, &mut head, offset)?;
    let Some(len) = frame::claimed_bytes(&head) else { return Ok(None) };
    if offset + len as u64 > loaded.data_len {
        return Ok(None);
    }
    let mut bytes = vec![0; len];
    read_exact_at(&*loaded.data, &mut bytes, offset)?;
    Ok(frame::decode(&Bytes::from(bytes)).map(|found| {
        let row = Row {
            height: found.block.height,
            first_leaf: found.block.first_leaf,
            offset: offset as u32,
            len: found.len as u32,
            leaf_count: found.block.leaf_count,
            crc: found.crc,
        };
        (row, found.link)
    }))
}

/// Cuts the last file to its sound blocks, makes it durable, and readies it for appending.
fn repair(loaded: &Loaded) -> Result<Tail, HistoryError> {
    let end = end_of(loaded.rows.last());
    if end < loaded.data_len {
        tracing::warn!(
            bytes = loaded.data_len - end,
            height = loaded.rows.last().map(|row| row.height),
            "cut off the unfinished end of the history"
        );
        loaded.data.set_len(end)?;
    }
    write_rows(loaded)?;
    loaded.data.sync_data().map_err(HistoryError::SyncFailed)?;
    let start = end.next_multiple_of(SECTOR_BYTES);
    Ok(Tail {
        data: loaded.data.clone(),
        rows: loaded.rows_file.clone(),
        data_at: start,
        rows_at: (loaded.rows.len() * ROW_BYTES) as u64,
        synced_at: start,
        buffer: Vec::new(),
        buffered: Vec::new(),
    })
}

/// Writes the rows that the sidecar lacks, and syncs it.
fn write_rows(loaded: &Loaded) -> Result<(), HistoryError> {
    let mut missing = Vec::new();
    loaded.rows[loaded.kept..].iter().for_each(|row| row.encode(&mut missing));
    loaded.rows_file.write_at(&missing, (loaded.kept * ROW_BYTES) as u64)?;
    loaded.rows_file.set_len((loaded.rows.len() * ROW_BYTES) as u64)?;
    loaded.rows_file.sync_data().map_err(HistoryError::SyncFailed)
}
