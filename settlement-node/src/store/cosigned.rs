//! What this node has cosigned last, so that it never cosigns another root of that size or below.
//!
//! One file of two slots of 4 KiB, written in turn and synced before a cosignature leaves the node: a torn
//! write leaves the slot before. A slot holds the whole frontier of the log, so that after a restart
//! the history can be walked from there to show that the log goes on from what was cosigned.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use proof::{Hash, tree::Frontier};
use wire::cosign::FinalAt;

use super::vfs::{Vfs, VfsFile, read_exact_at};

const MAGIC: &[u8; 8] = b"corrcosg";
const FORMAT: u32 = 1;
const SLOT_BYTES: usize = 4096;
const PEAKS_AT: usize = 104;
const PEAKS_MAX: usize = 64;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CosignedError {
    /// The disk.
    #[error("the file of what was cosigned: {0}")]
    Io(#[from] io::Error),
    /// A sync failed: what the disk holds is not known, and it must not be tried again.
    #[error("sync the file of what was cosigned: {0}")]
    SyncFailed(io::Error),
    /// No slot is sound, or it is another network's.
    #[error("{0} does not say what this node has cosigned: both of its parts are damaged")]
    Damaged(PathBuf),
}

/// The log where it was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Block and size; size 0 before the first.
    pub at: FinalAt,
    /// Leaf hash of the last seal.
    pub previous_seal: Hash,
    /// The log at that size.
    pub frontier: Frontier,
}

/// The file.
pub struct CosignedFile {
    file: Box<dyn VfsFile>,
    network: Hash,
    /// Number of the slot that is written next, counted from 0.
    next: u64,
}

impl CosignedFile {
    /// Opens the file in a folder, or creates it, and reads what was cosigned last.
    ///
    /// # Errors
    /// [`CosignedError`].
    pub fn open(
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
        network: Hash,
    ) -> Result<(Self, Cosigned), CosignedError> {
        let path = dir.join("cosigned");
        if !vfs.exists(&path)? {
            Self::create(vfs, dir, &path, network)?;
        }
        let file = vfs.open(&path, false)?;
        let mut newest: Option<(u64, Cosigned)> = None;
        for slot in 0..2 {
            let mut bytes = [0; SLOT_BYTES];
            match read_exact_at(&*file, &mut bytes, slot * SLOT_BYTES as u64) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                read => read?,
            }
            if let Some((sequence, cosigned)) = decode(&bytes, &network)
                && sequence % 2 == slot
                && newest.as_ref().is_none_or(|(before, _)| sequence > *before)
            {
                newest = Some((sequence, cosigned));
            }
        }
        let (sequence, cosigned) = newest.ok_or(CosignedError::Damaged(path))?;
        Ok((Self { file, network, next: sequence + 1 }, cosigned))
    }

    /// Under another name first: a file of this name always has a sound slot.
    fn create(
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
        path: &Path,
        network: Hash,
    ) -> Result<(), CosignedError> {
        let none =
            Cosigned { at: FinalAt::default(), previous_seal: [0; 32], frontier: Frontier::new() };
        let unfinished = dir.join("cosigned.tmp");
        let file = vfs.open(&unfinished, true)?;
        for slot in 0..2 {
            file.write_at(&encode(slot, &none, &network), slot * SLOT_BYTES as u64)?;
        }
        file.sync_data().map_err(CosignedError::SyncFailed)?;
        drop(file);
        vfs.rename(&unfinished, path)?;
        vfs.sync_dir(dir).map_err(CosignedError::SyncFailed)
    }

    /// Makes durable what is about to be cosigned.
    ///
    /// # Errors
    /// The disk failed: nothing may be cosigned from here on.
    pub fn note(&mut self, cosigned: &Cosigned) -> Result<(), CosignedError> {
        let slot = encode(self.next, cosigned, &self.network);
        self.file.write_at(&slot, self.next % 2 * SLOT_BYTES as u64)?;
        self.file.sync_data().map_err(CosignedError::SyncFailed)?;
        self.next += 1;
        Ok(())
    }
}

