//! The tokeniser: cuts the input into tags, texts and the rest, each by its range.
//!
//! It finds where things start and end and refuses what has no end. What stands inside (names,
//! attributes, references, nesting) is the business of its caller. Every byte of a text is looked
//! at once, and what is special about it is noted on the way.

use super::Fault;
use crate::table::Key;

/// A start tag `<name attributes>` or an empty one `<name attributes/>`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    /// Offset of `<`.
    pub(super) start: usize,
    pub(super) name_end: usize,
    /// End of what stands between the name and `>` or `/>`.
    pub(super) attributes_end: usize,
    pub(super) is_empty: bool,
    /// True for a legal name of ASCII characters without prefix.
    pub(super) is_plain: bool,
    /// Key of the whole name.
    pub(super) key: Key,
}

/// Character data up to the next `<`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) start: usize,
    pub(super) end: usize,
    marks: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    Text(Text),
    Start(Tag),
    End {
        start: usize,
        name_end: usize,
        key: Key,
    },
    CData {
        start: usize,
        end: usize,
    },
    /// `<?xml ...?>`, wherever it stands.
    Declaration {
        start: usize,
        end: usize,
    },
    Instruction {
        start: usize,
        end: usize,
    },
    Comment,
    EndOfInput,
}

const LESS: u8 = 1;
const OTHER: u8 = 2;
const AMPERSAND: u8 = 4;
const BRACKET: u8 = 8;
const RETURN: u8 = 16;
/// May stand in a plain name, and start it.
const NAME: u8 = 32;
/// May stand in a plain name, but not start it.
const NAME_PART: u8 = 64;

/// What each byte is to a text and to a name.
static BYTES: [u8; 256] = marks();

const fn marks() -> [u8; 256] {
    let mut marks = [OTHER; 256];
    marks[b' ' as usize] = 0;
    marks[b'\t' as usize] = 0;
    marks[b'\n' as usize] = 0;
    marks[b'\r' as usize] = RETURN;
    marks[b'<' as usize] = LESS;
    marks[b'&' as usize] = OTHER | AMPERSAND;
    marks[b'>' as usize] = OTHER | BRACKET;
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphabetic() || byte == b'_' {
            marks[byte as usize] = OTHER | NAME;
        } else if byte.is_ascii_digit() || byte == b'-' || byte == b'.' {
            marks[byte as usize] = OTHER | NAME_PART;
        }
        byte += 1;
    }
    marks
}

impl Text {
    /// Nothing but white space as it is written.
    pub(super) fn is_blank(&self) -> bool {
        self.marks & OTHER == 0
    }

    pub(super) fn has_reference(&self) -> bool {
        self.marks & AMPERSAND != 0
    }

    /// There is a `>`.
    pub(super) fn has_bracket(&self) -> bool {
        self.marks & BRACKET != 0
    }

    pub(super) fn has_return(&self) -> bool {
        self.marks & RETURN != 0
    }
}

/// Where the XML starts: behind a byte order mark.
pub(super) fn first(source: &str) -> usize {
    if source.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 }
}

pub(super) struct Scanner<'s> {
    bytes: &'s [u8],
    at: usize,
}

