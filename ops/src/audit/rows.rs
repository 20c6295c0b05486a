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
    Postings,
    Participants,
    Accounts,
    Days,
}

impl Table {
    /// All, in the order in which they are written.
    pub(super) const ALL: [Self; 8] = [
        Self::Blocks,
        Self::Records,
        Self::Commands,
        Self::Progress,
        Self::Postings,
        Self::Participants,
        Self::Accounts,
        Self::Days,
    ];

    /// Its name in the schema.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Records => "records",
            Self::Commands => "commands",
            Self::Progress => "progress",
            Self::Postings => "postings",
            Self::Participants => "participants",
            Self::Accounts => "accounts",
            Self::Days => "balances_by_day",
        }
    }

    fn columns(self) -> i16 {
        match self {
            Self::Blocks => 8,
            Self::Records => 5,
            Self::Commands => 15,
            Self::Progress | Self::Days => 9,
            Self::Postings => 10,
            Self::Participants => 4,
            Self::Accounts => 7,
        }
    }
}

/// Rows of all tables that belong to a run of blocks.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tables: [BytesMut; 8],
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

    /// The rows of a table as COPY takes them; nothing when there are none.
    pub(super) fn copy(&self, table: Table) -> Option<Bytes> {
        let rows = &self.tables[table as usize];
        if rows.is_empty() {
            return None;
        }
        let mut out = BytesMut::with_capacity(rows.len() + 2);
        out.put_slice(rows);
        out.put_i16(-1);
        Some(out.freeze())
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

    /// A `numeric` without decimals: groups of four decimal digits, most significant first.
    pub(super) fn number(self, value: i128) -> Self {
        let mut groups = [0u16; 10];
        let (mut rest, mut count) = (value.unsigned_abs(), 0);
        while rest > 0 {
            groups[count] = (rest % 10_000) as u16;
            rest /= 10_000;
            count += 1;
        }
        self.0.put_i32(8 + 2 * count as i32);
        self.0.put_u16(count as u16);
        self.0.put_i16((count as i16 - 1).max(0));
        self.0.put_u16(if value < 0 { 0x4000 } else { 0 });
        self.0.put_u16(0);
        groups[..count].iter().rev().for_each(|group| self.0.put_u16(*group));
        self
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
