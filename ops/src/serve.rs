//! `corridor node` and `corridor gateway`: one long-running process each.
//!
//! Both run until SIGTERM or SIGINT, then end in order. An error that cannot be mended by going on
//! ends the process with exit code 1 and one sentence on standard error.

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::logs::{self, LogFormat};
use crate::process::die_with_parent;

/// Arguments of `corridor node` and `corridor gateway`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Configuration file; relative paths in it are relative to its folder
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Form of the log lines on standard output (CORRIDOR_LOG chooses what is logged)
    #[arg(long, value_enum, default_value_t)]
    log: LogFormat,
    /// Worker threads, 1 to 64
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
}

/// Ends the whole process when any of its threads panics: a panic means a broken invariant, and a node
/// that goes on without its log writer, or a gateway without its store, would be worse than none.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Runs `corridor node`.
pub fn node(arguments: ServeArguments) -> Result<()> {
    abort_on_panic();
    die_with_parent()?;
    logs::start(arguments.log);
    let config = settlement_node::config::NodeConfig::load(&arguments.config)?;
    runtime(arguments.workers)?
        .block_on(async { Ok(settlement_node::run(config, ended()?).await?) })
}

/// Runs `corridor gateway`.
pub fn gateway(arguments: ServeArguments) -> Result<()> {
    abort_on_panic();
    die_with_parent()?;
    logs::start(arguments.log);
    let config = gateway_adapter::config::Config::load(&arguments.config)?;
    runtime(arguments.workers)?
        .block_on(async { Ok(gateway_adapter::run(config, ended()?).await?) })
}

/// A runtime for everything asynchronous.
pub fn runtime(workers: u8) -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::from(workers))
        .enable_all()
        .build()
        .context("start the runtime")
}

/// Resolves when the process is asked to end; listens from the moment it is called.
pub fn ended() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
