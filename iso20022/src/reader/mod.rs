//! The streaming reader: bytes in, validated trees and findings out.
//!
//! One pass: [`scan`] cuts the input into tags and texts, this module checks names, references,
//! namespaces and limits, and [`part`] runs the content automaton and the facets while the tree
//! grows. `AppHdr` and `Document` are found by expanded name in any
//! wrapper. What breaks XML or a limit ends the reading with a [`Fault`]; what breaks the schema
//! becomes a finding and the reading goes on.

mod attributes;
mod names;
mod part;
mod scan;

use crate::finding::{Finding, Layer, Severity, excerpt, line_at};
use crate::limits::Limits;
use crate::name::{MessageName, NAMESPACE_PREFIX};
use crate::table::{Key, Tables};
use crate::tree::Span;
use attributes::{Attribute, bad_reference};
pub(crate) use names::is_xml_char;
use names::{NamespaceId, Namespaces, Scope};
use part::{InScope, Part};
use scan::{Scanner, Tag, Text, Token};
use std::sync::Arc;

pub(crate) use part::{ReadPart, describe};

/// Why reading ended early.
#[derive(Debug)]
pub(crate) struct Fault {
    rule: &'static str,
    offset: usize,
    text: String,
}

impl Fault {
    pub(crate) fn at(rule: &'static str, offset: usize, text: impl Into<String>) -> Self {
        Self { rule, offset, text: text.into() }
    }

    pub(crate) fn finding(self, bytes: &[u8]) -> Finding {
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("checked just now")
            }
        };
        let rest = valid.get(self.offset..).unwrap_or("");
        let line_end = rest.find('\n').unwrap_or(rest.len());
        Finding {
            layer: Layer::Transport,
            severity: Severity::Error,
            message: String::new(),
            path: String::new(),
            offset: self.offset,
            line: line_at(valid, self.offset),
            value: excerpt(&rest[..line_end]),
            rule: self.rule,
            code: "FF01",
            text: self.text,
        }
    }
}

/// Everything that one reading yields.
pub(crate) struct Parsed {
    pub(crate) header: Option<ReadPart>,
    pub(crate) document: Option<ReadPart>,
    /// Set when a `Document` of an unknown namespace was seen.
    pub(crate) unknown: Option<Finding>,
}

/// Reads a message. The error is a finding of layer L0.
pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    tables: &Tables,
    choice: usize,
) -> Result<Parsed, Finding> {
    let read = |alone| read_inner(bytes, limits, (tables, choice), alone);
    let parsed = read(false).map_err(|fault| fault.finding(bytes))?;
    // A few messages have a root of their own, which may also be a wrapper around others.
    if parsed.header.is_none() && parsed.document.is_none() && parsed.unknown.is_none() {
        return read(true).map_err(|fault| fault.finding(bytes));
    }
    Ok(parsed)
}

fn read_inner(
    bytes: &[u8],
    limits: &Limits,
    tables: Choice<'_>,
    alone: bool,
) -> Result<Parsed, Fault> {
    if bytes.len() > limits.bytes_max.min((u32::MAX / 2) as usize) {
        return Err(Fault::at("limit.bytes", 0, "The message is larger than allowed."));
    }
    let source = std::str::from_utf8(bytes)
        .map_err(|e| Fault::at("xml.encoding", e.valid_up_to(), "The message is not UTF-8."))?;
    if let Some(at) = names::forbidden_char(source) {
        return Err(Fault::at("xml.character", at, "A character is not allowed in XML."));
    }
    let mut reader = Reader { alone, ..Reader::new(source, limits, tables) };
    let mut scanner = Scanner::new(source);
    loop {
        match scanner.next()? {
            Token::Text(text) => reader.text(&text)?,
            Token::Start(tag) => {
                reader.start(&tag)?;
                if tag.is_empty {
                    reader.end(tag.start)?;
                }
            }
            Token::End { start, name_end, key } => {
                reader.check_end(start, name_end, key)?;
                reader.end(start)?;
            }
            Token::CData { start, end } => reader.cdata(start, end)?,
            Token::Declaration { start, end } => reader.declaration(start, end)?,
            Token::Instruction { start, end } => reader.instruction(start, end)?,
            Token::Comment => {}
            Token::EndOfInput => return reader.finish(),
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the current element stands relative to the parts that are validated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Around `AppHdr` and `Document`: only well-formedness matters.
    Wrapper,
    /// Inside of one of them.
    Part,
}

struct Frame {
    place: Place,
    outer: Scope,
    /// Where the qualified name stands.
    name: (u32, u32),
    key: Key,
}

/// Tables, and which of several that describe a message to use.
type Choice<'t> = (&'t Tables, usize);

struct Reader<'s> {
    tables: Choice<'s>,
    source: &'s str,
    limits: &'s Limits,
    /// The input, copied once a part is complete: what is refused before costs no copy.
    shared: Option<Arc<str>>,
    namespaces: Namespaces<'s>,
    scope: Scope,
    frames: Vec<Frame>,
    attributes: Vec<Attribute<'s>>,
    /// Decoded attribute values of wrapper elements; parts have their own buffer.
    scratch: String,
    part: Option<Part<'s>>,
    header: Option<ReadPart>,
    document: Option<ReadPart>,
    unknown: Option<Fault>,
    /// The outermost element counts as a `Document` if it is the root of a message.
    alone: bool,
    elements: usize,
    attribute_count: usize,
    root_seen: bool,
}

