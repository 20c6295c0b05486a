//! Whether the log goes on from what this node cosigned last.
//!
//! Checked at each start, after everything that can change what is on the disk: a restart, a cut log, a
//! snapshot that was installed. The cosigned frontier is walked along the history up to the applied state,
//! which it must lead to, leaf by leaf. A node that cosigned more than it has yet is held to it later, see
//! [`Held`].

use proof::record::Seal;
use wire::batch::Domain;

use crate::{
    event::Sealed,
    past::PastBlock,
    store::{
        cosigned::Cosigned,
        history::{HistoryError, HistoryReader},
    },
};

/// Bytes of blocks read in one go.
const SCAN_BYTES: u64 = 2 << 20;

/// Why the log is not known to go on from what was cosigned.
#[derive(Debug, thiserror::Error)]
pub enum ConsistencyError {
    /// The history cannot be read.
    #[error("read the history: {0}")]
    History(#[from] HistoryError),
    /// It does not.
    #[error(
        "this node cosigned the log at {size} leaves, and the log on its disk does not go on from there: {what}; \
         it stops rather than to sign two histories"
    )]
    Other {
        /// Size that was cosigned.
        size: u64,
        /// What differs.
        what: String,
    },
}

/// What the applied state must still show, when it is reached.
#[derive(Debug)]
pub struct Held(Option<Cosigned>);

impl Held {
    /// Compares a block with what was cosigned.
    ///
    /// # Errors
    /// [`ConsistencyError::Other`] when another log has that size, or passes it in the middle of a block.
    pub fn check(&mut self, sealed: &Sealed) -> Result<(), ConsistencyError> {
        let Some(cosigned) = self.0.take_if(|cosigned| sealed.at.size >= cosigned.at.size) else {
            return Ok(());
        };
        if sealed.at == cosigned.at && sealed.frontier == cosigned.frontier {
            return Ok(());
        }
        let what = format!("block {} ends at leaf {}", sealed.at.height, sealed.at.size);
        Err(ConsistencyError::Other { size: cosigned.at.size, what })
    }
}

/// Walks from what was cosigned to the applied state. What is beyond that state is held back.
///
/// # Errors
/// [`ConsistencyError`]: the node must not go on.
pub fn check(
    cosigned: &Cosigned,
    applied: &Sealed,
    history: &HistoryReader,
    domain: &Domain,
) -> Result<Held, ConsistencyError> {
    if cosigned.at.size == 0 {
        return Ok(Held(None));
    }
    if cosigned.at.height > applied.at.height {
        return Ok(Held(Some(cosigned.clone())));
    }
    let other = |what: String| ConsistencyError::Other { size: cosigned.at.size, what };
    let (mut frontier, mut previous) = (cosigned.frontier.clone(), cosigned.previous_seal);
    let mut next = cosigned.at.height + 1;
    while next <= applied.at.height {
        let blocks = history.scan(next, SCAN_BYTES)?;
        if blocks.is_empty() {
            return Err(other(format!("block {next} is missing")));
        }
        for block in blocks.into_iter().take_while(|block| block.height <= applied.at.height) {
            let seal = Seal::decode(&block.seal)
                .ok_or_else(|| other(format!("block {} has no seal", block.height)))?;
            let past = PastBlock::read(&block, domain).map_err(other)?;
            past.append_to(&mut frontier, &seal, &previous).map_err(other)?;
            previous = seal.leaf_hash();
            next = block.height + 1;
        }
    }
    if frontier != applied.frontier || previous != applied.previous_seal {
        return Err(other(format!("it leads to another root at {} leaves", applied.at.size)));
    }
    Ok(Held(None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{path::Path, sync::Arc};

    use ledger::LedgerTime;
    use proof::tree::Frontier;
    use wire::cosign::FinalAt;

    use super::*;
    use crate::store::{
        history::{History, HistoryOptions},
        vfs::{MemVfs, Vfs},
    };

    fn sealed(height: u64, size: u64, seed: u8) -> Sealed {
        let mut frontier = Frontier::new();
        for leaf in 0..size {
            frontier.append(&[&leaf.to_le_bytes()[..], &[seed]].concat());
        }
        let at = FinalAt { height, size };
        Sealed {
            at,
            time: LedgerTime(height),
            previous_seal: [seed; 32],
            frontier,
            voters: Arc::default(),
        }
    }

    fn cosigned(from: &Sealed) -> Cosigned {
        let Sealed { at, previous_seal, frontier, .. } = from.clone();
        Cosigned { at, previous_seal, frontier }
    }

    fn checked(last: &Cosigned, applied: &Sealed) -> Result<Held, ConsistencyError> {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let history = History::open(vfs, Path::new("history"), HistoryOptions::default()).unwrap();
        let domain = Domain { network: [1; 32], epoch: 1 };
        check(last, applied, &history.reader(), &domain)
    }

    #[test]
    fn the_same_log_goes_on_and_another_one_stops_the_node() {
        let applied = sealed(5, 30, 1);
        assert!(checked(&cosigned(&applied), &applied).is_ok());
        let none = Cosigned { at: FinalAt::default(), ..cosigned(&sealed(0, 0, 0)) };
        assert!(checked(&none, &applied).is_ok(), "nothing was cosigned");
        for other in [sealed(5, 30, 2), sealed(5, 31, 1)] {
            let refused = checked(&cosigned(&other), &applied).unwrap_err();
            assert!(refused.to_string().contains("stops rather than to sign two histories"));
        }
        // Blocks between the two are needed, and are not there.
        let refused = checked(&cosigned(&sealed(4, 20, 1)), &applied).unwrap_err();
        assert!(refused.to_string().contains("block 5 is missing"), "{refused}");
    }

    #[test]
    fn what_is_ahead_is_held_until_it_is_reached() {
        let last = cosigned(&sealed(7, 40, 1));
        let begin = || checked(&last, &sealed(5, 30, 1)).unwrap();
        let mut held = begin();
        assert!(held.check(&sealed(6, 35, 1)).is_ok());
        assert!(held.check(&sealed(7, 40, 1)).is_ok());
        assert!(held.check(&sealed(8, 45, 9)).is_ok(), "no longer held");
        for other in [sealed(7, 40, 2), sealed(8, 40, 1), sealed(7, 41, 1)] {
            assert!(begin().check(&other).is_err());
        }
    }
}
