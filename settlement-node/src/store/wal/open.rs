//! Opens a log: what is sound is read, a torn tail is dropped, and what was read is made durable.
//!
//! Released segments are told from the log by the superblock, and wait for their next use. If the
//! hard state that counts is not the one in the records, a record is written that says so, before
//! anything else is.

use super::meta::{Identity, Meta};
use super::record::{self, Kind};
use super::recover::{Bound, Found, recover};
use super::segment::{Keeper, Segment, numbers};
use super::{
    Recovered, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, UNIT_BYTES, Wal, WalError, WalOptions,
};
use crate::store::vfs::Vfs;
use std::path::Path;
use std::sync::{Arc, RwLock};

impl Wal {
    /// Opens or creates the log in `dir`, drops a torn tail, and makes what was read durable.
    ///
    /// # Errors
    /// [`WalError::Corrupt`], [`WalError::SegmentLost`] or [`WalError::MetaLost`] if durable data is
    /// damaged (nothing is changed then; see [`Wal::salvage`]), [`WalError::WrongIdentity`] for the log of another node or network,
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
        let numbers = numbers(&*vfs, dir)?;
        let mut meta = Meta::open(&*vfs, dir, identity_of(&options), numbers.is_empty())?;
        let (released, found) = live(&numbers, &meta)?;
        let log = recover(&*vfs, dir, found, bound_of(&meta))?;
        // A killed process may have left names that are visible but not yet durable.
        vfs.sync_dir(dir).map_err(WalError::SyncFailed)?;
        let mut keeper = Keeper::new(
            vfs.clone(),
            dir.to_path_buf(),
            segment_bytes,
            options.released_max,
            options.background,
        )?;
        let log = match log {
            Some(log) => {
                released.iter().for_each(|&number| keeper.release(number));
                log
            }
            None => {
                keeper.remove_all(&numbers)?;
                Found::empty(keeper.take(1)?)
            }
        };
        // Those that were read are durable already, a new one is not.
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
        let terms = log.index.terms.clone();
        let state = meta.fields().settle(log.hard_state, terms.last_index());
        meta.mark(log.sequence, terms.last_index(), state)?;
        keeper.order(log.active.number + 1);
        let recovered = Recovered {
            hard_state: state,
            first_index: terms.first_index(),
            last_index: terms.last_index(),
            base_term: terms.term(terms.first_index() - 1).unwrap_or(0),
            terms: terms.to_runs(),
            torn_bytes: log.torn.bytes,
            lost_term: meta.fields().lost_term,
        };
        let torn = log.torn;
        let seal = torn.bytes > 0 || state != log.hard_state;
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
            hard_state: state,
            pending: None,
            poisoned: false,
            written: 0,
        };
        if seal {
            wal.seal(torn.end)?;
        }
        Ok((wal, recovered))
    }

    /// Clears the unfinished write up to `end` and puts a record in its place, so that the next
    /// start finds neither it nor a hard state other than the one that counts.
    fn seal(&mut self, end: u64) -> Result<(), WalError> {
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
}

/// Whose log the options name.
pub(super) fn identity_of(options: &WalOptions) -> Identity {
    Identity { node: options.node_id, network: options.network_id }
}

/// How far the superblock says that the log reaches.
pub(super) fn bound_of(meta: &Meta) -> Bound {
    Bound { sequence: meta.fields().durable, index: meta.fields().durable_index }
}

/// Divides the segments found into released ones and those of the log.
pub(super) fn live<'a>(
    numbers: &'a [u64],
    meta: &Meta,
) -> Result<(&'a [u64], &'a [u64]), WalError> {
    let fields = meta.fields();
    if fields.durable == 0 {
        return Ok((&[], numbers));
    }
    let segment = fields.first_segment;
    let (released, found) = numbers.split_at(numbers.partition_point(|number| *number < segment));
    match found.first() {
        Some(first) if *first == segment => Ok((released, found)),
        _ => Err(WalError::SegmentLost { segment }),
    }
}
