//! What must be true: one history for all, and a small model of the ledger that says what it should be.
//!
//! The first node that applies a height says what is in it; the model judges it and everyone else,
//! before and after every restart, must agree with it. Where transfers may wait the judge is a ledger beside
//! the nodes (`life.rs`): what it must do is tested against its own model.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledger::{
    Answer, Command, ContentDigest, Digest, Exchange, Ledger, LedgerTime, Outcome, Progress,
    Refusal, Transfer, TransferId, TransferOptions, limits::BALANCE_MAX,
};
use settlement_node::{chain::AppliedBlock, node::Node};
use wire::client::{Cursor, Deliveries, Delivery, Outcomes, Told, TransferFound};

use super::{
    ends::{ends, entries},
    life::{Life, credits},
    network::{FUNDS, floor_of},
    rng::Rng,
};

struct Block {
    bytes: Bytes,
    seal: Vec<u8>,
    time: LedgerTime,
    log_index: u64,
    submissions: Vec<(Digest, u64, Vec<Outcome>)>,
    progress: Vec<Progress>,
}

/// The first answer to an id.
struct First {
    content: ContentDigest,
    answer: Answer,
    leaf: u64,
    height: u64,
}

/// Everything that was ever applied anywhere.
pub(super) struct Truth {
    blocks: Vec<Block>,
    /// State root, log root and leaves at each height that a node was seen at.
    roots: BTreeMap<u64, (Digest, [u8; 32], u64)>,
    ids: BTreeMap<TransferId, First>,
    balances: Vec<i128>,
    /// What each bank is to be told, and where in it money has arrived.
    told: Vec<Vec<Delivery>>,
    credits: Vec<Vec<usize>>,
    /// What waits, where anything may.
    life: Option<Life>,
    /// Batches with a bad signature.
    pub(super) forged: BTreeSet<Digest>,
    pub(super) settled: u64,
    pub(super) refused: u64,
    pub(super) repeated: u64,
}

impl Truth {
    pub(super) fn new(banks: usize, life: Option<Life>) -> Self {
        Self {
            life,
            told: vec![Vec::new(); banks],
            blocks: Vec::new(),
            roots: BTreeMap::new(),
            ids: BTreeMap::new(),
            balances: vec![i128::from(FUNDS); banks * 2],
            credits: vec![Vec::new(); banks],
            forged: BTreeSet::new(),
            settled: 0,
            refused: 0,
            repeated: 0,
        }
    }

    pub(super) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// A node applied a block.
    pub(super) fn applied(&mut self, node: u64, applied: &AppliedBlock) {
        let height = applied.height.0;
        let seal = applied.seal.encode().to_vec();
        if let Some(known) = self.blocks.get(height as usize - 1) {
            assert_eq!(known.bytes, applied.bytes, "node {node} applied another block {height}");
            assert_eq!(known.seal, seal, "node {node} came to another result at block {height}");
            for (known, own) in known.submissions.iter().zip(&applied.submissions) {
                assert_eq!(known.2, own.outcomes, "node {node}: other outcomes at block {height}");
            }
            assert_eq!(known.progress, applied.progress, "node {node}: at block {height}");
            return;
        }
        assert_eq!(height, self.height() + 1, "node {node} left out a block");
        if let Some(last) = self.blocks.last() {
            assert!(applied.time > last.time, "ledger time went back at block {height}");
        }
        if let Some(mut life) = self.life.take() {
            life.apply(applied);
            self.follow(&mut life, applied);
            self.life = Some(life);
        } else {
            for command in applied.commands() {
                self.judge(height, applied.time, &command);
            }
        }
        let submissions = applied.submissions.iter();
        let submissions: Vec<_> =
            submissions.map(|one| (one.batch, one.first_leaf, one.outcomes.clone())).collect();
        for (digest, ..) in &submissions {
            assert!(!self.forged.contains(digest), "a batch with a bad signature was applied");
        }
        let (bytes, time) = (applied.bytes.clone(), applied.time);
        let log_index = applied.log_index;
        let progress = applied.progress.clone();
        self.blocks.push(Block { bytes, seal, time, log_index, submissions, progress });
    }

