//! One gateway: its parts wired together, started in order and stopped in reverse.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use link::{ClientConfig, LinkError, ServerAddress};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use wire::frame::CLIENT_FRAME_BYTES_MAX;
use wire::ledger::{Command, PublicKey};

use crate::{
    config::{Config, Receipts},
    core::{Core, CoreParts, Fatal, ReceiveError},
    deliver,
    directory::DirectoryView,
    folder, http,
    limits::{DELIVERY_QUEUE, NODE_QUEUE},
    metrics::METRICS,
    node::{self, BatchSigner, NodeParts, NodePort, NodeTask},
    receipts,
    store::{OutboxReader, Store, StoreError, Write},
};

/// Name of the store's file in the data directory.
const STORE_FILE: &str = "gateway.redb";
/// Name of the file that tells the HTTP address in the data directory.
const ADDRESS_FILE: &str = "http.address";
/// How long a stop waits for requests and files in work.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a gateway cannot start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or directory cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The HTTP address cannot be used.
    #[error("listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The store failed: start again, the disk decides what was done.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The link cannot be set up.
    #[error("set up link: {0}")]
    Link(#[from] LinkError),
    /// A part of the gateway ended that should not.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// A running gateway. Dropping it stops it without draining; use [`Gateway::stop`].
pub struct Gateway {
    core: Arc<Core>,
    stop: watch::Sender<bool>,
    http_address: Option<SocketAddr>,
    channels: Vec<JoinHandle<()>>,
    inner: Vec<JoinHandle<()>>,
}

/// Runs a gateway until `shutdown` completes or something fatal happens.
///
/// # Errors
/// When it cannot start or the store fails.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let gateway = Gateway::start(config).await?;
    tokio::select! {
        () = shutdown => {
            gateway.stop().await;
            Ok(())
        }
        error = gateway.failed() => {
            tracing::error!(%error, "stop gateway");
            gateway.stop().await;
            Err(error)
        }
    }
}

fn in_path(path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::Io { path, source }
}

impl Gateway {
    /// Starts a gateway that connects to the network's nodes over QUIC. The HTTP API is bound when
    /// this returns; that no node is reachable yet is no error.
    ///
    /// # Errors
    /// When a part cannot start.
    pub async fn start(config: Config) -> Result<Self, RunError> {
        let mut nodes: Vec<_> = config.genesis.nodes.iter().collect();
        // Without a preference banks begin with their own node, then spread over the others.
        let own = config.bic;
        let rank = |node: &wire::genesis::GenesisNode| {
            (config.prefer_node != Some(node.id), node.standby, node.bic != own, node.id)
        };
        nodes.sort_by_key(|node| rank(node));
        let servers = nodes
            .into_iter()
            .map(|node| ServerAddress {
                id: node.id,
                key: node.link_key,
                addr: node.client_address,
            })
            .collect();
        let port = node::over_link(ClientConfig {
            key: config.link_key.clone(),
            network_id: config.genesis.domain.network,
            servers,
            hello: wire::client::CLIENT_PROTOCOL.to_le_bytes().to_vec().into(),
            frame_bytes_max: CLIENT_FRAME_BYTES_MAX,
        })
        .await?;
        create_private(&config.data).map_err(in_path(&config.data))?;
        let path = config.data.join(STORE_FILE);
        let store = tokio::task::spawn_blocking(move || Store::open_file(&path))
            .await
            .map_err(|_| RunError::Ended("opening the store"))??;
        Self::start_on(config, store, port).await
    }

