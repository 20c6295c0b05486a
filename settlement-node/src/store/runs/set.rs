//! All runs of a node, and the handle through which workers see the current ones.

use super::filter::Probe;
use super::info::{MERGED_AT_ONCE, RunInfo, RunRange, TEMPORARY};
use super::merge::remove;
use super::pace::RESTS;
use super::run::Run;
use super::window::Window;
use super::{ID_BYTES, RunError};
use crate::store::vfs::Vfs;
use arc_swap::ArcSwap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Ids whose places in all filters are read before the first filter is asked: few enough that they are still in
/// the nearest cache then.
const PROBED_AT_ONCE: usize = 32;

/// An immutable list of runs that are apart from each other, oldest generation first. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct RunSet {
    runs: Vec<Arc<Run>>,
    /// Those of generations that were published since the start and are not merged to one run, oldest first.
    windows: Vec<Arc<Window>>,
}

/// Neighbouring runs whose ids are looked for together.
struct Group<'a> {
    window: Option<&'a Window>,
    /// One, if there is no window; the oldest first.
    runs: &'a [Arc<Run>],
}

impl Group<'_> {
    fn touch(&self, probe: &Probe) -> u64 {
        match self.window {
            Some(window) => window.touch(probe),
            None => self.runs.iter().fold(0, |read, run| read ^ run.touch(probe)),
        }
    }

    fn value(&self, id: &[u8; ID_BYTES], probe: &Probe) -> Result<Option<[u8; 16]>, RunError> {
        if self.window.is_some_and(|window| !window.may_contain(probe)) {
            return Ok(None);
        }
        for run in self.runs.iter().rev().filter(|run| run.may_contain(probe)) {
            let value = run.value(id)?;
            if value.is_some() {
                return Ok(value);
            }
        }
        Ok(None)
    }
}

impl RunSet {
    /// Opens all runs in `dir`, see [`Run::open`], and removes unfinished ones and those that were
    /// merged into another.
    ///
    /// # Errors
    /// [`RunError::Corrupt`] if any is damaged, [`RunError::Io`], [`RunError::SyncFailed`].
    pub fn open(vfs: &dyn Vfs, dir: &Path) -> Result<Self, RunError> {
        let (set, damaged) = Self::open_sound(vfs, dir)?;
        damaged.into_iter().next().map_or(Ok(set), Err)
    }

