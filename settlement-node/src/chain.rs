//! The applied state: the ledger, the Merkle log over its records, and where both stand.
//!
//! [`Chain::apply`] is the only way forward. It takes checked blocks in the order of the log and is
//! deterministic: the same blocks give the same roots on every node and after every restart.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use ledger::{
    AccountNumber, Answer, BatchContext, Digest, Event as LedgerEvent, Exchanged, Height, Ledger,
    LedgerTime, NodeStep, OldIds, Outcome, ParticipantNumber, Progress, TransferId,
};
use proof::{
    Hash,
    record::{self, Seal},
    tree::Frontier,
};
use wire::{batch::Domain, genesis::Genesis, notice::BankNotice};

use crate::{
    deliver::{self, Parties},
    membership::{Membership, Roster},
    prepare::{OldIdSource, PrepareError, PreparedBlock, PreparedSubmission},
};

/// What became of one submission.
#[derive(Clone, Debug)]
pub struct AppliedSubmission {
    /// The batch's digest.
    pub batch: Digest,
    /// Leaf of its first command.
    pub first_leaf: u64,
    /// One outcome a command.
    pub outcomes: Vec<Outcome>,
}

/// What became of one block.
#[derive(Clone, Debug)]
pub struct AppliedBlock {
    /// Its number, from 1.
    pub height: Height,
    /// Its place in the Raft log.
    pub log_index: u64,
    /// Its ledger time: the leader's time, and later than the block before.
    pub time: LedgerTime,
    /// Leaf of its first record.
    pub first_leaf: u64,
    /// Its submissions in order.
    pub submissions: Vec<AppliedSubmission>,
    /// What became of waiting transfers; each is a record after those of the submissions.
    pub progress: Vec<Progress>,
    /// Banks that take part in each of those.
    pub parties: Vec<Parties>,
    /// At which rates exchanges settled; each is a record after those of the progress.
    pub exchanges: Vec<Exchanged>,
    /// What banks are told although they sent nothing; each is a record after those of the exchanges.
    pub notices: Vec<BankNotice>,
    /// The record that closes it.
    pub seal: Seal,
    /// The block as the log holds it.
    pub bytes: Bytes,
    /// The checked form, for those who read the commands again.
    pub block: std::sync::Arc<PreparedBlock>,
}

/// What a chain is made of when it is read from a snapshot.
pub(crate) struct Restored {
    pub(crate) ledger: Ledger,
    pub(crate) domain: Domain,
    pub(crate) height: Height,
    pub(crate) time: LedgerTime,
    pub(crate) log_index: u64,
    pub(crate) head: crate::checkpoint::Head,
    pub(crate) roster: Roster,
}

/// The applied state of a node.
pub struct Chain {
    ledger: Ledger,
    frontier: Frontier,
    domain: Domain,
    height: Height,
    time: LedgerTime,
    log_index: u64,
    /// Log index of the last block.
    block_index: u64,
    previous_seal: Hash,
    state_root: Digest,
    settled: u64,
    refused: u64,
    runs_released: u64,
    /// Generations of ids below this are runs on disk.
    runs_written: u64,
    /// Seal of the last block; none before the first.
    seal: Option<Seal>,
    /// Reused from block to block, so that a record costs no allocation.
    record: Vec<u8>,
    events: Vec<LedgerEvent>,
    roster: Roster,
    /// Who votes after the last block.
    voters: Arc<BTreeSet<u64>>,
    /// Of each transfer that waits: who is told how it goes on.
    parties: BTreeMap<TransferId, Parties>,
}

