//! A blocked Bloom filter: all bits of an id are in one 64-byte cache line.
//!
//! The ids are chosen by clients, so they are mixed first; a client that finds ids which collide
//! makes the filter say "maybe" more often, which costs reads, never a wrong answer. The bits do
//! not depend on the order in which ids are added.

use super::ID_BYTES;
use crate::store::wal::read_u64;

/// Bits of the filter per id.
const BITS_PER_ID: u64 = 10;
/// Bits set per id, nine bits of the mixed id each.
const PROBES: u32 = 6;
const BLOCK_BYTES: usize = 64;
const BLOCK_BITS: u64 = BLOCK_BYTES as u64 * 8;

/// The alignment makes it one cache line and not parts of two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Block([u64; 8]);

const _: () = assert!(size_of::<Block>() == BLOCK_BYTES);

impl Block {
    fn to_bytes(self) -> [u8; BLOCK_BYTES] {
        let mut bytes = [0; BLOCK_BYTES];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self(std::array::from_fn(|word| read_u64(bytes, word * 8)))
    }
}

/// Says "certainly not" or "maybe".
pub(super) struct Filter {
    blocks: Vec<Block>,
}

impl Filter {
    /// An empty filter sized for `ids`.
    pub(super) fn for_ids(ids: u64) -> Self {
        let blocks = Self::bytes_for(ids) as usize / BLOCK_BYTES;
        Self { blocks: vec![Block([0; 8]); blocks] }
    }

    /// Size in a file of the filter for `ids`, fewer than 2^48.
    pub(super) const fn bytes_for(ids: u64) -> u64 {
        let blocks = ids.saturating_mul(BITS_PER_ID).div_ceil(BLOCK_BITS);
        (if blocks == 0 { 1 } else { blocks }) * BLOCK_BYTES as u64
    }

    /// A filter without blocks, to be filled from a file by `extend`.
    pub(super) const fn unread() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Adds blocks from their bytes, whole blocks at a time.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.blocks.extend(bytes.chunks_exact(BLOCK_BYTES).map(Block::from_bytes));
    }

    /// The bytes to store.
    pub(super) fn bytes(&self) -> impl Iterator<Item = [u8; BLOCK_BYTES]> + '_ {
        self.blocks.iter().map(|block| block.to_bytes())
    }

    /// Adds an id.
    pub(super) fn insert(&mut self, id: &[u8; ID_BYTES]) {
        let (block, mut bits) = self.place(id);
        for _ in 0..PROBES {
            let bit = bits as usize & (BLOCK_BITS as usize - 1);
            self.blocks[block].0[bit / 64] |= 1 << (bit % 64);
            bits >>= 9;
        }
    }

    /// Whether the id may have been added.
    pub(super) fn may_contain(&self, id: &[u8; ID_BYTES]) -> bool {
        let (block, mut bits) = self.place(id);
        let block = &self.blocks[block].0;
        for _ in 0..PROBES {
            let bit = bits as usize & (BLOCK_BITS as usize - 1);
            if block[bit / 64] & (1 << (bit % 64)) == 0 {
                return false;
            }
            bits >>= 9;
        }
        true
    }

    /// The block of an id, and the bits to take the probes from.
    fn place(&self, id: &[u8; ID_BYTES]) -> (usize, u64) {
        let (low, high) = (read_u64(id, 0), read_u64(id, 8));
        let first = mix(low ^ high.rotate_left(32));
        let second = mix(first ^ high);
        let block = (u128::from(first) * self.blocks.len() as u128) >> 64;
        (block as usize, second)
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
        let mut read = Filter::unread();
        read.extend(&filter.bytes().collect::<Vec<_>>().concat());
        for filter in [filter, read] {
            assert!((0..20_000).all(|n| filter.may_contain(&id(n))));
            let wrong = (20_000..120_000).filter(|&n| filter.may_contain(&id(n))).count();
            assert!(wrong < 2_500, "{wrong} of 100000");
        }
    }
}
