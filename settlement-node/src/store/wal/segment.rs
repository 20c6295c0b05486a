//! Segment files: pre-written with zeros once, then recycled, one spare always made ahead.
//!
//! Writing into blocks that exist already keeps `fdatasync` away from the journal of the file
//! system, which other writers share. A released segment keeps its name until it is renamed to the
//! number of the next spare; its old records cannot pass there, because their checksums cover the
//! old number. Name changes go oldest first with one folder sync each, so a crash leaves no hole.

use super::WalError;
use crate::store::vfs::{Vfs, VfsFile, is_full};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".wal";
const TEMPORARY: &str = "spare.tmp";
const ZEROS: usize = 1 << 20;
/// A segment that could not be made is tried again after this much time.
const RETRY: Duration = Duration::from_secs(1);

/// An open segment.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn VfsFile>,
}

/// Path of a segment.
pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{number:020}{SUFFIX}"))
}

/// Numbers of the segment files in `dir`, ascending; removes what a crash left half made.
pub(crate) fn numbers(vfs: &dyn Vfs, dir: &Path) -> io::Result<Vec<u64>> {
    let temporary = dir.join(TEMPORARY);
    if vfs.exists(&temporary)? {
        vfs.remove(&temporary)?;
    }
    numbers_seen(vfs, dir)
}

/// Numbers of the segment files in `dir`, ascending; changes nothing.
pub(crate) fn numbers_seen(vfs: &dyn Vfs, dir: &Path) -> io::Result<Vec<u64>> {
    let number_of = |name: &String| {
        name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX))?.parse().ok()
    };
    let mut found: Vec<u64> = vfs.list(dir)?.iter().filter_map(number_of).collect();
    found.sort_unstable();
    Ok(found)
}

/// Makes segment `number`, out of the released segment `from` if there is one.
fn make(
    vfs: &dyn Vfs,
    dir: &Path,
    number: u64,
    bytes: u64,
    from: Option<u64>,
) -> io::Result<Segment> {
    let path = path_of(dir, number);
    if let Some(from) = from {
        let old = path_of(dir, from);
        if vfs.open(&old, false)?.len()? == bytes {
            vfs.rename(&old, &path)?;
            vfs.sync_dir(dir)?;
            return Ok(Segment { number, file: vfs.open(&path, false)?.into() });
        }
        // Made with another segment size.
        remove(vfs, dir, from)?;
    }
    let temporary = dir.join(TEMPORARY);
    let file = match zeroed(vfs, &temporary, bytes) {
        Ok(file) => file,
        Err(error) => {
            // What was made of it must not take the room that others need. It may not exist; the
            // first error is the one to report.
            let _ = vfs.remove(&temporary);
            return Err(error);
        }
    };
    vfs.rename(&temporary, &path)?;
    vfs.sync_dir(dir)?;
    Ok(Segment { number, file: file.into() })
}

fn zeroed(vfs: &dyn Vfs, path: &Path, bytes: u64) -> io::Result<Box<dyn VfsFile>> {
    let file = vfs.open(path, true)?;
    let zeros = vec![0; ZEROS.min(bytes as usize)];
    let mut at = 0;
    while at < bytes {
        let part = zeros.len().min((bytes - at) as usize);
        file.write_at(&zeros[..part], at)?;
        at += part as u64;
    }
    file.sync_data()?;
    Ok(file)
}

fn remove(vfs: &dyn Vfs, dir: &Path, number: u64) -> io::Result<()> {
    vfs.remove(&path_of(dir, number))?;
    vfs.sync_dir(dir)
}

enum Job {
    Make { number: u64, from: Option<u64> },
    Remove { number: u64 },
}

/// Keeps a spare segment ready (more for a large write) and the released ones for reuse.
pub(crate) struct Keeper {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    bytes: u64,
    /// Released segments that still carry their old number, oldest first.
    released: VecDeque<u64>,
    released_max: usize,
    /// Segments that follow the active one, in order.
    spares: VecDeque<Segment>,
    /// When a segment could not be made for want of room; nothing else was tried since.
    full_since: Option<Instant>,
    /// Number of the spare that the helper thread is making.
    ordered: Option<u64>,
    helper: Option<Helper>,
}

