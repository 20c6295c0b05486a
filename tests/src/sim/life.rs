//! What must be true of transfers that wait: a ledger of its own goes through the blocks beside the nodes, and the
//! story of each transfer is kept.
//!
//! A story is one first word, changes, and one end; nothing follows the end, and it does not come after the deadline's
//! block. Who is told of it is said here by the numbers of accounts, not by the node's own rules.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    AccountNumber, Answer, Approver, BatchContext, Command, Condition, Digest, Ledger, LedgerTime,
    OldIds, Outcome, ParticipantNumber, Transfer, TransferId, limits::DUE_PER_BLOCK_MAX,
};
use settlement_node::chain::AppliedBlock;
use wire::{
    client::{Cursor, Delivery, Told},
    genesis::Genesis,
};

/// The most that a bank takes here to accept what comes to an account, in nanoseconds.
pub(super) const ACCEPTED_WITHIN_MAX: u64 = 2_000_000_000;

/// A change of a transfer that waits.
pub(super) struct Change {
    pub(super) height: u64,
    pub(super) leaf: u64,
    pub(super) answer: Answer,
}

/// What became of one transfer, proposal or act that had to wait.
pub(super) struct Story {
    pub(super) command: Command,
    pub(super) first: Delivery,
    pub(super) parties: BTreeSet<usize>,
    pub(super) changes: Vec<Change>,
}

impl Story {
    pub(super) fn end(&self) -> Option<&Change> {
        self.changes.last().filter(|change| change.answer.is_final())
    }

    /// Where it stood at a height.
    pub(super) fn at(&self, height: u64) -> Option<&Change> {
        self.changes.iter().rev().find(|change| change.height <= height)
    }
}

/// All stories, and the ledger that tells them.
pub(super) struct Life {
    pub(super) reference: Ledger,
    pub(super) stories: BTreeMap<TransferId, Story>,
    /// Those without an end.
    pub(super) waiting: BTreeSet<TransferId>,
    /// How many banks hear what everybody is told.
    banks: usize,
}

