//! What a witness is asked (C2SP tlog-witness, `add-checkpoint`): to cosign a checkpoint that goes on from one it knows.
//!
//! The body of the request is a line `old SIZE`, the hashes of a consistency proof, an empty line, and the signed
//! checkpoint. Reading is strict and bounded; what was read is only well formed. Whether the asked one knows that
//! size, and what else it demands before it signs, is its own matter.

use std::fmt;

use crate::{
    Hash,
    checkpoint::{Checkpoint, CheckpointError},
    note::{NOTE_BYTES_MAX, Note, NoteError},
    text::{decimal, hash_from_base64, to_base64},
};

/// Most hashes of a proof that may be sent.
pub const PROOF_LINES_MAX: usize = 63;
/// Longest body that is read, in bytes.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = NOTE_BYTES_MAX + PROOF_LINES_MAX * 45 + 32;
/// Type of the answer that tells another size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// Why bytes are no such request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointError {
    /// Longer than is read.
    #[error("the request has {0} bytes; at most {ADD_CHECKPOINT_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not the lines of a request.
    #[error("the request is malformed: {0}")]
    Form(&'static str),
    /// What follows the empty line is no note.
    #[error("the checkpoint of the request is malformed: {0}")]
    Note(#[from] NoteError),
    /// The note is no checkpoint.
    #[error("the checkpoint of the request is none: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The earlier log is the larger one.
    #[error("the old size {old} is above that of the checkpoint, {size}")]
    Shrinks {
        /// Size of the earlier log.
        old: u64,
        /// Size of the checkpoint.
        size: u64,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Leaves of the log that the witness cosigned last, as the asker knows it.
    pub old: u64,
    /// Proof that the log goes on from there.
    pub path: Vec<Hash>,
    /// What should be cosigned.
    pub checkpoint: Checkpoint,
    /// The same with its signatures.
    pub note: Note,
}

impl AddCheckpoint {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`AddCheckpointError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        if bytes.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(AddCheckpointError::TooLong(bytes.len()));
        }
        let form = AddCheckpointError::Form;
        let text = str::from_utf8(bytes).map_err(|_| form("it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(form("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or(form("its first line is not `old` and a size"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == PROOF_LINES_MAX {
                return Err(form("the proof has too many hashes"));
            }
            path.push(hash_from_base64(line).ok_or(form("a line of the proof is no hash"))?);
        }
        let note = Note::parse(note.as_bytes())?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if old > checkpoint.size {
            return Err(AddCheckpointError::Shrinks { old, size: checkpoint.size });
        }
        Ok(Self { old, path, checkpoint, note })
    }
}

/// The body of the request.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", to_base64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::key::{KeyType, NoteSigner};

    fn request(old: u64, hashes: usize) -> AddCheckpoint {
        let checkpoint = Checkpoint { origin: "corridor/ab".into(), size: 9, root: [7; 32] };
        let signer = NoteSigner::from_seed("corridor/ab", KeyType::Note, &[1; 32]).unwrap();
        let text = checkpoint.to_string();
        let note = Note::new(text.clone(), vec![signer.sign(&text, 0)]).unwrap();
        AddCheckpoint { old, path: vec![[3; 32]; hashes], checkpoint, note }
    }

    #[test]
    fn what_is_written_is_read_alike() {
        for (old, hashes) in [(0, 0), (9, 0), (5, 3), (8, PROOF_LINES_MAX)] {
            let request = request(old, hashes);
            assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn golden_beginning() {
        let text = request(5, 1).to_string();
        let hash = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
        assert!(text.starts_with(&format!("old 5\n{hash}\n\ncorridor/ab\n9\n")), "{text}");
    }

    #[test]
    fn anything_else_is_refused() {
        let good = request(5, 1).to_string();
        for (from, to) in [
            ("old 5", "old 05"),
            ("old 5", "old  5"),
            ("old 5", "older 5"),
            ("old 5\n", ""),
            ("AwM", "Aw"),
            ("\n\ncorridor", "\ncorridor"),
            ("\n9\n", "\nnine\n"),
        ] {
            assert!(good.contains(from), "{from}");
            let bad = good.replacen(from, to, 1);
            assert!(AddCheckpoint::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let shrinks = AddCheckpoint::parse(request(10, 1).to_string().as_bytes());
        assert_eq!(shrinks, Err(AddCheckpointError::Shrinks { old: 10, size: 9 }));
        let many = request(5, PROOF_LINES_MAX + 1).to_string();
        assert!(AddCheckpoint::parse(many.as_bytes()).is_err());
        let long = vec![b'x'; ADD_CHECKPOINT_BYTES_MAX + 1];
        assert_eq!(AddCheckpoint::parse(&long), Err(AddCheckpointError::TooLong(long.len())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = AddCheckpoint::parse(&bytes);
        }
    }
}
