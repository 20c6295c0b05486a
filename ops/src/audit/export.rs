//! `corridor audit export`: rows or a statement as files, with a manifest and a proof that anybody verifies offline.
//!
//! One pass over the log, with one block in memory. The folder appears whole or not at all: it is written beside its
//! place and renamed; what an interrupted export left is removed by the next. What `corridor verify export` proves
//! from the folder alone: each row follows from a record that the nodes cosigned, and count and sums are those of the
//! rows. That none is left out, it proves with the log at hand (`--ledger`).

mod camt;
mod output;
mod tree_proof;

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use ledger::Access;
use proof::text::to_base64;

pub(crate) use self::{
    output::{FileFacts, Format, Hashed, Open, Output, Sink, json},
    tree_proof::{ProofWriter, read as read_proof},
};
use super::{
    manifest::{CHECKPOINT, Content, GENESIS, MANIFEST, Manifest, PROOF, VERSION},
    reader::ReaderArguments,
    search::{LedgerPlace, Log, Names, Picker, Query, Reader, Totals},
};
use crate::verify::Progress;

/// Arguments of `corridor audit export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArguments {
    #[command(flatten)]
    place: LedgerPlace,
    #[command(flatten)]
    query: Query,
    /// A statement of this account instead of rows: its movements, each with the balance after it
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "account")]
    statement: Option<String>,
    /// How rows are written
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print the manifest as one JSON object
    #[arg(long)]
    json: bool,
}

/// What an export makes, or made, of a log.
pub(crate) struct Task<'a> {
    pub(crate) content: Content,
    pub(crate) format: Format,
    pub(crate) query: &'a Query,
    /// The answer is as of this block, if not of the last.
    pub(crate) as_of: Option<u64>,
    /// Balance before the first row of a statement, told by whoever saw what was before.
    pub(crate) opening: Option<i128>,
}

/// What came of it.
pub(crate) struct Made {
    pub(crate) totals: Totals,
    pub(crate) files: Vec<FileFacts>,
    pub(crate) as_of: u64,
}

/// Rows on their way from records to files.
pub(crate) struct Making<'a> {
    reader: Reader,
    picker: Picker,
    output: Output<'a>,
    as_of: Option<u64>,
    reached: u64,
}

/// Records of a block: each with its leaf, and whether the rows rest on it.
pub(crate) type Kept<'b> = &'b mut dyn FnMut(&[u8], bool) -> Result<()>;

impl<'a> Making<'a> {
    /// How many accounts are known by what was pushed.
    pub(crate) fn accounts(&self) -> usize {
        self.reader.names.count()
    }

    /// Begins. `open` makes the files.
    pub(crate) fn new(task: &Task<'_>, names: Names, open: Open<'a>) -> Result<Self> {
        let is_statement = task.content == Content::Statement;
        let mut query = task.query.clone();
        query.as_of = task.as_of;
        let picker = Picker::new(&query, is_statement, task.opening, &names)?;
        let account = query.account.as_deref().filter(|_| is_statement);
        let output = Output::new(task.format, account, open)?;
        Ok(Self { reader: Reader::new(names), picker, output, as_of: task.as_of, reached: 0 })
    }

    /// Takes the next record. At the end of a block `kept` is told of each of its records.
    pub(crate) fn push(
        &mut self,
        leaf: u64,
        record: &[u8],
        last: bool,
        kept: Kept<'_>,
    ) -> Result<()> {
        let Some(block) = self.reader.push(leaf, record)? else { return Ok(()) };
        let output = &mut self.output;
        let needed = self
            .picker
            .block(&block, &self.reader.names, &mut |line, names| output.line(line, names))?;
        let is_end = match self.as_of {
            Some(height) => height == block.height,
            None => last,
        };
        if self.as_of.is_none_or(|height| block.height <= height) {
            self.reached = block.height;
        }
        let end = block.len() - 1;
        for (at, (_, record)) in block.records().enumerate() {
            // The seal of the last block shows that it is there.
            let is_needed = needed.as_ref().is_some_and(|needed| needed[at]);
            kept(record, is_needed || (is_end && at == end))?;
        }
        Ok(())
    }

    /// Ends the files.
    pub(crate) fn end(self) -> Result<Made> {
        if let Some(height) = self.as_of {
            ensure!(
                self.reached == height,
                "the log ends with block {}, before {height}",
                self.reached
            );
        }
        self.picker.check()?;
        let files = self.output.end()?;
        Ok(Made { totals: self.picker.totals(), files, as_of: self.reached })
    }
}

