//! What moved on each account with the balance after it: an append-only file, derived from the history.
//!
//! Rows of 128 bytes in the order of the log. Each names the row before it of the same account, and one much
//! earlier (the jump pointers of a skew-binary list: Myers, "An applicative random-access stack", 1983), so that
//! any row of an account is found in about two reads for each doubling of their number, and pages are read
//! backwards from there. In memory there is a head of a few dozen numbers for each account, and nothing for a
//! row. Nothing is synced: opening reads all rows, and cuts off from the first whose checksum is wrong, and
//! with it the last block, which may be half there.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use super::vfs::{Vfs, VfsFile, read_exact_at};

/// Bytes of a row in the file.
const ROW_BYTES: usize = 128;
/// Rows that are read in one go at the start.
const READ_ROWS: u64 = 8 << 10;
const NONE: u32 = u32::MAX;

/// One change of one balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Number of the account.
    pub account: u32,
    /// The account on the other side, where there is exactly one.
    pub other: Option<u32>,
    /// Height of its block; 0 is genesis.
    pub height: u64,
    /// Ledger time of the block, nanoseconds since 1970.
    pub time: u64,
    /// Leaf of the record that brought it about.
    pub leaf: u64,
    /// Id of the command, all zero for what genesis put there.
    pub id: [u8; 16],
    /// Minor units, negative when the account is debited.
    pub change: i128,
}

/// A movement in its place among those of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What moved.
    pub movement: Movement,
    /// Its number among the movements of the account, from 1.
    pub ordinal: u64,
    /// What is on the account after it, in minor units.
    pub balance: i128,
    /// Row before it of the same account, counted from 1; 0 when there is none.
    previous: u64,
    /// An earlier one, or 0.
    jump: u64,
}

/// Where an account stands.
#[derive(Clone, Debug, Default)]
struct Head {
    row: u64,
    ordinal: u64,
    balance: i128,
    /// Trees of the skew-binary list: size and root, the newest last.
    trees: Vec<(u64, u64)>,
}

impl Head {
    /// Takes a row in; returns its jump.
    fn push(&mut self, row: u64) -> u64 {
        let size = match self.trees[..] {
            [.., (older, _), (newer, _)] if older == newer => {
                self.trees.truncate(self.trees.len() - 2);
                1 + older + newer
            }
            _ => 1,
        };
        let jump = self.trees.last().map_or(0, |(_, root)| *root);
        self.trees.push((size, row));
        self.row = row;
        self.ordinal += 1;
        jump
    }
}

/// The file.
pub struct Movements {
    file: Box<dyn VfsFile>,
    heads: BTreeMap<u32, Head>,
    rows: u64,
    unwritten: Vec<u8>,
    last_height: Option<u64>,
}

impl Movements {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(vfs: &Arc<dyn Vfs>, dir: &Path) -> io::Result<Self> {
        vfs.create_dir_all(dir)?;
        let file = vfs.open(&dir.join("movements.rows"), true)?;
        let mut open = Self {
            file,
            heads: BTreeMap::new(),
            rows: 0,
            unwritten: Vec::new(),
            last_height: None,
        };
        let (sound, last_height) = open.read(u64::MAX, u64::MAX)?;
        if let Some(height) = last_height {
            (open.heads, open.rows) = (BTreeMap::new(), 0);
            open.read(sound, height)?;
        }
        open.file.set_len(open.rows * ROW_BYTES as u64)?;
        Ok(open)
    }

