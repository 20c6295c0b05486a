//! The log that is asked: of a running node, by a mirror of it; of a mirror; or the history of a stopped node.
//!
//! None of them is believed. Every record is hashed on the way, and at the end the root must be the one that the
//! network's nodes have cosigned, by the policy of the genesis file or a given one. Records after that checkpoint are
//! not read. The history of a stopped node has no checkpoint beside it: one can be given, else nothing is compared.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use proof::{
    Hash,
    checkpoint::origin,
    note::Note,
    record::{self, Seal},
    tile::{BUNDLE_BYTES_MAX, TILE_WIDTH, TileKind, TileName, entries},
    tree::{Frontier, leaf_hash},
};
use settlement_node::{
    past::PastBlock,
    store::{history::HistoryFiles, vfs::ReadOnlyVfs},
};
use wire::{genesis::Genesis, limits::GENESIS_BYTES_MAX};

use crate::layout::Layout;
use crate::verify::{Progress, fetch_mirror, policy, read_file};

/// Longest checkpoint that is read, in bytes.
pub(crate) const CHECKPOINT_BYTES_MAX: usize = 1 << 20;

/// Where the log is.
#[derive(Args, Clone, Debug)]
pub(crate) struct LedgerPlace {
    /// Folder of a network: its nodes and its genesis file
    #[arg(long, value_name = "DIR", conflicts_with = "ledger")]
    pub(crate) dir: Option<PathBuf>,
    /// A node's address such as http://127.0.0.1:7201, a mirror, or the data folder of a node that is stopped
    #[arg(long, value_name = "URL|DIR", required_unless_present = "dir", requires = "genesis")]
    pub(crate) ledger: Option<String>,
    /// Genesis file of the network
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: Option<PathBuf>,
    /// Folder for the mirror of a node; what is there already is not fetched again
    #[arg(long, value_name = "DIR", default_value = "ledger-mirror")]
    pub(crate) mirror: PathBuf,
    /// Checkpoint to hold the log to; that of the mirror when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Policy to judge checkpoints by; that of the genesis file when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

impl LedgerPlace {
    /// The genesis file, and where the log may be: all nodes of a network, or one place.
    fn places(&self) -> Result<(PathBuf, Vec<String>)> {
        let layout = self.dir.as_deref().map(Layout::open).transpose()?;
        let genesis = match (&self.genesis, &layout) {
            (Some(genesis), _) => genesis.clone(),
            (None, Some(layout)) => layout.genesis(),
            (None, None) => bail!("name the genesis file with --genesis"),
        };
        let places = match (&self.ledger, &layout) {
            (Some(ledger), _) => vec![ledger.clone()],
            (None, Some(layout)) => {
                layout.nodes().map(|(id, _)| layout.node_http(id)).collect::<Result<_>>()?
            }
            (None, None) => bail!("say where the log is with --ledger or --dir"),
        };
        Ok((genesis, places))
    }
}

/// A checkpoint that a quorum has cosigned.
pub(crate) struct Signed {
    /// As it was read.
    pub(crate) note: Vec<u8>,
    /// Leaves.
    pub(crate) size: u64,
    /// Root over them.
    pub(crate) root: Hash,
}

/// What is called with each record, its leaf and its hash.
type Each<'a> = &'a mut dyn FnMut(u64, &[u8], Hash) -> Result<()>;

enum Source {
    Mirror { dir: PathBuf, size: u64 },
    History(PathBuf),
}

/// A log that can be walked through.
pub(crate) struct Log {
    /// Its genesis.
    pub(crate) genesis: Genesis,
    /// The bytes of that file.
    pub(crate) genesis_file: Vec<u8>,
    /// What it is held to.
    pub(crate) signed: Option<Signed>,
    source: Source,
}

impl Log {
    /// Finds the log, and fetches it where it is a node's. Blocking.
    ///
    /// # Errors
    /// It is not there, is of another network, or its checkpoint is not signed by enough nodes.
    pub(crate) fn open(place: &LedgerPlace, bar: &mut Progress) -> Result<Self> {
        let (genesis_path, places) = place.places()?;
        let genesis_file = read_file(&genesis_path, GENESIS_BYTES_MAX)?;
        let genesis = Genesis::parse(&genesis_file)
            .with_context(|| format!("read {}", genesis_path.display()))?;
        let policy = policy(&genesis, place.policy.as_deref())?;
        let mut dir = Err(anyhow::anyhow!("the network has no nodes"));
        for ledger in places {
            dir = match ledger.starts_with("http://") {
                true => fetch_mirror(&ledger, &place.mirror, &policy, bar)
                    .map(|()| place.mirror.clone()),
                false => Ok(PathBuf::from(ledger)),
            };
            // The next node may answer where this one does not.
            if dir.is_ok() {
                break;
            }
        }
        let dir = dir?;
        let own = dir.join("checkpoint");
        let is_mirror = own.exists();
        let signed = match place.checkpoint.as_deref().or(is_mirror.then_some(&*own)) {
            None => None,
            Some(path) => {
                let note = read_file(path, CHECKPOINT_BYTES_MAX)?;
                let context = || format!("the checkpoint {}", path.display());
                let parsed = Note::parse(&note).with_context(context)?;
                let accepted = policy.judge(&parsed).with_context(context)?.checkpoint;
                ensure!(
                    accepted.origin == origin(&genesis.domain.network),
                    "the checkpoint {} is of {}, not of the genesis file's network",
                    path.display(),
                    accepted.origin
                );
                Some(Signed { note, size: accepted.size, root: accepted.root })
            }
        };
        let source = if is_mirror {
            let note = Note::parse(&read_file(&own, CHECKPOINT_BYTES_MAX)?)?;
            Source::Mirror { size: proof::checkpoint::Checkpoint::parse(note.text())?.size, dir }
        } else {
            let places = [dir.join("history"), dir.join("data/history")];
            let Some(history) = places.into_iter().find(|place| place.is_dir()) else {
                bail!("{} is neither a mirror nor the data folder of a node", dir.display());
            };
            Source::History(history)
        };
        Ok(Self { genesis, genesis_file, signed, source })
    }

