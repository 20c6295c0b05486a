//! Ids that have left memory: generations of the ledger's table as sorted runs on disk.
//!
//! A generation holds exactly the ids of its number, so a run is the same on every node and in every
//! replay, and writing one that is there already changes nothing.

use std::{io, path::Path};

use ledger::{Answer, Generation, IdEntry, TransferId};

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
        let runs = self.0.current();
        // A merged run may hold later generations too: what is found of them is true, and who asks
        // below a number knows by the leaf whether it is to count.
        let found = runs.lookup_below(runs_below, ids.iter().map(|id| &id.0), |id, value| {
            let mut row = [0; ROW_BYTES];
            row[..ID_BYTES].copy_from_slice(id);
            row[ID_BYTES..].copy_from_slice(&value);
            entries.push(IdEntry::from_row(&row));
        });
        found.map_err(io::Error::other)?;
        // The file is what it was when it was written, but no ledger wrote this row.
        let wrong = entries.iter().find(|(_, entry)| Answer::from_code(entry.code).is_none());
        if let Some((id, _)) = wrong {
            return Err(io::Error::other(runs.with_bad_value(&id.0)));
        }
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
    let run = write_run(vfs, dir, number, generation.rows(), pace)?;
    runs.publish_with(run, generation.ids());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use ledger::ContentDigest;

    use super::*;
    use crate::{
        storage::Damage,
        store::{runs::RunSet, vfs::MemVfs},
    };

    #[test]
    fn a_row_that_no_ledger_wrote_is_damage_and_no_answer() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let dir = Path::new("/runs");
        let runs = RunSets::new(RunSet::default());
        let entry = |code| IdEntry { leaf: 7, code, content: ContentDigest([1; 8]) };
        let rows = [(1, 1), (2, 0xffff)].map(|(id, code)| {
            let id = TransferId([id; 16]);
            entry(code).to_row(&id)
        });
        let run = write_run(&*vfs, dir, 0, rows.into_iter(), Pace::without_rest()).unwrap();
        let range = run.range();
        runs.publish(run);
        let old_ids = OldIdsOnDisk(runs);
        let good = TransferId([1; 16]);
        assert_eq!(old_ids.find(&[good], 1).unwrap(), [(good, entry(1))]);
        let error = old_ids.find(&[good, TransferId([2; 16])], 1).unwrap_err();
        assert_eq!(Damage::of_run(&error), Some(Damage::Run { range }));
    }
}
