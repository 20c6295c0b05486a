//! Changing the bank's sealing key, and destroying an older one.
//!
//! A new key is durable here before the ledger is told of it, so no document is ever sealed to a key that nobody has. An older
//! one is destroyed only when the ledger names another, the overlap is over, and every block up to now was searched for
//! documents: what was sealed to it has arrived by then, or is told without its document.

use std::{sync::Arc, time::Duration};

use wire::client::{Query, QueryAnswer};
use wire::ledger::{Command, SetSealingKey};
use zeroize::Zeroizing;

use super::{AccessError, Core};
use crate::{
    keyring::{GenerationView, KeyringError},
    limits::DIRECTORY_REFRESH_INTERVAL,
};

/// How long the search for documents may take to come up with the ledger.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a sealing key is not changed or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// No node answers.
    #[error("no node tells which sealing key is in force; ask again")]
    NotTold,
    /// Documents are sealed to it now.
    #[error("documents are sealed to generation {0} now; rotate the sealing key first")]
    InForce(u32),
    /// Senders may still seal to it.
    #[error("the overlap is not over; generation {generation} can be destroyed in {seconds} s")]
    TooEarly {
        /// Which one.
        generation: u32,
        /// Seconds until then.
        seconds: u64,
    },
    /// Documents may be on their way.
    #[error("not all blocks were searched for documents of this bank yet; ask again")]
    Behind,
    /// The files of the keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The ledger was not told.
    #[error("{0}")]
    Ledger(AccessError),
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
}

impl Core {
    /// All generations of the sealing key, oldest first.
    #[must_use]
    pub fn sealing_keys(&self) -> Vec<GenerationView> {
        self.sealing.generations()
    }

    /// The bank's sealing key as the ledger has it now.
    pub(super) async fn key_in_force(&self) -> Result<[u8; 32], SealingError> {
        // What was told a moment ago may be what was so before.
        tokio::time::sleep(DIRECTORY_REFRESH_INTERVAL).await;
        if !self.directory.refresh(&self.node).await {
            return Err(SealingError::NotTold);
        }
        let directory = self.directory.current();
        let own = directory.participant(self.participant).ok_or(SealingError::NotTold)?;
        Ok(own.sealing_key)
    }

    /// Makes a new sealing key and has the ledger put it into force.
    ///
    /// # Errors
    /// [`SealingError`]; a key that was made and not put into force is taken the next time.
    pub async fn rotate_sealing_key(self: &Arc<Self>) -> Result<GenerationView, SealingError> {
        let _turn = self.erasing.lock().await;
        let before = self.key_in_force().await?;
        let mut secret = Zeroizing::new([0; 32]);
        let random = self.environment.fill(&mut *secret);
        random.map_err(|_| SealingError::Ledger(AccessError::Random))?;
        let sealing = self.sealing.clone();
        let made = self.environment.work(move || sealing.next(&before, &secret));
        let made = made.await.map_err(|_| SealingError::Stopping)??;
        let id = self.random_id().map_err(SealingError::Ledger)?;
        let (participant, sealing_key) = (self.participant, made.public);
        let command = Command::SetSealingKey(SetSealingKey { id, participant, sealing_key });
        let recorded = self.state(id, &command).await.map_err(SealingError::Ledger)?;
        let (sealing, number) = (self.sealing.clone(), made.number);
        let noted = self.environment.work(move || sealing.in_force(number, recorded.time.0));
        noted.await.map_err(|_| SealingError::Stopping)??;
        let now = self.key_in_force().await?;
        tracing::info!(generation = number, in_force = now == made.public, "sealing key changed");
        Ok(GenerationView { since_ns: Some(recorded.time.0), ..made })
    }

    /// Destroys the secret of an older generation. Documents of it that this gateway holds open with their own keys.
    ///
    /// # Errors
    /// [`SealingError`]; nothing was destroyed unless the files could not be written.
    pub async fn retire_sealing_key(
        self: &Arc<Self>,
        number: u32,
    ) -> Result<GenerationView, SealingError> {
        let _turn = self.erasing.lock().await;
        let in_force = self.key_in_force().await?;
        let generations = self.sealing.generations();
        let found = generations.iter().find(|one| one.number == number);
        let found = found.filter(|one| one.retired_ns.is_none());
        let found = found.ok_or(KeyringError::NoSuch(number))?;
        let newer = generations.iter().rev().find(|one| one.public == in_force);
        let newer = newer.filter(|one| one.number > number && found.public != in_force);
        let since = newer.and_then(|one| one.since_ns).ok_or(SealingError::InForce(number))?;
        let now = self.environment.now_ns();
        let over = since.saturating_add(self.sealing_overlap.as_nanos() as u64);
        if now < over {
            let seconds = (over - now).div_ceil(1_000_000_000);
            return Err(SealingError::TooEarly { generation: number, seconds });
        }
        self.search_up_to_now().await?;
        let sealing = self.sealing.clone();
        let retired = self.environment.work(move || sealing.retire(number, now));
        let retired = retired.await.map_err(|_| SealingError::Stopping)??;
        tracing::info!(generation = number, "sealing key destroyed");
        Ok(retired)
    }

    /// Waits until all that the connected node has applied by now was searched for documents.
    async fn search_up_to_now(&self) -> Result<(), SealingError> {
        let Some(QueryAnswer::Status(status)) = self.node.query(Query::Status).await else {
            return Err(SealingError::NotTold);
        };
        let mut searched = self.searched.clone();
        let there = searched.wait_for(|cursor| cursor.height >= status.height);
        match tokio::time::timeout(SEARCH_TIME_MAX, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(SealingError::Stopping),
            Err(_) => Err(SealingError::Behind),
        }
    }
}
