//! The one writer of the log.
//!
//! Order of records within one call: first the new term and vote (with the commit of before), then
//! the entries, last the new commit. So any prefix that a crash leaves is a state the node may have
//! been in: never entries of a term it has not entered, never a commit beyond the entries.

use super::index::{LogIndex, Place, WalReader, lock_read, lock_write};
use super::meta::{Identity, Meta};
use super::record::{self, Header, Kind};
use super::recover::{Bound, Found, recover};
use super::segment::{Keeper, Segment, numbers};
use super::terms::Terms;
use super::{
    Recovered, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, UNIT_BYTES, WalEntry, WalError, WalHardState,
    WalOp, WalOptions,
};
use crate::store::vfs::Vfs;
use std::path::Path;
use std::sync::{Arc, RwLock};

/// One write call is at most this large; a huge write would stall the disk for others.
const WRITE_BYTES_MAX: usize = 1 << 20;

/// The log, open for appending. See the module text for what it guarantees.
pub struct Wal {
    options: WalOptions,
    keeper: Keeper,
    meta: Meta,
    index: Arc<RwLock<LogIndex>>,
    /// Terms including entries that are in the buffer only.
    terms: Terms,
    active: Segment,
    active_bytes: u64,
    /// Where the buffer goes in the active segment.
    position: u64,
    buffer: Vec<u8>,
    /// Changes of the index that become visible once the buffer is written.
    staged: Vec<Staged>,
    sequence: u64,
    durable: u64,
    chain: u32,
    /// The hard state in the records so far.
    hard_state: Option<WalHardState>,
    /// A newer one that nobody waits for yet.
    pending: Option<WalHardState>,
    poisoned: bool,
    /// Bytes written since the log was opened.
    written: u64,
}

enum Staged {
    Entries(Place),
    Reset(u64, u64),
}

