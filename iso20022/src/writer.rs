//! Writing: trees back to XML, and drafts to messages that are valid by construction.
//!
//! [`write()`] gives back the content of a tree in canonical form (one default namespace, no
//! prefixes, values as they were). [`Draft`] is what builders fill in; writing a draft walks the
//! schema table, puts elements into schema order and runs the same automaton and facets as the
//! reader, so nothing invalid leaves.

mod draft;
mod short;

pub use draft::{BuildError, Draft};
pub use short::{Short, Text};

use crate::name::MessageName;
use crate::tree::{Node, NodeKind, Tree};

/// The XML declaration that every written message starts with.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// What to do with an element while a tree is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// Write it as it is.
    Keep,
    /// Write it with this text.
    Text(&'a str),
    /// Write it with text and attributes of another element.
    ContentOf(Node<'a>),
}

/// Writes a tree as a document of its own. Reading the result gives the same content.
#[must_use]
pub fn write(tree: &Tree) -> Vec<u8> {
    let mut out = String::with_capacity(tree.source().len() + 64);
    out.push_str(DECLARATION);
    element(&mut out, tree.root(), Some(tree.message()), None, &|_| Change::Keep);
    out.into_bytes()
}

/// Writes a tree for people: as [`write()`], but each element on a line of its own. Only white space
/// that means nothing is added, so reading the result gives the same content.
#[must_use]
pub fn write_indented(tree: &Tree) -> Vec<u8> {
    let mut out = String::with_capacity(tree.source().len() * 2);
    out.push_str(DECLARATION);
    element(&mut out, tree.root(), Some(tree.message()), Some(0), &|_| Change::Keep);
    out.push('\n');
    out.into_bytes()
}

/// Writes a document of which the body has only these of its children, with changes; `decide` is
/// asked for each element of the message's namespace in them. Costs what it writes: the other
/// children, of which a batch has many, are not visited.
pub(crate) fn write_selected<'a>(
    body: Node<'a>,
    children: impl IntoIterator<Item = Node<'a>>,
    decide: &dyn Fn(Node<'a>) -> Change<'a>,
) -> Vec<u8> {
    let tree = body.tree();
    let mut out = String::with_capacity(tree.source().len().min(4096) + 64);
    out.push_str(DECLARATION);
    start(&mut out, tree.root(), tree.root(), Some(tree.message()));
    out.push('>');
    start(&mut out, body, body, None);
    out.push('>');
    for child in children {
        element(&mut out, child, None, None, decide);
    }
    end(&mut out, body);
    end(&mut out, tree.root());
    out.into_bytes()
}

/// Writes header and document into one `Envelope`.
#[must_use]
pub fn write_envelope(header: &Tree, document: &Tree) -> Vec<u8> {
    let mut out = String::with_capacity(document.source().len() + 64);
    out.push_str(DECLARATION);
    out.push_str("<Envelope>");
    for tree in [header, document] {
        element(&mut out, tree.root(), Some(tree.message()), None, &|_| Change::Keep);
    }
    out.push_str("</Envelope>");
    out.into_bytes()
}

/// Writes header and document into one `Envelope` for people; see [`write_indented`].
#[must_use]
pub fn write_envelope_indented(header: &Tree, document: &Tree) -> Vec<u8> {
    let mut out = String::with_capacity(document.source().len() * 2);
    out.push_str(DECLARATION);
    out.push_str("<Envelope>");
    for tree in [header, document] {
        line(&mut out, 1);
        element(&mut out, tree.root(), Some(tree.message()), Some(1), &|_| Change::Keep);
    }
    out.push_str("\n</Envelope>\n");
    out.into_bytes()
}

/// A new line at this depth.
fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Depth is bounded by the reader's limit, so plain recursion is safe.
fn element<'a>(
    out: &mut String,
    node: Node<'a>,
    namespace: Option<MessageName>,
    depth: Option<usize>,
    decide: &dyn Fn(Node<'a>) -> Change<'a>,
) {
    let change = if node.kind() == NodeKind::Element { decide(node) } else { Change::Keep };
    let content = match change {
        Change::ContentOf(other) => other,
        Change::Keep | Change::Text(_) => node,
    };
    start(out, node, content, namespace);
    let mut nodes = node.nodes().peekable();
    let text = match change {
        Change::Text(text) => text,
        _ if node.kind() == NodeKind::Element => content.text(),
        _ => "",
    };
    if text.is_empty() && nodes.peek().is_none() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    escape_text(out, text);
    // Between elements that the schema describes white space means nothing; elsewhere it may.
    let described = nodes.peek().is_some_and(|child| child.kind() == NodeKind::Element);
    let inner = depth.filter(|_| described && text.is_empty()).map(|depth| depth + 1);
    for child in nodes {
        if let Some(depth) = inner {
            line(out, depth);
        }
        if child.kind() == NodeKind::Text {
            escape_text(out, child.text());
        } else {
            element(out, child, None, inner, decide);
        }
    }
    if let Some(depth) = depth.filter(|_| inner.is_some()) {
        line(out, depth);
    }
    end(out, node);
}

/// A start tag without its closing bracket, with the attributes of `content`.
fn start(out: &mut String, node: Node<'_>, content: Node<'_>, namespace: Option<MessageName>) {
    out.push('<');
    out.push_str(node.name());
    if let Some(namespace) = namespace {
        out.push_str(" xmlns=\"");
        out.push_str(&namespace.namespace());
        out.push('"');
    }
    for (name, value) in content.attributes() {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape_attribute(out, value);
        out.push('"');
    }
}

fn end(out: &mut String, node: Node<'_>) {
    out.push_str("</");
    out.push_str(node.name());
    out.push('>');
}

/// Appends character data. A carriage return is written as a reference, or it would be read back
/// as a line feed.
pub(crate) fn escape_text(out: &mut String, text: &str) {
    escape(out, text, |byte| match byte {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends an attribute value for double quotes.
pub(crate) fn escape_attribute(out: &mut String, text: &str) {
    escape(out, text, |byte| match byte {
        b'<' => Some("&lt;"),
        b'&' => Some("&amp;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends a text with a reference in place of each ASCII character that `reference` has one for.
fn escape(out: &mut String, text: &str, reference: impl Fn(u8) -> Option<&'static str>) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(reference) = reference(byte) {
            out.push_str(&text[from..at]);
            out.push_str(reference);
            from = at + 1;
        }
    }
    out.push_str(&text[from..]);
}
