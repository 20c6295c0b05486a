//! The superblock of the log: whose log it is, and what must be found in it.
//!
//! Four checksummed copies, one per 4 KiB sector. An update overwrites one pair of copies and
//! syncs; the next update takes the other pair, so two good copies exist at every moment. The
//! durable sequence number in it catches the loss of whole segments, which no record can show; term
//! and vote are in it before any answer that rests on them, so damage to the log cannot make a node
//! vote twice; the lost term stays until the log is known to be whole again.

use super::record::{read_u32, read_u64};
use super::{WalError, WalHardState};
use crate::store::vfs::{Vfs, VfsFile, settle};
use std::path::Path;

pub(super) const NAME: &str = "wal.meta";
const TEMPORARY: &str = "wal.meta.tmp";
const MAGIC: u64 = u64::from_le_bytes(*b"corr-wal");
const FORMAT: u32 = 2;
pub(super) const SECTOR: usize = 4096;
pub(super) const COPIES: usize = 4;
/// The checksum is the last field of a copy, in each format, and covers all before it.
const CHECKED: usize = SECTOR - 4;

/// The identity that a log is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) node: u64,
    pub(crate) network: [u8; 32],
}

/// What one copy of the superblock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) identity: Identity,
    /// Grows by one with each update.
    pub(crate) generation: u64,
    /// Sequence number up to which the log was durable at the update.
    pub(crate) durable: u64,
    /// Index of the last entry at that time, for messages.
    pub(crate) durable_index: u64,
    /// The highest term that an answer may have rested on, and the vote in it.
    pub(crate) term: u64,
    pub(crate) vote: u64,
    /// The highest term known when durable data was found lost.
    pub(crate) lost_term: Option<u64>,
    /// Segments below this number are released; this one must exist once anything is durable.
    pub(crate) first_segment: u64,
}

