//! The text form of a table: one line a type, children before parents, easy to review and diff.
//!
//! - `S name base [len=a..b] [digits=t] [fraction=f] [min=n] [enum A B ...] [pattern P]`
//!   a simple type; `enum` and `pattern` run to the end of the line.
//! - `A name value-type attribute:type` — text with one required attribute.
//! - `M name particle ...` — child elements. A particle is `Name[occurs]:Type`, a choice
//!   `(Name[occurs]:Type|...)`, or a wildcard `any` / `any-signature`. Occurs is nothing (once),
//!   `?`, `*`, `+` or `{min,max}`.
//! - `R message element:type` — the root of one message version.
//! - Lines starting with `#` are comments.

use super::{
    Base, Content, ElementOption, Kind, Root, Simple, Slot, Table, Term, Type, TypeId, UNBOUNDED,
    key,
};
use crate::pattern::{BadPattern, Pattern};
use std::collections::BTreeMap;

/// Why a table text cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTable {
    /// A line does not have the described form.
    #[error("line {line}: {reason}")]
    Line {
        /// Line number from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A type is used before, or without, its definition.
    #[error("line {line}: type `{name}` is not defined above")]
    Undefined {
        /// Line number from 1.
        line: usize,
        /// The name used.
        name: String,
    },
    /// A pattern is not supported.
    #[error("line {line}: {source}")]
    Pattern {
        /// Line number from 1.
        line: usize,
        /// The reason.
        source: BadPattern,
    },
}

#[derive(Default)]
struct Builder<'t> {
    line: usize,
    types: Vec<Type>,
    ids: BTreeMap<&'t str, TypeId>,
    patterns: Vec<Pattern>,
    pattern_texts: Vec<String>,
    pattern_ids: BTreeMap<&'t str, usize>,
    roots: Vec<Root>,
}

/// Parses a table.
///
/// # Errors
/// The text does not have the form described in the module header.
pub fn parse(text: &str) -> Result<Table, BadTable> {
    let mut builder = Builder::default();
    for (at, line) in text.lines().enumerate() {
        builder.line = at + 1;
        builder.parse_line(line)?;
    }
    let Builder { types, patterns, pattern_texts, roots, .. } = builder;
    Ok(Table { types, patterns, pattern_texts, roots })
}

impl<'t> Builder<'t> {
    fn bad(&self, reason: &'static str) -> BadTable {
        BadTable::Line { line: self.line, reason }
    }

    fn parse_line(&mut self, line: &'t str) -> Result<(), BadTable> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (tag, rest) = line.split_once(' ').ok_or_else(|| self.bad("too short"))?;
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match tag {
            "S" => Kind::Simple(self.simple(rest)?),
            "A" => self.attributed(rest)?,
            "M" => Kind::Complex(self.content(rest)?),
            "R" => return self.root(name, rest),
            _ => return Err(self.bad("unknown tag")),
        };
        let id = TypeId::try_from(self.types.len()).map_err(|_| self.bad("too many types"))?;
        if self.ids.insert(name, id).is_some() {
            return Err(self.bad("type defined twice"));
        }
        self.types.push(Type { name: name.to_owned(), kind });
        Ok(())
    }

    fn root(&mut self, name: &str, rest: &str) -> Result<(), BadTable> {
        let message = name.parse().map_err(|_| self.bad("bad message name"))?;
        let (element, type_name) = rest.split_once(':').ok_or_else(|| self.bad("bad root"))?;
        let type_id = self.id(type_name)?;
        self.roots.push(Root { message, element: element.to_owned(), type_id });
        Ok(())
    }

    fn id(&self, name: &str) -> Result<TypeId, BadTable> {
        let undefined = || BadTable::Undefined { line: self.line, name: name.to_owned() };
        self.ids.get(name).copied().ok_or_else(undefined)
    }

