//! External code lists: which codes each of them holds, and what the common ones mean.
//!
//! The lists are published quarterly apart from the schemas, which say of a code only how long it
//! may be. They are data here (`codes/external.txt`, with its edition): a code that is not listed
//! is carried as text with a warning, since it may be younger than the edition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::OnceLock;

const TEXT: &str = include_str!("../codes/external.txt");
const MEANINGS: &str = include_str!("../codes/meanings.txt");
/// Longest line that [`render`] writes, in characters.
const LINE_MAX: usize = 100;

/// One external code list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSet {
    name: &'static str,
    codes: Vec<&'static str>,
}

struct Lists {
    edition: &'static str,
    sets: Vec<CodeSet>,
}

impl CodeSet {
    /// The name of the list, which is that of its schema type, e.g. `ExternalStatusReason1Code`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The codes in order.
    #[must_use]
    pub fn codes(&self) -> &[&'static str] {
        &self.codes
    }

    /// True when the edition lists the code.
    #[must_use]
    pub fn contains(&self, code: &str) -> bool {
        self.codes.binary_search(&code).is_ok()
    }
}

fn lists() -> &'static Lists {
    static LISTS: OnceLock<Lists> = OnceLock::new();
    LISTS.get_or_init(|| parse(TEXT))
}

/// Reads what [`render`] writes. Lines that are not understood cannot occur in the committed file,
/// which a test renders anew.
fn parse(text: &'static str) -> Lists {
    let mut lists = Lists { edition: "", sets: Vec::new() };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(codes) = line.strip_prefix("  ") {
            if let Some(set) = lists.sets.last_mut() {
                set.codes.extend(codes.split_ascii_whitespace());
            }
        } else if let Some(edition) = line.strip_prefix("edition ") {
            lists.edition = edition;
        } else {
            lists.sets.push(CodeSet { name: line, codes: Vec::new() });
        }
    }
    lists
}

/// The edition of the lists, year and month: `2025-05`.
#[must_use]
pub fn edition() -> &'static str {
    lists().edition
}

/// Every list, by name.
#[must_use]
pub fn sets() -> &'static [CodeSet] {
    &lists().sets
}

/// The list of a name; `None` when the edition has none.
#[must_use]
pub fn set(name: &str) -> Option<&'static CodeSet> {
    position(name).map(|at| &sets()[at])
}

pub(crate) fn position(name: &str) -> Option<usize> {
    sets().binary_search_by(|set| set.name.cmp(name)).ok()
}

/// What a code means in a list, in our own words; `None` for the many that explain themselves to
/// their users only. The same letters may mean different things in different lists.
#[must_use]
pub fn meaning(list: &str, code: &str) -> Option<&'static str> {
    let mut heading = "";
    MEANINGS.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        if let Some(entry) = line.strip_prefix("  ") {
            let (known, text) = entry.split_once(' ')?;
            (heading == list && known == code).then_some(text)
        } else {
            heading = line;
            None
        }
    })
}

/// The file of code lists: codes by the name of their list. Written by the generator, read by this
/// module.
#[must_use]
pub fn render(edition: &str, sets: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut text = format!(
        "# External code lists of ISO 20022, edition {edition}: the codes alone, one list after the other.\n\
         # Written by `corridor iso codes`; a later edition replaces this file.\n\
         edition {edition}\n"
    );
    for (name, codes) in sets {
        let _ = writeln!(text, "{name}");
        let mut line = String::from(" ");
        for code in codes {
            if line.len() + 1 + code.len() > LINE_MAX {
                let _ = writeln!(text, "{line}");
                line.truncate(1);
            }
            let _ = write!(line, " {code}");
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_committed_lists_are_what_the_generator_writes() {
        let owned = |set: &CodeSet| {
            (set.name.to_owned(), set.codes.iter().map(|code| (*code).to_owned()).collect())
        };
        let all: BTreeMap<String, BTreeSet<String>> = sets().iter().map(owned).collect();
        assert_eq!(render(edition(), &all), TEXT);
        assert!(sets().windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(sets().iter().all(|set| set.codes.windows(2).all(|pair| pair[0] < pair[1])));
        assert_eq!(edition(), "2025-05");
    }

    #[test]
    fn codes_are_looked_up() {
        let reasons = set("ExternalStatusReason1Code").unwrap();
        assert!(reasons.contains("AC01") && !reasons.contains("ac01") && !reasons.contains(""));
        assert!(set("ExternalNothing9Code").is_none());
    }

    #[test]
    fn meanings_are_of_listed_codes() {
        let mut list = None;
        let mut count = 0;
        for line in MEANINGS.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix("  ") {
                Some(entry) => {
                    let (code, text) = entry.split_once(' ').unwrap();
                    let set: &CodeSet = list.unwrap();
                    assert!(set.contains(code), "{code} is not in {}", set.name);
                    assert!(text.ends_with('.'), "{entry}");
                    count += 1;
                }
                None => list = Some(set(line).unwrap_or_else(|| panic!("no list {line}"))),
            }
        }
        assert!(count > 100, "{count}");
        let meaning = |list, code| meaning(list, code).unwrap();
        // The same letters, two meanings.
        assert_ne!(
            meaning("ExternalStatusReason1Code", "AC14"),
            meaning("ExternalReturnReason1Code", "AC14")
        );
    }
}