    /// Says what the outcome of a command should be, and does what it does.
    fn judge(
        &mut self,
        height: u64,
        time: LedgerTime,
        applied: &settlement_node::deliver::Applied<'_>,
    ) {
        let batch = applied.submission.batch.batch();
        let checked = &batch.commands[applied.position];
        let id = checked.command.id().expect("gateways send only commands with ids");
        let submitter = batch.submitter.0;
        let (authorised, effects) = effects_of(&checked.command, submitter);
        let refused = |refusal| Outcome { answer: Answer::Refused(refusal), original: None };
        let expected = if !authorised {
            refused(Refusal::NotAuthorised)
        } else if let Some(first) = self.ids.get(&id) {
            self.repeated += 1;
            if first.content == checked.content {
                Outcome { answer: first.answer, original: Some(first.leaf) }
            } else {
                refused(Refusal::DuplicateId)
            }
        } else {
            let short = |(account, change): (&usize, &i128)| {
                *change < 0 && self.balances[*account] + change < i128::from(floor_of(*account))
            };
            let too_large = |(account, change): (&usize, &i128)| {
                *change > 0 && self.balances[*account] + change > BALANCE_MAX
            };
            let answer = if time > batch.valid_until {
                Answer::Refused(Refusal::ValidityPassed)
            } else if let Some(refusal) = refused_by_options(&checked.command, time) {
                Answer::Refused(refusal)
            } else if effects.iter().any(too_large) {
                Answer::Refused(Refusal::AmountTooLarge)
            } else if effects.iter().any(short) {
                Answer::Refused(Refusal::InsufficientCover)
            } else {
                Answer::Settled
            };
            let (content, leaf) = (checked.content, applied.leaf);
            self.ids.insert(id, First { content, answer, leaf, height });
            Outcome { answer, original: None }
        };
        assert_eq!(applied.outcome, expected, "block {height}, {id}: {:?}", checked.command);
        if !expected.answer.is_settled() {
            self.refused += 1;
        } else if expected.original.is_none() {
            self.settled += 1;
            for (account, change) in &effects {
                self.balances[*account] += change;
            }
            if let Command::Transfer(transfer) = &checked.command {
                let banks: BTreeSet<usize> =
                    transfer.legs.as_slice().iter().map(|leg| leg.credit.0 as usize / 2).collect();
                for bank in banks {
                    self.tell(bank, delivery(applied, Told::Settled));
                }
            }
        }
    }

    fn tell(&mut self, bank: usize, delivery: Delivery) {
        let entries = match delivery.told {
            Told::Exchanged(_) | Told::Notice(_) => entries(&delivery, bank),
            _ => usize::from(delivery.has_settled() && credits(&delivery.command, bank)),
        };
        self.credits[bank].extend(std::iter::repeat_n(self.told[bank].len(), entries));
        self.told[bank].push(delivery);
    }

    /// Notes what a ledger has said of the commands of a block.
    fn follow(&mut self, life: &mut Life, applied: &AppliedBlock) {
        let height = applied.height.0;
        for command in applied.commands() {
            let Outcome { answer, original } = command.outcome;
            let checked = &command.submission.batch.batch().commands[command.position];
            let id = checked.command.id();
            let is_used = match answer {
                Answer::Refused(Refusal::DuplicateId) => false,
                Answer::Refused(refusal) => !refusal.leaves_id_unused(),
                _ => true,
            };
            if let (Some(id), true) = (id, is_used) {
                if let Some(leaf) = original {
                    let first = self.ids.get(&id).expect("what is repeated was there before");
                    assert_eq!((first.leaf, first.answer), (leaf, answer), "{id}");
                    self.repeated += 1;
                    continue;
                }
                let (content, leaf) = (checked.content, command.leaf);
                let known = self.ids.insert(id, First { content, answer, leaf, height });
                assert!(known.is_none(), "{id} was answered twice");
            }
            match answer {
                Answer::Settled => self.settled += 1,
                Answer::Refused(_) => self.refused += 1,
                Answer::Waiting(_) => {}
            }
            match answer {
                // It is told with its rates, at the end of the block.
                Answer::Settled if matches!(checked.command, Command::Exchange(_)) => {}
                Answer::Settled => {
                    let said = delivery(&command, Told::Settled);
                    for bank in 0..self.told.len() {
                        if credits(&said.command, bank) {
                            self.tell(bank, said.clone());
                        }
                    }
                }
                Answer::Waiting(stage) => {
                    let said = delivery(&command, Told::Waits(stage));
                    for bank in life.begins(&checked.command, &said).parties.clone() {
                        self.tell(bank, said.clone());
                    }
                }
                Answer::Refused(_) => {}
            }
        }
        for (parties, said) in life.go_on(applied) {
            match &said.told {
                Told::Moved { progress, .. } if progress.answer.is_settled() => self.settled += 1,
                Told::Moved { progress, .. } if progress.answer.is_final() => self.refused += 1,
                _ => {}
            }
            parties.into_iter().for_each(|bank| self.tell(bank, said.clone()));
        }
        for (bank, said) in ends(applied) {
            if bank < self.told.len() {
                self.tell(bank, said);
            }
        }
    }

    /// How many transfers wait.
    pub(super) fn waiting(&self) -> usize {
        self.life.as_ref().map_or(0, Life::transfers_waiting)
    }

