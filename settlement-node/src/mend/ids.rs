//! Runs of old ids from a peer: each is put in place only if its content has the digest announced.

use std::path::PathBuf;

use wire::repair::{Got, RunRow, SnapshotInfo, Want};

use super::{MendError, Mender, Step, Target};
use crate::store::{
    runs::{RunError, RunInfo, RunRange, install_run},
    vfs::VfsFile,
};

/// A run being received.
pub(super) struct IncomingRun {
    row: RunRow,
    range: RunRange,
    path: PathBuf,
    file: Box<dyn VfsFile>,
    at: u64,
}

impl Mender {
    /// Goes on with the runs that the target stands on and this node lacks.
    pub(super) fn begin_ids(
        &mut self,
        info: SnapshotInfo,
        target: &Target,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let below = target.head.runs_below;
        let own = self.storage.runs.current();
        let covered = |generation: u64| {
            own.runs().iter().any(|run| {
                let range = run.info().range;
                (range.first()..range.end()).contains(&generation)
            })
        };
        let lacks = |row: &RunRow| {
            let end = row.first.saturating_add(row.generations).min(below);
            (row.first..end).any(|generation| !covered(generation))
        };
        let mut wanted: Vec<RunRow> = info.runs.into_iter().filter(lacks).collect();
        let given = |generation: u64| {
            wanted.iter().any(|row| {
                (row.first..row.first.saturating_add(row.generations)).contains(&generation)
            })
        };
        if (0..below).any(|generation| !covered(generation) && !given(generation)) {
            return Ok(Err("lacks ids that the state stands on".to_owned()));
        }
        wanted.reverse();
        self.next_run(wanted)
    }

    fn next_run(
        &mut self,
        mut wanted: Vec<RunRow>,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let Some(row) = wanted.pop() else {
            self.install()?;
            return Ok(Ok(None));
        };
        let Some(range) = RunRange::new(row.first, row.generations) else {
            return Ok(Err("has runs of generations that no run has".to_owned()));
        };
        let path = range.temporary_path(&self.storage.folders.runs, "mend");
        let file = self.storage.vfs.open(&path, true)?;
        file.set_len(0)?;
        let want = Want::Run { first: row.first, generations: row.generations, offset: 0 };
        self.step = Step::Ids { wanted, run: Some(IncomingRun { row, range, path, file, at: 0 }) };
        Ok(Ok(Some(want)))
    }

    /// Takes a piece of a run.
    pub(super) fn ids(
        &mut self,
        wanted: Vec<RunRow>,
        run: Option<IncomingRun>,
        got: Got,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let (Got::Piece { total, bytes }, Some(mut run)) = (got, run) else {
            return Ok(Err("no longer has a run of ids".to_owned()));
        };
        let end = run.at + bytes.len() as u64;
        if bytes.is_empty() || end > total {
            return Ok(Err("sent a piece that does not fit its run".to_owned()));
        }
        run.file.write_at(&bytes, run.at)?;
        run.at = end;
        if end < total {
            let RunRow { first, generations, .. } = run.row;
            self.step = Step::Ids { wanted, run: Some(run) };
            return Ok(Ok(Some(Want::Run { first, generations, offset: end })));
        }
        let RunRow { rows, digest, .. } = run.row;
        let expected = RunInfo { range: run.range, rows, digest };
        if expected.file_bytes() != Some(total) {
            return Ok(Err("has a run of another size than announced".to_owned()));
        }
        let storage = &self.storage;
        match install_run(&*storage.vfs, &storage.folders.runs, &run.path, &expected) {
            Ok(installed) => storage.runs.replace(installed),
            Err(RunError::Corrupt { .. } | RunError::Unexpected(_)) => {
                return Ok(Err("sent a run that is not the one announced".to_owned()));
            }
            Err(error @ RunError::UnknownFormat { .. }) => return Ok(Err(error.to_string())),
            Err(error) => return Err(error.into()),
        }
        self.next_run(wanted)
    }
}
