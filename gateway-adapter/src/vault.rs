//! Keys of documents: one for each document that the gateway keeps, in a file of its own that is overwritten in place.
//!
//! ```text
//! documents.keys   magic 16 | slots of 32 bytes: a random key, or zeros where one was destroyed
//! ```
//! The store holds documents as ciphertext under these keys, so what it leaves behind in its free pages, and what copies of
//! it were made, opens nothing once the key is gone. Slots are filled with random keys ahead of need, one sync for thousands
//! of them: to take one costs no write. A key is destroyed by writing zeros over it, a sync, and a look at what is there.
//!
//! Not in the power of a file: what a disk or a file system that never writes in place keeps of old blocks, snapshots
//! below it, and copies that somebody made of this file.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::environment::Environment;

const MAGIC: &[u8; 16] = b"corridor keys 1\n";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Keys that are made together.
const MADE_AT_ONCE: u64 = 1_024;

/// The keys.
pub(crate) struct Vault {
    file: File,
    chance: Environment,
    /// The next slot that no document has.
    next: AtomicU64,
    /// Slots that hold a durable key, or did.
    made: Mutex<u64>,
}

/// A ciphertext with the name of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Locked {
    /// Slot of its key.
    pub(crate) slot: u64,
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) bytes: Vec<u8>,
}

impl Vault {
    /// Opens the file, making it when there is none.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no such file.
    pub(crate) fn open(path: &Path, chance: Environment) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(path)?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        let length = file.metadata()?.len();
        let mut magic = [0; MAGIC.len()];
        if length >= MAGIC.len() as u64 {
            file.read_exact_at(&mut magic, 0)?;
        }
        // A file without its first bytes was cut off while it was made: nothing can be locked with it.
        if length < MAGIC.len() as u64 || magic == [0; MAGIC.len()] {
            file.write_all_at(MAGIC, 0)?;
            file.sync_data()?;
        } else if magic != *MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a file of document keys"));
        }
        let made = file.metadata()?.len().saturating_sub(MAGIC.len() as u64) / KEY_BYTES as u64;
        // No slot that was there before is given away again: whether it was used nobody has to know.
        Ok(Self { file, chance, next: AtomicU64::new(made), made: Mutex::new(made) })
    }

    /// Locks bytes with a key of their own, which is durable when this returns.
    ///
    /// # Errors
    /// When new keys cannot be written, or the random source fails.
    pub(crate) fn lock(&self, mut bytes: Vec<u8>) -> io::Result<Locked> {
        let slot = self.next.fetch_add(1, Ordering::Relaxed);
        self.make(slot)?;
        let key = self.key(slot)?.ok_or_else(|| io::Error::other("a new key is not there"))?;
        let mut nonce = [0; NONCE_BYTES];
        self.chance.fill(&mut nonce).map_err(io::Error::other)?;
        aead(&key)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(slot.to_le_bytes()),
                &mut bytes,
            )
            .map_err(|_| io::Error::other("a document is too large to be locked"))?;
        Ok(Locked { slot, nonce, bytes })
    }

    /// Opens what was locked; `None` when its key is destroyed.
    ///
    /// # Errors
    /// When the key cannot be read or does not fit.
    pub(crate) fn unlock(&self, locked: &Locked) -> io::Result<Option<Vec<u8>>> {
        let Some(key) = self.key(locked.slot)? else { return Ok(None) };
        let mut bytes = locked.bytes.clone();
        let plain = aead(&key).open_in_place(
            Nonce::assume_unique_for_key(locked.nonce),
            Aad::from(locked.slot.to_le_bytes()),
            &mut bytes,
        );
        let length = plain.map_err(|_| io::Error::other("a key does not fit its document"))?.len();
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    /// Destroys a key; when this returns, zeros are durable in its place. Doing it again changes nothing.
    ///
    /// # Errors
    /// When that cannot be written, or something else is read there afterwards.
    pub(crate) fn destroy(&self, slot: u64) -> io::Result<()> {
        if slot >= *self.made.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(io::Error::other("there never was such a key"));
        }
        self.file.write_all_at(&[0; KEY_BYTES], place(slot))?;
        self.file.sync_data()?;
        match self.key(slot)? {
            None => Ok(()),
            Some(_) => Err(io::Error::other("a key is there after it was overwritten")),
        }
    }

    /// Has keys made up to and with a slot.
    fn make(&self, slot: u64) -> io::Result<()> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        while *made <= slot {
            let mut keys = Zeroizing::new(vec![0; MADE_AT_ONCE as usize * KEY_BYTES]);
            self.chance.fill(&mut keys).map_err(io::Error::other)?;
            self.file.write_all_at(&keys, place(*made))?;
            self.file.sync_data()?;
            *made += MADE_AT_ONCE;
        }
        Ok(())
    }

    /// The key of a slot; `None` where zeros are.
    fn key(&self, slot: u64) -> io::Result<Option<Zeroizing<[u8; KEY_BYTES]>>> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.file.read_exact_at(&mut *key, place(slot))?;
        Ok((*key != [0; KEY_BYTES]).then_some(key))
    }
}

const fn place(slot: u64) -> u64 {
    MAGIC.len() as u64 + slot * KEY_BYTES as u64
}

fn aead(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

/// Where the keys of a store's documents are: beside its file.
pub(crate) fn beside(store: &Path) -> PathBuf {
    store.with_file_name("documents.keys")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn raw(path: &Path) -> Vec<u8> {
        std::fs::read(path).unwrap()
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_destroyed_key_is_in_no_byte_of_the_file_and_the_others_are_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("documents.keys");
        let vault = Vault::open(&path, Environment::default()).unwrap();
        let locked: Vec<Locked> =
            (0..3_u8).map(|number| vault.lock(vec![number; 100]).unwrap()).collect();
        let key = vault.key(locked[1].slot).unwrap().unwrap();
        assert!(contains(&raw(&path), &key[..]));
        vault.destroy(locked[1].slot).unwrap();
        vault.destroy(locked[1].slot).unwrap();
        // Also for one that opens it anew, and no slot is used twice.
        drop(vault);
        let vault = Vault::open(&path, Environment::default()).unwrap();
        for part in key.windows(8) {
            assert!(!contains(&raw(&path), part), "a part of the key is left");
        }
        assert_eq!(vault.unlock(&locked[1]).unwrap(), None);
        assert_eq!(vault.unlock(&locked[0]).unwrap(), Some(vec![0; 100]));
        assert_eq!(vault.unlock(&locked[2]).unwrap(), Some(vec![2; 100]));
        let next = vault.lock(vec![9; 10]).unwrap();
        assert!(locked.iter().all(|one| one.slot < next.slot));
        assert!(vault.destroy(1 << 40).is_err());
    }

    #[test]
    fn another_file_or_key_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("documents.keys");
        std::fs::write(&path, "something else entirely").unwrap();
        assert!(Vault::open(&path, Environment::default()).is_err());
        std::fs::remove_file(&path).unwrap();
        let vault = Vault::open(&path, Environment::default()).unwrap();
        let (one, two) = (vault.lock(vec![1]).unwrap(), vault.lock(vec![2]).unwrap());
        assert!(vault.unlock(&Locked { slot: two.slot, ..one }).is_err());
    }
}
