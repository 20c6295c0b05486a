//! The generations of a bank's sealing key: made here, put into force by the ledger, and destroyed here.
//!
//! ```text
//! sealing.key            generation 1, as it was set up
//! sealing.key.N          generation N, from 2 on
//! sealing.key.N.since    when it came into force: ledger time, nanoseconds since 1970
//! sealing.key.N.retired  its public key and when it was destroyed; from then on there is no key file
//! ```
//! A document is opened with whichever generation fits, the newest first. A generation is destroyed by noting that durably,
//! writing zeros over its file, a sync, a look at what is there, and the removal of the file; what was cut off is finished at
//! the next start. As with all files, a disk that does not write in place may keep the old block.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use link::keyfile::{self, KeyFileError};
use wire::genesis::{hex, key_from_hex};
use wire::ledger::{Digest, ParticipantNumber, TransferId};
use zeroize::Zeroizing;

use crate::seal::{OpenError, Opened, Opener, public_key};

/// Most generations in the life of a bank.
pub const GENERATIONS_MAX: u32 = 100_000;

/// Why a generation cannot be made, read or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A key file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Another file cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file beside the keys does not hold what it should.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
    /// A secret is no X25519 key.
    #[error("sealing key {0} is not a usable X25519 secret")]
    Unusable(u32),
    /// All keys are retired.
    #[error("no sealing key is left: {0}")]
    NoneLeft(PathBuf),
    /// The keys were given and are in no file.
    #[error("the sealing keys of this gateway are not in files")]
    NoFiles,
    /// There is no such generation, or it is destroyed already.
    #[error("there is no sealing key of generation {0}, or it is destroyed already")]
    NoSuch(u32),
    /// Too many generations.
    #[error("too many generations of the sealing key")]
    TooMany,
}

/// A generation as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationView {
    /// Its number, from 1.
    pub number: u32,
    /// Its X25519 public key.
    pub public: [u8; 32],
    /// When it came into force, nanoseconds since 1970; `None` for one that was set up or did not yet.
    pub since_ns: Option<u64>,
    /// When it was destroyed, nanoseconds since 1970.
    pub retired_ns: Option<u64>,
}

struct Generation {
    view: GenerationView,
    /// `None` once it is destroyed.
    opener: Option<Arc<Opener>>,
}

/// The generations of one bank's key.
pub struct Keyring {
    network: [u8; 32],
    participant: ParticipantNumber,
    path: Option<PathBuf>,
    generations: Mutex<Vec<Generation>>,
}

impl Keyring {
    /// One key that is in no file: for simulations and tests. `None` when it is not usable.
    #[must_use]
    pub fn in_memory(
        network: [u8; 32],
        participant: ParticipantNumber,
        secret: &[u8; 32],
    ) -> Option<Self> {
        let ring = Self { network, participant, path: None, generations: Mutex::default() };
        let generation = ring.live(1, secret, None).ok()?;
        ring.lock().push(generation);
        Some(ring)
    }