    /// Starts a gateway on a given store and connection, in the environment of the store: for
    /// simulations and tests.
    ///
    /// # Errors
    /// When a part cannot start.
    pub async fn start_on(config: Config, store: Store, port: NodePort) -> Result<Self, RunError> {
        let environment = store.environment().clone();
        let network = config.genesis.domain.network;
        warn_of_foreign_keys(&config);
        let (stop, stopped) = watch::channel(false);
        let (handle, desk) = node::desk();
        let (submit, submissions) = mpsc::channel(NODE_QUEUE);
        let (cursor, durable) = watch::channel(store.delivery_cursor()?);
        let core = Core::new(CoreParts {
            bic: config.bic,
            participant: config.participant,
            network,
            directory: DirectoryView::of_genesis(&config.genesis),
            node: handle,
            submit,
            limits: config.limits,
            receipts: config.receipts,
            store,
            environment: environment.clone(),
            sealing: config.sealing.clone(),
            sealing_overlap: config.sealing_overlap,
            folder: config.folder.clone(),
            searched: durable.clone(),
        });
        let restoring = core.clone();
        let restored = environment
            .work(move || restoring.restore())
            .await
            .map_err(|_| RunError::Ended("restoring open messages"))??;
        tracing::info!(
            bank = %config.bic,
            open_payments = restored.submissions.len(),
            "gateway starts"
        );
        let outbox = core.clone();
        environment
            .work(move || outbox.count_outbox())
            .await
            .map_err(|_| RunError::Ended("counting the outbox"))??;

        let (deliveries, delivered) = mpsc::channel(DELIVERY_QUEUE);
        let task = NodeTask::new(NodeParts {
            core: core.clone(),
            port,
            desk,
            submit: submissions,
            deliveries,
            cursor: durable,
            signer: BatchSigner {
                domain: config.genesis.domain,
                participant: config.participant,
                key: config.signing_key.clone(),
                valid: config.batch_valid,
            },
        });
        let mut inner = vec![
            supervise(&core, "the connection to the nodes", task.run()),
            supervise(
                &core,
                "the intake of credits",
                deliver::run(core.clone(), delivered, cursor),
            ),
        ];
        if core.receipts == Receipts::InMessages {
            inner.push(supervise(&core, "the sending of receipts", receipts::run(core.clone())));
        }
        let erasing = core.clone();
        inner.push(tokio::spawn(async move {
            if let Err(error) = erasing.clone().resume_erasures().await {
                erasing.stop_if_store_failed(&error);
            }
        }));
        let knowing = core.clone();
        let know = async move { knowing.directory.keep_fresh(&knowing.node).await };
        inner.push(supervise(&core, "the reading of the directory", know));
        let resuming = core.clone();
        inner.push(tokio::spawn(async move {
            if let Err(error) = resuming.clone().resume(restored).await {
                resuming.stop_if_store_failed(&error);
            }
        }));

        let mut channels = Vec::new();
        let mut http_address = None;
        if let Some(address) = config.http {
            let listen = |source| RunError::Listen { address, source };
            let listener = tokio::net::TcpListener::bind(address).await.map_err(listen)?;
            let bound = listener.local_addr().map_err(listen)?;
            create_private(&config.data).map_err(in_path(&config.data))?;
            let file = config.data.join(ADDRESS_FILE);
            fs::write(&file, format!("{bound}\n")).map_err(in_path(&file))?;
            tracing::info!(address = %bound, "HTTP API listens");
            http_address = Some(bound);
            let api = http::Api::new(core.clone(), &config, stopped.clone());
            channels.push(tokio::spawn(http::serve(listener, api)));
        }
        if let Some(directory) = &config.folder {
            let folder = folder::Folder::open(directory).map_err(in_path(directory))?;
            channels.push(tokio::spawn(folder::run(folder, core.clone(), stopped)));
        }
        Ok(Self { core, stop, http_address, channels, inner })
    }

    /// The address of the HTTP API; the real port when 0 was asked for.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// The store, for readers of one's own.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// The path of messages, for channels of one's own.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Completes when the gateway cannot go on.
    pub async fn failed(&self) -> RunError {
        let mut fatal = self.core.fatal.subscribe();
        let mut store = self.core.store.failed();
        tokio::select! {
            biased;
            error = fatal.wait_for(Option::is_some) => match error {
                Ok(reason) => match reason.clone() {
                    Some(Fatal::Store(error)) => RunError::Store(error),
                    Some(Fatal::Ended(part)) => RunError::Ended(part),
                    None => RunError::Ended("the gateway"),
                },
                Err(_) => RunError::Ended("the gateway"),
            },
            _ = store.wait_for(|failed| *failed) => {
                RunError::Store(StoreError::Failed("a write failed".into()))
            }
        }
    }

