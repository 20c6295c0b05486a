//! The walk: one type of a table becomes one element with everything that its model asks for.
//!
//! Optional elements come by chance, less often the deeper they are, until the message has as many
//! elements as it should; from there on only what is required is added. The models of ISO 20022 are
//! free of cycles, so the walk ends.

use super::random::Random;
use super::values;
use crate::table::{Content, ElementOption, Kind, Table, Term, TypeId};
use crate::writer::Draft;

/// Namespace of the data that samples put under wildcards.
const SUPPLEMENT: &str = "urn:example:supplement";
const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// How much a sample should hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Chance of an optional element at the top, in percent.
    pub(super) optional: usize,
    /// From this many elements on, only what is required is added.
    pub(super) elements: usize,
    /// True to keep to the characters that all networks carry.
    pub(super) plain: bool,
}

impl Plan {
    /// Nothing that could be left out.
    pub(super) const LEAST: Self = Self { optional: 0, elements: 0, plain: true };
}

pub(super) struct Walk<'t, 'r> {
    pub(super) table: &'t Table,
    pub(super) random: &'r mut Random,
    pub(super) plan: Plan,
    elements: usize,
}

impl<'t, 'r> Walk<'t, 'r> {
    pub(super) fn new(table: &'t Table, random: &'r mut Random, plan: Plan) -> Self {
        Self { table, random, plan, elements: 0 }
    }

    /// An element of this type.
    pub(super) fn element(&mut self, name: &str, type_id: TypeId, depth: usize) -> Draft {
        self.elements += 1;
        let mut draft = Draft::new(name);
        let kind = &self.table.type_of(type_id).kind;
        match kind {
            Kind::Simple(simple) => {
                draft.text = values::text(self, name, type_id, simple).into();
            }
            Kind::Attributed { value, attribute_type, .. } => {
                let currency = self.simple(*attribute_type, "Ccy");
                draft.text = values::amount(self, *value, &currency).into();
                draft.set_currency(&currency);
            }
            Kind::Complex(content) => self.children(&mut draft, content, depth),
        }
        draft
    }

    fn simple(&mut self, type_id: TypeId, name: &str) -> String {
        let Some(simple) = self.table.simple(type_id) else { return String::new() };
        values::text(self, name, type_id, simple)
    }

    fn children(&mut self, draft: &mut Draft, content: &Content, depth: usize) {
        let mut added = 0;
        for (at, slot) in content.slots.iter().enumerate() {
            let end = content.slots.get(at + 1).map_or(content.options.len(), |next| next.first);
            if slot.optional && !self.wanted(depth) {
                continue;
            }
            let chosen = self.random.between(slot.first, end - 1);
            added += self.occurrences(draft, &content.options[chosen], depth);
        }
        // An element without content is legal where all is optional, but it says nothing.
        if added == 0 && !content.options.is_empty() {
            let slot = content.slots[self.random.below(content.slots.len())];
            let option = &content.options[slot.first];
            if self.occurrences(draft, option, depth) == 0 {
                self.once(draft, option, depth);
            }
        }
    }

    fn occurrences(&mut self, draft: &mut Draft, option: &ElementOption, depth: usize) -> usize {
        let mut count = option.min as usize;
        if count == 0 {
            count = 1;
        }
        let max = option.max as usize;
        // Sometimes all that a counted repetition allows, sometimes a few, mostly the least.
        if max > count && self.wanted(depth + 1) {
            count = match self.random.below(6) {
                0 if max <= 10 => max,
                0 | 1 => (count + 2).min(max),
                2 | 3 => count + 1,
                _ => count,
            };
        }
        for _ in 0..count {
            self.once(draft, option, depth);
        }
        count
    }

    fn once(&mut self, draft: &mut Draft, option: &ElementOption, depth: usize) {
        let child = match option.term {
            Term::Element(type_id) => self.element(&option.name, type_id, depth + 1),
            Term::Any => {
                let mut child = Draft::foreign(SUPPLEMENT, "Data");
                child.set("Reference", values::reference(self.random, 16));
                child.set("Note", values::words(self, 35));
                child
            }
            Term::AnySignature => {
                let mut child = Draft::foreign(SIGNATURE, "Signature");
                child.set("SignatureValue", values::base64(self.random, 48));
                child
            }
        };
        draft.children.push(child);
    }

    /// Whether to add something that could be left out.
    fn wanted(&mut self, depth: usize) -> bool {
        let percent = self.plan.optional * 4 / (4 + depth.saturating_sub(2));
        self.elements < self.plan.elements && self.random.chance(percent)
    }
}
