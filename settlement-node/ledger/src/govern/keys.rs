//! The keys of a participant over time.
//!
//! A participant changes its own keys without a vote: it adds one, for now or for later, lets an old one go on beside
//! it, and retires or revokes that. A key belongs to one participant for ever and is live once. Whether a batch is
//! authorised is decided where it is applied, by the keys that are live there: a key that ended is of no use to
//! anybody, whatever was checked before the batch was ordered; and what it signed while it was live stays valid, which
//! the history of each key shows by leaf.
//!
//! A change takes effect with the batch after the one that orders it, or with the first block of its time. No change
//! leaves a participant without a live key: where one ends there must be another that is live by then and has no end;
//! of an issuer whose acts need a second person, two.

use crate::id::{AssetNumber, LedgerTime, ParticipantNumber, PublicKey};
use crate::ids::GENESIS_LEAF;
use crate::limits::{
    KEYS_DUE_PER_BLOCK_MAX, KEYS_EVER_MAX, SIGNING_KEYS_MAX, WAIT_NANOSECONDS_MAX,
};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::Governance;

/// The leaf of what has not happened yet.
pub(crate) const LEAF_NONE: u64 = u64::MAX;

/// How a key ended, or will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyEnd {
    /// Replaced in good order by its owner.
    Retired = 1,
    /// Withdrawn by its owner, who trusts it no longer.
    Revoked = 2,
    /// Withdrawn by vote.
    Replaced = 3,
}

impl KeyEnd {
    /// One word for it: `retired`, `revoked` or `replaced`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
        }
    }

    /// The end of a number in canonical bytes.
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Retired),
            2 => Some(Self::Revoked),
            3 => Some(Self::Replaced),
            _ => None,
        }
    }
}

/// One key of a participant: when it was, is or will be live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRecord {
    /// The Ed25519 key.
    pub key: PublicKey,
    /// Live from this time.
    pub from: LedgerTime,
    /// Batches that begin at this leaf or later may be signed with it; `None` while its time has not come.
    pub from_leaf: Option<u64>,
    /// Live until this time and how it ends, where that is known.
    pub until: Option<(LedgerTime, KeyEnd)>,
    /// Batches that begin at this leaf or later may not be signed with it any more; `None` while it is not over.
    pub until_leaf: Option<u64>,
}

impl KeyRecord {
    const fn live_since(key: PublicKey, from: LedgerTime, leaf: u64) -> Self {
        Self { key, from, from_leaf: Some(leaf), until: None, until_leaf: None }
    }

    /// True when a batch that begins at this leaf may be signed with the key.
    #[must_use]
    pub fn was_live_at(&self, leaf: u64) -> bool {
        self.from_leaf.is_some_and(|from| from <= leaf)
            && self.until_leaf.is_none_or(|until| leaf < until)
    }

    /// When something happens to it by itself.
    const fn next_time(&self) -> Option<LedgerTime> {
        match (self.from_leaf, self.until, self.until_leaf) {
            (None, _, None) => Some(self.from),
            (Some(_), Some((until, _)), None) => Some(until),
            _ => None,
        }
    }
}

impl Governance {
    /// Works out the times of all keys anew.
    pub(super) fn rebuild_key_times(&mut self) {
        self.key_times.clear();
        for (owner, records) in &self.keys {
            for (at, record) in (0u16..).zip(records) {
                self.key_times.extend(record.next_time().map(|time| (time, *owner, at)));
            }
        }
    }

    /// The next time at which a key begins or ends.
    pub(super) fn next_key_time(&self) -> Option<LedgerTime> {
        self.key_times.first().map(|(time, ..)| *time)
    }

    /// Changes one record and what follows from it.
    fn change_key(
        &mut self,
        owner: ParticipantNumber,
        at: u16,
        change: impl FnOnce(&mut KeyRecord),
    ) {
        let Some(record) = self.keys.get_mut(&owner).and_then(|all| all.get_mut(usize::from(at)))
        else {
            return;
        };
        if let Some(time) = record.next_time() {
            self.key_times.remove(&(time, owner, at));
        }
        change(record);
        self.key_times.extend(record.next_time().map(|time| (time, owner, at)));
        self.changed = true;
    }

