//! What a run met, for those who judge whether the runs were worth anything.

use super::class::{CLASSES, Class};

/// What a run met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Hash over everything that happened; equal for equal seeds.
    pub trace: u64,
    /// Events handled.
    pub events: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Simulated milliseconds from healing to the end.
    pub healed_after_ms: u64,
    /// Faults of all kinds.
    pub faults: u64,
    /// Nodes that lost power or were killed.
    pub crashes: u64,
    /// Cuts of the net.
    pub cuts: u64,
    /// How often each class struck, in the order of [`Class::ALL`].
    pub classes: [u64; CLASSES],
    /// Processes that stopped because of their disk.
    pub stops: u64,
    /// Starts that failed because of the disk.
    pub failed_starts: u64,
    /// Times that a node called a leader's clock wrong.
    pub clock_alarms: u64,
    /// Terms with a leader.
    pub elections: u64,
    /// Nodes that came by vote.
    pub joined: u64,
    /// Of these, those that were let vote.
    pub promoted: u64,
    /// Nodes that left.
    pub left: u64,
    /// Blocks applied.
    pub blocks: u64,
    /// Frames with submissions that gateways sent.
    pub submissions: u64,
    /// Commands that were answered to their gateway.
    pub answered: u64,
    /// Commands that settled.
    pub settled: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Commands whose id was answered before.
    pub repeated: u64,
    /// Transfers that had to wait.
    pub waited: u64,
    /// Those of them that settled in the end.
    pub waited_and_settled: u64,
    /// Deliveries to banks.
    pub delivered: u64,
    /// Times that a listening gateway connected.
    pub reconnects: u64,
    /// Snapshots of the state that were written.
    pub snapshots: u64,
    /// Times that a node had to fetch something from others.
    pub mended: u64,
    /// Nodes that only their operator could help: what they lacked nobody could confirm.
    pub believed: u64,
    /// Logs that had lost durable entries and were cut.
    pub salvaged: u64,
    /// Simulated milliseconds from healing to the last answer of a real gateway.
    pub messages_healed_after_ms: u64,
    /// Messages that real gateways got.
    pub messages: u64,
    /// Messages that real gateways answered.
    pub message_answers: u64,
    /// Messages that were sent again after their answer.
    pub message_repeats: u64,
    /// Entries of the outboxes of real gateways.
    pub outbox_entries: u64,
    /// Real gateways that lost power, were killed or gave up.
    pub gateway_ends: u64,
    /// Those of them that had not even started.
    pub gateway_failed_starts: u64,
    /// Writes and syncs of the stores of real gateways.
    pub store_steps: u64,
}

impl Report {
    pub(super) fn met(&mut self, class: Class) {
        self.classes[class as usize] += 1;
    }
}
