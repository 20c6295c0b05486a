//! The duplicate check, exact for all time: which ids were answered, how, and for which content.
//!
//! Ids are remembered in generations of exactly 2^20, in order of use, so that the boundary is the same on
//! every node. The current generation and the sealed ones that the caller has not yet released are in memory;
//! older ones are sorted runs on disk, where the caller looks before it applies a batch (`OldIds`).
//!
//! Banks choose ids and could choose colliding ones. Slots are therefore placed by a keyed mix; the key can
//! be replaced by a secret of the node (`Ledger::set_id_table_key`), because the placement changes no answer
//! and no digest.

mod rows;
mod table;

use std::sync::Arc;

use crate::answer::Answer;
use crate::id::{ContentDigest, TransferId};
use crate::limits::{GENERATION_IDS, LEAF_END};

pub(crate) use rows::Rows;
pub use table::Generation;
pub(crate) use table::Slot;

/// The leaf of ids that were used in genesis, which has no records.
pub const GENESIS_LEAF: u64 = LEAF_END - 1;

/// What is remembered of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdEntry {
    /// Leaf of the first command with this id, below 2^48.
    pub leaf: u64,
    /// The first answer, as `Answer::code`.
    pub code: u16,
    /// Digest of the first content.
    pub content: ContentDigest,
}

/// Segments of the next generation's table that are made ready at once at most. One is a megabyte, and memory
/// that was never touched costs a system up to three milliseconds for each.
const PREPARED_AT_ONCE: usize = 4;
/// Segments that are made ready while a generation fills, one after so many ids: twice as many as there are,
/// in the last quarter, when all must be.
const PREPARED_IN_ALL: usize = 512;

/// Bytes of a row: 16 of the id, 6 of the leaf, 2 of the code, 8 of the content digest.
pub const ROW_BYTES: usize = 32;

impl IdEntry {
    /// The first answer.
    ///
    /// # Panics
    /// When the code is no answer's: the entry did not come from a ledger, or was damaged.
    #[must_use]
    pub fn answer(&self) -> Answer {
        Answer::from_code(self.code).expect("an id entry holds the code of an answer")
    }

    /// The row form: id 16, leaf 6 little-endian, code 2 little-endian, content 8.
    #[must_use]
    pub fn to_row(&self, id: &TransferId) -> [u8; ROW_BYTES] {
        let mut row = [0; ROW_BYTES];
        row[..16].copy_from_slice(&id.0);
        row[16..22].copy_from_slice(&self.leaf.to_le_bytes()[..6]);
        row[22..24].copy_from_slice(&self.code.to_le_bytes());
        row[24..].copy_from_slice(&self.content.0);
        row
    }

    /// Reads the row form. Whether the code is an answer's is not checked.
    #[must_use]
    pub fn from_row(row: &[u8; ROW_BYTES]) -> (TransferId, Self) {
        let field = |from: usize, length: usize| {
            let mut bytes = [0; 8];
            bytes[..length].copy_from_slice(&row[from..from + length]);
            bytes
        };
        let mut id = [0; 16];
        id.copy_from_slice(&row[..16]);
        let entry = Self {
            leaf: u64::from_le_bytes(field(16, 6)),
            code: u16::from_le_bytes([row[22], row[23]]),
            content: ContentDigest(field(24, 8)),
        };
        (TransferId(id), entry)
    }
}

/// The ids of a batch that the caller found in older generations on disk, sorted by id.
#[derive(Debug, Clone, Copy)]
pub struct OldIds<'a>(&'a [(TransferId, IdEntry)]);

impl<'a> OldIds<'a> {
    /// None of the batch's ids is older than what is in memory.
    pub const NONE: OldIds<'static> = OldIds(&[]);

    /// Ids found on disk.
    ///
    /// # Panics
    /// When they are not in strictly ascending order of id.
    #[must_use]
    pub fn new(found: &'a [(TransferId, IdEntry)]) -> Self {
        assert!(found.is_sorted_by(|one, next| one.0 < next.0), "old ids are sorted by id");
        Self(found)
    }

