//! A log applied again from its records: what `verify ledger` and the projection have in common.
//!
//! Records are read, checked and applied at the same time ([`pipeline`]). Nothing is taken on anybody's word: every
//! signature is checked ([`blocks`]), and every answer, progress, exchange, notice, seal and state root must come out
//! as recorded ([`chain`]). What is made of that is for those who watch. All ids stay in memory.

mod blocks;
mod chain;
mod pipeline;

pub(crate) use blocks::CheckedBlock;
pub(crate) use chain::{At, Chain, Watch};
pub(crate) use pipeline::{Part, Read, Records, run};

/// Why it ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The ledger is not what it should be.
    Wrong(String),
    /// It could not be read.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Stop> for anyhow::Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Wrong(wrong) => Self::msg(wrong),
            Stop::Failed(error) => error,
        }
    }
}
