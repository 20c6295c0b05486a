//! Bodies that are too large for the memory: each goes into a file without a name as it arrives.
//!
//! The key of a message follows from all of its bytes, so nothing can be said of it before the last
//! one has come. The file's name is removed as soon as it is made: whatever happens, nothing is left.

use std::{
    fs::{self, File},
    io::{self, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::Problem;
use crate::{
    limits::{HTTP_SPOOL_IDLE_MAX, HTTP_SPOOLS_MAX, STAGE_BYTES},
    store::MessageKey,
};

/// Names of files between their making and the removal of the name.
const NAME: &str = "http-spool-";

/// Room for bodies that are files.
pub(super) struct Spools {
    directory: PathBuf,
    room: Arc<Semaphore>,
    next: AtomicU64,
}

/// A body that has arrived.
pub(super) struct Spooled {
    pub(super) key: MessageKey,
    pub(super) bytes: u64,
    /// At its start.
    pub(super) file: File,
}

/// A file while it is written.
struct Growing {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Growing {
    fn append(mut self, bytes: &[u8]) -> io::Result<Self> {
        self.file.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(self)
    }
}

impl Spools {
    /// Spools in a directory that is private. What a gateway left there that was killed between two
    /// steps is removed.
    pub(super) fn new(directory: &Path) -> Self {
        let left = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in left.filter(|one| one.file_name().to_string_lossy().starts_with(NAME)) {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(file = %entry.path().display(), %error, "remove old file");
            }
        }
        let directory = directory.to_owned();
        let room = Arc::new(Semaphore::new(HTTP_SPOOLS_MAX));
        Self { directory, room, next: AtomicU64::new(1) }
    }

    fn make(&self) -> io::Result<Growing> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("{NAME}{number}"));
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        Ok(Growing { file, digest: Sha256::new(), bytes: 0 })
    }

    /// Writes a body into a file.
    pub(super) async fn take(&self, mut body: Body, limit: usize) -> Result<Spooled, Problem> {
        let Ok(_room) = self.room.try_acquire() else {
            return Err(Problem {
                status: StatusCode::SERVICE_UNAVAILABLE,
                text: "Too many bulk messages arrive at one time; send it again later.".to_owned(),
                retry_after_s: Some(1),
            });
        };
        let mut growing = self.make().map_err(failed)?;
        let mut gathered: Vec<u8> = Vec::new();
        let mut taken = 0;
        loop {
            let next = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let frame = match tokio::time::timeout(HTTP_SPOOL_IDLE_MAX, next).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(Problem::bad_request("The body broke off.")),
                Err(_) => {
                    let text = "The body did not arrive in time.";
                    return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, text));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            taken += data.len();
            if taken > limit {
                return Err(super::messages::too_large(limit));
            }
            gathered.extend_from_slice(&data);
            if gathered.len() >= STAGE_BYTES {
                let bytes = std::mem::take(&mut gathered);
                growing = written(growing, bytes).await?;
            }
        }
        let Growing { mut file, digest, bytes } = written(growing, gathered).await?;
        file.rewind().map_err(failed)?;
        Ok(Spooled { key: MessageKey(digest.finalize().into()), bytes, file })
    }
}

async fn written(growing: Growing, bytes: Vec<u8>) -> Result<Growing, Problem> {
    let work = tokio::task::spawn_blocking(move || growing.append(&bytes));
    work.await.map_err(|_| Problem::internal())?.map_err(failed)
}

fn failed(error: io::Error) -> Problem {
    tracing::error!(%error, "keep the body of a bulk message");
    Problem::internal()
}