impl Fields {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            generation: 0,
            durable: 0,
            durable_index: 0,
            term: 0,
            vote: 0,
            lost_term: None,
            first_segment: 1,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SECTOR);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.identity.node.to_le_bytes());
        out.extend_from_slice(&self.identity.network);
        let lost = [u64::from(self.lost_term.is_some()), self.lost_term.unwrap_or(0)];
        let numbers = [self.durable, self.durable_index, self.term, self.vote];
        for field in numbers.into_iter().chain(lost).chain([self.first_segment]) {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.resize(CHECKED, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads one copy; `None` if it is damaged.
    pub(super) fn decode(copy: &[u8]) -> Option<Result<Self, WalError>> {
        let sound = copy.len() == SECTOR
            && read_u64(copy, 0) == MAGIC
            && crc32c::crc32c(&copy[..CHECKED]) == read_u32(copy, CHECKED);
        if !sound {
            return None;
        }
        if read_u32(copy, 8) != FORMAT {
            return Some(Err(WalError::UnknownFormat(read_u32(copy, 8))));
        }
        let mut network = [0; 32];
        network.copy_from_slice(&copy[32..64]);
        Some(Ok(Self {
            identity: Identity { node: read_u64(copy, 24), network },
            generation: read_u64(copy, 16),
            durable: read_u64(copy, 64),
            durable_index: read_u64(copy, 72),
            term: read_u64(copy, 80),
            vote: read_u64(copy, 88),
            lost_term: (read_u64(copy, 96) == 1).then(|| read_u64(copy, 104)),
            first_segment: read_u64(copy, 112),
        }))
    }

    /// The hard state of a log whose records say `found`: the higher term counts, with its vote,
    /// and nothing beyond the last entry is committed as far as this node can show.
    pub(super) fn settle(
        &self,
        found: Option<WalHardState>,
        last_index: u64,
    ) -> Option<WalHardState> {
        let known = found.unwrap_or_default();
        let (term, vote) = match self.term.cmp(&known.term) {
            std::cmp::Ordering::Greater => (self.term, self.vote),
            std::cmp::Ordering::Equal if self.vote != 0 => (self.term, self.vote),
            _ => (known.term, known.vote),
        };
        let state = WalHardState { term, vote, commit: known.commit.min(last_index) };
        (found.is_some() || term > 0).then_some(state)
    }
}

/// Reads all copies of the superblock in `dir`; an entry is `None` if the copy is damaged.
pub(super) fn copies(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<Option<Fields>>, WalError> {
    let file = vfs.open(&dir.join(NAME), false)?;
    let mut bytes = vec![0; COPIES * SECTOR];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    bytes.resize(COPIES * SECTOR, 0);
    bytes.chunks_exact(SECTOR).map(|copy| Fields::decode(copy).transpose()).collect()
}

/// The open superblock file.
pub(crate) struct Meta {
    file: Box<dyn VfsFile>,
    fields: Fields,
}

impl Meta {
    /// Opens the superblock, or creates it if the folder holds no log (`fresh`). What is read is durable.
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
            let meta = Self { file: vfs.open(&temporary, true)?, fields: Fields::new(identity) };
            for copy in 0..COPIES {
                meta.file.write_at(&meta.fields.encode(), (copy * SECTOR) as u64)?;
            }
            meta.file.sync_data().map_err(WalError::SyncFailed)?;
            vfs.rename(&temporary, &path)?;
            vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
            return Ok(meta);
        }
        let file = vfs.open(&path, false)?;
        settle(&*file).map_err(WalError::SyncFailed)?;
        let found = copies(vfs, dir)?;
        let newest = found.into_iter().flatten().max_by_key(|fields| fields.generation);
        let fields = newest.ok_or(WalError::MetaLost)?;
        if fields.identity != identity {
            return Err(WalError::WrongIdentity { node: fields.identity.node });
        }
        Ok(Self { file, fields })
    }

    /// What the superblock says.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Whether term and vote of `state` are in the superblock.
    pub(crate) fn knows(&self, state: Option<WalHardState>) -> bool {
        state.is_none_or(|state| (state.term, state.vote) == (self.fields.term, self.fields.vote))
    }

    /// Raises the bound, and takes term and vote; the log up to `sequence`, with this hard state in
    /// it, must be durable already.
    pub(crate) fn mark(
        &mut self,
        sequence: u64,
        index: u64,
        state: Option<WalHardState>,
    ) -> Result<(), WalError> {
        if sequence <= self.fields.durable && self.knows(state) {
            return Ok(());
        }
        if sequence > self.fields.durable {
            (self.fields.durable, self.fields.durable_index) = (sequence, index);
        }
        if let Some(state) = state {
            (self.fields.term, self.fields.vote) = (state.term, state.vote);
        }
        self.write()
    }

    /// Segments below `first` are about to be given up.
    pub(crate) fn begin_at(&mut self, first: u64) -> Result<(), WalError> {
        self.fields.first_segment = first;
        self.write()
    }

    /// Marks that durable data was lost; `term` is the highest known. All four copies say so
    /// before this returns. Without an effect if they do already.
    pub(crate) fn lose(&mut self, term: u64) -> Result<(), WalError> {
        #[cfg(feature = "planted")]
        if crate::planted::is(crate::planted::Bug::TruncatedOnCorruption) {
            return Ok(());
        }
        let lost = self.fields.lost_term.map_or(term, |before| before.max(term));
        if self.fields.lost_term == Some(lost) {
            return Ok(());
        }
        self.fields.lost_term = Some(lost);
        self.write()?;
        self.write()
    }

    /// Lowers the bound to what is left of the log. `None` is a log of which nothing is left.
    pub(crate) fn cut(&mut self, left: Option<(u64, u64)>) -> Result<(), WalError> {
        (self.fields.durable, self.fields.durable_index) = left.unwrap_or((0, 0));
        if left.is_none() {
            self.fields.first_segment = 1;
        }
        self.write()
    }

    /// The log is whole again.
    pub(crate) fn forget_loss(&mut self) -> Result<(), WalError> {
        if self.fields.lost_term.take().is_none() {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), WalError> {
        self.fields.generation += 1;
        let pair = (self.fields.generation as usize % 2) * 2;
        let copy = self.fields.encode();
        self.file.write_at(&copy, (pair * SECTOR) as u64)?;
        self.file.write_at(&copy, ((pair + 1) * SECTOR) as u64)?;
        self.file.sync_data().map_err(WalError::SyncFailed)
    }
}