    /// Writes the leaf of a block's first record to the keys that began or ended with it.
    pub(crate) fn stamp(&mut self, leaf: u64) {
        for (owner, at) in std::mem::take(&mut self.unstamped) {
            self.change_key(owner, at, |record| {
                if record.from_leaf == Some(LEAF_NONE) {
                    record.from_leaf = Some(leaf);
                }
                if record.until_leaf == Some(LEAF_NONE) {
                    record.until_leaf = Some(leaf);
                }
            });
        }
    }
}

impl Ledger {
    /// The keys of a participant, in order of addition; those that it was admitted with first.
    #[must_use]
    pub fn key_history(&self, owner: ParticipantNumber) -> Vec<KeyRecord> {
        match self.gov.keys.get(&owner) {
            Some(records) => records.clone(),
            None => self.first_keys(owner),
        }
    }

    /// True when the participant could sign with the key a batch that begins at this leaf.
    #[must_use]
    pub fn key_was_live(&self, owner: ParticipantNumber, key: &PublicKey, leaf: u64) -> bool {
        let records = self.key_history(owner);
        records.iter().any(|record| record.key == *key && record.was_live_at(leaf))
    }

    /// True when the key is a live key of the participant, which has not been removed.
    pub(crate) fn is_live_key(&self, owner: ParticipantNumber, key: &PublicKey) -> bool {
        let removed = super::ParticipantState::Removed;
        let found = self.registry.participant(owner);
        found.is_some_and(|participant| participant.signing_keys.contains(key))
            && (self.gov.states.is_empty() || self.participant_state(owner) != removed)
    }

    /// True when the key is a live key of some participant.
    pub(crate) fn is_anybodys_live_key(&self, key: &PublicKey) -> bool {
        self.registry.owner_of_key(key).is_some_and(|owner| self.is_live_key(owner, key))
    }

    /// Keys as they are while nothing was changed: live since the beginning.
    fn first_keys(&self, owner: ParticipantNumber) -> Vec<KeyRecord> {
        let keys = self.participant(owner).map_or(&[][..], |found| &found.signing_keys);
        keys.iter().map(|key| KeyRecord::live_since(*key, self.genesis_time, 0)).collect()
    }

    fn records_of(&mut self, owner: ParticipantNumber) -> &mut Vec<KeyRecord> {
        let first = self.first_keys(owner);
        self.gov.changed = true;
        self.gov.keys.entry(owner).or_insert(first)
    }

    /// Notes the keys of a participant that was admitted by vote: live from this leaf on.
    pub(super) fn note_admission(&mut self, owner: ParticipantNumber, leaf: u64) {
        let now = self.block_time;
        for record in self.records_of(owner) {
            *record = KeyRecord::live_since(record.key, now, leaf_after(leaf));
        }
    }

    /// How many keys without an end the participant needs by the rules.
    pub(crate) fn keys_needed(&self, owner: ParticipantNumber) -> usize {
        let limited =
            |asset: &AssetNumber| self.asset(*asset).is_some_and(|one| one.issuer == owner);
        if self.gov.funding_limits.keys().any(limited) { 2 } else { 1 }
    }

    /// Whether a key may be added to those of a participant, for this time or for now.
    pub(crate) fn check_new_key(
        &self,
        owner: ParticipantNumber,
        key: &PublicKey,
        from: Option<LedgerTime>,
        now: LedgerTime,
    ) -> Result<(), Refusal> {
        check_time(from, now)?;
        if self.registry.owner_of_key(key).is_some() {
            return Err(Refusal::KeyInUse);
        }
        let records = self.key_history(owner);
        let current = records.iter().filter(|record| record.until_leaf.is_none()).count();
        if current >= SIGNING_KEYS_MAX || records.len() >= KEYS_EVER_MAX {
            return Err(Refusal::LimitReached);
        }
        Ok(())
    }

    /// Adds a key, live from a time or from the leaf after this one.
    pub(crate) fn add_key(
        &mut self,
        owner: ParticipantNumber,
        key: PublicKey,
        from: Option<LedgerTime>,
        leaf: u64,
    ) {
        let now = self.block_time;
        let record = match from {
            Some(from) => KeyRecord { from_leaf: None, ..KeyRecord::live_since(key, from, leaf) },
            None => KeyRecord::live_since(key, now, leaf_after(leaf)),
        };
        let records = self.records_of(owner);
        let at = records.len() as u16;
        records.push(record);
        let time = record.next_time();
        self.gov.key_times.extend(time.map(|time| (time, owner, at)));
        self.registry.claim_key(key, owner);
        if from.is_none() {
            self.registry.participants[owner.0 as usize].signing_keys.push(key);
        }
    }

