//! The disk of a gateway's machine: one file in memory that forgets what was not synced.
//!
//! When the power fails, each 4 KiB sector that was written since the last sync is, independently,
//! the old one, the new one or a mix of both; when only the process is killed, all that was written
//! stays. The process dies at a step that is chosen before: the write with this number, of which a
//! part is done, or the sync. From then on its handle fails, and that of the next life works.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gateway_adapter::store::StorageBackend;

use super::super::rng::Rng;

const SECTOR: usize = 4096;

/// How a process ends at its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the machine: what was not synced may be lost.
    Power,
    /// Alone.
    Kill,
    /// The disk refuses the next sync; the process lives on and has to notice.
    SyncError,
}

#[derive(Debug)]
struct State {
    life: u64,
    dead: bool,
    written: Vec<u8>,
    synced: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Steps until the end, and which it is.
    end: Option<(u64, Ending)>,
    /// How the process of this life ended, or what it was told.
    ended: Option<Ending>,
    rng: Rng,
    steps: u64,
}

/// The disk, whatever process uses it.
#[derive(Debug)]
pub(super) struct Disk(Arc<Mutex<State>>);

/// One process's handle.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    state: Arc<Mutex<State>>,
    life: u64,
}

impl Disk {
    pub(super) fn new(rng: Rng) -> Self {
        Self(Arc::new(Mutex::new(State {
            life: 0,
            dead: true,
            written: Vec::new(),
            synced: Vec::new(),
            dirty: BTreeSet::new(),
            end: None,
            ended: None,
            rng,
            steps: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a life that ends after so many steps, if it does not end otherwise.
    pub(super) fn begin(&self, end: Option<(u64, Ending)>) -> Handle {
        let mut state = self.lock();
        state.life += 1;
        (state.dead, state.end, state.ended) = (false, end, None);
        Handle { state: Arc::clone(&self.0), life: state.life }
    }

    /// Ends the life of the process, by the way that was planned or by this one.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.dead = true;
        if state.ended.unwrap_or(ending) == Ending::Power {
            state.lose_power();
        }
    }

    /// How the process was ended, if it was.
    pub(super) fn ended(&self) -> Option<Ending> {
        self.lock().ended
    }

    pub(super) fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// No end is planned any more.
    pub(super) fn heal(&self) {
        self.lock().end = None;
    }

    /// Writes and syncs so far.
    pub(super) fn steps(&self) -> u64 {
        self.lock().steps
    }
}

impl Handle {
    pub(super) fn is_dead(&self) -> bool {
        self.live().is_err()
    }

    fn live(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.dead || state.life != self.life {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(state)
    }
}

impl State {
    /// Counts a step. True when it is the last one.
    fn is_last(&mut self, sync: bool) -> bool {
        self.steps += 1;
        let Some((left, ending)) = &mut self.end else { return false };
        *left = left.saturating_sub(1);
        if *left > 0 || (*ending == Ending::SyncError && !sync) {
            return false;
        }
        let ending = *ending;
        self.dead = ending != Ending::SyncError;
        (self.ended, self.end) = (Some(ending), None);
        true
    }

    fn lose_power(&mut self) {
        let (old, new) = (self.synced.len(), self.written.len());
        let size = if self.rng.percent(50) { new } else { old };
        let mut image = std::mem::take(&mut self.synced);
        image.resize(size, 0);
        for sector in std::mem::take(&mut self.dirty) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(size).min(new);
            if from >= to {
                continue;
            }
            let cut = from + self.rng.index(to - from);
            let kept = match self.rng.index(4) {
                0 => continue,
                1 => from..to,
                2 => from..cut,
                _ => cut..to,
            };
            image[kept.clone()].copy_from_slice(&self.written[kept]);
        }
        self.written.clone_from(&image);
        self.synced = image;
    }

    fn touch(&mut self, from: usize, to: usize) {
        if to > from {
            self.dirty.extend(from / SECTOR..=(to - 1) / SECTOR);
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the process has ended")
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.live()?.written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.live()?;
        let range = offset as usize..offset as usize + out.len();
        out.copy_from_slice(state.written.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.live()?;
        if state.is_last(false) {
            return Err(power_is_off());
        }
        let (old, new) = (state.written.len(), len as usize);
        state.written.resize(new, 0);
        state.touch(old.min(new), old.max(new));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.live()?;
        if state.is_last(true) {
            return Err(io::Error::other("the disk refuses to sync"));
        }
        let State { written, synced, dirty, .. } = &mut *state;
        synced.resize(written.len(), 0);
        for sector in std::mem::take(dirty) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(written.len());
            if from < to {
                synced[from..to].copy_from_slice(&written[from..to]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.live()?;
        let last = state.is_last(false);
        let done = if last { state.rng.index(data.len() + 1) } else { data.len() };
        let (from, to) = (offset as usize, offset as usize + done);
        state
            .written
            .get_mut(from..to)
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(&data[..done]);
        state.touch(from, to);
        if last { Err(power_is_off()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled() -> (Disk, Handle) {
        let disk = Disk::new(Rng::new(1));
        let handle = disk.begin(None);
        handle.set_len(4 * SECTOR as u64).unwrap();
        handle.write(0, &[1; 4 * SECTOR]).unwrap();
        handle.sync_data().unwrap();
        handle.write(0, &[2; 4 * SECTOR]).unwrap();
        (disk, handle)
    }

    fn content(disk: &Disk) -> Vec<u8> {
        let mut bytes = vec![0; 4 * SECTOR];
        disk.begin(None).read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_kill_keeps_what_was_written_and_a_power_loss_mixes_old_and_new() {
        let (disk, handle) = filled();
        disk.end(Ending::Kill);
        assert!(handle.is_dead() && handle.write(0, &[3]).is_err());
        assert_eq!(content(&disk), [2; 4 * SECTOR]);
        // The second life has synced nothing.
        disk.end(Ending::Power);
        let left = content(&disk);
        assert!(left.contains(&1) && left.contains(&2), "some of each with this seed");
        assert!(left.iter().all(|byte| [1, 2].contains(byte)));
    }

    #[test]
    fn the_process_ends_at_the_planned_step() {
        let (disk, _) = filled();
        disk.end(Ending::Kill);
        let handle = disk.begin(Some((2, Ending::Power)));
        handle.write(0, &[3]).unwrap();
        assert!(handle.sync_data().is_err() && handle.is_dead());
        assert_eq!(disk.ended(), Some(Ending::Power));
        disk.end(Ending::Kill);
        let handle = disk.begin(Some((1, Ending::SyncError)));
        handle.write(0, &[3]).unwrap();
        assert!(handle.sync_data().is_err() && !handle.is_dead());
    }
}
