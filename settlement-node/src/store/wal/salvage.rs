//! Gives up the damaged end of a log, so that the node can go on from what is left of it.
//!
//! Order of steps: first the superblock says, durably, that data of terms up to the lost one is
//! gone; then the damaged segments are copied aside; then the log is cut behind its last sound
//! record; last the superblock's bound is lowered. A crash in between leaves a log that is corrupt
//! as before, and the salvage is repeated; no step ever leaves one that opens without the mark.

use super::meta::Meta;
use super::open::{bound_of, identity_of, live};
use super::recover::{End, follow, highest_term, judge, load, sound_records};
use super::segment::{Segment, numbers, path_of};
use super::{UNIT_BYTES, Wal, WalError, WalOptions, meta};
use crate::store::vfs::{Vfs, VfsFile};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of the copies, below that of the log.
const DAMAGED: &str = "damaged";
/// Copies are made under a name with this ending.
const TEMPORARY: &str = ".tmp";
/// Of so many salvages the copies are kept.
const SALVAGES_KEPT: usize = 2;
/// Files are copied and cleared in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

/// What [`Wal::salvage`] has given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Segment of the damage.
    pub segment: u64,
    /// End of the last sound record in it, in bytes.
    pub offset: u64,
    /// The entry after the last sound one.
    pub first_lost_index: u64,
    /// No entry and no vote of a later term was lost.
    pub lost_term: u64,
    /// Folder that holds copies of the damaged segment and all behind it.
    pub kept: PathBuf,
}

impl Wal {
    /// Cuts a log for which [`Wal::open`] returned [`WalError::Corrupt`] behind its last sound
    /// record; afterwards it opens, with [`super::Recovered::lost_term`] set. Acknowledged data is
    /// gone then: the node must not vote until it has got it back from its peers. Copies of what
    /// was cut off stay in the folder `damaged` (of the last two salvages), and take as much room
    /// again as the damaged segments. After a crash or an error it is to be called again.
    ///
    /// # Errors
    /// [`WalError::NotCorrupt`] if the log opens as it is, [`WalError::MetaLost`] and
    /// [`WalError::SegmentLost`] if too little is left of it, [`WalError::WrongIdentity`],
    /// [`WalError::Io`] and [`WalError::SyncFailed`] if the disk fails.
    pub fn salvage(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: &WalOptions,
    ) -> Result<Salvaged, WalError> {
        let vfs = &*vfs;
        let numbers = numbers(vfs, dir)?;
        let mut meta = Meta::open(vfs, dir, identity_of(options), numbers.is_empty())?;
        let (released, found) = live(&numbers, &meta)?;
        let (replay, end) = follow(vfs, dir, found, &mut |_, _| {})?;
        let (segment, offset) = match judge(vfs, dir, found, &replay, end.as_ref(), bound_of(&meta))
        {
            Ok(_) => return Err(WalError::NotCorrupt),
            Err(WalError::Corrupt { segment, offset, .. }) => (segment, offset),
            Err(error) => return Err(error),
        };
        let damaged = &found[end.as_ref().map_or(0, |end| end.count - 1)..];
        let from = end.as_ref().map_or(0, |end| end.offset);
        let behind = highest_behind(vfs, dir, damaged, from)?;
        meta.lose(behind.max(replay.term_max).max(meta.fields().term))?;
        let kept = keep(vfs, dir, damaged, meta.fields().generation)?;
        cut(vfs, dir, damaged, end.as_ref())?;
        if end.is_none() {
            // They must not be taken for the log that begins anew.
            remove(vfs, dir, released)?;
        }
        let last_index = replay.index.terms.last_index();
        meta.cut(end.is_some().then_some((replay.sequence, last_index)))?;
        let salvaged = Salvaged {
            segment,
            offset,
            first_lost_index: last_index + 1,
            lost_term: meta.fields().lost_term.unwrap_or(0),
            kept,
        };
        tracing::error!(
            segment,
            offset,
            first_lost_index = salvaged.first_lost_index,
            lost_term = salvaged.lost_term,
            "durable data of the log is lost; the log was cut before the damage"
        );
        Ok(salvaged)
    }
}

