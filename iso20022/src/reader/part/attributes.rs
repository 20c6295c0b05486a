//! The attributes of elements that the schema describes.

use super::explain::{describe, rule_of};
use super::{InScope, Part, Pending, Tag};
use crate::finding::excerpt;
use crate::lexical::collapse;
use crate::reader::attributes::Attribute;
use crate::reader::names::{self, INSTANCE};
use crate::table::{Kind, TypeId};

/// Whether the attributes of an element are in the tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Now,
    Already,
}

impl<'s> Part<'s> {
    pub(super) fn check_attributes(
        &mut self,
        tag: &Tag<'s>,
        type_id: TypeId,
        node: u32,
        attributes: &[Attribute<'s>],
        scope: &InScope<'_, 's>,
        store: Store,
    ) {
        let required = match &self.table.type_of(type_id).kind {
            Kind::Attributed { attribute, attribute_type, .. } => {
                Some((attribute, *attribute_type))
            }
            _ => None,
        };
        let mut found = false;
        for attribute in attributes {
            if attribute.prefix == "xmlns"
                || (attribute.prefix.is_empty() && attribute.local == "xmlns")
            {
                continue;
            }
            if self.is_instance_hint(type_id, attribute, scope) {
                continue;
            }
            if let Some((name, attribute_type)) = required
                && attribute.prefix.is_empty()
                && attribute.local == name
            {
                found = true;
                if store == Store::Now {
                    self.push_attribute(node, attribute.name, attribute.value);
                }
                self.check_attribute_value(node, attribute, attribute_type);
                continue;
            }
            if store == Store::Now {
                self.push_attribute(node, attribute.name, attribute.value);
            }
            self.report(Pending {
                node,
                suffix: format!("/@{}", attribute.local),
                offset: attribute.offset,
                value: String::new(),
                rule: "schema.attribute",
                code: "CH17",
                text: format!("The attribute `{}` is not allowed here.", excerpt(attribute.local)),
            });
        }
        if let Some((name, _)) = required
            && !found
        {
            self.report(Pending {
                node,
                suffix: format!("/@{name}"),
                offset: tag.offset,
                value: String::new(),
                rule: "schema.missing",
                code: "AM11",
                text: format!("The attribute `{name}` is missing."),
            });
        }
    }

    /// True for a harmless attribute of the schema instance namespace: a location hint, or a type
    /// that is the declared one anyway.
    fn is_instance_hint(
        &self,
        type_id: TypeId,
        attribute: &Attribute<'s>,
        scope: &InScope<'_, 's>,
    ) -> bool {
        if attribute.prefix.is_empty()
            || scope.namespaces.resolve(attribute.prefix) != Some(INSTANCE)
        {
            return false;
        }
        match attribute.local {
            "schemaLocation" | "noNamespaceSchemaLocation" => true,
            "type" => {
                let value = collapse(attribute.value.resolve(self.source, &self.decoded));
                let Some((prefix, local)) = names::split(value) else { return false };
                let namespace = match prefix {
                    "" => Some(scope.default),
                    _ => scope.namespaces.resolve(prefix),
                };
                let declared = &self.table.type_of(type_id).name;
                let declared = declared.split('~').next().unwrap_or(declared);
                namespace == Some(self.namespace) && local == declared
            }
            _ => false,
        }
    }

    fn check_attribute_value(&mut self, node: u32, attribute: &Attribute<'s>, type_id: TypeId) {
        let Some(simple) = self.table.simple(type_id) else { return };
        let value = attribute.value.resolve(self.source, &self.decoded);
        if let Err(misfit) = self.table.check(simple, value) {
            self.report(Pending {
                node,
                suffix: format!("/@{}", attribute.local),
                offset: attribute.offset,
                value: excerpt(value),
                rule: rule_of(misfit),
                code: "AM11",
                text: describe(self.table, simple, misfit),
            });
        }
    }
}
