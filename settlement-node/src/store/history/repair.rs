//! Finds damaged blocks in a closed history, and puts back what was fetched from elsewhere.
//!
//! A file with damage is written anew, from its sound blocks and the fetched ones. The chain of
//! checksums decides: the new file takes the place of the old one only if it is linked to the
//! sound block before it and the sound file behind it, so a wrong block is refused whoever sent it.
//! The end of the last file is not looked after here: opening cuts it off, and replay brings it
//! back.

use super::frame::{self, FILE_HEADER, FRAME_HEADER, Frame, ROW_BYTES, Row};
use super::{History, HistoryBlock, HistoryError, SECTOR_BYTES};
use crate::store::vfs::Vfs;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

/// Name of a file that is being made.
const TEMPORARY: &str = "repair.tmp";

/// One file of blocks as found, or as it should be there.
struct Part {
    first: u64,
    /// First height of the next file; `None` for the last one.
    end: Option<u64>,
    /// The sound blocks with their links.
    sound: BTreeMap<u64, Frame>,
    /// Link in a sound header.
    header: Option<u32>,
}

impl Part {
    /// Checksum of the frame before the file, as the header says it or the first frame.
    fn link(&self) -> Option<u32> {
        self.header.or_else(|| self.sound.get(&self.first).map(|frame| frame.link))
    }

    /// Heights that should be in the file and are not.
    fn missing(&self) -> Vec<u64> {
        // Behind the last sound block of the last file, nobody knows.
        let end = self.end.or(self.sound.last_key_value().map(|(last, _)| last + 1));
        let heights = self.first..end.unwrap_or(self.first);
        heights.filter(|height| !self.sound.contains_key(height)).collect()
    }
}

