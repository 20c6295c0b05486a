//! Where each entry of the log is, shared between the writer and the readers.
//!
//! The index has one 32-byte row per record, not per entry, so millions of small entries stay
//! cheap. Readers copy the rows they need under the lock and read the disk outside of it, many
//! records at a time; every record is checked at every read.

use super::record::{self, HEADER_BYTES, Kind};
use super::segment::Segment;
use super::terms::Terms;
use super::{ReadError, WalEntry};
use crate::store::vfs::{VfsFile, read_exact_at};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How much one read of the disk fetches at most, unless a single record is larger.
const CHUNK_BYTES: u64 = 1 << 20;

/// Place of one entry batch; `first..=last` are the entries of it that are not replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) segment: u64,
    pub(crate) offset: u32,
    /// Bytes on disk.
    pub(crate) len: u32,
}

/// The live log in memory.
pub(crate) struct LogIndex {
    pub(crate) terms: Terms,
    /// Ascending in index and in position.
    pub(crate) places: VecDeque<Place>,
    pub(crate) segments: BTreeMap<u64, Segment>,
}

impl LogIndex {
    /// An empty log after (index, term).
    pub(crate) fn after(index: u64, term: u64) -> Self {
        Self {
            terms: Terms::after(index, term),
            places: VecDeque::new(),
            segments: BTreeMap::new(),
        }
    }

    /// Adds the place of a batch whose entries replace all from `place.first` on.
    pub(crate) fn add(&mut self, place: Place) {
        while let Some(back) = self.places.back_mut() {
            if back.first >= place.first {
                self.places.pop_back();
            } else {
                back.last = back.last.min(place.first - 1);
                break;
            }
        }
        self.places.push_back(place);
    }

    /// Empties the log; it continues after (index, term).
    pub(crate) fn reset(&mut self, index: u64, term: u64) {
        self.terms = Terms::after(index, term);
        self.places.clear();
    }

    /// Forgets whole segments older than `active` whose entries are all below `index`; returns
    /// their numbers, oldest first.
    pub(crate) fn release_below(&mut self, index: u64, active: u64) -> Vec<u64> {
        let mut freed = Vec::new();
        while let Some((&number, _)) = self.segments.first_key_value() {
            let last = self.places.iter().take_while(|place| place.segment <= number).last();
            if number >= active || last.is_some_and(|place| place.last >= index) {
                break;
            }
            while let Some(front) = self.places.front()
                && front.segment <= number
            {
                self.terms.release_to(front.last);
                self.places.pop_front();
            }
            self.segments.remove(&number);
            freed.push(number);
        }
        freed
    }
}

/// Reads the log beside the writer. Cheap to clone.
#[derive(Clone)]
pub struct WalReader {
    index: Arc<RwLock<LogIndex>>,
}

impl WalReader {
    pub(crate) fn new(index: Arc<RwLock<LogIndex>>) -> Self {
        Self { index }
    }

    /// Index of the first entry that can be read (`last_index + 1` if the log is empty).
    #[must_use]
    pub fn first_index(&self) -> u64 {
        lock_read(&self.index).terms.first_index()
    }

