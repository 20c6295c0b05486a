//! Runs of old ids from a peer. Nothing that this node has of its own proves them, so their digests must be
//! confirmed by others; then each is put in place only if its content has the digest.

use std::path::PathBuf;

use ledger::limits::GENERATION_IDS;
use wire::repair::{Got, RUNS_MAX, RunRow, SnapshotInfo, Want};

use super::{MendError, Mender, Next, PIECE_BYTES_MIN, Step, Taken, Target};
use crate::store::{
    runs::{RunError, RunInfo, RunRange, install_run},
    vfs::VfsFile,
};

/// Generations of ids of more than a century.
const GENERATIONS_MAX: u64 = RUNS_MAX as u64 * 1_024;

/// A run being received.
pub(super) struct IncomingRun {
    info: RunInfo,
    total: u64,
    path: PathBuf,
    file: Box<dyn VfsFile>,
    at: u64,
}

impl Mender {
    /// Goes on with the runs that the target stands on and this node lacks.
    pub(super) fn begin_ids(&mut self, info: SnapshotInfo, target: &Target) -> Taken {
        let below = target.head.runs_below;
        if below > GENERATIONS_MAX {
            return Ok(Err("has a state with more ids than there can be".to_owned()));
        }
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
        if !wanted.iter().all(|row| info_of(row).is_some()) {
            return Ok(Err("has runs of ids that no run has".to_owned()));
        }
        if wanted.is_empty() {
            return self.fetch_runs(wanted);
        }
        wanted.reverse();
        self.ask_about_runs(wanted)
    }

    /// Fetches runs whose digests are known to be right, the last one first.
    pub(super) fn fetch_runs(&mut self, mut wanted: Vec<RunRow>) -> Taken {
        let Some(row) = wanted.pop() else {
            self.install()?;
            return Ok(Ok(Next::Nothing));
        };
        let Some((info, total)) = info_of(&row) else {
            return Ok(Err("has runs of generations that no run has".to_owned()));
        };
        let path = info.range.temporary_path(&self.storage.folders.runs, "mend");
        let file = self.storage.vfs.open(&path, true)?;
        file.set_len(0)?;
        let want = Want::Run { first: row.first, generations: row.generations, offset: 0 };
        let run = IncomingRun { info, total, path, file, at: 0 };
        self.step = Step::Ids { wanted, run: Some(run) };
        Ok(Ok(Next::Ask(want)))
    }

    /// Takes a piece of a run.
    pub(super) fn ids(&mut self, wanted: Vec<RunRow>, run: Option<IncomingRun>, got: Got) -> Taken {
        let (Got::Piece { total, bytes }, Some(mut run)) = (got, run) else {
            return Ok(Err("no longer has a run of ids".to_owned()));
        };
        let end = run.at + bytes.len() as u64;
        let is_short = bytes.len() < PIECE_BYTES_MIN && end < total;
        if total != run.total || end > total || is_short {
            return Ok(Err("sent a piece that does not fit its run".to_owned()));
        }
        run.file.write_at(&bytes, run.at)?;
        run.at = end;
        if end < total {
            let range = run.info.range;
            let (first, generations) = (range.first(), range.generations());
            self.step = Step::Ids { wanted, run: Some(run) };
            return Ok(Ok(Next::Ask(Want::Run { first, generations, offset: end })));
        }
        let storage = &self.storage;
        match install_run(&*storage.vfs, &storage.folders.runs, &run.path, &run.info) {
            Ok(installed) => storage.runs.replace(installed),
            Err(RunError::Corrupt { .. } | RunError::Unexpected(_)) => {
                return Ok(Err("sent a run that is not the one announced".to_owned()));
            }
            Err(error @ RunError::UnknownFormat { .. }) => return Ok(Err(error.to_string())),
            Err(error) => return Err(MendError::Runs(error)),
        }
        self.fetch_runs(wanted)
    }
}

/// What a run is that a peer names, and the size of its file; nothing when there is no such run.
fn info_of(row: &RunRow) -> Option<(RunInfo, u64)> {
    let range = RunRange::new(row.first, row.generations)?;
    if row.rows > row.generations * GENERATION_IDS as u64 {
        return None;
    }
    let info = RunInfo { range, rows: row.rows, digest: row.digest };
    info.file_bytes().map(|bytes| (info, bytes))
}