    /// Takes sound rows below a height; returns how many there were, and the height of the last.
    fn read(&mut self, rows_max: u64, below: u64) -> io::Result<(u64, Option<u64>)> {
        let known = (self.file.len()? / ROW_BYTES as u64).min(rows_max);
        self.last_height = None;
        while self.rows < known {
            let count = READ_ROWS.min(known - self.rows);
            let mut bytes = vec![0; count as usize * ROW_BYTES];
            read_exact_at(&*self.file, &mut bytes, self.rows * ROW_BYTES as u64)?;
            for row in bytes.as_chunks::<ROW_BYTES>().0 {
                let Some(row) = decode(row).filter(|row| row.movement.height < below) else {
                    return Ok((self.rows, self.last_height));
                };
                let head = self.heads.entry(row.movement.account).or_default();
                let previous = head.row;
                let balance = head.balance + row.movement.change;
                let mut next = head.clone();
                let jump = next.push(self.rows + 1);
                next.balance = balance;
                let made = (jump, previous, next.ordinal, balance);
                if made != (row.jump, row.previous, row.ordinal, row.balance) {
                    return Ok((self.rows, self.last_height));
                }
                *head = next;
                self.rows += 1;
                self.last_height = Some(row.movement.height);
            }
        }
        Ok((self.rows, self.last_height))
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn clear(&mut self) -> io::Result<()> {
        self.heads.clear();
        self.unwritten.clear();
        (self.rows, self.last_height) = (0, None);
        self.file.set_len(0)
    }

    /// Height of the last block that moved something, as far as it was appended.
    #[must_use]
    pub fn last_height(&self) -> Option<u64> {
        self.last_height
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a movement; readable after [`Movements::flush`].
    pub fn append(&mut self, movement: Movement) {
        let head = self.heads.entry(movement.account).or_default();
        let previous = head.row;
        let jump = head.push(self.rows + 1);
        head.balance += movement.change;
        let (ordinal, balance) = (head.ordinal, head.balance);
        self.unwritten.extend_from_slice(&encode(&Row {
            movement,
            ordinal,
            balance,
            previous,
            jump,
        }));
        self.rows += 1;
        self.last_height = Some(movement.height);
    }

    /// Writes what was appended.
    ///
    /// # Errors
    /// When the disk fails: the file must be opened again.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.unwritten.is_empty() {
            let at = self.rows * ROW_BYTES as u64 - self.unwritten.len() as u64;
            self.file.write_at(&self.unwritten, at)?;
            self.unwritten.clear();
        }
        Ok(())
    }

    /// The last row of an account for which `within` holds. It must hold up to some row, and for none after it.
    ///
    /// # Errors
    /// When the disk fails, or has other bytes than were written.
    pub fn last_where(
        &self,
        account: u32,
        within: impl Fn(&Row) -> bool,
    ) -> io::Result<Option<Row>> {
        let Some(head) = self.heads.get(&account) else { return Ok(None) };
        let mut at = self.row(head.row)?;
        while !within(&at) {
            let jump = if at.jump == 0 { None } else { Some(self.row(at.jump)?) };
            at = match jump.filter(|jump| !within(jump)) {
                Some(jump) => jump,
                None if at.previous == 0 => return Ok(None),
                None => self.row(at.previous)?,
            };
        }
        Ok(Some(at))
    }

