//! One record of the log: a fixed 64-byte header, the payload, zeros up to a multiple of 8.
//!
//! The checksum covers the segment number, so a record left over in a recycled file never passes;
//! the sequence number and the checksum of the record before make a chain, so neither a lost write
//! nor a leftover of an earlier torn tail passes. Each record also says up to which sequence number
//! the log was known durable when it was written: that is what tells a torn tail from corruption.

use super::{WalEntry, WalHardState};
use bytes::Bytes;

/// Bytes of a record header.
pub(crate) const HEADER_BYTES: usize = 64;
/// Records start at multiples of this within a segment.
pub(crate) const RECORD_ALIGN: usize = 8;
/// Bytes in front of the entries of a batch: the term of the entry before.
const BATCH_PREFIX: usize = 8;
/// Bytes in front of each entry: length, term.
pub(crate) const ENTRY_PREFIX: usize = 12;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// First record of each segment: the last entry before it and the hard state.
    SegmentStart = 1,
    /// Contiguous entries; a first index at or below the last one replaces the suffix.
    Entries = 2,
    /// Term, vote, commit.
    HardState = 3,
    /// The log restarts after (index, term): a state snapshot was installed.
    Reset = 4,
}

/// The header fields. What `index`, `term` and `count` mean depends on the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
    pub(crate) durable: u64,
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) chain: u32,
    pub(crate) count: u32,
    pub(crate) kind: Kind,
}

/// A record whose checksum and segment number are right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) header: Header,
    pub(crate) crc: u32,
    pub(crate) payload: &'a [u8],
}

impl Record<'_> {
    /// Bytes on disk, with the padding.
    pub(crate) fn disk_bytes(&self) -> usize {
        disk_bytes(self.payload.len())
    }
}

/// Bytes on disk of a record with this payload.
pub(crate) const fn disk_bytes(payload: usize) -> usize {
    (HEADER_BYTES + payload).next_multiple_of(RECORD_ALIGN)
}

/// Payload bytes of a batch with these entries.
pub(crate) fn batch_bytes(entries: &[&WalEntry]) -> usize {
    BATCH_PREFIX + entries.iter().map(|entry| ENTRY_PREFIX + entry.data.len()).sum::<usize>()
}

/// Appends a record to `out` and returns its checksum. `write` must append exactly the payload.
pub(crate) fn encode(out: &mut Vec<u8>, header: &Header, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    for field in [header.segment, header.sequence, header.durable, header.index, header.term] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(&header.chain.to_le_bytes());
    out.extend_from_slice(&header.count.to_le_bytes());
    out.extend_from_slice(&[header.kind as u8, 0, 0, 0, 0, 0, 0, 0]);
    write(out);
    let len = (out.len() - start - HEADER_BYTES) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    let crc = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + disk_bytes(len as usize), 0);
    crc
}

fn checksum(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[..4]), &record[8..])
}

/// The record at the start of `bytes`, if it is whole and belongs to `segment`.
pub(crate) fn decode(bytes: &[u8], segment: u64) -> Option<Record<'_>> {
    let head = bytes.get(..HEADER_BYTES)?;
    // The cheapest test first: a search tries this at every eighth byte of a segment.
    if read_u64(head, 8) != segment {
        return None;
    }
    let end = HEADER_BYTES.checked_add(read_u32(head, 0) as usize)?;
    let whole = bytes.get(..end)?;
    let crc = read_u32(head, 4);
    if checksum(whole) != crc || head[57..64] != [0; 7] {
        return None;
    }
    let kind = match head[56] {
        1 => Kind::SegmentStart,
        2 => Kind::Entries,
        3 => Kind::HardState,
        4 => Kind::Reset,
        _ => return None,
    };
    let header = Header {
        segment,
        sequence: read_u64(head, 16),
        durable: read_u64(head, 24),
        index: read_u64(head, 32),
        term: read_u64(head, 40),
        chain: read_u32(head, 48),
        count: read_u32(head, 52),
        kind,
    };
    Some(Record { header, crc, payload: &whole[HEADER_BYTES..] })
}

/// Appends the payload of an entry batch. `previous_term` is the term of the entry before it.
pub(crate) fn put_batch(out: &mut Vec<u8>, previous_term: u64, entries: &[&WalEntry]) {
    out.extend_from_slice(&previous_term.to_le_bytes());
    for entry in entries {
        out.extend_from_slice(&(entry.data.len() as u32).to_le_bytes());
        out.extend_from_slice(&entry.term.to_le_bytes());
        out.extend_from_slice(&entry.data);
    }
}

/// The term before a batch and its (term, data range) list; `None` if the payload is malformed.
pub(crate) fn batch_of(payload: &[u8], count: u32) -> Option<(u64, BatchItems<'_>)> {
    if payload.len() < BATCH_PREFIX || count == 0 {
        return None;
    }
    let items = BatchItems { payload, at: BATCH_PREFIX };
    Some((read_u64(payload, 0), items))
}

/// Walks the entries of a batch; each item is the term and the range of the data in the payload.
pub(crate) struct BatchItems<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Iterator for BatchItems<'_> {
    type Item = (u64, std::ops::Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.payload.get(self.at..self.at + ENTRY_PREFIX)?;
        let from = self.at + ENTRY_PREFIX;
        let to = from.checked_add(read_u32(head, 0) as usize)?;
        if to > self.payload.len() {
            return None;
        }
        self.at = to;
        Some((read_u64(head, 4), from..to))
    }
}

/// The entries of a batch as slices of `bytes`; `payload` is the range of the payload in it.
pub(crate) fn entries_of(
    bytes: &Bytes,
    payload: std::ops::Range<usize>,
    header: &Header,
) -> Option<Vec<WalEntry>> {
    let (_, items) = batch_of(&bytes[payload.clone()], header.count)?;
    let entries: Vec<WalEntry> = (header.index..)
        .zip(items)
        .map(|(index, (term, range))| WalEntry {
            index,
            term,
            data: bytes.slice(payload.start + range.start..payload.start + range.end),
        })
        .collect();
    (entries.len() == header.count as usize).then_some(entries)
}

/// Appends the payload of a hard state; `None` is a log that has none yet.
pub(crate) fn put_hard_state(out: &mut Vec<u8>, state: Option<&WalHardState>) {
    let fields = state.map_or([0; 4], |state| [1, state.term, state.vote, state.commit]);
    for field in fields {
        out.extend_from_slice(&field.to_le_bytes());
    }
}

/// Reads what [`put_hard_state`] wrote; the outer `None` is a malformed payload.
pub(crate) fn hard_state_of(payload: &[u8]) -> Option<Option<WalHardState>> {
    if payload.len() != 32 {
        return None;
    }
    let state = WalHardState {
        term: read_u64(payload, 8),
        vote: read_u64(payload, 16),
        commit: read_u64(payload, 24),
    };
    Some((read_u64(payload, 0) == 1).then_some(state))
}

/// Little-endian `u32` at `at`; the caller has checked the length.
pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

/// Little-endian `u64` at `at`; the caller has checked the length.
pub(crate) fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}
