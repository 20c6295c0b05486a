//! The durable store: inbox, prepared payments, answers, outbox and cursors in one redb file.
//!
//! One thread writes. It takes all that is waiting, performs it in one transaction with one durable
//! commit, and then completes every request (group commit): under load the cost of a sync is
//! shared, and a lone payment waits for nobody. Reads run beside it on any thread and see the last
//! commit.
//!
//! Rows that are appended have rising keys; only two small indexes are hit at random places. A
//! write that fails ends the store for good: after a failed sync nothing is known about the file,
//! so the process has to start again from what the disk holds.

mod create;
mod erasure;
mod evidence;
mod kept;
mod read;
mod row;
mod tables;
mod write;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};
use wire::client::Cursor;

pub use erasure::{ArrivedCopy, Copies, Erasure, ErasureStage, SentCopy};
pub use evidence::{Arrived, Delivered, DocumentProof, WantedReceipt};
pub use redb::StorageBackend;
pub use row::{
    Answer, AnswerKind, Credit, MessageKey, MessageRow, OutboxEntry, OutboxKind, Place,
    TransactionRow, TransferRow,
};
pub use write::{NewMessage, NewTransfer, OutboxReader, Settlement, StagedFate, StagedPart, Write};

use crate::{
    environment::Environment,
    limits::STORE_QUEUE,
    vault::{self, Vault},
};

/// Why the store cannot do what it is asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("open store: {0}")]
    Open(Arc<redb::Error>),
    /// A row cannot be read.
    #[error("read store: {0}")]
    Read(Arc<redb::Error>),
    /// A row does not have its form.
    #[error("store holds a damaged {0}")]
    Corrupt(&'static str),
    /// A write failed, now or earlier: the store takes no more writes.
    #[error("store has failed: {0}")]
    Failed(Arc<str>),
    /// The store is closed.
    #[error("store is closed")]
    Closed,
}

struct Request {
    write: Write,
    done: oneshot::Sender<Result<(), StoreError>>,
}

struct Shared {
    database: Arc<Database>,
    /// Keys of the documents; a store on another storage than a file keeps them in clear.
    vault: Option<Arc<Vault>>,
    failure: Arc<OnceLock<Arc<str>>>,
    outbox_last: watch::Receiver<u64>,
    failed: watch::Receiver<bool>,
    next_message: u64,
    environment: Environment,
}

/// A handle to the store; clones share it. The file is closed when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

/// A write that is queued and will be performed, whether or not anybody waits for it.
#[must_use = "nothing is durable before it is done"]
pub struct Queued<'s> {
    store: &'s Store,
    completed: oneshot::Receiver<Result<(), StoreError>>,
}

impl Queued<'_> {
    /// Completes once the write is durable.
    ///
    /// # Errors
    /// When this or an earlier write failed; nothing of it can be relied on then.
    pub async fn done(self) -> Result<(), StoreError> {
        self.completed.await.unwrap_or_else(|_| Err(self.store.failure()))
    }
}

impl Store {
    /// Opens the store in a file, creating it when there is none.
    ///
    /// # Errors
    /// When the file cannot be opened or is damaged.
    pub fn open_file(path: &Path) -> Result<Self, StoreError> {
        let database = create::open_file(path).map_err(open_error)?;
        let keys = vault::beside(path);
        let vault = Vault::open(&keys, Environment::default())
            .map_err(|error| StoreError::Open(Arc::new(redb::Error::Io(error))))?;
        Self::open(database, Some(Arc::new(vault)), Environment::default())
    }

    /// Opens the store on another storage than a file, such as a simulated disk.
    ///
    /// # Errors
    /// When the storage cannot be opened or is damaged.
    pub fn open_backend(backend: impl StorageBackend + Clone) -> Result<Self, StoreError> {
        Self::open_simulated(backend, Environment::default())
    }

    /// Opens the store on another storage and for a gateway in this environment. In a simulated one
    /// the writer is a task of the runtime that this is called in.
    ///
    /// # Errors
    /// As [`Store::open_backend`].
    pub fn open_simulated(
        backend: impl StorageBackend + Clone,
        environment: Environment,
    ) -> Result<Self, StoreError> {
        let database = create::open(|| Ok(backend.clone())).map_err(open_error)?;
        Self::open(database, None, environment)
    }

    fn open(
        database: Database,
        vault: Option<Arc<Vault>>,
        environment: Environment,
    ) -> Result<Self, StoreError> {
        let database = Arc::new(database);
        write::create_tables(&database).map_err(|error| StoreError::Open(Arc::new(error)))?;
        let (next_message, outbox_last) = read::ends(&database)?;
        let (outbox_sender, outbox_last) = watch::channel(outbox_last);
        let (failed_sender, failed) = watch::channel(false);
        let (requests, queue) = mpsc::channel(STORE_QUEUE);
        let failure = Arc::new(OnceLock::new());
        let writer = write::Writer::new(
            database.clone(),
            vault.clone(),
            failure.clone(),
            outbox_sender,
            failed_sender,
        );
        match environment.simulation() {
            Some(simulation) => {
                tokio::spawn(writer.run_as_task(queue, simulation.clone()));
            }
            None => {
                let failed =
                    |error| StoreError::Failed(format!("start its thread: {error}").into());
                let thread = std::thread::Builder::new().name("gateway-store".into());
                thread.spawn(move || writer.run(queue)).map_err(failed)?;
            }
        }
        let shared =
            Shared { database, vault, failure, outbox_last, failed, next_message, environment };
        Ok(Self { shared: Arc::new(shared), requests })
    }

    /// The environment that it was opened in.
    pub(crate) fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// First sequence number that no stored message has.
    #[must_use]
    pub fn next_message(&self) -> u64 {
        self.shared.next_message
    }

    /// Performs a write and returns once it is durable. Waits for room in the queue.
    ///
    /// # Errors
    /// When this or an earlier write failed; nothing of it can be relied on then.
    pub async fn write(&self, write: Write) -> Result<(), StoreError> {
        self.enqueue(write).await?.done().await
    }

    /// Queues a write, waiting for room. Writes become durable in the order in which this returns.
    ///
    /// # Errors
    /// When an earlier write failed.
    pub async fn enqueue(&self, write: Write) -> Result<Queued<'_>, StoreError> {
        let (done, completed) = oneshot::channel();
        if self.requests.send(Request { write, done }).await.is_err() {
            return Err(self.failure());
        }
        Ok(Queued { store: self, completed })
    }

    fn failure(&self) -> StoreError {
        match self.shared.failure.get() {
            Some(text) => StoreError::Failed(text.clone()),
            None => StoreError::Closed,
        }
    }

    /// Sequence number of the newest outbox entry, 0 when there was none ever; changes with each
    /// delivery.
    #[must_use]
    pub fn outbox_last(&self) -> watch::Receiver<u64> {
        self.shared.outbox_last.clone()
    }

    /// Becomes true when a write has failed.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.shared.failed.clone()
    }

    /// Whether every write so far succeeded.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.failure.get().is_none()
    }

    /// Where deliveries were searched up to, durably.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn delivery_cursor(&self) -> Result<Cursor, StoreError> {
        read::delivery_cursor(&self.shared.database)
    }
}

fn open_error(error: redb::DatabaseError) -> StoreError {
    StoreError::Open(Arc::new(error.into()))
}

#[cfg(test)]
pub(crate) mod tests;
