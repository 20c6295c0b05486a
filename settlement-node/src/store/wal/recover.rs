//! Reads a log back and tells a torn tail from corruption.
//!
//! Records are followed by sequence number and chain. Where they end, the rest of that segment and
//! all later ones are searched: a sound record that was written when the log was durable up to the
//! missing sequence number, or a superblock that says so, proves that durable data is damaged. Then
//! the log is not opened and nothing is changed. Without such proof the rest is a write that never
//! finished, and may be dropped: nothing was acknowledged on the strength of it.

use super::index::{LogIndex, Place};
use super::record::{self, HEADER_BYTES, Kind, RECORD_ALIGN, Record};
use super::segment::{Segment, path_of};
use super::{UNIT_BYTES, WalError, WalHardState};
use crate::store::vfs::Vfs;
use std::path::Path;

/// What the records of a log say.
pub(crate) struct Found {
    pub(crate) index: LogIndex,
    pub(crate) hard_state: Option<WalHardState>,
    /// Number, sequence, chain of the last record, and where the next one goes.
    pub(crate) active: Segment,
    pub(crate) sequence: u64,
    pub(crate) chain: u32,
    pub(crate) position: u64,
    pub(crate) torn: Torn,
    /// Segments after the active one; they hold nothing.
    pub(crate) unused: Vec<u64>,
}

impl Found {
    /// A log that has no record yet.
    pub(crate) fn empty(active: Segment) -> Self {
        let mut index = LogIndex::after(0, 0);
        index.segments.insert(active.number, active.clone());
        Self {
            index,
            hard_state: None,
            active,
            sequence: 0,
            chain: 0,
            position: 0,
            torn: Torn::default(),
            unused: Vec::new(),
        }
    }
}

/// What is behind the end of the log and was never finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Torn {
    /// Bytes in all segments.
    pub(crate) bytes: u64,
    /// Where they end in the active segment, 0 if there are none.
    pub(crate) end: u64,
    /// Whether there are some in later segments.
    pub(crate) later: bool,
}

/// The superblock's word on how far the log must reach.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) sequence: u64,
    pub(crate) index: u64,
}

struct Replay {
    index: LogIndex,
    hard_state: Option<WalHardState>,
    sequence: u64,
    chain: u32,
    begun: bool,
}

/// Reads all segments. `None` if they hold no record at all: a log that was just being created.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    numbers: &[u64],
    bound: Bound,
) -> Result<Option<Found>, WalError> {
    let mut replay = Replay {
        index: LogIndex::after(0, 0),
        hard_state: None,
        sequence: 0,
        chain: 0,
        begun: false,
    };
    let mut bytes = Vec::new();
    let mut active = None;
    let mut next = 0;
    for (at, &number) in numbers.iter().enumerate() {
        let segment = Segment { number, file: vfs.open(&path_of(dir, number), false)?.into() };
        load(&segment, &mut bytes)?;
        let starts = decode_next(&replay, &bytes, 0, number)
            .is_some_and(|first| first.header.kind == Kind::SegmentStart);
        if !starts {
            break;
        }
        let position = replay.segment(&bytes, number)?;
        replay.index.segments.insert(number, segment.clone());
        active = Some((segment, position));
        next = at + 1;
    }
    let Some((active, end)) = active else {
        // Not even the first record is sound.
        let missing = numbers.first().copied().unwrap_or(1);
        search(vfs, dir, numbers, (missing, 0), &replay, bound)?;
        return Ok(None);
    };
    let torn = search(vfs, dir, &numbers[next - 1..], (active.number, end), &replay, bound)?;
    Ok(Some(Found {
        index: replay.index,
        hard_state: replay.hard_state,
        active,
        sequence: replay.sequence,
        chain: replay.chain,
        position: (end as u64).next_multiple_of(UNIT_BYTES as u64),
        torn,
        unused: numbers[next..].to_vec(),
    }))
}

fn load(segment: &Segment, bytes: &mut Vec<u8>) -> Result<(), WalError> {
    bytes.resize(segment.file.len()? as usize, 0);
    let count = segment.file.read_at(bytes, 0)?;
    bytes.truncate(count);
    Ok(())
}

/// The record at `at` if it is the one that has to come next.
fn decode_next<'a>(
    replay: &Replay,
    bytes: &'a [u8],
    at: usize,
    segment: u64,
) -> Option<Record<'a>> {
    let found = record::decode(bytes.get(at..)?, segment)?;
    let linked = found.header.sequence == replay.sequence + 1 && found.header.chain == replay.chain;
    (linked || !replay.begun).then_some(found)
}

