//! Receipts, tiles and entry bundles of the log, from the history.
//!
//! The hashes are kept beside the history ([`TileFiles`]) and brought up to a certificate when something
//! is asked for: their root must be the certified one, else they are made again from the history. What
//! is handed out was therefore compared with what a quorum has signed. One caller at a time; blocking.

use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc};

use ledger::{IdEntry, TransferId};
use proof::{
    Hash,
    note::NoteError,
    path,
    policy::{Policy, Refused},
    receipt::{Receipt, ReceiptError},
    record::{self, Seal},
    tile::{TileKind, TileName, put_entry},
    tile_tree::{TileTree, Tiles},
    tree::leaf_hash,
};
use wire::genesis::{Genesis, GenesisError};

use crate::{
    finality::{Certificate, Cosigning},
    past::{Past, PastBlock, PastError},
    store::{
        history::{HistoryBlock, HistoryError},
        tiles::TileFiles,
        vfs::Vfs,
    },
};

/// Bytes of blocks read in one go.
const SCAN_BYTES: u64 = 4 << 20;
/// Bytes of blocks whose records are kept for the bundles that follow: who mirrors asks for them in order, and many
/// bundles share a block. One block may have more, at most what a block may have.
const WINDOW_BYTES: u64 = 1 << 20;

/// Why something cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The history.
    #[error(transparent)]
    Past(#[from] PastError),
    /// The files of hashes.
    #[error("hashes of the log: {0}")]
    Tiles(#[from] io::Error),
    /// The genesis file.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The history does not lead to what a quorum has signed.
    #[error("the history of this node does not lead to the certified root at {0} leaves")]
    OtherRoot(u64),
    /// The receipt that was made does not verify.
    #[error("the receipt does not verify: {0}")]
    Receipt(#[from] ReceiptError),
    /// The certificate does not satisfy the network's policy.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The certificate does not fit into a note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl From<HistoryError> for MirrorError {
    fn from(error: HistoryError) -> Self {
        Self::Past(error.into())
    }
}

/// What came of a question for a receipt.
pub enum Asked {
    /// The receipt.
    Receipt(Box<Receipt>),
    /// The transfer was never answered.
    Unknown,
    /// It was answered, and is not final yet.
    NotFinal,
}

/// The log as others mirror it.
pub struct Mirror {
    past: Past,
    cosigning: Arc<Cosigning>,
    /// That of the last certificate, and who voted at it.
    policy: (Arc<BTreeSet<u64>>, Policy),
    files: TileFiles,
    /// The first block whose leaves are not in the files.
    next: u64,
    genesis: Vec<u8>,
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    window: Window,
    /// Size and root that the files were last found to lead to.
    confirmed: Option<(u64, Hash)>,
}

/// Records that follow one another, the last ones that were read.
#[derive(Default)]
struct Window {
    first_leaf: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Window {
    fn get(&self, leaf: u64) -> Option<&[u8]> {
        let at = usize::try_from(leaf.checked_sub(self.first_leaf)?).ok()?;
        let from = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(from..*self.ends.get(at)?)
    }

    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }
}

impl Mirror {
    /// Opens the hashes below a data directory. Takes long where they must be made first.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub fn open(
        vfs: Arc<dyn Vfs>,
        data: &std::path::Path,
        past: Past,
        genesis: &Genesis,
        cosigning: Arc<Cosigning>,
    ) -> Result<Self, MirrorError> {
        let state_root = genesis.ledger()?.seal_block();
        let mut first = Vec::new();
        record::genesis(&mut first, &genesis.domain.network, &state_root.0);
        let policy = (Arc::default(), parsed(&cosigning.members.policy()));
        let dir = data.join("tiles");
        let files = TileFiles::open(&vfs, &dir, 0)?;
        let mut mirror = Self {
            past,
            cosigning,
            policy,
            files,
            next: 1,
            genesis: first,
            vfs,
            dir,
            window: Window::default(),
            confirmed: None,
        };
        mirror.take_files()?;
        Ok(mirror)
    }

    /// Takes the hashes that are there, up to the end of a block.
    fn take_files(&mut self) -> Result<(), MirrorError> {
        let there = TileFiles::open(&self.vfs, &self.dir, u64::MAX)?.size();
        let last = self.past.history.last_height().unwrap_or(0);
        let (mut leaves, mut next) = (there.min(1), 1);
        let partial = self.past.history.block_of_leaf(there).unwrap_or(last + 1);
        if there > 1
            && let Some(block) = self.past.history.block(partial.saturating_sub(1))?
        {
            leaves = block.first_leaf + u64::from(block.leaf_count);
            next = block.height + 1;
        }
        self.files = TileFiles::open(&self.vfs, &self.dir, leaves)?;
        self.next = next;
        if self.files.size() == 0 {
            self.begin()?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), MirrorError> {
        self.files.clear();
        self.files.append(leaf_hash(&self.genesis));
        self.files.flush()?;
        self.next = 1;
        Ok(())
    }

    /// Brings the hashes up to a certificate.
    ///
    /// # Errors
    /// [`MirrorError::OtherRoot`] when the history does not lead there.
    pub fn catch_up(&mut self, certificate: &Certificate) -> Result<(), MirrorError> {
        self.read_on(certificate.at.height)?;
        if self.root(certificate.at.size)? != Some(certificate.root) {
            // The files are derived: perhaps only they are damaged.
            self.begin()?;
            self.read_on(certificate.at.height)?;
            if self.root(certificate.at.size)? != Some(certificate.root) {
                return Err(MirrorError::OtherRoot(certificate.at.size));
            }
        }
        Ok(())
    }

    fn root(&self, size: u64) -> Result<Option<Hash>, MirrorError> {
        if size > self.files.size() {
            return Ok(None);
        }
        Ok(Some(path::root(&TileTree::new(&self.files, size), size)?))
    }

    fn read_on(&mut self, height: u64) -> Result<(), MirrorError> {
        while self.next <= height {
            let blocks = self.past.history.scan(self.next, SCAN_BYTES)?;
            if blocks.is_empty() {
                break;
            }
            for block in &blocks {
                if block.height > height {
                    break;
                }
                let files = &mut self.files;
                records(block, &self.past, |record| files.append(leaf_hash(record)))?;
                self.next = block.height + 1;
            }
            self.files.flush()?;
        }
        Ok(())
    }

    /// The receipt of a transfer's last word: its release if it waited, else its answer.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub fn receipt(
        &mut self,
        id: &TransferId,
        in_memory: [Option<IdEntry>; 2],
        certificate: &Certificate,
    ) -> Result<Asked, MirrorError> {
        let Some(entry) = self.past.last_word(id, in_memory)? else {
            return Ok(Asked::Unknown);
        };
        let size = certificate.at.size;
        if entry.leaf >= size {
            return Ok(Asked::NotFinal);
        }
        self.catch_up(certificate)?;
        let Some(record) = self.record(entry.leaf)? else { return Ok(Asked::NotFinal) };
        let path = path::inclusion(&TileTree::new(&self.files, size), entry.leaf, size)?;
        let checkpoint = certificate.note(&self.cosigning)?;
        let receipt = Receipt { record, index: entry.leaf, path, checkpoint };
        if self.policy.0 != certificate.voters {
            let text = self.cosigning.members.policy_of(&certificate.voters);
            self.policy = (Arc::clone(&certificate.voters), parsed(&text));
        }
        let receipt = receipt.smallest(&self.policy.1)?;
        receipt.verify(&self.policy.1)?;
        Ok(Asked::Receipt(Box::new(receipt)))
    }

    /// A tile or bundle of the certified log; nothing when that has none of this name.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub fn file(
        &mut self,
        name: TileName,
        certificate: &Certificate,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let size = certificate.at.size;
        let whole = TileName::of_tree(name.kind, name.number, size);
        // Also what was narrower at an earlier checkpoint.
        if whole.is_none_or(|whole| name.width > whole.width) {
            return Ok(None);
        }
        // A bundle does not come out of the files, so once for each certificate is enough.
        let wanted = Some((size, certificate.root));
        if name.kind != TileKind::Entries || self.confirmed != wanted {
            self.catch_up(certificate)?;
            self.confirmed = wanted;
        }
        match name.kind {
            TileKind::Hashes { .. } => Ok(Some(self.files.tile(name)?.concat())),
            TileKind::Entries => self.bundle(name, certificate.at.height),
        }
    }

    /// Reads the blocks from that with `leaf` on into the window. Only what is final: it never changes.
    fn move_window(&mut self, leaf: u64, height: u64) -> Result<bool, MirrorError> {
        let Some(first) = self.past.history.block_of_leaf(leaf) else { return Ok(false) };
        let mut window = Window::default();
        for block in self.past.history.scan(first, WINDOW_BYTES)? {
            if window.ends.is_empty() {
                window.first_leaf = block.first_leaf;
            }
            let follows = window.first_leaf + window.ends.len() as u64 == block.first_leaf;
            if block.height > height || !follows {
                break;
            }
            records(&block, &self.past, |record| window.push(record))?;
        }
        self.window = window;
        Ok(self.window.get(leaf).is_some())
    }

    fn bundle(&mut self, name: TileName, height: u64) -> Result<Option<Vec<u8>>, MirrorError> {
        let first = name.number * u64::from(proof::tile::TILE_WIDTH);
        let end = first + u64::from(name.width);
        let mut bundle = Vec::new();
        let mut leaf = first;
        if leaf == 0 {
            put_entry(&mut bundle, &self.genesis);
            leaf = 1;
        }
        while leaf < end {
            if self.window.get(leaf).is_none() && !self.move_window(leaf, height)? {
                return Ok(None);
            }
            while leaf < end
                && let Some(record) = self.window.get(leaf)
            {
                put_entry(&mut bundle, record);
                leaf += 1;
            }
        }
        Ok(Some(bundle))
    }

    fn record(&self, leaf: u64) -> Result<Option<Vec<u8>>, MirrorError> {
        let Some(block) = self.block_of(leaf)? else { return Ok(None) };
        let (mut at, mut found) = (block.first_leaf, None);
        records(&block, &self.past, |record| {
            if at == leaf {
                found = Some(record.to_vec());
            }
            at += 1;
        })?;
        Ok(found)
    }

    fn block_of(&self, leaf: u64) -> Result<Option<HistoryBlock>, MirrorError> {
        let Some(height) = self.past.history.block_of_leaf(leaf) else { return Ok(None) };
        Ok(self.past.history.block(height)?)
    }
}

fn parsed(policy: &str) -> Policy {
    Policy::parse(policy.as_bytes()).expect("the policy that is written can be read")
}

/// Calls `each` with the records of a block.
fn records(block: &HistoryBlock, past: &Past, each: impl FnMut(&[u8])) -> Result<(), MirrorError> {
    let bad = |what: String| MirrorError::Past(PastError::Block(what));
    let seal = Seal::decode(&block.seal)
        .ok_or_else(|| bad(format!("block {} has no seal", block.height)))?;
    let read = PastBlock::read(block, &past.domain).map_err(bad)?;
    read.for_each_record(&seal, each);
    Ok(())
}
