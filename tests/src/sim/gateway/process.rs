//! A running gateway: the real one, on a runtime of its own whose clock the simulation moves.
//!
//! Its tasks run only while the simulation lets time pass, one after the other on this thread, until
//! nothing is left to do at a moment; then the clock jumps to the next timer. So a run follows from
//! the seed alone. The runtime's clock knows whole milliseconds, and all times here are such.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use gateway_adapter::{
    Config, Gateway, RunError,
    environment::{Environment, Simulation},
    node::NodePort,
    store::{Answer, OutboxReader, Store},
};
use link::{ClientSideEvent, OutFrame};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::Instant,
};

use super::{super::rng::Rng, disk::Handle};

/// Room in each direction, as over a real link.
const QUEUE: usize = 64;

/// The machine's clock and chance.
struct Machine {
    began: Instant,
    wall_ns: u64,
    slow_disk: u64,
    rng: Mutex<Rng>,
}

impl Machine {
    fn time(&self, slow: u64) -> Duration {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = match rng.range(0, 100) {
            chance if chance < slow => rng.range(20, 300),
            0..50 => 0,
            _ => rng.range(1, 4),
        };
        Duration::from_millis(ms)
    }
}

impl Simulation for Machine {
    fn now_ns(&self) -> u64 {
        self.wall_ns + self.began.elapsed().as_nanos() as u64
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&rng.next().to_le_bytes()[..part.len()]);
        }
    }

    fn work_time(&self) -> Duration {
        self.time(0)
    }

    fn disk_time(&self) -> Duration {
        self.time(self.slow_disk)
    }
}

/// What a customer of the gateway was told.
pub(super) enum Told {
    /// The answer to the message with this number; `None`: it was not taken in.
    Answer(usize, Option<Answer>),
    /// The outbox counts as taken up to here.
    Taken(u64),
}

/// Where a life begins.
pub(super) struct Birth {
    /// Simulated milliseconds.
    pub(super) at_ms: u64,
    pub(super) wall_ns: u64,
    pub(super) slow_disk: u64,
    pub(super) rng: Rng,
}

pub(super) struct Process {
    runtime: Runtime,
    gateway: Gateway,
    disk: Handle,
    began: Instant,
    began_ms: u64,
    events: mpsc::Sender<ClientSideEvent>,
    waiting: VecDeque<ClientSideEvent>,
    frames: mpsc::Receiver<OutFrame>,
    wishes: mpsc::Receiver<u64>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Process {
    /// Starts the gateway on what its disk holds.
    pub(super) fn start(config: Config, disk: Handle, birth: Birth) -> Result<Self, RunError> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without a reactor needs nothing");
        let (frames_in, frames) = mpsc::channel(QUEUE);
        let (events, events_out) = mpsc::channel(QUEUE);
        let (leave, wishes) = mpsc::channel(1);
        let port = NodePort { frames: frames_in, events: events_out, leave };
        let backend = disk.clone();
        let Birth { at_ms: began_ms, wall_ns, slow_disk, rng } = birth;
        let (began, started) = runtime.block_on(async {
            let began = Instant::now();
            let machine = Machine { began, wall_ns, slow_disk, rng: Mutex::new(rng) };
            let environment = Environment::simulated(Arc::new(machine));
            let started = async {
                let store = Store::open_simulated(backend, environment)?;
                Gateway::start_on(config, store, port).await
            };
            (began, started.await)
        });
        let (waiting, told) = (VecDeque::new(), Arc::default());
        Ok(Self {
            runtime,
            gateway: started?,
            disk,
            began,
            began_ms,
            events,
            waiting,
            frames,
            wishes,
            told,
        })
    }

    /// Lets time pass until a moment, in simulated milliseconds.
    pub(super) fn run_until(&mut self, ms: u64) {
        let until = self.began + Duration::from_millis(ms.saturating_sub(self.began_ms));
        // The runtime wakes this timer after everything that was to be done before.
        self.runtime.block_on(async { tokio::time::sleep_until(until).await });
    }

    /// An event of the connection, in its order.
    pub(super) fn push(&mut self, event: ClientSideEvent) {
        self.waiting.push_back(event);
        while let Some(event) = self.waiting.pop_front() {
            if let Err(error) = self.events.try_send(event) {
                // Full: the gateway has to catch up first. Closed: it has ended.
                if let mpsc::error::TrySendError::Full(event) = error {
                    self.waiting.push_front(event);
                }
                return;
            }
        }
    }

    /// Does something where the gateway's tasks run.
    pub(super) fn enter<T>(&self, action: impl FnOnce(&Gateway) -> T) -> T {
        let _context = self.runtime.enter();
        action(&self.gateway)
    }

    /// Hands a message over. False when there is no room for it now.
    pub(super) fn send(&self, number: usize, raw: bytes::Bytes) -> bool {
        self.enter(|gateway| {
            let channel = gateway_adapter::core::Channel::Http;
            let Ok(mut ticket) = gateway.core().receive(raw, channel) else { return false };
            let (told, disk) = (Arc::clone(&self.told), self.disk.clone());
            tokio::spawn(async move {
                let answer = ticket.answer().await.ok();
                tell(&told, &disk, Told::Answer(number, answer));
            });
            true
        })
    }

    /// Notes that the bank has taken the outbox up to an entry.
    pub(super) fn take(&self, sequence: u64) {
        self.enter(|gateway| {
            let core = Arc::clone(gateway.core());
            let (told, disk) = (Arc::clone(&self.told), self.disk.clone());
            tokio::spawn(async move {
                if let Ok(taken) = core.acknowledge(OutboxReader::Http, sequence).await {
                    tell(&told, &disk, Told::Taken(taken));
                }
            });
        });
    }

    /// What customers were told since the last call, in an order of its own.
    pub(super) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Frames for the node, and whether the gateway wishes to leave it.
    pub(super) fn sent(&mut self) -> (Vec<OutFrame>, bool) {
        let frames = std::iter::from_fn(|| self.frames.try_recv().ok()).collect();
        (frames, self.wishes.try_recv().is_ok())
    }

    /// Stops the gateway as its operator does, and closes its store.
    pub(super) fn stop(self) {
        let Self { runtime, gateway, .. } = self;
        runtime.block_on(gateway.stop());
    }

    /// Why the gateway cannot go on, if it cannot.
    pub(super) fn failure(&self) -> Option<RunError> {
        self.runtime.block_on(async {
            let mut failed = pin!(self.gateway.failed());
            poll_fn(|cx| match failed.as_mut().poll(cx) {
                Poll::Ready(error) => Poll::Ready(Some(error)),
                Poll::Pending => Poll::Ready(None),
            })
            .await
        })
    }
}

/// Nobody hears anything from a process that has ended.
fn tell(told: &Mutex<Vec<Told>>, disk: &Handle, what: Told) {
    if !disk.is_dead() {
        told.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}
