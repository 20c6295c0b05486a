//! Puts opaque bytes in one order that a majority of nodes agrees on: a pure driver round raft-rs.
//!
//! Events go in ([`Order::tick`], [`Order::step`], [`Order::propose`], [`Order::persisted`], ...) and
//! effects come out of [`Order::take_output`]. Nothing here reads a clock, a file, a socket or a
//! random source: the same configuration, seed and events give the same effects.
//!
//! The shell performs an [`Output`] in this order: write `persist`, send `messages`, apply `committed`,
//! answer `reads`, start `fetches`. Invariants it can rely on, and must keep:
//! - A message that speaks of something this node must not forget (a vote, an acknowledged entry)
//!   is released only after [`Order::persisted`] named the write that holds it. Messages in an
//!   `Output` may therefore leave at once.
//! - Writes are made durable strictly in the order of their `op`. Only writes with `must_sync` need
//!   an fsync and an answer; the others may ride along with the next one.
//! - `committed` has no gaps and no repeats in one life of an `Order`: it begins at
//!   `Restored::applied + 1`. Entries with empty data are a new leader's marker; they are applied as
//!   "nothing" but count.
//! - A successful [`Order::propose`] is a position, not a promise. The proposal is ordered when an
//!   entry with the same term *and* index is committed, and lost when another one takes the index.
//!
//! ```
//! use order::{Config, Order, Restored};
//!
//! let mut order = Order::new(Config::new(1, vec![1], 42), Restored::default()).unwrap();
//! (0..20).for_each(|_| order.tick()); // a lone voter elects itself
//! let mut texts = Vec::new();
//! for round in 0..5 {
//!     let output = order.take_output();
//!     if let Some(write) = output.persist.last() {
//!         order.persisted(write.op); // after the fsync
//!     }
//!     for entry in output.committed {
//!         texts.push(entry.data);
//!         order.applied(entry.index);
//!     }
//!     if round == 2 {
//!         order.propose("pay".into()).unwrap();
//!     }
//! }
//! assert_eq!(texts, ["", "pay"]);
//! ```
//!
//! Left out in this version: snapshots (a follower that needs entries older than the first readable
//! index stays behind until its disk is re-seeded), membership change, witnesses and priorities.
//! Peers are trusted not to lie: [`StepError`] stops what is cheap to recognise, not a hostile voter.

mod check;
mod config;
mod driver;
mod error;
mod fetch;
mod log;
mod message;
mod output;
mod reads;
mod restored;
mod rng;
mod status;
mod terms;

pub use config::{Config, VOTERS_MAX};
pub use driver::Order;
pub use error::{OrderError, ProposeError, ReadError, StepError};
pub use message::{CONTEXT_BYTES_MAX, Message, MessageKind};
pub use output::{Fetch, Output, Persist, Proposed, ReadReady};
pub use restored::{Entry, HardState, Restored};
pub use status::{PeerProgress, Role, Status};

/// Names a node of the group; 0 is never a node.
pub type NodeId = u64;