/// The highest term in the records at and behind the damage. `damaged` starts with the segment in
/// which the sound part ends, at `from`.
fn highest_behind(
    vfs: &dyn Vfs,
    dir: &Path,
    damaged: &[u64],
    from: usize,
) -> Result<u64, WalError> {
    let (mut highest, mut start) = (0, from);
    let mut bytes = Vec::new();
    for &number in damaged {
        let segment = Segment { number, file: vfs.open(&path_of(dir, number), false)?.into() };
        load(&segment, &mut bytes)?;
        sound_records(&bytes, number, start, |found| highest = highest.max(highest_term(found)));
        start = 0;
    }
    Ok(highest)
}

/// Copies the superblock and the damaged segments aside. What an interrupted salvage has copied
/// already (it has the same number) is left as it is: the log may have been cut since.
fn keep(vfs: &dyn Vfs, dir: &Path, damaged: &[u64], salvage: u64) -> Result<PathBuf, WalError> {
    let folder = dir.join(DAMAGED);
    vfs.create_dir_all(&folder)?;
    vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
    let names = vfs.list(&folder)?;
    let mut salvages: Vec<u64> = names.iter().filter_map(|name| salvage_of(name)).collect();
    salvages.retain(|known| *known != salvage);
    salvages.sort_unstable();
    salvages.dedup();
    let obsolete = salvages.len().saturating_sub(SALVAGES_KEPT - 1);
    for name in &names {
        let old = salvage_of(name).is_some_and(|known| salvages[..obsolete].contains(&known));
        if old || name.ends_with(TEMPORARY) {
            vfs.remove(&folder.join(name))?;
        }
    }
    let paths = damaged.iter().map(|&number| path_of(dir, number));
    for from in [dir.join(meta::NAME)].into_iter().chain(paths) {
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let to = folder.join(format!("{salvage:020}-{name}"));
        if !vfs.exists(&to)? {
            copy(vfs, &from, &to)?;
        }
    }
    vfs.sync_dir(&folder).map_err(WalError::SyncFailed)?;
    Ok(folder)
}

/// Number of the salvage, from the name of a copy.
fn salvage_of(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

fn copy(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<(), WalError> {
    let temporary = to.with_extension(&TEMPORARY[1..]);
    let source = vfs.open(from, false)?;
    let target = vfs.open(&temporary, true)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        let count = source.read_at(&mut piece, at)?;
        if count == 0 {
            break;
        }
        target.write_at(&piece[..count], at)?;
        at += count as u64;
    }
    target.sync_data().map_err(WalError::SyncFailed)?;
    vfs.rename(&temporary, to)?;
    Ok(())
}

/// Removes the segments behind the damaged one, and clears that one behind its last sound record.
fn cut(vfs: &dyn Vfs, dir: &Path, damaged: &[u64], end: Option<&End>) -> Result<(), WalError> {
    let Some((&first, later)) = damaged.split_first() else { return Ok(()) };
    remove(vfs, dir, later)?;
    let file = vfs.open(&path_of(dir, first), false)?;
    let from = match end {
        None => 0,
        // It would be found again, so its sector is written although it may hold sound records.
        Some(end) if end.contradiction.is_some() => end.offset as u64,
        Some(end) => (end.offset as u64).next_multiple_of(UNIT_BYTES as u64),
    };
    clear(&*file, from)?;
    file.sync_data().map_err(WalError::SyncFailed)
}

/// Removes segments durably, newest first so that no hole arises.
fn remove(vfs: &dyn Vfs, dir: &Path, numbers: &[u64]) -> Result<(), WalError> {
    for &number in numbers.iter().rev() {
        vfs.remove(&path_of(dir, number))?;
        vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
    }
    Ok(())
}

fn clear(file: &dyn VfsFile, from: u64) -> io::Result<()> {
    let (zeros, end) = (vec![0; PIECE_BYTES], file.len()?);
    let mut at = from;
    while at < end {
        let part = zeros.len().min((end - at) as usize);
        file.write_at(&zeros[..part], at)?;
        at += part as u64;
    }
    Ok(())
}
