//! The arena tree of one `Document` or `AppHdr`.
//!
//! Nodes are indices into one vector and texts are ranges of the input (or of a side buffer when
//! references or line ends had to be decoded), so a tree costs one allocation per kind of thing.
//! Original lexical values are kept. Namespace prefixes are not: a tree has one namespace, and
//! content under a wildcard keeps its qualified names and carries the declarations it needs.

use crate::class::Class;
use crate::finding::line_at;
use crate::name::MessageName;
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

pub(crate) const NONE: u32 = u32::MAX;
const DECODED: u32 = 1 << 31;

/// A range of the input, or of the decoded buffer when the top bit of `start` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub(crate) const EMPTY: Self = Self { start: 0, length: 0 };

    /// A range of the input, which is below 2 GiB.
    pub(crate) fn source(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 }
    }

    /// A range of the decoded buffer, which is never longer than the input times a small factor.
    pub(crate) fn decoded(start: usize, end: usize) -> Self {
        Self { start: start as u32 | DECODED, length: (end - start) as u32 }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.length == 0
    }

    fn is_decoded(self) -> bool {
        self.start & DECODED != 0
    }

    /// Start and end in the decoded buffer; `None` for a range of the input.
    pub(crate) fn decoded_range(self) -> Option<(usize, usize)> {
        let start = (self.start & !DECODED) as usize;
        self.is_decoded().then_some((start, start + self.length as usize))
    }

    pub(crate) fn resolve<'a>(self, source: &'a str, decoded: &'a str) -> &'a str {
        let start = (self.start & !DECODED) as usize;
        let text = if self.is_decoded() { decoded } else { source };
        &text[start..start + self.length as usize]
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// An element of the message's own namespace; the name is local.
    Element,
    /// An element under a wildcard (or not known to the schema); the name is qualified.
    Foreign,
    /// Character data between foreign elements.
    Text,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeData {
    pub(crate) kind: NodeKind,
    /// Class of the element's type.
    pub(crate) class: Class,
    pub(crate) attribute_count: u16,
    pub(crate) name: Span,
    pub(crate) text: Span,
    pub(crate) parent: u32,
    pub(crate) first_child: u32,
    pub(crate) next: u32,
    pub(crate) attributes: u32,
    pub(crate) offset: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct AttributeData {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// The content of one `Document` or `AppHdr` element.
#[derive(Clone)]
pub struct Tree {
    pub(crate) source: Arc<str>,
    pub(crate) decoded: String,
    pub(crate) nodes: Vec<NodeData>,
    pub(crate) attributes: Vec<AttributeData>,
    pub(crate) message: MessageName,
}

/// One element of a [`Tree`]. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    tree: &'a Tree,
    id: u32,
}

impl Tree {
    /// The message whose namespace the tree is in.
    #[must_use]
    pub fn message(&self) -> MessageName {
        self.message
    }

    /// The `Document` or `AppHdr` element.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        self.node(0)
    }

    /// The single child of `Document`, e.g. `FIToFICstmrCdtTrf`; `None` when it is absent.
    #[must_use]
    pub fn body(&self) -> Option<Node<'_>> {
        self.root().elements().next()
    }

    /// The input that the tree was read from, whole.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Number of nodes.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, id: u32) -> Node<'_> {
        Node { tree: self, id }
    }

    /// Every node in document order.
    pub(crate) fn all_nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len() as u32).map(|id| self.node(id))
    }

    fn resolve(&self, span: Span) -> &str {
        span.resolve(&self.source, &self.decoded)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({}, {} nodes)", self.message, self.nodes.len())
    }
}

impl<'a> Node<'a> {
    fn data(self) -> &'a NodeData {
        &self.tree.nodes[self.id as usize]
    }

    /// The index by which [`Tree::node`] gives this node again.
    pub(crate) fn id(self) -> u32 {
        self.id
    }

    pub(crate) fn kind(self) -> NodeKind {
        self.data().kind
    }

    /// Class of the element's type.
    pub(crate) fn class(self) -> Class {
        self.data().class
    }

    /// The tree that this element is part of.
    #[must_use]
    pub fn tree(self) -> &'a Tree {
        self.tree
    }

    /// Local name; under a wildcard the qualified name as it was written.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.tree.resolve(self.data().name)
    }

    /// The character content as it was written (references decoded); empty for containers.
    #[must_use]
    pub fn text(self) -> &'a str {
        match self.data().kind {
            NodeKind::Foreign => self
                .nodes()
                .find(|node| node.data().kind == NodeKind::Text)
                .map_or("", |node| self.tree.resolve(node.data().text)),
            _ => self.tree.resolve(self.data().text),
        }
    }

    /// The enclosing element; `None` for the root.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        let parent = self.data().parent;
        (parent != NONE).then_some(Self { tree: self.tree, id: parent })
    }

    /// All child nodes including character data.
    pub(crate) fn nodes(self) -> Nodes<'a> {
        Nodes { tree: self.tree, next: self.data().first_child }
    }

    /// Child elements in order.
    pub fn elements(self) -> impl Iterator<Item = Self> + use<'a> {
        self.nodes().filter(|node| node.data().kind != NodeKind::Text)
    }

    /// Child elements of this name, in order.
    pub fn children(self, name: &str) -> impl Iterator<Item = Self> + use<'a, '_> {
        self.elements().filter(move |node| node.name() == name)
    }

    /// First child element of this name.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Self> {
        self.children(name).next()
    }

    /// The element at a path of names such as `PmtId/UETR`, taking the first at each step.
    #[must_use]
    pub fn at(self, path: &str) -> Option<Self> {
        path.split('/').try_fold(self, Self::child)
    }

    /// The text at a path; see [`Node::at`]. Present but empty elements give `Some("")`.
    #[must_use]
    pub fn text_at(self, path: &str) -> Option<&'a str> {
        self.at(path).map(Self::text)
    }

    /// Value of an attribute, e.g. `Ccy`.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All attributes as name and value.
    pub fn attributes(self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let start = self.data().attributes as usize;
        let range = start..start + usize::from(self.data().attribute_count);
        self.tree.attributes[range]
            .iter()
            .map(|one| (self.tree.resolve(one.name), self.tree.resolve(one.value)))
    }

    /// Byte offset of the start tag in the input.
    #[must_use]
    pub fn offset(self) -> usize {
        self.data().offset as usize
    }

    /// Line of the start tag in the input, from 1. Costs a scan of the input.
    #[must_use]
    pub fn line(self) -> u32 {
        line_at(&self.tree.source, self.offset())
    }

    /// Path from the root, with an index (from 1) where siblings share a name.
    #[must_use]
    pub fn path(self) -> String {
        let mut chain = vec![self];
        while let Some(parent) = chain[chain.len() - 1].parent() {
            chain.push(parent);
        }
        let mut path = String::new();
        for node in chain.iter().rev() {
            let _ = write!(path, "/{}", node.name());
            if let Some(parent) = node.parent() {
                let mut siblings = parent.children(node.name());
                let index = siblings.by_ref().take_while(|sibling| sibling.id < node.id).count();
                // `take_while` has consumed the node itself.
                if index > 0 || siblings.next().is_some() {
                    let _ = write!(path, "[{}]", index + 1);
                }
            }
        }
        path
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.path())
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.id == other.id
    }
}

/// Child nodes in order.
pub(crate) struct Nodes<'a> {
    tree: &'a Tree,
    next: u32,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == NONE {
            return None;
        }
        let node = Node { tree: self.tree, id: self.next };
        self.next = node.data().next;
        Some(node)
    }
}