    /// The rows of an account with the numbers after `after` up to `to`, in their order.
    ///
    /// # Errors
    /// When the disk fails, or has other bytes than were written.
    pub fn page(&self, account: u32, after: u64, to: u64) -> io::Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut next = self.last_where(account, |row| row.ordinal <= to)?;
        while let Some(row) = next.filter(|row| row.ordinal > after) {
            next = if row.previous == 0 { None } else { Some(self.row(row.previous)?) };
            rows.push(row);
        }
        rows.reverse();
        Ok(rows)
    }

    fn row(&self, number: u64) -> io::Result<Row> {
        let mut bytes = [0; ROW_BYTES];
        let at = number.checked_sub(1).ok_or(io::ErrorKind::InvalidData)? * ROW_BYTES as u64;
        read_exact_at(&*self.file, &mut bytes, at)?;
        decode(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

fn encode(row: &Row) -> [u8; ROW_BYTES] {
    let mut out = [0; ROW_BYTES];
    let moved = &row.movement;
    let longs = [row.previous, row.jump, row.ordinal, moved.height, moved.time, moved.leaf];
    for (at, long) in longs.into_iter().enumerate() {
        out[at * 8..at * 8 + 8].copy_from_slice(&long.to_le_bytes());
    }
    out[48..52].copy_from_slice(&moved.account.to_le_bytes());
    out[52..56].copy_from_slice(&moved.other.unwrap_or(NONE).to_le_bytes());
    out[64..80].copy_from_slice(&moved.change.to_le_bytes());
    out[80..96].copy_from_slice(&row.balance.to_le_bytes());
    out[96..112].copy_from_slice(&moved.id);
    let checksum = crc32c::crc32c(&out[..ROW_BYTES - 4]);
    out[ROW_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
    out
}

fn decode(bytes: &[u8; ROW_BYTES]) -> Option<Row> {
    let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let wide = |at: usize| i128::from_le_bytes(bytes[at..at + 16].try_into().expect("16 bytes"));
    if word(ROW_BYTES - 4) != crc32c::crc32c(&bytes[..ROW_BYTES - 4]) {
        return None;
    }
    let other = word(52);
    Some(Row {
        movement: Movement {
            account: word(48),
            other: (other != NONE).then_some(other),
            height: long(24),
            time: long(32),
            leaf: long(40),
            id: bytes[96..112].try_into().expect("16 bytes"),
            change: wide(64),
        },
        ordinal: long(16),
        balance: wide(80),
        previous: long(0),
        jump: long(8),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::vfs::MemVfs;

    fn moved(account: u32, height: u64, change: i128) -> Movement {
        let other = (account == 1).then_some(0);
        Movement {
            account,
            other,
            height,
            time: height * 10,
            leaf: height * 3,
            id: [7; 16],
            change,
        }
    }

    /// Rows of two accounts, five a block: account 0 has four of them.
    fn filled(vfs: &Arc<dyn Vfs>, blocks: u64) -> Movements {
        let mut rows = Movements::open(vfs, Path::new("m")).unwrap();
        for height in 1..=blocks {
            for change in [5, -2, 1, 1] {
                rows.append(moved(0, height, change));
            }
            rows.append(moved(1, height, -5));
        }
        rows.flush().unwrap();
        rows
    }

    #[test]
    fn every_row_of_an_account_is_found_in_few_steps() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let rows = filled(&vfs, 1_000);
        for wanted in 1..=4_000 {
            let steps = std::cell::Cell::new(0);
            let found = rows.last_where(0, |row| {
                steps.set(steps.get() + 1);
                row.ordinal <= wanted
            });
            let found = found.unwrap().unwrap();
            assert_eq!(found.ordinal, wanted);
            assert_eq!(found.movement.height, (wanted - 1) / 4 + 1);
            assert!(steps.get() <= 60, "row {wanted} took {} steps", steps.get());
        }
        let none = rows.last_where(0, |row| row.movement.height < 1).unwrap();
        assert_eq!(none, None);
        assert_eq!(rows.last_where(9, |_| true).unwrap(), None);
        let page = rows.page(0, 7, 9).unwrap();
        assert_eq!(page.iter().map(|row| row.ordinal).collect::<Vec<_>>(), [8, 9]);
        assert_eq!(page.iter().map(|row| row.balance).collect::<Vec<_>>(), [10, 15]);
    }

    #[test]
    fn a_damaged_row_and_the_last_block_are_cut_off_at_the_start() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let rows = filled(&vfs, 20);
        assert_eq!(rows.len(), 100);
        let file = vfs.open(Path::new("m/movements.rows"), false).unwrap();
        // A torn tail: the last block may be half there, so it is written again.
        file.set_len(98 * ROW_BYTES as u64 + 11).unwrap();
        let again = Movements::open(&vfs, Path::new("m")).unwrap();
        assert_eq!((again.len(), again.last_height()), (95, Some(19)));
        // One flipped bit in block 8.
        let mut byte = [0];
        let at = 36 * ROW_BYTES as u64 + 64;
        file.read_at(&mut byte, at).unwrap();
        file.write_at(&[byte[0] ^ 1], at).unwrap();
        let mut again = Movements::open(&vfs, Path::new("m")).unwrap();
        assert_eq!((again.len(), again.last_height()), (35, Some(7)));
        again.append(moved(0, 8, 100));
        again.flush().unwrap();
        let last = again.last_where(0, |_| true).unwrap().unwrap();
        assert_eq!((last.ordinal, last.balance), (29, 7 * 5 + 100));
    }
}
