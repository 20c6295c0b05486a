//! The thread that writes the log: takes all that waits, writes it as one group, syncs once.
//!
//! Callers hand in steps in order and hear of each one, in order, after it is durable. The queue is
//! bounded: a slow disk slows the caller. While the disk is full the thread holds what it has,
//! says so in its meters, and goes on when there is room. Any other error ends the thread after it
//! was reported; the process is expected to stop then.

use super::meters::WriterMeters;
use super::wal::{Wal, WalError, WalOp};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two attempts while the disk is full.
const FULL_RETRY: Duration = Duration::from_millis(100);

/// Limits of the thread.
#[derive(Debug, Clone)]
pub struct LogWriterOptions {
    /// Steps that may wait.
    pub queue: usize,
    /// No further step joins a group of this many bytes of entries.
    pub group_bytes_max: usize,
    /// After this much quiet the superblock learns how far the log is durable.
    pub quiet: Duration,
}

impl Default for LogWriterOptions {
    fn default() -> Self {
        Self { queue: 256, group_bytes_max: 4 << 20, quiet: Duration::from_millis(100) }
    }
}

/// The thread is gone: it was stopped, or reported an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("log writer has stopped")]
pub struct LogWriterStopped;

enum Command {
    Append {
        number: u64,
        op: WalOp,
    },
    /// [`Shared::release_below`] has grown.
    Release,
    ForgetLoss,
    Stop,
}

/// What reaches the thread beside the queue.
#[derive(Default)]
struct Shared {
    /// The highest index asked for. Not in the queue, because to release is what makes room when
    /// the thread waits for some and the queue is full.
    release_below: AtomicU64,
    stopping: AtomicBool,
}

/// Handle of the log thread. Dropping it stops the thread after the queue is written.
pub struct LogWriter {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    meters: Arc<WriterMeters>,
    shared: Arc<Shared>,
}

impl LogWriter {
    /// Starts the thread. `on_done` gets the number of each step once it is durable (or written,
    /// for steps that need no sync), in order; `on_error` gets the error that ended the thread.
    /// Both run on the thread and must not block for long.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(
        wal: Wal,
        options: LogWriterOptions,
        on_done: impl Fn(u64) + Send + 'static,
        on_error: impl Fn(WalError) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (commands, queue) = bounded(options.queue.max(1));
        let meters = Arc::new(WriterMeters::default());
        let shared = Arc::new(Shared::default());
        let mut worker = Worker {
            wal,
            options,
            queue,
            next: None,
            done: Vec::new(),
            meters: meters.clone(),
            shared: shared.clone(),
        };
        worker.measure_room();
        let thread = std::thread::Builder::new().name("log-writer".into()).spawn(move || {
            match worker.run(&on_done) {
                Ok(()) => {
                    worker.release();
                    if let Err(error) = worker.wal.close() {
                        on_error(error);
                    }
                }
                Err(error) => on_error(error),
            }
        })?;
        Ok(Self { commands, thread: Some(thread), meters, shared })
    }

    /// Hands in a step; waits while the queue is full.
    ///
    /// # Errors
    /// [`LogWriterStopped`].
    pub fn submit(&self, number: u64, op: WalOp) -> Result<(), LogWriterStopped> {
        self.send(Command::Append { number, op })
    }

    /// Forgets old segments, see [`Wal::release_below`]; not reported. Takes effect soon, possibly
    /// before steps that were handed in earlier; never waits.
    ///
    /// # Errors
    /// [`LogWriterStopped`].
    pub fn release_below(&self, index: u64) -> Result<(), LogWriterStopped> {
        self.shared.release_below.fetch_max(index, Ordering::AcqRel);
        match self.commands.try_send(Command::Release) {
            // A thread with a full queue is awake, and looks by itself.
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(LogWriterStopped),
        }
    }

    /// Clears the mark of a lost log once the steps handed in before are written, see
    /// [`Wal::forget_loss`]; not reported.
    ///
    /// # Errors
    /// [`LogWriterStopped`].
    pub fn forget_loss(&self) -> Result<(), LogWriterStopped> {
        self.send(Command::ForgetLoss)
    }

    /// What the thread has done so far.
    #[must_use]
    pub fn meters(&self) -> Arc<WriterMeters> {
        self.meters.clone()
    }

    /// Writes what waits, closes the log, and ends the thread. On a full disk what waits is given
    /// up, and [`WalError::Full`] reported.
    pub fn stop(mut self) {
        self.end();
    }

    fn send(&self, command: Command) -> Result<(), LogWriterStopped> {
        self.commands.send(command).map_err(|_| LogWriterStopped)
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stopping.store(true, Ordering::Release);
        // Fails only if the thread has ended already.
        let _ = self.commands.send(Command::Stop);
        if thread.join().is_err() {
            tracing::error!("log writer panicked");
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.end();
    }
}

