//! The superblock of the log: whose log it is, and a lower bound of what must be found in it.
//!
//! Four checksummed copies, one per 4 KiB sector. An update overwrites one pair of copies and
//! syncs; the next update takes the other pair, so two good copies exist at every moment. The
//! durable sequence number in it catches the loss of whole segments, which no record can show.

use super::WalError;
use super::record::{read_u32, read_u64};
use crate::store::vfs::{Vfs, VfsFile};
use std::path::Path;

const NAME: &str = "wal.meta";
const TEMPORARY: &str = "wal.meta.tmp";
const MAGIC: u64 = u64::from_le_bytes(*b"corr-wal");
const FORMAT: u32 = 1;
const SECTOR: usize = 4096;
const COPIES: usize = 4;
/// Bytes of a copy that carry fields; the checksum follows them.
const FIELDS: usize = 8 + 4 + 4 + 8 + 8 + 32 + 8 + 8;

/// The identity that a log is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) node: u64,
    pub(crate) network: [u8; 32],
}

/// The open superblock file.
pub(crate) struct Meta {
    file: Box<dyn VfsFile>,
    identity: Identity,
    generation: u64,
    /// Sequence number up to which the log was durable at the last update.
    durable: u64,
    /// Index of the last entry at that time, for messages.
    durable_index: u64,
}

impl Meta {
    /// Opens the superblock, or creates it if the folder holds no log (`fresh`).
    pub(crate) fn open(
        vfs: &dyn Vfs,
        dir: &Path,
        identity: Identity,
        fresh: bool,
    ) -> Result<Self, WalError> {
        let path = dir.join(NAME);
        if !vfs.exists(&path)? {
            if !fresh {
                return Err(WalError::MetaLost);
            }
            let temporary = dir.join(TEMPORARY);
            let file = vfs.open(&temporary, true)?;
            let meta = Self { file, identity, generation: 0, durable: 0, durable_index: 0 };
            for copy in 0..COPIES {
                meta.file.write_at(&meta.encode(), (copy * SECTOR) as u64)?;
            }
            meta.file.sync_data().map_err(WalError::SyncFailed)?;
            vfs.rename(&temporary, &path)?;
            vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
            return Ok(meta);
        }
        let file = vfs.open(&path, false)?;
        let mut bytes = vec![0; COPIES * SECTOR];
        let count = file.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        let newest = bytes.chunks_exact(SECTOR).filter(|copy| is_valid(copy));
        let newest = newest.max_by_key(|copy| read_u64(copy, 16)).ok_or(WalError::MetaLost)?;
        if read_u32(newest, 8) != FORMAT {
            return Err(WalError::UnknownFormat(read_u32(newest, 8)));
        }
        let mut network = [0; 32];
        network.copy_from_slice(&newest[32..64]);
        let found = Identity { node: read_u64(newest, 24), network };
        if found != identity {
            return Err(WalError::WrongIdentity { node: found.node });
        }
        Ok(Self {
            identity,
            generation: read_u64(newest, 16),
            durable: read_u64(newest, 64),
            durable_index: read_u64(newest, 72),
            file,
        })
    }

    /// The lower bound of the sequence number that a sound log reaches.
    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// The index that belongs to [`Meta::durable`].
    pub(crate) fn durable_index(&self) -> u64 {
        self.durable_index
    }

    /// Raises the bound; the log up to `sequence` must be durable already.
    pub(crate) fn raise(&mut self, sequence: u64, index: u64) -> Result<(), WalError> {
        if sequence <= self.durable {
            return Ok(());
        }
        (self.durable, self.durable_index) = (sequence, index);
        self.generation += 1;
        let pair = (self.generation as usize % 2) * 2;
        let copy = self.encode();
        self.file.write_at(&copy, (pair * SECTOR) as u64)?;
        self.file.write_at(&copy, ((pair + 1) * SECTOR) as u64)?;
        self.file.sync_data().map_err(WalError::SyncFailed)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SECTOR);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.identity.node.to_le_bytes());
        out.extend_from_slice(&self.identity.network);
        out.extend_from_slice(&self.durable.to_le_bytes());
        out.extend_from_slice(&self.durable_index.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.resize(SECTOR, 0);
        out
    }
}

fn is_valid(copy: &[u8]) -> bool {
    read_u64(copy, 0) == MAGIC && crc32c::crc32c(&copy[..FIELDS]) == read_u32(copy, FIELDS)
}
