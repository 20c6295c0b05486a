//! Certificate of erasure: a bank says that it has destroyed every key of its own that opens the document of a payment.
//!
//! Who must sign: the participant whose keys they were. It shows the payment as it was sent; the content digest that was
//! remembered with the payment's id tells whether that is true, so no list of documents is kept. Who owns a credited account
//! is a reader of the sealed bytes, which the nodes keep: it names the sealing key that it destroyed, and that must not be
//! the one to which documents are sealed now. Who only paid sent the document and kept its own copy. That it was erased is
//! remembered under an id derived from payment and participant, for all time: each certifies once.
//!
//! What is checked is that the certificate can be true. That nobody kept a copy is nothing a ledger can know.

use crate::answer::Answer;
use crate::apply::{Authority, Turn};
use crate::batch::CheckedCommand;
use crate::command::{Command, Transfer};
use crate::id::{ContentDigest, Digest, LedgerTime, ParticipantNumber, TransferId};
use crate::ids::{IdEntry, OldIds};
use crate::limits::{ACCESS_GROUND_BYTES_MAX, ACCESS_READER_BYTES_MAX};
use crate::progress::{erasure_id, resolution_id};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::record_access::is_text;

/// Certifies that a participant has destroyed its keys to a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EraseDocument {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// Whose keys were destroyed.
    pub participant: ParticipantNumber,
    /// When they were, by the clock of the participant.
    pub destroyed: LedgerTime,
    /// The X25519 public key of the sealing key that was destroyed, of a reader.
    pub sealing_key: Option<[u8; 32]>,
    /// Who ordered it, as the participant names its people: 1 to 64 bytes of text.
    pub by: String,
    /// Why: 1 to 140 bytes of text.
    pub ground: String,
    /// The payment, as it was sent.
    pub payment: Transfer,
}

impl EraseDocument {
    /// True when both texts have their lengths and no control characters, and the payment has a document.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        is_text(&self.by, ACCESS_READER_BYTES_MAX)
            && is_text(&self.ground, ACCESS_GROUND_BYTES_MAX)
            && self.payment.document.is_some()
    }

    /// What the record of the payment commits to.
    #[must_use]
    pub const fn document(&self) -> Option<Digest> {
        self.payment.document
    }

    /// The participant's signature.
    pub(crate) fn authorise(&self, authority: &Authority<'_>) -> Result<(), Refusal> {
        if authority.includes(self.participant) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Checks all of it and remembers that the document is erased there.
    pub(crate) fn carry_out(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        old: &OldIds<'_>,
    ) -> Result<(), Refusal> {
        let key_now = ledger
            .registry
            .participants
            .get(self.participant.0 as usize)
            .map(|one| one.sealing_key);
        let key_now = key_now.ok_or(Refusal::UnknownParticipant)?;
        let find = |id: &TransferId| ledger.ids.get(id).or_else(|| old.get(id));
        let shown = CheckedCommand::new(Command::Transfer(self.payment.clone())).content;
        let entry = find(&self.payment.id)
            .filter(|entry| entry.content == shown && self.payment.document.is_some())
            .ok_or(Refusal::DocumentUnknown)?;
        let settled = match entry.answer() {
            Answer::Settled => true,
            Answer::Waiting(_) => ledger.end_of(&self.payment.id, old) == Some(Answer::Settled),
            Answer::Refused(_) => false,
        };
        if !settled {
            return Err(Refusal::DocumentUnknown);
        }
        let owns = |number| ledger.hot(number).is_some_and(|one| one.owner == self.participant);
        let legs = self.payment.legs.as_slice();
        let is_reader = legs.iter().any(|leg| owns(leg.credit));
        if !is_reader && !legs.iter().any(|leg| owns(leg.debit)) {
            return Err(Refusal::NotAReader);
        }
        match self.sealing_key {
            Some(_) if !is_reader => return Err(Refusal::NotAReader),
            Some(key) if key == key_now => return Err(Refusal::SealingKeyInUse),
            None if is_reader => return Err(Refusal::SealingKeyInUse),
            _ => {}
        }
        let derived = erasure_id(&self.payment.id, self.participant);
        if find(&derived).is_some() {
            return Err(Refusal::AlreadyErased);
        }
        let content = ContentDigest(
            self.id.0[..8]
                .try_into()
                .expect("an id has 16 bytes, and the first 8 of them are there"),
        );
        let entry = IdEntry { leaf: turn.leaf, code: Answer::Settled.code(), content };
        ledger.ids.insert_derived(&derived, entry);
        Ok(())
    }

    /// The ids whose entries decide about it beside its own.
    pub(crate) fn ids_consulted(&self, each: &mut impl FnMut(TransferId)) {
        each(self.payment.id);
        each(resolution_id(&self.payment.id));
        each(erasure_id(&self.payment.id, self.participant));
    }
}