struct Worker {
    wal: Wal,
    options: LogWriterOptions,
    queue: Receiver<Command>,
    /// Taken from the queue but not part of the group before it.
    next: Option<Command>,
    /// Numbers of the group being written.
    done: Vec<u64>,
    meters: Arc<WriterMeters>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(&mut self, on_done: &impl Fn(u64)) -> Result<(), WalError> {
        loop {
            let Some(command) = self.wait()? else { return Ok(()) };
            match command {
                Command::Append { number, op } => self.group(number, op)?,
                Command::Release => {}
                Command::ForgetLoss => self.wal.forget_loss()?,
                Command::Stop => return Ok(()),
            }
            self.done.drain(..).for_each(on_done);
            self.release();
            self.measure_room();
        }
    }

    /// Forgets the segments that are to be released.
    fn release(&mut self) {
        let index = self.shared.release_below.swap(0, Ordering::AcqRel);
        if index > 0 {
            self.wal.release_below(index);
        }
    }

    fn measure_room(&mut self) {
        self.meters.room.store(self.wal.room(), Ordering::Relaxed);
    }

    /// Tries until the disk has room, or the thread is to stop.
    fn patiently<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Wal) -> Result<T, WalError>,
    ) -> Result<T, WalError> {
        loop {
            match attempt(&mut self.wal) {
                Err(WalError::Full) if !self.shared.stopping.load(Ordering::Acquire) => {
                    if !self.meters.full.swap(true, Ordering::AcqRel) {
                        tracing::error!("the disk is full; the log waits for room");
                    }
                    self.measure_room();
                    std::thread::sleep(FULL_RETRY);
                    self.release();
                }
                done => {
                    if self.meters.full.swap(false, Ordering::AcqRel) && done.is_ok() {
                        tracing::info!("the disk has room again; the log goes on");
                    }
                    return done;
                }
            }
        }
    }

    /// The next command; uses quiet moments for the superblock. `None` if all handles are gone.
    fn wait(&mut self) -> Result<Option<Command>, WalError> {
        if let Some(command) = self.next.take() {
            return Ok(Some(command));
        }
        loop {
            // Both are done: nothing is left for quiet moments.
            if !self.wal.needs_mark() && self.wal.tend() {
                return Ok(self.queue.recv().ok());
            }
            match self.queue.recv_timeout(self.options.quiet) {
                Ok(command) => return Ok(Some(command)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.wal.mark_durable()?,
            }
            self.measure_room();
        }
    }

    /// Gathers what waits behind a step, writes and syncs it.
    fn group(&mut self, number: u64, op: WalOp) -> Result<(), WalError> {
        let mut bytes = bytes_of(&op);
        let mut ops = vec![op];
        self.done.push(number);
        while bytes < self.options.group_bytes_max {
            match self.queue.try_recv() {
                Ok(Command::Append { number, op }) => {
                    bytes += bytes_of(&op);
                    ops.push(op);
                    self.done.push(number);
                }
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let start = Instant::now();
        let written = self.patiently(|wal| wal.write(&ops))?;
        let between = Instant::now();
        self.wal.sync_if(&ops)?;
        self.meters.write.record(between - start);
        self.meters.sync.record(between.elapsed());
        WriterMeters::add(&self.meters.groups, 1);
        WriterMeters::add(&self.meters.steps, ops.len() as u64);
        WriterMeters::add(&self.meters.bytes, written);
        Ok(())
    }
}

fn bytes_of(op: &WalOp) -> usize {
    op.entries.iter().map(|entry| entry.data.len()).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::vfs::{DiskVfs, Fault, MemVfs, Vfs};
    use crate::store::wal::{WalEntry, WalHardState, WalOptions};
    use bytes::Bytes;
    use std::path::Path;
    use std::sync::atomic::Ordering;

    fn step(number: u64) -> WalOp {
        let entry = WalEntry { index: number, term: 1, data: Bytes::from(vec![7; 500]) };
        let hard_state = Some(WalHardState { term: 1, vote: 1, commit: number - 1 });
        WalOp { entries: vec![entry], hard_state, must_sync: true }
    }

    #[test]
    fn steps_are_reported_in_order_and_grouped() {
        let dir = tempfile::tempdir().unwrap();
        let options = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
        let open = || Wal::open(Arc::new(DiskVfs), dir.path(), options.clone()).unwrap();
        let (wal, _) = open();
        let reader = wal.reader();
        let (report, reported) = crossbeam_channel::bounded(8_192);
        let done = move |number| report.send(number).unwrap();
        let writer =
            LogWriter::start(wal, LogWriterOptions::default(), done, |error| panic!("{error}"))
                .unwrap();
        for number in 1..=5000 {
            writer.submit(number, step(number)).unwrap();
            if number % 1000 == 0 {
                writer.release_below(number - 900).unwrap();
            }
        }
        for number in 1..=5000 {
            assert_eq!(reported.recv().unwrap(), number);
        }
        assert_eq!(reader.last_index(), 5000);
        let meters = writer.meters();
        assert_eq!(meters.steps.load(Ordering::Relaxed), 5000);
        assert!(meters.groups.load(Ordering::Relaxed) <= 5000);
        assert!(meters.bytes.load(Ordering::Relaxed) > 5000 * 500);
        assert_eq!(
            meters.sync.buckets().iter().sum::<u64>(),
            meters.groups.load(Ordering::Relaxed)
        );
        writer.stop();
        let (_, found) = open();
        assert_eq!((found.last_index, found.torn_bytes), (5000, 0));
    }

    #[test]
    fn an_error_is_reported_and_ends_the_thread() {
        let vfs = MemVfs::new();
        let options = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
        let (wal, _) = Wal::open(Arc::new(vfs.clone()), Path::new("/log"), options).unwrap();
        let (report, reported) = crossbeam_channel::bounded(1);
        let failed = move |error| report.send(error).unwrap();
        let done = |number| assert_eq!(number, 1, "a lost step was reported");
        let options = LogWriterOptions { quiet: Duration::from_secs(60), ..Default::default() };
        let writer = LogWriter::start(wal, options, done, failed).unwrap();
        writer.submit(1, step(1)).unwrap();
        while writer.meters().steps.load(Ordering::Relaxed) < 1 {
            std::thread::yield_now();
        }
        vfs.fail(Fault::Sync, 1);
        // The thread may be gone before the last one is handed in.
        for number in 2..10 {
            let _ = writer.submit(number, step(number));
        }
        assert!(matches!(reported.recv().unwrap(), WalError::SyncFailed(_)));
        drop(writer);
    }

    #[test]
    fn a_full_disk_is_waited_out_and_nothing_is_lost() {
        let vfs = MemVfs::new();
        for background in [false, true] {
            let dir = Path::new(if background { "/a" } else { "/b" });
            let options =
                WalOptions { segment_bytes: 64 << 10, background, ..WalOptions::default() };
            let (wal, _) = Wal::open(Arc::new(vfs.clone()), dir, options.clone()).unwrap();
            let (report, reported) = crossbeam_channel::bounded(8_192);
            let done = move |number| report.send(number).unwrap();
            let writer = LogWriter::start(
                wal,
                LogWriterOptions { queue: 4, ..LogWriterOptions::default() },
                done,
                |error| panic!("{error}"),
            )
            .unwrap();
            let meters = writer.meters();
            assert!(meters.room.load(Ordering::Relaxed) > 0);
            writer.submit(1, step(1)).unwrap();
            assert_eq!(reported.recv().unwrap(), 1);
            // The spare is made in the background. It must be there before the room ends, or a release
            // frees nothing: the only segment is then the active one.
            let segments = || {
                let names = vfs.list(dir).unwrap();
                names.iter().filter(|name| name.ends_with(".wal")).count()
            };
            while segments() < 2 {
                std::thread::yield_now();
            }
            vfs.limit(Some(vfs.used()));
            std::thread::scope(|scope| {
                scope.spawn(|| (2..=400).for_each(|n| writer.submit(n, step(n)).unwrap()));
                while !meters.full.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                let before = meters.steps.load(Ordering::Relaxed);
                assert!((10..399).contains(&before), "{before}");
                assert!(meters.room.load(Ordering::Relaxed) < 64 << 10);
                // Room by a release, although the queue is full; then by a larger disk.
                writer.release_below(before).unwrap();
                while meters.steps.load(Ordering::Relaxed) == before {
                    std::thread::yield_now();
                }
                vfs.limit(None);
                for number in 2..=400 {
                    assert_eq!(reported.recv().unwrap(), number);
                }
            });
            assert!(!meters.full.load(Ordering::Acquire));
            writer.stop();
            let (_, found) = Wal::open(Arc::new(vfs.clone()), dir, options).unwrap();
            assert_eq!((found.last_index, found.torn_bytes), (400, 0));
        }
    }

    #[test]
    fn a_stop_on_a_full_disk_reports_it() {
        let vfs = MemVfs::new();
        let options =
            WalOptions { segment_bytes: 16 << 10, background: false, ..WalOptions::default() };
        let (wal, _) = Wal::open(Arc::new(vfs.clone()), Path::new("/log"), options).unwrap();
        vfs.limit(Some(vfs.used()));
        let (report, reported) = crossbeam_channel::bounded(1);
        let failed = move |error| report.send(error).unwrap();
        let writer = LogWriter::start(wal, LogWriterOptions::default(), |_| {}, failed).unwrap();
        (1..=100).for_each(|number| writer.submit(number, step(number)).unwrap());
        while !writer.meters().full.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        writer.stop();
        assert!(matches!(reported.recv().unwrap(), WalError::Full));
    }
}