    /// Index of the last entry written, durable or not; 0 for a new log.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        lock_read(&self.index).terms.last_index()
    }

    /// Term of an entry in `first_index - 1 ..= last_index`, `None` outside.
    #[must_use]
    pub fn term(&self, index: u64) -> Option<u64> {
        lock_read(&self.index).terms.term(index)
    }

    /// The entries `low..high`, cut after about `bytes_max` bytes of data; at least one entry if
    /// the range is not empty.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] below the first index, [`ReadError::Unavailable`] beyond the last,
    /// [`ReadError::Corrupt`] if a checksum is wrong, [`ReadError::Io`] if the disk fails.
    pub fn read(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<WalEntry>, ReadError> {
        let mut entries = Vec::new();
        let (mut next, mut bytes) = (low, 0);
        while next < high {
            let Some(chunk) = self.chunk(next, high, bytes_max - bytes)? else { break };
            match read_chunk(&chunk) {
                Ok(batch) => {
                    for entry in batch {
                        if entry.index < next || entry.index >= high {
                            continue;
                        }
                        let size = entry.data.len() as u64;
                        if !entries.is_empty() && bytes + size > bytes_max {
                            return Ok(entries);
                        }
                        bytes = (bytes + size).min(bytes_max);
                        next = entry.index + 1;
                        entries.push(entry);
                    }
                    if bytes >= bytes_max {
                        break;
                    }
                }
                // A segment released since may be in use under another number already.
                Err(error) => {
                    return Err(match self.first_index() {
                        first if next < first => ReadError::Compacted { first_index: first },
                        _ => error,
                    });
                }
            }
        }
        Ok(entries)
    }

    /// The first index behind the record that holds `index`; `index + 1` if none does.
    #[must_use]
    pub fn behind_record(&self, index: u64) -> u64 {
        let log = lock_read(&self.index);
        let at = log.places.partition_point(|place| place.last < index);
        log.places.get(at).map_or(index, |place| place.last.max(index)) + 1
    }

    /// Neighbouring records from the one that holds `next` on, worth one read of the disk.
    fn chunk(&self, next: u64, high: u64, bytes_max: u64) -> Result<Option<Chunk>, ReadError> {
        let index = lock_read(&self.index);
        let (first_index, last_index) = (index.terms.first_index(), index.terms.last_index());
        if next < first_index {
            return Err(ReadError::Compacted { first_index });
        }
        if high > last_index + 1 {
            return Err(ReadError::Unavailable { last_index });
        }
        let at = index.places.partition_point(|place| place.last < next);
        let Some(&head) = index.places.get(at) else { return Ok(None) };
        let Some(segment) = index.segments.get(&head.segment) else { return Ok(None) };
        let span_max = CHUNK_BYTES.min(bytes_max.saturating_add(u64::from(head.len)));
        let places = index.places.iter().skip(at).take_while(|place| {
            let span = u64::from(place.offset) + u64::from(place.len)
                - u64::from(head.offset.min(place.offset));
            place.segment == head.segment
                && place.first < high
                && (span <= span_max || place.first == head.first)
        });
        Ok(Some(Chunk { file: segment.file.clone(), places: places.copied().collect() }))
    }
}

/// Neighbouring records of one segment.
struct Chunk {
    file: Arc<dyn VfsFile>,
    places: Vec<Place>,
}

/// Reads neighbouring records with one read of the disk.
fn read_chunk(chunk: &Chunk) -> Result<Vec<WalEntry>, ReadError> {
    let Chunk { file, places } = chunk;
    let (Some(head), Some(tail)) = (places.first(), places.last()) else { return Ok(Vec::new()) };
    let start = head.offset;
    let mut bytes = vec![0; (tail.offset - start + tail.len) as usize];
    read_exact_at(&**file, &mut bytes, u64::from(start))?;
    let bytes = Bytes::from(bytes);
    let mut entries = Vec::new();
    for place in places {
        let from = (place.offset - start) as usize;
        let corrupt = || ReadError::Corrupt {
            segment: place.segment,
            offset: u64::from(place.offset),
            index: place.first,
        };
        let found = record::decode(&bytes[from..from + place.len as usize], place.segment);
        let found = found.filter(|found| {
            found.header.kind == Kind::Entries && found.header.index == place.first
        });
        let found = found.ok_or_else(corrupt)?;
        let payload = from + HEADER_BYTES..from + HEADER_BYTES + found.payload.len();
        let batch = record::entries_of(&bytes, payload, &found.header).ok_or_else(corrupt)?;
        entries.extend(batch.into_iter().take_while(|entry| entry.index <= place.last));
    }
    Ok(entries)
}

/// A panic while the lock was held cannot leave the index half changed in a way that readers could
/// mistake for data (each record is checked), so poisoning is ignored.
pub(crate) fn lock_read(index: &RwLock<LogIndex>) -> RwLockReadGuard<'_, LogIndex> {
    index.read().unwrap_or_else(PoisonError::into_inner)
}

/// See [`lock_read`].
pub(crate) fn lock_write(index: &RwLock<LogIndex>) -> RwLockWriteGuard<'_, LogIndex> {
    index.write().unwrap_or_else(PoisonError::into_inner)
}