fn encode(sequence: u64, cosigned: &Cosigned, network: &Hash) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    let peaks = cosigned.frontier.peaks();
    slot[..8].copy_from_slice(MAGIC);
    slot[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    slot[12..16].copy_from_slice(&(peaks.len() as u32).to_le_bytes());
    slot[16..24].copy_from_slice(&sequence.to_le_bytes());
    slot[24..32].copy_from_slice(&cosigned.at.height.to_le_bytes());
    slot[32..40].copy_from_slice(&cosigned.at.size.to_le_bytes());
    slot[40..72].copy_from_slice(&cosigned.previous_seal);
    slot[72..PEAKS_AT].copy_from_slice(network);
    for (place, peak) in slot[PEAKS_AT..].as_chunks_mut::<32>().0.iter_mut().zip(peaks) {
        *place = *peak;
    }
    let checksum = crc32c::crc32c(&slot[..SLOT_BYTES - 4]);
    slot[SLOT_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT_BYTES], network: &Hash) -> Option<(u64, Cosigned)> {
    let u32_at = |at: usize| u32::from_le_bytes(slot[at..at + 4].try_into().expect("4 bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(slot[at..at + 8].try_into().expect("8 bytes"));
    let sound = &slot[..8] == MAGIC
        && u32_at(8) == FORMAT
        && &slot[72..PEAKS_AT] == network
        && u32_at(SLOT_BYTES - 4) == crc32c::crc32c(&slot[..SLOT_BYTES - 4]);
    let count = u32_at(12) as usize;
    if !sound || count > PEAKS_MAX {
        return None;
    }
    let at = FinalAt { height: u64_at(24), size: u64_at(32) };
    let peaks = slot[PEAKS_AT..].as_chunks::<32>().0[..count].to_vec();
    let frontier = Frontier::from_parts(at.size, peaks)?;
    let previous_seal = slot[40..72].try_into().expect("32 bytes");
    Some((u64_at(16), Cosigned { at, previous_seal, frontier }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::vfs::MemVfs;

    const NETWORK: Hash = [3; 32];

    fn cosigned(size: u64) -> Cosigned {
        let mut frontier = Frontier::new();
        (0..size).for_each(|leaf| drop(frontier.append(&leaf.to_le_bytes()).to_vec()));
        Cosigned {
            at: FinalAt { height: size / 2, size },
            previous_seal: [size as u8; 32],
            frontier,
        }
    }

    fn open(vfs: &MemVfs) -> Result<(CosignedFile, Cosigned), CosignedError> {
        let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
        vfs.create_dir_all(Path::new("data")).unwrap();
        CosignedFile::open(&vfs, Path::new("data"), NETWORK)
    }

    #[test]
    fn what_was_noted_survives_every_crash() {
        for seed in 0..300 {
            let vfs = MemVfs::new();
            let (mut file, first) = open(&vfs).unwrap();
            assert_eq!(first.at.size, 0);
            let noted = seed % 5;
            for size in 1..=noted {
                file.note(&cosigned(size)).unwrap();
            }
            // One more that is not synced: the disk may keep all, some or nothing of it.
            let slot = encode(file.next, &cosigned(99), &NETWORK);
            file.file.write_at(&slot, file.next % 2 * SLOT_BYTES as u64).unwrap();
            let (mut file, found) = open(&vfs.crash(seed)).unwrap();
            let expected = if noted == 0 { 0 } else { noted };
            assert!(found.at.size == expected || found == cosigned(99), "seed {seed}: {found:?}");
            file.note(&cosigned(100)).unwrap();
        }
    }

    #[test]
    fn a_damaged_slot_leaves_the_other_and_two_leave_nothing() {
        let vfs = MemVfs::new();
        let (mut file, _) = open(&vfs).unwrap();
        file.note(&cosigned(5)).unwrap();
        file.note(&cosigned(9)).unwrap();
        let damage = |slot: u64| {
            let file = vfs.open(Path::new("data/cosigned"), false).unwrap();
            file.write_at(&[0xff], slot * SLOT_BYTES as u64 + 50).unwrap();
            file.sync_data().unwrap();
        };
        assert_eq!(open(&vfs).unwrap().1, cosigned(9));
        damage((file.next - 1) % 2);
        assert_eq!(open(&vfs).unwrap().1, cosigned(5));
        damage(file.next % 2);
        assert!(matches!(open(&vfs), Err(CosignedError::Damaged(_))));
    }

    #[test]
    fn another_networks_file_is_no_file() {
        let vfs = MemVfs::new();
        drop(open(&vfs).unwrap());
        let vfs: Arc<dyn Vfs> = Arc::new(vfs);
        let other = CosignedFile::open(&vfs, Path::new("data"), [4; 32]);
        assert!(matches!(other, Err(CosignedError::Damaged(_))));
    }
}
