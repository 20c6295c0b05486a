//! What a bank is told of: the transfers that settle at once and credit one of its accounts, and of those that
//! wait, in which it takes part, that they do and what becomes of them; exchanges that it pays, gets or provides, with
//! their rates; and notices, such as that a balance has passed a line.
//!
//! The same functions serve live blocks and blocks read from the history, so that a gateway sees
//! the same deliveries whether it was connected or not.

use std::sync::Arc;

use bytes::Bytes;
use ledger::{
    AccountNumber, Answer, Approver, Command, Condition, Digest, Exchanged, LedgerTime, Outcome,
    ParticipantNumber, Progress, Transfer,
};
use wire::{
    batch::Submission,
    client::{Cursor, Delivery, Told},
    notice::BankNotice,
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

    /// Who is told of this command in its place: the banks that it credits if it settled here and now, all that take
    /// part in it if it began to wait. Of an exchange that settled they are told with its rates, see [`Ends`].
    pub fn told(&self, owners: &Owners) -> Parties {
        if self.outcome.original.is_some() {
            return Parties::default();
        }
        match (self.outcome.answer, self.command()) {
            (Answer::Settled, Command::Transfer(transfer)) => {
                Parties::These(credited(transfer, owners).into())
            }
            (Answer::Settled, Command::ReturnExchange(back)) => {
                Parties::These(owner(owners, back.credit).into_iter().collect())
            }
            (Answer::Waiting(_), command) => {
                parties(command, self.submitter(), |account| owner(owners, account))
            }
            (Answer::Settled | Answer::Refused(_), _) => Parties::default(),
        }
    }

    /// Bank that submitted it.
    pub fn submitter(&self) -> ParticipantNumber {
        self.submission.batch.batch().submitter
    }

    /// What a bank that [`Applied::told`] names is told.
    pub fn delivery(&self, bank: ParticipantNumber, owners: &Owners) -> Delivery {
        let told = match self.outcome.answer {
            Answer::Waiting(stage) => Told::Waits(stage),
            Answer::Settled | Answer::Refused(_) => Told::Settled,
        };
        Delivery {
            cursor: self.cursor,
            leaf: self.leaf,
            time: self.time,
            submitter: self.submitter(),
            command: self.submission.batch.command_bytes(self.position),
            document: self.document_for(bank, owners),
            told,
        }
    }

    /// What a bank that takes part in this transfer is told when it goes on. `because`: the command that did it.
    pub fn moved(
        &self,
        moved: &Moved<'_>,
        bank: ParticipantNumber,
        owners: &Owners,
        because: Bytes,
    ) -> Delivery {
        let settled = moved.progress.answer.is_settled();
        Delivery {
            cursor: moved.cursor,
            leaf: moved.leaf,
            time: moved.time,
            submitter: self.submitter(),
            command: self.submission.batch.command_bytes(self.position),
            document: if settled { self.document_for(bank, owners) } else { None },
            told: Told::Moved { progress: *moved.progress, because },
        }
    }

    /// What a bank that takes part in this exchange is told. The place is that of the record with its rates.
    fn exchanged(
        &self,
        place: (Cursor, u64),
        exchanged: &Exchanged,
        bank: ParticipantNumber,
        owners: &Owners,
    ) -> Delivery {
        Delivery {
            cursor: place.0,
            leaf: place.1,
            time: self.time,
            submitter: self.submitter(),
            command: self.submission.batch.command_bytes(self.position),
            document: self.document_for(bank, owners),
            told: Told::Exchanged(exchanged.clone()),
        }
    }

    /// Whether a bank pays, gets, sent or provided an exchange.
    fn exchanges_for(
        &self,
        exchanged: &Exchanged,
        bank: ParticipantNumber,
        owners: &Owners,
    ) -> bool {
        let owns = |account: AccountNumber| owner(owners, account) == Some(bank);
        let Command::Exchange(exchange) = self.command() else { return false };
        self.submitter() == bank
            || owns(exchange.debit)
            || owns(exchange.credit)
            || exchanged.fills.iter().any(|fill| owns(fill.sells) || owns(fill.buys))
    }

    /// The document is for those that are credited; nobody else could open it.
    fn document_for(&self, bank: ParticipantNumber, owners: &Owners) -> Option<(Digest, Bytes)> {
        let attachments = &self.submission.attachments;
        let found = attachments
            .binary_search_by_key(&(self.position as u32), |attachment| attachment.position)
            .ok()?;
        let is_credited = match self.command() {
            Command::Transfer(transfer) => credited(transfer, owners).contains(&bank),
            Command::Exchange(exchange) => owner(owners, exchange.credit) == Some(bank),
            Command::ReturnExchange(back) => owner(owners, back.credit) == Some(bank),
            _ => false,
        };
        is_credited.then(|| (attachments[found].salted, attachments[found].sealed.clone()))
    }
}

