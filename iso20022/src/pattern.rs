//! Matchers for the `pattern` facet: a small regular language compiled to a deterministic table.
//!
//! Supported: literals, `.`, `\d`, escaped characters, classes with ranges and negation, groups,
//! alternation, and the quantifiers `? * + {n} {n,} {n,m}`. Patterns are anchored on both sides.
//! Matching is one table step a character, without backtracking, so no value can make it slow.
//! Anything else in a pattern is a compile error, noticed when a table is generated.

use std::collections::BTreeMap;

/// Most positions (characters of the pattern after unrolling counts) and most table states.
const POSITIONS_MAX: usize = 4096;
const DEAD: u16 = u16::MAX;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Class of each ASCII character; all others share `other`.
    classes: [u8; 128],
    other: u8,
    class_count: usize,
    /// `states * class_count` next states.
    next: Vec<u16>,
    accepting: Vec<bool>,
}

/// Why a pattern cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern `{pattern}` is not supported: {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: &'static str,
}

/// A set of characters: ASCII as bits, everything else as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Set {
    ascii: u128,
    other: bool,
}

enum Syntax {
    Set(Set),
    Concat(Vec<Syntax>),
    Choice(Vec<Syntax>),
    Repeat(Box<Syntax>, u32, Option<u32>),
}

/// Positions that can start, end, and whether the empty text matches.
struct Fragment {
    first: Vec<usize>,
    last: Vec<usize>,
    empty: bool,
}

impl Pattern {
    /// Compiles a pattern.
    pub(crate) fn compile(pattern: &str) -> Result<Self, BadPattern> {
        let bad = |reason| BadPattern { pattern: pattern.to_owned(), reason };
        let mut parser = Parser { rest: pattern.chars().collect(), at: 0 };
        let syntax = parser.choice().map_err(bad)?;
        if parser.at != parser.rest.len() {
            return Err(bad("unbalanced parenthesis"));
        }
        let mut positions = Positions::default();
        let whole = positions.add(&syntax).map_err(bad)?;
        positions.determinise(&whole).map_err(bad)
    }

    /// The state after one more ASCII character, beginning with state 0; `None` when no text that
    /// matches goes on like this.
    pub(crate) fn step(&self, state: usize, ascii: u8) -> Option<usize> {
        let class = usize::from(*self.classes.get(usize::from(ascii))?);
        let next = self.next[state * self.class_count + class];
        (next != DEAD).then_some(usize::from(next))
    }

    /// True when a text that leads to this state matches.
    pub(crate) fn accepts(&self, state: usize) -> bool {
        self.accepting[state]
    }

    /// True when the whole text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut state = 0_usize;
        for byte in text.bytes() {
            let class = match self.classes.get(usize::from(byte)) {
                Some(class) => *class,
                // Continuation bytes belong to the character that the lead byte has consumed.
                None if byte & 0xC0 == 0x80 => continue,
                None => self.other,
            };
            let next = self.next[state * self.class_count + usize::from(class)];
            if next == DEAD {
                return false;
            }
            state = usize::from(next);
        }
        self.accepting[state]
    }
}

