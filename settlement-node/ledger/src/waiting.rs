//! Transfers that wait: warehoused, held or queued, each with a deadline, and when each is to be looked at again.
//!
//! They stand beside the accounts, so that a transfer which settles at once never comes here. The place of a
//! transfer is the lowest that is free; together with the number of places ever used it is part of the state root
//! (`digest.rs`). What can be found by id or by time follows from the places and is not part of it.
//!
//! Nothing here moves money or decides anything: that is `life.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::answer::Stage;
use crate::apply::Authority;
use crate::command::{Command, Condition, Legs, Position, Priority, Transfer, TransferOptions};
use crate::conditions::{Mark, Marks, name_a_signer};
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::limits::{WAITING_MAX, WAITING_PER_PARTICIPANT_MAX};
use crate::queue::Place;

/// A transfer that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The transfer as it was sent, with what the receivers ask who accept what comes (`SetAcceptance`).
    pub transfer: Transfer,
    /// Leaf of its first answer.
    pub leaf: u64,
    /// Who submitted it.
    pub submitter: ParticipantNumber,
    /// Where it waits.
    pub stage: Stage,
    /// Its place among others that wait for the same cover.
    pub priority: Priority,
    /// Its place within the priority: lower is earlier. Given in order of arrival.
    pub order: u64,
    /// When it is looked at again if nobody sends anything: at its start, or just after its deadline.
    pub due: LedgerTime,
    pub(crate) marks: Marks,
}

impl Waiting {
    /// When it is looked at again that waits for its assets to open: then, or when its warning is due before.
    pub(crate) fn due_before(&self, opening: LedgerTime, now: LedgerTime) -> LedgerTime {
        let till = self.options().till.filter(|till| *till > now);
        till.map_or(opening, |till| till.min(opening))
    }

    /// What it asks for. A transfer that waits has asked for something.
    #[must_use]
    pub fn options(&self) -> &TransferOptions {
        self.transfer.options.as_deref().expect("a transfer that waits has options")
    }

    /// The time after which it is released.
    #[must_use]
    pub fn deadline(&self) -> LedgerTime {
        self.options().deadline.expect("a transfer that waits has a deadline")
    }

    /// Its release conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.options().conditions
    }

    /// The numbers of the conditions that are not met at this time, in order.
    pub fn open_conditions(&self, now: LedgerTime) -> impl Iterator<Item = usize> + '_ {
        let each = self.conditions().iter().enumerate();
        each.filter(move |(at, condition)| !self.marks.is_met(*at, condition, now))
            .map(|(at, _)| at)
    }

    pub(crate) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// True when one of the signers is asked to approve.
    pub(crate) fn names_approver(&self, authority: &Authority<'_>) -> bool {
        name_a_signer(self.conditions(), authority)
    }

    /// True when this debtor has agreed: it signed the transfer, or has given the approval that stands for that.
    pub(crate) fn agreed(&self, debtor: ParticipantNumber) -> bool {
        self.agreed_with(&self.marks, debtor)
    }

    pub(crate) fn agreed_with(&self, marks: &Marks, debtor: ParticipantNumber) -> bool {
        agreed(self.conditions(), marks, debtor)
    }

    /// The next time at which something may change without a command.
    pub(crate) fn next_due(&self, now: LedgerTime) -> LedgerTime {
        let mut due = self.deadline().0.saturating_add(1);
        if self.stage == Stage::Warehoused
            && let Some(start) = self.options().not_before
        {
            due = due.min(start.0);
        }
        if let Some(till) = self.options().till.filter(|till| *till > now) {
            due = due.min(till.0);
        }
        for condition in self.conditions() {
            if let Condition::NotBefore(time) = condition
                && *time > now
            {
                due = due.min(time.0);
            }
        }
        LedgerTime(due)
    }

    /// The canonical bytes: leaf u64, submitter u32, stage u8, priority u8, order u64, due u64, number of conditions
    /// u8, met and against u16 each, then the length u16 and the canonical bytes of the transfer.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.leaf.to_le_bytes());
        out.extend_from_slice(&self.submitter.0.to_le_bytes());
        out.push(self.stage as u8);
        out.push(self.priority as u8);
        out.extend_from_slice(&self.order.to_le_bytes());
        out.extend_from_slice(&self.due.0.to_le_bytes());
        out.push(self.marks.as_slice().len() as u8);
        for Mark { met, against } in self.marks.as_slice() {
            out.extend_from_slice(&met.to_le_bytes());
            out.extend_from_slice(&against.to_le_bytes());
        }
        let length_at = out.len();
        out.extend_from_slice(&[0; 2]);
        Command::Transfer(self.transfer.clone()).encode(out);
        let length = (out.len() - length_at - 2) as u16;
        out[length_at..length_at + 2].copy_from_slice(&length.to_le_bytes());
    }
}

