//! Named limits of the gateway. What a configuration may change has its default here.

use std::time::Duration;

/// Largest message by default, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Largest message that is announced as bulk (`?bulk=true`, or a file of the folder), in bytes. What
/// is larger than [`MESSAGE_BYTES_MAX`] is read one transaction at a time, at most
/// [`translate::BULK_TRANSACTIONS_MAX`] of them.
pub const BULK_BYTES_MAX: usize = 512 << 20;
/// Bulk messages that are read at one time; others wait where they are, on a disk.
pub const BULKS_MAX: usize = 1;
/// Bytes of a bulk message that are read at one time.
pub const BULK_READ_BYTES: usize = 64 << 10;
/// Payments of a bulk message that are staged in one commit.
pub const STAGE_PAYMENTS: usize = 512;
/// Bytes of a bulk message that are staged in one commit.
pub const STAGE_BYTES: usize = 1 << 20;
/// How often a bulk message that is read looks whether there is room for its payments.
pub const BULK_ROOM_INTERVAL: Duration = Duration::from_millis(100);
/// Bulk messages that arrive over HTTP at one time; each is a file until it is staged.
pub const HTTP_SPOOLS_MAX: usize = 4;
/// Time in which the next bytes of a bulk message must arrive over HTTP.
pub const HTTP_SPOOL_IDLE_MAX: Duration = Duration::from_secs(30);
/// Bytes of messages between arrival and their first commit, over all channels.
pub const INTAKE_BYTES_MAX: usize = 64 << 20;
/// Messages between arrival and their answer, over all channels.
pub const OPEN_MESSAGES_MAX: usize = 20_000;
/// Payments that are journalled and not yet answered by the ledger. A bulk message is begun while
/// there are fewer, and may exceed it by its own.
pub const OPEN_PAYMENTS_MAX: usize = 150_000;

/// Commands in one batch: fewer than the ledger allows, so that a block holds several batches.
pub const BATCH_COMMANDS_MAX: usize = 8_000;
/// Bytes of commands and attachments in one batch.
pub const BATCH_CONTENT_BYTES_MAX: usize = 600 << 10;
/// Batches that wait for their outcomes at one time.
pub const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// An unanswered batch is sent again after this time.
pub const BATCH_ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest wait that a node can ask for when it is busy.
pub const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);
/// A payment that no node accepts is offered again after this time.
pub const PARKED_TIME: Duration = Duration::from_secs(30);

/// A node that answers nothing, or has no leader, is left for another after this time.
pub const NODE_PATIENCE: Duration = Duration::from_secs(3);
/// The same after several moves that changed nothing.
pub const NODE_PATIENCE_MAX: Duration = Duration::from_secs(30);
/// Frames that wait for the node.
pub const NODE_QUEUE: usize = 64;
/// Frames of deliveries that wait for the outbox.
pub const DELIVERY_QUEUE: usize = 4;
/// Queries that wait for their answers.
pub const QUERIES_MAX: usize = 1_024;
/// A query without an answer has failed after this time.
pub const QUERY_TIME_MAX: Duration = Duration::from_secs(5);
/// The directory is not asked for more often than this because of an unknown name.
pub const DIRECTORY_REFRESH_INTERVAL: Duration = Duration::from_millis(500);
/// The directory is read in this interval, for sealing keys that have changed.
pub const DIRECTORY_KEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Wait before the next part of the directory when the node wants to give no more for the moment.
pub const DIRECTORY_PART_WAIT: Duration = Duration::from_millis(60);
/// How often that may be while one directory is read: a minute in all.
pub const DIRECTORY_REFUSALS_MAX: u32 = 1_000;
/// The node's status is asked for in this interval.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Writes that wait for the store.
pub const STORE_QUEUE: usize = 8_192;
/// Writes in one commit.
pub const COMMIT_WRITES_MAX: usize = 4_096;
/// Cache of the store, in bytes.
pub const STORE_CACHE_BYTES: usize = 64 << 20;

/// Payments that share one HPKE context before a new one is made.
pub const SEALING_CONTEXT_USES_MAX: u32 = 1_024;
/// Age of an HPKE context before a new one is made.
pub const SEALING_CONTEXT_AGE_MAX: Duration = Duration::from_secs(1);
/// Decapsulated HPKE contexts that are kept for the next document of the same sender.
pub const OPENING_CONTEXTS_MAX: usize = 256;
/// Largest document after decompression, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Outbox entries in one answer.
pub const OUTBOX_PAGE_MAX: usize = 1_000;
/// Bytes of messages in one page of the outbox; a page has at least one entry.
pub const OUTBOX_PAGE_BYTES_MAX: usize = 4 << 20;
/// Longest wait for the next outbox entry.
pub const OUTBOX_WAIT_MAX: Duration = Duration::from_secs(30);

/// Longest wait for a block to become final.
pub const FINAL_WAIT_MAX: Duration = Duration::from_secs(30);

/// HTTP connections at one time.
pub const HTTP_CONNECTIONS_MAX: usize = 1_024;
/// Time to read the body of a request.
pub const HTTP_BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Time in which a bulk message must be journalled that arrived over HTTP.
pub const HTTP_BULK_TIME_MAX: Duration = Duration::from_secs(600);

/// Files of the folder that are worked on at one time.
pub const FOLDER_FILES_MAX: usize = 64;
/// Interval in which the folder is looked at.
pub const FOLDER_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A file that has not changed for this long is complete.
pub const FOLDER_STABLE_TIME: Duration = Duration::from_millis(100);
/// Bytes of a message that is read where it arrives: about a tenth of a millisecond of work.
pub(crate) const AT_ONCE_BYTES_MAX: usize = 16 << 10;
/// What a payment in a report counts for.
pub(crate) const REPORT_BYTES: usize = 1 << 10;
