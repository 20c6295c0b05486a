//! A blocked Bloom filter: all bits of an id are in one 64-byte cache line.
//!
//! The ids are chosen by clients, so they are mixed first; a client that finds ids which collide
//! makes the filter say "maybe" more often, which costs reads, never a wrong answer.

use super::ID_BYTES;
use crate::store::wal::read_u64;

/// Bits of the filter per id.
const BITS_PER_ID: u64 = 10;
/// Bits set per id, nine bits of the mixed id each.
const PROBES: u32 = 6;
const BLOCK_BYTES: usize = 64;
const BLOCK_BITS: u64 = BLOCK_BYTES as u64 * 8;

/// Says "certainly not" or "maybe".
pub(super) struct Filter {
    bytes: Vec<u8>,
}

impl Filter {
    /// An empty filter sized for `ids`.
    pub(super) fn for_ids(ids: usize) -> Self {
        let blocks = (ids as u64 * BITS_PER_ID).div_ceil(BLOCK_BITS).max(1);
        Self { bytes: vec![0; blocks as usize * BLOCK_BYTES] }
    }

    /// A filter read from a file; `None` if the size is not one a filter can have.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let whole = !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK_BYTES);
        whole.then_some(Self { bytes })
    }

    /// The bytes to store.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds an id.
    pub(super) fn insert(&mut self, id: &[u8; ID_BYTES]) {
        let (start, mut bits) = self.place(id);
        for _ in 0..PROBES {
            let bit = bits as usize & (BLOCK_BITS as usize - 1);
            self.bytes[start + bit / 8] |= 1 << (bit % 8);
            bits >>= 9;
        }
    }

    /// Whether the id may have been added.
    pub(super) fn may_contain(&self, id: &[u8; ID_BYTES]) -> bool {
        let (start, mut bits) = self.place(id);
        for _ in 0..PROBES {
            let bit = bits as usize & (BLOCK_BITS as usize - 1);
            if self.bytes[start + bit / 8] & (1 << (bit % 8)) == 0 {
                return false;
            }
            bits >>= 9;
        }
        true
    }

    /// Start of the block of an id, and the bits to take the probes from.
    fn place(&self, id: &[u8; ID_BYTES]) -> (usize, u64) {
        let (low, high) = (read_u64(id, 0), read_u64(id, 8));
        let first = mix(low ^ high.rotate_left(32));
        let second = mix(first ^ high);
        let blocks = (self.bytes.len() / BLOCK_BYTES) as u128;
        let block = (u128::from(first) * blocks) >> 64;
        (block as usize * BLOCK_BYTES, second)
    }
}

/// Finalizer of SplitMix64: each input bit changes about half of the output bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn no_false_negative_and_few_false_positives() {
        let id = |n: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_le_bytes());
            id
        };
        let mut filter = Filter::for_ids(20_000);
        (0..20_000).for_each(|n| filter.insert(&id(n)));
        assert!((0..20_000).all(|n| filter.may_contain(&id(n))));
        let wrong = (20_000..120_000).filter(|&n| filter.may_contain(&id(n))).count();
        assert!(wrong < 2_500, "{wrong} of 100000");
    }
}