impl Wal {
    /// Opens or creates the log in `dir`, drops a torn tail, and makes what was read durable.
    ///
    /// # Errors
    /// [`WalError::Corrupt`] or [`WalError::MetaLost`] if durable data is damaged (nothing is
    /// changed then), [`WalError::WrongIdentity`] for the log of another node or network,
    /// [`WalError::SyncFailed`] and [`WalError::Io`] if the disk fails.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: WalOptions,
    ) -> Result<(Self, Recovered), WalError> {
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes) {
            return Err(WalError::SegmentSize(options.segment_bytes));
        }
        let segment_bytes = options.segment_bytes.next_multiple_of(UNIT_BYTES as u64);
        vfs.create_dir_all(dir)?;
        let found = numbers(&*vfs, dir)?;
        let identity = Identity { node: options.node_id, network: options.network_id };
        let mut meta = Meta::open(&*vfs, dir, identity, found.is_empty())?;
        let bound = Bound { sequence: meta.durable(), index: meta.durable_index() };
        let log = recover(&*vfs, dir, &found, bound)?;
        // A killed process may have left names and data that are visible but not yet durable.
        vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
        let mut keeper = Keeper::new(
            vfs.clone(),
            dir.to_path_buf(),
            segment_bytes,
            options.released_max,
            options.background,
        )?;
        let log = match log {
            Some(log) => log,
            None => {
                keeper.remove_all(&found)?;
                Found::empty(keeper.take(1)?)
            }
        };
        log.active.file.sync_data().map_err(WalError::SyncFailed)?;
        if log.torn.bytes > 0 {
            tracing::warn!(
                bytes = log.torn.bytes,
                segment = log.active.number,
                position = log.position,
                "dropped the unfinished write at the end of the log"
            );
        }
        for &number in &log.unused {
            let path = super::segment::path_of(dir, number);
            let file = vfs.open(&path, false)?;
            let clean = !log.torn.later && file.len()? == segment_bytes;
            if clean && number == log.active.number + 1 {
                keeper.adopt_spare(Segment { number, file: file.into() });
            } else {
                vfs.remove(&path)?;
                vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
            }
        }
        meta.raise(log.sequence, log.index.terms.last_index())?;
        keeper.order(log.active.number + 1);
        let terms = log.index.terms.clone();
        let recovered = Recovered {
            hard_state: log.hard_state,
            first_index: terms.first_index(),
            last_index: terms.last_index(),
            base_term: terms.term(terms.first_index() - 1).unwrap_or(0),
            terms: terms.to_runs(),
            torn_bytes: log.torn.bytes,
        };
        let torn = log.torn;
        let mut wal = Self {
            options,
            keeper,
            meta,
            index: Arc::new(RwLock::new(log.index)),
            terms,
            active_bytes: log.active.file.len()?,
            active: log.active,
            position: log.position,
            buffer: Vec::new(),
            staged: Vec::new(),
            sequence: log.sequence,
            durable: log.sequence,
            chain: log.chain,
            hard_state: log.hard_state,
            pending: None,
            poisoned: false,
            written: 0,
        };
        if torn.bytes > 0 {
            wal.seal_torn(torn.end)?;
        }
        Ok((wal, recovered))
    }

    /// Clears the unfinished write up to `end` and puts a record in its place, so that the next
    /// start does not find it again.
    fn seal_torn(&mut self, end: u64) -> Result<(), WalError> {
        let zeros = vec![0; UNIT_BYTES];
        for at in (self.position..end).step_by(UNIT_BYTES) {
            let part = zeros.len().min((self.active_bytes - at) as usize);
            self.active.file.write_at(&zeros[..part], at)?;
        }
        let state = self.hard_state;
        self.put(Kind::HardState, 0, 0, 0, 32, |out| record::put_hard_state(out, state.as_ref()))?;
        self.flush()?;
        self.sync()
    }

    /// A handle for reading beside the writer.
    #[must_use]
    pub fn reader(&self) -> WalReader {
        WalReader::new(self.index.clone())
    }

    /// Writes all steps, in order, and syncs once if one of them must be durable.
    ///
    /// # Errors
    /// [`WalError::Gap`] and [`WalError::TooLarge`] before anything is written. After any other
    /// error the log is poisoned: the process has to stop and recover from the disk.
    pub fn append(&mut self, ops: &[WalOp]) -> Result<(), WalError> {
        self.write(ops)?;
        self.sync_if(ops)
    }

    /// The first half of [`Wal::append`]: writes without a sync, returns the bytes written.
    ///
    /// # Errors
    /// As [`Wal::append`].
    pub fn write(&mut self, ops: &[WalOp]) -> Result<u64, WalError> {
        self.guard()?;
        self.check(ops)?;
        let written = self.write_checked(ops);
        self.poisoned |= written.is_err();
        written
    }

    /// The second half of [`Wal::append`]: syncs if one of the steps must be durable.
    ///
    /// # Errors
    /// [`WalError::SyncFailed`]: stop the process.
    pub fn sync_if(&mut self, ops: &[WalOp]) -> Result<(), WalError> {
        if ops.iter().any(|op| op.must_sync) { self.sync() } else { Ok(()) }
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// [`WalError::SyncFailed`]: stop the process.
    pub fn sync(&mut self) -> Result<(), WalError> {
        self.guard()?;
        if self.durable == self.sequence {
            return Ok(());
        }
        let synced = self.active.file.sync_data();
        self.poisoned |= synced.is_err();
        synced.map_err(WalError::SyncFailed)?;
        self.durable = self.sequence;
        Ok(())
    }

    /// Records in the superblock how far the log is durable. The next append says the same, so this
    /// is for quiet moments: it closes the window in which damage to the very last write could be
    /// taken for a torn one.
    ///
    /// # Errors
    /// [`WalError::Io`], [`WalError::SyncFailed`]: stop the process.
    pub fn mark_durable(&mut self) -> Result<(), WalError> {
        self.guard()?;
        let raised = self.meta.raise(self.durable, self.terms.last_index());
        self.poisoned |= raised.is_err();
        raised
    }

    /// Whether [`Wal::mark_durable`] has something to do.
    #[must_use]
    pub fn needs_mark(&self) -> bool {
        self.meta.durable() < self.durable
    }

    /// Writes what was put off, syncs, and closes the log.
    ///
    /// # Errors
    /// As [`Wal::append`].
    pub fn close(mut self) -> Result<(), WalError> {
        let last = WalOp { must_sync: true, ..WalOp::default() };
        self.append(&[last])?;
        self.mark_durable()
    }

    /// Empties the log durably: it continues after (index, term), whose state a snapshot holds.
    ///
    /// # Errors
    /// As [`Wal::append`].
    pub fn reset_to(&mut self, index: u64, term: u64) -> Result<(), WalError> {
        self.guard()?;
        let done = self.write_reset(index, term);
        self.poisoned |= done.is_err();
        done?;
        self.sync()?;
        self.release_below(index + 1);
        Ok(())
    }

    /// Forgets whole segments whose entries are all below `index`, for reuse. The term of
    /// `first_index - 1` stays known. What a crash leaves of them is read again at the next start.
    pub fn release_below(&mut self, index: u64) {
        let freed = lock_write(&self.index).release_below(index, self.active.number);
        self.terms.release_to(lock_read(&self.index).terms.first_index() - 1);
        for number in freed {
            self.keeper.release(number);
        }
    }

    /// Whether the next segment is ready. If it stays away the disk is probably full, and new work
    /// should be refused while the active segment still has room ([`Wal::room`]).
    pub fn has_spare(&mut self) -> bool {
        self.keeper.has_spare()
    }

    /// Bytes left in the active segment.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.active_bytes.saturating_sub(self.position)
    }

    fn guard(&self) -> Result<(), WalError> {
        if self.poisoned { Err(WalError::Poisoned) } else { Ok(()) }
    }

    /// Checks that the entries fit the log, before anything is written.
    fn check(&self, ops: &[WalOp]) -> Result<(), WalError> {
        let (first, mut last) = (self.terms.first_index(), self.terms.last_index());
        // The active segment may be of an older, smaller size, but then a new one follows.
        let room = self.options.segment_bytes as usize - 2 * UNIT_BYTES;
        for op in ops {
            for (at, entry) in op.entries.iter().enumerate() {
                let fits = if at == 0 { entry.index <= last + 1 } else { entry.index == last + 1 };
                if !fits || entry.index < first {
                    return Err(WalError::Gap { first, last, got: entry.index });
                }
                if record::disk_bytes(record::batch_bytes(&[entry])) > room {
                    let bytes = entry.data.len() as u64;
                    return Err(WalError::TooLarge { index: entry.index, bytes });
                }
                last = entry.index;
            }
        }
        Ok(())
    }

    fn write_checked(&mut self, ops: &[WalOp]) -> Result<u64, WalError> {
        let newest = ops.iter().rev().find_map(|op| op.hard_state).or(self.pending);
        let waits = ops.iter().any(|op| op.must_sync || !op.entries.is_empty());
        if !waits {
            self.pending = newest;
            return Ok(0);
        }
        self.pending = None;
        let before = self.written;
        let logged = self.hard_state.unwrap_or_default();
        if let Some(new) = newest
            && (new.term, new.vote) != (logged.term, logged.vote)
        {
            self.put_hard_state(WalHardState { commit: logged.commit, ..new })?;
        }
        self.put_entries(ops.iter().flat_map(|op| &op.entries))?;
        if let Some(new) = newest
            && self.hard_state != Some(new)
        {
            self.put_hard_state(new)?;
        }
        self.flush()?;
        self.publish();
        Ok(self.written - before)
    }

    fn write_reset(&mut self, index: u64, term: u64) -> Result<(), WalError> {
        self.put(Kind::Reset, index, term, 0, 0, |_| {})?;
        self.terms = Terms::after(index, term);
        self.staged.push(Staged::Reset(index, term));
        self.flush()?;
        self.publish();
        Ok(())
    }

    /// Gathers neighbouring entries into records.
    fn put_entries<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a WalEntry>,
    ) -> Result<(), WalError> {
        // Half of what is free in an empty segment, so that a gathered record always fits.
        let limit = self.options.record_bytes.min(self.options.segment_bytes as usize / 2);
        let mut batch: Vec<&WalEntry> = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            let size = record::ENTRY_PREFIX + entry.data.len();
            let follows = batch.last().is_none_or(|last| last.index + 1 == entry.index);
            if !batch.is_empty() && (!follows || bytes + size > limit) {
                self.put_batch(&batch)?;
                batch.clear();
                bytes = 0;
            }
            batch.push(entry);
            bytes += size;
        }
        if batch.is_empty() { Ok(()) } else { self.put_batch(&batch) }
    }

    fn put_batch(&mut self, batch: &[&WalEntry]) -> Result<(), WalError> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        let (first, last, first_term) = (first.index, last.index, first.term);
        let previous = self.terms.term(first - 1).unwrap_or(0);
        let payload = record::batch_bytes(batch);
        let count = batch.len() as u32;
        let offset = self.put(Kind::Entries, first, first_term, count, payload, |out| {
            record::put_batch(out, previous, batch);
        })?;
        self.terms.truncate_from(first);
        batch.iter().for_each(|entry| self.terms.push(entry.term));
        self.staged.push(Staged::Entries(Place {
            first,
            last,
            segment: self.active.number,
            offset: offset as u32,
            len: record::disk_bytes(payload) as u32,
        }));
        Ok(())
    }

    fn put_hard_state(&mut self, state: WalHardState) -> Result<(), WalError> {
        self.put(Kind::HardState, 0, state.term, 0, 32, |out| {
            record::put_hard_state(out, Some(&state));
        })?;
        self.hard_state = Some(state);
        Ok(())
    }

    /// Puts a record into the buffer, in the next segment if it does not fit into this one.
    /// Returns its offset in the segment.
    fn put(
        &mut self,
        kind: Kind,
        index: u64,
        term: u64,
        count: u32,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<u64, WalError> {
        if self.buffer.len() >= WRITE_BYTES_MAX {
            self.flush()?;
        }
        let begins = self.position == 0 && self.buffer.is_empty();
        let need = record::disk_bytes(payload) + if begins { UNIT_BYTES } else { 0 };
        if self.position + (self.buffer.len() + need) as u64 > self.active_bytes {
            self.roll()?;
        }
        if self.position == 0 && self.buffer.is_empty() {
            let (index, term) = (self.terms.last_index(), self.terms.last_term());
            let state = self.hard_state;
            self.encode(Kind::SegmentStart, index, term, 0, |out| {
                record::put_hard_state(out, state.as_ref());
            });
            self.pad();
        }
        let offset = self.position + self.buffer.len() as u64;
        self.encode(kind, index, term, count, write);
        Ok(offset)
    }

    fn encode(
        &mut self,
        kind: Kind,
        index: u64,
        term: u64,
        count: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.sequence += 1;
        let header = Header {
            segment: self.active.number,
            sequence: self.sequence,
            durable: self.durable,
            index,
            term,
            chain: self.chain,
            count,
            kind,
        };
        self.chain = record::encode(&mut self.buffer, &header, write);
    }

    fn pad(&mut self) {
        let whole = self.buffer.len().next_multiple_of(UNIT_BYTES);
        self.buffer.resize(whole, 0);
    }

    /// Writes the buffer as whole units; a later write never touches their sectors.
    fn flush(&mut self) -> Result<(), WalError> {
        self.pad();
        for part in self.buffer.chunks(WRITE_BYTES_MAX) {
            self.active.file.write_at(part, self.position)?;
            self.position += part.len() as u64;
            self.written += part.len() as u64;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Goes on in the next segment. The old one is made durable first, so unsynced data is only
    /// ever in one segment.
    fn roll(&mut self) -> Result<(), WalError> {
        self.flush()?;
        self.publish();
        self.sync()?;
        self.meta.raise(self.durable, self.terms.last_index())?;
        self.active = self.keeper.take(self.active.number + 1)?;
        self.active_bytes = self.active.file.len()?;
        self.position = 0;
        lock_write(&self.index).segments.insert(self.active.number, self.active.clone());
        self.keeper.order(self.active.number + 1);
        Ok(())
    }

    /// Shows what was written to the readers.
    fn publish(&mut self) {
        let mut index = lock_write(&self.index);
        for change in self.staged.drain(..) {
            match change {
                Staged::Entries(place) => index.add(place),
                Staged::Reset(at, term) => index.reset(at, term),
            }
        }
        index.terms.clone_from(&self.terms);
    }
}
