//! Takes blocks off the end of a history: those that a peer sent and that did not prove true, and those
//! from a damaged one on.

use super::frame::{self, ROW_BYTES};
use super::reader::lock_read;
use super::{History, HistoryError, open};
use crate::store::vfs::Vfs;
use std::path::Path;

impl History {
    /// Removes all blocks above `height`, durably. Readers that were made before keep seeing what was
    /// there and must not be used any more.
    ///
    /// # Errors
    /// [`HistoryError::Io`] and [`HistoryError::SyncFailed`]: stop the process.
    pub fn cut_after(&mut self, height: u64) -> Result<(), HistoryError> {
        if self.last_height.is_none_or(|last| last <= height) {
            return Ok(());
        }
        self.sync()?;
        self.tail = None;
        // From the end, so that a crash leaves a shorter history and never a hole.
        let (removed, kept) = {
            let blocks = lock_read(&self.blocks);
            let above = |first: &u64| *first > height;
            let firsts = blocks.parts.iter().map(|part| part.first_height);
            let removed: Vec<u64> = firsts.rev().take_while(above).collect();
            let last = blocks.parts.len().checked_sub(removed.len() + 1);
            let kept = last.map(|at| {
                let part = &blocks.parts[at];
                let rows = ((height - part.first_height + 1) as usize).min(part.rows.len());
                let end = part.rows[..rows].last().map(|row| row.offset as u64 + row.len as u64);
                (part.first_height, rows, end)
            });
            (removed, kept)
        };
        for first in removed {
            self.vfs.remove(&frame::rows_path(&self.dir, first))?;
            self.vfs.remove(&frame::data_path(&self.dir, first))?;
            self.vfs.sync_dir(&self.dir).map_err(HistoryError::SyncFailed)?;
        }
        if let Some((first, rows, Some(end))) = kept {
            let sidecar = self.vfs.open(&frame::rows_path(&self.dir, first), false)?;
            sidecar.set_len((rows * ROW_BYTES) as u64)?;
            sidecar.sync_data().map_err(HistoryError::SyncFailed)?;
            let data = self.vfs.open(&frame::data_path(&self.dir, first), false)?;
            data.set_len(end)?;
            data.sync_data().map_err(HistoryError::SyncFailed)?;
        }
        let written = self.written;
        *self = open::open(self.vfs.clone(), &self.dir.clone(), self.options.clone())?;
        self.written = written;
        Ok(())
    }
}

/// Takes the file that holds the damaged block `height`, and all files after it, out of the history. They
/// are kept under other names for those who ask why. The blocks are on the disks of the other nodes.
///
/// # Errors
/// [`HistoryError::Io`], [`HistoryError::SyncFailed`].
pub fn set_aside_from(vfs: &dyn Vfs, dir: &Path, height: u64) -> Result<u64, HistoryError> {
    let names = vfs.list(dir)?;
    let mut firsts: Vec<u64> =
        names.iter().filter_map(|name| frame::height_of_name(name)).collect();
    firsts.sort_unstable();
    let from = firsts.iter().rev().find(|first| **first <= height).or(firsts.first()).copied();
    let Some(from) = from else { return Ok(height) };
    // From the end, so that a crash leaves a shorter history and never a hole.
    for first in firsts.into_iter().rev().take_while(|first| *first >= from) {
        for path in [frame::rows_path(dir, first), frame::data_path(dir, first)] {
            if vfs.exists(&path)? {
                let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
                vfs.rename(&path, &path.with_extension(format!("{ending}-damaged")))?;
            }
        }
        vfs.sync_dir(dir).map_err(HistoryError::SyncFailed)?;
    }
    Ok(from)
}