    /// How many have waited, and how many of them have settled.
    pub(super) fn waited(&self) -> [u64; 2] {
        let Some(life) = &self.life else { return [0; 2] };
        let settled = life.stories.values().filter_map(|story| story.end());
        let settled = settled.filter(|end| end.answer.is_settled()).count();
        [life.stories.len() as u64, settled as u64]
    }

    /// Some transfers that wait.
    pub(super) fn some_waiting(&self, rng: &mut Rng) -> Vec<TransferId> {
        const SOME: usize = 8;
        let Some(life) = &self.life else { return Vec::new() };
        let skipped = life.waiting.len().saturating_sub(SOME);
        let skipped = if skipped > 0 { rng.index(skipped) } else { 0 };
        life.waiting.iter().skip(skipped).take(SOME).copied().collect()
    }

    /// A transfer that has credited a bank, and returned nothing itself.
    pub(super) fn some_credit(&self, bank: usize, rng: &mut Rng) -> Option<Transfer> {
        let credits = &self.credits[bank];
        if self.life.is_none() || credits.is_empty() {
            return None;
        }
        let one = &self.told[bank][credits[rng.index(credits.len())]];
        match Command::decode(&one.command) {
            Ok((Command::Transfer(transfer), _)) => {
                let own = transfer.options.as_ref();
                let is_return = own.is_some_and(|options| options.returns.is_some());
                (!is_return).then_some(transfer)
            }
            _ => None,
        }
    }

    /// An exchange that has credited a bank.
    pub(super) fn some_exchange(&self, bank: usize, rng: &mut Rng) -> Option<Exchange> {
        let credits = &self.credits[bank];
        if self.life.is_none() || credits.is_empty() {
            return None;
        }
        let one = &self.told[bank][credits[rng.index(credits.len())]];
        match Command::decode(&one.command) {
            Ok((Command::Exchange(exchange), _)) => Some(exchange),
            _ => None,
        }
    }

    /// The ledger beside the nodes, where there is one.
    pub(super) fn reference(&self) -> Option<&Ledger> {
        self.life.as_ref().map(|life| &life.reference)
    }

    /// A node is at rest: its state must be what it was wherever else this height was reached.
    pub(super) fn state(&mut self, node: &Node) {
        let chain = node.chain();
        let height = chain.height().0;
        let who = node.id();
        assert!(height <= self.height(), "node {who} is ahead of all that was ever applied");
        let own = (chain.state_root(), chain.log_root(), chain.leaves());
        let known = *self.roots.entry(height).or_insert(own);
        assert_eq!(known, own, "node {who} has other roots at height {height}");
        if let Err(violation) = chain.ledger().check_invariants() {
            panic!("node {who} at height {height}: {violation}");
        }
        if height == self.height() {
            for view in chain.ledger().accounts() {
                let number = view.number;
                let (posted, held) = match &self.life {
                    Some(life) => {
                        let of = life.reference.account(number).expect("an account of all");
                        (of.posted.minor(), of.held.minor())
                    }
                    None => (self.balances[number.0 as usize], 0),
                };
                let own = (view.posted.minor(), view.held.minor());
                assert_eq!(own, (posted, held), "account {number} at {height}");
            }
            assert_eq!(chain.ledger().waiting_count(), self.waiting(), "at height {height}");
            assert_eq!(chain.settled(), self.settled, "settled at height {height}");
        }
    }

    /// A gateway is told outcomes: they must be in the block that is named. Returns where that is
    /// in the log.
    pub(super) fn told(&self, outcomes: &Outcomes) -> u64 {
        let height = outcomes.height.0;
        let block = self.blocks.get(height as usize - 1).expect("the block of an answer exists");
        assert_eq!(block.time, outcomes.time);
        let known = block.submissions.iter().find(|one| one.1 == outcomes.first_leaf);
        let known = known.expect("the submission of an answer is in its block");
        assert_eq!((known.0, &known.2), (outcomes.batch, &outcomes.outcomes));
        block.log_index
    }

