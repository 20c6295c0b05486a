//! Which settled transfers a bank is told of: those that credit one of its accounts and that another
//! bank, or itself from another account, has paid.
//!
//! The same function serves live blocks and blocks read from the history, so that a gateway sees
//! the same deliveries whether it was connected or not.

use std::sync::Arc;

use ledger::{AccountNumber, Command, LedgerTime, Outcome, ParticipantNumber};
use wire::{
    batch::Submission,
    client::{Cursor, Delivery},
};

/// Owner of each account by its number. Accounts are never renumbered, so an old copy stays right
/// for the accounts it has.
pub type Owners = Arc<Vec<ParticipantNumber>>;

fn owner(owners: &Owners, account: AccountNumber) -> Option<ParticipantNumber> {
    owners.get(account.0 as usize).copied()
}

/// One command of a block with what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// The submission that holds it.
    pub submission: &'a Submission,
    /// Its position there.
    pub position: usize,
    /// Its place in the history.
    pub cursor: Cursor,
    /// Its leaf.
    pub leaf: u64,
    /// Ledger time of the block.
    pub time: LedgerTime,
    /// Its outcome.
    pub outcome: Outcome,
}

impl<'a> Applied<'a> {
    /// The command.
    pub fn command(&self) -> &'a Command {
        &self.submission.batch.batch().commands[self.position].command
    }

    /// Banks that are credited by this command, if it settled here and now; each once.
    pub fn credited(&self, owners: &Owners) -> Vec<ParticipantNumber> {
        let Command::Transfer(transfer) = self.command() else { return Vec::new() };
        if !self.outcome.answer.is_settled() || self.outcome.original.is_some() {
            return Vec::new();
        }
        let mut banks = Vec::with_capacity(1);
        for leg in transfer.legs.as_slice() {
            if let Some(bank) = owner(owners, leg.credit)
                && !banks.contains(&bank)
            {
                banks.push(bank);
            }
        }
        banks
    }

    /// The delivery of this command.
    pub fn delivery(&self) -> Delivery {
        let attachments = &self.submission.attachments;
        let document = attachments
            .binary_search_by_key(&(self.position as u32), |attachment| attachment.position)
            .ok()
            .map(|found| (attachments[found].salted, attachments[found].sealed.clone()));
        Delivery {
            cursor: self.cursor,
            leaf: self.leaf,
            time: self.time,
            submitter: self.submission.batch.batch().submitter,
            command: self.submission.batch.command_bytes(self.position),
            document,
        }
    }
}

/// Walks the commands of a block in order. `outcomes` has one list a submission; `first_leaf` is the
/// leaf of the block's first record.
pub fn commands<'a>(
    height: u64,
    time: LedgerTime,
    first_leaf: u64,
    submissions: impl Iterator<Item = (&'a Submission, &'a [Outcome])>,
) -> impl Iterator<Item = Applied<'a>> {
    let mut leaf = first_leaf;
    let mut count = 0u32;
    submissions.flat_map(move |(submission, outcomes)| {
        // The batch record comes before its commands.
        let own_first = leaf + 1;
        let own_count = count;
        leaf = own_first + outcomes.len() as u64;
        count += outcomes.len() as u32;
        outcomes.iter().enumerate().map(move |(position, outcome)| Applied {
            submission,
            position,
            cursor: Cursor { height, commands: own_count + position as u32 + 1 },
            leaf: own_first + position as u64,
            time,
            outcome: *outcome,
        })
    })
}

/// Whether a bank takes part in a command, and so may see it.
pub fn takes_part(command: &Command, bank: ParticipantNumber, owners: &Owners) -> bool {
    let owns = |account: AccountNumber| owner(owners, account) == Some(bank);
    match command {
        Command::Transfer(transfer) => {
            transfer.legs.as_slice().iter().any(|leg| owns(leg.debit) || owns(leg.credit))
        }
        Command::Issue(issue) => owns(issue.account),
        Command::Redeem(redeem) => owns(redeem.account),
        _ => false,
    }
}
