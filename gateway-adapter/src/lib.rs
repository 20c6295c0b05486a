//! The gateway adapter: a bank's own systems on one side, a node of the network on the other.
//!
//! Messages come in through a channel (HTTP or a folder), are journalled, translated, sealed and
//! submitted, and are answered exactly once. Credits for the bank come from the node, are opened
//! and checked, and wait in a durable outbox until the bank has acknowledged them.
//!
//! A gateway may be stopped or killed at any moment; started again with the same store it carries
//! on, and nothing is paid twice, lost, or answered differently.
//!
//! What it does not do: keep balances, decide whether a payment settles, or hold money up. That is
//! the ledger's. Retention of the store and screening are not part of it yet.

// In the order of the data flow.

// What is configured and bounded, and what the machine gives.
pub mod config;
pub mod environment;
pub mod limits;
// Channels.
mod folder;
mod http;
// The path of a message.
mod book;
pub mod core;
mod directory;
pub mod keyring;
pub mod seal;
pub mod store;
mod vault;
// The network's side.
mod deliver;
pub mod node;
mod receipts;
// What is seen from outside.
pub mod metrics;

mod gateway;
#[cfg(feature = "planted")]
pub mod planted;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use crate::{
    config::Config,
    directory::DirectoryView,
    gateway::{Gateway, RunError, run},
};