    pub(crate) fn get(&self, id: &TransferId) -> Option<IdEntry> {
        let at = self.0.binary_search_by(|(found, _)| found.cmp(id)).ok()?;
        Some(self.0[at].1)
    }
}

/// A full generation that the caller is moving to disk.
#[derive(Debug, Clone)]
struct Sealed {
    number: u64,
    rows: Arc<Generation>,
    taken: bool,
}

/// All generations in memory.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    current: Generation,
    /// The same ids, in order of use.
    rows: Rows,
    current_number: u64,
    sealed: Vec<Sealed>,
    /// Memory for the next generation: that of a released one, or new.
    spare: Option<Generation>,
    /// Ids of the current generation up to which the part of the work on the spare that goes with them is done.
    prepared: usize,
    count: u64,
    generation_ids: usize,
    key: [u64; 2],
}

impl Ids {
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self::with_generation_size(key, GENERATION_IDS)
    }

    fn with_generation_size(key: [u64; 2], generation_ids: usize) -> Self {
        Self {
            current: Generation::new(key),
            rows: Rows::default(),
            current_number: 0,
            sealed: Vec::new(),
            spare: None,
            prepared: 0,
            count: 0,
            generation_ids,
            key,
        }
    }

    /// Places the ids of the current and all later generations with another key.
    pub(crate) fn set_key(&mut self, key: [u64; 2]) {
        self.key = key;
        self.current = self.current.with_key(key);
    }

    /// How many ids were ever remembered.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn get(&self, id: &TransferId) -> Option<IdEntry> {
        let found = self.current.get(id);
        if found.is_some() || self.sealed.is_empty() {
            return found;
        }
        self.sealed.iter().rev().find_map(|sealed| sealed.rows.get(id))
    }

    /// Reads the places where the id would stand, so that the tables' memory is on its way when they are asked.
    pub(crate) fn touch(&self, id: &TransferId) -> u64 {
        let read = self.current.touch(id);
        self.sealed.iter().fold(read, |read, sealed| read ^ sealed.rows.touch(id))
    }

    /// Remembers an id that the ledger has made, away from the path of payments.
    #[inline(never)]
    pub(crate) fn insert_derived(&mut self, id: &TransferId, entry: IdEntry) {
        self.insert(id, entry);
    }

    /// Remembers an id that is not remembered yet.
    #[inline(always)]
    pub(crate) fn insert(&mut self, id: &TransferId, entry: IdEntry) {
        if self.current.len() == self.generation_ids {
            let next = match self.spare.take() {
                Some(spare) => Generation::recycled(spare, self.key),
                None => Generation::new(self.key),
            };
            let full = std::mem::replace(&mut self.current, next);
            let number = self.current_number;
            self.sealed.push(Sealed { number, rows: Arc::new(full), taken: false });
            self.current_number += 1;
            self.prepared = 0;
            self.rows.restart();
        }
        self.current.insert(Slot::new(id, &entry));
        self.rows.push(entry.to_row(id));
        self.count += 1;
    }

    /// Counts an id without remembering it.
    #[cfg(feature = "planted")]
    pub(crate) fn count_only(&mut self, id: &TransferId, entry: IdEntry) {
        self.rows.push(entry.to_row(id));
        self.count += 1;
    }

    /// The next full generation to be written to disk, once each.
    pub(crate) fn take_full(&mut self) -> Option<(u64, Arc<Generation>)> {
        let sealed = self.sealed.iter_mut().find(|sealed| !sealed.taken)?;
        sealed.taken = true;
        Some((sealed.number, Arc::clone(&sealed.rows)))
    }

    /// Forgets a full generation: the caller finds its ids on disk from now on.
    pub(crate) fn release(&mut self, number: u64) {
        let Some(at) = self.sealed.iter().position(|sealed| sealed.number == number) else {
            return;
        };
        let released = self.sealed.remove(at);
        // Somebody may still be reading it; then its memory is simply given back later.
        self.spare = self.spare.take().or_else(|| Arc::into_inner(released.rows));
    }

    /// The ids of the current generation in order of use.
    pub(crate) const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The number of the current generation: those below it are full.
    pub(crate) const fn current_number(&self) -> u64 {
        self.current_number
    }

    /// Goes on in generation `number`, of which the ids are still to be inserted; those below are on disk.
    /// False when so many ids cannot be counted.
    pub(crate) fn resume(&mut self, number: u64) -> bool {
        let size = self.generation_ids as u64;
        let Some(end) = number.checked_add(1).and_then(|next| next.checked_mul(size)) else {
            return false;
        };
        *self = Self {
            current_number: number,
            count: end - size,
            ..Self::with_generation_size(self.key, self.generation_ids)
        };
        true
    }

    /// Does the part of making the memory of the next generation ready that goes with the ids which came since
    /// the last time, so that no insert has to do it all, and no block much of it. Called once a batch.
    pub(crate) fn prepare(&mut self) {
        let near_the_end = self.current.len() >= self.generation_ids / 4 * 3;
        if self.spare.is_none() && near_the_end {
            self.spare = Some(self.current.successor());
        }
        let step = (self.generation_ids / PREPARED_IN_ALL).max(1);
        for _ in 0..PREPARED_AT_ONCE {
            if self.prepared + step > self.current.len() {
                return;
            }
            let more = self.spare.as_mut().is_some_and(|spare| {
                spare.clear_one_segment() || near_the_end && spare.grow_one_segment(&self.current)
            });
            if !more {
                self.prepared = self.current.len();
                return;
            }
            self.prepared += step;
        }
    }

    pub(crate) fn sealed_count(&self) -> usize {
        self.sealed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> TransferId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        TransferId(bytes)
    }

    fn entry(number: u64) -> IdEntry {
        IdEntry { leaf: number, code: 1, content: ContentDigest(number.to_le_bytes()) }
    }

    #[test]
    fn rows_round_trip() {
        let entry = IdEntry { leaf: GENESIS_LEAF, code: 190, content: ContentDigest([7; 8]) };
        let row = entry.to_row(&id(9));
        assert_eq!(IdEntry::from_row(&row), (id(9), entry));
    }

    #[test]
    fn generations_hold_exactly_their_ids_and_are_found_until_released() {
        let mut ids = Ids::with_generation_size([3, 5], 1_000);
        for number in 0..2_500 {
            ids.insert(&id(number), entry(number));
        }
        assert_eq!(ids.count(), 2_500);
        let (first, rows) = ids.take_full().unwrap();
        assert_eq!((first, rows.len()), (0, 1_000));
        let mut leaves: Vec<u64> = rows.rows().map(|row| IdEntry::from_row(&row).1.leaf).collect();
        leaves.sort_unstable();
        assert_eq!(leaves, (0..1_000).collect::<Vec<_>>());
        assert_eq!(ids.take_full().unwrap().0, 1);
        assert!(ids.take_full().is_none());
        for number in 0..2_500 {
            assert_eq!(ids.get(&id(number)), Some(entry(number)));
        }
        ids.release(0);
        assert_eq!(ids.get(&id(999)), None);
        assert_eq!(ids.get(&id(1_000)), Some(entry(1_000)));
        assert_eq!(ids.sealed_count(), 1);
        // The next generation takes over the memory of a released one, made ready in part or not at all.
        drop(rows);
        ids.release(1);
        (0..3).for_each(|_| ids.prepare());
        for number in 2_500..4_500 {
            ids.insert(&id(number), entry(number));
        }
        assert_eq!((ids.get(&id(1_500)), ids.get(&id(500))), (None, None));
        for number in 2_000..4_500 {
            assert_eq!(ids.get(&id(number)), Some(entry(number)));
        }
        assert_eq!(ids.take_full().unwrap().1.len(), 1_000);
    }

    #[test]
    fn the_next_generation_is_made_ready_before_it_is_needed() {
        let mut ids = Ids::with_generation_size([3, 5], 1 << 16);
        let mut ready = 0;
        for number in 0..1 << 16 {
            ids.insert(&id(number), entry(number));
            if number % 64 == 0 {
                ids.prepare();
            }
            assert!(ids.spare.is_none() || number >= (1 << 16) / 4 * 3);
            let now = ids.spare.as_ref().map_or(0, |spare| spare.segments_like(&ids.current));
            assert!(now <= ready + 1, "{} segments at once", now - ready);
            ready = now;
        }
        let mut like = ids.spare.clone().unwrap();
        assert!(!like.grow_one_segment(&ids.current), "all segments are large enough");
        (1 << 16..3 << 15).for_each(|number| ids.insert(&id(number), entry(number)));
        for number in 0..3 << 15 {
            assert_eq!(ids.get(&id(number)), Some(entry(number)));
        }
    }

    #[test]
    fn a_copy_keeps_its_rows_while_the_original_goes_on() {
        let mut ids = Ids::with_generation_size([3, 5], 1_000);
        (0..700).for_each(|number| ids.insert(&id(number), entry(number)));
        let copy = ids.rows().share();
        (700..1_001).for_each(|number| ids.insert(&id(number), entry(number)));
        let full = ids.take_full().map(|(number, rows)| (number, rows.len()));
        assert_eq!(full, Some((0, 1_000)));
        ids.release(0);
        ids.prepare();
        (1_001..2_900).for_each(|number| ids.insert(&id(number), entry(number)));
        for (rows, numbers) in [(&copy, 0..700), (ids.rows(), 2_000..2_900)] {
            let expected = numbers.clone().map(|number| (id(number), entry(number)));
            assert!(rows.iter().map(IdEntry::from_row).eq(expected));
            assert_eq!(rows.len(), numbers.count());
        }
    }

    #[test]
    fn rows_are_in_order_of_use_over_many_pieces() {
        // Pieces are used again in the second generation and later, but none that a copy still has.
        let mut ids = Ids::with_generation_size([3, 5], 9_000);
        let mut copies = Vec::new();
        for number in 0..40_000 {
            ids.insert(&id(number), entry(number));
            let first = number / 9_000 * 9_000;
            if number % 1_024 < 2 {
                copies.push((first..number + 1, ids.rows().share()));
            }
            if number % 9_000 == 5_000 {
                // Some copies go at once, others stay over the change of generation.
                copies.truncate(copies.len() / 2);
            }
        }
        assert!(copies.len() > 10);
        for (numbers, rows) in copies {
            assert_eq!(rows.len(), numbers.clone().count());
            let expected = numbers.map(|number| (id(number), entry(number)));
            assert!(rows.iter().map(IdEntry::from_row).eq(expected));
        }
    }

    #[test]
    fn numbers_of_generations_that_cannot_be_counted_are_refused() {
        for (number, fits) in
            [(0, true), ((1 << 44) - 2, true), ((1 << 44) - 1, false), (u64::MAX, false)]
        {
            let mut ids = Ids::new([3, 5]);
            assert_eq!(ids.resume(number), fits, "{number}");
            assert_eq!(ids.count(), if fits { number << 20 } else { 0 });
        }
    }

    #[test]
    fn another_key_changes_no_answer() {
        let mut ids = Ids::new([3, 5]);
        for number in 0..5_000 {
            ids.insert(&id(number), entry(number));
        }
        ids.set_key([11, 13]);
        for number in 0..5_000 {
            assert_eq!(ids.get(&id(number)), Some(entry(number)));
        }
        assert_eq!(ids.get(&id(5_000)), None);
    }

    #[test]
    fn old_ids_are_found_by_search() {
        let found = [(id(2), entry(2)), (id(5), entry(5))];
        let old = OldIds::new(&found);
        assert_eq!(old.get(&id(5)), Some(entry(5)));
        assert_eq!(old.get(&id(3)), None);
        assert_eq!(OldIds::NONE.get(&id(2)), None);
    }
}
