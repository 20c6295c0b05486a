//! Schema tables: types, content models and facets of all versions of one message family.
//!
//! A [`Table`] is parsed once from its text form (see [`text`]) and never changes. Content models
//! are flat: a complex type is a row of slots, a slot offers one or more elements, of which one is
//! chosen. ISO 20022 schemas need nothing deeper, and they are deterministic, so the reader keeps
//! only the current option and its count as automaton state.

mod registry;
pub mod text;

pub use registry::{names, root_of, table_of};

use crate::lexical;
use crate::name::MessageName;
use crate::pattern::Pattern;

/// Index of a type in its [`Table`].
pub type TypeId = u32;

/// `maxOccurs="unbounded"`.
pub const UNBOUNDED: u32 = u32::MAX;

/// All versions of one message family, e.g. `pacs.008`.
#[derive(Debug)]
pub struct Table {
    pub(crate) types: Vec<Type>,
    pub(crate) patterns: Vec<Pattern>,
    /// Text of each pattern, for findings.
    pub(crate) pattern_texts: Vec<String>,
    pub(crate) roots: Vec<Root>,
}

/// The root element of one message version.
#[derive(Clone, Debug)]
pub struct Root {
    /// The message version.
    pub message: MessageName,
    /// `Document` or `AppHdr`.
    pub element: String,
    /// Type of the root element.
    pub(crate) type_id: TypeId,
}

/// A named type. The name may carry a suffix `~2` where versions differ under one name.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Text with facets.
    Simple(Simple),
    /// Text with one required attribute (amounts with their currency).
    Attributed { value: TypeId, attribute: String, attribute_type: TypeId },
    /// Child elements only.
    Complex(Content),
}

/// Built-in base of a simple type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    String,
    Decimal,
    Boolean,
    DateTime,
    Date,
    Time,
    Year,
    YearMonth,
    Base64,
}

#[derive(Debug)]
pub(crate) struct Simple {
    pub(crate) base: Base,
    pub(crate) length_min: u32,
    pub(crate) length_max: u32,
    pub(crate) pattern: Option<usize>,
    pub(crate) enumeration: Vec<String>,
    pub(crate) total_digits: u32,
    pub(crate) fraction_digits: u32,
    /// Smallest whole number allowed.
    pub(crate) minimum: Option<u32>,
}

/// Why a value does not belong to a simple type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    Base,
    TooShort,
    TooLong,
    Pattern,
    Enumeration,
    TotalDigits,
    FractionDigits,
    TooSmall,
}

/// Content model of a complex type: options in schema order, each in a slot.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) options: Vec<ElementOption>,
    /// Keys of the option names, apart so that a scan touches little memory.
    pub(crate) keys: Vec<u64>,
    /// For each slot: may it be left out, and its first option.
    pub(crate) slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) optional: bool,
    pub(crate) first: usize,
}

#[derive(Debug)]
pub(crate) struct ElementOption {
    pub(crate) name: String,
    pub(crate) term: Term,
    pub(crate) slot: usize,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    /// A named element of this type.
    Element(TypeId),
    /// Any element of any namespace, its content checked only where a declaration is known.
    Any,
    /// Any element of the XML signature namespace.
    AnySignature,
}

/// State of a content automaton: the current option and how often it has occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// `usize::MAX` before the first element.
    pub(crate) option: u32,
    pub(crate) count: u32,
}

impl State {
    pub(crate) const START: Self = Self { option: u32::MAX, count: 0 };
}

/// What the automaton says to the next element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Accepted; the option chosen.
    Accepted(usize),
    /// Accepted, but the option in this slot, which is required, was passed over.
    Skipped { option: usize, missing: usize },
    /// Known in this type, but not here (too often, too late, or another choice was made).
    Misplaced(usize),
    /// Not known in this type.
    Unknown,
}

