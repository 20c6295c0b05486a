//! One generation of ids: open addressing with linear probing in 64 segments that grow on their own.
//!
//! A slot is 32 bytes, half a cache line, so a fresh id costs one memory access. Segments start small (a small
//! ledger uses little memory) and double when they are between 34 and 46 sixty-fourths full. Each has a limit of
//! its own in that range: ids spread evenly, and with one limit for all, all would double within one batch.

use crate::id::{ContentDigest, TransferId};

use super::{IdEntry, ROW_BYTES};

const SEGMENT_BITS: u32 = 6;
const SLOTS_FIRST: usize = 32;
/// How full the first segment may be, in sixty-fourths: above one half, which a full generation reaches.
const FULL_FIRST: usize = 34;
/// How much fuller the last one may be.
const FULL_SPREAD: usize = 12;

/// An id and its entry. `code` zero, which is no answer, marks a free slot.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Slot {
    id: [u8; 16],
    /// The leaf in the upper 48 bits, the code in the lower 16.
    leaf_and_code: u64,
    content: [u8; 8],
}

const _: () = assert!(size_of::<Slot>() == ROW_BYTES);

impl Slot {
    const FREE: Self = Self { id: [0; 16], leaf_and_code: 0, content: [0; 8] };

    pub(crate) fn new(id: &TransferId, entry: &IdEntry) -> Self {
        debug_assert!(entry.leaf < crate::limits::LEAF_END && entry.code != 0);
        Self {
            id: id.0,
            leaf_and_code: entry.leaf << 16 | u64::from(entry.code),
            content: entry.content.0,
        }
    }

    const fn is_free(&self) -> bool {
        self.leaf_and_code == 0
    }

    const fn entry(&self) -> IdEntry {
        IdEntry {
            leaf: self.leaf_and_code >> 16,
            code: self.leaf_and_code as u16,
            content: ContentDigest(self.content),
        }
    }
}

#[derive(Debug, Clone)]
struct Segment {
    slots: Vec<Slot>,
    used: usize,
}

impl Segment {
    fn with_slots(count: usize) -> Self {
        Self { slots: vec![Slot::FREE; count], used: 0 }
    }

    /// The slot of the id, or the free slot where it belongs. Ends because a segment is never full.
    fn find(&self, hash: u64, id: &[u8; 16]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.is_free() || slot.id == *id {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}

/// The ids of one generation. Rows come in no useful order; sort them before writing a run.
#[derive(Debug, Clone)]
pub struct Generation {
    segments: Vec<Segment>,
    length: usize,
    key: [u64; 2],
}

impl Generation {
    pub(crate) fn new(key: [u64; 2]) -> Self {
        let segments = vec![Segment::with_slots(SLOTS_FIRST); 1 << SEGMENT_BITS];
        Self { segments, length: 0, key }
    }

    /// The same ids, placed with another key.
    pub(crate) fn with_key(&self, key: [u64; 2]) -> Self {
        let mut moved = Self::new(key);
        self.slots().for_each(|slot| moved.insert(*slot));
        moved
    }

    /// An empty generation, to be made as large as this one by `grow_one_segment`.
    pub(crate) fn successor(&self) -> Self {
        Self::new(self.key)
    }

    /// Makes the next segment as large as that of another generation; false when all are.
    pub(crate) fn grow_one_segment(&mut self, like: &Self) -> bool {
        let pairs = self.segments.iter_mut().zip(&like.segments);
        let mut small =
            pairs.filter(|(own, other)| own.used == 0 && own.slots.len() < other.slots.len());
        let Some((own, other)) = small.next() else { return false };
        *own = Segment::with_slots(other.slots.len());
        true
    }

    /// How many segments are as large as those of another generation.
    #[cfg(test)]
    pub(super) fn segments_like(&self, other: &Self) -> usize {
        let pairs = self.segments.iter().zip(&other.segments);
        pairs.filter(|(own, other)| own.slots.len() >= other.slots.len()).count()
    }

    /// Frees the slots of the next segment that has any taken; false when there is none.
    pub(crate) fn clear_one_segment(&mut self) -> bool {
        let Some(segment) = self.segments.iter_mut().rfind(|segment| segment.used > 0) else {
            return false;
        };
        segment.slots.fill(Slot::FREE);
        self.length -= segment.used;
        segment.used = 0;
        true
    }

    /// An empty generation in the memory of an old one.
    pub(crate) fn recycled(mut old: Self, key: [u64; 2]) -> Self {
        while old.clear_one_segment() {}
        Self { key, ..old }
    }

    /// How many ids it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// True when it holds no id.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What is remembered of an id.
    #[must_use]
    pub fn get(&self, id: &TransferId) -> Option<IdEntry> {
        let hash = mix(&id.0, self.key);
        let segment = &self.segments[segment_of(hash)];
        let slot = &segment.slots[segment.find(hash, &id.0)];
        if slot.is_free() { None } else { Some(slot.entry()) }
    }

    /// The row form of every id, see `IdEntry::to_row`, in no useful order.
    pub fn rows(&self) -> impl Iterator<Item = [u8; ROW_BYTES]> + Clone + '_ {
        self.slots().map(|slot| slot.entry().to_row(&TransferId(slot.id)))
    }

    /// Every id, in no useful order.
    pub fn ids(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        self.slots().map(|slot| slot.id)
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> + Clone {
        self.segments.iter().flat_map(|segment| &segment.slots).filter(|slot| !slot.is_free())
    }

    pub(crate) fn touch(&self, id: &TransferId) -> u64 {
        let hash = mix(&id.0, self.key);
        let slots = &self.segments[segment_of(hash)].slots;
        slots[hash as usize & (slots.len() - 1)].leaf_and_code
    }

    pub(crate) fn insert(&mut self, slot: Slot) {
        let hash = mix(&slot.id, self.key);
        let number = segment_of(hash);
        let segment = &mut self.segments[number];
        let full = FULL_FIRST + ((FULL_SPREAD * number) >> SEGMENT_BITS);
        if segment.used * 64 >= segment.slots.len() * full {
            let mut larger = Segment::with_slots(segment.slots.len() * 2);
            for kept in segment.slots.iter().filter(|slot| !slot.is_free()) {
                let at = larger.find(mix(&kept.id, self.key), &kept.id);
                larger.slots[at] = *kept;
            }
            larger.used = segment.used;
            *segment = larger;
        }
        let at = segment.find(hash, &slot.id);
        assert!(segment.slots[at].is_free(), "an id is remembered once");
        segment.slots[at] = slot;
        segment.used += 1;
        self.length += 1;
    }
}

/// The segment is chosen by the top bits, the slot by the bottom bits.
const fn segment_of(hash: u64) -> usize {
    (hash >> (64 - SEGMENT_BITS)) as usize
}

/// Two rounds of a folded 64 by 64 multiplication, keyed on both halves of the id.
const fn mix(id: &[u8; 16], key: [u64; 2]) -> u64 {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *id;
    let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ key[0];
    let high = u64::from_le_bytes(rest) ^ key[1];
    // Odd constants of the golden ratio and of the square root of three keep a zero half from erasing the other.
    let first = fold(low ^ 0x9e37_79b9_7f4a_7c15, high ^ 0xbb67_ae85_84ca_a73b);
    fold(first ^ key[1], low.rotate_left(32) ^ high ^ 0x9e37_79b9_7f4a_7c15)
}

const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}