impl<'s> Reader<'s> {
    fn new(source: &'s str, limits: &'s Limits, tables: Choice<'s>) -> Self {
        Self {
            tables,
            source,
            limits,
            shared: None,
            namespaces: Namespaces::new(),
            scope: Scope::OUTER,
            frames: Vec::with_capacity(limits.depth_max.min(64)),
            attributes: Vec::new(),
            scratch: String::new(),
            part: None,
            header: None,
            document: None,
            unknown: None,
            alone: false,
            elements: 0,
            attribute_count: 0,
            root_seen: false,
        }
    }

    fn start(&mut self, tag: &Tag) -> Result<(), Fault> {
        let start = tag.start;
        if self.frames.len() >= self.limits.depth_max {
            return Err(Fault::at("limit.depth", start, "Elements are nested too deep."));
        }
        self.elements += 1;
        if self.elements > self.limits.elements_max {
            return Err(Fault::at("limit.elements", start, "The message has too many elements."));
        }
        if self.frames.is_empty() {
            if self.root_seen {
                return Err(Fault::at("xml.well-formed", start, "There is a second root."));
            }
            self.root_seen = true;
        }
        let outer = self.scope;
        self.attributes.clear();
        if tag.name_end < tag.attributes_end {
            self.read_attributes(tag.name_end, tag.attributes_end)?;
        }
        let name = &self.source[start + 1..tag.name_end];
        let (prefix, local, key) = if tag.is_plain {
            ("", name, tag.key)
        } else {
            let malformed = || Fault::at("xml.name", start, "An element name is malformed.");
            let (prefix, local) = names::split(name).ok_or_else(malformed)?;
            (prefix, local, Key::of(local.as_bytes()))
        };
        let namespace = self.resolve(prefix, start)?;
        let place = self.enter(namespace, (local, key), start, tag.name_end)?;
        let name = (start as u32 + 1, tag.name_end as u32);
        self.frames.push(Frame { place, outer, name, key: tag.key });
        Ok(())
    }

    /// An end tag must name the element that it ends.
    fn check_end(&self, start: usize, name_end: usize, key: Key) -> Result<(), Fault> {
        let Some(frame) = self.frames.last() else {
            return Err(Fault::at("xml.well-formed", start, "An end tag has no start tag."));
        };
        let (from, to) = (frame.name.0 as usize, frame.name.1 as usize);
        let bytes = self.source.as_bytes();
        let same =
            frame.key == key && (key.is_exact() || bytes[from..to] == bytes[start + 2..name_end]);
        if same {
            return Ok(());
        }
        let text = format!("The end tag of `{}` does not match.", excerpt(&self.source[from..to]));
        Err(Fault::at("xml.well-formed", start, text))
    }

