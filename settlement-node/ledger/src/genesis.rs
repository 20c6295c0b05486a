//! The first state: participants, assets, accounts and first money, from a list of commands.
//!
//! Genesis has every authority, so its commands need no signatures; otherwise the same rules apply as later.
//! Ids used here are remembered like all others. The digest of the list is the identity of the network.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::answer::Answer;
use crate::apply::{Authority, Turn};
use crate::batch::CheckedCommand;
use crate::command::Command;
use crate::id::{Digest, LedgerTime, ParticipantNumber};
use crate::ids::{GENESIS_LEAF, OldIds};
use crate::refusal::Refusal;
use crate::state::Ledger;

const GENESIS_DOMAIN: &[u8] = b"corridor genesis";

/// A list of commands that makes no first state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// A command was refused.
    #[error("genesis command {position} ({command}) is refused: {}", .refusal.operator_text())]
    Refused {
        /// Its place in the list, from 0.
        position: usize,
        /// Which command it is.
        command: &'static str,
        /// Why.
        refusal: Refusal,
    },
    /// A command repeats an earlier one with the same id.
    #[error("genesis command {position} ({command}) repeats an earlier one")]
    Repeated {
        /// Its place in the list, from 0.
        position: usize,
        /// Which command it is.
        command: &'static str,
    },
}

impl Ledger {
    /// Makes the first state and seals it.
    ///
    /// # Errors
    /// `GenesisError` naming the first command that is refused or repeated.
    pub fn genesis(time: LedgerTime, commands: &[Command]) -> Result<Self, GenesisError> {
        let mut hash = Sha256::new();
        hash.update(GENESIS_DOMAIN);
        hash.update(time.0.to_le_bytes());
        let mut bytes = Vec::new();
        for command in commands {
            bytes.clear();
            command.encode(&mut bytes);
            hash.update(&bytes);
        }
        let mut ledger = Self::empty(time, Digest(hash.finalize().into()));
        let mut events = Vec::new();
        for (position, command) in commands.iter().enumerate() {
            let turn = Turn {
                authority: Authority::Genesis,
                submitter: ParticipantNumber(0),
                time,
                valid_until: time,
                position: position as u32,
                leaf: GENESIS_LEAF,
            };
            let checked = CheckedCommand::new(command.clone());
            let outcome = ledger.take_turn(&turn, &checked, &OldIds::NONE, &mut events);
            let command = command.name();
            if let Answer::Refused(refusal) = outcome.answer {
                return Err(GenesisError::Refused { position, command, refusal });
            }
            if outcome.original.is_some() {
                return Err(GenesisError::Repeated { position, command });
            }
        }
        ledger.seal_block();
        Ok(ledger)
    }
}
