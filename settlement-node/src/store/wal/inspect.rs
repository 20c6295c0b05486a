//! What a log says about itself, read without changing anything.
//!
//! Judges as [`super::Wal::open`] does, and says more: each copy of the superblock, each segment,
//! each record, and why a place counts as damaged. A log that is being written may be looked at:
//! each file is read once, and what is being written at its end looks like an unfinished write.

use super::record::{self, HEADER_BYTES, Kind, Record};
use super::recover::{Replay, load, sound_records};
use super::segment::{Segment, numbers_seen, path_of};
use super::{UNIT_BYTES, WalError, WalHardState, meta};
use crate::store::vfs::Vfs;
use std::io;
use std::path::Path;

/// A segment that is recycled under the eyes of the reader is looked for again so many times.
const ATTEMPTS: usize = 3;

/// One sound copy of the superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyView {
    /// The node whose log it is.
    pub node: u64,
    /// The network whose log it is.
    pub network: [u8; 32],
    /// Grows by one with each update; the highest one counts.
    pub generation: u64,
    /// Sequence number of the last record known durable.
    pub durable: u64,
    /// Last entry at that record.
    pub durable_index: u64,
    /// Highest term that the node acted in.
    pub term: u64,
    /// Vote in it, 0 for none.
    pub vote: u64,
    /// Highest term known when durable data was lost.
    pub lost_term: Option<u64>,
    /// First segment that is not released.
    pub first_segment: u64,
}

/// What a segment file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentUse {
    /// Its entries are no longer needed; the file waits to be used again.
    Released,
    /// Its records are part of the log.
    Live,
    /// It holds records behind the place where the log breaks off.
    CutOff,
    /// It waits for its first record.
    Spare,
}

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentView {
    /// Its number.
    pub number: u64,
    /// What it is for.
    pub used_as: SegmentUse,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// End of the last sound record in bytes; 0 for one that was not read.
    pub used_bytes: u64,
    /// Sound records.
    pub records: u64,
    /// First and last index of the entries in it, replaced ones included.
    pub indexes: Option<(u64, u64)>,
    /// Lowest and highest term of the records in it.
    pub terms: Option<(u64, u64)>,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// First one of a segment; index and term are those of the last entry before.
    SegmentStart,
    /// Entries from `index` on; the term is that of the first.
    Entries,
    /// Term, vote, commit.
    HardState(Option<WalHardState>),
    /// The log starts again behind (index, term).
    Reset,
}

/// One sound record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView {
    /// Its segment.
    pub segment: u64,
    /// Its first byte there.
    pub offset: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// What it is.
    pub kind: RecordKind,
    /// Its number in the log.
    pub sequence: u64,
    /// The last record known durable when it was written.
    pub durable: u64,
    /// See [`RecordKind`].
    pub index: u64,
    /// See [`RecordKind`].
    pub term: u64,
    /// Entries in it.
    pub count: u32,
}

/// Whether the log can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It ends where it should.
    Sound,
    /// It ends in a write that was never finished and that nobody was told of (or, if the node
    /// runs, that is under way).
    Torn {
        /// Segment of the end.
        segment: u64,
        /// End of the last sound record.
        offset: u64,
        /// Bytes of the unfinished write.
        bytes: u64,
    },
    /// Durable data is damaged or missing.
    Corrupt {
        /// Segment of the damage.
        segment: u64,
        /// End of the last sound record before it.
        offset: u64,
        /// First entry that may be lost.
        index: u64,
        /// What is found there, and what shows that it was durable.
        reason: String,
    },
    /// The first segment is gone although nothing released it.
    SegmentLost {
        /// Its number.
        segment: u64,
    },
    /// No sound copy of the superblock.
    MetaLost,
}

impl Verdict {
    /// Whether durable data is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Sound | Self::Torn { .. })
    }
}

/// A log as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The copies of the superblock; `None` is a damaged one. Empty without the file.
    pub copies: Vec<Option<CopyView>>,
    /// The segment files, ascending.
    pub segments: Vec<SegmentView>,
    /// The sound records in order, if asked for.
    pub records: Vec<RecordView>,
    /// The hard state that counts.
    pub hard_state: Option<WalHardState>,
    /// First entry; `last_index + 1` if there is none.
    pub first_index: u64,
    /// Last sound entry.
    pub last_index: u64,
    /// Term of the entry `first_index - 1`.
    pub base_term: u64,
    /// (term, first index, number of entries), ascending.
    pub terms: Vec<(u64, u64, u64)>,
    /// Whether it can be trusted.
    pub verdict: Verdict,
}

