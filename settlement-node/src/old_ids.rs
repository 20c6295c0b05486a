//! Ids that have left memory: generations of the ledger's table as sorted runs on disk.
//!
//! A generation holds exactly the ids of its number, so a run is the same on every node and in every
//! replay, and writing one that is there already changes nothing.

use std::{io, path::Path, sync::Arc};

use ledger::{Generation, IdEntry, TransferId};

use crate::{
    prepare::OldIdSource,
    store::{
        runs::{RunError, RunSets, write_run},
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

    fn find(&self, id: &TransferId, runs_below: u64) -> Result<Option<IdEntry>, io::Error> {
        // A merged run may hold later generations too: what is found of them is true, and who asks
        // below a number knows by the leaf whether it is to count.
        let found = self.0.lookup_below(runs_below, &id.0);
        let found = found.map_err(io::Error::other)?;
        Ok(found.map(|value| {
            let mut row = [0; 32];
            row[..16].copy_from_slice(&id.0);
            row[16..].copy_from_slice(&value);
            IdEntry::from_row(&row).1
        }))
    }
}

/// Writes a generation of ids to disk and publishes it, unless a run that holds it is there.
///
/// # Errors
/// When the disk fails, or holds another run of that number.
pub fn write_generation(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    runs: &RunSets,
    number: u64,
    generation: &Generation,
) -> Result<(), RunError> {
    if runs.current().contains(number) {
        return Ok(());
    }
    let rows = generation.rows().collect();
    let run = write_run(Arc::clone(vfs), dir, number, rows)?;
    runs.publish(run);
    Ok(())
}
