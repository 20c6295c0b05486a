//! Elements that the schema does not describe: those under a wildcard, and those that have no place.
//!
//! They are kept with their qualified names. The topmost element under a wildcard carries the
//! declarations it may depend on, within a bound for the whole message.

use super::attributes::Store;
use super::{InScope, Mode, Open, Part, Pending, Tag};
use crate::finding::excerpt;
use crate::reader::Fault;
use crate::reader::attributes::Attribute;
use crate::reader::names::{self, INSTANCE, NamespaceId};
use crate::table::{Kind, State, TypeId};
use crate::tree::{NONE, NodeKind, Span};

/// Types of the schema language itself; elements that name them are not checked further.
const SCHEMA_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema";

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
        let type_id = if let Some(own) = self.own_type(tag, node, attributes, scope) {
            Some(own)
        } else if tag.namespace == self.namespace && tag.local == self.root.element {
            Some(self.root.type_id)
        } else {
            None
        };
        let mode = match type_id.map(|id| (id, &self.table.type_of(id).kind)) {
            Some((id, Kind::Complex(_))) => Mode::Complex(id, State::START),
            Some((id, _)) => Mode::Text(id),
            None => Mode::Foreign,
        };
        self.text = Span::EMPTY;
        self.open.push(Open { mode, node, last_child: NONE, stray: false });
        Ok(())
    }

    /// The type that an element under a wildcard gives itself by `xsi:type`. One that does not
    /// exist is an error even where nothing else is checked.
    fn own_type(
        &mut self,
        tag: &Tag<'s>,
        node: u32,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
    ) -> Option<TypeId> {
        let is_type = |one: &&Attribute<'s>| {
            one.local == "type"
                && !one.prefix.is_empty()
                && scope.namespaces.resolve(one.prefix) == Some(INSTANCE)
        };
        let attribute = attributes.iter().find(is_type)?;
        let value = attribute.value.resolve(self.source, &self.decoded);
        let value = value.trim_matches([' ', '\t', '\n', '\r']);
        let (namespace, local) = match names::split(value) {
            Some(("", local)) => (Some(scope.default), local),
            Some((prefix, local)) => (scope.namespaces.resolve(prefix), local),
            None => (None, value),
        };
        if namespace.is_some_and(|id| scope.namespaces.uri(id) == SCHEMA_NAMESPACE) {
            return None;
        }
        let found = match namespace == Some(self.namespace) {
            true => self.table.named_type(self.root.type_id, local),
            false => None,
        };
        match found {
            Some(type_id) => {
                self.check_attributes(tag, type_id, node, attributes, scope, Store::Already);
            }
            None => {
                let value = excerpt(value);
                self.report(Pending {
                    node,
                    suffix: format!("/@{}", attribute.local),
                    offset: attribute.offset,
                    text: format!("There is no type `{value}`."),
                    value,
                    rule: "schema.attribute",
                    code: "CH17",
                });
            }
        }
        found
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
