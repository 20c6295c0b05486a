//! Opening the database, also one whose making was cut off.
//!
//! A new database gets its mark last. A file without it in which nothing follows the header never
//! held anything: a crash in the first moments left it, and it is made anew. Any other file without
//! the mark is damaged or foreign and is refused.

use std::{fs, io, path::Path};

use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError, backends::FileBackend};

use crate::limits::STORE_CACHE_BYTES;

/// The header has a page of its own.
const HEADER_BYTES: u64 = 4096;
const PIECE_BYTES: u64 = 64 << 10;

/// Opens the database in a file; a new file's name is durable when this returns.
pub(super) fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    let is_new = !path.exists();
    let database = open(|| {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        FileBackend::new(file)
    })?;
    if is_new {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(database)
}

/// Opens the database on the storage that `storage` gives, each time the same one.
pub(super) fn open<B: StorageBackend>(
    storage: impl Fn() -> Result<B, DatabaseError>,
) -> Result<Database, DatabaseError> {
    let create = || {
        let mut builder = Builder::new();
        builder.set_cache_size(STORE_CACHE_BYTES);
        builder.create_with_backend(storage()?)
    };
    match create() {
        Err(DatabaseError::Storage(StorageError::Io(error)))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            let left = storage()?;
            if !is_unfinished(&left)? {
                return Err(error.into());
            }
            tracing::warn!("the store was cut off while it was made; make it anew");
            left.set_len(0)?;
            left.sync_data()?;
            drop(left);
            create()
        }
        opened => opened,
    }
}

/// Whether nothing but zeros follows the header.
fn is_unfinished(storage: &impl StorageBackend) -> io::Result<bool> {
    let end = storage.len()?;
    let mut from = HEADER_BYTES;
    let mut piece = Vec::new();
    while from < end {
        piece.resize(PIECE_BYTES.min(end - from) as usize, 0);
        storage.read(from, &mut piece)?;
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        from += piece.len() as u64;
    }
    Ok(true)
}