impl Chain {
    /// The state before the first block. `table_key` is a secret of this node alone that keeps
    /// its table of ids well spread; it changes no answer and no digest.
    pub fn genesis(
        genesis: &Genesis,
        table_key: [u64; 2],
    ) -> Result<Self, wire::genesis::GenesisError> {
        let mut ledger = genesis.ledger()?;
        ledger.set_id_table_key(table_key);
        let state_root = ledger.seal_block();
        let mut frontier = Frontier::new();
        let mut bytes = Vec::new();
        record::genesis(&mut bytes, &genesis.domain.network, &state_root.0);
        let previous_seal = frontier.append(&bytes);
        let roster = Roster::of(genesis);
        Ok(Self {
            voters: voters_of(&roster, &ledger),
            roster,
            ledger,
            frontier,
            domain: genesis.domain,
            height: Height(0),
            time: genesis.time,
            log_index: 0,
            block_index: 0,
            previous_seal,
            state_root,
            settled: 0,
            refused: 0,
            runs_released: 0,
            runs_written: 0,
            seal: None,
            record: bytes,
            events: Vec::new(),
            parties: BTreeMap::new(),
        })
    }

    /// A chain with a state that was read and checked.
    pub(crate) fn restored(from: Restored) -> Self {
        let Restored { ledger, domain, height, time, log_index, head, roster } = from;
        let parties = waiting_parties(&ledger);
        Self {
            parties,
            voters: voters_of(&roster, &ledger),
            roster,
            ledger,
            frontier: head.frontier,
            domain,
            height,
            time,
            log_index,
            block_index: log_index,
            previous_seal: head.seal.leaf_hash(),
            state_root: Digest(head.seal.state_root),
            settled: head.settled,
            refused: head.refused,
            runs_released: head.runs_below,
            runs_written: head.runs_below,
            seal: Some(head.seal),
            record: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Applies the next block. `old` is asked only when a look-up was done too early to be used.
    ///
    /// # Errors
    /// When the runs on disk cannot be read: the node must stop, nothing was applied.
    pub fn apply(
        &mut self,
        log_index: u64,
        block: std::sync::Arc<PreparedBlock>,
        old: &dyn OldIdSource,
    ) -> Result<AppliedBlock, std::io::Error> {
        let late = self.look_up_again(&block, old)?;
        let height = Height(self.height.0 + 1);
        // Ledger time never stands still or goes back, whatever a leader writes into a block.
        let time = LedgerTime(block.time.0.max(self.time.0.saturating_add(1)));
        let first_leaf = self.frontier.size();
        let mut submissions = Vec::with_capacity(block.submissions.len());
        let mut commands = 0;
        self.ledger.open_block(time);
        let step = block.step();
        if let Some(step) = step {
            self.ledger.seat_node(step);
            self.voters = voters_of(&self.roster, &self.ledger);
        }
        for (number, prepared) in block.submissions.iter().enumerate() {
            let old_ids = late.get(number).map_or(&prepared.old_ids[..], |found| &found[..]);
            let applied = self.apply_submission(height, time, prepared, old_ids);
            commands += applied.outcomes.len();
            submissions.push(applied);
        }
        let progress = self.ledger.close_block(self.frontier.size());
        let mut parties = Vec::with_capacity(progress.len());
        for one in &progress {
            record::progress(&mut self.record, &wire::progress::encode(one));
            self.frontier.append(&self.record);
            self.count(one.answer);
            let of = match one.answer.is_final() {
                true => self.parties.remove(&one.id),
                false => self.parties.get(&one.id).cloned(),
            };
            parties.push(of.unwrap_or_default());
        }
        let outputs = self.ledger.take_fx_outputs();
        let notices = BankNotice::of_block(&outputs, &self.ledger.take_notices());
        let exchanges = outputs.exchanges;
        for one in &exchanges {
            record::exchange(&mut self.record, &wire::exchanged::encode(one));
            self.frontier.append(&self.record);
        }
        for one in &notices {
            record::notice(&mut self.record, &wire::notice::encode(one));
            self.frontier.append(&self.record);
        }
        if let Some(step) = step {
            record::step(&mut self.record, step.node, step.seat as u8);
            self.frontier.append(&self.record);
        }
        self.state_root = self.ledger.seal_block();
        let seal = Seal {
            height: height.0,
            time: time.0,
            first_leaf,
            records: (self.frontier.size() - first_leaf) as u32,
            commands: commands as u32,
            previous: self.previous_seal,
            state_root: self.state_root.0,
        };
        self.previous_seal = self.frontier.append(&seal.encode());
        self.seal = Some(seal);
        self.height = height;
        self.time = time;
        (self.log_index, self.block_index) = (log_index, log_index);
        let bytes = block.bytes.clone();
        Ok(AppliedBlock {
            height,
            log_index,
            time,
            first_leaf,
            submissions,
            progress,
            parties,
            exchanges,
            notices,
            seal,
            bytes,
            block,
        })
    }

    /// Counts what ended; what waits is counted at its end.
    fn count(&mut self, answer: Answer) {
        match answer {
            Answer::Settled => self.settled += 1,
            Answer::Refused(_) => self.refused += 1,
            Answer::Waiting(_) => {}
        }
    }

    /// Looks ids up again where the first look-up missed a run whose ids have since left memory.
    /// That needs a million other ids in between, so it is rare; skipping it would be wrong.
    fn look_up_again(
        &self,
        block: &PreparedBlock,
        old: &dyn OldIdSource,
    ) -> Result<Vec<Vec<(ledger::TransferId, ledger::IdEntry)>>, std::io::Error> {
        if block.submissions.iter().all(|prepared| prepared.runs_seen >= self.runs_released) {
            return Ok(Vec::new());
        }
        let again = |prepared: &PreparedSubmission| {
            PreparedSubmission::find_old(prepared.submission.clone(), old, old.version())
                .map(|found| found.old_ids)
                .map_err(|error| match error {
                    PrepareError::OldIds(error) => error,
                    other => std::io::Error::other(other),
                })
        };
        block.submissions.iter().map(again).collect()
    }

    fn apply_submission(
        &mut self,
        height: Height,
        time: LedgerTime,
        prepared: &PreparedSubmission,
        old_ids: &[(ledger::TransferId, ledger::IdEntry)],
    ) -> AppliedSubmission {
        let verified = &prepared.submission.batch;
        let signed = verified.signed();
        record::batch(&mut self.record, signed.header(), signed.signatures());
        self.frontier.append(&self.record);
        let first_leaf = self.frontier.size();
        // While the log is replayed the runs on disk already know ids that are yet to come: only
        // what was answered before this leaf counts.
        let past =
            |entry: &ledger::IdEntry| entry.leaf < first_leaf || entry.leaf == ledger::GENESIS_LEAF;
        let filtered: Vec<(ledger::TransferId, ledger::IdEntry)>;
        let old_ids = if old_ids.iter().all(|(_, entry)| past(entry)) {
            old_ids
        } else {
            filtered = old_ids.iter().filter(|(_, entry)| past(entry)).copied().collect();
            &filtered[..]
        };
        let mut outcomes = Vec::with_capacity(signed.len());
        self.events.clear();
        self.ledger.apply_batch(
            &BatchContext { height, time, first_leaf },
            verified.batch(),
            &OldIds::new(old_ids),
            &mut outcomes,
            &mut self.events,
        );
        for (position, outcome) in outcomes.iter().enumerate() {
            record::command(
                &mut self.record,
                outcome.answer.code(),
                outcome.original,
                verified.command_slice(position),
            );
            self.frontier.append(&self.record);
            // A repetition gets the first answer again, but settles nothing.
            if outcome.original.is_none() || !outcome.answer.is_settled() {
                self.count(outcome.answer);
            }
            if let (None, Answer::Waiting(_)) = (outcome.original, outcome.answer)
                && let command = &verified.batch().commands[position].command
                && let Some(id) = command.id()
            {
                let owner = owner_in(&self.ledger);
                let parties = deliver::parties(command, verified.batch().submitter, owner);
                self.parties.insert(id, parties);
            }
        }
        AppliedSubmission { batch: signed.digest(), first_leaf, outcomes }
    }

    /// A generation of ids that is full and should be written to disk, if there is one.
    pub fn take_full_generation(&mut self) -> Option<(u64, std::sync::Arc<ledger::Generation>)> {
        self.ledger.take_full_generation()
    }

    /// Frees the memory of a generation whose run is on disk.
    ///
    /// One generation more than necessary stays in memory, so that look-ups which were done before
    /// the run was published practically always remain good.
    pub fn run_written(&mut self, generation: u64) {
        self.runs_written = self.runs_written.max(generation + 1);
        if let Some(before) = generation.checked_sub(1) {
            self.ledger.release_generation(before);
            self.runs_released = self.runs_released.max(generation);
        }
    }

    /// Runs below this number have left memory: for their ids the disk must be asked.
    pub fn runs_released(&self) -> u64 {
        self.runs_released
    }

    /// Generations of ids below this number are runs on disk, whether or not memory holds them too.
    pub fn runs_written(&self) -> u64 {
        self.runs_written
    }

    /// What the log is after the last block.
    pub fn sealed(&self) -> crate::event::Sealed {
        crate::event::Sealed {
            at: wire::cosign::FinalAt { height: self.height.0, size: self.frontier.size() },
            time: self.time,
            previous_seal: self.previous_seal,
            frontier: self.frontier.clone(),
            voters: Arc::clone(&self.voters),
        }
    }

    /// Who is what after the last block.
    pub fn membership(&self) -> Membership {
        Membership::of(&self.roster, &self.ledger)
    }

    /// Whether the state asks for a step of membership.
    pub fn demands(&self, step: NodeStep) -> bool {
        self.membership().demands(&self.roster, &self.ledger, step)
    }

    /// All steps of membership that the state asks for.
    pub fn demanded_steps(&self) -> Vec<NodeStep> {
        self.membership().demanded(&self.roster, &self.ledger)
    }

    /// Seal of the last block; none before the first.
    pub fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// Leaf hash of the last seal, or of the genesis record: what the next seal will name.
    pub fn previous_seal(&self) -> &Hash {
        &self.previous_seal
    }

    /// The Merkle log as far as it is needed to go on with it.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The ledger, for reading.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Network id and epoch.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Number of the last applied block; 0 before the first.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Ledger time of the last applied block.
    pub fn time(&self) -> LedgerTime {
        self.time
    }

    /// Last applied index of the Raft log.
    pub fn log_index(&self) -> u64 {
        self.log_index
    }

    /// Log index of the last applied block; 0 before the first.
    pub fn block_index(&self) -> u64 {
        self.block_index
    }

    /// Notes that an entry without a block was applied.
    pub fn skip(&mut self, log_index: u64) {
        self.log_index = log_index;
    }

    /// Records in the Merkle log.
    pub fn leaves(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the Merkle log.
    pub fn log_root(&self) -> Hash {
        self.frontier.root()
    }

    /// The time from which on a block is needed although nobody sends anything: something waits until then.
    pub fn next_due(&self) -> Option<LedgerTime> {
        self.ledger.next_due()
    }

    /// Digest of the state after the last block.
    pub fn state_root(&self) -> Digest {
        self.state_root
    }

    /// Commands settled since genesis.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Commands refused since genesis.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// Of everything that waits in a ledger: who is told how it goes on.
fn waiting_parties(ledger: &Ledger) -> BTreeMap<TransferId, Parties> {
    let transfers = ledger.all_waiting().map(|one| {
        let owner = owner_in(ledger);
        let banks = deliver::parties_of_transfer(&one.transfer, one.submitter, owner);
        (one.transfer.id, Parties::These(banks.into()))
    });
    let acts = ledger
        .acts()
        .map(|(id, of, command, _)| (*id, deliver::parties(command, of, owner_in(ledger))));
    let proposals = ledger.proposals().map(|(id, _)| (*id, Parties::Everybody));
    transfers.chain(acts).chain(proposals).collect()
}

fn voters_of(roster: &Roster, ledger: &Ledger) -> Arc<BTreeSet<u64>> {
    Arc::new(Membership::of(roster, ledger).voters)
}

fn owner_in(ledger: &Ledger) -> impl Fn(AccountNumber) -> Option<ParticipantNumber> + '_ {
    |number| ledger.account(number).map(|view| view.account.owner)
}
