//! All that a node keeps on its disk, opened together, and what was found on the way.
//!
//! Damage does not stop a start by itself. A log that has lost durable data is cut and marked
//! (the node will not vote until it is whole again), damaged runs and snapshots are set aside; what is
//! missing then is fetched from peers ([`crate::mend`]). Each such thing is a finding for the operator.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::store::{
    history::{History, HistoryError, HistoryOptions, set_aside_from},
    runs::{RunError, RunRange, RunSet, RunSets},
    snapshots::{SnapshotError, Snapshots},
    vfs::{Vfs, is_full},
    wal::{Recovered, Wal, WalError, WalOptions},
};

/// Where the parts are.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The log.
    pub wal: PathBuf,
    /// The blocks.
    pub history: PathBuf,
    /// Old ids.
    pub runs: PathBuf,
    /// The applied state.
    pub snapshots: PathBuf,
}

impl Folders {
    /// The folders in a node's data directory.
    #[must_use]
    pub fn under(data: &Path) -> Self {
        Self {
            wal: data.join("wal"),
            history: data.join("history"),
            runs: data.join("runs"),
            snapshots: data.join("snapshots"),
        }
    }
}

/// Why storage cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The log.
    #[error("open the log: {0}")]
    Wal(#[from] WalError),
    /// The history.
    #[error("open the history: {0}")]
    History(#[from] HistoryError),
    /// The runs.
    #[error("open the runs of old ids: {0}")]
    Runs(#[from] RunError),
    /// The snapshots.
    #[error("open the snapshots: {0}")]
    Snapshots(#[from] SnapshotError),
}

/// Something on the disk that is damaged and can be fetched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The log; opening it says where.
    Log,
    /// A block of the history.
    History {
        /// Its height.
        height: u64,
    },
    /// A run of old ids.
    Run {
        /// Its generations.
        range: RunRange,
    },
    /// A snapshot of the state.
    Snapshot {
        /// Its log index.
        index: u64,
    },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log => write!(f, "the log"),
            Self::History { height } => write!(f, "block {height} of the history"),
            Self::Run { range } => write!(f, "run {range} of old ids"),
            Self::Snapshot { index } => write!(f, "the snapshot at log index {index}"),
        }
    }
}

impl Damage {
    /// The damage behind an error of a look-up in the runs.
    #[must_use]
    pub fn of_run(error: &std::io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref::<RunError>()? {
            RunError::Corrupt { range, .. } => Some(Self::Run { range: *range }),
            _ => None,
        }
    }

    /// Takes what is damaged out of use before the storage is opened; its bytes are kept under another
    /// name. What is missing then is found by the start, and fetched.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn set_aside(self, vfs: &Arc<dyn Vfs>, folders: &Folders) -> Result<(), StorageError> {
        match self {
            Self::Log => {}
            Self::History { height } => {
                set_aside_from(&**vfs, &folders.history, height)?;
            }
            Self::Run { range } => set_run_aside(&**vfs, &folders.runs, range)?,
            Self::Snapshot { index } => {
                let snapshots = Snapshots::open(Arc::clone(vfs), &folders.snapshots)?;
                if snapshots.list().map_err(SnapshotError::Io)?.contains(&index) {
                    snapshots.set_aside(index)?;
                }
            }
        }
        Ok(())
    }
}

fn set_run_aside(vfs: &dyn Vfs, dir: &Path, range: RunRange) -> Result<(), RunError> {
    let path = range.path(dir);
    if vfs.exists(&path)? {
        vfs.rename(&path, &path.with_extension("damaged"))?;
        vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
    }
    Ok(())
}

