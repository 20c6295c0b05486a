//! The blocks of a history on the disk, one after the other, without changing anything.
//!
//! For a tool that looks at the files of a node which does not run. Every frame is read and its
//! checksum and chain compared; the sidecars are not needed. It repairs nothing: what is not sound
//! is an error, also an unfinished end, which a start of the node would cut off.

use super::{
    HistoryBlock, HistoryError, SECTOR_BYTES,
    frame::{self, FILE_HEADER, FRAME_HEADER},
};
use crate::store::vfs::{Vfs, VfsFile, read_exact_at};
use bytes::Bytes;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Reads a history from its first block on.
pub struct HistoryFiles {
    dir: PathBuf,
    vfs: Box<dyn Vfs>,
    /// First heights of the files that are still to come.
    files: VecDeque<u64>,
    open: Option<(Box<dyn VfsFile>, u64)>,
    at: u64,
    last: Option<(u64, u32)>,
    done: u64,
    total: u64,
}

impl HistoryFiles {
    /// Opens the history in a folder.
    ///
    /// # Errors
    /// [`HistoryError::Io`].
    pub fn open(vfs: Box<dyn Vfs>, dir: &Path) -> Result<Self, HistoryError> {
        let names = vfs.list(dir)?;
        let mut files: Vec<u64> =
            names.iter().filter_map(|name| frame::height_of_name(name)).collect();
        files.sort_unstable();
        let mut total = 0;
        for height in &files {
            total += vfs.open(&frame::data_path(dir, *height), false)?.len()?;
        }
        let dir = dir.to_path_buf();
        let files = files.into();
        Ok(Self { dir, vfs, files, open: None, at: 0, last: None, done: 0, total })
    }

    /// Bytes read so far, and all bytes.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.done + self.at, self.total)
    }

    /// The next block; nothing after the last one.
    ///
    /// # Errors
    /// [`HistoryError::Corrupt`] at the first block that is not sound.
    pub fn next_block(&mut self) -> Result<Option<HistoryBlock>, HistoryError> {
        loop {
            let Some((file, len)) = &self.open else {
                match self.files.pop_front() {
                    Some(height) => self.begin(height)?,
                    None => return Ok(None),
                }
                continue;
            };
            let height = self.last.map_or(0, |(height, _)| height + 1);
            for offset in [self.at, self.at.next_multiple_of(SECTOR_BYTES)] {
                let Some(found) = frame_at(&**file, offset, *len)? else { continue };
                if self
                    .last
                    .is_some_and(|(last, crc)| found.block.height != last + 1 || found.link != crc)
                {
                    return Err(HistoryError::Corrupt { height });
                }
                self.at = offset + found.len as u64;
                self.last = Some((found.block.height, found.crc));
                return Ok(Some(found.block));
            }
            if !is_padding(&**file, self.at, *len)? {
                return Err(HistoryError::Corrupt { height });
            }
            self.done += *len;
            (self.open, self.at) = (None, 0);
        }
    }

    fn begin(&mut self, height: u64) -> Result<(), HistoryError> {
        let file = self.vfs.open(&frame::data_path(&self.dir, height), false)?;
        let mut header = [0; FILE_HEADER];
        let count = file.read_at(&mut header, 0)?;
        if let Some(format) = frame::other_format(&header[..count]) {
            return Err(HistoryError::UnknownFormat { height, format });
        }
        let link = frame::link_of_header(&header[..count], height);
        let follows = self.last.is_none_or(|(last, crc)| last + 1 == height && link == Some(crc));
        let Some(link) = link.filter(|_| follows) else {
            return Err(HistoryError::Corrupt { height });
        };
        if self.last.is_none() {
            self.last = height.checked_sub(1).map(|before| (before, link));
        }
        let len = file.len()?;
        self.open = Some((file, len));
        self.at = FILE_HEADER as u64;
        Ok(())
    }
}

fn frame_at(
    file: &dyn VfsFile,
    offset: u64,
    len: u64,
) -> Result<Option<frame::Frame>, HistoryError> {
    if offset + FRAME_HEADER as u64 > len {
        return Ok(None);
    }
    let mut head = [0; FRAME_HEADER];
    read_exact_at(file, &mut head, offset)?;
    let Some(claimed) = frame::claimed_bytes(&head) else { return Ok(None) };
    if offset + claimed as u64 > len {
        return Ok(None);
    }
    let mut bytes = vec![0; claimed];
    read_exact_at(file, &mut bytes, offset)?;
    Ok(frame::decode(&Bytes::from(bytes)))
}

/// Whether nothing but zeros of the last sector follows.
fn is_padding(file: &dyn VfsFile, from: u64, len: u64) -> Result<bool, HistoryError> {
    let rest = len.saturating_sub(from);
    if rest >= SECTOR_BYTES {
        return Ok(false);
    }
    let mut bytes = vec![0; rest as usize];
    read_exact_at(file, &mut bytes, from)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}