/// True when a debtor has agreed to a transfer with these conditions: none asks for its approval and lacks it.
pub(crate) fn agreed(conditions: &[Condition], marks: &Marks, debtor: ParticipantNumber) -> bool {
    let lacks = |(at, condition): (usize, &Condition)| {
        matches!(condition, Condition::Approval { participant } if *participant == debtor)
            && marks.as_slice()[at].met == 0
    };
    !conditions.iter().enumerate().any(lacks)
}

/// The queues that a transfer stands in.
#[derive(Debug, Clone)]
struct Standing {
    place: Place,
    accounts: Vec<AccountNumber>,
}

/// The order of the first arrival: the middle, so that others can be moved before it.
pub(crate) const ORDER_START: u64 = 1 << 63;

/// All transfers that wait.
#[derive(Debug, Clone)]
pub(crate) struct WaitingTable {
    slots: Vec<Option<Arc<Waiting>>>,
    free: BTreeSet<u32>,
    by_id: BTreeMap<TransferId, u32>,
    due: BTreeSet<(LedgerTime, u32)>,
    by_submitter: BTreeMap<ParticipantNumber, u32>,
    /// Places to hash again.
    pub(crate) touched: BTreeSet<u32>,
    /// The order of the next that arrives, and of the next that is moved to the front.
    pub(crate) next_order: u64,
    pub(crate) first_order: u64,
    /// Who waits for the cover of each account; and all of those.
    queues: BTreeMap<AccountNumber, BTreeSet<Place>>,
    ready: BTreeSet<Place>,
    standing: BTreeMap<u32, Standing>,
    /// How many of those with one leg go from an account to another.
    between: BTreeMap<(AccountNumber, AccountNumber), u32>,
    /// Accounts whose queue is to be looked at when the block is closed.
    pub(crate) to_release: BTreeSet<AccountNumber>,
    /// Something has changed since offsetting was last tried, and when that was (0: never).
    pub(crate) offset_wanted: bool,
    pub(crate) last_offset: LedgerTime,
}

impl Default for WaitingTable {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: BTreeSet::new(),
            by_id: BTreeMap::new(),
            due: BTreeSet::new(),
            by_submitter: BTreeMap::new(),
            touched: BTreeSet::new(),
            next_order: ORDER_START,
            first_order: ORDER_START - 1,
            queues: BTreeMap::new(),
            ready: BTreeSet::new(),
            standing: BTreeMap::new(),
            between: BTreeMap::new(),
            to_release: BTreeSet::new(),
            offset_wanted: false,
            last_offset: LedgerTime(0),
        }
    }
}

impl WaitingTable {
    /// True when this participant may have another transfer wait.
    pub(crate) fn has_room(&self, submitter: ParticipantNumber) -> bool {
        let own = self.by_submitter.get(&submitter).copied().unwrap_or(0);
        self.by_id.len() < WAITING_MAX && own < WAITING_PER_PARTICIPANT_MAX
    }

    /// Puts a transfer on the lowest free place.
    pub(crate) fn insert(&mut self, waiting: Waiting) -> u32 {
        let slot = self.free.pop_first().unwrap_or(self.slots.len() as u32);
        self.insert_at(slot, waiting);
        slot
    }

    /// Puts a transfer on a place that is free or beyond the last.
    pub(crate) fn insert_at(&mut self, slot: u32, waiting: Waiting) {
        self.reserve_slots(slot + 1);
        self.free.remove(&slot);
        self.by_id.insert(waiting.transfer.id, slot);
        *self.by_submitter.entry(waiting.submitter).or_default() += 1;
        self.due.insert((waiting.due, slot));
        self.touched.insert(slot);
        self.slots[slot as usize] = Some(Arc::new(waiting));
    }

    /// Makes places up to `count`, all free: those used before and empty now.
    pub(crate) fn reserve_slots(&mut self, count: u32) {
        for slot in self.slots.len() as u32..count {
            self.slots.push(None);
            self.free.insert(slot);
        }
    }

    /// Takes a transfer out.
    pub(crate) fn remove(&mut self, slot: u32) -> Arc<Waiting> {
        let waiting = self.slots[slot as usize].take().expect("a place that is in use");
        self.due.remove(&(waiting.due, slot));
        self.by_id.remove(&waiting.transfer.id);
        let own = self.by_submitter.get_mut(&waiting.submitter).expect("counted when it came");
        *own -= 1;
        if *own == 0 {
            self.by_submitter.remove(&waiting.submitter);
        }
        self.free.insert(slot);
        self.touched.insert(slot);
        waiting
    }

