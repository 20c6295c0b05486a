//! Cuts a stream of bytes into tags, as far as it has come.
//!
//! This only finds where tags end and how they nest: what it cuts out is read again, strictly, by
//! the reader of single messages. So it may be lenient, but it must never cut elsewhere than the
//! reader would.

use crate::reader::Fault;

/// A tag, or something between tags that has no bearing on nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Empty,
    End,
    Other,
}

/// A piece of markup at the start of the bytes looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Markup {
    pub(super) kind: Kind,
    /// Bytes that it takes.
    pub(super) length: usize,
    /// Where the qualified name stands, for tags.
    pub(super) name: (usize, usize),
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The markup that starts with the first byte, a `<`. `None` when its end has not come yet.
pub(super) fn markup(bytes: &[u8], offset: usize) -> Result<Option<Markup>, Fault> {
    let other = |length| Markup { kind: Kind::Other, length, name: (0, 0) };
    let until = |from: usize, end: &[u8]| {
        let rest = bytes.get(from..)?;
        memchr::memmem::find(rest, end).map(|at| other(from + at + end.len()))
    };
    match bytes.get(1) {
        None => Ok(None),
        Some(b'?') => Ok(until(2, b"?>")),
        Some(b'!') if bytes.starts_with(b"<!--") => Ok(until(4, b"-->")),
        Some(b'!') if bytes.starts_with(b"<![CDATA[") => Ok(until(9, b"]]>")),
        Some(b'!') if [&b"<!--"[..], b"<![CDATA["].iter().any(|start| start.starts_with(bytes)) => {
            Ok(None)
        }
        Some(b'!') => Err(Fault::at("xml.doctype", offset, "DOCTYPE is not allowed.")),
        Some(b'/') => Ok(memchr::memchr(b'>', bytes).map(|end| {
            let inner = &bytes[2..end];
            let blanks = inner.iter().rev().take_while(|byte| is_space(**byte)).count();
            Markup { kind: Kind::End, length: end + 1, name: (2, end - blanks) }
        })),
        Some(_) => Ok(start_tag(bytes)),
    }
}

fn start_tag(bytes: &[u8]) -> Option<Markup> {
    let mut at = 1;
    let end = loop {
        let found = at + memchr::memchr3(b'>', b'"', b'\'', bytes.get(at..)?)?;
        if bytes[found] == b'>' {
            break found;
        }
        at = found + 1 + memchr::memchr(bytes[found], &bytes[found + 1..])? + 1;
    };
    let is_empty = end > 1 && bytes[end - 1] == b'/';
    let name_end = bytes[1..end].iter().position(|byte| is_space(*byte) || *byte == b'/');
    let kind = if is_empty { Kind::Empty } else { Kind::Start };
    Some(Markup { kind, length: end + 1, name: (1, name_end.map_or(end, |length| length + 1)) })
}

/// The names of the open elements, outermost first.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    pub(super) fn depth(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, name: &[u8]) {
        self.text.extend_from_slice(name);
        self.ends.push(self.text.len());
    }

    fn range(&self, at: usize) -> std::ops::Range<usize> {
        at.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[at]
    }

    /// Closes the innermost element; false when it has another name or there is none.
    pub(super) fn pop(&mut self, name: &[u8]) -> bool {
        let Some(at) = self.ends.len().checked_sub(1) else { return false };
        let range = self.range(at);
        if self.text[range.clone()] != *name {
            return false;
        }
        self.text.truncate(range.start);
        self.ends.pop();
        true
    }

    /// Appends the end tags of all open elements.
    pub(super) fn close_all(&self, out: &mut Vec<u8>) {
        for at in (0..self.ends.len()).rev() {
            out.extend_from_slice(b"</");
            out.extend_from_slice(&self.text[self.range(at)]);
            out.push(b'>');
        }
    }
}

/// The part of a qualified name behind the prefix.
pub(super) fn local(name: &[u8]) -> &[u8] {
    let colon = memchr::memchr(b':', name);
    colon.map_or(name, |at| &name[at + 1..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_has_come_is_cut() {
        for (text, kind, name) in [
            ("<a>", Kind::Start, "a"),
            ("<n:a b='>' c=\"'>\">", Kind::Start, "n:a"),
            ("<a/>", Kind::Empty, "a"),
            ("<a b='/'\n/>", Kind::Empty, "a"),
            ("</a >", Kind::End, "a"),
            ("<!-- <a> - > -->", Kind::Other, ""),
            ("<![CDATA[</a>]] >]]>", Kind::Other, ""),
            ("<?a <b> ?>", Kind::Other, ""),
        ] {
            for cut in 1..text.len() {
                assert_eq!(
                    markup(&text.as_bytes()[..cut], 0).unwrap(),
                    None,
                    "{text} cut at {cut}"
                );
            }
            let longer = format!("{text}<x>");
            let found = markup(longer.as_bytes(), 0).unwrap().unwrap();
            assert_eq!((found.kind, found.length), (kind, text.len()));
            if kind != Kind::Other {
                assert_eq!(&text[found.name.0..found.name.1], name);
            }
        }
        assert!(markup(b"<!DOCTYPE a>", 7).is_err());
    }

    #[test]
    fn names_nest() {
        let mut names = Names::default();
        names.push(b"a");
        names.push(b"n:bc");
        let mut out = Vec::new();
        names.close_all(&mut out);
        assert_eq!(out, b"</n:bc></a>");
        assert!(!names.pop(b"a"));
        assert!(names.pop(b"n:bc") && names.pop(b"a") && !names.pop(b"a"));
    }
}
