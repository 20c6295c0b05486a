//! The tables. Names and layouts are part of the store's format.

use redb::TableDefinition;

/// SHA-256 of a message's bytes → its sequence number.
pub(super) const KEYS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("keys");
/// UETR → message sequence number and position of the transaction that holds the payment.
pub(super) const UETRS: TableDefinition<&[u8; 16], (u64, u32)> = TableDefinition::new("uetrs");
/// UETR of a transaction that brought no payment → sequence number of the first message with it.
/// Tells how the message stands, and nothing else.
pub(super) const NAMED: TableDefinition<&[u8; 16], u64> = TableDefinition::new("named");
/// Message sequence number → [`super::MessageRow`]. Written once.
pub(super) const MESSAGES: TableDefinition<u64, &[u8]> = TableDefinition::new("messages");
/// Place → [`super::TransferRow`]. Written once.
pub(super) const TRANSFERS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("transfers");
/// Place → the fate of the payment, once it is final. Written once.
pub(super) const OUTCOMES: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("outcomes");
/// Message sequence number → [`super::Answer`]. Written once.
pub(super) const ANSWERS: TableDefinition<u64, &[u8]> = TableDefinition::new("answers");
/// Messages without an answer.
pub(super) const OPEN: TableDefinition<u64, ()> = TableDefinition::new("open");
/// Messages that are read piece by piece and not yet accepted: what there is of them is dropped at
/// a start.
pub(super) const STAGED: TableDefinition<u64, ()> = TableDefinition::new("staged");
/// Message sequence number and number of a piece, from 0 → these bytes of a message that was read
/// piece by piece, compressed.
pub(super) const PIECES: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("pieces");
/// Outbox sequence number, from 1 → [`super::OutboxEntry`].
pub(super) const OUTBOX: TableDefinition<u64, &[u8]> = TableDefinition::new("outbox");
/// Number, rising while there are rows → [`super::WantedReceipt`]: receipts that the bank is to be sent.
pub(super) const RECEIPTS: TableDefinition<u64, &[u8]> = TableDefinition::new("receipts-wanted");
/// UETR of a payment to this bank whose document was opened → [`super::Arrived`]. The first one counts.
pub(super) const ARRIVED: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("arrived");
/// UETR of a payment whose document is erased, or is to be → [`super::Erasure`].
pub(super) const ERASED: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("erased");
/// Single values.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// In [`META`]: the cursor up to which deliveries were searched.
pub(super) const META_CURSOR: &str = "delivery-cursor";
/// In [`META`]: the newest outbox entry that was acknowledged over HTTP, as 8 bytes.
pub(super) const META_ACKNOWLEDGED: &str = "outbox-acknowledged";
/// In [`META`]: the newest outbox entry that was written to the folder, as 8 bytes.
pub(super) const META_WRITTEN: &str = "outbox-written";
