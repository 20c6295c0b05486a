//! What the reader objects to: transport (L0) and schema (L1), listed for documents and `explain`.
//!
//! These rules are part of reading a message and have no function here.

use crate::finding::Layer;

/// A rule of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderRule {
    /// Identifier, stable, e.g. `schema.missing`.
    pub id: &'static str,
    /// Layer of the findings.
    pub layer: Layer,
    /// What it asks for.
    pub text: &'static str,
}

/// Reason codes that findings on transport and schema may carry.
pub const READER_CODES: [&str; 5] = ["FF01", "CH16", "CH17", "CH21", "AM11"];

const fn transport(id: &'static str, text: &'static str) -> ReaderRule {
    ReaderRule { id, layer: Layer::Transport, text }
}

const fn schema(id: &'static str, text: &'static str) -> ReaderRule {
    ReaderRule { id, layer: Layer::Schema, text }
}

/// Every rule of the reader.
pub static READER: &[ReaderRule] = &[
    transport("input.file", "The file can be read; told by the command-line tool."),
    transport("limit.bytes", "The input is not larger than the limit."),
    transport("limit.depth", "Elements are not nested deeper than the limit."),
    transport("limit.attributes", "No element has more attributes than the limit."),
    transport("limit.elements", "The input has no more elements than the limit."),
    transport(
        "limit.context",
        "What stands around the transactions of a file is within the limit.",
    ),
    transport("limit.namespaces", "The input declares no more namespaces than the limit."),
    transport("xml.encoding", "The input is UTF-8 and says nothing else of itself."),
    transport("xml.character", "Every character is one that XML 1.0 allows."),
    transport("xml.declaration", "The XML declaration, if any, comes first and is well-formed."),
    transport("xml.doctype", "The input has no document type declaration."),
    transport("xml.entity", "Only the five entities of XML and characters by number are used."),
    transport("xml.well-formed", "The input is well-formed XML."),
    transport("xml.name", "Names of elements and attributes are well-formed."),
    transport("xml.attribute", "Attributes are well-formed and no attribute comes twice."),
    transport("xml.namespace", "Every prefix is declared, and declarations are well-formed."),
    transport("xml.repeated", "There is one `Document` and at most one `AppHdr`."),
    transport("xml.absent", "There is a `Document` in the namespace of a message."),
    transport("xml.unknown-namespace", "The namespace is that of a message that is supported."),
    schema("schema.missing", "Every required element and attribute is there."),
    schema("schema.unexpected", "Every element is one that its parent may hold."),
    schema("schema.order", "Elements come in the order of the schema and not too often."),
    schema("schema.attribute", "Every attribute is one that its element may have."),
    schema("schema.text", "Text stands only in elements that hold text."),
    schema("schema.type", "A value has the form of its type (date, number, ...)."),
    schema("schema.length", "A value is neither shorter nor longer than its type allows."),
    schema("schema.pattern", "A value matches the pattern of its type."),
    schema("schema.enumeration", "A value is one of the codes of its type."),
    schema("schema.digits", "A number has no more digits than its type allows."),
    schema("schema.minimum", "A number is not below the minimum of its type."),
    schema("schema.maximum", "A number is not above the maximum of its type."),
    schema("schema.amount", "An amount is a decimal number with a currency."),
];