impl History {
    /// Reads the whole history in `dir`, which must not be open, and lists the damaged or missing
    /// blocks by height. A file whose header alone is damaged is listed with its first block.
    ///
    /// # Errors
    /// [`HistoryError::Io`].
    pub fn check(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<RangeInclusive<u64>>, HistoryError> {
        let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
        for part in parts(vfs, dir)? {
            let mut missing = part.missing();
            if part.header.is_none() && !missing.contains(&part.first) && part.end.is_some() {
                missing.insert(0, part.first);
            }
            for height in missing {
                match ranges.pop() {
                    Some(last) if last.end() + 1 == height => ranges.push(*last.start()..=height),
                    last => {
                        ranges.extend(last);
                        ranges.push(height..=height);
                    }
                }
            }
        }
        Ok(ranges)
    }

    /// Puts blocks that [`History::check`] has listed into the history in `dir`, which must not be
    /// open. All of a file must be given at once. Durable on return; after a crash or an error the
    /// rest is still listed, and can be put back then.
    ///
    /// # Errors
    /// [`HistoryError::Differs`] if a block is not the one that the sound ones around it are
    /// linked to, [`HistoryError::Corrupt`] if one is missing: nothing of that file is changed.
    /// [`HistoryError::Io`] and [`HistoryError::SyncFailed`] if the disk fails.
    pub fn replace(vfs: &dyn Vfs, dir: &Path, blocks: &[HistoryBlock]) -> Result<(), HistoryError> {
        let given: BTreeMap<u64, &HistoryBlock> =
            blocks.iter().map(|block| (block.height, block)).collect();
        let parts = parts(vfs, dir)?;
        let mut link = None;
        for (at, part) in parts.iter().enumerate() {
            let next = parts.get(at + 1).and_then(Part::link);
            let damaged = !part.missing().is_empty() || part.header.is_none() && part.end.is_some();
            if damaged {
                let (bytes, last) = rebuild(part, link, next, &given)?;
                write(vfs, dir, part.first, &bytes)?;
                link = Some(last);
            } else {
                link = part.sound.last_key_value().map(|(_, frame)| frame.crc).or(link);
            }
        }
        Ok(())
    }
}

/// Encodes a whole file; returns it with the checksum of its last frame. `link` is the checksum of
/// the frame before it, `next` what the file behind it is linked to.
fn rebuild(
    part: &Part,
    link: Option<u32>,
    next: Option<u32>,
    given: &BTreeMap<u64, &HistoryBlock>,
) -> Result<(Vec<u8>, u32), HistoryError> {
    let last = part.sound.last_key_value().map(|(last, _)| last + 1);
    let end = part.end.or(last).unwrap_or(part.first);
    let corrupt = HistoryError::Corrupt { height: part.first };
    let mut link = link.or(part.link()).ok_or(corrupt)?;
    let mut out = frame::file_header(part.first, link);
    out.resize(SECTOR_BYTES as usize, 0);
    let mut fetched = part.first;
    for height in part.first..end {
        let crc = match (part.sound.get(&height), given.get(&height)) {
            (Some(sound), _) => {
                if sound.link != link {
                    return Err(HistoryError::Differs { height: fetched });
                }
                frame::encode(&mut out, &sound.block, link)
            }
            (None, Some(block)) => {
                fetched = height;
                frame::encode(&mut out, block, link)
            }
            (None, None) => return Err(HistoryError::Corrupt { height }),
        };
        link = crc;
    }
    match next {
        Some(next) if next != link => Err(HistoryError::Differs { height: fetched }),
        _ => Ok((out, link)),
    }
}

/// Puts a file in the place of the old one. Its rows go first: they are made again at the next
/// start, and must never be those of the old file.
fn write(vfs: &dyn Vfs, dir: &Path, first: u64, bytes: &[u8]) -> Result<(), HistoryError> {
    let temporary = dir.join(TEMPORARY);
    let file = vfs.open(&temporary, true)?;
    file.set_len(0)?;
    file.write_at(bytes, 0)?;
    file.sync_data().map_err(HistoryError::SyncFailed)?;
    let rows = frame::rows_path(dir, first);
    if vfs.exists(&rows)? {
        vfs.remove(&rows)?;
        vfs.sync_dir(dir).map_err(HistoryError::SyncFailed)?;
    }
    vfs.rename(&temporary, &frame::data_path(dir, first))?;
    vfs.sync_dir(dir).map_err(HistoryError::SyncFailed)
}

/// All files that are there; what lies in a missing one counts as part of the file before it.
fn parts(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<Part>, HistoryError> {
    let names = vfs.list(dir)?;
    let mut firsts: Vec<u64> =
        names.iter().filter_map(|name| frame::height_of_name(name)).collect();
    firsts.sort_unstable();
    let mut parts: Vec<Part> = Vec::new();
    for (at, &first) in firsts.iter().enumerate() {
        let mut part = read(vfs, dir, first)?;
        part.end = firsts.get(at + 1).copied();
        parts.push(part);
    }
    Ok(parts)
}

/// Reads one file: the blocks in order, and behind damage those that the rows point to.
fn read(vfs: &dyn Vfs, dir: &Path, first: u64) -> Result<Part, HistoryError> {
    let bytes = whole(vfs, &frame::data_path(dir, first))?;
    let rows_path = frame::rows_path(dir, first);
    let rows = match vfs.exists(&rows_path)? {
        true => whole(vfs, &rows_path)?,
        false => Bytes::new(),
    };
    let header = bytes.get(..FILE_HEADER).and_then(|head| frame::link_of_header(head, first));
    let mut sound = BTreeMap::new();
    let rows = rows.chunks_exact(ROW_BYTES).filter_map(Row::decode);
    let mut places: BTreeMap<u64, usize> =
        rows.map(|row| (row.height, row.offset as usize)).collect();
    let (mut height, mut at) = (first, SECTOR_BYTES as usize);
    loop {
        let behind = at.next_multiple_of(SECTOR_BYTES as usize);
        let found = [Some(at), Some(behind), places.remove(&height)]
            .into_iter()
            .flatten()
            .find_map(|place| Some((place, decode(&bytes, place, height)?)));
        if let Some((place, frame)) = found {
            at = place + frame.len;
            sound.insert(height, frame);
            height += 1;
            continue;
        }
        // Behind the damage only a row can tell where a block is.
        let Some((&next, _)) = places.range(height + 1..).next() else { break };
        height = next;
    }
    Ok(Part { first, end: None, sound, header })
}

fn decode(bytes: &Bytes, at: usize, height: u64) -> Option<Frame> {
    if at + FRAME_HEADER > bytes.len() {
        return None;
    }
    frame::decode(&bytes.slice(at..)).filter(|frame| frame.block.height == height)
}

fn whole(vfs: &dyn Vfs, path: &Path) -> io::Result<Bytes> {
    let file = vfs.open(path, false)?;
    let mut bytes = vec![0; file.len()? as usize];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes.into())
}
