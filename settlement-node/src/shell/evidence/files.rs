//! Evidence of abused signatures as files: signed notes that any tool for C2SP checkpoints can verify.
//!
//! `evidence/<size>-node<N>-<root>.note` holds one checkpoint with the cosignature of the node that is
//! accused; two such files of one size and node are proof against it. At most so many files are kept.
//!
//! What they say is read again at each start: a fence outlives the process that put it up. An operator who is
//! sure that a node is honest again moves its files away.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use proof::{
    Hash,
    checkpoint::Checkpoint,
    note::{NOTE_BYTES_MAX, Note},
};
use wire::cosign::Cosignature;

use crate::{
    finality::{Cosigning, Finding},
    limits::EVIDENCE_FILES_MAX,
    store::vfs::{Vfs, read_exact_at},
};

/// The folder of evidence.
pub(in crate::shell) struct EvidenceFiles {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
}

impl EvidenceFiles {
    pub(in crate::shell) fn under(vfs: Arc<dyn Vfs>, data: &Path) -> Self {
        Self { vfs, dir: data.join("evidence") }
    }

    /// Nodes that the files accuse: they signed another root than they themselves, or this node, signed of that size.
    ///
    /// Files that cannot be read, or that nobody has signed, accuse nobody.
    pub(super) fn accused(&self, cosigning: &Cosigning) -> io::Result<BTreeSet<u64>> {
        let mut signed: BTreeMap<u64, BTreeSet<(u64, Hash)>> = BTreeMap::new();
        for name in self.vfs.list(&self.dir)?.iter().take(EVIDENCE_FILES_MAX) {
            let file = self.vfs.open(&self.dir.join(name), false)?;
            let mut bytes = vec![0; file.len()?.min(NOTE_BYTES_MAX as u64) as usize];
            read_exact_at(&*file, &mut bytes, 0)?;
            let Ok(note) = Note::parse(&bytes) else { continue };
            let Ok(checkpoint) = Checkpoint::parse(note.text()) else { continue };
            let members = &cosigning.members;
            let as_log = members.signed_as_log(&note).map(|(node, _)| node);
            if let Some(node) = as_log.or_else(|| members.cosigner_of(&note))
                && checkpoint.origin == members.origin()
            {
                signed.entry(checkpoint.size).or_default().insert((node, checkpoint.root));
            }
        }
        let mut accused = BTreeSet::new();
        for words in signed.values() {
            accused.extend(words.iter().filter_map(|(node, root)| {
                let other = |(by, said): &(u64, Hash)| {
                    said != root && (by == node || *by == cosigning.node)
                };
                (*node != cosigning.node && words.iter().any(other)).then_some(*node)
            }));
        }
        Ok(accused)
    }

    /// Writes a finding; says where.
    pub(super) fn write(&self, cosigning: &Cosigning, finding: &Finding) -> io::Result<String> {
        let (node, said, own) = match finding {
            Finding::Equivocation { node, both } => (*node, both.to_vec(), None),
            Finding::OtherRoot { node, theirs, own } => (*node, vec![*theirs], Some(own)),
            Finding::OtherLog { node, size, theirs, line, own } => {
                let text = cosigning.members.text(*size, theirs);
                self.note(*node, *size, theirs, text, line.clone())?;
                return self.own(cosigning, *size, own);
            }
            // Those who outvoted it were written down one by one, and this node's own word follows.
            Finding::Outvoted { size, own, .. } => {
                return self.own(cosigning, *size, own);
            }
        };
        let mut last = String::new();
        for said in &said {
            last = self.one(cosigning, node, said)?;
        }
        if let (Some(own), Some(said)) = (own, said.first()) {
            self.own(cosigning, said.size, own)?;
        }
        Ok(last)
    }

    fn one(&self, cosigning: &Cosigning, node: u64, said: &Cosignature) -> io::Result<String> {
        let members = &cosigning.members;
        let line = members.line(node, said).ok_or(io::ErrorKind::InvalidInput)?;
        self.note(node, said.size, &said.root, members.text(said.size, &said.root), line)
    }

    /// What this node computed, signed by it as the log: it says so, and nothing about finality.
    fn own(&self, cosigning: &Cosigning, size: u64, root: &Hash) -> io::Result<String> {
        let line = cosigning.sign_as_log(size, root);
        self.note(cosigning.node, size, root, cosigning.members.text(size, root), line)
    }

    fn note(
        &self,
        node: u64,
        size: u64,
        root: &Hash,
        text: String,
        line: proof::note::SignatureLine,
    ) -> io::Result<String> {
        self.vfs.create_dir_all(&self.dir)?;
        let root: String = root[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.dir.join(format!("{size}-node{node}-{root}.note"));
        if !self.vfs.exists(&path)? {
            if self.vfs.list(&self.dir)?.len() >= EVIDENCE_FILES_MAX {
                return Err(io::Error::other("the folder of evidence is full"));
            }
            let note = Note::new(text, vec![line]).map_err(io::Error::other)?;
            // Under another name first: a file of this name is whole, also after a crash.
            let unfinished = path.with_extension("tmp");
            let file = self.vfs.open(&unfinished, true)?;
            file.set_len(0)?;
            file.write_at(note.to_string().as_bytes(), 0)?;
            file.sync_data()?;
            drop(file);
            self.vfs.rename(&unfinished, &path)?;
            self.vfs.sync_dir(&self.dir)?;
        }
        Ok(path.display().to_string())
    }
}