    /// Reads all generations, and finishes the destruction of those that are retired.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(
        network: [u8; 32],
        participant: ParticipantNumber,
        path: &Path,
    ) -> Result<Self, KeyringError> {
        let path = path.to_owned();
        let ring =
            Self { network, participant, path: Some(path.clone()), generations: Mutex::default() };
        for number in 1..=GENERATIONS_MAX {
            let (key, retired) = (key_file(&path, number), beside(&path, number, "retired"));
            let since_ns = match read_text(&beside(&path, number, "since"))? {
                None => None,
                Some(text) => {
                    let damaged = || KeyringError::Damaged(beside(&path, number, "since"));
                    Some(text.trim().parse().map_err(|_| damaged())?)
                }
            };
            let generation = match read_text(&retired)? {
                Some(text) => {
                    destroy_file(&key)?;
                    let view = retired_of(number, since_ns, &text);
                    let view = view.ok_or(KeyringError::Damaged(retired))?;
                    Generation { view, opener: None }
                }
                None if number > 1 && !key.exists() => break,
                None => ring.live(number, &*keyfile::read(&key)?, since_ns)?,
            };
            ring.lock().push(generation);
        }
        let left = ring.lock().iter().any(|one| one.opener.is_some());
        if left { Ok(ring) } else { Err(KeyringError::NoneLeft(path)) }
    }

    fn live(
        &self,
        number: u32,
        secret: &[u8; 32],
        since_ns: Option<u64>,
    ) -> Result<Generation, KeyringError> {
        let opener = Opener::new(self.network, self.participant, secret);
        let (opener, public) =
            opener.zip(public_key(secret)).ok_or(KeyringError::Unusable(number))?;
        let view = GenerationView { number, public, since_ns, retired_ns: None };
        Ok(Generation { view, opener: Some(Arc::new(opener)) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Generation>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All generations, oldest first.
    #[must_use]
    pub fn generations(&self) -> Vec<GenerationView> {
        self.lock().iter().map(|one| one.view.clone()).collect()
    }

    /// Makes a key, or gives the newest one when `in_force` is an older one's: it was made and not put into force. It is
    /// durable and opens documents when this returns.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn next(
        &self,
        in_force: &[u8; 32],
        secret: &Zeroizing<[u8; 32]>,
    ) -> Result<GenerationView, KeyringError> {
        let path = self.path.as_ref().ok_or(KeyringError::NoFiles)?;
        let mut generations = self.lock();
        if let Some(newest) = generations.last()
            && newest.opener.is_some()
            && newest.view.since_ns.is_none()
            && newest.view.number > 1
            && newest.view.public != *in_force
        {
            return Ok(newest.view.clone());
        }
        let number = generations.len() as u32 + 1;
        if number > GENERATIONS_MAX {
            return Err(KeyringError::TooMany);
        }
        let generation = self.live(number, secret, None)?;
        keyfile::write_new(&key_file(path, number), secret)?;
        sync_directory(path)?;
        let view = generation.view.clone();
        generations.push(generation);
        Ok(view)
    }

    /// Notes when a generation came into force.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn in_force(&self, number: u32, since_ns: u64) -> Result<(), KeyringError> {
        let path = self.path.as_ref().ok_or(KeyringError::NoFiles)?;
        let mut generations = self.lock();
        let found = generations.iter_mut().find(|one| one.view.number == number);
        let found = found.ok_or(KeyringError::NoSuch(number))?;
        if found.view.since_ns.is_none() {
            write_text(&beside(path, number, "since"), &format!("{since_ns}\n"))?;
            found.view.since_ns = Some(since_ns);
        }
        Ok(())
    }

    /// Destroys a generation's secret; when this returns it is in no file and not in memory here.
    ///
    /// # Errors
    /// [`KeyringError`]; the generation opens nothing any more if its retirement was noted.
    pub fn retire(&self, number: u32, now_ns: u64) -> Result<GenerationView, KeyringError> {
        let path = self.path.as_ref().ok_or(KeyringError::NoFiles)?;
        let mut generations = self.lock();
        let found = generations.iter_mut().find(|one| one.view.number == number);
        let found = found.filter(|one| one.opener.is_some()).ok_or(KeyringError::NoSuch(number))?;
        let text = format!("{} {now_ns}\n", hex(&found.view.public));
        write_text(&beside(path, number, "retired"), &text)?;
        found.opener = None;
        found.view.retired_ns = Some(now_ns);
        destroy_file(&key_file(path, number))?;
        Ok(found.view.clone())
    }

    /// Opens a sealed document with the generation that fits, and tells which one it was.
    ///
    /// # Errors
    /// As [`Opener::open_checked`], of the newest generation.
    pub fn open_checked(
        &self,
        uetr: TransferId,
        sealed: &[u8],
        salted: &Digest,
        commitment: &Digest,
    ) -> Result<(Opened, u32), OpenError> {
        let openers: Vec<(u32, Arc<Opener>)> = self
            .lock()
            .iter()
            .rev()
            .filter_map(|one| Some((one.view.number, one.opener.clone()?)))
            .collect();
        let mut refused = OpenError::Key;
        for (at, (number, opener)) in openers.iter().enumerate() {
            match opener.open_checked(uetr, sealed, salted, commitment) {
                Ok(opened) => return Ok((opened, *number)),
                Err(OpenError::Key) => {}
                Err(error) if at == 0 => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }
}

fn key_file(path: &Path, number: u32) -> PathBuf {
    match number {
        1 => path.to_owned(),
        _ => with_suffix(path, &number.to_string()),
    }
}

fn beside(path: &Path, number: u32, what: &str) -> PathBuf {
    with_suffix(path, &format!("{number}.{what}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn retired_of(number: u32, since_ns: Option<u64>, text: &str) -> Option<GenerationView> {
    let (public, at) = text.trim().split_once(' ')?;
    let (public, at) = (key_from_hex(public)?, at.parse().ok()?);
    Some(GenerationView { number, public, since_ns, retired_ns: Some(at) })
}

fn in_path(path: &Path) -> impl Fn(io::Error) -> KeyringError + '_ {
    |source| KeyringError::Io { path: path.to_owned(), source }
}

fn read_text(path: &Path) -> Result<Option<String>, KeyringError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(in_path(path)(error)),
    }
}

/// Whole or not at all.
fn write_text(path: &Path, text: &str) -> Result<(), KeyringError> {
    let made = with_suffix(path, "tmp");
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&made)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&made, path)
    };
    write().map_err(in_path(path))?;
    sync_directory(path)
}