/// Runs `corridor audit export`. Blocking.
pub(crate) fn run(arguments: &ExportArguments) -> Result<()> {
    let manifest = export(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&manifest)?);
        return Ok(());
    }
    println!(
        "{} rows as of block {} in {}",
        manifest.totals.rows,
        manifest.as_of,
        arguments.out.display()
    );
    for (asset, sum) in &manifest.totals.settled_minor {
        println!("settled in {asset}: {sum} minor units");
    }
    for file in manifest.files.iter().chain([&manifest.proof]) {
        println!("{}  {} ({} bytes)", file.sha256, file.name, file.bytes);
    }
    println!(
        "{} records are proven under the checkpoint at {} leaves",
        manifest.records, manifest.size
    );
    Ok(())
}

fn export(arguments: &ExportArguments) -> Result<Manifest> {
    let out = &arguments.out;
    ensure!(!out.exists(), "{} is there already", out.display());
    ensure!(
        arguments.place.dir.is_none() || arguments.reader.is_named(),
        "an export from a running network is recorded: say --ground, --reader and --as"
    );
    let mut bar = Progress::new(!arguments.json);
    let log = Log::open(&arguments.place, &mut bar)?;
    let signed = log.signed.as_ref().context(
        "the history of a stopped node has no checkpoint beside it: give one with --checkpoint",
    )?;
    let unfinished = beside(out);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)
            .with_context(|| format!("remove {}", unfinished.display()))?;
    }
    fs::create_dir_all(&unfinished).with_context(|| format!("make {}", unfinished.display()))?;
    let open = |name: &str| create(&unfinished, name);
    let mut query = arguments.query.clone();
    let content = match &arguments.statement {
        Some(account) => {
            query.account = Some(account.clone());
            Content::Statement
        }
        None => Content::Rows,
    };
    let (format, as_of) = (arguments.format, query.as_of);
    let task = Task { content, format, query: &query, as_of, opening: None };
    let mut making = Making::new(&task, Names::of(&log.genesis)?, Box::new(open))?;
    let mut proof = ProofWriter::new(Hashed::new(PROOF, create(&unfinished, PROOF)?));
    let mut hashes = Vec::new();
    log.walk(&mut bar, &mut |leaf, record, hash| {
        if leaf == 0 {
            // Which network it is.
            return proof.leaf(hash, Some(record));
        }
        hashes.push(hash);
        let mut own = hashes.iter();
        making.push(leaf, record, leaf + 1 == signed.size, &mut |record, needed| {
            let hash = own.next().context("each record has its hash")?;
            proof.leaf(*hash, needed.then_some(record))
        })?;
        if record.first() == Some(&proof::record::KIND_SEAL) {
            hashes.clear();
        }
        Ok(())
    })?;
    let made = making.end()?;
    let (proof, records) = proof.end()?;
    let manifest = Manifest {
        version: VERSION.to_owned(),
        network: wire::genesis::hex(&log.genesis.domain.network),
        content,
        format,
        query,
        as_of: made.as_of,
        totals: made.totals,
        files: made.files,
        proof: proof.end()?,
        records,
        size: signed.size,
        root: to_base64(&signed.root),
    };
    let mut text = serde_json::to_vec_pretty(&manifest).context("write the manifest")?;
    text.push(b'\n');
    for (name, bytes) in
        [(GENESIS, &log.genesis_file), (CHECKPOINT, &signed.note), (MANIFEST, &text)]
    {
        let path = unfinished.join(name);
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    }
    let payment = manifest.query.uetr.as_deref();
    // Whole, but nobody's yet: it gets its name when the ledger knows who has it.
    let told = arguments.reader.record(&arguments.place, Access::Exported, payment, &text)?;
    if let Some(told) = told {
        eprintln!("recorded as access {}, leaf {}: SHA-256 of {MANIFEST}", told.id, told.leaf);
    }
    fs::rename(&unfinished, out).with_context(|| format!("make {}", out.display()))?;
    Ok(manifest)
}

/// Where an export is written until it is whole.
fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

fn create(dir: &Path, name: &str) -> Result<Sink> {
    let path = dir.join(name);
    let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 16, file)))
}
