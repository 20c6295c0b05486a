//! The answer to a command, and what a caller learns with it.
//!
//! An answer is two bytes: 1 settled, 2 to 4 waiting, 100 and above a refusal, never 0. Settled and refused never
//! reverse. A transfer that waits is settled or refused later, once; the record of that is a `Progress`.

use crate::refusal::Refusal;

/// Where a transfer waits that is neither settled nor refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Stage {
    /// Its time has not come; nothing is reserved.
    Warehoused = 2,
    /// Conditions are open; the cover of every debtor that agreed is reserved.
    Held = 3,
    /// It asked to wait for cover; nothing is reserved.
    Queued = 4,
}

impl Stage {
    /// The stage of a number.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            2 => Some(Self::Warehoused),
            3 => Some(Self::Held),
            4 => Some(Self::Queued),
            _ => None,
        }
    }

    /// The stage in one lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warehoused => "warehoused",
            Self::Held => "held",
            Self::Queued => "queued",
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It happened, all of it.
    Settled,
    /// Nothing happened.
    Refused(Refusal),
    /// It was taken and waits: it will be settled or refused, at the latest by its deadline.
    Waiting(Stage),
}

/// The number of `Answer::Settled`.
const SETTLED: u16 = 1;

impl Answer {
    /// The answer as a number: 1 settled, 2 to 4 waiting, 100 and above refused, never 0.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Settled => SETTLED,
            Self::Refused(refusal) => refusal.code(),
            Self::Waiting(stage) => stage as u16,
        }
    }

    /// The answer of a number, `None` for a number that no answer has.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        if code == SETTLED {
            return Some(Self::Settled);
        }
        if let Some(stage) = Stage::from_number(code) {
            return Some(Self::Waiting(stage));
        }
        match Refusal::from_code(code) {
            Some(refusal) => Some(Self::Refused(refusal)),
            None => None,
        }
    }

    /// True when the command happened.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Settled)
    }

    /// True when nothing can follow: settled or refused.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting(_))
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
    pub(crate) const fn first(answer: Answer) -> Self {
        Self { answer, original: None }
    }

    pub(crate) const fn refused(refusal: Refusal) -> Self {
        Self { answer: Answer::Refused(refusal), original: None }
    }
}
