//! A mirror of a node's log in a folder, with the names of tlog-tiles, so that any file server can serve it.
//!
//! What is there already is not fetched again, so an interrupted mirror goes on where it stopped. The
//! checkpoint is written last: until then the mirror is what it was before. Checkpoints that were
//! mirrored earlier are kept, and the ledger is held to all of them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use proof::{
    note::Note,
    policy::Policy,
    tile::{TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TileName, entries, hashes},
};

use super::{CHECKPOINT_BYTES_MAX, progress::Progress};
use crate::{http::HttpClient, serve, verify::read_file};

/// The newest checkpoint of a mirror.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Where all of them are, by size.
const CHECKPOINTS: &str = "checkpoints";
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Brings a mirror up to what a node has certified.
pub(crate) fn fetch(url: &str, dir: &Path, policy: &Policy, bar: &mut Progress) -> Result<()> {
    serve::runtime(1)?.block_on(fetch_all(url, dir, policy, bar))
}

async fn fetch_all(url: &str, dir: &Path, policy: &Policy, bar: &mut Progress) -> Result<()> {
    let mut client = HttpClient::new(url)?.with_timeout(ANSWER_TIME_MAX);
    let note = get(&mut client, "/checkpoint").await?;
    ensure!(note.len() <= CHECKPOINT_BYTES_MAX, "the checkpoint of {url} is too long");
    let accepted = policy
        .judge(&Note::parse(&note).with_context(|| format!("the checkpoint of {url}"))?)
        .with_context(|| format!("the checkpoint of {url}"))?;
    let size = accepted.checkpoint.size;
    let before = match dir.join(CHECKPOINT).exists() {
        true => Note::parse(&read_file(&dir.join(CHECKPOINT), CHECKPOINT_BYTES_MAX)?)?,
        false => Note::parse(&note)?,
    };
    let before = proof::checkpoint::Checkpoint::parse(before.text())?.size;
    ensure!(size >= before, "{url} has certified {size} leaves, the mirror has {before} already");
    let kinds = (0..=TILE_LEVEL_MAX).map(|level| TileKind::Hashes { level });
    for kind in std::iter::once(TileKind::Entries).chain(kinds) {
        let mut number = 0;
        while let Some(name) = TileName::of_tree(kind, number, size) {
            file(&mut client, dir, name).await?;
            number += 1;
            if kind == TileKind::Entries {
                let leaves = (number * u64::from(TILE_WIDTH)).min(size);
                bar.show("fetched", leaves, size, leaves);
            }
        }
    }
    bar.end();
    write(&dir.join(CHECKPOINTS).join(size.to_string()), &note)?;
    write(&dir.join(CHECKPOINT), &note)
}

/// Fetches a tile or bundle, unless it is there.
async fn file(client: &mut HttpClient, dir: &Path, name: TileName) -> Result<()> {
    let path = dir.join(name.to_string());
    if path.exists() {
        return Ok(());
    }
    let bytes = get(client, &format!("/{name}")).await?;
    match name.kind {
        TileKind::Entries => entries(&bytes, name.width).map(|_| ()),
        TileKind::Hashes { .. } => hashes(&bytes, name.width).map(|_| ()),
    }
    .with_context(|| format!("{name}"))?;
    write(&path, &bytes)
}

async fn get(client: &mut HttpClient, path: &str) -> Result<Vec<u8>> {
    let answer = client.get(path).await.with_context(|| format!("fetch {path}"))?;
    ensure!(answer.status == 200, "{path} is answered {}: {}", answer.status, answer.text().trim());
    Ok(answer.body)
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let context = || format!("write {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(context)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    fs::write(&unfinished, bytes).with_context(context)?;
    fs::rename(&unfinished, path).with_context(context)
}

/// The checkpoints of a mirror; none of another folder.
pub(super) fn checkpoints(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if dir.join(CHECKPOINT).exists() {
        found.push(dir.join(CHECKPOINT));
    }
    if dir.join(CHECKPOINTS).is_dir() {
        for entry in fs::read_dir(dir.join(CHECKPOINTS)).context("list the checkpoints")? {
            let path = entry.context("list the checkpoints")?.path();
            if path.extension().is_none() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
