//! The one writer of the log.
//!
//! Order of records within one call: first the new term and vote (with the commit of before), then
//! the entries, last the new commit. So any prefix that a crash leaves is a state the node may have
//! been in: never entries of a term it has not entered, never a commit beyond the entries.

use super::index::{LogIndex, Place, WalReader, lock_read, lock_write};
use super::meta::Meta;
use super::record::{self, Header, Kind};
use super::segment::{Keeper, Segment};
use super::terms::Terms;
use super::{UNIT_BYTES, WalEntry, WalError, WalHardState, WalOp, WalOptions};
use std::sync::{Arc, RwLock};

/// One write call is at most this large; a huge write would stall the disk for others.
pub(super) const WRITE_BYTES_MAX: usize = 1 << 20;

/// The log, open for appending. See the module text for what it guarantees.
pub struct Wal {
    pub(super) options: WalOptions,
    pub(super) keeper: Keeper,
    pub(super) meta: Meta,
    pub(super) index: Arc<RwLock<LogIndex>>,
    /// Terms including entries that are in the buffer only.
    pub(super) terms: Terms,
    pub(super) active: Segment,
    pub(super) active_bytes: u64,
    /// Where the buffer goes in the active segment.
    pub(super) position: u64,
    pub(super) buffer: Vec<u8>,
    /// Changes of the index that become visible once the buffer is written.
    pub(super) staged: Vec<Staged>,
    pub(super) sequence: u64,
    pub(super) durable: u64,
    pub(super) chain: u32,
    /// The hard state in the records so far.
    pub(super) hard_state: Option<WalHardState>,
    /// A newer one that nobody waits for yet.
    pub(super) pending: Option<WalHardState>,
    pub(super) poisoned: bool,
    /// Bytes written since the log was opened.
    pub(super) written: u64,
}

pub(super) enum Staged {
    Entries(Place),
    Reset(u64, u64),
}

impl Wal {
    /// A handle for reading beside the writer.
    #[must_use]
    pub fn reader(&self) -> WalReader {
        WalReader::new(self.index.clone())
    }

    /// Writes all steps, in order, and syncs once if one of them must be durable.
    ///
    /// # Errors
    /// [`WalError::Gap`], [`WalError::TooLarge`] and [`WalError::Full`] before anything is written;
    /// after the last the same steps may be tried again. After any other error the log is poisoned:
    /// the process has to stop and recover from the disk.
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
        self.tend();
        self.make_room(ops)?;
        let written = self.write_checked(ops);
        self.poisoned |= written.is_err();
        written
    }

    /// The second half of [`Wal::append`]: syncs if one of the steps must be durable.
    ///
    /// # Errors
    /// [`WalError::SyncFailed`]: stop the process.
    pub fn sync_if(&mut self, ops: &[WalOp]) -> Result<(), WalError> {
        #[cfg(feature = "planted")]
        if crate::planted::is(crate::planted::Bug::AckBeforeFsync) {
            return Ok(());
        }
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
        if self.meta.knows(self.hard_state) {
            return Ok(());
        }
        // Before anything that rests on the new term or vote leaves this node.
        self.mark_durable()
    }

    /// Records in the superblock how far the log is durable. The next append says the same, so this
    /// is for quiet moments: it closes the window in which damage to the very last write could be
    /// taken for a torn one.
    ///
    /// # Errors
    /// [`WalError::Io`], [`WalError::SyncFailed`]: stop the process.
    pub fn mark_durable(&mut self) -> Result<(), WalError> {
        self.guard()?;
        let state = self.hard_state.filter(|_| self.durable == self.sequence);
        let marked = self.meta.mark(self.durable, self.terms.last_index(), state);
        self.poisoned |= marked.is_err();
        marked
    }

    /// Whether [`Wal::mark_durable`] has something to do.
    #[must_use]
    pub fn needs_mark(&self) -> bool {
        self.meta.fields().durable < self.durable
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
        self.make_room(&[])?;
        let done = self.write_reset(index, term);
        self.poisoned |= done.is_err();
        done?;
        self.sync()?;
        self.release_below(index + 1);
        Ok(())
    }

    /// Forgets whole segments whose entries are all below `index`, for reuse. The term of
    /// `first_index - 1` stays known. If the disk fails the log is poisoned, and the next call says
    /// so.
    pub fn release_below(&mut self, index: u64) {
        if self.poisoned {
            return;
        }
        let freed = lock_write(&self.index).release_below(index, self.active.number);
        self.terms.release_to(lock_read(&self.index).terms.first_index() - 1);
        let Some(last) = freed.last() else { return };
        // The first segment that stays must hold its first record before the others go.
        let ready = if last + 1 == self.active.number { self.sync() } else { Ok(()) };
        if let Err(error) = ready.and_then(|()| self.meta.begin_at(last + 1)) {
            self.poisoned = true;
            tracing::error!(%error, "release segments of the log");
            return;
        }
        for number in freed {
            self.keeper.release(number);
        }
    }

    /// Marks durably that acknowledged data may be gone from this log, and returns the highest term that
    /// it was of ([`super::Recovered::lost_term`]).
    ///
    /// # Errors
    /// [`WalError::Io`], [`WalError::SyncFailed`]: stop the process.
    pub fn lose(&mut self) -> Result<u64, WalError> {
        self.guard()?;
        let state = self.hard_state.map_or(0, |state| state.term);
        let known = state.max(self.meta.fields().term).max(self.terms.last_term());
        let lost = self.meta.lose(known);
        self.poisoned |= lost.is_err();
        lost?;
        Ok(self.meta.fields().lost_term.unwrap_or(known))
    }

    /// Clears the mark that durable data was lost ([`super::Recovered::lost_term`]): the log is whole.
    ///
    /// # Errors
    /// [`WalError::Io`], [`WalError::SyncFailed`]: stop the process.
    pub fn forget_loss(&mut self) -> Result<(), WalError> {
        self.guard()?;
        let forgotten = self.meta.forget_loss();
        self.poisoned |= forgotten.is_err();
        forgotten
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

    pub(super) fn put_hard_state(&mut self, state: WalHardState) -> Result<(), WalError> {
        self.put(Kind::HardState, 0, state.term, 0, 32, |out| {
            record::put_hard_state(out, Some(&state));
        })?;
        self.hard_state = Some(state);
        Ok(())
    }

    /// Puts a record into the buffer, in the next segment if it does not fit into this one.
    /// Returns its offset in the segment.
    pub(super) fn put(
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
    pub(super) fn flush(&mut self) -> Result<(), WalError> {
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
        self.mark_durable()?;
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