/// A change of a waiting transfer in its place.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// What became of it.
    pub progress: &'a Progress,
    /// Its place in the history: after all commands of its block.
    pub cursor: Cursor,
    /// Its leaf.
    pub leaf: u64,
    /// Ledger time of the block.
    pub time: LedgerTime,
}

/// What a block ends with, after the changes of what waited: exchanges with their rates, and notices.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// The block's number.
    pub height: u64,
    /// Its ledger time.
    pub time: LedgerTime,
    /// Leaf of the first record after its commands.
    pub first_leaf: u64,
    /// How many changes of what waited come first.
    pub progress: usize,
    /// Exchanges that settled.
    pub exchanges: &'a [Exchanged],
    /// What banks are told although they sent nothing.
    pub notices: &'a [BankNotice],
}

impl Ends<'_> {
    /// What a bank is told of it, in order. Each record has its own place in the history, so that it is told once.
    /// `commands` are all of the block, in order.
    pub fn deliveries(
        &self,
        commands: &[Applied<'_>],
        bank: ParticipantNumber,
        owners: &Owners,
    ) -> Vec<Delivery> {
        let place = |at: usize| {
            let number = (commands.len() + self.progress + at).saturating_add(1);
            let commands = u32::try_from(number).unwrap_or(u32::MAX);
            let leaf = self.first_leaf + (self.progress + at) as u64;
            (Cursor { height: self.height, commands }, leaf)
        };
        let by_leaf = |leaf: u64| {
            let at = commands.binary_search_by_key(&leaf, |one| one.leaf);
            at.ok().map(|at| &commands[at])
        };
        let exchanges = self.exchanges.iter().enumerate().filter_map(|(at, one)| {
            let applied = by_leaf(one.leaf).filter(|by| by.exchanges_for(one, bank, owners))?;
            Some(applied.exchanged(place(at), one, bank, owners))
        });
        let notices = (self.exchanges.len()..).zip(self.notices);
        let notices = notices.filter(|(_, one)| one.bank == bank).map(|(at, one)| Delivery {
            cursor: place(at).0,
            leaf: place(at).1,
            time: self.time,
            submitter: bank,
            command: Bytes::new(),
            document: None,
            told: Told::Notice(*one),
        });
        exchanges.chain(notices).collect()
    }
}

/// Owners of the accounts that a transfer credits, each once.
fn credited(transfer: &Transfer, owners: &Owners) -> Vec<ParticipantNumber> {
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

/// Who is told of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parties {
    /// Every participant.
    Everybody,
    /// These banks, each once.
    These(Arc<[ParticipantNumber]>),
}

impl Default for Parties {
    fn default() -> Self {
        Self::These(Arc::new([]))
    }
}

impl Parties {
    /// Whether a bank is told.
    #[must_use]
    pub fn contains(&self, bank: ParticipantNumber) -> bool {
        match self {
            Self::Everybody => true,
            Self::These(banks) => banks.contains(&bank),
        }
    }
}

