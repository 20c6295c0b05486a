//! The incremental RFC 6962 Merkle tree: leaf and node hashing, and an append-only frontier.
//!
//! The frontier holds one digest for each set bit of the size, so appending costs one leaf hash and
//! on average one node hash, and the root of any size reached costs at most 64 node hashes.
//! It keeps no leaves: whoever needs an inclusion proof reads the records again.

use sha2::{Digest, Sha256};

use crate::Hash;

/// Root of the empty tree (RFC 6962 section 2.1: the hash of an empty string).
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Hash of a leaf: SHA-256(0x00 || record) (RFC 6962 section 2.1).
pub fn leaf_hash(record: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(record);
    hasher.finalize().into()
}

/// Hash of an inner node: SHA-256(0x01 || left || right) (RFC 6962 section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [0u8; 65];
    block[0] = 0x01;
    block[1..33].copy_from_slice(left);
    block[33..].copy_from_slice(right);
    Sha256::digest(block).into()
}

/// The frontier of an append-only tree: its size and the roots of its perfect subtrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees, largest first: one for each set bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier as read from a checkpoint of the state.
    ///
    /// Returns `None` when the number of peaks does not fit the size.
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() as u32 == size.count_ones()).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the perfect subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends one record and returns its leaf hash.
    pub fn append(&mut self, record: &[u8]) -> Hash {
        let leaf = leaf_hash(record);
        self.append_leaf(leaf);
        leaf
    }

    /// Appends a leaf that was hashed elsewhere.
    pub fn append_leaf(&mut self, leaf: Hash) {
        let mut carry = leaf;
        // As in a binary counter: each trailing one bit is a perfect subtree to merge with.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each set bit of the size");
            carry = node_hash(&left, &carry);
        }
        self.peaks.push(carry);
        self.size += 1;
    }

    /// Root of the tree at its present size.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return EMPTY_ROOT };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The recursive definition of RFC 6962 section 2.1, written for clarity only.
    fn reference_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => *one,
            more => {
                let split = more.len().next_power_of_two() / 2;
                node_hash(&reference_root(&more[..split]), &reference_root(&more[split..]))
            }
        }
    }

    #[test]
    fn roots_agree_with_the_recursive_definition_at_every_size() {
        let mut frontier = Frontier::new();
        let mut leaves = Vec::new();
        assert_eq!(frontier.root(), EMPTY_ROOT);
        for number in 0u32..300 {
            leaves.push(frontier.append(&number.to_le_bytes()));
            assert_eq!(frontier.root(), reference_root(&leaves), "size {}", leaves.len());
            assert_eq!(frontier.peaks().len() as u32, frontier.size().count_ones());
        }
    }

    /// Vectors of the Certificate Transparency reference implementation (RFC 6962 test data).
    #[test]
    fn known_vectors_of_certificate_transparency() {
        let inputs: [&[u8]; 3] = [b"", &[0x00], &[0x10]];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ];
        let mut frontier = Frontier::new();
        for (input, root) in inputs.iter().zip(roots) {
            frontier.append(input);
            let hex: String = frontier.root().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, root);
        }
    }

    #[test]
    fn parts_must_fit_the_size() {
        assert!(Frontier::from_parts(3, vec![[0; 32]]).is_none());
        assert!(Frontier::from_parts(3, vec![[0; 32]; 2]).is_some());
    }

    proptest! {
        #[test]
        fn a_frontier_restored_from_its_parts_goes_on_alike(
            before in 0usize..70, after in 1usize..70,
        ) {
            let mut first = Frontier::new();
            for number in 0..before { first.append(&number.to_le_bytes()); }
            let mut second = Frontier::from_parts(first.size(), first.peaks().to_vec()).expect("own parts");
            for number in 0..after {
                first.append(&number.to_be_bytes());
                second.append(&number.to_be_bytes());
            }
            prop_assert_eq!(first.root(), second.root());
        }
    }
}
