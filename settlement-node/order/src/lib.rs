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
//! What else the shell owes, once it makes snapshots of the applied state and releases the log:
//! - It reports a snapshot ([`Order::snapshot_made`]) when that is durable, and at each start the newest
//!   one. Before it removes entries it says so ([`Order::compact`]); they are part of a snapshot then.
//! - When [`Output::needs_snapshot`] names an offer, it stops this `Order`, fetches a snapshot by its own
//!   means, makes it durable, then makes the log fit, and starts anew from both. The log fits if
//!   it holds an entry with the snapshot's index *and* term; only otherwise it is reset to them. The
//!   durable term and vote are kept in any case.
//! - A log that has lost durable entries starts with [`Restored::lost_term`], a mark that it makes
//!   durable before anything else. What is left of the log may be an older state of it, so nothing but the
//!   snapshot, and what commit indexes *within* that older state cover, is applied at start; a log that
//!   does not hold the snapshot's last entry with its term is reset to it. Such a node does not vote until
//!   [`Output::recovered`]. More than a minority of such nodes at a time is beyond repair.
//!
//! Who votes changes by entries that [`Config::change_of`] knows: [`Order::propose_change`], [`Order::apply_change`].
//! Left out in this version: witnesses and priorities.
//! Peers are trusted not to lie: [`StepError`] stops what is cheap to recognise, not a hostile voter.

mod change;
mod check;
mod config;
mod driver;
mod error;
mod fetch;
mod log;
mod message;
mod output;
#[cfg(feature = "planted")]
pub mod planted;
mod reads;
mod restored;
mod rng;
mod status;
mod terms;

pub use change::Change;
pub use config::{Config, OTHERS_MAX, VOTERS_MAX};
pub use driver::Order;
pub use error::{OrderError, ProposeError, ReadError, StepError};
pub use message::{CONTEXT_BYTES_MAX, Message, MessageKind};
pub use output::{Fetch, Output, Persist, Proposed, ReadReady, SnapshotOffer};
pub use restored::{Entry, HardState, Restored};
pub use status::{PeerProgress, Role, Status};

/// Names a node of the group; 0 is never a node.
pub type NodeId = u64;