    /// As [`RunSet::open`], but leaves damaged runs out and returns an error for each of them. Of
    /// a damaged merged run the parts are used if they are still there.
    ///
    /// # Errors
    /// [`RunError::Io`], [`RunError::SyncFailed`].
    pub fn open_sound(vfs: &dyn Vfs, dir: &Path) -> Result<(Self, Vec<RunError>), RunError> {
        vfs.create_dir_all(dir)?;
        let mut ranges: Vec<RunRange> = Vec::new();
        for name in vfs.list(dir)? {
            if name.ends_with(TEMPORARY) {
                vfs.remove(&dir.join(name))?;
            } else if let Some(range) = RunRange::of_file(&name) {
                ranges.push(range);
            }
        }
        // A killed process may have left a rename that is visible but not durable: it must be
        // before the parts of a merged run go.
        vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
        ranges.sort_unstable_by_key(|range| (range.first(), std::cmp::Reverse(range.end())));
        let (mut set, mut damaged) = (Self::default(), Vec::new());
        for range in ranges {
            if set.runs.last().is_some_and(|wider| wider.range().covers(&range)) {
                remove(vfs, &range.path(dir))?;
                continue;
            }
            match Run::open(vfs, dir, range) {
                Ok(run) => set.runs.push(Arc::new(run)),
                Err(error @ RunError::Corrupt { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        vfs.sync_dir(dir).map_err(RunError::SyncFailed)?;
        Ok((set, damaged))
    }

    /// The value of an id, from the newest run that has it.
    ///
    /// # Errors
    /// [`RunError::Corrupt`] if a page is damaged, [`RunError::Io`]. There is no answer then.
    pub fn lookup(&self, id: &[u8; ID_BYTES]) -> Result<Option<[u8; 16]>, RunError> {
        let mut value = None;
        self.lookup_below(u64::MAX, std::iter::once(id), |_, found| value = Some(found))?;
        Ok(value)
    }

    /// Looks up many ids, but only in runs that hold a generation below `generations`, and hands each
    /// that is known to `found` with its value from the newest of these runs. Such a run may hold
    /// later generations too: an id of theirs may be found, or not.
    ///
    /// # Errors
    /// As [`RunSet::lookup`]; what was found until then has been handed over.
    pub fn lookup_below<'a>(
        &self,
        generations: u64,
        ids: impl Iterator<Item = &'a [u8; ID_BYTES]>,
        mut found: impl FnMut(&'a [u8; ID_BYTES], [u8; 16]),
    ) -> Result<(), RunError> {
        let end = self.runs.partition_point(|run| run.range().first() < generations);
        let groups = self.groups(end);
        let mut ids = ids.map(|id| (id, Probe::new(id))).peekable();
        let mut probed = Vec::with_capacity(PROBED_AT_ONCE);
        while ids.peek().is_some() {
            probed.clear();
            probed.extend(ids.by_ref().take(PROBED_AT_ONCE));
            // Nothing depends on these reads, so the processor waits for all the cache lines at once.
            let mut read = 0;
            for group in &groups {
                read = probed.iter().fold(read, |read, (_, probe)| read ^ group.touch(probe));
            }
            std::hint::black_box(read);
            for (id, probe) in &probed {
                for group in groups.iter().rev() {
                    if let Some(value) = group.value(id, probe)? {
                        found(id, value);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The first `end` runs, those of a window together, oldest first.
    fn groups(&self, end: usize) -> Vec<Group<'_>> {
        let mut groups = Vec::with_capacity(end);
        let mut rest = &self.runs[..end];
        while let Some(first) = rest.first() {
            let windows = self.windows.iter().map(|window| &**window);
            let window = windows.into_iter().find(|window| window.holds(&first.range()));
            let is_in = |run: &&Arc<Run>| window.is_some_and(|window| window.holds(&run.range()));
            let count = rest.iter().take_while(is_in).count().max(1);
            let (runs, others) = rest.split_at(count);
            groups.push(Group { window, runs });
            rest = others;
        }
        groups
    }

    /// How many places are looked at for a fresh id, and how many windows there are.
    #[cfg(test)]
    pub(super) fn groups_and_windows(&self) -> (usize, usize) {
        (self.groups(self.runs.len()).len(), self.windows.len())
    }

    /// The damage to report when the value of an id makes no sense to the caller although the checksums
    /// of its run are right: the run was wrong when it was written.
    #[must_use]
    pub fn with_bad_value(&self, id: &[u8; ID_BYTES]) -> RunError {
        for run in self.runs.iter().rev() {
            match run.value(id) {
                Ok(None) => {}
                Ok(Some(_)) => {
                    let (range, offset) = (run.range(), super::run::PAGE_BYTES as u64);
                    return RunError::Corrupt { range, offset };
                }
                Err(error) => return error,
            }
        }
        io::Error::other("an id that was found is gone").into()
    }

    /// The generations that are on disk: all with a number below this.
    #[must_use]
    pub fn version(&self) -> u64 {
        let next = |end: u64, run: &Arc<Run>| {
            if run.range().first() == end { Ok(run.range().end()) } else { Err(end) }
        };
        match self.runs.iter().try_fold(0, next) {
            Ok(end) | Err(end) => end,
        }
    }

    /// Whether a generation is on disk.
    #[must_use]
    pub fn contains(&self, generation: u64) -> bool {
        self.covers(&RunRange::one(generation))
    }

    fn covers(&self, range: &RunRange) -> bool {
        self.runs.iter().any(|run| run.range().covers(range))
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

    /// What identifies each run, oldest first.
    #[must_use]
    pub fn infos(&self) -> Vec<RunInfo> {
        self.runs.iter().map(|run| run.info()).collect()
    }

    /// The run of exactly these generations.
    #[must_use]
    pub fn run(&self, range: &RunRange) -> Option<&Arc<Run>> {
        self.runs.iter().find(|run| run.range() == *range)
    }

    /// Bytes of the run that [`merge_due`](super::merge_due) would write; `None` when it has nothing to
    /// do. Then the runs are the same on every node with this number of generations.
    #[must_use]
    pub fn merge_bytes(&self) -> Option<u64> {
        let (_, parts) = self.due()?;
        parts.iter().map(|part| part.info().file_bytes()).sum()
    }

    /// How many times as long as it works a merge rests, see [`Pace::new`](super::Pace::new). Nobody waits
    /// for it while the runs are few: with windows a payment hardly notices them, and a merge takes a
    /// processor from it. The more runs have come meanwhile, the less it rests, so that their number stays
    /// bounded: new ones cannot come faster than a merge without rests takes them away.
    #[must_use]
    pub fn merge_rests(&self) -> u32 {
        match self.runs.len() {
            ..=18 => 8 * RESTS,
            19..=28 => RESTS,
            29..=40 => 1,
            _ => 0,
        }
    }

    /// The smallest runs to be merged next, the oldest first.
    pub(super) fn due(&self) -> Option<(RunRange, [Arc<Run>; MERGED_AT_ONCE as usize])> {
        let complete = |range: RunRange| {
            let [a, b, c, d] = range.parts()?;
            let run = |range| self.run(range).cloned();
            Some((range, [run(&a)?, run(&b)?, run(&c)?, run(&d)?]))
        };
        let merged = self.runs.iter().filter_map(|run| run.range().merged());
        merged.filter_map(complete).min_by_key(|(range, _)| (range.generations(), range.first()))
    }

    /// Puts a run in the place of all those that it covers.
    fn put(&mut self, run: Run) {
        self.runs.retain(|known| !run.range().covers(&known.range()));
        let at = self.runs.partition_point(|known| known.range().first() < run.range().first());
        self.windows.retain(|window| !run.range().covers(&window.range()));
        self.runs.insert(at, Arc::new(run));
    }

    /// The windows with the ids of one more generation.
    fn with_ids(
        &self,
        generation: u64,
        count: u64,
        ids: impl Iterator<Item = [u8; ID_BYTES]>,
    ) -> Vec<Arc<Window>> {
        let mut windows = self.windows.clone();
        let known =
            windows.iter_mut().find(|window| window.range().covers(&RunRange::one(generation)));
        if let Some(known) = known {
            let mut window = Window::clone(known);
            window.add(generation, ids);
            *known = Arc::new(window);
        } else if let Some(mut window) = Window::around(generation, count) {
            window.add(generation, ids);
            let at = windows.partition_point(|known| known.range() < window.range());
            windows.insert(at, Arc::new(window));
        }
        windows
    }
}

/// The current set, shared by all threads. Cheap to clone.
#[derive(Clone)]
pub struct RunSets {
    current: Arc<ArcSwap<RunSet>>,
    /// Held while the set is changed, so that no change is lost.
    changing: Arc<Mutex<()>>,
}

impl RunSets {
    /// Opens the runs in `dir`, see [`RunSet::open`], and shares them.
    ///
    /// # Errors
    /// As [`RunSet::open`].
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self, RunError> {
        RunSet::open(&*vfs, dir).map(Self::new)
    }

    /// Shares a set.
    #[must_use]
    pub fn new(set: RunSet) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(set)), changing: Arc::default() }
    }

    /// The current set; keep it for a batch of lookups.
    #[must_use]
    pub fn current(&self) -> Arc<RunSet> {
        self.current.load_full()
    }

    /// The generations that are on disk, see [`RunSet::version`].
    #[must_use]
    pub fn version(&self) -> u64 {
        self.current.load().version()
    }

    /// Adds a run to the set that later calls of [`RunSets::current`] return. A run whose
    /// generations are in the set already is not added again.
    pub fn publish(&self, run: Run) {
        self.change(run, RunSet::covers);
    }

    /// As [`RunSets::publish`], for a run of one generation of which all ids are at hand: fresh ids are then
    /// compared with many generations at once.
    pub fn publish_with(&self, run: Run, ids: impl Iterator<Item = [u8; ID_BYTES]>) {
        let range = run.range();
        if range.generations() > 1 {
            return self.publish(run);
        }
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set = RunSet::clone(&self.current.load());
        if !set.covers(&range) {
            set.windows = set.with_ids(range.first(), run.rows(), ids);
            set.put(run);
            self.current.store(Arc::new(set));
        }
    }

    /// Adds a run in place of those that it covers: of the parts it was merged from, or of one
    /// that was damaged. It is not added where a wider one has taken their place since.
    pub fn replace(&self, run: Run) {
        let is_wider = |known: &RunRange, range: &RunRange| known.covers(range) && known != range;
        self.change(run, |set, range| set.runs.iter().any(|known| is_wider(&known.range(), range)));
    }

    fn change(&self, run: Run, needless: impl FnOnce(&RunSet, &RunRange) -> bool) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set = RunSet::clone(&self.current.load());
        if !needless(&set, &run.range()) {
            set.put(run);
            self.current.store(Arc::new(set));
        }
    }
}
