//! The streaming reader: bytes in, validated trees and findings out.
//!
//! One pass: the tokeniser finds markup, this module checks what a tokeniser leaves open
//! (characters, names, references, namespaces, limits), and [`part`] runs the content automaton
//! and the facets while the tree grows. `AppHdr` and `Document` are found by expanded name in any
//! wrapper. What breaks XML or a limit ends the reading with a [`Fault`]; what breaks the schema
//! becomes a finding and the reading goes on.

mod attributes;
mod names;
mod part;

use crate::finding::{Finding, Layer, Severity, excerpt, line_at};
use crate::limits::Limits;
use crate::name::{MessageName, NAMESPACE_PREFIX};
use crate::table;
use crate::tree::Span;
use attributes::{Attribute, bad_reference};
pub(crate) use names::is_xml_char;
use names::{NamespaceId, Namespaces, Scope};
use part::{InScope, Part};
use quick_xml::Reader as Tokeniser;
use quick_xml::events::Event;
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
    fn at(rule: &'static str, offset: usize, text: impl Into<String>) -> Self {
        Self { rule, offset, text: text.into() }
    }

    fn finding(self, bytes: &[u8]) -> Finding {
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
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Parsed, Finding> {
    read_inner(bytes, limits).map_err(|fault| fault.finding(bytes))
}

fn read_inner(bytes: &[u8], limits: &Limits) -> Result<Parsed, Fault> {
    if bytes.len() > limits.bytes_max.min((u32::MAX / 2) as usize) {
        return Err(Fault::at("limit.bytes", 0, "The message is larger than allowed."));
    }
    let source = std::str::from_utf8(bytes)
        .map_err(|e| Fault::at("xml.encoding", e.valid_up_to(), "The message is not UTF-8."))?;
    if let Some(at) = names::forbidden_char(source) {
        return Err(Fault::at("xml.character", at, "A character is not allowed in XML."));
    }
    let base = if source.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let mut tokeniser = Tokeniser::from_str(&source[base..]);
    tokeniser.config_mut().check_comments = true;
    let mut reader = Reader::new(source, limits);
    loop {
        let start = base + tokeniser.buffer_position() as usize;
        let event = tokeniser.read_event().map_err(|error| {
            let offset = base + tokeniser.error_position() as usize;
            Fault::at("xml.well-formed", offset, format!("The XML is not well-formed: {error}."))
        })?;
        let end = base + tokeniser.buffer_position() as usize;
        match event {
            Event::Start(tag) => reader.start(start, tag.name().as_ref().len(), end - 1)?,
            Event::Empty(tag) => {
                reader.start(start, tag.name().as_ref().len(), end - 2)?;
                reader.end(start)?;
            }
            Event::End(_) => reader.end(start)?,
            Event::Text(_) => reader.text(start, end)?,
            Event::CData(_) => reader.cdata(start, end)?,
            Event::GeneralRef(_) => reader.reference(start, end)?,
            Event::Decl(_) => reader.declaration(start, end, base)?,
            Event::PI(_) => reader.instruction(start, end)?,
            Event::DocType(_) => {
                return Err(Fault::at("xml.doctype", start, "DOCTYPE is not allowed."));
            }
            Event::Comment(_) => {}
            Event::Eof => return reader.finish(),
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
}

struct Reader<'s> {
    source: &'s str,
    limits: &'s Limits,
    shared: Arc<str>,
    carriage_returns: bool,
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
    elements: usize,
    root_seen: bool,
}

impl<'s> Reader<'s> {
    fn new(source: &'s str, limits: &'s Limits) -> Self {
        Self {
            source,
            limits,
            shared: Arc::from(source),
            carriage_returns: memchr::memchr(b'\r', source.as_bytes()).is_some(),
            namespaces: Namespaces::new(),
            scope: Scope::OUTER,
            frames: Vec::with_capacity(limits.depth_max.min(64)),
            attributes: Vec::new(),
            scratch: String::new(),
            part: None,
            header: None,
            document: None,
            unknown: None,
            elements: 0,
            root_seen: false,
        }
    }

    /// A start tag at `start`: the name has `name_length` bytes, attributes end at `end`.
    fn start(&mut self, start: usize, name_length: usize, end: usize) -> Result<(), Fault> {
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
        let name_end = start + 1 + name_length;
        let outer = self.scope;
        self.attributes.clear();
        if name_end < end {
            self.read_attributes(name_end, end)?;
        }
        let name = &self.source[start + 1..name_end];
        let (prefix, local) = names::split(name)
            .ok_or_else(|| Fault::at("xml.name", start, "An element name is malformed."))?;
        let namespace = self.resolve(prefix, start)?;
        let place = self.enter(namespace, local, start, name_end)?;
        self.frames.push(Frame { place, outer });
        Ok(())
    }

    fn enter(
        &mut self,
        namespace: NamespaceId,
        local: &'s str,
        start: usize,
        name_end: usize,
    ) -> Result<Place, Fault> {
        let tag = part::Tag {
            namespace,
            local,
            local_span: Span::source(name_end - local.len(), name_end),
            qualified: Span::source(start + 1, name_end),
            offset: start,
        };
        if let Some(part) = &mut self.part {
            let scope = InScope { namespaces: &self.namespaces, default: self.scope.default };
            part.start(&tag, &self.attributes, &scope)?;
            return Ok(Place::Part);
        }
        if local != "Document" && local != "AppHdr" {
            return Ok(Place::Wrapper);
        }
        let uri = self.namespaces.uri(namespace);
        let known = MessageName::from_namespace(uri)
            .and_then(table::root_of)
            .filter(|(_, root)| root.element == local);
        let Some((table, root)) = known else {
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
        let taken = if local == "Document" { &self.document } else { &self.header };
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
        if frame.place == Place::Part
            && let Some(mut part) = self.part.take()
        {
            if part.end(offset) {
                let is_document = part.is_document();
                let done = part.finish(Arc::clone(&self.shared));
                if is_document {
                    self.document = Some(done);
                } else {
                    self.header = Some(done);
                }
            } else {
                self.part = Some(part);
            }
        }
        Ok(())
    }

    fn text(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let raw = &self.source[start..end];
        let bytes = raw.as_bytes();
        for at in memchr::memchr_iter(b'>', bytes) {
            if at >= 2 && &bytes[at - 2..at] == b"]]" {
                return Err(Fault::at("xml.well-formed", start + at, "`]]>` stands in text."));
            }
        }
        if self.frames.is_empty() {
            if raw.bytes().all(is_space) {
                return Ok(());
            }
            return Err(Fault::at("xml.well-formed", start, "There is text outside the root."));
        }
        self.characters(start, end);
        Ok(())
    }

    fn cdata(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        if self.frames.is_empty() {
            return Err(Fault::at("xml.well-formed", start, "There is text outside the root."));
        }
        self.characters(start + "<![CDATA[".len(), end - "]]>".len());
        Ok(())
    }

    fn characters(&mut self, start: usize, end: usize) {
        let Some(part) = &mut self.part else { return };
        let raw = &self.source[start..end];
        if self.carriage_returns && raw.contains('\r') {
            let unified = raw.replace("\r\n", "\n").replace('\r', "\n");
            part.decoded_characters(&unified, start);
        } else {
            part.characters(start, end);
        }
    }

    fn reference(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let name = &self.source[start + 1..end - 1];
        let character = names::resolve_reference(name).ok_or_else(|| bad_reference(start))?;
        if self.frames.is_empty() {
            return Err(Fault::at("xml.well-formed", start, "There is text outside the root."));
        }
        if let Some(part) = &mut self.part {
            part.decoded_characters(character.encode_utf8(&mut [0; 4]), start);
        }
        Ok(())
    }

    /// The XML declaration: only at the very start, version 1.x, encoding UTF-8.
    fn declaration(&mut self, start: usize, end: usize, base: usize) -> Result<(), Fault> {
        let malformed = || Fault::at("xml.declaration", start, "The XML declaration is malformed.");
        if start != base {
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
        if !names::is_local_name(target) || target.eq_ignore_ascii_case("xml") {
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