struct Parser {
    rest: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn take(&mut self) -> Result<char, &'static str> {
        let next = self.peek().ok_or("unexpected end")?;
        self.at += 1;
        Ok(next)
    }

    fn choice(&mut self) -> Result<Syntax, &'static str> {
        let mut options = vec![self.concat()?];
        while self.peek() == Some('|') {
            self.at += 1;
            options.push(self.concat()?);
        }
        Ok(if options.len() == 1 { options.remove(0) } else { Syntax::Choice(options) })
    }

    fn concat(&mut self) -> Result<Syntax, &'static str> {
        let mut items = Vec::new();
        while let Some(next) = self.peek() {
            if next == '|' || next == ')' {
                break;
            }
            let atom = self.atom()?;
            items.push(self.quantified(atom)?);
        }
        Ok(Syntax::Concat(items))
    }

    fn atom(&mut self) -> Result<Syntax, &'static str> {
        match self.take()? {
            '(' => {
                let inner = self.choice()?;
                if self.take()? != ')' {
                    return Err("unbalanced parenthesis");
                }
                Ok(inner)
            }
            '[' => Ok(Syntax::Set(self.class()?)),
            '.' => Ok(Syntax::Set(Set::single('\n').or(Set::single('\r')).negated())),
            '\\' => Ok(Syntax::Set(self.escape()?)),
            '?' | '*' | '+' | '{' | '}' | ']' => Err("a special character stands alone"),
            literal if literal.is_ascii() => Ok(Syntax::Set(Set::single(literal))),
            _ => Err("a literal outside ASCII"),
        }
    }

    fn escape(&mut self) -> Result<Set, &'static str> {
        match self.take()? {
            'd' => Ok(Set::range('0', '9')),
            'n' => Ok(Set::single('\n')),
            'r' => Ok(Set::single('\r')),
            't' => Ok(Set::single('\t')),
            literal if literal.is_ascii_punctuation() => Ok(Set::single(literal)),
            _ => Err("an unknown escape"),
        }
    }

    fn class(&mut self) -> Result<Set, &'static str> {
        let negated = self.peek() == Some('^');
        if negated {
            self.at += 1;
        }
        let mut set = Set { ascii: 0, other: false };
        loop {
            let low = match self.take()? {
                ']' => break,
                '\\' => {
                    let escaped = self.escape()?;
                    set = set.or(escaped);
                    continue;
                }
                '[' => return Err("class subtraction"),
                low if low.is_ascii() => low,
                _ => return Err("a class outside ASCII"),
            };
            let is_range = self.peek() == Some('-')
                && self.rest.get(self.at + 1).is_some_and(|next| *next != ']');
            if is_range {
                self.at += 1;
                let high = self.take()?;
                if !high.is_ascii() || high < low {
                    return Err("a bad range");
                }
                set = set.or(Set::range(low, high));
            } else {
                set = set.or(Set::single(low));
            }
        }
        Ok(if negated { set.negated() } else { set })
    }

    fn quantified(&mut self, atom: Syntax) -> Result<Syntax, &'static str> {
        let (min, max) = match self.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                self.at += 1;
                let min = self.number()?;
                let max = match self.take()? {
                    '}' => {
                        return Ok(Syntax::Repeat(Box::new(atom), min, Some(min)));
                    }
                    ',' if self.peek() == Some('}') => None,
                    ',' => Some(self.number()?),
                    _ => return Err("a bad count"),
                };
                if self.peek() != Some('}') || max.is_some_and(|max| max < min) {
                    return Err("a bad count");
                }
                (min, max)
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        Ok(Syntax::Repeat(Box::new(atom), min, max))
    }

    fn number(&mut self) -> Result<u32, &'static str> {
        let start = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.rest[start..self.at].iter().collect();
        digits.parse().map_err(|_| "a bad count")
    }
}

impl Set {
    const fn single(character: char) -> Self {
        Self { ascii: 1 << (character as u32), other: false }
    }

    fn range(low: char, high: char) -> Self {
        (low..=high).fold(Self { ascii: 0, other: false }, |set, next| set.or(Self::single(next)))
    }

    const fn or(self, more: Self) -> Self {
        Self { ascii: self.ascii | more.ascii, other: self.other || more.other }
    }

    const fn negated(self) -> Self {
        Self { ascii: !self.ascii, other: !self.other }
    }
}

/// The position automaton: each position is one character set, `follow` says what may come next.
#[derive(Default)]
struct Positions {
    sets: Vec<Set>,
    follow: Vec<Vec<usize>>,
}

