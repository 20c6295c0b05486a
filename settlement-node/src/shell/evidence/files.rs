//! Evidence of abused signatures as files: signed notes that any tool for C2SP checkpoints can verify.
//!
//! `evidence/<size>-node<N>-<root>.note` holds one checkpoint with the cosignature of the node that is
//! accused; two such files of one size and node are proof against it. At most so many files are kept.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use proof::{Hash, note::Note};
use wire::cosign::Cosignature;

use crate::{
    finality::{Cosigning, Finding},
    limits::EVIDENCE_FILES_MAX,
    store::vfs::Vfs,
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

    /// Writes a finding; says where.
    pub(super) fn write(&self, cosigning: &Cosigning, finding: &Finding) -> io::Result<String> {
        let (node, said, own) = match finding {
            Finding::Equivocation { node, both } => (*node, both.to_vec(), None),
            Finding::OtherRoot { node, theirs, own } => (*node, vec![*theirs], Some(own)),
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
            let file = self.vfs.open(&path, true)?;
            file.write_at(note.to_string().as_bytes(), 0)?;
            file.sync_data()?;
            self.vfs.sync_dir(&self.dir)?;
        }
        Ok(path.display().to_string())
    }
}
