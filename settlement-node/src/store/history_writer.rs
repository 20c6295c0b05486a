//! The thread that writes the history, so that its disk never delays the settlement of a block.
//!
//! Blocks are handed in through a bounded queue. They are flushed (visible to readers) whenever the
//! queue is empty, and synced from time to time, so that little dirty memory gathers and the log
//! can be released. While the disk is full the thread holds what it has, says so in its meters, and
//! goes on when there is room. Any other error ends the thread after it was reported.

use super::history::{History, HistoryBlock, HistoryError};
use super::meters::WriterMeters;
use super::vfs;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two attempts while the disk is full.
const FULL_RETRY: Duration = Duration::from_millis(200);

/// Limits of the thread.
#[derive(Debug, Clone)]
pub struct HistoryWriterOptions {
    /// Blocks that may wait.
    pub queue: usize,
    /// Time between two syncs while blocks arrive. Syncs by size are those of the history.
    pub sync_every: Duration,
}

impl Default for HistoryWriterOptions {
    fn default() -> Self {
        Self { queue: 256, sync_every: Duration::from_millis(500) }
    }
}

/// The thread is gone: it was stopped, or reported an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("history writer has stopped")]
pub struct HistoryWriterStopped;

enum Command {
    Append(HistoryBlock),
    Sync(Sender<()>),
    Stop,
}

/// Handle of the history thread. Dropping it stops the thread after the queue is written.
pub struct HistoryWriter {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    meters: Arc<WriterMeters>,
    synced: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
}

impl HistoryWriter {
    /// Starts the thread. `on_error` gets the error that ended it, on the thread.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(
        history: History,
        options: HistoryWriterOptions,
        on_error: impl Fn(HistoryError) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (commands, queue) = bounded(options.queue.max(1));
        let meters = Arc::new(WriterMeters::default());
        let synced = Arc::new(AtomicU64::new(end_of(&history)));
        let stopping = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            stopping: stopping.clone(),
            history,
            options,
            queue,
            meters: meters.clone(),
            synced: synced.clone(),
            synced_at: Instant::now(),
            counted: 0,
        };
        let thread =
            std::thread::Builder::new().name("history-writer".into()).spawn(move || {
                if let Err(error) = worker.run().and_then(|()| worker.sync()) {
                    on_error(error);
                }
            })?;
        Ok(Self { commands, thread: Some(thread), meters, synced, stopping })
    }

    /// Hands in a block; waits while the queue is full.
    ///
    /// # Errors
    /// [`HistoryWriterStopped`].
    pub fn append(&self, block: HistoryBlock) -> Result<(), HistoryWriterStopped> {
        self.commands.send(Command::Append(block)).map_err(|_| HistoryWriterStopped)
    }

    /// Waits until all blocks handed in before are durable; for checkpoints.
    ///
    /// # Errors
    /// [`HistoryWriterStopped`].
    pub fn sync(&self) -> Result<(), HistoryWriterStopped> {
        let (done, wait) = bounded(1);
        self.commands.send(Command::Sync(done)).map_err(|_| HistoryWriterStopped)?;
        wait.recv().map_err(|_| HistoryWriterStopped)
    }

    /// Height below which all blocks are durable (one more than the last durable one).
    #[must_use]
    pub fn synced_below(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// The counter behind [`HistoryWriter::synced_below`], for a thread that waits for it.
    #[must_use]
    pub fn synced_handle(&self) -> Arc<AtomicU64> {
        self.synced.clone()
    }

    /// What the thread has done so far.
    #[must_use]
    pub fn meters(&self) -> Arc<WriterMeters> {
        self.meters.clone()
    }

    /// Writes and syncs what waits, and ends the thread. On a full disk what waits is given up
    /// (replay of the log brings it back), and the error reported.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stopping.store(true, Ordering::Release);
        // Fails only if the thread has ended already.
        let _ = self.commands.send(Command::Stop);
        if thread.join().is_err() {
            tracing::error!("history writer panicked");
        }
    }
}

impl Drop for HistoryWriter {
    fn drop(&mut self) {
        self.end();
    }
}

fn end_of(history: &History) -> u64 {
    history.synced_height().map_or(0, |height| height + 1)
}

fn is_full(done: &Result<(), HistoryError>) -> bool {
    matches!(done, Err(HistoryError::Io(error)) if vfs::is_full(error))
}

struct Worker {
    stopping: Arc<AtomicBool>,
    history: History,
    options: HistoryWriterOptions,
    queue: Receiver<Command>,
    meters: Arc<WriterMeters>,
    synced: Arc<AtomicU64>,
    synced_at: Instant,
    /// Bytes that are in the meters already.
    counted: u64,
}

impl Worker {
    fn run(&mut self) -> Result<(), HistoryError> {
        loop {
            let command = match self.queue.try_recv() {
                Ok(command) => command,
                Err(_) => {
                    self.flush()?;
                    match self.wait()? {
                        Some(command) => command,
                        None => return Ok(()),
                    }
                }
            };
            match command {
                Command::Append(block) => {
                    // Said again, a block that was taken before the disk was full is compared.
                    self.patiently(|history| history.append(&block))?;
                    WriterMeters::add(&self.meters.steps, 1);
                }
                Command::Sync(done) => {
                    self.sync()?;
                    // The one who asked may have given up.
                    let _ = done.send(());
                }
                Command::Stop => return Ok(()),
            }
            if self.synced_at.elapsed() >= self.options.sync_every {
                self.sync()?;
            }
        }
    }

    /// The next command; syncs if nothing comes for a while. `None` if all handles are gone.
    fn wait(&mut self) -> Result<Option<Command>, HistoryError> {
        if self.history.synced_height() == self.history.last_height() {
            return Ok(self.queue.recv().ok());
        }
        match self.queue.recv_timeout(self.options.sync_every) {
            Ok(command) => Ok(Some(command)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                self.sync()?;
                Ok(self.queue.recv().ok())
            }
        }
    }

    /// Tries until the disk has room, or the thread is to stop. A write that failed half way is
    /// done again at the same place.
    fn patiently(
        &mut self,
        mut attempt: impl FnMut(&mut History) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let mut waited = false;
        loop {
            let mut done = attempt(&mut self.history);
            if waited && done.is_ok() {
                // The attempt may have found all done but the writing.
                done = self.history.flush();
            }
            if !is_full(&done) || self.stopping.load(Ordering::Acquire) {
                if waited && done.is_ok() {
                    tracing::info!("the disk has room again; the history goes on");
                }
                self.meters.full.store(false, Ordering::Release);
                return done;
            }
            if !waited {
                tracing::error!("the disk is full; the history waits for room");
                self.meters.full.store(true, Ordering::Release);
            }
            waited = true;
            std::thread::sleep(FULL_RETRY);
        }
    }

    fn flush(&mut self) -> Result<(), HistoryError> {
        let start = Instant::now();
        self.patiently(History::flush)?;
        // A full buffer is written by the append itself, so count from the last time here.
        let written = self.history.written_bytes() - self.counted;
        self.counted += written;
        if written > 0 {
            self.meters.write.record(start.elapsed());
            WriterMeters::add(&self.meters.groups, 1);
            WriterMeters::add(&self.meters.bytes, written);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), HistoryError> {
        self.flush()?;
        let start = Instant::now();
        self.history.sync()?;
        self.synced_at = Instant::now();
        self.meters.sync.record(start.elapsed());
        self.synced.store(end_of(&self.history), Ordering::Release);
        Ok(())
    }
}