impl Replay {
    /// Follows the records of one segment; returns the end of the last sound one.
    fn segment(&mut self, bytes: &[u8], number: u64) -> Result<usize, WalError> {
        let mut at: usize = 0;
        loop {
            // A unit ends with padding up to the next 4 KiB; the next record may be behind it.
            let behind = at.next_multiple_of(UNIT_BYTES);
            let place = match decode_next(self, bytes, at, number) {
                Some(_) => at,
                None => behind,
            };
            let Some(found) = decode_next(self, bytes, place, number) else { return Ok(at) };
            self.record(&found, place).ok_or(WalError::Corrupt {
                segment: number,
                offset: place as u64,
                index: self.index.terms.last_index() + 1,
            })?;
            at = place + found.disk_bytes();
        }
    }

    /// Applies one record; `None` if it contradicts the log before it.
    fn record(&mut self, found: &Record<'_>, at: usize) -> Option<()> {
        let header = &found.header;
        match header.kind {
            Kind::SegmentStart => {
                let state = record::hard_state_of(found.payload)?;
                if !self.begun {
                    self.index.reset(header.index, header.term);
                }
                self.hard_state = state;
            }
            Kind::HardState => self.hard_state = record::hard_state_of(found.payload)?,
            Kind::Reset => self.index.reset(header.index, header.term),
            Kind::Entries => self.entries(found, at)?,
        }
        self.begun = true;
        self.sequence = header.sequence;
        self.chain = found.crc;
        Some(())
    }

    fn entries(&mut self, found: &Record<'_>, at: usize) -> Option<()> {
        let header = &found.header;
        let (previous_term, items) = record::batch_of(found.payload, header.count)?;
        let before = header.index.checked_sub(1)?;
        if before + 1 < self.index.terms.first_index() {
            // Replaces entries of a segment that is released: those kept so far are replaced too.
            self.index.reset(before, previous_term);
        }
        if self.index.terms.term(before)? != previous_term {
            return None;
        }
        self.index.terms.truncate_from(header.index);
        let mut count = 0;
        for (term, _) in items {
            self.index.terms.push(term);
            count += 1;
        }
        if count != header.count {
            return None;
        }
        self.index.add(Place {
            first: header.index,
            last: before + u64::from(count),
            segment: header.segment,
            offset: at as u32,
            len: found.disk_bytes() as u32,
        });
        Some(())
    }
}

/// Looks behind the end of the log for proof that more of it was durable; returns the bytes of
/// unfinished writes. `numbers` starts with the segment of the end.
fn search(
    vfs: &dyn Vfs,
    dir: &Path,
    numbers: &[u64],
    end: (u64, usize),
    replay: &Replay,
    bound: Bound,
) -> Result<Torn, WalError> {
    let missing = replay.sequence + 1;
    let corrupt = WalError::Corrupt {
        segment: end.0,
        offset: end.1 as u64,
        index: replay.index.terms.last_index() + 1,
    };
    if bound.sequence >= missing {
        tracing::error!(
            durable = bound.sequence,
            durable_index = bound.index,
            found = replay.sequence,
            "log is shorter than it was"
        );
        return Err(corrupt);
    }
    let mut torn = Torn::default();
    let mut bytes = Vec::new();
    for &number in numbers {
        let segment = Segment { number, file: vfs.open(&path_of(dir, number), false)?.into() };
        load(&segment, &mut bytes)?;
        let start = if number == end.0 { end.1 } else { 0 };
        let mut last = start;
        let mut at = start;
        while at + HEADER_BYTES <= bytes.len() {
            // The segment number is compared first, which skips nearly every position.
            let own = record::read_u64(&bytes, at + 8) == number;
            if own && let Some(found) = record::decode(&bytes[at..], number) {
                if found.header.durable >= missing {
                    return Err(corrupt);
                }
                last = at + found.disk_bytes();
                at = last;
                continue;
            }
            if own && (at == start || at == start.next_multiple_of(UNIT_BYTES)) {
                let len = record::disk_bytes(record::read_u32(&bytes, at) as usize);
                last = (at + len).min(bytes.len());
            }
            at += RECORD_ALIGN;
        }
        torn.bytes += (last - start) as u64;
        if number == end.0 && last > start {
            torn.end = last as u64;
        }
        torn.later |= number != end.0 && last > start;
    }
    Ok(torn)
}
