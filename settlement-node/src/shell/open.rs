//! From the data directory to a node that can live: opens the storage, and mends it as often as needed.

use std::{future::Future, sync::Arc};

use tokio::task::spawn_blocking;

use super::{Cause, Links, RunError, mending};
use crate::{
    config::NodeConfig,
    node::Node,
    recover::{self, Start, Started, Wounds},
    storage::{Folders, Storage},
    store::{
        history::HistoryOptions,
        vfs::{DiskVfs, Vfs},
        wal::WalOptions,
    },
};

/// Opens the storage and computes the node from it. `cause`: why the life before this one ended. Nothing when the node was told to stop on the way.
pub(super) async fn open(
    config: &Arc<NodeConfig>,
    links: &Links,
    cause: Option<Cause>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<(Storage, Box<Node>)>, RunError> {
    let mut storage = {
        let config = Arc::clone(config);
        blocking(move || open_storage(&config, cause)).await?
    };
    report(&mut storage);
    let mut wounds = match cause {
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
                Some(mended) => storage = mended,
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

fn open_storage(config: &NodeConfig, cause: Option<Cause>) -> Result<Storage, RunError> {
    let wal_options = WalOptions {
        node_id: config.own.id,
        network_id: config.genesis.domain.network,
        ..WalOptions::default()
    };
    let folders = Folders::under(&config.data);
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs);
    if let Some(Cause::Damaged(damage)) = cause {
        damage.set_aside(&vfs, &folders)?;
    }
    Ok(Storage::open(vfs, folders, wal_options, HistoryOptions::default())?)
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
