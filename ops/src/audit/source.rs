//! The log of a node as C2SP tlog-tiles: the newest checkpoint, and the records up to it, bundle by bundle.
//!
//! With a policy a checkpoint counts only when a quorum has cosigned it. A record is believed only after the root over
//! all of them was the checkpoint's; that is for the caller to compare. Fetching runs beside applying, a bounded number
//! of bundles ahead.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proof::{
    checkpoint::Checkpoint,
    note::Note,
    policy::Policy,
    tile::{TILE_WIDTH, TileKind, TileName, entries},
};
use tokio::sync::mpsc;

use crate::{
    http::{HttpClient, HttpError},
    replay::{Read, Records, Stop},
};

const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Bundles that are fetched ahead.
const AHEAD: usize = 64;

/// A node whose log is read.
pub(super) struct Source {
    client: HttpClient,
    policy: Option<Policy>,
    origin: String,
}

enum Fetched {
    /// A bundle, how many records it has, and how many of them came before.
    Bundle(Vec<u8>, u16, usize),
    Edge(Checkpoint),
}

/// What was fetched, for the thread that applies it.
pub(super) struct Feed(mpsc::Receiver<Fetched>);

impl Source {
    /// The node at a base address such as `http://127.0.0.1:7201`, and the origin that its checkpoints must have.
    pub(super) fn new(base: &str, policy: Option<Policy>, origin: String) -> Result<Self> {
        Ok(Self { client: HttpClient::new(base)?.with_timeout(ANSWER_TIME_MAX), policy, origin })
    }

    /// The newest checkpoint; nothing before the first.
    pub(super) async fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        let answer = self.client.get("/checkpoint").await?;
        if answer.status == 503 {
            return Ok(None);
        }
        ensure!(answer.is_success(), "/checkpoint answers {}: {}", answer.status, answer.text());
        let note = Note::parse(&answer.body)?;
        let checkpoint = match &self.policy {
            Some(policy) => policy.judge(&note)?.checkpoint,
            None => Checkpoint::parse(note.text())?,
        };
        ensure!(checkpoint.origin == self.origin, "the checkpoint is of another log");
        Ok(Some(checkpoint))
    }

    /// Where records come out that [`Source::fetch`] fetches.
    pub(super) fn feed() -> (Pipe, Feed) {
        let (into, out) = mpsc::channel(AHEAD);
        (Pipe(into), Feed(out))
    }

    /// Fetches the records of checkpoint after checkpoint until nobody wants them, with a pause whenever the newest
    /// is reached; or of one checkpoint alone.
    pub(super) async fn fetch(mut self, pipe: Pipe, end: End, pause: Duration) -> Result<()> {
        let mut next = 0;
        let mut given = match &end {
            End::At(checkpoint) => Some(checkpoint.clone()),
            End::Newest | End::Never => None,
        };
        while !pipe.0.is_closed() {
            let came = match given.take() {
                Some(checkpoint) => self.up_to(checkpoint, &mut next, &pipe).await,
                None => match self.checkpoint().await {
                    Ok(Some(checkpoint)) => self.up_to(checkpoint, &mut next, &pipe).await,
                    Ok(None) => Ok(false),
                    Err(error) => Err(error),
                },
            };
            match came {
                Ok(true) if !matches!(end, End::Never) => return Ok(()),
                // A node that is away comes back.
                Err(error) if matches!(end, End::Never) && is_away(&error) => {
                    tracing::warn!(error = format!("{error:#}"), "the node is away");
                }
                came => {
                    came?;
                }
            }
            tokio::select! {
                () = pipe.0.closed() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Hands over what a checkpoint has after leaf `next`; false when nobody wants it.
    async fn up_to(&mut self, checkpoint: Checkpoint, next: &mut u64, pipe: &Pipe) -> Result<bool> {
        let width = u64::from(TILE_WIDTH);
        ensure!(*next <= checkpoint.size, "the node is behind what it had before");
        while *next < checkpoint.size {
            let number = *next / width;
            let name = TileName::of_tree(TileKind::Entries, number, checkpoint.size)
                .context("no such bundle")?;
            let answer = self.client.get(&format!("/{name}")).await?;
            ensure!(answer.is_success(), "/{name} answers {}: {}", answer.status, answer.text());
            let fetched = Fetched::Bundle(answer.body, name.width, (*next % width) as usize);
            if pipe.0.send(fetched).await.is_err() {
                return Ok(false);
            }
            *next = number * width + u64::from(name.width);
        }
        Ok(pipe.0.send(Fetched::Edge(checkpoint)).await.is_ok())
    }
}

/// Where the fetched goes in.
pub(super) struct Pipe(mpsc::Sender<Fetched>);

/// When fetching ends.
pub(super) enum End {
    /// With this checkpoint.
    At(Checkpoint),
    /// With the newest one.
    Newest,
    /// When nobody wants more.
    Never,
}

fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<HttpError>())
}

impl Records for Feed {
    fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Read, Stop> {
        match self.0.blocking_recv() {
            None => Ok(Read::End),
            Some(Fetched::Edge(checkpoint)) => Ok(Read::Edge(checkpoint)),
            Some(Fetched::Bundle(bytes, width, skip)) => {
                let records = entries(&bytes, width).map_err(anyhow::Error::from)?;
                records.into_iter().skip(skip).for_each(each);
                Ok(Read::More)
            }
        }
    }

    fn has_genesis(&self) -> bool {
        true
    }
}
