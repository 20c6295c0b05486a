//! Elements that the schema does not describe: those under a wildcard, and those that have no place.
//!
//! They are kept with their qualified names. The topmost element under a wildcard carries the
//! declarations it may depend on, within a bound for the whole message.

use super::{InScope, Mode, Open, Part, Tag};
use crate::reader::Fault;
use crate::reader::attributes::Attribute;
use crate::reader::names::NamespaceId;
use crate::table::State;
use crate::tree::{NONE, NodeKind, Span};

/// A namespace declaration whose texts are stored.
pub(super) struct Declaration<'s> {
    prefix: &'s str,
    id: NamespaceId,
    name: Span,
    value: Span,
}

impl<'s> Part<'s> {
    /// Opens an element under a wildcard. The topmost one carries the declarations in scope, so
    /// that it can be written elsewhere. An element that the schema declares globally is checked.
    pub(super) fn push_foreign(
        &mut self,
        tag: &Tag<'s>,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
        topmost: bool,
    ) -> Result<(), Fault> {
        let node = self.push_node(NodeKind::Foreign, tag.qualified, tag.offset);
        for attribute in attributes {
            self.push_attribute(node, attribute.name, attribute.value);
        }
        if topmost {
            self.declare_scope(tag, node, attributes, scope)?;
        }
        let mode = if tag.namespace == self.namespace && tag.local == self.root.element {
            Mode::Complex(self.root.type_id, State::START)
        } else {
            Mode::Foreign
        };
        self.open.push(Open { mode, node, last_child: NONE, stray: false });
        Ok(())
    }

    fn declare_scope(
        &mut self,
        tag: &Tag<'s>,
        node: u32,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
    ) -> Result<(), Fault> {
        let own = |prefix: &str| {
            attributes.iter().any(|attribute| match prefix {
                "" => attribute.prefix.is_empty() && attribute.local == "xmlns",
                _ => attribute.prefix == "xmlns" && attribute.local == prefix,
            })
        };
        let mut wanted = Vec::new();
        if !own("") {
            wanted.push(("", scope.default));
        }
        wanted.extend(scope.namespaces.in_scope().into_iter().filter(|(prefix, _)| !own(prefix)));
        self.declarations_left =
            self.declarations_left.checked_sub(wanted.len()).ok_or_else(|| {
                let text = "Elements under wildcards depend on too many declarations.";
                Fault::at("limit.namespaces", tag.offset, text)
            })?;
        for (prefix, id) in wanted {
            let (name, value) = self.declaration(prefix, id, scope);
            self.push_attribute(node, name, value);
        }
        Ok(())
    }

    /// The texts of a declaration, stored once however often they are needed.
    fn declaration(
        &mut self,
        prefix: &'s str,
        id: NamespaceId,
        scope: &InScope<'_, 's>,
    ) -> (Span, Span) {
        let known = self.declarations.iter().find(|one| one.prefix == prefix && one.id == id);
        if let Some(known) = known {
            return (known.name, known.value);
        }
        let colon = if prefix.is_empty() { "" } else { ":" };
        let name = self.remember(&format!("xmlns{colon}{prefix}"));
        let value = self.remember(scope.namespaces.uri(id));
        self.declarations.push(Declaration { prefix, id, name, value });
        (name, value)
    }

    pub(super) fn push_unchecked(&mut self, tag: &Tag<'s>, attributes: &[Attribute<'s>]) {
        let node = self.push_node(NodeKind::Foreign, tag.qualified, tag.offset);
        for attribute in attributes {
            self.push_attribute(node, attribute.name, attribute.value);
        }
        self.open.push(Open { mode: Mode::Unchecked, node, last_child: NONE, stray: false });
    }

    pub(super) fn remember(&mut self, text: &str) -> Span {
        let start = self.decoded.len();
        self.decoded.push_str(text);
        Span::decoded(start, self.decoded.len())
    }
}