impl Life {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let reference = genesis.ledger().expect("the genesis is well formed");
        let banks = reference.participants().len();
        Self { reference, stories: BTreeMap::new(), waiting: BTreeSet::new(), banks }
    }

    /// Applies a block as the ledger does; it must come to what the node came to.
    pub(super) fn apply(&mut self, applied: &AppliedBlock) {
        let (height, time) = (applied.height, applied.time);
        let ledger = &mut self.reference;
        ledger.open_block(time);
        if let Some(step) = applied.block.step() {
            ledger.seat_node(step);
        }
        let mut leaf = applied.first_leaf;
        for (prepared, own) in applied.block.submissions.iter().zip(&applied.submissions) {
            let first_leaf = leaf + 1;
            assert_eq!(first_leaf, own.first_leaf);
            let batch = prepared.submission.batch.batch();
            let (mut outcomes, mut events): (Vec<Outcome>, _) = (Vec::new(), Vec::new());
            let context = BatchContext { height, time, first_leaf };
            ledger.apply_batch(&context, batch, &OldIds::NONE, &mut outcomes, &mut events);
            assert_eq!(outcomes, own.outcomes, "block {height:?}");
            leaf = first_leaf + outcomes.len() as u64;
        }
        assert_eq!(ledger.close_block(leaf), applied.progress, "block {height:?}");
        assert_eq!(ledger.take_fx_outputs().exchanges, applied.exchanges, "block {height:?}");
        let root = ledger.seal_block();
        assert_eq!(root, Digest(applied.seal.state_root), "block {height:?}");
    }

    /// A command began to wait.
    pub(super) fn begins(&mut self, command: &Command, first: &Delivery) -> &Story {
        let parties = match command {
            Command::Transfer(transfer) => parties(transfer, first.submitter),
            Command::Issue(issue) => BTreeSet::from([issue.account.0 as usize / 2]),
            Command::Redeem(redeem) => BTreeSet::from([redeem.account.0 as usize / 2]),
            Command::Propose(_) => (0..self.banks).collect(),
            Command::AddKey(add) => BTreeSet::from([add.participant.0 as usize]),
            Command::SetFundingLimit(_) => BTreeSet::new(),
            other => panic!("a {} waits", other.name()),
        };
        let id = command.id().expect("what waits has an id");
        assert!(self.waiting.insert(id), "{id} waits twice");
        let (command, first) = (command.clone(), first.clone());
        let story = Story { command, first, parties, changes: Vec::new() };
        self.stories.entry(id).or_insert(story)
    }

    /// How many transfers wait.
    pub(super) fn transfers_waiting(&self) -> usize {
        let is_transfer =
            |id: &&TransferId| matches!(self.stories[*id].command, Command::Transfer(_));
        self.waiting.iter().filter(is_transfer).count()
    }

    /// The changes of a block, in order, each with what its parties are told.
    pub(super) fn go_on(&mut self, applied: &AppliedBlock) -> Vec<(BTreeSet<usize>, Delivery)> {
        let commands: Vec<_> = applied.commands().collect();
        let first_leaf = applied.first_leaf + (commands.len() + applied.submissions.len()) as u64;
        let mut told = Vec::new();
        for (at, progress) in applied.progress.iter().enumerate() {
            let id = progress.id;
            let story = self.stories.get_mut(&id).expect("what goes on has begun");
            assert!(story.end().is_none(), "{id} ended and goes on: {progress:?}");
            assert_eq!(progress.leaf, story.first.leaf, "{id}");
            let (height, leaf) = (applied.height.0, first_leaf + at as u64);
            story.changes.push(Change { height, leaf, answer: progress.answer });
            if progress.answer.is_final() {
                self.waiting.remove(&id);
            }
            let because = match progress.cause {
                ledger::Cause::Command(leaf) => {
                    let by = commands.iter().find(|one| one.leaf == leaf);
                    let by = by.expect("the command that moved it is in the same block");
                    by.submission.batch.command_bytes(by.position)
                }
                _ => bytes::Bytes::new(),
            };
            let delivery = Delivery {
                cursor: Cursor { height, commands: (commands.len() + at) as u32 + 1 },
                leaf,
                time: applied.time,
                told: Told::Moved { progress: *progress, because },
                document: None,
                ..story.first.clone()
            };
            told.push((story.parties.clone(), delivery));
        }
        if applied.progress.len() < DUE_PER_BLOCK_MAX {
            self.check_deadlines(applied.time);
        }
        told
    }

    /// Whatever waits may still wait.
    fn check_deadlines(&self, now: LedgerTime) {
        for id in &self.waiting {
            let story = &self.stories[id];
            let deadline = match &story.command {
                Command::Transfer(transfer) => {
                    let own = transfer.options.as_ref().and_then(|options| options.deadline);
                    // Without one it waits for the receiver alone.
                    own.unwrap_or(LedgerTime(story.first.time.0 + ACCEPTED_WITHIN_MAX))
                }
                Command::Propose(propose) => propose.expires,
                // A second person has a day.
                _ => LedgerTime(u64::MAX),
            };
            assert!(deadline >= now, "{id} waits after {now:?}");
        }
    }
}

/// Who is told of a transfer that waits: who sent it, pays, is paid, or is asked.
fn parties(transfer: &Transfer, submitter: ParticipantNumber) -> BTreeSet<usize> {
    let mut parties = BTreeSet::from([submitter.0 as usize]);
    for leg in transfer.legs.as_slice() {
        parties.extend([leg.debit.0 as usize / 2, leg.credit.0 as usize / 2]);
    }
    for condition in transfer.options.iter().flat_map(|options| &options.conditions) {
        match condition {
            Condition::Approval { participant } => parties.extend([participant.0 as usize]),
            Condition::Threshold { of, .. } => parties.extend(of.iter().map(|one| match one {
                Approver::Participant(participant) => participant.0 as usize,
                Approver::Key(_) => panic!("no bank here asks for a key"),
            })),
            _ => {}
        }
    }
    parties
}

/// Whether a command that settles credits a bank.
pub(super) fn credits(command: &[u8], bank: usize) -> bool {
    let of = |account: AccountNumber| account.0 as usize / 2 == bank;
    match Command::decode(command) {
        Ok((Command::Transfer(transfer), _)) => {
            transfer.legs.as_slice().iter().any(|leg| of(leg.credit))
        }
        Ok((Command::Exchange(exchange), _)) => of(exchange.credit),
        Ok((Command::ReturnExchange(back), _)) => of(back.credit),
        _ => false,
    }
}