impl Inspection {
    /// The copy of the superblock that counts.
    #[must_use]
    pub fn superblock(&self) -> Option<&CopyView> {
        self.copies.iter().flatten().max_by_key(|copy| copy.generation)
    }
}

/// Reads the log in `dir`; `records` says whether to list each record (48 bytes of memory each).
///
/// # Errors
/// [`WalError::Io`] if the folder holds no log or the disk fails, [`WalError::UnknownFormat`].
pub fn inspect(vfs: &dyn Vfs, dir: &Path, records: bool) -> Result<Inspection, WalError> {
    let mut attempt = 1;
    loop {
        let again = attempt < ATTEMPTS;
        attempt += 1;
        match look(vfs, dir, records) {
            Err(WalError::Io(error)) if error.kind() == io::ErrorKind::NotFound && again => {}
            // A segment that was finished between two reads looks as if its end were missing.
            Ok(found) if found.verdict.is_damage() && again => {}
            done => return done,
        }
    }
}

fn look(vfs: &dyn Vfs, dir: &Path, records: bool) -> Result<Inspection, WalError> {
    let copies = match vfs.exists(&dir.join(meta::NAME))? {
        true => meta::copies(vfs, dir)?,
        false => Vec::new(),
    };
    let newest = copies.iter().flatten().max_by_key(|fields| fields.generation).copied();
    let numbers = numbers_seen(vfs, dir)?;
    if copies.is_empty() && numbers.is_empty() {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    let durable = newest.map_or(0, |fields| fields.durable);
    let first = newest.filter(|_| durable > 0).map_or(0, |fields| fields.first_segment);
    let mut walk = Walk { replay: Replay::new(), end: None, broken: false, proof: false, torn: 0 };
    let mut segments = Vec::with_capacity(numbers.len());
    let mut seen = Vec::new();
    let mut bytes = Vec::new();
    for &number in &numbers {
        let segment = Segment { number, file: vfs.open(&path_of(dir, number), false)?.into() };
        if number < first {
            segments.push(SegmentView::new(number, segment.file.len()?));
            continue;
        }
        load(&segment, &mut bytes)?;
        segments.push(walk.segment(&bytes, number, records.then_some(&mut seen)));
    }
    let live = numbers.iter().copied().find(|number| *number >= first);
    let verdict = match newest {
        None => Verdict::MetaLost,
        Some(fields) if durable > 0 && live != Some(fields.first_segment) => {
            Verdict::SegmentLost { segment: fields.first_segment }
        }
        Some(fields) => walk.verdict(&fields, live.unwrap_or(1)),
    };
    let terms = &walk.replay.index.terms;
    let (first_index, last_index) = (terms.first_index(), terms.last_index());
    let found = walk.replay.hard_state;
    let runs = terms.to_runs();
    let ends = runs.iter().skip(1).map(|run| run.0).chain([last_index + 1]);
    Ok(Inspection {
        copies: copies.iter().map(|copy| copy.as_ref().map(view_of_copy)).collect(),
        segments,
        records: seen,
        hard_state: newest.map_or(found, |fields| fields.settle(found, last_index)),
        first_index,
        last_index,
        base_term: terms.term(first_index - 1).unwrap_or(0),
        terms: runs.iter().zip(ends).map(|(run, end)| (run.1, run.0, end - run.0)).collect(),
        verdict,
    })
}

impl SegmentView {
    fn new(number: u64, file_bytes: u64) -> Self {
        Self {
            number,
            used_as: SegmentUse::Released,
            file_bytes,
            used_bytes: 0,
            records: 0,
            indexes: None,
            terms: None,
        }
    }

    fn count(&mut self, found: &Record<'_>) {
        let header = &found.header;
        self.records += 1;
        if header.kind == Kind::Entries {
            let last = header.index + u64::from(header.count.max(1)) - 1;
            self.indexes = Some(match self.indexes {
                Some((low, high)) => (low.min(header.index), high.max(last)),
                None => (header.index, last),
            });
            let highest = super::recover::highest_term(found);
            self.terms = Some(match self.terms {
                Some((low, high)) => (low.min(header.term), high.max(highest)),
                None => (header.term, highest),
            });
        }
    }
}

/// The log as far as it was followed.
struct Walk {
    replay: Replay,
    /// Segment and end of the last sound record; what is there instead of the next one.
    end: Option<(u64, u64, String)>,
    /// A record that is linked but contradicts the log.
    broken: bool,
    /// A record behind the end says that more was durable.
    proof: bool,
    torn: u64,
}

impl Walk {
    fn segment(
        &mut self,
        bytes: &[u8],
        number: u64,
        mut seen: Option<&mut Vec<RecordView>>,
    ) -> SegmentView {
        let mut view = SegmentView::new(number, bytes.len() as u64);
        let mut start = 0;
        if !self.broken && self.replay.begins(bytes, number) {
            view.used_as = SegmentUse::Live;
            let (offset, contradiction) = self.replay.segment(bytes, number, &mut |found, at| {
                view.count(found);
                if let Some(seen) = &mut seen {
                    seen.push(view_of_record(found, at));
                }
            });
            (view.used_bytes, start) = (offset as u64, offset);
            self.broken = contradiction.is_some();
            let what = match contradiction {
                Some(at) => format!("the record at {at} contradicts the log before it"),
                None => what_is_at(bytes, offset, number),
            };
            self.end = Some((number, offset as u64, what));
            (self.torn, self.proof) = (0, false);
        } else if self.end.is_none() {
            self.end = Some((number, 0, what_is_at(bytes, 0, number)));
            // No later segment can be linked to nothing.
            self.broken = true;
        }
        let missing = self.replay.sequence + 1;
        let mut cut_off = SegmentView::new(number, 0);
        let last = sound_records(bytes, number, start, |found| {
            self.proof |= found.header.durable >= missing;
            cut_off.count(found);
        });
        self.torn += (last - start) as u64;
        if view.used_as != SegmentUse::Live {
            let spare = cut_off.records == 0;
            let used_as = if spare { SegmentUse::Spare } else { SegmentUse::CutOff };
            let (file_bytes, used_bytes) = (view.file_bytes, last as u64);
            view = SegmentView { used_as, file_bytes, used_bytes, ..cut_off };
        }
        view
    }

    fn verdict(&self, fields: &meta::Fields, first: u64) -> Verdict {
        let found = self.replay.sequence;
        let (segment, offset, what) = self.end.clone().unwrap_or((first, 0, "no segment".into()));
        let shows = if self.end.as_ref().is_some_and(|_| self.broken && self.replay.begun) {
            "it is linked to the record before".to_owned()
        } else if fields.durable > found {
            let (durable, index) = (fields.durable, fields.durable_index);
            format!(
                "the superblock says that record {durable} (entry {index}) was durable, and the \
                 log ends with record {found}"
            )
        } else if self.proof {
            "a record behind it says that it was durable".to_owned()
        } else if self.torn > 0 {
            return Verdict::Torn { segment, offset, bytes: self.torn };
        } else {
            return Verdict::Sound;
        };
        let index = self.replay.index.terms.last_index() + 1;
        Verdict::Corrupt { segment, offset, index, reason: format!("{what}; {shows}") }
    }
}

/// What stands where the next record should be: at the end of the last one, or in the next unit.
fn what_is_at(bytes: &[u8], end: usize, number: u64) -> String {
    let behind = end.next_multiple_of(UNIT_BYTES);
    let written = |at: &usize| {
        bytes.get(*at..*at + HEADER_BYTES).is_some_and(|head| head.iter().any(|byte| *byte != 0))
    };
    let Some(at) = [end, behind].into_iter().find(written) else {
        return format!("no record at {end} or {behind}");
    };
    let of = record::read_u64(bytes, at + 8);
    if let Some(found) = record::decode(&bytes[at..], of) {
        let sequence = found.header.sequence;
        return match of == number {
            true => format!("record {sequence} at {at}, which is not the next one"),
            false => format!("record {sequence} of segment {of} at {at}"),
        };
    }
    format!("no sound record at {at}")
}

fn view_of_record(found: &Record<'_>, at: usize) -> RecordView {
    let header = &found.header;
    let state = || record::hard_state_of(found.payload).flatten();
    RecordView {
        segment: header.segment,
        offset: at as u64,
        bytes: found.disk_bytes() as u64,
        kind: match header.kind {
            Kind::SegmentStart => RecordKind::SegmentStart,
            Kind::Entries => RecordKind::Entries,
            Kind::HardState => RecordKind::HardState(state()),
            Kind::Reset => RecordKind::Reset,
        },
        sequence: header.sequence,
        durable: header.durable,
        index: header.index,
        term: header.term,
        count: header.count,
    }
}

fn view_of_copy(fields: &meta::Fields) -> CopyView {
    CopyView {
        node: fields.identity.node,
        network: fields.identity.network,
        generation: fields.generation,
        durable: fields.durable,
        durable_index: fields.durable_index,
        term: fields.term,
        vote: fields.vote,
        lost_term: fields.lost_term,
        first_segment: fields.first_segment,
    }
}