impl<'s> Scanner<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { bytes: source.as_bytes(), at: first(source) }
    }

    /// The next piece of the input.
    pub(super) fn next(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        match self.bytes.get(start) {
            None => Ok(Token::EndOfInput),
            Some(b'<') => self.markup(start),
            Some(_) => Ok(Token::Text(self.text(start))),
        }
    }

    fn text(&mut self, start: usize) -> Text {
        let mut marks = 0;
        let rest = &self.bytes[start..];
        let length = rest.iter().position(|byte| {
            let mark = BYTES[usize::from(*byte)];
            marks |= mark;
            mark == LESS
        });
        let end = start + length.unwrap_or(rest.len());
        self.at = end;
        Text { start, end, marks }
    }

    fn markup(&mut self, start: usize) -> Result<Token, Fault> {
        match self.bytes.get(start + 1) {
            Some(b'/') => self.end_tag(start),
            Some(b'!') => self.declaration(start),
            Some(b'?') => self.instruction(start),
            Some(_) => self.start_tag(start),
            None => Err(endless(start)),
        }
    }

    /// End of the run of plain name characters from `from`.
    fn plain_end(&self, from: usize) -> usize {
        let rest = &self.bytes[from..];
        let is_part = |byte: &u8| BYTES[usize::from(*byte)] & (NAME | NAME_PART) != 0;
        from + rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())
    }

    fn start_tag(&mut self, start: usize) -> Result<Token, Fault> {
        let name_end = self.plain_end(start + 1);
        let is_plain = BYTES[usize::from(self.bytes[start + 1])] & NAME != 0;
        if is_plain && self.bytes.get(name_end) == Some(&b'>') {
            self.at = name_end + 1;
            return Ok(Token::Start(Tag {
                start,
                name_end,
                attributes_end: name_end,
                is_empty: false,
                is_plain,
                key: Key::within(self.bytes, start + 1, name_end),
            }));
        }
        self.start_tag_slow(start)
    }

    /// A tag with anything but a plain name.
    fn start_tag_slow(&mut self, start: usize) -> Result<Token, Fault> {
        let rest = &self.bytes[start + 1..];
        let is_end = |byte: &u8| matches!(byte, b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().position(is_end).ok_or_else(|| endless(start))?;
        let name_end = start + 1 + length;
        let is_plain = self.plain_end(start + 1) == name_end
            && BYTES[usize::from(self.bytes[start + 1])] & NAME != 0;
        let mut at = name_end;
        let end = loop {
            let found = memchr::memchr3(b'>', b'"', b'\'', &self.bytes[at..]);
            let found = at + found.ok_or_else(|| endless(start))?;
            let quote = self.bytes[found];
            if quote == b'>' {
                break found;
            }
            let close = memchr::memchr(quote, &self.bytes[found + 1..]);
            at = found + 1 + close.ok_or_else(|| endless(start))? + 1;
        };
        let is_empty = end > name_end && self.bytes[end - 1] == b'/';
        self.at = end + 1;
        let attributes_end = end - usize::from(is_empty);
        let key = Key::within(self.bytes, start + 1, name_end);
        Ok(Token::Start(Tag { start, name_end, attributes_end, is_empty, is_plain, key }))
    }

    fn end_tag(&mut self, start: usize) -> Result<Token, Fault> {
        let mut name_end = self.plain_end(start + 2);
        let mut end = name_end;
        if self.bytes.get(end) != Some(&b'>') {
            let rest = &self.bytes[start + 2..];
            end = start + 2 + memchr::memchr(b'>', rest).ok_or_else(|| endless(start))?;
            let inner = &self.bytes[start + 2..end];
            let blanks = inner.iter().rev().take_while(|byte| super::is_space(**byte)).count();
            name_end = end - blanks;
        }
        self.at = end + 1;
        Ok(Token::End { start, name_end, key: Key::within(self.bytes, start + 2, name_end) })
    }

    /// What starts with `<!`.
    fn declaration(&mut self, start: usize) -> Result<Token, Fault> {
        let rest = &self.bytes[start..];
        if rest.starts_with(b"<!--") {
            let dashes = memchr::memmem::find(&rest[4..], b"--").ok_or_else(|| endless(start))?;
            if rest.get(4 + dashes + 2) != Some(&b'>') {
                return Err(Fault::at("xml.well-formed", start, "A comment contains `--`."));
            }
            self.at = start + 4 + dashes + 3;
            return Ok(Token::Comment);
        }
        if rest.starts_with(b"<![CDATA[") {
            let length = memchr::memmem::find(&rest[9..], b"]]>").ok_or_else(|| endless(start))?;
            self.at = start + 9 + length + 3;
            return Ok(Token::CData { start, end: self.at });
        }
        if rest.starts_with(b"<!DOCTYPE") {
            return Err(Fault::at("xml.doctype", start, "DOCTYPE is not allowed."));
        }
        Err(Fault::at("xml.well-formed", start, "`<!` starts nothing that is known."))
    }

    fn instruction(&mut self, start: usize) -> Result<Token, Fault> {
        let rest = &self.bytes[start + 2..];
        let length = memchr::memmem::find(rest, b"?>").ok_or_else(|| endless(start))?;
        let end = start + 2 + length + 2;
        self.at = end;
        let is_declaration =
            rest.starts_with(b"xml") && (rest[3] == b'?' || super::is_space(rest[3]));
        Ok(match is_declaration {
            true => Token::Declaration { start, end },
            false => Token::Instruction { start, end },
        })
    }
}

fn endless(start: usize) -> Fault {
    Fault::at("xml.well-formed", start, "The message ends inside of markup that starts here.")
}
