//! What would settle if something about an account were different. The question changes nothing.

use ledger::{Answer, Cause, Command, Ledger, LedgerTime, Refusal, WhatIf};
use serde::Serialize;

use crate::chain::Chain;

/// A copy of the ledger to ask beside the path of payments.
pub struct Copied {
    /// Height at which it was copied.
    pub height: u64,
    /// Ledger time of that block.
    pub time: LedgerTime,
    /// Everything but ids and hashes.
    pub ledger: Ledger,
}

/// What would become of queued transfers in one block.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIfView {
    /// Height whose state was asked.
    pub height: u64,
    /// How many would settle.
    pub settle: usize,
    /// Transfers that would settle or be released, in that order.
    pub transfers: Vec<WouldView>,
}

/// What would become of one transfer.
#[derive(Clone, Debug, Serialize)]
pub struct WouldView {
    /// Its id.
    pub uetr: String,
    /// `settled`, `released`, or where it would wait.
    pub answer: &'static str,
    /// Why it would be released.
    pub reason: Option<&'static str>,
    /// Those with the same number would settle together.
    pub together: Option<u32>,
}

/// The change that a command would make; none for commands that change no liquidity.
#[must_use]
pub fn change(command: &Command) -> Option<WhatIf> {
    Some(match command {
        Command::SetFloor(set) => WhatIf::Floor { account: set.account, floor: set.floor },
        Command::SetReservation(set) => {
            WhatIf::Reservation { account: set.account, priority: set.priority, amount: set.amount }
        }
        Command::SetLimit(set) => {
            WhatIf::Limit { account: set.account, by: set.by, limit: set.limit }
        }
        Command::Issue(issue) => {
            WhatIf::Incoming { account: issue.account, amount: issue.amount.minor() }
        }
        _ => return None,
    })
}

/// Copies what the question needs.
#[must_use]
pub fn copied(chain: &Chain) -> Copied {
    let ledger = chain.ledger().without_ids();
    Copied { height: chain.height().0, time: chain.time(), ledger }
}

/// Answers the question.
///
/// # Errors
/// The refusal that the command for such a change would get, signatures aside.
pub fn what_if(copied: &Copied, change: &WhatIf) -> Result<WhatIfView, Refusal> {
    let found = copied.ledger.what_if(change, copied.time)?;
    let settle = found.iter().filter(|one| one.answer.is_settled()).count();
    let transfers = found.iter().map(|one| WouldView {
        uetr: one.id.to_string(),
        answer: match one.answer {
            Answer::Settled => "settled",
            Answer::Refused(_) => "released",
            Answer::Waiting(stage) => stage.name(),
        },
        reason: match one.answer {
            Answer::Refused(refusal) => Some(refusal.operator_text()),
            Answer::Settled | Answer::Waiting(_) => None,
        },
        together: match one.cause {
            Cause::Together(number) => Some(number),
            _ => None,
        },
    });
    Ok(WhatIfView { height: copied.height, settle, transfers: transfers.collect() })
}