/// A number that tells element names apart; equal names have equal keys.
pub(crate) fn key(name: &str) -> u64 {
    let mut sum = name.len() as u64;
    for chunk in name.as_bytes().chunks(8) {
        let mut word = [0_u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    sum
}

impl Content {
    /// Option that takes `name` at or after `start`.
    fn find(&self, start: usize, name: &str, key: u64) -> Option<usize> {
        (start..self.keys.len()).find(|at| self.keys[*at] == key && self.options[*at].name == name)
    }

    /// First slot after the current state, taking into account whether the current is satisfied.
    fn next_slot(&self, state: State) -> usize {
        match self.options.get(state.option as usize) {
            None => 0,
            Some(option) if state.count < option.min => option.slot,
            Some(option) => option.slot + 1,
        }
    }

    /// First required slot in `from..to`, as its first option.
    fn required(&self, from: usize, to: usize) -> Option<usize> {
        let range = from..to.min(self.slots.len());
        range.map(|slot| self.slots[slot]).find(|slot| !slot.optional).map(|slot| slot.first)
    }

    /// Moves on to a named element of the schema's namespace.
    pub(crate) fn step(&self, state: &mut State, name: &str) -> Step {
        let key = key(name);
        let current = state.option as usize;
        if let Some(option) = self.options.get(current)
            && self.keys[current] == key
            && option.name == name
        {
            if state.count < option.max {
                state.count += 1;
                return Step::Accepted(current);
            }
            return Step::Misplaced(current);
        }
        let next = self.next_slot(*state);
        let start = self.slots.get(next).map_or(self.options.len(), |slot| slot.first);
        let Some(option) = self.find(start, name, key) else {
            return self.find(0, name, key).map_or(Step::Unknown, Step::Misplaced);
        };
        if self.options[option].slot == next && state.count > 0 && current < self.options.len() {
            // Only reached when the current option is unsatisfied and an alternative was sent.
            if self.options[current].slot == next {
                return Step::Misplaced(option);
            }
        }
        let missing = self.required(next, self.options[option].slot);
        *state = State { option: option as u32, count: 1 };
        missing.map_or(Step::Accepted(option), |missing| Step::Skipped { option, missing })
    }

    /// Moves on to an element that only a wildcard can take.
    pub(crate) fn step_wildcard(&self, state: &mut State, signature: bool) -> Option<usize> {
        let next = if state.option == u32::MAX { 0 } else { return None };
        let option = self.slots.get(next)?.first;
        let fits = match self.options[option].term {
            Term::Any => true,
            Term::AnySignature => signature,
            Term::Element(_) => false,
        };
        fits.then(|| {
            *state = State { option: option as u32, count: 1 };
            option
        })
    }

    /// True when the type is a single wildcard.
    pub(crate) fn is_wildcard(&self) -> bool {
        matches!(
            self.options.first().map(|option| option.term),
            Some(Term::Any | Term::AnySignature)
        )
    }

    /// First required option that has not come when the element ends.
    pub(crate) fn missing_at_end(&self, state: State) -> Option<usize> {
        match self.options.get(state.option as usize) {
            Some(option) if state.count < option.min => Some(state.option as usize),
            _ => self.required(self.next_slot(state), self.slots.len()),
        }
    }

    /// Names that may come in the given slot, for messages: `A or B`.
    pub(crate) fn slot_names(&self, option: usize) -> String {
        let slot = self.options[option].slot;
        let names: Vec<&str> = self
            .options
            .iter()
            .filter(|option| option.slot == slot)
            .map(|option| if option.name.is_empty() { "any element" } else { &option.name })
            .collect();
        names.join(" or ")
    }
}

impl Table {
    pub(crate) fn type_of(&self, id: TypeId) -> &Type {
        &self.types[id as usize]
    }

    /// The simple type behind a text-carrying type.
    pub(crate) fn simple(&self, id: TypeId) -> Option<&Simple> {
        match &self.type_of(id).kind {
            Kind::Simple(simple) => Some(simple),
            Kind::Attributed { value, .. } => self.simple(*value),
            Kind::Complex(_) => None,
        }
    }

    /// Checks a text against a simple type.
    pub(crate) fn check(&self, simple: &Simple, raw: &str) -> Result<(), Misfit> {
        let text = match simple.base {
            Base::Decimal | Base::Boolean | Base::Base64 => lexical::collapse(raw),
            Base::DateTime => lexical::trim_after_zone(raw),
            _ => raw,
        };
        self.check_base(simple, text)?;
        if let Some(pattern) = simple.pattern
            && !self.patterns[pattern].matches(text)
        {
            return Err(Misfit::Pattern);
        }
        if !simple.enumeration.is_empty() && !simple.enumeration.iter().any(|known| known == text) {
            return Err(Misfit::Enumeration);
        }
        Ok(())
    }

    fn check_base(&self, simple: &Simple, text: &str) -> Result<(), Misfit> {
        let fits = match simple.base {
            Base::String => return check_length(simple, text),
            Base::Decimal => return check_decimal(simple, text),
            Base::Base64 => {
                let octets = lexical::base64_octets(text).ok_or(Misfit::Base)?;
                return bounds(simple, octets);
            }
            Base::Boolean => lexical::boolean(text),
            Base::DateTime => lexical::date_time(text),
            Base::Date => lexical::date(text),
            Base::Time => lexical::time(text),
            Base::Year => lexical::year(text),
            Base::YearMonth => lexical::year_month(text),
        };
        if fits { Ok(()) } else { Err(Misfit::Base) }
    }
}

fn check_length(simple: &Simple, text: &str) -> Result<(), Misfit> {
    let bytes = text.len();
    // Most values are ASCII and within bounds: count characters only when bytes cannot decide.
    if bytes <= simple.length_max as usize && bytes >= 4 * simple.length_min as usize {
        return Ok(());
    }
    bounds(simple, text.chars().count())
}

fn bounds(simple: &Simple, length: usize) -> Result<(), Misfit> {
    if length < simple.length_min as usize {
        return Err(Misfit::TooShort);
    }
    if length > simple.length_max as usize {
        return Err(Misfit::TooLong);
    }
    Ok(())
}

fn check_decimal(simple: &Simple, text: &str) -> Result<(), Misfit> {
    let shape = lexical::decimal(text).ok_or(Misfit::Base)?;
    if shape.whole + shape.fraction > simple.total_digits as usize {
        return Err(Misfit::TotalDigits);
    }
    if shape.fraction > simple.fraction_digits as usize {
        return Err(Misfit::FractionDigits);
    }
    match simple.minimum {
        Some(_) if shape.negative => Err(Misfit::TooSmall),
        // One and above has a digit before the point; larger minima do not occur in the schemas.
        Some(1) if shape.whole == 0 => Err(Misfit::TooSmall),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table() -> Table {
        text::parse(
            "S T string len=1..3\n\
             M A One:T Two?:T Three{0,2}:T (X:T|Y+:T) Last*:T\n\
             R pacs.008.001.08 Document:A\n",
        )
        .unwrap()
    }

    fn run(names: &[&str]) -> (Vec<Step>, Option<String>) {
        let table = table();
        let Kind::Complex(content) = &table.type_of(1).kind else { panic!("complex") };
        let mut state = State::START;
        let steps = names.iter().map(|name| content.step(&mut state, name)).collect();
        (steps, content.missing_at_end(state).map(|at| content.slot_names(at)))
    }

    #[test]
    fn accepts_what_the_model_allows() {
        for names in [
            &["One", "X"][..],
            &["One", "Two", "Three", "Three", "Y", "Y", "Y", "Last", "Last"][..],
        ] {
            let (steps, missing) = run(names);
            assert!(steps.iter().all(|step| matches!(step, Step::Accepted(_))), "{names:?}");
            assert_eq!(missing, None);
        }
    }

    #[test]
    fn refuses_what_it_does_not() {
        assert_eq!(run(&["One"]).1, Some("X or Y".to_owned()));
        assert!(matches!(run(&["Two"]).0[0], Step::Skipped { option: 1, missing: 0 }));
        assert_eq!(run(&["One", "X", "Y"]).0[2], Step::Misplaced(4));
        assert_eq!(run(&["One", "X", "X"]).0[2], Step::Misplaced(3));
        assert_eq!(run(&["One", "Three", "Three", "Three"]).0[3], Step::Misplaced(2));
        assert_eq!(run(&["One", "Nope"]).0[1], Step::Unknown);
    }
}
