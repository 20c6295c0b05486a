//! Why a transfer waits, and what would let it go on: for the people of the banks that take part in it.

mod text;

use std::collections::BTreeSet;

use crate::answer::Stage;
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::liquidity::{Controls, Usable};
use crate::refusal::Refusal;
use crate::state::Ledger;
use crate::waiting::Waiting;

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
    /// There is cover, but so much of it is reserved for more urgent transfers that this many minor units are missing.
    Reserved {
        /// The account.
        account: AccountNumber,
        /// How much is missing.
        missing: u128,
    },
    /// A limit that an account may not pass: the transfer would, by this many minor units.
    Limit {
        /// The account.
        account: AccountNumber,
        /// Which limit: the refusal that it would be.
        limit: Refusal,
        /// Of a bilateral limit: towards whom.
        towards: Option<ParticipantNumber>,
        /// By how much the transfer would pass it.
        by: u128,
        /// Of a limit within a window: when the window moves on.
        moves_on: Option<LedgerTime>,
    },
}

/// A queued transfer that would bring cover to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    /// The account.
    pub account: AccountNumber,
    /// The transfer.
    pub transfer: TransferId,
    /// Who would pay.
    pub from: ParticipantNumber,
    /// What it would bring in sum, in minor units.
    pub amount: u128,
}

/// How many queued transfers are looked through for what they would bring.
const INCOMING_LOOKED_AT: usize = 4_096;

/// How many of those are named.
const INCOMING_NAMED: usize = 8;

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
            let opening = self.opening(waiting.transfer.legs.as_slice()).unwrap_or(waiting.due);
            obstacles.push(start.map_or(Obstacle::Opening(opening), Obstacle::Start));
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
            if let Some(controls) = self.liquidity.of(effect.account).filter(|_| !reserved) {
                self.limits_in_the_way(waiting, (effect.change, controls), now, &mut obstacles);
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

    /// Reservations and limits of a debited account that stand against a transfer.
    fn limits_in_the_way(
        &self,
        waiting: &Waiting,
        (change, controls): (i128, &Controls),
        now: LedgerTime,
        obstacles: &mut Vec<Obstacle>,
    ) {
        let account = controls.account;
        let found = self.authorised(account);
        let usable = Usable::of(found, Some(controls)).from(waiting.priority);
        let lacking = (-change - found.available().minor()).max(0);
        let missing = -change - usable - lacking;
        if missing > 0 {
            obstacles.push(Obstacle::Reserved { account, missing: missing.unsigned_abs() });
        }
        let mut limit = |limit, towards, by: i128, moves_on| {
            if by > 0 {
                let by = by.unsigned_abs();
                obstacles.push(Obstacle::Limit { account, limit, towards, by, moves_on });
            }
        };
        let whose = [Refusal::VelocityLimit, Refusal::VelocityLimitOfIssuer];
        let beyond = controls.beyond_pace(found.held.minor(), -change, now);
        for ((refusal, by), window) in whose.into_iter().zip(beyond).zip(&controls.velocity) {
            let moves_on = window.as_ref().and_then(|window| window.moves_on(now));
            limit(refusal, None, by, moves_on);
        }
        let parts = [(&waiting.transfer, waiting.priority)];
        for (refusal, towards, by) in self.beyond_position(account, controls, &parts) {
            limit(refusal, towards, by, None);
        }
    }

    /// Queued transfers that would bring cover to the accounts that a waiting transfer lacks some on: at most eight, the
    /// largest first, among the first 4,096 of the queue. Offsetting settles it with them if they are enough.
    #[must_use]
    pub fn incoming_for(&self, id: &TransferId, now: LedgerTime) -> Vec<Incoming> {
        let mut short = BTreeSet::new();
        for obstacle in self.explain(id, now).unwrap_or_default() {
            if let Obstacle::Cover { account, .. } | Obstacle::Reserved { account, .. } = obstacle {
                short.insert(account);
            }
        }
        let (mut found, mut net) = (Vec::new(), Vec::new());
        for (.., slot) in self.waiting.ready().take(INCOMING_LOOKED_AT) {
            let waiting = self.waiting.at(slot);
            let transfer = waiting.transfer.id;
            waiting.transfer.net_effects(&mut net);
            let brings = net.iter().filter(|one| one.change > 0 && short.contains(&one.account));
            for effect in brings.filter(|_| transfer != *id) {
                let from = self.owners_debited(waiting).next().expect("a transfer has legs");
                let (account, amount) = (effect.account, effect.change.unsigned_abs());
                found.push(Incoming { account, transfer, from, amount });
            }
        }
        found.sort_by_key(|one| std::cmp::Reverse(one.amount));
        found.truncate(INCOMING_NAMED);
        found
    }
}
