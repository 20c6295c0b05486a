//! Putting the rows of a generation in order in small steps, and going through sorted sources in order.
//!
//! Rows are first dealt into buckets by where their id lies between the smallest and the greatest, then
//! each bucket is sorted when its turn comes. Ids are mostly chosen at random, which makes the buckets
//! small. A bank that chooses them otherwise makes one step longer, and changes nothing else.

use super::pace::Pace;
use super::run::id_of;
use super::{ROW_BYTES, RunError};

pub(super) type Row = [u8; ROW_BYTES];

/// Rows in a bucket, when they are spread evenly.
const BUCKET_ROWS: usize = 1 << 11;
/// Rows that are dealt or merged at a stretch.
const STEP_ROWS: usize = 1 << 10;

/// Rows that can be gone through in order once.
pub(super) struct Sorted {
    buckets: Vec<Vec<Row>>,
    rows: usize,
}

/// The id as a number, which has the same order.
fn number_of(row: &Row) -> u128 {
    u128::from_be_bytes(id_of(row))
}

impl Sorted {
    /// Takes rows in any order; goes through them twice.
    ///
    /// # Errors
    /// Those of the pace.
    pub(super) fn new(
        rows: impl Iterator<Item = Row> + Clone,
        pace: &mut Pace<'_>,
    ) -> Result<Self, RunError> {
        let (mut count, mut least, mut greatest) = (0_usize, u128::MAX, 0);
        for row in rows.clone() {
            let id = number_of(&row);
            (least, greatest) = (least.min(id), greatest.max(id));
            count += 1;
            if count.is_multiple_of(STEP_ROWS) {
                pace.step()?;
            }
        }
        let wanted = count.div_ceil(BUCKET_ROWS).next_power_of_two();
        let bits = 128 - greatest.saturating_sub(least).leading_zeros();
        let shift = bits.saturating_sub(wanted.trailing_zeros());
        let mut buckets = vec![Vec::with_capacity(BUCKET_ROWS * 5 / 4); wanted];
        for (at, row) in rows.enumerate() {
            // No more buckets than there are numbers in those bits.
            let bucket = number_of(&row).wrapping_sub(least).unbounded_shr(shift);
            buckets[bucket as usize].push(row);
            if at.is_multiple_of(STEP_ROWS) {
                pace.step()?;
            }
        }
        Ok(Self { buckets, rows: count })
    }

    /// Number of rows.
    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// Hands over all rows in order of id, equal ids one after the other.
    ///
    /// # Errors
    /// Those of `each` and of the pace.
    pub(super) fn for_each(
        self,
        pace: &mut Pace<'_>,
        mut each: impl FnMut(&Row) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        for mut bucket in self.buckets {
            bucket.sort_unstable();
            bucket.iter().try_for_each(&mut each)?;
            pace.step()?;
        }
        Ok(())
    }
}

/// Hands over the rows of a few sorted sources in order of id. `next` gives the next row of a source,
/// `None` at its end.
///
/// # Errors
/// Those of `next`, `each` and the pace.
pub(super) fn in_order(
    sources: usize,
    mut next: impl FnMut(usize) -> Result<Option<Row>, RunError>,
    pace: &mut Pace<'_>,
    mut each: impl FnMut(&Row) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut heads = Vec::with_capacity(sources);
    for source in 0..sources {
        heads.extend(next(source)?.map(|row| (number_of(&row), source, row)));
    }
    let mut done = 0_usize;
    // They are few enough to look at all.
    while let Some(at) = (0..heads.len()).min_by_key(|&at| heads[at].0) {
        let (_, source, row) = &heads[at];
        each(row)?;
        match next(*source)? {
            Some(row) => heads[at] = (number_of(&row), *source, row),
            None => drop(heads.swap_remove(at)),
        }
        done += 1;
        if done.is_multiple_of(STEP_ROWS) {
            pace.step()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(id: u128, value: u64) -> Row {
        let mut row = [0; ROW_BYTES];
        row[..16].copy_from_slice(&id.to_be_bytes());
        row[16..24].copy_from_slice(&value.to_le_bytes());
        row
    }

    fn check(rows: &[Row]) {
        let mut pace = Pace::without_rest();
        let sorted = Sorted::new(rows.iter().copied(), &mut pace).unwrap();
        assert_eq!(sorted.len(), rows.len());
        let mut found = Vec::new();
        let mut keep = |row: &Row| {
            found.push(*row);
            Ok(())
        };
        sorted.for_each(&mut pace, &mut keep).unwrap();
        let mut expected = rows.to_vec();
        expected.sort_unstable();
        assert!(found == expected, "{} rows", rows.len());
    }

    #[test]
    fn rows_come_out_in_order_of_id_however_they_are_spread() {
        for count in [0_u64, 1, 2, 2_047, 2_048, 2_049, 30_000] {
            let spread = u128::MAX / 1_000_003;
            check(
                &(0..count).map(|n| row(u128::from(n).wrapping_mul(spread), n)).collect::<Vec<_>>(),
            );
            check(&(0..count).rev().map(|n| row(u128::from(n), n)).collect::<Vec<_>>());
            check(&(0..count).map(|n| row(u128::MAX - u128::from(n), n)).collect::<Vec<_>>());
            check(&(0..count).map(|n| row(7, count - n)).collect::<Vec<_>>());
            // One far away from all others, which all fall into one bucket.
            let far =
                (0..count).map(|n| row(if n == 5 { 0 } else { u128::MAX - u128::from(n) }, n));
            check(&far.collect::<Vec<_>>());
        }
    }

    #[test]
    fn sources_are_merged() {
        let sources: Vec<Vec<Row>> = [(0..3_000, 3), (0..0, 1), (0..10, 1_000), (5..4_000, 2)]
            .map(|(numbers, step)| numbers.map(|n: u64| row(u128::from(n * step), step)).collect())
            .into();
        let mut left: Vec<_> = sources.iter().map(|rows| rows.iter().copied()).collect();
        let mut found = Vec::new();
        let mut pace = Pace::without_rest();
        let mut keep = |row: &Row| {
            found.push(*row);
            Ok(())
        };
        in_order(4, |at| Ok(left[at].next()), &mut pace, &mut keep).unwrap();
        assert!(found.is_sorted_by_key(number_of));
        found.sort_unstable();
        let mut expected = sources.concat();
        expected.sort_unstable();
        assert!(found == expected);
    }

    #[test]
    fn an_error_ends_it() {
        let error = || RunError::DuplicateId([7; 16]);
        let mut pace = Pace::without_rest();
        let rows = [[1; ROW_BYTES], [2; ROW_BYTES]];
        let sorted = Sorted::new(rows.into_iter(), &mut pace).unwrap();
        assert!(sorted.for_each(&mut pace, |_| Err(error())).is_err());
        let failing = |at| if at == 1 { Err(error()) } else { Ok(None) };
        assert!(in_order(2, failing, &mut pace, |_| Ok(())).is_err());
    }
}