    /// Takes nothing more in, lets what is being answered finish, and ends. Payments without an
    /// answer stay in the store and are submitted again after the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for mut channel in self.channels {
            if tokio::time::timeout(DRAIN_TIME_MAX, &mut channel).await.is_err() {
                channel.abort();
            }
        }
        for task in self.inner {
            task.abort();
            // Ended by the abort; its result means nothing.
            let _ = task.await;
        }
        METRICS.connected.set(0);
        let (messages, payments) = self.core.book.counts();
        tracing::info!(open_messages = messages, open_payments = payments, "gateway stopped");
    }
}

/// Tells the gateway's end when it is dropped, also by a panic.
struct End {
    core: Arc<Core>,
    name: &'static str,
}

impl Drop for End {
    fn drop(&mut self) {
        self.core.stop_for(Fatal::Ended(self.name));
    }
}

/// Runs a part that lives as long as the gateway: its end is the gateway's end, however it comes. A
/// stop aborts it when nobody cares any more.
fn supervise(
    core: &Arc<Core>,
    name: &'static str,
    part: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let end = End { core: core.clone(), name };
    tokio::spawn(async move {
        part.await;
        drop(end);
    })
}

/// The store holds messages in clear text: nobody else may look into a directory that we make.
fn create_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Keys may have been changed since genesis, so a difference is not an error.
fn warn_of_foreign_keys(config: &Config) {
    for command in &config.genesis.commands {
        let Command::AdmitParticipant(bank) = command else { continue };
        if bank.bic != config.bic {
            continue;
        }
        let signing = PublicKey(config.signing_key.verifying_key().to_bytes());
        if !bank.signing_keys.contains(&signing) {
            tracing::warn!("the signing key is not one that the genesis file names for this bank");
        }
        if config.sealing.generations().iter().all(|one| one.public != bank.sealing_key) {
            tracing::warn!("no sealing key is the one that the genesis file names for this bank");
        }
    }
}

impl Core {
    /// Entries of the outbox that the bank has taken on no way, for the metric.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn count_outbox(&self) -> Result<u64, StoreError> {
        let last = *self.store.outbox_last().borrow();
        let depth = last.saturating_sub(self.store.taken()?);
        METRICS.outbox_depth.set(depth as i64);
        Ok(depth)
    }

    /// Brings the metric of the outbox up to date.
    pub(crate) async fn note_outbox_depth(self: &Arc<Self>) {
        let core = self.clone();
        // A store that cannot be read shows itself where it matters.
        let _ = self.environment.work(move || core.count_outbox()).await;
    }

    /// Notes that the bank has taken the outbox up to an entry on this way; returns how far it has.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn acknowledge(
        self: &Arc<Self>,
        reader: OutboxReader,
        sequence: u64,
    ) -> Result<u64, ReceiveError> {
        self.store.write(Write::Acknowledge(reader, sequence)).await?;
        let core = self.clone();
        let counted = self.environment.work(move || {
            core.count_outbox()?;
            core.store.acknowledged(reader)
        });
        Ok(counted.await.map_err(|_| ReceiveError::Dropped)??)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{FakeNode, PAYER, config, start};

    #[tokio::test]
    async fn a_part_that_panics_ends_the_gateway() {
        let directory = tempfile::tempdir().unwrap();
        let settings = config(directory.path(), PAYER, false);
        let node = FakeNode::new(&settings);
        let gateway = start(settings, &node).await;
        let part = supervise(gateway.core(), "the part", async { panic!("on purpose") });
        assert!(part.await.is_err());
        assert!(matches!(gateway.failed().await, RunError::Ended("the part")));
        gateway.stop().await;
    }
}
