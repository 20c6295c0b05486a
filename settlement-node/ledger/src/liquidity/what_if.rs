//! What would settle if something were different: a question that changes nothing.
//!
//! The change is made on a copy of the accounts and of what waits (not of the ids), and the copy closes a block: so the
//! answer follows the very rules of release and offsetting, and its work has their bounds. The copy costs as much as
//! that for a checkpoint; whoever serves many questions asks them beside the path of payments.

use crate::command::{Limit, LimitSetter, Priority, SetFloor, SetLimit, SetReservation};
use crate::digest::HashTree;
use crate::id::{AccountNumber, LedgerTime, TransferId};
use crate::ids::Ids;
use crate::limits::BALANCE_MAX;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Something that might be different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhatIf {
    /// This amount came in.
    Incoming {
        /// The account.
        account: AccountNumber,
        /// How much, in minor units.
        amount: u64,
    },
    /// The account had this credit line.
    Floor {
        /// The account.
        account: AccountNumber,
        /// The lowest balance allowed, in minor units.
        floor: i64,
    },
    /// The account had this reservation.
    Reservation {
        /// The account.
        account: AccountNumber,
        /// Urgent or high.
        priority: Priority,
        /// How much, in minor units.
        amount: u64,
    },
    /// The account had this limit.
    Limit {
        /// The account.
        account: AccountNumber,
        /// Whose limit.
        by: LimitSetter,
        /// Which one, and its value.
        limit: Limit,
    },
}

impl WhatIf {
    const fn account(&self) -> AccountNumber {
        match self {
            Self::Incoming { account, .. }
            | Self::Floor { account, .. }
            | Self::Reservation { account, .. }
            | Self::Limit { account, .. } => *account,
        }
    }
}

impl Ledger {
    /// What would become of queued transfers at this time if this were different: those that would settle, or be
    /// released, in the order in which they would. One block's work; what a block leaves for the next is not in it.
    ///
    /// # Errors
    /// The refusal that the command for such a change would get, signatures aside.
    pub fn what_if(&self, change: &WhatIf, now: LedgerTime) -> Result<Vec<Progress>, Refusal> {
        let account = self.hot(change.account()).ok_or(Refusal::UnknownAccount)?;
        let mut copy = self.without_ids();
        let id = TransferId([0; 16]);
        match *change {
            WhatIf::Incoming { account: number, amount } => {
                account.check_may_receive()?;
                if account.posted.minor() + i128::from(amount) > BALANCE_MAX {
                    return Err(Refusal::AmountTooLarge);
                }
                copy.post(number, i128::from(amount));
            }
            WhatIf::Floor { account, floor } => {
                let set = SetFloor { id, account, floor };
                set.check(&copy)?;
                set.apply(&mut copy);
            }
            WhatIf::Reservation { priority: Priority::Normal, .. } => {
                return Err(Refusal::Malformed);
            }
            WhatIf::Reservation { account, priority, amount } => {
                let set = SetReservation { id, account, priority, amount };
                set.check(&copy)?;
                set.apply(&mut copy);
            }
            WhatIf::Limit { account, by, limit } => {
                let set = SetLimit { id, account, by, limit };
                if !set.is_well_formed() {
                    return Err(Refusal::Malformed);
                }
                set.check(&copy)?;
                set.apply(&mut copy);
            }
        }
        copy.release_queues(now);
        // Offsetting is tried now and then; the question is what it would do.
        copy.waiting.last_offset = LedgerTime(0);
        copy.offset_queues(now);
        Ok(std::mem::take(&mut copy.progress))
    }

    /// A copy that knows no ids and no hashes: good for looking ahead within one block, and for questions that are
    /// answered beside the path of payments. It must never be applied to.
    #[must_use]
    pub fn without_ids(&self) -> Self {
        Self {
            accounts: self.accounts.clone(),
            touched: self.touched.clone(),
            registry: self.registry.clone(),
            ids: Ids::new([0; 2]),
            tree: HashTree::default(),
            names_digest: self.names_digest,
            genesis_time: self.genesis_time,
            genesis_digest: self.genesis_digest,
            root: self.root,
            net: Vec::new(),
            rules: self.rules,
            waiting: self.waiting.clone(),
            waiting_tree: HashTree::default(),
            block_time: self.block_time,
            progress: Vec::new(),
            gov: self.gov.clone(),
            fx: self.fx.clone(),
            liquidity: self.liquidity.clone(),
            liquidity_tree: HashTree::default(),
        }
    }
}
