//! Notices to the owner of an account: its balance has fallen below a floor or risen above a ceiling.
//!
//! Balances are compared when a block is closed, so that what goes out and comes back within a block makes no noise. A
//! notice carries all that a debit or credit notification needs; the caller adds the names.

use crate::amount::Balance;
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber};
use crate::state::Ledger;

/// At which balances a notice is given, and which were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoticeLines {
    /// A notice when less than this is available.
    pub floor: Option<i64>,
    /// A notice when more than this is posted.
    pub ceiling: Option<i64>,
    /// The balance was below the floor when it was last looked at.
    pub below: bool,
    /// The balance was above the ceiling when it was last looked at.
    pub above: bool,
}

impl NoticeLines {
    pub(crate) const fn any(&self) -> bool {
        self.floor.is_some() || self.ceiling.is_some()
    }
}

/// Which line was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Less is available than the floor.
    BelowFloor,
    /// More is posted than the ceiling.
    AboveCeiling,
}

/// A notice to the owner of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// The account.
    pub account: AccountNumber,
    /// Its owner.
    pub owner: ParticipantNumber,
    /// Which line was passed.
    pub kind: NoticeKind,
    /// The line.
    pub line: i64,
    /// What is posted.
    pub posted: Balance,
    /// What is available.
    pub available: Balance,
    /// The time of the block that was closed.
    pub time: LedgerTime,
}

impl Ledger {
    /// The notices of the block that was closed last, by account number; each is given once.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.liquidity.notices)
    }

    /// Compares the balances that changed in this block with the lines of their accounts.
    pub(crate) fn give_notices(&mut self, time: LedgerTime) {
        self.liquidity.notices.clear();
        if self.liquidity.noticed == 0 {
            return;
        }
        let controlled = |at: &&u32| self.accounts[**at as usize].controlled;
        let mut accounts: Vec<u32> = self.touched.iter().filter(controlled).copied().collect();
        accounts.sort_unstable();
        for number in accounts.into_iter().map(AccountNumber) {
            let account = self.accounts[number.0 as usize];
            let Some(lines) = self.liquidity.of(number).map(|controls| controls.notices) else {
                continue;
            };
            let (posted, available) = (account.posted, account.available());
            let below = lines.floor.is_some_and(|floor| available.minor() < i128::from(floor));
            let above = lines.ceiling.is_some_and(|line| posted.minor() > i128::from(line));
            let mut tell = |kind, line: Option<i64>| {
                let line = line.expect("a line that was passed");
                let owner = account.owner;
                let notice = Notice { account: number, owner, kind, line, posted, available, time };
                self.liquidity.notices.push(notice);
            };
            if below && !lines.below {
                tell(NoticeKind::BelowFloor, lines.floor);
            }
            if above && !lines.above {
                tell(NoticeKind::AboveCeiling, lines.ceiling);
            }
            if (below, above) != (lines.below, lines.above) {
                let controls = self.liquidity.of_mut(number);
                controls.notices = NoticeLines { below, above, ..lines };
            }
        }
    }
}
