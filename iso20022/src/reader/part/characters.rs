//! Character data: text of leaves, text between foreign elements, text that has no place.
//!
//! A text that stands in the input in one piece is a range of the input; one in several pieces
//! (references, CDATA, comments in between) is put together in the decoded buffer.

use super::{Mode, Part, Pending};
use crate::finding::excerpt;
use crate::reader::is_space;
use crate::tree::{NONE, NodeKind, Span};

/// A piece of character data.
#[derive(Clone, Copy)]
enum Chunk<'c> {
    Source(Span),
    Decoded(&'c str),
}

impl Part<'_> {
    /// Character data that stands in the input as it is meant. `is_blank` may only be true for
    /// nothing but white space.
    pub(in crate::reader) fn characters(&mut self, start: usize, end: usize, is_blank: bool) {
        if is_blank && self.open.last().is_some_and(|open| matches!(open.mode, Mode::Complex(..))) {
            return;
        }
        self.take_characters(Chunk::Source(Span::source(start, end)), start);
    }

    /// Character data that had to be decoded.
    pub(in crate::reader) fn decoded_characters(&mut self, text: &str, offset: usize) {
        self.take_characters(Chunk::Decoded(text), offset);
    }

    /// A CDATA section starts. Where only elements are allowed it is out of place whatever it holds:
    /// it marks its content as text.
    pub(in crate::reader) fn before_cdata(&mut self, offset: usize) {
        let Some(open) = self.open.last() else { return };
        if matches!(open.mode, Mode::Complex(..)) {
            self.report_stray(open.node, String::new(), offset);
        }
    }

    fn take_characters(&mut self, chunk: Chunk<'_>, offset: usize) {
        let Some(open) = self.open.last() else { return };
        let (node, last_child) = (open.node, open.last_child);
        match open.mode {
            // After an element inside of text, which is reported, the rest is of no use.
            Mode::Text(_) if open.stray => {}
            Mode::Text(_) => self.text = self.extended(self.text, chunk),
            Mode::Foreign | Mode::Unchecked => {
                // Adjacent pieces make one node, so nodes are bounded by elements.
                let mergeable =
                    last_child != NONE && self.nodes[last_child as usize].kind == NodeKind::Text;
                let target = if mergeable {
                    last_child
                } else {
                    self.push_node(NodeKind::Text, Span::EMPTY, offset)
                };
                let before = self.nodes[target as usize].text;
                self.nodes[target as usize].text = self.extended(before, chunk);
            }
            Mode::Complex(..) => self.stray_characters(node, chunk, offset),
        }
    }

    /// Appends to a text. Work is proportional to the chunk unless something else has been decoded
    /// in between, which happens at most once an element.
    fn extended(&mut self, text: Span, chunk: Chunk<'_>) -> Span {
        if let (true, Chunk::Source(span)) = (text.is_empty(), chunk) {
            return span;
        }
        let start = match text.decoded_range() {
            Some((start, end)) if end == self.decoded.len() => start,
            _ => {
                let start = self.decoded.len();
                let copy = text.resolve(self.source, &self.decoded).to_owned();
                self.decoded.push_str(&copy);
                start
            }
        };
        match chunk {
            Chunk::Source(span) => self.decoded.push_str(span.resolve(self.source, "")),
            Chunk::Decoded(text) => self.decoded.push_str(text),
        }
        Span::decoded(start, self.decoded.len())
    }

    fn stray_characters(&mut self, node: u32, chunk: Chunk<'_>, offset: usize) {
        let text = match chunk {
            Chunk::Source(span) => span.resolve(self.source, ""),
            Chunk::Decoded(text) => text,
        };
        if text.bytes().all(is_space) {
            return;
        }
        let value = excerpt(text.trim());
        self.report_stray(node, value, offset);
    }

    fn report_stray(&mut self, node: u32, value: String, offset: usize) {
        let open = self.open.last_mut().expect("the caller has looked at it");
        if std::mem::replace(&mut open.stray, true) {
            return;
        }
        self.report(Pending {
            node,
            suffix: String::new(),
            offset,
            value,
            rule: "schema.text",
            code: "CH17",
            text: "Text stands where only elements are allowed.".to_owned(),
        });
    }
}