    fn enter(
        &mut self,
        namespace: NamespaceId,
        (local, key): (&'s str, Key),
        start: usize,
        name_end: usize,
    ) -> Result<Place, Fault> {
        let tag = part::Tag {
            namespace,
            local,
            key,
            local_span: Span::source(name_end - local.len(), name_end),
            qualified: Span::source(start + 1, name_end),
            offset: start,
        };
        if let Some(part) = &mut self.part {
            let scope = InScope { namespaces: &self.namespaces, default: self.scope.default };
            part.start(&tag, &self.attributes, &scope)?;
            return Ok(Place::Part);
        }
        let usual = local == "Document" || local == "AppHdr";
        let outermost = self.alone && self.frames.is_empty();
        if !usual && !outermost {
            return Ok(Place::Wrapper);
        }
        let uri = self.namespaces.uri(namespace);
        let known = MessageName::from_namespace(uri)
            .and_then(|name| self.tables.0.root_of(name, self.tables.1))
            .filter(|(_, root)| root.element == local);
        let Some((table, root)) = known else {
            if !usual {
                return Ok(Place::Wrapper);
            }
            let fault = Fault::at(
                "xml.unknown-namespace",
                start,
                format!("`{local}` in the namespace `{}` is not supported.", excerpt(uri)),
            );
            if uri.starts_with(NAMESPACE_PREFIX) {
                return Err(fault);
            }
            self.unknown.get_or_insert(fault);
            return Ok(Place::Wrapper);
        };
        let taken = if local == "AppHdr" { &self.header } else { &self.document };
        if taken.is_some() {
            let text = format!("There is more than one `{local}`.");
            return Err(Fault::at("xml.repeated", start, text));
        }
        let decoded = std::mem::take(&mut self.scratch);
        let mut part = Part::new(table, root, namespace, self.limits, decoded, self.source);
        let scope = InScope { namespaces: &self.namespaces, default: self.scope.default };
        part.open_root(&tag, &self.attributes, &scope);
        self.part = Some(part);
        Ok(Place::Part)
    }

    fn read_attributes(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let decoded = match &mut self.part {
            Some(part) => part.decoded(),
            None => &mut self.scratch,
        };
        attributes::parse(self.source, start, end, self.limits, decoded, &mut self.attributes)?;
        self.attribute_count += self.attributes.len();
        if self.attribute_count > self.limits.elements_max {
            let text = "The message has too many attributes.";
            return Err(Fault::at("limit.attributes", start, text));
        }
        for at in 0..self.attributes.len() {
            let attribute = &self.attributes[at];
            let decoded = self.part.as_ref().map_or(&self.scratch, Part::decoded_text);
            let prefix = match (attribute.prefix, attribute.local) {
                ("", "xmlns") => "",
                ("xmlns", prefix) => prefix,
                _ => continue,
            };
            let uri = attribute.value.resolve(self.source, decoded);
            let declared = self.namespaces.declare(self.scope, prefix, uri, attribute.offset)?;
            self.scope = declared;
        }
        self.check_unique()
    }

    /// No two attributes may share an expanded name; every prefix must be declared.
    fn check_unique(&self) -> Result<(), Fault> {
        for (at, attribute) in self.attributes.iter().enumerate() {
            let namespace = self.attribute_namespace(attribute)?;
            for earlier in &self.attributes[..at] {
                if earlier.local == attribute.local
                    && self.attribute_namespace(earlier)? == namespace
                {
                    let text = "An element carries an attribute twice.";
                    return Err(Fault::at("xml.attribute", attribute.offset, text));
                }
            }
        }
        Ok(())
    }

    fn attribute_namespace(&self, attribute: &Attribute<'_>) -> Result<NamespaceId, Fault> {
        if attribute.prefix.is_empty() {
            return Ok(names::NO_NAMESPACE);
        }
        self.prefixed(attribute.prefix, attribute.offset)
    }

    fn resolve(&self, prefix: &str, offset: usize) -> Result<NamespaceId, Fault> {
        if prefix.is_empty() { Ok(self.scope.default) } else { self.prefixed(prefix, offset) }
    }

    fn prefixed(&self, prefix: &str, offset: usize) -> Result<NamespaceId, Fault> {
        self.namespaces.resolve(prefix).ok_or_else(|| {
            Fault::at("xml.namespace", offset, "A namespace prefix is not declared.")
        })
    }

    fn end(&mut self, offset: usize) -> Result<(), Fault> {
        let unmatched = || Fault::at("xml.well-formed", offset, "An end tag has no start tag.");
        let frame = self.frames.pop().ok_or_else(unmatched)?;
        self.scope = frame.outer;
        self.namespaces.leave(frame.outer);
        let is_done = match (frame.place, &mut self.part) {
            (Place::Part, Some(part)) => part.end(offset),
            _ => false,
        };
        if is_done && let Some(part) = self.part.take() {
            let is_document = part.is_document();
            let source = self.shared.get_or_insert_with(|| Arc::from(self.source));
            let done = Some(part.finish(Arc::clone(source)));
            *(if is_document { &mut self.document } else { &mut self.header }) = done;
        }
        Ok(())
    }

    fn text(&mut self, text: &Text) -> Result<(), Fault> {
        let (start, end) = (text.start, text.end);
        if self.frames.is_empty() {
            if text.is_blank() {
                return Ok(());
            }
            return Err(Fault::at("xml.well-formed", start, "There is text outside the root."));
        }
        if text.has_bracket() {
            let raw = &self.source.as_bytes()[start..end];
            if let Some(at) = memchr::memmem::find(raw, b"]]>") {
                return Err(Fault::at("xml.well-formed", start + at, "`]]>` stands in text."));
            }
        }
        if !text.has_reference() {
            self.characters(start, end, text.has_return(), text.is_blank());
            return Ok(());
        }
        let mut at = start;
        while at < end {
            let bytes = self.source.as_bytes();
            let next = memchr::memchr(b'&', &bytes[at..end]).map_or(end, |found| at + found);
            if next > at {
                self.characters(at, next, text.has_return(), false);
            }
            if next == end {
                break;
            }
            let length = memchr::memchr(b';', &bytes[next..end]);
            let semicolon = next + length.ok_or_else(|| bad_reference(next))?;
            self.reference(next, semicolon + 1)?;
            at = semicolon + 1;
        }
        Ok(())
    }

    fn cdata(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        if self.frames.is_empty() {
            return Err(Fault::at("xml.well-formed", start, "There is text outside the root."));
        }
        if let Some(part) = &mut self.part {
            part.before_cdata(start);
        }
        let (start, end) = (start + "<![CDATA[".len(), end - "]]>".len());
        self.characters(start, end, true, false);
        Ok(())
    }

    fn characters(&mut self, start: usize, end: usize, has_return: bool, is_blank: bool) {
        let Some(part) = &mut self.part else { return };
        let raw = &self.source[start..end];
        if has_return && raw.contains('\r') {
            let unified = raw.replace("\r\n", "\n").replace('\r', "\n");
            part.decoded_characters(&unified, start);
        } else {
            part.characters(start, end, is_blank);
        }
    }

    /// A reference in text.
    fn reference(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let name = &self.source[start + 1..end - 1];
        let character = names::resolve_reference(name).ok_or_else(|| bad_reference(start))?;
        if let Some(part) = &mut self.part {
            part.decoded_characters(character.encode_utf8(&mut [0; 4]), start);
        }
        Ok(())
    }

    /// The XML declaration: only at the very start, version 1.x, encoding UTF-8.
    fn declaration(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let malformed = || Fault::at("xml.declaration", start, "The XML declaration is malformed.");
        if start != scan::first(self.source) {
            return Err(malformed());
        }
        let mut scratch = String::new();
        let mut found = Vec::new();
        let (from, to) = (start + "<?xml".len(), end - "?>".len());
        attributes::parse(self.source, from, to, self.limits, &mut scratch, &mut found)?;
        let mut position = 0;
        for attribute in &found {
            let value = attribute.value.resolve(self.source, &scratch);
            let (order, legal) = match attribute.local {
                "version" => {
                    let minor = value.strip_prefix("1.").unwrap_or("");
                    (1, !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
                }
                "encoding" if !value.eq_ignore_ascii_case("utf-8") => {
                    let text = "The message is not declared as UTF-8.";
                    return Err(Fault::at("xml.encoding", attribute.offset, text));
                }
                "encoding" => (2, true),
                "standalone" => (3, value == "yes" || value == "no"),
                _ => (0, false),
            };
            if !attribute.prefix.is_empty() || !legal || order <= position {
                return Err(malformed());
            }
            position = order;
        }
        if found.first().is_none_or(|first| first.local != "version") {
            return Err(malformed());
        }
        Ok(())
    }

    fn instruction(&self, start: usize, end: usize) -> Result<(), Fault> {
        let inner = &self.source[start + 2..end - 2];
        let target = inner.split([' ', '\t', '\n', '\r']).next().unwrap_or("");
        // Colons are frowned upon in targets, but a validator in wide use lets them pass.
        let is_name = target.split(':').all(names::is_local_name);
        if !is_name || target.eq_ignore_ascii_case("xml") {
            let text = "A processing instruction is malformed.";
            return Err(Fault::at("xml.well-formed", start, text));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Parsed, Fault> {
        let end = self.source.len();
        if !self.frames.is_empty() {
            return Err(Fault::at("xml.well-formed", end, "The message ends inside an element."));
        }
        if !self.root_seen {
            return Err(Fault::at("xml.well-formed", end, "The message has no element."));
        }
        let bytes = self.source.as_bytes();
        let unknown = self.unknown.take().map(|fault| fault.finding(bytes));
        Ok(Parsed { header: self.header, document: self.document, unknown })
    }
}
