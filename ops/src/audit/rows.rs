//! Rows of the projection, as PostgreSQL's binary COPY takes them.
//!
//! One buffer a table, in the format of the PostgreSQL manual (COPY, "Binary Format"): a signature, then for each row
//! the number of its fields and each field's length and bytes. Written by hand, because millions of rows pass here
//! and each value is known. The order of the fields is that of the columns in `schema.sql`.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};

/// Nanoseconds of a UTC day.
pub(super) const DAY_NS: u64 = 86_400_000_000_000;
/// Days from 1970 to 2000, where PostgreSQL counts from.
const DAYS_TO_2000: i64 = 10_957;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A table that is copied into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Blocks,
    Records,
    Commands,
    Progress,
    Exchanges,
    Postings,
    Governance,
    Participants,
    Accounts,
    ParticipantStates,
    AccountStates,
    KeyStates,
    Answers,
    Access,
    Erasures,
    Days,
}

/// Name, number of columns, and the order in which rows are made.
const TABLES: [(Table, &str, i16, &str); 16] = [
    (Table::Blocks, "blocks", 8, "leaf"),
    (Table::Records, "records", 5, "leaf"),
    (Table::Commands, "commands", 17, "leaf"),
    (Table::Progress, "progress", 9, "leaf"),
    (Table::Exchanges, "exchanges", 9, "leaf"),
    (Table::Postings, "postings", 10, "leaf, seq"),
    (Table::Governance, "governance", 10, "leaf"),
    (Table::Participants, "participants", 5, "leaf, number"),
    (Table::Accounts, "accounts", 7, "leaf, number"),
    (Table::ParticipantStates, "participant_states", 5, "leaf, participant"),
    (Table::AccountStates, "account_states", 7, "leaf, account"),
    (Table::KeyStates, "key_states", 11, "leaf, participant, number"),
    (Table::Answers, "answers", 5, "leaf, code"),
    (Table::Access, "access", 11, "leaf"),
    (Table::Erasures, "erasures", 12, "leaf"),
    (Table::Days, "balances_by_day", 9, "leaf, account"),
];

impl Table {
    /// All, in the order in which they are written.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        TABLES.into_iter().map(|(table, ..)| table)
    }

    /// Its name in the schema.
    pub(super) fn name(self) -> &'static str {
        TABLES[self as usize].1
    }

    fn columns(self) -> i16 {
        TABLES[self as usize].2
    }

    /// Columns by which its rows are in the order in which they are made.
    pub(super) fn order(self) -> &'static str {
        TABLES[self as usize].3
    }
}

/// Rows of all tables that belong to a run of blocks.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tables: [BytesMut; TABLES.len()],
    /// Months that rows fall into, as their first day `YYYY-MM-01`.
    pub(super) months: BTreeSet<String>,
}

impl Rows {
    /// Bytes of all rows.
    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(BytesMut::len).sum()
    }

    /// Begins a row; every column of the table must follow.
    pub(super) fn row(&mut self, table: Table) -> Row<'_> {
        let out = &mut self.tables[table as usize];
        if out.is_empty() {
            out.put_slice(SIGNATURE);
        }
        out.put_i16(table.columns());
        Row(out)
    }

    /// Whether a table has rows.
    pub(super) fn has(&self, table: Table) -> bool {
        !self.tables[table as usize].is_empty()
    }

    /// The rows of a table as COPY takes and gives them.
    pub(super) fn copy(&self, table: Table) -> Bytes {
        let rows = &self.tables[table as usize];
        let mut out = BytesMut::with_capacity(rows.len() + SIGNATURE.len() + 2);
        out.put_slice(if rows.is_empty() { SIGNATURE } else { rows });
        out.put_i16(-1);
        out.freeze()
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.tables.iter_mut().for_each(BytesMut::clear);
        self.months.clear();
    }
}

/// A row that is being written.
pub(super) struct Row<'a>(&'a mut BytesMut);

impl Row<'_> {
    pub(super) fn null(self) -> Self {
        self.0.put_i32(-1);
        self
    }

    pub(super) fn small(self, value: i16) -> Self {
        self.0.put_i32(2);
        self.0.put_i16(value);
        self
    }

    pub(super) fn int(self, value: u32) -> Self {
        self.0.put_i32(4);
        // Numbers in the ledger are dense and bounded far below 2^31.
        self.0.put_i32(value as i32);
        self
    }

    pub(super) fn big(self, value: u64) -> Self {
        self.0.put_i32(8);
        self.0.put_u64(value);
        self
    }

    pub(super) fn bytes(self, value: &[u8]) -> Self {
        self.0.put_i32(value.len() as i32);
        self.0.put_slice(value);
        self
    }

    /// A `timestamptz`, to the microsecond below.
    pub(super) fn time(self, ns: u64) -> Self {
        self.0.put_i32(8);
        self.0.put_i64((ns / 1000) as i64 - DAYS_TO_2000 * (DAY_NS / 1000) as i64);
        self
    }

    /// A `date`, from days since 1970.
    pub(super) fn day(self, day: u64) -> Self {
        self.0.put_i32(4);
        self.0.put_i32((day as i64 - DAYS_TO_2000) as i32);
        self
    }

    /// A `numeric` without decimals: groups of four decimal digits, most significant first, as PostgreSQL itself
    /// writes it, without zeros at the end.
    pub(super) fn number(self, value: i128) -> Self {
        let mut groups = [0u16; 10];
        let (mut rest, mut count) = (value.unsigned_abs(), 0);
        while rest > 0 {
            groups[count] = (rest % 10_000) as u16;
            rest /= 10_000;
            count += 1;
        }
        let zeros = groups[..count].iter().take_while(|group| **group == 0).count();
        self.0.put_i32(8 + 2 * (count - zeros) as i32);
        self.0.put_u16((count - zeros) as u16);
        self.0.put_i16((count as i16 - 1).max(0));
        self.0.put_u16(if value < 0 { 0x4000 } else { 0 });
        self.0.put_u16(0);
        groups[zeros..count].iter().rev().for_each(|group| self.0.put_u16(*group));
        self
    }

    pub(super) fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    /// An `int[]`.
    pub(super) fn ints(self, values: &BTreeSet<u32>) -> Self {
        const INT4: u32 = 23;
        let dimensions = u32::from(!values.is_empty());
        self.0.put_u32(12 + 8 * dimensions + 8 * values.len() as u32);
        self.0.put_u32(dimensions);
        self.0.put_u32(0);
        self.0.put_u32(INT4);
        if !values.is_empty() {
            self.0.put_u32(values.len() as u32);
            self.0.put_u32(1);
        }
        values.iter().fold(self, |row, value| row.int(*value))
    }

    /// The field that `some` writes, or null.
    pub(super) fn option<T>(self, value: Option<T>, some: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => some(self, value),
            None => self.null(),
        }
    }
}
