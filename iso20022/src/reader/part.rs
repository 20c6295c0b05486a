//! One `AppHdr` or `Document` while it is read: automaton, facets, growing tree, findings.
//!
//! After a violation the automaton keeps its state and goes on: a misplaced element is still
//! checked inside, an unknown one is kept unchecked. So one reading reports all there is to say,
//! up to the limit, and a single mistake does not drown the rest.

mod attributes;
mod characters;
mod explain;
mod foreign;

use super::Fault;
use super::attributes::Attribute;
use super::names::{NamespaceId, Namespaces, SIGNATURE};
use crate::class::Class;
use crate::finding::{Finding, Layer, Severity, excerpt, line_at};
use crate::limits::{DECLARATIONS_BASE, DECLARATIONS_BYTES, Limits};
use crate::name::MessageName;
use crate::table::{Key, Kind, Root, State, Step, Table, Term, TypeId};
use crate::tree::{AttributeData, NONE, NodeData, NodeKind, Span, Tree};
use attributes::Store;
use explain::rule_of;
use foreign::Declaration;
use std::sync::Arc;

pub(crate) use explain::describe;

/// A start tag.
pub(super) struct Tag<'s> {
    pub(super) namespace: NamespaceId,
    pub(super) local: &'s str,
    pub(super) key: Key,
    pub(super) local_span: Span,
    pub(super) qualified: Span,
    pub(super) offset: usize,
}

/// A part that has been read whole.
pub(crate) struct ReadPart {
    pub(crate) message: MessageName,
    pub(crate) tree: Tree,
    pub(crate) findings: Vec<Finding>,
}

/// How the content of an open element is treated.
#[derive(Clone, Copy)]
enum Mode {
    /// Child elements by the content model of this type.
    Complex(TypeId, State),
    /// Text with facets.
    Text(TypeId),
    /// Under a wildcard: only elements that have a declaration are checked.
    Foreign,
    /// Not known to the schema, already reported: kept, not checked.
    Unchecked,
}

struct Open {
    mode: Mode,
    node: u32,
    last_child: u32,
    /// True once content of the wrong kind has been reported, so that it is reported once.
    stray: bool,
}

/// A finding whose path is worked out when the tree is complete.
struct Pending {
    node: u32,
    /// What follows the node's path: `/Child` or `/@Attribute`.
    suffix: String,
    offset: usize,
    value: String,
    rule: &'static str,
    code: &'static str,
    text: String,
}

pub(super) struct Part<'s> {
    table: &'s Table,
    root: &'s Root,
    namespace: NamespaceId,
    findings_max: usize,
    decoded: String,
    nodes: Vec<NodeData>,
    attributes: Vec<AttributeData>,
    open: Vec<Open>,
    /// Text of the innermost element in mode `Text`.
    text: Span,
    pending: Vec<Pending>,
    /// Declarations that foreign elements carry.
    declarations: Vec<Declaration<'s>>,
    /// How many more declarations foreign elements may carry in all.
    declarations_left: usize,
    source: &'s str,
}

/// The namespace declarations in scope at a start tag.
pub(super) struct InScope<'a, 's> {
    pub(super) namespaces: &'a Namespaces<'s>,
    pub(super) default: NamespaceId,
}

impl<'s> Part<'s> {
    pub(super) fn new(
        table: &'s Table,
        root: &'s Root,
        namespace: NamespaceId,
        limits: &Limits,
        decoded: String,
        source: &'s str,
    ) -> Self {
        // Real messages have an element for about every 30 bytes; growing later is cheap.
        let expected = (source.len() / 32).clamp(8, 32_768);
        Self {
            table,
            root,
            namespace,
            findings_max: limits.findings_max,
            decoded,
            nodes: Vec::with_capacity(expected),
            attributes: Vec::with_capacity(8),
            open: Vec::with_capacity(16),
            text: Span::EMPTY,
            pending: Vec::new(),
            declarations: Vec::new(),
            declarations_left: DECLARATIONS_BASE + source.len() / DECLARATIONS_BYTES,
            source,
        }
    }

