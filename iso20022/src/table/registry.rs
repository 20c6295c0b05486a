//! The tables compiled into the library, parsed on first use.
//!
//! Adding a message family is adding its table file and one line here.

use super::{Root, Table, text};
use crate::name::MessageName;
use std::sync::OnceLock;

struct Entry {
    family: &'static str,
    text: &'static str,
    table: OnceLock<Table>,
}

macro_rules! entry {
    ($family:literal) => {
        Entry {
            family: $family,
            text: include_str!(concat!("../../tables/", $family, ".tbl")),
            table: OnceLock::new(),
        }
    };
}

static ENTRIES: [Entry; 6] = [
    entry!("admi.002"),
    entry!("head.001"),
    entry!("pacs.002"),
    entry!("pacs.004"),
    entry!("pacs.008"),
    entry!("pacs.009"),
];

impl Entry {
    fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            text::parse(self.text).expect("committed tables parse; a test reads every one")
        })
    }
}

/// The table that holds a message; `None` when the message is not supported.
#[must_use]
pub fn table_of(message: MessageName) -> Option<&'static Table> {
    root_of(message).map(|(table, _)| table)
}

/// Table and root element of a message; `None` when the message is not supported.
#[must_use]
pub fn root_of(message: MessageName) -> Option<(&'static Table, &'static Root)> {
    let entry = ENTRIES.iter().find(|entry| entry.family == message.family())?;
    let table = entry.table();
    let root = table.roots.iter().find(|root| root.message == message)?;
    Some((table, root))
}

/// Every supported message version, in order.
#[must_use]
pub fn names() -> Vec<MessageName> {
    ENTRIES.iter().flat_map(|entry| &entry.table().roots).map(|root| root.message).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_table_parses_and_round_trips() {
        for entry in &ENTRIES {
            assert!(!entry.table().roots.is_empty(), "{}", entry.family);
            assert!(entry.table().roots.iter().all(|root| root.message.family() == entry.family));
        }
        assert!(root_of("pacs.008.001.08".parse().unwrap()).is_some());
        assert!(root_of("pacs.008.001.99".parse().unwrap()).is_none());
        assert!(root_of("camt.999.001.01".parse().unwrap()).is_none());
    }
}
