//! Inclusion and consistency proofs of RFC 6962: made from the roots of perfect subtrees, and verified.
//!
//! An inclusion proof shows that a leaf is at its place in the tree with a root; a consistency
//! proof shows that a tree is the beginning of another one. Proofs run from the leaves towards the
//! root. Verification (RFC 9162 sections 2.1.3.2 and 2.1.4.2) needs no source, and no length is
//! believed: a proof of the wrong length is refused.

use crate::{
    Hash,
    tree::{EMPTY_ROOT, node_hash},
};

/// Most hashes of a proof: one or two for each level of a tree of 2^64 leaves.
pub const PATH_HASHES_MAX: usize = 64;

/// Where the roots of perfect subtrees come from: tiles, a file, memory.
pub trait Subtrees {
    /// Why one could not be had.
    type Error;

    /// Root over the leaves from `index * 2^level` on, `2^level` of them; all of them exist.
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No such leaf in a tree of this size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Outside {
        /// The leaf.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The later tree is smaller than the earlier one.
    #[error("a tree of {new} leaves cannot follow one of {old}")]
    Shrunk {
        /// Size of the earlier tree.
        old: u64,
        /// Size of the later tree.
        new: u64,
    },
    /// Too few or too many hashes.
    #[error("the proof has {0} hashes, which is not its length")]
    Length(usize),
    /// The hashes lead to another root.
    #[error("the hashes of the proof lead to another root than the one that was signed")]
    Root,
}

/// Root of the tree of the first `size` leaves.
pub fn root<S: Subtrees>(source: &S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 { Ok(EMPTY_ROOT) } else { range(source, 0, size) }
}

/// Proof that leaf `index` is in the tree of the first `size` leaves; `index` must be below `size`.
pub fn inclusion<S: Subtrees>(source: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(source, middle, end)?);
            end = middle;
        } else {
            path.push(range(source, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of the first `old` leaves is the beginning of that of the first `new`, which
/// must not be fewer. It is empty if they are equal or `old` is 0.
pub fn consistency<S: Subtrees>(source: &S, old: u64, new: u64) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut start, mut end) = (0, new);
    // The earlier root itself is known to the verifier and need not be told.
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(source, middle, end)?);
            end = middle;
        } else {
            path.push(range(source, start, middle)?);
            start = middle;
        }
    }
    if start > 0 {
        path.push(range(source, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Root over the leaves from `start` to before `end`. `start` is a multiple of the largest power of
/// two in the range, as it is for every range that the proofs ask for.
fn range<S: Subtrees>(source: &S, start: u64, end: u64) -> Result<Hash, S::Error> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        peaks.push(source.subtree(level, at >> level)?);
        at += 1 << level;
    }
    let last = peaks.pop().expect("a range is not empty");
    Ok(peaks.iter().rev().fold(last, |right, left| node_hash(left, &right)))
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with that root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), PathError> {
    if index >= size {
        return Err(PathError::Outside { index, size });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return Err(PathError::Length(path.len()));
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    match (last, &hash == root) {
        (0, true) => Ok(()),
        (0, false) => Err(PathError::Root),
        _ => Err(PathError::Length(path.len())),
    }
}

/// Checks that the tree of `old` leaves is the beginning of that of `new` leaves.
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    path: &[Hash],
) -> Result<(), PathError> {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old > new {
        return Err(PathError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        let start = if old == 0 { &EMPTY_ROOT } else { new_root };
        return match path {
            [] if old_root == start => Ok(()),
            [] => Err(PathError::Root),
            more => Err(PathError::Length(more.len())),
        };
    }
    let wrong = PathError::Length(path.len());
    let (first, rest) = match path {
        // The whole earlier tree is a subtree of the later one.
        _ if old.is_power_of_two() => (old_root, path),
        [first, rest @ ..] => (first, rest),
        [] => return Err(wrong),
    };
    let (mut at, mut last) = (old - 1, new - 1);
    let shift = at.trailing_ones();
    at = at.checked_shr(shift).unwrap_or(0);
    last = last.checked_shr(shift).unwrap_or(0);
    let (mut from_old, mut from_new) = (*first, *first);
    for step in rest {
        if last == 0 {
            return Err(wrong);
        }
        if at & 1 == 1 || at == last {
            from_old = node_hash(step, &from_old);
            from_new = node_hash(step, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, step);
        }
        at >>= 1;
        last >>= 1;
    }
    match (last, &from_old == old_root && &from_new == new_root) {
        (0, true) => Ok(()),
        (0, false) => Err(PathError::Root),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests;