    pub(super) fn decoded(&mut self) -> &mut String {
        &mut self.decoded
    }

    pub(super) fn decoded_text(&self) -> &String {
        &self.decoded
    }

    pub(super) fn is_document(&self) -> bool {
        self.root.element != "AppHdr"
    }

    pub(super) fn open_root(
        &mut self,
        tag: &Tag<'s>,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
    ) {
        self.push_typed(tag, self.root.type_id, attributes, scope);
    }

    pub(super) fn start(
        &mut self,
        tag: &Tag<'s>,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
    ) -> Result<(), Fault> {
        let parent = self.open.last().expect("a part is only alive while its root is open");
        let (mode, node) = (parent.mode, parent.node);
        match mode {
            Mode::Complex(type_id, state) => match self.choose(tag, type_id, state, node) {
                Some(Term::Element(child)) => {
                    self.push_typed(tag, child, attributes, scope);
                }
                Some(Term::Any | Term::AnySignature) => {
                    self.push_foreign(tag, attributes, scope, true)?;
                }
                None => self.push_unchecked(tag, attributes),
            },
            Mode::Text(_) => {
                self.report(Pending {
                    node,
                    suffix: format!("/{}", tag.local),
                    offset: tag.offset,
                    value: String::new(),
                    rule: "schema.unexpected",
                    code: "CH17",
                    text: format!("`{}` stands where only text is allowed.", excerpt(tag.local)),
                });
                if let Some(open) = self.open.last_mut() {
                    open.stray = true;
                }
                self.push_unchecked(tag, attributes);
            }
            Mode::Foreign => self.push_foreign(tag, attributes, scope, false)?,
            Mode::Unchecked => self.push_unchecked(tag, attributes),
        }
        Ok(())
    }

    /// Runs the automaton for a child element; `None` when the schema does not know it.
    fn choose(&mut self, tag: &Tag<'s>, type_id: TypeId, state: State, node: u32) -> Option<Term> {
        let Kind::Complex(content) = &self.table.type_of(type_id).kind else {
            unreachable!("only complex types have this mode")
        };
        let mut state = state;
        let (option, complaint) = if content.is_wildcard() {
            let option = content.step_wildcard(&mut state, tag.namespace == SIGNATURE);
            (
                option,
                option.is_none().then_some(("schema.unexpected", "CH17", "is not allowed here")),
            )
        } else if tag.namespace != self.namespace {
            (None, Some(("schema.unexpected", "CH17", "is in a foreign namespace")))
        } else {
            match content.step_keyed(&mut state, tag.local, tag.key) {
                Step::Accepted(option) => (Some(option), None),
                Step::Skipped { option, missing } => {
                    let names = content.slot_names(missing);
                    self.report_missing(node, &content.options[missing].name, &names, tag.offset);
                    (Some(option), None)
                }
                Step::Misplaced(option) => (
                    Some(option),
                    Some(("schema.order", "CH17", "is out of order or comes too often")),
                ),
                Step::Unknown => (None, Some(("schema.unexpected", "CH17", "is not known here"))),
            }
        };
        if let Some((rule, code, reason)) = complaint
            && self.pending.len() < self.findings_max
        {
            self.report(Pending {
                node,
                suffix: format!("/{}", tag.local),
                offset: tag.offset,
                value: String::new(),
                rule,
                code,
                text: format!("`{}` {reason}.", excerpt(tag.local)),
            });
        }
        if let Some(parent) = self.open.last_mut() {
            parent.mode = Mode::Complex(type_id, state);
        }
        option.map(|option| content.options[option].term)
    }

    fn report_missing(&mut self, node: u32, name: &str, names: &str, offset: usize) {
        let suffix = if name.is_empty() { String::new() } else { format!("/{name}") };
        self.report(Pending {
            node,
            suffix,
            offset,
            value: String::new(),
            rule: "schema.missing",
            code: "CH21",
            text: format!("{names} is missing."),
        });
    }

