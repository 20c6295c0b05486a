//! Named limits of a node. Every queue, buffer and wait in this crate is bounded by one of these.

use std::time::Duration;

/// Length of a tick: the unit of elections, heartbeats and waits.
pub const TICK: Duration = Duration::from_millis(50);
/// Ticks without word from a leader after which a node stands for election (0.5 to 1 s).
pub const ELECTION_TICKS: usize = 10;
/// Ticks between heartbeats.
pub const HEARTBEAT_TICKS: usize = 2;
/// Blocks proposed by a leader and not yet applied.
pub const BLOCKS_IN_FLIGHT_MAX: usize = 8;
/// Bytes of submissions that wait for a place in a block; more is answered "busy".
pub const WAITING_BYTES_MAX: usize = 48 << 20;
/// Submissions that wait for a place in a block.
pub const WAITING_SUBMISSIONS_MAX: usize = 32_768;
/// Submissions of own sessions that are followed until they are applied.
pub const TRACKED_SUBMISSIONS_MAX: usize = 65_536;
/// Bytes of those submissions.
pub const TRACKED_BYTES_MAX: usize = 64 << 20;
/// Signatures in one block: bounds the time in which a follower checks it.
pub const SIGNATURES_PER_BLOCK_MAX: usize = 2_048;
/// Ticks after which a submission without an answer is given back as "busy" (its fate is then unknown).
pub const TRACKED_TICKS_MAX: u64 = 100;
/// Ticks between two attempts to pass a submission on to the leader.
pub const FORWARD_AGAIN_TICKS: u64 = 20;
/// What a gateway is told to wait when the node is busy, in milliseconds.
pub const BUSY_RETRY_MS: u32 = 100;
/// How far a leader's time may be ahead of a follower's own clock, in nanoseconds.
pub const TIME_AHEAD_MAX_NS: u64 = 2_000_000_000;
/// Applied blocks kept in memory for subscribers that catch up.
pub const RECENT_BLOCKS_MAX: usize = 1_024;
/// Bytes of applied blocks kept in memory for subscribers that catch up.
pub const RECENT_BYTES_MAX: usize = 32 << 20;
/// Bytes read from the history in one go for a subscriber that catches up.
pub const SCAN_BYTES_MAX: usize = 4 << 20;
/// Longest frame payload of deliveries.
pub const DELIVERIES_BYTES_MAX: usize = 1 << 20;
/// Ticks after which a quiet subscriber is told how far the history was searched.
pub const SEARCHED_TICKS: u64 = 100;
/// Sessions of gateways and tools.
pub const SESSIONS_MAX: usize = 1_024;
/// Longest frame from a gateway.
pub const CLIENT_FRAME_BYTES_MAX: usize = 4 << 20;
/// Events that wait for the loop.
pub const EVENTS_MAX: usize = 16_384;
/// Frames that wait for a checking thread.
pub const UNCHECKED_FRAMES_MAX: usize = 1_024;
/// Write operations that wait for the log.
pub const LOG_OPS_MAX: usize = 1_024;
/// Blocks that wait for the history.
pub const HISTORY_BLOCKS_MAX: usize = 1_024;
/// Bytes of the log read in one go at start.
pub const REPLAY_BYTES_MAX: u64 = 8 << 20;
/// Events that the loop takes before it settles.
pub const EVENTS_PER_ROUND_MAX: usize = 1_024;
/// How long an orderly stop waits for another node to take over the lead.
pub const HAND_OVER_WAIT: Duration = Duration::from_millis(300);
/// Requests that wait for the disk reader.
pub const READS_MAX: usize = 4_096;
/// Bytes of blocks read from memory for a subscriber at one tick.
pub const DELIVERIES_BURST_BYTES_MAX: usize = 4 << 20;
/// Ticks that a subscriber whose queue stays full is left alone.
pub const PATIENCE_TICKS_MAX: u64 = 20;
/// Runs of ids that wait to be written. Each holds up to 64 MiB of memory.
pub const RUNS_WAITING_MAX: usize = 4;
/// Longest payload of an answer to a session: a frame with room for its head.
pub const ANSWER_BYTES_MAX: usize = CLIENT_FRAME_BYTES_MAX - 1_024;
/// Checked blocks of a peer that are kept in case they are sent again.
pub const CHECKED_BLOCKS_MAX: usize = 1_024;
/// Bytes of those blocks.
pub const CHECKED_BYTES_MAX: usize = 16 << 20;