    /// Whether a key may end, at a time or now: it has not, no end before that is planned, and enough others are left.
    pub(crate) fn check_key_end(
        &self,
        owner: ParticipantNumber,
        key: &PublicKey,
        at: Option<LedgerTime>,
        now: LedgerTime,
    ) -> Result<(), Refusal> {
        let records = self.key_history(owner);
        let record =
            records.iter().find(|record| record.key == *key && record.until_leaf.is_none());
        let record = record.ok_or(Refusal::KeyNotLive)?;
        check_time(at, now)?;
        let time = at.unwrap_or(now);
        // A plan stands, so that a repetition of it changes nothing; only an end at once may come before it.
        if at.is_some() && (record.until.is_some() || time <= record.from) {
            return Err(Refusal::KeyNotLive);
        }
        let lasting = records.iter().filter(|other| {
            let live_by_then = other.from_leaf.is_some() || other.from < time;
            other.key != *key && other.until.is_none() && live_by_then
        });
        if lasting.count() < self.keys_needed(owner) {
            return Err(Refusal::KeyNeeded);
        }
        Ok(())
    }

    /// Ends a key, at a time or from the leaf after this one.
    pub(crate) fn end_key(
        &mut self,
        owner: ParticipantNumber,
        key: &PublicKey,
        at: Option<LedgerTime>,
        end: KeyEnd,
        leaf: u64,
    ) {
        let now = self.block_time;
        let place = self.records_of(owner).iter().position(|record| record.key == *key);
        let Some(place) = place else { return };
        self.gov.change_key(owner, place as u16, |record| {
            record.until = Some((at.unwrap_or(now), end));
            if at.is_none() {
                record.until_leaf = Some(leaf_after(leaf));
            }
        });
        if at.is_none() {
            self.drop_live(owner, key);
        }
    }

    /// Ends all keys of a participant and gives it others, by vote.
    pub(super) fn replace_keys(&mut self, owner: ParticipantNumber, keys: &[PublicKey], leaf: u64) {
        let current: Vec<PublicKey> = self
            .records_of(owner)
            .iter()
            .filter(|record| record.until_leaf.is_none())
            .map(|record| record.key)
            .collect();
        for key in current {
            self.end_key(owner, &key, None, KeyEnd::Replaced, leaf);
        }
        for key in keys {
            self.add_key(owner, *key, None, leaf);
        }
    }

    fn drop_live(&mut self, owner: ParticipantNumber, key: &PublicKey) {
        self.registry.participants[owner.0 as usize].signing_keys.retain(|live| live != key);
    }

    /// Begins and ends the keys whose time has come.
    pub(super) fn turn_keys(&mut self, time: LedgerTime) {
        for _ in 0..KEYS_DUE_PER_BLOCK_MAX {
            let Some(&(due, owner, at)) = self.gov.key_times.first() else { return };
            if due > time {
                return;
            }
            let mut seen = None;
            self.gov.change_key(owner, at, |record| {
                let begins = record.from_leaf.is_none();
                if begins {
                    record.from_leaf = Some(LEAF_NONE);
                } else {
                    record.until_leaf = Some(LEAF_NONE);
                }
                seen = Some((record.key, begins));
            });
            // The times are those of the records, so there is one.
            let Some((key, begins)) = seen else { return };
            if begins {
                self.registry.participants[owner.0 as usize].signing_keys.push(key);
            } else {
                self.drop_live(owner, &key);
            }
            self.gov.unstamped.push((owner, at));
        }
    }
}

/// The leaf from which a change counts that is ordered at this leaf.
const fn leaf_after(leaf: u64) -> u64 {
    if leaf == GENESIS_LEAF { 0 } else { leaf + 1 }
}

/// A time that is not over and not further away than anything may wait.
fn check_time(at: Option<LedgerTime>, now: LedgerTime) -> Result<(), Refusal> {
    match at {
        Some(at) if at <= now || at.0 - now.0 > WAIT_NANOSECONDS_MAX => {
            Err(Refusal::TimeOutOfRange)
        }
        _ => Ok(()),
    }
}
