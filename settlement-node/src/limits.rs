//! Named limits of a node. Every queue, buffer and wait in this crate is bounded by one of these.

use std::time::Duration;

/// Length of a tick: the unit of elections, heartbeats and waits.
pub const TICK: Duration = Duration::from_millis(50);
/// Ticks without word from a leader after which a node stands for election (0.5 to 1 s).
pub const ELECTION_TICKS: usize = 10;
/// Ticks between heartbeats.
pub const HEARTBEAT_TICKS: usize = 2;
/// Blocks proposed by a leader and not yet applied.
pub const BLOCKS_IN_FLIGHT_MAX: usize = 32;
/// Blocks in flight from which on another one waits until it is worth its cost.
pub const SMALL_BLOCKS_IN_FLIGHT_MAX: usize = 2;
/// Bytes of blocks in flight from which on another one waits, before anything is measured; see
/// [`Pipeline`](crate::pipeline::Pipeline).
pub const IN_FLIGHT_BYTES_FIRST: usize = 1 << 20;
/// The least that this becomes: a block, and the beginning of another one.
pub const IN_FLIGHT_BYTES_MIN: usize = 288 << 10;
/// The most that this becomes: a fifth of a second of a fast network.
pub const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;
/// Bytes that a bank has in its line and under way at most to count as one that sends little, see
/// [`Pipeline::room_for_little`](crate::pipeline::Pipeline::room_for_little).
pub const LITTLE_BYTES_MAX: usize = 16 << 10;
/// Blocks under way beyond the usual with submissions of banks that send little.
pub const LITTLE_BLOCKS_MAX: usize = 4;
/// Bytes of such a block, as a part of the bytes under way.
pub const LITTLE_PART: usize = 16;
/// Bytes after which a block is closed, unless its first submission alone is larger.
pub const BLOCK_BYTES_AIM: usize = 256 << 10;
/// Submissions that are worth a block of their own.
pub const BLOCK_WORTH_SUBMISSIONS: usize = 96;
/// Bytes of submissions that are worth a block of their own.
pub const BLOCK_WORTH_BYTES: usize = 128 << 10;
/// Ticks between two blocks that are ordered only because something is due.
pub const DUE_BLOCK_TICKS: u64 = 1;
/// Bytes of blocks read in one search of the history for the first words of transfers that went on in it; the search
/// ends with the block that passes it, and is taken up there.
pub const FIRST_WORDS_BYTES_MAX: usize = 16 << 20;
/// Bytes of one bank that wait for a place in a block from which on no more of that bank is checked: most of a block. What
/// waits beyond that waits where it costs neither a processor nor the memory for its decoded form.
pub const LINE_BYTES_ENOUGH: usize = BLOCK_BYTES_AIM * 3 / 4;
/// The same in submissions.
pub const LINE_SUBMISSIONS_ENOUGH: usize = 2 * SIGNATURES_PER_BLOCK_MAX;
/// Bytes of submissions that wait for a place in a block; more is answered "busy". One bank alone gets
/// half of it, see [`Waiting`](crate::waiting::Waiting).
pub const WAITING_BYTES_MAX: usize = 24 << 20;
/// Submissions that wait for a place in a block.
pub const WAITING_SUBMISSIONS_MAX: usize = 65_536;
/// Submissions of own sessions that are followed until they are applied. One bank alone gets half of
/// it, see [`Shares`](crate::shares::Shares).
pub const TRACKED_SUBMISSIONS_MAX: usize = 65_536;
/// Bytes of those submissions. Decoded they take about three times as much memory.
pub const TRACKED_BYTES_MAX: usize = 24 << 20;
/// Bytes of one bank that a node checks ahead of their being applied, where the other nodes are near: what fills the
/// blocks under way and the next one. Two submissions may be open in any case.
pub const BANK_BYTES_NEAR: usize = 576 << 10;
/// The same for each millisecond of the way to the farthest node beyond [`NEAR`]: what a fast network orders meanwhile.
pub const BANK_BYTES_PER_MS: usize = 64 << 10;
/// Round trips up to this long make no difference: the work on a block takes as long.
pub const NEAR: Duration = Duration::from_millis(10);
/// Interval in which the round trip times of the links are looked at.
pub const DISTANCE_INTERVAL: Duration = Duration::from_secs(1);
/// Looks of which the shortest round trip of a link counts as its length; the others are the queues on it.
pub const DISTANCE_LOOKS: usize = 15;
/// Signatures in one block: bounds the time in which a follower checks it.
pub const SIGNATURES_PER_BLOCK_MAX: usize = 512;
/// Length of the slots of ledger time, in nanoseconds: the first block of a slot is cosigned.
pub const COSIGN_SLOT_NS: u64 = 100_000_000;
/// How long no block must have come before the last one is cosigned, whatever its slot.
pub const COSIGN_QUIET: Duration = Duration::from_millis(50);
/// Interval in which the last cosignature is sent again, for those who missed it.
pub const COSIGN_AGAIN: Duration = Duration::from_secs(1);
/// Blocks that wait to be looked at for cosigning; of what does not fit nothing is cosigned.
pub const SEALED_MAX: usize = 4_096;
/// Cosignatures of one other node that wait to be verified; more are dropped, and sent again.
pub const COSIGNATURES_WAITING_MAX: usize = 32;
/// Cosignatures of one other node that are verified in one second.
pub const COSIGNATURES_PER_SECOND_MAX: u32 = 64;
/// Requests to this node as a witness that wait.
pub const WITNESS_WAITING_MAX: usize = 4;
/// Files of evidence that are kept.
pub const EVIDENCE_FILES_MAX: usize = 64;
/// Ticks after which a submission without an answer is given back as "busy" (its fate is then unknown).
pub const TRACKED_TICKS_MAX: u64 = 100;
/// Ticks between two attempts to pass a submission on to the leader.
pub const FORWARD_AGAIN_TICKS: u64 = 20;
/// What a gateway is told to wait when the node is busy, in milliseconds.
pub const BUSY_RETRY_MS: u32 = 100;
/// How far a leader's time may be ahead of a follower's own clock, in nanoseconds.
pub const TIME_AHEAD_MAX_NS: u64 = 2_000_000_000;
/// Ticks in which a leader whose block was too far ahead is not heard, and gets no vote: time for it
/// to see that it has no majority, and for others to stand.
pub const DEAF_TICKS: u64 = 30;
/// Ticks after which a block too far ahead is taken if an earlier leader left it in the log: nobody
/// without it could be elected in all that time.
pub const LEFT_OVER_TICKS: u64 = 60;
/// Applied blocks kept in memory for subscribers that catch up.
pub const RECENT_BLOCKS_MAX: usize = 1_024;
/// Bytes of applied blocks kept in memory for subscribers that catch up.
pub const RECENT_BYTES_MAX: usize = 16 << 20;
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
/// Submissions that were checked and have not reached the loop.
pub const CHECKED_AHEAD_MAX: usize = 64;
/// Bytes of those submissions.
pub const CHECKED_AHEAD_BYTES_MAX: usize = 1 << 20;
/// How long a submission waits for its bank's share before it is answered "busy" unchecked.
pub const SHARE_WAIT: Duration = Duration::from_millis(500);
/// Bytes of submissions passed on by other nodes that wait for a checking thread; more are dropped, and
/// passed on again later.
pub const PASSED_ON_BYTES_MAX: usize = 32 << 20;
/// Those submissions themselves.
pub const PASSED_ON_MAX: usize = 65_536;
/// Raft messages without blocks that wait to be read, of all peers together. Of one peer there are no
/// more than its credit allows, about a thousand.
pub const CONTROL_FRAMES_MAX: usize = 8_192;
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
/// Free bytes on the disk below which a node takes no new work as leader and hands the lead over.
pub const DISK_LOW_BYTES: u64 = 256 << 20;
/// Free bytes below which a node writes nothing new: room for the log's next segment, and for what
/// was taken already.
pub const DISK_RESERVE_BYTES: u64 = 128 << 20;
/// So much more must be free before a limit counts as passed upwards.
pub const DISK_RETURN_BYTES: u64 = 16 << 20;
/// Pause between two attempts to write something for which the disk had no room.
pub const DISK_FULL_PAUSE: Duration = Duration::from_secs(1);
/// How long a start waits for room on the disk at most before it tries again all the same.
pub const DISK_FULL_PATIENCE: Duration = Duration::from_secs(30);
/// Interval in which the room on the disk is looked at.
pub const DISK_CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// Entries that a node may lack of the log of its leader when it is let vote.
pub const LEARNER_LAG_ENTRIES: u64 = 64;
/// Ticks between two attempts of a leader without room to hand the lead over. An attempt that nobody followed has
/// ended by then, and the peers have been heard again since the leader last forgot whom it hears, which it does
/// each [`ELECTION_TICKS`] after an attempt began: it must not be a multiple of those.
pub const HAND_OVER_AGAIN_TICKS: u64 = 15;
const _: () = assert!(!HAND_OVER_AGAIN_TICKS.is_multiple_of(ELECTION_TICKS as u64));
const _: () = assert!(HAND_OVER_AGAIN_TICKS > ELECTION_TICKS as u64);
/// Requests that wait for the disk reader.
pub const READS_MAX: usize = 4_096;
/// Bytes of blocks gone through in memory at one tick for all subscribers that catch up.
pub const DELIVERIES_BURST_BYTES_MAX: usize = 4 << 20;
/// Bytes of those for one subscriber before it is the turn of the next one.
pub const DELIVERIES_SHARE_BYTES_MAX: usize = 512 << 10;
/// Parts of the directory sent at one tick.
pub const DIRECTORY_PARTS_MAX: usize = 16;
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
/// Requests of peers for pieces of files that wait to be answered.
pub const SERVE_MAX: usize = 64;
/// Bytes of log after which the next snapshot of the state is made, unless configured otherwise.
pub const SNAPSHOT_BYTES: u64 = 128 << 20;
/// The largest snapshot that is fetched from a peer: more than the most accounts there can be need.
pub const STATE_BYTES_MAX: u64 = 16 << 30;
/// Submissions kept that this node checked when it admitted them, until they come back in a block.
pub const ADMITTED_SUBMISSIONS_MAX: usize = 16_384;
/// Bytes of those submissions.
pub const ADMITTED_BYTES_MAX: usize = 16 << 20;
/// Pause between two steps of the scrubber, which reads about 1 MiB a step: up to 860 GB a day.
pub const SCRUB_PAUSE: Duration = Duration::from_millis(100);
/// Attempts to listen for gateways while the socket of a life before is still there, and the pause
/// between two of them: at most three seconds.
pub const LISTEN_ATTEMPTS: usize = 60;
/// See [`LISTEN_ATTEMPTS`].
pub const LISTEN_PAUSE: Duration = Duration::from_millis(50);

/// Ticks between two snapshots that are made because a peer needs one: ten seconds.
pub const SNAPSHOT_WANTED_TICKS: u64 = 200;
