//! The answer to a command, and what a caller learns with it.
//!
//! An answer is two bytes: 1 for settled, 100 and above for a refusal, never 0. It never reverses.

use crate::refusal::Refusal;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It happened, all of it.
    Settled,
    /// Nothing happened.
    Refused(Refusal),
}

/// The number of `Answer::Settled`.
const SETTLED: u16 = 1;

impl Answer {
    /// The answer as a number: 1 settled, 100 and above refused, never 0.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Settled => SETTLED,
            Self::Refused(refusal) => refusal.code(),
        }
    }

    /// The answer of a number, `None` for a number that no answer has.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            SETTLED => Some(Self::Settled),
            code => match Refusal::from_code(code) {
                Some(refusal) => Some(Self::Refused(refusal)),
                None => None,
            },
        }
    }

    /// True when the command happened.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Settled)
    }
}

/// The answer to one command of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What became of it.
    pub answer: Answer,
    /// When this is a repetition (same id, same content): the leaf of the first time, whose answer this is.
    /// `ids::GENESIS_LEAF` when the id was used in genesis.
    pub original: Option<u64>,
}

impl Outcome {
    pub(crate) const SETTLED: Self = Self { answer: Answer::Settled, original: None };

    pub(crate) const fn refused(refusal: Refusal) -> Self {
        Self { answer: Answer::Refused(refusal), original: None }
    }
}