    fn simple(&mut self, rest: &'t str) -> Result<Simple, BadTable> {
        let (base, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let base = base_of(base).ok_or_else(|| self.bad("unknown base"))?;
        let mut simple = Simple {
            base,
            length_min: 0,
            length_max: u32::MAX,
            pattern: None,
            enumeration: Vec::new(),
            total_digits: u32::MAX,
            fraction_digits: u32::MAX,
            minimum: None,
        };
        while !rest.is_empty() {
            if let Some(pattern) = rest.strip_prefix("pattern ") {
                simple.pattern = Some(self.pattern(pattern)?);
                break;
            }
            if let Some(values) = rest.strip_prefix("enum ") {
                simple.enumeration = values.split(' ').map(str::to_owned).collect();
                break;
            }
            let (facet, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            self.facet(&mut simple, facet)?;
            rest = tail;
        }
        Ok(simple)
    }

    fn facet(&self, simple: &mut Simple, facet: &str) -> Result<(), BadTable> {
        let (name, value) = facet.split_once('=').ok_or_else(|| self.bad("bad facet"))?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| self.bad("bad number"));
        match name {
            "len" => {
                let (low, high) = value.split_once("..").ok_or_else(|| self.bad("bad length"))?;
                simple.length_min = if low.is_empty() { 0 } else { number(low)? };
                simple.length_max = if high.is_empty() { u32::MAX } else { number(high)? };
            }
            "digits" => simple.total_digits = number(value)?,
            "fraction" => simple.fraction_digits = number(value)?,
            "min" => match number(value)? {
                minimum @ 0..=1 => simple.minimum = Some(minimum),
                _ => return Err(self.bad("only minima 0 and 1 are supported")),
            },
            _ => return Err(self.bad("unknown facet")),
        }
        Ok(())
    }

    fn pattern(&mut self, text: &'t str) -> Result<usize, BadTable> {
        if let Some(known) = self.pattern_ids.get(text) {
            return Ok(*known);
        }
        let line = self.line;
        let compiled =
            Pattern::compile(text).map_err(|source| BadTable::Pattern { line, source })?;
        self.patterns.push(compiled);
        self.pattern_texts.push(text.to_owned());
        self.pattern_ids.insert(text, self.patterns.len() - 1);
        Ok(self.patterns.len() - 1)
    }

    fn attributed(&self, rest: &str) -> Result<Kind, BadTable> {
        let bad = || self.bad("expected `value-type attribute:type`");
        let (value, attribute) = rest.split_once(' ').ok_or_else(bad)?;
        let (attribute, attribute_type) = attribute.split_once(':').ok_or_else(bad)?;
        let (value, attribute_type) = (self.id(value)?, self.id(attribute_type)?);
        let both_simple = [value, attribute_type]
            .iter()
            .all(|id| matches!(self.types[*id as usize].kind, Kind::Simple(_)));
        if !both_simple {
            return Err(bad());
        }
        Ok(Kind::Attributed { value, attribute: attribute.to_owned(), attribute_type })
    }

    fn content(&self, rest: &str) -> Result<Content, BadTable> {
        let mut options = Vec::new();
        let mut slots = Vec::new();
        for particle in rest.split(' ').filter(|particle| !particle.is_empty()) {
            let inner = particle.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
            let first = options.len();
            for part in inner.unwrap_or(particle).split('|') {
                options.push(self.option(part, slots.len())?);
            }
            let optional = options[first..].iter().any(|option: &ElementOption| option.min == 0);
            slots.push(Slot { optional, first });
        }
        let wildcards = options.iter().filter(|o| !matches!(o.term, Term::Element(_))).count();
        if wildcards > 0 && options.len() > 1 {
            return Err(self.bad("a wildcard must stand alone"));
        }
        let keys = options.iter().map(|option| key(&option.name)).collect();
        Ok(Content { options, keys, slots })
    }

    fn option(&self, part: &str, slot: usize) -> Result<ElementOption, BadTable> {
        let wildcard = |term| ElementOption { name: String::new(), term, slot, min: 1, max: 1 };
        match part {
            "any" => return Ok(wildcard(Term::Any)),
            "any-signature" => return Ok(wildcard(Term::AnySignature)),
            _ => {}
        }
        let (head, type_name) = part.split_once(':').ok_or_else(|| self.bad("bad particle"))?;
        let end = head.find(['?', '*', '+', '{']).unwrap_or(head.len());
        let (name, occurs) = head.split_at(end);
        let (min, max) = match occurs {
            "" => (1, 1),
            "?" => (0, 1),
            "*" => (0, UNBOUNDED),
            "+" => (1, UNBOUNDED),
            counted => {
                let bad = || self.bad("bad occurs");
                let inner = counted.strip_prefix('{').and_then(|c| c.strip_suffix('}'));
                let (min, max) = inner.and_then(|c| c.split_once(',')).ok_or_else(bad)?;
                let max = if max.is_empty() { Ok(UNBOUNDED) } else { max.parse() };
                (min.parse().map_err(|_| bad())?, max.map_err(|_| bad())?)
            }
        };
        let term = Term::Element(self.id(type_name)?);
        Ok(ElementOption { name: name.to_owned(), term, slot, min, max })
    }
}

fn base_of(name: &str) -> Option<Base> {
    Some(match name {
        "string" => Base::String,
        "decimal" => Base::Decimal,
        "boolean" => Base::Boolean,
        "dateTime" => Base::DateTime,
        "date" => Base::Date,
        "time" => Base::Time,
        "gYear" => Base::Year,
        "gYearMonth" => Base::YearMonth,
        "base64Binary" => Base::Base64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_told_by_number() {
        for (text, line) in [
            ("X a b", 1),
            ("# fine\nS a nothing", 2),
            ("S a string len=1", 1),
            ("M a One:missing", 1),
            ("S a string pattern [", 1),
            ("S a string\nS a string", 2),
            ("S a decimal min=7", 1),
            ("S a string\nM b One:a any", 2),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().starts_with(&format!("line {line}:")), "{error}");
        }
    }
}
