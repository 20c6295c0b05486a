//! All runs of a node, and the handle through which workers see the current ones.

use super::run::{Run, TEMPORARY, generation_of};
use super::{ID_BYTES, RunError};
use crate::store::vfs::Vfs;
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// An immutable list of runs, oldest generation first. Cheap to clone.
#[derive(Clone, Default)]
pub struct RunSet {
    runs: Vec<Arc<Run>>,
}

impl RunSet {
    /// Opens and verifies all runs in `dir`, and removes unfinished ones.
    ///
    /// # Errors
    /// [`RunError::Corrupt`], [`RunError::Io`].
    pub fn open(vfs: &dyn Vfs, dir: &Path) -> Result<Self, RunError> {
        vfs.create_dir_all(dir)?;
        let mut generations = Vec::new();
        for name in vfs.list(dir)? {
            if name.ends_with(TEMPORARY) {
                vfs.remove(&dir.join(name))?;
            } else if let Some(generation) = generation_of(&name) {
                generations.push(generation);
            }
        }
        generations.sort_unstable();
        // A killed process may have left a rename that is visible but not durable.
        vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
        let open = |generation| Run::open(vfs, dir, generation).map(Arc::new);
        Ok(Self { runs: generations.into_iter().map(open).collect::<Result<_, _>>()? })
    }

    /// The value of an id, from the newest run that has it.
    ///
    /// # Errors
    /// [`RunError::Corrupt`] if a page is damaged, [`RunError::Io`]. There is no answer then.
    pub fn lookup(&self, id: &[u8; ID_BYTES]) -> Result<Option<[u8; 16]>, RunError> {
        self.lookup_since(0, id)
    }

    /// As [`RunSet::lookup`], but only in the runs after the first `version` ones: for a worker
    /// that looked before and has to look again because runs were added.
    ///
    /// # Errors
    /// As [`RunSet::lookup`].
    pub fn lookup_since(
        &self,
        version: u64,
        id: &[u8; ID_BYTES],
    ) -> Result<Option<[u8; 16]>, RunError> {
        for run in self.runs.iter().skip(version as usize).rev() {
            if let Some(value) = run.lookup(id)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Number of runs; it grows by one with each run added.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.runs.len() as u64
    }

    /// Number of ids in all runs.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.runs.iter().map(|run| run.rows()).sum()
    }

    /// The runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }
}

/// The current set, shared by all threads. Cheap to clone.
#[derive(Clone)]
pub struct RunSets {
    current: Arc<ArcSwap<RunSet>>,
    /// Held while a run is added, so that none is lost.
    adding: Arc<Mutex<()>>,
}

impl RunSets {
    /// Opens the runs in `dir`, see [`RunSet::open`], and shares them.
    ///
    /// # Errors
    /// As [`RunSet::open`].
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self, RunError> {
        RunSet::open(&*vfs, dir).map(Self::new)
    }

    /// The value of an id in the current set, see [`RunSet::lookup`].
    ///
    /// # Errors
    /// As [`RunSet::lookup`].
    pub fn lookup(&self, id: &[u8; ID_BYTES]) -> Result<Option<[u8; 16]>, RunError> {
        self.current.load().lookup(id)
    }

    /// Shares a set.
    #[must_use]
    pub fn new(set: RunSet) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(set)), adding: Arc::default() }
    }

    /// The current set; keep it for a batch of lookups.
    #[must_use]
    pub fn current(&self) -> Arc<RunSet> {
        self.current.load_full()
    }

    /// Number of runs in the current set.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.current.load().version()
    }

    /// Adds a run to the set that later calls of [`RunSets::current`] return. A run of a
    /// generation that is in the set already is not added again.
    pub fn publish(&self, run: Run) {
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set = RunSet::clone(&self.current.load());
        if set.runs.iter().any(|known| known.generation() == run.generation()) {
            return;
        }
        set.runs.push(Arc::new(run));
        self.current.store(Arc::new(set));
    }
}