struct Helper {
    /// `None` only while dropping.
    jobs: Option<Sender<Job>>,
    made: Receiver<io::Result<Segment>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// `background` makes spares on a thread of its own; otherwise they are made in the call.
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        dir: PathBuf,
        bytes: u64,
        released_max: usize,
        background: bool,
    ) -> io::Result<Self> {
        let helper = match background {
            true => Some(Helper::start(vfs.clone(), dir.clone(), bytes)?),
            false => None,
        };
        Ok(Self {
            vfs,
            dir,
            bytes,
            released: VecDeque::new(),
            released_max,
            spares: VecDeque::new(),
            full_since: None,
            ordered: None,
            helper,
        })
    }

    /// Puts a file found at start to use as the spare.
    pub(crate) fn adopt_spare(&mut self, segment: Segment) {
        self.spares.push_back(segment);
    }

    /// Removes what an interrupted creation of the log left.
    pub(crate) fn remove_all(&self, numbers: &[u64]) -> io::Result<()> {
        numbers.iter().try_for_each(|&number| remove(&*self.vfs, &self.dir, number))
    }

    /// Bytes in spare segments.
    pub(crate) fn spare_bytes(&mut self) -> u64 {
        self.collect();
        self.spares.len() as u64 * self.bytes
    }

    /// Whether there is a spare, or it is being made.
    pub(crate) fn is_ready(&self) -> bool {
        !self.spares.is_empty() || self.ordered.is_some()
    }

    /// Orders spare `number` unless there is one, or it is being made, or it could not be made just
    /// now.
    pub(crate) fn order(&mut self, number: u64) {
        self.collect();
        if !self.spares.is_empty() || self.ordered.is_some() || self.waits_for_room() {
            return;
        }
        if let Some(helper) = &self.helper {
            let job = Job::Make { number, from: self.released.front().copied() };
            if helper.try_send(job) {
                self.released.pop_front();
                self.ordered = Some(number);
            }
        } else {
            let made = self.make_now(number);
            self.keep(made);
        }
    }

    /// Makes sure that `count` segments from `number` on can be taken without a failure.
    pub(crate) fn reserve(&mut self, number: u64, count: usize) -> Result<(), WalError> {
        if self.spares.len() < count {
            self.wait();
        }
        while self.spares.len() < count {
            if self.waits_for_room() {
                return Err(WalError::Full);
            }
            match self.make_now(number + self.spares.len() as u64) {
                Ok(segment) => self.spares.push_back(segment),
                Err(error) if is_full(&error) => {
                    self.full_since = Some(Instant::now());
                    return Err(WalError::Full);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.full_since = None;
        Ok(())
    }

    /// Hands out segment `number`; waits for it if it is still being made.
    pub(crate) fn take(&mut self, number: u64) -> Result<Segment, WalError> {
        if self.spares.is_empty() {
            self.wait();
        }
        match self.spares.pop_front() {
            Some(spare) if spare.number == number => Ok(spare),
            _ => Ok(self.make_now(number)?),
        }
    }

    /// Takes a segment that is no longer needed.
    pub(crate) fn release(&mut self, number: u64) {
        self.released.push_back(number);
        while self.released.len() > self.released_max {
            let Some(number) = self.released.pop_front() else { break };
            match &self.helper {
                Some(helper) => {
                    if !helper.try_send(Job::Remove { number }) {
                        self.released.push_front(number);
                        break;
                    }
                }
                None => {
                    if let Err(error) = remove(&*self.vfs, &self.dir, number) {
                        tracing::warn!(%error, number, "remove released log segment");
                    }
                }
            }
        }
    }

    fn make_now(&mut self, number: u64) -> io::Result<Segment> {
        let from = self.released.pop_front();
        make(&*self.vfs, &self.dir, number, self.bytes, from)
    }

    /// Whether there was no room just now, and none has come by a release since. Without a helper
    /// each call tries again, so that nothing depends on the clock.
    fn waits_for_room(&self) -> bool {
        self.helper.is_some()
            && self.released.is_empty()
            && self.full_since.is_some_and(|since| since.elapsed() < RETRY)
    }

    /// Takes what the helper has made, if it is done.
    fn collect(&mut self) {
        if let Some(helper) = &self.helper
            && let Ok(made) = helper.made.try_recv()
        {
            self.ordered = None;
            self.keep(made);
        }
    }

    /// Waits for what the helper is making.
    fn wait(&mut self) {
        if self.ordered.take().is_some()
            && let Some(helper) = &self.helper
            && let Ok(made) = helper.made.recv()
        {
            self.keep(made);
        }
    }

    fn keep(&mut self, made: io::Result<Segment>) {
        match made {
            Ok(segment) => {
                self.full_since = None;
                self.spares.push_back(segment);
            }
            // The write that needs it tries again, and reports it.
            Err(error) => {
                tracing::warn!(%error, "make spare log segment");
                self.full_since = is_full(&error).then(Instant::now);
            }
        }
    }
}

impl Helper {
    fn start(vfs: Arc<dyn Vfs>, dir: PathBuf, bytes: u64) -> io::Result<Self> {
        let (jobs, todo) = bounded::<Job>(64);
        let (done, made) = bounded(1);
        let thread = std::thread::Builder::new().name("log-segments".into()).spawn(move || {
            for job in todo {
                match job {
                    Job::Make { number, from } => {
                        if done.send(make(&*vfs, &dir, number, bytes, from)).is_err() {
                            return;
                        }
                    }
                    Job::Remove { number } => {
                        if let Err(error) = remove(&*vfs, &dir, number) {
                            tracing::warn!(%error, number, "remove released log segment");
                        }
                    }
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), made, thread: Some(thread) })
    }

    fn try_send(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }
}

impl Drop for Helper {
    /// Waits for the job under way, so that nobody touches the folder once the log is closed.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("log segment thread panicked");
        }
    }
}
