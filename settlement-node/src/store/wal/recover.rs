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
use crate::store::vfs::{Vfs, settle};
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

/// What the records say, up to where they stop following each other.
pub(super) struct Replay {
    pub(super) index: LogIndex,
    pub(super) hard_state: Option<WalHardState>,
    pub(super) sequence: u64,
    pub(super) chain: u32,
    pub(super) begun: bool,
    /// The highest term of a record, replaced entries included.
    pub(super) term_max: u64,
}

/// Where the sound records of a log end.
pub(super) struct End {
    pub(super) segment: Segment,
    /// End of the last sound record.
    pub(super) offset: usize,
    /// How many of the segments were read up to here, this one included.
    pub(super) count: usize,
    /// A record follows that is linked but contradicts the log.
    pub(super) contradiction: Option<usize>,
}

/// Reads all segments. `None` if they hold no record at all: a log that was just being created.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    numbers: &[u64],
    bound: Bound,
) -> Result<Option<Found>, WalError> {
    let (replay, end) = follow(vfs, dir, numbers, &mut |_, _| {})?;
    let torn = judge(vfs, dir, numbers, &replay, end.as_ref(), bound)?;
    let Some(end) = end else { return Ok(None) };
    Ok(Some(Found {
        index: replay.index,
        hard_state: replay.hard_state,
        active: end.segment,
        sequence: replay.sequence,
        chain: replay.chain,
        position: (end.offset as u64).next_multiple_of(UNIT_BYTES as u64),
        torn,
        unused: numbers[end.count..].to_vec(),
    }))
}

/// Follows the records from the first on; `see` gets each sound one and its offset. The end is
/// `None` if not even the first record is sound. What it reads is durable.
pub(super) fn follow(
    vfs: &dyn Vfs,
    dir: &Path,
    numbers: &[u64],
    see: &mut dyn FnMut(&Record<'_>, usize),
) -> Result<(Replay, Option<End>), WalError> {
    let mut replay = Replay::new();
    let mut bytes = Vec::new();
    let mut end = None;
    for (at, &number) in numbers.iter().enumerate() {
        let segment = Segment { number, file: vfs.open(&path_of(dir, number), false)?.into() };
        settle(&*segment.file).map_err(WalError::SyncFailed)?;
        load(&segment, &mut bytes)?;
        if !replay.begins(&bytes, number) {
            break;
        }
        let (offset, contradiction) = replay.segment(&bytes, number, see);
        replay.index.segments.insert(number, segment.clone());
        end = Some(End { segment, offset, count: at + 1, contradiction });
        if contradiction.is_some() {
            break;
        }
    }
    Ok((replay, end))
}

/// Tells an unfinished write from damage, see the module text.
pub(super) fn judge(
    vfs: &dyn Vfs,
    dir: &Path,
    numbers: &[u64],
    replay: &Replay,
    end: Option<&End>,
    bound: Bound,
) -> Result<Torn, WalError> {
    let Some(end) = end else {
        let missing = numbers.first().copied().unwrap_or(1);
        return search(vfs, dir, numbers, (missing, 0), replay, bound);
    };
    if let Some(offset) = end.contradiction {
        let index = replay.index.terms.last_index() + 1;
        let segment = end.segment.number;
        return Err(WalError::Corrupt { segment, offset: offset as u64, index });
    }
    let place = (end.segment.number, end.offset);
    search(vfs, dir, &numbers[end.count - 1..], place, replay, bound)
}

pub(super) fn load(segment: &Segment, bytes: &mut Vec<u8>) -> Result<(), WalError> {
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
    /// Nothing read yet.
    pub(super) fn new() -> Self {
        Self {
            index: LogIndex::after(0, 0),
            hard_state: None,
            sequence: 0,
            chain: 0,
            begun: false,
            term_max: 0,
        }
    }

    /// Whether the first record of a segment is the one that has to come next.
    pub(super) fn begins(&self, bytes: &[u8], number: u64) -> bool {
        decode_next(self, bytes, 0, number)
            .is_some_and(|first| first.header.kind == Kind::SegmentStart)
    }

    /// Follows the records of one segment; returns the end of the last sound one, and the place of
    /// a linked record that contradicts the log, if that is what follows.
    pub(super) fn segment(
        &mut self,
        bytes: &[u8],
        number: u64,
        see: &mut dyn FnMut(&Record<'_>, usize),
    ) -> (usize, Option<usize>) {
        let mut at: usize = 0;
        loop {
            // A unit ends with padding up to the next 4 KiB; the next record may be behind it.
            let behind = at.next_multiple_of(UNIT_BYTES);
            let place = match decode_next(self, bytes, at, number) {
                Some(_) => at,
                None => behind,
            };
            let Some(found) = decode_next(self, bytes, place, number) else { return (at, None) };
            if self.record(&found, place).is_none() {
                return (at, Some(place));
            }
            see(&found, place);
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
        self.term_max = self.term_max.max(highest_term(found));
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

/// The highest term that a sound record names.
pub(super) fn highest_term(found: &Record<'_>) -> u64 {
    let inside = match found.header.kind {
        Kind::Entries => record::batch_of(found.payload, found.header.count)
            .and_then(|(_, items)| items.map(|(term, _)| term).max()),
        Kind::HardState | Kind::SegmentStart => {
            record::hard_state_of(found.payload).flatten().map(|state| state.term)
        }
        Kind::Reset => None,
    };
    found.header.term.max(inside.unwrap_or(0))
}

/// Calls `see` for each record of the segment `number` from `start` on that is sound by itself,
/// linked or not. Returns where the last of them ends, or a record that was begun at `start`.
pub(super) fn sound_records(
    bytes: &[u8],
    number: u64,
    start: usize,
    mut see: impl FnMut(&Record<'_>),
) -> usize {
    let (mut at, mut last) = (start, start);
    while at + HEADER_BYTES <= bytes.len() {
        // The segment number is compared first, which skips nearly every position.
        let own = record::read_u64(bytes, at + 8) == number;
        if own && let Some(found) = record::decode(&bytes[at..], number) {
            see(&found);
            last = at + found.disk_bytes();
            at = last;
            continue;
        }
        if own && (at == start || at == start.next_multiple_of(UNIT_BYTES)) {
            let len = record::disk_bytes(record::read_u32(bytes, at) as usize);
            last = (at + len).min(bytes.len());
        }
        at += RECORD_ALIGN;
    }
    last
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
    let corrupt = || WalError::Corrupt {
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
        return Err(corrupt());
    }
    let mut torn = Torn::default();
    let mut bytes = Vec::new();
    for &number in numbers {
        let segment = Segment { number, file: vfs.open(&path_of(dir, number), false)?.into() };
        load(&segment, &mut bytes)?;
        let start = if number == end.0 { end.1 } else { 0 };
        let mut proof = false;
        let last = sound_records(&bytes, number, start, |found| {
            proof |= found.header.durable >= missing;
        });
        if proof {
            return Err(corrupt());
        }
        torn.bytes += (last - start) as u64;
        if number == end.0 && last > start {
            torn.end = last as u64;
        }
        torn.later |= number != end.0 && last > start;
    }
    Ok(torn)
}