    /// Calls `each` with every record, its leaf and its hash, and compares the root with the checkpoint.
    ///
    /// # Errors
    /// Those of `each`; a record cannot be read; the records do not lead to the root that was signed.
    pub(crate) fn walk(&self, bar: &mut Progress, each: Each<'_>) -> Result<u64> {
        let mut first = Vec::new();
        let state_root = self.genesis.ledger()?.seal_block();
        record::genesis(&mut first, &self.genesis.domain.network, &state_root.0);
        let mut walk = Walk {
            end: self.signed.as_ref().map_or(u64::MAX, |signed| signed.size),
            first,
            frontier: Frontier::new(),
            each,
        };
        match &self.source {
            Source::Mirror { dir, size } => walk.bundles(dir, *size, bar)?,
            Source::History(dir) => walk.blocks(dir, &self.genesis, bar)?,
        }
        bar.end();
        let (leaves, root) = (walk.frontier.size(), walk.frontier.root());
        if let Some(signed) = &self.signed {
            ensure!(leaves == signed.size, "the log has {leaves} of {} leaves", signed.size);
            ensure!(
                root == signed.root,
                "the records lead to another root than the one that was signed"
            );
        }
        Ok(leaves)
    }
}

struct Walk<'a> {
    end: u64,
    /// The record that leaf 0 must be.
    first: Vec<u8>,
    frontier: Frontier,
    each: Each<'a>,
}

impl Walk<'_> {
    fn take(&mut self, record: &[u8]) -> Result<()> {
        let leaf = self.frontier.size();
        if leaf == self.end {
            return Ok(());
        }
        ensure!(leaf > 0 || record == self.first, "the log begins with another genesis");
        let hash = leaf_hash(record);
        self.frontier.append_leaf(hash);
        (self.each)(leaf, record, hash)
    }

    fn bundles(&mut self, dir: &Path, size: u64, bar: &mut Progress) -> Result<()> {
        for number in 0..size.min(self.end).div_ceil(TILE_WIDTH.into()) {
            let name = TileName::of_tree(TileKind::Entries, number, size).context("a bundle")?;
            let bundle = read_file(&dir.join(name.to_string()), BUNDLE_BYTES_MAX)?;
            let records = entries(&bundle, name.width).with_context(|| format!("{name}"))?;
            records.into_iter().try_for_each(|record| self.take(record))?;
            let leaves = self.frontier.size();
            bar.show("read", leaves, size, leaves);
        }
        Ok(())
    }

    fn blocks(&mut self, dir: &Path, genesis: &Genesis, bar: &mut Progress) -> Result<()> {
        let mut files = HistoryFiles::open(Box::new(ReadOnlyVfs), dir)?;
        let first = self.first.clone();
        self.take(&first)?;
        while self.frontier.size() < self.end {
            let Some(block) = files.next_block().context("read the history")? else { break };
            let seal = Seal::decode(&block.seal)
                .with_context(|| format!("block {} has no seal", block.height))?;
            let read = PastBlock::read(&block, &genesis.domain).map_err(anyhow::Error::msg)?;
            let mut taken = Ok(());
            read.for_each_record(&seal, |record| {
                if taken.is_ok() {
                    taken = self.take(record);
                }
            });
            taken?;
            let (done, total) = files.progress();
            bar.show("read", done, total, self.frontier.size());
        }
        Ok(())
    }
}
