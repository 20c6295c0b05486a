//! From the data directory to a node that can live: opens the storage, and mends it as often as needed.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{sync::watch, task::spawn_blocking};

use super::{Cause, Links, RunError, http, mending, space::free_bytes};
use crate::{
    config::NodeConfig,
    limits::{DISK_FULL_PATIENCE, DISK_FULL_PAUSE, DISK_RESERVE_BYTES},
    node::Node,
    recover::{self, Start, Started, Wounds},
    storage::{Folders, Storage, is_for_want_of_room},
    store::{
        history::HistoryOptions,
        vfs::{DiskVfs, Vfs},
        wal::WalOptions,
    },
};

/// Opens the storage and computes the node from it. `cause`: why the life before this one ended. While the
/// disk has no room for that it waits, and begins anew. Nothing when the node was told to stop on the way.
pub(super) async fn open(
    config: &Arc<NodeConfig>,
    links: &Links,
    mut cause: Option<Cause>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<(Storage, Box<Node>)>, RunError> {
    let mut said = false;
    loop {
        match attempt(config, links, &mut cause, shutdown).await {
            Err(error) if is_for_want_of_room(&error) => {
                if !said {
                    tracing::error!(%error, "the disk is full; the node starts when there is room");
                }
                said = true;
                if !wait_for_room(config, &error, shutdown).await {
                    return Ok(None);
                }
            }
            opened => return opened,
        }
    }
}

/// Gives the disk a while to get room. False when the node was told to stop.
async fn wait_for_room(
    config: &NodeConfig,
    error: &RunError,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> bool {
    let said = Arc::new(Mutex::new(format!("waits for room on the disk: {error}")));
    let (stop, stopped) = watch::channel(false);
    let page = http::serve_mending(config.http, said, stopped).await;
    let began = Instant::now();
    let data = config.data.clone();
    let room = async move {
        loop {
            tokio::time::sleep(DISK_FULL_PAUSE).await;
            let folder = data.clone();
            // A disk that hangs must not hold up a thread that serves links.
            let looked = spawn_blocking(move || free_bytes(&folder)).await;
            let free = looked.ok().flatten().unwrap_or(0);
            // What is full may also be a quota, which the free bytes do not tell.
            if free >= DISK_RESERVE_BYTES || began.elapsed() >= DISK_FULL_PATIENCE {
                return;
            }
        }
    };
    let go_on = tokio::select! {
        () = &mut *shutdown => false,
        () = room => true,
    };
    let _ = stop.send(true);
    page.abort();
    // The address is free for the next life only after that; that it was aborted is no news.
    let _ = page.await;
    go_on
}

/// Clears `cause` as soon as it has been seen to.
async fn attempt(
    config: &Arc<NodeConfig>,
    links: &Links,
    cause: &mut Option<Cause>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<(Storage, Box<Node>)>, RunError> {
    if let Some(Cause::Damaged(damage)) = *cause {
        let config = Arc::clone(config);
        blocking(move || Ok(damage.set_aside(&disk(), &Folders::under(&config.data))?)).await?;
        *cause = None;
    }
    let mut storage = {
        let config = Arc::clone(config);
        blocking(move || open_storage(&config)).await?
    };
    report(&mut storage);
    let mut wounds = match *cause {
        Some(Cause::Behind(index)) => {
            Some(Wounds { snapshot_above: Some(index), only_behind: true, ..Wounds::default() })
        }
        _ => None,
    };
    loop {
        if let Some(wounds) = wounds.take() {
            if links.peers.stats().is_empty() {
                return Err(RunError::Alone(wounds.to_string()));
            }
            match mending::mend(config, links, storage, wounds, shutdown).await? {
                Some(mended) => (storage, *cause) = (mended, None),
                None => return Ok(None),
            }
        }
        let started = {
            let config = Arc::clone(config);
            blocking(move || {
                let started = start(&config, &mut storage)?;
                Ok((storage, started))
            })
            .await?
        };
        storage = started.0;
        report(&mut storage);
        match started.1 {
            Started::Ready(node) => return Ok(Some((storage, node))),
            Started::Wounded(missing) => wounds = Some(missing),
        }
    }
}

fn report(storage: &mut Storage) {
    for finding in storage.findings.drain(..) {
        tracing::warn!(finding, "found on the disk");
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    spawn_blocking(work)
        .await
        .map_err(|error| RunError::Fatal(format!("recovery ended early: {error}")))?
}

fn disk() -> Arc<dyn Vfs> {
    Arc::new(DiskVfs)
}

fn open_storage(config: &NodeConfig) -> Result<Storage, RunError> {
    let wal_options = WalOptions {
        node_id: config.own.id,
        network_id: config.genesis.domain.network,
        ..WalOptions::default()
    };
    let folders = Folders::under(&config.data);
    Ok(Storage::open(disk(), folders, wal_options, HistoryOptions::default())?)
}

fn start(config: &NodeConfig, storage: &mut Storage) -> Result<Started, RunError> {
    let mut chance = [0; 24];
    getrandom::fill(&mut chance).map_err(|error| RunError::Random(error.to_string()))?;
    let word =
        |at: usize| u64::from_le_bytes(chance[at..at + 8].try_into().expect("8 of 24 bytes"));
    let start = Start {
        id: config.own.id,
        genesis: &config.genesis,
        seed: word(0),
        table_key: [word(8), word(16)],
        snapshot_bytes: config.snapshot_bytes,
    };
    Ok(recover::start(&start, storage)?)
}