    pub(crate) fn slot_of(&self, id: &TransferId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn get(&self, id: &TransferId) -> Option<&Waiting> {
        self.slot_of(id).map(|slot| self.at(slot))
    }

    /// The transfer on a place that is in use.
    pub(crate) fn at(&self, slot: u32) -> &Waiting {
        self.slots[slot as usize].as_ref().expect("a place that is in use")
    }

    /// The same, to be kept while the table changes.
    pub(crate) fn shared(&self, slot: u32) -> Arc<Waiting> {
        Arc::clone(self.slots[slot as usize].as_ref().expect("a place that is in use"))
    }

    fn change(&mut self, slot: u32, change: impl FnOnce(&mut Waiting)) {
        let waiting = self.slots[slot as usize].as_mut().expect("a place that is in use");
        change(Arc::make_mut(waiting));
        self.touched.insert(slot);
    }

    pub(crate) fn set_marks(&mut self, slot: u32, marks: Marks) {
        self.change(slot, |waiting| waiting.marks = marks);
    }

    pub(crate) fn set_stage(&mut self, slot: u32, stage: Stage) {
        self.change(slot, |waiting| waiting.stage = stage);
    }

    /// Moves a transfer to a place in a priority.
    pub(crate) fn set_place(&mut self, slot: u32, priority: Priority, position: Position) {
        // 2^63 moves either way are more than there will ever be.
        let order = match position {
            Position::Keep => self.at(slot).order,
            Position::First => {
                self.first_order -= 1;
                self.first_order + 1
            }
            Position::Last => {
                self.next_order += 1;
                self.next_order - 1
            }
        };
        self.change(slot, |waiting| {
            waiting.priority = priority;
            waiting.order = order;
        });
    }

    /// The queue of an account; none where nobody waits for it.
    pub(crate) fn queue(&self, account: AccountNumber) -> Option<&BTreeSet<Place>> {
        self.queues.get(&account)
    }

    /// All that wait for cover alone, in queue order.
    pub(crate) fn ready(&self) -> impl Iterator<Item = Place> + '_ {
        self.ready.iter().copied()
    }

    pub(crate) fn nothing_queued(&self) -> bool {
        self.ready.is_empty()
    }

    /// True when the transfer stands in the queues on this place.
    pub(crate) fn stands_at(&self, place: Place) -> bool {
        self.ready.contains(&place)
    }

    /// Counts a transfer of one leg that comes to stand in the queues; `dequeue` takes it out again.
    pub(crate) fn count_between(&mut self, debit: AccountNumber, credit: AccountNumber) {
        *self.between.entry((debit, credit)).or_default() += 1;
    }

    /// True when a transfer of one leg between these accounts waits for cover alone.
    pub(crate) fn has_one_between(&self, debit: AccountNumber, credit: AccountNumber) -> bool {
        self.between.contains_key(&(debit, credit))
    }

    /// Lets a transfer stand in the queue of an account, which is looked at when the block is closed.
    pub(crate) fn enqueue(&mut self, account: AccountNumber, place: Place) {
        self.queues.entry(account).or_default().insert(place);
        self.ready.insert(place);
        let standing = self.standing.entry(place.2);
        standing.or_insert(Standing { place, accounts: Vec::new() }).accounts.push(account);
        self.to_release.insert(account);
    }

    /// Takes a transfer out of all queues; returns the accounts for which nobody waits any more. The others are to be
    /// looked at: somebody may have waited behind it.
    pub(crate) fn dequeue(&mut self, slot: u32) -> Vec<AccountNumber> {
        let Some(Standing { place, mut accounts }) = self.standing.remove(&slot) else {
            return Vec::new();
        };
        self.ready.remove(&place);
        if let Legs::One(leg) = &self.at(slot).transfer.legs {
            let key = (leg.debit, leg.credit);
            if let Some(count) = self.between.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.between.remove(&key);
                }
            }
        }
        accounts.retain(|account| {
            let queue = self.queues.get_mut(account).expect("a queue that somebody stands in");
            queue.remove(&place);
            let empty = queue.is_empty();
            if empty {
                self.queues.remove(account);
                self.to_release.remove(account);
            } else {
                self.to_release.insert(*account);
            }
            empty
        });
        accounts
    }

    /// Looks at the transfer again when something may have changed by itself, from now on.
    pub(crate) fn reschedule(&mut self, slot: u32, now: LedgerTime) {
        let waiting = self.at(slot);
        let (before, next) = (waiting.due, waiting.next_due(now));
        if before != next {
            self.due.remove(&(before, slot));
            self.due.insert((next, slot));
            self.change(slot, |waiting| waiting.due = next);
        }
    }

    /// Looks at the transfer again at this time, which is not after its deadline.
    pub(crate) fn look_again_at(&mut self, slot: u32, time: LedgerTime) {
        let before = self.at(slot).due;
        if before != time {
            self.due.remove(&(before, slot));
            self.due.insert((time, slot));
            self.change(slot, |waiting| waiting.due = time);
        }
    }

    /// The earliest time at which something is due, and where.
    pub(crate) fn first_due(&self) -> Option<(LedgerTime, u32)> {
        self.due.first().copied()
    }

    /// All places in order; `None` where one is free.
    pub(crate) fn slots(&self) -> impl ExactSizeIterator<Item = Option<&Arc<Waiting>>> + '_ {
        self.slots.iter().map(Option::as_ref)
    }

    /// What is on a place; `None` where it is free.
    pub(crate) fn place(&self, slot: u32) -> Option<&Waiting> {
        self.slots[slot as usize].as_deref()
    }

    pub(crate) fn count(&self) -> usize {
        self.by_id.len()
    }
}
