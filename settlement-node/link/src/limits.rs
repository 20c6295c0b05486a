//! Every limit of this crate in one place: sizes in bytes, times as durations.
//!
//! What a caller may choose (sessions, frame size of clients) is in the configurations; what is
//! here follows from the protocol or from measurements and is the same in each node.

use std::time::Duration;

/// Version of the hello exchange and of the stream layout.
pub const LINK_PROTOCOL_VERSION: u16 = 1;
/// Largest opaque payload of a hello.
pub const HELLO_PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Frame kinds from here to 255 belong to this crate; callers use 1 to 239.
pub const RESERVED_KIND_FIRST: u8 = 240;

/// Frames that may wait on a peer's control lane.
pub const CONTROL_QUEUE_FRAMES: usize = 1024;
/// Bytes that may wait on a peer's control lane.
pub const CONTROL_QUEUE_BYTES: usize = 32 << 20;
/// Frames that may wait on a peer's append lane.
pub const APPEND_QUEUE_FRAMES: usize = 256;
/// Bytes that may wait on a peer's append lane.
pub const APPEND_QUEUE_BYTES: usize = 64 << 20;
/// Frames that may wait in one direction of a client session.
pub const CLIENT_QUEUE_FRAMES: usize = 4096;
/// Bytes that may wait in one direction of a client session (at least two frames always fit).
pub const CLIENT_QUEUE_BYTES: usize = 8 << 20;
/// Sessions that the keys of one name together may hold at the same time.
pub const SESSIONS_PER_NAME_MAX: usize = 64;

/// From the first packet to the end of the hello exchange.
pub(crate) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(3);
/// The same for a client's first round over its servers: the next one may be alive.
pub(crate) const DIAL_TIME_FIRST: Duration = Duration::from_secs(1);
/// How long an orderly close waits for the other side to receive what was queued.
pub(crate) const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);
/// First wait between two attempts to connect.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// Longest wait between two attempts to connect.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A connection that lived this long was a good one: the next wait starts small again.
pub(crate) const GOOD_CONNECTION_TIME: Duration = Duration::from_secs(5);
/// The peer with the higher id lets the other one dial first, so that usually one connection
/// is made and not two.
pub(crate) const DIAL_HEAD_START: Duration = Duration::from_millis(150);
/// Two connections that were made within this time may be the two dials of one meeting; a later
/// one means that the other side has lost the first.
pub(crate) const CROSSED_DIAL_TIME: Duration = Duration::from_secs(2);
/// Redirects of a client are followed at most this often.
pub(crate) const MOVE_INTERVAL: Duration = Duration::from_millis(250);

/// A connection without any packet for this long is dead; keep-alives make sure there are some.
pub(crate) const PEER_IDLE_TIME_MAX: Duration = Duration::from_secs(3);
/// The same at the endpoint for gateways and tools. The shorter of both sides' values counts.
pub(crate) const CLIENT_IDLE_TIME_MAX: Duration = Duration::from_secs(10);
/// The same as wanted by a gateway or tool: how soon it leaves a node that has vanished.
pub(crate) const FAIL_OVER_IDLE_TIME: Duration = Duration::from_millis(1_000);
/// Interval of keep-alive packets on a quiet connection.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_millis(200);
/// Round trip assumed before one was measured.
pub(crate) const INITIAL_RTT: Duration = Duration::from_millis(20);

/// Receive window of one stream between peers.
pub(crate) const PEER_STREAM_WINDOW_BYTES: u32 = 8 << 20;
/// Receive and send window of a peer connection.
pub(crate) const PEER_WINDOW_BYTES: u32 = 32 << 20;
/// Receive window of a client's stream: the largest frame never waits for window.
pub(crate) const CLIENT_STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// Receive and send window of a client connection.
pub(crate) const CLIENT_WINDOW_BYTES: u32 = 8 << 20;
/// Bytes of a session's frames that its owner has not dealt with yet; then it is not read further.
pub(crate) const SESSION_CREDIT_BYTES: usize = 2 << 20;
/// The same for the frames of a peer's control lane: they are small.
pub(crate) const CONTROL_CREDIT_BYTES: usize = 4 << 20;
/// The same for the frames of a peer's append lane.
pub(crate) const APPEND_CREDIT_BYTES: usize = 32 << 20;
/// What each of those frames counts for beside its payload.
pub(crate) const FRAME_CREDIT_BYTES: usize = 4 << 10;
/// Kernel buffer wanted for each direction of a socket; the system may grant less.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// Connection attempts that may wait for the accept loop.
pub(crate) const INCOMING_MAX: usize = 1024;
/// Bytes of early packets kept for all waiting connection attempts together.
pub(crate) const INCOMING_BUFFER_BYTES: u64 = 8 << 20;
/// Bytes of early packets kept for one waiting connection attempt.
pub(crate) const INCOMING_BUFFER_BYTES_EACH: u64 = 64 << 10;
/// Handshakes in progress from which on a new address must first prove that it is real.
pub(crate) const HANDSHAKES_BEFORE_RETRY: usize = 16;
/// Handshakes in progress at most; beyond it attempts are refused.
pub(crate) const HANDSHAKES_MAX: usize = 256;
/// Bytes that a writer takes from its queue for one write.
pub(crate) const WRITE_BATCH_BYTES: usize = 1 << 20;
/// Payload parts up to this size are copied next to their header; larger ones are passed on.
pub(crate) const COPY_BYTES_MAX: usize = 4096;
