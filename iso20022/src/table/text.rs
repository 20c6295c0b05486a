//! The text form of a table: one line a type, in any order, easy to review and diff.
//!
//! A type that a line uses stands in the same text or in a shared one, of which only what is needed
//! is parsed.
//!
//! - `S name base [len=a..b] [digits=t] [fraction=f] [min=n] [max=n] [enum A ...] [pattern P]`
//!   a simple type; `enum` and `pattern` run to the end of the line.
//! - `A name value-type attribute:type` — text with one required attribute.
//! - `M name particle ...` — child elements. A particle is `Name[occurs]:Type`, a choice
//!   `(Name[occurs]:Type|...)`, or a wildcard `any` / `any-signature`. Occurs is nothing (once),
//!   `?`, `*`, `+` or `{min,max}`.
//! - `R message element:type` — the root of one message version.
//! - Lines starting with `#` are comments.

use super::{
    Base, Content, ElementOption, Key, Kind, Root, Simple, Slot, Table, Term, Type, TypeId,
    UNBOUNDED,
};
use crate::class;
use crate::name::MessageName;
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
    /// A type is used, but not defined.
    #[error("line {line}: type `{name}` is not defined")]
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

/// Where the definitions of types stand, by name.
#[derive(Debug)]
pub(crate) struct Index<'t> {
    lines: BTreeMap<&'t str, (usize, &'t str)>,
}

impl<'t> Index<'t> {
    /// Looks at every line of a text, but at no definition.
    pub(crate) fn of(text: &'t str) -> Result<Self, BadTable> {
        let mut lines = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let bad = |reason| BadTable::Line { line: at + 1, reason };
            if line.is_empty() || line.starts_with(['#', 'R']) {
                continue;
            }
            let (_, rest) = line.split_once(' ').ok_or_else(|| bad("too short"))?;
            let name = rest.split(' ').next().unwrap_or(rest);
            if lines.insert(name, (at + 1, line)).is_some() {
                return Err(bad("type defined twice"));
            }
        }
        Ok(Self { lines })
    }
}

/// Names of the messages in a text, without parsing their types.
pub(crate) fn message_names(text: &str) -> impl Iterator<Item = MessageName> + '_ {
    let roots = text.lines().filter_map(|line| line.strip_prefix("R "));
    roots.filter_map(|root| root.split(' ').next()?.parse().ok())
}

/// Deepest nesting of types; a deeper one is taken for a type that contains itself.
const TYPE_DEPTH_MAX: usize = 100;

struct Builder<'t, 'i> {
    line: usize,
    depth: usize,
    own: &'i Index<'t>,
    shared: Option<&'i Index<'t>>,
    types: Vec<Type>,
    ids: BTreeMap<&'t str, TypeId>,
    patterns: Vec<Pattern>,
    pattern_texts: Vec<String>,
    pattern_ids: BTreeMap<&'t str, usize>,
    roots: Vec<Root>,
}

/// Parses a table that stands by itself.
///
/// # Errors
/// The text does not have the form described in the module header.
pub fn parse(text: &str) -> Result<Table, BadTable> {
    parse_indexed(text, None)
}

/// Parses a table that may use types of a shared text.
///
/// # Errors
/// As for [`parse`]. The line of a type in the shared text is a line of that text.
pub fn parse_with(text: &str, shared: &str) -> Result<Table, BadTable> {
    parse_indexed(text, Some(&Index::of(shared)?))
}

pub(crate) fn parse_indexed<'t>(
    text: &'t str,
    shared: Option<&Index<'t>>,
) -> Result<Table, BadTable> {
    let own = Index::of(text)?;
    let mut builder = Builder {
        line: 0,
        depth: 0,
        own: &own,
        shared,
        types: Vec::new(),
        ids: BTreeMap::new(),
        patterns: Vec::new(),
        pattern_texts: Vec::new(),
        pattern_ids: BTreeMap::new(),
        roots: Vec::new(),
    };
    for (at, line) in text.lines().enumerate() {
        builder.line = at + 1;
        builder.parse_line(line)?;
    }
    let Builder { types, patterns, pattern_texts, roots, .. } = builder;
    Ok(Table { types, patterns, pattern_texts, roots })
}