/// Who takes part in a command that waits. Of a transfer: its submitter, the owners of its accounts, and those that its
/// conditions name; the holder of a key that should approve is told by one of them. Of money that is created or taken
/// back: the owner of the account. Of a proposal: everybody. This follows from the command and its submitter alone, so that whoever is told by
/// the history is told the same.
pub fn parties(
    command: &Command,
    submitter: ParticipantNumber,
    owner: impl Fn(AccountNumber) -> Option<ParticipantNumber>,
) -> Parties {
    match command {
        Command::Transfer(transfer) => {
            Parties::These(parties_of_transfer(transfer, submitter, owner).into())
        }
        Command::Issue(issue) => Parties::These(owner(issue.account).into_iter().collect()),
        Command::Redeem(redeem) => Parties::These(owner(redeem.account).into_iter().collect()),
        Command::Propose(_) => Parties::Everybody,
        Command::AddKey(add) => Parties::These([add.participant].into()),
        _ => Parties::default(),
    }
}

/// Each once.
pub fn parties_of_transfer(
    transfer: &Transfer,
    submitter: ParticipantNumber,
    owner: impl Fn(AccountNumber) -> Option<ParticipantNumber>,
) -> Vec<ParticipantNumber> {
    let mut banks = vec![submitter];
    let mut add = |bank: Option<ParticipantNumber>| {
        banks.extend(bank.filter(|bank| !banks.contains(bank)));
    };
    for leg in transfer.legs.as_slice() {
        add(owner(leg.debit));
        add(owner(leg.credit));
    }
    approvers(transfer).for_each(|bank| add(Some(bank)));
    banks
}

/// Participants that the conditions of a transfer name; some perhaps more than once.
fn approvers(transfer: &Transfer) -> impl Iterator<Item = ParticipantNumber> + '_ {
    let conditions = transfer.options.iter().flat_map(|options| &options.conditions);
    conditions.flat_map(|condition| {
        let (one, list): (_, &[Approver]) = match condition {
            Condition::Approval { participant } => (Some(*participant), &[]),
            Condition::Threshold { of, .. } => (None, of),
            Condition::KeyApproval { .. }
            | Condition::Preimage { .. }
            | Condition::NotBefore(_) => (None, &[]),
        };
        one.into_iter().chain(list.iter().filter_map(|approver| match approver {
            Approver::Participant(participant) => Some(*participant),
            Approver::Key(_) => None,
        }))
    })
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

/// Walks the changes of waiting transfers of a block in order. `first_leaf` is the leaf of the first of them,
/// `commands` the number of commands in the block.
pub fn moved(
    height: u64,
    time: LedgerTime,
    first_leaf: u64,
    commands: u32,
    progress: &[Progress],
) -> impl Iterator<Item = Moved<'_>> {
    (1..).zip(progress).map(move |(number, progress)| Moved {
        progress,
        cursor: Cursor { height, commands: commands.saturating_add(number) },
        leaf: first_leaf + u64::from(number) - 1,
        time,
    })
}

/// Whether a bank takes part in a command, and so may see it.
pub fn takes_part(command: &Command, bank: ParticipantNumber, owners: &Owners) -> bool {
    let owns = |account: AccountNumber| owner(owners, account) == Some(bank);
    match command {
        Command::Transfer(transfer) => {
            transfer.legs.as_slice().iter().any(|leg| owns(leg.debit) || owns(leg.credit))
                || approvers(transfer).any(|approver| approver == bank)
        }
        Command::Issue(issue) => owns(issue.account),
        Command::Redeem(redeem) => owns(redeem.account),
        Command::Exchange(exchange) => owns(exchange.debit) || owns(exchange.credit),
        Command::ReturnExchange(back) => owns(back.original.credit) || owns(back.credit),
        _ => false,
    }
}