/// Whether an operation on the storage failed only because the disk had no room: then it can be begun anew
/// when there is some. A failed sync is never such a case, whatever the disk gave as the reason.
#[must_use]
pub fn is_for_want_of_room(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let sync_failed = matches!(error.downcast_ref(), Some(RunError::SyncFailed(_)))
            || matches!(error.downcast_ref(), Some(SnapshotError::SyncFailed(_)))
            || matches!(error.downcast_ref(), Some(HistoryError::SyncFailed(_)))
            || matches!(error.downcast_ref(), Some(WalError::SyncFailed(_)));
        if sync_failed {
            return false;
        }
        if matches!(error.downcast_ref(), Some(WalError::Full))
            || error.downcast_ref().is_some_and(is_full)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Everything, open.
pub struct Storage {
    /// The disk below.
    pub vfs: Arc<dyn Vfs>,
    /// Where the parts are.
    pub folders: Folders,
    /// The log.
    pub wal: Wal,
    /// What the log said when it was opened.
    pub recovered: Recovered,
    /// The blocks.
    pub history: History,
    /// Old ids.
    pub runs: RunSets,
    /// The applied state.
    pub snapshots: Snapshots,
    /// What an operator should know of the state of the disk.
    pub findings: Vec<String>,
}

impl Storage {
    /// Opens what is there, or creates it.
    ///
    /// # Errors
    /// [`StorageError`]: the disk fails, the log is not this node's, or its superblock is lost.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        folders: Folders,
        wal_options: WalOptions,
        history_options: HistoryOptions,
    ) -> Result<Self, StorageError> {
        let mut findings = Vec::new();
        let (wal, recovered) = match Wal::open(Arc::clone(&vfs), &folders.wal, wal_options.clone())
        {
            Err(WalError::Corrupt { .. }) => {
                let salvaged = Wal::salvage(Arc::clone(&vfs), &folders.wal, &wal_options)?;
                findings.push(format!(
                    "the log was damaged in segment {} at byte {}; entries from {} on are fetched from \
                     the other nodes, and until then this node does not vote; what was cut off is kept \
                     in {}",
                    salvaged.segment,
                    salvaged.offset,
                    salvaged.first_lost_index,
                    salvaged.kept.display()
                ));
                Wal::open(Arc::clone(&vfs), &folders.wal, wal_options)?
            }
            opened => opened?,
        };
        if recovered.torn_bytes > 0 {
            let bytes = recovered.torn_bytes;
            findings.push(format!("dropped an unfinished write of {bytes} bytes from the log"));
        }
        let mut history =
            History::open(Arc::clone(&vfs), &folders.history, history_options.clone());
        while let Err(HistoryError::Corrupt { height }) = history {
            let from = set_aside_from(&*vfs, &folders.history, height)?;
            findings
                .push(format!("block {height} is damaged; set aside the history from {from} on"));
            history = History::open(Arc::clone(&vfs), &folders.history, history_options.clone());
        }
        let mut history = history?;
        if let Some(first) = history.reader().first_height().filter(|first| *first > 1) {
            findings
                .push(format!("the history before block {first} is missing; it is fetched again"));
            drop(history);
            set_aside_from(&*vfs, &folders.history, first)?;
            history = History::open(Arc::clone(&vfs), &folders.history, history_options)?;
        }
        let (runs, damaged) = RunSet::open_sound(&*vfs, &folders.runs)?;
        for error in damaged {
            let RunError::Corrupt { range, offset } = error else { return Err(error.into()) };
            set_run_aside(&*vfs, &folders.runs, range)?;
            findings.push(format!("set aside run {range} of ids, damaged at byte {offset}"));
        }
        let runs = RunSets::new(runs);
        let snapshots = Snapshots::open(Arc::clone(&vfs), &folders.snapshots)?;
        Ok(Self { vfs, folders, wal, recovered, history, runs, snapshots, findings })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;
    use crate::recover::RecoverError;

    #[test]
    fn want_of_room_is_seen_behind_other_errors_and_not_behind_a_failed_sync() {
        let full = || Error::from(ErrorKind::StorageFull);
        assert!(is_for_want_of_room(&full()) && is_for_want_of_room(&WalError::Full));
        let errors: [(RecoverError, bool); 7] = [
            (RunError::Io(full()).into(), true),
            (RunError::Io(ErrorKind::QuotaExceeded.into()).into(), true),
            (RunError::SyncFailed(full()).into(), false),
            (RunError::Io(ErrorKind::NotFound.into()).into(), false),
            (HistoryError::Io(full()).into(), true),
            (HistoryError::SyncFailed(full()).into(), false),
            (WalError::Full.into(), true),
        ];
        for (error, expected) in errors {
            assert_eq!(is_for_want_of_room(&error), expected, "{error:?}");
        }
        let wrapped = RecoverError::OldIds(Error::other(RunError::Io(full())));
        assert!(is_for_want_of_room(&wrapped));
    }
}