impl Positions {
    fn add(&mut self, syntax: &Syntax) -> Result<Fragment, &'static str> {
        match syntax {
            Syntax::Set(set) => {
                if self.sets.len() >= POSITIONS_MAX {
                    return Err("too long");
                }
                self.sets.push(*set);
                self.follow.push(Vec::new());
                let at = self.sets.len() - 1;
                Ok(Fragment { first: vec![at], last: vec![at], empty: false })
            }
            Syntax::Concat(items) => {
                let mut whole = Fragment { first: Vec::new(), last: Vec::new(), empty: true };
                for item in items {
                    let next = self.add(item)?;
                    whole = self.join(whole, next);
                }
                Ok(whole)
            }
            Syntax::Choice(options) => {
                let mut whole = Fragment { first: Vec::new(), last: Vec::new(), empty: false };
                for option in options {
                    let next = self.add(option)?;
                    whole.first.extend(next.first);
                    whole.last.extend(next.last);
                    whole.empty |= next.empty;
                }
                Ok(whole)
            }
            Syntax::Repeat(inner, min, max) => self.repeat(inner, *min, *max),
        }
    }

    fn repeat(
        &mut self,
        inner: &Syntax,
        min: u32,
        max: Option<u32>,
    ) -> Result<Fragment, &'static str> {
        let mut whole = Fragment { first: Vec::new(), last: Vec::new(), empty: true };
        for _ in 0..min {
            let next = self.add(inner)?;
            whole = self.join(whole, next);
        }
        match max {
            None => {
                let mut star = self.add(inner)?;
                self.connect(&star.last, &star.first);
                star.empty = true;
                whole = self.join(whole, star);
            }
            Some(max) => {
                // The optional tail x{0,n} is x(x(x)?)?: built from the inside out.
                let mut tail = Fragment { first: Vec::new(), last: Vec::new(), empty: true };
                for _ in min..max {
                    let next = self.add(inner)?;
                    tail = self.join(next, tail);
                    tail.empty = true;
                }
                whole = self.join(whole, tail);
            }
        }
        Ok(whole)
    }

    fn join(&mut self, left: Fragment, right: Fragment) -> Fragment {
        self.connect(&left.last, &right.first);
        let mut first = left.first;
        if left.empty {
            first.extend(&right.first);
        }
        let mut last = right.last;
        if right.empty {
            last.extend(&left.last);
        }
        Fragment { first, last, empty: left.empty && right.empty }
    }

    fn connect(&mut self, from: &[usize], to: &[usize]) {
        for position in from {
            self.follow[*position].extend(to);
        }
    }

    /// Splits the alphabet into classes that no position tells apart.
    fn alphabet(&self) -> ([u8; 128], u8, usize) {
        let mut known: Vec<Vec<bool>> = Vec::new();
        let mut class_of = |signature: Vec<bool>| -> u8 {
            let at = known.iter().position(|other| *other == signature).unwrap_or_else(|| {
                known.push(signature);
                known.len() - 1
            });
            u8::try_from(at).expect("at most 129 classes")
        };
        let mut distinct = self.sets.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let mut classes = [0_u8; 128];
        for (character, class) in classes.iter_mut().enumerate() {
            *class = class_of(distinct.iter().map(|set| set.ascii >> character & 1 == 1).collect());
        }
        let other = class_of(distinct.iter().map(|set| set.other).collect());
        (classes, other, known.len())
    }

    fn determinise(&self, whole: &Fragment) -> Result<Pattern, &'static str> {
        let (classes, other, class_count) = self.alphabet();
        let contains = |position: usize, class: usize| {
            let set = self.sets[position];
            let found = classes.iter().position(|known| usize::from(*known) == class);
            found.map_or(set.other, |character| set.ascii >> character & 1 == 1)
        };
        // A state is the set of positions just read; `usize::MAX` stands for "nothing read yet".
        let mut numbers: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut states = vec![vec![usize::MAX]];
        numbers.insert(states[0].clone(), 0);
        let mut next = Vec::new();
        let mut accepting = Vec::new();
        let mut at = 0;
        while at < states.len() {
            let state = states[at].clone();
            let mut reachable: Vec<usize> = Vec::new();
            let mut accepts = false;
            for position in &state {
                if *position == usize::MAX {
                    reachable.extend(&whole.first);
                    accepts |= whole.empty;
                } else {
                    reachable.extend(&self.follow[*position]);
                    accepts |= whole.last.contains(position);
                }
            }
            reachable.sort_unstable();
            reachable.dedup();
            accepting.push(accepts);
            for class in 0..class_count {
                let target: Vec<usize> =
                    reachable.iter().copied().filter(|at| contains(*at, class)).collect();
                if target.is_empty() {
                    next.push(DEAD);
                    continue;
                }
                let number = *numbers.entry(target.clone()).or_insert_with(|| {
                    states.push(target);
                    states.len() - 1
                });
                if number >= POSITIONS_MAX {
                    return Err("too many states");
                }
                next.push(u16::try_from(number).expect("bounded above"));
            }
            at += 1;
        }
        Ok(Pattern { classes, other, class_count, next, accepting })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let compiled = Pattern::compile(pattern).unwrap();
        for text in yes {
            assert!(compiled.matches(text), "{pattern} should match {text}");
        }
        for text in no {
            assert!(!compiled.matches(text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn the_patterns_of_the_schemas() {
        check(
            "[A-Z0-9]{4,4}[A-Z]{2,2}[A-Z0-9]{2,2}([A-Z0-9]{3,3}){0,1}",
            &["DEUTDEFF", "DEUTDEFFXXX", "1234DE00"],
            &["", "DEUTDEF", "DEUTDEFFX", "deutdeff", "DEUTDEFFXXXX", "DEUTDEFÄ"],
        );
        check(
            r"\+[0-9]{1,3}-[0-9()+\-]{1,30}",
            &["+49-123", "+1-(2)3-4"],
            &["+49", "49-123", "+1234-1"],
        );
        check(".*Z", &["Z", "2020Z", "ZZ", "éZ"], &["", "Z2020", "2020-01-01T00:00:00+01:00"]);
        check("([0-9A-F][0-9A-F]){2}", &["00FF"], &["0", "00", "00FFA", "00FFAA"]);
        check("[BEOVW]{1,1}[0-9]{2,2}|DUM", &["B01", "DUM"], &["DUM1", "B1", "A01"]);
        check(r"(BBG)[BCD\d]{2}\d", &["BBGB11"], &["BBG", "BBGB1X"]);
        check("[0-9a-fA-F]+", &["0", "aF09"], &["", "g"]);
        check("[^a-c]*", &["", "xyz", "日本"], &["a", "xa"]);
        check("a{2,}", &["aa", "aaaa"], &["a"]);
    }

    #[test]
    fn unsupported_syntax_is_an_error() {
        for pattern in ["[a-z-[b]]", "(a", "a)", "*", "a{2,1}", r"\p{L}", "[z-a]", "[a"] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
