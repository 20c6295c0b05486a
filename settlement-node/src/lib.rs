//! The node that a bank runs: storage, the one loop, queries.
//!
//! In the order of the data flow: frames arrive ([`shell`]), are checked off the loop ([`prepare`]),
//! wait for a block ([`intake`], [`waiting`]), are ordered and applied by the loop ([`node`], [`chain`]), and go out
//! as outcomes and deliveries ([`deliver`], [`subscribers`]). [`store`] keeps them.
//!
//! [`node::Node`] and everything below it is free of sockets, files, clocks and chance, so tests drive
//! the very same loop over a simulated net, disk and clock. Only [`shell`] touches the world.

pub mod config;
pub mod limits;

pub mod prepare;

pub mod event;
pub mod node;

pub mod access;
pub mod chain;
pub mod checkpoint;
mod clocks;
pub mod consistency;
pub mod deliver;
pub mod finality;
pub mod forms;
pub mod intake;
pub mod membership;
pub mod mend;
pub mod mirror;
pub mod old_ids;
pub mod past;
pub mod peer_message;
pub mod pipeline;
#[cfg(feature = "planted")]
pub mod planted;
pub mod recover;
pub mod serve;
pub mod shares;
pub mod statement;
pub mod storage;
pub mod subscribers;
pub mod view;
pub mod waiting;
pub mod witness;

pub mod store;

pub mod shell;

pub use shell::{RunError, run};
