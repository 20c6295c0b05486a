//! Schema tables: types, content models and facets of all versions of one message family.
//!
//! A [`Table`] is parsed once from its text form (see [`text`]) and never changes. Content models
//! are flat: a complex type is a row of slots, a slot offers one or more elements, of which one is
//! chosen. ISO 20022 schemas need nothing deeper, and they are deterministic, so the reader keeps
//! only the current option and its count as automaton state.

mod registry;
pub mod text;

pub use registry::{Tables, names, root_of, table_of};

use crate::class::Class;
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
    /// What rules beyond the schema make of it.
    pub(crate) class: Class,
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
    /// Largest whole number allowed.
    pub(crate) maximum: Option<u32>,
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
    TooLarge,
}

/// Content model of a complex type: options in schema order, each in a slot.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) options: Vec<ElementOption>,
    /// Keys of the option names, apart so that a scan touches little memory.
    pub(crate) keys: Vec<Key>,
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

/// An element name as a number: its first 15 bytes and its length. Names of up to 15 bytes are equal
/// exactly when their keys are; longer ones may share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u128);

/// Longest name that its key tells from all others.
const KEY_BYTES: usize = 15;

impl Key {
    pub(crate) fn of(name: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let length = name.len().min(KEY_BYTES);
        bytes[..length].copy_from_slice(&name[..length]);
        Self::masked(u128::from_le_bytes(bytes), name.len())
    }

    /// The key of a name within a longer text; cheaper than [`Key::of`] because a load of fixed size
    /// needs no loop.
    pub(crate) fn within(text: &[u8], start: usize, end: usize) -> Self {
        match text.get(start..start + 16).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Self::masked(u128::from_le_bytes(bytes), end - start),
            None => Self::of(&text[start..end]),
        }
    }

    fn masked(bytes: u128, length: usize) -> Self {
        let kept = 8 * length.min(KEY_BYTES) as u32;
        let mask = (1_u128 << kept) - 1;
        Self(bytes & mask | (length.min(255) as u128) << 120)
    }

    /// True when no other name has this key.
    pub(crate) fn is_exact(self) -> bool {
        self.0 >> 120 <= KEY_BYTES as u128
    }
}

impl Content {
    /// Option that takes `name` at or after `start`.
    fn find(&self, start: usize, name: &str, key: Key) -> Option<usize> {
        let keys = self.keys.get(start..)?.iter().enumerate();
        keys.filter(|(_, known)| **known == key)
            .map(|(at, _)| start + at)
            .find(|at| self.is(*at, name, key))
    }

    /// Whether an option whose key is this one has this name.
    fn is(&self, option: usize, name: &str, key: Key) -> bool {
        key.is_exact() || self.options[option].name == name
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
    #[cfg(test)]
    pub(crate) fn step(&self, state: &mut State, name: &str) -> Step {
        self.step_keyed(state, name, Key::of(name.as_bytes()))
    }

    /// Moves on to a named element of the schema's namespace, with the key of its name.
    pub(crate) fn step_keyed(&self, state: &mut State, name: &str, key: Key) -> Step {
        let current = state.option as usize;
        if let Some(option) = self.options.get(current)
            && self.keys[current] == key
            && self.is(current, name, key)
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
        self.enter(state, next, option)
    }

    /// As [`Content::step`], to an option that is known already.
    pub(crate) fn step_to(&self, state: &mut State, option: usize) -> Step {
        if option == state.option as usize {
            if state.count < self.options[option].max {
                state.count += 1;
                return Step::Accepted(option);
            }
            return Step::Misplaced(option);
        }
        let next = self.next_slot(*state);
        if self.options[option].slot < next {
            return Step::Misplaced(option);
        }
        self.enter(state, next, option)
    }

    /// Begins an option in the `next` slot or a later one.
    fn enter(&self, state: &mut State, next: usize, option: usize) -> Step {
        let current = state.option as usize;
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

    /// The type of this plain name among those that a root uses. Only asked for by messages that
    /// name types themselves, so it may take a while.
    pub(crate) fn named_type(&self, root: TypeId, name: &str) -> Option<TypeId> {
        let mut seen = vec![false; self.types.len()];
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            let known = self.type_of(id);
            if known.name.split('~').next() == Some(name) {
                return Some(id);
            }
            match &known.kind {
                Kind::Simple(_) => {}
                Kind::Attributed { value, attribute_type, .. } => {
                    open.extend([*value, *attribute_type]);
                }
                Kind::Complex(content) => {
                    open.extend(content.options.iter().filter_map(|option| match option.term {
                        Term::Element(id) => Some(id),
                        Term::Any | Term::AnySignature => None,
                    }));
                }
            }
        }
        None
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
    if simple.minimum.is_some() && shape.negative {
        return Err(Misfit::TooSmall);
    }
    // Almost all minima are zero, and there are few maxima: the value is worked out when it matters.
    if simple.minimum > Some(0) || simple.maximum.is_some() {
        let whole = lexical::whole_part(text);
        if !shape.negative && simple.minimum.is_some_and(|minimum| whole < u64::from(minimum)) {
            return Err(Misfit::TooSmall);
        }
        let above = |maximum: u64| whole > maximum || (whole == maximum && shape.fraction > 0);
        if !shape.negative && simple.maximum.is_some_and(|maximum| above(u64::from(maximum))) {
            return Err(Misfit::TooLarge);
        }
    }
    Ok(())
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
    fn keys_tell_names_apart() {
        let names = ["", "a", "b", "ab", "PmtId", "CdtTrfTxInf", "123456789012345"];
        for left in names {
            for right in names {
                let keys = (Key::of(left.as_bytes()), Key::of(right.as_bytes()));
                assert_eq!(keys.0 == keys.1, left == right, "{left} {right}");
            }
            let key = Key::of(left.as_bytes());
            assert!(key.is_exact());
            for tail in ["", "/>", " and what follows a tag"] {
                let text = format!("<{left}{tail}");
                assert_eq!(Key::within(text.as_bytes(), 1, 1 + left.len()), key, "{text}");
            }
        }
        let long = [b"1234567890123456", b"123456789012345x"].map(|name| Key::of(name));
        assert!(long[0] == long[1] && !long[0].is_exact());
    }

    #[test]
    fn bounds_of_numbers() {
        let table = text::parse("S N decimal fraction=2 min=10 max=999").unwrap();
        let simple = table.simple(0).unwrap();
        for good in ["10", "+0010.50", "999", "999.00", "998.99"] {
            assert_eq!(table.check(simple, good), Ok(()), "{good}");
        }
        for (bad, misfit) in [
            ("9.99", Misfit::TooSmall),
            ("0", Misfit::TooSmall),
            ("-500", Misfit::TooSmall),
            ("999.01", Misfit::TooLarge),
            ("1000", Misfit::TooLarge),
            ("99999999999999999999999", Misfit::TooLarge),
            ("10.001", Misfit::FractionDigits),
        ] {
            assert_eq!(table.check(simple, bad), Err(misfit), "{bad}");
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
