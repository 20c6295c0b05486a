//! Why a transfer waits, and what would let it go on: for the people of the banks that take part in it.

use crate::answer::Stage;
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::state::Ledger;

/// One thing that a waiting transfer waits for. When none is left it settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Its time has not come.
    Start(LedgerTime),
    /// An asset of it is closed until then.
    Opening(LedgerTime),
    /// A condition is open: its number in the transfer's list.
    Condition(usize),
    /// A debtor has not agreed.
    Agreement(ParticipantNumber),
    /// An account that it debits lacks this many minor units.
    Cover {
        /// The account.
        account: AccountNumber,
        /// How much is missing; for a transfer that settles alone.
        missing: u128,
    },
    /// A transfer of higher priority waits for an account that it debits.
    Behind {
        /// The account.
        account: AccountNumber,
        /// The first of those.
        transfer: TransferId,
    },
}

impl Ledger {
    /// What a waiting transfer waits for at this time; `None` when no transfer of this id waits.
    ///
    /// Cover is that of now: other transfers may take or bring some. Offsetting may release it although cover is
    /// missing here.
    #[must_use]
    pub fn explain(&self, id: &TransferId, now: LedgerTime) -> Option<Vec<Obstacle>> {
        let waiting = self.waiting(id)?;
        let mut obstacles = Vec::new();
        if waiting.stage == Stage::Warehoused {
            // Beyond its start it is there because an asset is closed.
            let start = waiting.options().not_before.filter(|start| *start > now);
            obstacles.push(start.map_or(Obstacle::Opening(waiting.due), Obstacle::Start));
        }
        obstacles.extend(waiting.open_conditions(now).map(Obstacle::Condition));
        let mut net = Vec::new();
        waiting.transfer.net_effects(&mut net);
        for effect in net.iter().filter(|effect| effect.change < 0) {
            let account = self.authorised(effect.account);
            let agreed = waiting.agreed(account.owner);
            if !agreed && !obstacles.contains(&Obstacle::Agreement(account.owner)) {
                obstacles.push(Obstacle::Agreement(account.owner));
            }
            let reserved = waiting.stage == Stage::Held && agreed;
            let missing = -effect.change - account.available().minor();
            if !reserved && missing > 0 {
                let missing = missing.unsigned_abs();
                obstacles.push(Obstacle::Cover { account: effect.account, missing });
            }
            let queue = self.waiting.queue(effect.account);
            if let Some((first, _, slot)) = queue.and_then(|queue| queue.first())
                && waiting.stage == Stage::Queued
                && *first < waiting.priority
            {
                let transfer = self.waiting.at(*slot).transfer.id;
                obstacles.push(Obstacle::Behind { account: effect.account, transfer });
            }
        }
        Some(obstacles)
    }
}
