//! The tables compiled into the library, parsed on first use, and sets of tables of one's own.
//!
//! A new version of a message is a new table file; a new family is a file and its name in
//! [`files`]. [`Tables`] lets a program bring tables at run time: versions that the library does not
//! know, or a market's restricted schemas, which then stand before the built-in ones.

mod files;

use super::text::{self, BadTable, Index};
use super::{Root, Table};
use crate::name::MessageName;
use std::collections::BTreeMap;
use std::sync::OnceLock;

struct Entry {
    family: &'static str,
    text: &'static str,
    table: OnceLock<Table>,
}

/// Types that several families use.
static SHARED: OnceLock<Index<'static>> = OnceLock::new();

fn shared() -> &'static Index<'static> {
    SHARED.get_or_init(|| {
        Index::of(files::SHARED).expect("the committed shared table parses; a test reads it")
    })
}

impl Entry {
    const fn new(family: &'static str, text: &'static str) -> Self {
        Self { family, text, table: OnceLock::new() }
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            text::parse_indexed(self.text, Some(shared()))
                .expect("committed tables parse; a test reads every one")
        })
    }
}

fn entry_of(family: &str) -> Option<&'static Entry> {
    let at = files::ENTRIES.binary_search_by(|entry| entry.family.cmp(family)).ok()?;
    Some(&files::ENTRIES[at])
}

/// The table that holds a message; `None` when the message is not supported.
#[must_use]
pub fn table_of(message: MessageName) -> Option<&'static Table> {
    root_of(message).map(|(table, _)| table)
}

/// Table and root element of a message; `None` when the message is not supported.
#[must_use]
pub fn root_of(message: MessageName) -> Option<(&'static Table, &'static Root)> {
    let table = entry_of(message.family())?.table();
    let root = table.roots.iter().find(|root| root.message == message)?;
    Some((table, root))
}

/// Every supported message version, in order. Parses no table.
#[must_use]
pub fn names() -> Vec<MessageName> {
    files::ENTRIES.iter().flat_map(|entry| text::message_names(entry.text)).collect()
}

/// A set of tables that a program brings at run time, in front of the built-in ones.
///
/// Several tables may describe one message, for example the restricted schemas of a market for
/// different uses of it: a message is good when one of them accepts it.
#[derive(Debug, Default)]
pub struct Tables {
    own: Vec<Table>,
    /// Places of a message in `own`: table and root.
    roots: BTreeMap<MessageName, Vec<(usize, usize)>>,
}

impl Tables {
    /// The built-in tables alone.
    #[must_use]
    pub const fn built_in() -> Self {
        Self { own: Vec::new(), roots: BTreeMap::new() }
    }

    /// Adds a table in text form. Types that it does not define are taken from the shared table of
    /// the library. Returns the messages that it describes.
    ///
    /// # Errors
    /// The text is not a table; nothing is added then.
    pub fn add(&mut self, text: &str) -> Result<Vec<MessageName>, BadTable> {
        self.add_parsed(text::parse_with(text, files::SHARED)?)
    }

    /// Adds a table that uses the types of another shared text than the library's.
    ///
    /// # Errors
    /// One of the texts is not a table; nothing is added then.
    pub fn add_with(&mut self, text: &str, shared: &str) -> Result<Vec<MessageName>, BadTable> {
        self.add_parsed(text::parse_with(text, shared)?)
    }

    fn add_parsed(&mut self, table: Table) -> Result<Vec<MessageName>, BadTable> {
        let mut names = Vec::new();
        for (at, root) in table.roots.iter().enumerate() {
            self.roots.entry(root.message).or_default().push((self.own.len(), at));
            names.push(root.message);
        }
        self.own.push(table);
        Ok(names)
    }

    /// How many tables describe a message: those of this set, or else the built-in one.
    #[must_use]
    pub fn choices(&self, message: MessageName) -> usize {
        match self.roots.get(&message) {
            Some(places) => places.len(),
            None => usize::from(root_of(message).is_some()),
        }
    }

    /// Table and root element of a message, by one of its [`Tables::choices`]; beyond the last one
    /// the last is meant.
    #[must_use]
    pub fn root_of(&self, message: MessageName, choice: usize) -> Option<(&Table, &Root)> {
        let Some(places) = self.roots.get(&message) else { return root_of(message) };
        let (table, root) = *places.get(choice).or_else(|| places.last())?;
        let table = self.own.get(table)?;
        Some((table, table.roots.get(root)?))
    }

    /// Every message that can be read, in order.
    #[must_use]
    pub fn names(&self) -> Vec<MessageName> {
        let mut all = names();
        all.extend(self.roots.keys());
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_table_parses() {
        let mut count = 0;
        for entry in &files::ENTRIES {
            let table = entry.table();
            assert!(!table.roots.is_empty(), "{}", entry.family);
            assert!(table.roots.iter().all(|root| root.message.family() == entry.family));
            count += table.roots.len();
        }
        assert!(files::ENTRIES.is_sorted_by_key(|entry| entry.family));
        assert_eq!(count, names().len());
        assert!(names().is_sorted());
        assert!(root_of("pacs.008.001.08".parse().unwrap()).is_some());
        assert!(root_of("pacs.008.001.99".parse().unwrap()).is_none());
        assert!(root_of("camt.999.001.01".parse().unwrap()).is_none());
    }

    #[test]
    fn every_file_is_compiled_in_and_all_are_small() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tables");
        let mut bytes = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            bytes += text.len();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let known = entry_of(name).map(|entry| entry.text);
            let known = known.or((name == "shared").then_some(files::SHARED));
            assert_eq!(known, Some(text.as_str()), "{name} is not in files.rs");
        }
        assert!(bytes < 5_000_000, "{bytes}");
    }

    #[test]
    fn own_tables_stand_before_the_built_in_ones() {
        let name = "pacs.008.001.08".parse().unwrap();
        let new = "pacs.008.001.99".parse().unwrap();
        let mut tables = Tables::built_in();
        assert_eq!((tables.choices(name), tables.choices(new)), (1, 0));
        let text = "M Document One:Max35Text\nR pacs.008.001.08 Document:Document\n\
            R pacs.008.001.99 Document:Document\n";
        assert_eq!(tables.add(text).unwrap(), [name, new]);
        assert!(tables.add("S a nothing").is_err());
        tables.add("S A string\nR pacs.008.001.99 Document:A").unwrap();
        assert_eq!((tables.choices(name), tables.choices(new)), (1, 2));
        assert_eq!(tables.root_of(name, 0).unwrap().0.types.len(), 2);
        assert_eq!(tables.root_of(new, 1).unwrap().0.types.len(), 1);
        assert!(tables.names().contains(&new));
    }
}
