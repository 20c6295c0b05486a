//! A blocked Bloom filter: all bits of an id are in one 64-byte cache line, one in each of its words.
//!
//! The ids are chosen by clients, so they are mixed first; a client that finds ids which collide
//! makes the filter say "maybe" more often, which costs reads, never a wrong answer. The bits do
//! not depend on the order in which ids are added. What an id sets and where is computed without a
//! branch, so that the processor waits for many cache lines at once.

use super::ID_BYTES;
use crate::store::wal::read_u64;

/// Bits of the filter per id: a fresh id is taken for a known one about once in a thousand times.
const BITS_PER_ID: u64 = 16;
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
#[derive(Clone)]
pub(super) struct Filter {
    blocks: Vec<Block>,
}

impl Filter {
    /// An empty filter sized for `ids`.
    pub(super) fn for_ids(ids: u64) -> Self {
        let blocks = Self::bytes_for(ids) as usize / BLOCK_BYTES;
        Self { blocks: vec![Block([0; 8]); blocks] }
    }

    /// An empty filter of half that size, which is wrong about once in forty times.
    pub(super) fn for_ids_coarsely(ids: u64) -> Self {
        Self::for_ids(ids / 2)
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

    /// Adds ids.
    pub(super) fn insert(&mut self, ids: impl Iterator<Item = [u8; ID_BYTES]>) {
        let probes = ids.map(|id| Probe::new(&id));
        let placed: Vec<_> = probes.map(|probe| (self.block_of(&probe), probe.bits)).collect();
        // Reading all of them first brings their cache lines here at the same time; changing one after
        // the other waits for each.
        let touched = placed.iter().fold(0, |all, (block, _)| all ^ self.blocks[*block].0[0]);
        std::hint::black_box(touched);
        for (block, bits) in placed {
            for (word, bit) in self.blocks[block].0.iter_mut().zip(bits) {
                *word |= bit;
            }
        }
    }

    /// Whether the id may have been added.
    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        let words = self.blocks[self.block_of(probe)].0.iter().zip(probe.bits);
        words.fold(0, |missing, (word, bit)| missing | (!word & bit)) == 0
    }

    /// Reads the block of an id.
    pub(super) fn touch(&self, probe: &Probe) -> u64 {
        self.blocks[self.block_of(probe)].0[0]
    }

    /// The hash scaled to the number of blocks.
    fn block_of(&self, probe: &Probe) -> usize {
        ((u128::from(probe.hash) * self.blocks.len() as u128) >> 64) as usize
    }
}

/// What an id looks like to every filter, whatever its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    hash: u64,
    /// The bit of each word.
    bits: [u64; 8],
}

impl Probe {
    pub(super) fn new(id: &[u8; ID_BYTES]) -> Self {
        let (low, high) = (read_u64(id, 0), read_u64(id, 8));
        let hash = mix(low ^ high.rotate_left(32));
        let places = mix(hash ^ high);
        Self { hash, bits: std::array::from_fn(|word| 1 << (places >> (6 * word) & 63)) }
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
    use super::{Filter, Probe};

    #[test]
    fn no_false_negative_and_few_false_positives() {
        let id = |n: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_le_bytes());
            id
        };
        let mut filter = Filter::for_ids(20_000);
        filter.insert((0..20_000).map(id));
        let mut read = Filter::unread();
        read.extend(&filter.bytes().collect::<Vec<_>>().concat());
        for filter in [filter, read] {
            assert!((0..20_000).all(|n| filter.may_contain(&Probe::new(&id(n)))));
            let wrong =
                (20_000..120_000).filter(|&n| filter.may_contain(&Probe::new(&id(n)))).count();
            assert!(wrong < 250, "{wrong} of 100000");
        }
    }
}
