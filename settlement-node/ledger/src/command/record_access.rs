//! Recording that somebody reads what a payment says of people, or has destroyed it: who, what, and on what ground.
//!
//! The record stands in the one order before the data is handed out, so that a reader cannot leave no trace; the block has
//! the time. Who must sign: the participant in whose house it is read, and who answers for its staff. The ledger itself
//! keeps nothing but the id, so that a batch sent again records nothing new. Whether the ground is a good one is for
//! auditors. The texts are there for ever and for all nodes: they name a reader and a reason, and no party of a payment.

use crate::apply::Authority;
use crate::id::{Digest, ParticipantNumber, TransferId};
use crate::limits::{ACCESS_GROUND_BYTES_MAX, ACCESS_READER_BYTES_MAX};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// What is done with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Access {
    /// A sealed document is opened for a person.
    Opened = 1,
    /// Data is written to a file or another system.
    Exported = 2,
    /// A question is answered with data of parties.
    Queried = 3,
    /// The keys of a document are destroyed.
    Erased = 4,
}

impl Access {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Exported, Self::Queried, Self::Erased];

    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| *one as u8 == number)
    }

    /// One lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Exported => "exported",
            Self::Queried => "queried",
            Self::Erased => "erased",
        }
    }
}

/// True for one line of 1 to `most` bytes that says something.
pub(super) fn is_text(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

/// Records an access to data of parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAccess {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// In whose house.
    pub participant: ParticipantNumber,
    /// What is done.
    pub access: Access,
    /// The payment, where it is one.
    pub payment: Option<TransferId>,
    /// What is read: the commitment of a document, or SHA-256 of an export or of the words of a question.
    pub what: Digest,
    /// Who reads, as the participant names its people: 1 to 64 bytes of text.
    pub reader: String,
    /// Why that is allowed: 1 to 140 bytes of text.
    pub ground: String,
}

impl RecordAccess {
    /// True when both texts have their lengths and no control characters.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        is_text(&self.reader, ACCESS_READER_BYTES_MAX)
            && is_text(&self.ground, ACCESS_GROUND_BYTES_MAX)
    }

    /// The participant's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// The participant exists; in genesis, where everybody signs, it might not.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let known = ledger.participant(self.participant).is_some();
        if known { Ok(()) } else { Err(Refusal::UnknownParticipant) }
    }
}
