//! What becomes of a transfer after its first answer said that it waits: one line of history each.
//!
//! The ledger collects these while a block is applied and hands them out when the block is closed, in the order in
//! which they happened; each becomes a record of its own. The last one of a transfer is final (`Answer::is_final`)
//! and is remembered for all time under an id derived from the transfer's own (`resolution_id`), like a first answer.
//!
//! Derived ids have the version digit 15, which no UUID has and no command may use from rule version 2 on.

use sha2::{Digest as _, Sha256};

use crate::answer::Answer;
use crate::id::{AccountNumber, ContentDigest, ParticipantNumber, TransferId};

/// A change of a waiting transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The transfer.
    pub id: TransferId,
    /// Leaf of its first answer.
    pub leaf: u64,
    /// Where it stands now: another stage, settled, or refused. After settled or refused nothing follows.
    pub answer: Answer,
    /// What brought it about.
    pub cause: Cause,
}

/// What brought a waiting transfer forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The command in this leaf: an approval, a refusal, a preimage, a cancellation.
    Command(u64),
    /// The time of the block: a start or a deadline was reached.
    Time,
    /// Cover became available.
    Cover,
    /// Offsetting: it settled at the same moment as all others of the block with this number.
    Together(u32),
    /// It still waits at the time at which its sender wanted to be told (`TransferOptions::till`). The answer is the
    /// stage at which it goes on waiting.
    Till,
}

const RESOLUTION_DOMAIN: &[u8] = b"corridor resolution";
const RETURN_DOMAIN: &[u8] = b"corridor return";
const EXCHANGE_DOMAIN: &[u8] = b"corridor exchange";
const EXCHANGE_RETURN_DOMAIN: &[u8] = b"corridor exchange return";
const ERASURE_DOMAIN: &[u8] = b"corridor erasure";

/// The id under which the end of a transfer that waited is remembered; its leaf is that of the `Progress`.
#[must_use]
pub fn resolution_id(id: &TransferId) -> TransferId {
    derived(Sha256::new().chain_update(RESOLUTION_DOMAIN).chain_update(id.0))
}

/// The id under which the sum returned is remembered after return number `number` (from 0) of what the transfer `id`
/// moved from `debit` to `credit`. The content digest of the entry is that sum, little-endian.
#[must_use]
pub fn return_id(
    id: &TransferId,
    debit: AccountNumber,
    credit: AccountNumber,
    number: u8,
) -> TransferId {
    let hash = Sha256::new().chain_update(RETURN_DOMAIN).chain_update(id.0);
    let hash = hash.chain_update(debit.0.to_le_bytes()).chain_update(credit.0.to_le_bytes());
    derived(hash.chain_update([number]))
}

/// The id under which is remembered what an exchange delivered. The content digest of the entry is that amount,
/// little-endian; its leaf is that of the exchange.
#[must_use]
pub fn exchange_id(id: &TransferId) -> TransferId {
    derived(Sha256::new().chain_update(EXCHANGE_DOMAIN).chain_update(id.0))
}

/// The id under which the sum returned is remembered after return number `number` (from 0) of an exchange. The content
/// digest of the entry is that sum, little-endian.
#[must_use]
pub fn exchange_return_id(id: &TransferId, number: u8) -> TransferId {
    derived(
        Sha256::new()
            .chain_update(EXCHANGE_RETURN_DOMAIN)
            .chain_update(id.0)
            .chain_update([number]),
    )
}

/// The id under which is remembered that a participant has destroyed its keys to the document of a transfer. The content
/// digest of the entry is the first half of the certificate's id; its leaf is the certificate's.
#[must_use]
pub fn erasure_id(id: &TransferId, participant: ParticipantNumber) -> TransferId {
    let hash = Sha256::new().chain_update(ERASURE_DOMAIN).chain_update(id.0);
    derived(hash.chain_update(participant.0.to_le_bytes()))
}

fn derived(hash: Sha256) -> TransferId {
    let digest: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] |= 0xf0;
    TransferId(id)
}

/// True for the ids that only the ledger makes.
pub(crate) const fn is_derived(id: &TransferId) -> bool {
    id.0[6] >> 4 == 0x0f
}

/// A number in the place of a content digest.
pub(crate) const fn number_as_content(number: u64) -> ContentDigest {
    ContentDigest(number.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_differ_and_are_recognised() {
        let id = TransferId([7; 16]);
        let (one, two) = (AccountNumber(1), AccountNumber(2));
        let mut all = vec![
            resolution_id(&id),
            return_id(&id, one, two, 0),
            return_id(&id, two, one, 0),
            return_id(&id, one, two, 1),
            resolution_id(&TransferId([8; 16])),
            exchange_id(&id),
            exchange_return_id(&id, 0),
            exchange_return_id(&id, 1),
            erasure_id(&id, ParticipantNumber(0)),
            erasure_id(&id, ParticipantNumber(1)),
        ];
        assert!(all.iter().all(is_derived) && !is_derived(&id));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10);
    }
}
