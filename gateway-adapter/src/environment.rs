//! What a gateway takes from the machine around it: the wall clock, chance, threads for work that
//! blocks, and the time that such work takes.
//!
//! By default these are the system's. A simulation puts its own in their place: then all work is
//! done on the thread that asks for it, and the same clock and the same chance give the same run.
//! Time between two moments is always tokio's, which a simulation can stop and move. What is not
//! here: files, which are behind the store's backend, and connections, which are behind the port.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hpke::rand_core::{TryCryptoRng, TryRng};
use tokio::task::JoinError;
use wire::ledger::LedgerTime;

/// A machine of its own making.
pub trait Simulation: Send + Sync + 'static {
    /// The wall clock, in nanoseconds since the Unix epoch.
    fn now_ns(&self) -> u64;
    /// Fills bytes by chance.
    fn fill(&self, bytes: &mut [u8]);
    /// How long the next piece of work waits for a thread.
    fn work_time(&self) -> Duration;
    /// How long the store waits next for its disk: once before a commit, once after it.
    fn disk_time(&self) -> Duration;
}

/// Where clock, chance and threads come from; clones are the same machine.
#[derive(Clone, Default)]
pub struct Environment {
    simulation: Option<Arc<dyn Simulation>>,
}

/// Nanoseconds since the Unix epoch, by the system's clock.
fn system_now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Environment {
    /// A simulated machine.
    #[must_use]
    pub fn simulated(simulation: Arc<dyn Simulation>) -> Self {
        Self { simulation: Some(simulation) }
    }

    /// Nanoseconds since the Unix epoch, by this machine's clock.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.simulation.as_ref().map_or_else(system_now_ns, |simulation| simulation.now_ns())
    }

    pub(crate) fn now(&self) -> LedgerTime {
        LedgerTime(self.now_ns())
    }

    /// Fills `bytes` by chance that nobody can foresee.
    ///
    /// # Errors
    /// When the system's source cannot be read.
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        match &self.simulation {
            None => getrandom::fill(bytes),
            Some(simulation) => {
                simulation.fill(bytes);
                Ok(())
            }
        }
    }

    /// Threads for work that needs a processor.
    pub(crate) fn workers(&self) -> usize {
        match self.simulation {
            None => std::thread::available_parallelism().map_or(2, usize::from).max(2),
            Some(_) => 2,
        }
    }

    /// Runs work that computes or blocks beside the async threads.
    ///
    /// # Errors
    /// When the work panics or the runtime ends first.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match &self.simulation {
            None => tokio::task::spawn_blocking(work).await,
            Some(simulation) => {
                tokio::time::sleep(simulation.work_time()).await;
                Ok(work())
            }
        }
    }

    pub(crate) fn simulation(&self) -> Option<&Arc<dyn Simulation>> {
        self.simulation.as_ref()
    }
}

/// The environment's chance, for those who want a generator.
pub(crate) struct Chance<'e>(pub(crate) &'e Environment);

impl TryRng for Chance<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        // No key may be made of anything else.
        self.0.fill(bytes).expect("the system gives random bytes");
        Ok(())
    }
}

impl TryCryptoRng for Chance<'_> {}