impl<'t> Builder<'t, '_> {
    fn bad(&self, reason: &'static str) -> BadTable {
        BadTable::Line { line: self.line, reason }
    }

    fn parse_line(&mut self, line: &'t str) -> Result<(), BadTable> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("R ") {
            let (name, rest) = rest.split_once(' ').ok_or_else(|| self.bad("too short"))?;
            return self.root(name, rest);
        }
        let (_, rest) = line.split_once(' ').ok_or_else(|| self.bad("too short"))?;
        self.id(rest.split(' ').next().unwrap_or(rest)).map(|_| ())
    }

    fn root(&mut self, name: &str, rest: &'t str) -> Result<(), BadTable> {
        let message = name.parse().map_err(|_| self.bad("bad message name"))?;
        let (element, type_name) = rest.split_once(':').ok_or_else(|| self.bad("bad root"))?;
        let type_id = self.id(type_name)?;
        self.roots.push(Root { message, element: element.to_owned(), type_id });
        Ok(())
    }

    /// The type of a name, parsed now unless it has been.
    fn id(&mut self, name: &'t str) -> Result<TypeId, BadTable> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let undefined = || BadTable::Undefined { line: self.line, name: name.to_owned() };
        let shared = || self.shared.and_then(|shared| shared.lines.get(name));
        let (line, text) = *self.own.lines.get(name).or_else(shared).ok_or_else(undefined)?;
        if self.depth >= TYPE_DEPTH_MAX {
            return Err(self.bad("types are nested too deep"));
        }
        self.depth += 1;
        let user = std::mem::replace(&mut self.line, line);
        let id = self.define(name, text)?;
        self.line = user;
        self.depth -= 1;
        Ok(id)
    }

    fn define(&mut self, name: &'t str, line: &'t str) -> Result<TypeId, BadTable> {
        let (tag, rest) = line.split_once(' ').ok_or_else(|| self.bad("too short"))?;
        let (_, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match tag {
            "S" => Kind::Simple(self.simple(rest)?),
            "A" => self.attributed(rest)?,
            "M" => Kind::Complex(self.content(rest)?),
            _ => return Err(self.bad("unknown tag")),
        };
        let id = TypeId::try_from(self.types.len()).map_err(|_| self.bad("too many types"))?;
        self.ids.insert(name, id);
        let class = class::of(name, &kind);
        self.types.push(Type { name: name.to_owned(), class, kind });
        Ok(id)
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
            maximum: None,
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
            "min" => simple.minimum = Some(number(value)?),
            "max" => simple.maximum = Some(number(value)?),
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

    fn attributed(&mut self, rest: &'t str) -> Result<Kind, BadTable> {
        let bad = self.bad("expected `value-type attribute:type`");
        let Some((value, attribute)) = rest.split_once(' ') else { return Err(bad) };
        let Some((attribute, attribute_type)) = attribute.split_once(':') else { return Err(bad) };
        let (value, attribute_type) = (self.id(value)?, self.id(attribute_type)?);
        let both_simple = [value, attribute_type]
            .iter()
            .all(|id| matches!(self.types[*id as usize].kind, Kind::Simple(_)));
        if !both_simple {
            return Err(bad);
        }
        Ok(Kind::Attributed { value, attribute: attribute.to_owned(), attribute_type })
    }

    fn content(&mut self, rest: &'t str) -> Result<Content, BadTable> {
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
        let keys = options.iter().map(|option| Key::of(option.name.as_bytes())).collect();
        Ok(Content { options, keys, slots })
    }

    fn option(&mut self, part: &'t str, slot: usize) -> Result<ElementOption, BadTable> {
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
            ("S a decimal min=x", 1),
            ("M a One:b\nM b Two:a", 2),
            ("S a string\nM b One:a any", 2),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().starts_with(&format!("line {line}:")), "{error}");
        }
    }
}
