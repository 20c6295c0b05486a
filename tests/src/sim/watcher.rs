//! A bank's gateway that listens: hears of the transfers that credit its bank, and after every
//! interruption goes on after the last place that it heard of.

use link::SessionId;
use wire::client::Cursor;

#[derive(Default)]
pub(super) struct Watcher {
    pub(super) bank: usize,
    pub(super) session: Option<SessionId>,
    pub(super) cursor: Cursor,
    /// Deliveries so far.
    pub(super) count: usize,
    pub(super) reconnects: u64,
}
