//! One proof for many leaves of a log: the records that an export rests on, and hashes for all that lies between.
//!
//! The file is a sequence of items from the first leaf of the tree to its last. Item `0`: a record, its length u16
//! big-endian, its bytes; it is the next leaf. Item `n` from 1 to 64: 32 bytes, the hash over the next `2^(n-1)` leaves;
//! their first is a multiple of that number. The items cover exactly the leaves of the checkpoint, and their root by
//! RFC 6962 must be the one that was signed. Written and read in one pass, with a few hashes in memory.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use proof::{
    Hash,
    record::RECORD_BYTES_MAX,
    tree::{EMPTY_ROOT, leaf_hash, node_hash},
};

const RECORD: u8 = 0;
const LEVEL_MAX: u8 = 63;

/// Perfect subtrees from left to right, none joined yet that could be.
#[derive(Default)]
struct Peaks {
    at: u64,
    peaks: Vec<(u8, Hash)>,
}

impl Peaks {
    /// Adds the next `2^level` leaves. Two of one level are joined where they are halves of one subtree.
    fn add(&mut self, level: u8, hash: Hash) {
        self.at += 1 << level;
        let (mut level, mut hash) = (level, hash);
        while let Some((before, left)) = self.peaks.last().copied()
            && before == level
            && self.at.is_multiple_of(2 << level)
        {
            self.peaks.pop();
            (level, hash) = (level + 1, node_hash(&left, &hash));
        }
        self.peaks.push((level, hash));
    }

    fn root(&self) -> Hash {
        let Some((last, before)) = self.peaks.split_last() else { return EMPTY_ROOT };
        before.iter().rev().fold(last.1, |right, (_, left)| node_hash(left, &right))
    }
}

/// Writes a proof while the log is walked through.
pub(crate) struct ProofWriter<W> {
    out: W,
    /// Leaves since the last record that was written.
    gap: Peaks,
    /// Records that were written.
    pub(crate) carried: u64,
}

impl<W: Write> ProofWriter<W> {
    /// At leaf 0.
    pub(crate) fn new(out: W) -> Self {
        Self { out, gap: Peaks::default(), carried: 0 }
    }

    /// The next leaf: its hash, and the record itself where it is to be carried.
    ///
    /// # Errors
    /// The proof cannot be written.
    pub(crate) fn leaf(&mut self, hash: Hash, record: Option<&[u8]>) -> Result<()> {
        let Some(record) = record else {
            self.gap.add(0, hash);
            return Ok(());
        };
        self.flush()?;
        let length = u16::try_from(record.len()).context("a record is too long")?;
        self.out.write_all(&[RECORD])?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(record)?;
        self.gap.at += 1;
        self.carried += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        for (level, hash) in self.gap.peaks.drain(..) {
            self.out.write_all(&[level + 1])?;
            self.out.write_all(&hash)?;
        }
        Ok(())
    }

    /// The end of the tree; gives back what was written to, and the number of records.
    ///
    /// # Errors
    /// The proof cannot be written.
    pub(crate) fn end(mut self) -> Result<(W, u64)> {
        self.flush()?;
        Ok((self.out, self.carried))
    }
}

/// Reads a proof of a tree of `size` leaves, calls `each` with the leaf and bytes of every record in it, and gives the
/// root that it leads to. What `each` sees is proven only when that root is the one that was signed.
///
/// # Errors
/// The bytes are no proof of a tree of that size, or those of `each`.
pub(crate) fn read(
    input: &mut dyn Read,
    size: u64,
    each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
) -> Result<Hash> {
    let mut tree = Peaks::default();
    let mut record = vec![0; RECORD_BYTES_MAX];
    let short = "the proof ends too early";
    while tree.at < size {
        let mut tag = [0];
        input.read_exact(&mut tag).context(short)?;
        if tag[0] == RECORD {
            let mut length = [0; 2];
            input.read_exact(&mut length).context(short)?;
            let record = &mut record[..usize::from(u16::from_be_bytes(length))];
            input.read_exact(record).context(short)?;
            each(tree.at, record)?;
            tree.add(0, leaf_hash(record));
            continue;
        }
        let level = tag[0] - 1;
        let fits = level <= LEVEL_MAX
            && tree.at.is_multiple_of(1 << level)
            && size - tree.at >= 1 << level;
        ensure!(fits, "the proof has a hash that is not in its place");
        let mut hash = [0; 32];
        input.read_exact(&mut hash).context(short)?;
        tree.add(level, hash);
    }
    ensure!(input.read(&mut [0])? == 0, "the proof goes on after its end");
    Ok(tree.root())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proof::tree::Frontier;

    use super::*;

    fn proof(size: u64, carried: impl Fn(u64) -> bool) -> (Vec<u8>, Hash) {
        let mut writer = ProofWriter::new(Vec::new());
        let mut frontier = Frontier::new();
        for leaf in 0..size {
            let record = leaf.to_be_bytes();
            let hash = frontier.append(&record);
            writer.leaf(hash, carried(leaf).then_some(&record)).unwrap();
        }
        (writer.end().unwrap().0, frontier.root())
    }

    #[test]
    fn any_choice_of_leaves_leads_to_the_root() {
        for size in [1, 2, 3, 7, 8, 9, 31, 100, 257, 1_000] {
            for step in [1, 2, 3, 5, 64, 5_000] {
                for first in [0, 1, 6] {
                    let carried = |leaf: u64| leaf % step == first % step;
                    let (bytes, root) = proof(size, carried);
                    let mut found = Vec::new();
                    let got = read(&mut &bytes[..], size, &mut |leaf, record| {
                        assert_eq!(record, leaf.to_be_bytes());
                        found.push(leaf);
                        Ok(())
                    });
                    assert_eq!(got.unwrap(), root, "{size} {step} {first}");
                    assert!(found.into_iter().eq((0..size).filter(|leaf| carried(*leaf))));
                }
            }
        }
        let (sparse, _) = proof(1_000_000, |leaf| leaf == 777_777);
        assert!(sparse.len() < 40 * 33 + 11, "{}", sparse.len());
    }

    #[test]
    fn a_changed_bit_leads_elsewhere() {
        let (bytes, root) = proof(40, |leaf| leaf % 7 == 3);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let got = read(&mut &changed[..], 40, &mut |_, _| Ok(()));
            assert!(got.is_err() || got.unwrap() != root, "bit {bit}");
        }
        assert!(read(&mut &bytes[..bytes.len() - 1], 40, &mut |_, _| Ok(())).is_err());
        assert!(read(&mut &[&bytes[..], &[0]].concat()[..], 40, &mut |_, _| Ok(())).is_err());
        let other = read(&mut &bytes[..], 41, &mut |_, _| Ok(()));
        assert!(other.is_err());
    }
}
