//! Ids that have left memory: generations of the ledger's table as sorted runs on disk.
//!
//! A generation holds exactly the ids of its number, so a run is the same on every node and in every
//! replay, and writing one that is there already changes nothing.

use std::{io, path::Path};

use ledger::{Generation, IdEntry, TransferId};

use crate::{
    prepare::OldIdSource,
    store::{
        runs::{ID_BYTES, Pace, ROW_BYTES, RunError, RunSets, write_run},
        vfs::Vfs,
    },
};

/// The runs on disk as the source of old ids.
#[derive(Clone)]
pub struct OldIdsOnDisk(pub RunSets);

impl OldIdSource for OldIdsOnDisk {
    fn version(&self) -> u64 {
        self.0.version()
    }

    fn find(
        &self,
        ids: &[TransferId],
        runs_below: u64,
    ) -> Result<Vec<(TransferId, IdEntry)>, io::Error> {
        let mut entries = Vec::new();
        // A merged run may hold later generations too: what is found of them is true, and who asks
        // below a number knows by the leaf whether it is to count.
        let found =
            self.0.current().lookup_below(runs_below, ids.iter().map(|id| &id.0), |id, value| {
                let mut row = [0; ROW_BYTES];
                row[..ID_BYTES].copy_from_slice(id);
                row[ID_BYTES..].copy_from_slice(&value);
                entries.push(IdEntry::from_row(&row));
            });
        found.map_err(io::Error::other)?;
        Ok(entries)
    }
}

/// Writes a generation of ids to disk and publishes it, unless a run that holds it is there.
///
/// # Errors
/// When the disk fails, or holds another run of that number.
pub fn write_generation(
    vfs: &dyn Vfs,
    dir: &Path,
    runs: &RunSets,
    number: u64,
    generation: &Generation,
    pace: Pace<'_>,
) -> Result<(), RunError> {
    if runs.current().contains(number) {
        return Ok(());
    }
    runs.publish(write_run(vfs, dir, number, generation.rows(), pace)?);
    Ok(())
}
