//! Named limits of what crosses a process boundary, in bytes unless a name says otherwise.

/// One Raft log entry, and so one block.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;
/// A signed batch without its attachments.
pub const BATCH_BYTES_MAX: usize = 700 << 10;
/// A submission: a signed batch with its attachments. Two always leave room for a block header.
pub const SUBMISSION_BYTES_MAX: usize = 960 << 10;
/// Batches in one block.
pub const BATCHES_PER_BLOCK_MAX: usize = 16_384;
/// One sealed document that travels beside a command.
pub const ATTACHMENT_BYTES_MAX: usize = 128 << 10;
/// Signatures on one batch.
pub const SIGNATURES_PER_BATCH_MAX: usize = 16;
/// Entries in one Raft message.
pub const ENTRIES_PER_MESSAGE_MAX: usize = 16_384;
/// Deliveries in one frame.
pub const DELIVERIES_PER_FRAME_MAX: usize = 4_096;
/// Participants, assets and accounts in one answer about the directory.
pub const DIRECTORY_ROWS_MAX: usize = 4_096;
/// A text in an answer, such as the reason of a refusal.
pub const TEXT_BYTES_MAX: usize = 2_048;
/// Longest receipt of a transfer: its record, the path to the root and the cosignatures, as text.
pub const RECEIPT_BYTES_MAX: usize = 256 << 10;
/// A genesis file.
pub const GENESIS_BYTES_MAX: usize = 16 << 20;
