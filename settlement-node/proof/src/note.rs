//! Signed notes (C2SP signed-note): a text, an empty line, and signature lines.
//!
//! Reading is strict and bounded, and what was read is written as the same bytes. A note that was
//! read is only well formed: who signed it is a matter of [`crate::policy`] and [`crate::key`].

use std::fmt;

use crate::text::{from_base64, to_base64};

/// Longest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// Most signature lines of a note; 16 are the least that a reader must accept.
pub const SIGNATURES_MAX: usize = 128;
/// Longest name of a key, in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// First four bytes of the digest that identifies a key beside its name.
pub type KeyId = [u8; 4];

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Why bytes are not a signed note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than is read.
    #[error("the note has {0} bytes; at most {NOTE_BYTES_MAX} are read")]
    TooLong(usize),
    /// No UTF-8, or a control character other than the newline.
    #[error("the note is not plain UTF-8 text")]
    NotText,
    /// No empty line between text and signatures, or no newline at an end.
    #[error("the note has no text followed by an empty line and signature lines")]
    NoSignatures,
    /// Too many signature lines.
    #[error("the note has more than {SIGNATURES_MAX} signature lines")]
    TooMany,
    /// A line after the empty line is no signature.
    #[error("signature line {0} of the note is malformed")]
    Line(usize),
}

/// Whether a text may be the name of a key: not empty, without spaces of any kind and plus signs.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= KEY_NAME_BYTES_MAX
        && !name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// Name of the key; see [`is_key_name`].
    pub name: String,
    /// Id of the key.
    pub id: KeyId,
    /// What the key made of the text; its form depends on the key's type.
    pub signature: Vec<u8>,
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_vec();
        bytes.extend_from_slice(&self.signature);
        writeln!(f, "{DASH}{} {}", self.name, to_base64(&bytes))
    }
}

impl SignatureLine {
    /// Reads a line without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = from_base64(base64)?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (is_key_name(name) && !signature.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

/// A text with the signatures under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// A note whose text ends in a newline. Lines come from [`crate::key`] or were read.
    pub fn new(text: String, signatures: Vec<SignatureLine>) -> Result<Self, NoteError> {
        if text.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::NotText);
        }
        if !text.ends_with('\n') || signatures.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        let note = Self { text, signatures };
        let length = note.to_string().len();
        if length > NOTE_BYTES_MAX { Err(NoteError::TooLong(length)) } else { Ok(note) }
    }

    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let whole = str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if whole.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::NotText);
        }
        // The text may hold empty lines: the last one ends it.
        let empty = whole.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&whole[..=empty], &whole[empty + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == SIGNATURES_MAX {
                return Err(NoteError::TooMany);
            }
            signatures.push(SignatureLine::parse(line).ok_or(NoteError::Line(number + 1))?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// What is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The example of the specification.
    const EXAMPLE: &str = "Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

\u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
";

    #[test]
    fn the_published_example_is_read_and_written_alike() {
        let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
        assert!(note.text().ends_with("sera.\n"));
        assert_eq!(note.signatures().len(), 1);
        assert_eq!(note.signatures()[0].name, "quasimodo.example/salvatore");
        assert_eq!(note.signatures()[0].id, [0x36, 0x7b, 0xa0, 0x4b]);
        assert_eq!(note.to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = "\u{2014} name AAAAAAA=\n";
        assert!(Note::parse(format!("text\n\n{line}").as_bytes()).is_ok());
        let bad = [
            String::new(),
            "text\n".into(),
            "text\n\n".into(),
            format!("text\n{line}"),
            format!("text{line}"),
            format!("text\n\n{}", line.trim_end()),
            format!("text\n\n{line}\n"),
            format!("text\r\n\n{line}"),
            format!("text\n\n- name AAAAAAA=\n{line}"),
            "text\n\n\u{2014} name AAAAAA==\n".into(),
            "text\n\n\u{2014} na+me AAAAAAA=\n".into(),
            "text\n\n\u{2014} na\u{a0}me AAAAAAA=\n".into(),
            "text\n\n\u{2014}  AAAAAAA=\n".into(),
            "text\n\n\u{2014} name AAAAAAA\n".into(),
            "text\n\n\u{2014} name  AAAAAAA=\n".into(),
            "text\n\n\u{2014} name AAAAAAA= \n".into(),
            format!("text\n\n{}", line.repeat(SIGNATURES_MAX + 1)),
            format!("{}\n\n{line}", "x".repeat(NOTE_BYTES_MAX)),
        ];
        for text in bad {
            assert!(Note::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Note::parse(&[b"\xfftext\n\n", line.as_bytes()].concat()).is_err());
        assert!(Note::new("text".into(), vec![]).is_err());
        assert!(Note::new("text\n".into(), vec![]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Note::parse(&bytes);
        }

        #[test]
        fn what_is_read_is_written_alike(at in 0..EXAMPLE.len(), bit in 0u8..8) {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            if let Ok(note) = Note::parse(&bytes) {
                let written = note.to_string();
                prop_assert_eq!(written.as_bytes(), &bytes[..]);
            }
        }
    }
}