fn sync_directory(path: &Path) -> Result<(), KeyringError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    File::open(directory).and_then(|file| file.sync_all()).map_err(in_path(directory))
}

/// Writes zeros over a file, makes sure of it, and removes the file. One that is gone is no error.
///
/// # Errors
/// When it cannot be written, or something else is read there afterwards.
pub(crate) fn overwrite_and_remove(path: &Path) -> io::Result<()> {
    let file = match fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let zeros = vec![0; length.min(1 << 16) as usize];
    let mut at = 0;
    while at < length {
        let piece = &zeros[..(length - at).min(zeros.len() as u64) as usize];
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    file.sync_all()?;
    let mut read = vec![0xff; zeros.len()];
    file.read_exact_at(&mut read, 0)?;
    if read != zeros {
        return Err(io::Error::other("something is there after it was overwritten"));
    }
    fs::remove_file(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn destroy_file(path: &Path) -> Result<(), KeyringError> {
    overwrite_and_remove(path).map_err(in_path(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seal::{Reader, Sealer};

    const NETWORK: [u8; 32] = [3; 32];
    const BANK: ParticipantNumber = ParticipantNumber(4);
    const UETR: TransferId = TransferId([9; 16]);

    fn opens(ring: &Keyring, public: [u8; 32]) -> Option<u32> {
        let reader = Reader { participant: BANK, key: public };
        let sealed = Sealer::new(NETWORK).seal(UETR, b"<Document/>", &[reader]).unwrap();
        let opened = ring.open_checked(UETR, &sealed.bytes, &sealed.salted, &sealed.commitment());
        opened.ok().map(|(opened, number)| {
            assert_eq!(opened.document, b"<Document/>");
            number
        })
    }

    #[test]
    fn a_retired_generation_opens_nothing_and_is_in_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sealing.key");
        keyfile::write_new(&path, &[7; 32]).unwrap();
        let ring = Keyring::open(NETWORK, BANK, &path).unwrap();
        let first = ring.generations()[0].public;
        let second = ring.next(&first, &Zeroizing::new([8; 32])).unwrap();
        assert_eq!((second.number, second.since_ns), (2, None));
        // Made and not put into force: it is not made again.
        assert_eq!(ring.next(&first, &Zeroizing::new([6; 32])).unwrap(), second);
        ring.in_force(2, 55).unwrap();
        assert_eq!((opens(&ring, first), opens(&ring, second.public)), (Some(1), Some(2)));
        assert_eq!(opens(&ring, public_key(&[5; 32]).unwrap()), None);
        let retired = ring.retire(1, 77).unwrap();
        assert_eq!(retired.retired_ns, Some(77));
        assert!(ring.retire(1, 78).is_err() && ring.retire(3, 78).is_err());
        for ring in [ring, Keyring::open(NETWORK, BANK, &path).unwrap()] {
            assert_eq!((opens(&ring, first), opens(&ring, second.public)), (None, Some(2)));
            let view = ring.generations();
            assert_eq!((view[0].clone(), view[1].since_ns), (retired.clone(), Some(55)));
        }
        assert!(!path.exists());
        for file in fs::read_dir(directory.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains(&hex(&[7; 32])), "{text}");
        }
        // The last one is not retired by hand and then used.
        let ring = Keyring::open(NETWORK, BANK, &path).unwrap();
        ring.retire(2, 90).unwrap();
        assert!(matches!(Keyring::open(NETWORK, BANK, &path), Err(KeyringError::NoneLeft(_))));
    }

    #[test]
    fn a_destruction_that_was_cut_off_is_finished_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sealing.key");
        keyfile::write_new(&path, &[7; 32]).unwrap();
        let ring = Keyring::open(NETWORK, BANK, &path).unwrap();
        let first = ring.generations()[0].public;
        ring.next(&first, &Zeroizing::new([8; 32])).unwrap();
        // The note is there, the key is still there.
        write_text(&beside(&path, 1, "retired"), &format!("{} 5\n", hex(&first))).unwrap();
        let ring = Keyring::open(NETWORK, BANK, &path).unwrap();
        assert!(!path.exists() && opens(&ring, first).is_none());
        fs::write(beside(&path, 1, "retired"), "nonsense").unwrap();
        assert!(matches!(Keyring::open(NETWORK, BANK, &path), Err(KeyringError::Damaged(_))));
    }
}
