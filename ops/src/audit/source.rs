//! The log of a node as C2SP tlog-tiles: the newest checkpoint, and the records up to it, bundle by bundle.
//!
//! With a policy a checkpoint counts only when a quorum has cosigned it. A record is believed only after the root over
//! all of them was the checkpoint's; that is for the caller to compare.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proof::{
    checkpoint::Checkpoint,
    note::Note,
    policy::Policy,
    tile::{TILE_WIDTH, TileKind, TileName, entries},
};

use crate::http::HttpClient;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// A node whose log is read.
pub(super) struct Source {
    client: HttpClient,
    policy: Option<Policy>,
}

impl Source {
    /// The node at a base address such as `http://127.0.0.1:7201`.
    pub(super) fn new(base: &str, policy: Option<Policy>) -> Result<Self> {
        Ok(Self { client: HttpClient::new(base)?.with_timeout(ANSWER_TIME_MAX), policy })
    }

    /// The newest checkpoint; nothing before the first.
    pub(super) async fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        let answer = self.client.get("/checkpoint").await?;
        if answer.status == 503 {
            return Ok(None);
        }
        ensure!(answer.is_success(), "/checkpoint answers {}: {}", answer.status, answer.text());
        let note = Note::parse(&answer.body)?;
        Ok(Some(match &self.policy {
            Some(policy) => policy.judge(&note)?.checkpoint,
            None => Checkpoint::parse(note.text())?,
        }))
    }

    /// Calls `each` with the records from leaf `from` to the end of its bundle, in a log of `size` leaves.
    pub(super) async fn bundle(
        &mut self,
        from: u64,
        size: u64,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let number = from / u64::from(TILE_WIDTH);
        let name = TileName::of_tree(TileKind::Entries, number, size).context("no such bundle")?;
        let answer = self.client.get(&format!("/{name}")).await?;
        ensure!(answer.is_success(), "/{name} answers {}: {}", answer.status, answer.text());
        let records = entries(&answer.body, name.width)?;
        let skip = (from % u64::from(TILE_WIDTH)) as usize;
        records.iter().skip(skip).try_for_each(|record| each(record))
    }
}