    fn report(&mut self, pending: Pending) {
        if self.pending.len() < self.findings_max {
            self.pending.push(pending);
        }
    }

    fn push_node(&mut self, kind: NodeKind, name: Span, offset: usize) -> u32 {
        let id = self.nodes.len() as u32;
        let parent = match self.open.last_mut() {
            Some(parent) => {
                if parent.last_child == NONE {
                    self.nodes[parent.node as usize].first_child = id;
                } else {
                    self.nodes[parent.last_child as usize].next = id;
                }
                parent.last_child = id;
                parent.node
            }
            None => NONE,
        };
        self.nodes.push(NodeData {
            kind,
            class: Class::OTHER,
            attribute_count: 0,
            name,
            text: Span::EMPTY,
            parent,
            first_child: NONE,
            next: NONE,
            attributes: self.attributes.len() as u32,
            offset: offset as u32,
        });
        id
    }

    fn push_attribute(&mut self, node: u32, name: Span, value: Span) {
        self.attributes.push(AttributeData { name, value });
        self.nodes[node as usize].attribute_count += 1;
    }

    fn push_typed(
        &mut self,
        tag: &Tag<'s>,
        type_id: TypeId,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
    ) {
        let node = self.push_node(NodeKind::Element, tag.local_span, tag.offset);
        let known = self.table.type_of(type_id);
        self.nodes[node as usize].class = known.class;
        let mode = match &known.kind {
            Kind::Complex(_) => Mode::Complex(type_id, State::START),
            Kind::Simple(_) | Kind::Attributed { .. } => Mode::Text(type_id),
        };
        self.text = Span::EMPTY;
        self.open.push(Open { mode, node, last_child: NONE, stray: false });
        self.check_attributes(tag, type_id, node, attributes, scope, Store::Now);
    }

    /// Ends the innermost element; true when that was the root of this part.
    pub(super) fn end(&mut self, offset: usize) -> bool {
        let open = self.open.pop().expect("the reader ends as many elements as it starts");
        match open.mode {
            Mode::Complex(type_id, state) => {
                let Kind::Complex(content) = &self.table.type_of(type_id).kind else {
                    unreachable!("only complex types have this mode")
                };
                if let Some(missing) = content.missing_at_end(state) {
                    let names = content.slot_names(missing);
                    self.report_missing(open.node, &content.options[missing].name, &names, offset);
                }
            }
            Mode::Text(type_id) => self.end_text(&open, type_id),
            Mode::Foreign | Mode::Unchecked => {}
        }
        self.open.is_empty()
    }

    fn end_text(&mut self, open: &Open, type_id: TypeId) {
        let span = std::mem::replace(&mut self.text, Span::EMPTY);
        self.nodes[open.node as usize].text = span;
        // A text with elements inside has been reported; what is left of it says nothing.
        if open.stray {
            return;
        }
        let Some(simple) = self.table.simple(type_id) else { return };
        let text = span.resolve(self.source, &self.decoded);
        if let Err(misfit) = self.table.check(simple, text) {
            let value = excerpt(text);
            self.report(Pending {
                node: open.node,
                suffix: String::new(),
                offset: self.nodes[open.node as usize].offset as usize,
                value,
                rule: rule_of(misfit),
                code: "CH16",
                text: describe(self.table, simple, misfit),
            });
        }
    }

    pub(super) fn finish(self, source: Arc<str>) -> ReadPart {
        let message = self.root.message;
        let tree = Tree {
            source,
            decoded: self.decoded,
            nodes: self.nodes,
            attributes: self.attributes,
            message,
        };
        let findings = self.pending.into_iter().map(|pending| Finding {
            layer: Layer::Schema,
            severity: Severity::Error,
            message: message.to_string(),
            path: tree.node(pending.node).path() + &pending.suffix,
            offset: pending.offset,
            line: line_at(&tree.source, pending.offset),
            value: pending.value,
            rule: pending.rule,
            code: pending.code,
            text: pending.text,
        });
        let findings = findings.collect();
        ReadPart { message, tree, findings }
    }
}