    /// A node at a height answered a question about an id.
    pub(super) fn found(&self, id: &TransferId, height: u64, found: Option<&TransferFound>) {
        let first = self.ids.get(id).filter(|first| first.height <= height);
        match (first, found) {
            (None, None) => {}
            (Some(first), Some(found)) => {
                assert_eq!((first.answer, first.leaf), (found.answer, found.leaf), "{id}");
                // A block may be too fresh for the history.
                assert!(found.height == 0 || found.height == first.height, "{id}");
                if !found.command.is_empty() {
                    assert_eq!(ContentDigest::of(&found.command), first.content, "{id}");
                }
                let story = self.life.as_ref().and_then(|life| life.stories.get(id));
                assert_eq!(story.is_some(), found.standing.is_some(), "{id}");
                if let (Some(story), Some(standing)) = (story, &found.standing) {
                    let last = story.at(height);
                    let answer = last.map_or(first.answer, |last| last.answer);
                    assert_eq!(standing.answer, answer, "{id} at height {height}");
                    let end = last.filter(|last| last.answer.is_final());
                    let end = end.map(|end| (end.leaf, end.height));
                    assert_eq!(standing.end.as_ref().map(|end| (end.leaf, end.height)), end);
                }
            }
            (first, found) => {
                let first = first.map(|first| (first.height, first.answer));
                panic!("{id} at height {height}: should be {first:?}, is {found:?}");
            }
        }
    }

    /// A bank with this cursor and so many deliveries got more. Returns both as they are now.
    pub(super) fn delivered(
        &self,
        bank: usize,
        mut cursor: Cursor,
        mut count: usize,
        deliveries: &Deliveries,
    ) -> (Cursor, usize) {
        let told = &self.told[bank];
        for item in &deliveries.items {
            assert!(
                item.cursor > cursor,
                "bank {bank} was at {cursor:?} and got {:?} again",
                item.cursor
            );
            let expected = told.get(count).expect("only what happened is delivered");
            assert_eq!(item, expected, "delivery {count} of bank {bank}");
            cursor = item.cursor;
            count += 1;
        }
        let searched = deliveries.searched;
        assert!(searched >= cursor, "bank {bank} was at {cursor:?} and is told {searched:?}");
        let until = told.partition_point(|one| one.cursor <= searched);
        assert_eq!(until, count, "bank {bank} is told that all up to {searched:?} was delivered");
        (searched, count)
    }

    /// How much a bank is to be told.
    pub(super) fn told_to(&self, bank: usize) -> usize {
        self.told[bank].len()
    }

    pub(super) fn credits(&self, bank: usize) -> usize {
        self.credits[bank].len()
    }

    /// What a bank's entry of this number, from 0, was made of.
    pub(super) fn credit(&self, bank: usize, number: usize) -> Option<&Delivery> {
        self.told[bank].get(*self.credits[bank].get(number)?)
    }

    /// When a payment has settled, if it has at some node.
    pub(super) fn settled_at(&self, id: &TransferId) -> Option<LedgerTime> {
        let story = self.life.as_ref().and_then(|life| life.stories.get(id));
        let height = match story {
            Some(story) => story.end().filter(|end| end.answer.is_settled())?.height,
            None => self.ids.get(id).filter(|first| first.answer.is_settled())?.height,
        };
        self.blocks.get(height as usize - 1).map(|block| block.time)
    }
}

/// What is told of a command, with its document: each bank here that is told has the same.
fn delivery(applied: &settlement_node::deliver::Applied<'_>, told: Told) -> Delivery {
    let submission = applied.submission;
    let at = applied.position as u32;
    let document = submission.attachments.iter().find(|one| one.position == at);
    Delivery {
        cursor: applied.cursor,
        leaf: applied.leaf,
        time: applied.time,
        submitter: submission.batch.batch().submitter,
        command: submission.batch.command_bytes(applied.position),
        document: document.map(|one| (one.salted, one.sealed.clone())),
        told,
    }
}

/// What a transfer's own options say to it at this time.
fn refused_by_options(command: &Command, time: LedgerTime) -> Option<Refusal> {
    let Command::Transfer(transfer) = command else { return None };
    let options = transfer.options.as_deref()?;
    let only_deadline =
        TransferOptions { deadline: options.deadline, ..TransferOptions::default() };
    if *options != only_deadline {
        Some(Refusal::RuleNotActive)
    } else if options.deadline.is_some_and(|deadline| time > deadline) {
        Some(Refusal::DeadlinePassed)
    } else {
        None
    }
}

/// Whether the submitter may ask for it, and the change of each account.
fn effects_of(command: &Command, submitter: u32) -> (bool, BTreeMap<usize, i128>) {
    let mut effects = BTreeMap::new();
    let mut authorised = true;
    match command {
        Command::Transfer(transfer) => {
            for leg in transfer.legs.as_slice() {
                let amount = i128::from(leg.amount.minor());
                authorised &= leg.debit.0 / 2 == submitter;
                *effects.entry(leg.debit.0 as usize).or_default() -= amount;
                *effects.entry(leg.credit.0 as usize).or_default() += amount;
            }
        }
        Command::Issue(issue) => {
            authorised = issue.account.0 % 2 == submitter;
            effects.insert(issue.account.0 as usize, i128::from(issue.amount.minor()));
        }
        other => panic!("gateways send no {}", other.name()),
    }
    (authorised, effects)
}
